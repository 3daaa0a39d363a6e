/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/flow.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/bound.h"
#include "tangotrace/event.h"

#define INSNS_MAX  50000 /* of one function with all its parts */
#define PADS_MAX   4096
#define TABLE_MAX  4096 /* entries of a jump table */
#define TABLES_MAX 4096 /* tables tried in one function */

void tt_flow_problem(struct tt_flow *flow, const char *format, ...)
{
    size_t used = strlen(flow->problems);
    va_list args;

    if (used + 4 >= sizeof(flow->problems))
        return;
    if (used)
        used += (size_t)snprintf(flow->problems + used, sizeof(flow->problems) - used, "; ");
    va_start(args, format);
    vsnprintf(flow->problems + used, sizeof(flow->problems) - used, format, args);
    va_end(args);
}

/* Room for one more element of a growing array. */
static int grow(void **array, size_t count, size_t *capacity, size_t element)
{
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *p;

    if (count < *capacity)
        return 0;
    p = reallocarray(*array, wanted, element);
    if (!p)
        return -ENOMEM;
    *array = p;
    *capacity = wanted;
    return 0;
}

int64_t tt_flow_find(const struct tt_flow *flow, uint64_t address)
{
    for (size_t i = 0; i < flow->part_count; i++) {
        const struct tt_flow_part *part = &flow->parts[i];
        size_t at;

        if (address < part->fde.begin || address >= part->fde.end)
            continue;
        at = part->first + TT_LOWER_BOUND(flow->insns + part->first, part->count, insn.address, address);
        return at < part->first + part->count && flow->insns[at].insn.address == address ? (int64_t)at
                                                                                         : -EINVAL;
    }
    return -ENOENT;
}

static const struct tt_flow_part *part_of(const struct tt_flow *flow, uint32_t insn)
{
    size_t i = flow->part_count - 1;

    while (i && flow->parts[i].first > insn)
        i--;
    return &flow->parts[i];
}

int tt_flow_cfa(const struct tt_flow *flow, uint32_t insn, struct tt_cfa *cfa)
{
    return tt_cfi_cfa(&part_of(flow, insn)->fde, flow->insns[insn].insn.address, cfa);
}

/* The frame is torn down: the return address lies at rsp, so that a jump from here leaves the function. */
static bool at_return_address(const struct tt_flow *flow, uint32_t insn)
{
    struct tt_cfa cfa;

    return tt_flow_cfa(flow, insn, &cfa) == 0 && cfa.reg == TT_REG_RSP && cfa.offset == 8;
}

const char *tt_flow_plt_name(struct tt_elf *elf, uint64_t target)
{
    /* [endbr64] jmp *slot(%rip) */
    for (int i = 0; i < 2; i++) {
        uint64_t rest = tt_elf_rest(elf, target);
        const uint8_t *bytes = rest ? tt_elf_at(elf, target, rest < 16 ? rest : 16) : NULL;
        struct tt_insn insn;

        if (!bytes || tt_insn_decode(bytes, rest < 16 ? rest : 16, target, &insn) < 0)
            return NULL;
        if (insn.kind == TT_INSN_JMP_INDIRECT && insn.memory)
            return tt_elf_slot_at(elf, insn.memory);
        if (!insn.endbr)
            return NULL;
        target += insn.length;
    }
    return NULL;
}

const char *tt_flow_target_name(struct tt_elf *elf, uint64_t target)
{
    const struct tt_elf_symbol *symbol = tt_elf_symbol_at(elf, target);

    return symbol ? symbol->name : tt_flow_plt_name(elf, target);
}

/* Functions that never come back: behind a call of one there is no path. Only a prefix where it tells enough.
 */
static bool never_returns(const char *name)
{
    static const char *const prefixes[] = {
        "__stack_chk_fail",
        "_Unwind_Resume",
        "__cxa_throw",
        "__cxa_rethrow",
        "__cxa_bad_",
        "__cxa_call_",
        "__cxa_pure_virtual",
        "_ZSt9terminatev",
        "_ZSt10unexpectedv",
        "abort",
        "exit",
        "_exit",
        "__assert_fail",
        "__fortify_fail",
        "__chk_fail",
        "__clang_call_terminate",
        "_ZN5Tango6Except15throw_exception",
        "_ZN5Tango6Except18re_throw_exception",
        "_ZN12omniExHelper",
        "pthread_exit",
    };
    size_t digits;

    if (!name)
        return false;
    for (size_t i = 0; i < TT_ARRAY_SIZE(prefixes); i++) {
        if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
            return true;
    }
    if (strncmp(name, "_ZSt", 4)) /* std::__throw_length_error(char const*) and its kind */
        return false;
    digits = strspn(name + 4, "0123456789");
    return digits && !strncmp(name + 4 + digits, "__throw_", 8);
}

/* ---- parts ---------------------------------------------------------------------------------------- */

/* Decodes a part from its first to its last byte. */
static int decode_part(struct tt_flow *flow, const struct tt_fde *fde)
{
    uint64_t size = fde->end - fde->begin;
    const uint8_t *bytes = tt_elf_at(flow->elf, fde->begin, size);
    const struct tt_elf_load *load = tt_elf_load(flow->elf, fde->begin);

    if (!bytes || !load->executable)
        return -EINVAL;
    for (uint64_t at = 0; at < size;) {
        struct tt_flow_insn *next;

        if (flow->insn_count == INSNS_MAX)
            return -E2BIG;
        if (grow((void **)&flow->insns, flow->insn_count, &flow->insn_capacity, sizeof(*flow->insns)) < 0)
            return -ENOMEM;
        next = &flow->insns[flow->insn_count];
        *next = (struct tt_flow_insn){0};
        if (tt_insn_decode(bytes + at, size - at, fde->begin + at, &next->insn) < 0)
            return -EINVAL;
        at += next->insn.length;
        flow->insn_count++;
    }
    return 0;
}

static int add_part(struct tt_flow *flow, const struct tt_fde *fde, char *why, size_t why_size)
{
    struct tt_flow_part *part = &flow->parts[flow->part_count];
    int r;

    snprintf(why, why_size, "more than %d parts", TT_FLOW_PARTS);
    if (flow->part_count == TT_FLOW_PARTS)
        return -EINVAL;
    snprintf(why, why_size, "overlapping .eh_frame entries at 0x%llx", (unsigned long long)fde->begin);
    for (size_t i = 0; i < flow->part_count; i++) {
        if (fde->begin < flow->parts[i].fde.end && flow->parts[i].fde.begin < fde->end)
            return -EINVAL;
    }
    *part = (struct tt_flow_part){.fde = *fde, .first = (uint32_t)flow->insn_count};
    r = decode_part(flow, fde);
    if (r < 0) {
        snprintf(why, why_size, r == -E2BIG ? "more than 50000 instructions" : "no instruction at 0x%llx",
                 (unsigned long long)(flow->insn_count > part->first
                                          ? flow->insns[flow->insn_count - 1].insn.address +
                                                flow->insns[flow->insn_count - 1].insn.length
                                          : fde->begin));
        return r == -ENOMEM ? r : -EINVAL;
    }
    part->count = (uint32_t)flow->insn_count - part->first;
    flow->part_count++;
    return 0;
}

/* ---- following ------------------------------------------------------------------------------------ */

static int push_todo(struct tt_flow *flow, uint32_t insn)
{
    if (flow->insns[insn].live)
        return 0;
    if (grow((void **)&flow->todo, flow->todo_count, &flow->todo_capacity, sizeof(*flow->todo)) < 0)
        return -ENOMEM;
    flow->insns[insn].live = true;
    flow->todo[flow->todo_count++] = insn;
    return 0;
}

static int add_edge(struct tt_flow *flow, uint32_t from, uint32_t to, uint8_t kind)
{
    if (grow((void **)&flow->edges, flow->edge_count, &flow->edge_capacity, sizeof(*flow->edges)) < 0)
        return -ENOMEM;
    flow->edges[flow->edge_count++] = (struct tt_flow_edge){from, to, kind};
    return push_todo(flow, to);
}

static int add_tail(struct tt_flow *flow, uint32_t insn, const char *name)
{
    if (grow((void **)&flow->tails, flow->tail_count, &flow->tail_capacity, sizeof(*flow->tails)) < 0)
        return -ENOMEM;
    flow->tails[flow->tail_count++] = (struct tt_flow_tail){insn, name};
    return 0;
}

/*
 * A jump to code outside the parts known so far: either another function (a tail call), or code split off
 * this one, or shared with a function of the same ending, which becomes a further part.
 */
static int follow_outside(struct tt_flow *flow, uint32_t from, uint64_t target, char *why, size_t why_size)
{
    const char *name = tt_flow_target_name(flow->elf, target);
    struct tt_cfa cfa;
    struct tt_fde fde;
    int64_t to;
    int r;

    if (name)
        return add_tail(flow, from, name);
    snprintf(why, why_size, "jump from 0x%llx to unknown code",
             (unsigned long long)flow->insns[from].insn.address);
    if (tt_cfi_find(flow->elf, target, &fde) < 0)
        return -EINVAL;
    if (fde.begin == target && at_return_address(flow, from) && !tt_cfi_cfa(&fde, target, &cfa) &&
        cfa.reg == TT_REG_RSP && cfa.offset == 8)
        return add_tail(flow, from, NULL);
    r = add_part(flow, &fde, why, why_size);
    if (r < 0)
        return r;
    to = tt_flow_find(flow, target);
    if (to >= 0)
        return add_edge(flow, from, (uint32_t)to, TT_EDGE_TAKEN);
    snprintf(why, why_size, "jump from 0x%llx into an instruction",
             (unsigned long long)flow->insns[from].insn.address);
    return -EINVAL;
}

static int follow_to(struct tt_flow *flow, uint32_t from, uint64_t target, uint8_t kind, char *why,
                     size_t why_size)
{
    int64_t to = tt_flow_find(flow, target);

    if (to >= 0)
        return add_edge(flow, from, (uint32_t)to, kind);
    if (to == -ENOENT && kind == TT_EDGE_TAKEN)
        return follow_outside(flow, from, target, why, why_size);
    if (to == -ENOENT) /* runs over its end: behind a call that never returns */
        return 0;
    snprintf(why, why_size, "jump from 0x%llx into an instruction",
             (unsigned long long)flow->insns[from].insn.address);
    return -EINVAL;
}

static int add_root(struct tt_flow *flow, uint64_t address)
{
    int64_t insn = tt_flow_find(flow, address);

    if (insn < 0)
        return (int)insn;
    flow->insns[insn].root = true;
    return push_todo(flow, (uint32_t)insn);
}

/* Takes entries of a jump table as long as they lead to instructions of the function; returns their number.
 */
static int read_table(struct tt_flow *flow, uint64_t table)
{
    int count = 0;

    for (; count < TABLE_MAX; count++) {
        const uint8_t *bytes = tt_elf_at(flow->elf, table + 4ull * (unsigned)count, 4);
        int32_t entry;
        int r;

        if (!bytes)
            break;
        memcpy(&entry, bytes, 4);
        r = add_root(flow, table + (uint64_t)(int64_t)entry);
        if (r == -ENOMEM)
            return r;
        if (r < 0)
            break;
    }
    return count;
}

/*
 * Jump table as gcc and clang write it for position-independent code: movslq (table,index,4),%r; add
 * table,%r; jmp *%r. The register with the table's address may have been set anywhere in the function, so
 * each address put into it is tried, and a table's length is not looked for. Too much only makes more
 * instructions count as reached from nowhere, which is the safe side. Returns the number of entries.
 */
static int follow_table(struct tt_flow *flow, uint32_t jump)
{
    const struct tt_flow_part *part = part_of(flow, jump);
    uint32_t first = jump > part->first + 8 ? jump - 8 : part->first, load = jump;
    uint64_t last = 0;
    int count = 0;

    while (load > first && flow->insns[load].insn.effect != TT_EFFECT_TABLE)
        load--;
    if (flow->insns[load].insn.effect != TT_EFFECT_TABLE)
        return 0;
    for (size_t i = 0; i < flow->insn_count && flow->tables < TABLES_MAX; i++) {
        const struct tt_insn *insn = &flow->insns[i].insn;
        int r;

        if (insn->effect != TT_EFFECT_ADDRESS || insn->dst != flow->insns[load].insn.src ||
            insn->memory == last)
            continue;
        last = insn->memory;
        flow->tables++;
        r = read_table(flow, last);
        if (r < 0)
            return r;
        if (r >= 2) /* a switch of one case has no table: chance */
            count += r;
    }
    return count;
}

static int follow_indirect(struct tt_flow *flow, uint32_t insn)
{
    int r = follow_table(flow, insn);

    if (r < 0)
        return r;
    flow->insns[insn].table = r > 0;
    if (!r && !at_return_address(flow, insn))
        tt_flow_problem(flow, "jump table at 0x%llx is not understood",
                        (unsigned long long)flow->insns[insn].insn.address);
    return 0;
}

static int follow(struct tt_flow *flow, uint32_t at, char *why, size_t why_size)
{
    const struct tt_insn insn = flow->insns[at].insn; /* a copy: the array may move */
    uint64_t next = insn.address + insn.length;
    int r = 0;

    switch (insn.kind) {
    case TT_INSN_RET:
    case TT_INSN_STOP:
        return 0;
    case TT_INSN_JMP_INDIRECT:
        return follow_indirect(flow, at);
    case TT_INSN_JMP:
        return follow_to(flow, at, insn.target, TT_EDGE_TAKEN, why, why_size);
    case TT_INSN_JCC:
        r = follow_to(flow, at, insn.target, TT_EDGE_TAKEN, why, why_size);
        break;
    case TT_INSN_CALL:
        if (never_returns(tt_flow_target_name(flow->elf, insn.target)))
            return 0;
        break;
    default:
        break;
    }
    return r < 0 ? r : follow_to(flow, at, next, TT_EDGE_NEXT, why, why_size);
}

static int add_landing_pads(struct tt_flow *flow, size_t part, uint64_t *pads, char *why, size_t why_size)
{
    int count = tt_cfi_landing_pads(flow->elf, &flow->parts[part].fde, pads, PADS_MAX);

    snprintf(why, why_size, "exception table cannot be read");
    if (count < 0)
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        int r = add_root(flow, pads[i]);
        struct tt_fde fde;

        if (r == -ENOENT && !tt_cfi_find(flow->elf, pads[i], &fde)) {
            r = add_part(flow, &fde, why, why_size);
            if (r < 0)
                return r;
            r = add_root(flow, pads[i]);
        }
        if (r < 0) {
            snprintf(why, why_size, "exception handler at 0x%llx is no instruction",
                     (unsigned long long)pads[i]);
            return -EINVAL;
        }
    }
    return 0;
}

/* Follows everything, taking in parts and their landing pads as they turn up. */
static int follow_all(struct tt_flow *flow, char *why, size_t why_size)
{
    _cleanup_free_ uint64_t *pads = malloc(PADS_MAX * sizeof(*pads));
    size_t parts = 0;
    int r;

    if (!pads)
        return -ENOMEM;
    while (flow->todo_count || parts < flow->part_count) {
        if (parts < flow->part_count) {
            r = add_landing_pads(flow, parts++, pads, why, why_size);
            if (r < 0)
                return r;
            continue;
        }
        r = follow(flow, flow->todo[--flow->todo_count], why, why_size);
        if (r < 0)
            return r;
    }
    return 0;
}

static int compare_edges(const void *a, const void *b)
{
    const struct tt_flow_edge *x = a, *y = b;

    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

int tt_flow_build(struct tt_elf *elf, uint64_t start, struct tt_flow *flow, char *why, size_t why_size)
{
    struct tt_fde fde;
    int r;

    *flow = (struct tt_flow){.elf = elf, .start = start};
    r = tt_cfi_find(elf, start, &fde);
    snprintf(why, why_size, r == -EINVAL ? ".eh_frame cannot be read" : "no .eh_frame entry starts here");
    if (r < 0 || fde.begin != start)
        return -EINVAL;
    r = add_part(flow, &fde, why, why_size);
    if (r >= 0)
        r = add_root(flow, start);
    if (r >= 0)
        r = follow_all(flow, why, why_size);
    if (r < 0) {
        tt_flow_free(flow);
        return r;
    }
    if (flow->edge_count)
        qsort(flow->edges, flow->edge_count, sizeof(*flow->edges), compare_edges);
    return 0;
}

void tt_flow_free(struct tt_flow *flow)
{
    free(flow->insns);
    free(flow->edges);
    free(flow->tails);
    free(flow->todo);
    *flow = (struct tt_flow){0};
}
