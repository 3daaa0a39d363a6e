/* SPDX-License-Identifier: GPL-2.0-only */
/* queue.h: the bounded queue between who finishes spans and one exporter's thread. Holds one reference per
 * span. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enrich/otel.h"

struct tt_queue;

/* `batch`: a waiting reader is woken early when so many are there. NULL when out of memory. */
struct tt_queue *tt_queue_new(size_t capacity, size_t batch);
/* Drops what is left. */
void tt_queue_free(struct tt_queue **queue);

/* Takes a reference of its own; false when full or closed (none taken). Never waits for the reader. */
bool tt_queue_push(struct tt_queue *queue, struct tt_otel_span *span);

/* The same, but waits while the queue is full; false when closed. One thread only may push then. */
bool tt_queue_push_wait(struct tt_queue *queue, struct tt_otel_span *span);

/*
 * Moves up to `batch` spans (with their references) into `spans`, oldest first: as soon as a batch is full,
 * or the oldest waited `delay_ms`, or the queue is closed. 0 when none came within `idle_ms`, or the queue is
 * closed and empty.
 */
size_t tt_queue_take(struct tt_queue *queue, struct tt_otel_span **spans, unsigned delay_ms,
                     unsigned idle_ms);

/* No further pushes; the reader gets what is there without delay. */
void tt_queue_close(struct tt_queue *queue);
bool tt_queue_ended(struct tt_queue *queue); /* closed and empty */
size_t tt_queue_size(struct tt_queue *queue);
