/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * collect.h: the thread that reads the ring buffer, every 10 ms by a timer (a wake-up per event would cost
 * the targets several us), and hands the events on. Everything behind it, up to the exporters' queues, runs
 * on this thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "host/host.h"

struct tt_collector;

struct tt_collector_ops {
    void (*event)(void *context, const void *data, size_t size);
    void (*tick)(void *context, uint64_t now); /* after each round; CLOCK_MONOTONIC ns */
    void *context;
};

int tt_collector_new(struct tt_host *host, const struct tt_collector_ops *ops,
                     struct tt_collector **collector);

/* Runs fn on the collecting thread and waits for it: how other threads see a consistent state. */
void tt_collector_call(struct tt_collector *collector, void (*fn)(void *context), void *context);

/* Takes what is left in the ring buffer, ends the thread, frees. */
void tt_collector_free(struct tt_collector **collector);
