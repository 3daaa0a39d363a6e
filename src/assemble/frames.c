/* SPDX-License-Identifier: GPL-2.0-only */
/* frames.c: the life of a frame: open, suspended, closed. */
#include "assemble/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static struct frame *frame_new(struct tt_assembler *assembler)
{
    struct frame *frame = assembler->spare;
    if (!frame)
        return calloc(1, sizeof(*frame));
    assembler->spare = frame->next;
    memset(frame, 0, sizeof(*frame));
    return frame;
}

struct frame *tt_frame_proven(struct tt_assembler *assembler, struct thread *thread, uint64_t sp)
{
    struct frame *top = thread->top;
    bool known = top && !top->doubtful && top->owner;
    return known && (tt_frame_holds(thread, top, sp) || !tt_thread_switches(assembler, thread)) ? top : NULL;
}

struct frame *tt_frame_push(struct tt_assembler *assembler, struct thread *thread, uint64_t address)
{
    struct frame *frame = thread->depth < TT_FRAMES_MAX ? frame_new(assembler) : NULL;
    if (!frame)
        return NULL;
    frame->address = address;
    frame->next = thread->top;
    thread->top = frame;
    thread->depth++;
    assembler->stats.open++;
    return frame;
}

struct frame *tt_frame_pop(struct tt_assembler *assembler, struct thread *thread)
{
    struct frame *frame = thread->top;
    thread->top = frame->next;
    frame->next = NULL;
    thread->depth--;
    assembler->stats.open--;
    return frame;
}

struct frame *tt_frame_unsuspend(struct thread *thread, struct frame **at)
{
    struct frame *frame = *at;
    *at = frame->next;
    frame->next = NULL;
    thread->suspended_count--;
    return frame;
}

void tt_frame_end_further(struct tt_assembler *assembler, struct frame *frame, const struct tt_span *outcome,
                          uint64_t end)
{
    struct tt_span *span = TAKE_PTR(frame->further);
    if (!span)
        return;
    if (outcome)
        tt_span_copy_outcome(span, outcome);
    else
        span->incomplete |= TT_INCOMPLETE_END;
    span->end = end > span->start ? end : span->start;
    assembler->stats.spans++;
    assembler->ops.close(assembler->ops.context, span);
}

/* How the latest request of a frame ended where the frame's end tells it: that of a function which sends one.
 */
static const struct tt_span *outcome_of(const struct frame *frame)
{
    const struct tt_span *span = frame->owner;
    enum tt_role role = frame->row->role;
    bool one = role == TT_ROLE_CLIENT || role == TT_ROLE_ASYNCH || role == TT_ROLE_WORKER;
    return one && span && !(span->incomplete & TT_INCOMPLETE_END) ? span : NULL;
}

/* The caller goes on when the function returns; what it got from it is how the function ended. */
static void end_caller(struct tt_assembler *assembler, struct tt_span *caller, const struct tt_span *call,
                       uint64_t end)
{
    if (call) {
        tt_span_copy_outcome(caller, call);
        caller->incomplete |= call->incomplete & (TT_INCOMPLETE_END | TT_INCOMPLETE_LOST);
    }
    caller->end = end > caller->start ? end : caller->start;
    assembler->stats.spans++;
    assembler->ops.close(assembler->ops.context, caller);
}

void tt_frame_finish(struct tt_assembler *assembler, struct thread *thread, struct frame *frame, uint64_t end)
{
    struct tt_span *span = frame->span, *caller = TAKE_PTR(frame->caller);
    if (frame->clocks.time)
        tt_frame_account(thread, frame, end);
    tt_span_free(&frame->birth);
    if (thread->last == frame)
        thread->last = NULL;
    if (frame->further)
        tt_frame_end_further(assembler, frame, outcome_of(frame), end);
    if (frame->call) {
        tt_call_left(assembler, frame, end);
        span = NULL; /* the call's */
    }
    if (caller)
        end_caller(assembler, caller, span, end);
    if (span) {
        span->end = end > span->start ? end : span->start;
        if (frame->answers && !(span->incomplete & TT_INCOMPLETE_END))
            tt_call_answered(assembler, thread, frame->answers, span);
        assembler->stats.spans++;
        assembler->ops.close(assembler->ops.context, span);
    }
    frame->next = assembler->spare;
    assembler->spare = frame;
}

/* `over`: the frame is known to have ended before now. */
static void bury(struct tt_assembler *assembler, struct thread *thread, struct frame *frame, bool over,
                 uint64_t now)
{
    assembler->stats.buried++;
    if (frame->call && frame->row->role == TT_ROLE_WORKER)
        frame->call->span->incomplete |= TT_INCOMPLETE_END;
    if (frame->span && !frame->call) {
        frame->span->failed |= frame->noted > 0;
        /* Over, without an exit, nothing lost, and only one exception that can have ended it: no doubt is
         * left. */
        if (!(over && frame->noted == 1 && !frame->doubtful))
            frame->span->incomplete |= TT_INCOMPLETE_END;
    }
    tt_frame_finish(assembler, thread, frame, frame->suspended_at ? frame->suspended_at : now);
}

void tt_frame_bury(struct tt_assembler *assembler, struct thread *thread, struct frame *frame, uint64_t now)
{
    bury(assembler, thread, frame, false, now);
}

/* Buries a suspended frame without proof. */
static void give_up(struct tt_assembler *assembler, struct thread *thread, struct frame **at, uint64_t now)
{
    struct frame *frame = tt_frame_unsuspend(thread, at);
    if (thread->switching)
        tt_ghost_add(thread, frame, now);
    tt_frame_bury(assembler, thread, frame, now);
}

/* The oldest suspended frame makes room. */
static void bury_oldest(struct tt_assembler *assembler, struct thread *thread, uint64_t now)
{
    struct frame **at = &thread->suspended;
    while ((*at)->next)
        at = &(*at)->next;
    give_up(assembler, thread, at, now);
}

void tt_frame_park_top(struct tt_assembler *assembler, struct thread *thread, uint64_t now)
{
    if (thread->top->born) {
        tt_birth_over(assembler, thread, now);
        return;
    }
    struct frame *frame = tt_frame_pop(assembler, thread);
    if (frame->doubtful && !thread->switching) {
        /* Its exit is among the lost events. */
        tt_frame_bury(assembler, thread, frame, now);
        return;
    }
    if (thread->suspended_count >= TT_FRAMES_MAX)
        bury_oldest(assembler, thread, now);
    if (thread->last == frame)
        thread->last = NULL;
    tt_frame_end_further(assembler, frame, NULL, now);
    frame->owner = frame->span;
    frame->suspended_at = now;
    frame->next = thread->suspended;
    thread->suspended = frame;
    thread->suspended_count++;
    assembler->stats.suspended++;
}

void tt_frame_heal(struct tt_assembler *assembler, struct thread *thread, uint64_t limit, bool inclusive,
                   uint64_t now)
{
    while (thread->top && (thread->top->address < limit || (inclusive && thread->top->address == limit)))
        tt_frame_park_top(assembler, thread, now);
    if (thread->dropped && limit >= thread->dropped)
        thread->dropped = 0;
    if (thread->marker.open && limit >= thread->marker.address)
        tt_thread_end_marker(assembler, thread, thread->before);
}

void tt_frame_bury_at(struct tt_assembler *assembler, struct thread *thread, uint64_t address, uint64_t now)
{
    struct frame **at = &thread->suspended;
    while (*at) {
        if ((*at)->address == address)
            tt_frame_bury(assembler, thread, tt_frame_unsuspend(thread, at), now);
        else
            at = &(*at)->next;
    }
}

void tt_frame_bury_methods(struct tt_assembler *assembler, struct thread *thread, uint64_t upcall,
                           uint64_t now)
{
    struct frame **at = &thread->suspended;
    while (*at) {
        if ((*at)->upcall == upcall)
            bury(assembler, thread, tt_frame_unsuspend(thread, at), true, now);
        else
            at = &(*at)->next;
    }
    tt_ghost_lay_methods(thread, upcall);
}

void tt_frame_expire(struct tt_assembler *assembler, struct thread *thread, uint64_t now)
{
    struct frame **at = &thread->suspended;
    while (*at) {
        uint64_t limit = (*at)->suspended_at + ((*at)->noted ? TT_NOTED_NS : TT_SUSPENDED_NS);
        if (limit <= now)
            give_up(assembler, thread, at, now);
        else
            at = &(*at)->next;
    }
}
