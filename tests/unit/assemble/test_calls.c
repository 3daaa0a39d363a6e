/* SPDX-License-Identifier: GPL-2.0-only */
/* Asynchronous calls: one span from the function that sends to the end of the worker. */
#include "assemble/events.h"

static struct events e;

enum { CALLER = 11, POOL = 12 };

#define DESCRIPTOR 0x7000
#define NUMBER     41

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

static void number_event(int type, uint32_t tid, uint32_t row, uint64_t frame, int field, uint64_t value)
{
    struct draft *d = draft(&e, type, tid, row, frame, type == TT_EVENT_EXIT ? frame - 64 : frame);
    draft_u64(d, field, value);
    feed(&e, d);
}

static void submits(uint64_t descriptor)
{
    number_event(TT_EVENT_ENTER, CALLER, SUBMIT, 0x8000, TT_FIELD_DESCRIPTOR, descriptor);
}

/* The function that sends, to its end. */
static void sends_off(uint64_t descriptor, uint64_t number)
{
    struct draft *d = draft(&e, TT_EVENT_ENTER, CALLER, ASYNCH, 0x9000, 0x9000);
    draft_string(d, TT_FIELD_DEVICE, 0, "sys/tg_test/1");
    draft_string(d, TT_FIELD_ATTRIBUTE, 0, "ampli");
    feed(&e, d);
    submits(descriptor);
    number_event(TT_EVENT_EXIT, CALLER, ASYNCH, 0x9000, TT_FIELD_ASYNCH_ID, number);
}

static void work_begins(uint64_t descriptor)
{
    number_event(TT_EVENT_ENTER, POOL, WORKER, 0x9000, TT_FIELD_DESCRIPTOR, descriptor);
}

static void work_ends(void)
{
    leave(&e, POOL, WORKER, 0x9000);
}

static void asks(uint64_t number)
{
    number_event(TT_EVENT_ENTER, CALLER, REPLY, 0x9000, TT_FIELD_ASYNCH_ID, number);
}

static void one_span_to_the_end_of_the_worker(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    work_begins(DESCRIPTOR);
    sends(&e, POOL, 0x8000, 4000, 2);
    work_ends();
    uint64_t end = e.now;
    assert_int_equal(e.count, 0);
    asks(NUMBER);
    leave(&e, CALLER, REPLY, 0x9000);
    assert_int_equal(e.count, 2);
    struct tt_span *call = span_of(&e, ASYNCH, 0), *reply = span_of(&e, REPLY, 0);
    assert_int_equal(call->kind, TT_SPAN_CLIENT);
    assert_int_equal(call->end, end);
    assert_int_equal(call->requests, 1);
    assert_true(call->has_key);
    assert_int_equal(call->incomplete, 0);
    assert_int_equal(reply->kind, TT_SPAN_INTERNAL);
    assert_true(reply->linked);
    assert_memory_equal(reply->link_span, call->span_id, 8);
    assert_string_equal(reply->attributes[0], "ampli");
    assert_int_equal(stats(&e)->asynch, 1);
    assert_int_equal(stats(&e)->replies_unlinked, 0);
}

static void caller_may_be_woken_first(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    asks(NUMBER);
    work_begins(DESCRIPTOR);
    sends(&e, POOL, 0x8000, 4000, 2);
    leave(&e, CALLER, REPLY, 0x9000);
    uint64_t end = e.now;
    assert_int_equal(spans_of(&e, ASYNCH), 0);
    work_ends();
    assert_int_equal(span_of(&e, ASYNCH, 0)->end, end);
    assert_int_equal(span_of(&e, ASYNCH, 0)->incomplete, 0);
}

/* Whatever becomes of asking once more. */
static void first_answer_counts(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    asks(NUMBER);
    work_begins(DESCRIPTOR);
    leave(&e, CALLER, REPLY, 0x9000);
    uint64_t end = e.now;
    asks(NUMBER);
    catches(&e, CALLER, 0x9100);
    work_ends();
    assert_false(span_of(&e, ASYNCH, 0)->failed);
    assert_int_equal(span_of(&e, ASYNCH, 0)->end, end);
}

static void refused(const char *repository_id)
{
    struct draft *d = draft(&e, TT_EVENT_ENTER, POOL, REFUSED, 0x8000, 0x8000);
    draft_u64(d, TT_FIELD_DESCRIPTOR, DESCRIPTOR);
    draft_string(d, TT_FIELD_TYPE, 0, repository_id);
    feed(&e, d);
}

/* A callback gets the exception as an argument: only its type is known. */
static void refused_for_good(void **state)
{
    static const struct {
        const char *id, *type;
    } table[] = {{"IDL:Tango/DevFailed:1.0", "N5Tango9DevFailedE"},
                 {"IDL:Tango/MultiDevFailed:1.0", "N5Tango14MultiDevFailedE"},
                 {"IDL:a/b/c:1.0", NULL},
                 {"", NULL},
                 {"IDL:", NULL}};
    for (size_t i = 0; i < TT_ARRAY_SIZE(table); i++) {
        sends_off(DESCRIPTOR, NUMBER + i);
        work_begins(DESCRIPTOR);
        sends(&e, POOL, 0x8000, 4000, 2);
        refused(table[i].id);
        work_ends();
        tt_assembler_flush(e.assembler, e.now);
        assert_true(span_of(&e, ASYNCH, i)->failed);
        if (table[i].type)
            assert_string_equal(span_of(&e, ASYNCH, i)->exception_type, table[i].type);
        else
            assert_null(span_of(&e, ASYNCH, i)->exception_type);
    }
}

static void reply_tells_what_failed(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    work_begins(DESCRIPTOR);
    sends(&e, POOL, 0x8000, 4000, 2);
    refused("IDL:Tango/DevFailed:1.0");
    work_ends();
    asks(NUMBER);
    catches(&e, CALLER, 0x9100);
    struct tt_span *call = span_of(&e, ASYNCH, 0);
    assert_true(call->failed);
    assert_string_equal(call->exception_type, "N5Tango9DevFailedE");
    assert_string_equal(call->errors[0].reason, "API_First");
    assert_int_equal(call->exception_minor, 0);
    assert_true(span_of(&e, REPLY, 0)->failed);
}

static void asks_in_vain(const char *reason)
{
    asks(NUMBER);
    struct draft *d = draft(&e, TT_EVENT_CATCH, CALLER, CATCH, 0x9100, 0x9100);
    struct tt_exception exception = {.exception_class = CXX_CLASS, .errors = 1};
    draft_field(d, TT_FIELD_EXCEPTION, TT_STATUS_OK, 0, 0, &exception, sizeof(exception));
    draft_string(d, TT_FIELD_TYPE, 0, "N5Tango9DevFailedE");
    draft_string(d, TT_FIELD_REASON, 0, reason);
    feed(&e, d);
}

static void asking_too_early_tells_nothing(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    asks_in_vain("API_AsynReplyNotArrived");
    assert_true(span_of(&e, REPLY, 0)->linked);
    asks_in_vain("API_BadAsynReqType"); /* in another way than the call was made */
    work_begins(DESCRIPTOR);
    sends(&e, POOL, 0x8000, 4000, 2);
    work_ends();
    asks(NUMBER);
    leave(&e, CALLER, REPLY, 0x9000);
    assert_true(span_of(&e, REPLY, 2)->linked);
    assert_false(span_of(&e, ASYNCH, 0)->failed);
}

static void second_try_succeeds(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    work_begins(DESCRIPTOR);
    sends(&e, POOL, 0x8000, 4000, 2);
    catches(&e, POOL, 0x8800);
    sends(&e, POOL, 0x8000, 4000, 4);
    work_ends();
    asks(NUMBER);
    leave(&e, CALLER, REPLY, 0x9000);
    assert_false(span_of(&e, ASYNCH, 0)->failed);
    assert_int_equal(span_of(&e, ASYNCH, 0)->requests, 2);
}

static void one_way_ends_with_its_function(void **state)
{
    enter(&e, CALLER, ASYNCH, 0x9000);
    sends(&e, CALLER, 0x8000, 4000, 2);
    leave(&e, CALLER, ASYNCH, 0x9000);
    assert_int_equal(e.count, 1);
    assert_int_equal(span_of(&e, ASYNCH, 0)->requests, 1);
    assert_int_equal(stats(&e)->asynch, 0);
}

static void reply_never_asked_for(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    work_begins(DESCRIPTOR);
    work_ends();
    uint64_t end = e.now;
    tt_assembler_tick(e.assembler, e.now + 9000000000ull);
    assert_int_equal(e.count, 0);
    tt_assembler_tick(e.assembler, e.now + 11000000000ull);
    assert_int_equal(span_of(&e, ASYNCH, 0)->end, end);
    assert_int_equal(span_of(&e, ASYNCH, 0)->incomplete, 0);
    asks(NUMBER);
    leave(&e, CALLER, REPLY, 0x9000);
    assert_false(span_of(&e, REPLY, 0)->linked);
    assert_int_equal(stats(&e)->replies_unlinked, 1);
}

static void worker_never_ends(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    work_begins(DESCRIPTOR);
    sends_off(DESCRIPTOR + 0x100, NUMBER + 1);
    tt_assembler_forget(e.assembler, 20); /* another process */
    assert_int_equal(e.count, 0);
    tt_assembler_forget(e.assembler, 10);
    assert_int_equal(e.count, 2);
    assert_int_equal(span_of(&e, ASYNCH, 0)->incomplete, TT_INCOMPLETE_END);
    assert_int_equal(span_of(&e, ASYNCH, 1)->incomplete, TT_INCOMPLETE_END);
    assert_int_equal(span_of(&e, ASYNCH, 1)->end, e.now); /* when the process was last seen */
    assert_int_equal(stats(&e)->open, 0);
}

/* A call may take long; one that nobody is seen to end is no longer waited for after five minutes. */
static void worker_is_waited_for(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    work_begins(DESCRIPTOR);
    tt_assembler_tick(e.assembler, e.now + 299000000000ull);
    assert_int_equal(e.count, 0);
    tt_assembler_tick(e.assembler, e.now + 301000000000ull);
    assert_int_equal(e.count, 1);
    assert_int_equal(span_of(&e, ASYNCH, 0)->incomplete, TT_INCOMPLETE_END);
    assert_int_equal(stats(&e)->asynch_unknown, 1);
}

static void descriptor_is_used_again(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    sends_off(DESCRIPTOR, NUMBER + 1);
    assert_int_equal(span_of(&e, ASYNCH, 0)->incomplete, TT_INCOMPLETE_END);
    work_begins(DESCRIPTOR);
    sends(&e, POOL, 0x8000, 4000, 2);
    work_ends();
    tt_assembler_flush(e.assembler, e.now);
    assert_int_equal(span_of(&e, ASYNCH, 1)->requests, 1);
    assert_int_equal(stats(&e)->asynch_unknown, 1);
}

/* By a call that no function is known to send: its request is not the old one's. */
static void descriptor_is_used_by_nobody(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    submits(DESCRIPTOR);
    assert_int_equal(span_of(&e, ASYNCH, 0)->incomplete, TT_INCOMPLETE_END);
    work_begins(DESCRIPTOR);
    sends(&e, POOL, 0x8000, 4000, 2);
    work_ends();
    assert_int_equal(stats(&e)->requests_bare, 1);
    assert_int_equal(e.count, 1);
}

static void count_open(void *context, const struct tt_open *open)
{
    ++*(unsigned *)context;
    assert_true(is_row(open->span, ASYNCH));
}

static unsigned open_now(void)
{
    unsigned count = 0;
    tt_assembler_each_open(e.assembler, count_open, &count);
    return count;
}

/* Once, whoever has it; not while it only waits to be asked for. */
static void can_be_seen_while_open(void **state)
{
    enter(&e, CALLER, ASYNCH, 0x9000);
    submits(DESCRIPTOR);
    assert_int_equal(open_now(), 1);
    leave(&e, CALLER, ASYNCH, 0x9000);
    assert_int_equal(open_now(), 1);
    work_begins(DESCRIPTOR);
    assert_int_equal(open_now(), 1);
    work_ends();
    assert_int_equal(open_now(), 0);
    assert_int_equal(e.count, 0);
}

static void unknown_work_is_bare(void **state)
{
    work_begins(DESCRIPTOR);
    sends(&e, POOL, 0x8000, 4000, 2);
    work_ends();
    assert_int_equal(e.count, 0);
    assert_int_equal(stats(&e)->requests_bare, 1);
}

/* A device of the same process: the method is the call's child, on the worker's thread. */
static void collocated(void **state)
{
    sends_off(DESCRIPTOR, NUMBER);
    work_begins(DESCRIPTOR);
    enter(&e, POOL, READ_5, 0x8000);
    leave(&e, POOL, READ_5, 0x8000);
    work_ends();
    tt_assembler_flush(e.assembler, e.now);
    assert_true(span_of(&e, READ_5, 0)->collocated);
    assert_parent(span_of(&e, READ_5, 0), span_of(&e, ASYNCH, 0));
}

/* What the function asks for itself is no part of the call. */
static void queries_before_it_are_calls_of_their_own(void **state)
{
    enter(&e, CALLER, ASYNCH, 0x9000);
    enter(&e, CALLER, COMMAND, 0x8800);
    sends(&e, CALLER, 0x8000, 4000, 2);
    leave(&e, CALLER, COMMAND, 0x8800);
    submits(DESCRIPTOR);
    leave(&e, CALLER, ASYNCH, 0x9000);
    work_begins(DESCRIPTOR);
    work_ends();
    tt_assembler_flush(e.assembler, e.now);
    assert_parent(span_of(&e, COMMAND, 0), span_of(&e, ASYNCH, 0));
    assert_int_equal(span_of(&e, ASYNCH, 0)->requests, 0);
}

static void lost_exits(void **state)
{
    struct draft *d = draft(&e, TT_EVENT_ENTER, CALLER, ASYNCH, 0x9000, 0x9000);
    feed(&e, d);
    submits(DESCRIPTOR);
    lose(&e, CALLER); /* the exit of the function that sends */
    work_begins(DESCRIPTOR);
    sends(&e, POOL, 0x8000, 4000, 2);
    lose(&e, POOL); /* that of the worker */
    enter(&e, CALLER, READ, 0xa000);
    work_begins(DESCRIPTOR + 8);
    leave(&e, CALLER, READ, 0xa000);
    tt_assembler_flush(e.assembler, e.now);
    assert_true(span_of(&e, ASYNCH, 0)->incomplete & TT_INCOMPLETE_END);
    assert_true(span_of(&e, ASYNCH, 0)->incomplete & TT_INCOMPLETE_LOST);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_span_to_the_end_of_the_worker),
        TEST(caller_may_be_woken_first),
        TEST(first_answer_counts),
        TEST(refused_for_good),
        TEST(reply_tells_what_failed),
        TEST(asking_too_early_tells_nothing),
        TEST(second_try_succeeds),
        TEST(one_way_ends_with_its_function),
        TEST(reply_never_asked_for),
        TEST(worker_never_ends),
        TEST(worker_is_waited_for),
        TEST(descriptor_is_used_again),
        TEST(descriptor_is_used_by_nobody),
        TEST(can_be_seen_while_open),
        TEST(unknown_work_is_bare),
        TEST(collocated),
        TEST(queries_before_it_are_calls_of_their_own),
        TEST(lost_exits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
