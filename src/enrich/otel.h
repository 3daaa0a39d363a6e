/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * otel.h: a finished span in OpenTelemetry's data model: what every exporter gets. Immutable once made;
 * shared by reference count between exporters.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum tt_otel_type { TT_OTEL_STRING, TT_OTEL_INT, TT_OTEL_BOOL, TT_OTEL_DOUBLE, TT_OTEL_STRINGS };

struct tt_otel_attribute {
    const char *key; /* static */
    enum tt_otel_type type;
    union {
        const char *string;
        int64_t integer;
        bool boolean;
        double real;
        struct {
            const char *const *items;
            size_t count;
        } strings;
    } value;
};

struct tt_otel_event {
    uint64_t time; /* unix ns */
    const char *name;
    struct tt_otel_attribute *attributes;
    size_t attribute_count;
    uint32_t dropped_attributes;
};

/* To a span of another trace, or one that is no ancestor. */
struct tt_otel_link {
    uint8_t trace_id[16], span_id[8];
};

/* Process and device a span belongs to. Interned: equal resources are one object, so exporters group by
 * pointer. */
struct tt_otel_resource {
    int refs;        /* atomic */
    uint64_t number; /* in order of creation: exporters sort by it, so that a replay writes the same twice */
    struct tt_arena arena;
    struct tt_otel_attribute *attributes;
    size_t attribute_count;
    const char *service_name; /* shortcuts into the attributes, for the console; never NULL */
    const char *instance;     /* device, or host:pid of a client */
    const char *class_name;   /* of the device; NULL: not known, or no device */
    bool is_client;           /* a client's resource, not a device's */
};

struct tt_otel_scope {
    const char *name, *version; /* static or interned for the agent's life; version may be "" */
};

enum tt_otel_status { TT_OTEL_UNSET = 0, TT_OTEL_ERROR = 2 };

/* Words of the attribute tangotrace.incomplete. */
#define TT_OTEL_END_UNKNOWN   "end_unknown"
#define TT_OTEL_START_UNKNOWN "start_unknown"

/*
 * A span is whole, or packed: then it has only what stands before `name`, and its text lies in `packed`. The
 * whole one takes some 3 KB; where nobody looks into them, those that wait for their batch are packed.
 */
struct tt_otel_span {
    int refs; /* atomic */
    int kind; /* OTLP: 1 INTERNAL, 2 SERVER, 3 CLIENT, 4 PRODUCER, 5 CONSUMER */
    uint8_t trace_id[16], span_id[8], parent_id[8]; /* parent zero: root */
    uint64_t start, end;                            /* unix ns */
    struct tt_otel_resource *resource;              /* holds a reference */
    const struct tt_otel_scope *scope;
    const uint8_t *packed; /* its OTLP message (Span), or NULL */
    size_t packed_size;
    uint64_t like;       /* packed: those of about the same text have about the same number .. */
    uint32_t like_whom;  /* .. and those of the same other side the same (export/encode.c) */
    const char *trigger; /* what set its trace off: "client", "polling", "event", "startup", "shutdown"
                            (static); NULL: not known, a fragment without its root */
    const char *name;
    const char *title;       /* tango.operation.name, or the name: for console and page */
    const char *trace_state; /* W3C tracestate of native telemetry's trace, NULL: none */
    uint32_t flags;          /* OTLP flags: W3C flags, 0x100 has-is-remote, 0x200 is-remote */
    struct tt_otel_attribute *attributes;
    size_t attribute_count;
    uint32_t dropped_attributes;
    struct tt_otel_event *events;
    size_t event_count;
    uint32_t dropped_events;
    struct tt_otel_link *links;
    size_t link_count;
    uint32_t dropped_links;
    enum tt_otel_status status;
    const char *status_message; /* NULL when unset */

    /* What sampling goes by, besides. */
    bool top;       /* no span of this host is above it: the last of its trace to end here */
    bool native;    /* native telemetry began the trace .. */
    bool unsampled; /* .. and does not record it itself */
    /* For metrics, exported by nobody. The other side of a CLIENT or SERVER span: class of the device, or
     * name of the program, and the device; NULL: not known. */
    const char *peer, *peer_device;
    bool peer_seen; /* there is a span of that side, too */
    /* Why its duration is a bound only: TT_OTEL_END_UNKNOWN (then the outcome is not known either, unless it
     * is an error), TT_OTEL_START_UNKNOWN (static); NULL: it is the duration. */
    const char *unmeasured;
    struct tt_arena arena;
};

#define TT_OTEL_LOG_SAMPLED 1u /* W3C trace flags of a record with ids */
#define TT_OTEL_LOG_INFO    9
#define TT_OTEL_LOG_WARN    13 /* least severity of those that warn */

struct tt_otel_log {
    int refs; /* atomic */
    struct tt_arena arena;
    bool in_span; /* else the ids are zero */
    uint8_t trace_id[16], span_id[8];
    uint64_t time;             /* unix ns */
    int severity;              /* OTLP: 5 DEBUG, 9 INFO, 13 WARN, 17 ERROR, 21 FATAL; 0 unknown */
    const char *severity_text; /* static; "" unknown */
    const char *body;          /* never NULL */
    const char *logger;        /* "" unknown */
    const char *event;         /* static: OTLP's event name; NULL: none */
    struct tt_otel_attribute *attributes;
    size_t attribute_count;
    uint32_t dropped_attributes;
    struct tt_otel_resource *resource; /* holds a reference */
    const struct tt_otel_scope *scope;
};

/* A zeroed log record with one reference. NULL when out of memory. */
struct tt_otel_log *tt_otel_log_new(void);
struct tt_otel_log *tt_otel_log_get(struct tt_otel_log *log);
void tt_otel_log_put(struct tt_otel_log **log);

/* A zeroed span with one reference; its strings belong into its arena. NULL when out of memory. */
struct tt_otel_span *tt_otel_span_new(void);
/* The packed form of a span, `size` bytes of message copied; one reference. NULL when out of memory. */
struct tt_otel_span *tt_otel_span_packed(const struct tt_otel_span *span, const uint8_t *message,
                                         size_t size);
/* Bytes of memory it takes. */
size_t tt_otel_span_size(const struct tt_otel_span *span);
size_t tt_otel_log_size(const struct tt_otel_log *log);
struct tt_otel_span *tt_otel_span_get(struct tt_otel_span *span);
void tt_otel_span_put(struct tt_otel_span **span);
struct tt_otel_resource *tt_otel_resource_new(void);
struct tt_otel_resource *tt_otel_resource_get(struct tt_otel_resource *resource);
void tt_otel_resource_put(struct tt_otel_resource **resource);

/* The attribute with that key, or NULL. */
const struct tt_otel_attribute *tt_otel_find(const struct tt_otel_attribute *attributes, size_t count,
                                             const char *key);
