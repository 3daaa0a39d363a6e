/* SPDX-License-Identifier: GPL-2.0-only */
/* report.c: the truth about the agent itself: status, list, the last line. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/page.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "discover/describe.h"
#include "options/options.h"

uint64_t tt_agent_traps(const uint64_t c[TT_COUNTERS])
{
    static const uint8_t without_event[] = {TT_COUNTER_IGNORED,  TT_COUNTER_CONDITION, TT_COUNTER_INSIDE,
                                            TT_COUNTER_DETAIL,   TT_COUNTER_NO_THREAD, TT_COUNTER_NO_POINT,
                                            TT_COUNTER_ELSEWHERE};
    uint64_t traps = 0;

    for (size_t i = 0; i < TT_ARRAY_SIZE(without_event); i++)
        traps += c[without_event[i]];
    for (int i = 1; i < TT_EVENT_TYPES; i++)
        if (i != TT_EVENT_THREAD_EXIT && i != TT_EVENT_PROCESS) /* these come with no trap of their own */
            traps += c[TT_COUNTER_EVENTS + i] + c[TT_COUNTER_DROPS + i];
    return traps;
}

static const char *const event_names[TT_EVENT_TYPES] = {
    [TT_EVENT_ENTER] = "enter",     [TT_EVENT_EXIT] = "exit",       [TT_EVENT_CATCH] = "catch",
    [TT_EVENT_REQUEST] = "request", [TT_EVENT_UPCALL] = "upcall",   [TT_EVENT_THREAD_EXIT] = "thread_exit",
    [TT_EVENT_SWITCH] = "switch",   [TT_EVENT_PROCESS] = "process",
};

/* What lives on the collecting thread, copied there. */
struct snapshot {
    struct tt_agent *agent;
    struct tt_pipeline_figures figures;
};

static void take(void *context)
{
    struct snapshot *s = context;

    tt_pipeline_figures(s->agent->pipeline, &s->figures);
}

static void take_snapshot(struct tt_agent *agent, struct snapshot *s)
{
    s->agent = agent;
    if (agent->collector)
        tt_collector_call(agent->collector, take, s);
    else
        take(s);
}

static const struct tt_figure attach_figures[] = {
    TT_FIGURE(tt_attach_stats, processes),
    TT_FIGURE(tt_attach_stats, files),
    TT_FIGURE(tt_attach_stats, plans),
    TT_FIGURE(tt_attach_stats, plans_cached),
    TT_FIGURE(tt_attach_stats, plans_methods),
    TT_FIGURE(tt_attach_stats, plans_refused),
    TT_FIGURE(tt_attach_stats, points),
    TT_FIGURE(tt_attach_stats, links),
    TT_FIGURE(tt_attach_stats, failures),
    TT_FIGURE(tt_attach_stats, unverified),
    TT_FIGURE(tt_attach_stats, foreign),
    TT_FIGURE(tt_attach_stats, lease_breaks),
    TT_FIGURE(tt_attach_stats, stale),
    TT_FIGURE(tt_attach_stats, waiting),
    {0},
};

static const struct tt_figure follow_figures[] = {
    TT_FIGURE(tt_follow_stats, lost),
    TT_FIGURE(tt_follow_stats, updates),
    TT_FIGURE(tt_follow_stats, attached),
    TT_FIGURE(tt_follow_stats, blind_ns),
    {0},
};

static const struct tt_figure python_figures[] = {
    TT_FIGURE(tt_python_stats, processes),  TT_FIGURE(tt_python_stats, unknown),
    TT_FIGURE(tt_python_stats, lookups),    TT_FIGURE(tt_python_stats, changed),
    TT_FIGURE(tt_python_stats, unreadable), {0},
};

static void put_counters(struct tt_json *json, struct tt_agent *agent)
{
    static const struct {
        const char *name;
        enum tt_counter counter;
    } others[] = {
        {"ignored_hits", TT_COUNTER_IGNORED},
        {"condition_misses", TT_COUNTER_CONDITION},
        {"caught_inside", TT_COUNTER_INSIDE},
        {"no_thread", TT_COUNTER_NO_THREAD},
        {"no_point", TT_COUNTER_NO_POINT},
        {"faults", TT_COUNTER_FAULTS},
        {"cuts", TT_COUNTER_CUTS},
        {"bad", TT_COUNTER_BAD},
        {"full", TT_COUNTER_FULL},
        {"beyond_detail", TT_COUNTER_DETAIL},
        {"not_of_pytango", TT_COUNTER_ELSEWHERE},
        {"python_threads_unknown", TT_COUNTER_PY_THREAD},
    };
    uint64_t c[TT_COUNTERS] = {0}, events = 0, drops = 0;

    if (tt_host_counters(agent->host, c))
        return;
    tt_json_object(json, "events");
    for (int i = 1; i < TT_EVENT_TYPES; i++)
        if (event_names[i])
            tt_json_uint(json, event_names[i], c[TT_COUNTER_EVENTS + i]), events += c[TT_COUNTER_EVENTS + i];
    tt_json_uint(json, "total", events);
    tt_json_object_end(json);
    tt_json_object(json, "drops");
    for (int i = 1; i < TT_EVENT_TYPES; i++)
        if (event_names[i])
            tt_json_uint(json, event_names[i], c[TT_COUNTER_DROPS + i]), drops += c[TT_COUNTER_DROPS + i];
    tt_json_uint(json, "total", drops);
    tt_json_object_end(json);
    tt_json_object(json, "kernel");
    tt_json_uint(json, "traps", tt_agent_traps(c));
    tt_json_double(json, "cost_seconds", tt_agent_cost(agent, tt_agent_traps(c), events));
    for (size_t i = 0; i < TT_ARRAY_SIZE(others); i++)
        tt_json_uint(json, others[i].name, c[others[i].counter]);
    tt_json_object_end(json);
}

static void put_recording(struct tt_json *json, struct tt_agent *agent)
{
    struct tt_recording_stats stats;

    if (!agent->recorder)
        return;
    tt_recorder_stats(agent->recorder, &stats);
    tt_json_object(json, "recording");
    pthread_mutex_lock(&agent->lock);
    tt_json_string(json, "file", agent->options->record);
    pthread_mutex_unlock(&agent->lock);
    tt_json_uint(json, "records", stats.records);
    tt_json_uint(json, "events", stats.events);
    tt_json_uint(json, "bytes", stats.bytes);
    tt_json_uint(json, "dropped", stats.dropped);
    tt_json_string(json, "error", stats.error ? strerror(-stats.error) : "");
    tt_json_object_end(json);
}

static void put_status(struct tt_json *json, struct tt_agent *agent)
{
    const struct tt_host_features *f = tt_host_features(agent->host);
    struct tt_attach_stats attach;
    struct tt_follow_stats follow;
    struct tt_python_stats python;
    uint64_t used, peak;
    struct snapshot s;

    take_snapshot(agent, &s);
    pthread_mutex_lock(&agent->lock);
    tt_attach_get_stats(agent->attach, &attach);
    tt_follow_get_stats(agent->follow, &follow);
    pthread_mutex_unlock(&agent->lock);

    tt_pythons_get_stats(agent->pythons, &python);
    tt_json_object(json, NULL);
    tt_json_string(json, "version", TT_VERSION);
    tt_json_int(json, "pid", getpid());
    tt_json_double(json, "uptime_seconds", (double)(tt_now_ns() - agent->started) / 1e9);
    tt_json_double(json, "ready_seconds", agent->ready_seconds);
    tt_json_double(json, "trap_ns", f->trap_ns);
    tt_json_double(json, "event_ns", f->event_ns);
    tt_json_bool(json, "uprobe_multi", f->uprobe_multi);
    tt_json_double(json, "cpu_seconds", tt_agent_cpu());
    tt_json_uint(json, "memory_bytes", tt_agent_memory());
    tt_json_uint(json, "ring_bytes", tt_host_ring_size(agent->host));
    tt_host_ring_use(agent->host, &used, &peak);
    tt_json_uint(json, "ring_used_bytes", used);
    tt_json_uint(json, "ring_peak_bytes", peak);
    tt_figures_json(json, "attach", attach_figures, &attach);
    tt_json_double(json, "plan_seconds", attach.plan_seconds);
    tt_figures_json(json, "follow", follow_figures, &follow);
    tt_figures_json(json, "python", python_figures, &python);
    put_counters(json, agent);
    tt_pipeline_json(json, agent->pipeline, &s.figures);
    put_recording(json, agent);
    tt_page_json(json, agent->page);
    tt_json_object_end(json);
}

/* ---- list ---- */

struct listing {
    struct tt_agent *agent;
    struct tt_json *json;
    struct tt_process *process;
    bool found;
    uint64_t events, last;
};

static void look_up(void *context)
{
    struct listing *l = context;

    l->found = tt_activity_get(l->agent->pipeline->activity, (uint32_t)l->process->pid, &l->events, &l->last);
}

/* How long it can have been traced: as long as it, or the agent, runs. */
static double traced_seconds(const struct tt_agent *agent, const struct tt_process *process)
{
    uint64_t uptime = tt_now_ns() - agent->started, unix_now = tt_clock_ns(CLOCK_REALTIME);
    uint64_t age = unix_now > process->start_unix_ns ? unix_now - process->start_unix_ns : 0;
    uint64_t shorter = age < uptime ? age : uptime;

    return shorter ? (double)shorter / 1e9 : 1e-9;
}

static void list_process(void *context, struct tt_process *process)
{
    struct listing *l = context;
    uint64_t traps;
    double cost;

    l->process = process;
    tt_collector_call(l->agent->collector, look_up, l);
    tt_process_json(l->json, process);
    tt_json_uint(l->json, "points", tt_attach_points_of(l->agent->attach, process->pid));
    tt_json_object(l->json, "traps_of_a_read");
    for (enum tt_detail level = 0; level < TT_DETAILS; level++)
        tt_json_uint(l->json, tt_detail_names[level],
                     tt_attach_traps_of(l->agent->attach, process->pid, TT_USUAL_READ, level));
    tt_json_object_end(l->json);
    tt_json_uint(l->json, "hits", l->found ? l->events : 0);
    cost = tt_agent_cost_of(l->agent, process->pid, l->found ? l->events : 0, &traps);
    tt_json_uint(l->json, "traps", traps);
    tt_json_double(l->json, "cost_seconds", cost);
    tt_json_double(l->json, "cost_share", cost / traced_seconds(l->agent, process));
    if (l->found)
        tt_json_double(l->json, "last_event_seconds", (double)(tt_now_ns() - l->last) / 1e9);
    tt_json_object_end(l->json);
}

static void put_list(struct tt_json *json, struct tt_agent *agent)
{
    struct listing l = {.agent = agent, .json = json};

    tt_json_object(json, NULL);
    tt_json_array(json, "processes");
    pthread_mutex_lock(&agent->lock);
    tt_process_table_each(agent->table, list_process, &l);
    pthread_mutex_unlock(&agent->lock);
    tt_json_array_end(json);
    tt_json_object_end(json);
}

static void put_dump(struct tt_json *json, struct tt_agent *agent)
{
    uint64_t spans = tt_agent_dump(agent);

    tt_json_object(json, NULL);
    tt_json_uint(json, "spans", spans);
    tt_json_object_end(json);
}

struct calls {
    struct tt_agent *agent;
    struct tt_json *json;
};

static void put_open(void *context)
{
    const struct calls *calls = context;
    struct tt_pipeline *pipeline = calls->agent->pipeline;

    tt_calls_json(pipeline->calls, pipeline->assembler, tt_now_ns(), calls->json);
}

static void put_calls(struct tt_json *json, struct tt_agent *agent)
{
    struct calls calls = {agent, json};

    tt_json_object(json, NULL);
    tt_collector_call(agent->collector, put_open, &calls);
    tt_json_object_end(json);
}

/* ---- levels of detail ---- */

/* Agent locked. */
static void put_detail(struct tt_json *json, struct tt_agent *agent)
{
    char *rule;

    tt_json_array(json, "detail");
    for (size_t i = 0; (rule = tt_selection_detail_rule(agent->selection, i)); i++) {
        tt_json_string(json, NULL, rule);
        free(rule);
    }
    tt_json_array_end(json);
}

struct change {
    struct tt_agent *agent;
    uint64_t processes;
};

static void change_detail(void *context, struct tt_process *process)
{
    struct change *change = context;
    enum tt_detail level = tt_selection_detail(change->agent->selection, process);

    if (__atomic_exchange_n(&process->detail, level, __ATOMIC_RELAXED) == level || !process->selected)
        return;
    change->processes++;
    tt_attach_process(change->agent->attach, process);
    tt_agent_forget_events(change->agent, process);
}

/* "LEVEL" or "LEVEL:PATTERN": rules, then those processes whose level it changes. */
static void set_detail(struct tt_json *json, struct tt_agent *agent, const char *text)
{
    struct change change = {.agent = agent};
    _cleanup_free_ char *why = NULL;
    int error;

    pthread_mutex_lock(&agent->lock);
    error = tt_selection_add_detail(agent->selection, true, text, &why);
    if (!error)
        tt_process_table_each(agent->table, change_detail, &change);
    tt_json_object(json, NULL);
    if (error) {
        tt_json_string(json, "error", why ? why : strerror(-error));
    } else {
        tt_json_uint(json, "processes", change.processes);
        put_detail(json, agent);
    }
    tt_json_object_end(json);
    pthread_mutex_unlock(&agent->lock);
}

static void get_detail(struct tt_json *json, struct tt_agent *agent)
{
    pthread_mutex_lock(&agent->lock);
    tt_json_object(json, NULL);
    put_detail(json, agent);
    tt_json_object_end(json);
    pthread_mutex_unlock(&agent->lock);
}

#define SET_DETAIL "SET detail "

int tt_agent_answer(void *context, const char *request, struct tt_json *json)
{
    struct tt_agent *agent = context;

    if (!strcmp(request, "GET status"))
        put_status(json, agent);
    else if (!strcmp(request, "GET list"))
        put_list(json, agent);
    else if (!strcmp(request, "GET calls"))
        put_calls(json, agent);
    else if (!strcmp(request, "GET dump"))
        put_dump(json, agent);
    else if (!strcmp(request, "GET detail"))
        get_detail(json, agent);
    else if (!strncmp(request, SET_DETAIL, strlen(SET_DETAIL)))
        set_detail(json, agent, request + strlen(SET_DETAIL));
    else
        return tt_agent_answer_usage(agent, request, json);
    return json->failed ? -ENOMEM : 0;
}

static void count_selected(void *context, struct tt_process *process)
{
    *(size_t *)context += process->selected;
}

void tt_agent_silence(void *context, char *buffer, size_t size)
{
    struct tt_agent *agent = context;
    size_t selected = 0;

    tt_process_table_each(agent->table, count_selected, &selected);
    snprintf(buffer, size, "%zu Tango process%s traced%s", selected, selected == 1 ? "" : "es",
             selected ? "" : " ('tangotrace list' shows what there is)");
}

/* ---- the last line ---- */

uint64_t tt_agent_report(struct tt_agent *agent, bool *whole)
{
    uint64_t c[TT_COUNTERS] = {0}, seen = 0, ring = 0;

    tt_host_counters(agent->host, c);
    for (int i = 1; i < TT_EVENT_TYPES; i++) {
        seen += c[TT_COUNTER_EVENTS + i];
        ring += c[TT_COUNTER_DROPS + i];
    }
    const struct tt_loss losses[] = {
        {"ring buffer full", ring},
        {"no thread storage", c[TT_COUNTER_NO_THREAD]},
        {"no point", c[TT_COUNTER_NO_POINT]},
        {0},
    };
    *whole = !agent->recorder || tt_recorder_report(agent->recorder);
    return tt_pipeline_report(agent->pipeline, seen, losses);
}
