/* SPDX-License-Identifier: GPL-2.0-only */
/* observe.c: the running agent as metrics: everything that the pipeline does not know of; and is it ready? */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/measure.h"
#include "base/cleanup.h"
#include "base/clock.h"

/* ---- figures ---- */

struct numbers {
    struct tt_attach_stats attach;
    struct tt_follow_stats follow;
    uint64_t c[TT_COUNTERS];
    uint64_t traps, ring_bytes, ring_used, ring_peak;
    uint64_t memory;
};

#define NUMBER(field, ...)   TT_MEASURE(numbers, field, __VA_ARGS__)
#define KERNEL(counter, ...) TT_MEASURE(numbers, c[TT_COUNTER_##counter], __VA_ARGS__)
#define EVENTS(type, value)                                                                                  \
    TT_MEASURE(numbers, c[TT_COUNTER_EVENTS + TT_EVENT_##type], "tangotrace.events", "{event}",              \
               "Events written by the probes", TT_METRIC_COUNTER, "type", value)
#define DROPS(type, value)                                                                                   \
    TT_MEASURE(numbers, c[TT_COUNTER_DROPS + TT_EVENT_##type], "tangotrace.events.dropped", "{event}",       \
               "Events that found the ring buffer full", TT_METRIC_COUNTER, "type", value)
#define UNRECORDED                                                                                           \
    "tangotrace.events.unrecorded", "{event}", "Hits of probes that could not be recorded",                  \
        TT_METRIC_COUNTER, "reason"
#define FIELDS                                                                                               \
    "tangotrace.fields.incomplete", "{field}", "Fields that could not be captured whole", TT_METRIC_COUNTER, \
        "reason"
#define PASSED                                                                                               \
    "tangotrace.traps.passed", "{trap}", "Of these, hits that are worth no event, by reason",                \
        TT_METRIC_COUNTER, "reason"
#define ATTACH                                                                                               \
    "tangotrace.attach.failures", "{failure}", "Files and processes without probes, by reason",              \
        TT_METRIC_COUNTER, "reason"

static const struct tt_measure rows[] = {
    EVENTS(ENTER, "enter"),
    EVENTS(EXIT, "exit"),
    EVENTS(CATCH, "catch"),
    EVENTS(REQUEST, "request"),
    EVENTS(UPCALL, "upcall"),
    EVENTS(THREAD_EXIT, "thread_exit"),
    EVENTS(SWITCH, "switch"),
    EVENTS(PROCESS, "process"),
    DROPS(ENTER, "enter"),
    DROPS(EXIT, "exit"),
    DROPS(CATCH, "catch"),
    DROPS(REQUEST, "request"),
    DROPS(UPCALL, "upcall"),
    DROPS(THREAD_EXIT, "thread_exit"),
    DROPS(SWITCH, "switch"),
    DROPS(PROCESS, "process"),
    KERNEL(NO_THREAD, UNRECORDED, "no_thread"),
    KERNEL(NO_POINT, UNRECORDED, "no_point"),
    KERNEL(FAULTS, FIELDS, "fault"),
    KERNEL(CUTS, FIELDS, "cut"),
    KERNEL(BAD, FIELDS, "bad"),
    KERNEL(FULL, FIELDS, "full"),
    NUMBER(traps, "tangotrace.traps", "{trap}", "Hits of probes: what the traced programs pay for",
           TT_METRIC_COUNTER),
    KERNEL(IGNORED, PASSED, "not_selected"),
    KERNEL(CONDITION, PASSED, "condition"),
    KERNEL(INSIDE, PASSED, "caught_inside"),
    KERNEL(DETAIL, PASSED, "beyond_detail"),
    KERNEL(ELSEWHERE, PASSED, "not_of_pytango"),
    NUMBER(ring_bytes, "tangotrace.ring.size", "By", "Size of the ring buffer", TT_METRIC_UPDOWN),
    NUMBER(ring_used, "tangotrace.ring.used", "By", "Bytes in the ring buffer before it was read last",
           TT_METRIC_GAUGE),
    NUMBER(ring_peak, "tangotrace.ring.peak", "By", "The most that there ever were", TT_METRIC_GAUGE),
    NUMBER(attach.processes, "tangotrace.processes", "{process}", "Processes with probes", TT_METRIC_UPDOWN),
    NUMBER(attach.points, "tangotrace.points", "{point}", "Probe points linked", TT_METRIC_UPDOWN),
    NUMBER(attach.files, "tangotrace.files", "{file}", "Files with probes", TT_METRIC_UPDOWN),
    NUMBER(attach.failures, ATTACH, "link"),
    NUMBER(attach.unverified, ATTACH, "unverified"),
    NUMBER(attach.stale, ATTACH, "stale"),
    NUMBER(attach.lease_breaks, "tangotrace.lease.breaks", "{break}",
           "Files that lost their probes because somebody was about to write to them", TT_METRIC_COUNTER),
    NUMBER(follow.lost, "tangotrace.follow.lost", "{event}", "Events about processes that were lost",
           TT_METRIC_COUNTER),
    NUMBER(follow.blind_ns, "tangotrace.blind.time", "s",
           "Longest time from the map of a library to its probes", TT_METRIC_GAUGE, .per = 1000000000),
    NUMBER(memory, "process.memory.usage", "By", "Resident memory of the agent", TT_METRIC_UPDOWN),
};

uint64_t tt_agent_memory(void)
{
    _cleanup_fclose_ FILE *file = fopen("/proc/self/statm", "re");
    uint64_t pages = 0;

    if (!file || fscanf(file, "%*u %" SCNu64, &pages) != 1)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_real(struct tt_snapshot *snapshot, const char *name, const char *unit, const char *help,
                     enum tt_metric_type type, const char *key, const char *value, double real)
{
    const struct tt_metric_figure figure = {.name = name,
                                            .unit = unit,
                                            .help = help,
                                            .type = type,
                                            .labels = {{key, value}},
                                            .is_real = true,
                                            .real = real};

    tt_snapshot_add(snapshot, &figure);
}

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

double tt_agent_cpu(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) ? 0 : seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
}

static void add_process(struct tt_snapshot *snapshot, const struct tt_agent *agent)
{
    static const char name[] = "process.cpu.time", help[] = "CPU time of the agent";
    static const char trap[] = "tangotrace.trap.duration";
    static const char trap_help[] = "Cost of one hit of a probe, measured at start: bare, and with an event";
    const struct tt_host_features *f = tt_host_features(agent->host);
    struct rusage usage;

    if (!getrusage(RUSAGE_SELF, &usage)) {
        add_real(snapshot, name, "s", help, TT_METRIC_COUNTER, "cpu.mode", "user", seconds(&usage.ru_utime));
        add_real(snapshot, name, "s", help, TT_METRIC_COUNTER, "cpu.mode", "system",
                 seconds(&usage.ru_stime));
    }
    add_real(snapshot, "process.uptime", "s", "Time since the agent's start", TT_METRIC_GAUGE, NULL, NULL,
             (double)(tt_now_ns() - agent->started) / 1e9);
    add_real(snapshot, trap, "s", trap_help, TT_METRIC_GAUGE, "kind", "bare", f->trap_ns / 1e9);
    add_real(snapshot, trap, "s", trap_help, TT_METRIC_GAUGE, "kind", "event", f->event_ns / 1e9);
}

/* ---- snapshot ---- */

struct taking {
    struct tt_agent *agent;
    struct tt_snapshot *snapshot;
};

static void take(void *context)
{
    struct taking *taking = context;

    taking->snapshot = tt_pipeline_snapshot(taking->agent->pipeline, tt_clock_ns(CLOCK_REALTIME));
}

struct tt_snapshot *tt_agent_snapshot(void *context)
{
    struct tt_agent *agent = context;
    struct taking taking = {.agent = agent};
    struct numbers numbers = {.ring_bytes = tt_host_ring_size(agent->host), .memory = tt_agent_memory()};

    if (agent->collector)
        tt_collector_call(agent->collector, take, &taking);
    else
        take(&taking);
    if (!taking.snapshot)
        return NULL;
    pthread_mutex_lock(&agent->lock);
    tt_attach_get_stats(agent->attach, &numbers.attach);
    tt_follow_get_stats(agent->follow, &numbers.follow);
    pthread_mutex_unlock(&agent->lock);
    tt_host_counters(agent->host, numbers.c);
    tt_host_ring_use(agent->host, &numbers.ring_used, &numbers.ring_peak);
    numbers.traps = tt_agent_traps(numbers.c);
    tt_pipeline_measure_exporters(agent->pipeline, taking.snapshot);
    tt_measure_add(taking.snapshot, rows, TT_ARRAY_SIZE(rows), &numbers);
    add_process(taking.snapshot, agent);
    tt_agent_measure_cost(agent, taking.snapshot);
    if (taking.snapshot->failed)
        tt_snapshot_free(&taking.snapshot);
    return taking.snapshot;
}

/* ---- ready? ---- */

static bool check(struct tt_text *why, bool good, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool check(struct tt_text *why, bool good, const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    tt_text_printf(why, "%s %s\n", good ? "ok " : "NOT", line);
    return good;
}

struct readiness {
    struct tt_text *why;
    bool ready;
};

/* An exporter that has tried and was never heard is not ready; one that had nothing to send is. */
static void check_exporter(void *context, const struct tt_exporter_figures *figures)
{
    struct readiness *r = context;
    bool spans = figures->spans.capacity; /* else it has log records only */
    const struct tt_export_stats *s = spans ? &figures->spans : &figures->logs;

    if (!figures->gone)
        r->ready &= check(r->why, s->exported || !(s->requests || s->waiting),
                          "exporter %s: %" PRIu64 " %s acknowledged, %" PRIu64 " wait", figures->name,
                          s->exported, spans ? "spans" : "log records", s->waiting);
}

bool tt_agent_ready(void *context, struct tt_text *why)
{
    struct tt_agent *agent = context;
    uint64_t c[TT_COUNTERS] = {0}, events = 0;
    struct tt_attach_stats attach;
    struct readiness exporting = {why, true};
    bool attached, flowing;

    pthread_mutex_lock(&agent->lock);
    tt_attach_get_stats(agent->attach, &attach);
    pthread_mutex_unlock(&agent->lock);
    tt_host_counters(agent->host, c);
    for (int i = 1; i < TT_EVENT_TYPES; i++)
        events += c[TT_COUNTER_EVENTS + i];
    attached = check(why, agent->ready_seconds > 0 && (!attach.processes || attach.points),
                     "probes: %" PRIu64 " points, %" PRIu64 " processes", attach.points, attach.processes);
    flowing = check(why, events || !attach.processes, "events: %" PRIu64 "%s", events,
                    attach.processes ? "" : " (no Tango process is there)");
    tt_pipeline_each_exporter(agent->pipeline, check_exporter, &exporting);
    return attached && flowing && exporting.ready;
}
