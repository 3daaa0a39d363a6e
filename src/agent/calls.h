/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * calls.h: calls that have not ended: for how long they are open and what they wait for; and who holds up
 * whom: threads that wait for the serialization monitor, and those that have it. All on the feeding thread,
 * all bounded.
 */
#pragma once

#include "assemble/assemble.h"
#include "base/json.h"
#include "discover/process.h"

struct tt_calls;

struct tt_calls_config {
    uint64_t open_ns; /* a call that is open for so long, twice and four times that, is recorded; 0: none */
    uint64_t wait_ns; /* a wait for a monitor of at least so long is recorded when it ends; 0: none */
    /* A reference to the process of a pid at a time, or NULL. */
    struct tt_process *(*process)(void *context, uint32_t pid, uint64_t time);
    /* Owns the log record, which is of log->span. NULL: nothing is recorded. */
    void (*record)(void *context, struct tt_log *log);
    void *context;
};

/* NULL when out of memory. */
struct tt_calls *tt_calls_new(const struct tt_calls_config *config);
void tt_calls_free(struct tt_calls **calls);
/* Other limits from now on. */
void tt_calls_configure(struct tt_calls *calls, uint64_t open_ns, uint64_t wait_ns);

/* A wait begins or ends: see tt_assembler_ops. */
void tt_calls_wait(struct tt_calls *calls, struct tt_span *span, const struct tt_wait *wait);
/* Records the calls that have become too old. `now` CLOCK_MONOTONIC ns. */
void tt_calls_tick(struct tt_calls *calls, struct tt_assembler *assembler, uint64_t now);
/* Members "calls" and "blocks" of an open object. */
void tt_calls_json(const struct tt_calls *calls, struct tt_assembler *assembler, uint64_t now,
                   struct tt_json *json);
