/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ident.bpf.h: Tango::ClntIdent, which every request of IDL 4 and later carries: who asks and, since IDL 6,
 * the trace context of native telemetry.
 *
 * Layout of omniORB's C++ mapping, compiled with omniidl 4.2.5 and seen live in the wheels 10.0.4 and 10.3.1.
 * A union is {u32 discriminator @0; two bytes @4; value @8}; values that are no scalars are pointers:
 *   ClntIdent         CPP 0: u32 pid @8; JAVA 1, CPP_6 2, JAVA_6 3: pointer @8 to
 *   JavaClntIdent     char *main class @0, u64 uuid[2] @8
 *   CppClntIdent_6    u32 pid @0, TraceContext @8
 *   JavaClntIdent_6   JavaClntIdent @0, TraceContext @24
 *   TraceContext      W3C_TC_V0 0: pointer @8 to {char *trace_parent @0; char *trace_state @8}
 * Clients send empty strings when telemetry is off.
 */
#pragma once

#include "probe.h"

#define IDENT_CPP    0
#define IDENT_CPP_6  2
#define IDENT_JAVA_6 3

struct omni_union {
    __u32 discriminator, flags;
    __u64 value;
};

/* The two strings of a TraceContext, if there is something in them. What cannot be read is left out: a
 * request without context is the rule, and what stands here is not believed before its format was checked
 * anyway. */
static __always_inline void put_trace_context(struct tt_thread *t, const struct omni_union *context)
{
    __u64 *text = t->window; /* trace_parent, trace_state */
    __u8 first = 0;

    if (context->discriminator != 0 || !context->value)
        return;
    if (bpf_probe_read_user(text, 2 * sizeof(*text), (const void *)context->value))
        return;
    if (bpf_probe_read_user(&first, 1, (const void *)text[0]) || !first)
        return;
    put_cstring(t, TT_FIELD_TRACE_PARENT, 0, 0, text[0]);
    if (!bpf_probe_read_user(&first, 1, (const void *)text[1]) && first)
        put_cstring(t, TT_FIELD_TRACE_STATE, 0, 0, text[1]);
}

/* The ClntIdent at `address`: the field (none: 0) and the trace context. */
__attribute__((noinline)) int put_ident(struct tt_thread *t, __u8 field, __u64 address)
{
    struct tt_client_ident ident = {};
    struct omni_union whole = {};
    struct {
        __u32 pid, pad;
        struct omni_union context;
    } cpp = {};
    bool ok;

    if (!t)
        return 0;
    ok = !bpf_probe_read_user(&whole, sizeof(whole), (const void *)address);
    ident.language = whole.discriminator;
    if (ident.language == IDENT_CPP) {
        ident.pid = (__u32)whole.value;
    } else if (ident.language == IDENT_CPP_6) {
        if (bpf_probe_read_user(&cpp, sizeof(cpp), (const void *)whole.value))
            ok = false;
        ident.pid = cpp.pid;
    } else if (ident.language == IDENT_JAVA_6) {
        if (bpf_probe_read_user(&cpp.context, sizeof(cpp.context), (const void *)(whole.value + 24)))
            ok = false;
    }
    if (field) {
        if (ok)
            FIELD_DATA(t, field, &ident, sizeof(ident));
        else
            field_status(t, field, 0, TT_STATUS_FAULT);
    }
    if (ok)
        put_trace_context(t, &cpp.context);
    return 0;
}

#define WORD(a, b, c, d, e, f, g, h)                                                                         \
    ((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |                 \
     (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

/*
 * Where a stub's call descriptor keeps its pointer to the ClntIdent, from the first argument on; 0: this
 * operation has none. omniidl gives an argument {T_var arg_N_; const T *arg_N}, 8 bytes each, and an enum 4
 * (padded to 8). `name` holds the first 24 bytes of the operation.
 */
static __always_inline __u32 ident_argument(const __u64 name[3])
{
    if (name[0] == WORD('r', 'e', 'a', 'd', '_', 'a', 't', 't') &&
        name[1] == WORD('r', 'i', 'b', 'u', 't', 'e', 's', '_'))
        return name[2] == '4' || name[2] == '5' ? 0x20 : 0; /* names, source, ident */
    if (name[0] == WORD('c', 'o', 'm', 'm', 'a', 'n', 'd', '_'))
        return name[1] == WORD('i', 'n', 'o', 'u', 't', '_', '4', 0) ? 0x30
                                                                     : 0; /* name, argument, source, ident */
    if (name[0] == WORD('w', 'r', 'i', 't', 'e', '_', 'r', 'e')) {
        if (name[1] == WORD('a', 'd', '_', 'a', 't', 't', 'r', 'i') &&
            name[2] == WORD('b', 'u', 't', 'e', 's', '_', '5', 0))
            return 0x28; /* values, names, ident */
        return 0x18;     /* values, ident: write_read_attributes_4, write_read_pipe_5 */
    }
    /* write_attributes_4, {read,write}_pipe_5, set_{attribute,pipe}_config_N: one argument, ident */
    if (name[0] == WORD('w', 'r', 'i', 't', 'e', '_', 'a', 't'))
        return name[2] == WORD('_', '4', 0, 0, 0, 0, 0, 0) ? 0x18 : 0;
    if (name[0] == WORD('r', 'e', 'a', 'd', '_', 'p', 'i', 'p') ||
        name[0] == WORD('w', 'r', 'i', 't', 'e', '_', 'p', 'i') ||
        name[0] == WORD('s', 'e', 't', '_', 'p', 'i', 'p', 'e'))
        return 0x18;
    if (name[0] == WORD('s', 'e', 't', '_', 'a', 't', 't', 'r'))
        return name[2] == WORD('n', 'f', 'i', 'g', '_', '4', 0, 0) ||
                       name[2] == WORD('n', 'f', 'i', 'g', '_', '5', 0, 0)
                   ? 0x18
                   : 0;
    return 0;
}

/* The trace context in the arguments of the request of which `descriptor` is the call descriptor. Requests
 * made by DII (asynchronous calls) have another descriptor: whatever is read there has not the format of a
 * context. */
__attribute__((noinline)) int put_sent_context(struct tt_thread *t, __u64 arguments, __u64 operation)
{
    __u64 name[3] = {}, ident = 0;
    __u32 at;

    if (!t)
        return 0;
    if (bpf_probe_read_user_str(name, sizeof(name), (const void *)operation) <= 0)
        return 0;
    at = ident_argument(name);
    if (at && !bpf_probe_read_user(&ident, sizeof(ident), (const void *)(arguments + at)) && ident)
        put_ident(t, TT_FIELD_NONE, ident);
    return 0;
}
