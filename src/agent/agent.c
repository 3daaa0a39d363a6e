/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/agent.h"
#include "agent/page.h"
#include "agent/publish.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "assemble/fields.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "options/options.h"

/* ---- the world of the pipeline: what runs now; on the collecting thread ---- */

static struct tt_process *find_process(void *context, uint32_t pid, uint64_t time)
{
    struct tt_agent *agent = context;
    struct tt_process *process = tt_process_table_find(agent->table, (pid_t)pid, time);

    if (agent->recorder)
        tt_recorder_process(agent->recorder, pid, process);
    return process;
}

static int64_t unix_offset(void *context, uint64_t now)
{
    struct tt_agent *agent = context;
    int64_t offset = tt_unix_clock_measure(&agent->clock);

    if (agent->recorder)
        tt_recorder_clock(agent->recorder, now, offset);
    return offset;
}

static const struct tt_row *row_of(void *context, uint32_t point)
{
    const struct tt_agent *agent = context;

    return tt_attach_row(agent->attach, point);
}

static bool is_shown(void *context, uint32_t root_tgid)
{
    struct tt_agent *agent = context;

    bool has = !agent->tree || tt_tree_has(agent->tree, root_tgid);

    if (agent->tree && has && agent->recorder)
        tt_recorder_shown(agent->recorder, root_tgid);
    return has || agent->all;
}

/* ---- collecting thread ---- */

struct forgotten {
    struct tt_agent *agent;
    uint32_t pid;
};

static void forget(void *context)
{
    struct forgotten *f = context;

    tt_pipeline_forget(f->agent->pipeline, f->pid);
    if (f->agent->recorder)
        tt_recorder_forget(f->agent->recorder, f->pid);
}

/* What the kernel tells of a program is worth something if it is a Tango program. True: it was that. */
static bool glimpse(struct tt_agent *agent, const void *data, size_t size)
{
    char command_line[1024], exe[TT_STRING_MAX];
    struct tt_process_facts facts;
    struct tt_glimpse found = {.command_line = command_line};
    struct tt_event_view view;
    const struct tt_row *row;
    bool executed = false;

    if (size < sizeof(struct tt_event) || ((const struct tt_event *)data)->type != TT_EVENT_PROCESS)
        return false;
    if (tt_event_view(&view, data, size) != TT_EVENT_GOOD)
        return true;
    row = tt_attach_row(agent->attach, view.header.point);
    if (!row || row->library != TT_LIBRARY_TANGO ||
        !tt_fields_process(&view, &facts, command_line, sizeof(command_line), &found.size))
        return true;
    tt_fields_text(&view, TT_FIELD_EXE, exe, sizeof(exe));
    found.exe = *exe ? exe : NULL;
    found.pid = (pid_t)view.header.tgid;
    found.parent = (pid_t)facts.parent;
    found.uid = facts.uid;
    found.start = facts.start;
    found.executed = facts.executed;
    /* In vain: it stays unknown, which its spans say. */
    tt_process_table_glimpse(agent->table, &found, &executed);
    if (executed)
        forget(&(struct forgotten){agent, view.header.tgid});
    return true;
}

static void on_event(void *context, const void *data, size_t size)
{
    struct tt_agent *agent = context;

    glimpse(agent, data, size);
    tt_pipeline_event(agent->pipeline, data, size);
}

/* The event stands behind what was learned on its way. */
static void record_event(void *context, const void *data, size_t size)
{
    struct tt_agent *agent = context;
    struct tt_event event = {0};
    const struct tt_row *row = NULL;
    bool glimpsed = glimpse(agent, data, size);

    if (size >= sizeof(event))
        memcpy(&event, data, sizeof(event));
    if (size >= sizeof(event) && !glimpsed) {
        row = tt_attach_row(agent->attach, event.point);
        if (tt_recorder_wants_process(agent->recorder, event.tgid)) {
            struct tt_process *process = find_process(agent, event.tgid, event.time);

            tt_process_put(&process);
        }
    }
    tt_pipeline_event(agent->pipeline, data, size);
    if (glimpsed) { /* a recording has the process itself, by its own rules of privacy */
        event.size = sizeof(event);
        event.fields = 0;
        data = &event;
        size = sizeof(event);
    }
    tt_recorder_event(agent->recorder, data, size, row);
}

static void record_tick(void *context, uint64_t now)
{
    struct tt_agent *agent = context;

    if (!tt_recorder_wants_tick(agent->recorder, now))
        return;
    tt_pipeline_tick(agent->pipeline, now);
    tt_recorder_tick(agent->recorder, now);
}

static void on_tick(void *context, uint64_t now)
{
    struct tt_agent *agent = context;

    tt_pipeline_tick(agent->pipeline, now);
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

/* A replay cannot ask the process. */
static bool record_code(struct tt_agent *agent, const struct tt_span *span, bool found)
{
    if (found && agent->recorder)
        tt_recorder_code(agent->recorder, &span->code);
    return found;
}

static bool is_method(void *context, struct tt_span *span)
{
    struct tt_agent *agent = context;
    bool found = tt_pythons_method(agent->pythons, span);
    struct tt_dull_key key;
    struct tt_dull dull;

    /* Without room for it the kernel goes on to tell. */
    if (!found && tt_pythons_dull(agent->pythons, span, &key, &dull))
        tt_host_set_dull(agent->host, &key, &dull);
    return record_code(agent, span, found);
}

static bool find_caller(void *context, struct tt_span *span)
{
    return record_code(context, span, tt_pythons_caller(((struct tt_agent *)context)->pythons, span));
}

static void leave_alone(void *context, uint32_t pid)
{
    struct tt_agent *agent = context;

    tt_host_set_target(agent->host, (pid_t)pid, TT_TARGET_IGNORED, 0, tt_now_ns());
}

void tt_agent_pipeline_config(struct tt_agent *agent, const struct tt_options *options,
                              struct tt_pipeline_config *config)
{
    *config = (struct tt_pipeline_config){
        .world = {.row = row_of,
                  .process = find_process,
                  .unix_offset = unix_offset,
                  .shown = is_shown,
                  .native = leave_alone,
                  .method = is_method,
                  .caller = find_caller,
                  .context = agent},
        .options = options,
        .enrich = {.command_lines = options->command_lines,
                   .resource_attributes = options->resource_attributes},
        .join_wait_ns = (uint64_t)options->join_wait * 1000000u,
        .seed = agent->seed,
        .rules = tt_selection_count(options->selection) > 0,
        .usage = true,
        .silence = tt_agent_silence,
        .silence_context = agent,
    };
}

static int make_pipeline(struct tt_agent *agent)
{
    struct tt_pipeline_config config;

    tt_agent_pipeline_config(agent, agent->options, &config);
    return tt_pipeline_new(&config, &agent->pipeline);
}

/* Without it tracing goes on. */
static int make_page(struct tt_agent *agent)
{
    struct tt_page_setup *setup = NULL;
    int error = tt_page_new(false, &agent->page);

    if (error || !tt_page_is_wanted(agent->options) ||
        tt_page_prepare(agent->page, agent->options, NULL, &setup))
        return error;
    tt_page_configure(agent->page, setup);
    tt_page_tend(agent->page);
    agent->pipeline->page = tt_page_exporter(agent->page);
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
    made->wake = -1;
    made->started = tt_now_ns();
    if (options->record && getrandom(&made->seed, sizeof(made->seed), 0) != sizeof(made->seed))
        made->seed = made->started;
    pthread_mutex_init(&made->lock, NULL);
    error = options->probes.count ? tt_probes_new((const char *const *)options->probes.items,
                                                  options->probes.count, &made->probes)
                                  : 0;
    if (!error)
        error = tt_host_new(&host, &made->host);
    if (!error) {
        made->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        error = made->wake < 0 ? -errno : 0;
    }
    if (!error) {
        made->table = tt_process_table_new("/proc", made->selection, made->probes);
        made->pythons = tt_pythons_new();
        error = made->table && made->pythons ? tt_attach_new(made->host, on_retry, made, &made->attach)
                                             : -ENOMEM;
    }
    if (!error)
        tt_attach_set_probes(made->attach, made->probes);
    if (!error)
        tt_attach_set_logs(made->attach, options->logs);
    if (!error && options->plan_cache && *options->plan_cache)
        tt_attach_set_cache(made->attach, options->plan_cache);
    if (!error)
        error = make_pipeline(made);
    if (!error)
        error = tt_follow_new(made, &made->follow);
    if (!error)
        error = make_page(made);
    if (error) {
        tt_agent_free(&made);
        return error;
    }
    *agent = made;
    return 0;
}

void tt_agent_forget_python(struct tt_agent *agent, pid_t pid)
{
    tt_host_set_python(agent->host, pid, NULL);
    tt_pythons_remove(agent->pythons, pid);
}

int tt_agent_attach(struct tt_agent *agent, struct tt_process *process)
{
    struct tt_python python;
    int error = 0;

    /* First: probes ask for it. */
    if (process->selected && tt_pythons_add(agent->pythons, process, &python))
        error = tt_host_set_python(agent->host, process->pid, &python);
    else
        tt_agent_forget_python(agent,
                               process->pid); /* it may have been one before it became another program */
    if (error)
        tt_warn("%s (pid %d): no room for what is known of its Python (%s): its code has no names",
                process->name, process->pid, strerror(-error));
    return tt_attach_process(agent->attach, process);
}

void tt_agent_forget(struct tt_agent *agent, uint32_t pid)
{
    struct forgotten f = {agent, pid};

    if (agent->collector)
        tt_collector_call(agent->collector, forget, &f);
}

static void forget_events(void *context)
{
    struct forgotten *f = context;

    tt_correlator_forget(f->agent->pipeline->correlator, f->pid);
}

void tt_agent_forget_events(struct tt_agent *agent, const struct tt_process *process)
{
    struct forgotten f = {agent, (uint32_t)process->pid};

    if (!process->selected)
        tt_agent_forget(agent, f.pid);
    else if (agent->collector)
        tt_collector_call(agent->collector, forget_events, &f);
}

static int start_recording(struct tt_agent *agent)
{
    const struct tt_options *o = agent->options;
    char host[HOST_NAME_MAX + 1] = "";
    struct tt_recording_meta meta = {
        .version = (char *)TT_VERSION,
        .events = TT_RECORDING_EVENTS,
        .event_size = sizeof(struct tt_event),
        .key_size = sizeof(struct tt_key),
        .exception_size = sizeof(struct tt_exception),
        .host_name = host,
        .host_arch = (char *)tt_host_arch(),
        .resource_attributes = o->resource_attributes,
        .command_lines = o->command_lines,
        .default_in = !tt_selection_count(o->selection),
        .tree = agent->tree && !agent->all,
        .seed = agent->seed,
        .join_wait_ns = (uint64_t)o->join_wait * 1000000u,
        .time = tt_now_ns(),
        .unix_offset = tt_unix_clock_measure(&agent->clock),
    };

    if (gethostname(host, sizeof(host) - 1) || !*host)
        strcpy(host, "localhost");
    return tt_recorder_new(o->record, &meta, &agent->recorder);
}

/* Probes of the user that name nothing: a slip, or of a program that is yet to come. */
static void tell_missed(const struct tt_agent *agent)
{
    const char *missed;
    size_t next = 0;

    while ((missed = tt_probes_missed(agent->probes, &next)))
        tt_warn(
            "probes: no function %s in the files of the programs that are traced now; it is looked for in those "
            "that start later, too",
            missed);
}

int tt_agent_start(struct tt_agent *agent)
{
    const struct tt_publisher_ops publish = {tt_agent_snapshot, tt_agent_ready, agent};
    struct tt_collector_ops ops = {.event = on_event, .tick = on_tick, .context = agent};
    int error = agent->options->record ? start_recording(agent) : 0;

    if (error)
        return error;
    if (agent->recorder) {
        ops.event = record_event;
        ops.tick = record_tick;
    }
    error = tt_collector_new(agent->host, &ops, &agent->collector);
    if (error)
        return tt_err(error, "cannot start the collecting thread: %s", strerror(-error));
    pthread_mutex_lock(&agent->lock);
    tt_follow_scan(agent->follow);
    tell_missed(agent);
    pthread_mutex_unlock(&agent->lock);
    agent->ready_seconds = (double)(tt_now_ns() - agent->started) / 1e9;
    if (tt_page_url(agent->page))
        tt_say("page at %s", tt_page_url(agent->page));
    if (tt_page_feed_new(agent, agent->page, &agent->feed))
        tt_warn("the page shows spans only: no thread for the rest");
    return tt_publisher_new(agent->options, &publish, true, &agent->publisher);
}

struct dumping {
    struct tt_agent *agent;
    uint64_t spans;
};

static void dump(void *context)
{
    struct dumping *d = context;

    d->spans = tt_pipeline_dump(d->agent->pipeline);
}

uint64_t tt_agent_dump(struct tt_agent *agent)
{
    struct dumping d = {.agent = agent};

    tt_collector_call(agent->collector, dump, &d);
    return d.spans;
}

bool tt_agent_is_deaf(struct tt_agent *agent)
{
    return tt_pipeline_is_deaf(agent->pipeline);
}

#define FLUSH_MS 5000

static void stop_pipeline(struct tt_agent *agent)
{
    uint64_t now = tt_now_ns(), counters[TT_COUNTERS] = {0};

    tt_pipeline_flush(agent->pipeline, now);
    if (!agent->recorder)
        return;
    tt_host_counters(agent->host, counters);
    tt_recorder_finish(agent->recorder, now, counters);
}

void tt_agent_stop(struct tt_agent *agent)
{
    tt_agent_end_reload(agent);
    /* Probes first: from then on the targets run as if nothing had been. */
    pthread_mutex_lock(&agent->lock);
    tt_attach_detach(agent->attach);
    pthread_mutex_unlock(&agent->lock);
    tt_page_feed_free(&agent->feed);     /* it asks the collecting thread */
    tt_publisher_stop(agent->publisher); /* it asks the collecting thread */
    tt_collector_free(&agent->collector);
    stop_pipeline(agent);
    tt_publisher_finish(agent->publisher);
    tt_pipeline_stop(agent->pipeline, FLUSH_MS);
}

void tt_agent_free(struct tt_agent **agent)
{
    struct tt_agent *a = *agent;

    if (!a)
        return;
    tt_agent_end_reload(a);
    tt_page_feed_free(&a->feed);
    tt_publisher_free(&a->publisher);
    tt_collector_free(&a->collector);
    tt_attach_free(&a->attach);
    tt_follow_free(&a->follow);
    tt_pipeline_free(&a->pipeline);
    tt_page_free(&a->page);
    tt_recorder_free(&a->recorder);
    tt_process_table_free(&a->table);
    tt_probes_free(&a->probes);
    tt_pythons_free(&a->pythons);
    tt_tree_free(&a->tree);
    tt_host_free(&a->host);
    tt_cleanup_close(&a->wake);
    tt_agent_free_reload(a);
    free(a);
    *agent = NULL;
}
