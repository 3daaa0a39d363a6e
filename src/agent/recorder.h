/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * recorder.h: what the agent writes into a recording so that the events can be read elsewhere and later, and
 * how it is read back: of processes what the pipeline was told of them, of points the catalogue row by name,
 * of clocks the offset. What the pipeline learns while it handles an event stands before that event, so that
 * a replay learns the same at the same time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "catalogue/catalogue.h"
#include "assemble/span.h"
#include "collect/recording.h"
#include "discover/process.h"
#include "tangotrace/event.h"

/* ---- the fields of records, shared with replay ---- */

/* What a recording says of its host and agent. */
struct tt_recording_meta {
    char *version;   /* of the agent that wrote it; owned, as the other texts */
    uint64_t events; /* TT_RECORDING_EVENTS */
    uint64_t event_size, key_size, exception_size;
    char *host_name, *host_arch, *resource_attributes;
    bool command_lines; /* privacy: whole command lines are in it (secrets masked) */
    bool default_in;    /* processes of which nothing is known were traced */
    bool tree;          /* strace mode: only traces of TT_RECORD_SHOWN were shown */
    uint64_t seed, join_wait_ns;
    uint64_t time;       /* CLOCK_MONOTONIC ns at the start .. */
    int64_t unix_offset; /* .. and what makes unix time of it */
};

void tt_recording_put_meta(struct tt_text *out, const struct tt_recording_meta *meta);
/* 0 or -ENOMEM; unknown fields are left alone. */
int tt_recording_get_meta(const void *data, size_t size, struct tt_recording_meta *meta);
void tt_recording_meta_free(struct tt_recording_meta *meta);

/* Only the first word of the command line unless `command_lines`, and then secrets masked. */
void tt_recording_put_process(struct tt_text *out, const struct tt_process *process, bool command_lines);
/* A process with one reference; NULL: it has no pid, or out of memory. */
struct tt_process *tt_recording_get_process(const void *data, size_t size);

void tt_recording_put_point(struct tt_text *out, uint32_t point, const struct tt_row *row);
/* 0: *point and *row, NULL where this catalogue has no such row; -EINVAL. A method that it does not have is a
 * row of the recording's own: then it is *made, too, the caller's (free). */
int tt_recording_get_point(const void *data, size_t size, uint32_t *point, const struct tt_row **row,
                           struct tt_row **made);

/* A place in a program's source. The first time with its number and all else, then with the number alone. */
void tt_recording_put_code(struct tt_text *out, uint64_t number, const struct tt_span_code *code);
struct tt_recorded_code {
    uint64_t number;   /* 0: of no other record */
    char *name, *file; /* owned; name NULL: only the number was given */
    unsigned line;
};
/* 0, -EINVAL or -ENOMEM. */
int tt_recording_get_code(const void *data, size_t size, struct tt_recorded_code *code);

/* ---- recording; all of it on the collecting thread but create, stats and finish ---- */

struct tt_recorder;

/* Creates the file and writes the meta record. 0 or negative errno (logged). */
int tt_recorder_new(const char *path, const struct tt_recording_meta *meta, struct tt_recorder **recorder);

/* What the pipeline is told. */
void tt_recorder_process(struct tt_recorder *recorder, uint32_t pid, struct tt_process *process);
void tt_recorder_clock(struct tt_recorder *recorder, uint64_t now, int64_t offset);
void tt_recorder_shown(struct tt_recorder *recorder, uint32_t pid);
void tt_recorder_code(struct tt_recorder *recorder, const struct tt_span_code *code);

/* True: the process of the event has not been asked for in this round; ask before the event is handled. */
bool tt_recorder_wants_process(struct tt_recorder *recorder, uint32_t pid);

/* What the pipeline has handled. `row` is that of the event's point, or NULL. */
void tt_recorder_event(struct tt_recorder *recorder, const void *data, size_t size, const struct tt_row *row);
void tt_recorder_tick(struct tt_recorder *recorder, uint64_t now);
void tt_recorder_forget(struct tt_recorder *recorder, uint32_t pid);

/* Is a tick due? Rounds without events need no more than ten a second. */
bool tt_recorder_wants_tick(const struct tt_recorder *recorder, uint64_t now);

/* After the pipeline's flush at `now`: the kernel's counters, the end. */
void tt_recorder_finish(struct tt_recorder *recorder, uint64_t now, const uint64_t counters[TT_COUNTERS]);
void tt_recorder_stats(struct tt_recorder *recorder, struct tt_recording_stats *stats);
/* Says what became of the file. True: it is whole. */
bool tt_recorder_report(struct tt_recorder *recorder);
void tt_recorder_free(struct tt_recorder **recorder);
