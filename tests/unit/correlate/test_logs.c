/* SPDX-License-Identifier: GPL-2.0-only */
/* Log messages have the ids of their span as it leaves. */
#include "assemble/events.h"

static void assert_in(const struct tt_log *log, const struct tt_span *span)
{
    assert_true(log->in_span);
    assert_memory_equal(log->trace_id, span->trace_id, 16);
    assert_memory_equal(log->span_id, span->span_id, 8);
    assert_int_equal(log->unix_offset, span->unix_offset);
}

static bool never_native(void *context, uint32_t tgid)
{
    return false;
}

/* Written before its request is joined: held back, and then of the client's trace. */
static void test_joined(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    writes(&e, 21, 0x7000, "early");
    assert_int_equal(e.log_count, 0);
    assert_int_equal(tt_correlator_stats(e.correlator)->pending, 1);
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    assert_int_equal(e.log_count, 1);
    assert_int_equal(tt_correlator_stats(e.correlator)->pending, 0);
    writes(&e, 21, 0x7000, "late");
    assert_int_equal(e.log_count, 2);
    leave(&e, 21, READ_5, 0x8000);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.count, 2);
    assert_in(e.logs[0], span_of(&e, READ_5, 0));
    assert_in(e.logs[1], span_of(&e, READ_5, 0));
    assert_int_equal(e.logs[0]->root_tgid, 10);
    assert_memory_equal(e.logs[0]->trace_id, span_of(&e, READ, 0)->trace_id, 16);
    events_free(&e);
}

/* The client is never seen: the request's span is a root, and the message its. */
static void test_unjoined(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    writes(&e, 21, 0x7000, "alone");
    leave(&e, 21, READ_5, 0x8000);
    tt_correlator_tick(e.correlator, e.now + 3000000000u);
    assert_int_equal(e.log_count, 1);
    assert_in(e.logs[0], span_of(&e, READ_5, 0));
    assert_int_equal(e.logs[0]->root_tgid, 20);
    events_free(&e);
}

static void test_outside(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    writes(&e, 21, 0x7000, "outside");
    assert_int_equal(e.log_count, 1);
    assert_false(e.logs[0]->in_span);
    assert_int_equal(e.logs[0]->root_tgid, 20);
    assert_int_equal(e.logs[0]->unix_offset, test_offset(NULL, e.logs[0]->time));
    events_free(&e);
}

/* A client span that is left to native telemetry: the message is in native's. */
static void test_native(void **state)
{
    const struct tt_correlator_config config = {.native = true, .native_server = never_native};
    uint8_t native_span[8] = {0, 0, 0, 0, 0, 0, 0, 9}, native_trace[16] = {[15] = 5};
    struct events e;
    events_init_correlated(&e, &config);
    enter(&e, 11, READ, 0x8000);
    sends_context(&e, 11, 0x7000, tcp_key(4000, 2, true), w3c(5, 9));
    writes(&e, 11, 0x7000, "native's");
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.count, 0);
    assert_int_equal(e.log_count, 1);
    assert_memory_equal(e.logs[0]->trace_id, native_trace, 16);
    assert_memory_equal(e.logs[0]->span_id, native_span, 8);
    /* Its id has left already: the span must come, too. */
    enter(&e, 11, READ, 0x8000);
    writes(&e, 11, 0x7000, "ours");
    sends_context(&e, 11, 0x7000, tcp_key(4000, 4, true), w3c(5, 10));
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.count, 1);
    assert_in(e.logs[1], e.spans[0]);
    events_free(&e);
}

/* Nothing is lost, or held for ever, when the agent stops. */
static void test_flush(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    for (unsigned i = 0; i < 20; i++)
        writes(&e, 21, 0x7000, "again");
    assert_int_equal(e.log_count, 0);
    tt_assembler_flush(e.assembler, e.now);
    tt_correlator_flush(e.correlator);
    assert_int_equal(e.log_count, 20);
    assert_in(e.logs[19], span_of(&e, READ_5, 0));
    events_free(&e);
}

/* Free with messages that wait: no leak (ASan). */
static void test_held_at_the_end(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    writes(&e, 21, 0x7000, "held");
    assert_int_equal(e.log_count, 0);
    events_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined),  cmocka_unit_test(test_unjoined),
        cmocka_unit_test(test_outside), cmocka_unit_test(test_native),
        cmocka_unit_test(test_flush),   cmocka_unit_test(test_held_at_the_end),
    };

    return cmocka_run_group_tests_name("logs", tests, NULL, NULL);
}
