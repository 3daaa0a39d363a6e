/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slow.h: which calls are slow for what they are: above the moving 99th percentile of the operation (the last
 * 512 to 1,024 calls of the same kind, service and operation). At most 4,096 operations are known, the oldest
 * make room.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "enrich/otel.h"

struct tt_slow;

struct tt_slow *tt_slow_new(void); /* NULL when out of memory */
void tt_slow_free(struct tt_slow **slow);

/* Takes the call into account and says whether it was slower than 99 % of those before it. False as long as
 * there were fewer than 100, and of one whose duration is a bound only, which moves no percentile either. */
bool tt_slow_call(struct tt_slow *slow, const struct tt_otel_span *span);
