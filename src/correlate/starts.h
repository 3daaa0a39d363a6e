/* SPDX-License-Identifier: GPL-2.0-only */
/* starts.h: a server starts in several functions that are called one after the other: one trace. It stops in
 * the same way. The first of them is remembered by its process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "correlate/traces.h"

#define TT_STARTS_MAX 1024 /* processes remembered; the oldest make room */

struct tt_starts;

struct tt_start {
    uint32_t tid, thread_start; /* of the thread that did it */
    enum tt_trigger trigger;    /* startup or shutdown */
    struct tt_trace *trace;     /* holds a reference */
    uint8_t span_id[8];
    unsigned depth;
};

struct tt_starts *tt_starts_new(struct tt_traces *traces); /* NULL when out of memory */
void tt_starts_free(struct tt_starts **starts);

/* The first part of the process's start or end, whichever came last, or NULL. */
const struct tt_start *tt_starts_find(const struct tt_starts *starts, uint32_t tgid);
/* The span is it. */
void tt_starts_add(struct tt_starts *starts, const struct tt_span *span);
void tt_starts_forget(struct tt_starts *starts, uint32_t tgid);
