/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames of threads with one stack: entries, exits, exceptions, requests. */
#include "assemble/events.h"

static struct events e;

static int setup(void **state)
{
    events_init(&e);
    return 0;
}

static int teardown(void **state)
{
    events_free(&e);
    return 0;
}

/* ---- client ----------------------------------------------------------------------------------- */

static void one_call(void **state)
{
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.count, 1);
    struct tt_span *span = e.spans[0];
    assert_int_equal(span->kind, TT_SPAN_CLIENT);
    assert_int_equal(span->tgid, 10);
    assert_int_equal(span->end - span->start, 2000);
    assert_int_equal(span->requests, 1);
    assert_int_equal(span->incomplete, 0);
    assert_true(span->has_key && !span->failed && is_root(span));
    assert_int_equal(span->key.request_id, 2);
    assert_string_equal(span->operation, "read_attributes_5");
    assert_string_equal(span->device, "sys/tg_test/1");
    assert_int_equal(stats(&e)->open, 0);
}

static void overloads_are_one_span(void **state)
{
    enter(&e, 11, READ_CHAR, 0x8000);
    enter(&e, 11, READ, 0x7f00);
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 11, READ, 0x7f00);
    leave(&e, 11, READ_CHAR, 0x8000);
    assert_int_equal(e.count, 1);
    assert_ptr_equal(e.spans[0]->row, &test_rows[READ_CHAR]);
    assert_int_equal(e.spans[0]->requests, 1);
}

static void many_has_a_child_per_call(void **state)
{
    enter(&e, 11, CONSTRUCT, 0x9000);
    enter(&e, 11, CONNECT, 0x8800);
    enter(&e, 11, COMMAND, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 11, COMMAND, 0x8000);
    sends(&e, 11, 0x7000, 4000, 4); /* by connect itself */
    leave(&e, 11, CONNECT, 0x8800);
    enter(&e, 11, READ, 0x8800);
    sends(&e, 11, 0x7000, 4000, 6);
    leave(&e, 11, READ, 0x8800);
    leave(&e, 11, CONSTRUCT, 0x9000);
    struct tt_span *construct = span_of(&e, CONSTRUCT, 0), *connect = span_of(&e, CONNECT, 0);
    assert_int_equal(construct->kind, TT_SPAN_INTERNAL);
    assert_true(is_root(construct));
    assert_parent(connect, construct);
    assert_parent(span_of(&e, COMMAND, 0), connect);
    assert_parent(span_of(&e, READ, 0), construct);
    assert_int_equal(connect->requests, 1);
    assert_int_equal(construct->requests, 0);
    assert_int_equal(span_of(&e, READ, 0)->kind, TT_SPAN_CLIENT);
}

static void connection_call(const char *device)
{
    struct draft *d = draft(&e, TT_EVENT_ENTER, 11, ON_CONNECTION, 0x8000, 0x8000);
    if (device)
        draft_string(d, TT_FIELD_DEVICE, 0, device);
    feed(&e, d);
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 11, ON_CONNECTION, 0x8000);
}

/* Its device is traced by this agent seldom: what a Database asks is known by who asks. */
static void requests_of_the_database(void **state)
{
    enter(&e, 11, DATABASE, 0x9000);
    connection_call(NULL);
    connection_call("sys/access_control/1"); /* it asks others, too */
    leave(&e, 11, DATABASE, 0x9000);
    enter(&e, 11, CONNECT, 0x9000);
    connection_call(NULL);
    leave(&e, 11, CONNECT, 0x9000);
    assert_string_equal(span_of(&e, ON_CONNECTION, 0)->peer_class, "DataBase");
    assert_null(span_of(&e, ON_CONNECTION, 1)->peer_class);
    assert_null(span_of(&e, ON_CONNECTION, 2)->peer_class);
}

static void reconnect_inside_a_call(void **state)
{
    enter(&e, 11, READ, 0x9000);
    enter(&e, 11, CONNECT, 0x8800);
    enter(&e, 11, COMMAND, 0x8000);
    sends(&e, 11, 0x7000, 5000, 2);
    leave(&e, 11, COMMAND, 0x8000);
    leave(&e, 11, CONNECT, 0x8800);
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 11, READ, 0x9000);
    assert_int_equal(e.count, 3);
    assert_parent(span_of(&e, CONNECT, 0), span_of(&e, READ, 0));
    assert_parent(span_of(&e, COMMAND, 0), span_of(&e, CONNECT, 0));
    assert_int_equal(span_of(&e, COMMAND, 0)->kind, TT_SPAN_CLIENT);
    assert_int_equal(span_of(&e, READ, 0)->requests, 1);
    assert_int_equal(span_of(&e, READ, 0)->key.connection.local_port, 4000);
}

static void retries_are_counted(void **state)
{
    enter(&e, 11, READ, 0x9000);
    sends(&e, 11, 0x7000, 4000, 2);
    catches(&e, 11, 0x8000); /* inside the call: closes nothing */
    sends(&e, 11, 0x7000, 4001, 2);
    leave(&e, 11, READ, 0x9000);
    assert_int_equal(e.count, 2);
    struct tt_span *call = span_of(&e, READ, 0), *retry = further_of(&e, READ, 0);
    assert_false(call->failed);
    assert_int_equal(call->requests, 2);
    assert_int_equal(e.requests, 2);
    assert_int_equal(call->key.connection.local_port, 4000);
    assert_int_equal(retry->kind, TT_SPAN_CLIENT);
    assert_parent(retry, call);
    assert_int_equal(retry->retry, 1);
    assert_int_equal(retry->key.connection.local_port, 4001);
    assert_false(retry->failed);
    assert_int_equal(retry->end, call->end);
    assert_string_equal(retry->device, "sys/tg_test/1");
    assert_int_equal(retry->incomplete, TT_INCOMPLETE_START);
}

/* Each try ends with what was caught before the next, the last with the call. */
static void retries_that_fail(void **state)
{
    enter(&e, 11, READ, 0x9000);
    sends(&e, 11, 0x7000, 4000, 2);
    catches(&e, 11, 0x8000);
    sends(&e, 11, 0x7000, 4001, 2);
    catches(&e, 11, 0x8000);
    uint64_t end = e.now;
    sends(&e, 11, 0x7000, 4002, 2);
    catches(&e, 11, 0x9100);
    assert_int_equal(e.count, 3);
    struct tt_span *first = further_of(&e, READ, 0), *last = further_of(&e, READ, 1);
    assert_int_equal(first->end, end);
    assert_true(first->failed);
    assert_string_equal(first->errors[0].reason, "API_First");
    assert_int_equal(last->retry, 2);
    assert_true(last->failed);
    assert_true(span_of(&e, READ, 0)->failed);
}

/* Of a function that sends many: when the reply came is not seen. */
static void requests_without_a_function(void **state)
{
    enter(&e, 11, CONNECT, 0x9000);
    sends(&e, 11, 0x7000, 4000, 2);
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 4);
    leave(&e, 11, CONNECT, 0x9000);
    assert_int_equal(e.count, 4);
    assert_int_equal(span_of(&e, CONNECT, 0)->requests, 2);
    for (size_t i = 0; i < 2; i++) {
        struct tt_span *request = further_of(&e, CONNECT, i);
        assert_int_equal(request->kind, TT_SPAN_CLIENT);
        assert_parent(request, span_of(&e, CONNECT, 0));
        assert_int_equal(request->incomplete, TT_INCOMPLETE_START | TT_INCOMPLETE_END);
        assert_int_equal(request->retry, 0);
    }
}

/* Another function that does the same again has the retry's times. */
static void retry_by_its_own_function(void **state)
{
    enter(&e, 11, READ_CHAR, 0x9000);
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    catches(&e, 11, 0x8100);
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4001, 2);
    leave(&e, 11, READ, 0x8000);
    leave(&e, 11, READ_CHAR, 0x9000);
    assert_int_equal(e.count, 2);
    assert_parent(span_of(&e, READ, 0), span_of(&e, READ_CHAR, 0));
    assert_int_equal(span_of(&e, READ, 0)->retry, 1);
    assert_int_equal(span_of(&e, READ, 0)->incomplete, 0);
}

static void enter_in_loop(uint32_t row, uint64_t frame)
{
    struct draft *d = draft(&e, TT_EVENT_ENTER, 11, row, frame, frame - 64);
    d->header.flags = TT_EVENT_AGAIN;
    feed(&e, d);
}

/* The entry point lies in the loop that tries again: still one call. */
static void a_round_is_no_call(void **state)
{
    for (int i = 0; i < 2; i++) {
        enter_in_loop(READ, 0x9000);
        sends(&e, 11, 0x7000, 4000, 2);
        catches(&e, 11, 0x8000);
        enter_in_loop(READ, 0x9000);
        sends(&e, 11, 0x7000, 4001, 2);
        leave(&e, 11, READ, 0x9000);
    }
    assert_int_equal(e.count, 4);
    struct tt_span *call = span_of(&e, READ, 1);
    assert_int_equal(call->requests, 2);
    assert_false(call->failed);
    assert_int_equal(call->incomplete, 0);
    assert_parent(further_of(&e, READ, 1), call);
}

/* .. but another function at the same address is another call, and so is one after an exception that left. */
static void a_round_is_of_the_same_call(void **state)
{
    enter_in_loop(READ, 0x9000);
    catches(&e, 11, 0x9100);
    enter_in_loop(READ, 0x9000);
    leave(&e, 11, READ, 0x9000);
    enter_in_loop(COMMAND, 0x9000);
    leave(&e, 11, COMMAND, 0x9000);
    assert_int_equal(e.count, 3);
    assert_true(span_of(&e, READ, 0)->failed);
    assert_false(span_of(&e, READ, 1)->failed);
}

static void request_outside_any_call(void **state)
{
    sends(&e, 11, 0x7000, 4000, 2);
    assert_int_equal(stats(&e)->requests_bare, 1);
    assert_int_equal(e.requests, 0);
}

/* ---- exceptions ------------------------------------------------------------------------------- */

static void refused_call(void **state)
{
    enter(&e, 11, READ, 0x8000);
    catches(&e, 11, 0x8000); /* sp at the catch equals the entry of a call without stack arguments */
    assert_int_equal(e.count, 1);
    struct tt_span *span = e.spans[0];
    assert_true(span->failed);
    assert_int_equal(span->requests, 0);
    assert_int_equal(span->incomplete, 0);
    assert_string_equal(span->exception_type, "N5Tango9DevFailedE");
    assert_int_equal(span->error_count, 2);
    assert_int_equal(span->error_total, 2);
    assert_string_equal(span->errors[0].reason, "API_First");
    assert_string_equal(span->errors[0].desc, "thrown first");
    assert_string_equal(span->errors[0].origin, "TangoTest::x");
    assert_int_equal(span->errors[0].severity, 1);
    assert_string_equal(span->errors[1].reason, "API_Second");
    assert_null(span->errors[1].desc);
    assert_int_equal(stats(&e)->exceptions, 1);
}

static void caught_and_rethrown(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, COMMAND_4, 0x9000);
    catches(&e, 21, 0x8800); /* inside */
    enter(&e, 21, READ, 0x8000);
    catches(&e, 21, 0x8100); /* the inner call failed, its caller handles it */
    catches(&e, 21, 0x8800);
    assert_int_equal(e.count, 1);
    assert_true(e.spans[0]->failed);
    catches(&e, 21, 0x9800); /* rethrown: the method failed */
    assert_int_equal(e.count, 2);
    assert_true(span_of(&e, COMMAND_4, 0)->failed);
    assert_parent(span_of(&e, READ, 0), span_of(&e, COMMAND_4, 0));
}

static void handled_inside_is_success(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, READ_5, 0x9000);
    enter(&e, 21, READ, 0x8000);
    catches(&e, 21, 0x8100);
    leave(&e, 21, READ_5, 0x9000);
    assert_true(span_of(&e, READ, 0)->failed);
    assert_false(span_of(&e, READ_5, 0)->failed);
    assert_int_equal(span_of(&e, READ_5, 0)->error_count, 0);
}

static void foreign_exception_has_no_type(void **state)
{
    enter(&e, 11, READ, 0x8000);
    catch_class(&e, 11, 0x8000, 0x474e5543464f5200ull); /* pthread_cancel's forced unwind */
    assert_true(e.spans[0]->failed);
    assert_null(e.spans[0]->exception_type);
    assert_int_equal(e.spans[0]->error_count, 0);
}

static void rethrown_by_copy_is_cxx(void **state)
{
    enter(&e, 11, READ, 0x8000);
    catch_class(&e, 11, 0x8000, CXX_CLASS | 1);
    assert_string_equal(e.spans[0]->exception_type, "N5Tango9DevFailedE");
}

/* ---- server ----------------------------------------------------------------------------------- */

static void method_of_a_request(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, READ_5, 0x9000);
    leave(&e, 21, READ_5, 0x9000);
    assert_int_equal(e.count, 1);
    assert_int_equal(e.spans[0]->kind, TT_SPAN_SERVER);
    assert_int_equal(e.spans[0]->trigger, TT_TRIGGER_CLIENT);
    assert_true(e.spans[0]->has_key && is_root(e.spans[0]));
    assert_string_equal(e.spans[0]->operation, "read_attributes_5");
    assert_string_equal(e.spans[0]->class_name, "TangoTest");
    upcall(&e, 21, 0xa000, 4000, 4);
    assert_int_equal(stats(&e)->upcalls_bare, 0);
}

static void methods_inside_a_method(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, WRITE_READ_5, 0x9000);
    enter(&e, 21, READ_5, 0x8000);
    leave(&e, 21, READ_5, 0x8000);
    leave(&e, 21, WRITE_READ_5, 0x9000);
    assert_int_equal(e.count, 1);
    assert_ptr_equal(e.spans[0]->row, &test_rows[WRITE_READ_5]);
}

static void tail_call_pair(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, COMMAND_4, 0x9000);
    enter(&e, 21, COMMAND_2, 0x9000);
    enter(&e, 21, READ, 0x8000); /* the user's method calls another device */
    leave(&e, 21, READ, 0x8000);
    leave(&e, 21, COMMAND_2, 0x9000);
    assert_int_equal(e.count, 2);
    struct tt_span *method = span_of(&e, COMMAND_4, 0);
    assert_int_equal(method->incomplete, 0);
    assert_int_equal(method->end, e.now);
    assert_parent(span_of(&e, READ, 0), method);
    /* and failing */
    upcall(&e, 21, 0xa000, 4000, 4);
    enter(&e, 21, COMMAND_4, 0x9000);
    enter(&e, 21, COMMAND_2, 0x9000);
    catches(&e, 21, 0x9500);
    assert_true(span_of(&e, COMMAND_4, 1)->failed);
    assert_int_equal(e.count, 3);
    assert_int_equal(stats(&e)->open, 0);
}

static void bare_upcalls_are_counted(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    upcall(&e, 21, 0xa000, 4000, 4);
    enter(&e, 21, READ_5, 0xb000); /* outside of the upcall: polling */
    leave(&e, 21, READ_5, 0xb000);
    assert_int_equal(stats(&e)->upcalls, 2);
    assert_int_equal(stats(&e)->upcalls_bare, 2);
    assert_int_equal(spans_of(&e, UPCALL), 2);
    assert_int_equal(span_of(&e, UPCALL, 0)->kind, TT_SPAN_SERVER);
    assert_int_equal(span_of(&e, UPCALL, 0)->incomplete, TT_INCOMPLETE_END);
    assert_string_equal(span_of(&e, UPCALL, 0)->operation, "read_attributes_5");
    assert_string_equal(tt_assembler_bare(e.assembler, 0)->operation, "read_attributes_5");
    assert_int_equal(tt_assembler_bare(e.assembler, 0)->count, 2);
    assert_null(tt_assembler_bare(e.assembler, 1));
    assert_int_equal(span_of(&e, READ_5, 0)->kind, TT_SPAN_INTERNAL);
    assert_false(span_of(&e, READ_5, 0)->has_key);
    assert_int_equal(span_of(&e, READ_5, 0)->trigger,
                     TT_TRIGGER_UNKNOWN); /* a thread that serves polls not */
    upcall(&e, 22, 0xa000, 4000, 6);
    upcall(&e, 22, 0x9000, 4000, 8); /* below the one before, which is over all the same */
    assert_int_equal(stats(&e)->upcalls_bare, 3);
}

/* Also if nothing more is seen of its thread. */
static void bare_upcall_is_not_waited_for(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    tt_assembler_tick(e.assembler, e.now + 900000000);
    assert_int_equal(stats(&e)->upcalls_bare, 0);
    tt_assembler_tick(e.assembler, e.now + 1100000000);
    assert_int_equal(stats(&e)->upcalls_bare, 1);
    assert_int_equal(e.count, 1);
    assert_int_equal(span_of(&e, UPCALL, 0)->incomplete, TT_INCOMPLETE_END);
    tt_assembler_tick(e.assembler, e.now + 5000000000);
    assert_int_equal(e.count, 1);
}

/* What is beyond the table is counted together. */
static void bare_operations_are_bounded(void **state)
{
    struct tt_key key = tcp_key(4000, 2, false);
    char operation[16];
    for (unsigned i = 0; i < 300; i++) {
        struct draft *d = draft(&e, TT_EVENT_UPCALL, 21, UPCALL, 0xa000, 0xa000);
        draft_field(d, TT_FIELD_KEY, TT_STATUS_OK, 0, 0, &key, sizeof(key));
        snprintf(operation, sizeof(operation), "operation_%u", i);
        draft_string(d, TT_FIELD_OPERATION, 0, operation);
        feed(&e, d);
    }
    tt_assembler_flush(e.assembler, e.now);
    assert_int_equal(stats(&e)->upcalls_bare, 300);
    assert_string_equal(tt_assembler_bare(e.assembler, 255)->operation, "operation_255");
    assert_int_equal(tt_assembler_bare(e.assembler, 255)->count, 1);
    assert_string_equal(tt_assembler_bare(e.assembler, 256)->operation, "(others)");
    assert_int_equal(tt_assembler_bare(e.assembler, 256)->count, 44);
    assert_null(tt_assembler_bare(e.assembler, 257));
}

static void old_key_is_never_taken(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, READ_5, 0x9000);
    leave(&e, 21, READ_5, 0x9000);
    enter(&e, 21, READ_5, 0x9000); /* without a further upcall */
    leave(&e, 21, READ_5, 0x9000);
    assert_int_equal(e.spans[0]->kind, TT_SPAN_SERVER);
    assert_int_equal(e.spans[1]->kind, TT_SPAN_INTERNAL);
    assert_false(e.spans[1]->has_key);
}

static void polling_thread(void **state)
{
    enter(&e, 22, READ_5, 0x9000);
    enter(&e, 22, READ, 0x8000);
    leave(&e, 22, READ, 0x8000);
    leave(&e, 22, READ_5, 0x9000);
    struct tt_span *method = span_of(&e, READ_5, 0);
    assert_int_equal(method->kind, TT_SPAN_INTERNAL);
    assert_int_equal(method->trigger, TT_TRIGGER_POLLING);
    assert_parent(span_of(&e, READ, 0), method);
}

static void collocated_call(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, COMMAND_4, 0x9000);
    enter(&e, 21, READ, 0x8000);
    enter(&e, 21, READ_5, 0x7000);
    sends(&e, 21, 0x6000, 4000, 9); /* by something not catalogued inside the method: not the outer call's */
    leave(&e, 21, READ_5, 0x7000);
    leave(&e, 21, READ, 0x8000);
    leave(&e, 21, COMMAND_4, 0x9000);
    struct tt_span *inner = span_of(&e, READ_5, 0);
    assert_int_equal(inner->kind, TT_SPAN_SERVER);
    assert_true(inner->collocated && !inner->has_key);
    assert_parent(inner, span_of(&e, READ, 0));
    assert_parent(span_of(&e, READ, 0), span_of(&e, COMMAND_4, 0));
    assert_int_equal(stats(&e)->requests_bare, 1);
    assert_int_equal(span_of(&e, READ, 0)->requests, 0);
}

static void collocated_call_under_a_bare_upcall(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2); /* of a method that is not catalogued */
    enter(&e, 21, READ, 0x8000);
    enter(&e, 21, READ_5, 0x7000);
    leave(&e, 21, READ_5, 0x7000);
    leave(&e, 21, READ, 0x8000);
    assert_true(span_of(&e, READ_5, 0)->collocated);
    assert_false(span_of(&e, READ_5, 0)->has_key);
}

static void unreadable_key(void **state)
{
    struct draft *d = draft(&e, TT_EVENT_UPCALL, 21, UPCALL, 0xa000, 0xa000);
    draft_field(d, TT_FIELD_KEY, TT_STATUS_FAULT, 0, 0, NULL, 0);
    feed(&e, d);
    enter(&e, 21, READ_5, 0x9000);
    leave(&e, 21, READ_5, 0x9000);
    assert_int_equal(e.spans[0]->kind, TT_SPAN_SERVER);
    assert_false(e.spans[0]->has_key);
    assert_int_equal(e.spans[0]->incomplete, TT_INCOMPLETE_FAULT);
}

static void unreadable_key_of_a_request_sent(void **state)
{
    enter(&e, 11, READ, 0x8000);
    struct draft *d = draft(&e, TT_EVENT_REQUEST, 11, SEND, 0x7000, 0x7000);
    draft_field(d, TT_FIELD_KEY, TT_STATUS_FAULT, 0, 0, NULL, 0);
    feed(&e, d);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.spans[0]->requests, 1);
    assert_int_equal(e.requests, 0);
    assert_false(e.spans[0]->has_key);
    assert_int_equal(e.spans[0]->incomplete, TT_INCOMPLETE_FAULT);
}

/* ---- exits that are missing, or too many ------------------------------------------------------- */

static void missed_exit_is_no_success(void **state)
{
    enter(&e, 11, READ, 0x8000); /* leaves unseen */
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.count, 2);
    assert_int_equal(e.spans[0]->incomplete, TT_INCOMPLETE_END);
    assert_int_equal(e.spans[1]->incomplete, 0);
    assert_true(is_root(e.spans[1]));
    assert_int_equal(stats(&e)->buried, 1);
}

static void another_call_from_the_same_place_shares_nothing(void **state)
{
    enter(&e, 11, READ, 0x8000); /* leaves unseen */
    enter(&e, 11, COMMAND, 0x8000);
    leave(&e, 11, COMMAND, 0x8000);
    assert_int_equal(span_of(&e, READ, 0)->incomplete, TT_INCOMPLETE_END);
    assert_true(is_root(span_of(&e, COMMAND, 0)));
}

static void suspended_then_buried_by_time(void **state)
{
    enter(&e, 11, READ, 0x8000);
    uint64_t seen = e.now;
    enter(&e, 11, COMMAND, 0x9000); /* the stack is above: READ is suspended */
    leave(&e, 11, COMMAND, 0x9000);
    assert_int_equal(stats(&e)->suspended, 1);
    assert_true(is_root(span_of(&e, COMMAND, 0)));
    assert_int_equal(e.count, 1);
    tt_assembler_tick(e.assembler, e.now + 59000000000ull);
    assert_int_equal(e.count, 1);
    tt_assembler_tick(e.assembler, e.now + 61000000000ull);
    struct tt_span *span = span_of(&e, READ, 0);
    assert_int_equal(span->incomplete, TT_INCOMPLETE_END);
    assert_false(span->failed);
    assert_int_equal(span->end, seen + 1000); /* when it was known to be off the stack */
}

static void deeper_frame_without_exit(void **state)
{
    enter(&e, 11, CONSTRUCT, 0x9000);
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, CONSTRUCT, 0x9000);
    assert_int_equal(span_of(&e, CONSTRUCT, 0)->incomplete, 0);
    thread_ends(&e, 11);
    assert_int_equal(span_of(&e, READ, 0)->incomplete, TT_INCOMPLETE_END);
    assert_parent(span_of(&e, READ, 0), span_of(&e, CONSTRUCT, 0));
}

static void revived_by_its_own_exit(void **state)
{
    enter(&e, 11, READ, 0x8000);
    enter(&e, 11, COMMAND, 0x9000);
    leave(&e, 11, COMMAND, 0x9000);
    enter(&e, 11, CONSTRUCT, 0x7000); /* deeper than the suspended one: no child of it, and says so */
    leave(&e, 11, CONSTRUCT, 0x7000);
    leave(&e, 11, READ, 0x8000);
    struct tt_span *span = span_of(&e, READ, 0);
    assert_int_equal(span->incomplete, 0);
    assert_int_equal(span->end, e.now);
    assert_int_equal(stats(&e)->revived, 1);
    assert_true(is_root(span_of(&e, CONSTRUCT, 0)));
    assert_int_equal(span_of(&e, CONSTRUCT, 0)->incomplete, TT_INCOMPLETE_PARENT);
    /* From now on the thread is known to switch stacks. */
    enter(&e, 11, CONSTRUCT, 0x9000);
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, READ, 0x8000);
    assert_true(is_root(span_of(&e, READ, 1)));
    assert_int_equal(span_of(&e, READ, 1)->incomplete, TT_INCOMPLETE_PARENT);
}

static void shared_tail_is_no_exit(void **state)
{
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, COMMAND, 0x7fc0); /* a point of another function in code both share */
    leave(&e, 11, READ, 0x8000);
    leave(&e, 11, READ, 0x8000); /* the second point of the same exit */
    assert_int_equal(e.count, 1);
    assert_int_equal(e.spans[0]->incomplete, 0);
    assert_int_equal(stats(&e)->mismatched_exits, 2);
    assert_int_equal(stats(&e)->orphan_exits + stats(&e)->early_exits, 0);
    assert_int_equal(stats(&e)->suspended, 0);
}

static void exit_at_a_tail_jump(void **state)
{
    enter(&e, 11, CONSTRUCT, 0x9000);
    enter(&e, 11, READ, 0x8000);
    feed(&e, draft(&e, TT_EVENT_EXIT, 11, READ, 0x8000, 0x8000)); /* the frame is already torn down */
    assert_int_equal(e.spans[0]->incomplete, 0);
    assert_int_equal(stats(&e)->suspended, 0);
}

static void attach_in_mid_call(void **state)
{
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, READ, 0x8000);
    leave(&e, 11, CONSTRUCT, 0x9000); /* was entered before */
    assert_int_equal(stats(&e)->early_exits, 1);
    leave(&e, 11, COMMAND, 0x7000);
    assert_int_equal(stats(&e)->orphan_exits, 1);
    assert_int_equal(e.count, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_call),
        TEST(overloads_are_one_span),
        TEST(many_has_a_child_per_call),
        TEST(requests_of_the_database),
        TEST(reconnect_inside_a_call),
        TEST(retries_that_fail),
        TEST(requests_without_a_function),
        TEST(retry_by_its_own_function),
        TEST(retries_are_counted),
        TEST(a_round_is_no_call),
        TEST(a_round_is_of_the_same_call),
        TEST(request_outside_any_call),
        TEST(refused_call),
        TEST(caught_and_rethrown),
        TEST(handled_inside_is_success),
        TEST(foreign_exception_has_no_type),
        TEST(rethrown_by_copy_is_cxx),
        TEST(method_of_a_request),
        TEST(methods_inside_a_method),
        TEST(tail_call_pair),
        TEST(bare_upcalls_are_counted),
        TEST(bare_upcall_is_not_waited_for),
        TEST(bare_operations_are_bounded),
        TEST(old_key_is_never_taken),
        TEST(polling_thread),
        TEST(collocated_call),
        TEST(collocated_call_under_a_bare_upcall),
        TEST(unreadable_key),
        TEST(unreadable_key_of_a_request_sent),
        TEST(missed_exit_is_no_success),
        TEST(another_call_from_the_same_place_shares_nothing),
        TEST(suspended_then_buried_by_time),
        TEST(deeper_frame_without_exit),
        TEST(revived_by_its_own_exit),
        TEST(shared_tail_is_no_exit),
        TEST(exit_at_a_tail_jump),
        TEST(attach_in_mid_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
