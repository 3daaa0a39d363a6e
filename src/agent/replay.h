/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * replay.h: a recording through the same pipeline as live events: its world answers from the file's records,
 * time is the recording's. Needs no rights. Two replays with the same options write the same.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/pipeline.h"
#include "collect/recording.h"

struct tt_options;
struct tt_replay;

struct tt_replay_stats {
    uint64_t records, events;       /* read */
    uint64_t unknown_records;       /* of a type that this version does not know */
    uint64_t unknown_rows;          /* points whose function is not in this catalogue .. */
    uint64_t unknown_events;        /* .. and their events, left out */
    uint64_t bad_records;           /* known, but without sense */
    uint64_t dropped;               /* while it was recorded: the disk was too slow */
    uint64_t bytes;                 /* of the file, used */
    uint64_t rest;                  /* bytes behind the damage */
    const char *damage;             /* or NULL: the file is whole; lives as long as the replay */
    uint64_t counters[TT_COUNTERS]; /* of the kernel when it was recorded; 0 where the end is missing */
    uint64_t first, last;           /* times of events, CLOCK_MONOTONIC ns */
};

/* Takes the reader over. 0; -EINVAL and others (logged). `speed` 0: as fast as it goes, 1: as it was. */
int tt_replay_new(const struct tt_options *options, struct tt_recording_reader *reader, double speed,
                  struct tt_replay **replay);
/* Once it was fed to the end: the same recording once more (the reader is taken over), with ids of its own
 * and later times; for `options->repeat` times in all. 0, or -EINVAL and others (logged). */
int tt_replay_again(struct tt_replay *replay, struct tt_recording_reader *reader);
/* Feeds all records; *stop (may be set by a signal handler) ends it early. */
void tt_replay_run(struct tt_replay *replay, const volatile bool *stop);
/* Where the page is, or NULL; and: it is there still. */
const char *tt_replay_page(const struct tt_replay *replay);
bool tt_replay_is_served(struct tt_replay *replay);
/* Sends what is left. */
void tt_replay_stop(struct tt_replay *replay);
/* Says what is wrong with the file, and the last line. Returns the number of lost items. */
uint64_t tt_replay_report(struct tt_replay *replay);
const struct tt_replay_stats *tt_replay_stats(const struct tt_replay *replay);
const struct tt_pipeline *tt_replay_pipeline(const struct tt_replay *replay);
void tt_replay_free(struct tt_replay **replay);
