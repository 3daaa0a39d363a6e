/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * recording.h: the file of `tangotrace record`: its format (described in docs/recording.md), how it is
 * written and read. Knows records as bytes; what they mean to the agent is agent/recorder.h's and
 * agent/replay.h's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tags.h"

#define TT_RECORDING_MAGIC   "TTRECORD"
#define TT_RECORDING_VERSION 1
/* Raise it when event.h changes so that old events would be read wrongly; new types and fields at the end of
 * an enumeration do not. */
#define TT_RECORDING_EVENTS 1

#define TT_RECORD_MAX (256u << 10) /* bytes of one record's payload */

/* All numbers are little-endian. */
struct tt_recording_header {
    char magic[8];
    uint32_t version;
    uint32_t size; /* of this header: the first record follows */
    uint32_t pad;
    uint32_t crc; /* of the bytes before it */
};

/* Payloads are padded to a multiple of 8 bytes, so that events can be read where they are. */
struct tt_record_header {
    uint32_t size; /* of the payload, without padding */
    uint16_t type; /* enum tt_record_type */
    uint16_t pad;
    uint32_t number; /* of the record, from 1 */
    uint32_t crc;    /* of size, type, pad, number and the payload */
};

enum tt_record_type {
    TT_RECORD_META = 1, /* fields: of the host and the agent; always the first */
    TT_RECORD_EVENT,    /* struct tt_event as it came from the ring buffer */
    TT_RECORD_TICK,     /* u64 time */
    TT_RECORD_CLOCK,    /* u64 time, i64 unix time - CLOCK_MONOTONIC: holds from here on */
    TT_RECORD_POINT,    /* fields: catalogue row of a point index */
    TT_RECORD_PROCESS,  /* fields: what is known of a pid from here on */
    TT_RECORD_GONE,     /* u32 pid: nothing is known of it from here on */
    TT_RECORD_FORGET,   /* u32 pid: its frames are void */
    TT_RECORD_SHOWN,    /* u32 pid: traces rooted there are shown (strace mode) */
    TT_RECORD_DROPPED,  /* u64 records that did not fit into the writer's buffer here */
    TT_RECORD_COUNTERS, /* u64 per enum tt_counter */
    TT_RECORD_FLUSH,    /* u64 time: the agent stopped */
    TT_RECORD_END,      /* the file is whole */
    TT_RECORD_CODE,     /* fields: the code that the next event is about */
};

/* ---- writing: one thread puts records into a bounded buffer, a thread of the writer's own writes it ---- */

struct tt_recording_writer;

struct tt_recording_stats {
    uint64_t records, events, bytes; /* put into the buffer */
    uint64_t dropped;                /* records that found no room, or came after a failure */
    int error; /* negative errno of the write that failed; nothing is written after it */
};

/* Creates the file, or replaces a recording; `buffer` bytes (0: 16 MiB). A file that is something else is
 * refused: -EEXIST. *error (caller frees) says why. */
int tt_recording_create(const char *path, size_t buffer, struct tt_recording_writer **writer, char **error);

/* Never waits. False: no room, counted. Records other than events may use the last quarter MiB, too: without
 * them the others cannot be read. */
bool tt_recording_put(struct tt_recording_writer *writer, enum tt_record_type type, const void *data,
                      size_t size);
/* From any thread. */
void tt_recording_writer_stats(struct tt_recording_writer *writer, struct tt_recording_stats *stats);
/* Writes the rest, for at most `wait_ms`, and closes the file. 0 or the negative errno of the first failure
 * (-ETIMEDOUT: the disk was too slow). */
int tt_recording_close(struct tt_recording_writer *writer, unsigned wait_ms);
void tt_recording_writer_free(struct tt_recording_writer **writer);

/* ---- reading: every byte is untrusted ---- */

struct tt_recording_reader;

struct tt_record {
    enum tt_record_type type; /* may be one that is not known */
    const void *data;         /* aligned to 8; valid until the next call */
    size_t size;
};

/* `path`; "-" is standard input. 0, or -EINVAL and others with *error (caller frees). */
int tt_recording_open(const char *path, struct tt_recording_reader **reader, char **error);
/* The same for an open descriptor, which is taken over. */
int tt_recording_open_fd(int fd, const char *name, struct tt_recording_reader **reader, char **error);
/* False at the end or at the first damage. */
bool tt_recording_next(struct tt_recording_reader *reader, struct tt_record *record);
/* After the last: what is wrong with the file, or NULL; *rest = bytes that could not be used. */
const char *tt_recording_damage(struct tt_recording_reader *reader, uint64_t *rest);
uint64_t tt_recording_bytes(const struct tt_recording_reader *reader); /* used so far */
void tt_recording_reader_free(struct tt_recording_reader **reader);
