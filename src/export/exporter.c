/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/export.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "export/console.h"
#include "export/queue.h"
#include "export/sink.h"

#define DEFAULT_QUEUE      65536
#define DEFAULT_BATCH      8192
#define DEFAULT_DELAY_MS   1000
#define DEFAULT_TIMEOUT_MS 10000
#define DEFAULT_MEMORY     (32u << 20)
#define DEFAULT_SPOOL      (512u << 20)
#define DEFAULT_SPOOL_AGE  (24 * 3600 * 1000)
#define DEFAULT_SPOOL_RATE (1u << 20)
#define TICK_MS            100
#define STUCK_MS           250 /* beyond the stop's deadline: then the thread hangs in a write */

/* The way of one signal. */
struct lane {
    struct tt_exporter *exporter;
    enum tt_signal signal;
    struct tt_queue *queue; /* NULL: the signal is not exported */
    void **items;           /* of the batch in hand */
    size_t batch, capacity;
    unsigned delay_ms;
    _Atomic uint64_t queued, dropped[TT_RANKS];
    _Atomic uint64_t processed;
    pthread_t thread;
    bool running; /* the thread is to be joined */
};

struct tt_exporter {
    const struct tt_sink_ops *ops;
    struct tt_sink *sink;
    struct tt_sink_counters counters[TT_SIGNALS];
    struct lane lanes[TT_SIGNALS];
    struct tt_queue_memory memory;
    bool packed;
    unsigned held_ms;
    bool wait;  /* for room in the queue */
    bool stuck; /* a thread did not end: it, and all it uses, is left alone */
};

static const struct tt_sink_ops *const sinks[] = {&tt_console_sink, &tt_file_sink, &tt_null_sink,
                                                  &tt_otlp_sink};

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void drain(struct lane *lane, unsigned idle_ms)
{
    struct tt_exporter *exporter = lane->exporter;
    struct tt_sink_counters *counters = &exporter->counters[lane->signal];
    size_t count = tt_queue_take(lane->queue, lane->items, lane->delay_ms, idle_ms);
    uint64_t begin = tt_now_ns(), failed = load(&counters->dropped_error);

    if (!count)
        return;
    tt_sink_add(&lane->processed, count);
    if (lane->signal == TT_SIGNAL_LOGS)
        exporter->ops->write_logs(exporter->sink, (struct tt_otel_log **)lane->items, count);
    else
        exporter->ops->write(exporter->sink, (struct tt_otel_span **)lane->items, count);
    if (!exporter->ops->operates)
        tt_sink_operation(counters,
                          load(&counters->dropped_error) != failed ? TT_OPERATION_FAILED : TT_OPERATION_DONE,
                          begin);
    tt_queue_done(lane->queue, lane->items, count);
}

/* Unix time before which all that happened was given to the sink, as far as that can be known here. */
static uint64_t oldest(struct lane *lane)
{
    uint64_t age = tt_now_ns() - tt_queue_oldest(lane->queue);

    return tt_clock_ns(CLOCK_REALTIME) - age - lane->exporter->held_ms * TT_NS_PER_MS;
}

/* Logs that share the thread come when no full batch of spans is there, at the end after the spans: so the
 * order depends on what was handed over only, where the hander waits (replay). */
static bool is_turn(struct lane *spans, struct lane *logs)
{
    return tt_queue_ended(spans->queue) ||
           (!tt_queue_closed(logs->queue) && tt_queue_size(spans->queue) < spans->batch);
}

static void *run(void *arg)
{
    struct lane *lane = arg, *logs = NULL;
    struct tt_exporter *exporter = lane->exporter;
    bool first = lane->signal == TT_SIGNAL_SPANS;

    if (first && !exporter->ops->parallel && exporter->lanes[TT_SIGNAL_LOGS].queue)
        logs = &exporter->lanes[TT_SIGNAL_LOGS];
    while (!tt_queue_ended(lane->queue) || (logs && !tt_queue_ended(logs->queue))) {
        drain(lane, TICK_MS);
        if (logs && is_turn(lane, logs))
            drain(logs, 0);
        if (exporter->ops->tick)
            exporter->ops->tick(exporter->sink, lane->signal, oldest(lane));
    }
    if (first && exporter->ops->finish)
        exporter->ops->finish(exporter->sink);
    return NULL;
}

static int start_thread(struct lane *lane)
{
    int err = !lane->queue ? 0 : tt_thread_start(&lane->thread, run, lane);

    lane->running = lane->queue && !err;
    return err;
}

static int start_threads(struct tt_exporter *exporter)
{
    int err = start_thread(&exporter->lanes[TT_SIGNAL_SPANS]);

    return err || !exporter->ops->parallel ? err : start_thread(&exporter->lanes[TT_SIGNAL_LOGS]);
}

static const struct tt_sink_ops *find_ops(const char *spec, const char **target)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(sinks); i++) {
        size_t length = strlen(sinks[i]->scheme);

        if (strncmp(spec, sinks[i]->scheme, length) != 0 || (spec[length] && spec[length] != ':'))
            continue;
        *target = spec[length] ? spec + length + 1 : NULL;
        return sinks[i];
    }
    return NULL;
}

static void set_defaults(struct tt_export_config *config)
{
    for (enum tt_signal signal = 0; signal < TT_SIGNALS; signal++) {
        struct tt_queue_config *q = &config->queues[signal];
        struct tt_otlp_config *o = &config->otlp[signal];

        q->queue = q->queue ? q->queue : DEFAULT_QUEUE;
        q->batch = q->batch ? q->batch : DEFAULT_BATCH;
        q->delay_ms = q->delay_ms ? q->delay_ms : DEFAULT_DELAY_MS;
        o->timeout_ms = o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS;
    }
    config->memory = config->memory ? config->memory : DEFAULT_MEMORY;
    config->spool_bytes = config->spool_bytes ? config->spool_bytes : DEFAULT_SPOOL;
    config->spool_age_ms = config->spool_age_ms ? config->spool_age_ms : DEFAULT_SPOOL_AGE;
    config->spool_rate = config->spool_rate ? config->spool_rate : DEFAULT_SPOOL_RATE;
}

/* Everything but the sink and the thread. */
static struct tt_exporter *allocate(const struct tt_sink_ops *ops, const struct tt_export_config *config)
{
    struct tt_exporter *exporter = calloc(1, sizeof(*exporter));

    if (!exporter)
        return NULL;
    exporter->ops = ops;
    exporter->packed = ops->packed && !config->otlp[TT_SIGNAL_SPANS].json && !config->no_spans;
    exporter->memory.most = config->memory;
    exporter->held_ms = config->held_ms;
    exporter->wait = config->wait;
    for (enum tt_signal signal = 0; exporter && signal < TT_SIGNALS; signal++) {
        const struct tt_queue_config *queue = &config->queues[signal];
        struct lane *lane = &exporter->lanes[signal];

        if (!tt_export_takes(config, signal))
            continue;
        lane->exporter = exporter;
        lane->signal = signal;
        lane->batch = ops->batch && ops->batch < queue->batch ? ops->batch : queue->batch;
        lane->delay_ms = ops->delay_ms && ops->delay_ms < queue->delay_ms ? ops->delay_ms : queue->delay_ms;
        lane->capacity = queue->queue;
        lane->queue = tt_queue_new(signal, queue->queue, lane->batch);
        lane->items = calloc(lane->batch, sizeof(void *));
        if (lane->queue)
            tt_queue_share(lane->queue, &exporter->memory);
        if (!lane->queue || !lane->items)
            tt_exporter_free(&exporter);
    }
    return exporter;
}

/* The kind of exporter a specification means, its target checked. */
static int parse_spec(const char *spec, const struct tt_sink_ops **ops, const char **target, char **error)
{
    *ops = find_ops(spec, target);
    if (*ops)
        return (*ops)->check(*target, error);
    if (asprintf(error, "unknown exporter '%s': use console, file:PATH, otlp or otlp:URL", spec) < 0)
        *error = NULL;
    return -EINVAL;
}

int tt_exporter_check(const char *spec, char **error)
{
    const struct tt_sink_ops *ops;
    const char *target;

    return parse_spec(spec, &ops, &target, error);
}

int tt_exporter_new(const char *spec, const struct tt_export_config *config, struct tt_exporter **exporter,
                    char **error)
{
    struct tt_export_config effective = *config;
    const char *target = NULL;
    const struct tt_sink_ops *ops;
    struct tt_exporter *new;
    int err = parse_spec(spec, &ops, &target, error);

    if (err)
        return err;
    set_defaults(&effective);
    new = allocate(ops, &effective);
    if (!new) {
        *error = strdup("out of memory");
        return -ENOMEM;
    }
    err = ops->open(target, &effective, new->counters, &new->sink, error);
    if (!err) {
        err = start_threads(new);
        if (err)
            *error = strdup("cannot start a thread");
    }
    if (err) {
        tt_exporter_free(&new);
        return err;
    }
    *exporter = new;
    return 0;
}

bool tt_exporter_takes_packed(const struct tt_exporter *exporter)
{
    return exporter->packed;
}

int tt_exporter_console(const struct tt_console_options *options, const struct tt_export_config *config,
                        struct tt_exporter **exporter)
{
    struct tt_console_options own = *options;
    struct tt_export_config effective = *config;
    struct tt_exporter *new;
    int err;

    set_defaults(&effective);
    new = allocate(&tt_console_sink, &effective);
    if (!new) {
        tt_query_free(&own.filter);
        return -ENOMEM;
    }
    own.lost = new->lanes[TT_SIGNAL_SPANS].dropped;
    own.lost_count = TT_RANKS;
    err = tt_console_new(&own, new->counters, &new->sink);
    if (!err)
        err = start_threads(new);
    if (err) {
        tt_exporter_free(&new);
        return err;
    }
    *exporter = new;
    return 0;
}

int tt_exporter_with(const struct tt_sink_ops *ops,
                     int (*make)(void *context, struct tt_sink_counters *counters, struct tt_sink **sink),
                     void *context, const struct tt_export_config *config, struct tt_exporter **exporter)
{
    struct tt_export_config effective = *config;
    struct tt_exporter *new;
    int err;

    set_defaults(&effective);
    new = allocate(ops, &effective);
    if (!new)
        return -ENOMEM;
    err = make(context, new->counters, &new->sink);
    if (!err)
        err = start_threads(new);
    if (err) {
        tt_exporter_free(&new);
        return err;
    }
    *exporter = new;
    return 0;
}

static void hand_over(struct lane *lane, void *item)
{
    const struct tt_exporter *exporter = lane->exporter;
    bool taken = exporter->wait ? tt_queue_push_wait(lane->queue, item, lane->signal == TT_SIGNAL_LOGS)
                                : tt_queue_push(lane->queue, item);

    tt_sink_add(taken ? &lane->queued : &lane->dropped[tt_queue_rank(lane->signal, item)], 1);
}

void tt_exporter_span(struct tt_exporter *exporter, struct tt_otel_span *span)
{
    if (exporter->lanes[TT_SIGNAL_SPANS].queue)
        hand_over(&exporter->lanes[TT_SIGNAL_SPANS], span);
}

void tt_exporter_log(struct tt_exporter *exporter, struct tt_otel_log *log)
{
    if (exporter->lanes[TT_SIGNAL_LOGS].queue)
        hand_over(&exporter->lanes[TT_SIGNAL_LOGS], log);
}

/* False: it still hangs at `end`, and is left alone. */
static bool join(struct lane *lane, const struct timespec *end)
{
    if (!lane->running)
        return true;
    lane->running = false;
    if (pthread_clockjoin_np(lane->thread, NULL, CLOCK_MONOTONIC, end) == 0)
        return true;
    pthread_detach(lane->thread);
    return false;
}

void tt_exporter_stop(struct tt_exporter *exporter, unsigned wait_ms)
{
    uint64_t deadline = tt_now_ns() + wait_ms * TT_NS_PER_MS;
    struct timespec end;
    bool ended = true;

    if (!exporter->lanes[TT_SIGNAL_SPANS].running && !exporter->lanes[TT_SIGNAL_LOGS].running)
        return;
    exporter->ops->stopping(exporter->sink, deadline);
    for (enum tt_signal signal = 0; signal < TT_SIGNALS; signal++)
        if (exporter->lanes[signal].queue)
            tt_queue_close(exporter->lanes[signal].queue);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)((wait_ms + STUCK_MS) / 1000);
    end.tv_nsec += (long)((wait_ms + STUCK_MS) % 1000 * TT_NS_PER_MS);
    if (end.tv_nsec >= (long)TT_NS_PER_S) {
        end.tv_sec++;
        end.tv_nsec -= (long)TT_NS_PER_S;
    }
    for (enum tt_signal signal = 0; signal < TT_SIGNALS; signal++)
        ended &= join(&exporter->lanes[signal], &end);
    if (ended)
        return;
    exporter->stuck = true;
    tt_warn("%s: still writing after %u ms, what is left is lost: does its reader still read?",
            exporter->sink->name, wait_ms);
}

void tt_exporter_free(struct tt_exporter **exporter)
{
    struct tt_exporter *e = *exporter;

    *exporter = NULL;
    if (!e)
        return;
    tt_exporter_stop(e, 0);
    if (e->stuck)
        return;
    if (e->sink)
        e->ops->free(e->sink);
    for (enum tt_signal signal = 0; signal < TT_SIGNALS; signal++) {
        tt_queue_free(&e->lanes[signal].queue);
        free(e->lanes[signal].items);
    }
    free(e);
}

const char *tt_exporter_name(const struct tt_exporter *exporter)
{
    return exporter->sink->name;
}

bool tt_exporter_is_closed(struct tt_exporter *exporter)
{
    return atomic_load(&exporter->counters[TT_SIGNAL_SPANS].closed);
}

static void get_stats(const struct tt_exporter *exporter, enum tt_signal signal,
                      struct tt_export_stats *stats)
{
    const struct tt_sink_counters *counters = &exporter->counters[signal];
    const struct lane *lane = &exporter->lanes[signal];
    struct tt_export_stats s = {
        .exported = load(&counters->exported),
        .requests = load(&counters->requests),
        .retries = load(&counters->retries),
        .bytes = load(&counters->bytes),
        .dropped_refused = load(&counters->dropped_refused),
        .dropped_timeout = load(&counters->dropped_timeout),
        .dropped_error = load(&counters->dropped_error),
        .dropped_queue = load(&lane->dropped[TT_RANK_OTHER]),
        .dropped_debug = load(&lane->dropped[TT_RANK_DEBUG]),
        .dropped_rootless = load(&lane->dropped[TT_RANK_ROOTLESS]),
        .dropped_spool = load(&counters->dropped_spool),
        .dropped_age = load(&counters->dropped_age),
        .dropped_damaged = load(&counters->dropped_damaged),
        .carried = load(&counters->carried),
        .spooled = load(&counters->spooled),
        .spool_bytes = load(&counters->spool_bytes),
        .gap_ms = load(&counters->gap_ms),
        .capacity = lane->capacity,
    };
    uint64_t ended = s.exported + s.dropped_refused + s.dropped_timeout + s.dropped_error + s.dropped_spool +
                     s.dropped_age + s.dropped_damaged + s.spooled;

    /* What is read later is counted earlier: so no difference is too small. Only the queue may be ahead of
     * its counter for a moment. */
    s.processed = load(&lane->processed);
    s.queued = load(&lane->queued);
    s.inflight = s.processed + s.carried > ended ? s.processed + s.carried - ended : 0;
    s.in_queue = s.queued > s.processed ? s.queued - s.processed : 0;
    s.waiting = s.queued + s.carried > ended ? s.queued + s.carried - ended : 0;
    for (enum tt_operation how = 0; how < TT_OPERATIONS; how++) {
        tt_durations_get(&counters->durations[how], &s.durations[how]);
        s.operations += s.durations[how].slots[TT_SLOT_COUNT];
        s.operation_us += s.durations[how].slots[TT_SLOT_SUM] / 1000;
    }
    if (exporter->stuck) {
        s.dropped_timeout += s.waiting;
        s.waiting = s.in_queue = s.inflight = 0;
    }
    *stats = s;
}

void tt_exporter_stats(struct tt_exporter *exporter, struct tt_export_stats *stats)
{
    get_stats(exporter, TT_SIGNAL_SPANS, stats);
}

void tt_exporter_log_stats(struct tt_exporter *exporter, struct tt_export_stats *stats)
{
    get_stats(exporter, TT_SIGNAL_LOGS, stats);
}
