/* SPDX-License-Identifier: GPL-2.0-only */
/* log.c: log messages: what an event of role LOG says, and the span that is open around it. */
#include "assemble/log.h"

#include <stdlib.h>
#include <string.h>

#include "assemble/state.h"

struct tt_log *tt_log_new(void)
{
    return calloc(1, sizeof(struct tt_log));
}

void tt_log_free(struct tt_log **log)
{
    if (!*log)
        return;
    tt_arena_free(&(*log)->arena);
    free(*log);
    *log = NULL;
}

static const char *copy(struct tt_log *log, const char *text)
{
    return text ? tt_arena_copy(&log->arena, text, strlen(text)) : NULL;
}

void tt_log_set_owner(struct tt_log *log, const struct tt_span *span)
{
    bool server = tt_row_is_devices(span->row) && span->device;

    log->device = copy(log, server ? span->device : span->owner_device);
    log->class_name = copy(log, server ? span->class_name : span->owner_class);
}

void tt_event_log(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    const struct tt_event *event = &view->header;
    struct tt_log *log = assembler->ops.log ? tt_log_new() : NULL;
    struct frame *top;

    assembler->stats.logs++;
    tt_frame_heal(assembler, thread, event->frame, false, event->time);
    thread->last = NULL;
    if (!log) {
        assembler->stats.dropped_frames += assembler->ops.log != NULL;
        return;
    }
    log->tgid = thread->tgid;
    log->tid = thread->tid;
    memcpy(log->thread_name, thread->name, sizeof(log->thread_name));
    log->time = event->time;
    tt_fields_log(view, log);
    /* Inside a frame that found no room the innermost one is not known. */
    top = thread->dropped > event->frame ? NULL : tt_frame_proven(assembler, thread, event->frame);
    if (top) {
        log->span = top->owner;
        tt_log_set_owner(log, top->owner);
    }
    assembler->stats.logs_bare += !top;
    assembler->ops.log(assembler->ops.context, log);
}
