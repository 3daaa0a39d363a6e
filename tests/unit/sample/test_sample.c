/* SPDX-License-Identifier: GPL-2.0-only */
/* Known mixes of traces through the sampler: what is kept, what is dropped and by which rule, and what the
 * thresholds say of how many there were. */
#include "bench.h"

/* ---- by default ------------------------------------------------------------------------------------- */

/* What clients do is untouched and does not wait; of polling and events 1 % stays, and what failed. */
static void test_default(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    size_t expected = 0;

    config.slow = false;
    setup(&b, &config);
    for (int i = 0; i < 100; i++)
        call(&b, &read_call);
    assert_int_equal(b.out.count, 200);
    assert_null(b.out.spans[0]->trace_state);
    assert_int_equal(figure(&b, NULL, "passed"), 200);
    forget(&b);
    for (int i = 0; i < 20000; i++) {
        expected += (call(&b, i % 2 ? &poll_call : &event_call) & (TT_TH_NONE - 1)) >= 0xfd70a000000000;
        if (i % 20 == 0)
            call(&b, &failed_poll);
        if (i % 1000 == 0)
            pass(&b, 500);
    }
    pass(&b, 5000);
    check_whole(&b);
    check_sums(&b);
    assert_int_equal(count_of(&b, "poll Status"), 2 * 1000);
    assert_int_equal(count_of(&b, "poll State") + count_of(&b, "push Position"), 2 * expected);
    assert_in_range(expected, 150, 250);
    assert_int_equal(figure(&b, NULL, "kept_failed"), 1000);
    assert_int_equal(figure(&b, "polling and events", "kept_traces"), 1000 + expected);
    assert_int_equal(figure(&b, "polling and events", "dropped_traces"), 20000 - expected);
    assert_int_equal(figure(&b, "polling and events", "dropped_spans"), 2 * (20000 - expected));
    assert_int_equal(figure(&b, "others", "dropped_traces"), 0);
    assert_int_equal(figure(&b, NULL, "held"), 0);
    for (size_t i = 0; i < b.out.count; i++)
        assert_string_equal(b.out.spans[i]->trace_state,
                            !strcmp(b.out.spans[i]->title, "poll Status") ? "ot=th:0" : "ot=th:fd70a");
    teardown(&b);
}

/* ---- thresholds and truth --------------------------------------------------------------------------- */

static void test_estimates(void **state)
{
    static const double ratios[] = {0.5, 0.1, 0.02};
    static const char *const rules[] = {"operation=Move; ratio=0.25"};
    const struct kind move = {"Move", "client", 300, false};

    for (size_t r = 0; r < TT_ARRAY_SIZE(ratios); r++) {
        struct tt_sampler_config config = defaults();
        const int calls = 20000;
        struct bench b;

        config.kind = TT_SAMPLER_RATIO;
        config.ratio = ratios[r];
        config.rules = rules;
        config.rule_count = 1;
        config.slow = false;
        setup(&b, &config);
        for (int i = 0; i < calls; i++) {
            call(&b, &read_call);
            if (i % 4 == 0)
                call(&b, &move);
            if (i % 50 == 0)
                call(&b, &failed_call);
            if (i % 500 == 0)
                pass(&b, 300);
        }
        pass(&b, 5000);
        check_whole(&b);
        check_sums(&b);
        /* Four standard deviations of a binomial share, scaled up. */
        assert_true(fabs(estimate(&b, "read position") - calls) <
                    4 * sqrt(calls * (1 - ratios[r]) / ratios[r]));
        /* Moves that failed stand for themselves, the others for four each. */
        assert_true(fabs(estimate(&b, "Move") - calls / 4 - calls / 50) < 4 * sqrt(calls / 4 * 3));
        assert_int_equal(figure(&b, NULL, "kept_failed"), calls / 50);
        teardown(&b);
    }
}

/* At most so many a second, and still it is known how many there were. */
static void test_rate(void **state)
{
    struct tt_sampler_config config = defaults();
    static const unsigned per_second[] = {5, 500, 40, 3000, 41, 0, 900};
    struct bench b;
    unsigned calls = 0;
    double total = 0, variance = 0;

    config.rate = 40;
    config.slow = false;
    setup(&b, &config);
    for (unsigned round = 0; round < 10; round++) {
        for (size_t i = 0; i < TT_ARRAY_SIZE(per_second); i++) {
            for (unsigned k = 0; k < per_second[i]; k++)
                call(&b, &read_call);
            calls += per_second[i];
            call(&b, &failed_call);
            pass(&b, 1000);
            pass(&b, 500); /* a window and the settling are over */
            check_sums(&b);
            assert_in_range(count_of(&b, "read position"), 0, 2 * 2 * 40); /* of two windows at most */
            assert_int_equal(count_of(&b, "Move"), 2);
            total += estimate(&b, "read position");
            if (per_second[i] > 40)
                variance += (double)per_second[i] * per_second[i] / 39;
            forget(&b);
        }
    }
    assert_true(fabs(total - calls) < 4 * sqrt(variance));
    assert_true(figure(&b, "over the rate", "dropped_traces") > calls / 2);
    assert_int_equal(figure(&b, NULL, "over_rate"), figure(&b, "over the rate", "dropped_traces"));
    teardown(&b);
}

/* One window: as many as are wanted, no more and no less. */
static void test_rate_is_used(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.rate = 40;
    config.slow = false;
    setup(&b, &config);
    for (unsigned i = 0; i < 500; i++)
        call(&b, &read_call);
    pass(&b, 1500);
    assert_int_equal(count_of(&b, "read position"), 2 * 40);
    assert_true(fabs(estimate(&b, NULL) - 500) < 4 * 500 / sqrt(39));
    teardown(&b);
}

/* A trace whose top does not come: judged and gone within the wait, the second of the rate included. */
static void test_rate_in_time(void **state)
{
    const struct kind others = {"Stop", "client", 100, false};
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.rate = 40;
    config.slow = false;
    setup(&b, &config);
    for (unsigned i = 0; i < 20; i++) { /* others keep the windows going; at any time of one */
        give(&b, make_span(&b, next_random(&b), false, &read_call));
        for (unsigned ms = 0; ms <= 4000; ms += 50) {
            call(&b, &others);
            pass(&b, 50);
        }
        assert_int_equal(count_of(&b, "read position"), 1);
        forget(&b);
        pass(&b, 90);
    }
    teardown(&b);
}

/* What fails while it waits for the end of the rate's second is kept, whatever the rate. */
static void test_rate_late_failure(void **state)
{
    struct tt_sampler_config config = defaults();
    uint64_t traces[20];
    struct bench b;

    config.rate = 1;
    config.slow = false;
    setup(&b, &config);
    call(&b, &read_call);
    pass(&b, 300); /* it is out, and a second begins */
    forget(&b);
    for (size_t i = 0; i < TT_ARRAY_SIZE(traces); i++)
        traces[i] = call(&b, &read_call);
    pass(&b, 400); /* they have settled */
    for (size_t i = 0; i < TT_ARRAY_SIZE(traces); i++)
        give(&b, make_span(&b, traces[i], false, &failed_call));
    assert_int_equal(count_of(&b, "read position"), 0);
    pass(&b, 1500);
    assert_int_equal(count_of(&b, "read position"), 40);
    assert_int_equal(count_of(&b, "Move"), 20);
    assert_int_equal(figure(&b, NULL, "over_rate"), 0);
    check_sums(&b);
    teardown(&b);
}

/* ---- rules and their order -------------------------------------------------------------------------- */

static void test_rules(void **state)
{
    static const char *const rules[] = {
        "operation=read secret*; exclude=yes",
        "trigger=polling; operation=*State*; ratio=0",
        "device=b107a*; class=Motor; operation=read *; ratio=1",
        "client=scan*; ratio=0",
    };
    const struct kind secret = {"read secret", "client", 100, true}, other = {"Stop", "client", 100, false};
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.rules = rules;
    config.rule_count = TT_ARRAY_SIZE(rules);
    config.kind = TT_SAMPLER_ALWAYS_OFF;
    config.slow = false;
    setup(&b, &config);
    for (int i = 0; i < 100; i++) {
        call(&b, &secret);      /* excluded, though it failed */
        call(&b, &poll_call);   /* rule 2: nothing */
        call(&b, &failed_poll); /* client scan.py, but failed */
        call(&b, &read_call);   /* rule 3: all, by the server's span */
        call(&b, &other);       /* rule 4 */
    }
    pass(&b, 1000);
    check_whole(&b);
    check_sums(&b);
    assert_int_equal(b.out.count, 400);
    assert_int_equal(count_of(&b, "read position"), 200);
    assert_int_equal(count_of(&b, "poll Status"), 200);
    assert_int_equal(figure(&b, rules[0], "dropped_traces"), 100);
    assert_int_equal(figure(&b, rules[1], "dropped_traces"), 100);
    assert_int_equal(figure(&b, rules[2], "kept_traces"), 100);
    assert_int_equal(figure(&b, rules[3], "kept_traces"), 100);
    assert_int_equal(figure(&b, rules[3], "dropped_traces"), 100);
    assert_int_equal(figure(&b, NULL, "kept_failed"), 100);
    teardown(&b);
}

static void test_bad_rules(void **state)
{
    static const char *const bad[] = {"ratio=2"};
    const char *many[TT_SAMPLE_RULES_MAX + 1];
    struct tt_sampler_config config = defaults();
    struct tt_sampler *sampler = NULL;
    char *error = NULL;

    config.rules = bad;
    config.rule_count = 1;
    assert_int_equal(tt_sampler_new(&config, on_span, NULL, &sampler, &error), -EINVAL);
    assert_non_null(strstr(error, "ratio"));
    free(TAKE_PTR(error));
    for (size_t i = 0; i < TT_ARRAY_SIZE(many); i++)
        many[i] = "ratio=1";
    config.rules = many;
    config.rule_count = TT_ARRAY_SIZE(many);
    assert_int_equal(tt_sampler_new(&config, on_span, NULL, &sampler, &error), -EINVAL);
    free(error);
    assert_null(sampler);
}

/* ---- what comes late, and what has no room ------------------------------------------------------------ */

/* A span that fails after its trace was dropped brings it back, whole. */
static void test_late_failure(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    uint64_t trace, other;

    config.background = 0;
    config.slow = false;
    setup(&b, &config);
    trace = call(&b, &poll_call);
    other = call(&b, &poll_call);
    pass(&b, 1000);
    assert_int_equal(b.out.count, 0);
    give(&b, make_span(&b, other, false, &poll_call)); /* late, nothing special: dropped like the rest */
    give(&b, make_span(&b, trace, false, &failed_poll));
    assert_int_equal(b.out.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(b.out.spans[i]->trace_state, "ot=th:0");
    assert_int_equal(figure(&b, "polling and events", "dropped_spans"), 3);
    assert_int_equal(figure(&b, "polling and events", "kept_traces"), 1);
    assert_int_equal(figure(&b, "polling and events", "dropped_traces"), 1);
    check_sums(&b);
    teardown(&b);
}

/* The verdict that was asked for longest ago is forgotten first: one of a trace that goes on is not. */
static void test_trace_that_goes_on(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    uint64_t trace;

    config.background = 0;
    config.slow = false;
    config.flight_spans = 0;
    setup(&b, &config);
    trace = call(&b, &poll_call);
    pass(&b, 1000);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 10000; i++) {
            give(&b, make_span(&b, next_random(&b), true, &event_call));
            if (i % 5000 == 4999)
                pass(&b, 500);
        }
        give(&b, make_span(&b, trace, false, &poll_call));
        assert_int_equal(figure(&b, NULL, "held"), 0);
        assert_int_equal(figure(&b, NULL, "late"), round + 1);
    }
    check_sums(&b);
    teardown(&b);
}

static void test_room(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.max_spans = 100;
    config.slow = false;
    config.background = 0.5;
    setup(&b, &config);
    for (int i = 0; i < 1000; i++) {
        call(&b, &poll_call);
        assert_in_range(figure(&b, NULL, "held"), 0, 100);
    }
    assert_in_range(figure(&b, NULL, "early"), 900, 1000);
    check_sums(&b);
    tt_sampler_flush(b.sampler);
    assert_int_equal(figure(&b, NULL, "held"), 0);
    check_whole(&b);
    check_sums(&b);
    assert_true(fabs(estimate(&b, NULL) - 1000) < 4 * sqrt(1000));
    teardown(&b);

    /* With a rate, too: what waits for the end of the second is bounded as well. */
    config.rate = 10;
    config.background = 1;
    setup(&b, &config);
    for (int i = 0; i < 300; i++) {
        for (int k = 0; k < 20; k++)
            call(&b, &read_call);
        assert_in_range(figure(&b, NULL, "held"), 0, 100);
        if (i % 5 == 0)
            pass(&b, 300);
    }
    tt_sampler_flush(b.sampler);
    assert_int_equal(figure(&b, NULL, "held"), 0);
    check_whole(&b);
    check_sums(&b);
    teardown(&b);
}

/* ---- native telemetry's decision ---------------------------------------------------------------------- */

static void test_parent(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    /* 10 are ours, 10 native's that it does not sample, 20 that it does. */
    static const struct {
        enum tt_sampler_kind kind;
        unsigned kept;
    } cases[] = {
        {TT_SAMPLER_ALWAYS_ON, 40}, {TT_SAMPLER_PARENT_ALWAYS_OFF, 20}, {TT_SAMPLER_PARENT_ALWAYS_ON, 30}};

    for (size_t c = 0; c < TT_ARRAY_SIZE(cases); c++) {
        config.kind = cases[c].kind;
        config.slow = false;
        setup(&b, &config);
        for (int i = 0; i < 40; i++) {
            uint64_t trace = next_random(&b);

            for (int top = 0; top < 2; top++) {
                struct tt_otel_span *span = make_span(&b, trace, top, &read_call);

                span->native = i % 4 != 0;
                span->unsampled = i % 4 == 1;
                span->trace_state = i % 4 == 2 ? "ot=th:8,v=1" : NULL;
                give(&b, span);
            }
        }
        pass(&b, 1000);
        check_whole(&b);
        check_sums(&b);
        assert_int_equal(b.out.count, 2 * cases[c].kept);
        for (size_t i = 0; i < b.out.count; i++)
            if (b.out.spans[i]->trace_state)
                assert_string_equal(b.out.spans[i]->trace_state, "ot=th:8,v=1");
        teardown(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_estimates),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_rate_is_used),
        cmocka_unit_test(test_trace_that_goes_on),
        cmocka_unit_test(test_rate_in_time),
        cmocka_unit_test(test_rate_late_failure),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_bad_rules),
        cmocka_unit_test(test_late_failure),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_parent),
    };

    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
