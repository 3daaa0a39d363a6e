/* SPDX-License-Identifier: GPL-2.0-only */
/* Several destinations of metrics: none waits for another, and each gets the last numbers. */
#include "../export/server.h"

#include "agent/publish.h"
#include "base/clock.h"
#include "options/options.h"
#include "metrics/series.h"

struct numbers {
    struct tt_series_table *table;
    _Atomic unsigned taken;
};

static struct tt_snapshot *take(void *context)
{
    struct numbers *numbers = context;

    numbers->taken++;
    return tt_snapshot_new(numbers->table, tt_clock_ns(CLOCK_REALTIME));
}

static void test_independent(void **state)
{
    static const struct step silent[] = {{.hold = true}}, ok[] = {ANSWER(OK_EMPTY)};
    struct numbers numbers = {.table = tt_series_table_new(100, false)};
    const struct tt_publisher_ops ops = {.take = take, .context = &numbers};
    _cleanup_(tt_publisher_free) struct tt_publisher *publisher = NULL;
    struct tt_options options;
    struct server away, there;
    char first[64], second[64], *error = NULL;
    char *const argv[] = {"--metrics-export",
                          first,
                          "--metrics-export",
                          second,
                          "--metrics-interval",
                          "100ms",
                          "--otlp-timeout",
                          "60s",
                          NULL};
    uint64_t begin = server_ms();

    server_start(&away, silent, 1);
    server_start(&there, ok, 1);
    snprintf(first, sizeof(first), "otlp:http://127.0.0.1:%u", away.port);
    snprintf(second, sizeof(second), "otlp:http://127.0.0.1:%u", there.port);
    assert_int_equal(tt_options_parse(&options, TT_COMMAND_RUN, argv, NULL, &error), 0);
    assert_int_equal(tt_publisher_new(&options, &ops, true, &publisher), 0);
    while (there.requests < 5) {
        if (server_ms() - begin > 8000)
            fail_msg("only %u requests", there.requests);
        usleep(2000);
    }
    assert_int_equal(away.requests, 1); /* it hangs in the first one */
    tt_publisher_stop(publisher);
    begin = there.requests;
    tt_publisher_finish(publisher);
    assert_true(there.requests > begin || there.requests == numbers.taken);
    tt_publisher_free(&publisher);
    server_end(&away);
    server_end(&there);
    tt_options_free(&options);
    tt_series_table_free(&numbers.table);
}

/* How long collecting took is told by the next collection. */
static void test_collections(void **state)
{
    static const char name[] = "otel_sdk_metric_reader_collection_duration_seconds_count{otel_component_type="
                               "\"periodic_metric_reader\",otel_component_name=\"0\"} ";
    struct numbers numbers = {.table = tt_series_table_new(100, false)};
    const struct tt_publisher_ops ops = {.take = take, .context = &numbers};
    _cleanup_(tt_publisher_free) struct tt_publisher *publisher = NULL;
    struct tt_options options;
    char path[64], text[65536], *error = NULL;
    char *const argv[] = {"--metrics-file", path, "--metrics-interval", "100ms", NULL};
    uint64_t begin = server_ms();
    unsigned long counted = 0;

    snprintf(path, sizeof(path), "/tmp/tt-publish-%d.prom", getpid());
    assert_int_equal(tt_options_parse(&options, TT_COMMAND_RUN, argv, NULL, &error), 0);
    assert_int_equal(tt_publisher_new(&options, &ops, true, &publisher), 0);
    while (counted < 3) {
        FILE *file = fopen(path, "r");
        size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
        const char *found;

        text[size] = '\0';
        found = strstr(text, name);
        counted = found ? strtoul(found + strlen(name), NULL, 10) : 0;
        if (file)
            fclose(file);
        if (server_ms() - begin > 8000)
            fail_msg("only %lu collections told", counted);
        usleep(2000);
    }
    assert_true(counted < numbers.taken);
    tt_publisher_stop(publisher);
    tt_publisher_free(&publisher);
    unlink(path);
    tt_options_free(&options);
    tt_series_table_free(&numbers.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_independent),
        cmocka_unit_test(test_collections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
