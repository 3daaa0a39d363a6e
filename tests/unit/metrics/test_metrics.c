/* SPDX-License-Identifier: GPL-2.0-only */
/* What spans become: labels, buckets, edges, bounds of memory, and what it costs. */
#include "metrics/fixture.h"

#include <malloc.h>
#include <time.h>

/* The value of the only line that begins so; -1: there is none. */
static double value_of(const char *text, const char *line)
{
    const char *found = strstr(text, line);

    if (!found)
        return -1;
    assert_true(found == text || found[-1] == '\n');
    return strtod(found + strlen(line), NULL);
}

static double metric(const struct tt_metrics *metrics, const char *line)
{
    _cleanup_free_ char *text = fixture_metrics_text(metrics, TT_EXPOSE_TEXT);

    return value_of(text, line);
}

static void test_labels(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(
        &(struct tt_metrics_config){.device = true, .attribute = true});
    struct fixture f;

    fixture_call(&f, KIND_CLIENT, "scan", "TangoTest", "a/b/1", "read ampli", "ampli", 300000);
    tt_metrics_span(metrics, &f.span);
    fixture_call(&f, KIND_CLIENT, "scan", "TangoTest", "a/b/1", "Arm", NULL, 300000);
    fixture_fail(&f, "API_Refused");
    tt_metrics_span(metrics, &f.span);
    assert_true(metric(metrics,
                       "rpc_client_call_duration_seconds_count{rpc_system_name=\"tango\",rpc_method=\"Tango/"
                       "read_attributes_5\",tango_device_class=\"TangoTest\",tango_operation_name=\"read\","
                       "tango_client_name=\"scan\",tango_operation_target=\"a/b/1\",tango_attribute_name="
                       "\"ampli\"} ") == 1);
    assert_true(metric(metrics,
                       "rpc_client_call_duration_seconds_count{rpc_system_name=\"tango\",rpc_method=\"Tango/"
                       "read_attributes_5\",tango_device_class=\"TangoTest\",tango_operation_name=\"Arm\","
                       "tango_client_name=\"scan\",error_type=\"API_Refused\",tango_operation_target="
                       "\"a/b/1\"} ") == 1);
    tt_metrics_free(&metrics);
}

/* Values on a bound belong to the bucket that it ends. */
static void test_buckets(void **state)
{
    static const uint64_t values[] = {0,       100000,  100001,       250000,
                                      5000000, 5000001, 10000000000u, 10000000001u};
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){0});
    const uint64_t *slots;
    struct tt_snapshot *snapshot;
    uint64_t sum = 0, all = 0;
    struct fixture f;

    for (size_t i = 0; i < TT_ARRAY_SIZE(values); i++) {
        fixture_call(&f, KIND_SERVER, "TangoTest", "scan", "a/b/1", "Arm", NULL, values[i]);
        tt_metrics_span(metrics, &f.span);
        sum += values[i];
    }
    snapshot = tt_metrics_snapshot(metrics, 0);
    slots = tt_series_get(snapshot->series[snapshot->first[TT_FAMILY_SERVER]]);
    assert_int_equal(slots[TT_SLOT_COUNT], TT_ARRAY_SIZE(values));
    assert_int_equal(slots[TT_SLOT_SUM], sum);
    assert_int_equal(slots[TT_SLOT_BUCKETS + 0], 2); /* .. 0.1 ms */
    assert_int_equal(slots[TT_SLOT_BUCKETS + 1], 2); /* .. 0.25 ms */
    assert_int_equal(slots[TT_SLOT_BUCKETS + 5], 1); /* .. 5 ms */
    assert_int_equal(slots[TT_SLOT_BUCKETS + 6], 1); /* .. 10 ms */
    assert_int_equal(slots[TT_SLOT_BUCKETS + 18], 1);
    assert_int_equal(slots[TT_SLOT_BUCKETS + 19], 1); /* above 10 s */
    for (unsigned i = 0; i <= tt_instruments[TT_SERVER_DURATION].bound_count; i++)
        all += slots[TT_SLOT_BUCKETS + i];
    assert_int_equal(all, TT_ARRAY_SIZE(values));
    tt_snapshot_free(&snapshot);
    tt_metrics_free(&metrics);
}

#define CALLS(metric, rest)                                                                                  \
    metric "{rpc_system_name=\"tango\",rpc_method=\"Tango/read_attributes_5\",tango_device_class="           \
           "\"TangoTest\",tango_operation_name=\"Arm\",tango_client_name=\"scan\"" rest "} "

/* A call whose end, or start, was not seen is neither a success nor as long as the bound that is known. */
static void test_unmeasured(void **state)
{
    static const struct {
        const char *unmeasured, *error;
    } calls[] = {{NULL, NULL},         {"end_unknown", NULL},   {"end_unknown", NULL},
                 {"end_unknown", "E"}, {"start_unknown", NULL}, {NULL, "E"}};
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){.exponential = true});
    struct fixture f;

    for (int kind = KIND_SERVER; kind <= KIND_CLIENT; kind++)
        for (size_t i = 0; i < TT_ARRAY_SIZE(calls); i++) {
            if (kind == KIND_CLIENT)
                fixture_call(&f, kind, "scan", "TangoTest", "a/b/1", "Arm", NULL, 300000);
            else
                fixture_call(&f, kind, "TangoTest", "scan", "a/b/1", "Arm", NULL, 300000);
            f.span.unmeasured = calls[i].unmeasured;
            if (calls[i].error)
                fixture_fail(&f, calls[i].error);
            if (calls[i].unmeasured)
                f.span.end += 60000000000; /* when it was given up */
            tt_metrics_span(metrics, &f.span);
        }
#define SIDE(side)                                                                                           \
    assert_true(metric(metrics, CALLS("rpc_" side "_call_duration_seconds_count", "")) == 1);                \
    assert_true(metric(metrics, CALLS("rpc_" side "_call_duration_seconds_sum", "")) == 0.0003);             \
    assert_true(metric(metrics, CALLS("rpc_" side "_call_duration_seconds_count", ",error_type=\"E\"")) ==   \
                1);                                                                                          \
    assert_true(metric(metrics, CALLS("tango_" side "_call_unmeasured_total", ",reason=\"end_unknown\"")) == \
                2);                                                                                          \
    assert_true(metric(metrics, CALLS("tango_" side "_call_unmeasured_total", ",error_type=\"E\",reason="    \
                                                                              "\"end_unknown\"")) == 1);     \
    assert_true(                                                                                             \
        metric(metrics, CALLS("tango_" side "_call_unmeasured_total", ",reason=\"start_unknown\"")) == 1)
    SIDE("client");
    SIDE("server");
    tt_metrics_free(&metrics);
}

/* Tempo's names say what Tempo would make of the spans that it gets, and those have bounds for durations. */
static void test_unmeasured_for_tempo(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(
        &(struct tt_metrics_config){.spans = true, .graph = TT_GRAPH_CLASS});
    struct fixture f;

    fixture_call(&f, KIND_CLIENT, "scan", "TangoTest", "a/b/1", "Arm", NULL, 2000000000);
    f.span.unmeasured = "end_unknown";
    tt_metrics_span(metrics, &f.span);
    assert_true(metric(metrics,
                       "traces_spanmetrics_latency_sum{service=\"scan\",span_name=\"Tango::DeviceProxy::read_"
                       "attribute\",span_kind=\"SPAN_KIND_CLIENT\",status_code=\"STATUS_CODE_UNSET\"} ") ==
                2);
    assert_true(metric(metrics, "traces_service_graph_request_client_seconds_sum{client=\"scan\",server="
                                "\"TangoTest\"} ") == 2);
    tt_metrics_free(&metrics);
}

static void number(struct fixture *f, enum tt_attr attr, int64_t value)
{
    f->attributes[f->span.attribute_count++] = (struct tt_otel_attribute){
        .key = tt_attr_rows[attr].key, .type = TT_OTEL_INT, .value.integer = value};
}

/* What spans tell of polling, events and monitors. */
static void test_own(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){0});
    struct tt_metrics *devices = fixture_metrics(&(struct tt_metrics_config){.device = true});
    static const int64_t late_us[] = {-20000, 300, 70000};
    struct fixture f;

    for (size_t i = 0; i < TT_ARRAY_SIZE(late_us); i++) {
        fixture_call(&f, KIND_SERVER, "Camera", "scan", "c/1/1", "Arm", NULL, 5);
        f.span.kind = KIND_INTERNAL;
        number(&f, TT_ATTR_POLLING_LATE, late_us[i]);
        tt_metrics_span(metrics, &f.span);
        tt_metrics_span(devices, &f.span);
    }
    assert_true(metric(metrics, "tango_polling_lateness_seconds_count{tango_device_class=\"Camera\"} ") == 3);
    assert_true(metric(metrics, "tango_polling_lateness_seconds_sum{tango_device_class=\"Camera\"} ") ==
                0.0703);
    assert_true(
        metric(metrics,
               "tango_polling_lateness_seconds_bucket{tango_device_class=\"Camera\",le=\"0.0001\"} ") == 1);
    assert_true(metric(devices,
                       "tango_polling_lateness_seconds_count{tango_device_class=\"Camera\",tango_operation_"
                       "target=\"c/1/1\"} ") == 3);

    for (int i = 0; i < 2; i++) {
        fixture_call(&f, KIND_CLIENT, "scan", NULL, "c/1/1", "Arm", NULL, 5);
        f.span.kind = 5; /* CONSUMER */
        fixture_string(&f, TT_ATTR_EVENT_TYPE, "change");
        number(&f, TT_ATTR_EVENT_LATENCY, 1500);
        if (i)
            number(&f, TT_ATTR_EVENT_LOST, 7);
        tt_metrics_span(metrics, &f.span);
    }
#define EVENT "{tango_event_type=\"change\",tango_client_name=\"scan\"} "
    assert_true(metric(metrics, "tango_event_latency_seconds_sum" EVENT) == 0.003);
    assert_true(metric(metrics, "tango_event_lost_total" EVENT) == 7);

    fixture_call(&f, KIND_SERVER, "Camera", "scan", "c/1/1", "Arm", NULL, 5);
    tt_metrics_span(metrics, &f.span); /* did not wait, or it is not told */
    number(&f, TT_ATTR_TIME_MONITOR, 2000000);
    tt_metrics_span(metrics, &f.span);
    assert_true(metric(metrics, "tango_monitor_wait_seconds_count{tango_device_class=\"Camera\"} ") == 1);
    assert_true(metric(metrics, "tango_monitor_wait_seconds_sum{tango_device_class=\"Camera\"} ") == 0.002);
    /* They are no calls. */
    assert_true(metric(metrics, CALLS("rpc_server_call_duration_seconds_count", "")) == -1);
    tt_metrics_free(&metrics);
    tt_metrics_free(&devices);
}

#define EDGE(suffix, labels) "traces_service_graph_request_" suffix "{" labels "} "
#define SCAN_CAMERA          "client=\"scan\",server=\"Camera\""

/* Who counts what: requests and the client's seconds the client's side, server's seconds the server's. */
static void test_edges(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){.graph = TT_GRAPH_CLASS});
    struct fixture f;

    fixture_call(&f, KIND_CLIENT, "scan", "Camera", "c/1/1", "Arm", NULL, 2000000000);
    fixture_fail(&f, "X");
    tt_metrics_span(metrics, &f.span);
    assert_true(metric(metrics, EDGE("total", SCAN_CAMERA)) == 1);
    assert_true(metric(metrics, EDGE("failed_total", SCAN_CAMERA)) == 1);
    assert_true(metric(metrics, EDGE("client_seconds_sum", SCAN_CAMERA)) == 2);
    assert_true(metric(metrics, EDGE("server_seconds_sum", SCAN_CAMERA)) == -1);

    fixture_call(&f, KIND_SERVER, "Camera", "scan", "c/1/1", "Arm", NULL, 1000000000);
    fixture_fail(&f, "X");
    tt_metrics_span(metrics, &f.span);
    assert_true(metric(metrics, EDGE("total", SCAN_CAMERA)) == 1);
    assert_true(metric(metrics, EDGE("failed_total", SCAN_CAMERA)) == 1);
    assert_true(metric(metrics, EDGE("server_seconds_sum", SCAN_CAMERA)) == 1);

    /* Nobody else can count what a client without an agent asks. */
    fixture_call(&f, KIND_SERVER, "Camera", NULL, "c/1/1", "Arm", NULL, 1000000000);
    tt_metrics_span(metrics, &f.span);
    assert_true(metric(metrics,
                       EDGE("total", "client=\"user\",server=\"Camera\",connection_type=\"virtual_node\"")) ==
                1);
    f.span.parent_id[0] = 1; /* native telemetry's: not the beginning of its trace */
    tt_metrics_span(metrics, &f.span);
    assert_true(
        metric(metrics,
               EDGE("total", "client=\"unknown\",server=\"Camera\",connection_type=\"virtual_node\"")) == 1);

    fixture_call(&f, KIND_CLIENT, "scan", NULL, "c/1/2", "Arm", NULL, 5);
    fixture_string(&f, TT_ATTR_SERVER_ADDRESS, "10.0.0.9");
    tt_metrics_span(metrics, &f.span);
    assert_true(
        metric(metrics,
               EDGE("total", "client=\"scan\",server=\"10.0.0.9\",connection_type=\"virtual_node\"")) == 1);
    tt_metrics_free(&metrics);
}

static void test_device_edges(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){.graph = TT_GRAPH_DEVICE});
    struct fixture f;

    fixture_call(&f, KIND_SERVER, "Camera", "Scanner", "c/1/1", "Arm", NULL, 1);
    f.span.peer_device = "s/1/1";
    tt_metrics_span(metrics, &f.span);
    assert_true(metric(metrics, EDGE("server_seconds_count", "client=\"s/1/1\",server=\"c/1/1\"")) == 1);
    fixture_call(&f, KIND_CLIENT, "scan", "Camera", "c/1/1", "Arm", NULL, 1);
    tt_metrics_span(metrics, &f.span);
    assert_true(metric(metrics, EDGE("total", "client=\"scan\",server=\"c/1/1\"")) == 1);
    tt_metrics_free(&metrics);
}

static void test_devices(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){0});
    char names[20][16];
    struct fixture f;

    tt_metrics_tick(metrics, 1);
    for (int i = 0; i < 100; i++) {
        snprintf(names[i % 20], sizeof(names[0]), "c/%d/1", i % 20);
        fixture_call(&f, KIND_SERVER, "Camera", "scan", names[i % 20], "Arm", NULL, 1);
        tt_metrics_span(metrics, &f.span);
        fixture_call(&f, KIND_CLIENT, "scan", "Camera", names[i % 20], "Arm", NULL, 1); /* no further one */
        tt_metrics_span(metrics, &f.span);
    }
    assert_true(metric(metrics, "tango_devices{tango_device_class=\"Camera\"} ") == 20);
    tt_metrics_tick(metrics, TT_METRICS_IDLE);
    fixture_call(&f, KIND_SERVER, "Camera", "scan", names[7], "Arm", NULL, 1);
    tt_metrics_span(metrics, &f.span);
    tt_metrics_tick(metrics, TT_METRICS_IDLE + 1000);
    assert_true(metric(metrics, "tango_devices{tango_device_class=\"Camera\"} ") == 1);
    tt_metrics_free(&metrics);
}

static void test_heartbeats(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){0});

    for (int i = 0; i < 3; i++)
        tt_metrics_beat(metrics, true, "camera/1", NULL, 1);
    tt_metrics_beat(metrics, false, "camera/1", "scan", 1);
    tt_metrics_beat(metrics, false, NULL, "scan", 1);
    assert_true(metric(metrics, "tango_event_heartbeats_sent_total{tango_server_name=\"camera/1\"} ") == 3);
    assert_true(metric(metrics, "tango_event_heartbeats_received_total{tango_server_name=\"camera/1\","
                                "tango_program_name=\"scan\"} ") == 1);
    assert_true(metric(metrics, "tango_event_heartbeats_received_total{tango_program_name=\"scan\"} ") == 1);
    tt_metrics_free(&metrics);
}

/* A failed call goes before a slow one, a slow one before a fast one, and after a minute any does. */
static void test_exemplars(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(
        &(struct tt_metrics_config){.graph = TT_GRAPH_CLASS, .exemplars = true});
    static const struct {
        uint64_t ns, later;
        bool failed;
        uint8_t wins; /* trace id that is the exemplar afterwards */
    } calls[] = {
        {1000, 0, false, 0}, {500, 1, false, 0},          {2000, 2, false, 2},
        {10, 3, true, 3},    {9000, 4, false, 3},         {5, 5, true, 3},
        {20, 6, true, 6},    {1, 59000000000u, false, 6}, {1, 61000000000u, false, 8},
    };
    struct fixture f;

    for (size_t i = 0; i < TT_ARRAY_SIZE(calls); i++) {
        struct tt_snapshot *snapshot;

        fixture_call(&f, KIND_CLIENT, "scan", "Camera", "c/1/1", "Arm", NULL, calls[i].ns);
        f.span.start += calls[i].later;
        f.span.end += calls[i].later;
        f.span.trace_id[0] = (uint8_t)i;
        f.span.status = calls[i].failed ? TT_OTEL_ERROR : TT_OTEL_UNSET;
        tt_metrics_span(metrics, &f.span);
        snapshot = tt_metrics_snapshot(metrics, 0);
        assert_int_equal(
            tt_series_exemplar(snapshot->series[snapshot->first[TT_FAMILY_EDGES]], 1)->trace_id[0],
            calls[i].wins);
        tt_snapshot_free(&snapshot);
    }
    tt_metrics_free(&metrics);
}

/* ---- bounds ---- */

/* One call each of that many devices, attributes and clients; ns of all of them. */
static uint64_t flood(struct tt_metrics *metrics, unsigned devices, unsigned attributes, unsigned clients)
{
    char device[32], attribute[32], title[48], client[32];
    uint64_t sum = 0;
    struct fixture f;

    for (unsigned c = 0; c < clients; c++) {
        for (unsigned d = 0; d < devices; d++) {
            for (unsigned a = 0; a < attributes; a++) {
                snprintf(device, sizeof(device), "b107a/vac/gauge-%u", d);
                snprintf(attribute, sizeof(attribute), "pressure_%u", a);
                snprintf(title, sizeof(title), "read %s", attribute);
                snprintf(client, sizeof(client), "sardana-client-%u", c);
                fixture_call(&f, KIND_CLIENT, client, "VacuumGauge", device, title, attribute, 1000 + a);
                tt_metrics_span(metrics, &f.span);
                sum += 1000 + a;
            }
        }
    }
    return sum;
}

static uint64_t total_of(const struct tt_metrics *metrics, unsigned slot)
{
    struct tt_snapshot *snapshot = tt_metrics_snapshot(metrics, 0);
    uint64_t total = 0;

    assert_non_null(snapshot);
    for (size_t i = snapshot->first[TT_FAMILY_CLIENT]; i < snapshot->first[TT_FAMILY_CLIENT + 1]; i++)
        total += tt_series_get(snapshot->series[i])[slot];
    tt_snapshot_free(&snapshot);
    return total;
}

static void test_overflow(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(
        &(struct tt_metrics_config){.series = 100, .device = true, .attribute = true});
    struct tt_metrics_stats stats;
    uint64_t ns = flood(metrics, 20, 20, 5);

    tt_metrics_get_stats(metrics, &stats);
    assert_true(stats.series <= 100);
    assert_true(stats.overflow > 0);
    assert_int_equal(stats.evicted, 0);
    assert_int_equal(total_of(metrics, TT_SLOT_COUNT), 2000);
    assert_int_equal(total_of(metrics, TT_SLOT_SUM), ns);
    /* Device and attribute are gone, the rest is as it was. */
    assert_true(metric(metrics,
                       "rpc_client_call_duration_seconds_count{rpc_system_name=\"tango\",rpc_method=\"Tango/"
                       "read_attributes_5\",tango_device_class=\"VacuumGauge\",tango_operation_name=\"read\","
                       "tango_client_name=\"sardana-client-4\",tango_operation_target=\"_OTHER\","
                       "tango_attribute_name=\"_OTHER\"} ") == 400);
    tt_metrics_free(&metrics);
}

/* Nothing but names: the last of all is one series for everything. */
static void test_overflow_of_names(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){.series = 64});
    struct tt_metrics_stats stats;

    flood(metrics, 1, 1, 500);
    tt_metrics_get_stats(metrics, &stats);
    assert_true(stats.series <= 64);
    assert_int_equal(total_of(metrics, TT_SLOT_COUNT), 500);
    assert_true(metric(metrics, "rpc_client_call_duration_seconds_count{rpc_system_name=\"tango\",rpc_method="
                                "\"_OTHER\",tango_device_class=\"_OTHER\",tango_operation_name=\"_OTHER\","
                                "tango_client_name=\"_OTHER\"} ") > 450);
    tt_metrics_free(&metrics);
}

/* Those not used for long make room, and only those. */
static void test_eviction(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){.series = 64});
    struct tt_metrics_stats stats;
    struct fixture f;

    tt_metrics_tick(metrics, 1000000000);
    flood(metrics, 1, 1, 64 - 8 - TT_SERIES_LAST); /* and there is no room */
    tt_metrics_tick(metrics, 2000000000 + TT_METRICS_IDLE);
    fixture_call(&f, KIND_CLIENT, "sardana-client-3", "VacuumGauge", "b107a/vac/gauge-0", "read pressure_0",
                 "pressure_0", 7);
    tt_metrics_span(metrics, &f.span);
    flood(metrics, 1, 1, 1); /* still there */
    for (int i = 0; i < 5; i++) {
        char name[16];

        snprintf(name, sizeof(name), "new-%d", i);
        fixture_call(&f, KIND_CLIENT, name, "VacuumGauge", "d", "read pressure_0", "pressure_0", 7);
        tt_metrics_span(metrics, &f.span);
    }
    tt_metrics_get_stats(metrics, &stats);
    assert_int_equal(stats.evicted, 5);
    assert_int_equal(stats.overflow, 0);
#define OF(client)                                                                                                   \
    "rpc_client_call_duration_seconds_count{rpc_system_name=\"tango\",rpc_method=\"Tango/read_attributes_5\",tango_" \
    "device_class=\"VacuumGauge\",tango_operation_name=\"read\",tango_client_name=\"" client "\"} "
    assert_true(metric(metrics, OF("sardana-client-3")) == 2);
    assert_true(metric(metrics, OF("sardana-client-0")) == 2);
    assert_true(metric(metrics, OF("sardana-client-1")) == -1);
    assert_true(metric(metrics, OF("new-4")) == 1);
    tt_metrics_free(&metrics);
}

/* 900 devices, 50 attributes, 10 clients: what the design's table of memory has room for. */
static void test_memory(void **state)
{
    static const bool kinds[] = {false, true};

    for (size_t i = 0; i < TT_ARRAY_SIZE(kinds); i++) {
        struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){.device = true,
                                                                                 .attribute = true,
                                                                                 .graph = TT_GRAPH_DEVICE,
                                                                                 .spans = true,
                                                                                 .exponential = kinds[i]});
        struct tt_metrics_stats stats;

        flood(metrics, 900, 50, 10);
        tt_metrics_get_stats(metrics, &stats);
        print_message(
            "           900 devices x 50 attributes x 10 clients%s: %llu series, %.1f MB, %llu B each; %llu "
            "calls as _OTHER\n",
            kinds[i] ? ", exponential buckets" : "", (unsigned long long)stats.series,
            (double)stats.bytes / 1e6, (unsigned long long)(stats.bytes / stats.series),
            (unsigned long long)stats.overflow);
        assert_int_equal(stats.spans, 450000);
        assert_int_equal(total_of(metrics, TT_SLOT_COUNT), 450000);
        assert_true(stats.series <= 20000);
        assert_true(stats.bytes < (kinds[i] ? 48000000u : 12000000u));
        tt_metrics_free(&metrics);
    }
}

/* ---- cost ---- */

#define ROUNDS 200000

/* Known series: no allocation; ns per span, printed. */
static void test_cost(void **state)
{
    static const struct {
        const char *name;
        struct tt_metrics_config config;
    } cases[] = {
        {"rpc", {.exemplars = true}},
        {"rpc, spans, graph", {.exemplars = true, .spans = true, .graph = TT_GRAPH_CLASS}},
        {"rpc, spans, graph, exponential",
         {.exemplars = true, .spans = true, .graph = TT_GRAPH_CLASS, .exponential = true}},
    };
    struct fixture f[16];
    char names[16][16];

    for (size_t i = 0; i < TT_ARRAY_SIZE(f); i++) {
        snprintf(names[i], sizeof(names[i]), "client-%zu", i);
        fixture_call(&f[i], i % 2 ? KIND_CLIENT : KIND_SERVER, i % 2 ? names[i] : "TangoTest",
                     i % 2 ? "TangoTest" : names[i], "sys/tg_test/1", "read double_scalar", "double_scalar",
                     1000 << i);
    }
    for (size_t c = 0; c < TT_ARRAY_SIZE(cases); c++) {
        struct tt_metrics *metrics = fixture_metrics(&cases[c].config);
        struct timespec begin, end;
        struct mallinfo2 before, after;
        double ns;

        for (size_t i = 0; i < TT_ARRAY_SIZE(f); i++)
            tt_metrics_span(metrics, &f[i].span);
        before = mallinfo2();
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
        for (size_t i = 0; i < ROUNDS; i++)
            tt_metrics_span(metrics, &f[i % TT_ARRAY_SIZE(f)].span);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
        after = mallinfo2();
        assert_int_equal(after.uordblks, before.uordblks);
        ns = ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / ROUNDS;
        print_message("           %s: %.0f ns per span\n", cases[c].name, ns);
        assert_true(ns < 20000); /* of the 20 us that a call costs the agent */
        tt_metrics_free(&metrics);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_unmeasured),
        cmocka_unit_test(test_unmeasured_for_tempo),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_device_edges),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_exemplars),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_overflow_of_names),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
