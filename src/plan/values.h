/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * values.h (private to plan): follows values through straight-line code, to know at a probe point in which
 * register, or where in the frame, an argument still lies, or from where the returned value will be taken.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "plan/flow.h"

/* A value in terms of the registers at the place where following began: reg + off[0], or *(reg + off[0]) +
 * off[1]. */
struct tt_origin {
    uint8_t reg; /* enum tt_reg; TT_REG_NONE = not known */
    uint8_t derefs;
    int32_t off[2];
};

#define TT_VALUES_SLOTS 16 /* the most seen is 5 */

struct tt_values {
    struct tt_origin reg[16];
    bool stored; /* memory was written since the beginning: loads are not believed any more */
    struct tt_slot {
        int32_t at;   /* from rsp at the start */
        uint8_t reg;  /* what it held at the start lies there */
        uint8_t size; /* its first 4 bytes, or all 8 */
    } slots[TT_VALUES_SLOTS];
    unsigned slot_count;
};

void tt_values_start(struct tt_values *values);
void tt_values_step(struct tt_values *values, const struct tt_insn *insn);

/* Where, at `insn`, the first `size` bytes (4 or 8) lie of what `reg` held at the start of the function: in a
 * register, or in the frame, where they were put; a register is TT_REG_NONE if it is not known. The code
 * between has to be straight. */
struct tt_origin tt_values_find(const struct tt_flow *flow, uint32_t insn, unsigned reg, unsigned size);

/* Where, at an exit point, the value comes from that will be in rax when the function returns. */
struct tt_origin tt_values_returned(const struct tt_flow *flow, const struct tt_flow_exit *exit);
