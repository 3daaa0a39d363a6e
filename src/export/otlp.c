/* SPDX-License-Identifier: GPL-2.0-only */
/* otlp:URL: batches as OTLP/HTTP protobuf to a collector or back end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <libdeflate.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/encode.h"
#include "export/http.h"
#include "export/ratelog.h"
#include "export/reply.h"
#include "export/sink.h"

#define DEFAULT_URL "http://localhost:4318"
#define TRACES_PATH "/v1/traces"
#define LOGS_PATH   "/v1/logs"
/* OTLP allows 64 MiB before compression, but the Collector's receiver refuses more than 20 MiB unless told
 * otherwise. */
#define BODY_MAX  (16u << 20)
#define PARTIAL_S 60
/* Spans repeat themselves so much that the fastest level already takes off nine tenths. */
#define GZIP_LEVEL 1

/* One signal's destination. */
struct stream {
    enum tt_signal signal;
    char *name;
    struct tt_sink_counters *counters;
    struct tt_encoder *encoder;
    struct tt_bytes body, packed;
    struct tt_http *http;              /* NULL: the signal goes nowhere */
    struct libdeflate_compressor *zip; /* NULL: bodies are not compressed */
    struct tt_ratelog refused, gave_up, partial, encoding;
};

struct otlp_sink {
    struct tt_sink base;
    struct stream streams[TT_SIGNALS];
};

static const char *const what[TT_SIGNALS] = {[TT_SIGNAL_SPANS] = "spans", [TT_SIGNAL_LOGS] = "log records"};

/* The body as it goes over the wire: compressed into `packed`, or as it is. */
static const struct tt_bytes *compress_body(struct stream *stream)
{
    if (!stream->zip)
        return &stream->body;
    stream->packed.size = 0;
    if (tt_bytes_reserve(&stream->packed, libdeflate_gzip_compress_bound(stream->zip, stream->body.size)) < 0)
        return NULL;
    stream->packed.size = libdeflate_gzip_compress(stream->zip, stream->body.data, stream->body.size,
                                                   stream->packed.data, stream->packed.capacity);
    return stream->packed.size ? &stream->packed : NULL;
}

static void count_accepted(struct stream *stream, const struct tt_http_reply *reply, size_t count)
{
    struct tt_reply_partial partial;

    tt_reply_partial(reply->body, reply->size, reply->content_type, count, &partial);
    tt_sink_add(&stream->counters->exported, count - partial.rejected);
    tt_sink_add(&stream->counters->dropped_refused, partial.rejected);
    if (partial.rejected || *partial.message)
        tt_ratelog_warn(&stream->partial, PARTIAL_S, "%s: the receiver rejected %llu of %zu %s%s%s",
                        stream->name, (unsigned long long)partial.rejected, count, what[stream->signal],
                        *partial.message ? ": " : "", partial.message);
}

static void count_reply(struct stream *stream, const struct tt_http_reply *reply, size_t count)
{
    struct tt_sink_counters *counters = stream->counters;

    tt_sink_add(&counters->requests, reply->requests);
    tt_sink_add(&counters->retries, reply->requests ? reply->requests - 1 : 0);
    tt_sink_add(&counters->bytes, reply->sent);
    switch (reply->outcome) {
    case TT_HTTP_ACCEPTED:
        count_accepted(stream, reply, count);
        break;
    case TT_HTTP_REFUSED:
        tt_sink_add(&counters->dropped_refused, count);
        tt_ratelog_warn(&stream->refused, TT_RATELOG_S, "%s: %s; %zu %s dropped", stream->name, reply->error,
                        count, what[stream->signal]);
        break;
    case TT_HTTP_GAVE_UP:
        tt_sink_add(&counters->dropped_timeout, count);
        tt_ratelog_warn(&stream->gave_up, TT_RATELOG_S, "%s: %s; gave up after %u attempts, %zu %s dropped",
                        stream->name, reply->error, reply->requests, count, what[stream->signal]);
        break;
    }
}

/* Sends the body with `taken` items; `err` is the encoder's. */
static void post(struct stream *stream, int err, size_t taken)
{
    const struct tt_bytes *body = err ? NULL : compress_body(stream);
    struct tt_http_reply reply;

    if (body) {
        tt_http_post(stream->http, body->data, body->size, &reply);
        count_reply(stream, &reply, taken);
        return;
    }
    tt_sink_add(&stream->counters->dropped_error, taken);
    tt_ratelog_warn(&stream->encoding, TT_RATELOG_S, "%s: %zu %s dropped: %s", stream->name, taken,
                    what[stream->signal],
                    err == -EMSGSIZE ? "one is larger than a request may be" : "out of memory");
}

static void otlp_write(struct tt_sink *base, struct tt_otel_span **spans, size_t count)
{
    struct stream *stream = &((struct otlp_sink *)base)->streams[TT_SIGNAL_SPANS];

    tt_encode_sort(spans, count);
    for (size_t i = 0, taken; i < count; i += taken) {
        int err = tt_encode_protobuf(stream->encoder, spans + i, count - i, BODY_MAX, &stream->body, &taken);

        post(stream, err, taken);
    }
}

static void otlp_write_logs(struct tt_sink *base, struct tt_otel_log **logs, size_t count)
{
    struct stream *stream = &((struct otlp_sink *)base)->streams[TT_SIGNAL_LOGS];

    tt_encode_sort_logs(logs, count);
    for (size_t i = 0, taken; i < count; i += taken) {
        int err = tt_encode_logs_protobuf(stream->encoder, logs + i, count - i, BODY_MAX, &stream->body,
                                          &taken);

        post(stream, err, taken);
    }
}

static void otlp_stopping(struct tt_sink *base, uint64_t deadline)
{
    struct otlp_sink *sink = (struct otlp_sink *)base;

    for (enum tt_signal signal = 0; signal < TT_SIGNALS; signal++)
        if (sink->streams[signal].http)
            tt_http_stop(sink->streams[signal].http, deadline);
}

static void otlp_free(struct tt_sink *base)
{
    struct otlp_sink *sink = (struct otlp_sink *)base;

    for (enum tt_signal signal = 0; signal < TT_SIGNALS; signal++) {
        struct stream *stream = &sink->streams[signal];

        tt_http_free(&stream->http);
        tt_encoder_free(&stream->encoder);
        tt_bytes_free(&stream->body);
        tt_bytes_free(&stream->packed);
        if (stream->zip)
            libdeflate_free_compressor(stream->zip);
        free(stream->name);
    }
    free(base->name);
    free(sink);
}

static int open_stream(struct stream *stream, struct tt_url *url, const struct tt_export_config *config,
                       char **error)
{
    struct tt_http_config http = {
        .headers = config->headers,
        .certificate = config->certificate,
        .client_certificate = config->client_certificate,
        .client_key = config->client_key,
        .timeout_ms = config->timeout_ms,
        .gzip = config->gzip,
        .url = *url, /* moved */
    };
    int err;

    if (asprintf(&stream->name, "otlp:%s", http.url.display) < 0)
        stream->name = NULL;
    http.name = stream->name;
    err = tt_http_new(&http, &stream->http, error);
    if (err < 0)
        return err;
    stream->encoder = tt_encoder_new();
    stream->zip = config->gzip ? libdeflate_alloc_compressor(GZIP_LEVEL) : NULL;
    return stream->encoder && stream->name && (stream->zip || !config->gzip) ? 0 : -ENOMEM;
}

/* Where log records go: the URL of the traces tells. */
static int parse_logs_url(const char *target, const struct tt_export_config *config, struct tt_url *url,
                          char **error)
{
    size_t length = strlen(target), path = strlen(TRACES_PATH);
    _cleanup_free_ char *base = NULL;

    if (config->logs_url)
        return tt_url_parse(config->logs_url, NULL, url, error);
    if (length >= path && !strcmp(target + length - path, TRACES_PATH))
        length -= path;
    base = strndup(target, length);
    return base ? tt_url_parse(base, LOGS_PATH, url, error) : -ENOMEM;
}

static int set_up(struct otlp_sink *sink, const char *target, const struct tt_export_config *config,
                  char **error)
{
    struct tt_url url = {0};
    int err;

    target = target && *target ? target : DEFAULT_URL;
    err = tt_url_parse(target, config->full_url ? NULL : TRACES_PATH, &url, error);
    if (!err && asprintf(&sink->base.name, "otlp:%s", url.display) < 0) {
        sink->base.name = NULL;
        tt_url_free(&url);
        return -ENOMEM;
    }
    if (!err)
        err = open_stream(&sink->streams[TT_SIGNAL_SPANS], &url, config, error);
    if (err < 0)
        return err;
    if (!config->logs)
        return 0;
    err = parse_logs_url(target, config, &url, error);
    return err < 0 ? err : open_stream(&sink->streams[TT_SIGNAL_LOGS], &url, config, error);
}

static int otlp_check(const char *target, char **error)
{
    struct tt_url url = {0};
    int err = tt_url_parse(target && *target ? target : DEFAULT_URL, TRACES_PATH, &url, error);

    tt_url_free(&url);
    return err;
}

static int otlp_open(const char *target, const struct tt_export_config *config,
                     struct tt_sink_counters counters[TT_SIGNALS], struct tt_sink **out, char **error)
{
    struct otlp_sink *sink = calloc(1, sizeof(*sink));
    int err = -ENOMEM;

    *error = NULL;
    if (sink) {
        sink->base.ops = &tt_otlp_sink;
        for (enum tt_signal signal = 0; signal < TT_SIGNALS; signal++) {
            sink->streams[signal].signal = signal;
            sink->streams[signal].counters = &counters[signal];
        }
        err = set_up(sink, target, config, error);
    }
    if (err < 0) {
        if (sink)
            otlp_free(&sink->base);
        if (!*error)
            *error = strdup("out of memory");
        return err;
    }
    *out = &sink->base;
    return 0;
}

const struct tt_sink_ops tt_otlp_sink = {
    .scheme = "otlp",
    .packed = true,
    .parallel = true,
    .check = otlp_check,
    .open = otlp_open,
    .write = otlp_write,
    .write_logs = otlp_write_logs,
    .stopping = otlp_stopping,
    .free = otlp_free,
};
