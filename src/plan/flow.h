/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flow.h (private to plan): the control flow of one function: all its instructions, which of them can be
 * reached, and from these the places where entry and exit can be seen without touching the stack.
 *
 * Two decodes have to agree: linear from the start of each part (.eh_frame entry), and along the flow. A
 * function where the flow leads into the middle of a linearly decoded instruction is refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/cfi.h"
#include "plan/elf.h"
#include "plan/insn.h"

#define TT_FLOW_PARTS    24
#define TT_FLOW_PROBLEMS 512 /* bytes of text */

struct tt_flow_insn {
    struct tt_insn insn;
    bool live;  /* reached by control flow */
    bool root;  /* reached in a way that has no edge: start, landing pad, jump table */
    bool table; /* an indirect jump by a table that was understood */
};

struct tt_flow_part { /* the function itself and code split off it or shared with others */
    struct tt_fde fde;
    uint32_t first, count; /* its instructions */
};

#define TT_EDGE_NEXT  1u /* falls through */
#define TT_EDGE_TAKEN 2u

struct tt_flow_edge {
    uint32_t from, to;
    uint8_t kind; /* TT_EDGE_* */
};

struct tt_flow_tail { /* a jump that leaves the function for another one */
    uint32_t insn;
    const char *name; /* of the target, NULL = unknown */
};

struct tt_flow {
    struct tt_elf *elf;
    uint64_t start;
    struct tt_flow_part parts[TT_FLOW_PARTS];
    size_t part_count;
    struct tt_flow_insn *insns; /* in the order of parts, by address within a part */
    size_t insn_count, insn_capacity;
    struct tt_flow_edge *edges; /* by `to` */
    size_t edge_count, edge_capacity;
    struct tt_flow_tail *tails; /* direct ones */
    size_t tail_count, tail_capacity;
    uint32_t *todo; /* instructions to follow */
    size_t todo_count, todo_capacity;
    size_t tables;   /* jump tables tried */
    bool past_calls; /* exits may lie before an indirect call that comes last: its time is left out */
    char problems[TT_FLOW_PROBLEMS]; /* what stands in the way of seeing all exits, "; " between */
};

/* An instruction that is passed exactly once per leaving of the function, on the edges told. */
struct tt_flow_exit {
    uint32_t insn;
    uint8_t edges; /* TT_EDGE_*, or-ed: those that lead out */
    bool tail;     /* by a jump to another function (no returned value yet) */
};

/*
 * Follows the function at `start`, which has to be the start of an .eh_frame entry. -EINVAL: it cannot be
 * planned, `why` says so. The flow keeps using `elf`.
 */
int tt_flow_build(struct tt_elf *elf, uint64_t start, struct tt_flow *flow, char *why, size_t why_size);
void tt_flow_free(struct tt_flow *flow);

enum tt_exits_how {
    TT_EXITS_PLAIN,
    TT_EXITS_STEP,  /* the ret itself, or an indirect jump, where there is no emulated instruction but a call
                     */
    TT_EXITS_JUMPS, /* an indirect jump to another function is left at, too, as early as a ret would be */
};

/*
 * All exits: from each ret back to the nearest emulated instruction on every path, and direct jumps to other
 * functions. *exits is the caller's (free). What could not be covered is appended to flow->problems; returns
 * 0 if there was nothing, 1 if there was something, or a negative errno.
 */
int tt_flow_exits(struct tt_flow *flow, enum tt_exits_how how, struct tt_flow_exit **exits, size_t *count);

/* Number of live ways to the instruction besides falling into it from the one before. */
unsigned tt_flow_other_ways(const struct tt_flow *flow, uint32_t insn);

/* May the instruction be passed more than once in one call of the function? */
bool tt_flow_repeats(const struct tt_flow *flow, uint32_t insn);

/* Is it sure that the call comes back? If not, what follows may be another path's, and the callee one that
 * never returns. */
bool tt_flow_comes_back(const struct tt_flow *flow, uint32_t call);

/* CFA before the instruction; as tt_cfi_cfa. */
int tt_flow_cfa(const struct tt_flow *flow, uint32_t insn, struct tt_cfa *cfa);

/* Index of the instruction at `address`, or -ENOENT (outside), -EINVAL (inside another instruction). */
int64_t tt_flow_find(const struct tt_flow *flow, uint64_t address);

/* Name behind a direct call or jump target: symbol or the PLT's; NULL if unknown. */
const char *tt_flow_target_name(struct tt_elf *elf, uint64_t target);

/* Name of the function whose PLT entry lies at `target`; NULL if it is none. */
const char *tt_flow_plt_name(struct tt_elf *elf, uint64_t target);

void tt_flow_problem(struct tt_flow *flow, const char *format, ...) __attribute__((format(printf, 2, 3)));
