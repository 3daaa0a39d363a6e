/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cost.c: what the probes cost the traced programs: hits by the kernel's count for each process, times what
 * one cost in the self-test at start. An estimate: what is captured differs, and so do caches.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/measure.h"
#include "base/cleanup.h"

double tt_agent_cost(const struct tt_agent *agent, uint64_t hits, uint64_t events)
{
    const struct tt_host_features *f = tt_host_features(agent->host);
    uint64_t bare = hits > events ? hits - events : 0;

    return ((double)bare * f->trap_ns + (double)events * (f->event_ns > 0 ? f->event_ns : f->trap_ns)) / 1e9;
}

double tt_agent_cost_of(struct tt_agent *agent, pid_t pid, uint64_t events, uint64_t *hits)
{
    *hits = tt_host_target_hits(agent->host, pid);
    return tt_agent_cost(agent, *hits, events < *hits ? events : *hits);
}

/* ---- as a metric: the sum of processes of one name, never a pid ---- */

#define NAMES_MAX 256 /* more are one */

struct cost {
    struct tt_agent *agent;
    struct {
        struct tt_process *process; /* a reference */
        uint64_t events;
    } * items;
    size_t count, capacity;
};

static void add_process(void *context, struct tt_process *process)
{
    struct cost *cost = context;
    size_t capacity = cost->capacity ? cost->capacity * 2 : 64;
    void *grown;

    if (!process->selected)
        return;
    if (cost->count == cost->capacity) {
        grown = reallocarray(cost->items, capacity, sizeof(*cost->items));
        if (!grown)
            return;
        cost->items = grown;
        cost->capacity = capacity;
    }
    cost->items[cost->count].process = tt_process_get(process);
    cost->items[cost->count++].events = 0;
}

/* On the collecting thread. */
static void add_events(void *context)
{
    struct cost *cost = context;
    uint64_t last;

    for (size_t i = 0; i < cost->count; i++)
        tt_activity_get(cost->agent->pipeline->activity, (uint32_t)cost->items[i].process->pid,
                        &cost->items[i].events, &last);
}

struct named {
    const char *name;
    double seconds;
};

static struct named *find(struct named *named, size_t *count, const char *name)
{
    size_t i = 0;

    while (i < *count && strcmp(named[i].name, name) != 0)
        i++;
    if (i == NAMES_MAX) /* the last one is for all others */
        i--;
    if (i == *count)
        named[(*count)++] = (struct named){.name = i == NAMES_MAX - 1 ? TT_METRICS_OTHER : name};
    return &named[i];
}

static void add_figure(struct tt_snapshot *snapshot, const struct named *named)
{
    const struct tt_metric_figure figure = {
        .name = "tangotrace.process.cost",
        .unit = "s",
        .help = "Time that probes took from traced programs that run now: an estimate",
        .type = TT_METRIC_UPDOWN,
        .labels = {{"tango.program.name", named->name}},
        .is_real = true,
        .real = named->seconds,
    };

    tt_snapshot_add(snapshot, &figure);
}

void tt_agent_measure_cost(struct tt_agent *agent, struct tt_snapshot *snapshot)
{
    struct cost cost = {.agent = agent};
    struct named named[NAMES_MAX];
    size_t count = 0;
    uint64_t hits;

    tt_process_table_each(agent->table, add_process, &cost);
    if (agent->collector)
        tt_collector_call(agent->collector, add_events, &cost);
    for (size_t i = 0; i < cost.count; i++)
        find(named, &count, cost.items[i].process->name)->seconds += tt_agent_cost_of(
            agent, cost.items[i].process->pid, cost.items[i].events, &hits);
    for (size_t i = 0; i < count; i++)
        add_figure(snapshot, &named[i]);
    for (size_t i = 0; i < cost.count; i++)
        tt_process_put(&cost.items[i].process);
    free(cost.items);
}
