/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "catalogue/attributes.h"
#include "metrics/size.h"
#include "metrics/snapshot.h"

#define DEFAULT_SERIES 20000
#define LEAST_SERIES   64
#define DEVICES_MAX    16384
#define EXEMPLAR_AGE   60000000000u /* ns: then any other call takes its place */

/* OTLP's numbers of the kinds of spans. */
enum { INTERNAL = 1, SERVER, CLIENT, PRODUCER, CONSUMER };

struct tt_metrics {
    struct tt_metrics_config config;
    struct tt_series_table *table;
    struct tt_series_table *devices; /* that were met of late */
    uint64_t now, newest;            /* monotonic; unix: end of the newest span */
    uint64_t spans, overflow;
};

/* What the labels are made of. */
struct facts {
    const struct tt_otel_span *span;
    const char *command, *target, *attribute, *method, *error, *address;
    const char *class_name; /* CLIENT: of the device that is called */
    bool attributes;        /* attributes were read or written */
    uint64_t ns;
    bool failed;
};

struct tt_metrics *tt_metrics_new(const struct tt_metrics_config *config)
{
    struct tt_metrics *metrics = calloc(1, sizeof(*metrics));

    if (!metrics)
        return NULL;
    metrics->config = *config;
    if (!metrics->config.series)
        metrics->config.series = DEFAULT_SERIES;
    if (metrics->config.series < LEAST_SERIES)
        metrics->config.series = LEAST_SERIES;
    metrics->table = tt_series_table_new(metrics->config.series, config->exponential);
    metrics->devices = tt_series_table_new(DEVICES_MAX, false);
    if (!metrics->table || !metrics->devices)
        tt_metrics_free(&metrics);
    return metrics;
}

void tt_metrics_free(struct tt_metrics **metrics)
{
    if (!*metrics)
        return;
    tt_series_table_free(&(*metrics)->table);
    tt_series_table_free(&(*metrics)->devices);
    free(*metrics);
    *metrics = NULL;
}

void tt_metrics_get_stats(const struct tt_metrics *metrics, struct tt_metrics_stats *stats)
{
    *stats = (struct tt_metrics_stats){
        .spans = metrics->spans,
        .series = tt_series_count(metrics->table),
        .overflow = metrics->overflow,
        .evicted = tt_series_evicted(metrics->table),
        .bytes = sizeof(*metrics) + tt_series_bytes(metrics->table) + tt_series_bytes(metrics->devices),
    };
}

struct tt_snapshot *tt_metrics_snapshot(const struct tt_metrics *metrics, uint64_t time)
{
    return tt_snapshot_new(metrics->table, time ? time : metrics->newest);
}

/* ---- series ---- */

/* The labels of that level and above become _OTHER. */
static void blur(enum tt_family_id family, const char **values, enum tt_label_level level)
{
    const struct tt_label *labels = tt_families[family].labels;

    for (unsigned i = 0; labels[i].key; i++) {
        if (labels[i].level >= level && values[i])
            values[i] = TT_METRICS_OTHER;
    }
}

/* `values` are used up. NULL when out of memory. */
static struct tt_series *series_of(struct tt_metrics *metrics, enum tt_family_id family, const char **values,
                                   uint64_t start)
{
    struct tt_series *series = tt_series_find_or_add(metrics->table, family, values, TT_ROOM_SHARED,
                                                     metrics->now, start);

    if (series)
        return series;
    metrics->overflow++;
    blur(family, values, TT_LABEL_FINE);
    series = tt_series_find_or_add(metrics->table, family, values, TT_ROOM_RESERVED, metrics->now, start);
    if (series)
        return series;
    blur(family, values, TT_LABEL_COARSE);
    return tt_series_find_or_add(metrics->table, family, values, TT_ROOM_LAST, metrics->now, start);
}

/* ---- values ---- */

static bool is_better(const struct tt_exemplar *old, const struct facts *facts)
{
    if (facts->span->end >= old->time + EXEMPLAR_AGE)
        return true;
    if (facts->failed != old->failed)
        return facts->failed;
    return facts->ns >= old->value;
}

static void add_exemplar(struct tt_exemplar *exemplar, const struct facts *facts)
{
    if (!is_better(exemplar, facts))
        return;
    exemplar->value = facts->ns;
    exemplar->time = facts->span->end;
    exemplar->failed = facts->failed;
    memcpy(exemplar->trace_id, facts->span->trace_id, sizeof(exemplar->trace_id));
    memcpy(exemplar->span_id, facts->span->span_id, sizeof(exemplar->span_id));
}

static void observe(const struct tt_metrics *metrics, struct tt_series *series, enum tt_instrument_id id,
                    const struct facts *facts)
{
    const struct tt_instrument *instrument = &tt_instruments[id];
    uint64_t *values = tt_series_values(series) + instrument->slot;
    unsigned bucket = 0;

    values[TT_SLOT_COUNT]++;
    values[TT_SLOT_SUM] += facts->ns;
    while (bucket < instrument->bound_count && facts->ns > instrument->bounds[bucket])
        bucket++;
    values[TT_SLOT_BUCKETS + bucket]++;
    if (metrics->config.exponential)
        tt_exponential_add(tt_series_exponential(series, instrument->histogram), facts->ns);
    if (metrics->config.exemplars)
        add_exemplar(tt_series_exemplar(series, instrument->histogram), facts);
}

static void add(struct tt_series *series, enum tt_instrument_id id, uint64_t value)
{
    tt_series_values(series)[tt_instruments[id].slot] += value;
}

void tt_metrics_beat(struct tt_metrics *metrics, bool sent, const char *server, const char *program,
                     uint64_t start)
{
    const char *values[TT_LABELS_MAX] = {[TT_BEATS_SERVER] = server, [TT_BEATS_PROGRAM] = program};
    struct tt_series *series = series_of(metrics, TT_FAMILY_BEATS, values, start);

    if (series)
        add(series, sent ? TT_BEATS_SENT : TT_BEATS_RECEIVED, 1);
    if (start > metrics->newest)
        metrics->newest = start;
}

/* ---- devices ---- */

/* Devices of a class, +1 or -1. */
static void count_device(struct tt_metrics *metrics, const struct tt_series *device, int by, uint64_t start)
{
    const char *values[TT_LABELS_MAX] = {[TT_DEVICES_CLASS] = tt_series_label(device, TT_DEVICES_CLASS)};
    struct tt_series *series = series_of(metrics, TT_FAMILY_CLASSES, values, start);

    if (series && (by > 0 || *tt_series_values(series)))
        *tt_series_values(series) += (uint64_t)(int64_t)by;
}

/* Forgets those not met since `before`, and the oldest of all for want of room. */
static void forget_devices(struct tt_metrics *metrics, uint64_t before)
{
    struct tt_series *device;

    while ((device = tt_series_oldest(metrics->devices)) &&
           (tt_series_used(device) < before || tt_series_count(metrics->devices) >= DEVICES_MAX)) {
        count_device(metrics, device, -1, metrics->newest);
        tt_series_drop(metrics->devices, device);
    }
}

static void meet_device(struct tt_metrics *metrics, const char *name, const char *class_name, uint64_t start)
{
    const char *values[TT_LABELS_MAX] = {[TT_DEVICES_CLASS] = class_name, [TT_DEVICES_NAME] = name};
    struct tt_series_key key;
    struct tt_series *device;

    tt_series_key(&key, TT_FAMILY_DEVICES, values);
    if (tt_series_find(metrics->devices, &key, metrics->now))
        return;
    forget_devices(metrics, 0);
    device = tt_series_add(metrics->devices, &key, TT_ROOM_LAST, metrics->now, 0, start);
    if (device)
        count_device(metrics, device, 1, start);
}

void tt_metrics_tick(struct tt_metrics *metrics, uint64_t now)
{
    if (now > metrics->now)
        metrics->now = now;
    if (now > TT_METRICS_IDLE)
        forget_devices(metrics, now - TT_METRICS_IDLE);
}

/* ---- spans ---- */

/* Enrich takes keys from the attribute table, so that one is known by its address. */
static void gather(const struct tt_otel_span *span, struct facts *facts)
{
    *facts = (struct facts){.span = span,
                            .ns = span->end > span->start ? span->end - span->start : 0,
                            .failed = span->status == TT_OTEL_ERROR};
    for (size_t i = 0; i < span->attribute_count; i++) {
        const struct tt_otel_attribute *a = &span->attributes[i];

        if (a->key == tt_attr_rows[TT_ATTR_COMMAND_NAME].key)
            facts->command = a->value.string;
        else if (a->key == tt_attr_rows[TT_ATTR_OPERATION_TARGET].key)
            facts->target = a->value.string;
        else if (a->key == tt_attr_rows[TT_ATTR_ATTRIBUTE_COUNT].key)
            facts->attributes = true;
        else if (a->key == tt_attr_rows[TT_ATTR_ATTRIBUTE_NAMES].key)
            facts->attribute = a->value.strings.count == 1 ? a->value.strings.items[0] : NULL;
        else if (a->key == tt_attr_rows[TT_ATTR_RPC_METHOD].key)
            facts->method = a->value.string;
        else if (a->key == tt_attr_rows[TT_ATTR_PEER_SERVICE].key)
            facts->class_name = a->value.string;
        else if (a->key == tt_attr_rows[TT_ATTR_ERROR_TYPE].key)
            facts->error = a->value.string;
        else if (a->key == tt_attr_rows[TT_ATTR_SERVER_ADDRESS].key)
            facts->address = a->value.string;
    }
}

/* tango.operation.name without the names of attributes: "read ExposureTime" gives "read". */
static const char *operation_of(const struct facts *facts, char buffer[TT_LABEL_SIZE])
{
    const char *title = facts->span->title;
    size_t length = facts->attributes ? strcspn(title, " ") : 0;

    if (facts->command)
        return facts->command;
    if (!length || !title[length] || length >= TT_LABEL_SIZE)
        return title;
    memcpy(buffer, title, length);
    buffer[length] = '\0';
    return buffer;
}

/* A duration that is a bound is none, and a call whose end was not seen no success: both are counted apart.
 */
static const struct {
    enum tt_family_id family;
    enum tt_instrument_id instrument;
} call_metrics[2][2] = {
    /* [is client][was not measured] */
    {{TT_FAMILY_SERVER, TT_SERVER_DURATION}, {TT_FAMILY_SERVER_UNMEASURED, TT_SERVER_UNMEASURED}},
    {{TT_FAMILY_CLIENT, TT_CLIENT_DURATION}, {TT_FAMILY_CLIENT_UNMEASURED, TT_CLIENT_UNMEASURED}},
};

static void count_call(struct tt_metrics *metrics, const struct facts *facts)
{
    const struct tt_otel_span *span = facts->span;
    bool client = span->kind == CLIENT, unmeasured = span->unmeasured != NULL;
    const char *own = span->resource->service_name;
    const char *values[TT_LABELS_MAX] = {NULL};
    enum tt_instrument_id instrument = call_metrics[client][unmeasured].instrument;
    char buffer[TT_LABEL_SIZE];
    struct tt_series *series;

    values[TT_RPC_METHOD] = facts->method;
    values[TT_RPC_CLASS] = client ? facts->class_name : span->resource->class_name;
    values[TT_RPC_OPERATION] = operation_of(facts, buffer);
    values[TT_RPC_CLIENT] = client ? own : span->peer;
    values[TT_RPC_ERROR] = facts->error;
    if (metrics->config.device)
        values[TT_RPC_DEVICE] = facts->target;
    if (metrics->config.attribute)
        values[TT_RPC_ATTRIBUTE] = facts->attribute;
    values[TT_RPC_REASON] = span->unmeasured;
    series = series_of(metrics, call_metrics[client][unmeasured].family, values, span->start);
    if (series && unmeasured)
        add(series, instrument, 1);
    else if (series)
        observe(metrics, series, instrument, facts);
}

static void count_span(struct tt_metrics *metrics, const struct facts *facts)
{
    static const char *const kinds[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
                                        "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
    const struct tt_otel_span *span = facts->span;
    const char *values[TT_LABELS_MAX] = {
        [TT_SPANS_SERVICE] = span->resource->service_name,
        [TT_SPANS_NAME] = span->name,
        [TT_SPANS_KIND] = kinds[span->kind >= INTERNAL && span->kind <= CONSUMER ? span->kind : 0],
        [TT_SPANS_STATUS] = facts->failed ? "STATUS_CODE_ERROR" : "STATUS_CODE_UNSET",
    };
    struct tt_series *series = series_of(metrics, TT_FAMILY_SPANS, values, span->start);

    if (!series)
        return;
    add(series, TT_SPAN_CALLS, 1);
    add(series, TT_SPAN_SIZE, tt_span_size(span));
    observe(metrics, series, TT_SPAN_LATENCY, facts);
}

/* ---- what is Tango's own ---- */

static const struct tt_otel_attribute *attribute(const struct tt_otel_span *span, enum tt_attr attr)
{
    for (size_t i = 0; i < span->attribute_count; i++)
        if (span->attributes[i].key == tt_attr_rows[attr].key)
            return &span->attributes[i];
    return NULL;
}

/* Numbers that spans carry. */
static const struct {
    int kind;
    enum tt_attr attr;
    enum tt_family_id family;
    enum tt_instrument_id instrument;
    unsigned ns; /* of one of the attribute's unit; 0: a count */
} own_metrics[] = {
    {INTERNAL, TT_ATTR_POLLING_LATE, TT_FAMILY_POLLING, TT_POLLING_LATENESS, 1000},
    {CONSUMER, TT_ATTR_EVENT_LATENCY, TT_FAMILY_EVENTS, TT_EVENT_LATENCY, 1000},
    {CONSUMER, TT_ATTR_EVENT_LOST, TT_FAMILY_EVENTS, TT_EVENT_LOST, 0},
    {SERVER, TT_ATTR_TIME_MONITOR, TT_FAMILY_MONITOR, TT_MONITOR_WAIT, 1},
};

static void count_own(struct tt_metrics *metrics, const struct facts *facts)
{
    const struct tt_otel_span *span = facts->span;

    for (size_t i = 0; i < TT_ARRAY_SIZE(own_metrics); i++) {
        bool is_event = own_metrics[i].family == TT_FAMILY_EVENTS;
        const struct tt_otel_attribute *value = span->kind == own_metrics[i].kind
                                                    ? attribute(span, own_metrics[i].attr)
                                                    : NULL;
        const struct tt_otel_attribute *type = value && is_event ? attribute(span, TT_ATTR_EVENT_TYPE) : NULL;
        const char *values[TT_LABELS_MAX] = {NULL};
        struct tt_series *series;

        if (!value)
            continue;
        values[TT_OWN_CLASS] = is_event ? NULL : span->resource->class_name; /* not the receiver's */
        values[TT_OWN_DEVICE] = !metrics->config.device ? NULL
                                : is_event              ? facts->target
                                                        : span->resource->instance;
        values[TT_OWN_TYPE] = type ? type->value.string : NULL;
        values[TT_OWN_CLIENT] = is_event ? span->resource->service_name : NULL;
        series = series_of(metrics, own_metrics[i].family, values, span->start);
        if (series && own_metrics[i].ns) {
            struct facts one = *facts;

            one.ns = value->value.integer > 0 ? (uint64_t)value->value.integer * own_metrics[i].ns : 0;
            observe(metrics, series, own_metrics[i].instrument, &one);
        } else if (series && value->value.integer > 0) {
            add(series, own_metrics[i].instrument, (uint64_t)value->value.integer);
        }
    }
}

/* ---- edges of the service graph ---- */

#define USER    "user" /* Tempo's name of who begins a trace with a SERVER span */
#define UNKNOWN "unknown"

static bool is_root(const struct tt_otel_span *span)
{
    static const uint8_t none[sizeof(span->parent_id)];

    return !memcmp(span->parent_id, none, sizeof(none));
}

/* The other end of the span's edge. What is not known of a server has at least an address. */
static const char *peer_node(const struct tt_metrics *metrics, const struct facts *facts, bool client)
{
    const struct tt_otel_span *span = facts->span;

    if (metrics->config.graph == TT_GRAPH_DEVICE && client && facts->target)
        return facts->target;
    if (metrics->config.graph == TT_GRAPH_DEVICE && !client && span->peer_device)
        return span->peer_device;
    if (span->peer)
        return span->peer;
    if (!client)
        return is_root(span) ? USER : UNKNOWN;
    return facts->address ? facts->address : UNKNOWN;
}

static const char *own_node(const struct tt_metrics *metrics, const struct facts *facts)
{
    const struct tt_otel_resource *resource = facts->span->resource;

    return metrics->config.graph == TT_GRAPH_DEVICE && !resource->is_client ? resource->instance
                                                                            : resource->service_name;
}

/* Requests and the client's seconds are the client's to count, the server's seconds the server's: agents of
 * two hosts never write the same series. A client that no agent sees is counted by the server's. */
static void count_edge(struct tt_metrics *metrics, const struct facts *facts)
{
    const struct tt_otel_span *span = facts->span;
    bool client = span->kind == CLIENT, virtual = !span->peer_seen;
    const char *peer = peer_node(metrics, facts, client), *own = own_node(metrics, facts);
    const char *values[TT_LABELS_MAX] = {
        [TT_EDGES_CLIENT] = client ? own : peer,
        [TT_EDGES_SERVER] = client ? peer : own,
        [TT_EDGES_TYPE] = virtual ? "virtual_node" : NULL,
    };
    struct tt_series *series = series_of(metrics, TT_FAMILY_EDGES, values, span->start);

    if (!series)
        return;
    if (client || virtual) {
        add(series, TT_EDGE_REQUESTS, 1);
        add(series, TT_EDGE_FAILED, facts->failed);
    }
    observe(metrics, series, client ? TT_EDGE_CLIENT : TT_EDGE_SERVER, facts);
}

void tt_metrics_span(struct tt_metrics *metrics, const struct tt_otel_span *span)
{
    struct facts facts;

    gather(span, &facts);
    metrics->spans++;
    if (span->end > metrics->newest)
        metrics->newest = span->end;
    if (metrics->config.spans)
        count_span(metrics, &facts);
    count_own(metrics, &facts);
    if (span->kind != CLIENT && span->kind != SERVER)
        return;
    /* One that has a server's side is counted with it, as soon as its class is known. */
    if (facts.target && (span->kind == SERVER ? span->resource->class_name != NULL : !span->peer_seen))
        meet_device(metrics, facts.target,
                    span->kind == SERVER ? span->resource->class_name : facts.class_name, span->start);
    count_call(metrics, &facts);
    if (metrics->config.graph != TT_GRAPH_NONE)
        count_edge(metrics, &facts);
}
