/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * assemble.h: per-thread frame stacks turn the ordered events of each thread into spans. Knows frames,
 * exceptions, lost exits and stacks that switch; knows nothing of other threads or processes.
 */
#pragma once

#include <stdint.h>

#include "assemble/log.h"
#include "assemble/span.h"

struct tt_assembler;

/* A thread waits for a monitor (TangoMonitor) that another one holds. */
struct tt_wait {
    uint64_t start, end;           /* CLOCK_MONOTONIC ns; end 0: it begins */
    uint32_t holder;               /* thread that holds it, in its own pid namespace .. */
    const struct tt_span *holding; /* .. and the span that is open there, if it begins; NULL: none is known */
    const char *monitor;           /* its name, if it begins */
};

struct tt_assembler_ops {
    /* A span began. span->parent is the enclosing span of the thread (proven by nesting) or NULL,
     * span->answers the asynchronous call whose reply it hands over, or NULL; SERVER spans have their key
     * already. The span stays the assembler's until `close`. */
    void (*open)(void *context, struct tt_span *span);
    /* A request was sent on behalf of the span: called for every request, the first also sets span->key. */
    void (*request)(void *context, struct tt_span *span, const struct tt_key *key, uint64_t time);
    /* The span ended; ownership goes to the callee. */
    void (*close)(void *context, struct tt_span *span);
    /* A log message was written, inside log->span if that is not NULL; ownership goes to the callee. NULL:
     * log messages are not wanted. */
    void (*log)(void *context, struct tt_log *log);
    /* The event of a PRODUCER span is about to be sent: its topic and number are known. NULL: not wanted. */
    void (*pushed)(void *context, struct tt_span *span, uint64_t time);
    /* A wait begins or ends inside the span: the request that is served, or else the outermost. NULL: not
     * wanted. */
    void (*wait)(void *context, struct tt_span *span, const struct tt_wait *wait);
    void *context;
};

/* What was counted; every uncertainty has its counter. */
struct tt_assembler_stats {
    uint64_t events;           /* taken in */
    uint64_t malformed;        /* events refused: sizes or fields out of bounds, unknown type or point */
    uint64_t gaps;             /* sequence gaps */
    uint64_t lost;             /* events missing in those gaps */
    uint64_t orphan_exits;     /* exit without open frame, and not the first of its thread since attach */
    uint64_t early_exits;      /* exit of a frame entered before attach */
    uint64_t mismatched_exits; /* exit of a shared tail whose CFA fits no open frame */
    uint64_t suspended;        /* frames suspended by healing */
    uint64_t revived;          /* of these, revived by their own exit */
    uint64_t buried;           /* frames closed as "end unknown" */
    uint64_t exceptions;       /* frames closed by a catch */
    uint64_t upcalls;          /* requests received */
    uint64_t upcalls_bare;     /* of these, without a catalogued method */
    uint64_t requests;         /* requests sent */
    uint64_t requests_bare;    /* of these, outside any catalogued function */
    uint64_t asynch;           /* asynchronous calls handed to omniORB */
    uint64_t asynch_unknown;   /* of these, those whose end was not seen */
    uint64_t replies_unlinked; /* replies handed to a caller whose call is not known any more */
    uint64_t logs;             /* log messages */
    uint64_t logs_bare;        /* of these, outside any span */
    uint64_t waits;            /* for a monitor that another thread held */
    uint64_t spans;            /* closed */
    uint64_t open;             /* frames open now */
    uint64_t threads;          /* known now */
    uint64_t dropped_frames;   /* stack deeper than the limit, or out of memory */
};

/* Tells whether nesting proves nothing in this process because its stacks switch (it maps greenlet, ..). */
typedef bool (*tt_switching_fn)(void *context, uint32_t tgid);

/* A method that an interpreter is about to call: is it one of the user's? Then the span gets its name. The
 * span has what the event says and no ids yet. */
typedef bool (*tt_method_fn)(void *context, struct tt_span *span);

/* A call that a client makes: who calls? True: a span for the caller is wanted where the call would be a
 * root. */
typedef bool (*tt_caller_fn)(void *context, struct tt_span *span);

/* A heartbeat of a channel of events is sent or has arrived (row->verb). */
struct tt_beat {
    uint32_t tgid;
    uint64_t time; /* CLOCK_MONOTONIC, ns */
    const struct tt_row *row;
    const char *channel; /* received: its name; "": not known */
};
typedef void (*tt_beat_fn)(void *context, const struct tt_beat *beat);

/* `point_row(point)`: the catalogue row of a point index, NULL if unknown. */
struct tt_assembler *tt_assembler_new(const struct tt_assembler_ops *ops,
                                      const struct tt_row *(*point_row)(void *context, uint32_t point),
                                      void *point_context);
void tt_assembler_free(struct tt_assembler **assembler);
void tt_assembler_set_switching(struct tt_assembler *assembler, tt_switching_fn fn, void *context);
/* Without it no method of an interpreter is the user's. */
void tt_assembler_set_methods(struct tt_assembler *assembler, tt_method_fn fn, void *context);
void tt_assembler_set_callers(struct tt_assembler *assembler, tt_caller_fn fn, void *context);
void tt_assembler_set_beats(struct tt_assembler *assembler, tt_beat_fn fn, void *context);

/* Takes one event of `size` bytes as it came from the ring buffer; the bytes are not kept. Untrusted:
 * checked. */
void tt_assembler_event(struct tt_assembler *assembler, const void *data, size_t size);

/* An event of a function that the catalogue does not have (any more): only its place in the sequence counts.
 */
void tt_assembler_skip(struct tt_assembler *assembler, const void *data, size_t size);

/* Time passes without events: buries frames that stay suspended, threads without life. `now` CLOCK_MONOTONIC
 * ns. */
void tt_assembler_tick(struct tt_assembler *assembler, uint64_t now);

/* The process ended or was deselected: closes its frames as "end unknown". */
void tt_assembler_forget(struct tt_assembler *assembler, uint32_t tgid);

/* Closes everything as "end unknown" (agent stops). */
void tt_assembler_flush(struct tt_assembler *assembler, uint64_t now);

const struct tt_assembler_stats *tt_assembler_stats(const struct tt_assembler *assembler);

/* Operations of requests that no catalogued method served, in the order of their first appearance; NULL
 * behind the last. At most 256 operations are told apart, the rest is under "(others)". */
struct tt_assembler_bare {
    const char *operation; /* GIOP name; "(unknown)" where it could not be read */
    uint64_t count;
};
const struct tt_assembler_bare *tt_assembler_bare(const struct tt_assembler *assembler, size_t index);

/* An open span, and what its thread is at now. */
struct tt_open {
    struct tt_span *span;
    const struct tt_span *inside; /* the innermost span open on the thread: itself, or one below it */
    bool waiting;                 /* for a monitor, since .. */
    uint64_t since;               /* .. then, CLOCK_MONOTONIC ns */
};

/* Calls visit for every open span (for `calls` and the page). */
void tt_assembler_each_open(struct tt_assembler *assembler,
                            void (*visit)(void *context, const struct tt_open *open), void *context);
