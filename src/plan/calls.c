/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/calls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "plan/cfi.h"
#include "plan/flow.h"

#define CALL_SIZE 5    /* e8 rel32 */
#define CALLS_MAX 1024 /* the most seen is 18 */
#define REACH     64   /* instructions; the most seen are 20 */

/* What Python looks for when it imports tango._tango (PyTango 9 and 10). */
bool tt_calls_pytango(const struct tt_elf *elf)
{
    return tt_elf_exports(elf, "PyInit__tango");
}

/* Row by what it calls; -1: none. */
static int64_t row_of(const char *name)
{
    for (uint32_t row = 0; row < tt_row_count; row++) {
        for (size_t i = 0; tt_rows[row].callers && i < TT_ROW_SIGNATURES && tt_rows[row].signature[i]; i++) {
            if (!strcmp(tt_rows[row].signature[i], name))
                return row;
        }
    }
    return -1;
}

static int add_call(struct tt_call **calls, size_t *count, const struct tt_call *call)
{
    struct tt_call *array;

    if (*count == CALLS_MAX)
        return -E2BIG;
    array = reallocarray(*calls, *count + 1, sizeof(*array));
    if (!array)
        return -ENOMEM;
    array[*count] = *call;
    *calls = array;
    (*count)++;
    return 0;
}

/* What a call leads to through the PLT, or NULL. */
static const char *callee_of(struct tt_elf *elf, uint64_t target)
{
    const struct tt_elf_load *load = tt_elf_load(elf, target);

    return load && load->executable ? tt_flow_plt_name(elf, target) : NULL;
}

/*
 * Up to Python 3.10 PyObject_Vectorcall is an inline function (Include/cpython/abstract.h): it asks for the
 * thread's state, and has what a pointer of the callable led to checked with _Py_CheckFunctionResult(state,
 * callable, ..). What that gets was somewhere already when the state was asked for. False: it was asked for
 * something else.
 */
static bool find_inlined(struct tt_elf *elf, const uint8_t *bytes, size_t size, struct tt_call *call)
{
    struct tt_values values;
    struct tt_insn insn;
    size_t at = 0;

    tt_values_start(&values);
    for (unsigned i = 0; i < REACH && !tt_insn_decode(bytes + at, size - at, call->address + at, &insn);
         i++) {
        if (i && insn.kind == TT_INSN_CALL) {
            const char *name = callee_of(elf, insn.target);
            const struct tt_origin *callable = &values.reg[TT_REG_RSI];

            call->first[0] = *callable;
            return name && !strcmp(name, "_Py_CheckFunctionResult") && callable->reg != TT_REG_NONE &&
                   !callable->derefs && !callable->off[0];
        }
        if (insn.kind != TT_INSN_OTHER && insn.kind != TT_INSN_CALL && insn.kind != TT_INSN_CALL_INDIRECT &&
            insn.kind != TT_INSN_JCC)
            return false;
        tt_values_step(&values, &insn);
        at += insn.length;
    }
    return false;
}

static int look_at(struct tt_elf *elf, const uint8_t *bytes, size_t size, uint64_t address,
                   struct tt_call **calls, size_t *count)
{
    struct tt_call call = {.address = address};
    struct tt_fde fde;
    int32_t distance;
    int64_t row;

    memcpy(&distance, bytes + 1, sizeof(distance));
    call.name = callee_of(elf, address + CALL_SIZE + (uint64_t)(int64_t)distance);
    row = call.name ? row_of(call.name) : -1;
    if (row < 0)
        return 0;
    call.elsewhere = !strcmp(call.name, "PyThreadState_Get");
    if (call.elsewhere && !find_inlined(elf, bytes, size, &call))
        return 0;
    call.row = (uint32_t)row;
    if (tt_cfi_find(elf, address, &fde) == 0)
        call.function = fde.begin;
    return add_call(calls, count, &call);
}

int tt_calls_find(struct tt_elf *elf, struct tt_call **result, size_t *result_count)
{
    struct tt_call *calls = NULL;
    size_t count = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < elf->load_count; i++) {
        const struct tt_elf_load *load = &elf->loads[i];
        const uint8_t *bytes = load->executable ? tt_elf_bytes(elf, load->offset, load->size) : NULL;

        for (uint64_t at = 0; bytes && r == 0 && at + CALL_SIZE <= load->size; at++) {
            if (bytes[at] == 0xe8)
                r = look_at(elf, bytes + at, load->size - at, load->address + at, &calls, &count);
        }
    }
    if (r < 0) {
        free(calls);
        return r;
    }
    *result = calls;
    *result_count = count;
    return 0;
}

static int plan_call(struct tt_plan *plan, struct tt_elf *elf, const struct tt_call *calls, size_t count,
                     size_t index)
{
    const struct tt_call *call = &calls[index];
    _cleanup_free_ char *where = tt_format("call of %s at 0x%" PRIx64, call->name, call->address);
    const struct tt_function wanted = {
        .row = call->row,
        .address = call->function,
        .symbol = call->name,
        .signature = where,
        .arguments = call->elsewhere ? call->first : NULL,
        .call = call->address,
        .whole = true,
    };

    if (!where)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if (i != index && calls[i].function == call->function)
            return tt_plan_leave_out(plan, &wanted, "one of several calls in one function");
    }
    return tt_plan_function(plan, elf, &wanted);
}

int tt_calls_plan(struct tt_plan *plan, struct tt_elf *elf, const struct tt_call *calls, size_t count)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < count; i++) {
        plan->library[tt_rows[calls[i].row].library] = true;
        r = plan_call(plan, elf, calls, count, i);
    }
    return r < 0 ? r : 0;
}
