/* SPDX-License-Identifier: GPL-2.0-only */
/* Both text formats to the letter (the end-to-end tests give the golden files to Prometheus' own parsers),
 * and which of them a client gets. TT_UPDATE_GOLDEN=1 writes the files anew. */
#include "metrics/fixture.h"

#include "metrics/snapshot.h"

#include <fcntl.h>

#define GOLDEN "tests/unit/metrics/golden/"

static void add_figures(struct tt_snapshot *snapshot)
{
    static struct tt_durations durations;
    struct tt_duration_counts counts;
    const struct tt_metric_figure figures[] = {
        {.name = "otel.sdk.exporter.span.exported",
         .unit = "{span}",
         .help = "Spans",
         .type = TT_METRIC_COUNTER,
         .labels = {{"otel.component.name", "file:\\tmp\n\"x\""}, {"error.type", ""}},
         .integer = UINT64_MAX},
        {.name = "otel.sdk.exporter.span.exported",
         .unit = "{span}",
         .help = "Spans",
         .type = TT_METRIC_COUNTER,
         .labels = {{"otel.component.name", "file:\xc3\xa9"}, {"error.type", "timeout"}},
         .integer = 0},
        {.name = "process.cpu.time",
         .unit = "s",
         .help = "CPU time",
         .type = TT_METRIC_COUNTER,
         .labels = {{"cpu.mode", "user"}},
         .is_real = true,
         .real = 0.25},
        {.name = "process.memory.usage",
         .unit = "By",
         .help = "Memory",
         .type = TT_METRIC_UPDOWN,
         .integer = 7},
        {.name = "ratio",
         .unit = "1",
         .help = "A ratio",
         .type = TT_METRIC_GAUGE,
         .is_real = true,
         .real = 0.5},
        {.name = "otel.sdk.exporter.operation.duration",
         .unit = "s",
         .help = "Exports",
         .type = TT_METRIC_HISTOGRAM,
         .labels = {{"otel.component.name", "null"}, {"error.type", ""}},
         .durations = &counts},
        /* In its place beside the others of its name. */
        {.name = "process.cpu.time",
         .unit = "s",
         .help = "CPU time",
         .type = TT_METRIC_COUNTER,
         .labels = {{"cpu.mode", "system"}},
         .is_real = true,
         .real = 0.5},
    };

    memset(&durations, 0, sizeof(durations));
    tt_durations_add(&durations, 5000000);
    tt_durations_add(&durations, 5000001);
    tt_durations_add(&durations, 10000000001);
    tt_durations_get(&durations, &counts);

    for (size_t i = 0; i < TT_ARRAY_SIZE(figures); i++)
        tt_snapshot_add(snapshot, &figures[i]);
}

/* One of each, with names that no program should have. */
static struct tt_snapshot *make_snapshot(void)
{
    struct tt_metrics *metrics = fixture_metrics(
        &(struct tt_metrics_config){.spans = true, .graph = TT_GRAPH_CLASS, .exemplars = true});
    static struct tt_otel_attribute own[] = {
        {.key = "service.name", .type = TT_OTEL_STRING, .value.string = "tangotrace"},
        {.key = "host.name", .type = TT_OTEL_STRING, .value.string = "ws1"},
        {.key = "process.pid", .type = TT_OTEL_INT, .value.integer = 7}};
    struct tt_snapshot *snapshot;
    struct fixture f;

    fixture_call(&f, KIND_CLIENT, "sc\"an\\\n", "TangoTest", "a/b/1", "read ampli", "ampli", 300000);
    tt_metrics_span(metrics, &f.span);
    fixture_call(&f, KIND_SERVER, "TangoTest", "sc\"an\\\n", "a/b/1", "Arm", NULL, 12000000000ull);
    fixture_fail(&f, "caf\xc3\xa9");
    tt_metrics_span(metrics, &f.span);
    snapshot = tt_metrics_snapshot(metrics, 0);
    assert_non_null(snapshot);
    snapshot->resource = tt_otel_resource_new();
    snapshot->resource->attributes = own;
    snapshot->resource->attribute_count = TT_ARRAY_SIZE(own);
    add_figures(snapshot);
    assert_false(snapshot->failed);
    tt_metrics_free(&metrics);
    return snapshot;
}

static void compare(const char *name, const char *text)
{
    _cleanup_free_ char *path = tt_format(GOLDEN "%s", name), *want = NULL;
    size_t size;

    if (getenv("TT_UPDATE_GOLDEN")) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    assert_int_equal(tt_read_file_at(AT_FDCWD, path, 1 << 20, &want, &size, NULL), 0);
    assert_string_equal(text, want);
}

static void test_golden(void **state)
{
    struct tt_snapshot *snapshot = make_snapshot();
    _cleanup_free_ char *text = fixture_text(snapshot, TT_EXPOSE_TEXT);
    _cleanup_free_ char *open = fixture_text(snapshot, TT_EXPOSE_OPENMETRICS);

    compare("metrics.prom", text);
    compare("metrics.openmetrics", open);
    tt_snapshot_free(&snapshot);
}

static void test_empty(void **state)
{
    struct tt_metrics *metrics = fixture_metrics(&(struct tt_metrics_config){0});
    _cleanup_free_ char *text = fixture_metrics_text(metrics, TT_EXPOSE_TEXT);
    _cleanup_free_ char *open = fixture_metrics_text(metrics, TT_EXPOSE_OPENMETRICS);

    assert_string_equal(text, "");
    assert_string_equal(open, "# EOF\n");
    tt_metrics_free(&metrics);
}

static void test_negotiation(void **state)
{
    static const struct {
        const char *accept;
        enum tt_expose_format format;
    } cases[] = {
        {NULL, TT_EXPOSE_TEXT},
        {"", TT_EXPOSE_TEXT},
        {"*/*", TT_EXPOSE_TEXT},
        {"text/plain;version=0.0.4", TT_EXPOSE_TEXT},
        {"application/openmetrics-text;version=1.0.0", TT_EXPOSE_OPENMETRICS},
        {"application/openmetrics-text", TT_EXPOSE_OPENMETRICS},
        /* Prometheus 2.x and 3.x */
        {"application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;"
         "version=0.0.4;q=0.3,*/*;q=0.2",
         TT_EXPOSE_OPENMETRICS},
        {"application/openmetrics-text;q=0,text/plain", TT_EXPOSE_TEXT},
        {"application/openmetrics-text;q=0.0, text/plain", TT_EXPOSE_TEXT},
        {"text/plain;q=0.9,application/openmetrics-text;q=0.01", TT_EXPOSE_OPENMETRICS},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++)
        assert_int_equal(tt_expose_accepted(cases[i].accept), cases[i].format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_empty),
                                       cmocka_unit_test(test_negotiation)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
