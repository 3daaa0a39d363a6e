/* SPDX-License-Identifier: GPL-2.0-only */
/* clock.h: clocks in nanoseconds, for times, waits and deadlines. */
#pragma once

#include <stdint.h>
#include <time.h>

#define TT_NS_PER_MS 1000000ULL
#define TT_NS_PER_S  1000000000ULL
#define TT_NEVER     UINT64_MAX

static inline uint64_t tt_clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * TT_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* CLOCK_MONOTONIC: the clock of events, waits and deadlines. */
static inline uint64_t tt_now_ns(void)
{
    return tt_clock_ns(CLOCK_MONOTONIC);
}

/* Milliseconds from `now` to `then`, rounded up, at most `most`. */
static inline int tt_ms_until(uint64_t now, uint64_t then, int most)
{
    uint64_t ms = then > now ? (then - now + TT_NS_PER_MS - 1) / TT_NS_PER_MS : 0;

    return ms < (uint64_t)most ? (int)ms : most;
}
