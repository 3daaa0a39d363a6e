/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/values.h"

#include "tangotrace/event.h"

static const struct tt_origin unknown = {.reg = TT_REG_NONE};

void tt_values_start(struct tt_values *values)
{
    values->stored = false;
    values->slot_count = 0;
    for (uint8_t i = 0; i < 16; i++)
        values->reg[i] = (struct tt_origin){.reg = i};
}

static struct tt_origin add(struct tt_origin origin, int32_t disp)
{
    if (origin.reg == TT_REG_NONE ||
        __builtin_add_overflow(origin.off[origin.derefs], disp, &origin.off[origin.derefs]))
        return unknown;
    return origin;
}

static struct tt_origin load(const struct tt_values *values, struct tt_origin address)
{
    if (values->stored || address.reg == TT_REG_NONE || address.derefs)
        return unknown;
    address.derefs = 1;
    address.off[1] = 0;
    return address;
}

/* Is `place` in the frame? One that an argument points to, or what lay in memory before, is not: the frame
 * came later. */
static bool in_frame(const struct tt_origin *place)
{
    return place->reg == TT_REG_RSP && !place->derefs;
}

/* Forgets what is written over, keeps what is put aside. A callee may write to what its caller's frame holds
 * as well as what has been lost sight of: nothing there is believed after that. */
static void follow_store(struct tt_values *values, const struct tt_insn *insn)
{
    const struct tt_store *store = &insn->store;
    struct tt_origin place = store->base < 16 ? add(values->reg[store->base], store->disp) : unknown;
    unsigned kept = 0;

    if (place.reg != TT_REG_NONE && !in_frame(&place))
        return;
    for (unsigned i = 0; i < values->slot_count && place.reg != TT_REG_NONE; i++) {
        const struct tt_slot *slot = &values->slots[i];

        if (slot->at + slot->size <= place.off[0] || place.off[0] + store->size <= slot->at)
            values->slots[kept++] = *slot;
    }
    values->slot_count = kept;
    if (place.reg != TT_REG_NONE && store->source < 16 && kept < TT_VALUES_SLOTS) {
        const struct tt_origin *value = &values->reg[store->source];

        if (value->reg != TT_REG_NONE && !value->derefs && !value->off[0])
            values->slots[values->slot_count++] = (struct tt_slot){place.off[0], value->reg,
                                                                   (uint8_t)store->size};
    }
}

void tt_values_step(struct tt_values *values, const struct tt_insn *insn)
{
    struct tt_origin source = insn->src < 16 ? values->reg[insn->src] : unknown, result = unknown;

    if (insn->stores)
        follow_store(values, insn);
    switch (insn->effect) {
    case TT_EFFECT_MOVE:
        result = source;
        break;
    case TT_EFFECT_LEA:
        result = add(source, insn->disp);
        break;
    case TT_EFFECT_LOAD:
        result = load(values, add(source, insn->disp));
        break;
    case TT_EFFECT_POP:
        result = load(values, source);
        break;
    default:
        break;
    }
    for (unsigned i = 0; i < 16; i++) {
        if ((insn->writes & (1u << i)) && i != TT_REG_RSP)
            values->reg[i] = unknown;
    }
    if (insn->effect == TT_EFFECT_POP || insn->effect == TT_EFFECT_PUSH)
        values->reg[TT_REG_RSP] = add(values->reg[TT_REG_RSP], insn->disp);
    else if ((insn->writes & (1u << TT_REG_RSP)) && insn->kind != TT_INSN_CALL &&
             insn->kind != TT_INSN_CALL_INDIRECT)
        values->reg[TT_REG_RSP] = unknown;
    if (insn->dst < 16)
        values->reg[insn->dst] = result;
    values->stored |= insn->stores;
}

static bool is_plain(const struct tt_origin *origin, unsigned reg)
{
    return origin->reg == reg && !origin->derefs && !origin->off[0];
}

struct tt_origin tt_values_find(const struct tt_flow *flow, uint32_t insn, unsigned reg, unsigned size)
{
    const struct tt_origin *rsp;
    struct tt_values values;

    tt_values_start(&values);
    for (uint32_t i = 0; i < insn; i++)
        tt_values_step(&values, &flow->insns[i].insn);
    if (reg < 16 && is_plain(&values.reg[reg], reg))
        return values.reg[reg];
    for (uint8_t i = 0; i < 16; i++) {
        if (is_plain(&values.reg[i], reg))
            return (struct tt_origin){.reg = i};
    }
    rsp = &values.reg[TT_REG_RSP];
    for (unsigned i = 0; i < values.slot_count && rsp->reg == TT_REG_RSP && !rsp->derefs; i++) {
        const struct tt_slot *slot = &values.slots[i];

        /* what lies below rsp belongs to nobody any more */
        if (slot->reg == reg && slot->size >= size && slot->at >= rsp->off[0])
            return (struct tt_origin){TT_REG_RSP, 1, {slot->at - rsp->off[0]}};
    }
    return unknown;
}

/* Follows from behind the exit point along one edge; there is no branch before the ret, or the point would be
 * there. */
static struct tt_origin returned_along(const struct tt_flow *flow, uint32_t at, uint8_t edge)
{
    struct tt_values values;
    int64_t next = at + 1;

    tt_values_start(&values);
    tt_values_step(&values, &flow->insns[at].insn);
    /* what only tidies up leaves alone what its caller has put aside in the frame */
    if (flow->insns[at].insn.kind == TT_INSN_CALL && flow->past_calls)
        values.stored = false;
    if (edge == TT_EDGE_TAKEN)
        next = tt_flow_find(flow, flow->insns[at].insn.target);
    for (; next >= 0 && (size_t)next < flow->insn_count; next++) {
        const struct tt_insn *insn = &flow->insns[next].insn;

        if (insn->kind == TT_INSN_RET)
            return values.reg[TT_REG_RAX];
        /* a callee gives back what it has to */
        if (insn->kind != TT_INSN_OTHER && !(insn->kind == TT_INSN_CALL_INDIRECT && flow->past_calls))
            return unknown;
        tt_values_step(&values, insn);
    }
    return unknown;
}

static bool same(const struct tt_origin *a, const struct tt_origin *b)
{
    return a->reg == b->reg && a->derefs == b->derefs && a->off[0] == b->off[0] &&
           (!a->derefs || a->off[1] == b->off[1]);
}

struct tt_origin tt_values_returned(const struct tt_flow *flow, const struct tt_flow_exit *exit)
{
    struct tt_origin next = unknown, taken = unknown;

    if (exit->tail)
        return unknown;
    if (flow->insns[exit->insn].insn.kind == TT_INSN_RET)
        return (struct tt_origin){.reg = TT_REG_RAX};
    if (exit->edges & TT_EDGE_NEXT)
        next = returned_along(flow, exit->insn, TT_EDGE_NEXT);
    if (exit->edges & TT_EDGE_TAKEN)
        taken = returned_along(flow, exit->insn, TT_EDGE_TAKEN);
    if (exit->edges == TT_EDGE_NEXT)
        return next;
    if (exit->edges == TT_EDGE_TAKEN)
        return taken;
    return same(&next, &taken) ? next : unknown;
}
