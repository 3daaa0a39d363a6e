/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "agent/agent.h"
#include "agent/measure.h"
#include "agent/page.h"
#include "agent/publish.h"
#include "agent/recorder.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "options/options.h"

#define PIDS_MAX      65536 /* as many as a recorder remembers; hostile files could name more */
#define STOP_EXTRA_MS 5000

struct known {
    uint32_t pid;
    struct tt_process *process; /* a reference */
    UT_hash_handle hh;
};

#define CODES_MAX 65536 /* as many as a recorder numbers */

struct tt_replay {
    const struct tt_options *options;
    struct tt_recording_reader *reader;
    struct tt_recording_meta meta;
    struct tt_pipeline *pipeline;
    struct tt_publisher *publisher; /* of metrics; NULL: none are asked for */
    struct tt_page *page;           /* NULL: none is served */
    uint64_t told;                  /* when it was told what was counted, by the recording's time */
    struct tt_replay_stats stats;
    double speed;
    uint64_t wall; /* CLOCK_MONOTONIC of the first event's replay */
    /* the world */
    struct known *pids, *recent;
    const struct tt_row *rows[TT_MAX_POINTS];
    struct tt_row *made[TT_MAX_POINTS]; /* of these, the recording's own */
    bool defined[TT_MAX_POINTS];
    struct tt_recorded_code *codes; /* by number - 1; CODES_MAX of them, or NULL */
    struct tt_recorded_code unnumbered;
    const struct tt_recorded_code *code; /* of the next event, or NULL */
    int64_t offset;
    struct tt_tree *tree;
    uint64_t now;   /* latest time seen */
    unsigned pass;  /* 0: the first */
    uint64_t shift; /* added to the times of a later one */
    bool flushed;
};

/* ---- the world as the file tells it ---- */

static struct known *find_known(struct tt_replay *replay, uint32_t pid)
{
    struct known *k = replay->recent;

    if (k && k->pid == pid)
        return k;
    HASH_FIND(hh, replay->pids, &pid, sizeof(pid), k);
    if (k)
        replay->recent = k;
    return k;
}

static struct tt_process *find_process(void *context, uint32_t pid, uint64_t time)
{
    const struct known *k = find_known(context, pid);

    return k ? tt_process_get(k->process) : NULL;
}

static const struct tt_row *row_of(void *context, uint32_t point)
{
    const struct tt_replay *replay = context;

    return point < TT_MAX_POINTS ? replay->rows[point] : NULL;
}

static int64_t unix_offset(void *context, uint64_t now)
{
    return ((struct tt_replay *)context)->offset;
}

/* What the live pipeline was told of the event at hand: a method that is the user's, a caller. */
static bool find_code(void *context, struct tt_span *span)
{
    const struct tt_replay *replay = context;
    const struct tt_recorded_code *code = replay->code;

    if (!code || !code->name)
        return false;
    span->code.name = tt_arena_copy(&span->arena, code->name, strlen(code->name));
    span->code.file = tt_arena_copy(&span->arena, code->file, strlen(code->file));
    span->code.line = code->line;
    return span->code.name && span->code.file;
}

static bool is_shown(void *context, uint32_t root_tgid)
{
    const struct tt_replay *replay = context;

    return !replay->meta.tree || replay->options->all || tt_tree_has(replay->tree, root_tgid);
}

static void remove_known(struct tt_replay *replay, struct known *k)
{
    if (replay->recent == k)
        replay->recent = NULL;
    HASH_DEL(replay->pids, k);
    tt_process_put(&k->process);
    free(k);
}

/* Takes the reference over. */
static bool set_process(struct tt_replay *replay, struct tt_process *process)
{
    uint32_t pid = (uint32_t)process->pid;
    struct known *k = find_known(replay, pid);

    if (!k) {
        if (HASH_COUNT(replay->pids) >= PIDS_MAX)
            remove_known(replay, replay->pids); /* the oldest */
        k = calloc(1, sizeof(*k));
        if (!k) {
            tt_process_put(&process);
            return false;
        }
        k->pid = pid;
        HASH_ADD(hh, replay->pids, pid, sizeof(k->pid), k);
    }
    tt_process_put(&k->process);
    k->process = process;
    return true;
}

/* ---- speed ---- */

/* Early enough, and no more often than the running agent reads the ring buffer: a sleep for each event would
 * cost more than the event. */
#define EARLY_NS 10000000u

static void wait_for(const struct tt_replay *replay, uint64_t time)
{
    uint64_t due = replay->wall + (uint64_t)((double)(time - replay->stats.first) / replay->speed);
    struct timespec t = {.tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u)};

    if (due > tt_now_ns() + EARLY_NS)
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t,
                        NULL); /* a signal ends it: then `stop` is looked at */
}

static void pass_time(struct tt_replay *replay, uint64_t time)
{
    struct timespec t;

    if (!replay->stats.first) {
        clock_gettime(CLOCK_MONOTONIC, &t);
        replay->wall = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
        replay->stats.first = time;
    }
    /* Times are the file's to say: not everything may be waited for. */
    if (replay->speed > 0 && time > replay->now && time - replay->now < 86400ull * 1000000000u)
        wait_for(replay, time);
    if (time > replay->now)
        replay->now = time;
}

/* ---- records ---- */

static bool take_event(struct tt_replay *replay, const struct tt_record *record)
{
    struct tt_event *event = (struct tt_event *)record->data; /* the reader's memory, until the next one */

    replay->stats.events++;
    if (record->size >= sizeof(*event)) {
        bool function = event->type == TT_EVENT_ENTER || event->type == TT_EVENT_EXIT;

        event->time += replay->shift;
        pass_time(replay, event->time);
        replay->stats.last = replay->now;
        if (function && event->point < TT_MAX_POINTS && replay->defined[event->point] &&
            !replay->rows[event->point]) {
            replay->stats.unknown_events++;
            tt_assembler_skip(replay->pipeline->assembler, record->data, record->size);
            replay->code = NULL;
            return true;
        }
    }
    tt_pipeline_event(replay->pipeline, record->data, record->size);
    replay->code = NULL;
    return true;
}

static void free_code(struct tt_recorded_code *code)
{
    free(code->name);
    free(code->file);
    code->name = code->file = NULL;
}

static bool take_code(struct tt_replay *replay, const struct tt_record *record)
{
    struct tt_recorded_code code, *place = &replay->unnumbered;

    if (tt_recording_get_code(record->data, record->size, &code))
        return false;
    if (code.number && !replay->codes)
        replay->codes = calloc(CODES_MAX, sizeof(*replay->codes));
    if (code.number > CODES_MAX || (code.number && !replay->codes)) {
        free_code(&code);
        return false;
    }
    if (code.number)
        place = &replay->codes[code.number - 1];
    if (code.name) {
        free_code(place);
        *place = code;
    }
    replay->code = place;
    return true;
}

static bool read_number(const struct tt_record *record, void *value, size_t size)
{
    if (record->size < size)
        return false;
    memcpy(value, record->data, size);
    return true;
}

#define TELL_NS 100000000u

/* As the running agent does, more often: recordings are short. */
static void tell_page(struct tt_replay *replay, bool last)
{
    struct tt_usage_copy *copy;

    if (!replay->page || (!last && replay->now - replay->told < TELL_NS))
        return;
    replay->told = replay->now;
    copy = tt_usage_copy(replay->pipeline->usage, replay->now + (uint64_t)replay->offset);
    if (copy)
        tt_page_usage(replay->page, copy);
    tt_usage_copy_free(&copy);
}

static bool take_tick(struct tt_replay *replay, const struct tt_record *record)
{
    uint64_t now;

    if (!read_number(record, &now, sizeof(now)))
        return false;
    now += replay->shift;
    if (replay->stats.first)
        pass_time(replay, now);
    tt_pipeline_tick(replay->pipeline, now);
    tell_page(replay, false);
    return true;
}

static bool take_clock(struct tt_replay *replay, const struct tt_record *record)
{
    struct {
        uint64_t time;
        int64_t offset;
    } clock;

    if (!read_number(record, &clock, sizeof(clock)))
        return false;
    replay->offset = clock.offset;
    return true;
}

static bool take_point(struct tt_replay *replay, const struct tt_record *record)
{
    const struct tt_row *row;
    struct tt_row *made;
    uint32_t point;

    if (tt_recording_get_point(record->data, record->size, &point, &row, &made))
        return false;
    if (replay->pass) { /* the same as before */
        free(made);
        return true;
    }
    if (replay->made[point]) { /* defined twice; spans of the first may be open */
        free(made);
        return false;
    }
    replay->made[point] = made;
    replay->stats.unknown_rows += !row;
    replay->defined[point] = true;
    replay->rows[point] = row;
    return true;
}

static bool take_process(struct tt_replay *replay, const struct tt_record *record)
{
    struct tt_process *process = tt_recording_get_process(record->data, record->size);

    return process && set_process(replay, process);
}

static bool take_gone(struct tt_replay *replay, const struct tt_record *record)
{
    struct known *k;
    uint32_t pid;

    if (!read_number(record, &pid, sizeof(pid)))
        return false;
    k = find_known(replay, pid);
    if (k)
        remove_known(replay, k);
    return true;
}

static bool take_forget(struct tt_replay *replay, const struct tt_record *record)
{
    uint32_t pid;

    if (!read_number(record, &pid, sizeof(pid)))
        return false;
    tt_pipeline_forget(replay->pipeline, pid);
    return true;
}

static bool take_shown(struct tt_replay *replay, const struct tt_record *record)
{
    uint32_t pid;

    if (!read_number(record, &pid, sizeof(pid)))
        return false;
    tt_tree_add(replay->tree, pid);
    return true;
}

static bool take_dropped(struct tt_replay *replay, const struct tt_record *record)
{
    uint64_t count;

    if (!read_number(record, &count, sizeof(count)))
        return false;
    replay->stats.dropped += count;
    return true;
}

static bool take_counters(struct tt_replay *replay, const struct tt_record *record)
{
    size_t size = sizeof(replay->stats.counters);

    memcpy(replay->stats.counters, record->data, record->size < size ? record->size & ~(size_t)7 : size);
    return true;
}

static bool take_flush(struct tt_replay *replay, const struct tt_record *record)
{
    uint64_t now;

    if (!read_number(record, &now, sizeof(now)))
        return false;
    if (replay->pass + 1 < replay->options->repeat)
        return true;
    tt_pipeline_flush(replay->pipeline, now + replay->shift);
    replay->flushed = true;
    return true;
}

static bool take_nothing(struct tt_replay *replay, const struct tt_record *record)
{
    return true;
}

static void take(struct tt_replay *replay, const struct tt_record *record)
{
    static bool (*const takers[])(struct tt_replay *, const struct tt_record *) = {
        [TT_RECORD_META] = take_nothing,      [TT_RECORD_EVENT] = take_event,
        [TT_RECORD_TICK] = take_tick,         [TT_RECORD_CLOCK] = take_clock,
        [TT_RECORD_POINT] = take_point,       [TT_RECORD_PROCESS] = take_process,
        [TT_RECORD_GONE] = take_gone,         [TT_RECORD_FORGET] = take_forget,
        [TT_RECORD_SHOWN] = take_shown,       [TT_RECORD_DROPPED] = take_dropped,
        [TT_RECORD_COUNTERS] = take_counters, [TT_RECORD_FLUSH] = take_flush,
        [TT_RECORD_END] = take_nothing,       [TT_RECORD_CODE] = take_code,
    };

    replay->stats.records++;
    if ((size_t)record->type >= TT_ARRAY_SIZE(takers) || !takers[record->type])
        replay->stats.unknown_records++;
    else if (!takers[record->type](replay, record))
        replay->stats.bad_records++;
}

/* ---- life ---- */

static int read_meta(struct tt_replay *replay)
{
    const struct tt_recording_meta *meta = &replay->meta;
    struct tt_record record;

    if (!tt_recording_next(replay->reader, &record) || record.type != TT_RECORD_META)
        return tt_err(-EINVAL,
                      "the recording does not say what it is: its first record is missing or damaged");
    if (tt_recording_get_meta(record.data, record.size, &replay->meta))
        return -ENOMEM;
    if (meta->events != TT_RECORDING_EVENTS || meta->event_size != sizeof(struct tt_event) ||
        meta->key_size != sizeof(struct tt_key) || meta->exception_size != sizeof(struct tt_exception))
        return tt_err(-EINVAL,
                      "the recording holds events of another kind (%" PRIu64
                      ", by tangotrace %s); this one is %s and reads kind %d",
                      meta->events, meta->version ? meta->version : "of unknown version", TT_VERSION,
                      TT_RECORDING_EVENTS);
    replay->stats.records++;
    replay->offset = meta->unix_offset;
    return 0;
}

static int make_pipeline(struct tt_replay *replay)
{
    uint64_t seed = replay->meta.seed ? replay->meta.seed : 1; /* 0 would be a random one */
    const struct tt_options *o = replay->options;
    const struct tt_recording_meta *meta = &replay->meta;
    const struct tt_pipeline_config config = {
        .world = {.row = row_of,
                  .process = find_process,
                  .unix_offset = unix_offset,
                  .shown = is_shown,
                  .method = find_code,
                  .caller = find_code,
                  .context = replay},
        .options = o,
        .enrich = {.host_name = meta->host_name ? meta->host_name : "unknown",
                   .host_arch = meta->host_arch ? meta->host_arch : "",
                   .command_lines = meta->command_lines,
                   .resource_attributes = tt_options_given(o, "resource-attributes")
                                              ? o->resource_attributes
                                              : meta->resource_attributes},
        .join_wait_ns = tt_options_given(o, "join-wait") ? (uint64_t)o->join_wait * 1000000u
                                                         : meta->join_wait_ns,
        .seed = seed + replay->pass,
        .rules = !meta->default_in,
        .batch_by_count = replay->speed <= 0,
        .whole = true,
        .wait_for_exporters = true,
        .enrich_always = true,
        .usage = o->serve,
    };

    return replay->pass ? tt_pipeline_restart(replay->pipeline, &config, replay->now)
                        : tt_pipeline_new(&config, &replay->pipeline);
}

static struct tt_snapshot *take_snapshot(void *context)
{
    struct tt_replay *replay = context;
    struct tt_snapshot *snapshot = tt_pipeline_snapshot(replay->pipeline, 0);

    if (snapshot)
        tt_pipeline_measure_exporters(replay->pipeline, snapshot);
    return snapshot;
}

static int make_page(struct tt_replay *replay)
{
    struct tt_page_setup *setup = NULL;
    int error = tt_page_new(true, &replay->page);

    if (!error)
        error = tt_page_prepare(replay->page, replay->options, replay->options->arguments[0], &setup);
    if (error)
        return error;
    tt_page_configure(replay->page, setup);
    tt_page_tend(replay->page);
    replay->pipeline->page = tt_page_exporter(replay->page);
    return 0;
}

int tt_replay_new(const struct tt_options *options, struct tt_recording_reader *reader, double speed,
                  struct tt_replay **replay)
{
    struct tt_replay *made = calloc(1, sizeof(*made));
    struct tt_publisher_ops publish = {.take = take_snapshot};
    int error = -ENOMEM;

    if (!made) {
        tt_recording_reader_free(&reader);
        return -ENOMEM;
    }
    made->options = options;
    made->reader = reader;
    made->speed = speed;
    made->tree = tt_tree_new();
    if (made->tree)
        error = read_meta(made);
    if (!error)
        error = make_pipeline(made);
    if (!error && options->serve)
        error = make_page(made);
    publish.context = made;
    if (!error)
        error = tt_publisher_new(options, &publish, false, &made->publisher);
    if (error) {
        tt_replay_free(&made);
        return error;
    }
    *replay = made;
    return 0;
}

#define PAUSE_NS 1000000000u /* between two passes */

int tt_replay_again(struct tt_replay *replay, struct tt_recording_reader *reader)
{
    struct tt_record record;

    tt_recording_reader_free(&replay->reader);
    replay->reader = reader;
    replay->pass++;
    replay->shift = replay->now + PAUSE_NS - replay->stats.first;
    if (!tt_recording_next(reader, &record) || record.type != TT_RECORD_META)
        return tt_err(-EINVAL, "the recording is another one than before");
    return make_pipeline(replay);
}

void tt_replay_run(struct tt_replay *replay, const volatile bool *stop)
{
    struct tt_record record;

    while (!*stop && tt_recording_next(replay->reader, &record))
        take(replay, &record);
    if (!replay->flushed && (*stop || replay->pass + 1 >= replay->options->repeat))
        tt_pipeline_flush(replay->pipeline, replay->now);
    tell_page(replay, true);
    replay->stats.damage = tt_recording_damage(replay->reader, &replay->stats.rest);
    replay->stats.bytes = tt_recording_bytes(replay->reader);
}

void tt_replay_stop(struct tt_replay *replay)
{
    const struct tt_otlp_options *of = replay->options->otlp_of;
    unsigned spans = of[TT_OTLP_TRACES].timeout, logs = of[TT_OTLP_LOGS].timeout;

    tt_publisher_finish(replay->publisher);
    tt_pipeline_stop(replay->pipeline, (spans > logs ? spans : logs) + STOP_EXTRA_MS);
}

const char *tt_replay_page(const struct tt_replay *replay)
{
    return replay->page ? tt_page_url(replay->page) : NULL;
}

bool tt_replay_is_served(struct tt_replay *replay)
{
    return replay->page && !tt_page_is_gone(replay->page);
}

uint64_t tt_replay_report(struct tt_replay *replay)
{
    const struct tt_replay_stats *s = &replay->stats;
    uint64_t ring = 0;

    for (int i = 1; i < TT_EVENT_TYPES; i++)
        ring += s->counters[TT_COUNTER_DROPS + i];
    const struct tt_loss losses[] = {
        {"ring buffer full", ring},
        {"no thread storage", s->counters[TT_COUNTER_NO_THREAD]},
        {"no point", s->counters[TT_COUNTER_NO_POINT]},
        {"not recorded", s->dropped},
        {"records without sense", s->bad_records},
        {"of unknown functions", s->unknown_events},
        {0},
    };

    if (s->damage)
        tt_warn("the recording is %s: %" PRIu64 " bytes before it are used, %" PRIu64 " are not", s->damage,
                s->bytes, s->rest);
    if (s->unknown_rows)
        tt_warn("%" PRIu64 " probed functions of the recording are not in this version's catalogue: %" PRIu64
                " events left out",
                s->unknown_rows, s->unknown_events);
    if (s->unknown_records)
        tt_warn("%" PRIu64 " records are of a newer version, and left out", s->unknown_records);
    return tt_pipeline_report(replay->pipeline, s->events, losses);
}

const struct tt_replay_stats *tt_replay_stats(const struct tt_replay *replay)
{
    return &replay->stats;
}

const struct tt_pipeline *tt_replay_pipeline(const struct tt_replay *replay)
{
    return replay->pipeline;
}

void tt_replay_free(struct tt_replay **replay)
{
    struct tt_replay *r = TAKE_PTR(*replay);
    struct known *k, *next;

    if (!r)
        return;
    tt_publisher_free(&r->publisher);
    tt_pipeline_free(&r->pipeline);
    tt_page_free(&r->page);
    HASH_ITER(hh, r->pids, k, next)
    remove_known(r, k);
    for (size_t i = 0; r->codes && i < CODES_MAX; i++)
        free_code(&r->codes[i]);
    free(r->codes);
    free_code(&r->unnumbered);
    for (size_t i = 0; i < TT_MAX_POINTS; i++)
        free(r->made[i]);
    tt_tree_free(&r->tree);
    tt_recording_meta_free(&r->meta);
    tt_recording_reader_free(&r->reader);
    free(r);
}
