/* SPDX-License-Identifier: GPL-2.0-only */
#include "correlate/clock.h"

#include <stdlib.h>
#include <time.h>

#define CLOCK_GRAIN_NS 1000

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t tt_clock_unix_offset(void *context, uint64_t now)
{
    struct tt_unix_clock *clock = context;
    int64_t offset = 0, width = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        int64_t before = clock_ns(CLOCK_MONOTONIC), real = clock_ns(CLOCK_REALTIME),
                after = clock_ns(CLOCK_MONOTONIC);
        if (after - before >= width)
            continue;
        width = after - before;
        offset = real - before - width / 2;
    }
    if (!clock->known || llabs(offset - clock->offset) > width / 2 + CLOCK_GRAIN_NS)
        clock->offset = offset;
    clock->known = true;
    return clock->offset;
}
