/* SPDX-License-Identifier: GPL-2.0-only */
/* leave.c: what ends: a function about to return, an exception at its handler. */
#include "assemble/state.h"

/* ---- exit ------------------------------------------------------------------------------------ */

/* Where the frame of an exit is found. */
struct match {
    struct frame *open;       /* an open frame, or .. */
    struct frame **suspended; /* .. the link to a suspended one, or both NULL */
    unsigned candidates;
};

static struct match find(struct thread *thread, const struct tt_event *event, const struct tt_row *row)
{
    uint64_t address = event->frame;
    struct match match = {0};
    for (struct frame *frame = thread->top; frame && frame->address <= address; frame = frame->next) {
        if (frame->address != address || frame->row != row)
            continue;
        if (!match.candidates++)
            match.open = frame;
    }
    for (struct frame **at = &thread->suspended; *at; at = &(*at)->next) {
        if ((*at)->address != address || (*at)->row != row)
            continue;
        if (!match.candidates++)
            match.suspended = at;
    }
    if (match.candidates && thread->ghosts && tt_ghost_fits(thread, address, row, event->time))
        match.candidates++;
    return match;
}

/* Several frames fit the exit: none of their ends is certain. */
static void make_ambiguous(struct thread *thread, uint64_t address, const struct tt_row *row)
{
    for (struct frame *frame = thread->top; frame; frame = frame->next)
        if (frame->address == address && frame->row == row)
            frame->ambiguous = true;
    for (struct frame *frame = thread->suspended; frame; frame = frame->next)
        if (frame->address == address && frame->row == row)
            frame->ambiguous = true;
}

/* Does the exit not tell what it was to: whether there is a result, or an exception of Python's? */
static bool has_no_result(const struct tt_row *row, const struct tt_event_view *view)
{
    uint64_t result;
    return tt_row_captures(row, TT_VALUE_RETURNED_PY) && !tt_fields_number(view, TT_FIELD_PY_RESULT, &result);
}

/* Closes one frame of the exit. What was captured goes to its span. */
static void close_frame(struct tt_assembler *assembler, struct thread *thread, struct frame *frame,
                        const struct tt_event_view *view)
{
    struct tt_span *span = frame->span;
    if (span && frame->noted)
        tt_fields_no_exception(span); /* it returned after all */
    if (span)
        tt_fields_decode(view, span);
    if (span && frame->ambiguous && !frame->call)
        span->incomplete |= TT_INCOMPLETE_END;
    if (span && has_no_result(frame->row, view))
        span->incomplete |= TT_INCOMPLETE_FAULT;
    if (frame->call && frame->row->role == TT_ROLE_ASYNCH)
        tt_call_number(assembler, frame->call, view);
    tt_frame_finish(assembler, thread, frame, view->header.time);
}

/* Closes the open frames at the address: more than one where a method left by a jump to the next. */
static void close_open(struct tt_assembler *assembler, struct thread *thread,
                       const struct tt_event_view *view)
{
    uint64_t address = view->header.frame;
    bool more = true;
    tt_birth_leave(assembler, thread, view);
    while (thread->top && thread->top->address < address)
        tt_frame_park_top(assembler, thread, view->header.time);
    while (more && thread->top && thread->top->address == address) {
        struct frame *frame = tt_frame_pop(assembler, thread);
        more = frame->tail;
        close_frame(assembler, thread, frame, view);
    }
}

static void close_suspended(struct tt_assembler *assembler, struct thread *thread, struct frame **at,
                            const struct tt_event_view *view)
{
    const struct tt_event *event = &view->header;
    uint64_t suspended_at = (*at)->suspended_at;
    /* It was alive all the time: this thread has more than one stack. */
    thread->switching = true;
    thread->unheld |= (*at)->row->role != TT_ROLE_SERVER && !(*at)->row->foreign;
    assembler->stats.revived++;
    close_frame(assembler, thread, tt_frame_unsuspend(thread, at), view);
    /* A jump's other half was suspended with it. */
    for (at = &thread->suspended; *at;) {
        struct frame *frame = *at;
        if (frame->address == event->frame && frame->suspended_at == suspended_at)
            close_frame(assembler, thread, tt_frame_unsuspend(thread, at), view);
        else
            at = &frame->next;
    }
}

/* An exit without its frame. */
static void count_unmatched(struct tt_assembler *assembler, struct thread *thread,
                            const struct tt_event *event, const struct tt_row *row)
{
    struct tt_assembler_stats *stats = &assembler->stats;
    /* Inside an open function, nothing lost: code that functions share, or the second point of one exit. */
    bool related = event->frame == thread->exit_address || (thread->top && !thread->top->doubtful);
    for (const struct frame *frame = thread->top; frame && !related; frame = frame->next)
        related = frame->row == row || frame->address == event->frame;
    if (related)
        stats->mismatched_exits++;
    else if (event->frame > thread->highest)
        stats->early_exits++;
    else
        stats->orphan_exits++;
}

void tt_event_exit(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                   const struct tt_row *row)
{
    const struct tt_event *event = &view->header;
    if (row->role == TT_ROLE_TOPIC) {
        tt_event_topic(assembler, thread, view);
        return;
    }
    if (row->role == TT_ROLE_BIRTH) {
        tt_event_born(assembler, thread, view, row);
        return;
    }
    thread->last = NULL;
    struct match match = find(thread, event, row);
    if (match.candidates > 1)
        make_ambiguous(thread, event->frame, row);
    if (match.open) {
        close_open(assembler, thread, view);
    } else if (match.suspended) {
        close_suspended(assembler, thread, match.suspended, view);
    } else {
        if (event->frame != thread->dropped && event->sp >= thread->dropped)
            count_unmatched(assembler, thread, event, row);
        tt_ghost_lay(thread, event->frame, row);
        /* The frame of a shared tail may be wrong, the stack pointer is not. */
        tt_frame_heal(assembler, thread, event->sp, false, event->time);
        return;
    }
    thread->exit_address = event->frame;
    tt_frame_heal(assembler, thread, event->frame, false, event->time);
    /* (A method in C++ may be left before its last call.) */
    if (tt_row_is_python(row) && match.open && match.candidates == 1 && thread->top &&
        (thread->top->row->role == TT_ROLE_SERVER || thread->top->row->role == TT_ROLE_METHOD))
        thread->last = thread->top; /* back in the C++ code that called it */
}

/* ---- catch ----------------------------------------------------------------------------------- */

static void fail_top(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                     unsigned incomplete)
{
    struct frame *frame = tt_frame_pop(assembler, thread);
    if (frame->further && frame->row->role == TT_ROLE_CLIENT) {
        tt_fields_exception(view, frame->further);
        tt_frame_end_further(assembler, frame, frame->further, view->header.time);
    }
    if (frame->span) {
        tt_fields_exception(view, frame->span);
        frame->span->incomplete |= incomplete;
    }
    assembler->stats.exceptions++;
    tt_frame_finish(assembler, thread, frame, view->header.time);
}

/* Whose exception it is cannot be told by the stack pointer alone: see state.h. */
static void catch_switching(struct tt_assembler *assembler, struct thread *thread,
                            const struct tt_event_view *view)
{
    uint64_t sp = view->header.sp;
    for (struct frame *frame = thread->suspended; frame; frame = frame->next)
        if (frame->noted && frame->noted < UINT8_MAX && frame->address <= sp)
            frame->noted++;
    bool last = thread->top && thread->last == thread->top;
    while (thread->top && thread->top->address <= sp && tt_frame_holds(thread, thread->top, sp) &&
           !thread->top->doubtful) {
        fail_top(assembler, thread, view, 0);
        last = false;
    }
    struct frame *top = thread->top;
    if (last && top->address <= sp && top->row->role == TT_ROLE_CLIENT)
        fail_top(assembler, thread, view, TT_INCOMPLETE_END);
    while (thread->top && thread->top->address <= sp) {
        struct frame *frame = thread->top;
        frame->noted = 1;
        if (frame->span) {
            tt_fields_exception(view, frame->span);
            frame->span->failed = false; /* until it is buried */
        }
        tt_frame_park_top(assembler, thread, view->header.time);
    }
}

void tt_event_catch(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    const struct tt_event *event = &view->header;
    bool below = thread->top && thread->top->address <= event->sp;
    if ((below || thread->suspended) && tt_thread_switches(assembler, thread))
        catch_switching(assembler, thread, view);
    else
        while (thread->top && thread->top->address <= event->sp)
            fail_top(assembler, thread, view, 0);
    struct frame *top = thread->top;
    if (top && top->further &&
        !tt_thread_switches(assembler, thread)) { /* it came to an end inside the function */
        tt_fields_exception(view, top->further);
        tt_frame_end_further(assembler, top, top->further, event->time);
    }
    if (top && top->row->role == TT_ROLE_WORKER && top->call) {
        /* The ORB keeps it for whoever asks for the reply, or tries again. */
        tt_fields_exception(view, top->call->span);
        top->call->caught = true;
    }
    /* The rest of what a stack pointer proves: markers and dropped frames. */
    tt_frame_heal(assembler, thread, event->sp, true, event->time);
}
