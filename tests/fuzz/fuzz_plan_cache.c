/* SPDX-License-Identifier: GPL-2.0-only */
/* Arbitrary bytes as the content of a cached plan: refused, or a plan that can be used and is written as it
 * was understood. A plan on disk is of one build of the agent, so the seeds are made here, of the libraries
 * that this program itself is bound to. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "plan/cache.h"
#include "seed.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
char *__cxa_demangle(const char *mangled, char *buffer, size_t *size, int *status);

/* The plan of that library, if it is there. */
static void write_plan(const char *library)
{
    _cleanup_close_ int fd = open(library, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *error = NULL;
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    _cleanup_(tt_text_free) struct tt_text text = {0};

    if (fd < 0)
        return;
    if (tt_plan_file(fd, library, &plan, &error))
        abort();
    tt_plan_encode(plan, &text);
    write_seed(plan->soname, &text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    Dl_info libstdcxx;

    if (!getenv("TT_SEEDS"))
        return 0;
    if (!dladdr((void *)__cxa_demangle, &libstdcxx))
        abort();
    write_plan(libstdcxx.dli_fname);
    write_plan("/usr/lib/x86_64-linux-gnu/libomniORB4.so.2");
    return 0;
}

static void check(const struct tt_plan *plan)
{
    for (size_t i = 0; i < plan->point_count; i++) {
        const struct tt_plan_point *p = &plan->points[i];

        if (!p->length || p->length > sizeof(p->bytes) || p->function >= plan->function_count ||
            p->point.function >= tt_row_count || p->point.captures > TT_MAX_CAPTURES ||
            p->point.cfa_reg > TT_REG_R15)
            abort();
    }
    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_plan_function *f = &plan->functions[i];

        if (f->first > plan->point_count || f->count > plan->point_count - f->first ||
            f->row >= tt_row_count || !f->symbol || !f->signature)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL, *again = NULL;
    _cleanup_(tt_text_free) struct tt_text first = {0}, second = {0};
    _cleanup_(tt_json_free) struct tt_json json = {0};

    if (tt_plan_decode(data, size, &plan))
        return 0;
    check(plan);
    tt_plan_encode(plan, &first);
    if (tt_plan_decode(first.data, first.size, &again))
        abort();
    tt_plan_encode(again, &second);
    if (first.size != second.size || memcmp(first.data, second.data, first.size) != 0)
        abort();
    plan->path = strdup("x");
    if (plan->path)
        tt_plan_to_json(plan, &json);
    return 0;
}
