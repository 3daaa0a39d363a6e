/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/measure.h"
#include "agent/pipeline.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "options/options.h"
#include "export/points.h"
#include "export/ratelog.h"
#include "http/httpd.h"
#include "metrics/expose.h"

#define DESTINATIONS_MAX 8
#define STOP_MS          5000  /* longest wait for receivers at the end */
#define WRITE_MANY       65536 /* bytes collected before they are written */

/* One of several: a thread of its own, so that none waits for another. Its queue is one snapshot long: what
 * it misses is in the next one. */
struct destination {
    struct tt_publisher *publisher;
    struct tt_points *points;
    char *spec;               /* that it was made of */
    struct tt_snapshot *next; /* to be sent, or NULL; under the publisher's lock */
    bool ending;              /* no more will come */
    pthread_cond_t wake;
    pthread_t thread;
    bool running;
};

/* Who has metrics collected, by OpenTelemetry's names of such components. */
enum reader { READER_PERIODIC, READER_PAGE, READERS };
static const char *const reader_types[READERS] = {"periodic_metric_reader",
                                                  "prometheus_http_text_metric_exporter"};

struct destinations {
    struct destination *items[DESTINATIONS_MAX];
    size_t count;
};

struct tt_publisher {
    struct tt_publisher_ops ops;
    const struct tt_options *options;
    struct tt_httpd *httpd;
    struct destinations to;
    pthread_mutex_t using; /* guards `to` against those who read its figures */
    atomic_int scrapes;
    struct tt_durations collections[READERS]; /* each by one thread */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    struct tt_ratelog failures;
};

/* ---- snapshots ---- */

#define POINTS(field, ...) TT_MEASURE(tt_points_stats, field, __VA_ARGS__)
#define EXPORTED                                                                                             \
    "otel.sdk.exporter.metric_data_point.exported", "{data_point}",                                          \
        "Points of metrics for which export has ended, well or not", TT_METRIC_COUNTER, "error.type"

static const struct tt_measure points_rows[] = {
    POINTS(exported, EXPORTED, ""),
    POINTS(dropped_refused, EXPORTED, "rejected"),
    POINTS(dropped_timeout, EXPORTED, "timeout"),
    POINTS(dropped_error, EXPORTED, "_OTHER"),
    POINTS(inflight, "otel.sdk.exporter.metric_data_point.inflight", "{data_point}",
           "Points of metrics that are being exported", TT_METRIC_UPDOWN),
    TT_MEASURE_DURATIONS(tt_points_stats),
};

static void add_destinations(const struct tt_publisher *publisher, struct tt_snapshot *snapshot)
{
    for (size_t d = 0; d < publisher->to.count; d++) {
        const char *name = tt_points_name(publisher->to.items[d]->points);
        bool otlp = !strncmp(name, "otlp:", strlen("otlp:"));
        struct tt_points_stats stats;

        tt_points_get_stats(publisher->to.items[d]->points, &stats);
        for (size_t i = 0; i < TT_ARRAY_SIZE(points_rows); i++)
            tt_measure_add_labelled(snapshot, &points_rows[i], &stats,
                                    otlp ? "otlp_http_metric_exporter" : "otlp_json_file_metric_exporter",
                                    name);
    }
}

static void add_collections(const struct tt_publisher *publisher, struct tt_snapshot *snapshot)
{
    static const struct tt_measure row = {.name = "otel.sdk.metric_reader.collection.duration",
                                          .unit = "s",
                                          .help = "How long it took to collect all metrics",
                                          .type = TT_METRIC_HISTOGRAM};

    for (enum reader reader = 0; reader < READERS; reader++) {
        struct tt_duration_counts counts;

        tt_durations_get(&publisher->collections[reader], &counts);
        tt_measure_add_labelled(snapshot, &row, &counts, reader_types[reader], "0");
    }
}

static struct tt_snapshot *take(struct tt_publisher *publisher, enum reader reader)
{
    uint64_t begin = tt_now_ns();
    struct tt_snapshot *snapshot = publisher->ops.take(publisher->ops.context);

    pthread_mutex_lock(&publisher->using);
    if (snapshot)
        add_destinations(publisher, snapshot);
    pthread_mutex_unlock(&publisher->using);
    if (snapshot)
        add_collections(publisher, snapshot); /* those before this one */
    tt_durations_add(&publisher->collections[reader], tt_now_ns() - begin);
    if (snapshot && snapshot->failed)
        tt_snapshot_free(&snapshot);
    return snapshot;
}

/* ---- the file ---- */

static int write_text(int fd, struct tt_text *text)
{
    int error = tt_write_all(fd, text->data, text->size);

    text->size = 0;
    return error ? error : text->failed ? -ENOMEM : 0;
}

static int write_snapshot(int fd, const struct tt_snapshot *snapshot)
{
    _cleanup_(tt_expose_end) struct tt_expose expose = {.snapshot = snapshot, .format = TT_EXPOSE_TEXT};
    _cleanup_(tt_text_free) struct tt_text text = {0};
    bool more;

    do {
        int error;

        more = tt_expose_next(&expose, &text);
        error = !more || text.size >= WRITE_MANY || text.failed ? write_text(fd, &text) : 0;
        if (error)
            return error;
    } while (more);
    return 0;
}

/* Whoever reads it sees the old file or the new one, whole. A pipe or a device stays what it is. */
static int replace_file(const char *path, const struct tt_snapshot *snapshot)
{
    _cleanup_free_ char *temporary = tt_format("%s.new", path);
    _cleanup_close_ int fd = -1;
    struct stat st;
    int error;

    if (!temporary)
        return -ENOMEM;
    if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        return fd < 0 ? -errno : write_snapshot(fd, snapshot);
    }
    unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -errno;
    error = write_snapshot(fd, snapshot);
    if (!error && rename(temporary, path))
        error = -errno;
    if (error)
        unlink(temporary);
    return error;
}

/* Hands the snapshot to the destination's thread, or sends it where there is none. */
static void deliver(struct destination *destination, struct tt_snapshot *snapshot)
{
    struct tt_publisher *publisher = destination->publisher;

    if (!destination->running) {
        tt_points_send(destination->points, snapshot);
        return;
    }
    pthread_mutex_lock(&publisher->lock);
    tt_snapshot_free(&destination->next);
    destination->next = tt_snapshot_get(snapshot);
    pthread_cond_signal(&destination->wake);
    pthread_mutex_unlock(&publisher->lock);
}

static void *send_all(void *argument)
{
    struct destination *destination = argument;
    struct tt_publisher *publisher = destination->publisher;

    pthread_mutex_lock(&publisher->lock);
    while (!destination->ending || destination->next) {
        struct tt_snapshot *snapshot = TAKE_PTR(destination->next);

        if (!snapshot) {
            pthread_cond_wait(&destination->wake, &publisher->lock);
            continue;
        }
        pthread_mutex_unlock(&publisher->lock);
        tt_points_send(destination->points, snapshot);
        tt_snapshot_free(&snapshot);
        pthread_mutex_lock(&publisher->lock);
    }
    pthread_mutex_unlock(&publisher->lock);
    return NULL;
}

/* One snapshot to all who want it. */
static void publish(struct tt_publisher *publisher)
{
    const char *path = publisher->options->metrics_file;
    _cleanup_(tt_snapshot_free) struct tt_snapshot *snapshot = NULL;
    int error;

    if (!path && !publisher->to.count)
        return;
    snapshot = take(publisher, READER_PERIODIC);
    error = snapshot ? (path ? replace_file(path, snapshot) : 0) : -ENOMEM;
    if (error)
        tt_ratelog_warn(&publisher->failures, TT_RATELOG_S, "cannot write the metrics%s%s: %s",
                        path ? " to " : "", path ? path : "", strerror(-error));
    for (size_t i = 0; snapshot && i < publisher->to.count; i++)
        deliver(publisher->to.items[i], snapshot);
}

static bool has(const struct destinations *to, const struct destination *destination)
{
    for (size_t i = 0; i < to->count; i++)
        if (to->items[i] == destination)
            return true;
    return false;
}

static bool take_same(struct destinations *to, const struct destinations *old, const char *spec)
{
    for (size_t i = 0; old && i < old->count; i++) {
        if (strcmp(old->items[i]->spec, spec) != 0 || has(to, old->items[i]))
            continue;
        to->items[to->count++] = old->items[i];
        return true;
    }
    return false;
}

/* Once it has sent what it was given. */
static void end_destination(struct destination *destination)
{
    pthread_mutex_lock(&destination->publisher->lock);
    destination->ending = true;
    pthread_cond_signal(&destination->wake);
    pthread_mutex_unlock(&destination->publisher->lock);
    if (destination->running)
        pthread_join(destination->thread, NULL);
    destination->running = false;
}

static void free_destination(struct destination **destination)
{
    struct destination *d = TAKE_PTR(*destination);

    if (!d)
        return;
    end_destination(d);
    tt_snapshot_free(&d->next);
    tt_points_free(&d->points);
    pthread_cond_destroy(&d->wake);
    free(d->spec);
    free(d);
}

/* But for those that `kept` has, too (NULL: none). */
static void close_destinations(struct destinations *to, const struct destinations *kept)
{
    for (size_t i = 0; i < to->count; i++)
        if (!kept || !has(kept, to->items[i]))
            free_destination(&to->items[i]);
    to->count = 0;
}

static int open_destination(struct tt_publisher *publisher, const char *spec,
                            const struct tt_points_config *config, struct destination **destination)
{
    _cleanup_(free_destination) struct destination *made = calloc(1, sizeof(*made));
    _cleanup_free_ char *why = NULL;
    int error;

    if (!made)
        return -ENOMEM;
    made->publisher = publisher;
    pthread_cond_init(&made->wake, NULL);
    made->spec = strdup(spec);
    error = made->spec ? tt_points_new(spec, config, &made->points, &why) : -ENOMEM;
    if (error)
        return tt_err(error == -ENOMEM ? error : -EINVAL, "--metrics-export %s: %s", spec,
                      why ? why : strerror(-error));
    *destination = TAKE_PTR(made);
    return 0;
}

struct tt_points_config tt_publisher_points_config(const struct tt_options *o)
{
    return (struct tt_points_config){
        .otlp = tt_pipeline_otlp(&o->otlp_of[TT_OTLP_METRICS]),
        .exponential = o->metrics_buckets == TT_BUCKETS_EXPONENTIAL,
        .temporality = (enum tt_temporality)o->metrics_temporality,
    };
}

/* Those of `old` that were made of the same are taken as they are; NULL: none. Errors leave in `to` what was
 * made. */
static int open_destinations(struct tt_publisher *publisher, struct destinations *to,
                             const struct tt_options *o, const struct destinations *old)
{
    const struct tt_points_config config = tt_publisher_points_config(o);

    if (o->metrics_exports.count > DESTINATIONS_MAX)
        return tt_err(-E2BIG, "more than %d --metrics-export: leave some out", DESTINATIONS_MAX);
    for (size_t i = 0; i < o->metrics_exports.count; i++) {
        const char *spec = o->metrics_exports.items[i];
        int error = take_same(to, old, spec)
                        ? 0
                        : open_destination(publisher, spec, &config, &to->items[to->count]);

        if (error)
            return error;
        to->count = i + 1;
    }
    return 0;
}

static void *work(void *argument)
{
    struct tt_publisher *publisher = argument;
    uint64_t interval = publisher->options->metrics_interval * TT_NS_PER_MS, next = tt_now_ns() + interval;

    pthread_mutex_lock(&publisher->lock);
    while (!publisher->stopping) {
        const struct timespec until = {.tv_sec = (time_t)(next / TT_NS_PER_S),
                                       .tv_nsec = (long)(next % TT_NS_PER_S)};

        pthread_cond_timedwait(&publisher->wake, &publisher->lock, &until);
        if (publisher->stopping || tt_now_ns() < next)
            continue;
        pthread_mutex_unlock(&publisher->lock);
        publish(publisher);
        next += interval;
        if (next < tt_now_ns()) /* it took longer: no catching up */
            next = tt_now_ns() + interval;
        pthread_mutex_lock(&publisher->lock);
    }
    pthread_mutex_unlock(&publisher->lock);
    return NULL;
}

/* ---- pages ---- */

struct scrape {
    struct tt_publisher *publisher;
    struct tt_snapshot *snapshot;
    struct tt_expose expose;
};

static bool more_metrics(void *state, struct tt_text *piece)
{
    return tt_expose_next(&((struct scrape *)state)->expose, piece);
}

static void end_scrape(void *state)
{
    struct scrape *scrape = state;

    tt_expose_end(&scrape->expose);
    tt_snapshot_free(&scrape->snapshot);
    atomic_fetch_sub(&scrape->publisher->scrapes, 1);
    free(scrape);
}

static void refuse(struct tt_httpd_reply *reply, const char *why)
{
    reply->status = 503;
    tt_text_puts(&reply->body, why);
}

static void serve_metrics(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    struct tt_publisher *publisher = context;
    struct scrape *scrape;

    if (atomic_fetch_add(&publisher->scrapes, 1) >= TT_PUBLISH_SCRAPES) {
        atomic_fetch_sub(&publisher->scrapes, 1);
        refuse(reply, "others are being answered\n");
        return;
    }
    scrape = calloc(1, sizeof(*scrape));
    if (!scrape) {
        atomic_fetch_sub(&publisher->scrapes, 1);
        refuse(reply, "out of memory\n");
        return;
    }
    scrape->publisher = publisher;
    scrape->snapshot = take(publisher, READER_PAGE);
    if (!scrape->snapshot) {
        end_scrape(scrape);
        refuse(reply, "out of memory\n");
        return;
    }
    scrape->expose.snapshot = scrape->snapshot;
    scrape->expose.format = tt_expose_accepted(request->accept);
    reply->content_type = tt_expose_content_type(scrape->expose.format);
    reply->more = more_metrics;
    reply->done = end_scrape;
    reply->state = scrape;
}

/* Alive: this thread answers. */
static void serve_health(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    tt_text_puts(&reply->body, "ok\n");
}

static void serve_ready(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    const struct tt_publisher *publisher = context;

    if (!publisher->ops.ready(publisher->ops.context, &reply->body))
        reply->status = 503;
}

static const struct tt_httpd_route routes[] = {
    {"/metrics", serve_metrics}, {"/healthz", serve_health}, {"/readyz", serve_ready}, {0}};

static void start_server(struct tt_publisher *publisher)
{
    _cleanup_free_ char *why = NULL;
    int error = tt_httpd_new(publisher->options->metrics_listen, routes, publisher, &publisher->httpd, &why);

    if (error)
        tt_warn("no metrics page: %s; tracing goes on", why ? why : strerror(-error));
    else
        tt_info("metrics at http://%s/metrics", tt_httpd_address(publisher->httpd));
}

/* ---- life ---- */

/* What the options ask for at intervals. */
static int start_publishing(struct tt_publisher *publisher)
{
    int error = 0;

    if (!publisher->options->metrics_file && !publisher->to.count)
        return 0;
    for (size_t i = 0; i < publisher->to.count && !error; i++) {
        struct destination *destination = publisher->to.items[i];

        if (destination->running)
            continue;
        error = tt_thread_start(&destination->thread, send_all, destination);
        destination->running = !error;
    }
    if (!error)
        error = tt_thread_start(&publisher->thread, work, publisher);
    publisher->running = !error;
    return error;
}

int tt_publisher_new(const struct tt_options *options, const struct tt_publisher_ops *ops, bool live,
                     struct tt_publisher **publisher)
{
    struct tt_publisher *made;
    pthread_condattr_t attributes;
    int error;

    *publisher = NULL;
    if (!live && !options->metrics_file && !options->metrics_exports.count)
        return 0;
    made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->ops = *ops;
    made->options = options;
    pthread_mutex_init(&made->lock, NULL);
    pthread_mutex_init(&made->using, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&made->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    error = open_destinations(made, &made->to, options, NULL);
    if (!error && live && options->metrics_listen)
        start_server(made);
    if (!error && live)
        error = start_publishing(made);
    if (error) {
        tt_publisher_free(&made);
        return error;
    }
    *publisher = made;
    return 0;
}

/* No snapshot is taken any more. */
static void stop_publishing(struct tt_publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    publisher->stopping = true;
    pthread_cond_signal(&publisher->wake);
    pthread_mutex_unlock(&publisher->lock);
    if (publisher->running)
        pthread_join(publisher->thread, NULL);
    publisher->running = publisher->stopping = false;
}

/* For what is on its way now, and the last numbers. */
static void limit_destinations(const struct destinations *to, const struct destinations *kept)
{
    for (size_t i = 0; i < to->count; i++)
        if (!kept || !has(kept, to->items[i]))
            tt_points_stop(to->items[i]->points, tt_now_ns() + STOP_MS * TT_NS_PER_MS);
}

void tt_publisher_stop(struct tt_publisher *publisher)
{
    if (!publisher)
        return;
    tt_httpd_free(&publisher->httpd);
    limit_destinations(&publisher->to, NULL);
    stop_publishing(publisher);
}

/* ---- other options ---- */

struct tt_publisher_change {
    const struct tt_options *options;
    struct destinations to;
    const struct tt_publisher *publisher;
};

void tt_publisher_change_free(struct tt_publisher_change **change)
{
    if (!*change)
        return;
    close_destinations(&(*change)->to, &(*change)->publisher->to);
    free(TAKE_PTR(*change));
}

int tt_publisher_change_new(struct tt_publisher *publisher, const struct tt_options *options,
                            struct tt_publisher_change **change)
{
    _cleanup_(tt_publisher_change_free) struct tt_publisher_change *made = calloc(1, sizeof(*made));
    bool others = tt_options_affected(publisher->options, options) & TT_AFFECTS_POINTS;
    int error;

    if (!made)
        return -ENOMEM;
    made->publisher = publisher;
    made->options = options;
    error = open_destinations(publisher, &made->to, options, others ? NULL : &publisher->to);
    if (!error)
        *change = TAKE_PTR(made);
    return error;
}

void tt_publisher_change_apply(struct tt_publisher *publisher, struct tt_publisher_change **change)
{
    struct tt_publisher_change *c = *change;
    bool listen = tt_options_affected(publisher->options, c->options) & TT_AFFECTS_LISTENER;
    struct destinations before;

    limit_destinations(&publisher->to, &c->to);
    stop_publishing(publisher);
    pthread_mutex_lock(&publisher->using);
    before = publisher->to;
    publisher->to = c->to;
    publisher->options = c->options;
    pthread_mutex_unlock(&publisher->using);
    close_destinations(&before, &publisher->to);
    c->to.count = 0;
    if (listen)
        tt_httpd_free(&publisher->httpd);
    if (listen && c->options->metrics_listen)
        start_server(publisher);
    if (start_publishing(publisher))
        tt_warn("metrics are not sent any more: no thread for it");
    tt_publisher_change_free(change);
}

void tt_publisher_finish(struct tt_publisher *publisher)
{
    if (!publisher)
        return;
    publish(publisher);
    for (size_t i = 0; i < publisher->to.count; i++)
        end_destination(publisher->to.items[i]);
}

void tt_publisher_free(struct tt_publisher **publisher)
{
    struct tt_publisher *p = TAKE_PTR(*publisher);

    if (!p)
        return;
    tt_publisher_stop(p);
    close_destinations(&p->to, NULL);
    pthread_mutex_destroy(&p->using);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
