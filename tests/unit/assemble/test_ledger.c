/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the time of a call went: the parts of a ledger always add up to its span's duration. */
#include "assemble/events.h"
#include "correlate/random.h"

#define US 1000u

static uint64_t sum(const struct tt_ledger *ledger)
{
    uint64_t total = 0;
    for (int part = 0; part < TT_PARTS; part++)
        total += ledger->ns[part];
    return total;
}

static void assert_parts(const struct tt_span *span, const uint64_t want[TT_PARTS])
{
    assert_true(span->ledger.known);
    assert_int_equal(sum(&span->ledger), span->end - span->start);
    for (int part = 0; part < TT_PARTS; part++)
        assert_int_equal(span->ledger.ns[part], want[part]);
}

/* ---- the arithmetic --------------------------------------------------------------------------- */

static void user_time_without_waits(void **state)
{
    const struct tt_clocks from = {.time = 1000, .off_cpu = 50, .monitor = 10, .idle = 5};
    const struct tt_clocks to = {.time = 2000, .off_cpu = 450, .monitor = 310, .idle = 295};
    struct tt_ledger ledger = {.known = true};
    tt_ledger_add_user(&ledger, &from, &to);
    /* 1000 in all, 300 of them waited; 400 off the CPU, 290 of them in the wait */
    assert_int_equal(ledger.ns[TT_PART_USER_OFF_CPU], 110);
    assert_int_equal(ledger.ns[TT_PART_USER_CPU], 590);
    tt_ledger_close_server(&ledger, &(struct tt_clocks){.time = 900},
                           &(struct tt_clocks){.time = 2100, .monitor = 300});
    assert_int_equal(ledger.ns[TT_PART_MONITOR], 300);
    assert_int_equal(ledger.ns[TT_PART_REST], 200);
    assert_int_equal(sum(&ledger), 1200);
}

/* Of two clocks that are not read at once one may have gone further. */
static void off_the_cpu_for_all_the_time(void **state)
{
    struct tt_ledger ledger = {.known = true};
    tt_ledger_add_user(&ledger, &(struct tt_clocks){.time = 1000},
                       &(struct tt_clocks){.time = 1100, .off_cpu = 105});
    assert_int_equal(ledger.ns[TT_PART_USER_OFF_CPU], 100);
    assert_int_equal(ledger.ns[TT_PART_USER_CPU], 0);
}

static void client_without_server(void **state)
{
    const struct tt_moments moments = {.start = 100, .sent = 130, .end = 500};
    struct tt_ledger ledger = {.known = true};
    tt_ledger_close_client(&ledger, &moments, NULL);
    assert_int_equal(ledger.ns[TT_PART_MARSHAL], 30);
    assert_int_equal(ledger.ns[TT_PART_REST], 370);
    assert_int_equal(sum(&ledger), 400);
}

/* It has given up before the server was done. */
static void client_that_gave_up(void **state)
{
    const struct tt_moments moments = {.start = 100, .sent = 130, .end = 500, .received = 150, .begun = 160};
    struct tt_ledger ledger = {.known = true};
    tt_ledger_close_client(&ledger, &moments, NULL);
    assert_int_equal(ledger.ns[TT_PART_MARSHAL], 30);
    assert_int_equal(ledger.ns[TT_PART_REQUEST], 20);
    assert_int_equal(ledger.ns[TT_PART_REST], 350);
}

/* Whatever the clocks say: all is accounted for, once. */
static void sums_hold(void **state)
{
    struct random_state random;
    random_seed(&random, 3);
    for (int i = 0; i < 20000; i++) {
        struct tt_moments m = {.start = random_next(&random) % 1000};
        uint64_t *moments[] = {&m.sent, &m.end, &m.received, &m.begun, &m.done};
        struct tt_ledger server = {.known = true}, client = {.known = true};
        for (size_t k = 0; k < TT_ARRAY_SIZE(moments); k++)
            *moments[k] = random_next(&random) % 4 ? random_next(&random) % 2000 : 0;
        struct tt_clocks clocks[2];
        for (int k = 0; k < 2; k++)
            clocks[k] = (struct tt_clocks){.time = random_next(&random) % 1000,
                                           .off_cpu = random_next(&random) % 1000,
                                           .monitor = random_next(&random) % 1000,
                                           .idle = random_next(&random) % 1000};
        tt_ledger_add_user(&server, &clocks[0], &clocks[1]);
        tt_ledger_close_server(&server, &clocks[0], &clocks[1]);
        uint64_t duration = clocks[1].time > clocks[0].time ? clocks[1].time - clocks[0].time : 0;
        assert_int_equal(sum(&server), duration);
        tt_ledger_close_client(&client, &m, i % 2 ? &server : NULL);
        assert_int_equal(sum(&client), m.end > m.start ? m.end - m.start : 0);
    }
}

/* ---- events ----------------------------------------------------------------------------------- */

static struct events e;

static int setup(void **state)
{
    events_init_correlated(&e, NULL);
    e.clocked = true;
    return 0;
}

static int teardown(void **state)
{
    events_free(&e);
    return 0;
}

/* The thread sleeps, or works, before its next event. */
static void pass(uint32_t tid, uint64_t on, uint64_t off)
{
    e.now += (on + off) * US;
    e.off_cpu[tid] += off * US;
}

static void waits(uint32_t tid, uint64_t frame, uint64_t holder)
{
    struct draft *d = draft(&e, TT_EVENT_ENTER, tid, WAIT, frame, frame);
    draft_u64(d, TT_FIELD_HOLDER, holder);
    draft_string(d, TT_FIELD_TEXT, 0, "sys/tg_test/1");
    feed(&e, d);
}

static void both_sides(void **state)
{
    enter(&e, 11, READ, 0x8000);
    e.now += 9 * US;
    sends(&e, 11, 0x7000, 4000, 2); /* 10 us of marshalling */
    e.now += 19 * US;
    upcall(&e, 21, 0x9000, 4000, 2); /* 20 on the wire */
    e.now += 4 * US;
    enter(&e, 21, READ_5, 0x8000); /* 5 of unmarshalling */
    pass(21, 2, 0);
    waits(21, 0x7800, 22);
    pass(21, 1, 28);
    leave(&e, 21, WAIT, 0x7800); /* 30 of waiting */
    pass(21, 1, 0);
    enter(&e, 21, METHOD, 0x7000);
    pass(21, 39, 50);
    leave(&e, 21, METHOD, 0x7000); /* 90 of method, 50 of them asleep */
    pass(21, 6, 0);
    leave(&e, 21, READ_5, 0x8000);
    e.now += 14 * US;
    leave(&e, 11, READ, 0x8000); /* 15 of reply */
    assert_int_equal(e.count, 3);
    assert_parts(span_of(&e, READ_5, 0), (const uint64_t[TT_PARTS]){[TT_PART_MONITOR] = 30 * US,
                                                                    [TT_PART_USER_CPU] = 40 * US,
                                                                    [TT_PART_USER_OFF_CPU] = 50 * US,
                                                                    [TT_PART_REST] = 12 * US});
    assert_parts(span_of(&e, READ, 0), (const uint64_t[TT_PARTS]){[TT_PART_MARSHAL] = 15 * US,
                                                                  [TT_PART_REQUEST] = 20 * US,
                                                                  [TT_PART_MONITOR] = 30 * US,
                                                                  [TT_PART_USER_CPU] = 40 * US,
                                                                  [TT_PART_USER_OFF_CPU] = 50 * US,
                                                                  [TT_PART_REPLY] = 15 * US,
                                                                  [TT_PART_REST] = 12 * US});
    const struct tt_span *server = span_of(&e, READ_5, 0);
    assert_true(server->waited && server->holder == 22);
    assert_string_equal(server->monitor, "sys/tg_test/1");
    assert_int_equal(stats(&e)->waits, 1);
}

/* The server is done before the client is seen to have sent. */
static void server_first(void **state)
{
    enter(&e, 11, READ, 0x8000);
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    leave(&e, 21, READ_5, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 11, READ, 0x8000);
    assert_parts(span_of(&e, READ, 0),
                 (const uint64_t[TT_PARTS]){
                     [TT_PART_MARSHAL] = 2 * US, [TT_PART_REPLY] = 2 * US, [TT_PART_REST] = 1 * US});
}

/* A method that calls another one, and a device of the same process: what is below is the outer method's. */
static void nested(void **state)
{
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    enter(&e, 21, METHOD, 0x7000);
    enter(&e, 21, METHOD, 0x6000);
    pass(21, 9, 0);
    leave(&e, 21, METHOD, 0x6000);
    enter(&e, 21, COMMAND, 0x5000);
    enter(&e, 21, COMMAND_2, 0x4000); /* collocated */
    enter(&e, 21, METHOD, 0x3000);
    pass(21, 0, 19);
    leave(&e, 21, METHOD, 0x3000);
    leave(&e, 21, COMMAND_2, 0x4000);
    leave(&e, 21, COMMAND, 0x5000);
    leave(&e, 21, METHOD, 0x7000);
    leave(&e, 21, READ_5, 0x8000);
    tt_correlator_flush(e.correlator);
    assert_parts(span_of(&e, COMMAND_2, 0),
                 (const uint64_t[TT_PARTS]){
                     [TT_PART_USER_CPU] = 1 * US, [TT_PART_USER_OFF_CPU] = 19 * US, [TT_PART_REST] = 2 * US});
    assert_parts(span_of(&e, COMMAND, 0), (const uint64_t[TT_PARTS]){[TT_PART_MARSHAL] = 1 * US,
                                                                     [TT_PART_USER_CPU] = 1 * US,
                                                                     [TT_PART_USER_OFF_CPU] = 19 * US,
                                                                     [TT_PART_REPLY] = 1 * US,
                                                                     [TT_PART_REST] = 2 * US});
    assert_parts(
        span_of(&e, READ_5, 0),
        (const uint64_t[TT_PARTS]){
            [TT_PART_USER_CPU] = 18 * US, [TT_PART_USER_OFF_CPU] = 19 * US, [TT_PART_REST] = 2 * US});
}

/* A method that ends by an exception, and the request with it. */
static void thrown(void **state)
{
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    enter(&e, 21, METHOD, 0x7000);
    pass(21, 9, 0);
    catches(&e, 21, 0x8800);
    tt_correlator_flush(e.correlator);
    assert_parts(span_of(&e, READ_5, 0),
                 (const uint64_t[TT_PARTS]){[TT_PART_USER_CPU] = 10 * US, [TT_PART_REST] = 1 * US});
}

/* A wait inside a method is the monitor's time, not the user's. */
static void waits_in_a_method(void **state)
{
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    enter(&e, 21, METHOD, 0x7000);
    pass(21, 4, 0);
    waits(21, 0x6000, 22);
    pass(21, 1, 28);
    leave(&e, 21, WAIT, 0x6000);
    pass(21, 0, 9);
    leave(&e, 21, METHOD, 0x7000);
    leave(&e, 21, READ_5, 0x8000);
    tt_correlator_flush(e.correlator);
    assert_parts(span_of(&e, READ_5, 0), (const uint64_t[TT_PARTS]){[TT_PART_MONITOR] = 30 * US,
                                                                    [TT_PART_USER_CPU] = 6 * US,
                                                                    [TT_PART_USER_OFF_CPU] = 9 * US,
                                                                    [TT_PART_REST] = 2 * US});
}

/* One that is not for somebody is none of the next exit's, and does not go back to a wait before it. */
static void waits_for_nobody_after_a_wait(void **state)
{
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    waits(21, 0x7800, 22);
    pass(21, 0, 9);
    leave(&e, 21, WAIT, 0x7800);
    waits(21, 0x7800, 0);
    pass(21, 0, 19);
    leave(&e, 21, WAIT, 0x7800);
    leave(&e, 21, READ_5, 0x8000);
    tt_correlator_flush(e.correlator);
    assert_parts(span_of(&e, READ_5, 0),
                 (const uint64_t[TT_PARTS]){[TT_PART_MONITOR] = 10 * US, [TT_PART_REST] = 23 * US});
}

/* Thread ids of another pid namespace may be taken for those of this process. */
static void holder_of_another_process(void **state)
{
    upcall(&e, 31, 0x9000, 4000, 2);
    enter(&e, 31, READ_5, 0x8000);
    upcall(&e, 22, 0x9000, 4001, 2);
    enter(&e, 22, COMMAND_2, 0x8000);
    waits(22, 0x7000, 31);
    leave(&e, 22, WAIT, 0x7000);
    leave(&e, 22, COMMAND_2, 0x8000);
    tt_correlator_flush(e.correlator);
    assert_true(span_of(&e, COMMAND_2, 0)->waited);
    assert_false(span_of(&e, COMMAND_2, 0)->linked);
}

/* What goes on while a frame is thought to be over is not known to be its own. */
static void no_ledger_of_the_revived(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    enter(&e, 21, CONSTRUCT, 0x9000);
    leave(&e, 21, CONSTRUCT, 0x9000);
    leave(&e, 21, READ_5, 0x8000);
    tt_correlator_flush(e.correlator);
    assert_int_equal(stats(&e)->revived, 1);
    assert_int_equal(span_of(&e, READ_5, 0)->incomplete, 0);
    assert_false(span_of(&e, READ_5, 0)->ledger.known);
}

/* The level was not `full` all the time: no ledger, rather than a wrong one. The client's needs no clock of
 * the CPU. */
static void level_changes(void **state)
{
    e.clocked = false;
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    e.clocked = true;
    leave(&e, 21, READ_5, 0x8000);
    upcall(&e, 21, 0x9000, 4000, 4);
    enter(&e, 21, READ_5, 0x8000);
    e.clocked = false;
    leave(&e, 21, READ_5, 0x8000);
    e.clocked = true;
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 6);
    e.clocked = false;
    upcall(&e, 21, 0x9000, 4000, 6);
    enter(&e, 21, READ_5, 0x8000);
    leave(&e, 21, READ_5, 0x8000);
    leave(&e, 11, READ, 0x8000);
    tt_correlator_flush(e.correlator);
    for (unsigned i = 0; i < 3; i++)
        assert_false(span_of(&e, READ_5, i)->ledger.known);
    /* the server's own time is the rest */
    assert_parts(span_of(&e, READ, 0), (const uint64_t[TT_PARTS]){[TT_PART_MARSHAL] = 2 * US,
                                                                  [TT_PART_REQUEST] = 1 * US,
                                                                  [TT_PART_REPLY] = 1 * US,
                                                                  [TT_PART_REST] = 1 * US});
}

/* A polling thread waits for orders: nobody holds its monitor. */
static void waits_for_nobody(void **state)
{
    struct draft *d;
    waits(31, 0x7800, 32); /* outside of anything */
    leave(&e, 31, WAIT, 0x7800);
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    d = draft(&e, TT_EVENT_ENTER, 21, WAIT, 0x7800, 0x7800);
    draft_field(d, TT_FIELD_HOLDER, TT_STATUS_FAULT, 0, 0, NULL, 0);
    feed(&e, d);
    leave(&e, 21, WAIT, 0x7800);
    leave(&e, 21, READ_5, 0x8000);
    tt_correlator_flush(e.correlator);
    assert_int_equal(stats(&e)->waits, 0);
    assert_parts(span_of(&e, READ_5, 0), (const uint64_t[TT_PARTS]){[TT_PART_REST] = 3 * US});
    assert_int_equal(span_of(&e, READ_5, 0)->incomplete, 0);
}

static void finds_waiting(void *context, const struct tt_open *open)
{
    if (open->span->tid == 22 && open->waiting)
        (*(int *)context)++;
    else
        assert_false(open->waiting);
}

/* The one that waits is linked to the one that holds; a wait whose end is lost ends with the next one. */
static void linked_to_holder(void **state)
{
    int waiting = 0;
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    upcall(&e, 22, 0x9000, 4001, 2);
    enter(&e, 22, COMMAND_2, 0x8000);
    waits(22, 0x7000, 21);
    tt_assembler_each_open(e.assembler, finds_waiting, &waiting);
    assert_int_equal(waiting, 1);
    e.sequence[22]++;
    waits(22, 0x7000, 21);
    leave(&e, 21, READ_5, 0x8000);
    leave(&e, 22, WAIT, 0x7000);
    waiting = 0;
    tt_assembler_each_open(e.assembler, finds_waiting, &waiting);
    assert_int_equal(waiting, 0);
    leave(&e, 22, COMMAND_2, 0x8000);
    tt_correlator_flush(e.correlator);
    const struct tt_span *held = span_of(&e, COMMAND_2, 0), *holder = span_of(&e, READ_5, 0);
    assert_true(held->linked);
    assert_memory_equal(held->link_span, holder->span_id, 8);
    assert_memory_equal(held->link_trace, holder->trace_id, 16);
    assert_int_equal(stats(&e)->waits, 1); /* whether the second was in the request is not known */
    assert_int_equal(sum(&held->ledger), held->end - held->start);
}

/* The polling thread has to wait for a request, and is linked to it: the whole round, not the method that it
 * is at. */
static void polling_waits(void **state)
{
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, READ_5, 0x8000);
    enter(&e, 22, POLL, 0x8000);
    enter(&e, 22, READ_5, 0x7000);
    waits(22, 0x6000, 21);
    leave(&e, 22, WAIT, 0x6000);
    leave(&e, 22, READ_5, 0x7000);
    leave(&e, 22, POLL, 0x8000);
    leave(&e, 21, READ_5, 0x8000);
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2); /* whose request it is, is known only now: and with it the link's trace */
    leave(&e, 11, READ, 0x8000);
    const struct tt_span *round = span_of(&e, POLL, 0);
    assert_memory_equal(round->link_trace, span_of(&e, READ, 0)->trace_id, 16);
    assert_true(round->waited && round->linked && !round->ledger.known);
    assert_int_equal(round->holder, 21);
    assert_false(span_of(&e, READ_5, 0)->waited || span_of(&e, READ_5, 1)->waited);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_time_without_waits),
        cmocka_unit_test(off_the_cpu_for_all_the_time),
        cmocka_unit_test(client_without_server),
        cmocka_unit_test(client_that_gave_up),
        cmocka_unit_test(sums_hold),
        cmocka_unit_test_setup_teardown(both_sides, setup, teardown),
        cmocka_unit_test_setup_teardown(server_first, setup, teardown),
        cmocka_unit_test_setup_teardown(nested, setup, teardown),
        cmocka_unit_test_setup_teardown(thrown, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_in_a_method, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_nobody_after_a_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(holder_of_another_process, setup, teardown),
        cmocka_unit_test_setup_teardown(no_ledger_of_the_revived, setup, teardown),
        cmocka_unit_test_setup_teardown(level_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(linked_to_holder, setup, teardown),
        cmocka_unit_test_setup_teardown(polling_waits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
