/* SPDX-License-Identifier: GPL-2.0-only */
/* Log records go with their traces. */
#include "bench.h"

static struct {
    uint8_t ids[64][16];
    size_t count;
} heard;

static void on_log(void *context, struct tt_otel_log *log)
{
    assert_true(heard.count < TT_ARRAY_SIZE(heard.ids));
    memcpy(heard.ids[heard.count++], log->trace_id, 16);
}

static void say(struct bench *b, uint64_t trace, bool in_span)
{
    struct tt_otel_log *log = tt_otel_log_new();

    log->in_span = in_span;
    log->severity = 9;
    log->trace_id[0] = 0x4b;
    log->trace_id[1] = 0xf9;
    for (int i = 0; i < 8; i++)
        log->trace_id[8 + i] = (uint8_t)(trace >> (56 - 8 * i));
    tt_sampler_log(b->sampler, log);
    tt_otel_log_put(&log);
}

/* They go the way of their trace: before its spans, between them, after its verdict; in the recorder, too. */
static void test_logs(void **state)
{
    const struct kind failing = {"read B", "polling", 300, true};
    struct tt_sampler_config config = defaults();
    uint64_t dropped, kept;
    struct bench b;

    config.background = 0;
    config.slow = false;
    config.emit_log = on_log;
    heard.count = 0;
    setup(&b, &config);
    say(&b, 7, false); /* of no trace: at once */
    assert_int_equal(heard.count, 1);

    dropped = next_random(&b);
    kept = next_random(&b);
    say(&b, dropped, true);
    say(&b, kept, true);
    give(&b, make_span(&b, dropped, false, &poll_call));
    give(&b, make_span(&b, kept, false, &failing));
    say(&b, dropped, true);
    say(&b, kept, true);
    give(&b, make_span(&b, dropped, true, &poll_call));
    give(&b, make_span(&b, kept, true, &failing));
    assert_int_equal(heard.count, 1);
    assert_int_equal(figure(&b, NULL, "logs_held"), 4);
    pass(&b, 1000);
    assert_int_equal(b.out.count, 2);
    assert_int_equal(heard.count, 3);
    say(&b, dropped, true);
    say(&b, kept, true);
    assert_int_equal(heard.count, 4);
    for (size_t i = 1; i < heard.count; i++)
        assert_memory_equal(heard.ids[i], b.out.spans[0]->trace_id, 16);
    assert_int_equal(figure(&b, NULL, "logs_dropped"), 3);
    assert_int_equal(figure(&b, NULL, "logs_held"), 0);

    assert_int_equal(tt_sampler_dump(b.sampler), 2);
    assert_int_equal(heard.count, 7);
    assert_memory_equal(heard.ids[6], b.out.spans[2]->trace_id, 16);

    /* Older than any wait, but its trace is still held. */
    dropped = next_random(&b);
    say(&b, dropped, true);
    pass(&b, 3000);
    give(&b, make_span(&b, dropped, false, &poll_call));
    pass(&b, 1500);
    assert_int_equal(heard.count, 7);
    assert_int_equal(figure(&b, NULL, "logs_held"), 1);
    pass(&b, 4000);
    assert_int_equal(figure(&b, NULL, "logs_held"), 0);
    assert_int_equal(figure(&b, NULL, "logs_dropped"), 4);
    assert_int_equal(figure(&b, NULL, "recorder"), 2);
    pass(&b, 40000);
    assert_int_equal(figure(&b, NULL, "recorder"), 0);

    /* Something speaks for the trace after all. */
    dropped = next_random(&b);
    say(&b, dropped, true);
    give(&b, make_span(&b, dropped, true, &poll_call));
    pass(&b, 1000);
    assert_int_equal(heard.count, 7);
    tt_sampler_mark(b.sampler, heard.ids[0]); /* another */
    assert_int_equal(heard.count, 7);
    {
        uint8_t id[16] = {0x4b, 0xf9};

        for (int i = 0; i < 8; i++)
            id[8 + i] = (uint8_t)(dropped >> (56 - 8 * i));
        tt_sampler_mark(b.sampler, id);
    }
    assert_int_equal(heard.count, 8);
    assert_int_equal(figure(&b, NULL, "logs_dropped"), 4);

    /* Of a trace that is not sampled: with its first span; of one that never comes: after the wait. */
    say(&b, 1000, true);
    say(&b, 1001, true);
    assert_int_equal(heard.count, 8);
    give(&b, make_span(&b, 1000, false, &(const struct kind){"Move", "client", 300, false}));
    assert_int_equal(heard.count, 9);
    pass(&b, 3000);
    assert_int_equal(heard.count, 9);
    pass(&b, 1500);
    assert_int_equal(heard.count, 10);
    say(&b, 1002, true);
    tt_sampler_flush(b.sampler);
    assert_int_equal(heard.count, 11);
    teardown(&b);
}

/* Nothing could drop a trace: nobody waits. */
static void test_logs_unsampled(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.background = 1;
    config.emit_log = on_log;
    heard.count = 0;
    setup(&b, &config);
    say(&b, 1, true);
    assert_int_equal(heard.count, 1);
    teardown(&b);
}

static void test_logs_bounded(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.max_spans = 10;
    config.emit_log = on_log;
    heard.count = 0;
    setup(&b, &config);
    for (uint64_t i = 1; i <= 30; i++)
        say(&b, i, true);
    assert_int_equal(heard.count, 20);
    assert_int_equal(heard.ids[0][15], 1); /* the oldest */
    assert_int_equal(figure(&b, NULL, "logs_held"), 10);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs),
        cmocka_unit_test(test_logs_unsampled),
        cmocka_unit_test(test_logs_bounded),
    };

    return cmocka_run_group_tests_name("logs", tests, NULL, NULL);
}
