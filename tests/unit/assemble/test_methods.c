/* SPDX-License-Identifier: GPL-2.0-only */
/* Methods that an interpreter calls below requests, and the code that calls client functions. */
#include "assemble/events.h"

static struct events e;

/* What the memory of the process would tell: methods are the user's but for one, callers are "GUI.refresh".
 */
static bool find_method(void *context, struct tt_span *span)
{
    if (span->python.method && !strcmp(span->python.method, "own"))
        return false;
    span->code.name = "Basler.read_Gain";
    span->code.file = "/opt/basler.py";
    return true;
}

static bool find_caller(void *context, struct tt_span *span)
{
    assert_true(span->python.frame_count == 1 && span->python.frames[0].code == 0xc0de);
    span->code.name = "GUI.refresh";
    span->code.file = "/opt/gui.py";
    span->code.line = 7;
    return true;
}

static int setup(void **state)
{
    events_init(&e);
    tt_assembler_set_methods(e.assembler, find_method, NULL);
    tt_assembler_set_callers(e.assembler, find_caller, NULL);
    return 0;
}

static int setup_switching(void **state)
{
    events_init_rows(&e, foreign_row);
    e.switching = true;
    tt_assembler_set_methods(e.assembler, find_method, NULL);
    tt_assembler_set_callers(e.assembler, find_caller, NULL);
    return 0;
}

static int teardown(void **state)
{
    events_free(&e);
    return 0;
}

static void calls_python(const char *method, uint64_t frame)
{
    struct draft *d = draft(&e, TT_EVENT_ENTER, 11, PYTHON, frame, frame);
    draft_string(d, TT_FIELD_PY_METHOD, 0, method);
    draft_u64(d, TT_FIELD_PY_OBJECT, 0x5000);
    draft_field(d, TT_FIELD_PY_CODE_39, TT_STATUS_FAULT, 0, 0, NULL, 0); /* no doubt about the call */
    feed(&e, d);
}

/* `raised`: type of the exception where there is no result, or NULL. */
static void python_ends(uint64_t frame, uint64_t result, const char *raised)
{
    struct draft *d = draft(&e, TT_EVENT_EXIT, 11, PYTHON, frame, frame - 64);
    draft_u64(d, TT_FIELD_PY_RESULT, result);
    if (raised)
        draft_string(d, TT_FIELD_TYPE, 0, raised);
    feed(&e, d);
}

static void python_returns(uint64_t frame, uint64_t result)
{
    python_ends(frame, result, NULL);
}

static void calls_from_python(uint32_t row, uint64_t frame)
{
    struct tt_python_frame from = {.code = 0xc0de, .ip = 4, .name = 1, .line = 5};
    struct draft *d = draft(&e, TT_EVENT_ENTER, 11, row, frame, frame);
    draft_field(d, TT_FIELD_PY_FRAME, TT_STATUS_OK, 0, 0, &from, sizeof(from));
    feed(&e, d);
}

static bool is_child(const struct tt_span *span, const struct tt_span *parent)
{
    return !memcmp(span->parent_id, parent->span_id, sizeof(span->parent_id));
}

/* ---- methods ---------------------------------------------------------------------------------- */

static void methods_lie_below_their_request(void **state)
{
    upcall(&e, 11, 0x9000, 4000, 2);
    enter(&e, 11, READ_5, 0x8000);
    calls_python("always_executed_hook", 0x7000);
    python_returns(0x7000, 1);
    calls_python("__read_Gain_wrapper__", 0x7000);
    enter(&e, 11, READ, 0x6000); /* the device calls another one */
    leave(&e, 11, READ, 0x6000);
    python_returns(0x7000, 0);
    leave(&e, 11, READ_5, 0x8000);
    assert_int_equal(e.count, 4);
    struct tt_span *server = span_of(&e, READ_5, 0), *hook = span_of(&e, PYTHON, 0),
                   *read = span_of(&e, PYTHON, 1);
    assert_true(is_child(hook, server) && is_child(read, server));
    assert_true(is_child(span_of(&e, READ, 0), read));
    assert_int_equal(hook->kind, TT_SPAN_INTERNAL);
    assert_string_equal(read->code.name, "Basler.read_Gain");
    assert_true(!hook->failed && read->failed && !server->failed);
    assert_int_equal(hook->incomplete | read->incomplete | server->incomplete, 0);
    assert_string_equal(read->owner_device, "sys/tg_test/1");
}

static void a_method_that_fails_says_by_what(void **state)
{
    upcall(&e, 11, 0x9000, 4000, 2);
    enter(&e, 11, READ_5, 0x8000);
    calls_python("read_Gain", 0x7000);
    python_ends(0x7000, 0, "ValueError");
    calls_python("read_Gain", 0x7000);
    python_ends(0x7000, 1, "ValueError"); /* what does not fit is not believed */
    leave(&e, 11, READ_5, 0x8000);
    assert_true(span_of(&e, PYTHON, 0)->failed && !span_of(&e, PYTHON, 1)->failed);
    assert_string_equal(span_of(&e, PYTHON, 0)->exception_type, "ValueError");
    assert_null(span_of(&e, PYTHON, 1)->exception_type);
    assert_int_equal(span_of(&e, PYTHON, 0)->incomplete | span_of(&e, PYTHON, 1)->incomplete, 0);
}

/* Some builds of Python have ways out where nobody knows where the result lies: no success is claimed. */
static void a_method_without_result_is_in_doubt(void **state)
{
    upcall(&e, 11, 0x9000, 4000, 2);
    enter(&e, 11, READ_5, 0x8000);
    calls_python("__read_Gain_wrapper__", 0x7000);
    leave(&e, 11, PYTHON, 0x7000);
    leave(&e, 11, READ_5, 0x8000);
    assert_int_equal(span_of(&e, PYTHON, 0)->incomplete, TT_INCOMPLETE_FAULT);
    assert_int_equal(span_of(&e, READ_5, 0)->incomplete, 0);
}

static void what_no_user_wrote_has_no_span(void **state)
{
    upcall(&e, 11, 0x9000, 4000, 2);
    enter(&e, 11, READ_5, 0x8000);
    calls_python("own", 0x7000);
    enter(&e, 11, READ, 0x6000);
    sends(&e, 11, 0x5000, 4001, 4);
    leave(&e, 11, READ, 0x6000);
    python_returns(0x7000, 0);
    leave(&e, 11, READ_5, 0x8000);
    assert_int_equal(e.count, 2);
    assert_true(is_child(span_of(&e, READ, 0), span_of(&e, READ_5, 0)));
    assert_false(span_of(&e, READ_5, 0)->failed);
    assert_int_equal(stats(&e)->open, 0);
}

static void a_method_sends_nothing_itself(void **state)
{
    upcall(&e, 11, 0x9000, 4000, 2);
    enter(&e, 11, READ_5, 0x8000);
    calls_python("read_Gain", 0x7000);
    sends(&e, 11, 0x6000, 4001, 4); /* by a function that is not in the catalogue */
    python_returns(0x7000, 1);
    leave(&e, 11, READ_5, 0x8000);
    assert_int_equal(span_of(&e, PYTHON, 0)->requests, 0);
    assert_int_equal(stats(&e)->requests_bare, 1);
}

static void an_exception_ends_a_method(void **state)
{
    upcall(&e, 11, 0x9000, 4000, 2);
    enter(&e, 11, READ_5, 0x8000);
    enter(&e, 11, METHOD, 0x7000);
    catches(&e, 11, 0x7800);
    leave(&e, 11, READ_5, 0x8000);
    assert_true(span_of(&e, METHOD, 0)->failed && !span_of(&e, READ_5, 0)->failed);
    assert_int_equal(span_of(&e, METHOD, 0)->incomplete, 0);
}

/* Where stacks switch: only C++ code ran since the request, or since the method before. */
static void chained_methods_have_a_proof(void **state)
{
    upcall(&e, 11, 0x9000, 4000, 2);
    enter(&e, 11, READ_5, 0x8000);
    calls_python("always_executed_hook", 0x7000);
    python_returns(0x7000, 1);
    calls_python("read_Gain", 0x7000);
    enter(&e, 11, READ, 0x6000); /* whose call this is, nobody knows */
    leave(&e, 11, READ, 0x6000);
    python_returns(0x7000, 1);
    leave(&e, 11, READ_5, 0x8000);
    struct tt_span *server = span_of(&e, READ_5, 0);
    assert_true(is_child(span_of(&e, PYTHON, 0), server) && is_child(span_of(&e, PYTHON, 1), server));
    assert_true(is_root(span_of(&e, READ, 0)));
    assert_int_equal(span_of(&e, READ, 0)->incomplete, TT_INCOMPLETE_PARENT);
}

static void a_switch_between_breaks_the_chain(void **state)
{
    upcall(&e, 11, 0x9000, 4000, 2);
    enter(&e, 11, READ_5, 0x8000);
    enter(&e, 11, READ, 0x7000);
    leave(&e, 11, READ, 0x7000);
    calls_python("read_Gain", 0x7000);
    python_returns(0x7000, 1);
    leave(&e, 11, READ_5, 0x8000);
    assert_true(is_root(span_of(&e, PYTHON, 0)));
    assert_int_equal(span_of(&e, PYTHON, 0)->incomplete, TT_INCOMPLETE_PARENT);
}

/* ---- callers ---------------------------------------------------------------------------------- */

static void a_root_gets_a_span_of_its_caller(void **state)
{
    calls_from_python(READ_CHAR, 0x8000);
    enter(&e, 11, READ, 0x7f00);
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 11, READ, 0x7f00);
    leave(&e, 11, READ_CHAR, 0x8000);
    assert_int_equal(e.count, 2);
    struct tt_span *call = span_of(&e, READ_CHAR, 0), *caller = e.spans[e.spans[0] == call];
    assert_ptr_equal(caller->row, &tt_caller_row);
    assert_true(is_root(caller) && is_child(call, caller));
    assert_int_equal(caller->kind, TT_SPAN_INTERNAL);
    assert_string_equal(caller->code.name, "GUI.refresh");
    assert_string_equal(call->code.file, "/opt/gui.py");
    assert_int_equal(call->code.line, 7);
    assert_true(caller->start == call->start && caller->end == call->end);
}

static void the_caller_has_the_outcome(void **state)
{
    calls_from_python(COMMAND, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    catches(&e, 11, 0x9000);
    assert_int_equal(e.count, 2);
    assert_true(e.spans[0]->failed && e.spans[1]->failed);
    assert_string_equal(e.spans[0]->errors[0].reason, "API_First");
    assert_string_equal(e.spans[1]->errors[0].reason, "API_First");
}

/* .. also where that is not known. */
static void the_caller_has_the_doubts(void **state)
{
    calls_from_python(COMMAND, 0x8000);
    lose(&e, 11);
    thread_ends(&e, 11);
    assert_int_equal(e.count, 2);
    for (size_t i = 0; i < e.count; i++)
        assert_int_equal(e.spans[i]->incomplete, TT_INCOMPLETE_END | TT_INCOMPLETE_LOST);
}

static void a_call_with_a_parent_needs_none(void **state)
{
    upcall(&e, 11, 0x9000, 4000, 2);
    enter(&e, 11, READ_5, 0x8000);
    calls_from_python(READ, 0x7000);
    leave(&e, 11, READ, 0x7000);
    leave(&e, 11, READ_5, 0x8000);
    assert_int_equal(e.count, 2);
    assert_true(is_child(span_of(&e, READ, 0), span_of(&e, READ_5, 0)));
    assert_string_equal(span_of(&e, READ, 0)->code.name, "GUI.refresh");
}

static void calls_inside_have_the_caller_of_the_outer_one(void **state)
{
    calls_from_python(CONSTRUCT, 0x9000);
    enter(&e, 11, COMMAND, 0x8000);
    leave(&e, 11, COMMAND, 0x8000);
    sends(&e, 11, 0x7000, 4000, 4); /* by the constructor itself */
    leave(&e, 11, CONSTRUCT, 0x9000);
    assert_int_equal(e.count, 3);
    for (size_t i = 0; i < e.count; i++)
        assert_string_equal(e.spans[i]->code.name, "GUI.refresh");
}

/* A root because nothing is proven says so; a caller above it would hide that. */
static void a_doubtful_root_gets_none(void **state)
{
    upcall(&e, 11, 0x9000, 4000, 2);
    enter(&e, 11, READ_5, 0x8000);
    calls_python("read_Gain", 0x7000);
    calls_from_python(READ, 0x6000);
    leave(&e, 11, READ, 0x6000);
    python_returns(0x7000, 1);
    leave(&e, 11, READ_5, 0x8000);
    assert_int_equal(e.count, 3);
    assert_true(is_root(span_of(&e, READ, 0)));
    assert_string_equal(span_of(&e, READ, 0)->code.name, "GUI.refresh");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(methods_lie_below_their_request, setup, teardown),
        cmocka_unit_test_setup_teardown(a_method_that_fails_says_by_what, setup, teardown),
        cmocka_unit_test_setup_teardown(a_method_without_result_is_in_doubt, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_user_wrote_has_no_span, setup, teardown),
        cmocka_unit_test_setup_teardown(a_method_sends_nothing_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(an_exception_ends_a_method, setup, teardown),
        cmocka_unit_test_setup_teardown(chained_methods_have_a_proof, setup_switching, teardown),
        cmocka_unit_test_setup_teardown(a_switch_between_breaks_the_chain, setup_switching, teardown),
        cmocka_unit_test_setup_teardown(a_root_gets_a_span_of_its_caller, setup, teardown),
        cmocka_unit_test_setup_teardown(the_caller_has_the_outcome, setup, teardown),
        cmocka_unit_test_setup_teardown(the_caller_has_the_doubts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_with_a_parent_needs_none, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_inside_have_the_caller_of_the_outer_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_doubtful_root_gets_none, setup_switching, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
