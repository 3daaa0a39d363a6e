/* SPDX-License-Identifier: GPL-2.0-only */
#include "correlate/clock.h"

#include <stdlib.h>
#include <time.h>

#define GRAIN_NS 1000

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/*
 * One clock is read between two readings of the other, and the tightest of a few tries counts: a thread
 * preempted between them would shift a whole trace. What the uncertainty explains is no change, so that
 * traces that follow each other stay in order.
 */
int64_t tt_unix_clock_measure(struct tt_unix_clock *clock)
{
    int64_t offset = 0, width = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        int64_t before = clock_ns(CLOCK_MONOTONIC), real = clock_ns(CLOCK_REALTIME),
                after = clock_ns(CLOCK_MONOTONIC);
        if (after - before >= width)
            continue;
        width = after - before;
        offset = real - before - width / 2;
    }
    if (!clock->known || llabs(offset - clock->offset) > width / 2 + GRAIN_NS)
        clock->offset = offset;
    clock->known = true;
    return clock->offset;
}
