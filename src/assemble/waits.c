/* SPDX-License-Identifier: GPL-2.0-only */
/* waits.c: the clocks of threads, and what they wait for: monitors that other threads hold. */
#include "assemble/state.h"

#include <string.h>

void tt_thread_clock(struct thread *thread, const struct tt_event_view *view)
{
    struct tt_clocks *clocks = &thread->clocks;
    uint64_t off_cpu;

    clocks->time = 0;
    if (!view || !view->header.fields || !tt_fields_off_cpu(view, &off_cpu))
        return;
    clocks->time = view->header.time;
    clocks->off_cpu = off_cpu;
}

/* The request around the methods of which one has just ended; NULL: it was called by another one, or by
 * nothing that is served. */
static struct tt_span *served_around(const struct frame *frame)
{
    for (; frame && frame->row->role != TT_ROLE_METHOD; frame = frame->next)
        if (frame->row->role == TT_ROLE_SERVER && frame->span)
            return frame->span;
    return NULL;
}

void tt_frame_account(struct thread *thread, struct frame *frame, uint64_t end)
{
    struct tt_span *span = frame->span;
    bool clocked = thread->clocks.time && thread->clocks.time == end && !frame->suspended_at;

    if (!span)
        return;
    if (span->kind == TT_SPAN_SERVER) {
        span->ledger.known &= clocked;
        if (clocked)
            tt_ledger_close_server(&span->ledger, &frame->clocks, &thread->clocks);
    } else if (frame->row->role == TT_ROLE_METHOD) {
        span = served_around(thread->top);
        if (span && clocked)
            tt_ledger_add_user(&span->ledger, &frame->clocks, &thread->clocks);
    }
}

/* The request that the thread serves, or else the outermost of what it does (polling); NULL: nothing that is
 * known. */
static struct tt_span *at_work(const struct thread *thread)
{
    struct tt_span *outermost = NULL;

    if (!thread->top || thread->top->doubtful || thread->dropped)
        return NULL;
    for (const struct frame *frame = thread->top; frame; frame = frame->next) {
        if (frame->span && frame->span->kind == TT_SPAN_SERVER)
            return frame->span;
        outermost = frame->span ?: outermost;
    }
    return outermost;
}

static void tell(struct tt_assembler *assembler, struct tt_span *span, const struct tt_wait *wait)
{
    if (assembler->ops.wait)
        assembler->ops.wait(assembler->ops.context, span, wait);
}

void tt_event_wait(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    const struct tt_event *event = &view->header;
    struct thread *holder = NULL;
    struct tt_span *span;
    uint64_t number;
    char monitor[TT_STRING_MAX];

    tt_frame_heal(assembler, thread, event->frame, false, event->time);
    span = at_work(thread);
    thread->waiting.address = 0;
    if (!span || !tt_fields_number(view, TT_FIELD_HOLDER, &number) || !number || number > UINT32_MAX)
        return; /* nobody holds it: a polling thread waits for orders, or for one of these to be carried out
                 */
    assembler->stats.waits++;
    thread->waiting.address = event->frame;
    thread->waiting.since = event->time;
    thread->waiting.clocks = thread->clocks;
    tt_fields_text(view, TT_FIELD_TEXT, monitor, sizeof(monitor));
    struct tt_wait wait = {.start = event->time, .holder = (uint32_t)number, .monitor = monitor};
    HASH_FIND(hh, assembler->threads, &wait.holder, sizeof(wait.holder), holder);
    if (holder && holder->tgid == thread->tgid && holder != thread)
        wait.holding = at_work(holder);
    if (!span->waited) {
        span->waited = true;
        span->holder = wait.holder;
        span->monitor = tt_arena_copy(&span->arena, monitor, strlen(monitor));
    }
    tell(assembler, span, &wait);
}

void tt_event_waited(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    const struct tt_event *event = &view->header;
    struct waiting waiting = thread->waiting;
    struct tt_span *span = at_work(thread);

    if (waiting.address != event->frame)
        return;
    thread->waiting.address = 0;
    if (waiting.clocks.time && thread->clocks.time) {
        thread->clocks.monitor += thread->clocks.time - waiting.clocks.time;
        thread->clocks.idle += thread->clocks.off_cpu - waiting.clocks.off_cpu;
    }
    if (span)
        tell(assembler, span, &(struct tt_wait){.start = waiting.since, .end = event->time});
}
