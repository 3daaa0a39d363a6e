/* SPDX-License-Identifier: GPL-2.0-only */
/* ratelog.h: warnings that may come thousands of times: the first at once, then one in `interval` with a
 * count. One thread each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tt_ratelog {
    uint64_t next;   /* monotonic ns; zero at start */
    uint64_t silent; /* messages since the last line */
};

#define TT_RATELOG_S 30

/* Logs the warning or counts it; true when logged. */
bool tt_ratelog_warn(struct tt_ratelog *log, unsigned interval_s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
