/* SPDX-License-Identifier: GPL-2.0-only */
/* ELF files as the planner reads them: any bytes give a plan or an error, never a crash, and no point
 * outside. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_point(const struct tt_plan *plan, size_t i, const uint8_t *data, size_t size)
{
    const struct tt_plan_point *point = &plan->points[i];

    if (!point->length || point->length > sizeof(point->bytes) || point->offset > size ||
        point->length > size - point->offset || memcmp(data + point->offset, point->bytes, point->length))
        abort();
    if (point->function >= plan->function_count || point->point.function >= tt_row_count ||
        point->point.captures > TT_MAX_CAPTURES || point->point.cfa_reg > TT_REG_R15)
        abort();
    for (size_t j = 0; j < i; j++) {
        if (plan->points[j].offset == point->offset)
            abort();
    }
}

static void check_plan(const struct tt_plan *plan, const uint8_t *data, size_t size)
{
    _cleanup_(tt_json_free) struct tt_json json = {0};

    for (size_t i = 0; i < plan->point_count; i++)
        check_point(plan, i, data, size);
    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_plan_function *function = &plan->functions[i];

        if (function->first > plan->point_count || function->count > plan->point_count - function->first)
            abort();
        if (!function->count && !function->refused)
            abort();
    }
    tt_plan_to_json(plan, &json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    _cleanup_close_ int fd = memfd_create("elf", MFD_CLOEXEC);
    _cleanup_free_ char *error = NULL;
    bool holds[TT_HOLDS];
    int r;

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        return 0;
    tt_plan_probe(NULL, fd, "", holds);
    r = tt_plan_file(fd, "fuzz", &plan, &error);
    if (r == 0)
        check_plan(plan, data, size);
    else if (r != -ENOENT && !error)
        abort();
    return 0;
}
