/* SPDX-License-Identifier: GPL-2.0-only */
/* python.bpf.h: what is to be known of Python where C code calls it, or it calls C code. */
#pragma once

#include "capture.bpf.h"

/* Does the function whose return address lies at `frame` return to PyTango's extension? */
__attribute__((noinline)) int from_pytango(__u32 tgid, __u64 frame)
{
    struct tt_python *python = bpf_map_lookup_elem(&pythons, &tgid);
    bool ok = true;
    __u64 caller;

    if (!python)
        return 0;
    caller = user_u64(frame, &ok);
    return ok && caller >= python->extension && caller < python->extension_end;
}

/* Is the object a bound method? */
__attribute__((noinline)) int is_bound_method(__u32 tgid, __u64 object)
{
    struct tt_python *python = bpf_map_lookup_elem(&pythons, &tgid);
    bool ok = true;

    /* ob_type: object.h, not free-threaded */
    return !python || !python->method || (user_u64(object + 8, &ok) == python->method && ok);
}

/*
 * The thread state of this thread. It may have released the GIL, so what the interpreter calls the current
 * one may be another's: the list of all is walked, by pthread_self(). What was found before is believed only
 * while it is a member of that list: its memory may have become something else.
 */
__attribute__((noinline)) int find_python_thread(struct tt_thread *t, struct tt_python *p)
{
    __u64 self, head, state, neighbour;
    bool ok = true;
    int i;

    if (!t || !p)
        return 0;
    self = BPF_CORE_READ(bpf_get_current_task_btf(), thread.fsbase);
    head = user_u64(user_u64(p->interpreters, &ok) + p->threads, &ok);
    if (!ok || !self)
        return 0;
    state = t->python;
    if (state && user_u64(state + p->thread, &ok) == self && ok) {
        neighbour = user_u64(state + p->prev, &ok);
        if (ok && (neighbour ? user_u64(neighbour + p->next, &ok) : head) == state && ok)
            return 1;
    }
    t->python = 0;
    ok = true;
    state = head;
    for (i = 0; i < TT_PYTHON_THREADS; i++) {
        if (!state || !ok)
            break;
        if (user_u64(state + p->thread, &ok) == self && ok) {
            t->python = state;
            return 1;
        }
        state = user_u64(state + p->next, &ok);
    }
    return 0;
}

/* One frame into the record; the address of the one that called it, 0 at the end. */
__attribute__((noinline)) __u64 put_python_frame(struct tt_thread *t, struct tt_python *p, __u64 at,
                                                 __u8 index)
{
    struct tt_python_frame frame = {};
    bool ok = true, named = true;
    __u64 back;
    __u8 *room;

    if (!t || !p)
        return 0;
    back = user_u64(at + p->back, &ok);
    frame.code = user_u64(at + p->code, &ok) & ~7ull; /* the lowest bits are a tag from 3.14 on */
    frame.ip = p->ip_size == 8 ? user_u64(at + p->ip, &ok) : user_u32(at + p->ip, &ok);
    if (!ok)
        return 0;
    frame.name = user_u64(frame.code + p->name, &named);
    frame.line = user_u32(frame.code + p->line, &named);
    room = named ? field_room(t) : 0;
    if (room) {
        __builtin_memcpy(room + sizeof(struct tt_field_header), &frame, sizeof(frame));
        field_close(t, room, TT_FIELD_PY_FRAME, TT_STATUS_OK, index, 0, sizeof(frame), 0);
    }
    return back;
}

/* The Python code that led here, innermost first. */
__attribute__((noinline)) int put_python_frames(struct tt_thread *t, __u32 tgid)
{
    struct tt_python *p = bpf_map_lookup_elem(&pythons, &tgid);
    bool ok = true;
    __u64 at;
    int i;

    if (!t || !p || !p->interpreters)
        return 0;
    if (!find_python_thread(t, p)) {
        tt_count(TT_COUNTER_PY_THREAD);
        return 0;
    }
    at = user_u64(t->python + p->frame, &ok);
    if (p->c_frame && ok)
        at = user_u64(at + p->frame_of_c, &ok);
    for (i = 0; i < TT_PYTHON_FRAMES; i++) {
        if (!at || !ok)
            break;
        at = put_python_frame(t, p, at, i);
    }
    return 0;
}
