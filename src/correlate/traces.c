/* SPDX-License-Identifier: GPL-2.0-only */
#include "correlate/traces.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_TRACES 256

struct block {
    struct block *next;
    struct tt_trace trace[BLOCK_TRACES];
};

static bool more(struct tt_traces *traces)
{
    struct block *block = malloc(sizeof(*block));
    if (!block)
        return false;
    block->next = traces->blocks;
    traces->blocks = block;
    for (size_t i = 0; i < BLOCK_TRACES; i++) {
        block->trace[i].next = traces->unused;
        block->trace[i].pending = NULL;
        block->trace[i].logs = NULL;
        traces->unused = &block->trace[i];
    }
    return true;
}

struct tt_trace *tt_trace_new(struct tt_traces *traces)
{
    if (!traces->unused && !more(traces))
        return NULL;
    struct tt_trace *trace = traces->unused;
    traces->unused = trace->next;
    memset(trace, 0, sizeof(*trace));
    trace->references = 1;
    trace->pending_end = &trace->pending;
    trace->logs_end = &trace->logs;
    return trace;
}

struct tt_trace *tt_trace_get(struct tt_trace *trace)
{
    trace->references++;
    return trace;
}

static void put_one(struct tt_traces *traces, struct tt_trace *trace)
{
    trace->next = traces->unused;
    traces->unused = trace;
}

void tt_trace_put(struct tt_traces *traces, struct tt_trace *trace)
{
    /* A chain of merges is walked, not recursed; a trace that is split from another is rare and short. */
    while (trace && !--trace->references) {
        struct tt_trace *merged = trace->merged;
        tt_trace_put(traces, trace->split_from);
        put_one(traces, trace);
        trace = merged;
    }
}

void tt_traces_free(struct tt_traces *traces)
{
    while (traces->blocks) {
        struct block *block = traces->blocks;
        traces->blocks = block->next;
        for (size_t i = 0; i < BLOCK_TRACES; i++) {
            for (struct tt_span *span; (span = tt_trace_release(&block->trace[i]));)
                tt_span_free(&span);
            for (struct tt_log *log; (log = tt_trace_release_log(&block->trace[i]));)
                tt_log_free(&log);
        }
        free(block);
    }
    traces->unused = NULL;
}

struct tt_trace *tt_trace_find(const struct tt_trace *trace, unsigned *depth)
{
    /* No path compression: chains are as long as calls are nested over processes, and bounded by the cap on
     * depth. */
    while (trace->merged) {
        *depth += trace->depth;
        trace = trace->merged;
    }
    return (struct tt_trace *)trace;
}

void tt_trace_merge(struct tt_trace *child, struct tt_trace *into, unsigned depth)
{
    child->merged = tt_trace_get(into);
    child->depth = depth;
    into->spans += child->spans;
    if (child->pending) {
        *into->pending_end = child->pending;
        into->pending_end = child->pending_end;
        child->pending = NULL;
        child->pending_end = &child->pending;
    }
    if (child->logs) {
        *into->logs_end = child->logs;
        into->logs_end = child->logs_end;
        child->logs = NULL;
        child->logs_end = &child->logs;
    }
}

void tt_trace_hold_log(struct tt_trace *trace, struct tt_log *log)
{
    log->next = NULL;
    *trace->logs_end = log;
    trace->logs_end = &log->next;
}

struct tt_log *tt_trace_release_log(struct tt_trace *trace)
{
    struct tt_log *log = trace->logs;
    if (!log)
        return NULL;
    trace->logs = log->next;
    if (!trace->logs)
        trace->logs_end = &trace->logs;
    log->next = NULL;
    return log;
}

void tt_trace_hold(struct tt_trace *trace, struct tt_span *span)
{
    span->next = NULL;
    *trace->pending_end = span;
    trace->pending_end = &span->next;
}

struct tt_span *tt_trace_release(struct tt_trace *trace)
{
    struct tt_span *span = trace->pending;
    if (!span)
        return NULL;
    trace->pending = span->next;
    if (!trace->pending)
        trace->pending_end = &trace->pending;
    span->next = NULL;
    return span;
}
