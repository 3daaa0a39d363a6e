/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/delivery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "export/compress.h"
#include "export/http.h"
#include "export/ratelog.h"
#include "export/reply.h"
#include "export/spool.h"

#define PARTIAL_S 60

struct tt_delivery {
    enum tt_signal signal;
    char *name;
    struct tt_sink_counters *counters;
    struct tt_otlp_config otlp;
    struct tt_http *http;
    struct tt_compressor *compressor;
    struct tt_spool *spool;        /* NULL: there is none, or it is to be had later */
    struct tt_spool_config wanted; /* directory (owned) NULL: there is none to be opened */
    uint64_t open_at, open_until;  /* monotonic ns: when to try again, and to give it up */
    uint64_t rate;                 /* of what is stored, bytes per second */
    uint64_t retry_at, drain_at;   /* monotonic ns: no attempt, no stored batch before */
    struct tt_ratelog refused, gave_up, partial, encoding, disk, type;
};

static const char *const what[TT_SIGNALS] = {[TT_SIGNAL_SPANS] = "spans", [TT_SIGNAL_LOGS] = "log records"};

/* ---- life -------------------------------------------------------------------------------------------- */

#define BUSY_NS TT_NS_PER_S /* between two attempts to open it .. */
#define GIVEN_UP                                                                                             \
    (60 * TT_NS_PER_S) /* .. while an exporter that a reload took away has it, or another agent */

/* Whatever is wrong with the disk, tracing goes on. */
static void open_spool(struct tt_delivery *delivery, uint64_t now)
{
    _cleanup_free_ char *why = NULL,
                        *name = tt_format("%s-%s", delivery->signal == TT_SIGNAL_LOGS ? "logs" : "traces",
                                          delivery->name + strlen("otlp:"));
    bool last = delivery->open_at && now >= delivery->open_until;
    int err = name ? tt_spool_open(&delivery->wanted, name, delivery->counters, &delivery->spool, &why)
                   : -ENOMEM;

    if (!delivery->open_at)
        delivery->open_until = now + GIVEN_UP;
    delivery->open_at = now + BUSY_NS;
    if (err == -EWOULDBLOCK && !last)
        return;
    if (err)
        tt_warn("no spool: %s; %s that %s does not take are lost, tracing goes on",
                why ? why : strerror(-err), what[delivery->signal], delivery->name);
    free((char *)delivery->wanted.directory);
    delivery->wanted.directory = NULL;
}

static int want_spool(struct tt_delivery *delivery, const struct tt_export_config *config)
{
    delivery->rate = config->spool_rate;
    if (!config->spool)
        return 0;
    delivery->wanted = (struct tt_spool_config){.directory = strdup(config->spool),
                                                .max_bytes = config->spool_bytes,
                                                .max_age_ns = config->spool_age_ms * TT_NS_PER_MS};
    if (!delivery->wanted.directory)
        return -ENOMEM;
    open_spool(delivery, tt_now_ns());
    return 0;
}

int tt_delivery_new(enum tt_signal signal, struct tt_url *url, const struct tt_export_config *config,
                    struct tt_sink_counters *counters, struct tt_delivery **delivery, char **error)
{
    _cleanup_(tt_delivery_free) struct tt_delivery *made = calloc(1, sizeof(*made));
    struct tt_http_config http = {.url = *url};
    int err;

    *url = (struct tt_url){0};
    if (made)
        made->name = tt_format("otlp:%s", http.url.display);
    if (!made || !made->name) {
        tt_url_free(&http.url);
        return -ENOMEM;
    }
    made->signal = signal;
    made->counters = counters;
    made->otlp = config->otlp[signal];
    http.name = made->name;
    http.otlp = &made->otlp;
    err = tt_http_new(&http, &made->http, error);
    if (err < 0)
        return err;
    made->compressor = tt_compressor_new(made->otlp.encoding);
    if (!made->compressor)
        return -ENOMEM;
    err = want_spool(made, config);
    if (!err)
        *delivery = TAKE_PTR(made);
    return err;
}

void tt_delivery_free(struct tt_delivery **delivery)
{
    struct tt_delivery *d = TAKE_PTR(*delivery);

    if (!d)
        return;
    tt_http_free(&d->http);
    tt_compressor_free(&d->compressor);
    tt_spool_close(&d->spool, true);
    free((char *)d->wanted.directory);
    free(d->name);
    free(d);
}

const char *tt_delivery_name(const struct tt_delivery *delivery)
{
    return delivery->name;
}

void tt_delivery_stop(struct tt_delivery *delivery, uint64_t deadline)
{
    tt_http_stop(delivery->http, deadline);
}

/* ---- outcomes ---------------------------------------------------------------------------------------- */

/* Was all of it taken? */
static bool count_accepted(struct tt_delivery *delivery, const struct tt_http_reply *reply, size_t items)
{
    struct tt_reply_partial partial;

    if (!tt_reply_is_otlp(reply->size, reply->content_type))
        tt_ratelog_warn(&delivery->type, PARTIAL_S, "%s: answers with %s; is it an OTLP/HTTP receiver?",
                        delivery->name, reply->content_type);
    tt_reply_partial(reply->body, reply->size, reply->content_type, items, &partial);
    tt_sink_add(&delivery->counters->exported, items - partial.rejected);
    tt_sink_add(&delivery->counters->dropped_refused, partial.rejected);
    if (partial.rejected || *partial.message)
        tt_ratelog_warn(&delivery->partial, PARTIAL_S, "%s: the receiver rejected %llu of %zu %s%s%s",
                        delivery->name, (unsigned long long)partial.rejected, items, what[delivery->signal],
                        *partial.message ? ": " : "", partial.message);
    return !partial.rejected;
}

static void count_requests(struct tt_delivery *delivery, const struct tt_http_reply *reply)
{
    struct tt_sink_counters *counters = delivery->counters;

    tt_sink_add(&counters->requests, reply->requests);
    tt_sink_add(&counters->retries, reply->requests ? reply->requests - 1 : 0);
    tt_sink_add(&counters->bytes, reply->sent);
}

/* Of an operation that began then. */
static void count_reply(struct tt_delivery *delivery, const struct tt_http_reply *reply, size_t items,
                        uint64_t begin)
{
    struct tt_sink_counters *counters = delivery->counters;
    enum tt_operation how = TT_OPERATION_DONE;

    switch (reply->outcome) {
    case TT_HTTP_ACCEPTED:
        if (!count_accepted(delivery, reply, items))
            how = TT_OPERATION_REJECTED;
        break;
    case TT_HTTP_REFUSED:
        how = TT_OPERATION_REJECTED;
        tt_sink_add(&counters->dropped_refused, items);
        tt_ratelog_warn(&delivery->refused, TT_RATELOG_S, "%s: %s; %zu %s dropped", delivery->name,
                        reply->error, items, what[delivery->signal]);
        break;
    case TT_HTTP_GAVE_UP:
        how = TT_OPERATION_TIMEOUT;
        tt_sink_add(&counters->dropped_timeout, items);
        tt_ratelog_warn(&delivery->gave_up, TT_RATELOG_S, "%s: %s; gave up after %u attempts, %zu %s dropped",
                        delivery->name, reply->error, reply->requests, items, what[delivery->signal]);
        break;
    }
    tt_sink_operation(counters, how, begin);
}

void tt_delivery_fail(struct tt_delivery *delivery, size_t items, const char *why)
{
    tt_sink_add(&delivery->counters->dropped_error, items);
    tt_ratelog_warn(&delivery->encoding, TT_RATELOG_S, "%s: %zu %s dropped: %s", delivery->name, items,
                    what[delivery->signal], why);
}

/* ---- with a spool ------------------------------------------------------------------------------------ */

static void store(struct tt_delivery *delivery, const struct tt_http_body *body, size_t items)
{
    const struct tt_spool_batch batch = {.data = body->data,
                                         .size = body->size,
                                         .items = (uint32_t)items,
                                         .encoding = body->encoding,
                                         .json = body->json};
    int err = tt_spool_put(delivery->spool, &batch);

    if (!err)
        return;
    tt_sink_add(&delivery->counters->dropped_spool, items);
    tt_ratelog_warn(&delivery->disk, TT_RATELOG_S,
                    "%s: cannot be stored: %s; %zu %s dropped, tracing goes on", delivery->name,
                    err == -EFBIG ? "a batch is larger than --spool-size" : strerror(-err), items,
                    what[delivery->signal]);
}

/* False: the destination is away; that was an operation by itself. */
static bool try(struct tt_delivery *delivery, const struct tt_http_body *body, struct tt_http_reply *reply)
{
    bool again = delivery->retry_at != 0;
    uint64_t begin = tt_now_ns();

    tt_http_try(delivery->http, body, reply);
    count_requests(delivery, reply);
    tt_sink_add(&delivery->counters->retries, again && reply->requests);
    delivery->retry_at = reply->retry_at;
    if (reply->outcome == TT_HTTP_GAVE_UP)
        tt_sink_operation(delivery->counters, TT_OPERATION_STORED, begin);
    return reply->outcome != TT_HTTP_GAVE_UP;
}

/* Must what is new take its place behind what is stored? */
static bool is_queued(const struct tt_delivery *delivery)
{
    return tt_now_ns() < delivery->retry_at || tt_http_stopped(delivery->http) ||
           (delivery->signal == TT_SIGNAL_LOGS && !tt_spool_is_empty(delivery->spool));
}

void tt_delivery_tick(struct tt_delivery *delivery, uint64_t oldest)
{
    uint64_t now = tt_now_ns();
    struct tt_spool_batch batch;
    struct tt_http_reply reply;
    struct tt_http_body body;

    if (!delivery->spool && delivery->wanted.directory && now >= delivery->open_at)
        open_spool(delivery, now);
    if (!delivery->spool)
        return;
    tt_spool_alive(delivery->spool, oldest);
    if (now < delivery->retry_at || now < delivery->drain_at || tt_http_stopped(delivery->http) ||
        !tt_spool_oldest(delivery->spool, &batch))
        return;
    body = (struct tt_http_body){batch.data, batch.size, batch.encoding, batch.json};
    if (!try(delivery, &body, &reply))
        return;
    delivery->drain_at = now + batch.size * TT_NS_PER_S / delivery->rate;
    tt_spool_remove(
        delivery->spool); /* before it is counted: in between it is "waiting", never twice there */
    count_reply(delivery, &reply, batch.items, now);
}

/* ---- both -------------------------------------------------------------------------------------------- */

void tt_delivery_send(struct tt_delivery *delivery, const struct tt_bytes *body, size_t items)
{
    struct tt_http_body http;
    struct tt_http_reply reply;
    uint64_t begin = tt_now_ns();

    if (!tt_compress(delivery->compressor, body, delivery->otlp.json, &http)) {
        tt_delivery_fail(delivery, items, "out of memory");
        return;
    }
    if (!delivery->spool) {
        tt_http_post(delivery->http, &http, &reply);
        count_requests(delivery, &reply);
        count_reply(delivery, &reply, items, begin);
    } else if (is_queued(delivery) || !try(delivery, &http, &reply)) {
        store(delivery, &http, items);
    } else {
        count_reply(delivery, &reply, items, begin);
    }
}
