/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * queue.h: the bounded queue between who finishes spans or log records and one exporter's thread. Holds one
 * reference per item. What comes when the queue, or the memory that all queues of an exporter share, is full
 * is not taken; before that happens to everything, it happens to what is worth least: above half to log
 * records below INFO, above three quarters to spans of traces whose root was not seen.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enrich/otel.h"

struct tt_queue;

/* What a queue holds. */
enum tt_signal { TT_SIGNAL_SPANS, TT_SIGNAL_LOGS, TT_SIGNALS };

/* What makes room first. */
enum tt_rank { TT_RANK_DEBUG, TT_RANK_ROOTLESS, TT_RANK_OTHER, TT_RANKS };

/* What items that wait take; may be shared by queues. */
struct tt_queue_memory {
    _Atomic uint64_t used;
    uint64_t most;
};

enum tt_rank tt_queue_rank(enum tt_signal signal, const void *item);

/* `batch`: a waiting reader is woken early when so many are there. NULL when out of memory. */
struct tt_queue *tt_queue_new(enum tt_signal signal, size_t capacity, size_t batch);
/* Drops what is left. */
void tt_queue_free(struct tt_queue **queue);

/* From now on the memory of its items counts, too; before the first push. It outlives the queue. */
void tt_queue_share(struct tt_queue *queue, struct tt_queue_memory *memory);

/* Takes a reference of its own; false when full or closed (none taken). Never waits for the reader. */
bool tt_queue_push(struct tt_queue *queue, void *item);

/* The same, but waits while the queue is full, whatever memory that takes; with `batch` also until a full
 * batch has been taken. False when closed. One thread only may push then. */
bool tt_queue_push_wait(struct tt_queue *queue, void *item, bool batch);

/* Gives a reference back. */
void tt_queue_put(enum tt_signal signal, void **item);

/*
 * Moves up to `batch` items (with their references) into `items`, oldest first: as soon as a batch is full,
 * or the oldest waited `delay_ms`, or the queue is closed. 0 when none came within `idle_ms`, or the queue is
 * closed and empty.
 */
size_t tt_queue_take(struct tt_queue *queue, void **items, unsigned delay_ms, unsigned idle_ms);

/* Gives the references of taken items back, and their memory. */
void tt_queue_done(struct tt_queue *queue, void **items, size_t count);

/* Everything that came before was taken (monotonic ns; not later than that, and now for an empty queue). */
uint64_t tt_queue_oldest(struct tt_queue *queue);

/* No further pushes; the reader gets what is there without delay. */
void tt_queue_close(struct tt_queue *queue);
bool tt_queue_closed(struct tt_queue *queue);
bool tt_queue_ended(struct tt_queue *queue); /* closed and empty */
size_t tt_queue_size(struct tt_queue *queue);
