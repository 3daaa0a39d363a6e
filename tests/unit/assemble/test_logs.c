/* SPDX-License-Identifier: GPL-2.0-only */
#include "events.h"

static void assert_in(const struct events *e, size_t log, const struct tt_span *span)
{
    assert_true(log < e->log_count);
    assert_int_equal(e->logs[log]->in_span, span != NULL);
    if (span)
        assert_memory_equal(e->logs[log]->span_id, span->span_id, 8);
}

/* Each in the innermost span that is open when it is written. */
static void test_innermost(void **state)
{
    struct events e;
    events_init(&e);
    writes(&e, 1, 0x9000, "before");
    enter(&e, 1, CONSTRUCT, 0x8000);
    writes(&e, 1, 0x7800, "in the outer");
    enter(&e, 1, READ, 0x7000);
    writes(&e, 1, 0x6000, "in the inner");
    leave(&e, 1, READ, 0x7000);
    writes(&e, 1, 0x7100, "in the outer again");
    leave(&e, 1, CONSTRUCT, 0x8000);
    writes(&e, 1, 0x9000, "after");
    assert_int_equal(e.log_count, 5);
    assert_in(&e, 0, NULL);
    assert_in(&e, 1, span_of(&e, CONSTRUCT, 0));
    assert_in(&e, 2, span_of(&e, READ, 0));
    assert_in(&e, 3, span_of(&e, CONSTRUCT, 0));
    assert_in(&e, 4, NULL);
    assert_int_equal(stats(&e)->logs, 5);
    assert_int_equal(stats(&e)->logs_bare, 2);
    assert_int_equal(stats(&e)->suspended, 0);
    events_free(&e);
}

/* A function that does another one's work has no span of its own; threads do not mix. */
static void test_owner(void **state)
{
    struct events e;
    events_init(&e);
    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, WRITE_READ_5, 0x8000);
    enter(&e, 21, READ_5, 0x7000);
    writes(&e, 21, 0x6000, "inside");
    writes(&e, 22, 0x6000, "another thread");
    leave(&e, 21, READ_5, 0x7000);
    leave(&e, 21, WRITE_READ_5, 0x8000);
    assert_in(&e, 0, span_of(&e, WRITE_READ_5, 0));
    assert_string_equal(e.logs[0]->device, "sys/tg_test/1");
    assert_string_equal(e.logs[0]->class_name, "TangoTest");
    assert_in(&e, 1, NULL);
    assert_null(e.logs[1]->device);
    events_free(&e);
}

static void test_fields(void **state)
{
    struct events e;
    struct draft *d;
    events_init(&e);
    writes(&e, 31, 0x6000, "text");
    d = draft(&e, TT_EVENT_ENTER, 31, LOG, 0x6000, 0x6000);
    draft_field(d, TT_FIELD_LOGGER, TT_STATUS_FAULT, 0, 0, NULL, 0);
    draft_field(d, TT_FIELD_MESSAGE, TT_STATUS_CUT, 0, 0, "begi", 4);
    ((struct tt_field_header *)(void *)(d->bytes + d->header.size - 16))->full = 5000;
    feed(&e, d);
    assert_string_equal(e.logs[0]->logger, "sys/tg_test/1");
    assert_string_equal(e.logs[0]->message, "text");
    assert_string_equal(e.logs[0]->file, "TangoTest.cpp");
    assert_int_equal(e.logs[0]->line, 815);
    assert_int_equal(e.logs[0]->level, 400);
    assert_int_equal(e.logs[0]->tgid, 30);
    assert_int_equal(e.logs[0]->tid, 31);
    assert_int_equal(e.logs[0]->full, 0);
    assert_int_equal(e.logs[0]->incomplete, 0);
    assert_null(e.logs[1]->logger);
    assert_false(e.logs[1]->has_level);
    assert_string_equal(e.logs[1]->message, "begi");
    assert_int_equal(e.logs[1]->full, 5000);
    assert_int_equal(e.logs[1]->incomplete, TT_INCOMPLETE_CUT | TT_INCOMPLETE_FAULT);
    events_free(&e);
}

/* Where nesting proves nothing no span is named: what is inside a call that waits is. */
static void test_doubt(void **state)
{
    struct events e;
    events_init_rows(&e, foreign_row);
    e.switching = true;
    enter(&e, 1, CONSTRUCT, 0x8000);
    writes(&e, 1, 0x7000, "of whom?");
    assert_in(&e, 0, NULL);
    events_free(&e);

    events_init(&e);
    enter(&e, 1, READ, 0x8000);
    lose(&e, 1);
    writes(&e, 1, 0x7000, "its exit may be lost");
    assert_in(&e, 0, NULL);
    events_free(&e);
}

static void renames(struct events *e, uint32_t tid, uint32_t row, uint64_t frame, const char *name,
                    size_t size)
{
    struct draft *d = draft(e, TT_EVENT_ENTER, tid, row, frame, frame);
    char bytes[TT_THREAD_NAME];
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, name, strlen(name) + 1 < sizeof(bytes) ? strlen(name) + 1 : sizeof(bytes));
    d->header.flags |= TT_EVENT_NAMED;
    draft_field(d, TT_FIELD_THREAD, TT_STATUS_OK, 0, 0, bytes, size);
    feed(e, d);
}

/* A thread is called as it was when the span began, or the message was written; another one, or the next with
 * its number, is not. What is no name is none, and 16 bytes without a NUL are a text all the same. */
static void test_thread_names(void **state)
{
    struct events e;
    events_init(&e);
    enter(&e, 1, CONSTRUCT, 0x9000);
    renames(&e, 1, READ, 0x8000, "motor", TT_THREAD_NAME);
    writes(&e, 1, 0x7800, "in it");
    leave(&e, 1, READ, 0x8000);
    leave(&e, 1, CONSTRUCT, 0x9000);
    enter(&e, 1, READ, 0x8000);
    leave(&e, 1, READ, 0x8000);
    enter(&e, 2, READ, 0x8000);
    leave(&e, 2, READ, 0x8000);
    renames(&e, 1, READ, 0x8000, "0123456789abcdef", TT_THREAD_NAME);
    leave(&e, 1, READ, 0x8000);
    renames(&e, 1, READ, 0x8000, "short", 8);
    leave(&e, 1, READ, 0x8000);
    thread_ends(&e, 1);
    e.start[1]++;
    e.sequence[1] = 0;
    enter(&e, 1, READ, 0x8000);
    leave(&e, 1, READ, 0x8000);
    static const char *const want[] = {"motor", "motor", "", "0123456789abcde", "0123456789abcde", ""};
    for (size_t i = 0; i < TT_ARRAY_SIZE(want); i++)
        assert_string_equal(span_of(&e, READ, i)->thread_name, want[i]);
    assert_string_equal(span_of(&e, CONSTRUCT, 0)->thread_name, "");
    assert_string_equal(e.logs[0]->thread_name, "motor");
    assert_int_equal(span_of(&e, READ, 0)->incomplete, 0);
    events_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_innermost), cmocka_unit_test(test_thread_names), cmocka_unit_test(test_owner),
        cmocka_unit_test(test_fields),    cmocka_unit_test(test_doubt),
    };

    return cmocka_run_group_tests_name("logs", tests, NULL, NULL);
}
