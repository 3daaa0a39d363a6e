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
    struct call *call; /* WORKER, REPLY: the asynchronous call */
    unsigned incomplete, retry;
};

static bool is_server(const struct frame *frame)
{
    return frame->row->role == TT_ROLE_SERVER;
}

/* Sends no request itself: what it does may. */
static bool is_served(const struct frame *frame)
{
    return is_server(frame) || frame->row->role == TT_ROLE_METHOD;
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

/* Does the row's function begin something of its own accord, not for a caller? */
static bool is_cause(const struct tt_row *row)
{
    return row->role == TT_ROLE_POLL || row->role == TT_ROLE_PUSH || row->role == TT_ROLE_RECEIVE ||
           row->role == TT_ROLE_LIFE;
}

/* What goes on in a server without being asked for. */
static void judge_cause(struct thread *thread, const struct tt_event *event, const struct tt_row *row,
                        bool proven, struct birth *birth)
{
    static const enum tt_span_kind kinds[] = {
        [TT_ROLE_PUSH] = TT_SPAN_PRODUCER,
        [TT_ROLE_RECEIVE] = TT_SPAN_CONSUMER,
        [TT_ROLE_POLL] = TT_SPAN_INTERNAL,
        [TT_ROLE_LIFE] = TT_SPAN_INTERNAL,
    };
    birth->kind = kinds[row->role];
    birth->trigger = row->role == TT_ROLE_POLL      ? TT_TRIGGER_POLLING
                     : row->role == TT_ROLE_RECEIVE ? TT_TRIGGER_EVENT
                                                    : TT_TRIGGER_UNKNOWN;
    if (proven) {
        birth->parent = thread->top->owner;
        if (row->role == TT_ROLE_LIFE && birth->parent->row->role == TT_ROLE_LIFE)
            birth->trigger = birth->parent->trigger;
        return;
    }
    mark_root(thread, event->frame, birth);
    if (row->role == TT_ROLE_LIFE)
        birth->trigger = !strncmp(row->verb, "stop", 4) ? TT_TRIGGER_SHUTDOWN : TT_TRIGGER_STARTUP;
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
    } else if (top && proven && is_cause(top->row)) {
        birth->kind = TT_SPAN_INTERNAL;
        birth->parent = top->owner;
        birth->trigger = top->owner->trigger;
    } else if (top && proven && top->row->role == TT_ROLE_METHOD) {
        birth->kind = TT_SPAN_INTERNAL; /* the device's own code called it: nobody asked */
        birth->trigger = TT_TRIGGER_UNKNOWN;
        birth->parent = top->owner;
    } else if (top && proven) {
        birth->collocated = true;
        birth->parent = top->owner;
    } else {
        birth->kind = TT_SPAN_INTERNAL;
        mark_root(thread, event->frame, birth);
        birth->trigger = birth->incomplete || thread->served ? TT_TRIGGER_UNKNOWN : TT_TRIGGER_POLLING;
    }
}

/* Length of the class in a qualified name: "Tango::Group" of "Tango::Group::ping". */
static size_t class_length(const char *name)
{
    size_t length = 0;
    for (const char *at = name; (at = strstr(at, "::")); at += 2)
        length = (size_t)(at - name);
    return length;
}

static bool same_verb(const struct tt_row *a, const struct tt_row *b)
{
    return a->verb == b->verb || (a->verb && b->verb && !strcmp(a->verb, b->verb));
}

/*
 * A function called by another one to do its work: no span of its own. That is one that does the same: a
 * further request (a ping before a write, the second try after a lost connection) is a call of its own.
 */
static bool stands_for(const struct frame *top, const struct tt_row *row)
{
    if (row->role == TT_ROLE_METHOD || top->row->role != row->role || !same_verb(top->row, row))
        return false;
    if (row->role == TT_ROLE_CLIENT)
        return !top->owner->requests;
    size_t length = class_length(row->name);
    return length == class_length(top->row->name) && !memcmp(row->name, top->row->name, length);
}

/* How often the call that `top` stands for was sent already, if `row` does the same again. */
static unsigned tries_before(const struct frame *top, const struct tt_row *row)
{
    bool again = row->role == TT_ROLE_CLIENT && top->row->role == TT_ROLE_CLIENT && same_verb(top->row, row);
    return again ? top->owner->requests : 0;
}

static void judge_client(struct thread *thread, const struct tt_event *event, const struct tt_row *row,
                         bool proven, struct birth *birth)
{
    struct frame *top = thread->top;
    bool request = row->role == TT_ROLE_CLIENT || row->role == TT_ROLE_ASYNCH;
    birth->kind = request ? TT_SPAN_CLIENT : TT_SPAN_INTERNAL;
    if (!proven) {
        mark_root(thread, event->frame, birth);
    } else if (stands_for(top, row)) {
        birth->inner = true;
        birth->owner = top->owner;
    } else {
        birth->parent = top->owner;
        birth->retry = tries_before(top, row);
    }
}

/* What Python runs that no user wrote (PyTango's own, a builtin) has no span: what is below belongs to what
 * is above. */
static bool is_mute(struct tt_assembler *assembler, struct tt_span *span)
{
    if (!tt_row_is_python(span->row))
        return false;
    return !assembler->methods || !assembler->methods(assembler->methods_context, span);
}

static void judge_method(struct thread *thread, const struct tt_event *event, bool proven,
                         struct birth *birth)
{
    struct frame *top = thread->top;
    birth->kind = TT_SPAN_INTERNAL;
    if (proven || (birth->chained && top->owner && !top->doubtful))
        birth->parent = birth->owner = top->owner;
    else
        mark_root(thread, event->frame, birth);
}

static void judge(struct tt_assembler *assembler, struct thread *thread, const struct tt_event *event,
                  const struct tt_row *row, struct birth *birth)
{
    struct frame *top = thread->top;
    birth->chained = top && thread->last == top;
    bool proven = tt_frame_proven(assembler, thread, event->frame);
    if (row->role == TT_ROLE_WORKER) {
        birth->inner = true; /* of the function that sends, on another thread */
        birth->owner = birth->call ? birth->call->span : NULL;
    } else if (row->role == TT_ROLE_SERVER)
        judge_server(assembler, thread, event, proven, birth);
    else if (is_cause(row))
        judge_cause(thread, event, row, proven, birth);
    else if (row->role == TT_ROLE_METHOD)
        judge_method(thread, event, proven, birth);
    else
        judge_client(thread, event, row, proven, birth);
}

static void fill_from_marker(struct marker *marker, struct tt_span *span)
{
    marker->used = true;
    span->received_at = marker->time;
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
    bool served = tt_row_is_devices(parent->row) && parent->device;
    const char *device = served ? parent->device : parent->owner_device;
    const char *class_name = served ? parent->class_name : parent->owner_class;
    if (device)
        span->owner_device = tt_arena_copy(&span->arena, device, strlen(device));
    if (class_name)
        span->owner_class = tt_arena_copy(&span->arena, class_name, strlen(class_name));
}

/* Is it a function that a client calls? */
static bool is_call(const struct tt_row *row)
{
    return row->role == TT_ROLE_CLIENT || row->role == TT_ROLE_MANY || row->role == TT_ROLE_ASYNCH ||
           row->role == TT_ROLE_REPLY;
}

static void copy_code(struct tt_span *to, const struct tt_span *from)
{
    if (!from->code.name || !from->code.file)
        return;
    to->code = from->code;
    to->code.name = tt_arena_copy(&to->arena, from->code.name, strlen(from->code.name));
    to->code.file = tt_arena_copy(&to->arena, from->code.file, strlen(from->code.file));
}

/* Whose code calls: what the event says, or who called the function that makes this call. True: its span is
 * wanted. */
static bool find_caller(struct tt_assembler *assembler, struct tt_span *span)
{
    bool wanted = false;
    if (!is_call(span->row))
        return false;
    if (span->python.frame_count && assembler->callers)
        wanted = assembler->callers(assembler->callers_context, span);
    if (!span->code.name && span->parent && is_call(span->parent->row))
        copy_code(span, span->parent);
    return wanted && span->kind == TT_SPAN_CLIENT && !span->parent &&
           !(span->incomplete & (TT_INCOMPLETE_PARENT | TT_INCOMPLETE_LOST));
}

/* The root of the trace in which the call is the only child. */
static struct tt_span *caller_begin(struct tt_assembler *assembler, const struct tt_span *call)
{
    struct tt_span *span = tt_span_new();
    if (!span)
        return NULL;
    span->row = &tt_caller_row;
    span->kind = TT_SPAN_INTERNAL;
    span->tgid = call->tgid;
    span->tid = call->tid;
    span->thread_start = call->thread_start;
    memcpy(span->thread_name, call->thread_name, sizeof(span->thread_name));
    span->start = call->start;
    copy_code(span, call);
    assembler->ops.open(assembler->ops.context, span);
    return span;
}

static struct tt_span *span_begin(struct thread *thread, const struct tt_event_view *view,
                                  const struct tt_row *row, const struct birth *birth)
{
    struct tt_span *span = tt_thread_span(thread, row, birth->kind);
    if (!span)
        return NULL;
    span->collocated = birth->collocated;
    span->start = view->header.time;
    span->incomplete = birth->incomplete;
    span->trigger = birth->trigger;
    span->retry = birth->retry;
    span->ledger.known = thread->clocks.time &&
                         (span->kind == TT_SPAN_CLIENT || span->kind == TT_SPAN_SERVER);
    span->parent = birth->parent;
    if (birth->from_marker)
        fill_from_marker(&thread->marker, span);
    tt_fields_decode(view, span);
    if (row->role == TT_ROLE_RECEIVE) {
        span->after_gap = thread->gap;
        thread->gap = false;
    }
    if (birth->parent)
        inherit_owner(span, birth->parent);
    if (birth->call) { /* the function that hands the reply over is not told what it is of */
        tt_span_copy_names(span, birth->call->span);
        span->answers = birth->call->span;
    }
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

/* The asynchronous call that the function is about. */
static struct call *find_call(struct tt_assembler *assembler, struct thread *thread,
                              const struct tt_event_view *view, const struct tt_row *row)
{
    if (row->role != TT_ROLE_WORKER && row->role != TT_ROLE_REPLY)
        return NULL;
    struct call *call = tt_call_find(assembler, thread, view);
    assembler->stats.replies_unlinked += !call && row->role == TT_ROLE_REPLY;
    return call;
}

static void attach_call(struct frame *frame, struct call *call)
{
    if (frame->row->role == TT_ROLE_REPLY) {
        frame->answers = frame->span ? call->descriptor.value : 0;
        return;
    }
    if (call->worker) {
        call->worker->call = NULL;
        call->worker->owner = NULL;
    }
    frame->call = call;
    call->worker = frame;
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
    if (!top || thread->dropped > sp || top->doubtful || is_served(top) || !top->owner)
        return NULL;
    if (tt_frame_holds(thread, top, sp) || !tt_thread_switches(assembler, thread))
        return top;
    if (thread->last != top)
        return NULL;
    return !top->requested || is_only_frame(thread, top, sp) ? top : NULL;
}

/* An asynchronous call goes to omniORB's pool. */
static void event_submit(struct tt_assembler *assembler, struct thread *thread,
                         const struct tt_event_view *view)
{
    const struct tt_event *event = &view->header;
    tt_frame_heal(assembler, thread, event->frame, false, event->time);
    struct frame *frame = sender(assembler, thread, event->sp);
    thread->last = frame;
    while (frame && !frame->span)
        frame = frame->next; /* that has the span of an inner one */
    if (frame && frame->row->role != TT_ROLE_ASYNCH)
        frame = NULL;
    tt_call_submit(assembler, thread, view, frame);
}

/* A request of cppTango's Database: that device may be traced by nobody. */
static bool asks_database(const struct tt_span *span)
{
    return span->kind == TT_SPAN_CLIENT && !span->device && span->parent &&
           tt_row_is_database(span->parent->row);
}

void tt_event_enter(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                    const struct tt_row *row)
{
    const struct tt_event *event = &view->header;
    struct birth birth = {.trigger = TT_TRIGGER_UNKNOWN};
    if (row->role == TT_ROLE_SUBMIT) {
        event_submit(assembler, thread, view);
        return;
    }
    if (row->role == TT_ROLE_REFUSED) {
        tt_call_refused(assembler, thread, view);
        return;
    }
    if (row->role == TT_ROLE_LOG) {
        tt_event_log(assembler, thread, view);
        return;
    }
    if (row->role == TT_ROLE_COUNTER) {
        tt_event_counter(assembler, thread, view);
        return;
    }
    if (row->role == TT_ROLE_BEAT) {
        tt_event_beat(assembler, thread, view, row);
        return;
    }
    if (row->role == TT_ROLE_BIRTH) {
        tt_event_birth(assembler, thread, view, row);
        return;
    }
    if (is_round(assembler, thread, event, row)) {
        thread->last = thread->top;
        return;
    }
    make_room(assembler, thread, event, row, &birth);
    if (row->role == TT_ROLE_LIFE)
        tt_birth_over(assembler, thread, event->time);
    if (thread->dropped > event->frame) {
        drop(assembler, thread, event->frame);
        return;
    }
    if (thread->highest && event->frame >= thread->highest)
        thread->doubt = false;
    if (event->frame > thread->highest)
        thread->highest = event->frame;

    if (thread->top)
        tt_frame_end_further(assembler, thread->top, NULL, event->time);
    birth.call = find_call(assembler, thread, view, row);
    judge(assembler, thread, event, row, &birth);
    struct tt_span *span = birth.inner ? NULL : span_begin(thread, view, row, &birth);
    if (span && is_mute(assembler, span)) {
        tt_span_free(&span);
        birth.inner = true;
    }
    struct frame *frame = !birth.inner && !span ? NULL : tt_frame_push(assembler, thread, event->frame);
    if (!frame) {
        tt_span_free(&span);
        drop(assembler, thread, event->frame);
        return;
    }
    frame->row = row;
    frame->clocks = thread->clocks;
    frame->span = span;
    frame->owner = span ? span : birth.owner;
    frame->tail = birth.tail;
    if (birth.from_marker)
        frame->upcall = thread->marker.address;
    else if (birth.inner && row->role == TT_ROLE_SERVER)
        frame->upcall = frame->next->upcall;
    thread->last = frame;
    if (birth.call)
        attach_call(frame, birth.call);
    if (!span) {
        if (row->role != TT_ROLE_SERVER && row->role != TT_ROLE_WORKER && row->role != TT_ROLE_METHOD)
            tt_fields_complete(view, birth.owner);
        return;
    }
    if (asks_database(span))
        span->peer_class = TT_DATABASE_CLASS;
    if (find_caller(assembler, span))
        span->parent = frame->caller = caller_begin(assembler, span);
    assembler->ops.open(assembler->ops.context, span);
    span->parent = span->answers = NULL;
}

void tt_event_upcall(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    const struct tt_event *event = &view->header;
    struct marker *marker = &thread->marker;
    tt_frame_heal(assembler, thread, event->frame, true, event->time);
    if (marker->open)
        tt_thread_end_marker(assembler, thread, thread->before);
    tt_frame_bury_methods(assembler, thread, event->frame, event->time);
    assembler->stats.upcalls++;
    thread->last = NULL;
    thread->served = true;
    /* A dispatch begins: what was lost before does not enclose the method in the sense of a parent. */
    thread->doubt = false;
    *marker = (struct marker){
        .open = true, .sequence = event->sequence, .address = event->frame, .time = event->time};
    const struct tt_row *row = assembler->point_row(assembler->point_context, event->point);
    marker->row = row && row->role == TT_ROLE_UPCALL ? row : NULL;
    marker->has_key = tt_fields_key(view, &marker->key, marker->operation, sizeof(marker->operation));
}

/*
 * A request that has no function of its own: of a function that sends many, or sent once more because the
 * first was lost with its connection. The span begins when the thread was last seen before, and ends when the
 * next thing of its frame is seen.
 */
static struct tt_span *further_request(struct tt_assembler *assembler, struct thread *thread,
                                       struct frame *frame)
{
    struct tt_span *owner = frame->owner, *span = tt_thread_span(thread, owner->row, TT_SPAN_CLIENT);
    if (!span)
        return NULL;
    bool one = frame->row->role != TT_ROLE_MANY && frame->row->role != TT_ROLE_REPLY;
    span->further = true;
    span->retry = one ? owner->requests : 0;
    span->start = thread->before > owner->start ? thread->before : owner->start;
    span->ledger.known = thread->clocks.time != 0;
    span->incomplete = TT_INCOMPLETE_START;
    tt_span_copy_names(span, owner);
    span->parent = owner;
    inherit_owner(span, owner);
    copy_code(span, owner);
    assembler->ops.open(assembler->ops.context, span);
    span->parent = NULL;
    frame->further = span;
    return span;
}

/* The span that stands for a request that the frame sends. */
static struct tt_span *requester(struct tt_assembler *assembler, struct thread *thread, struct frame *frame,
                                 uint64_t now)
{
    enum tt_role role = frame->row->role;
    tt_frame_end_further(assembler, frame, NULL, now);
    if (role != TT_ROLE_MANY && role != TT_ROLE_REPLY && !frame->owner->requests)
        return frame->owner;
    return further_request(assembler, thread, frame) ?: frame->owner;
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

    if (frame->call && frame->call->caught) { /* the ORB tries again */
        frame->call->caught = false;
        tt_fields_no_exception(frame->owner);
    }
    struct tt_span *span = requester(assembler, thread, frame, event->time);
    bool readable = tt_fields_key(view, &key, operation, sizeof(operation));
    tt_fields_context(view, span);
    frame->requested = true;
    if (span != frame->owner)
        frame->owner->requests++;
    if (!span->requests++) {
        span->sent_at = event->time;
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
