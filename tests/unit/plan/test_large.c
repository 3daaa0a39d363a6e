/* SPDX-License-Identifier: GPL-2.0-only */
/* A file of more than 50 MB, with 100,000 functions and symbols, is planned in less than a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "assembled.h"
#include "base/cleanup.h"
#include "plan/plan.h"

#define SIZE    (50u << 20)
#define SECONDS 1.0

static struct tt_plan *plan_of(int fd)
{
    _cleanup_free_ char *error = NULL;
    struct tt_plan *plan = NULL;

    if (tt_plan_file(fd, "large", &plan, &error) < 0)
        fail_msg("%s", error ? error : "large");
    return plan;
}

static void large_files_are_planned_quickly(void **state)
{
    _cleanup_close_ int small = assemble("-Wl,-soname,libomniORB4.so.2"),
                        large = assemble_source("large.S", "-Wl,-soname,libomniORB4.so.2");
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_of(large), *alone = plan_of(small);
    uint64_t read = 0;
    struct stat st;

    assert_int_equal(fstat(large, &st), 0);
    for (size_t i = 0; i < plan->source.range_count; i++)
        read += plan->source.ranges[i].size;
    print_message("           %.1f MB planned in %.0f ms, %.1f MB of it read\n",
                  (double)st.st_size / (1 << 20), plan->seconds * 1e3, (double)read / (1 << 20));
    assert_true(st.st_size > SIZE);
    assert_true(plan->seconds < SECONDS);
    assert_int_equal(plan->point_count,
                     alone->point_count); /* none of the others fits, none of ours is lost */
    assert_int_equal(plan->function_count, alone->function_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(large_files_are_planned_quickly)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
