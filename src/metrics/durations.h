/* SPDX-License-Identifier: GPL-2.0-only */
/* durations.h: how long one thing took each time, as a histogram: one thread counts, any other reads. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "metrics/instruments.h"

/* Those of OpenTelemetry's conventions for durations of HTTP requests: 5 ms to 10 s. */
#define TT_DURATION_BOUNDS 14
extern const uint64_t tt_duration_bounds[TT_DURATION_BOUNDS]; /* ns */

#define TT_DURATION_SLOTS TT_HISTOGRAM_SLOTS(TT_DURATION_BOUNDS)

struct tt_durations {
    _Atomic uint64_t slots[TT_DURATION_SLOTS]; /* as of the histograms of spans: TT_SLOT_* */
};

/* At one moment. */
struct tt_duration_counts {
    uint64_t slots[TT_DURATION_SLOTS];
};

void tt_durations_add(struct tt_durations *durations, uint64_t ns);
/* Number and buckets agree. */
void tt_durations_get(const struct tt_durations *durations, struct tt_duration_counts *counts);
