/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * native.h: traces that native telemetry began and our spans belong to, by their id. One such trace is met at
 * many places (each process on its way); what must be one for all of it (clock offset, process of the root)
 * is kept here.
 */
#pragma once

#include <stdint.h>

#include "correlate/traces.h"

#define TT_NATIVES_MAX 4096 /* traces remembered; the oldest make room */

struct tt_natives;

struct tt_natives *tt_natives_new(struct tt_traces *traces); /* NULL when out of memory */
void tt_natives_free(struct tt_natives **natives);

/* The trace with that id, NULL: not met yet. No reference is taken. */
struct tt_trace *tt_natives_find(const struct tt_natives *natives, const uint8_t id[16]);

/* Begins one with that id, in place of an older one of the same id; the caller sets the rest. No reference is
 * taken. NULL when out of memory. */
struct tt_trace *tt_natives_begin(struct tt_natives *natives, const uint8_t id[16]);

/* Has the span a context of which native telemetry keeps the span? */
bool tt_native_usable(const struct tt_span *span);

/* Leaves the span to native telemetry: it will not be emitted, and what is below it goes under native's
 * client span, the one of the context, in `trace`. */
void tt_native_hide(struct tt_natives *natives, struct tt_span *span, struct tt_trace *trace,
                    const uint8_t span_id[8]);

/* Forgets traces that began before that time. */
void tt_natives_expire(struct tt_natives *natives, uint64_t before);
