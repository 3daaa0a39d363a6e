/* SPDX-License-Identifier: GPL-2.0-only */
/* queue.h: the bounded queue between who finishes spans or log records and one exporter's thread. Holds one
 * reference per item. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enrich/otel.h"

struct tt_queue;

/* What a queue holds. */
enum tt_signal { TT_SIGNAL_SPANS, TT_SIGNAL_LOGS, TT_SIGNALS };

/* `batch`: a waiting reader is woken early when so many are there. NULL when out of memory. */
struct tt_queue *tt_queue_new(enum tt_signal signal, size_t capacity, size_t batch);
/* Drops what is left. */
void tt_queue_free(struct tt_queue **queue);

/* Takes a reference of its own; false when full or closed (none taken). Never waits for the reader. */
bool tt_queue_push(struct tt_queue *queue, void *item);

/* The same, but waits while the queue is full; with `batch` also until a full batch has been taken. False
 * when closed. One thread only may push then. */
bool tt_queue_push_wait(struct tt_queue *queue, void *item, bool batch);

/* Gives a reference back. */
void tt_queue_put(enum tt_signal signal, void **item);

/*
 * Moves up to `batch` items (with their references) into `items`, oldest first: as soon as a batch is full,
 * or the oldest waited `delay_ms`, or the queue is closed. 0 when none came within `idle_ms`, or the queue is
 * closed and empty.
 */
size_t tt_queue_take(struct tt_queue *queue, void **items, unsigned delay_ms, unsigned idle_ms);

/* No further pushes; the reader gets what is there without delay. */
void tt_queue_close(struct tt_queue *queue);
bool tt_queue_closed(struct tt_queue *queue);
bool tt_queue_ended(struct tt_queue *queue); /* closed and empty */
size_t tt_queue_size(struct tt_queue *queue);
