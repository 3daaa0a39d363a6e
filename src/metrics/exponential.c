/* SPDX-License-Identifier: GPL-2.0-only */
/* exponential.c: the exponential histogram of OpenTelemetry's data model, by its rules. */
#include <math.h>
#include <string.h>

#include "metrics/series.h"

/* Index of the bucket of a value above 0: ceil(log2(value) * 2^scale) - 1. An exact power of two belongs to
 * the bucket that it ends. */
static int32_t index_of(double value, int32_t scale)
{
    int exponent;
    bool exact = frexp(value, &exponent) == 0.5; /* the value is 2^(exponent - 1) */

    if (scale <= 0)
        return (exponent - 1 - exact) >> -scale;
    if (exact)
        return (exponent - 1) * (1 << scale) - 1;
    return (int32_t)ceil(log2(value) * (double)(1 << scale)) - 1;
}

/* Halves the resolution: each pair of buckets becomes one. */
static void downscale(struct tt_exponential *e)
{
    uint64_t merged[TT_EXPONENTIAL_BUCKETS] = {0};
    int32_t first = e->first >> 1;

    for (uint32_t i = 0; i < e->count; i++)
        merged[((e->first + (int32_t)i) >> 1) - first] += e->buckets[i];
    e->count = e->count ? (uint32_t)(((e->first + (int32_t)e->count - 1) >> 1) - first) + 1 : 0;
    e->first = first;
    e->scale--;
    memcpy(e->buckets, merged, sizeof(merged));
}

void tt_exponential_subtract(struct tt_exponential *e, const struct tt_exponential *before)
{
    struct tt_exponential old = *before;

    while (old.scale > e->scale)
        downscale(&old);
    e->zero -= old.zero;
    for (uint32_t i = 0; i < old.count; i++)
        e->buckets[old.first + (int32_t)i - e->first] -= old.buckets[i];
}

void tt_exponential_add(struct tt_exponential *e, uint64_t ns)
{
    double value = (double)ns / 1e9;
    int32_t index, low, high;

    if (!ns) {
        e->zero++;
        return;
    }
    for (;;) {
        index = index_of(value, e->scale);
        low = e->count && e->first < index ? e->first : index;
        high = e->count && e->first + (int32_t)e->count - 1 > index ? e->first + (int32_t)e->count - 1
                                                                    : index;
        if (high - low < TT_EXPONENTIAL_BUCKETS)
            break;
        downscale(e);
    }
    if (e->count && low < e->first) {
        memmove(e->buckets + (e->first - low), e->buckets, e->count * sizeof(e->buckets[0]));
        memset(e->buckets, 0, (size_t)(e->first - low) * sizeof(e->buckets[0]));
    }
    e->first = low;
    e->count = (uint32_t)(high - low) + 1;
    e->buckets[index - low]++;
}
