/* SPDX-License-Identifier: GPL-2.0-only */
/* clock.h: unix time minus monotonic time, without jitter. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* As last measured; zeroed at first. */
struct tt_unix_clock {
    bool known;
    int64_t offset;
};

/*
 * One clock is read between two readings of the other, and the tightest of a few tries counts: a thread
 * preempted between them would shift a whole trace. What the uncertainty explains is no change, so that
 * traces that follow each other stay in order. `context` is the struct tt_unix_clock.
 */
int64_t tt_clock_unix_offset(void *context, uint64_t now);
