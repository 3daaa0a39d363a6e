/* SPDX-License-Identifier: GPL-2.0-only */
/* otlp:URL: batches as OTLP/HTTP, protobuf or JSON, to a collector or back end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/delivery.h"
#include "export/encode.h"
#include "export/sink.h"

#define DEFAULT_URL "http://localhost:4318"
#define TRACES_PATH "/v1/traces"
#define LOGS_PATH   "/v1/logs"
/* OTLP allows 64 MiB before compression, but the Collector's receiver refuses more than 20 MiB unless told
 * otherwise. */
#define BODY_MAX (16u << 20)

/* One signal's way. */
struct stream {
    enum tt_signal signal;
    bool is_json;
    struct tt_delivery *delivery; /* NULL: the signal goes nowhere */
    struct tt_encoder *encoder;
    struct tt_bytes body;
    struct tt_json json;
};

struct otlp_sink {
    struct tt_sink base;
    struct stream streams[TT_SIGNALS];
};

static int encode_protobuf(struct stream *stream, void *const *items, size_t count, size_t *taken)
{
    if (stream->signal == TT_SIGNAL_LOGS)
        return tt_encode_logs_protobuf(stream->encoder, (struct tt_otel_log *const *)items, count, BODY_MAX,
                                       &stream->body, taken);
    return tt_encode_protobuf(stream->encoder, (struct tt_otel_span *const *)items, count, BODY_MAX,
                              &stream->body, taken);
}

static int encode_json(struct stream *stream, void *const *items, size_t count, size_t *taken)
{
    for (*taken = count;; *taken /= 2) {
        tt_json_reset(&stream->json);
        if (stream->signal == TT_SIGNAL_LOGS)
            tt_encode_logs_json((struct tt_otel_log *const *)items, *taken, &stream->json);
        else
            tt_encode_json((struct tt_otel_span *const *)items, *taken, &stream->json);
        if (stream->json.failed)
            return -ENOMEM;
        if (stream->json.size <= BODY_MAX)
            return 0;
        if (*taken == 1)
            return -EMSGSIZE;
    }
}

/* Sends the sorted items in as many requests as their size takes. */
static void post(struct stream *stream, void *const *items, size_t count)
{
    for (size_t i = 0, taken; i < count; i += taken) {
        int err = (stream->is_json ? encode_json : encode_protobuf)(stream, items + i, count - i, &taken);
        const struct tt_bytes json = {.data = (uint8_t *)stream->json.data, .size = stream->json.size};

        if (err)
            tt_delivery_fail(stream->delivery, taken,
                             err == -EMSGSIZE ? "one is larger than a request may be" : "out of memory");
        else
            tt_delivery_send(stream->delivery, stream->is_json ? &json : &stream->body, taken);
    }
}

static void otlp_write(struct tt_sink *base, struct tt_otel_span **spans, size_t count)
{
    tt_encode_sort_alike(spans, count);
    post(&((struct otlp_sink *)base)->streams[TT_SIGNAL_SPANS], (void *const *)spans, count);
}

static void otlp_write_logs(struct tt_sink *base, struct tt_otel_log **logs, size_t count)
{
    tt_encode_sort_logs(logs, count);
    post(&((struct otlp_sink *)base)->streams[TT_SIGNAL_LOGS], (void *const *)logs, count);
}

static void otlp_tick(struct tt_sink *base, enum tt_signal signal, uint64_t oldest)
{
    tt_delivery_tick(((struct otlp_sink *)base)->streams[signal].delivery, oldest);
}

static void otlp_stopping(struct tt_sink *base, uint64_t deadline)
{
    struct otlp_sink *sink = (struct otlp_sink *)base;

    for (enum tt_signal signal = 0; signal < TT_SIGNALS; signal++)
        if (sink->streams[signal].delivery)
            tt_delivery_stop(sink->streams[signal].delivery, deadline);
}

static void otlp_free(struct tt_sink *base)
{
    struct otlp_sink *sink = (struct otlp_sink *)base;

    for (enum tt_signal signal = 0; signal < TT_SIGNALS; signal++) {
        struct stream *stream = &sink->streams[signal];

        tt_delivery_free(&stream->delivery);
        tt_encoder_free(&stream->encoder);
        tt_bytes_free(&stream->body);
        tt_json_free(&stream->json);
    }
    free(base->name);
    free(sink);
}

/* Where log records go: the URL of the traces tells. */
static int parse_logs_url(const char *target, struct tt_url *url, char **error)
{
    size_t length = strlen(target), path = strlen(TRACES_PATH);
    _cleanup_free_ char *base = NULL;

    if (length >= path && !strcmp(target + length - path, TRACES_PATH))
        length -= path;
    base = strndup(target, length);
    return base ? tt_url_parse(base, LOGS_PATH, url, error) : -ENOMEM;
}

static int open_stream(struct otlp_sink *sink, enum tt_signal signal, const char *target,
                       const struct tt_export_config *config, struct tt_sink_counters *counters, char **error)
{
    struct stream *stream = &sink->streams[signal];
    const char *exact = config->otlp[signal].url;
    struct tt_url url = {0};
    int err;

    if (exact)
        err = tt_url_parse(exact, NULL, &url, error);
    else if (signal == TT_SIGNAL_LOGS)
        err = parse_logs_url(target, &url, error);
    else
        err = tt_url_parse(target, TRACES_PATH, &url, error);
    if (!err)
        err = tt_delivery_new(signal, &url, config, counters, &stream->delivery, error);
    if (err)
        return err;
    stream->signal = signal;
    stream->is_json = config->otlp[signal].json;
    stream->encoder = tt_encoder_new();
    return stream->encoder ? 0 : -ENOMEM;
}

static int set_up(struct otlp_sink *sink, const char *target, const struct tt_export_config *config,
                  struct tt_sink_counters counters[TT_SIGNALS], char **error)
{
    int err = 0;

    target = target && *target ? target : DEFAULT_URL;
    for (enum tt_signal signal = 0; !err && signal < TT_SIGNALS; signal++) {
        if (!tt_export_takes(config, signal))
            continue;
        err = open_stream(sink, signal, target, config, &counters[signal], error);
        if (err || sink->base.name) /* named after the first */
            continue;
        sink->base.name = strdup(tt_delivery_name(sink->streams[signal].delivery));
        err = sink->base.name ? 0 : -ENOMEM;
    }
    return err;
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
        err = set_up(sink, target, config, counters, error);
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
    .operates = true,
    .check = otlp_check,
    .open = otlp_open,
    .write = otlp_write,
    .write_logs = otlp_write_logs,
    .tick = otlp_tick,
    .stopping = otlp_stopping,
    .free = otlp_free,
};
