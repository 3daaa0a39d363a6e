/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * span.h: a span as assemble and correlate make it: times, what was captured, how it ended, who its parent is
 * and by what proof. Enrich turns it into the OTLP model (enrich/otel.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "assemble/ledger.h"
#include "assemble/w3c.h"
#include "base/arena.h"
#include "catalogue/catalogue.h"
#include "tangotrace/event.h"

enum tt_span_kind {
    TT_SPAN_INTERNAL = 1,
    TT_SPAN_SERVER = 2,
    TT_SPAN_CLIENT = 3,
    TT_SPAN_PRODUCER = 4,
    TT_SPAN_CONSUMER = 5
};

/* How the parent is known (attribute tangotrace.parent.proof). */
enum tt_proof {
    TT_PROOF_NONE,    /* no parent: a root */
    TT_PROOF_NESTING, /* same thread and enclosing frame */
    TT_PROOF_REQUEST, /* same connection and GIOP request id */
    TT_PROOF_NATIVE,  /* the caller's native telemetry sent its own span with the request */
    TT_PROOF_EVENT,   /* same topic and number of an event */
    TT_PROOF_PROCESS, /* a later part of the same process's start or end */
};

/* What is uncertain about a span (attribute tangotrace.incomplete). */
enum tt_incomplete {
    TT_INCOMPLETE_END = 1 << 0,   /* the end was not seen: the time is a bound, the outcome unknown */
    TT_INCOMPLETE_LOST = 1 << 1,  /* events of its thread were lost while it was open */
    TT_INCOMPLETE_FAULT = 1 << 2, /* a field could not be read */
    TT_INCOMPLETE_CUT = 1 << 3,   /* a field was cut */
    TT_INCOMPLETE_PARENT =
        1 << 4, /* no parent proven although one is likely (stack switch, suspended frame) */
    TT_INCOMPLETE_START = 1 << 5,   /* the entry was not seen, the time is a bound */
    TT_INCOMPLETE_PROCESS = 1 << 6, /* its process ended before it could be looked at */
};

enum tt_trigger {
    TT_TRIGGER_CLIENT,
    TT_TRIGGER_POLLING,
    TT_TRIGGER_EVENT,
    TT_TRIGGER_STARTUP,
    TT_TRIGGER_SHUTDOWN,
    TT_TRIGGER_UNKNOWN
};

/* One DevError, or one other exception (then only type). Strings lie in the span's arena; NULL = not known.
 */
struct tt_span_error {
    const char *attribute; /* failed attribute of a reply, else NULL */
    const char *reason, *desc, *origin;
    unsigned severity; /* Tango::ErrSeverity: 0 WARN, 1 ERR, 2 PANIC */
};

/* What an event says of Python objects: addresses in the process, 0 = not known. */
struct tt_span_python {
    const char *method; /* name of the method called on `object`; NULL: `function` is called */
    uint64_t object, type, version;
    uint64_t callable, function, code, code_39;
    struct tt_python_frame frames[TT_PYTHON_FRAMES];
    unsigned frame_count;
};

/* An argument that the user asked for; row->arguments says what it is. */
struct tt_span_argument {
    bool known;
    const char *text; /* in the span's arena; NULL: a number */
    uint64_t number;
};

/* Where in a program's source. Strings lie in the span's arena; name NULL = not known. */
struct tt_span_code {
    const char *name; /* qualified: "Basler.read_ExposureTime" */
    const char *file;
    unsigned line; /* 0: not known */
};

struct tt_trace;   /* correlate's */
struct tt_request; /* correlate's */

/* Ordered by who sets what, not by size. */
struct tt_span { /* NOLINT(clang-analyzer-optin.performance.Padding) */
    /* identity, set by correlate */
    struct tt_trace *trace;
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t parent_id[8]; /* zero: root */
    bool parent_remote;   /* the parent is of another process */
    enum tt_proof proof;
    int64_t unix_offset;          /* unix time = monotonic + this, one per trace */
    uint32_t root_tgid;           /* process of the root of its trace */
    enum tt_trigger root_trigger; /* what set the trace off */
    uint8_t trace_flags;          /* W3C's, of the trace; native's own where that began it */
    bool native_trace;            /* native telemetry began it */
    bool top;                     /* no span of ours is above it: of the trace it is the last to end here */
    unsigned depth;               /* of the span below the root of `trace` as it was when the span began */
    bool split; /* a root only because a cap of its trace was reached: the parent would have been .. */
    uint8_t split_trace[16], split_span[8]; /* .. this span of this trace (for a link) */
    struct tt_request *sent;                /* requests of this span that wait for their other side */
    bool used;                              /* spans of ours are below it */
    bool hidden; /* native telemetry has this span: never emitted, and its ids are those of native's client
                    span */
    bool linked; /* has a link to .. */
    struct tt_trace *link_to;
    uint8_t link_trace[16], link_span[8]; /* .. this span of this trace */

    /* set by assemble */
    const struct tt_row *row; /* never NULL */
    enum tt_span_kind kind;
    bool further;    /* CLIENT: a request that its parent sent without a function of its own for it */
    unsigned retry;  /* CLIENT: how many requests of the same call came before this one; 0 = none */
    bool collocated; /* server method called inside the client's process: no request on the wire */
    uint32_t tgid, tid, thread_start;
    char thread_name[TT_THREAD_NAME]; /* when it began, NUL-ended; "" = not known */
    uint64_t start, end;              /* CLOCK_MONOTONIC, ns */
    unsigned incomplete;              /* enum tt_incomplete, or-ed */
    enum tt_trigger trigger;
    struct tt_span *parent;  /* enclosing span of the same thread; valid only during the `open` call */
    struct tt_span *answers; /* a `*_reply`: the call whose reply it is; valid only during the `open` call */

    bool has_key;
    struct tt_key key; /* CLIENT: of the first request; SERVER: of the request served */
    unsigned requests; /* CLIENT, INTERNAL: requests sent by its own frame */

    const char *device, *class_name, *command, *operation /* GIOP */, *text;
    const char *attributes[TT_LIST_MAX];
    unsigned attribute_count; /* entries of attributes[] */
    uint64_t attribute_total; /* length of the list in the call; may be more than attribute_count */
    int64_t source;           /* Tango::DevSource, -1 unknown */
    bool has_client;
    struct tt_client_ident client;

    /* Polling: when it was due, by CLOCK_MONOTONIC or as `planned_unix`, ns; its period, ns. 0: not known */
    uint64_t planned, planned_unix, period;

    /* Events (PRODUCER, CONSUMER). */
    const char *event_type, *topic;
    bool has_counter, event_error;
    bool after_gap; /* events of the thread were lost since the last one that it received */
    uint32_t counter;
    uint64_t elements;    /* PRODUCER: of the attribute's value; 0: it carries none, or not known */
    unsigned subscribers; /* PRODUCER, set by correlate: processes that have received events of the topic */
    uint64_t pushed;      /* set by correlate: when it was sent, CLOCK_MONOTONIC ns; 0 unknown */
    uint32_t events_lost; /* set by correlate: events of the topic that should have come before it */
    bool event_again;     /* set by correlate: the process has received it already */

    /* The trace context of native telemetry. SERVER: that came with the request; CLIENT: that its newest
     * request carried. */
    bool has_context, bad_context; /* there was one that is none: not used */
    struct tt_w3c context;
    const char *trace_state; /* its tracestate, in the arena; NULL: none */

    /* CLIENT, SERVER: known only at TT_DETAIL_FULL. A client's is made by correlate. */
    struct tt_ledger ledger;
    uint64_t sent_at;     /* CLIENT: when its first request was sent; 0: it was not */
    uint64_t received_at; /* SERVER: when the request was received; 0: not seen */
    bool waited;          /* for a monitor .. */
    uint32_t holder;      /* .. which that thread held, the first time; in its own pid namespace */
    const char *monitor;  /* .. of that name; NULL: not known */

    struct tt_span_python python;
    struct tt_span_code code; /* methods: of the function; calls: of the caller */
    bool handed_over; /* another thread had this one make the call: who asked for it is not on its stack */
    struct tt_span_argument arguments[TT_PROBE_ARGUMENTS];

    bool failed;                /* an exception left it, or an attribute failed */
    const char *exception_type; /* mangled name ("N5Tango9DevFailedE"), NULL if none or unknown */
    uint32_t exception_minor;   /* CORBA system exceptions */
    struct tt_span_error
        errors[TT_ERRORS_MAX]; /* DevError stack, innermost (first thrown) first; or failed attributes */
    unsigned error_count;
    uint64_t error_total;

    /* the other side of the call, set by correlate when joined */
    bool has_peer;
    uint32_t peer_tgid;
    struct tt_span *other;     /* the span of that side while both are open, and neither has another one */
    struct tt_moments moments; /* CLIENT: what the server's tells when it ends .. */
    struct tt_ledger served;   /* .. and its ledger */
    /* CLIENT: of the server that answered, or is the database; SERVER: of the device that called, "" where it
     * was none. In the arena, or static; NULL: not known. */
    const char *peer_class, *peer_device;

    /* CLIENT and INTERNAL spans made while a request is served: device and class of the enclosing SERVER
     * span, whose resource they get (as native does). In the arena; NULL: outside any request, or not known.
     */
    const char *owner_device, *owner_class;

    unsigned told;         /* how often it was told of that it is open still */
    struct tt_span *next;  /* for the lists of whoever owns it */
    struct tt_arena arena; /* owns all strings above */
};

/* Is a span of the row one of the device that it names, rather than of the caller? */
static inline bool tt_row_is_devices(const struct tt_row *row)
{
    return row->role == TT_ROLE_SERVER || row->role == TT_ROLE_METHOD || row->role == TT_ROLE_POLL ||
           row->role == TT_ROLE_PUSH || row->role == TT_ROLE_LIFE;
}

/* Copies what is known of names (device, command, attributes, text) where `to` knows nothing. */
void tt_span_copy_names(struct tt_span *to, const struct tt_span *from);
/* Copies how `from` ended. */
void tt_span_copy_outcome(struct tt_span *to, const struct tt_span *from);

/* A zeroed span with source -1, trigger unknown; NULL when out of memory. Free also frees the arena. */
struct tt_span *tt_span_new(void);
void tt_span_free(struct tt_span **span);
