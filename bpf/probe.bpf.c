/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe.bpf.c: the one uprobe program. The attach cookie is an index into `points`, which says what the point
 * is and what to read there. It only reads; it never waits; what it cannot deliver it counts.
 */
#include "probe.h"
#include "capture.bpf.h"
#include "giop.bpf.h"
#include "python.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* bpf_tracing.h would bring this in with much else. */
static __always_inline void save_registers(struct tt_thread *t, const struct pt_regs *ctx)
{
    t->regs[TT_REG_RAX] = ctx->ax;
    t->regs[TT_REG_RCX] = ctx->cx;
    t->regs[TT_REG_RDX] = ctx->dx;
    t->regs[TT_REG_RBX] = ctx->bx;
    t->regs[TT_REG_RSP] = ctx->sp;
    t->regs[TT_REG_RBP] = ctx->bp;
    t->regs[TT_REG_RSI] = ctx->si;
    t->regs[TT_REG_RDI] = ctx->di;
    t->regs[TT_REG_R8] = ctx->r8;
    t->regs[TT_REG_R9] = ctx->r9;
    t->regs[TT_REG_R10] = ctx->r10;
    t->regs[TT_REG_R11] = ctx->r11;
    t->regs[TT_REG_R12] = ctx->r12;
    t->regs[TT_REG_R13] = ctx->r13;
    t->regs[TT_REG_R14] = ctx->r14;
    t->regs[TT_REG_R15] = ctx->r15;
}

/* x86 condition codes (Intel SDM vol. 1, appendix B) on the saved flags: is the exit's edge the one taken? */
static __always_inline bool condition_holds(__u8 condition, __u64 flags)
{
    bool cf = flags & 1, pf = flags & 4, zf = flags & 0x40, sf = flags & 0x80, of = flags & 0x800, holds;

    if (condition >= TT_COND_ALWAYS)
        return true;
    switch (condition >> 1) {
    case 0:
        holds = of;
        break;
    case 1:
        holds = cf;
        break;
    case 2:
        holds = zf;
        break;
    case 3:
        holds = cf || zf;
        break;
    case 4:
        holds = sf;
        break;
    case 5:
        holds = pf;
        break;
    case 6:
        holds = sf != of;
        break;
    default:
        holds = zf || sf != of;
        break;
    }
    return holds != (condition & 1);
}

static __always_inline void add_counter(__u32 index, __u64 n)
{
    __u32 zero = 0;
    struct tt_counters *c;

    if (!n)
        return;
    c = bpf_map_lookup_elem(&counters, &zero);
    if (c && index < TT_COUNTERS)
        c->value[index] += n;
}

static __always_inline struct tt_event *event_begin(struct tt_thread *t, __u16 type, __u32 point)
{
    struct tt_event *e = (struct tt_event *)t->record;
    __u64 id = bpf_get_current_pid_tgid();

    e->time = bpf_ktime_get_ns();
    e->tgid = id >> 32;
    e->tid = (__u32)id;
    e->sequence = ++t->sequence;
    e->thread_start = t->start;
    e->type = type;
    e->point = point;
    e->frame = e->sp = 0;
    e->fields = e->flags = 0;
    e->pad = 0;
    t->used = sizeof(*e);
    t->faults = t->cuts = t->bad = 0;
    return e;
}

static __always_inline bool event_end(struct tt_thread *t, __u16 type)
{
    struct tt_event *e = (struct tt_event *)t->record;
    __u32 size = t->used;
    bool written;

    if (size > TT_EVENT_MAX)
        size = TT_EVENT_MAX;
    e->size = size;
    written = !bpf_ringbuf_output(&ring, e, size, BPF_RB_NO_WAKEUP);
    tt_count((written ? TT_COUNTER_EVENTS : TT_COUNTER_DROPS) + type);
    add_counter(TT_COUNTER_FAULTS, t->faults);
    add_counter(TT_COUNTER_CUTS, t->cuts);
    add_counter(TT_COUNTER_BAD, t->bad);
    if (e->flags & TT_EVENT_FULL)
        tt_count(TT_COUNTER_FULL);
    return written;
}

/*
 * __cxa_begin_catch(_Unwind_Exception *ue), Itanium C++ ABI, libstdc++'s unwind-cxx.h: exception_class @0;
 * class GNUCC++\0 is a primary exception: type_info* at ue - 80, object at ue + 32; GNUCC++\1 a dependent
 * one: adjustedPtr at ue - 8 is the primary object, whose type_info* lies at object - 112. Other classes
 * (forced unwind, other languages) carry neither.
 */
#define GNU_CXX_CLASS 0x474e5543432b2b00ull

/* First 8 and next 4 bytes of mangled names, little-endian. */
#define NAME_TANGO    0x006f676e6154354eull /* "N5Tango": DevFailed, and the classes derived from it */
#define NAME_CORBA    0x004142524f43354eull /* "N5CORBA" */
#define NAME_MULTI    0x746c754d3431ull     /* "14Mult": N5Tango14MultiDevFailedE */
#define NAME_MASK     0x00ffffffffffffffull /* of 7 bytes */
#define MULTI_MASK    0x0000ffffffffffffull /* of 6 bytes */
#define NAME_PYBIND_1 0x646e69627970384eull /* "N8pybind" */
#define NAME_PYBIND_2 0x6f72726537313131ull /* "1117erro": N8pybind1117error_already_setE */

/*
 * The name of the type of the Python exception that pybind11::error_already_set holds: vptr @0, shared_ptr @8
 * to what begins with the type (pybind11/pytypes.h, from 2.10 on); tp_name @24.
 */
__attribute__((noinline)) __u64 python_error(__u64 object)
{
    bool ok = true;
    __u64 at = user_u64(object + 8, &ok);

    if (ok)
        at = user_u64(at, &ok);
    if (ok)
        at = user_u64(at + 24, &ok);
    return ok ? at : 0;
}

/* Tango::MultiDevFailed: a list @32 of NamedDevError {char *name @0; long index @8; DevErrorList errors @16},
 * 40 bytes. */
__attribute__((noinline)) int put_named_errors(struct tt_thread *t, __u64 buffer, __u32 length)
{
    __u64 at;
    int i;

    if (!t)
        return 0;
    t->failed = 0;
    for (i = 0; i < TT_ERRORS_MAX; i++) {
        if (i >= length)
            break;
        at = buffer + i * 40ull;
        put_failed(t, at + 16, at, 0);
    }
    field_u64(t, TT_FIELD_FAILED, length, TT_STATUS_OK);
    return 0;
}

__attribute__((noinline)) int put_exception(struct tt_thread *t)
{
    struct tt_exception x = {};
    struct corba_sequence list = {};
    __u64 name[2] = {}; /* first bytes of the type's name */
    bool ok = true, multi = false;
    __u64 ue, type = 0, python = 0;
    int i;

    if (!t)
        return 0;
    ue = t->regs[TT_REG_RDI];
    x.exception_class = user_u64(ue, &ok);
    if (!ok) {
        field_status(t, TT_FIELD_EXCEPTION, 0, TT_STATUS_FAULT);
        return 0;
    }
    if ((x.exception_class & ~0xffull) != GNU_CXX_CLASS) {
        FIELD_DATA(t, TT_FIELD_EXCEPTION, &x, sizeof(x));
        return 0;
    }
    if (x.exception_class & 0xff) {
        x.object = user_u64(ue - 8, &ok);
        type = user_u64(x.object - 112, &ok);
    } else {
        x.object = ue + 32;
        type = user_u64(ue - 80, &ok);
    }
    if (ok)
        x.type_name = user_u64(type + 8, &ok);
    if (ok && !bpf_probe_read_user(name, sizeof(name), (const void *)x.type_name)) {
        if ((name[0] & NAME_MASK) == NAME_TANGO) {
            multi = (name[0] >> 56 | (name[1] << 8 & MULTI_MASK)) == NAME_MULTI;
            /* DevFailed: vptr, two insertion functions, magic, then DevErrorList @32 */
            if (!bpf_probe_read_user(&list, sizeof(list), (const void *)(x.object + 32)))
                x.errors = list.length;
        } else if ((name[0] & NAME_MASK) == NAME_CORBA) {
            x.minor = user_u32(x.object + 28, &ok); /* CORBA::SystemException: minor code @28 */
        } else if (name[0] == NAME_PYBIND_1 && name[1] == NAME_PYBIND_2) {
            python = python_error(x.object);
        }
    }
    if (x.errors > 4096)
        x.errors = 0;
    FIELD_DATA(t, TT_FIELD_EXCEPTION, &x, sizeof(x));
    if (!x.type_name)
        return 0;
    put_cstring(t, TT_FIELD_TYPE, 0, 0, python ? python : x.type_name);
    if (multi)
        return put_named_errors(t, list.buffer, x.errors);
    for (i = 0; i < TT_ERRORS_MAX; i++) {
        if (i >= x.errors)
            break;
        put_dev_error(t, i, list.buffer + i * 32ull); /* sizeof(DevError) */
    }
    return 0;
}

/*
 * Exceptions that a function throws and catches inside are frequent (cppTango: one in every command), and end
 * no frame: they are not worth a record. What is kept here errs to the side of reporting: a frame whose end
 * is not seen stays.
 */
static __always_inline void frame_entered(struct tt_thread *t, __u64 frame)
{
    if (t->depth >= TT_OPEN_FRAMES)
        t->overflow = 1;
    else
        t->open[t->depth++ & (TT_OPEN_FRAMES - 1)] = frame;
}

/* Removes the entries with that address; with `below` also all lower ones. Returns how many. */
__attribute__((noinline)) int frames_left(struct tt_thread *t, __u64 frame, __u8 below)
{
    __u32 kept = 0, depth, i;
    __u64 open;

    if (!t)
        return 0;
    depth = t->depth;
    for (i = 0; i < TT_OPEN_FRAMES; i++) {
        if (i >= depth)
            break;
        open = t->open[i];
        if (open == frame || (below && open < frame))
            continue;
        t->open[kept++ & (TT_OPEN_FRAMES - 1)] = open;
    }
    t->depth = kept;
    return depth - kept;
}

__attribute__((noinline)) int frame_is_open(struct tt_thread *t, __u64 frame)
{
    __u32 i;

    if (!t)
        return 0;
    for (i = 0; i < TT_OPEN_FRAMES; i++) {
        if (i >= t->depth)
            break;
        if (t->open[i] == frame)
            return 1;
    }
    return 0;
}

/*
 * Who this is, before user space has found out: short programs may end before their /proc was read. What is
 * lost of it is counted, and costs no span.
 */
#define COMMAND_LINE_PIECES 4

/* When the process became the program that it is, CLOCK_MONOTONIC ns; 0: not known. */
static __always_inline __u64 executed_at(__u32 tgid, __u64 start)
{
    struct tt_executed *e = bpf_map_lookup_elem(&executed, &tgid);

    return e && e->start == start ? e->time : 0;
}

__attribute__((noinline)) int put_process(struct tt_thread *t, __u32 point, __u64 since)
{
    struct task_struct *task = bpf_get_current_task_btf(), *leader;
    struct tt_process_facts facts = {};
    __u64 at, end, size;
    struct tt_event *e;
    __u8 *room;
    long n;
    int i;

    if (!t)
        return 0;
    leader = BPF_CORE_READ(task, group_leader);
    facts.start = BPF_CORE_READ(leader, start_boottime);
    facts.executed = executed_at(bpf_get_current_pid_tgid() >> 32, facts.start);
    if (since && facts.executed <= since) /* user space has looked at this very program */
        return 0;
    facts.parent = BPF_CORE_READ(leader, real_parent, tgid);
    facts.uid = BPF_CORE_READ(task, cred, uid.val);
    at = BPF_CORE_READ(task, mm, arg_start);
    end = BPF_CORE_READ(task, mm, arg_end);
    e = event_begin(t, TT_EVENT_PROCESS, point); /* which tells whether it is a Tango program */
    e->sequence = 0;
    t->sequence--;
    FIELD_DATA(t, TT_FIELD_PROCESS, &facts, sizeof(facts));
    room = field_room(t);
    if (room) {
        n = bpf_probe_read_kernel_str(room + sizeof(struct tt_field_header), TT_STRING_MAX,
                                      BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name));
        if (n > 0)
            field_close(t, room, TT_FIELD_EXE, TT_STATUS_OK, 0, 0, (__u32)(n - 1) & (TT_STRING_MAX - 1), 0);
    }
    for (i = 0; i < COMMAND_LINE_PIECES; i++) {
        if (at >= end)
            break;
        size = end - at;
        if (size > TT_STRING_MAX - 1)
            size = TT_STRING_MAX - 1;
        put_bytes(t, TT_FIELD_COMMAND_LINE, i, at, size);
        at += size;
    }
    event_end(t, TT_EVENT_PROCESS);
    return 0;
}

/*
 * Never filled. From Linux 6.13 on a function of a probe program with 64 bytes of locals or more gets a stack
 * per CPU instead of the task's (bpf_enable_priv_stack, kernel/bpf/verifier.c), as if nothing else could run
 * in between; but uprobes run preemptible, and with preempt=lazy or full another thread on that CPU writes
 * over the locals of the first (seen on 7.2: one run in 100). A program with a tail call keeps the task's.
 */
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} nowhere SEC(".maps");

/*
 * The thread's name, where user space does not know it: it is new there, or has been renamed, or the event
 * that said so was lost; and now and then anyway, since user space forgets threads when there are too many.
 * Read without a lock: of a name that changes right now the next event tells.
 */
static __always_inline void put_thread_name(struct tt_thread *t, struct tt_event *e, struct task_struct *task)
{
    const __u64 *name = (const __u64 *)task->comm;
    struct {
        __u64 word[2];
    } now = {{name[0], name[1]}};

    _Static_assert(sizeof(task->comm) == TT_THREAD_NAME && sizeof(now) == TT_THREAD_NAME, "contract");
    if (now.word[0] == t->name[0] && now.word[1] == t->name[1] && e->sequence % TT_THREAD_NAME_AGAIN)
        return;
    FIELD_DATA(t, TT_FIELD_THREAD, &now, sizeof(now));
    e->flags |= TT_EVENT_NAMED;
    t->name[0] = now.word[0];
    t->name[1] = now.word[1];
}

/* The exit of a frame that was entered while its process had more detail: it must not stay open. */
static __always_inline bool ends_open_frame(struct tt_thread *t, const struct tt_point *p,
                                            const struct pt_regs *ctx)
{
    if (p->kind != TT_POINT_EXIT || (!t->depth && !t->overflow))
        return false;
    save_registers(t, ctx);
    return t->overflow || frame_is_open(t, t->regs[p->cfa_reg & 15] + p->cfa_off - 8);
}

/* Where Python is called: does PyTango call a method of a device, or does a call of one end? */
static __always_inline bool is_python_method(struct tt_thread *t, const struct tt_point *p, __u32 tgid,
                                             __u64 frame)
{
    __u64 callable = t->regs[p->capture[0].reg & 15]; /* if it is a TT_POINT_CALL */

    if (p->kind == TT_POINT_EXIT)
        return t->overflow || frame_is_open(t, frame);
    if (p->flags & TT_POINT_FROM_PYTANGO && !from_pytango(tgid, frame))
        return false;
    return !(p->flags & TT_POINT_CALL) || (is_bound_method(tgid, callable) && !is_dull(tgid, callable));
}

SEC("kprobe")
int tt_probe(struct pt_regs *ctx)
{
    __u32 cookie = (__u32)bpf_get_attach_cookie(ctx);
    __u32 tgid = bpf_get_current_pid_tgid() >> 32, target, detail;
    struct task_struct *task;
    struct tt_thread *t;
    struct tt_event *e;
    struct tt_point *p;
    struct tt_target *known;
    __u64 *hit, frame;
    bool beyond, nested;
    __u32 i, n, zero = 0;

    known = bpf_map_lookup_elem(&targets, &tgid);
    target = known ? TT_TARGET_STATE(known->value) : TT_TARGET_UNKNOWN;
    detail = known ? TT_TARGET_DETAIL(known->value) : 255;
    if (known)
        __sync_fetch_and_add(&known->hits, 1);
    if (target == TT_TARGET_IGNORED) {
        tt_count(TT_COUNTER_IGNORED);
        return 0;
    }
    p = bpf_map_lookup_elem(&points, &cookie);
    if (!p || p->kind == TT_POINT_NONE) {
        bpf_tail_call(ctx, &nowhere, 0); /* goes nowhere, so on here */
        tt_count(TT_COUNTER_NO_POINT);
        return 0;
    }
    if (p->kind == TT_POINT_TEST) {
        hit = bpf_map_lookup_elem(&hits, &zero);
        if (hit)
            (*hit)++;
        return 0;
    }
    if (!condition_holds(p->condition, ctx->flags)) {
        tt_count(TT_COUNTER_CONDITION);
        return 0;
    }

    beyond = p->detail > detail;
    if (beyond && p->kind != TT_POINT_EXIT) {
        tt_count(TT_COUNTER_DETAIL);
        return 0;
    }
    task = bpf_get_current_task_btf();
    t = bpf_task_storage_get(&threads, task, 0, beyond ? 0 : BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (beyond && (!t || !ends_open_frame(t, p, ctx))) {
        tt_count(TT_COUNTER_DETAIL);
        return 0;
    }
    if (!t) {
        tt_count(TT_COUNTER_NO_THREAD);
        return 0;
    }
    if (!t->start) {
        t->start = (__u32)(task->start_boottime / 1000000) | 1; /* never 0: 0 is "not yet set" */
        put_process(t, cookie, known ? known->since : 0);
    }

    /* Where stacks switch, or nothing is known of the process yet, "below" proves nothing. */
    if (p->kind == TT_POINT_CATCH && target == TT_TARGET_SELECTED && !frames_left(t, ctx->sp, true) &&
        !t->overflow && ctx->sp >= t->watch) {
        tt_count(TT_COUNTER_INSIDE);
        return 0;
    }
    if (p->kind == TT_POINT_SWITCH && t->switches)
        return 0;
    save_registers(t, ctx);
    frame = t->regs[p->cfa_reg & 15] + p->cfa_off - 8;
    if (p->flags & (TT_POINT_FROM_PYTANGO | TT_POINT_CALL) && !is_python_method(t, p, tgid, frame)) {
        tt_count(TT_COUNTER_ELSEWHERE);
        return 0;
    }
    /* Directly inside another such function: the frames are known. */
    nested = t->depth && t->depth <= TT_OPEN_FRAMES &&
             t->open[(t->depth - 1) & (TT_OPEN_FRAMES - 1)] == t->caller && frame < t->caller;
    if (p->flags & TT_POINT_CALLER && p->kind == TT_POINT_ENTER)
        t->caller = frame;
    e = event_begin(t, p->kind, cookie);
    e->sp = ctx->sp;
    e->frame = frame;
    t->clocked = detail == TT_CLOCK_DETAIL && scheduler_since;
    if (t->clocked)
        field_u64(t, TT_FIELD_OFF_CPU, t->off_cpu, TT_STATUS_OK);
    put_thread_name(t, e, task);
    if (p->condition == TT_COND_AGAIN) {
        e->flags |= TT_EVENT_AGAIN;
        frames_left(t, e->frame, false); /* not twice */
    }
    if (p->condition == TT_COND_WATCH)
        t->watch = e->frame;
    else if (p->kind == TT_POINT_EXIT && e->frame == t->watch)
        t->watch = 0;
    if (p->kind == TT_POINT_ENTER && p->condition != TT_COND_MOMENT)
        frame_entered(t, e->frame);
    else if (p->kind == TT_POINT_EXIT)
        frames_left(t, e->frame, false);

    switch (p->kind) {
    case TT_POINT_REQUEST:
        put_request(t, p);
        break;
    case TT_POINT_UPCALL:
        put_upcall(t, p);
        break;
    case TT_POINT_CATCH:
        put_exception(t);
        break;
    default:
        n = p->captures;
        for (i = 0; i < TT_MAX_CAPTURES; i++) {
            if (i >= n)
                break;
            capture(t, &p->capture[i]);
        }
        if (p->flags & TT_POINT_CALLER && p->kind == TT_POINT_ENTER && !nested && detail >= TT_CALLER_DETAIL)
            put_python_frames(t, tgid);
        break;
    }
    if (!event_end(t, p->kind))
        t->name[0] = 0; /* it may have carried it */
    else if (p->kind == TT_POINT_SWITCH)
        t->switches = 1;
    return 0;
}

/* A traced thread ends: its open frames will never close. Raw tracepoints need no tracefs. */
SEC("raw_tp/sched_process_exit")
int tt_thread_exit(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct tt_thread *t = bpf_task_storage_get(&threads, task, 0, 0);

    if (!t)
        return 0;
    event_begin(t, TT_EVENT_THREAD_EXIT, 0);
    event_end(t, TT_EVENT_THREAD_EXIT);
    return 0;
}

/*
 * The process is another program from here on. What user space said of it was said of the one before, whose
 * frames are gone; its threads but this one are, too, and this one is the first now. (trace/events/sched.h:
 * task, its id before, binprm.)
 */
SEC("raw_tp/sched_process_exec")
int tt_execute(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct tt_thread *t = bpf_task_storage_get(&threads, task, 0, 0);
    __u64 id = bpf_get_current_pid_tgid();
    struct tt_executed now = {.time = bpf_ktime_get_ns(),
                              .start = BPF_CORE_READ(task, group_leader, start_boottime)};
    __u32 tgid = id >> 32;

    bpf_map_update_elem(&executed, &tgid, &now, 0); /* BPF_ANY */
    bpf_map_delete_elem(&targets, &tgid);
    bpf_map_delete_elem(&pythons, &tgid);
    if (!t)
        return 0;
    if ((__u32)ctx->args[1] != (__u32)id) /* numbered as another thread before */
        t->sequence = 0;
    t->start = 0;
    t->depth = t->overflow = t->switches = t->clocked = 0;
    t->watch = t->python = t->caller = t->off_cpu = t->off_since = 0;
    return 0;
}

/*
 * The scheduler takes `prev` off the CPU and puts `next` on it. Attached only while some process is at
 * TT_CLOCK_DETAIL; then every switch of the host comes here, and those of other threads must cost next to
 * nothing: they have no storage.
 */
SEC("tp_btf/sched_switch")
int tt_sched_switch(__u64 *ctx) /* bool preempt, prev, next, .. */
{
    struct task_struct *prev = (struct task_struct *)ctx[1], *next = (struct task_struct *)ctx[2];
    struct tt_thread *t;

    t = prev->bpf_storage ? bpf_task_storage_get(&threads, prev, 0, 0) : 0;
    if (t && t->clocked && (t->depth || t->overflow))
        t->off_since = bpf_ktime_get_ns();
    t = next->bpf_storage ? bpf_task_storage_get(&threads, next, 0, 0) : 0;
    if (t && t->off_since) {
        if (t->off_since > scheduler_since) /* else it has run since, unseen */
            t->off_cpu += bpf_ktime_get_ns() - t->off_since;
        t->off_since = 0;
    }
    return 0;
}
