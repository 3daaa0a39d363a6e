/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "base/log.h"

#define TICK_NS  100000000u
#define PIDS_MAX 65536 /* remembered; beyond: all forgotten, and written again when asked for */
#define CLOSE_MS 5000

/* What the recording says of a pid. */
struct known {
    uint32_t pid;
    bool told, shown;
    struct tt_process *process; /* a reference, so that the address is its own; NULL: nothing is known */
    uint64_t round;             /* in which it was asked for last */
    UT_hash_handle hh;
};

#define CODES_MAX 65536 /* places in source with a number; further ones are written out each time */

struct code {
    UT_hash_handle hh;
    uint64_t number;
    struct tt_text key;
};

struct tt_recorder {
    struct tt_recording_writer *writer;
    char *path;
    bool command_lines;
    struct known *pids, *recent;
    uint64_t round;
    uint64_t ticked; /* last tick written */
    bool busy;       /* something was written since */
    int64_t offset;
    bool has_offset;
    bool points[TT_MAX_POINTS];
    struct code *codes;
    struct tt_text text; /* of the record in the making */
    int result;          /* of closing */
    bool closed;
};

static bool put(struct tt_recorder *recorder, enum tt_record_type type, const void *data, size_t size)
{
    recorder->busy = true;
    return tt_recording_put(recorder->writer, type, data, size);
}

/* The text is used up. */
static bool put_text(struct tt_recorder *recorder, enum tt_record_type type)
{
    bool done = !recorder->text.failed && put(recorder, type, recorder->text.data, recorder->text.size);

    recorder->text.failed = false;
    recorder->text.size = 0;
    return done;
}

int tt_recorder_new(const char *path, const struct tt_recording_meta *meta, struct tt_recorder **recorder)
{
    struct tt_recorder *made = calloc(1, sizeof(*made));
    _cleanup_free_ char *why = NULL;
    int error = -ENOMEM;

    if (!made)
        return -ENOMEM;
    made->command_lines = meta->command_lines;
    made->path = strdup(path);
    if (made->path)
        error = tt_recording_create(path, 0, &made->writer, &why);
    if (error) {
        tt_recorder_free(&made);
        return tt_err(error, "cannot record: %s", why ? why : strerror(-error));
    }
    tt_recording_put_meta(&made->text, meta);
    put_text(made, TT_RECORD_META);
    *recorder = made;
    return 0;
}

/* ---- pids ---- */

static void forget_all(struct tt_recorder *recorder)
{
    struct known *k, *next;

    recorder->recent = NULL;
    HASH_ITER(hh, recorder->pids, k, next)
    {
        HASH_DEL(recorder->pids, k);
        tt_process_put(&k->process);
        free(k);
    }
}

/* The entry of a pid, made if needed; NULL when out of memory. */
static struct known *entry(struct tt_recorder *recorder, uint32_t pid)
{
    struct known *k = recorder->recent;

    if (k && k->pid == pid)
        return k;
    HASH_FIND(hh, recorder->pids, &pid, sizeof(pid), k);
    if (!k) {
        if (HASH_COUNT(recorder->pids) >= PIDS_MAX)
            forget_all(recorder);
        k = calloc(1, sizeof(*k));
        if (!k)
            return NULL;
        k->pid = pid;
        HASH_ADD(hh, recorder->pids, pid, sizeof(k->pid), k);
    }
    recorder->recent = k;
    return k;
}

bool tt_recorder_wants_process(struct tt_recorder *recorder, uint32_t pid)
{
    const struct known *k = entry(recorder, pid);

    return k && k->round != recorder->round + 1;
}

void tt_recorder_process(struct tt_recorder *recorder, uint32_t pid, struct tt_process *process)
{
    struct known *k = entry(recorder, pid);
    bool done = true;

    if (!k)
        return;
    k->round = recorder->round + 1;
    if (k->told && k->process == process)
        return;
    if (process) {
        tt_recording_put_process(&recorder->text, process, recorder->command_lines);
        done = put_text(recorder, TT_RECORD_PROCESS);
    } else if (k->told) {
        done = put(recorder, TT_RECORD_GONE, &pid, sizeof(pid));
    }
    if (!done) /* no room: again when asked for next */
        return;
    tt_process_put(&k->process);
    k->process = process ? tt_process_get(process) : NULL;
    k->told = true;
}

void tt_recorder_shown(struct tt_recorder *recorder, uint32_t pid)
{
    struct known *k = entry(recorder, pid);

    if (k && !k->shown)
        k->shown = put(recorder, TT_RECORD_SHOWN, &pid, sizeof(pid));
}

/* ---- code ---- */

static void free_codes(struct tt_recorder *recorder)
{
    struct code *c, *next;

    HASH_ITER(hh, recorder->codes, c, next)
    {
        HASH_DEL(recorder->codes, c);
        tt_text_free(&c->key);
        free(c);
    }
}

/* The entry of the place, *known: it is in the file. NULL: none, and no room. */
static struct code *code_entry(struct tt_recorder *recorder, const struct tt_span_code *code, bool *known)
{
    struct code *made = calloc(1, sizeof(*made)), *found = NULL;

    *known = false;
    if (!made)
        return NULL;
    tt_text_printf(&made->key, "%u %s %s", code->line, code->name, code->file);
    if (!made->key.failed)
        HASH_FIND(hh, recorder->codes, made->key.data, made->key.size, found);
    *known = found != NULL;
    if (found || made->key.failed || HASH_COUNT(recorder->codes) >= CODES_MAX) {
        tt_text_free(&made->key);
        free(made);
        return found;
    }
    made->number = HASH_COUNT(recorder->codes) + 1u;
    HASH_ADD_KEYPTR(hh, recorder->codes, made->key.data, made->key.size, made);
    return made;
}

void tt_recorder_code(struct tt_recorder *recorder, const struct tt_span_code *code)
{
    bool known;
    struct code *entry = code_entry(recorder, code, &known);

    tt_recording_put_code(&recorder->text, entry ? entry->number : 0, known ? NULL : code);
    if (put_text(recorder, TT_RECORD_CODE) || known || !entry)
        return;
    HASH_DEL(recorder->codes, entry); /* no room: again the next time */
    tt_text_free(&entry->key);
    free(entry);
}

/* ---- the rest ---- */

void tt_recorder_clock(struct tt_recorder *recorder, uint64_t now, int64_t offset)
{
    const struct {
        uint64_t now;
        int64_t offset;
    } clock = {now, offset};

    if (recorder->has_offset && recorder->offset == offset)
        return;
    recorder->has_offset = put(recorder, TT_RECORD_CLOCK, &clock, sizeof(clock));
    recorder->offset = offset;
}

void tt_recorder_event(struct tt_recorder *recorder, const void *data, size_t size, const struct tt_row *row)
{
    struct tt_event event;

    if (size > TT_EVENT_MAX)
        size = TT_EVENT_MAX;
    if (size >= sizeof(event) && row) {
        memcpy(&event, data, sizeof(event));
        if (event.point < TT_MAX_POINTS && !recorder->points[event.point]) {
            tt_recording_put_point(&recorder->text, event.point, row);
            recorder->points[event.point] = put_text(recorder, TT_RECORD_POINT);
        }
    }
    put(recorder, TT_RECORD_EVENT, data, size);
}

bool tt_recorder_wants_tick(const struct tt_recorder *recorder, uint64_t now)
{
    return recorder->busy || now - recorder->ticked >= TICK_NS;
}

void tt_recorder_tick(struct tt_recorder *recorder, uint64_t now)
{
    put(recorder, TT_RECORD_TICK, &now, sizeof(now));
    recorder->ticked = now;
    recorder->busy = false;
    recorder->round++;
}

void tt_recorder_forget(struct tt_recorder *recorder, uint32_t pid)
{
    struct known *k = entry(recorder, pid);

    if (k)
        k->round = 0; /* it may be another program: asked for at its next event */
    put(recorder, TT_RECORD_FORGET, &pid, sizeof(pid));
}

void tt_recorder_finish(struct tt_recorder *recorder, uint64_t now, const uint64_t counters[TT_COUNTERS])
{
    put(recorder, TT_RECORD_FLUSH, &now, sizeof(now));
    put(recorder, TT_RECORD_COUNTERS, counters, TT_COUNTERS * sizeof(*counters));
    put(recorder, TT_RECORD_END, "", 0);
    recorder->result = tt_recording_close(recorder->writer, CLOSE_MS);
    recorder->closed = true;
}

void tt_recorder_stats(struct tt_recorder *recorder, struct tt_recording_stats *stats)
{
    tt_recording_writer_stats(recorder->writer, stats);
}

bool tt_recorder_report(struct tt_recorder *recorder)
{
    struct tt_recording_stats stats;

    tt_recorder_stats(recorder, &stats);
    if (!recorder->closed)
        return false;
    if (recorder->result)
        tt_error("%s is not whole: %s", recorder->path, strerror(-recorder->result));
    if (stats.dropped)
        tt_warn("%s: %" PRIu64 " records were dropped, the disk was too slow", recorder->path, stats.dropped);
    tt_info("recorded %" PRIu64 " events, %" PRIu64 " bytes into %s", stats.events, stats.bytes,
            recorder->path);
    return !recorder->result;
}

void tt_recorder_free(struct tt_recorder **recorder)
{
    struct tt_recorder *r = TAKE_PTR(*recorder);

    if (!r)
        return;
    tt_recording_writer_free(&r->writer);
    forget_all(r);
    free_codes(r);
    tt_text_free(&r->text);
    free(r->path);
    free(r);
}
