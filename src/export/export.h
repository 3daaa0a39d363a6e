/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * export.h: exporters. Each has a thread of its own, fed by a bounded queue; nothing it does blocks who hands
 * spans over. A full queue drops the new span and counts it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "enrich/otel.h"
#include "export/queue.h"
#include "metrics/durations.h"

struct tt_exporter;

enum tt_encoding { TT_ENCODING_NONE, TT_ENCODING_GZIP, TT_ENCODING_ZSTD, TT_ENCODINGS };

/* How one signal goes over OTLP. */
struct tt_otlp_config {
    const char *url;     /* used as it is; NULL: the base URL and the signal's path */
    const char *headers; /* OTEL_EXPORTER_OTLP_HEADERS form, or NULL */
    unsigned timeout_ms; /* of one export, retries included; 0 = 10000 */
    enum tt_encoding encoding;
    bool json;                                                 /* bodies are OTLP JSON, else protobuf */
    const char *certificate, *client_certificate, *client_key; /* PEM files, or NULL */
};

/* The queue of one signal. */
struct tt_queue_config {
    size_t queue;      /* items; 0 = 65536 */
    size_t batch;      /* of one request; 0 = 8192 */
    unsigned delay_ms; /* longest wait before a batch leaves; 0 = 1000 */
};

struct tt_export_config {
    struct tt_queue_config queues[TT_SIGNALS];
    uint64_t memory; /* of all that waits, bytes; 0 = 32 MiB */
    struct tt_otlp_config otlp[TT_SIGNALS];
    bool color;            /* console */
    bool all_roots;        /* console: also traces without a client root */
    unsigned console_rate; /* console: traces per second; 0 = 20 */
    const char
        *filter;   /* console: only traces with a span that matches this query (query/query.h); NULL: all */
    bool logs;     /* log records are handed over, too .. */
    bool no_spans; /* .. and nothing else: OTLP */
    const char *spool;     /* OTLP: directory for what a destination does not take, or NULL */
    uint64_t spool_bytes;  /* of each destination and signal; 0 = 512 MiB */
    unsigned spool_age_ms; /* 0 = a day */
    uint64_t spool_rate;   /* bytes per second at which it is sent; 0 = 1 MiB */
    unsigned
        held_ms; /* how long spans may have been held before they are handed over: for what a kill loses */
    bool wait;   /* a full queue makes who hands spans over wait, nothing is dropped: for replay only */
    /* console: after 10 s of silence how many processes are traced, into buffer ("3 Tango processes traced");
     * the console adds what it has seen. May be NULL */
    void (*silence)(void *context, char *buffer, size_t size);
    void *silence_context;
};

/* Is there anything of that signal for it? */
static inline bool tt_export_takes(const struct tt_export_config *config, enum tt_signal signal)
{
    return signal == TT_SIGNAL_LOGS ? config->logs : !config->no_spans;
}

/* How the export of one batch ended, with all its attempts; or one attempt, of who keeps what is not taken.
 */
enum tt_operation {
    TT_OPERATION_DONE,     /* all was taken */
    TT_OPERATION_REJECTED, /* all or a part was not, and never will be */
    TT_OPERATION_TIMEOUT,  /* given up */
    TT_OPERATION_FAILED,   /* could not be written */
    TT_OPERATION_STORED,   /* the destination is away, the batch is in the spool */
    TT_OPERATIONS
};

struct tt_export_stats {
    uint64_t queued;   /* spans (or log records) accepted */
    uint64_t exported; /* delivered */
    uint64_t requests; /* requests or writes that were made */
    uint64_t retries;
    uint64_t bytes;            /* sent on the wire or written */
    uint64_t dropped_queue;    /* queue or memory was full, or the exporter stopped */
    uint64_t dropped_debug;    /* log records below INFO, which make room first (queue.h) */
    uint64_t dropped_rootless; /* spans of traces of which no root was seen, which make room next */
    uint64_t dropped_refused;  /* not retryable answer, or rejected by partial success */
    uint64_t dropped_timeout;  /* gave up after the timeout or at the end */
    uint64_t dropped_error;    /* could not be encoded or written */
    uint64_t dropped_spool;    /* no room in the spool, or it cannot be written */
    uint64_t dropped_age;      /* too long in the spool */
    uint64_t dropped_damaged;  /* a file of the spool was not what had been written */
    uint64_t waiting;          /* in queue and batch now: */
    uint64_t in_queue;         /* .. in the queue, .. */
    uint64_t inflight;         /* .. handed to what exports them, which is not done */
    uint64_t processed;        /* handed to that since the start */
    uint64_t capacity;         /* of the queue */
    uint64_t carried;          /* in the spool at the start, of an earlier agent */
    uint64_t spooled;          /* in the spool now */
    uint64_t spool_bytes;
    uint64_t
        gap_ms; /* the earlier agent was killed: up to so long before this one's start something is missing */
    uint64_t operations;   /* all of the following .. */
    uint64_t operation_us; /* .. and the time that they took */
    struct tt_duration_counts durations[TT_OPERATIONS];
};

/* At any time: handed over = queued + dropped_queue, _debug and _rootless, and queued + carried = exported +
 * the other drops + waiting + spooled. */

/* `spec`: "console", "file:PATH" ("file:-" = standard output), "null" (counts only), "otlp", "otlp:URL" (base
 * URL: /v1/traces is appended; default http://localhost:4318). The config is copied. 0 and *exporter, or a
 * negative errno with *error saying what to do. */
int tt_exporter_new(const char *spec, const struct tt_export_config *config, struct tt_exporter **exporter,
                    char **error);

struct tt_console_options;

/* A console that writes elsewhere, as `options` say (`lost` is set here, the filter becomes the exporter's):
 * for those who watch the running agent. The descriptor stays the caller's, who closes it after the exporter
 * is freed. Of the config queue, batch and delay count. 0 or -ENOMEM or another negative errno. */
int tt_exporter_console(const struct tt_console_options *options, const struct tt_export_config *config,
                        struct tt_exporter **exporter);

/* One whose way out is the caller's: `make` gives the sink (sink.h), of these `ops`. 0 or a negative errno.
 */
struct tt_sink;
struct tt_sink_ops;
struct tt_sink_counters;
int tt_exporter_with(const struct tt_sink_ops *ops,
                     int (*make)(void *context, struct tt_sink_counters *counters, struct tt_sink **sink),
                     void *context, const struct tt_export_config *config, struct tt_exporter **exporter);

/* Refuses what tt_exporter_new would refuse for its text, without opening anything. The same errors. */
int tt_exporter_check(const char *spec, char **error);

/* Does it need no more of a span than its packed form? */
bool tt_exporter_takes_packed(const struct tt_exporter *exporter);

/* Hands a span over, whole or, if it takes that, packed: takes its own reference. Never blocks, unless the
 * config says `wait`. Nothing if it is for log records only. */
void tt_exporter_span(struct tt_exporter *exporter, struct tt_otel_span *span);

/* The same for a log record. They have a queue of their own, of the same size. */
void tt_exporter_log(struct tt_exporter *exporter, struct tt_otel_log *log);

/* Sends what is queued, for at most `wait_ms`, then ends the thread; what is left is counted as
 * dropped_timeout. */
void tt_exporter_stop(struct tt_exporter *exporter, unsigned wait_ms);
void tt_exporter_free(struct tt_exporter **exporter);

/* "console", "file:/tmp/x", "otlp:http://host:4318/v1/traces": no secrets. Valid until freed. */
/* It writes to a pipe whose reader is gone: nothing it does is seen by anybody. */
bool tt_exporter_is_closed(struct tt_exporter *exporter);

const char *tt_exporter_name(const struct tt_exporter *exporter);
void tt_exporter_stats(struct tt_exporter *exporter, struct tt_export_stats *stats);
void tt_exporter_log_stats(struct tt_exporter *exporter, struct tt_export_stats *stats);
