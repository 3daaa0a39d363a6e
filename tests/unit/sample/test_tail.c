/* SPDX-License-Identifier: GPL-2.0-only */
/* Traces judged by what came of them: slow ones, open ones, marked ones. */
#include "bench.h"

static void test_fixed_limit(void **state)
{
    const struct kind slow = {"poll slow", "polling", 20000, false},
                      fast = {"poll fast", "polling", 19999, false};
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.background = 0;
    config.slow_ns = 20 * TT_NS_PER_MS;
    setup(&b, &config);
    for (int i = 0; i < 10; i++) {
        call(&b, &slow);
        call(&b, &fast);
    }
    pass(&b, 1000);
    assert_int_equal(count_of(&b, "poll slow"), 20);
    assert_int_equal(count_of(&b, "poll fast"), 0);
    assert_int_equal(figure(&b, NULL, "kept_slow"), 10);
    teardown(&b);
}

/* What is slow for one operation is not for another; about 1 % of what is usual is kept besides. */
static void test_percentile(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    unsigned usual = 0;

    config.background = 0;
    setup(&b, &config);
    for (int i = 0; i < 5000; i++) {
        struct kind quick = {"poll quick", "polling", 100 + next_random(&b) % 50, false};
        struct kind slow = {"poll slow", "polling", 10000 + next_random(&b) % 5000, false};

        call(&b, &quick);
        call(&b, &slow);
        if (i % 100 == 0)
            pass(&b, 500);
    }
    pass(&b, 1000);
    usual = count_of(&b, "poll quick") + count_of(&b, "poll slow");
    assert_in_range(usual, 0, 2 * 2 * 5000 * 3 / 100);
    forget(&b);
    for (int i = 0; i < 2000; i++) { /* whose end was not seen: not slow, and no measure for others */
        struct tt_otel_span *lost = make_span(&b, next_random(&b), true,
                                              &(struct kind){"poll quick", "polling", 50000, false});

        lost->unmeasured = "end_unknown";
        give(&b, lost);
    }
    pass(&b, 1000);
    assert_int_equal(b.out.count, 0);
    for (int i = 0; i < 10; i++) {
        struct kind now_slow = {"poll quick", "polling", 400, false};
        struct kind still_usual = {"poll slow", "polling", 12000, false};

        call(&b, &now_slow);
        call(&b, &still_usual);
    }
    pass(&b, 1000);
    assert_int_equal(count_of(&b, "poll quick"), 20);
    assert_int_equal(count_of(&b, "poll slow"), 0);
    teardown(&b);
}

/* What has become slow is so for a while only: the last thousand calls are the measure, and calls that others
 * make inside are none. */
static void test_percentile_moves(void **state)
{
    const struct kind quick = {"poll x", "polling", 100, false}, slow = {"poll x", "polling", 5000, false};
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.background = 0;
    setup(&b, &config);
    for (int i = 0; i < 20000; i++) {
        call(&b, &quick);
        if (i % 1000 == 0)
            pass(&b, 500);
    }
    pass(&b, 1000);
    forget(&b);
    for (int i = 0; i < 200; i++)
        call(&b, &slow);
    pass(&b, 1000);
    assert_in_range(count_of(&b, "poll x"), 2 * 5, 2 * 40);
    teardown(&b);

    setup(&b, &config);
    for (int i = 0; i < 1000; i++) {
        uint64_t trace = next_random(&b);

        give(&b, make_span(&b, trace, false, i < 900 ? &quick : &slow));
        give(&b, make_span(&b, trace, true, &(struct kind){"poll y", "polling", 10000, false}));
    }
    pass(&b, 1000);
    assert_int_equal(figure(&b, NULL, "kept_slow"), 0);
    teardown(&b);
}

/* A poll that goes on for longer than spans are held is slow; it stays whole. */
static void test_open(void **state)
{
    const struct kind endless = {"poll endless", "polling", 9000000, false};
    struct tt_sampler_config config = defaults();
    struct bench b;
    uint64_t trace;

    config.background = 0;
    setup(&b, &config);
    trace = next_random(&b);
    give(&b, make_span(&b, trace, false, &endless));
    pass(&b, 3900);
    assert_int_equal(b.out.count, 0);
    pass(&b, 200);
    assert_int_equal(b.out.count, 1);
    assert_int_equal(figure(&b, NULL, "kept_open"), 1);
    pass(&b, 4000);
    give(&b, make_span(&b, trace, true, &endless));
    assert_int_equal(b.out.count, 2); /* at once: it is known what becomes of it */
    assert_string_equal(b.out.spans[1]->trace_state, "ot=th:0");
    assert_int_equal(figure(&b, NULL, "late"), 1);
    check_sums(&b);
    teardown(&b);
}

static void test_late(void **state)
{
    static const struct {
        int64_t period, late, lost;
        bool kept;
    } cases[] = {{1000, 1000001, 0, true}, {1000, 1000000, 0, false},        {1000, -5, 0, false},
                 {0, 99, 0, false},        {INT64_MAX, INT64_MAX, 0, false}, {0, 0, 1, true}};
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.background = 0;
    config.slow = false;
    for (int asked = 0; asked < 2; asked++) {
        config.late = asked;
        setup(&b, &config);
        for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
            uint64_t trace = next_random(&b);
            struct tt_otel_span *span = make_span(&b, trace, false, &poll_call);

            span->kind = cases[i].lost ? 5 : 1; /* CONSUMER, INTERNAL */
            add_attribute(span, int_attribute("tango.polling.period_ms", cases[i].period));
            add_attribute(span, int_attribute("tango.polling.late_us", cases[i].late));
            add_attribute(span, int_attribute("tango.event.lost", cases[i].lost));
            give(&b, span);
            give(&b, make_span(&b, trace, true, &poll_call));
        }
        pass(&b, 1000);
        assert_int_equal(b.out.count, asked ? 4 : 0);
        assert_int_equal(figure(&b, NULL, "kept_late"), asked ? 2 : 0);
        teardown(&b);
    }
}

/* Spans that come before time is known wait like all others. */
static void test_first_tick(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b = {.random = 7, .now = 1000 * TT_NS_PER_S};
    char *error = NULL;

    config.background = 0;
    b.client = fixture_resource("scan.py", "ws1:4711", NULL, 4711);
    b.device = fixture_resource("Motor", "b107a/mot/1", "MotorServer/b107a", 815);
    assert_int_equal(tt_sampler_new(&config, on_span, &b, &b.sampler, &error), 0);
    give(&b, make_span(&b, 1, false, &poll_call));
    pass(&b, 3900);
    assert_int_equal(figure(&b, NULL, "held"), 1);
    give(&b, make_span(&b, 1, true, &poll_call));
    pass(&b, 300);
    assert_int_equal(figure(&b, NULL, "dropped"), 2);
    assert_int_equal(figure(&b, NULL, "kept_open"), 0);
    teardown(&b);
}

static void test_marked(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    uint8_t id[16] = {0x4b, 0xf9};
    uint64_t trace = 0;

    config.background = 0;
    config.slow = false;
    setup(&b, &config);
    for (int i = 0; i < 10; i++)
        trace = call(&b, &poll_call);
    for (int i = 0; i < 8; i++)
        id[8 + i] = (uint8_t)(trace >> (56 - 8 * i));
    tt_sampler_mark(b.sampler, id);
    pass(&b, 1000);
    assert_int_equal(b.out.count, 2);
    assert_memory_equal(b.out.spans[0]->trace_id, id, 16);
    assert_int_equal(figure(&b, NULL, "kept_marked"), 1);
    tt_sampler_mark(b.sampler, id); /* gone: nothing happens */
    assert_int_equal(b.out.count, 2);
    forget(&b);

    /* Before any span has ended, and after all were dropped. */
    for (int later = 0; later < 2; later++) {
        for (int i = 0; i < 10; i++)
            call(&b, &poll_call);
        trace = next_random(&b);
        for (int i = 0; i < 8; i++)
            id[8 + i] = (uint8_t)(trace >> (56 - 8 * i));
        if (!later)
            tt_sampler_mark(b.sampler, id);
        give(&b, make_span(&b, trace, false, &poll_call));
        give(&b, make_span(&b, trace, true, &poll_call));
        pass(&b, 1000);
        assert_int_equal(b.out.count, later ? 0 : 2);
        tt_sampler_mark(b.sampler, id);
        assert_int_equal(b.out.count, 2);
        assert_memory_equal(b.out.spans[1]->trace_id, id, 16);
        assert_int_equal(figure(&b, NULL, "kept_marked"), 2 + later);
        check_sums(&b);
        forget(&b);
    }
    /* Marks of traces that never come are bounded. */
    for (unsigned i = 0; i < 100000; i++) {
        memcpy(id, &i, sizeof(i));
        tt_sampler_mark(b.sampler, id);
    }
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_limit), cmocka_unit_test(test_percentile),
        cmocka_unit_test(test_open),        cmocka_unit_test(test_percentile_moves),
        cmocka_unit_test(test_late),        cmocka_unit_test(test_first_tick),
        cmocka_unit_test(test_marked),
    };

    return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
