/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "metrics/encode_json.h"
#include "otlp.pb-c.h"

#define SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"

/* One request while it is made; everything lies in the arena. Out of memory: `failed`, and the rest is
 * harmless. */
struct request {
    struct tt_metrics_encoder *encoder;
    struct tt_arena arena;
    bool failed;
    long points;
    Tt__Otlp__Metric *metrics[TT_INSTRUMENTS + 256];
    size_t count;
};

/* Zeroed; where there is no memory, something that may be written to and is never sent. */
static void *get(struct request *request, size_t size)
{
    void *memory = tt_arena_alloc(&request->arena, size ? size : 1);

    request->failed |= !memory;
    return memory;
}

#define NEW(request, type, name)                                                                             \
    ({                                                                                                       \
        Tt__Otlp__##type *_m = get(request, sizeof(*_m));                                                    \
        if (_m)                                                                                              \
            tt__otlp__##name##__init(_m);                                                                    \
        _m;                                                                                                  \
    })

/* ---- attributes ---- */

static Tt__Otlp__KeyValue *make_pair(struct request *request, const char *key)
{
    Tt__Otlp__KeyValue *pair = NEW(request, KeyValue, key_value);
    Tt__Otlp__AnyValue *value = NEW(request, AnyValue, any_value);

    if (!pair || !value)
        return NULL;
    pair->key = (char *)key;
    pair->value = value;
    return pair;
}

static void add_text(struct request *request, Tt__Otlp__KeyValue **pairs, size_t *count, const char *key,
                     const char *text)
{
    Tt__Otlp__KeyValue *pair = *text ? make_pair(request, key) : NULL;

    if (!pair)
        return;
    pair->value->value_case = TT__OTLP__ANY_VALUE__VALUE_STRING_VALUE;
    pair->value->string_value = (char *)text;
    pairs[(*count)++] = pair;
}

static Tt__Otlp__KeyValue **labels_of(struct request *request, const struct tt_series *series, size_t *count)
{
    const struct tt_label *labels = tt_families[tt_series_family(series)].labels;
    Tt__Otlp__KeyValue **pairs = get(request, TT_LABELS_MAX * sizeof(struct Tt__Otlp__KeyValue *));

    *count = 0;
    for (unsigned i = 0; pairs && labels[i].key; i++)
        add_text(request, pairs, count, labels[i].key, tt_series_label(series, i));
    return pairs;
}

static Tt__Otlp__Resource *resource_of(struct request *request, const struct tt_otel_resource *from)
{
    Tt__Otlp__Resource *resource = NEW(request, Resource, resource);

    if (!resource || !from)
        return resource;
    resource->attributes = get(request, from->attribute_count * sizeof(struct Tt__Otlp__KeyValue *));
    for (size_t i = 0; resource->attributes && i < from->attribute_count; i++) {
        if (from->attributes[i].type == TT_OTEL_STRING) /* the agent's own has no others */
            add_text(request, resource->attributes, &resource->n_attributes, from->attributes[i].key,
                     from->attributes[i].value.string);
    }
    return resource;
}

/* ---- what was sent before ---- */

static int compare(const struct tt_series *a, const struct tt_series *b)
{
    size_t x, y;
    const char *p = tt_series_key_of(a, &x), *q = tt_series_key_of(b, &y);

    return x != y ? (x < y ? -1 : 1) : memcmp(p, q, x);
}

static int compare_pointers(const void *a, const void *b)
{
    return compare(*(struct tt_series *const *)a, *(struct tt_series *const *)b);
}

static int sort_previous(struct tt_metrics_encoder *encoder)
{
    const struct tt_snapshot *previous = encoder->previous;
    size_t count = previous ? previous->first[TT_FAMILIES] : 0;

    if (encoder->sorted || !count)
        return 0;
    encoder->sorted = calloc(count, sizeof(struct tt_series *));
    if (!encoder->sorted)
        return -ENOMEM;
    memcpy(encoder->sorted, previous->series, count * sizeof(struct tt_series *));
    qsort(encoder->sorted, count, sizeof(struct tt_series *), compare_pointers);
    return 0;
}

/* The same series as it was sent last; NULL: it was not, or has begun anew. */
static struct tt_series *before(const struct tt_metrics_encoder *encoder, const struct tt_series *series)
{
    struct tt_series **found;

    if (!encoder->sorted)
        return NULL;
    found = bsearch(&series, encoder->sorted, encoder->previous->first[TT_FAMILIES],
                    sizeof(struct tt_series *), compare_pointers);
    return found && tt_series_start(*found) == tt_series_start(series) ? *found : NULL;
}

static bool is_delta(const struct tt_metrics_encoder *encoder, enum tt_metric_type type)
{
    return encoder->temporality != TT_TEMPORALITY_CUMULATIVE &&
           (type == TT_METRIC_COUNTER || type == TT_METRIC_HISTOGRAM);
}

static Tt__Otlp__AggregationTemporality temporality(bool delta)
{
    return delta ? TT__OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_DELTA
                 : TT__OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;
}

/* Values of a point of series: all there are, or what came since. */
struct change {
    uint64_t start;
    const uint64_t *now, *then; /* then: NULL where all count */
};

static uint64_t changed(const struct change *change, unsigned slot)
{
    return change->now[slot] - (change->then ? change->then[slot] : 0);
}

static struct change change_of(const struct tt_metrics_encoder *encoder, const struct tt_series *series,
                               bool delta)
{
    const struct tt_series *last = delta ? before(encoder, series) : NULL;
    struct change change = {.start = tt_series_start(series), .now = tt_series_get(series)};

    if (last) {
        change.then = tt_series_get(last);
        change.start = encoder->previous->time;
    }
    return change;
}

/* ---- points ---- */

static Tt__Otlp__Exemplar **exemplars_of(struct request *request, struct tt_series *series,
                                         unsigned histogram, uint64_t since, size_t *count)
{
    struct tt_exemplar *from = tt_series_exemplar(series, histogram);
    Tt__Otlp__Exemplar **list, *exemplar;

    if (!from->time || from->time < since)
        return NULL;
    list = get(request, sizeof(struct Tt__Otlp__Exemplar *));
    exemplar = NEW(request, Exemplar, exemplar);
    if (!list || !exemplar)
        return NULL;
    exemplar->time_unix_nano = from->time;
    exemplar->value_case = TT__OTLP__EXEMPLAR__VALUE_AS_DOUBLE;
    exemplar->as_double = (double)from->value / 1e9;
    exemplar->trace_id = (ProtobufCBinaryData){sizeof(from->trace_id), from->trace_id};
    exemplar->span_id = (ProtobufCBinaryData){sizeof(from->span_id), from->span_id};
    list[0] = exemplar;
    *count = 1;
    return list;
}

static Tt__Otlp__NumberDataPoint *number_point(struct request *request, const struct tt_series *series,
                                               const struct tt_instrument *instrument, bool delta)
{
    struct change change = change_of(request->encoder, series, delta);
    Tt__Otlp__NumberDataPoint *point;

    if (delta && !changed(&change, instrument->slot))
        return NULL;
    point = NEW(request, NumberDataPoint, number_data_point);
    if (!point)
        return NULL;
    point->start_time_unix_nano = change.start;
    point->time_unix_nano = request->encoder->snapshot->time;
    point->value_case = TT__OTLP__NUMBER_DATA_POINT__VALUE_AS_INT;
    point->as_int = (int64_t)changed(&change, instrument->slot);
    point->attributes = labels_of(request, series, &point->n_attributes);
    return point;
}

/* With explicit buckets, their values from `slot` on; without labels. */
static Tt__Otlp__HistogramDataPoint *explicit_point(struct request *request, const struct change *change,
                                                    unsigned slot, const uint64_t *bounds, unsigned count)
{
    Tt__Otlp__HistogramDataPoint *point = NEW(request, HistogramDataPoint, histogram_data_point);

    if (!point)
        return NULL;
    point->start_time_unix_nano = change->start;
    point->time_unix_nano = request->encoder->snapshot->time;
    point->count = changed(change, slot + TT_SLOT_COUNT);
    point->_sum_case = TT__OTLP__HISTOGRAM_DATA_POINT___SUM_SUM;
    point->sum = (double)changed(change, slot + TT_SLOT_SUM) / 1e9;
    point->bucket_counts = get(request, (count + 1) * sizeof(uint64_t));
    point->explicit_bounds = get(request, count * sizeof(double));
    if (!point->bucket_counts || !point->explicit_bounds)
        return NULL;
    point->n_bucket_counts = count + 1;
    point->n_explicit_bounds = count;
    for (unsigned i = 0; i <= count; i++)
        point->bucket_counts[i] = changed(change, slot + TT_SLOT_BUCKETS + i);
    for (unsigned i = 0; i < count; i++)
        point->explicit_bounds[i] = (double)bounds[i] / 1e9;
    return point;
}

static Tt__Otlp__HistogramDataPoint *histogram_point(struct request *request, struct tt_series *series,
                                                     const struct tt_instrument *instrument, bool delta)
{
    struct change change = change_of(request->encoder, series, delta);
    Tt__Otlp__HistogramDataPoint *point;

    if (delta && !changed(&change, instrument->slot + TT_SLOT_COUNT))
        return NULL;
    point = explicit_point(request, &change, instrument->slot, instrument->bounds, instrument->bound_count);
    if (!point)
        return NULL;
    point->attributes = labels_of(request, series, &point->n_attributes);
    point->exemplars = exemplars_of(request, series, instrument->histogram, delta ? change.start : 0,
                                    &point->n_exemplars);
    return point;
}

static Tt__Otlp__ExponentialHistogramDataPoint *exponential_point(struct request *request,
                                                                  struct tt_series *series,
                                                                  const struct tt_instrument *instrument,
                                                                  bool delta)
{
    struct change change = change_of(request->encoder, series, delta);
    Tt__Otlp__ExponentialHistogramDataPoint *point;
    struct tt_exponential *e = tt_series_exponential(series, instrument->histogram);
    struct tt_series *last = change.then ? before(request->encoder, series) : NULL;

    if (delta && !changed(&change, instrument->slot + TT_SLOT_COUNT))
        return NULL;
    point = NEW(request, ExponentialHistogramDataPoint, exponential_histogram_data_point);
    if (!point || !e)
        return NULL;
    if (last) {
        e = get(request, sizeof(*e));
        if (!e)
            return NULL;
        *e = *tt_series_exponential(series, instrument->histogram);
        tt_exponential_subtract(e, tt_series_exponential(last, instrument->histogram));
    }
    point->start_time_unix_nano = change.start;
    point->time_unix_nano = request->encoder->snapshot->time;
    point->count = changed(&change, instrument->slot + TT_SLOT_COUNT);
    point->_sum_case = TT__OTLP__EXPONENTIAL_HISTOGRAM_DATA_POINT___SUM_SUM;
    point->sum = (double)changed(&change, instrument->slot + TT_SLOT_SUM) / 1e9;
    point->scale = e->scale;
    point->zero_count = e->zero;
    point->positive = NEW(request, ExponentialBuckets, exponential_buckets);
    if (!point->positive)
        return NULL;
    point->positive->offset = e->first;
    point->positive->bucket_counts = e->buckets;
    point->positive->n_bucket_counts = e->count;
    point->attributes = labels_of(request, series, &point->n_attributes);
    point->exemplars = exemplars_of(request, series, instrument->histogram, delta ? change.start : 0,
                                    &point->n_exemplars);
    return point;
}

/* ---- metrics ---- */

static Tt__Otlp__Metric *make_metric(struct request *request, const char *name, const char *unit,
                                     const char *help)
{
    Tt__Otlp__Metric *metric = NEW(request, Metric, metric);

    if (!metric)
        return NULL;
    metric->name = (char *)name;
    metric->unit = (char *)unit;
    metric->description = (char *)help;
    return metric;
}

/* Numbers are all sums here, but for gauges. */
static void set_numbers(struct request *request, Tt__Otlp__Metric *metric, enum tt_metric_type type,
                        bool delta, Tt__Otlp__NumberDataPoint **points, size_t count)
{
    if (type == TT_METRIC_GAUGE) {
        Tt__Otlp__Gauge *gauge = NEW(request, Gauge, gauge);

        if (!gauge)
            return;
        gauge->data_points = points;
        gauge->n_data_points = count;
        metric->data_case = TT__OTLP__METRIC__DATA_GAUGE;
        metric->gauge = gauge;
    } else {
        Tt__Otlp__Sum *sum = NEW(request, Sum, sum);

        if (!sum)
            return;
        sum->data_points = points;
        sum->n_data_points = count;
        sum->aggregation_temporality = temporality(delta);
        sum->is_monotonic = type == TT_METRIC_COUNTER;
        metric->data_case = TT__OTLP__METRIC__DATA_SUM;
        metric->sum = sum;
    }
}

static void set_histograms(struct request *request, Tt__Otlp__Metric *metric, bool exponential, bool delta,
                           void **points, size_t count)
{
    if (exponential) {
        Tt__Otlp__ExponentialHistogram *data = NEW(request, ExponentialHistogram, exponential_histogram);

        if (!data)
            return;
        data->data_points = (Tt__Otlp__ExponentialHistogramDataPoint **)points;
        data->n_data_points = count;
        data->aggregation_temporality = temporality(delta);
        metric->data_case = TT__OTLP__METRIC__DATA_EXPONENTIAL_HISTOGRAM;
        metric->exponential_histogram = data;
    } else {
        Tt__Otlp__Histogram *data = NEW(request, Histogram, histogram);

        if (!data)
            return;
        data->data_points = (Tt__Otlp__HistogramDataPoint **)points;
        data->n_data_points = count;
        data->aggregation_temporality = temporality(delta);
        metric->data_case = TT__OTLP__METRIC__DATA_HISTOGRAM;
        metric->histogram = data;
    }
}

static void *make_point(struct request *request, struct tt_series *series,
                        const struct tt_instrument *instrument, bool delta)
{
    if (instrument->type != TT_METRIC_HISTOGRAM)
        return number_point(request, series, instrument, delta);
    return request->encoder->exponential ? (void *)exponential_point(request, series, instrument, delta)
                                         : (void *)histogram_point(request, series, instrument, delta);
}

/* Points of one instrument, from encoder->series on, as many as there is room for. */
static void add_instrument(struct request *request, const struct tt_instrument *instrument)
{
    struct tt_metrics_encoder *encoder = request->encoder;
    const struct tt_snapshot *snapshot = encoder->snapshot;
    size_t end = snapshot->first[instrument->family + 1], count = 0;
    bool delta = is_delta(encoder, instrument->type);
    size_t room = (size_t)(TT_METRICS_POINTS - request->points);
    void **points;
    Tt__Otlp__Metric *metric;

    if (encoder->series < snapshot->first[instrument->family])
        encoder->series = snapshot->first[instrument->family];
    if (room > end - encoder->series)
        room = end - encoder->series;
    points = get(request, room * sizeof(*points));
    for (; points && encoder->series < end && count < room; encoder->series++) {
        struct tt_series *series = snapshot->series[encoder->series];
        void *point = tt_snapshot_has(series, instrument) ? make_point(request, series, instrument, delta)
                                                          : NULL;

        if (point)
            points[count++] = point;
    }
    if (request->failed || encoder->series == end) {
        encoder->instrument++;
        encoder->series = 0;
    }
    metric = count ? make_metric(request, instrument->name, instrument->unit, instrument->help) : NULL;
    if (!metric)
        return;
    if (instrument->type == TT_METRIC_HISTOGRAM)
        set_histograms(request, metric, encoder->exponential, delta, points, count);
    else
        set_numbers(request, metric, instrument->type, delta, (Tt__Otlp__NumberDataPoint **)points, count);
    request->metrics[request->count++] = metric;
    request->points += (long)count;
}

/* ---- figures of the agent ---- */

static bool is_same(const struct tt_metric_figure *a, const struct tt_metric_figure *b)
{
    bool same = !strcmp(a->name, b->name);

    for (size_t i = 0; same && i < TT_FIGURE_LABELS && a->labels[i].key; i++)
        same = b->labels[i].key && !strcmp(a->labels[i].value, b->labels[i].value);
    return same;
}

/* As it was sent last: at the same place, unless an exporter or a class of open calls came or went. */
static const struct tt_metric_figure *figure_before(const struct tt_metrics_encoder *encoder, size_t at)
{
    const struct tt_snapshot *previous = encoder->previous;
    const struct tt_metric_figure *figure = &encoder->snapshot->figures[at];

    if (!previous)
        return NULL;
    if (at < previous->figure_count && is_same(figure, &previous->figures[at]))
        return &previous->figures[at];
    for (size_t i = 0; i < previous->figure_count; i++) {
        if (is_same(figure, &previous->figures[i]))
            return &previous->figures[i];
    }
    return NULL;
}

static Tt__Otlp__KeyValue **figure_labels(struct request *request, const struct tt_metric_figure *figure,
                                          size_t *count)
{
    Tt__Otlp__KeyValue **pairs = get(request, TT_FIGURE_LABELS * sizeof(struct Tt__Otlp__KeyValue *));

    for (size_t i = 0; pairs && i < TT_FIGURE_LABELS && figure->labels[i].key; i++)
        add_text(request, pairs, count, figure->labels[i].key, figure->labels[i].value);
    return pairs;
}

static void *figure_point(struct request *request, size_t at, bool delta)
{
    const struct tt_snapshot *snapshot = request->encoder->snapshot;
    const struct tt_metric_figure *figure = &snapshot->figures[at];
    const struct tt_metric_figure *last = delta ? figure_before(request->encoder, at) : NULL;
    uint64_t start = last ? request->encoder->previous->time : snapshot->start;
    Tt__Otlp__NumberDataPoint *point;

    if (figure->durations) {
        const struct change change = {start, figure->durations->slots, last ? last->durations->slots : NULL};
        Tt__Otlp__HistogramDataPoint *histogram = explicit_point(request, &change, 0, tt_duration_bounds,
                                                                 TT_DURATION_BOUNDS);

        if (histogram)
            histogram->attributes = figure_labels(request, figure, &histogram->n_attributes);
        return histogram;
    }
    point = NEW(request, NumberDataPoint, number_data_point);
    if (!point)
        return NULL;
    point->attributes = figure_labels(request, figure, &point->n_attributes);
    if (figure->type != TT_METRIC_GAUGE)
        point->start_time_unix_nano = start;
    point->time_unix_nano = snapshot->time;
    if (figure->is_real) {
        point->value_case = TT__OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
        point->as_double = figure->real - (last ? last->real : 0);
    } else {
        point->value_case = TT__OTLP__NUMBER_DATA_POINT__VALUE_AS_INT;
        point->as_int = (int64_t)(figure->integer - (last ? last->integer : 0));
    }
    return point;
}

/* The figures of one name, which are few. */
static void add_figures(struct request *request)
{
    struct tt_metrics_encoder *encoder = request->encoder;
    const struct tt_snapshot *snapshot = encoder->snapshot;
    const struct tt_metric_figure *first = &snapshot->figures[encoder->figure];
    bool delta = is_delta(encoder, first->type) && encoder->temporality == TT_TEMPORALITY_DELTA;
    Tt__Otlp__Metric *metric = make_metric(request, first->name, first->unit, first->help);
    void **points;
    size_t end = encoder->figure, count = 0;

    while (end < snapshot->figure_count && !strcmp(snapshot->figures[end].name, first->name))
        end++;
    points = get(request, (end - encoder->figure) * sizeof(*points));
    for (; points && encoder->figure < end; encoder->figure++)
        points[count++] = figure_point(request, encoder->figure, delta);
    encoder->figure = end;
    if (request->failed || !metric)
        return;
    if (first->type == TT_METRIC_HISTOGRAM)
        set_histograms(request, metric, false, delta, points, count);
    else
        set_numbers(request, metric, first->type, delta, (Tt__Otlp__NumberDataPoint **)points, count);
    request->metrics[request->count++] = metric;
    request->points += (long)count;
}

/* ---- requests ---- */

static void fill(struct request *request)
{
    struct tt_metrics_encoder *encoder = request->encoder;

    while (encoder->instrument < TT_INSTRUMENTS && request->points < TT_METRICS_POINTS)
        add_instrument(request, &tt_instruments[encoder->instrument]);
    while (encoder->instrument == TT_INSTRUMENTS && encoder->figure < encoder->snapshot->figure_count &&
           request->points < TT_METRICS_POINTS && request->count < TT_ARRAY_SIZE(request->metrics))
        add_figures(request);
}

static int write_request(struct request *request, uint8_t **data, size_t *size, struct tt_json *json)
{
    Tt__Otlp__MetricsRequest message = TT__OTLP__METRICS_REQUEST__INIT;
    Tt__Otlp__ResourceMetrics resource = TT__OTLP__RESOURCE_METRICS__INIT, *resources[] = {&resource};
    Tt__Otlp__ScopeMetrics scope = TT__OTLP__SCOPE_METRICS__INIT, *scopes[] = {&scope};
    Tt__Otlp__InstrumentationScope name = TT__OTLP__INSTRUMENTATION_SCOPE__INIT;

    name.name = (char *)"tangotrace";
    name.version = (char *)TT_VERSION;
    scope.scope = &name;
    scope.schema_url = resource.schema_url = (char *)SCHEMA_URL;
    scope.metrics = request->metrics;
    scope.n_metrics = request->count;
    resource.resource = resource_of(request, request->encoder->snapshot->resource);
    resource.scope_metrics = scopes;
    resource.n_scope_metrics = 1;
    message.resource_metrics = resources;
    message.n_resource_metrics = 1;
    if (request->failed)
        return -ENOMEM;
    if (json) {
        tt_json_message(json, NULL, &message.base);
        tt_json_newline(json);
        if (json->failed)
            return -ENOMEM;
    }
    if (data) {
        *size = tt__otlp__metrics_request__get_packed_size(&message);
        *data = malloc(*size);
        if (!*data)
            return -ENOMEM;
        tt__otlp__metrics_request__pack(&message, *data);
    }
    return 0;
}

long tt_metrics_encode(struct tt_metrics_encoder *encoder, uint8_t **data, size_t *size, struct tt_json *json)
{
    _cleanup_free_ struct request *request = calloc(1, sizeof(*request));
    long result;

    if (!request || (encoder->temporality != TT_TEMPORALITY_CUMULATIVE && sort_previous(encoder)))
        return -ENOMEM;
    request->encoder = encoder;
    fill(request);
    result = request->points;
    if (request->failed || (result && write_request(request, data, size, json)))
        result = -ENOMEM;
    tt_arena_free(&request->arena);
    return result;
}

void tt_metrics_encoder_end(struct tt_metrics_encoder *encoder)
{
    free(encoder->sorted);
    encoder->sorted = NULL;
}
