/* SPDX-License-Identifier: GPL-2.0-only */
/* clock.h: unix time minus CLOCK_MONOTONIC. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* As last measured; zeroed at first. */
struct tt_unix_clock {
    bool known;
    int64_t offset;
};

/* ns to add to a monotonic time. What the uncertainty of the measurement explains is no change. */
int64_t tt_unix_clock_measure(struct tt_unix_clock *clock);
