/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/page.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/page_internal.h"
#include "agent/page_setup.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "export/sink.h"
#include "metrics/instruments.h"
#include "options/options.h"
#include "store/flat.h"

#define QUEUE       16384 /* spans, or log records */
#define BATCH       512
#define DELAY_MS    200
#define MEMORY      (16u << 20) /* of what waits */
#define END_MS      1000        /* for what is queued at the end */
#define WATCHED_NS  15000000000u
#define USAGE_SLACK 30000000000u /* ns: calls are counted when their trace is joined, not when they end */

/* ---- the wire ---- */

static bool send_bytes(struct tt_page *page, const char *data, size_t size)
{
    pthread_mutex_lock(&page->lock);
    while (size && !page->gone) {
        ssize_t n = send(page->fd, data, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) { /* what was written in part cannot be taken back: then it is over */
            page->stuck = n < 0 && errno == EAGAIN;
            page->gone = true;
            break;
        }
        data += n;
        size -= (size_t)n;
    }
    pthread_mutex_unlock(&page->lock);
    return !size;
}

static bool send_text(struct tt_page *page, struct tt_text *text)
{
    bool sent = !text->failed && send_bytes(page, text->data, text->size);

    text->size = 0;
    return sent;
}

bool tt_page_is_gone(struct tt_page *page)
{
    /* Not by reading: signs that nobody has read yet would hide the end. */
    struct pollfd end = {.fd = page->fd, .events = POLLRDHUP};

    return page->gone || (poll(&end, 1, 0) > 0 && end.revents);
}

bool tt_page_is_watched(struct tt_page *page)
{
    char signs[4096]; /* once: who is there without rights must not keep us here */

    if (recv(page->fd, signs, sizeof(signs), MSG_DONTWAIT) > 0)
        page->watched = tt_now_ns();
    return page->watched && tt_now_ns() - page->watched < WATCHED_NS;
}

/* ---- the sink ---- */

struct page_sink {
    struct tt_sink base;
    struct tt_page *page;
    struct tt_sink_counters *counters; /* of all signals */
    struct tt_text text;
};

/* Those of a batch, each once, mostly. */
static void put_resource(struct page_sink *sink, const struct tt_otel_resource *resource, uint64_t sent[16])
{
    uint64_t *place = &sent[resource->number % 16];

    if (*place == resource->number)
        return;
    *place = resource->number;
    tt_flat_put_resource(&sink->text, resource);
}

static void send_batch(struct page_sink *sink, enum tt_signal signal, size_t count)
{
    struct tt_sink_counters *counters = &sink->counters[signal];
    size_t size = sink->text.size;
    bool sent;

    tt_flat_end(&sink->text, tt_flat_begin(&sink->text, TT_FLAT_BATCH));
    sent = send_text(sink->page, &sink->text);
    sink->text.failed = false;
    tt_sink_add(&counters->requests, 1);
    tt_sink_add(sent ? &counters->exported : &counters->dropped_error, count);
    tt_sink_add(&counters->bytes, sent ? size : 0);
}

static void write_spans(struct tt_sink *base, struct tt_otel_span **spans, size_t count)
{
    struct page_sink *sink = (struct page_sink *)base;
    uint64_t sent[16] = {0};

    for (size_t i = 0; i < count; i++) {
        put_resource(sink, spans[i]->resource, sent);
        tt_flat_put_span(&sink->text, spans[i]);
    }
    send_batch(sink, TT_SIGNAL_SPANS, count);
}

static void write_logs(struct tt_sink *base, struct tt_otel_log **logs, size_t count)
{
    struct page_sink *sink = (struct page_sink *)base;
    uint64_t sent[16] = {0};

    for (size_t i = 0; i < count; i++) {
        put_resource(sink, logs[i]->resource, sent);
        tt_flat_put_log(&sink->text, logs[i]);
    }
    send_batch(sink, TT_SIGNAL_LOGS, count);
}

static void stopping(struct tt_sink *base, uint64_t deadline)
{
}

static void free_sink(struct tt_sink *base)
{
    struct page_sink *sink = (struct page_sink *)base;

    tt_text_free(&sink->text);
    free(base->name);
    free(sink);
}

static const struct tt_sink_ops page_ops = {
    .scheme = "page",
    .write = write_spans,
    .write_logs = write_logs,
    .stopping = stopping,
    .free = free_sink,
};

static int make_sink(void *context, struct tt_sink_counters *counters, struct tt_sink **out)
{
    struct page_sink *sink = calloc(1, sizeof(*sink));

    if (!sink)
        return -ENOMEM;
    sink->base.ops = &page_ops;
    sink->base.name = strdup("page");
    sink->page = context;
    sink->counters = counters;
    if (!sink->base.name) {
        free_sink(&sink->base);
        return -ENOMEM;
    }
    *out = &sink->base;
    return 0;
}

/* ---- what is told besides ---- */

struct telling {
    struct tt_text text;
    uint64_t since;
};

static void put_row(void *context, const char *const *labels, const uint64_t *values)
{
    struct telling *telling = context;
    const uint64_t *buckets = values + TT_USAGE_FIRST_BUCKET;
    uint32_t count = 0;

    if (values[TT_USAGE_LAST] < telling->since)
        return;
    for (unsigned i = 0; i < TT_USAGE_LABELS; i++)
        tt_flat_string(&telling->text, labels[i]);
    tt_flat_put(&telling->text, &values[TT_USAGE_CALLS], sizeof(values[0]));
    tt_flat_put(&telling->text, &values[TT_USAGE_ERRORS], sizeof(values[0]));
    tt_flat_put(&telling->text, &values[TT_USAGE_SUM], sizeof(values[0]));
    for (unsigned i = 0; i < TT_USAGE_BUCKETS; i++)
        count += buckets[i] != 0;
    tt_flat_put(&telling->text, &count, sizeof(count));
    for (uint32_t i = 0; i < TT_USAGE_BUCKETS; i++) {
        const uint32_t pair[2] = {i, (uint32_t)buckets[i]};

        if (buckets[i])
            tt_flat_put(&telling->text, pair, sizeof(pair));
    }
}

void tt_page_usage(struct tt_page *page, const struct tt_usage_copy *copy)
{
    uint64_t time = tt_usage_time(copy);
    struct telling telling = {0};
    size_t place = tt_flat_begin(&telling.text, page->late ? TT_FLAT_COUNTED : TT_FLAT_USAGE);

    if (!page->late && page->usage_time > USAGE_SLACK)
        telling.since = page->usage_time - USAGE_SLACK;
    page->late = false;
    page->usage_time = time;
    tt_flat_put(&telling.text, &time, sizeof(time));
    tt_usage_each(copy, put_row, &telling);
    tt_flat_end(&telling.text, place);
    send_text(page, &telling.text);
    tt_text_free(&telling.text);
}

void tt_page_state(struct tt_page *page, const char *name, const struct tt_json *json)
{
    struct tt_text text = {0};
    uint64_t time = tt_clock_ns(CLOCK_REALTIME);
    size_t place;

    if (json->failed || !json->data)
        return;
    place = tt_flat_begin(&text, TT_FLAT_STATE);
    tt_flat_put(&text, &time, sizeof(time));
    tt_flat_string(&text, name);
    tt_flat_string(&text, json->data);
    tt_flat_end(&text, place);
    if (text.size < TT_FLAT_MAX)
        send_text(page, &text);
    tt_text_free(&text);
}

void tt_page_json(struct tt_json *json, struct tt_page *page)
{
    struct tt_export_stats spans, logs;
    uint64_t now = tt_now_ns();

    pthread_mutex_lock(&page->state);
    if (!page->setup) {
        pthread_mutex_unlock(&page->state);
        return;
    }
    tt_json_object(json, "page");
    tt_json_string(json, "url", page->setup->url);
    tt_json_int(json, "pid", page->pid);
    tt_json_bool(json, "running", page->pid && !page->gone);
    tt_json_uint(json, "ended", page->ends);
    if (page->ends)
        tt_json_string(json, "why", page->why);
    if (!page->pid && page->due > now)
        tt_json_double(json, "again_seconds", (double)(page->due - now) / 1e9);
    pthread_mutex_unlock(&page->state);
    tt_exporter_stats(page->exporter, &spans);
    tt_exporter_log_stats(page->exporter, &logs);
    tt_json_bool(json, "watched", tt_page_is_watched(page));
    tt_json_uint(json, "spans", spans.exported);
    tt_json_uint(json, "logs", logs.exported);
    tt_json_uint(json, "dropped",
                 spans.dropped_queue + spans.dropped_rootless + spans.dropped_error + spans.dropped_timeout);
    tt_json_uint(json, "dropped_logs",
                 logs.dropped_queue + logs.dropped_debug + logs.dropped_error + logs.dropped_timeout);
    tt_json_object_end(json);
}

/* ---- life ---- */

int tt_page_new(bool wait, struct tt_page **page)
{
    struct tt_page *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->wait = wait;
    made->gone = true;
    made->fd = -1;
    made->pidfd = -1;
    pthread_mutex_init(&made->lock, NULL);
    pthread_mutex_init(&made->state, NULL);
    *page = made;
    return 0;
}

bool tt_page_is_wanted(const struct tt_options *options)
{
    bool elsewhere = options->command || options->record;

    return strcmp(options->view_listen, "none") != 0 &&
           (!elsewhere || tt_options_given(options, "view-listen"));
}

static int make_exporter(struct tt_page *page)
{
    const struct tt_export_config config = {
        .queues = {{QUEUE, BATCH, DELAY_MS}, {QUEUE, BATCH, DELAY_MS}},
        .memory = MEMORY,
        .logs = true,
        .wait = page->wait,
    };

    return page->exporter ? 0 : tt_exporter_with(&page_ops, make_sink, page, &config, &page->exporter);
}

int tt_page_prepare(struct tt_page *page, const struct tt_options *options, const char *recording,
                    struct tt_page_setup **setup)
{
    bool busy;
    int error;

    pthread_mutex_lock(&page->state);
    busy = page->changed; /* else nobody changes page->setup meanwhile */
    pthread_mutex_unlock(&page->state);
    if (busy)
        return -EBUSY;
    error = make_exporter(page);
    return error ? error : tt_page_setup_new(options, recording, page->setup, setup);
}

void tt_page_configure(struct tt_page *page, struct tt_page_setup *setup)
{
    pthread_mutex_lock(&page->state);
    tt_page_setup_free(&page->fresh);
    page->fresh = setup;
    page->changed = true;
    pthread_mutex_unlock(&page->state);
}

bool tt_page_is_current(struct tt_page *page, const struct tt_options *options)
{
    bool current;

    pthread_mutex_lock(&page->state);
    current = page->setup && tt_page_setup_is_current(page->setup, options);
    pthread_mutex_unlock(&page->state);
    return current;
}

bool tt_page_is_served(struct tt_page *page)
{
    bool served;

    pthread_mutex_lock(&page->state);
    served = page->setup;
    pthread_mutex_unlock(&page->state);
    return served;
}

void tt_page_free(struct tt_page **page)
{
    struct tt_page *p = TAKE_PTR(*page);

    if (!p)
        return;
    if (p->exporter)
        tt_exporter_stop(p->exporter, END_MS);
    tt_exporter_free(&p->exporter);
    tt_page_stop_process(p);
    if (p->fd >= 0)
        close(p->fd);
    tt_page_setup_free(&p->setup);
    tt_page_setup_free(&p->fresh);
    pthread_mutex_destroy(&p->state);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct tt_exporter *tt_page_exporter(const struct tt_page *page)
{
    return page->exporter;
}

const char *tt_page_url(const struct tt_page *page)
{
    return page->setup ? page->setup->url : NULL;
}
