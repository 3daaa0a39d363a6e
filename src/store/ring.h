/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ring.h (private to store): records of any size in one block of memory, in the order in which they came; the
 * oldest make room. A record is known by its position, which only grows: whoever remembers one asks whether
 * it is still there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tt_ring {
    char *data;
    uint64_t size, head, tail; /* head and tail: positions */
};

#define TT_RING_ALIGN 8
#define TT_RING_NONE  UINT64_MAX

/* 0 or -ENOMEM. Memory is taken as it is used first. */
int tt_ring_init(struct tt_ring *ring, uint64_t size);
void tt_ring_end(struct tt_ring *ring);

/* Makes room for a record and gives its position, what it holds is not written; `leave` is called for each
 * record that makes room, before it is gone. TT_RING_NONE: it is larger than a quarter of the ring. */
uint64_t tt_ring_add(struct tt_ring *ring, size_t size, void (*leave)(void *context, void *record),
                     void *context);
/* The oldest record leaves; false: there is none. */
bool tt_ring_drop(struct tt_ring *ring, void (*leave)(void *context, void *record), void *context);

bool tt_ring_has(const struct tt_ring *ring, uint64_t position);
/* The record at a position that is there, and its size. */
void *tt_ring_at(const struct tt_ring *ring, uint64_t position, size_t *size);
/* The first record, and the one behind; TT_RING_NONE: no more. */
uint64_t tt_ring_first(const struct tt_ring *ring);
uint64_t tt_ring_next(const struct tt_ring *ring, uint64_t position);
