/* SPDX-License-Identifier: GPL-2.0-only */
/* events.c: what is learnt of an event while the function that sends it runs. */
#include "assemble/state.h"

void tt_event_beat(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                   const struct tt_row *row)
{
    char channel[TT_STRING_MAX];
    struct tt_beat beat = {.tgid = thread->tgid, .time = view->header.time, .row = row, .channel = channel};
    tt_frame_heal(assembler, thread, view->header.frame, false, view->header.time);
    thread->last = NULL;
    tt_fields_text(view, TT_FIELD_TOPIC, channel, sizeof(channel));
    if (assembler->beats)
        assembler->beats(assembler->beats_context, &beat);
}

/* The span of the function that sends an event and calls this one, or NULL. */
static struct tt_span *sending(struct tt_assembler *assembler, struct thread *thread,
                               const struct tt_event *event)
{
    tt_frame_heal(assembler, thread, event->frame, false, event->time);
    thread->last = NULL;
    struct frame *top = thread->dropped > event->frame ? NULL
                                                       : tt_frame_proven(assembler, thread, event->frame);
    return top && top->row->role == TT_ROLE_PUSH ? top->span : NULL;
}

void tt_event_topic(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    struct tt_span *span = sending(assembler, thread, &view->header);
    if (span && !span->topic) /* the second time it is that of the counter, without the IDL version */
        tt_fields_decode(view, span);
}

void tt_event_counter(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    struct tt_span *span = sending(assembler, thread, &view->header);
    if (!span)
        return;
    tt_fields_decode(view, span);
    if (span->topic && span->has_counter && assembler->ops.pushed)
        assembler->ops.pushed(assembler->ops.context, span, view->header.time);
}
