/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * capture.bpf.h: reads values of the traced process into the thread's record. Every read is bounded; a field
 * that cannot be read is recorded with its status and no data. Functions that are not static are verified on
 * their own, which keeps the verifier's work small on every kernel.
 */
#pragma once

#include "probe.h"

static __always_inline __u64 user_u64(__u64 address, bool *ok)
{
    __u64 value = 0;

    if (bpf_probe_read_user(&value, sizeof(value), (const void *)address))
        *ok = false;
    return value;
}

static __always_inline __u32 user_u32(__u64 address, bool *ok)
{
    __u32 value = 0;

    if (bpf_probe_read_user(&value, sizeof(value), (const void *)address))
        *ok = false;
    return value;
}

/* Where the next field goes, or NULL if the record is full. */
static __always_inline __u8 *field_room(struct tt_thread *t)
{
    __u32 used = t->used;

    if (used > TT_EVENT_MAX - TT_STRING_MAX - sizeof(struct tt_field_header)) {
        ((struct tt_event *)t->record)->flags |= TT_EVENT_FULL;
        return 0;
    }
    return t->record + (used & (TT_EVENT_MAX - 1));
}

static __always_inline void field_close(struct tt_thread *t, __u8 *room, __u8 field, __u8 status, __u8 index,
                                        __u8 aux, __u32 size, __u32 full)
{
    struct tt_field_header *header = (struct tt_field_header *)room;

    header->field = field;
    header->status = status;
    header->index = index;
    header->aux = aux;
    header->size = size;
    header->full = full > 65535 ? 65535 : full;
    t->used += sizeof(*header) + ((size + 7) & ~7u);
    ((struct tt_event *)t->record)->fields++;
    if (field >= TT_FIELD_PY_METHOD && field <= TT_FIELD_HOLDER)
        return; /* read before it is known what, or whether anything, is there: no loss */
    if (status == TT_STATUS_FAULT)
        t->faults++;
    else if (status == TT_STATUS_CUT)
        t->cuts++;
    else if (status == TT_STATUS_BAD)
        t->bad++;
}

/* A field whose data are `size` (constant) bytes of the program's own. */
#define FIELD_DATA(t, fieldid, ptr, nbytes)                                                                  \
    ({                                                                                                       \
        __u8 *_room = field_room(t);                                                                         \
        if (_room) {                                                                                         \
            __builtin_memcpy(_room + sizeof(struct tt_field_header), (ptr), (nbytes));                       \
            field_close(t, _room, (fieldid), TT_STATUS_OK, 0, 0, (nbytes), 0);                               \
        }                                                                                                    \
    })

static __always_inline void field_status(struct tt_thread *t, __u8 field, __u8 index, __u8 status)
{
    __u8 *room = field_room(t);

    if (room)
        field_close(t, room, field, status, index, 0, 0, 0);
}

static __always_inline void field_u64(struct tt_thread *t, __u8 field, __u64 value, __u8 status)
{
    __u8 *room = field_room(t);

    if (!room)
        return;
    *(__u64 *)(room + sizeof(struct tt_field_header)) = value;
    field_close(t, room, field, status, 0, 0, sizeof(value), 0);
}

/* NUL-terminated string at `address`. */
__attribute__((noinline)) int put_cstring(struct tt_thread *t, __u8 field, __u8 index, __u8 aux,
                                          __u64 address)
{
    __u8 *room;
    long n;

    if (!t)
        return 0;
    room = field_room(t);
    if (!room)
        return 0;
    n = bpf_probe_read_user_str(room + sizeof(struct tt_field_header), TT_STRING_MAX, (const void *)address);
    if (n <= 0)
        field_close(t, room, field, TT_STATUS_FAULT, index, aux, 0, 0);
    else if (n >= TT_STRING_MAX)
        /* The helper cut it, or it just fits: one byte more tells. */
        field_close(t, room, field, TT_STATUS_CUT, index, aux, TT_STRING_MAX - 1, 65535);
    else
        field_close(t, room, field, TT_STATUS_OK, index, aux, (__u32)(n - 1) & (TT_STRING_MAX - 1), 0);
    return 0;
}

/* `size` bytes at `address` as a string. */
__attribute__((noinline)) int put_bytes(struct tt_thread *t, __u8 field, __u8 index, __u64 address,
                                        __u64 size)
{
    __u32 take = size > TT_STRING_MAX - 1 ? TT_STRING_MAX - 1 : (__u32)size;
    __u8 *room;

    if (!t)
        return 0;
    room = field_room(t);
    if (!room)
        return 0;
    if (size > (1u << 24)) { /* no name is that long: the object is not what it should be */
        field_close(t, room, field, TT_STATUS_BAD, index, 0, 0, 0);
        return 0;
    }
    take &= TT_STRING_MAX - 1;
    if (take && bpf_probe_read_user(room + sizeof(struct tt_field_header), take, (const void *)address))
        field_close(t, room, field, TT_STATUS_FAULT, index, 0, 0, 0);
    else
        field_close(t, room, field, take < size ? TT_STATUS_CUT : TT_STATUS_OK, index, 0, take, size);
    return 0;
}

/* The same, longer. */
__attribute__((noinline)) int put_long(struct tt_thread *t, __u8 field, __u64 address, __u64 size)
{
    __u32 take = size > TT_LONG_MAX - 1 ? TT_LONG_MAX - 1 : (__u32)size, used;
    __u8 *room;

    if (!t)
        return 0;
    used = t->used;
    if (used > TT_EVENT_MAX - TT_LONG_MAX - sizeof(struct tt_field_header)) {
        ((struct tt_event *)t->record)->flags |= TT_EVENT_FULL;
        return 0;
    }
    room = t->record + (used & (TT_EVENT_MAX - 1));
    if (size > (1u << 24)) {
        field_close(t, room, field, TT_STATUS_BAD, 0, 0, 0, 0);
        return 0;
    }
    take &= TT_LONG_MAX - 1;
    if (take && bpf_probe_read_user(room + sizeof(struct tt_field_header), take, (const void *)address))
        field_close(t, room, field, TT_STATUS_FAULT, 0, 0, 0, 0);
    else
        field_close(t, room, field, take < size ? TT_STATUS_CUT : TT_STATUS_OK, 0, 0, take, size);
    return 0;
}

#define STRING_COW  1
#define STRING_LONG 2

/* libstdc++'s std::string, new ABI: up to 15 characters lie in the object, so one read gets all. */
struct cxx_string {
    __u64 data, size;
    __u64 inside[2];
};

/* Old ABI: one pointer, with the length at data - 24. `how`: STRING_*, or-ed. */
__attribute__((noinline)) int put_string(struct tt_thread *t, __u8 field, __u8 index, __u64 address, __u8 how)
{
    struct cxx_string s = {};
    bool ok = true, cow = how & STRING_COW;
    __u8 *room;

    if (!t)
        return 0;
    if (cow) {
        s.data = user_u64(address, &ok);
        if (ok)
            s.size = user_u64(s.data - 24, &ok);
    } else if (bpf_probe_read_user(&s, sizeof(s), (const void *)address)) {
        ok = false;
    }
    if (!ok) {
        field_status(t, field, index, TT_STATUS_FAULT);
        return 0;
    }
    if (how & STRING_LONG)
        return put_long(t, field, s.data, s.size);
    if (cow || s.data != address + offsetof(struct cxx_string, inside) || s.size >= sizeof(s.inside))
        return put_bytes(t, field, index, s.data, s.size);
    room = field_room(t);
    if (!room)
        return 0;
    __builtin_memcpy(room + sizeof(struct tt_field_header), s.inside, sizeof(s.inside));
    field_close(t, room, field, TT_STATUS_OK, index, 0, s.size, s.size);
    return 0;
}

/* DevError at `address`: char *reason @0, u32 severity @8, char *desc @16, char *origin @24 (tango.idl; same
 * layout in all builds seen). */
__attribute__((noinline)) int put_dev_error(struct tt_thread *t, __u8 index, __u64 address)
{
    struct {
        __u64 reason;
        __u32 severity, pad;
        __u64 desc, origin;
    } e = {};

    if (!t)
        return 0;
    if (bpf_probe_read_user(&e, sizeof(e), (const void *)address)) {
        field_status(t, TT_FIELD_REASON, index, TT_STATUS_FAULT);
        return 0;
    }
    put_cstring(t, TT_FIELD_REASON, index, e.severity, e.reason);
    put_cstring(t, TT_FIELD_DESC, index, 0, e.desc);
    put_cstring(t, TT_FIELD_ORIGIN, index, 0, e.origin);
    return 0;
}

/* A CORBA sequence: u32 maximum @0, u32 length @4, bool release @8, T *buffer @16 (omniORB 4.2, 4.3). */
struct corba_sequence {
    __u32 maximum, length;
    __u64 release, buffer;
};

__attribute__((noinline)) int put_string_list(struct tt_thread *t, struct tt_capture *c, __u64 address)
{
    struct corba_sequence seq = {};
    __u64 begin, count, stride, where;
    bool ok = true, named, cow;
    __u8 kind;
    int i;

    if (!t || !c)
        return 0;
    kind = c->kind;
    named = kind == TT_CAPTURE_NAMED_SEQ || kind == TT_CAPTURE_NAMED_VEC || kind == TT_CAPTURE_NAMED_VEC_COW;
    cow = kind == TT_CAPTURE_STRING_VEC_COW || kind == TT_CAPTURE_NAMED_VEC_COW;
    if (kind == TT_CAPTURE_STRING_SEQ || kind == TT_CAPTURE_NAMED_SEQ) {
        if (bpf_probe_read_user(&seq, sizeof(seq), (const void *)address)) {
            field_status(t, c->field, 0, TT_STATUS_FAULT);
            return 0;
        }
        begin = seq.buffer;
        count = seq.length;
        stride = kind == TT_CAPTURE_STRING_SEQ ? 8 : c->aux2;
    } else {
        begin = user_u64(address, &ok);
        where = user_u64(address + 8, &ok);
        stride = kind == TT_CAPTURE_STRING_VEC ? 32 : kind == TT_CAPTURE_STRING_VEC_COW ? 8 : c->aux2;
        if (!ok || !stride) {
            field_status(t, c->field, 0, TT_STATUS_FAULT);
            return 0;
        }
        count = (where - begin) / stride;
    }
    if (count > (1u << 20)) {
        field_status(t, c->field, 0, TT_STATUS_BAD);
        return 0;
    }
    field_u64(t, TT_FIELD_COUNT, count, TT_STATUS_OK);
    for (i = 0; i < TT_LIST_MAX; i++) {
        if (i >= count)
            break;
        where = begin + i * stride;
        if (kind == TT_CAPTURE_STRING_SEQ || kind == TT_CAPTURE_NAMED_SEQ) {
            ok = true;
            where = user_u64(where + (named ? c->aux : 0), &ok);
            if (ok)
                put_cstring(t, c->field, i, 0, where);
            else
                field_status(t, c->field, i, TT_STATUS_FAULT);
        } else {
            put_string(t, c->field, i, where + (named ? c->aux : 0), cow);
        }
    }
    return 0;
}

/* One value of a reply: is there an error list, and what does it say? `name` is the address of its name. */
__attribute__((noinline)) int put_failed(struct tt_thread *t, __u64 errors, __u64 name, __u8 name_is_string)
{
    struct corba_sequence list = {};
    bool ok = true;
    __u32 index;

    if (!t)
        return 0;
    if (!errors)
        return 0;
    if (bpf_probe_read_user(&list, sizeof(list), (const void *)errors)) {
        t->faults++;
        return 0;
    }
    if (!list.length)
        return 0;
    index = t->failed++;
    if (index >= TT_ERRORS_MAX)
        return 0;
    if (name) {
        if (name_is_string) {
            put_string(t, TT_FIELD_FAILED_NAME, index, name, name_is_string == 2);
        } else {
            name = user_u64(name, &ok);
            if (ok)
                put_cstring(t, TT_FIELD_FAILED_NAME, index, 0, name);
            else
                field_status(t, TT_FIELD_FAILED_NAME, index, TT_STATUS_FAULT);
        }
    }
    return put_dev_error(t, index, list.buffer);
}

__attribute__((noinline)) int put_attr_errors(struct tt_thread *t, struct tt_capture *c, __u64 address)
{
    struct corba_sequence seq = {};
    __u64 begin, count, errors, end;
    bool ok = true;
    __u8 vec;
    int i;

    if (!t || !c)
        return 0;
    t->failed = 0;
    if (c->kind == TT_CAPTURE_ATTR_ERRORS_ONE) {
        errors = user_u64(address + c->aux, &ok);
        if (!ok) {
            field_status(t, TT_FIELD_FAILED, 0, TT_STATUS_FAULT);
            return 0;
        }
        put_failed(t, errors, c->aux3 ? address + c->aux3 : 0, 1);
        if (t->failed)
            field_u64(t, TT_FIELD_FAILED, t->failed, TT_STATUS_OK);
        return 0;
    }
    /* as put_failed wants to know it */
    vec = c->kind == TT_CAPTURE_ATTR_ERRORS_VEC ? 1 : c->kind == TT_CAPTURE_ATTR_ERRORS_VEC_COW ? 2 : 0;
    if (vec) {
        begin = user_u64(address, &ok);
        end = user_u64(address + 8, &ok);
        if (!c->aux2)
            ok = false;
        count = ok ? (end - begin) / c->aux2 : 0;
    } else {
        if (bpf_probe_read_user(&seq, sizeof(seq), (const void *)address))
            ok = false;
        begin = seq.buffer;
        count = seq.length;
    }
    if (!ok) {
        field_status(t, TT_FIELD_FAILED, 0, TT_STATUS_FAULT);
        return 0;
    }
    for (i = 0; i < TT_SCAN_MAX; i++) {
        if (i >= count)
            break;
        end = begin + i * (__u64)c->aux2;
        errors = end + c->aux;
        if (vec)
            errors = user_u64(errors, &ok);
        if (!ok) {
            field_status(t, TT_FIELD_FAILED, 0, TT_STATUS_FAULT);
            return 0;
        }
        put_failed(t, errors, end + c->aux3, vec);
    }
    if (t->failed || count > TT_SCAN_MAX)
        field_u64(t, TT_FIELD_FAILED, t->failed, count > TT_SCAN_MAX ? TT_STATUS_CUT : TT_STATUS_OK);
    return 0;
}

#include "ident.bpf.h"

int put_python_raised(struct tt_thread *t); /* python.bpf.h */

__attribute__((noinline)) int capture(struct tt_thread *t, struct tt_capture *c)
{
    bool ok = true;
    __u64 address;

    if (!t || !c)
        return 0;
    address = t->regs[c->reg & 15];
    if (c->derefs >= 1)
        address = user_u64(address + c->off[0], &ok);
    if (c->derefs >= 2)
        address = user_u64(address + c->off[1], &ok);
    if (!ok) {
        field_status(t, c->field, 0, TT_STATUS_FAULT);
        return 0;
    }
    if (c->kind == TT_CAPTURE_U64_IF && !address)
        return 0;
    address += c->off[c->derefs > 2 ? 2 : c->derefs];

    switch (c->kind) {
    case TT_CAPTURE_VALUE:
        field_u64(t, c->field, address, TT_STATUS_OK);
        break;
    case TT_CAPTURE_PY_RESULT:
        field_u64(t, c->field, address, TT_STATUS_OK);
        if (!address)
            put_python_raised(t);
        break;
    case TT_CAPTURE_U32:
        address = user_u32(address, &ok);
        field_u64(t, c->field, address, ok ? TT_STATUS_OK : TT_STATUS_FAULT);
        break;
    case TT_CAPTURE_U64:
    case TT_CAPTURE_U64_IF:
        address = user_u64(address, &ok);
        field_u64(t, c->field, address, ok ? TT_STATUS_OK : TT_STATUS_FAULT);
        break;
    case TT_CAPTURE_CSTRING:
        put_cstring(t, c->field, 0, 0, address);
        break;
    case TT_CAPTURE_STRING:
    case TT_CAPTURE_STRING_COW:
        put_string(t, c->field, 0, address, c->kind == TT_CAPTURE_STRING_COW ? STRING_COW : 0);
        break;
    case TT_CAPTURE_STRING_LONG:
    case TT_CAPTURE_STRING_LONG_COW:
        put_string(t, c->field, 0, address,
                   STRING_LONG | (c->kind == TT_CAPTURE_STRING_LONG_COW ? STRING_COW : 0));
        break;
    case TT_CAPTURE_STRING_SEQ:
    case TT_CAPTURE_STRING_VEC:
    case TT_CAPTURE_STRING_VEC_COW:
    case TT_CAPTURE_NAMED_SEQ:
    case TT_CAPTURE_NAMED_VEC:
    case TT_CAPTURE_NAMED_VEC_COW:
        put_string_list(t, c, address);
        break;
    case TT_CAPTURE_CLNT_IDENT:
        put_ident(t, c->field, address);
        break;
    case TT_CAPTURE_ATTR_ERRORS_SEQ:
    case TT_CAPTURE_ATTR_ERRORS_VEC:
    case TT_CAPTURE_ATTR_ERRORS_VEC_COW:
    case TT_CAPTURE_ATTR_ERRORS_ONE:
        put_attr_errors(t, c, address);
        break;
    }
    return 0;
}
