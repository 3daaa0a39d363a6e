/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * usage.h: who asks which device for what, how often, how long it takes and how often it fails: for `top` and
 * `clients`. Each call counts once: its client's span, or its server's where no client is seen. The table is
 * the feeding thread's; a view of it may go to any thread.
 *
 * At most TT_USAGE_MAX combinations of device, client and operation, some 650 bytes each (10 MB). When there
 * are more, one that was not used for 10 minutes makes room; else the new one is counted under _OTHER instead
 * of its operation and client, so that the sums of devices stay right, and at last of its device.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "enrich/otel.h"

#define TT_USAGE_MAX 16384
#define TT_USAGE_BUCKETS                                                                                     \
    49 /* of durations: 10 us, and each sqrt(2) times the one before; the last has no end */

enum tt_usage_view { TT_USAGE_DEVICES, TT_USAGE_CLIENTS, TT_USAGE_OPERATIONS, TT_USAGE_VIEWS };
extern const char *const tt_usage_views[TT_USAGE_VIEWS]; /* "devices", .. */

struct tt_usage;

/* `max` 0: TT_USAGE_MAX. NULL when out of memory. */
struct tt_usage *tt_usage_new(size_t max);
void tt_usage_free(struct tt_usage **usage);
/* Spans that are no calls are left alone. */
void tt_usage_span(struct tt_usage *usage, const struct tt_otel_span *span);
/* Time passes; CLOCK_MONOTONIC ns. */
void tt_usage_tick(struct tt_usage *usage, uint64_t now);

/* What was counted, as it is now; and calls that are open. */
struct tt_usage_copy;

/* NULL when out of memory. `time`: unix ns. */
struct tt_usage_copy *tt_usage_copy(const struct tt_usage *usage, uint64_t time);
void tt_usage_copy_free(struct tt_usage_copy **copy);
/* A call that has not ended; -ENOMEM. */
int tt_usage_add_open(struct tt_usage_copy *copy, const struct tt_otel_span *span);

/* Each combination of labels and what was counted for it: slots from TT_USAGE_CALLS on (instruments.h). Open
 * calls are not among them. */
void tt_usage_each(const struct tt_usage_copy *copy,
                   void (*visit)(void *context, const char *const *labels, const uint64_t *values),
                   void *context);
uint64_t tt_usage_time(const struct tt_usage_copy *copy);

/* One object: "time", "bounds_ns", and "rows" with the sums of each device, client or operation since the
 * agent's start. */
void tt_usage_json(struct tt_json *json, const struct tt_usage_copy *copy, enum tt_usage_view view);
/* One object: "clients", an entry for each client and operation of the devices whose name matches the glob,
 * the busiest first. */
void tt_usage_clients_json(struct tt_json *json, const struct tt_usage_copy *copy, const char *device);

/* Duration in ns below which a share `q` of the values lies, by `count` buckets with these bounds (the last
 * bucket has none, and is worth its lower one); between bounds by the logarithm. 0: no values. */
double tt_usage_quantile(const uint64_t *buckets, const uint64_t *bounds, size_t count, double q);
/* Upper bounds of all buckets but the last. */
void tt_usage_bounds(uint64_t bounds[TT_USAGE_BUCKETS - 1]);
