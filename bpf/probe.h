/* SPDX-License-Identifier: GPL-2.0-only */
/* probe.h: maps and per-thread state of the probe program. */
#pragma once

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "tangotrace/event.h"

/* Room behind TT_EVENT_MAX so that a bounded write at any allowed offset stays inside. */
#define TT_SLACK (TT_LONG_MAX + 2 * sizeof(struct tt_field_header))

#define TT_OPEN_FRAMES 16 /* a power of two */

/*
 * One per traced thread, in task-local storage: the scratch of a record belongs to the thread, so a thread
 * that is preempted in the middle (PREEMPT, RT) can neither overwrite another's record nor hold up the ring
 * buffer.
 */
struct tt_thread {
    __u32 sequence;
    __u32 start;
    __u64 regs[16]; /* user registers at the point, by enum tt_reg */
    __u32 used;     /* bytes of record[] */
    __u32 failed;   /* attribute errors found so far */
    __u32 faults, cuts, bad;
    __u32 depth;                /* used entries of open[] */
    __u64 open[TT_OPEN_FRAMES]; /* addresses of frames entered and not left: a catch above all of them ends
                                   nothing */
    __u32 overflow;             /* more were open than fit: then every catch is reported */
    __u64 watch;                /* frame inside of which every catch is reported, or 0 */
    __u64 python;               /* address of the thread state in Python, or 0; checked before use */
    __u64 caller;               /* the latest frame entered at a TT_POINT_CALLER */
    __u32 switches;             /* it is known that its stacks switch */
    __u32 clocked;              /* its process is at TT_CLOCK_DETAIL, and the scheduler is followed */
    __u64 off_cpu, off_since;   /* ns off the CPU inside of frames; since when it is, 0: it is not */
    __u64 window[16];           /* what was read last of a structure of the program's: stacks are small */
    __u64 name[2];              /* of the thread, as user space has been told */
    __u8 record[TT_EVENT_MAX + TT_SLACK]; /* struct tt_event and its fields */
};

struct tt_counters {
    __u64 value[TT_COUNTERS];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 24); /* set by user space before loading */
} ring SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, TT_MAX_POINTS);
    __type(key, __u32);
    __type(value, struct tt_point);
} points SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1); /* all test points together */
    __type(key, __u32);
    __type(value, __u64);
} hits SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, __u32); /* tgid */
    __type(value, struct tt_target);
} targets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, __u32); /* tgid */
    __type(value, struct tt_python);
} pythons SEC(".maps");

/* The latest exec of a process: when, and the process' start, which tells a reused id apart. */
struct tt_executed {
    __u64 time, start;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, __u32); /* tgid */
    __type(value, struct tt_executed);
} executed SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct tt_dull_key);
    __type(value, struct tt_dull);
} dull SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct tt_counters);
} counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct tt_thread);
} threads SEC(".maps");

/* Since when tt_sched_switch is attached, CLOCK_MONOTONIC ns; 0: it is not. Set by user space. */
__u64 scheduler_since;

static __always_inline void tt_count(__u32 index)
{
    __u32 zero = 0;
    struct tt_counters *c = bpf_map_lookup_elem(&counters, &zero);

    if (c && index < TT_COUNTERS)
        c->value[index]++;
}
