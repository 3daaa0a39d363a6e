/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sample/threshold.h"

static void text_is(double ratio, const char *wanted)
{
    char text[TT_TH_TEXT];

    assert_string_equal(tt_threshold_text(tt_threshold_of_ratio(ratio), text), wanted);
}

/* Values of OpenTelemetry's specification (tracestate-handling.md), at four digits behind the f. */
static void test_ratios(void **state)
{
    text_is(1, "0");
    text_is(0.5, "8");
    text_is(0.25, "c");
    text_is(0.75, "4");
    text_is(1.0 / 16, "f");
    text_is(1.0 / 3, "aaab");
    text_is(0.1, "e666");
    text_is(0.01, "fd70a");
    text_is(0.001, "ffbe77"); /* of ffbe76c8b4.. */
    text_is(2, "0");
    assert_int_equal(tt_threshold_of_ratio(0), TT_TH_NONE);
    assert_int_equal(tt_threshold_of_ratio(-1), TT_TH_NONE);
    assert_int_equal(tt_threshold_of_ratio(NAN), TT_TH_NONE);
    /* Whatever is above zero keeps something, and the share is as precise as it says. */
    for (double ratio = 1; ratio > 1e-16; ratio *= 0.83) {
        uint64_t threshold = tt_threshold_of_ratio(ratio);
        double share = 1 - (double)threshold / (double)TT_TH_NONE;

        assert_true(threshold < TT_TH_NONE);
        if (ratio > 1e-10)
            assert_true(fabs(share / ratio - 1) < 2e-4);
    }
}

static void test_round(void **state)
{
    assert_int_equal(tt_threshold_round(0), 0);
    assert_int_equal(tt_threshold_round(1), 1ull << 40);
    assert_int_equal(tt_threshold_round(0x80000000000000), 0x80000000000000);
    assert_int_equal(tt_threshold_round(0x80000000000001), 0x80010000000000);
    assert_int_equal(tt_threshold_round(0xfffffffffffffe), 0xfffffffffffffe);
    assert_int_equal(tt_threshold_round(TT_TH_NONE), TT_TH_NONE);
    for (uint64_t t = 3; t < TT_TH_NONE; t = t * 3 + 1)
        assert_true(tt_threshold_round(t) >= t);
}

static void test_random(void **state)
{
    const uint8_t id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07};

    assert_true(tt_threshold_random(id) == 0xa1b2c3d4e5f607);
}

static void test_states(void **state)
{
    static const struct {
        const char *state;
        uint64_t threshold;
        const char *with_c; /* with th:c put into it */
    } cases[] = {
        {NULL, 0, "ot=th:c"},
        {"", 0, "ot=th:c"},
        {"ot=th:8", 0x80000000000000, "ot=th:c"},
        {"ot=th:0", 0, "ot=th:c"},
        {"ot=th:fd70a", 0xfd70a000000000, "ot=th:c"},
        {"ot=th:12345678901234", 0x12345678901234, "ot=th:c"},
        {"ot=th:123456789012345", 0, "ot=th:c"}, /* too long */
        {"ot=th:FD", 0, "ot=th:c"},              /* upper case is not allowed */
        {"ot=th:", 0, "ot=th:c"},
        {"vendor=1", 0, "ot=th:c,vendor=1"},
        {"vendor=1,ot=th:8;rv:abcdefabcdefab,other=th:4", 0x80000000000000,
         "ot=th:c;rv:abcdefabcdefab,vendor=1,other=th:4"},
        {" ot=rv:1;th:4;x:y , b=2", 0x40000000000000, NULL},
        {",,,", 0, "ot=th:c"},
    };
    char out[TT_TH_STATE + 1];

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        assert_true(tt_threshold_of_state(cases[i].state) == cases[i].threshold);
        tt_threshold_put(cases[i].state, 0xc0000000000000, out);
        assert_true(tt_threshold_of_state(out) == 0xc0000000000000);
        if (cases[i].with_c)
            assert_string_equal(out, cases[i].with_c);
    }
}

/* What has no room is left out whole. */
static void test_long_state(void **state)
{
    char long_state[1024], out[TT_TH_STATE + 1];
    size_t n = 0;

    for (int i = 0; i < 60; i++)
        n += (size_t)sprintf(long_state + n, "%svendor%02d=123456", i ? "," : "", i);
    tt_threshold_put(long_state, 0, out);
    assert_true(strlen(out) <= TT_TH_STATE);
    assert_memory_equal(out, "ot=th:0,vendor00=123456,", 24);
    assert_memory_equal(strrchr(out, ',') + 9, "=123456", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ratios), cmocka_unit_test(test_round),      cmocka_unit_test(test_random),
        cmocka_unit_test(test_states), cmocka_unit_test(test_long_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
