/* SPDX-License-Identifier: GPL-2.0-only */
/* exits.c: where a function is left (flow.h). */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "plan/bound.h"
#include "plan/flow.h"
#include "tangotrace/event.h"

#define EXITS_MAX 64 /* of one function; the most seen is 5 */

/* Exits found so far. */
struct exits {
    struct tt_flow_exit *array;
    size_t count, capacity;
};

/* A walk back from one ret. */
struct walk {
    struct exits found;
    uint32_t *seen; /* per instruction: number of the walk that came by */
    uint32_t number;
    uint32_t *stack; /* instructions whose ways in are still to be looked at */
    size_t depth;
    bool failed;
};

static int add_exit(struct exits *exits, uint32_t insn, uint8_t edges, bool tail)
{
    for (size_t i = 0; i < exits->count; i++) {
        if (exits->array[i].insn == insn) {
            exits->array[i].edges |= edges;
            exits->array[i].tail &= tail;
            return 0;
        }
    }
    if (exits->count == EXITS_MAX)
        return -E2BIG;
    if (exits->count == exits->capacity) {
        size_t capacity = exits->capacity ? exits->capacity * 2 : 8;
        struct tt_flow_exit *array = reallocarray(exits->array, capacity, sizeof(*array));

        if (!array)
            return -ENOMEM;
        exits->array = array;
        exits->capacity = capacity;
    }
    exits->array[exits->count++] = (struct tt_flow_exit){insn, edges, tail};
    return 0;
}

/* First edge that leads to `insn`, or edge_count. */
static size_t first_edge(const struct tt_flow *flow, uint32_t insn)
{
    return TT_LOWER_BOUND(flow->edges, flow->edge_count, to, insn);
}

unsigned tt_flow_other_ways(const struct tt_flow *flow, uint32_t insn)
{
    unsigned ways = 0;

    for (size_t i = first_edge(flow, insn); i < flow->edge_count && flow->edges[i].to == insn; i++) {
        if (flow->edges[i].kind != TT_EDGE_NEXT)
            ways++;
    }
    return ways;
}

bool tt_flow_repeats(const struct tt_flow *flow, uint32_t insn)
{
    _cleanup_free_ uint32_t *stack = calloc(flow->insn_count + 1, sizeof(*stack));
    _cleanup_free_ bool *seen = calloc(flow->insn_count + 1, sizeof(*seen));
    size_t depth = 0;
    bool repeats = !stack || !seen;

    if (!repeats)
        stack[depth++] = insn;
    while (depth && !repeats) {
        uint32_t at = stack[--depth];

        /* a handler may be come to from anywhere */
        repeats = flow->insns[at].root && flow->insns[at].insn.address != flow->start;
        for (size_t i = first_edge(flow, at); i < flow->edge_count && flow->edges[i].to == at; i++) {
            uint32_t from = flow->edges[i].from;

            repeats |= from == insn;
            if (!seen[from])
                stack[depth++] = from;
            seen[from] = true;
        }
    }
    return repeats;
}

static void fail(struct tt_flow *flow, struct walk *walk, bool step, const char *what, uint32_t insn)
{
    walk->failed = true;
    if (!step)
        tt_flow_problem(flow, "%s at 0x%llx is nearest to an exit", what,
                        (unsigned long long)flow->insns[insn].insn.address);
}

/* One way into a walked instruction: an emulated one is the exit point, any other is walked on from. */
static int walk_edge(struct tt_flow *flow, struct walk *walk, const struct tt_flow_edge *edge, bool step)
{
    const struct tt_insn *insn = &flow->insns[edge->from].insn;

    /* a call comes before its callee has run: where stepping is allowed, the ret is better */
    if (insn->emulated && !(step && insn->kind == TT_INSN_CALL))
        return add_exit(&walk->found, edge->from, edge->kind, false);
    if ((insn->kind == TT_INSN_CALL_INDIRECT && !flow->past_calls) || insn->kind == TT_INSN_CALL ||
        insn->kind == TT_INSN_JCC) {
        fail(flow, walk, step, insn->kind == TT_INSN_CALL_INDIRECT ? "indirect call" : "branch not emulated",
             edge->from);
        return 0;
    }
    if (walk->seen[edge->from] != walk->number) {
        walk->seen[edge->from] = walk->number;
        walk->stack[walk->depth++] = edge->from;
    }
    return 0;
}

static int walk_back(struct tt_flow *flow, struct walk *walk, uint32_t ret, bool step)
{
    walk->depth = 0;
    walk->failed = false;
    walk->found.count = 0;
    walk->number++;
    walk->stack[walk->depth++] = ret;
    walk->seen[ret] = walk->number;
    while (walk->depth) {
        uint32_t at = walk->stack[--walk->depth];

        if (flow->insns[at].root)
            fail(flow, walk, step,
                 flow->insns[at].insn.address == flow->start ? "start of the function"
                                                             : "code reached by no plain jump",
                 at);
        for (size_t i = first_edge(flow, at); i < flow->edge_count && flow->edges[i].to == at; i++) {
            int r = walk_edge(flow, walk, &flow->edges[i], step);

            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* Exits of one ret, or jump: those found on the way back, or the ret itself where that is allowed and needed.
 */
static int add_ret(struct tt_flow *flow, struct walk *walk, struct exits *exits, uint32_t ret, bool step)
{
    bool tail = flow->insns[ret].insn.kind != TT_INSN_RET;
    int r = walk_back(flow, walk, ret, step);

    if (r < 0)
        return r;
    if (walk->failed && step)
        return add_exit(exits, ret, TT_EDGE_NEXT, false);
    for (size_t i = 0; i < walk->found.count; i++) {
        r = add_exit(exits, walk->found.array[i].insn, walk->found.array[i].edges, tail);
        if (r < 0)
            return r;
    }
    return walk->failed;
}

static int add_tails(struct tt_flow *flow, struct exits *exits)
{
    int bad = 0;

    for (size_t i = 0; i < flow->tail_count; i++) {
        const struct tt_insn *insn = &flow->insns[flow->tails[i].insn].insn;
        struct tt_cfa cfa;

        if (tt_flow_cfa(flow, flow->tails[i].insn, &cfa) || cfa.reg != TT_REG_RSP || cfa.offset != 8) {
            tt_flow_problem(flow, "jump at 0x%llx leaves with its frame in place",
                            (unsigned long long)insn->address);
            bad = 1;
        } else if (!insn->emulated) {
            tt_flow_problem(flow, "tail jump at 0x%llx is not emulated", (unsigned long long)insn->address);
            bad = 1;
        } else {
            int r = add_exit(exits, flow->tails[i].insn, TT_EDGE_TAKEN, true);

            if (r < 0)
                return r;
        }
    }
    return bad;
}

/* An indirect jump that leaves the function. */
static int add_jump(struct tt_flow *flow, struct walk *walk, struct exits *exits, uint32_t jump,
                    enum tt_exits_how how)
{
    if (how == TT_EXITS_STEP)
        return add_exit(exits, jump, TT_EDGE_TAKEN, true);
    if (how == TT_EXITS_JUMPS)
        return add_ret(flow, walk, exits, jump, false);
    tt_flow_problem(flow, "indirect tail jump at 0x%llx", (unsigned long long)flow->insns[jump].insn.address);
    return 1;
}

/* Rets and indirect jumps out. */
static int add_others(struct tt_flow *flow, struct walk *walk, struct exits *exits, enum tt_exits_how how)
{
    int bad = 0, r;

    for (uint32_t i = 0; i < flow->insn_count; i++) {
        const struct tt_insn *insn = &flow->insns[i].insn;
        struct tt_cfa cfa;

        /* parts may be shared with other functions, whose rets are none of this one's */
        if (insn->kind == TT_INSN_RET && !flow->insns[i].live && i < flow->parts[0].count) {
            tt_flow_problem(flow, "ret at 0x%llx is not reached", (unsigned long long)insn->address);
            bad = 1;
        }
        if (!flow->insns[i].live)
            continue;
        r = 0;
        if (insn->kind == TT_INSN_RET)
            r = add_ret(flow, walk, exits, i, how == TT_EXITS_STEP);
        else if (insn->kind == TT_INSN_JMP_INDIRECT && !flow->insns[i].table && !tt_flow_cfa(flow, i, &cfa) &&
                 cfa.reg == TT_REG_RSP && cfa.offset == 8)
            r = add_jump(flow, walk, exits, i, how);
        if (r < 0)
            return r;
        bad |= r;
    }
    return bad;
}

static int compare_exits(const void *a, const void *b)
{
    const struct tt_flow_exit *x = a, *y = b;

    return x->insn < y->insn ? -1 : x->insn > y->insn;
}

int tt_flow_exits(struct tt_flow *flow, enum tt_exits_how how, struct tt_flow_exit **exits, size_t *count)
{
    _cleanup_free_ uint32_t *stack = calloc(flow->insn_count + 1, sizeof(*stack));
    _cleanup_free_ uint32_t *seen = calloc(flow->insn_count + 1, sizeof(*seen));
    struct walk walk = {.seen = seen, .stack = stack};
    struct exits all = {0};
    int bad = *flow->problems != '\0', r = -ENOMEM;

    if (stack && seen)
        r = add_others(flow, &walk, &all, how);
    bad |= r > 0;
    if (r >= 0)
        r = add_tails(flow, &all);
    bad |= r > 0;
    free(walk.found.array);
    if (r < 0) {
        free(all.array);
        return r;
    }
    if (all.count)
        qsort(all.array, all.count, sizeof(*all.array), compare_exits);
    *exits = all.array;
    *count = all.count;
    return bad;
}
