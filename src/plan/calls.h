/* SPDX-License-Identifier: GPL-2.0-only */
/* calls.h (private to plan): where a file calls functions of others that the catalogue's rows name by it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/elf.h"
#include "plan/function.h"
#include "plan/plan.h"
#include "plan/values.h"

struct tt_call {
    uint32_t row;      /* index into tt_rows */
    uint64_t address;  /* of the call */
    uint64_t function; /* start of the .eh_frame entry that it is in; 0: it is in none */
    const char *name;  /* of what is called; lives as long as the tt_elf */
    bool elsewhere;    /* its first argument is not where it is in calls, but .. */
    struct tt_origin first[TT_ARGUMENT_REGS]; /* .. there */
};

/* Is it PyTango's extension? Only there are such calls looked for. */
bool tt_calls_pytango(const struct tt_elf *elf);

/* All such calls through the PLT, by address; *result is the caller's (free). What looks like one may be the
 * middle of another instruction: the function's flow tells. 0 or a negative errno. */
int tt_calls_find(struct tt_elf *elf, struct tt_call **result, size_t *result_count);

/* Plans the functions that these calls are in, each from its call on, as the next of plan->functions, which
 * has room. 0 or a negative errno. */
int tt_calls_plan(struct tt_plan *plan, struct tt_elf *elf, const struct tt_call *calls, size_t count);
