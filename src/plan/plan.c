/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "plan/calls.h"
#include "plan/elf.h"
#include "plan/function.h"
#include "plan/identity.h"
#include "plan/match.h"
#include "plan/source.h"

const struct tt_row *tt_plan_row(const struct tt_plan *plan, uint32_t row)
{
    return row < tt_row_count ? &tt_rows[row] : plan->rows[row - tt_row_count];
}

int64_t tt_plan_add_row(struct tt_plan *plan, const struct tt_row *like, const char *name)
{
    struct tt_row **rows = reallocarray(plan->rows, plan->row_count + 1, sizeof(struct tt_row *));

    if (!rows)
        return -ENOMEM;
    plan->rows = rows;
    rows[plan->row_count] = tt_row_make(like, name);
    return rows[plan->row_count] ? (int64_t)(tt_row_count + plan->row_count++) : -ENOMEM;
}

/* Plans one matched symbol. */
static int plan_match(struct tt_plan *plan, struct tt_elf *elf, const struct tt_match *match)
{
    const struct tt_function wanted = {
        .row = match->row,
        .address = match->symbol->address,
        .size = match->symbol->size,
        .symbol = match->symbol->name,
        .signature = match->signature,
    };

    plan->library[tt_rows[match->row].library] = true;
    return tt_plan_function(plan, elf, &wanted);
}

static int plan_all(struct tt_plan *plan, struct tt_elf *elf, const void *context)
{
    _cleanup_free_ struct tt_call *calls = NULL;
    struct tt_match *matches = NULL;
    size_t count = 0, call_count = 0;
    int r = tt_match_symbols(elf, &matches, &count);

    if (r == 0 && tt_calls_pytango(elf))
        r = tt_calls_find(elf, &calls, &call_count);
    if (r == 0 && !count && !call_count)
        r = -ENOENT;
    if (r == 0) {
        plan->functions = calloc(count + call_count, sizeof(*plan->functions));
        r = plan->functions ? 0 : -ENOMEM;
    }
    /* inner functions last: whether they are probed depends on the others */
    for (int inner = 0; inner < 2; inner++) {
        for (size_t i = 0; r >= 0 && i < count; i++)
            if (tt_rows[matches[i].row].inner == inner)
                r = plan_match(plan, elf, &matches[i]);
    }
    if (r >= 0 && call_count)
        r = tt_calls_plan(plan, elf, calls, call_count);
    tt_match_free(&matches, count);
    return r;
}

int tt_plan_make(int fd, const char *path, tt_plan_fill fill, const void *context, struct tt_plan **result,
                 char **error)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = calloc(1, sizeof(*plan));
    const char *why = "out of memory";
    uint64_t start = tt_now_ns();
    struct tt_elf elf;
    int r;

    *error = NULL;
    if (!plan)
        return -ENOMEM;
    r = tt_elf_open(&elf, fd, false, &why);
    if (r >= 0) {
        r = tt_identify(plan, &elf, path);
        if (r >= 0)
            r = fill(plan, &elf, context);
        if (r >= 0)
            r = tt_source_take(&elf, &plan->source);
        why = r == -EIO ? "cannot be read to its end" : strerror(-r);
        tt_elf_close(&elf);
    }
    if (r < 0) {
        if (r != -ENOENT && asprintf(error, "%s: %s", path, why) < 0)
            *error = NULL;
        return r;
    }
    plan->seconds = (double)(tt_now_ns() - start) / 1e9;
    *result = TAKE_PTR(plan);
    return 0;
}

int tt_plan_file(int fd, const char *path, struct tt_plan **result, char **error)
{
    return tt_plan_make(fd, path, plan_all, NULL, result, error);
}

static bool has_calls(const struct tt_plan *plan, const struct tt_plan_function *function)
{
    for (uint32_t i = 0; i < function->count; i++)
        if (plan->points[function->first + i].is_call)
            return true;
    return false;
}

size_t tt_plan_leave_out_calls(struct tt_plan *plan)
{
    size_t left_out = 0, kept = 0;

    /* Points stand in the order of their functions. */
    for (size_t i = 0; i < plan->function_count; i++) {
        struct tt_plan_function *f = &plan->functions[i];
        struct tt_plan_point *points = plan->points + f->first;

        if (has_calls(plan, f)) {
            left_out++;
            f->count = 0;
            free(f->refused);
            f->refused = strdup("it has points on call instructions, and this host has user shadow stacks");
        }
        f->first = (uint32_t)kept;
        memmove(plan->points + kept, points, f->count * sizeof(*points));
        kept += f->count;
    }
    plan->point_count = kept;
    return left_out;
}

void tt_plan_free(struct tt_plan **plan)
{
    struct tt_plan *p = *plan;

    if (!p)
        return;
    for (size_t i = 0; i < p->function_count; i++) {
        free(p->functions[i].symbol);
        free(p->functions[i].signature);
        free(p->functions[i].refused);
        free(p->functions[i].note);
    }
    for (size_t i = 0; i < p->row_count; i++)
        free(p->rows[i]);
    free(p->rows);
    free(p->functions);
    free(p->points);
    free(p->path);
    free(p->soname);
    free(p->version);
    free(p->source.ranges);
    free(p);
    *plan = NULL;
}
