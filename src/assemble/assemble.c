/* SPDX-License-Identifier: GPL-2.0-only */
/* assemble.c: the way of one event: checked, counted, given to its thread. */
#include "assemble/state.h"

#include <stdlib.h>

struct tt_assembler *tt_assembler_new(const struct tt_assembler_ops *ops,
                                      const struct tt_row *(*point_row)(void *context, uint32_t point),
                                      void *point_context)
{
    struct tt_assembler *assembler = calloc(1, sizeof(*assembler));
    if (!assembler)
        return NULL;
    assembler->ops = *ops;
    assembler->point_row = point_row;
    assembler->point_context = point_context;
    return assembler;
}

static void free_frames(struct frame *frame)
{
    while (frame) {
        struct frame *next = frame->next;
        tt_span_free(&frame->span);
        tt_span_free(&frame->further);
        tt_span_free(&frame->caller);
        tt_span_free(&frame->birth);
        free(frame);
        frame = next;
    }
}

static void free_spare(struct frame *frame)
{
    while (frame) {
        struct frame *next = frame->next;
        free(frame);
        frame = next;
    }
}

void tt_assembler_free(struct tt_assembler **assembler)
{
    struct tt_assembler *old = *assembler;
    if (!old)
        return;
    struct thread *thread = old->threads;
    HASH_CLEAR(hh, old->threads);
    while (thread) {
        struct thread *next = thread->hh.next;
        free_frames(thread->top);
        free_frames(thread->suspended);
        free(thread->ghosts);
        free(thread);
        thread = next;
    }
    tt_call_free_all(old);
    free_spare(old->spare);
    for (size_t i = 0; i < old->bare_count; i++)
        free((char *)old->bare[i].operation);
    free(old);
    *assembler = NULL;
}

void tt_assembler_set_switching(struct tt_assembler *assembler, tt_switching_fn fn, void *context)
{
    assembler->switching = fn;
    assembler->switching_context = context;
}

void tt_assembler_set_methods(struct tt_assembler *assembler, tt_method_fn fn, void *context)
{
    assembler->methods = fn;
    assembler->methods_context = context;
}

void tt_assembler_set_callers(struct tt_assembler *assembler, tt_caller_fn fn, void *context)
{
    assembler->callers = fn;
    assembler->callers_context = context;
}

void tt_assembler_set_beats(struct tt_assembler *assembler, tt_beat_fn fn, void *context)
{
    assembler->beats = fn;
    assembler->beats_context = context;
}

/* Compares the sequence number with the last one of the thread. */
static void check_sequence(struct tt_assembler *assembler, struct thread *thread,
                           const struct tt_event *event)
{
    uint32_t expected = thread->sequence + 1;
    thread->sequence = event->sequence;
    if (event->sequence == expected)
        return;
    uint32_t missing = event->sequence - expected;
    assembler->stats.gaps++;
    if (missing < UINT32_MAX / 2) /* else it went backwards: counters of another life */
        assembler->stats.lost += missing;
    tt_thread_taint(thread);
}

/* A stack pointer too far from the first one is of another stack (signal stack, fiber). */
static void check_stack(struct thread *thread, const struct tt_event *event)
{
    if (!thread->base)
        thread->base = event->sp;
    uint64_t distance = event->sp > thread->base ? event->sp - thread->base : thread->base - event->sp;
    if (distance > TT_STACK_SPAN)
        thread->switching = true;
}

static bool is_plausible(const struct tt_event *event)
{
    if (event->type == TT_EVENT_THREAD_EXIT)
        return true;
    bool has_frame = event->type != TT_EVENT_CATCH && event->type != TT_EVENT_REQUEST &&
                     event->type != TT_EVENT_SWITCH;
    return event->sp && event->sp < UINT64_MAX / 2 &&
           (!has_frame || (event->frame && event->frame < UINT64_MAX / 2));
}

static bool is_function(const struct tt_row *row)
{
    return row && (row->role == TT_ROLE_CLIENT || row->role == TT_ROLE_MANY || row->role == TT_ROLE_SERVER ||
                   row->role >= TT_ROLE_ASYNCH);
}

/* False: the event makes no sense. */
static bool handle(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    const struct tt_event *event = &view->header;
    if (!is_plausible(event))
        return false;
    if (event->type == TT_EVENT_THREAD_EXIT) {
        tt_thread_remove(assembler, thread, event->time);
        return true;
    }
    check_stack(thread, event);
    const struct tt_row *row = NULL;
    if (event->type == TT_EVENT_ENTER || event->type == TT_EVENT_EXIT) {
        row = assembler->point_row(assembler->point_context, event->point);
        if (!is_function(row))
            return false;
    }
    switch ((enum tt_event_type)event->type) {
    case TT_EVENT_ENTER:
        if (row->role == TT_ROLE_WAIT)
            tt_event_wait(assembler, thread, view);
        else
            tt_event_enter(assembler, thread, view, row);
        return true;
    case TT_EVENT_EXIT:
        if (row->role == TT_ROLE_WAIT)
            tt_event_waited(assembler, thread, view);
        else
            tt_event_exit(assembler, thread, view, row);
        return true;
    case TT_EVENT_SWITCH:
        thread->switching = true;
        thread->last = NULL;
        return true;
    case TT_EVENT_CATCH:
        tt_event_catch(assembler, thread, view);
        return true;
    case TT_EVENT_REQUEST:
        tt_event_request(assembler, thread, view);
        return true;
    case TT_EVENT_UPCALL:
        tt_event_upcall(assembler, thread, view);
        return true;
    default:
        return false;
    }
}

void tt_assembler_event(struct tt_assembler *assembler, const void *data, size_t size)
{
    struct tt_event_view view;
    assembler->stats.events++;
    enum tt_event_check check = tt_event_view(&view, data, size);
    if (check == TT_EVENT_BAD_HEADER) {
        assembler->stats.malformed++;
        return;
    }
    if (view.header.type == TT_EVENT_PROCESS) /* for whoever knows processes; says nothing of the thread */
        return;
    struct thread *thread = tt_thread_get(assembler, &view.header);
    if (!thread) {
        assembler->stats.dropped_frames++;
        return;
    }
    check_sequence(assembler, thread, &view.header);
    thread->before = thread->last_time;
    if (view.header.time > thread->last_time)
        thread->last_time = view.header.time;
    tt_thread_clock(thread, check == TT_EVENT_GOOD ? &view : NULL);
    if (check == TT_EVENT_GOOD)
        tt_fields_thread_name(&view, thread->name);
    if (check == TT_EVENT_GOOD && handle(assembler, thread, &view))
        return;
    /* What it would have said is lost. */
    assembler->stats.malformed++;
    tt_thread_taint(thread);
}

void tt_assembler_skip(struct tt_assembler *assembler, const void *data, size_t size)
{
    struct tt_event_view view;
    assembler->stats.events++;
    struct thread *thread = tt_event_view(&view, data, size) == TT_EVENT_BAD_HEADER
                                ? NULL
                                : tt_thread_get(assembler, &view.header);
    if (!thread) {
        assembler->stats.malformed++;
        return;
    }
    check_sequence(assembler, thread, &view.header);
    if (view.header.time > thread->last_time)
        thread->last_time = view.header.time;
}

void tt_assembler_tick(struct tt_assembler *assembler, uint64_t now)
{
    struct thread *thread, *next;
    HASH_ITER(hh, assembler->threads, thread, next)
    {
        if (thread->suspended)
            tt_frame_expire(assembler, thread, now);
        struct marker *marker = &thread->marker;
        if (marker->open && !marker->used && now > marker->time && now - marker->time > TT_BARE_NS)
            tt_thread_end_marker(assembler, thread, thread->last_time);
    }
    tt_call_expire(assembler, now);
}

void tt_assembler_forget(struct tt_assembler *assembler, uint32_t tgid)
{
    /* The threads stay known, for their sequence numbers: events may still be on their way. */
    struct thread *thread, *next;
    uint64_t last = 0;
    HASH_ITER(hh, assembler->threads, thread, next)
    {
        if (thread->tgid != tgid)
            continue;
        tt_thread_bury_all(assembler, thread, thread->last_time);
        last = thread->last_time > last ? thread->last_time : last;
    }
    tt_call_close_all(assembler, tgid, last);
}

void tt_assembler_flush(struct tt_assembler *assembler, uint64_t now)
{
    struct thread *thread, *next;
    HASH_ITER(hh, assembler->threads, thread, next)
    {
        tt_thread_bury_all(assembler, thread, now);
    }
    tt_call_close_all(assembler, 0, now);
}

const struct tt_assembler_stats *tt_assembler_stats(const struct tt_assembler *assembler)
{
    return &assembler->stats;
}

const struct tt_assembler_bare *tt_assembler_bare(const struct tt_assembler *assembler, size_t index)
{
    return index <= TT_BARE_MAX && assembler->bare[index].operation ? &assembler->bare[index] : NULL;
}

void tt_assembler_each_open(struct tt_assembler *assembler,
                            void (*visit)(void *context, const struct tt_open *open), void *context)
{
    struct thread *thread, *next;
    HASH_ITER(hh, assembler->threads, thread, next)
    {
        struct tt_open open = {.waiting = thread->waiting.address != 0, .since = thread->waiting.since};
        for (const struct frame *frame = thread->top; frame; frame = frame->next) {
            open.span = frame->span;
            open.inside = open.inside ?: frame->owner;
            if (frame->span)
                visit(context, &open);
        }
    }
    for (const struct call *call = assembler->calls; call; call = call->hh.next)
        if (!call->sender && !call->ended)
            visit(context, &(struct tt_open){.span = call->span, .inside = call->span});
}
