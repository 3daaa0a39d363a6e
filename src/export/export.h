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

struct tt_exporter;

struct tt_export_config {
    size_t queue;          /* spans; 0 = 16384 */
    size_t batch;          /* spans of one request; 0 = 8192 */
    unsigned delay_ms;     /* longest wait before a batch leaves; 0 = 1000 */
    unsigned timeout_ms;   /* of one export, retries included; 0 = 10000 */
    bool gzip;             /* compress OTLP bodies */
    bool color;            /* console */
    bool all_roots;        /* console: also traces without a client root */
    unsigned console_rate; /* console: traces per second; 0 = 20 */
    const char
        *filter; /* console: only traces with a span that matches this query (query/query.h); NULL: all */
    const char *headers;  /* OTLP: OTEL_EXPORTER_OTLP_HEADERS form, or NULL */
    bool full_url;        /* OTLP: no /v1/traces is added (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) */
    bool logs;            /* log records are handed over, too */
    const char *logs_url; /* OTLP: where they go, as it is; NULL: the base URL and /v1/logs */
    const char *certificate, *client_certificate, *client_key; /* PEM files, or NULL */
    bool wait; /* a full queue makes who hands spans over wait, nothing is dropped: for replay only */
    /* console: after 10 s of silence how many processes are traced, into buffer ("3 Tango processes traced");
     * the console adds what it has seen. May be NULL */
    void (*silence)(void *context, char *buffer, size_t size);
    void *silence_context;
};

struct tt_export_stats {
    uint64_t queued;   /* spans (or log records) accepted */
    uint64_t exported; /* delivered */
    uint64_t requests; /* requests or writes that were made */
    uint64_t retries;
    uint64_t bytes;           /* sent on the wire or written */
    uint64_t dropped_queue;   /* queue was full, or the exporter stopped */
    uint64_t dropped_refused; /* not retryable answer, or rejected by partial success */
    uint64_t dropped_timeout; /* gave up after the timeout or at the end */
    uint64_t dropped_error;   /* could not be encoded or written */
    uint64_t waiting;         /* in queue and batch now */
    uint64_t operations;      /* batches for which export has ended, well or not .. */
    uint64_t operation_us;    /* .. and the time that it took, retries included */
};

/* At any time: handed over = queued + dropped_queue, and queued = exported + the other drops + waiting. */

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

/* Refuses what tt_exporter_new would refuse for its text, without opening anything. The same errors. */
int tt_exporter_check(const char *spec, char **error);

/* Does it need no more of a span than its packed form? */
bool tt_exporter_takes_packed(const struct tt_exporter *exporter);

/* Hands a span over, whole or, if it takes that, packed: takes its own reference. Never blocks, unless the
 * config says `wait`. */
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
