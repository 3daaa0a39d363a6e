/* SPDX-License-Identifier: GPL-2.0-only */
/* threads.c: threads by id. */
#include "assemble/state.h"

#include <stdlib.h>
#include <string.h>

void tt_thread_bury_all(struct tt_assembler *assembler, struct thread *thread, uint64_t now)
{
    while (thread->top)
        tt_frame_bury(assembler, thread, tt_frame_pop(assembler, thread), now);
    while (thread->suspended)
        tt_frame_bury(assembler, thread, tt_frame_unsuspend(thread, &thread->suspended), now);
    if (thread->marker.open)
        tt_thread_end_marker(assembler, thread, thread->last_time);
    thread->dropped = 0;
    thread->last = NULL;
}

void tt_thread_remove(struct tt_assembler *assembler, struct thread *thread, uint64_t now)
{
    tt_thread_bury_all(assembler, thread, now);
    if (assembler->recent == thread)
        assembler->recent = NULL;
    HASH_DEL(assembler->threads, thread);
    assembler->stats.threads--;
    free(thread->ghosts);
    free(thread);
}

static void evict_silent(struct tt_assembler *assembler, uint64_t now)
{
    struct thread *oldest = NULL, *thread, *next;
    HASH_ITER(hh, assembler->threads, thread, next)
    {
        if (!oldest || thread->last_time < oldest->last_time)
            oldest = thread;
    }
    if (oldest)
        tt_thread_remove(assembler, oldest, now);
}

static struct thread *thread_new(struct tt_assembler *assembler, const struct tt_event *event)
{
    if (assembler->stats.threads >= TT_THREADS_MAX)
        evict_silent(assembler, event->time);
    struct thread *thread = calloc(1, sizeof(*thread));
    if (!thread)
        return NULL;
    thread->tid = event->tid;
    thread->tgid = event->tgid;
    thread->start = event->thread_start;
    HASH_ADD(hh, assembler->threads, tid, sizeof(thread->tid), thread);
    if (!thread->hh.tbl) { /* uthash's sign of being out of memory */
        free(thread);
        return NULL;
    }
    assembler->stats.threads++;
    return thread;
}

struct thread *tt_thread_get(struct tt_assembler *assembler, const struct tt_event *event)
{
    struct thread *thread = assembler->recent;
    if (!thread || thread->tid != event->tid)
        HASH_FIND(hh, assembler->threads, &event->tid, sizeof(event->tid), thread);
    if (thread && (thread->start != event->thread_start || thread->tgid != event->tgid)) {
        tt_thread_remove(assembler, thread, event->time);
        thread = NULL;
    }
    if (!thread)
        thread = thread_new(assembler, event);
    assembler->recent = thread;
    return thread;
}

static void taint(struct frame *frame)
{
    for (; frame; frame = frame->next) {
        frame->doubtful = true;
        if (frame->span)
            frame->span->incomplete |= TT_INCOMPLETE_LOST;
    }
}

void tt_thread_taint(struct thread *thread)
{
    taint(thread->top);
    taint(thread->suspended);
    /* Another upcall may be among the lost events. */
    thread->marker.open = false;
    thread->last = NULL;
    thread->doubt = true;
    thread->gap = true;
}

struct tt_span *tt_thread_span(const struct thread *thread, const struct tt_row *row, enum tt_span_kind kind)
{
    struct tt_span *span = tt_span_new();
    if (!span)
        return NULL;
    span->row = row;
    span->kind = kind;
    span->tgid = thread->tgid;
    span->tid = thread->tid;
    span->thread_start = thread->start;
    memcpy(span->thread_name, thread->name, sizeof(span->thread_name));
    return span;
}

bool tt_thread_switches(struct tt_assembler *assembler, struct thread *thread)
{
    if (!thread->switching && assembler->switching)
        thread->switching = assembler->switching(assembler->switching_context, thread->tgid);
    return thread->switching;
}

static void count_bare(struct tt_assembler *assembler, const char *operation)
{
    size_t i = 0;
    while (i < assembler->bare_count && strcmp(assembler->bare[i].operation, operation) != 0)
        i++;
    if (i == assembler->bare_count && i < TT_BARE_MAX) {
        char *copy = strdup(operation);
        if (!copy)
            return;
        assembler->bare[i].operation = copy;
        assembler->bare_count++;
    } else if (i == assembler->bare_count) {
        assembler->bare[i].operation = "(others)";
    }
    assembler->bare[i].count++;
}

/* The request as a span of its own: named by its operation, since no method is known. */
static void bare_span(struct tt_assembler *assembler, const struct thread *thread, uint64_t last)
{
    const struct marker *marker = &thread->marker;
    struct tt_span *span = marker->row ? tt_thread_span(thread, marker->row, TT_SPAN_SERVER) : NULL;
    if (!span)
        return;
    span->trigger = TT_TRIGGER_CLIENT;
    span->start = marker->time;
    span->end = last > span->start ? last : span->start;
    span->incomplete = TT_INCOMPLETE_END;
    span->operation = tt_arena_copy(&span->arena, marker->operation, strlen(marker->operation));
    span->has_key = true;
    span->key = marker->key;
    assembler->ops.open(assembler->ops.context, span);
    assembler->stats.spans++;
    assembler->ops.close(assembler->ops.context, span);
}

void tt_thread_end_marker(struct tt_assembler *assembler, struct thread *thread, uint64_t last)
{
    struct marker *marker = &thread->marker;
    marker->open = false;
    if (marker->used)
        return;
    assembler->stats.upcalls_bare++;
    count_bare(assembler, marker->operation[0] ? marker->operation : "(unknown)");
    if (marker->has_key)
        bare_span(assembler, thread, last);
}
