/* SPDX-License-Identifier: GPL-2.0-only */
/* Events from the one that sends them to all that receive them, and the parts of a server's start. */
#include "assemble/events.h"

#define TOPIC_A "tango://h:1/a/b/c/x.change"
#define TOPIC_B "tango://h:1/a/b/c/y.change"

static const struct tt_correlator_stats *counts(const struct events *e)
{
    return tt_correlator_stats(e->correlator);
}

static void gets(struct events *e, uint32_t tid, const char *topic, uint32_t number)
{
    receives(e, tid, 0x9000, topic, number);
    leave(e, tid, RECEIVE, 0x9000);
}

/* Below the one sent, in its trace, whatever processes they are of. */
static void test_fan_out(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    enter(&e, 21, POLL, 0x9000);
    pushes(&e, 21, 0x8000, TOPIC_A, 1);
    pushes(&e, 21, 0x8000, TOPIC_B, 1);
    leave(&e, 21, POLL, 0x9000);
    gets(&e, 31, TOPIC_A, 1);
    gets(&e, 41, TOPIC_A, 1);
    gets(&e, 31, TOPIC_B, 1);
    for (size_t i = 0; i < 3; i++) {
        const struct tt_span *got = span_of(&e, RECEIVE, i), *sent = span_of(&e, PUSH, i == 2);
        assert_parent(got, sent);
        assert_memory_equal(got->trace_id, sent->trace_id, 16);
        assert_int_equal(got->proof, TT_PROOF_EVENT);
        assert_true(got->parent_remote);
        assert_true(got->pushed && got->pushed < got->start);
        assert_int_equal(got->depth, sent->depth + 1);
        assert_int_equal(got->events_lost, 0);
    }
    assert_int_equal(counts(&e)->events_joined, 3);
    events_free(&e);
}

/* Sent inside a request whose client is not known yet: held back with it. */
static void test_waits_for_the_request(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    upcall(&e, 21, 0x9800, 4000, 2);
    enter(&e, 21, COMMAND_2, 0x9000);
    pushes(&e, 21, 0x8000, TOPIC_A, 9);
    gets(&e, 31, TOPIC_A, 9);
    assert_int_equal(e.count, 0);
    enter(&e, 11, COMMAND, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 21, COMMAND_2, 0x9000);
    leave(&e, 11, COMMAND, 0x8000);
    assert_int_equal(e.count, 4);
    assert_memory_equal(span_of(&e, RECEIVE, 0)->trace_id, span_of(&e, COMMAND, 0)->trace_id, 16);
    assert_parent(span_of(&e, RECEIVE, 0), span_of(&e, PUSH, 0));
    events_free(&e);
}

static void test_unknown(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    pushes(&e, 21, 0x8000, TOPIC_A, 1);
    gets(&e, 31, TOPIC_A, 2);
    gets(&e, 31, TOPIC_B, 1);
    assert_true(is_root(span_of(&e, RECEIVE, 0)));
    assert_true(is_root(span_of(&e, RECEIVE, 1)));
    assert_int_equal(span_of(&e, RECEIVE, 0)->root_trigger, TT_TRIGGER_EVENT);
    /* One that a device sends by itself sets off the rest; nothing is known to have set off it. */
    assert_int_equal(span_of(&e, PUSH, 0)->root_trigger, TT_TRIGGER_EVENT);
    assert_int_equal(span_of(&e, PUSH, 0)->trigger, TT_TRIGGER_UNKNOWN);
    assert_int_equal(counts(&e)->events_unmatched, 2);
    pushes(&e, 21, 0x8000, TOPIC_A, 2);
    e.now -= 1000000; /* received before it was sent: another one of that number */
    gets(&e, 31, TOPIC_A, 2);
    assert_true(is_root(span_of(&e, RECEIVE, 2)));
    assert_int_equal(counts(&e)->events_unmatched, 3);
    events_free(&e);
}

/* A server that was started anew counts from the beginning: which of the two it is nobody can tell. */
static void test_ambiguous(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    pushes(&e, 21, 0x8000, TOPIC_A, 1);
    pushes(&e, 51, 0x8000, TOPIC_A, 1);
    gets(&e, 31, TOPIC_A, 1);
    assert_true(is_root(span_of(&e, RECEIVE, 0)));
    assert_int_equal(counts(&e)->events_ambiguous, 1);
    events_free(&e);
}

/* Who has received events of the topic, when one is sent. */
static void test_subscribers(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    for (uint32_t number = 1; number <= 4; number++) {
        pushes(&e, 21, 0x8000, TOPIC_A, number);
        gets(&e, 31, TOPIC_A, number);
        gets(&e, 31, TOPIC_B, number);
        if (number >= 2)
            gets(&e, 41, TOPIC_A, number);
        if (number == 3)
            tt_correlator_forget(e.correlator, 30);
    }
    assert_int_equal(span_of(&e, PUSH, 0)->subscribers, 0);
    assert_int_equal(span_of(&e, PUSH, 1)->subscribers, 1);
    assert_int_equal(span_of(&e, PUSH, 2)->subscribers, 2);
    assert_int_equal(span_of(&e, PUSH, 3)->subscribers, 1);
    events_free(&e);
}

/* Numbers that are missing, by process and topic. */
static void test_lost(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    gets(&e, 31, TOPIC_A, 100); /* nothing is known of those before */
    gets(&e, 41, TOPIC_A, 103); /* of another process */
    gets(&e, 31, TOPIC_B, 7);
    gets(&e, 31, TOPIC_A, 104);
    gets(&e, 31, TOPIC_A, 105);
    gets(&e, 31, TOPIC_A, 105); /* sent twice */
    gets(&e, 31, TOPIC_A, 2);   /* started anew */
    gets(&e, 31, TOPIC_A, 4);
    assert_int_equal(span_of(&e, RECEIVE, 0)->events_lost, 0);
    assert_int_equal(span_of(&e, RECEIVE, 1)->events_lost, 0);
    assert_int_equal(span_of(&e, RECEIVE, 2)->events_lost, 0);
    assert_int_equal(span_of(&e, RECEIVE, 3)->events_lost, 3);
    assert_int_equal(span_of(&e, RECEIVE, 4)->events_lost, 0);
    assert_int_equal(span_of(&e, RECEIVE, 5)->events_lost, 0);
    assert_true(span_of(&e, RECEIVE, 5)->event_again);
    assert_false(span_of(&e, RECEIVE, 4)->event_again);
    assert_int_equal(span_of(&e, RECEIVE, 6)->events_lost, 0);
    assert_int_equal(span_of(&e, RECEIVE, 7)->events_lost, 1);
    assert_int_equal(counts(&e)->events_lost, 4);
    events_free(&e);
}

/* What we did not see is no loss of theirs. */
static void test_not_lost(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    gets(&e, 31, TOPIC_A, 1);
    lose(&e, 31);
    gets(&e, 31, TOPIC_A, 5);
    enter(&e, 32, SUBSCRIBE, 0x8000);
    leave(&e, 32, SUBSCRIBE, 0x8000);
    gets(&e, 31, TOPIC_A, 10);
    tt_correlator_forget(e.correlator, 30);
    gets(&e, 31, TOPIC_A, 20);
    e.start[31]++; /* another process of that id */
    e.sequence[31] = 0;
    gets(&e, 31, TOPIC_A, 30);
    assert_int_equal(counts(&e)->events_lost, 0);
    gets(&e, 31, TOPIC_A, 32);
    assert_int_equal(counts(&e)->events_lost, 1);
    e.start[31]++;
    e.sequence[31] = 0;
    gets(&e, 31, TOPIC_A, 32); /* nor is it the same event once more */
    assert_false(span_of(&e, RECEIVE, 6)->event_again);
    events_free(&e);
}

/* Beyond the caps of its trace it is a root with a link. */
static void test_caps(void **state)
{
    const struct tt_correlator_config config = {.max_spans = 3};
    struct events e;
    events_init_correlated(&e, &config);
    pushes(&e, 21, 0x8000, TOPIC_A, 1);
    gets(&e, 31, TOPIC_A, 1);
    gets(&e, 41, TOPIC_A, 1);
    gets(&e, 51, TOPIC_A, 1);
    const struct tt_span *last = span_of(&e, RECEIVE, 2), *sent = span_of(&e, PUSH, 0);
    assert_parent(span_of(&e, RECEIVE, 1), sent);
    assert_true(is_root(last));
    assert_true(last->split);
    assert_memory_equal(last->split_span, sent->span_id, 8);
    assert_memory_equal(last->split_trace, sent->trace_id, 16);
    events_free(&e);
}

static void start(struct events *e, uint32_t tid, uint32_t row)
{
    enter(e, tid, row, 0x9000);
    leave(e, tid, row, 0x9000);
}

static void test_start(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    start(&e, 21, START);
    start(&e, 21, START_SERVER);
    start(&e, 31, START_SERVER); /* its beginning was not seen */
    e.start[21]++;               /* another process of that id */
    e.sequence[21] = 0;
    start(&e, 21, START_SERVER);
    start(&e, 21, START);
    const struct tt_span *first = span_of(&e, START, 0), *second = span_of(&e, START_SERVER, 0);
    assert_true(is_root(first));
    assert_parent(second, first);
    assert_int_equal(second->proof, TT_PROOF_PROCESS);
    assert_memory_equal(second->trace_id, first->trace_id, 16);
    assert_true(is_root(span_of(&e, START_SERVER, 1)));
    assert_true(is_root(span_of(&e, START_SERVER, 2)));
    assert_true(is_root(span_of(&e, START, 1)));
    start(&e, 21, START);
    tt_correlator_forget(e.correlator, 20); /* another program, or one that was not looked at for a while */
    start(&e, 21, START_SERVER);
    assert_true(is_root(span_of(&e, START_SERVER, 3)));
    events_free(&e);
}

/* The end of a server: in a trace of its own. */
static void test_stop(void **state)
{
    struct events e;
    events_init_correlated(&e, NULL);
    start(&e, 21, STOP_DEVICE); /* without a database nothing is unregistered */
    start(&e, 31, START);
    start(&e, 31, STOP_DEVICE);
    start(&e, 31, STOP_SERVER);
    start(&e, 32, STOP_DEVICE);  /* of another thread */
    start(&e, 31, START_SERVER); /* of another part of its life */
    start(&e, 31, STOP_DEVICE);
    const struct tt_span *first = span_of(&e, STOP_SERVER, 0), *second = span_of(&e, STOP_DEVICE, 3);
    assert_true(is_root(first));
    assert_int_equal(first->trigger, TT_TRIGGER_SHUTDOWN);
    for (size_t i = 0; i < 3; i++)
        assert_true(is_root(span_of(&e, STOP_DEVICE, i)));
    assert_true(is_root(span_of(&e, START_SERVER, 0)));
    assert_true(is_root(second)); /* the start has taken the place of the end */
    start(&e, 31, STOP_SERVER);
    start(&e, 31, STOP_DEVICE);
    first = span_of(&e, STOP_SERVER, 1);
    second = span_of(&e, STOP_DEVICE, 4);
    assert_parent(second, first);
    assert_int_equal(second->proof, TT_PROOF_PROCESS);
    assert_int_equal(second->trigger, TT_TRIGGER_SHUTDOWN);
    events_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fan_out),     cmocka_unit_test(test_waits_for_the_request),
        cmocka_unit_test(test_unknown),     cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_lost),        cmocka_unit_test(test_not_lost),
        cmocka_unit_test(test_caps),        cmocka_unit_test(test_start),
        cmocka_unit_test(test_subscribers), cmocka_unit_test(test_stop),
    };

    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
