/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/agent.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/options.h"

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- collecting thread: event -> assembler -> correlator -> enricher -> exporters ---- */

static void on_event(void *context, const void *data, size_t size)
{
    struct tt_agent *agent = context;
    const struct tt_event *event = data;

    if (size >= sizeof(*event))
        tt_activity_count(agent->activity, event->tgid, event->time);
    tt_assembler_event(agent->assembler, data, size);
}

static void on_tick(void *context, uint64_t now)
{
    struct tt_agent *agent = context;

    tt_assembler_tick(agent->assembler, now);
    tt_correlator_tick(agent->correlator, now);
    tt_enricher_tick(agent->enricher, now);
    tt_activity_tick(agent->activity);
}

static struct tt_process *find_process(void *context, uint32_t pid, uint64_t time)
{
    struct tt_agent *agent = context;

    return tt_process_table_find(agent->table, (pid_t)pid, time);
}

static bool look_at_stacks(void *context, uint32_t pid)
{
    struct tt_process *process = find_process(context, pid, 0);
    bool switches = process && __atomic_load_n(&process->switches_stacks, __ATOMIC_RELAXED);

    tt_process_put(&process);
    return switches;
}

static bool switches_stacks(void *context, uint32_t pid)
{
    struct tt_agent *agent = context;

    return tt_activity_switches(agent->activity, pid, look_at_stacks, agent);
}

/* Spans of processes that turned out not to be selected, and in strace mode of other programs' traces, end
 * here. */
static bool is_wanted(struct tt_agent *agent, struct tt_span *span)
{
    struct tt_process *process = find_process(agent, span->tgid, span->start);
    /* One that ended before it could be looked at: where there are rules, they may have meant it. */
    bool wanted = process ? process->selected : !agent->rules;

    if (!process && wanted)
        span->incomplete |= TT_INCOMPLETE_PROCESS;
    agent->unknown += !process && !wanted;

    tt_process_put(&process);
    if (wanted && agent->tree && !agent->all)
        wanted = tt_tree_has(agent->tree, span->root_tgid);
    return wanted;
}

static void on_span(void *context, struct tt_span *span)
{
    struct tt_agent *agent = context;
    struct tt_otel_span *out;

    agent->spans++;
    if (!is_wanted(agent, span)) {
        agent->hidden++;
        tt_span_free(&span);
        return;
    }
    out = tt_enrich(agent->enricher, &span);
    if (!out)
        return;
    for (size_t i = 0; i < agent->exporter_count; i++)
        tt_exporter_span(agent->exporters[i], out);
    tt_otel_span_put(&out);
}

/* ---- construction ---- */

static void on_retry(void *context)
{
    struct tt_agent *agent = context;
    uint64_t one = 1;

    /* A full counter wakes the reader as well. */
    if (write(agent->wake, &one, sizeof(one)) < 0)
        return;
}

/* "otlp-traces:URL" is the options' word for a URL to be used exactly as it is. */
#define FULL_URL "otlp-traces:"

static int make_exporter(struct tt_agent *agent, struct tt_export_config config, const char *spec)
{
    _cleanup_free_ char *why = NULL, *otlp = NULL;
    int error;

    if (agent->exporter_count == TT_EXPORTERS_MAX)
        return tt_err(-E2BIG, "more than %d --export: leave some out", TT_EXPORTERS_MAX);
    if (!strncmp(spec, FULL_URL, strlen(FULL_URL))) {
        if (asprintf(&otlp, "otlp:%s", spec + strlen(FULL_URL)) < 0)
            return -ENOMEM;
        config.full_url = true;
    }
    error = tt_exporter_new(otlp ? otlp : spec, &config, &agent->exporters[agent->exporter_count], &why);
    if (error) /* whatever it is: the command line asked for it */
        return tt_err(error == -ENOMEM ? error : -EINVAL, "--export %s: %s", spec,
                      why ? why : strerror(-error));
    agent->exporter_count++;
    return 0;
}

#define CONSOLE_RATE 20 /* traces per second: what a person can read; of a command all are wanted */

static unsigned console_rate(const struct tt_options *options)
{
    return options->console_rate ? options->console_rate : options->command ? UINT_MAX : CONSOLE_RATE;
}

static int make_exporters(struct tt_agent *agent)
{
    const struct tt_options *o = agent->options;
    struct tt_export_config config = {
        .queue = o->queue_size,
        .batch = o->batch_size,
        .delay_ms = o->batch_delay,
        .timeout_ms = o->otlp_timeout,
        .gzip = o->otlp_compression == TT_COMPRESSION_GZIP,
        .color = o->color == TT_COLOR_ALWAYS || (o->color == TT_COLOR_AUTO && isatty(STDOUT_FILENO)),
        .all_roots = o->all_roots,
        .console_rate = console_rate(o),
        .headers = o->otlp_headers,
        .certificate = o->otlp_certificate,
        .client_certificate = o->otlp_client_certificate,
        .client_key = o->otlp_client_key,
        .silence = tt_agent_silence,
        .silence_context = agent,
    };

    for (size_t i = 0; i < o->exports.count; i++) {
        int error = make_exporter(agent, config, o->exports.items[i]);

        if (error)
            return error;
    }
    return 0;
}

static const struct tt_row *row_of(void *context, uint32_t point)
{
    const struct tt_agent *agent = context;

    return tt_attach_row(agent->attach, point);
}

static int make_pipeline(struct tt_agent *agent)
{
    struct tt_enrich_config enrich = {
        .command_lines = agent->options->command_lines,
        .resource_attributes = agent->options->resource_attributes,
    };
    struct tt_correlator_config correlate = {
        .join_wait_ns = (uint64_t)agent->options->join_wait * 1000000u,
    };
    struct tt_assembler_ops ops;

    agent->activity = tt_activity_new();
    agent->enricher = tt_enricher_new(&enrich, find_process, agent);
    agent->correlator = tt_correlator_new(&correlate, on_span, agent);
    if (!agent->activity || !agent->enricher || !agent->correlator)
        return -ENOMEM;
    ops = tt_correlator_ops(agent->correlator);
    agent->assembler = tt_assembler_new(&ops, row_of, agent);
    if (!agent->assembler)
        return -ENOMEM;
    tt_assembler_set_switching(agent->assembler, switches_stacks, agent);
    return 0;
}

int tt_agent_new(const struct tt_options *options, struct tt_agent **agent)
{
    struct tt_host_config host = {.ring_size = options->ring_size, .no_multi = !options->multi};
    struct tt_agent *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->options = options;
    made->selection = options->selection;
    made->rules = tt_selection_count(options->selection) > 0;
    made->wake = -1;
    made->started = now_ns();
    pthread_mutex_init(&made->lock, NULL);
    error = tt_host_new(&host, &made->host);
    if (!error) {
        made->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        error = made->wake < 0 ? -errno : 0;
    }
    if (!error) {
        made->table = tt_process_table_new("/proc", made->selection);
        error = made->table ? tt_attach_new(made->host, on_retry, made, &made->attach) : -ENOMEM;
    }
    if (!error)
        error = make_pipeline(made);
    if (!error)
        error = make_exporters(made);
    if (!error)
        error = tt_follow_new(made, &made->follow);
    if (error) {
        tt_agent_free(&made);
        return error;
    }
    *agent = made;
    return 0;
}

struct forgotten {
    struct tt_agent *agent;
    uint32_t pid;
};

static void forget(void *context)
{
    struct forgotten *f = context;

    tt_assembler_forget(f->agent->assembler, f->pid);
    tt_activity_forget(f->agent->activity, f->pid);
}

void tt_agent_forget(struct tt_agent *agent, uint32_t pid)
{
    struct forgotten f = {agent, pid};

    if (agent->collector)
        tt_collector_call(agent->collector, forget, &f);
}

int tt_agent_start(struct tt_agent *agent)
{
    struct tt_collector_ops ops = {.event = on_event, .tick = on_tick, .context = agent};
    int error = tt_collector_new(agent->host, &ops, &agent->collector);

    if (error)
        return tt_err(error, "cannot start the collecting thread: %s", strerror(-error));
    pthread_mutex_lock(&agent->lock);
    tt_follow_scan(agent->follow);
    pthread_mutex_unlock(&agent->lock);
    agent->ready_seconds = (double)(now_ns() - agent->started) / 1e9;
    return 0;
}

bool tt_agent_is_deaf(struct tt_agent *agent)
{
    size_t closed = 0;

    for (size_t i = 0; i < agent->exporter_count; i++)
        closed += tt_exporter_is_closed(agent->exporters[i]);
    return agent->exporter_count && closed == agent->exporter_count;
}

#define FLUSH_MS 5000

void tt_agent_stop(struct tt_agent *agent)
{
    /* Probes first: from then on the targets run as if nothing had been. */
    pthread_mutex_lock(&agent->lock);
    tt_attach_detach(agent->attach);
    pthread_mutex_unlock(&agent->lock);
    tt_collector_free(&agent->collector);
    tt_assembler_flush(agent->assembler, now_ns());
    tt_correlator_flush(agent->correlator);
    for (size_t i = 0; i < agent->exporter_count; i++)
        tt_exporter_stop(agent->exporters[i], FLUSH_MS);
}

void tt_agent_free(struct tt_agent **agent)
{
    struct tt_agent *a = *agent;

    if (!a)
        return;
    tt_collector_free(&a->collector);
    tt_attach_free(&a->attach);
    tt_follow_free(&a->follow);
    tt_assembler_free(&a->assembler);
    tt_correlator_free(&a->correlator);
    for (size_t i = 0; i < a->exporter_count; i++)
        tt_exporter_free(&a->exporters[i]);
    tt_enricher_free(&a->enricher);
    tt_process_table_free(&a->table);
    tt_activity_free(&a->activity);
    tt_tree_free(&a->tree);
    tt_host_free(&a->host);
    tt_cleanup_close(&a->wake);
    free(a);
    *agent = NULL;
}
