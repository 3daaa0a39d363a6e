/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * birth.c: init_device of PyTango devices when they are made. Python code calls it, so that no function of C
 * tells of it: BaseDevice.__init__ has the device made in C++ (role BIRTH), and calls it then, as its last
 * act. What Python does next is to make the next device of the class, or to export them all, both of which
 * are seen.
 *
 * So the span begins when the constructor ends, inside the call of Python code that asked for it. Its frame
 * lies right below that of the call, whatever comes deeper is in it. It ends with the first thing that cannot
 * be part of it, which is a bound (TT_INCOMPLETE_END), but where the call itself ends by an exception: that
 * came from it, or passed it.
 */
#include "assemble/state.h"

#include "base/cleanup.h"

#define ADDRESS_STEP 8 /* of a return address on the stack */

static void end(struct tt_assembler *assembler, struct thread *thread, unsigned incomplete, uint64_t now)
{
    struct frame *frame = tt_frame_pop(assembler, thread);
    frame->span->incomplete |= incomplete;
    tt_frame_finish(assembler, thread, frame, now);
}

void tt_birth_over(struct tt_assembler *assembler, struct thread *thread, uint64_t now)
{
    if (thread->top && thread->top->born)
        end(assembler, thread, TT_INCOMPLETE_END, now);
}

void tt_birth_leave(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    const struct frame *top = thread->top;
    uint64_t result;
    if (!top || !top->born || !top->next || top->next->address != view->header.frame ||
        !tt_fields_number(view, TT_FIELD_PY_RESULT, &result) || result)
        return;
    top->span->failed = true;
    end(assembler, thread, 0, view->header.time);
}

void tt_event_birth(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                    const struct tt_row *row)
{
    const struct tt_event *event = &view->header;
    struct frame *frame, *above;
    tt_frame_heal(assembler, thread, event->frame, false, event->time);
    tt_birth_over(assembler, thread, event->time);
    thread->last = NULL;
    above = thread->dropped > event->frame ? NULL : tt_frame_proven(assembler, thread, event->frame);
    if (!above || !tt_row_is_python(above->row) || above->address <= event->frame + ADDRESS_STEP)
        return; /* of C++, whose init_device is seen itself */
    frame = tt_frame_push(assembler, thread, event->frame);
    if (!frame)
        return;
    frame->row = row;
    frame->owner = above->owner;
    frame->birth = tt_thread_span(thread, &tt_init_row, TT_SPAN_INTERNAL);
    if (frame->birth)
        tt_fields_decode(view, frame->birth);
}

void tt_event_born(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                   const struct tt_row *row)
{
    const struct tt_event *event = &view->header;
    struct frame *frame;
    struct tt_span *span;
    tt_frame_heal(assembler, thread, event->frame, false, event->time);
    thread->last = NULL;
    frame = thread->top;
    if (!frame || frame->row != row || frame->address != event->frame)
        return; /* see tt_event_birth */
    tt_frame_pop(assembler, thread);
    span = TAKE_PTR(frame->birth);
    tt_frame_finish(assembler, thread, frame, event->time);
    frame = span && thread->top && thread->top->owner
                ? tt_frame_push(assembler, thread, thread->top->address - ADDRESS_STEP)
                : NULL;
    if (!frame) {
        tt_span_free(&span);
        return;
    }
    frame->row = span->row;
    frame->born = true;
    frame->clocks = thread->clocks;
    frame->span = frame->owner = span;
    span->start = event->time;
    span->parent = frame->next->owner;
    span->trigger = span->parent->row->role == TT_ROLE_LIFE ? span->parent->trigger : TT_TRIGGER_UNKNOWN;
    assembler->ops.open(assembler->ops.context, span);
    span->parent = NULL;
}
