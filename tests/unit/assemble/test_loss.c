/* SPDX-License-Identifier: GPL-2.0-only */
/* Lost events, malformed events, the lives of threads and processes, bounds. */
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

/* ---- loss ------------------------------------------------------------------------------------- */

static void lost_catch_is_no_success(void **state)
{
    enter(&e, 11, READ, 0x8000);
    lose(&e, 11); /* the catch */
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.count, 2);
    assert_int_equal(e.spans[0]->incomplete, TT_INCOMPLETE_END | TT_INCOMPLETE_LOST);
    assert_int_equal(e.spans[1]->incomplete, 0); /* nothing was ever further up: it is enclosed by nothing */
    assert_int_equal(stats(&e)->gaps, 1);
    assert_int_equal(stats(&e)->lost, 1);
}

static void lost_catch_and_entry(void **state)
{
    enter(&e, 11, READ, 0x8000);
    lose(&e, 11); /* the catch */
    lose(&e, 11); /* the next entry at the same place */
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.spans[0]->incomplete, TT_INCOMPLETE_LOST);
    assert_int_equal(stats(&e)->lost, 2);
}

static void lost_exit_is_no_parent(void **state)
{
    enter(&e, 11, CONSTRUCT, 0x9000);
    lose(&e, 11);                /* its exit */
    enter(&e, 11, READ, 0x8000); /* deeper, but of something else */
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 11, READ, 0x8000);
    struct tt_span *span = span_of(&e, READ, 0);
    assert_true(is_root(span));
    assert_int_equal(span->incomplete, TT_INCOMPLETE_PARENT | TT_INCOMPLETE_LOST);
    assert_int_equal(span->requests, 1);
}

static void request_after_a_gap_is_nobodys(void **state)
{
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    lose(&e, 11); /* exit */
    lose(&e, 11); /* entry of the next call */
    sends(&e, 11, 0x7000, 4000, 4);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(stats(&e)->requests_bare, 1);
    assert_int_equal(e.spans[0]->requests, 1);
}

static void lost_upcall_gives_no_old_key(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2); /* bare */
    lose(&e, 21);                    /* another upcall */
    enter(&e, 21, READ_5, 0x9000);
    leave(&e, 21, READ_5, 0x9000);
    assert_int_equal(e.spans[0]->kind, TT_SPAN_INTERNAL);
    assert_int_equal(e.spans[0]->trigger, TT_TRIGGER_UNKNOWN);
    assert_false(e.spans[0]->has_key);
    assert_true(e.spans[0]->incomplete & TT_INCOMPLETE_LOST);
}

static void lost_exit_and_upcall_is_no_inner_method(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, WRITE_READ_5, 0x9000);
    lose(&e, 21); /* exit */
    lose(&e, 21); /* upcall */
    enter(&e, 21, READ_5, 0x8000);
    leave(&e, 21, READ_5, 0x8000);
    struct tt_span *span = span_of(&e, READ_5, 0);
    assert_true(is_root(span));
    assert_int_equal(span->kind, TT_SPAN_INTERNAL);
}

static void first_event_with_a_late_number(void **state)
{
    e.sequence[11] = 4;
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(stats(&e)->lost, 4);
    assert_int_equal(stats(&e)->gaps, 1);
}

/* Not four thousand million of them: the numbers are those of another life. */
static void number_goes_back(void **state)
{
    enter(&e, 11, READ, 0x8000);
    e.sequence[11] = 0;
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(stats(&e)->lost, 0);
    assert_int_equal(stats(&e)->gaps, 1);
    assert_int_equal(span_of(&e, READ, 0)->incomplete, TT_INCOMPLETE_END | TT_INCOMPLETE_LOST);
}

static void malformed_events_are_losses(void **state)
{
    enter(&e, 11, READ, 0x8000);
    struct draft *d = draft(&e, TT_EVENT_EXIT, 11, READ, 0x8000, 0x8000);
    d->header.fields = 3;
    feed(&e, d);
    d->header.size = 20;
    tt_assembler_event(e.assembler, d, 300);
    tt_assembler_event(e.assembler, d, 10);
    d->header.size = sizeof(struct tt_event);
    d->header.type = TT_EVENT_TYPES;
    feed(&e, d);
    feed(&e, draft(&e, TT_EVENT_ENTER, 11, SEND, 0x7000, 0x7000));
    feed(&e, draft(&e, TT_EVENT_ENTER, 11, ROWS, 0x7000, 0x7000));
    feed(&e, draft(&e, TT_EVENT_ENTER, 11, READ, 0, 0x7000));
    assert_int_equal(stats(&e)->malformed, 7);
    enter(&e, 11, READ, 0x8000);
    assert_int_equal(e.spans[0]->incomplete, TT_INCOMPLETE_END | TT_INCOMPLETE_LOST);
}

/* ---- lives ------------------------------------------------------------------------------------ */

static void thread_ends_in_a_call(void **state)
{
    enter(&e, 11, READ, 0x8000);
    thread_ends(&e, 11);
    assert_int_equal(e.spans[0]->incomplete, TT_INCOMPLETE_END);
    assert_int_equal(stats(&e)->threads, 0);
}

static void thread_id_is_used_again(void **state)
{
    enter(&e, 11, CONSTRUCT, 0x9000);
    e.start[11] = 77;
    e.sequence[11] = 0;
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(span_of(&e, CONSTRUCT, 0)->incomplete, TT_INCOMPLETE_END);
    assert_true(is_root(span_of(&e, READ, 0)));
    assert_int_equal(stats(&e)->lost, 0);
    assert_int_equal(stats(&e)->threads, 1);
}

static void process_is_forgotten(void **state)
{
    enter(&e, 11, READ, 0x8000);
    enter(&e, 12, READ, 0x8000);
    enter(&e, 21, READ, 0x8000);
    tt_assembler_forget(e.assembler, 10);
    assert_int_equal(e.count, 2);
    assert_int_equal(stats(&e)->open, 1);
    enter(&e, 11, READ, 0x8000);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(stats(&e)->lost, 0);
    assert_int_equal(e.count, 3);
    tt_assembler_flush(e.assembler, e.now);
    assert_int_equal(e.count, 4);
    assert_int_equal(stats(&e)->open, 0);
}

/* What was too deep is over with the rest: calls that come later are seen. */
static void too_deep_when_forgotten(void **state)
{
    for (unsigned i = 0; i < 66; i++)
        enter(&e, 11, i % 2 ? CONNECT : CONSTRUCT, 0x90000 - i * 0x100);
    assert_int_equal(stats(&e)->dropped_frames, 2);
    tt_assembler_forget(e.assembler, 10);
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(span_of(&e, READ, 0)->requests, 1);
    assert_int_equal(stats(&e)->dropped_frames, 2);
}

static void depth_is_bounded(void **state)
{
    for (unsigned i = 0; i < 100; i++)
        enter(&e, 11, i % 2 ? CONNECT : CONSTRUCT, 0x90000 - i * 0x100);
    assert_int_equal(stats(&e)->open, 64);
    assert_int_equal(stats(&e)->dropped_frames, 36);
    sends(&e, 11, 0x10000, 4000, 2); /* of a dropped frame: not of the 64th */
    assert_int_equal(stats(&e)->requests_bare, 1);
    writes(&e, 11, 0x10000, "nor is a log message");
    assert_false(e.logs[0]->in_span);
    for (unsigned i = 100; i-- > 0;) {
        leave(&e, 11, i % 2 ? CONNECT : CONSTRUCT, 0x90000 - i * 0x100);
        if (i == 80)
            sends(&e, 11, 0x10000, 4000, 6); /* .. as long as the first of them is not over */
    }
    assert_int_equal(stats(&e)->requests_bare, 2);
    assert_int_equal(e.count, 64);
    for (size_t i = 0; i < e.count; i++)
        assert_int_equal(e.spans[i]->incomplete, 0);
    assert_int_equal(stats(&e)->orphan_exits, 0);
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 4);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(span_of(&e, READ, 0)->requests, 1);
}

/* Nor has the innermost frame sent an event that is sent in one which found no room. */
static void event_of_a_dropped_frame(void **state)
{
    for (unsigned i = 0; i < 63; i++)
        enter(&e, 11, i % 2 ? CONNECT : CONSTRUCT, 0x90000 - i * 0x100);
    enter(&e, 11, PUSH, 0x20000);
    enter(&e, 11, PUSH, 0x18000);
    assert_int_equal(stats(&e)->dropped_frames, 1);
    struct draft *d = draft(&e, TT_EVENT_EXIT, 11, TOPIC, 0x17000, 0x16f00);
    draft_string(d, TT_FIELD_TOPIC, 0, "tango://h:1/a/b/c/x.change");
    feed(&e, d);
    d = draft(&e, TT_EVENT_ENTER, 11, COUNTER, 0x17000, 0x17000);
    draft_u64(d, TT_FIELD_COUNTER, 1);
    feed(&e, d);
    assert_int_equal(e.pushed, 0);
    leave(&e, 11, PUSH, 0x18000);
    leave(&e, 11, PUSH, 0x20000);
    assert_null(span_of(&e, PUSH, 0)->topic);
}

static void threads_are_bounded(void **state)
{
    struct draft *d = draft(&e, TT_EVENT_ENTER, 11, READ, 0x8000, 0x8000);
    d->header.sequence = 1;
    for (uint32_t tid = 1; tid <= 16500; tid++) {
        d->header.tid = tid;
        d->header.time++;
        feed(&e, d);
    }
    assert_int_equal(stats(&e)->threads, 16384);
    assert_int_equal(e.count, 16500 - 16384);
    assert_int_equal(e.spans[0]->tid, 1);
}

static void count_open(void *context, const struct tt_open *open)
{
    ++*(int *)context;
    assert_int_equal(open->span->end, 0);
}

static void open_spans_can_be_seen(void **state)
{
    int n = 0;
    enter(&e, 11, READ_CHAR, 0x8000);
    enter(&e, 11, READ, 0x7000);
    enter(&e, 21, READ, 0x7000);
    tt_assembler_each_open(e.assembler, count_open, &n);
    assert_int_equal(n, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lost_catch_is_no_success),       TEST(lost_catch_and_entry),
        TEST(lost_exit_is_no_parent),         TEST(request_after_a_gap_is_nobodys),
        TEST(lost_upcall_gives_no_old_key),   TEST(lost_exit_and_upcall_is_no_inner_method),
        TEST(first_event_with_a_late_number), TEST(number_goes_back),
        TEST(malformed_events_are_losses),    TEST(thread_ends_in_a_call),
        TEST(thread_id_is_used_again),        TEST(process_is_forgotten),
        TEST(too_deep_when_forgotten),        TEST(depth_is_bounded),
        TEST(event_of_a_dropped_frame),       TEST(threads_are_bounded),
        TEST(open_spans_can_be_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
