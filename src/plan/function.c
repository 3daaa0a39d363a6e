/* SPDX-License-Identifier: GPL-2.0-only */
/* function.c: one function planned: where it is entered and left, and what is read there. */
#include "plan/function.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/captures.h"
#include "plan/elf.h"
#include "plan/flow.h"

#define ENTRY_REACH 48 /* instructions looked at for an entry point */
#define TEXT_MAX    768

/* One function in the making. */
struct job {
    struct tt_plan *plan;
    const struct tt_function *wanted;
    const struct tt_row *row;
    uint32_t function; /* index into plan->functions */
    struct tt_flow flow;
    char note[TEXT_MAX], refused[TEXT_MAX];
    bool again; /* the entry point lies in a loop */
    bool keeps; /* its frame has a beginning: exits are looked for */
};

static void say(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends to a text of TEXT_MAX bytes, "; " between. */
static void say(char *text, const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;

    if (used + 4 >= TEXT_MAX)
        return;
    if (used)
        used += (size_t)snprintf(text + used, TEXT_MAX - used, "; ");
    va_start(args, format);
    vsnprintf(text + used, TEXT_MAX - used, format, args);
    va_end(args);
}

static bool is_key(const struct tt_row *row)
{
    return row->role == TT_ROLE_REQUEST || row->role == TT_ROLE_UPCALL || row->role == TT_ROLE_CATCH ||
           row->role == TT_ROLE_SWITCH;
}

/* Is only its entry of interest? */
static bool is_moment(const struct tt_row *row)
{
    return is_key(row) || row->role == TT_ROLE_SUBMIT || row->role == TT_ROLE_REFUSED ||
           row->role == TT_ROLE_LOG || row->role == TT_ROLE_COUNTER || row->role == TT_ROLE_BEAT;
}

static __u8 entry_kind(const struct tt_row *row)
{
    switch (row->role) {
    case TT_ROLE_REQUEST:
        return TT_POINT_REQUEST;
    case TT_ROLE_UPCALL:
        return TT_POINT_UPCALL;
    case TT_ROLE_CATCH:
        return TT_POINT_CATCH;
    case TT_ROLE_SWITCH:
        return TT_POINT_SWITCH;
    default:
        return TT_POINT_ENTER;
    }
}

/* ---- points --------------------------------------------------------------------------------------- */

/* The plan's point at a file offset, or NULL. */
static struct tt_plan_point *point_at(const struct tt_plan *plan, uint64_t offset)
{
    for (size_t i = 0; i < plan->point_count; i++) {
        if (plan->points[i].offset == offset)
            return &plan->points[i];
    }
    return NULL;
}

static int64_t offset_of_address(struct tt_elf *elf, uint64_t address)
{
    const struct tt_elf_load *load = tt_elf_load(elf, address);

    return load ? (int64_t)(load->offset + (address - load->address)) : -EINVAL;
}

/* Appends a point at an instruction; `point` is what the kernel is told. */
static int add_point(struct job *job, uint32_t insn, const struct tt_point *point)
{
    const struct tt_insn *in = &job->flow.insns[insn].insn;
    const uint8_t *bytes = tt_elf_at(job->flow.elf, in->address, in->length);
    struct tt_plan *plan = job->plan;
    struct tt_plan_point *points;

    if (!bytes)
        return -EIO;
    if (plan->point_count % 64 == 0) {
        points = reallocarray(plan->points, plan->point_count + 64, sizeof(*points));
        if (!points)
            return -ENOMEM;
        plan->points = points;
    }
    points = &plan->points[plan->point_count];
    *points = (struct tt_plan_point){
        .offset = (uint64_t)offset_of_address(job->flow.elf, in->address),
        .address = in->address,
        .length = in->length,
        .emulated = in->emulated,
        .is_call = in->kind == TT_INSN_CALL || in->kind == TT_INSN_CALL_INDIRECT,
        .function = job->function,
        .point = *point,
    };
    memcpy(points->bytes, bytes, in->length);
    tt_insn_text(bytes, in->length, in->address, points->text, sizeof(points->text));
    plan->functions[job->function].count++;
    plan->point_count++;
    return 0;
}

/* A point description for an instruction; false: its CFA is not known. */
static bool describe(const struct job *job, uint32_t insn, struct tt_point *point)
{
    struct tt_cfa cfa;

    *point = (struct tt_point){
        .condition = TT_COND_ALWAYS, .function = job->wanted->row, .detail = job->row->detail};
    if (job->row->library == TT_LIBRARY_PYTHON)
        point->flags = TT_POINT_FROM_PYTANGO;
    if (job->wanted->call)
        point->flags = TT_POINT_CALL;
    if (tt_flow_cfa(&job->flow, insn, &cfa) < 0)
        return false;
    point->cfa_reg = cfa.reg;
    point->cfa_off = cfa.offset;
    return true;
}

/* ---- entry ---------------------------------------------------------------------------------------- */

/* May the function's entry be seen more than once per call? Only what a client calls is told apart again. */
static bool may_loop(const struct tt_row *row)
{
    return row->role == TT_ROLE_CLIENT || row->role == TT_ROLE_MANY;
}

/* Instruction for the entry point, or -1 with the reason in job->refused. */
static int64_t find_entry(struct job *job)
{
    const struct tt_flow *flow = &job->flow;
    uint32_t first = flow->insns[0].insn.endbr && flow->parts[0].count > 1;

    for (uint32_t i = 0; i < flow->parts[0].count && i < ENTRY_REACH; i++) {
        const struct tt_insn *insn = &flow->insns[i].insn;

        job->again |= tt_flow_other_ways(flow, i) || (i && flow->insns[i].root);
        if (job->again && !may_loop(job->row)) {
            say(job->refused, "entry: reached again by a jump to 0x%llx", (unsigned long long)insn->address);
            return -1;
        }
        if (insn->emulated)
            return i;
        if (insn->kind != TT_INSN_OTHER && !(insn->kind == TT_INSN_CALL_INDIRECT && job->row->late))
            break;
    }
    if (job->row->seldom && !tt_flow_other_ways(flow, first)) {
        job->again = false;
        return first;
    }
    say(job->refused, "entry: no instruction the kernel emulates in the first block");
    return -1;
}

/* Instruction of the call that the frame begins at, or -1 with the reason in job->refused. */
static int64_t find_call(struct job *job)
{
    const struct tt_flow *flow = &job->flow;
    int64_t insn = tt_flow_find(flow, job->wanted->call);
    struct tt_cfa cfa;

    if (insn < 0 || !flow->insns[insn].live || flow->insns[insn].insn.kind != TT_INSN_CALL)
        say(job->refused, "no call at 0x%llx", (unsigned long long)job->wanted->call);
    else if (tt_flow_cfa(flow, 0, &cfa) < 0 || cfa.reg != TT_REG_RSP || cfa.offset != 8)
        say(job->refused, "the call is in a part of a function that is not known");
    else if (tt_flow_repeats(flow, (uint32_t)insn))
        say(job->refused, "the call is in a loop");
    else
        return insn;
    return -1;
}

static void add_capture(struct job *job, struct tt_point *point, const struct tt_argument *argument,
                        const struct tt_origin *origin, const char *where)
{
    const char *why = "not known where it is";

    if (point->captures == TT_MAX_CAPTURES)
        why = "too many";
    else if (origin->reg != TT_REG_NONE &&
             tt_capture_make(argument, origin, job->plan->layout, &point->capture[point->captures], &why)) {
        point->captures++;
        return;
    }
    if (!why) /* there is nothing to capture in this build */
        return;
    /* without it the span would have no name */
    if (job->wanted->whole && (argument->field == TT_FIELD_ATTRIBUTE || argument->field == TT_FIELD_COMMAND))
        say(job->refused, "%s: %s not readable (%s)", where, tt_capture_field_name(argument->field), why);
    else
        say(job->note, "%s: %s not captured (%s)", where, tt_capture_field_name(argument->field), why);
}

/* Where at `insn` the first `size` bytes lie of what the row takes for its nth argument register. */
static struct tt_origin find_argument(const struct job *job, uint32_t insn, unsigned index, unsigned size)
{
    struct tt_origin start = {.reg = (uint8_t)tt_insn_argument_reg(index)}, found;

    if (job->wanted->arguments && index < TT_ARGUMENT_REGS)
        start = job->wanted->arguments[index];
    if (start.reg == TT_REG_NONE || job->wanted->call)
        return start;
    found = tt_values_find(&job->flow, insn, start.reg, size);
    /* the argument is that much behind what the register held */
    if (found.reg != TT_REG_NONE &&
        __builtin_add_overflow(found.off[found.derefs], start.off[0], &found.off[found.derefs]))
        found.reg = TT_REG_NONE;
    return found;
}

static void capture_arguments(struct job *job, uint32_t insn, struct tt_point *point)
{
    for (size_t i = 0; i < TT_ROW_ARGUMENTS && job->row->argument[i].field != TT_FIELD_NONE; i++) {
        const struct tt_argument *argument = &job->row->argument[i];
        struct tt_origin origin;
        unsigned place;

        if (argument->index == TT_ARGUMENT_RETURNED)
            continue;
        place = (unsigned)argument->index + (job->row->sret ? 1 : 0);
        if (place < TT_ARGUMENT_REGS)
            origin = find_argument(job, insn, place, argument->value == TT_VALUE_U32 ? 4 : 8);
        else /* on the stack, above the return address (System V ABI) */
            origin = (struct tt_origin){.reg = point->cfa_reg,
                                        .derefs = 1,
                                        .off = {point->cfa_off + 8 * (int)(place - TT_ARGUMENT_REGS)}};
        add_capture(job, point, argument, &origin, "entry");
    }
}

/* The key points find their object in the first argument register, there is no register to choose. */
static bool describe_key(struct job *job, uint32_t insn, struct tt_point *point)
{
    unsigned reg = tt_insn_argument_reg(0);
    struct tt_origin self = tt_values_find(&job->flow, insn, reg, 8);

    if (self.reg != reg || self.derefs) {
        say(job->refused, "entry: %s is overwritten before it", tt_insn_reg_name(reg));
        return false;
    }
    if (job->row->role == TT_ROLE_CATCH || job->row->role == TT_ROLE_SWITCH)
        return true;
    if (!job->plan->omni) {
        say(job->refused, "omniORB version not known");
        return false;
    }
    point->giop = job->plan->omni->giop;
    return true;
}

/* Places the entry point. 0, or a negative errno; without a point job->keeps stays false. */
static int plan_entry(struct job *job)
{
    bool needless = job->row->role == TT_ROLE_TOPIC; /* only its exit is of interest */
    int64_t insn = needless ? -1 : job->wanted->call ? find_call(job) : find_entry(job);
    struct tt_plan_point *other;
    struct tt_point point;
    int r;

    job->keeps = needless;
    if (insn < 0)
        return 0;
    if (!describe(job, (uint32_t)insn, &point)) {
        say(job->refused, "entry: no frame address known at 0x%llx",
            (unsigned long long)job->flow.insns[insn].insn.address);
        return 0;
    }
    point.kind = entry_kind(job->row);
    if (job->again)
        point.condition = TT_COND_AGAIN;
    else if (is_moment(job->row) && !is_key(job->row))
        point.condition = TT_COND_MOMENT;
    else if (job->row->role == TT_ROLE_WORKER)
        point.condition = TT_COND_WATCH;
    if (job->row->library == TT_LIBRARY_TANGO &&
        (may_loop(job->row) || job->row->role == TT_ROLE_ASYNCH || job->row->role == TT_ROLE_REPLY))
        point.flags |= TT_POINT_CALLER;
    if (is_key(job->row) && !describe_key(job, (uint32_t)insn, &point))
        return 0;
    other = point_at(job->plan,
                     (uint64_t)offset_of_address(job->flow.elf, job->flow.insns[insn].insn.address));
    if (other) {
        say(job->refused, "same code as %s", job->plan->functions[other->function].symbol);
        return 0;
    }
    if (job->plan->point_count >= TT_MAX_POINTS) {
        say(job->refused, "more than %d points in one file", TT_MAX_POINTS);
        return 0;
    }
    capture_arguments(job, (uint32_t)insn, &point);
    r = add_point(job, (uint32_t)insn, &point);
    job->keeps = r == 0 && !is_moment(job->row);
    return r;
}

/* ---- exits ---------------------------------------------------------------------------------------- */

/* Condition of the edges that lead out. */
static __u8 condition_of(const struct tt_insn *insn, uint8_t edges)
{
    if (insn->kind != TT_INSN_JCC || edges == (TT_EDGE_NEXT | TT_EDGE_TAKEN))
        return TT_COND_ALWAYS;
    return edges == TT_EDGE_TAKEN ? insn->condition : insn->condition ^ 1;
}

static void capture_returned(struct job *job, const struct tt_flow_exit *exit, struct tt_point *point)
{
    for (size_t i = 0; i < TT_ROW_ARGUMENTS && job->row->argument[i].field != TT_FIELD_NONE; i++) {
        const struct tt_argument *argument = &job->row->argument[i];
        struct tt_origin origin;

        if (argument->index != TT_ARGUMENT_RETURNED)
            continue;
        origin = tt_values_returned(&job->flow, exit);
        add_capture(job, point, argument, &origin, "exit");
    }
}

/* One exit; returns 1 if it could not be placed. */
static int plan_exit(struct job *job, const struct tt_flow_exit *exit)
{
    const struct tt_insn *insn = &job->flow.insns[exit->insn].insn;
    struct tt_plan_point *other = point_at(job->plan,
                                           (uint64_t)offset_of_address(job->flow.elf, insn->address));
    struct tt_point point;

    if (other && other->point.kind == TT_POINT_EXIT && job->wanted->whole &&
        other->point.function != job->wanted->row) {
        say(job->refused, "exit at 0x%llx is one of %s, too", (unsigned long long)insn->address,
            job->plan->functions[other->function].signature);
        return 1;
    }
    if (other && other->point.kind == TT_POINT_EXIT) {
        say(job->note, "exit at 0x%llx is one of %s, too", (unsigned long long)insn->address,
            job->plan->functions[other->function].symbol);
        if (job->row->detail < other->point.detail)
            other->point.detail = (__u8)job->row->detail;
        return 0;
    }
    if (other) {
        say(job->refused, "exit at 0x%llx is an entry point", (unsigned long long)insn->address);
        return 1;
    }
    if (job->wanted->whole && insn->kind == TT_INSN_CALL && !tt_flow_comes_back(&job->flow, exit->insn)) {
        say(job->refused, "exit at 0x%llx is a call that may never come back",
            (unsigned long long)insn->address);
        return 1;
    }
    if (!describe(job, exit->insn, &point)) {
        say(job->refused, "exit: no frame address known at 0x%llx", (unsigned long long)insn->address);
        return 1;
    }
    if (job->plan->point_count >= TT_MAX_POINTS) {
        say(job->refused, "more than %d points in one file", TT_MAX_POINTS);
        return 1;
    }
    point.kind = TT_POINT_EXIT;
    point.condition = condition_of(insn, exit->edges);
    if (insn->kind == TT_INSN_CALL)
        say(job->note, "exit at 0x%llx is a call: the last callee's time is left out",
            (unsigned long long)insn->address);
    capture_returned(job, exit, &point);
    return add_point(job, exit->insn, &point);
}

static void note_tails(struct job *job)
{
    for (size_t i = 0; i < job->flow.tail_count; i++) {
        const struct tt_flow_tail *tail = &job->flow.tails[i];

        say(job->note, "jump at 0x%llx ends in %s",
            (unsigned long long)job->flow.insns[tail->insn].insn.address,
            tail->name ? tail->name : "another function");
    }
}

static enum tt_exits_how how_of(const struct job *job)
{
    if (job->wanted->whole)
        return TT_EXITS_JUMPS;
    return job->row->seldom ? TT_EXITS_STEP : TT_EXITS_PLAIN;
}

/* Is one of the exits a call whose result the function returns? That does not tidy up, it is what is timed.
 */
static bool ends_in_its_callee(const struct job *job, const struct tt_flow_exit *exits, size_t count)
{
    bool returns = false;

    for (size_t i = 0; i < TT_ROW_ARGUMENTS && job->row->argument[i].field != TT_FIELD_NONE; i++)
        returns |= job->row->argument[i].index == TT_ARGUMENT_RETURNED;
    for (size_t i = 0; returns && i < count; i++) {
        if (job->flow.insns[exits[i].insn].insn.kind == TT_INSN_CALL &&
            tt_values_returned(&job->flow, &exits[i]).reg == TT_REG_NONE)
            return true;
    }
    return false;
}

static int plan_exits(struct job *job)
{
    _cleanup_free_ struct tt_flow_exit *exits = NULL;
    struct tt_plan_function *function = &job->plan->functions[job->function];
    size_t count = 0;
    int r;

    if (!job->keeps)
        return 0;
    job->flow.past_calls = job->row->cleanup;
    r = tt_flow_exits(&job->flow, how_of(job), &exits, &count);
    if (r == 0 && job->row->cleanup && ends_in_its_callee(job, exits, count)) {
        free(TAKE_PTR(exits));
        count = 0;
        r = tt_flow_exits(&job->flow, TT_EXITS_STEP, &exits, &count);
    }
    if (r == -E2BIG) {
        say(job->refused, "too many exits");
    } else if (r < 0) {
        return r;
    }
    for (size_t i = 0; r >= 0 && i < count; i++) {
        int placed = plan_exit(job, &exits[i]);

        if (placed < 0)
            return placed;
    }
    if (*job->flow.problems)
        say(job->refused, "%s", job->flow.problems);
    note_tails(job);
    /* a shared exit is another function's point, but this one's way out all the same */
    function->entry_only = *job->refused && function->count <= 1;
    if (!*job->refused && !count && job->wanted->whole) {
        say(job->note, "never returns: it ends by an exception");
    } else if (!*job->refused && !count) {
        say(job->refused, "never returns");
        function->entry_only = true;
    }
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static int keep_text(char **to, const char *text)
{
    if (!*text)
        return 0;
    *to = strdup(text);
    return *to ? 0 : -ENOMEM;
}

/* Half a function is none where its spans are to be whole. */
static void drop_half(struct job *job)
{
    struct tt_plan_function *function = &job->plan->functions[job->function];

    if (!job->wanted->whole || !*job->refused)
        return;
    job->plan->point_count -= function->count;
    function->count = 0;
    function->entry_only = false;
    job->note[0] = '\0';
}

static bool is_covered(const struct tt_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_plan_function *function = &plan->functions[i];

        if (function->count && !function->refused && !function->entry_only &&
            !strcmp(tt_plan_row(plan, function->row)->name, name))
            return true;
    }
    return false;
}

/* NULL when out of memory. */
static struct tt_plan_function *add_function(struct tt_plan *plan, const struct tt_function *wanted)
{
    struct tt_plan_function *function = &plan->functions[plan->function_count++];

    *function = (struct tt_plan_function){
        .row = wanted->row,
        .address = wanted->address,
        .size = wanted->size,
        .first = (uint32_t)plan->point_count,
        .symbol = strdup(wanted->symbol),
        .signature = strdup(wanted->signature),
    };
    return function->symbol && function->signature ? function : NULL;
}

int tt_plan_function(struct tt_plan *plan, struct tt_elf *elf, const struct tt_function *wanted)
{
    struct job job = {.plan = plan,
                      .wanted = wanted,
                      .row = tt_plan_row(plan, wanted->row),
                      .function = (uint32_t)plan->function_count};
    struct tt_plan_function *function = add_function(plan, wanted);
    int r;

    if (!function)
        return -ENOMEM;
    if (job.row->inner && is_covered(plan, job.row->substitute)) { /* its calls are seen there */
        say(job.refused, "only called by %s", job.row->substitute);
        return keep_text(&function->refused, job.refused);
    }
    r = tt_flow_build(elf, function->address, &job.flow, job.refused, sizeof(job.refused));
    if (r == -EINVAL)
        return keep_text(&function->refused, job.refused);
    if (r < 0)
        return r;
    job.refused[0] = '\0';
    if (!function->size)
        function->size = job.flow.parts[0].fde.end - function->address;
    r = plan_entry(&job);
    if (r >= 0)
        r = plan_exits(&job);
    tt_flow_free(&job.flow);
    drop_half(&job);
    if (r >= 0)
        r = keep_text(&function->refused, job.refused);
    if (r >= 0)
        r = keep_text(&function->note, job.note);
    return r;
}

int tt_plan_leave_out(struct tt_plan *plan, const struct tt_function *wanted, const char *why)
{
    struct tt_plan_function *function = add_function(plan, wanted);

    return function ? keep_text(&function->refused, why) : -ENOMEM;
}
