/* SPDX-License-Identifier: GPL-2.0-only */
/* report.c: the truth about the agent itself: status, list, the last line. One table per group of figures. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/list.h"

static const char *const event_names[TT_EVENT_TYPES] = {
    [TT_EVENT_ENTER] = "enter",     [TT_EVENT_EXIT] = "exit",     [TT_EVENT_CATCH] = "catch",
    [TT_EVENT_REQUEST] = "request", [TT_EVENT_UPCALL] = "upcall", [TT_EVENT_THREAD_EXIT] = "thread_exit",
};

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What lives on the collecting thread, copied there. */
struct snapshot {
    struct tt_agent *agent;
    struct tt_assembler_stats assemble;
    struct tt_correlator_stats correlate;
    uint64_t spans, hidden;
};

static void take(void *context)
{
    struct snapshot *s = context;

    s->assemble = *tt_assembler_stats(s->agent->assembler);
    s->correlate = *tt_correlator_stats(s->agent->correlator);
    s->spans = s->agent->spans;
    s->hidden = s->agent->hidden;
}

static void take_snapshot(struct tt_agent *agent, struct snapshot *s)
{
    s->agent = agent;
    if (agent->collector)
        tt_collector_call(agent->collector, take, s);
    else
        take(s);
}

/* ---- figures as tables: name, offset ---- */

struct figure {
    const char *name;
    size_t offset;
};

static void put_figures(struct tt_json *json, const char *key, const struct figure *figures, const void *from)
{
    tt_json_object(json, key);
    for (; figures->name; figures++)
        tt_json_uint(json, figures->name, *(const uint64_t *)((const char *)from + figures->offset));
    tt_json_object_end(json);
}

#define FIGURE(type, field)                                                                                  \
    {                                                                                                        \
#field, offsetof(struct type, field)                                                                 \
    }

static const struct figure assemble_figures[] = {
    FIGURE(tt_assembler_stats, events),
    FIGURE(tt_assembler_stats, malformed),
    FIGURE(tt_assembler_stats, gaps),
    FIGURE(tt_assembler_stats, lost),
    FIGURE(tt_assembler_stats, orphan_exits),
    FIGURE(tt_assembler_stats, early_exits),
    FIGURE(tt_assembler_stats, mismatched_exits),
    FIGURE(tt_assembler_stats, suspended),
    FIGURE(tt_assembler_stats, revived),
    FIGURE(tt_assembler_stats, buried),
    FIGURE(tt_assembler_stats, exceptions),
    FIGURE(tt_assembler_stats, upcalls),
    FIGURE(tt_assembler_stats, upcalls_bare),
    FIGURE(tt_assembler_stats, requests),
    FIGURE(tt_assembler_stats, requests_bare),
    FIGURE(tt_assembler_stats, asynch),
    FIGURE(tt_assembler_stats, asynch_unknown),
    FIGURE(tt_assembler_stats, replies_unlinked),
    FIGURE(tt_assembler_stats, spans),
    FIGURE(tt_assembler_stats, open),
    FIGURE(tt_assembler_stats, threads),
    FIGURE(tt_assembler_stats, dropped_frames),
    {0},
};

static const struct figure correlate_figures[] = {
    FIGURE(tt_correlator_stats, joined),
    FIGURE(tt_correlator_stats, client_unmatched),
    FIGURE(tt_correlator_stats, server_unmatched),
    FIGURE(tt_correlator_stats, ambiguous),
    FIGURE(tt_correlator_stats, late),
    FIGURE(tt_correlator_stats, split),
    FIGURE(tt_correlator_stats, evicted),
    FIGURE(tt_correlator_stats, traces),
    FIGURE(tt_correlator_stats, pending),
    FIGURE(tt_correlator_stats, emitted),
    {0},
};

static const struct figure attach_figures[] = {
    FIGURE(tt_attach_stats, processes),    FIGURE(tt_attach_stats, files),
    FIGURE(tt_attach_stats, plans),        FIGURE(tt_attach_stats, points),
    FIGURE(tt_attach_stats, links),        FIGURE(tt_attach_stats, failures),
    FIGURE(tt_attach_stats, unverified),   FIGURE(tt_attach_stats, foreign),
    FIGURE(tt_attach_stats, lease_breaks), FIGURE(tt_attach_stats, stale),
    FIGURE(tt_attach_stats, waiting),      {0},
};

static const struct figure follow_figures[] = {
    FIGURE(tt_follow_stats, lost),
    FIGURE(tt_follow_stats, updates),
    FIGURE(tt_follow_stats, attached),
    FIGURE(tt_follow_stats, blind_ns),
    {0},
};

static const struct figure export_figures[] = {
    FIGURE(tt_export_stats, queued),
    FIGURE(tt_export_stats, exported),
    FIGURE(tt_export_stats, requests),
    FIGURE(tt_export_stats, retries),
    FIGURE(tt_export_stats, bytes),
    FIGURE(tt_export_stats, dropped_queue),
    FIGURE(tt_export_stats, dropped_refused),
    FIGURE(tt_export_stats, dropped_timeout),
    FIGURE(tt_export_stats, dropped_error),
    FIGURE(tt_export_stats, waiting),
    {0},
};

static void put_counters(struct tt_json *json, struct tt_agent *agent)
{
    static const struct {
        const char *name;
        enum tt_counter counter;
    } others[] = {
        {"ignored_hits", TT_COUNTER_IGNORED},
        {"condition_misses", TT_COUNTER_CONDITION},
        {"no_thread", TT_COUNTER_NO_THREAD},
        {"no_point", TT_COUNTER_NO_POINT},
        {"faults", TT_COUNTER_FAULTS},
        {"cuts", TT_COUNTER_CUTS},
        {"bad", TT_COUNTER_BAD},
        {"full", TT_COUNTER_FULL},
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
    tt_json_uint(json, "traps",
                 events + drops + c[TT_COUNTER_IGNORED] + c[TT_COUNTER_CONDITION] + c[TT_COUNTER_NO_THREAD] +
                     c[TT_COUNTER_NO_POINT] - c[TT_COUNTER_EVENTS + TT_EVENT_THREAD_EXIT] -
                     c[TT_COUNTER_DROPS + TT_EVENT_THREAD_EXIT]);
    for (size_t i = 0; i < TT_ARRAY_SIZE(others); i++)
        tt_json_uint(json, others[i].name, c[others[i].counter]);
    tt_json_object_end(json);
}

static void put_exporters(struct tt_json *json, struct tt_agent *agent)
{
    tt_json_array(json, "exporters");
    for (size_t i = 0; i < agent->exporter_count; i++) {
        struct tt_export_stats stats;

        tt_exporter_stats(agent->exporters[i], &stats);
        tt_json_object(json, NULL);
        tt_json_string(json, "name", tt_exporter_name(agent->exporters[i]));
        put_figures(json, "figures", export_figures, &stats);
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
}

static void put_status(struct tt_json *json, struct tt_agent *agent)
{
    const struct tt_host_features *f = tt_host_features(agent->host);
    struct tt_attach_stats attach;
    struct tt_follow_stats follow;
    struct snapshot s;

    take_snapshot(agent, &s);
    pthread_mutex_lock(&agent->lock);
    tt_attach_get_stats(agent->attach, &attach);
    tt_follow_get_stats(agent->follow, &follow);
    pthread_mutex_unlock(&agent->lock);

    tt_json_object(json, NULL);
    tt_json_string(json, "version", TT_VERSION);
    tt_json_int(json, "pid", getpid());
    tt_json_double(json, "uptime_seconds", (double)(now_ns() - agent->started) / 1e9);
    tt_json_double(json, "ready_seconds", agent->ready_seconds);
    tt_json_double(json, "trap_ns", f->trap_ns);
    tt_json_bool(json, "uprobe_multi", f->uprobe_multi);
    tt_json_uint(json, "ring_bytes", tt_host_ring_size(agent->host));
    put_figures(json, "attach", attach_figures, &attach);
    tt_json_double(json, "plan_seconds", attach.plan_seconds);
    put_figures(json, "follow", follow_figures, &follow);
    put_counters(json, agent);
    put_figures(json, "assemble", assemble_figures, &s.assemble);
    put_figures(json, "correlate", correlate_figures, &s.correlate);
    tt_json_object(json, "spans");
    tt_json_uint(json, "made", s.spans);
    tt_json_uint(json, "hidden", s.hidden);
    tt_json_uint(json, "enrich_failures", tt_enricher_failures(agent->enricher));
    tt_json_object_end(json);
    put_exporters(json, agent);
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

    l->found = tt_activity_get(l->agent->activity, (uint32_t)l->process->pid, &l->events, &l->last);
}

static void list_process(void *context, struct tt_process *process)
{
    struct listing *l = context;

    l->process = process;
    tt_collector_call(l->agent->collector, look_up, l);
    tt_list_process_json(l->json, process);
    tt_json_uint(l->json, "points", tt_attach_points_of(l->agent->attach, process->pid));
    tt_json_uint(l->json, "hits", l->found ? l->events : 0);
    if (l->found)
        tt_json_double(l->json, "last_event_seconds", (double)(now_ns() - l->last) / 1e9);
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

int tt_agent_answer(void *context, const char *request, struct tt_json *json)
{
    struct tt_agent *agent = context;

    if (!strcmp(request, "GET status"))
        put_status(json, agent);
    else if (!strcmp(request, "GET list"))
        put_list(json, agent);
    else
        return -EINVAL;
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
    snprintf(buffer, size, "%zu Tango process%s traced, no calls seen%s", selected, selected == 1 ? "" : "es",
             selected ? "" : ": 'tangotrace list' says what was looked for");
}

/* ---- the last line ---- */

struct loss {
    const char *reason;
    uint64_t count;
};

uint64_t tt_agent_report(struct tt_agent *agent)
{
    uint64_t c[TT_COUNTERS] = {0}, seen = 0, ring = 0, lost = 0, exported = 0;
    struct tt_export_stats sum = {0};
    struct snapshot s;
    char reasons[512] = "";
    size_t used = 0;

    take_snapshot(agent, &s);
    tt_host_counters(agent->host, c);
    for (int i = 1; i < TT_EVENT_TYPES; i++) {
        seen += c[TT_COUNTER_EVENTS + i];
        ring += c[TT_COUNTER_DROPS + i];
    }
    for (size_t i = 0; i < agent->exporter_count; i++) {
        struct tt_export_stats e;

        tt_exporter_stats(agent->exporters[i], &e);
        exported += e.exported;
        sum.dropped_queue += e.dropped_queue;
        sum.dropped_refused += e.dropped_refused;
        sum.dropped_timeout += e.dropped_timeout;
        sum.dropped_error += e.dropped_error;
    }
    const struct loss losses[] = {
        {"ring buffer full", ring},
        {"no thread storage", c[TT_COUNTER_NO_THREAD]},
        {"no point", c[TT_COUNTER_NO_POINT]},
        {"malformed events", s.assemble.malformed},
        {"frames not kept", s.assemble.dropped_frames},
        {"spans not made", tt_enricher_failures(agent->enricher)},
        {"export queue full", sum.dropped_queue},
        {"refused by the receiver", sum.dropped_refused},
        {"not delivered in time", sum.dropped_timeout},
        {"not written", sum.dropped_error},
    };
    for (size_t i = 0; i < TT_ARRAY_SIZE(losses); i++) {
        if (!losses[i].count)
            continue;
        lost += losses[i].count;
        used += (size_t)snprintf(reasons + used, sizeof(reasons) - used, "%s%s %" PRIu64, used ? ", " : " (",
                                 losses[i].reason, losses[i].count);
        if (used >= sizeof(reasons) - 64)
            break;
    }
    tt_info("seen %" PRIu64 " events, %" PRIu64 " spans; exported %" PRIu64 " spans; lost %" PRIu64 "%s%s",
            seen, s.spans, exported, lost, reasons, used ? ")" : "");
    return lost;
}
