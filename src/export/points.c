/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/points.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "export/compress.h"
#include "export/http.h"
#include "export/ratelog.h"
#include "export/reply.h"

#define DEFAULT_URL  "http://localhost:4318"
#define METRICS_PATH "/v1/metrics"

struct tt_points {
    struct tt_points_config config;
    char *name;
    const char *path;     /* of a file, into the name; NULL: OTLP */
    struct tt_http *http; /* OTLP */
    struct tt_compressor *compressor;
    struct tt_snapshot *accepted; /* delta: the last that was */
    _Atomic uint64_t exported, dropped_refused, dropped_timeout, dropped_error, requests, retries, bytes;
    _Atomic uint64_t inflight;
    struct tt_durations durations[TT_OPERATIONS];
    struct tt_ratelog failures, partial;
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- specifications ---- */

/* What stands behind "word" or "word:"; NULL: it is another word. */
static const char *target_of(const char *spec, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(spec, word, length) != 0 || (spec[length] && spec[length] != ':'))
        return NULL;
    return spec[length] ? spec + length + 1 : "";
}

static int parse_url(const char *spec, struct tt_url *url, char **error)
{
    const char *base = target_of(spec, "otlp"), *exact = target_of(spec, "otlp-metrics");

    if (exact)
        return tt_url_parse(exact, NULL, url, error);
    return tt_url_parse(*base ? base : DEFAULT_URL, METRICS_PATH, url, error);
}

int tt_points_check(const char *spec, char **error)
{
    const char *path = target_of(spec, "file");
    struct tt_url url = {0};
    int err;

    if (path && *path && strcmp(path, "-") != 0)
        return 0;
    if (path || (!target_of(spec, "otlp") && !target_of(spec, "otlp-metrics"))) {
        *error = tt_format("\"%s\": metrics go to otlp, otlp:URL or file:PATH", spec);
        return *error ? -EINVAL : -ENOMEM;
    }
    err = parse_url(spec, &url, error);
    tt_url_free(&url);
    return err;
}

/* ---- life ---- */

static int open_http(struct tt_points *points, const char *spec, char **error)
{
    struct tt_http_config http = {
        .otlp = &points->config.otlp,
    };
    int err = parse_url(spec, &http.url, error);

    if (err)
        return err;
    points->name = tt_format("otlp:%s", http.url.display);
    http.name = points->name;
    err = tt_http_new(&http, &points->http, error);
    points->compressor = tt_compressor_new(points->config.otlp.encoding);
    return err ? err : points->name && points->compressor ? 0 : -ENOMEM;
}

int tt_points_new(const char *spec, const struct tt_points_config *config, struct tt_points **points,
                  char **error)
{
    _cleanup_(tt_points_free) struct tt_points *made = calloc(1, sizeof(*made));
    int err = made ? tt_points_check(spec, error) : -ENOMEM;

    if (err)
        return err;
    made->config = *config;
    if (target_of(spec, "file")) {
        made->name = strdup(spec);
        made->path = made->name ? made->name + strlen("file:") : NULL;
        err = made->name ? 0 : -ENOMEM;
    } else {
        err = open_http(made, spec, error);
    }
    if (!err)
        *points = TAKE_PTR(made);
    return err;
}

void tt_points_stop(struct tt_points *points, uint64_t deadline)
{
    if (points->http)
        tt_http_stop(points->http, deadline);
}

void tt_points_free(struct tt_points **points)
{
    struct tt_points *p = TAKE_PTR(*points);

    if (!p)
        return;
    tt_http_free(&p->http);
    tt_compressor_free(&p->compressor);
    tt_snapshot_free(&p->accepted);
    free(p->name);
    free(p);
}

const char *tt_points_name(const struct tt_points *points)
{
    return points->name;
}

void tt_points_get_stats(const struct tt_points *points, struct tt_points_stats *stats)
{
    *stats = (struct tt_points_stats){
        .exported = atomic_load(&points->exported),
        .dropped_refused = atomic_load(&points->dropped_refused),
        .dropped_timeout = atomic_load(&points->dropped_timeout),
        .dropped_error = atomic_load(&points->dropped_error),
        .requests = atomic_load(&points->requests),
        .retries = atomic_load(&points->retries),
        .bytes = atomic_load(&points->bytes),
        .inflight = atomic_load(&points->inflight),
    };
    for (enum tt_operation how = 0; how < TT_OPERATIONS; how++)
        tt_durations_get(&points->durations[how], &stats->durations[how]);
}

/* ---- sending ---- */

static void fail(struct tt_points *points, _Atomic uint64_t *counter, long lost, const char *why)
{
    count(counter, (uint64_t)lost);
    tt_ratelog_warn(
        &points->failures, TT_RATELOG_S, "%s: %s; %ld metric points dropped%s", points->name, why, lost,
        points->config.temporality == TT_TEMPORALITY_CUMULATIVE ? ", the next ones make up for them" : "");
}

static void operation(struct tt_points *points, enum tt_operation how, uint64_t begin)
{
    tt_durations_add(&points->durations[how], tt_now_ns() - begin);
}

static bool count_reply(struct tt_points *points, const struct tt_http_reply *reply, long n, uint64_t begin)
{
    struct tt_reply_partial partial;
    bool refused = reply->outcome == TT_HTTP_REFUSED;

    count(&points->requests, reply->requests);
    count(&points->retries, reply->requests ? reply->requests - 1 : 0);
    count(&points->bytes, reply->sent);
    if (reply->outcome != TT_HTTP_ACCEPTED) {
        operation(points, refused ? TT_OPERATION_REJECTED : TT_OPERATION_TIMEOUT, begin);
        fail(points, refused ? &points->dropped_refused : &points->dropped_timeout, n, reply->error);
        return false;
    }
    tt_reply_partial(reply->body, reply->size, reply->content_type, (uint64_t)n, &partial);
    operation(points, partial.rejected ? TT_OPERATION_REJECTED : TT_OPERATION_DONE, begin);
    count(&points->exported, (uint64_t)n - partial.rejected);
    count(&points->dropped_refused, partial.rejected);
    if (partial.rejected || *partial.message)
        tt_ratelog_warn(&points->partial, TT_RATELOG_S,
                        "%s: the receiver rejected %llu of %ld metric points%s%s", points->name,
                        (unsigned long long)partial.rejected, n, *partial.message ? ": " : "",
                        partial.message);
    return true;
}

/* True: accepted. */
static bool post(struct tt_points *points, uint8_t *data, size_t size, long n)
{
    const struct tt_bytes body = {.data = data, .size = size};
    struct tt_http_body http;
    struct tt_http_reply reply;
    uint64_t begin = tt_now_ns();

    if (!tt_compress(points->compressor, &body, points->config.otlp.json, &http)) {
        fail(points, &points->dropped_error, n, "out of memory");
        return false;
    }
    atomic_store(&points->inflight, (uint64_t)n);
    tt_http_post(points->http, &http, &reply);
    atomic_store(&points->inflight, 0);
    return count_reply(points, &reply, n, begin);
}

/* A line is written as a whole: others may append to the same file. */
static bool append(struct tt_points *points, const struct tt_json *json, long n)
{
    uint64_t begin = tt_now_ns();
    _cleanup_close_ int fd = open(points->path,
                                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    ssize_t written = fd < 0 ? -1 : write(fd, json->data, json->size);

    count(&points->requests, 1);
    operation(points, written == (ssize_t)json->size ? TT_OPERATION_DONE : TT_OPERATION_FAILED, begin);
    if (written == (ssize_t)json->size) {
        count(&points->bytes, json->size);
        count(&points->exported, (uint64_t)n);
        return true;
    }
    fail(points, &points->dropped_error, n, written < 0 ? strerror(errno) : "written in part only");
    return false;
}

void tt_points_send(struct tt_points *points, struct tt_snapshot *snapshot)
{
    struct tt_metrics_encoder encoder = {
        .snapshot = snapshot,
        .previous = points->accepted,
        .temporality = points->config.temporality,
        .exponential = points->config.exponential,
    };
    bool accepted = false, is_json = points->path || points->config.otlp.json;
    long n;

    do {
        _cleanup_(tt_json_free) struct tt_json json = {0};
        _cleanup_free_ uint8_t *data = NULL;
        size_t size = 0;

        n = tt_metrics_encode(&encoder, is_json ? NULL : &data, &size, is_json ? &json : NULL);
        if (n > 0 && points->path)
            accepted |= append(points, &json, n);
        else if (n > 0)
            accepted |= is_json ? post(points, (uint8_t *)json.data, json.size, n)
                                : post(points, data, size, n);
        if (n < 0)
            fail(points, &points->dropped_error, 1, "out of memory");
    } while (n > 0);
    tt_metrics_encoder_end(&encoder);
    if (!accepted || points->config.temporality == TT_TEMPORALITY_CUMULATIVE)
        return;
    tt_snapshot_free(&points->accepted);
    points->accepted = tt_snapshot_get(snapshot);
}
