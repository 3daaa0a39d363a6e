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
/* OTLP allows 64 MiB before compression, but the Collector's receiver refuses more than 20 MiB unless told
 * otherwise. */
#define BODY_MAX  (16u << 20)
#define PARTIAL_S 60
/* Spans repeat themselves so much that the fastest level already takes off nine tenths. */
#define GZIP_LEVEL 1

struct otlp_sink {
    struct tt_sink base;
    struct tt_sink_counters *counters;
    struct tt_encoder *encoder;
    struct tt_bytes body, packed;
    struct tt_http *http;
    struct libdeflate_compressor *zip; /* NULL: bodies are not compressed */
    struct tt_ratelog refused, gave_up, partial, encoding;
};

/* The body as it goes over the wire: compressed into `packed`, or as it is. */
static const struct tt_bytes *compress_body(struct otlp_sink *sink)
{
    if (!sink->zip)
        return &sink->body;
    sink->packed.size = 0;
    if (tt_bytes_reserve(&sink->packed, libdeflate_gzip_compress_bound(sink->zip, sink->body.size)) < 0)
        return NULL;
    sink->packed.size = libdeflate_gzip_compress(sink->zip, sink->body.data, sink->body.size,
                                                 sink->packed.data, sink->packed.capacity);
    return sink->packed.size ? &sink->packed : NULL;
}

static void count_accepted(struct otlp_sink *sink, const struct tt_http_reply *reply, size_t count)
{
    struct tt_reply_partial partial;

    tt_reply_partial(reply->body, reply->size, reply->content_type, count, &partial);
    tt_sink_add(&sink->counters->exported, count - partial.rejected);
    tt_sink_add(&sink->counters->dropped_refused, partial.rejected);
    if (partial.rejected || *partial.message)
        tt_ratelog_warn(&sink->partial, PARTIAL_S, "%s: the receiver rejected %llu of %zu spans%s%s",
                        sink->base.name, (unsigned long long)partial.rejected, count,
                        *partial.message ? ": " : "", partial.message);
}

static void count_reply(struct otlp_sink *sink, const struct tt_http_reply *reply, size_t count)
{
    struct tt_sink_counters *counters = sink->counters;

    tt_sink_add(&counters->requests, reply->requests);
    tt_sink_add(&counters->retries, reply->requests ? reply->requests - 1 : 0);
    tt_sink_add(&counters->bytes, reply->sent);
    switch (reply->outcome) {
    case TT_HTTP_ACCEPTED:
        count_accepted(sink, reply, count);
        break;
    case TT_HTTP_REFUSED:
        tt_sink_add(&counters->dropped_refused, count);
        tt_ratelog_warn(&sink->refused, TT_RATELOG_S, "%s: %s; %zu spans dropped", sink->base.name,
                        reply->error, count);
        break;
    case TT_HTTP_GAVE_UP:
        tt_sink_add(&counters->dropped_timeout, count);
        tt_ratelog_warn(&sink->gave_up, TT_RATELOG_S, "%s: %s; gave up after %u attempts, %zu spans dropped",
                        sink->base.name, reply->error, reply->requests, count);
        break;
    }
}

static void otlp_write(struct tt_sink *base, struct tt_otel_span **spans, size_t count)
{
    struct otlp_sink *sink = (struct otlp_sink *)base;

    tt_encode_sort(spans, count);
    for (size_t i = 0, taken; i < count; i += taken) {
        int err = tt_encode_protobuf(sink->encoder, spans + i, count - i, BODY_MAX, &sink->body, &taken);
        const struct tt_bytes *body = err ? NULL : compress_body(sink);
        struct tt_http_reply reply;

        if (body) {
            tt_http_post(sink->http, body->data, body->size, &reply);
            count_reply(sink, &reply, taken);
            continue;
        }
        tt_sink_add(&sink->counters->dropped_error, taken);
        tt_ratelog_warn(&sink->encoding, TT_RATELOG_S, "%s: %zu spans dropped: %s", base->name, taken,
                        err == -EMSGSIZE ? "a span is larger than a request may be" : "out of memory");
    }
}

static void otlp_stopping(struct tt_sink *base, uint64_t deadline)
{
    tt_http_stop(((struct otlp_sink *)base)->http, deadline);
}

static void otlp_free(struct tt_sink *base)
{
    struct otlp_sink *sink = (struct otlp_sink *)base;

    tt_http_free(&sink->http);
    tt_encoder_free(&sink->encoder);
    tt_bytes_free(&sink->body);
    tt_bytes_free(&sink->packed);
    if (sink->zip)
        libdeflate_free_compressor(sink->zip);
    free(base->name);
    free(sink);
}

static int set_up(struct otlp_sink *sink, const char *target, const struct tt_export_config *config,
                  char **error)
{
    struct tt_http_config http = {
        .headers = config->headers,
        .certificate = config->certificate,
        .client_certificate = config->client_certificate,
        .client_key = config->client_key,
        .timeout_ms = config->timeout_ms,
        .gzip = config->gzip,
    };
    int err = tt_url_parse(target && *target ? target : DEFAULT_URL, config->full_url ? NULL : TRACES_PATH,
                           &http.url, error);

    if (err < 0)
        return err;
    if (asprintf(&sink->base.name, "otlp:%s", http.url.display) < 0)
        sink->base.name = NULL;
    http.name = sink->base.name;
    err = tt_http_new(&http, &sink->http, error);
    if (err < 0)
        return err;
    sink->encoder = tt_encoder_new();
    sink->zip = config->gzip ? libdeflate_alloc_compressor(GZIP_LEVEL) : NULL;
    return sink->encoder && sink->base.name && (sink->zip || !config->gzip) ? 0 : -ENOMEM;
}

static int otlp_check(const char *target, char **error)
{
    struct tt_url url = {0};
    int err = tt_url_parse(target && *target ? target : DEFAULT_URL, TRACES_PATH, &url, error);

    tt_url_free(&url);
    return err;
}

static int otlp_open(const char *target, const struct tt_export_config *config,
                     struct tt_sink_counters *counters, struct tt_sink **out, char **error)
{
    struct otlp_sink *sink = calloc(1, sizeof(*sink));
    int err = -ENOMEM;

    *error = NULL;
    if (sink) {
        sink->base.ops = &tt_otlp_sink;
        sink->counters = counters;
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
    .check = otlp_check,
    .open = otlp_open,
    .write = otlp_write,
    .stopping = otlp_stopping,
    .free = otlp_free,
};
