/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * traces.h: traces as sets of spans that can be merged: the trace of a server span goes under the one of its
 * client when the two are joined. Ids are final once the root of the merged whole is decided.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "assemble/log.h"
#include "assemble/span.h"
#include "correlate/keys.h"

struct tt_trace {
    struct tt_trace *merged; /* into this one, or NULL; holds a reference */
    unsigned depth;          /* merged: of its root in that one */
    unsigned references;
    uint8_t id[16];
    uint64_t begin;
    uint32_t root_tgid; /* process of its root */
    enum tt_trigger root_trigger;
    uint8_t flags;     /* W3C's */
    bool native;       /* begun by native telemetry */
    bool root_guessed; /* native's: the process that a request names as its client */
    int64_t unix_offset;
    unsigned spans;
    struct tt_trace *split_from; /* began because of a cap of this one; holds a reference */
    struct tt_request *waiting;  /* its root is a server span that waits for its client; NULL = decided */
    struct tt_span *pending, **pending_end; /* closed spans that wait for that, in order */
    struct tt_log *logs, **logs_end;        /* log messages that do */
    struct tt_trace *next;                  /* while unused */
};

/* Where traces come from; all are freed with it. */
struct tt_traces {
    struct tt_trace *unused;
    struct block *blocks;
};

/* With one reference; NULL when out of memory. The caller sets id, begin, unix_offset. */
struct tt_trace *tt_trace_new(struct tt_traces *traces);
struct tt_trace *tt_trace_get(struct tt_trace *trace);
void tt_trace_put(struct tt_traces *traces, struct tt_trace *trace); /* NULL: nothing */
void tt_traces_free(struct tt_traces *traces);

/* The trace that this one has been merged into; *depth += what that adds to the depth of its spans. */
struct tt_trace *tt_trace_find(const struct tt_trace *trace, unsigned *depth);
/* Puts `child` (not merged yet, another trace than `into`) under a span of `into` at depth - 1. */
void tt_trace_merge(struct tt_trace *child, struct tt_trace *into, unsigned depth);

void tt_trace_hold(struct tt_trace *trace, struct tt_span *span); /* appends to pending */
struct tt_span *tt_trace_release(struct tt_trace *trace);         /* takes the first, NULL if none */
void tt_trace_hold_log(struct tt_trace *trace, struct tt_log *log);
struct tt_log *tt_trace_release_log(struct tt_trace *trace);
