/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * returns.c: does a call come back? Behind one that never does the compiler goes on with another path's code;
 * in a stripped file nothing tells the two apart but what is looked at here.
 */
#include <string.h>

#include "base/cleanup.h"
#include "plan/flow.h"

/* Nothing but the call leads to what follows: it would not be there if the call did not come back. */
static bool leads_on(const struct tt_flow *flow, uint32_t call)
{
    uint32_t next = call + 1;

    return next < flow->insn_count && !flow->insns[next].root && !tt_flow_other_ways(flow, next) &&
           flow->insns[next].insn.address == flow->insns[call].insn.address + flow->insns[call].insn.length;
}

/* A function of cppTango, omniORB or the C++ runtime: those that never return are known (flow.c). */
static bool is_known(const char *name)
{
    static const char *const prefixes[] = {
        "_ZN5Tango", "_ZNK5Tango", "_ZN9log4tango", "_ZNSt",      "_ZNKSt",   "_ZSt",
        "_ZNSs",     "_ZNKSs",     "_ZNSo",         "_ZNSi",      "_Zdl",     "_Zda",
        "_Znw",      "_Zna",       "__cxa_",        "free",       "malloc",   "memcpy",
        "memset",    "memmove",    "_ZN5CORBA",     "_ZNK5CORBA", "_ZN4omni", "_ZN10omni_mutex",
    };

    for (size_t i = 0; name && i < TT_ARRAY_SIZE(prefixes); i++) {
        if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
            return true;
    }
    return false;
}

/* Can the function of this file at `address` be seen to return? */
static bool has_return(struct tt_elf *elf, uint64_t address)
{
    bool found = false;
    struct tt_flow flow;
    char why[128];

    if (tt_flow_build(elf, address, &flow, why, sizeof(why)) < 0)
        return false;
    for (size_t i = 0; i < flow.insn_count && !found; i++)
        found = flow.insns[i].live && flow.insns[i].insn.kind == TT_INSN_RET;
    for (size_t i = 0; i < flow.tail_count && !found; i++)
        found = is_known(flow.tails[i].name);
    tt_flow_free(&flow);
    return found;
}

bool tt_flow_comes_back(const struct tt_flow *flow, uint32_t call)
{
    uint64_t target = flow->insns[call].insn.target;
    const char *name = tt_flow_target_name(flow->elf, target);

    if (leads_on(flow, call) || is_known(name))
        return true;
    for (uint32_t i = 0; i < flow->insn_count; i++) {
        const struct tt_insn *insn = &flow->insns[i].insn;

        if (flow->insns[i].live && insn->kind == TT_INSN_CALL && insn->target == target && leads_on(flow, i))
            return true;
    }
    return !tt_flow_plt_name(flow->elf, target) && has_return(flow->elf, target);
}
