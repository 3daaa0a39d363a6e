/* SPDX-License-Identifier: GPL-2.0-only */
/* Exponential histograms against OpenTelemetry's definition: bucket i of scale s holds (2^(i/2^s),
 * 2^((i+1)/2^s)]. */
#include "metrics/fixture.h"

#include <math.h>

static uint64_t total(const struct tt_exponential *e)
{
    uint64_t sum = e->zero;

    for (uint32_t i = 0; i < e->count; i++)
        sum += e->buckets[i];
    return sum;
}

/* Every value lies within the bounds of its bucket. */
static void check_values(const uint64_t *values, size_t count)
{
    struct tt_exponential e = {.scale = TT_EXPONENTIAL_MAX_SCALE};
    uint64_t below[TT_EXPONENTIAL_BUCKETS + 1] = {0}, zero = 0;

    for (size_t i = 0; i < count; i++)
        tt_exponential_add(&e, values[i]);
    assert_int_equal(total(&e), count);
    assert_true(e.count <= TT_EXPONENTIAL_BUCKETS);
    for (size_t i = 0; i < count; i++) {
        double value = (double)values[i] / 1e9;
        int32_t index = e.first;

        zero += !values[i];
        if (!values[i])
            continue;
        while (value > exp2((double)(index + 1) / exp2(e.scale)) * (1 + 1e-14))
            index++;
        assert_true(value > exp2((double)index / exp2(e.scale)) * (1 - 1e-14));
        assert_true(index - e.first < (int32_t)e.count);
        below[index - e.first]++;
    }
    assert_int_equal(e.zero, zero);
    for (uint32_t i = 0; i < e.count; i++)
        assert_int_equal(e.buckets[i], below[i]);
}

static void test_ranges(void **state)
{
    static const uint64_t powers[] = {1, 500000000, 1000000000, 2000000000, 4000000000u, 125000000, 1000};
    static const uint64_t wide[] = {0, 1, 1000000000ull * 86400 * 365, 100000, 7, 0};
    uint64_t values[2000];

    check_values(powers, TT_ARRAY_SIZE(powers));
    check_values(powers + 1, 3);
    check_values(wide, TT_ARRAY_SIZE(wide));
    for (size_t i = 0; i < TT_ARRAY_SIZE(values); i++)
        values[i] = 50000 + i * i * 37;
    check_values(values, TT_ARRAY_SIZE(values));
    for (size_t i = 0; i < TT_ARRAY_SIZE(values); i++) /* downwards */
        values[i] = 3000000000u - i * 1499999;
    check_values(values, TT_ARRAY_SIZE(values));
}

/* One value is known to a millionth, a range of a thousand to 5 percent. */
static void test_resolution(void **state)
{
    struct tt_exponential e = {.scale = TT_EXPONENTIAL_MAX_SCALE};

    tt_exponential_add(&e, 100000);
    assert_int_equal(e.scale, TT_EXPONENTIAL_MAX_SCALE);
    for (uint64_t ns = 100000; ns <= 100000000; ns += 99999)
        tt_exponential_add(&e, ns);
    assert_int_equal(e.scale, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges), cmocka_unit_test(test_resolution)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
