/* SPDX-License-Identifier: GPL-2.0-only */
/* calls.c: asynchronous calls, from the function that sends to the reply that is handed over. */
#include "assemble/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct call_key key_of(const struct thread *thread, uint64_t value)
{
    return (struct call_key){.tgid = thread->tgid, .value = value};
}

/* Closes the span, unless the frame that sends still has it, and forgets the call. */
static void call_close(struct tt_assembler *assembler, struct call *call, uint64_t now)
{
    struct tt_span *span = call->span;
    if (!call->ended) {
        assembler->stats.asynch_unknown++;
        span->incomplete |= TT_INCOMPLETE_END;
        span->end = now;
    }
    if (call->sender) {
        call->sender->call = NULL;
    } else {
        if (span->end < span->start)
            span->end = span->start;
        assembler->stats.spans++;
        assembler->ops.close(assembler->ops.context, span);
    }
    if (call->worker) {
        call->worker->call = NULL;
        call->worker->owner = NULL;
    }
    HASH_DELETE(hh, assembler->calls, call);
    if (call->numbered)
        HASH_DELETE(by_number, assembler->numbers, call);
    free(call);
}

static struct call *find_descriptor(struct tt_assembler *assembler, struct call_key key)
{
    struct call *call;
    HASH_FIND(hh, assembler->calls, &key, sizeof(key), call);
    return call;
}

void tt_call_submit(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                    struct frame *sender)
{
    uint64_t descriptor, now = view->header.time;
    assembler->stats.asynch++;
    if (!tt_fields_number(view, TT_FIELD_DESCRIPTOR, &descriptor))
        return;
    struct call_key key = key_of(thread, descriptor);
    struct call *call = find_descriptor(assembler, key);
    if (call) /* its memory is used again: it is over */
        call_close(assembler, call, now);
    if (!sender || sender->call)
        return;
    if (HASH_CNT(hh, assembler->calls) >= TT_CALLS_MAX)
        call_close(assembler, assembler->calls, now); /* the oldest: uthash keeps the order */
    call = calloc(1, sizeof(*call));
    if (!call)
        return;
    call->descriptor = key;
    call->span = sender->span;
    call->sender = sender;
    call->time = now;
    HASH_ADD(hh, assembler->calls, descriptor, sizeof(call->descriptor), call);
    if (!call->hh.tbl) {
        free(call);
        return;
    }
    sender->call = call;
}

struct call *tt_call_find(struct tt_assembler *assembler, const struct thread *thread,
                          const struct tt_event_view *view)
{
    struct call_key key;
    struct call *call = NULL;
    uint64_t value;
    if (tt_fields_number(view, TT_FIELD_DESCRIPTOR, &value))
        return find_descriptor(assembler, key_of(thread, value));
    if (tt_fields_number(view, TT_FIELD_ASYNCH_ID, &value)) {
        key = key_of(thread, value);
        HASH_FIND(by_number, assembler->numbers, &key, sizeof(key), call);
    }
    return call;
}

void tt_call_number(struct tt_assembler *assembler, struct call *call, const struct tt_event_view *view)
{
    struct call *other;
    uint64_t number;
    if (call->numbered || !tt_fields_number(view, TT_FIELD_ASYNCH_ID, &number))
        return;
    call->number = call->descriptor;
    call->number.value = number;
    HASH_FIND(by_number, assembler->numbers, &call->number, sizeof(call->number), other);
    if (other)
        return; /* numbers are not used again: one of the two is misread, neither is believed */
    HASH_ADD(by_number, assembler->numbers, number, sizeof(call->number), call);
    call->numbered = call->by_number.tbl != NULL;
}

/* The mangled name of the type behind a repository id: "IDL:Tango/DevFailed:1.0" gives "N5Tango9DevFailedE".
 * False: it is none of a type in one module. */
static bool type_of_id(const char *id, char *type, size_t size)
{
    const char *module = id + 4, *slash = strchr(id, '/'), *end = strrchr(id, ':');
    if (strncmp(id, "IDL:", 4) != 0 || !slash || !end || end < slash || strchr(slash + 1, '/'))
        return false;
    int length = snprintf(type, size, "N%d%.*s%d%.*sE", (int)(slash - module), (int)(slash - module), module,
                          (int)(end - slash - 1), (int)(end - slash - 1), slash + 1);
    return length > 0 && (size_t)length < size;
}

void tt_call_refused(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view)
{
    struct call *call = tt_call_find(assembler, thread, view);
    char id[128], type[160];
    if (!call)
        return;
    tt_fields_text(view, TT_FIELD_TYPE, id, sizeof(id));
    tt_fields_no_exception(call->span);
    call->span->failed = true;
    call->caught = true;
    if (type_of_id(id, type, sizeof(type)))
        call->span->exception_type = tt_arena_copy(&call->span->arena, type, strlen(type));
}

/* cppTango's answers to asking too early, or in another way than the call was made: say nothing about it. */
static bool is_no_answer(const struct tt_span *reply)
{
    const char *reason = reply->error_count ? reply->errors[0].reason : NULL;
    return reason && (!strcmp(reason, "API_AsynReplyNotArrived") || !strncmp(reason, "API_BadAsyn", 11));
}

/* What the failure was, the worker does not know; a reply in which attributes failed is none for it. */
static void explain(struct call *call, const struct tt_span *reply)
{
    if (!reply->failed)
        return;
    tt_fields_no_exception(call->span);
    tt_span_copy_outcome(call->span, reply);
}

/* Nothing more can be learnt of it. */
static void settle(struct tt_assembler *assembler, struct call *call)
{
    if (call->ended && call->answered && !call->sender)
        call_close(assembler, call, call->time);
}

void tt_call_answered(struct tt_assembler *assembler, const struct thread *thread, uint64_t descriptor,
                      const struct tt_span *reply)
{
    struct call *call = find_descriptor(assembler, key_of(thread, descriptor));
    if (!call || call->answered || is_no_answer(reply))
        return;
    explain(call, reply);
    call->answered = true;
    if (!call->span->end || call->span->end > reply->end)
        call->span->end = reply->end; /* the worker may wake the caller before it has done */
    settle(assembler, call);
}

void tt_call_left(struct tt_assembler *assembler, struct frame *frame, uint64_t end)
{
    struct call *call = frame->call;
    frame->call = NULL;
    if (call->sender == frame) {
        call->sender = NULL;
    } else if (call->worker == frame) {
        call->worker = NULL;
        call->ended = true;
        call->time = end;
        if (!call->span->end)
            call->span->end = end;
    }
    settle(assembler, call);
}

void tt_call_close_all(struct tt_assembler *assembler, uint32_t tgid, uint64_t now)
{
    struct call *call, *next;
    HASH_ITER(hh, assembler->calls, call, next)
    {
        if (!tgid || call->descriptor.tgid == tgid)
            call_close(assembler, call, now);
    }
}

void tt_call_expire(struct tt_assembler *assembler, uint64_t now)
{
    struct call *call, *next;
    HASH_ITER(hh, assembler->calls, call, next)
    {
        uint64_t wait = call->ended ? TT_REPLY_WAIT_NS : TT_CALL_WAIT_NS;
        if (!call->sender && now > call->time && now - call->time > wait)
            call_close(assembler, call, now);
    }
}

void tt_call_free_all(struct tt_assembler *assembler)
{
    struct call *call = assembler->calls;
    HASH_CLEAR(by_number, assembler->numbers);
    HASH_CLEAR(hh, assembler->calls);
    while (call) {
        struct call *next = call->hh.next;
        if (!call->sender)
            tt_span_free(&call->span);
        free(call);
        call = next;
    }
}
