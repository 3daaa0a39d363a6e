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
