/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * correlate.h: joins the two sides of every call by connection and GIOP request id, and gives every span its
 * trace. Either side may be recorded first. No proof, no parent.
 */
#pragma once

#include <stdint.h>

#include "assemble/assemble.h"

struct tt_correlator;

struct tt_correlator_config {
    uint64_t join_wait_ns; /* how long a request waits for its other side; 0 = 2 s */
    uint64_t max_age_ns;   /* caps of a trace (design section 5): 0 = 5 min, depth 64, 5,000 spans */
    unsigned max_depth;
    unsigned max_spans;
    size_t max_keys;    /* requests remembered; 0 = 65536. The oldest make room, counted */
    size_t max_pending; /* finished spans held back for their trace; 0 = 65536 */
    uint64_t seed;      /* of trace and span ids; 0 = from getrandom */
    int64_t (*unix_offset)(void *context,
                           uint64_t now); /* unix - monotonic in ns; NULL = measured by the clocks */
    void *unix_context;
    /* Trace contexts of native telemetry are taken over: a SERVER span goes into native's trace, under
     * native's client span, and our CLIENT span of the same request is left to native. */
    bool native;
    bool (*native_server)(void *context,
                          uint32_t tgid); /* does it emit native SERVER spans itself? NULL = none */
    void (*native_client)(void *context, uint32_t tgid); /* one is seen to send contexts; NULL = not told */
    /* Gets finished spans that native telemetry has itself, with its ids, and owns them; NULL: they are gone.
     */
    void (*native_hidden)(void *context, struct tt_span *span);
    void *native_context;
    /* Gets every log message with the ids of its span, if it has one, and owns it; NULL: they are not wanted.
     * The context is that of `emit`. */
    void (*log)(void *context, struct tt_log *log);
    /* Told of waits for monitors, with the open span that waits, which has its ids already. May be NULL; the
     * context is that of `emit`. */
    void (*wait)(void *context, struct tt_span *span, const struct tt_wait *wait);
};

struct tt_correlator_stats {
    uint64_t joined;           /* server spans with their client's span as parent */
    uint64_t client_unmatched; /* requests whose server side never came: peer not traced here */
    uint64_t server_unmatched; /* server spans whose client side never came: roots */
    uint64_t ambiguous;        /* several candidates: no parent */
    uint64_t late;             /* the other side came after the wait */
    uint64_t split;            /* spans that began a new trace because of a cap */
    uint64_t evicted;          /* keys or pending spans pushed out by the bounds */
    uint64_t native_joined;    /* server spans put into a trace of native telemetry */
    uint64_t native_hidden;    /* spans left to native telemetry, which has them itself */
    uint64_t native_malformed; /* contexts that are none; not used */
    uint64_t events_joined;    /* events received with the one sent as parent */
    uint64_t events_unmatched; /* events received whose sending was not seen */
    uint64_t events_ambiguous; /* of these, because several fit */
    uint64_t events_lost;      /* events that a receiver missed, by their numbers */
    uint64_t traces;           /* begun */
    uint64_t pending;          /* spans held back now */
    uint64_t emitted;
};

/* `emit` gets every finished span with its ids set, and owns it. */
struct tt_correlator *tt_correlator_new(const struct tt_correlator_config *config,
                                        void (*emit)(void *context, struct tt_span *span), void *context);
void tt_correlator_free(struct tt_correlator **correlator);
/* Other values of these members of the config; what waits, waits by the new ones. */
void tt_correlator_configure(struct tt_correlator *correlator, uint64_t join_wait_ns, bool native);

/* The ops to give to the assembler; their context is the correlator. */
struct tt_assembler_ops tt_correlator_ops(struct tt_correlator *correlator);

/* Takes over a log record of ours, as if it had been written in log->span. Only where config.log is set. */
void tt_correlator_log(struct tt_correlator *correlator, struct tt_log *log);

/* The trace id of an open span, as far as it is decided; else false. (Its span id is.) */
bool tt_correlator_ids(const struct tt_span *span, uint8_t trace_id[16]);

/* Gives up waiting where the time is over; `now` CLOCK_MONOTONIC ns. */
void tt_correlator_tick(struct tt_correlator *correlator, uint64_t now);
/* Emits everything that is still pending (agent stops). */
void tt_correlator_flush(struct tt_correlator *correlator);

/* Another program runs under that pid, or it was not looked at for a while. */
void tt_correlator_forget(struct tt_correlator *correlator, uint32_t tgid);

const struct tt_correlator_stats *tt_correlator_stats(const struct tt_correlator *correlator);
