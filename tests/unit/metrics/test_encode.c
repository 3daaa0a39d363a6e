/* SPDX-License-Identifier: GPL-2.0-only */
/* OTLP of metrics: what protobuf-c reads back, the JSON of it, requests of bounded size, delta temporality.
 */
#include "metrics/fixture.h"

#include <json-c/json.h>

#include "metrics/encode.h"
#include "otlp.pb-c.h"

/* All requests of a snapshot; returns the number of points. */
static long encode(struct tt_snapshot *snapshot, const struct tt_snapshot *previous,
                   enum tt_temporality temporality, bool exponential, Tt__Otlp__MetricsRequest **requests,
                   size_t room, size_t *count)
{
    struct tt_metrics_encoder encoder = {
        .snapshot = snapshot, .previous = previous, .temporality = temporality, .exponential = exponential};
    long all = 0, n;

    *count = 0;
    for (;;) {
        uint8_t *data = NULL;
        size_t size = 0;

        n = tt_metrics_encode(&encoder, &data, &size, NULL);
        assert_true(n >= 0 && n <= TT_METRICS_POINTS + 16);
        if (!n)
            break;
        assert_true(*count < room && size < 16u << 20);
        requests[*count] = tt__otlp__metrics_request__unpack(NULL, size, data);
        assert_non_null(requests[(*count)++]);
        free(data);
        all += n;
    }
    tt_metrics_encoder_end(&encoder);
    return all;
}

static const Tt__Otlp__Metric *find(const Tt__Otlp__MetricsRequest *request, const char *name)
{
    const Tt__Otlp__ScopeMetrics *scope = request->resource_metrics[0]->scope_metrics[0];

    for (size_t i = 0; i < scope->n_metrics; i++) {
        if (!strcmp(scope->metrics[i]->name, name))
            return scope->metrics[i];
    }
    return NULL;
}

static const char *attribute(Tt__Otlp__KeyValue **pairs, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(pairs[i]->key, key))
            return pairs[i]->value->string_value;
    }
    return NULL;
}

static void call(struct tt_metrics *metrics, const char *client, uint64_t ns, uint64_t at)
{
    struct fixture f;

    fixture_call(&f, KIND_CLIENT, client, "TangoTest", "a/b/1", "Arm", NULL, ns);
    f.span.start += at;
    f.span.end += at;
    tt_metrics_span(metrics, &f.span);
}

static void test_cumulative(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(
        &(struct tt_metrics_config){.graph = TT_GRAPH_CLASS, .exemplars = true});
    const struct tt_metric_figure figures[] = {
        {.name = "a.counter",
         .unit = "{x}",
         .help = "h",
         .type = TT_METRIC_COUNTER,
         .integer = 7,
         .labels = {{"k", "v"}}},
        {.name = "a.gauge", .unit = "s", .help = "h", .type = TT_METRIC_GAUGE, .is_real = true, .real = 0.5},
    };
    Tt__Otlp__MetricsRequest *request;
    const Tt__Otlp__HistogramDataPoint *point;
    const Tt__Otlp__Metric *metric;
    struct tt_snapshot *snapshot;
    size_t count;

    call(metrics, "scan", 300000, 0);
    call(metrics, "scan", 12000000000u, 5);
    snapshot = tt_metrics_snapshot(metrics, START + 99);
    snapshot->start = START - 5;
    tt_snapshot_add(snapshot, &figures[0]);
    tt_snapshot_add(snapshot, &figures[1]);
    assert_int_equal(encode(snapshot, NULL, TT_TEMPORALITY_CUMULATIVE, false, &request, 1, &count), 5);
    assert_string_equal(request->resource_metrics[0]->scope_metrics[0]->scope->name, "tangotrace");
    metric = find(request, "rpc.client.call.duration");
    assert_string_equal(metric->unit, "s");
    assert_int_equal(metric->data_case, TT__OTLP__METRIC__DATA_HISTOGRAM);
    assert_int_equal(metric->histogram->aggregation_temporality, 2);
    assert_int_equal(metric->histogram->n_data_points, 1);
    point = metric->histogram->data_points[0];
    assert_int_equal(point->start_time_unix_nano, START);
    assert_int_equal(point->time_unix_nano, START + 99);
    assert_int_equal(point->count, 2);
    assert_true(point->sum == 12.0003);
    assert_int_equal(point->n_explicit_bounds, 19);
    assert_int_equal(point->n_bucket_counts, 20);
    assert_true(point->explicit_bounds[5] == 0.005 && point->explicit_bounds[18] == 10);
    assert_int_equal(point->bucket_counts[2], 1);
    assert_int_equal(point->bucket_counts[19], 1);
    assert_string_equal(attribute(point->attributes, point->n_attributes, "tango.client.name"), "scan");
    assert_string_equal(attribute(point->attributes, point->n_attributes, "rpc.system.name"), "tango");
    assert_null(attribute(point->attributes, point->n_attributes, "error.type"));
    assert_int_equal(point->n_exemplars, 1);
    assert_int_equal(point->exemplars[0]->trace_id.len, 16);
    assert_int_equal(point->exemplars[0]->trace_id.data[0], 0xab);
    assert_true(point->exemplars[0]->as_double == 12);
    metric = find(request, "traces_service_graph_request_total");
    assert_int_equal(metric->data_case, TT__OTLP__METRIC__DATA_SUM);
    assert_true(metric->sum->is_monotonic);
    assert_int_equal(metric->sum->data_points[0]->as_int, 2);
    metric = find(request, "a.counter");
    assert_int_equal(metric->sum->data_points[0]->as_int, 7);
    assert_int_equal(metric->sum->data_points[0]->start_time_unix_nano, START - 5);
    assert_string_equal(attribute(metric->sum->data_points[0]->attributes, 1, "k"), "v");
    metric = find(request, "a.gauge");
    assert_int_equal(metric->data_case, TT__OTLP__METRIC__DATA_GAUGE);
    assert_true(metric->gauge->data_points[0]->as_double == 0.5);
    tt__otlp__metrics_request__free_unpacked(request, NULL);
    tt_snapshot_free(&snapshot);
    tt_metrics_free(&metrics);
}

static struct json_object *at(struct json_object *object, const char *key)
{
    struct json_object *found = NULL;

    assert_true(json_object_object_get_ex(object, key, &found));
    return found;
}

/* OTLP's own rules: ids in hex, 64 bits as text, lowerCamelCase. */
static void test_json(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){.exemplars = true});
    struct tt_metrics_encoder encoder = {0};
    struct tt_json json = {0};
    struct json_object *root, *metric, *point, *exemplar;

    call(metrics, "sc\"an\n", 300000, 0);
    encoder.snapshot = tt_metrics_snapshot(metrics, START + 99);
    assert_int_equal(tt_metrics_encode(&encoder, NULL, NULL, &json), 1);
    assert_int_equal(json.data[json.size - 1], '\n');
    assert_ptr_equal(strchr(json.data, '\n'), json.data + json.size - 1);
    root = json_tokener_parse(json.data);
    assert_non_null(root);
    metric = json_object_array_get_idx(at(root, "resourceMetrics"), 0);
    metric = json_object_array_get_idx(at(metric, "scopeMetrics"), 0);
    metric = json_object_array_get_idx(at(metric, "metrics"), 0);
    assert_string_equal(json_object_get_string(at(metric, "name")), "rpc.client.call.duration");
    assert_int_equal(json_object_get_int(at(at(metric, "histogram"), "aggregationTemporality")), 2);
    point = json_object_array_get_idx(at(at(metric, "histogram"), "dataPoints"), 0);
    assert_string_equal(json_object_get_string(at(point, "startTimeUnixNano")), "1704110400000000000");
    assert_string_equal(json_object_get_string(at(point, "count")), "1");
    assert_true(json_object_get_double(at(point, "sum")) == 0.0003);
    assert_int_equal(json_object_array_length(at(point, "bucketCounts")), 20);
    assert_int_equal(json_object_get_type(json_object_array_get_idx(at(point, "bucketCounts"), 0)),
                     json_type_string);
    assert_true(json_object_get_double(json_object_array_get_idx(at(point, "explicitBounds"), 5)) == 0.005);
    exemplar = json_object_array_get_idx(at(point, "exemplars"), 0);
    assert_string_equal(json_object_get_string(at(exemplar, "traceId")), "ab000000000000000000000000000000");
    assert_string_equal(json_object_get_string(at(exemplar, "spanId")), "00000000000000cd");
    assert_non_null(
        strstr(json.data, "{\"key\":\"tango.client.name\",\"value\":{\"stringValue\":\"sc\\\"an\\n\"}}"));
    assert_int_equal(tt_metrics_encode(&encoder, NULL, NULL, &json), 0);
    json_object_put(root);
    tt_json_free(&json);
    tt_snapshot_free((struct tt_snapshot **)&encoder.snapshot);
    tt_metrics_free(&metrics);
}

/* More points than a request takes: several, and nothing twice or left out. */
static void test_split(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){.graph = TT_GRAPH_CLASS});
    Tt__Otlp__MetricsRequest *requests[20];
    struct tt_snapshot *snapshot;
    uint64_t calls = 0, edges = 0;
    size_t count;

    for (int i = 0; i < 5000; i++) {
        char name[24];

        snprintf(name, sizeof(name), "client-%d", i);
        call(metrics, name, 1000, 0);
    }
    snapshot = tt_metrics_snapshot(metrics, 0);
    assert_int_equal(encode(snapshot, NULL, TT_TEMPORALITY_CUMULATIVE, false, requests, 20, &count), 15000);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        const Tt__Otlp__Metric *durations = find(requests[i], "rpc.client.call.duration");
        const Tt__Otlp__Metric *sums = find(requests[i], "traces_service_graph_request_total");

        for (size_t k = 0; durations && k < durations->histogram->n_data_points; k++)
            calls += durations->histogram->data_points[k]->count;
        for (size_t k = 0; sums && k < sums->sum->n_data_points; k++)
            edges += (uint64_t)sums->sum->data_points[k]->as_int;
        tt__otlp__metrics_request__free_unpacked(requests[i], NULL);
    }
    assert_int_equal(calls, 5000);
    assert_int_equal(edges, 5000);
    tt_snapshot_free(&snapshot);
    tt_metrics_free(&metrics);
}

static void check_delta(bool exponential)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){.exponential = exponential});
    struct tt_snapshot *first, *second;
    Tt__Otlp__MetricsRequest *request;
    const Tt__Otlp__Metric *metric;
    size_t count;

    call(metrics, "quiet", 1000, 0);
    call(metrics, "busy", 1000, 0);
    call(metrics, "busy", 90000, 0);
    first = tt_metrics_snapshot(metrics, START + 1000);
    call(metrics, "busy", 5000000, 1500);
    call(metrics, "busy", 90001, 1500);
    call(metrics, "new", 7, 1500);
    second = tt_metrics_snapshot(metrics, START + 2000);
    assert_int_equal(encode(second, first, TT_TEMPORALITY_DELTA, exponential, &request, 1, &count), 2);
    metric = find(request, "rpc.client.call.duration");
    if (exponential) {
        const Tt__Otlp__ExponentialHistogramDataPoint *busy = metric->exponential_histogram->data_points[0];
        uint64_t sum = 0;

        assert_int_equal(metric->exponential_histogram->aggregation_temporality, 1);
        for (size_t i = 0; i < busy->positive->n_bucket_counts; i++)
            sum += busy->positive->bucket_counts[i];
        assert_int_equal(busy->count, 2);
        assert_int_equal(sum, 2);
        assert_int_equal(busy->start_time_unix_nano, START + 1000);
    } else {
        const Tt__Otlp__HistogramDataPoint *busy = metric->histogram->data_points[0];
        const Tt__Otlp__HistogramDataPoint *new = metric->histogram->data_points[1];

        assert_int_equal(metric->histogram->aggregation_temporality, 1);
        assert_int_equal(busy->count, 2);
        assert_true(busy->sum == 0.005090001);
        assert_int_equal(busy->bucket_counts[0], 1);
        assert_int_equal(busy->bucket_counts[5], 1);
        assert_int_equal(busy->start_time_unix_nano, START + 1000);
        assert_int_equal(new->count, 1);
        assert_int_equal(new->start_time_unix_nano, START + 1500);
    }
    tt__otlp__metrics_request__free_unpacked(request, NULL);
    tt_snapshot_free(&first);
    tt_snapshot_free(&second);
    tt_metrics_free(&metrics);
}

static void test_delta(void **state)
{
    check_delta(false);
    check_delta(true);
}

/* Figures: by `delta` too, by `lowmemory` not; what may fall never. */
static void test_delta_figures(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){0});
    struct tt_snapshot *shots[2];

    for (unsigned i = 0; i < 2; i++) {
        const struct tt_duration_counts durations = {{[TT_SLOT_COUNT] = 3 + i,
                                                      [TT_SLOT_SUM] = 4000000000 + 1000000000 * i,
                                                      [TT_SLOT_BUCKETS] = 2,
                                                      [TT_SLOT_BUCKETS + TT_DURATION_BOUNDS] = 1 + i}};
        const struct tt_metric_figure figures[] = {
            {.name = "c", .unit = "", .help = "", .type = TT_METRIC_COUNTER, .integer = 10 + 5 * i},
            {.name = "u", .unit = "", .help = "", .type = TT_METRIC_UPDOWN, .integer = 10 - 5 * i},
            {.name = "d", .unit = "s", .help = "", .type = TT_METRIC_HISTOGRAM, .durations = &durations},
        };

        shots[i] = tt_metrics_snapshot(metrics, START + i);
        tt_snapshot_add(shots[i], &figures[0]);
        tt_snapshot_add(shots[i], &figures[1]);
        tt_snapshot_add(shots[i], &figures[2]);
    }
    for (int low = 0; low < 2; low++) {
        const Tt__Otlp__HistogramDataPoint *point;
        Tt__Otlp__MetricsRequest *request;
        size_t count;

        assert_int_equal(encode(shots[1], shots[0], low ? TT_TEMPORALITY_LOWMEMORY : TT_TEMPORALITY_DELTA,
                                true, &request, 1, &count),
                         3);
        assert_int_equal(find(request, "c")->sum->data_points[0]->as_int, low ? 15 : 5);
        assert_int_equal(find(request, "c")->sum->aggregation_temporality, low ? 2 : 1);
        assert_int_equal(find(request, "u")->sum->data_points[0]->as_int, 5);
        assert_int_equal(find(request, "u")->sum->aggregation_temporality, 2);
        assert_false(find(request, "u")->sum->is_monotonic);
        /* Buckets that are the same for ever, whatever those of spans are. */
        assert_int_equal(find(request, "d")->data_case, TT__OTLP__METRIC__DATA_HISTOGRAM);
        assert_int_equal(find(request, "d")->histogram->aggregation_temporality, low ? 2 : 1);
        point = find(request, "d")->histogram->data_points[0];
        assert_int_equal(point->count, low ? 4 : 1);
        assert_true(point->sum == (low ? 5 : 1));
        assert_int_equal(point->n_explicit_bounds, TT_DURATION_BOUNDS);
        assert_int_equal(point->n_bucket_counts, TT_DURATION_BOUNDS + 1);
        assert_true(point->explicit_bounds[0] == 0.005);
        assert_int_equal(point->bucket_counts[0], low ? 2 : 0);
        assert_int_equal(point->bucket_counts[TT_DURATION_BOUNDS], low ? 2 : 1);
        tt__otlp__metrics_request__free_unpacked(request, NULL);
    }
    tt_snapshot_free(&shots[0]);
    tt_snapshot_free(&shots[1]);
    tt_metrics_free(&metrics);
}

static void test_empty(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){0});
    struct tt_snapshot *snapshot = tt_metrics_snapshot(metrics, 0);
    Tt__Otlp__MetricsRequest *request;
    size_t count;

    assert_int_equal(encode(snapshot, NULL, TT_TEMPORALITY_DELTA, false, &request, 1, &count), 0);
    tt_snapshot_free(&snapshot);
    tt_metrics_free(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cumulative), cmocka_unit_test(test_json),          cmocka_unit_test(test_split),
        cmocka_unit_test(test_delta),      cmocka_unit_test(test_delta_figures), cmocka_unit_test(test_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
