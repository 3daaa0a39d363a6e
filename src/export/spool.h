/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * spool.h: batches on the disk that a destination did not take, one file each, in a directory of its own:
 *
 *     NUMBER-ITEMS.batch   header (magic, CRC-32, what the body is) and the body as it would be sent
 *     lock                 held by the agent that uses the directory
 *     alive                there while one runs: its modification time is that of the oldest item that is
 *                          neither sent nor in a file; found at the start, it tells what a kill lost
 *
 * A file is written, synced and renamed into its place: it is there whole, or not at all, also after the host
 * crashed. It goes away once the destination has answered: who is killed in between sends that one batch
 * twice. Size and age are bounded, the oldest make room. Whatever is lost is counted. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/sink.h"

struct tt_spool;

struct tt_spool_config {
    const char *directory; /* of all spools */
    uint64_t max_bytes;    /* of this one on the disk, as blocks of 4 KiB */
    uint64_t max_age_ns;
};

struct tt_spool_batch {
    const uint8_t *data; /* of tt_spool_oldest: valid until the next call */
    size_t size;
    uint32_t items;
    enum tt_encoding encoding;
    bool json;
};

/* Opens the spool of that name (any text), with what an earlier agent left in it; `counters` outlives it. 0,
 * or a negative errno with *error. */
int tt_spool_open(const struct tt_spool_config *config, const char *name, struct tt_sink_counters *counters,
                  struct tt_spool **spool, char **error);
/* `clean`: everything was sent or stored, so nothing is missing when the next agent begins. */
void tt_spool_close(struct tt_spool **spool, bool clean);

/* Stores a batch: counted as spooled. On failure a negative errno, and nothing is counted of it. */
int tt_spool_put(struct tt_spool *spool, const struct tt_spool_batch *batch);

/* The oldest batch, read once however often it is asked for; false: there is none. What is too old or damaged
 * on the way is removed, and counted. */
bool tt_spool_oldest(struct tt_spool *spool, struct tt_spool_batch *batch);
/* Removes it: it was sent. */
void tt_spool_remove(struct tt_spool *spool);

bool tt_spool_is_empty(const struct tt_spool *spool);

/* `unix_ns`: everything that came before that time is sent or stored. */
void tt_spool_alive(struct tt_spool *spool, uint64_t unix_ns);
