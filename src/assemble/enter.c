/* SPDX-License-Identifier: GPL-2.0-only */
/* enter.c: what begins: a function entered, a request received, a request sent. */
#include "assemble/state.h"

#include <string.h>

/* What a new frame is to become. */
struct birth {
    bool inner;       /* no span of its own: `owner` stands for it */
    bool from_marker; /* the method of the request just received */
    bool tail;
    bool chained;
    bool collocated;
    enum tt_span_kind kind;
    enum tt_trigger trigger;
    struct tt_span *parent; /* proven by nesting */
    struct tt_span *owner;
    unsigned incomplete;
};

static bool is_server(const struct frame *frame)
{
    return frame->row->role == TT_ROLE_SERVER;
}

/* A method that hands over to another by a jump (command_inout_4 to command_inout_2 in cppTango 9.3): same
 * address, nothing in between. Only methods: a client's frame whose end was missed looks the same when the
 * client calls again from the same place, and must not share the success of that call. */
static bool is_tail(const struct thread *thread, const struct frame *top, const struct tt_row *row)
{
    return is_server(top) && row->role == TT_ROLE_SERVER && thread->last == top && !top->doubtful &&
           top->row != row;
}

/* Sees to older frames at or below the new one. */
static void make_room(struct tt_assembler *assembler, struct thread *thread, const struct tt_event *event,
                      const struct tt_row *row, struct birth *birth)
{
    tt_frame_heal(assembler, thread, event->frame, false, event->time);
    if (thread->top && thread->top->address == event->frame)
        birth->tail = is_tail(thread, thread->top, row);
    if (birth->tail)
        return;
    bool switches = (thread->top || thread->suspended) && tt_thread_switches(assembler, thread);
    while (thread->top && thread->top->address == event->frame) {
        if (switches)
            tt_frame_park_top(assembler, thread, event->time);
        else
            tt_frame_bury(assembler, thread, tt_frame_pop(assembler, thread), event->time);
    }
    if (!switches)
        tt_frame_bury_at(assembler, thread, event->frame, event->time);
}

static bool takes_marker(struct tt_assembler *assembler, struct thread *thread, const struct tt_event *event)
{
    const struct marker *marker = &thread->marker;
    if (!marker->open || marker->used || event->frame >= marker->address)
        return false;
    if (thread->top && thread->top->address <= marker->address)
        return false; /* something else was called in between */
    return event->sequence == marker->sequence + 1 || !tt_thread_switches(assembler, thread);
}

/* No parent is proven: says so where there is a reason to expect one. */
static void mark_root(const struct thread *thread, uint64_t address, struct birth *birth)
{
    if (thread->top)
        birth->incomplete |= TT_INCOMPLETE_PARENT | (thread->top->doubtful ? TT_INCOMPLETE_LOST : 0);
    for (const struct frame *frame = thread->suspended; frame; frame = frame->next)
        if (frame->address > address)
            birth->incomplete |= TT_INCOMPLETE_PARENT;
    if (thread->doubt)
        birth->incomplete |= TT_INCOMPLETE_PARENT | TT_INCOMPLETE_LOST;
}

static void judge_server(struct tt_assembler *assembler, struct thread *thread, const struct tt_event *event,
                         bool proven, struct birth *birth)
{
    struct frame *top = thread->top;
    birth->kind = TT_SPAN_SERVER;
    birth->trigger = TT_TRIGGER_CLIENT;
    if (takes_marker(assembler, thread, event)) {
        birth->from_marker = true;
    } else if (top && is_server(top) && top->owner && (proven || (birth->chained && !top->doubtful))) {
        birth->inner = true;
        birth->owner = top->owner;
    } else if (top && proven) {
        birth->collocated = true;
        birth->parent = top->owner;
    } else {
        birth->kind = TT_SPAN_INTERNAL;
        mark_root(thread, event->frame, birth);
        birth->trigger = birth->incomplete || thread->served ? TT_TRIGGER_UNKNOWN : TT_TRIGGER_POLLING;
    }
}

static void judge_client(struct thread *thread, const struct tt_event *event, const struct tt_row *row,
                         bool proven, struct birth *birth)
{
    struct frame *top = thread->top;
    birth->kind = row->role == TT_ROLE_CLIENT ? TT_SPAN_CLIENT : TT_SPAN_INTERNAL;
    if (!proven) {
        mark_root(thread, event->frame, birth);
    } else if (row->role == TT_ROLE_CLIENT && top->row->role == TT_ROLE_CLIENT) {
        birth->inner = true;
        birth->owner = top->owner;
    } else {
        birth->parent = top->owner;
    }
}

static void judge(struct tt_assembler *assembler, struct thread *thread, const struct tt_event *event,
                  const struct tt_row *row, struct birth *birth)
{
    struct frame *top = thread->top;
    birth->chained = top && thread->last == top;
    bool proven = top && !top->doubtful && top->owner &&
                  (tt_frame_holds(thread, top, event->frame) || !tt_thread_switches(assembler, thread));
    if (row->role == TT_ROLE_SERVER)
        judge_server(assembler, thread, event, proven, birth);
    else
        judge_client(thread, event, row, proven, birth);
}

static void fill_from_marker(struct marker *marker, struct tt_span *span)
{
    marker->used = true;
    if (marker->operation[0])
        span->operation = tt_arena_copy(&span->arena, marker->operation, strlen(marker->operation));
    if (marker->has_key) {
        span->has_key = true;
        span->key = marker->key;
    } else {
        span->incomplete |= TT_INCOMPLETE_FAULT;
    }
}

/* A call made inside a request belongs to the device that makes it. */
static void inherit_owner(struct tt_span *span, const struct tt_span *parent)
{
    bool server = parent->row->role == TT_ROLE_SERVER && parent->device;
    const char *device = server ? parent->device : parent->owner_device;
    const char *class_name = server ? parent->class_name : parent->owner_class;
    if (device)
        span->owner_device = tt_arena_copy(&span->arena, device, strlen(device));
    if (class_name)
        span->owner_class = tt_arena_copy(&span->arena, class_name, strlen(class_name));
}

static struct tt_span *span_begin(struct thread *thread, const struct tt_event_view *view,
                                  const struct tt_row *row, const struct birth *birth)
{
    struct tt_span *span = tt_span_new();
    if (!span)
        return NULL;
    span->row = row;
    span->kind = birth->kind;
    span->collocated = birth->collocated;
    span->tgid = thread->tgid;
    span->tid = thread->tid;
    span->thread_start = thread->start;
    span->start = view->header.time;
    span->incomplete = birth->incomplete;
    span->trigger = birth->trigger;
    span->parent = birth->parent;
    if (birth->from_marker)
        fill_from_marker(&thread->marker, span);
    tt_fields_decode(view, span);
    if (birth->parent)
        inherit_owner(span, birth->parent);
    return span;
}

/* No room for the frame: what happens below it until the stack is above it again is not looked at. */
static void drop(struct tt_assembler *assembler, struct thread *thread, uint64_t address)
{
    assembler->stats.dropped_frames++;
    if (thread->dropped < address)
        thread->dropped = address;
    thread->last = NULL;
}

/* A further round of the innermost call. Not to be told where stacks switch: there it may be another call at
 * the same address, and is taken for one. */
static bool is_round(struct tt_assembler *assembler, struct thread *thread, const struct tt_event *event,
                     const struct tt_row *row)
{
    const struct frame *top;

    if (!(event->flags & TT_EVENT_AGAIN))
        return false;
    tt_frame_heal(assembler, thread, event->frame, false, event->time);
    top = thread->top;
    return top && top->address == event->frame && top->row == row && !top->doubtful &&
           !tt_thread_switches(assembler, thread);
}

void tt_event_enter(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                    const struct tt_row *row)
{
    const struct tt_event *event = &view->header;
    struct birth birth = {.trigger = TT_TRIGGER_UNKNOWN};
    if (is_round(assembler, thread, event, row)) {
        thread->last = thread->top;
        return;
    }
    make_room(assembler, thread, event, row, &birth);
    if (thread->dropped > event->frame) {
        drop(assembler, thread, event->frame);
        return;
    }
    if (thread->highest && event->frame >= thread->highest)
        thread->doubt = false;
    if (event->frame > thread->highest)
        thread->highest = event->frame;

    judge(assembler, thread, event, row, &birth);
    struct tt_span *span = birth.inner ? NULL : span_begin(thread, view, row, &birth);
    struct frame *frame = !birth.inner && !span ? NULL : tt_frame_push(assembler, thread, event->frame);
    if (!frame) {
        tt_span_free(&span);
        drop(assembler, thread, event->frame);
        return;
    }
    frame->row = row;
    frame->span = span;
    frame->owner = span ? span : birth.owner;
    frame->tail = birth.tail;
    if (birth.from_marker)
        frame->upcall = thread->marker.address;
    else if (birth.inner && row->role == TT_ROLE_SERVER)
        frame->upcall = frame->next->upcall;
    thread->last = frame;
    if (!span)
        return;
    assembler->ops.open(assembler->ops.context, span);
    span->parent = NULL;
}

void tt_event_upcall(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    const struct tt_event *event = &view->header;
    struct marker *marker = &thread->marker;
    tt_frame_heal(assembler, thread, event->frame, true, event->time);
    if (marker->open)
        tt_thread_end_marker(assembler, thread);
    tt_frame_bury_methods(assembler, thread, event->frame, event->time);
    assembler->stats.upcalls++;
    thread->last = NULL;
    thread->served = true;
    /* A dispatch begins: what was lost before does not enclose the method in the sense of a parent. */
    thread->doubt = false;
    *marker = (struct marker){
        .open = true, .sequence = event->sequence, .address = event->frame, .time = event->time};
    marker->has_key = tt_fields_key(view, &marker->key, marker->operation, sizeof(marker->operation));
}

/* The only frame that is known above `sp`, or NULL if there are several. */
static bool is_only_frame(const struct thread *thread, const struct frame *frame, uint64_t sp)
{
    for (const struct frame *other = thread->top; other; other = other->next)
        if (other != frame && other->address > sp)
            return false;
    for (const struct frame *other = thread->suspended; other; other = other->next)
        if (other != frame && other->address > sp)
            return false;
    return true;
}

/* The frame that sent a request at `sp`; NULL if none is proven. */
static struct frame *sender(struct tt_assembler *assembler, struct thread *thread, uint64_t sp)
{
    struct frame *top = thread->top;
    if (!top || thread->dropped > sp || top->doubtful || is_server(top) || !top->owner)
        return NULL;
    if (tt_frame_holds(thread, top, sp) || !tt_thread_switches(assembler, thread))
        return top;
    if (thread->last != top)
        return NULL;
    return !top->requested || is_only_frame(thread, top, sp) ? top : NULL;
}

void tt_event_request(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    const struct tt_event *event = &view->header;
    char operation[TT_OPERATION_MAX];
    struct tt_key key;
    tt_frame_heal(assembler, thread, event->sp, true, event->time);
    assembler->stats.requests++;
    struct frame *frame = sender(assembler, thread, event->sp);
    thread->last = frame;
    if (!frame) {
        assembler->stats.requests_bare++;
        return;
    }

    struct tt_span *span = frame->owner;
    bool readable = tt_fields_key(view, &key, operation, sizeof(operation));
    tt_fields_context(view, span);
    frame->requested = true;
    if (!span->requests++) {
        if (operation[0])
            span->operation = tt_arena_copy(&span->arena, operation, strlen(operation));
        if (readable)
            span->key = key;
        span->has_key = readable;
    }
    if (readable)
        assembler->ops.request(assembler->ops.context, span, &key, event->time);
    else
        span->incomplete |= TT_INCOMPLETE_FAULT;
}
