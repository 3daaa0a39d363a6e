/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/page.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "export/ratelog.h"
#include "export/sink.h"
#include "http/httpd.h"
#include "metrics/instruments.h"
#include "options/options.h"
#include "store/flat.h"
#include "view/view.h"

#define QUEUE       16384 /* spans, or log records */
#define BATCH       512
#define DELAY_MS    200
#define MEMORY      (16u << 20) /* of what waits */
#define SEND_S      5           /* a page that takes nothing for so long is given up */
#define END_MS      1000        /* for what is queued at the end */
#define WATCHED_NS  15000000000u
#define USAGE_SLACK 30000000000u /* ns: calls are counted when their trace is joined, not when they end */

struct tt_page {
    struct tt_exporter *exporter;
    pthread_mutex_t lock; /* one frame after the other */
    int fd;
    pid_t pid;
    atomic_bool gone;
    _Atomic uint64_t watched; /* CLOCK_MONOTONIC ns */
    uint64_t usage_time;      /* unix ns */
    char *url, *token;
};

/* ---- the wire ---- */

/* What was written in part cannot be taken back: then it is over. */
static void give_up(struct tt_page *page, const char *why)
{
    if (!atomic_exchange(&page->gone, true))
        tt_warn("the page ended (%s); tracing goes on", why);
}

static bool send_bytes(struct tt_page *page, const char *data, size_t size)
{
    pthread_mutex_lock(&page->lock);
    while (size && !page->gone) {
        ssize_t n = send(page->fd, data, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            give_up(page, n < 0 && errno != EAGAIN ? strerror(errno) : "it takes nothing");
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
    return page->gone;
}

bool tt_page_is_watched(struct tt_page *page)
{
    char signs[64];

    while (recv(page->fd, signs, sizeof(signs), MSG_DONTWAIT) > 0)
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
    struct telling telling = {.since = page->usage_time > USAGE_SLACK ? page->usage_time - USAGE_SLACK : 0};
    size_t place = tt_flat_begin(&telling.text, TT_FLAT_USAGE);

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
    size_t place = tt_flat_begin(&text, TT_FLAT_STATE);
    uint64_t time = tt_clock_ns(CLOCK_REALTIME);

    if (json->failed || !json->data)
        return;
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

    if (!page)
        return;
    tt_exporter_stats(page->exporter, &spans);
    tt_exporter_log_stats(page->exporter, &logs);
    tt_json_object(json, "page");
    tt_json_string(json, "url", page->url);
    tt_json_int(json, "pid", page->pid);
    tt_json_bool(json, "running", !page->gone);
    tt_json_bool(json, "watched", tt_page_is_watched(page));
    tt_json_uint(json, "spans", spans.exported);
    tt_json_uint(json, "logs", logs.exported);
    tt_json_uint(json, "dropped",
                 spans.dropped_queue + spans.dropped_rootless + spans.dropped_error + spans.dropped_timeout);
    tt_json_uint(json, "dropped_logs",
                 logs.dropped_queue + logs.dropped_debug + logs.dropped_error + logs.dropped_timeout);
    tt_json_object_end(json);
}

/* ---- the process ---- */

/* In the child, between fork and exec: nothing that another thread may hold a lock of. */
static void become_page(int fd, int listener)
{
    static char self[] = "/proc/self/exe", name[] = "tangotrace", command[] = "page-server";
    char *argv[] = {name, command, NULL}, *environment[] = {NULL};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Both at places that are known; first away from there. */
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    listener = fcntl(listener, F_DUPFD_CLOEXEC, 10);
    if (fd < 0 || listener < 0 || dup2(fd, TT_VIEW_FD) < 0 || dup2(listener, TT_VIEW_LISTENER) < 0)
        _exit(126);
    close_range(TT_VIEW_LISTENER + 1, UINT_MAX, 0);
    execve(self, argv, environment);
    _exit(127);
}

static int start_process(struct tt_page *page, int listener)
{
    const struct timeval patience = {.tv_sec = SEND_S};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -errno;
    page->fd = pair[0];
    setsockopt(page->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    page->pid = fork();
    if (!page->pid)
        become_page(pair[1], listener);
    close(pair[1]);
    return page->pid < 0 ? -errno : 0;
}

static const char *token_of(const struct tt_options *options)
{
    return options->view_token ? options->view_token : "auto";
}

static bool is_loopback(const char *address)
{
    return !strncmp(address, "127.", 4) || !strncmp(address, "[::1]", 5);
}

/* As a service every user of the host can reach the port, elsewhere everybody can reach it. */
static bool needs_token(const struct tt_options *options, const char *address)
{
    return !strcmp(token_of(options), "auto") ? !is_loopback(address) || getenv("INVOCATION_ID")
                                              : strcmp(token_of(options), "none") != 0;
}

static int make_token(struct tt_page *page, const struct tt_options *options, const char *address)
{
    uint8_t bytes[16];
    struct tt_text text = {0};
    bool own = strcmp(token_of(options), "auto") != 0;

    if (!needs_token(options, address)) {
        page->url = tt_format("http://%s/", address);
        return page->url ? 0 : -ENOMEM;
    }
    if (!own && getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes) && !own; i++)
        tt_text_printf(&text, "%02x", bytes[i]);
    page->token = own ? strdup(token_of(options)) : tt_text_take(&text);
    page->url = page->token ? tt_format("http://%s/?token=%s", address, page->token) : NULL;
    return page->url ? 0 : -ENOMEM;
}

static int send_config(struct tt_page *page, const struct tt_options *options, const char *recording)
{
    const uint64_t numbers[] = {options->view_memory, recording ? 0 : options->view_age * TT_NS_PER_MS};
    char host[HOST_NAME_MAX + 1] = "";
    struct tt_text text = {0};
    size_t place = tt_flat_begin(&text, TT_FLAT_CONFIG);
    bool sent;

    gethostname(host, sizeof(host) - 1);
    tt_flat_put(&text, numbers, sizeof(numbers));
    tt_flat_string(&text, page->token);
    tt_flat_string(&text, host);
    tt_flat_string(&text, recording);
    tt_flat_end(&text, place);
    sent = send_text(page, &text);
    tt_text_free(&text);
    return sent ? 0 : -EPIPE;
}

static int make_exporter(struct tt_page *page, const struct tt_options *options, bool wait)
{
    const struct tt_export_config config = {
        .queues = {{QUEUE, BATCH, DELAY_MS}, {QUEUE, BATCH, DELAY_MS}},
        .memory = MEMORY,
        .logs = options->logs,
        .wait = wait,
    };

    return tt_exporter_with(&page_ops, make_sink, page, &config, &page->exporter);
}

int tt_page_new(const struct tt_options *options, const char *recording, bool wait, struct tt_page **page)
{
    _cleanup_(tt_page_free) struct tt_page *made = calloc(1, sizeof(*made));
    _cleanup_close_ int listener = -1;
    _cleanup_free_ char *why = NULL;
    char address[64];
    int error;

    if (!made)
        return -ENOMEM;
    made->fd = -1;
    pthread_mutex_init(&made->lock, NULL);
    error = tt_httpd_listen(options->view_listen, &listener, &why);
    if (error)
        return tt_err(error, "no page: %s%s", why ? why : strerror(-error),
                      recording ? " (--view-listen ADDRESS:PORT takes another)" : "; tracing goes on");
    tt_httpd_name(listener, address, sizeof(address));
    if (!is_loopback(address) && !strcmp(token_of(options), "none"))
        return tt_err(-EPERM, "no page: %s can be reached from elsewhere, and --view-token is none", address);
    error = make_token(made, options, address);
    if (!error)
        error = start_process(made, listener);
    if (!error)
        error = send_config(made, options, recording);
    if (!error)
        error = make_exporter(made, options, wait);
    if (error)
        return tt_err(error, "no page: %s", strerror(-error));
    *page = TAKE_PTR(made);
    return 0;
}

void tt_page_free(struct tt_page **page)
{
    struct tt_page *p = TAKE_PTR(*page);

    if (!p)
        return;
    if (p->exporter)
        tt_exporter_stop(p->exporter, END_MS);
    tt_exporter_free(&p->exporter);
    tt_cleanup_close(&p->fd); /* which ends it */
    if (p->pid > 0)
        waitpid(p->pid, NULL, 0);
    pthread_mutex_destroy(&p->lock);
    free(p->url);
    free(p->token);
    free(p);
}

struct tt_exporter *tt_page_exporter(const struct tt_page *page)
{
    return page->exporter;
}

const char *tt_page_url(const struct tt_page *page)
{
    return page->url;
}
