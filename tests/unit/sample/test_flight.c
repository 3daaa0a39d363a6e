/* SPDX-License-Identifier: GPL-2.0-only */
/* The flight recorder: what was dropped, given out after all. */
#include "bench.h"

static void test_flight(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.background = 0;
    config.slow = false;
    config.flight_on = TT_FLIGHT_REQUEST;
    config.flight_ns = 10 * TT_NS_PER_S;
    config.flight_spans = 150;
    setup(&b, &config);
    for (int i = 0; i < 50; i++)
        call(&b, &poll_call);
    pass(&b, 6000);
    for (int i = 0; i < 50; i++)
        call(&b, &event_call);
    call(&b, &failed_poll);
    pass(&b, 1000);
    assert_int_equal(b.out.count, 2); /* the failed one */
    assert_int_equal(figure(&b, NULL, "recorder"), 150);
    assert_int_equal(tt_sampler_dump(b.sampler), 150);
    assert_int_equal(count_of(&b, "push Position"), 100);
    assert_int_equal(count_of(&b, "poll State"), 50);
    assert_int_equal(count_of(&b, "poll Status"), 2); /* not twice */
    assert_string_equal(b.out.spans[10]->trace_state, "tangotrace=flight");
    check_whole(&b);
    assert_int_equal(tt_sampler_dump(b.sampler), 0);
    forget(&b);
    call(&b, &poll_call);
    pass(&b, 12000); /* too old by then */
    assert_int_equal(tt_sampler_dump(b.sampler), 0);
    assert_int_equal(figure(&b, NULL, "dumps"), 3);
    assert_int_equal(figure(&b, NULL, "dumped"), 150);
    teardown(&b);
}

/* Another configuration while spans are held: none is lost, counts go on, and what is held is judged by the
 * new one. */
static void test_take_over(void **state)
{
    static const char *const first[] = {"operation=poll*; ratio=0", "operation=Move; ratio=1"};
    static const char *const second[] = {"operation=Move; ratio=1", "operation=push*; ratio=0"};
    struct tt_sampler_config config = defaults();
    struct tt_sampler *old;
    char *error = NULL;
    struct bench b;
    uint64_t trace;

    config.slow = config.errors = false;
    config.rules = first;
    config.rule_count = 2;
    setup(&b, &config);
    call(&b, &poll_call);
    call(&b, &failed_call);
    pass(&b, 6000); /* judged: dropped, kept */
    call(&b, &poll_call);
    call(&b, &event_call);
    trace = next_random(&b);
    give(&b, make_span(&b, trace, false, &failed_call)); /* its other span is to come */

    config.rules = second;
    config.background = 1;
    old = b.sampler;
    assert_int_equal(tt_sampler_new(&config, on_span, &b, &b.sampler, &error), 0);
    tt_sampler_take_over(b.sampler, old);
    tt_sampler_free(&old);
    assert_int_equal(figure(&b, NULL, "held"), 5);
    check_sums(&b);
    give(&b, make_span(&b, trace, true, &failed_call));
    pass(&b, 6000);
    check_whole(&b);
    check_sums(&b);
    assert_int_equal(figure(&b, NULL, "held"), 0);
    assert_int_equal(count_of(&b, "Move"), 4);
    assert_int_equal(count_of(&b, "poll State"), 2);    /* the second: no rule is about it any more */
    assert_int_equal(count_of(&b, "push Position"), 0); /* by the new rule */
    assert_int_equal(figure(&b, "operation=Move; ratio=1", "kept_traces"), 2);
    assert_int_equal(figure(&b, "earlier rules", "dropped_traces"), 1);
    assert_int_equal(figure(&b, "earlier rules", "dropped_spans"), 2);
    assert_int_equal(tt_sampler_dump(b.sampler),
                     4); /* the recorder went over, and both that were dropped with it */
    teardown(&b);
}

static void test_flight_triggers(void **state)
{
    static const struct {
        enum tt_flight_on on;
        bool by_errors, by_timeout;
    } cases[] = {{TT_FLIGHT_ANY, true, true},
                 {TT_FLIGHT_ERRORS, true, false},
                 {TT_FLIGHT_TIMEOUT, false, true},
                 {TT_FLIGHT_REQUEST, false, false}};

    for (size_t i = 0; i < 2 * TT_ARRAY_SIZE(cases); i++) {
        struct tt_sampler_config config = defaults();
        bool by_timeout = i % 2;
        struct bench b;

        config.flight_on = cases[i / 2].on;
        config.background = 0;
        config.slow = false;
        setup(&b, &config);
        for (int k = 0; k < 10; k++)
            call(&b, &poll_call);
        pass(&b, 1000);
        for (int k = 0; k < (by_timeout ? 1 : 10); k++) {
            struct tt_otel_span *span = make_span(&b, next_random(&b), true, &read_call);

            fail_span(span, by_timeout ? "API_DeviceTimedOut: Timeout (3000 mS) exceeded" : "API_Error: no");
            if (by_timeout)
                span->events[0].attributes[1] = string_attribute("tango.error.reason", "API_DeviceTimedOut");
            give(&b, span);
            if (k == 8)
                assert_int_equal(count_of(&b, "poll State"), 0);
        }
        pass(&b, 3000);
        assert_int_equal(count_of(&b, "poll State"),
                         (by_timeout ? cases[i / 2].by_timeout : cases[i / 2].by_errors) ? 20 : 0);
        teardown(&b);
    }
}

/* Errors without end do not make the recorder give out everything all the time; after a rest it is as at
 * first. */
static void test_flight_pauses(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    uint64_t dumps = 0;

    config.background = 0;
    config.slow = false;
    setup(&b, &config);
    for (int s = 0; s < 3600; s++) {
        for (int i = 0; i < 2; i++) {
            struct tt_otel_span *span = make_span(&b, next_random(&b), true, &read_call);

            fail_span(span, "API_Error: no");
            give(&b, span);
        }
        pass(&b, 1000);
    }
    assert_in_range(figure(&b, NULL, "dumps"), 6, 9); /* 30 s, 1 min, 2 min, .. */
    for (int s = 3600; s < 4 * 3600; s++) {
        struct tt_otel_span *span = make_span(&b, next_random(&b), true, &read_call);

        fail_span(span, "API_DeviceTimedOut: no");
        span->events[0].attributes[1] = string_attribute("tango.error.reason", "API_DeviceTimedOut");
        give(&b, span);
        pass(&b, 1000);
    }
    assert_in_range(figure(&b, NULL, "dumps"), 10, 11); /* .. 32 min, then one an hour */
    pass(&b, 3600 * 1000);
    pass(&b, 3600 * 1000);
    for (int round = 0; round < 2; round++) {
        dumps = figure(&b, NULL, "dumps");
        for (int i = 0; i < 10; i++)
            call(&b, &failed_poll);
        for (int i = 0; i < 10; i++) {
            struct tt_otel_span *span = make_span(&b, next_random(&b), true, &read_call);

            fail_span(span, "API_Error: no");
            give(&b, span);
        }
        pass(&b, 3000);
        assert_int_equal(figure(&b, NULL, "dumps"), dumps + 1);
        pass(&b, 100 * 1000);
    }
    teardown(&b);
}

/* Many errors are ten in ten seconds: not ten in an hour, and not nine that were told of already. */
static void test_flight_burst(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.background = 0;
    config.slow = false;
    config.flight_ns = 5 * TT_NS_PER_S;
    setup(&b, &config);
    for (int i = 0; i < 30; i++) {
        struct tt_otel_span *span = make_span(&b, next_random(&b), true, &read_call);

        fail_span(span, "API_Error: no");
        give(&b, span);
        pass(&b, 11000);
    }
    assert_int_equal(figure(&b, NULL, "dumps"), 0);
    for (int i = 0; i < 11; i++) {
        struct tt_otel_span *span = make_span(&b, next_random(&b), true, &read_call);

        fail_span(span, "API_Error: no");
        give(&b, span);
        if (i == 9)
            pass(&b, 2000 + 5000 + 500); /* what led to it, then the pause */
    }
    assert_int_equal(figure(&b, NULL, "dumps"), 1);
    pass(&b, 3000);
    assert_int_equal(figure(&b, NULL, "dumps"), 1);
    teardown(&b);
}

/* What a rule excludes is never given out. */
static void test_flight_excluded(void **state)
{
    static const char *const rules[] = {"operation=poll State; exclude=yes"};
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.rules = rules;
    config.rule_count = 1;
    config.background = 0;
    config.slow = false;
    setup(&b, &config);
    for (int i = 0; i < 10; i++) {
        call(&b, &poll_call);
        call(&b, &event_call);
    }
    pass(&b, 1000);
    assert_int_equal(tt_sampler_dump(b.sampler), 20);
    assert_int_equal(count_of(&b, "push Position"), 20);
    check_sums(&b);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flight),          cmocka_unit_test(test_take_over),
        cmocka_unit_test(test_flight_triggers), cmocka_unit_test(test_flight_pauses),
        cmocka_unit_test(test_flight_excluded), cmocka_unit_test(test_flight_burst),
    };

    return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
