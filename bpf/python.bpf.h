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

/* Is the bound method one of those that user space has found to be PyTango's own and of no interest? */
__attribute__((noinline)) int is_dull(__u32 tgid, __u64 method)
{
    struct tt_dull_key key = {.tgid = tgid};
    __u64 bound[2]; /* im_func, im_self: cpython/classobject.h */
    struct tt_dull *known;
    bool ok = true;

    if (bpf_probe_read_user(bound, sizeof(bound), (const void *)(method + 16)))
        return 0;
    key.function = bound[0];
    key.object = bound[1];
    known = bpf_map_lookup_elem(&dull, &key);
    return known && bpf_ktime_get_ns() < known->until && user_u64(known->code_at, &ok) == known->code && ok;
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

/* Words of a structure at once, since each read costs more than the bytes do: from `at`, up to and with the
 * word at `last`. */
static __always_inline bool read_window(struct tt_thread *t, __u64 at, __u32 last)
{
    return last <= TT_PYTHON_WINDOW && !bpf_probe_read_user(t->window, (last & 127) + 8, (const void *)at);
}

static __always_inline __u64 window_u64(const struct tt_thread *t, __u32 offset)
{
    return t->window[offset >> 3 & 15];
}

static __always_inline __u32 window_u32(const struct tt_thread *t, __u32 offset)
{
    return (__u32)(window_u64(t, offset) >> (offset & 4) * 8);
}

static __always_inline __u32 larger(__u32 a, __u32 b)
{
    return a > b ? a : b;
}

/* One frame into the record; the address of the one that called it, 0 at the end. */
__attribute__((noinline)) __u64 put_python_frame(struct tt_thread *t, struct tt_python *p, __u64 at,
                                                 __u8 index)
{
    struct tt_python_frame frame = {};
    __u32 first;
    __u64 back;
    __u8 *room;

    if (!t || !p || !read_window(t, at, larger(larger(p->back, p->code), p->ip)))
        return 0;
    back = window_u64(t, p->back);
    frame.code = window_u64(t, p->code) & ~7ull; /* the lowest bits are a tag from 3.14 on */
    frame.ip = p->ip_size == 8 ? window_u64(t, p->ip) : window_u32(t, p->ip);
    first = p->line & ~7u; /* the line comes before the name */
    room = read_window(t, frame.code + first, p->name - first) ? field_room(t) : 0;
    if (room) {
        frame.name = window_u64(t, p->name - first);
        frame.line = window_u32(t, p->line - first);
        __builtin_memcpy(room + sizeof(struct tt_field_header), &frame, sizeof(frame));
        field_close(t, room, TT_FIELD_PY_FRAME, TT_STATUS_OK, index, 0, sizeof(frame), 0);
    }
    return back;
}

/* What is known of the Python that runs here, with t->python its state of this thread; NULL: nothing. */
static __always_inline struct tt_python *find_python(struct tt_thread *t, __u32 tgid)
{
    struct tt_python *p = bpf_map_lookup_elem(&pythons, &tgid);

    if (!t || !p || !p->interpreters)
        return 0;
    if (find_python_thread(t, p))
        return p;
    tt_count(TT_COUNTER_PY_THREAD);
    return 0;
}

/* The Python code that led here, innermost first. */
__attribute__((noinline)) int put_python_frames(struct tt_thread *t, __u32 tgid)
{
    struct tt_python *p = find_python(t, tgid);
    bool ok = true;
    __u64 at;
    int i;

    if (!t || !p)
        return 0;
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

/* The type of the exception that Python has set in this thread: tp_name @24 (cpython/object.h). */
__attribute__((noinline)) int put_python_raised(struct tt_thread *t)
{
    struct tt_python *p = find_python(t, bpf_get_current_pid_tgid() >> 32);
    bool ok = true;
    __u64 at;

    if (!t || !p || !p->raised)
        return 0;
    at = user_u64(t->python + p->raised, &ok);
    if (p->raised_object && at)
        at = user_u64(at + 8, &ok);
    if (at)
        at = user_u64(at + 24, &ok);
    if (at && ok)
        put_cstring(t, TT_FIELD_TYPE, 0, 0, at);
    return 0;
}
