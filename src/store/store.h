/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * store.h: what happened on this host in the last minutes: finished spans by trace, log records, and how
 * often each client asked each device for what; besides, what the agent says of itself. Bounded in bytes and
 * in age: the oldest makes room, at a cost that does not depend on how much is there.
 *
 * It lies in the process that serves the page, not in the agent: who fills it never waits for a reader of the
 * agent's, and readers hold the lock for a bounded number of traces at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enrich/otel.h"
#include "metrics/instruments.h"
#include "store/flat.h"

struct tt_store;

struct tt_store_config {
    uint64_t bytes;  /* of all, at least 1 MiB; 0 = 48 MiB */
    uint64_t age_ns; /* what came before that is forgotten; 0: only for want of room */
};

/* NULL when out of memory. */
struct tt_store *tt_store_new(const struct tt_store_config *config);
void tt_store_free(struct tt_store **store);

/* One frame (flat.h) but TT_FLAT_CONFIG; `now`: CLOCK_MONOTONIC ns. 0; -EBADMSG: it makes no sense; -EFBIG:
 * it is larger than the store takes; -ENOMEM. All but 0 are counted, and change nothing. One thread. */
int tt_store_take(struct tt_store *store, uint32_t type, const void *data, size_t size, uint64_t now);

struct tt_store_stats {
    uint64_t spans, logs, traces, series, points, resources; /* now */
    uint64_t taken_spans, taken_logs, taken_points;
    uint64_t left_spans, left_logs, left_points; /* made room, by size or age */
    uint64_t refused;                            /* frames */
    uint64_t bytes, size;                        /* used of the rings; their size */
    uint64_t oldest, newest; /* unix ns, of the spans and points that are there; 0: none */
    uint64_t counted_since;  /* unix ns: counts of before that made room; 0: all are there */
    uint64_t version;        /* changes with every batch and every usage frame */
};
void tt_store_get_stats(struct tt_store *store, struct tt_store_stats *stats);

/* ---- traces ---- */

struct tt_store_trace {
    uint64_t serial; /* grows in the order in which traces began to come */
    uint8_t id[16];
    uint64_t start, end; /* of what is there */
    unsigned spans, errors, logs;
    unsigned gone; /* spans that made room already */
};

/* Newest first. `wants` (NULL: all) judges by the front alone; `visit` gets the spans as well, which are
 * valid during the call only, with `root` the topmost (NULL: none there); false: that is enough. Both are
 * called with the store locked, which must not be asked for anything then. */
struct tt_store_visitor {
    bool (*wants)(void *context, const struct tt_store_trace *trace);
    bool (*visit)(void *context, const struct tt_store_trace *trace, struct tt_otel_span *const *spans,
                  size_t count, const struct tt_otel_span *root, struct tt_otel_log *const *logs,
                  size_t log_count);
    bool with_logs;
    void *context;
};

#define TT_STORE_SPANS_MAX 20000 /* of one trace that a visitor gets; the oldest of them */

/* Visits those of the next `most` traces older than serial *before (UINT64_MAX: from the newest), which it
 * moves; true: there are more. So a long search lets others in between. */
bool tt_store_walk(struct tt_store *store, uint64_t *before, size_t most,
                   const struct tt_store_visitor *visitor);
/* The one with that id; false: it is not there. */
bool tt_store_find(struct tt_store *store, const uint8_t id[16], const struct tt_store_visitor *visitor);

/* ---- usage ---- */

/* What one client asked one device for one operation, between two looks at the counts. */
struct tt_store_point {
    uint64_t time; /* unix ns, of the later look */
    const char *labels[TT_USAGE_LABELS];
    uint64_t calls, errors, sum; /* sum of durations, ns */
    size_t bucket_count;
    struct tt_store_bucket {
        uint32_t index, count; /* of tt_usage_bounds() */
    } const *buckets;
};

/* Those with from < time <= to, oldest first, called with the store locked for some at a time. */
void tt_store_each_point(struct tt_store *store, uint64_t from, uint64_t to,
                         void (*visit)(void *context, const struct tt_store_point *point), void *context);

/* Each combination there ever was, as long as it is remembered. */
void tt_store_each_series(struct tt_store *store,
                          void (*visit)(void *context, const char *const labels[TT_USAGE_LABELS]),
                          void *context);

/* ---- what the agent says ---- */

/* A copy of the last JSON of that name, caller frees; NULL: there is none. *time (may be NULL): unix ns. */
char *tt_store_state(struct tt_store *store, const char *name, uint64_t *time);

/* ---- writing, on the agent's side ---- */

/* A usage frame has the time (8 bytes), and then until its end: the labels (strings), calls, errors, sum, the
 * number of buckets (4 bytes) and each as a tt_store_bucket, all as counted since the agent's start. A state
 * frame: time, name, JSON (strings). */
