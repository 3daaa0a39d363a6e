/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads whose stacks switch (hazards: greenlet): never a wrong parent, never a success that was not seen.
 */
#include "assemble/events.h"

static struct events e;

/* Client functions that run code of others, unless a test says otherwise. */
static int setup(void **state)
{
    events_init_rows(&e, foreign_row);
    e.switching = true;
    return 0;
}

static int teardown(void **state)
{
    events_free(&e);
    return 0;
}

/* The scenario seen with greenlet 2.0.2: A parked at ..89e8, B's call at ..8778 looks like its child, a later
 * call at
 * ..8c18 looks like a proof that A is dead, then A's true exit comes. */
static void play_hazard(void)
{
    enter(&e, 11, READ, 0x789e8); /* A; parked inside */
    enter(&e, 11, COMMAND, 0x78778);
    sends(&e, 11, 0x78000, 4001, 2);
    leave(&e, 11, COMMAND, 0x78778);
    enter(&e, 11, CONSTRUCT, 0x78c18);
    leave(&e, 11, CONSTRUCT, 0x78c18);
    leave(&e, 11, READ, 0x789e8); /* A resumed */
}

static void hazard_of_greenlet(void **state)
{
    play_hazard();
    assert_int_equal(e.count, 3);
    struct tt_span *a = span_of(&e, READ, 0), *b = span_of(&e, COMMAND, 0);
    assert_int_equal(a->incomplete, 0);
    assert_int_equal(a->end, e.now);
    assert_int_equal(a->requests, 0);
    assert_true(is_root(b));
    assert_int_equal(b->incomplete, TT_INCOMPLETE_PARENT);
    assert_int_equal(b->requests, 1);
    assert_true(is_root(span_of(&e, CONSTRUCT, 0)));
    assert_int_equal(span_of(&e, CONSTRUCT, 0)->incomplete, 0);
    assert_int_equal(stats(&e)->suspended, 1);
    assert_int_equal(stats(&e)->revived, 1);
    assert_int_equal(stats(&e)->buried, 0);
}

static void hazard_with_the_same_function(void **state)
{
    enter(&e, 11, READ, 0x789e8);
    sends(&e, 11, 0x78100, 4000, 2);
    enter(&e, 11, READ, 0x78778); /* not an inner overload: a span of its own */
    sends(&e, 11, 0x78000, 4001, 2);
    leave(&e, 11, READ, 0x78778);
    leave(&e, 11, READ, 0x789e8);
    assert_int_equal(e.count, 2);
    assert_true(is_root(e.spans[0]) && is_root(e.spans[1]));
    assert_int_equal(e.spans[0]->key.connection.local_port, 4001);
    assert_int_equal(e.spans[1]->key.connection.local_port, 4000);
}

/* Nothing was seen of the switch: A parked, B inside in time and in depth, A back. */
static void inside_in_time_is_no_proof(void **state)
{
    upcall(&e, 11, 0x7a000, 4000, 2);
    enter(&e, 11, READ_5, 0x79000);
    enter(&e, 11, READ, 0x78000);
    leave(&e, 11, READ, 0x78000);
    leave(&e, 11, READ_5, 0x79000);
    assert_int_equal(span_of(&e, READ_5, 0)->kind, TT_SPAN_SERVER);
    assert_int_equal(span_of(&e, READ_5, 0)->incomplete, 0);
    assert_true(is_root(span_of(&e, READ, 0)));
    assert_int_equal(span_of(&e, READ, 0)->incomplete, TT_INCOMPLETE_PARENT);
}

static void requests_of_two_parked_calls(void **state)
{
    enter(&e, 11, READ, 0x78778);
    sends(&e, 11, 0x78000, 4000, 2);
    enter(&e, 11, READ, 0x77000);
    sends(&e, 11, 0x76000, 4001, 2);
    sends(&e, 11, 0x76000, 4000, 4); /* a retry, but whose? */
    assert_int_equal(stats(&e)->requests_bare, 1);
    leave(&e, 11, READ, 0x78778);
    leave(&e, 11, READ, 0x77000);
    assert_int_equal(span_of(&e, READ, 0)->requests, 1);
    assert_int_equal(span_of(&e, READ, 1)->requests, 1);
}

static void further_requests_of_the_only_call(void **state)
{
    enter(&e, 11, READ, 0x78778);
    sends(&e, 11, 0x78000, 4000, 2);
    sends(&e, 11, 0x78000, 4000, 4);
    leave(&e, 11, READ, 0x78778);
    assert_int_equal(span_of(&e, READ, 0)->requests, 2);
}

static void exits_at_the_same_address(void **state)
{
    enter(&e, 11, READ, 0x78778); /* A, parked */
    enter(&e, 11, READ, 0x78778); /* B, started at the same depth */
    assert_int_equal(e.count, 0);
    leave(&e, 11, READ, 0x78778); /* whose? */
    leave(&e, 11, READ, 0x78778);
    assert_int_equal(e.count, 2);
    assert_int_equal(e.spans[0]->incomplete & TT_INCOMPLETE_END, TT_INCOMPLETE_END);
    assert_int_equal(e.spans[1]->incomplete & TT_INCOMPLETE_END, TT_INCOMPLETE_END);
    enter(&e, 11, READ, 0x78778);
    leave(&e, 11, READ, 0x78778);
    assert_int_equal(e.spans[2]->incomplete, 0);
}

static void catch_of_the_running_call(void **state)
{
    enter(&e, 11, READ, 0x78778);
    sends(&e, 11, 0x78000, 4000, 2);
    catches(&e, 11, 0x78000); /* inside */
    catches(&e, 11, 0x78900);
    assert_int_equal(e.count, 1);
    assert_true(e.spans[0]->failed);
    assert_int_equal(e.spans[0]->incomplete, TT_INCOMPLETE_END);
}

static void catch_spares_a_parked_call(void **state)
{
    enter(&e, 11, READ, 0x789e8); /* A, parked */
    sends(&e, 11, 0x78100, 4000, 2);
    enter(&e, 11, COMMAND, 0x78778); /* B */
    catches(&e, 11, 0x78f00);        /* B's, higher than A */
    struct tt_span *b = span_of(&e, COMMAND, 0);
    assert_int_equal(e.count, 1);
    assert_true(b->failed);
    leave(&e, 11, READ, 0x789e8);
    struct tt_span *a = span_of(&e, READ, 0);
    assert_false(a->failed);
    assert_int_equal(a->incomplete, 0);
    assert_int_equal(a->error_count, 0);
    assert_null(a->exception_type);
}

static void catch_that_ended_a_call_after_all(void **state)
{
    upcall(&e, 11, 0x7a000, 4000, 2);
    enter(&e, 11, READ_5, 0x79000);
    enter(&e, 11, READ, 0x78000);
    leave(&e, 11, READ, 0x78000);
    catches(&e, 11, 0x79500);
    uint64_t caught = e.now;
    assert_int_equal(e.count, 1);
    tt_assembler_tick(e.assembler, e.now + 3000000000ull);
    struct tt_span *method = span_of(&e, READ_5, 0);
    assert_true(method->failed);
    assert_int_equal(method->incomplete, TT_INCOMPLETE_END);
    assert_int_equal(method->end, caught);
    assert_string_equal(method->errors[0].reason, "API_First");
}

/* A method that fails in a process that could switch but did not. */
static void next_upcall_proves_the_end(void **state)
{
    for (uint32_t i = 0; i < 5; i++) {
        upcall(&e, 11, 0x7a000, 4000, 2 + i);
        enter(&e, 11, COMMAND_4, 0x79000);
        enter(&e, 11, COMMAND_2, 0x79000);
        if (i % 2)
            leave(&e, 11, COMMAND_2, 0x79000);
        else
            catches(&e, 11, 0x79500);
    }
    upcall(&e, 11, 0x7a000, 4000, 20);
    assert_int_equal(e.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(e.spans[i]->incomplete, 0);
        assert_int_equal(e.spans[i]->failed, i % 2 == 0);
        assert_int_equal(e.spans[i]->end - e.spans[i]->start, 2000);
    }
    assert_int_equal(stats(&e)->open, 0);
}

/* .. of whatever may have ended them; but not by which of two exceptions, nor where events are missing. */
static void next_upcall_leaves_doubts(void **state)
{
    static const struct {
        uint64_t second_catch; /* 0: none */
        bool loss;
        unsigned incomplete;
    } cases[] = {{0, false, 0},
                 {0x78500, false, 0}, /* below the method: none that ended it */
                 {0x79600, false, TT_INCOMPLETE_END},
                 {0, true, TT_INCOMPLETE_END | TT_INCOMPLETE_LOST}};
    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        upcall(&e, 11, 0x7a000, 4000, 2);
        enter(&e, 11, COMMAND_4, 0x79000);
        catches(&e, 11, 0x79500);
        if (cases[i].second_catch)
            catches(&e, 11, cases[i].second_catch);
        if (cases[i].loss)
            lose(&e, 11);
        upcall(&e, 11, 0x7a000, 4000, 4);
        assert_int_equal(e.count, i + 1 + spans_of(&e, UPCALL));
        assert_true(span_of(&e, COMMAND_4, i)->failed);
        assert_int_equal(span_of(&e, COMMAND_4, i)->incomplete, cases[i].incomplete);
    }
}

/* The exit of a method that was given up would fit the next one at its place: not if its request is over. */
static void next_upcall_lays_ghosts(void **state)
{
    upcall(&e, 11, 0x7a000, 4000, 2);
    enter(&e, 11, READ_5, 0x79000);
    enter(&e, 11, CONSTRUCT, 0x7b000);
    leave(&e, 11, CONSTRUCT, 0x7b000);
    e.now += 61000000000ull;
    tt_assembler_tick(e.assembler, e.now);
    assert_int_equal(span_of(&e, READ_5, 0)->incomplete, TT_INCOMPLETE_END);
    upcall(&e, 11, 0x7a000, 4000, 4);
    enter(&e, 11, READ_5, 0x79000);
    leave(&e, 11, READ_5, 0x79000);
    assert_int_equal(span_of(&e, READ_5, 1)->incomplete, 0);
}

static void exit_after_burial(void **state)
{
    enter(&e, 11, READ, 0x78778);    /* A, parked */
    enter(&e, 11, COMMAND, 0x79000); /* B */
    leave(&e, 11, COMMAND, 0x79000);
    e.now += 61000000000ull;
    tt_assembler_tick(e.assembler, e.now);
    assert_int_equal(span_of(&e, READ, 0)->incomplete & TT_INCOMPLETE_END, TT_INCOMPLETE_END);
    enter(&e, 11, READ, 0x78778); /* C, parked at the same depth */
    leave(&e, 11, READ, 0x78778); /* A's, or C's */
    assert_int_equal(span_of(&e, READ, 1)->incomplete & TT_INCOMPLETE_END, TT_INCOMPLETE_END);
    leave(&e, 11, READ, 0x78778); /* the other's */
    enter(&e, 11, READ, 0x78778);
    leave(&e, 11, READ, 0x78778);
    assert_int_equal(span_of(&e, READ, 2)->incomplete, 0);
}

static void stale_marker_is_not_taken(void **state)
{
    upcall(&e, 11, 0x7a000, 4000, 2); /* not catalogued; its greenlet is parked */
    enter(&e, 11, READ, 0x78000);
    leave(&e, 11, READ, 0x78000);
    enter(&e, 11, READ_5, 0x77000);
    leave(&e, 11, READ_5, 0x77000);
    assert_int_equal(span_of(&e, READ_5, 0)->kind, TT_SPAN_INTERNAL);
    assert_false(span_of(&e, READ_5, 0)->has_key);
}

static void methods_that_hand_over(void **state)
{
    upcall(&e, 11, 0x7a000, 4000, 2);
    enter(&e, 11, COMMAND_4, 0x79000);
    enter(&e, 11, COMMAND_2, 0x79000);
    enter(&e, 11, READ, 0x78000);
    leave(&e, 11, READ, 0x78000);
    leave(&e, 11, COMMAND_2, 0x79000);
    assert_int_equal(spans_of(&e, COMMAND_4), 1);
    assert_int_equal(spans_of(&e, COMMAND_2), 0);
    assert_int_equal(span_of(&e, COMMAND_4, 0)->incomplete, 0);
}

static void pair_suspended_and_revived(void **state)
{
    upcall(&e, 11, 0x7a000, 4000, 2);
    enter(&e, 11, COMMAND_4, 0x79000);
    enter(&e, 11, COMMAND_2, 0x79000);
    enter(&e, 11, READ, 0x7b000);
    leave(&e, 11, READ, 0x7b000);
    leave(&e, 11, COMMAND_2, 0x79000);
    assert_int_equal(spans_of(&e, COMMAND_4), 1);
    assert_int_equal(span_of(&e, COMMAND_4, 0)->incomplete, 0);
    assert_int_equal(span_of(&e, COMMAND_4, 0)->end, e.now);
    thread_ends(&e, 11);
    assert_int_equal(e.count, 2);
}

static void many_suspended_are_bounded(void **state)
{
    for (unsigned i = 0; i < 200; i++)
        enter(&e, 11, READ, 0x70000 + i * 0x100);
    assert_int_equal(stats(&e)->open, 1);
    assert_int_equal(e.count, 200 - 1 - 64);
    for (size_t i = 0; i < e.count; i++)
        assert_int_equal(e.spans[i]->incomplete & TT_INCOMPLETE_END, TT_INCOMPLETE_END);
}

/* cppTango's own functions run no code of others: inside, all is as on any thread. */
static int setup_holding(void **state)
{
    events_init(&e);
    e.switching = true;
    return 0;
}

static void nesting_in_a_function_that_holds(void **state)
{
    enter(&e, 11, CONSTRUCT, 0x79000);
    enter(&e, 11, READ, 0x78000);
    sends(&e, 11, 0x77000, 4000, 2);
    sends(&e, 11, 0x77000, 4000, 4);
    leave(&e, 11, READ, 0x78000);
    leave(&e, 11, CONSTRUCT, 0x79000);
    assert_memory_equal(span_of(&e, READ, 0)->parent_id, span_of(&e, CONSTRUCT, 0)->span_id, 8);
    assert_int_equal(span_of(&e, READ, 0)->incomplete, 0);
    assert_int_equal(span_of(&e, READ, 0)->requests, 2);
}

static void catch_of_functions_that_hold(void **state)
{
    upcall(&e, 11, 0x7b000, 4000, 2);
    enter(&e, 11, READ_5, 0x7a000); /* may be parked: its Python code called the rest, or did not */
    enter(&e, 11, CONSTRUCT, 0x79000);
    enter(&e, 11, READ, 0x78000);
    catches(&e, 11, 0x7a800);
    assert_int_equal(e.count, 2);
    assert_true(span_of(&e, READ, 0)->failed && span_of(&e, CONSTRUCT, 0)->failed);
    assert_int_equal(span_of(&e, READ, 0)->incomplete, 0);
    assert_memory_equal(span_of(&e, READ, 0)->parent_id, span_of(&e, CONSTRUCT, 0)->span_id, 8);
    assert_true(is_root(span_of(&e, CONSTRUCT, 0)));
    assert_int_equal(span_of(&e, CONSTRUCT, 0)->incomplete, TT_INCOMPLETE_PARENT);
    leave(&e, 11, READ_5, 0x7a000); /* it was another stack's */
    assert_false(span_of(&e, READ_5, 0)->failed);
}

static void far_stack_is_found_out(void **state)
{
    e.switching = false;
    enter(&e, 11, CONSTRUCT, 0x7ffc00009000);
    enter(&e, 11, READ, 0x550000008000); /* a fiber's stack on the heap */
    leave(&e, 11, READ, 0x550000008000);
    leave(&e, 11, CONSTRUCT, 0x7ffc00009000);
    assert_true(is_root(span_of(&e, READ, 0)));
    assert_int_equal(span_of(&e, READ, 0)->incomplete, TT_INCOMPLETE_PARENT);
    assert_int_equal(span_of(&e, CONSTRUCT, 0)->incomplete, 0);
}

/* The same without knowing that greenlet is mapped: what the evidence shows in time is still right. */
static void switches_now(uint32_t tid)
{
    feed(&e, draft(&e, TT_EVENT_SWITCH, tid, SWITCH, 0, 0x78000));
}

/* greenlet is mapped but probed: a thread that has not switched is a plain one, up to its first switch. */
static void seen_to_switch(void **state)
{
    e.switching = false;
    enter(&e, 11, CONSTRUCT, 0x79000);
    enter(&e, 11, READ, 0x78800);
    leave(&e, 11, READ, 0x78800);
    leave(&e, 11, CONSTRUCT, 0x79000);
    assert_memory_equal(span_of(&e, READ, 0)->parent_id, span_of(&e, CONSTRUCT, 0)->span_id, 8);
    enter(&e, 11, READ, 0x789e8);
    switches_now(11);
    enter(&e, 11, COMMAND, 0x78778);
    leave(&e, 11, COMMAND, 0x78778);
    leave(&e, 11, READ, 0x789e8);
    assert_true(is_root(span_of(&e, COMMAND, 0)));
    assert_int_equal(span_of(&e, COMMAND, 0)->incomplete, TT_INCOMPLETE_PARENT);
    assert_int_equal(span_of(&e, READ, 1)->incomplete, 0);
    enter(&e, 12, CONSTRUCT, 0x89000); /* another thread knows nothing of it */
    enter(&e, 12, READ, 0x88800);
    leave(&e, 12, READ, 0x88800);
    leave(&e, 12, CONSTRUCT, 0x89000);
    assert_int_equal(span_of(&e, READ, 2)->incomplete, 0);
    assert_false(is_root(span_of(&e, READ, 2)));
}

static void unknown_switching(void **state)
{
    e.switching = false;
    enter(&e, 11, READ, 0x789e8);
    enter(&e, 11, CONSTRUCT, 0x78c18);
    leave(&e, 11, CONSTRUCT, 0x78c18);
    leave(&e, 11, READ, 0x789e8);
    play_hazard();
    assert_int_equal(span_of(&e, READ, 1)->incomplete, 0);
    assert_true(is_root(span_of(&e, COMMAND, 0)));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hazard_of_greenlet),
        TEST(hazard_with_the_same_function),
        TEST(inside_in_time_is_no_proof),
        TEST(requests_of_two_parked_calls),
        TEST(further_requests_of_the_only_call),
        TEST(exits_at_the_same_address),
        TEST(catch_of_the_running_call),
        TEST(catch_spares_a_parked_call),
        TEST(catch_that_ended_a_call_after_all),
        TEST(next_upcall_proves_the_end),
        TEST(next_upcall_leaves_doubts),
        TEST(next_upcall_lays_ghosts),
        TEST(exit_after_burial),
        TEST(stale_marker_is_not_taken),
        TEST(methods_that_hand_over),
        TEST(pair_suspended_and_revived),
        TEST(many_suspended_are_bounded),
        TEST(far_stack_is_found_out),
        TEST(seen_to_switch),
        TEST(unknown_switching),
        cmocka_unit_test_setup_teardown(nesting_in_a_function_that_holds, setup_holding, teardown),
        cmocka_unit_test_setup_teardown(catch_of_functions_that_hold, setup_holding, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
