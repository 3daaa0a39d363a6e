/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * values.h (private to plan): follows values through straight-line code, to know at a probe point in which
 * register an argument still lies, or from where the returned value will be taken.
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

struct tt_values {
    struct tt_origin reg[16];
    bool stored; /* memory was written since the beginning: loads are not believed any more */
};

void tt_values_start(struct tt_values *values);
void tt_values_step(struct tt_values *values, const struct tt_insn *insn);

/* Register that holds, at `insn`, what `reg` held at the start of the function; TT_REG_NONE if none is known
 * to. */
unsigned tt_values_holder(const struct tt_flow *flow, uint32_t insn, unsigned reg);

/* Where, at an exit point, the value comes from that will be in rax when the function returns. */
struct tt_origin tt_values_returned(const struct tt_flow *flow, const struct tt_flow_exit *exit);
