/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sink.h: one way out of the agent, as the exporter's thread sees it. A sink never sees the queue; the
 * exporter never sees where spans go. All calls but `stopping` come from the exporter's thread; of a sink
 * that is `parallel`, those of each signal from a thread of its own.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "export/export.h"
#include "export/queue.h"

/* Written by the sink, read by tt_exporter_stats: every item given to `write`, or carried over, ends in
 * exactly one of the first seven, or is spooled. One for each signal. */
struct tt_sink_counters {
    _Atomic uint64_t exported, dropped_refused, dropped_timeout, dropped_error;
    _Atomic uint64_t dropped_spool, dropped_age, dropped_damaged;
    _Atomic uint64_t requests, retries, bytes;
    struct tt_durations durations[TT_OPERATIONS];
    _Atomic uint64_t carried, gap_ms;      /* set once, at the start */
    _Atomic uint64_t spooled, spool_bytes; /* now */
    _Atomic bool closed;                   /* it writes to a pipe that nobody reads any more */
};

static inline void tt_sink_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* An operation that began then (monotonic ns) has ended. */
static inline void tt_sink_operation(struct tt_sink_counters *counters, enum tt_operation how, uint64_t begin)
{
    tt_durations_add(&counters->durations[how], tt_now_ns() - begin);
}

struct tt_sink;

struct tt_sink_ops {
    const char *scheme; /* of the spec "scheme" or "scheme:target" */
    unsigned delay_ms;  /* replaces the configured delay; 0 = does not */
    size_t batch;       /* upper bound of the batch; 0 = none */
    bool packed;        /* packed spans do, unless they are to become JSON */
    bool parallel;      /* one signal does not wait for another */
    bool operates;      /* counts its operations itself: `write` is not always one */

    /* Refuses a target that makes no sense, without opening anything: 0, or -EINVAL/-ENOMEM and *error
     * (malloc'ed). */
    int (*check)(const char *target, char **error);
    /* `target` is NULL without colon, and passed the check. 0 and *sink, or a negative errno and *error
     * (malloc'ed). */
    int (*open)(const char *target, const struct tt_export_config *config,
                struct tt_sink_counters counters[TT_SIGNALS], struct tt_sink **sink, char **error);
    /* The array may be reordered; references that are kept are the sink's own. Counts each item, now or
     * later. */
    void (*write)(struct tt_sink *sink, struct tt_otel_span **spans, size_t count);
    void (*write_logs)(struct tt_sink *sink, struct tt_otel_log **logs, size_t count);
    /* Some times a second, of one that is parallel for each signal; what came before `oldest` (unix ns) was
     * given to `write`. May be NULL. */
    void (*tick)(struct tt_sink *sink, enum tt_signal signal, uint64_t oldest);
    void (*stopping)(struct tt_sink *sink,
                     uint64_t deadline);  /* any thread: everything ends by then (monotonic ns) */
    void (*finish)(struct tt_sink *sink); /* last call of the thread: writes what is held back; may be NULL */
    void (*free)(struct tt_sink *sink);   /* any thread */
};

struct tt_sink {
    const struct tt_sink_ops *ops;
    char *name; /* as shown to people: no secrets */
};

extern const struct tt_sink_ops tt_console_sink, tt_file_sink, tt_null_sink, tt_otlp_sink;
