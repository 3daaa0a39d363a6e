/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that begin at a call: where PyTango's extension calls methods in Python (extension.S); and that end
 * at one, or behind: the interpreter's functions that do (interpreter.S). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assembled.h"
#include "base/cleanup.h"
#include "plan/plan.h"

static int plan_extension(const char *options, struct tt_plan **plan)
{
    _cleanup_close_ int fd = assemble_source("extension.S", options);
    _cleanup_free_ char *error = NULL;

    assert_true(fd >= 0);
    return tt_plan_file(fd, "/lib/_tango.so", plan, &error);
}

static void frames_begin_at_the_call(void **state)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    const struct tt_point *enter, *exit;

    assert_int_equal(plan_extension("-DPYTANGO", &plan), 0);
    assert_true(plan->library[TT_LIBRARY_PYTANGO]);
    assert_int_equal(plan->function_count, 7);
    assert_null(plan->functions[0].refused);
    assert_int_equal(plan->functions[0].count, 2);
    assert_int_equal(plan->points[0].bytes[0], 0xe8);
    assert_true(plan->points[0].is_call);
    enter = &plan->points[0].point;
    assert_int_equal(enter->kind, TT_POINT_ENTER);
    assert_int_equal(enter->flags, TT_POINT_CALL);
    assert_int_equal(enter->cfa_reg, TT_REG_RSP);
    assert_int_equal(enter->cfa_off, 16);
    assert_int_equal(enter->capture[0].field, TT_FIELD_PY_CALLABLE);
    assert_int_equal(enter->capture[0].reg, TT_REG_RDI);
    assert_int_equal(enter->capture[0].derefs, 0);
    exit = &plan->points[1].point;
    assert_int_equal(exit->kind, TT_POINT_EXIT);
    assert_int_equal(exit->flags, TT_POINT_CALL);
    assert_int_equal(exit->cfa_off, 16);
}

static void what_is_not_whole_is_left_out(void **state)
{
    static const char *const why[] = {NULL,
                                      "the call is in a loop",
                                      "one of several calls in one function",
                                      "one of several calls in one function",
                                      "no call at 0x",
                                      "jump table at 0x",
                                      "exit at 0x"};
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;

    assert_int_equal(plan_extension("-DPYTANGO", &plan), 0);
    assert_int_equal(plan->function_count, TT_ARRAY_SIZE(why));
    for (size_t i = 1; i < plan->function_count; i++) {
        assert_int_equal(plan->functions[i].count, 0);
        assert_non_null(plan->functions[i].refused);
        assert_int_equal(strncmp(plan->functions[i].refused, why[i], strlen(why[i])), 0);
    }
    assert_int_equal(plan->point_count, 2);
}

static void what_is_inlined_is_known_by_what_it_asks_for(void **state)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    const struct tt_point *enter;

    assert_int_equal(plan_extension("-DPYTANGO -DINLINED", &plan), 0);
    assert_int_equal(plan->function_count,
                     8); /* those of the other tests, and not the one that asks for more */
    assert_null(plan->functions[5].refused);
    assert_string_equal(plan->functions[5].symbol, "PyThreadState_Get");
    assert_int_equal(plan->functions[5].count, 3);
    assert_int_equal(plan->points[plan->functions[5].first].bytes[0], 0xe8);
    enter = &plan->points[plan->functions[5].first].point;
    assert_int_equal(enter->kind, TT_POINT_ENTER);
    assert_int_equal(enter->capture[0].field, TT_FIELD_PY_CALLABLE);
    assert_int_equal(enter->capture[0].reg, TT_REG_RBX);
    assert_int_equal(enter->capture[0].derefs, 0);
}

static void other_extensions_are_left_alone(void **state)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;

    assert_int_equal(plan_extension("", &plan), -ENOENT);
}

static const struct tt_plan_point *exit_of(const struct tt_plan *plan, const char *symbol, uint8_t first_byte)
{
    for (size_t i = 0; i < plan->point_count; i++) {
        const struct tt_plan_point *point = &plan->points[i];

        if (point->point.kind == TT_POINT_EXIT && point->bytes[0] == first_byte &&
            !strcmp(plan->functions[point->function].symbol, symbol))
            return point;
    }
    return NULL;
}

static void methods_end_with_their_result(void **state)
{
    _cleanup_close_ int fd = assemble_source("interpreter.S", "");
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    _cleanup_free_ char *error = NULL;
    const struct tt_plan_point *exit;

    assert_int_equal(tt_plan_file(fd, "/lib/libpython3.9.so.1.0", &plan, &error), 0);
    assert_int_equal(plan->function_count, 2);
    assert_null(plan->functions[0].refused);
    assert_null(plan->functions[1].refused);
    /* what tidies up needs not be waited for: the result lies in the frame */
    exit = exit_of(plan, "PyObject_CallMethod", 0xe8);
    assert_non_null(exit);
    assert_int_equal(exit->point.captures, 1);
    assert_int_equal(exit->point.capture[0].field, TT_FIELD_PY_RESULT);
    assert_int_equal(exit->point.capture[0].reg, TT_REG_RSP);
    assert_int_equal(exit->point.capture[0].derefs, 1);
    assert_int_equal(exit->point.capture[0].off[0], 8);
    /* the method itself is no such call */
    assert_null(exit_of(plan, "PyObject_CallFunction", 0xe8));
    exit = exit_of(plan, "PyObject_CallFunction", 0xc3);
    assert_non_null(exit);
    assert_false(exit->emulated);
    assert_int_equal(exit->point.captures, 1);
    assert_int_equal(exit->point.capture[0].reg, TT_REG_RAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_begin_at_the_call),
        cmocka_unit_test(what_is_not_whole_is_left_out),
        cmocka_unit_test(what_is_inlined_is_known_by_what_it_asks_for),
        cmocka_unit_test(other_extensions_are_left_alone),
        cmocka_unit_test(methods_end_with_their_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
