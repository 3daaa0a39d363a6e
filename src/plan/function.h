/* SPDX-License-Identifier: GPL-2.0-only */
/* function.h (private to plan): one function to be planned. */
#pragma once

#include "plan/plan.h"
#include "plan/values.h"

#define TT_ARGUMENT_REGS 6

struct tt_function {
    uint32_t row;           /* see tt_plan_row */
    uint64_t address, size; /* size 0: as its .eh_frame entry says */
    const char *symbol, *signature;
    /* Where what the row takes for its nth argument register lies at the start of the function, without a
     * load; NULL: there. */
    const struct tt_origin *arguments;
    /* With its entry, all its exits, and all names that its span is called after, or not at all. */
    bool whole;
};

/* A row of the plan's own: its index; -ENOMEM. */
int64_t tt_plan_add_row(struct tt_plan *plan, const struct tt_row *like, const char *name);

/* Plans it as the next of plan->functions, which has room. What cannot be planned is no failure: the function
 * says so. 0 or a negative errno. */
int tt_plan_function(struct tt_plan *plan, struct tt_elf *elf, const struct tt_function *wanted);

/* Puts the functions of the file into a plan that knows the file by name; 0 or a negative errno. */
struct tt_elf;
typedef int (*tt_plan_fill)(struct tt_plan *plan, struct tt_elf *elf, const void *context);

/* tt_plan_file, with what `fill` finds. */
int tt_plan_make(int fd, const char *path, tt_plan_fill fill, const void *context, struct tt_plan **result,
                 char **error);
