/* SPDX-License-Identifier: GPL-2.0-only */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/export.h"

static char directory[] = "/tmp/tangotrace-test-XXXXXX";

static struct tt_exporter *open_file(const char *path)
{
    const struct tt_export_config config = {.queues = {{.delay_ms = 20}, {.delay_ms = 20}}};
    struct tt_exporter *exporter = NULL;
    _cleanup_free_ char *spec = NULL;
    char *error = NULL;

    assert_true(asprintf(&spec, "file:%s", path) > 0);
    assert_int_equal(tt_exporter_new(spec, &config, &exporter, &error), 0);
    assert_string_equal(tt_exporter_name(exporter), spec);
    return exporter;
}

static void give(struct tt_exporter *exporter, struct tt_otel_resource *resource, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct tt_otel_span *span = fixture_real_span(resource, i);

        tt_exporter_span(exporter, span);
        tt_otel_span_put(&span);
    }
}

static struct tt_export_stats stop(struct tt_exporter **exporter)
{
    struct tt_export_stats stats;

    tt_exporter_stop(*exporter, 2000);
    tt_exporter_stats(*exporter, &stats);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.queued,
                     stats.exported + stats.dropped_error + stats.dropped_timeout + stats.dropped_refused);
    tt_exporter_free(exporter);
    assert_null(*exporter);
    return stats;
}

/* Lines of the file; each must be whole. */
static unsigned lines_of(const char *path, unsigned *spans)
{
    _cleanup_fclose_ FILE *file = fopen(path, "r");
    _cleanup_free_ char *line = NULL;
    size_t capacity = 0;
    unsigned lines = 0;

    *spans = 0;
    assert_non_null(file);
    while (getline(&line, &capacity, file) > 0) {
        size_t length = strlen(line);

        assert_memory_equal(line, "{\"resourceSpans\":[", 18);
        assert_memory_equal(line + length - 4, "}]}\n", 4);
        for (const char *p = line; (p = strstr(p, "\"spanId\":")); p++)
            ++*spans;
        lines++;
    }
    return lines;
}

static void test_lines(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    _cleanup_free_ char *path = NULL;
    struct tt_exporter *exporter;
    struct tt_export_stats stats;
    unsigned spans;
    struct stat st;

    assert_true(asprintf(&path, "%s/lines.jsonl", directory) > 0);
    exporter = open_file(path);
    give(exporter, resource, 5000);
    stats = stop(&exporter);
    assert_int_equal(stats.exported, 5000);
    assert_int_equal(lines_of(path, &spans), stats.requests);
    assert_int_equal(spans, 5000);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, stats.bytes);
    exporter = open_file(path); /* appends */
    give(exporter, resource, 1);
    stop(&exporter);
    lines_of(path, &spans);
    assert_int_equal(spans, 5001);
    tt_otel_resource_put(&resource);
}

static void test_after_stop(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    struct tt_exporter *exporter = open_file("/dev/null");
    struct tt_export_stats stats;

    tt_exporter_stop(exporter, 1000);
    give(exporter, resource, 3);
    tt_exporter_stop(exporter, 1000);
    tt_exporter_stats(exporter, &stats);
    assert_int_equal(stats.dropped_queue, 3);
    assert_int_equal(stats.queued, 0);
    tt_exporter_free(&exporter);
    tt_otel_resource_put(&resource);
}

/* Waits until all that was handed over has its end. */
static void settle(struct tt_exporter *exporter)
{
    struct tt_export_stats stats;

    for (unsigned i = 0; i < 400; i++) {
        tt_exporter_stats(exporter, &stats);
        if (!stats.waiting)
            return;
        usleep(5000);
    }
    fail_msg("still %llu waiting", (unsigned long long)stats.waiting);
}

static void test_rotation(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    _cleanup_free_ char *path = NULL, *old = NULL;
    struct tt_exporter *exporter;
    unsigned spans;

    assert_true(asprintf(&path, "%s/rotated", directory) > 0 && asprintf(&old, "%s.1", path) > 0);
    exporter = open_file(path);
    give(exporter, resource, 10);
    settle(exporter);
    assert_int_equal(rename(path, old), 0);
    give(exporter, resource, 20);
    stop(&exporter);
    lines_of(old, &spans);
    assert_int_equal(spans, 10);
    lines_of(path, &spans);
    assert_int_equal(spans, 20);
    tt_otel_resource_put(&resource);
}

/* The disk is full in the middle of a line: the line is taken back, counted, and writing goes on when there
 * is room. */
static void test_disk_full(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    struct rlimit limit, small = {.rlim_cur = 100000};
    _cleanup_free_ char *path = NULL;
    struct tt_exporter *exporter;
    struct tt_export_stats stats;
    unsigned spans;

    assert_true(asprintf(&path, "%s/full", directory) > 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small.rlim_max = limit.rlim_max;
    exporter = open_file(path);
    give(exporter, resource, 10);
    settle(exporter);
    setrlimit(RLIMIT_FSIZE, &small);
    give(exporter, resource, 200);
    settle(exporter);
    setrlimit(RLIMIT_FSIZE, &limit);
    give(exporter, resource, 20);
    stats = stop(&exporter);
    assert_int_equal(stats.dropped_error + stats.exported, 230);
    assert_true(stats.dropped_error >= 100);
    lines_of(path, &spans);
    assert_int_equal(spans, stats.exported);
    tt_otel_resource_put(&resource);
}

static void test_errors(void **state)
{
    static const struct {
        const char *spec, *error;
        int code;
    } cases[] = {
        {"file:", "needs a path", -EINVAL},
        {"file", "needs a path", -EINVAL},
        {"file:/nonexistent/x", "No such file", -ENOENT},
        {"file:/tmp", "directory", -EISDIR},
        {"jaeger:x", "unknown exporter 'jaeger:x'", -EINVAL},
        {"", "unknown exporter", -EINVAL},
        {"files:x", "unknown exporter", -EINVAL},
        {"console:x", "no argument", -EINVAL},
        {"otlp:localhost", "must begin with http://", -EINVAL},
    };
    const struct tt_export_config config = {0};

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        struct tt_exporter *exporter = NULL;
        char *error = NULL;

        assert_int_equal(tt_exporter_new(cases[i].spec, &config, &exporter, &error), cases[i].code);
        assert_null(exporter);
        if (!strstr(error, cases[i].error))
            fail_msg("%s: %s", cases[i].spec, error);
        free(error);
    }
}

/* A FIFO that nobody reads must neither hold up the start nor the end. */
static void test_fifo(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    const struct tt_export_config config = {.queues = {{.delay_ms = 10}, {.delay_ms = 10}}};
    _cleanup_free_ char *spec = NULL;
    struct tt_exporter *exporter = NULL;
    struct tt_export_stats stats;
    char *error = NULL;
    int reader;

    assert_true(asprintf(&spec, "file:%s/fifo", directory) > 0);
    assert_int_equal(mkfifo(spec + 5, 0600), 0);
    assert_int_equal(tt_exporter_new(spec, &config, &exporter, &error), -ENXIO);
    free(error);
    reader = open(spec + 5, O_RDONLY | O_NONBLOCK);
    assert_int_equal(tt_exporter_new(spec, &config, &exporter, &error), 0);
    give(exporter, resource, 1000);
    tt_exporter_stop(exporter, 100);
    tt_exporter_stats(exporter, &stats);
    assert_int_equal(stats.dropped_timeout, 1000);
    tt_exporter_free(&exporter);
    close(reader);
    tt_otel_resource_put(&resource);
}

static int group_setup(void **state)
{
    signal(SIGXFSZ, SIG_IGN);
    return mkdtemp(directory) ? 0 : -1;
}

static int group_teardown(void **state)
{
    _cleanup_free_ char *command = NULL;

    return asprintf(&command, "rm -rf %s", directory) > 0 ? system(command) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_after_stop), cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_disk_full), cmocka_unit_test(test_errors),     cmocka_unit_test(test_fifo),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
