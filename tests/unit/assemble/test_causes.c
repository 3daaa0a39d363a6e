/* SPDX-License-Identifier: GPL-2.0-only */
/* What goes on in a server without being asked for: polling, events, start and stop. */
#include "events.h"

#include "base/cleanup.h"

#define MS 1000000ull

static void test_polling(void **state)
{
    struct events e;
    struct draft *d;
    events_init(&e);
    d = draft(&e, TT_EVENT_ENTER, 21, POLL, 0x9000, 0x9000);
    draft_string(d, TT_FIELD_DEVICE, 0, "sys/tg_test/1");
    draft_u64(d, TT_FIELD_PLANNED, 5000);
    draft_u64(d, TT_FIELD_PERIOD, 100 * MS);
    feed(&e, d);
    enter(&e, 21, READ_5, 0x8000);
    pushes(&e, 21, 0x7000, "tango://h:1/a/b/c/x.change", 1);
    leave(&e, 21, READ_5, 0x8000);
    leave(&e, 21, POLL, 0x9000);
    const struct tt_span *poll = span_of(&e, POLL, 0), *read = span_of(&e, READ_5, 0),
                         *push = span_of(&e, PUSH, 0);
    assert_true(is_root(poll));
    assert_int_equal(poll->kind, TT_SPAN_INTERNAL);
    assert_int_equal(poll->trigger, TT_TRIGGER_POLLING);
    assert_int_equal(poll->planned, 5000);
    assert_int_equal(poll->period, 100 * MS);
    assert_parent(read, poll);
    assert_int_equal(read->kind, TT_SPAN_INTERNAL);
    assert_int_equal(read->trigger, TT_TRIGGER_POLLING);
    assert_false(read->collocated);
    assert_parent(push, read);
    assert_int_equal(push->kind, TT_SPAN_PRODUCER);
    events_free(&e);
}

/* cppTango 9.3: seconds and microseconds of a shortened unix time, period in ms. */
static void test_polling_93(void **state)
{
    struct events e;
    struct draft *d;
    events_init(&e);
    d = draft(&e, TT_EVENT_ENTER, 21, POLL, 0x9000, 0x9000);
    draft_u64(d, TT_FIELD_PLANNED, 700000000);
    draft_u64(d, TT_FIELD_PLANNED_USEC, 250000);
    draft_u64(d, TT_FIELD_PERIOD_MS, 3000);
    feed(&e, d);
    leave(&e, 21, POLL, 0x9000);
    assert_int_equal(span_of(&e, POLL, 0)->planned, 0);
    assert_int_equal(span_of(&e, POLL, 0)->planned_unix, 1702000000250000000ull);
    assert_int_equal(span_of(&e, POLL, 0)->period, 3000 * MS);
    d = draft(&e, TT_EVENT_ENTER, 21, POLL, 0x9000, 0x9000);
    draft_u64(d, TT_FIELD_PLANNED, 700000000);
    draft_u64(d, TT_FIELD_PLANNED_USEC, 1000000); /* no such time: it was read from somewhere else */
    feed(&e, d);
    leave(&e, 21, POLL, 0x9000);
    assert_int_equal(span_of(&e, POLL, 1)->planned_unix, 0);
    assert_int_equal(span_of(&e, POLL, 1)->planned, 0);
    events_free(&e);
}

static void test_push(void **state)
{
    struct events e;
    events_init(&e);
    pushes(&e, 21, 0x7000, "tango://h:1/a/b/c/x.idl5_change", 77);
    const struct tt_span *push = span_of(&e, PUSH, 0);
    assert_true(is_root(push));
    assert_string_equal(push->topic, "tango://h:1/a/b/c/x.idl5_change");
    assert_true(push->has_counter);
    assert_int_equal(push->counter, 77);
    assert_int_equal(e.pushed, 1);
    assert_int_equal(stats(&e)->suspended, 0);
    assert_int_equal(stats(&e)->mismatched_exits, 0);
    events_free(&e);
}

/* Of how many elements the value is; there may be none. */
static void test_push_size(void **state)
{
    static const struct {
        uint64_t dimensions, elements;
    } samples[] = {
        {1, 1}, {200, 200}, {3ull << 32 | 4, 12}, {0, 0}, {~0ull, (uint64_t)INT32_MAX * INT32_MAX}};
    struct events e;
    events_init(&e);
    for (size_t i = 0; i < TT_ARRAY_SIZE(samples); i++) {
        struct draft *d = draft(&e, TT_EVENT_ENTER, 21, PUSH, 0x9000, 0x9000);
        draft_u64(d, TT_FIELD_DIMENSIONS, samples[i].dimensions);
        feed(&e, d);
        leave(&e, 21, PUSH, 0x9000);
        assert_int_equal(span_of(&e, PUSH, i)->elements, samples[i].elements);
        assert_int_equal(span_of(&e, PUSH, i)->incomplete, 0);
    }
    events_free(&e);
}

/* A heartbeat has a number and no event around it. */
static void test_heartbeat(void **state)
{
    struct events e;
    struct draft *d;
    events_init(&e);
    enter(&e, 21, READ_5, 0x9000);
    d = draft(&e, TT_EVENT_ENTER, 21, COUNTER, 0x8000, 0x8000);
    draft_u64(d, TT_FIELD_COUNTER, 5);
    feed(&e, d);
    leave(&e, 21, READ_5, 0x9000);
    assert_int_equal(e.pushed, 0);
    assert_false(span_of(&e, READ_5, 0)->has_counter);
    assert_int_equal(stats(&e)->orphan_exits, 0);
    events_free(&e);
}

static void test_receive(void **state)
{
    struct events e;
    events_init(&e);
    receives(&e, 31, 0x9000, "tango://h:1/a/b/c/x.change", 3);
    enter(&e, 31, READ, 0x8000);
    leave(&e, 31, READ, 0x8000);
    leave(&e, 31, RECEIVE, 0x9000);
    lose(&e, 31);
    receives(&e, 31, 0x9000, "tango://h:1/a/b/c/x.change", 4);
    leave(&e, 31, RECEIVE, 0x9000);
    receives(&e, 31, 0x9000, "tango://h:1/a/b/c/x.change", 5);
    leave(&e, 31, RECEIVE, 0x9000);
    const struct tt_span *first = span_of(&e, RECEIVE, 0);
    assert_int_equal(first->kind, TT_SPAN_CONSUMER);
    assert_int_equal(first->trigger, TT_TRIGGER_EVENT);
    assert_int_equal(first->counter, 3);
    assert_false(first->event_error); /* only the lowest byte of its register counts */
    assert_false(first->after_gap);
    assert_parent(span_of(&e, READ, 0), first);
    assert_true(span_of(&e, RECEIVE, 1)->after_gap);
    assert_false(span_of(&e, RECEIVE, 2)->after_gap);
    events_free(&e);
}

static void test_life(void **state)
{
    struct events e;
    events_init(&e);
    enter(&e, 21, START, 0x9000);
    leave(&e, 21, START, 0x9000);
    enter(&e, 21, START_SERVER, 0x9000);
    enter(&e, 21, EXPORT, 0x8000);
    enter(&e, 21, COMMAND, 0x7000);
    leave(&e, 21, COMMAND, 0x7000);
    leave(&e, 21, EXPORT, 0x8000);
    leave(&e, 21, START_SERVER, 0x9000);
    assert_int_equal(span_of(&e, START, 0)->trigger, TT_TRIGGER_STARTUP);
    assert_parent(span_of(&e, EXPORT, 0), span_of(&e, START_SERVER, 0));
    assert_int_equal(span_of(&e, EXPORT, 0)->trigger, TT_TRIGGER_STARTUP);
    assert_parent(span_of(&e, COMMAND, 0), span_of(&e, EXPORT, 0));
    assert_int_equal(span_of(&e, COMMAND, 0)->kind, TT_SPAN_CLIENT);
    assert_string_equal(span_of(&e, COMMAND, 0)->owner_device, "sys/tg_test/1");
    events_free(&e);
}

static void born(struct events *e, const char *device)
{
    struct draft *d = draft(e, TT_EVENT_ENTER, 21, BIRTH, 0x6000, 0x6000);
    draft_string(d, TT_FIELD_DEVICE, 0, device);
    draft_string(d, TT_FIELD_CLASS, 0, "Basler");
    feed(e, d);
    leave(e, 21, BIRTH, 0x6000);
}

static void python_ends(struct events *e, uint64_t frame, uint64_t result)
{
    struct draft *d = draft(e, TT_EVENT_EXIT, 21, PYTHON, frame, frame - 64);
    draft_u64(d, TT_FIELD_PY_RESULT, result);
    feed(e, d);
}

static const struct tt_span *init_of(const struct events *e, size_t i, const char *device,
                                     unsigned incomplete)
{
    const struct tt_span *init = span_of(e, INIT, i);
    assert_string_equal(init->device, device);
    assert_string_equal(init->class_name, "Basler");
    assert_int_equal(init->kind, TT_SPAN_INTERNAL);
    assert_int_equal(init->incomplete, incomplete);
    assert_parent(init, span_of(e, START_SERVER, 0));
    assert_int_equal(init->trigger, TT_TRIGGER_STARTUP);
    return init;
}

/* From the end of a device's constructor to the next device, or to their export. */
static void test_init_device(void **state)
{
    struct events e;
    events_init(&e);
    enter(&e, 21, START_SERVER, 0x9000);
    enter(&e, 21, PYTHON, 0x8800);
    born(&e, "a/b/1");
    enter(&e, 21, COMMAND, 0x8000); /* Python calls from higher up, too */
    leave(&e, 21, COMMAND, 0x8000);
    catches(&e, 21, 0x8000); /* an exception that it handles */
    enter(&e, 21, COMMAND, 0x5000);
    leave(&e, 21, COMMAND, 0x5000);
    born(&e, "a/b/2");
    enter(&e, 21, EXPORT, 0x8000);
    leave(&e, 21, EXPORT, 0x8000);
    python_ends(&e, 0x8800, 0x1234);
    leave(&e, 21, START_SERVER, 0x9000);
    const struct tt_span *first = init_of(&e, 0, "a/b/1", TT_INCOMPLETE_END),
                         *second = init_of(&e, 1, "a/b/2", TT_INCOMPLETE_END);
    assert_parent(span_of(&e, COMMAND, 0), first);
    assert_parent(span_of(&e, COMMAND, 1), first);
    assert_string_equal(span_of(&e, COMMAND, 0)->owner_device, "a/b/1");
    assert_true(first->start < first->end && first->end < second->start && second->start < second->end);
    assert_parent(span_of(&e, EXPORT, 0), span_of(&e, START_SERVER, 0));
    assert_int_equal(span_of(&e, EXPORT, 0)->trigger, TT_TRIGGER_STARTUP);
    assert_true(span_of(&e, EXPORT, 0)->start >= second->end);
    assert_false(first->failed || second->failed);
    assert_int_equal(stats(&e)->buried, 0);
    assert_int_equal(stats(&e)->suspended, 0);
    assert_int_equal(stats(&e)->open, 0);
    assert_int_equal(stats(&e)->orphan_exits + stats(&e)->mismatched_exits, 0);
    events_free(&e);
}

/* The call ends: by a result, by an exception of Python's, by one of C++. */
static void test_init_device_ends(void **state)
{
    struct events e;
    events_init(&e);
    enter(&e, 21, START_SERVER, 0x9000);
    enter(&e, 21, PYTHON, 0x8800);
    born(&e, "a/b/1");
    python_ends(&e, 0x8800, 0x1234);
    enter(&e, 21, PYTHON, 0x8800);
    born(&e, "a/b/2");
    python_ends(&e, 0x8800, 0);
    enter(&e, 21, PYTHON, 0x8800);
    born(&e, "a/b/3");
    catches(&e, 21, 0x8900);
    leave(&e, 21, START_SERVER, 0x9000);
    assert_false(init_of(&e, 0, "a/b/1", TT_INCOMPLETE_END)->failed);
    assert_true(init_of(&e, 1, "a/b/2", 0)->failed);
    assert_string_equal(init_of(&e, 2, "a/b/3", 0)->exception_type, "N5Tango9DevFailedE");
    assert_int_equal(stats(&e)->open, 0);
    events_free(&e);
}

/* Devices that C++ code makes; one whose constructor fails; one of whose maker nothing is known. */
static void test_no_init_device(void **state)
{
    struct events e;
    events_init(&e);
    born(&e, "a/b/1");
    enter(&e, 21, START_SERVER, 0x9000);
    born(&e, "a/b/2");
    enter(&e, 21, PYTHON, 0x8800);
    feed(&e, draft(&e, TT_EVENT_ENTER, 21, BIRTH, 0x6000, 0x6000));
    catches(&e, 21, 0x6800);
    python_ends(&e, 0x8800, 0);
    leave(&e, 21, START_SERVER, 0x9000);
    assert_int_equal(e.count, 1);
    assert_false(span_of(&e, START_SERVER, 0)->failed);
    assert_int_equal(stats(&e)->open, 0);
    assert_int_equal(stats(&e)->orphan_exits + stats(&e)->mismatched_exits, 0);
    enter(&e, 21, START_SERVER, 0x9000);
    enter(&e, 21, PYTHON, 0x8800);
    feed(&e, draft(&e, TT_EVENT_ENTER, 21, BIRTH, 0x6000, 0x6000)); /* freed while open, says the sanitizer */
    events_free(&e);
}

static void on_beat(void *context, const struct tt_beat *beat)
{
    char *text = context;
    snprintf(text, 80, "%u %s %s", beat->tgid, beat->row->verb, beat->channel);
}

/* No span; what is open around it stays; a channel that is not known is none. */
static void test_beats(void **state)
{
    char text[80] = "";
    struct events e;
    events_init(&e);
    tt_assembler_set_beats(e.assembler, on_beat, text);
    enter(&e, 11, READ, 0x8000);
    struct draft *d = draft(&e, TT_EVENT_ENTER, 11, BEAT, 0x7000, 0x7000);
    draft_string(d, TT_FIELD_TOPIC, 0, "tango://h:1/dserver/a/b.heartbeat");
    feed(&e, d);
    assert_string_equal(text, "10 received tango://h:1/dserver/a/b.heartbeat");
    feed(&e, draft(&e, TT_EVENT_ENTER, 12, BEAT, 0x7000, 0x7000));
    assert_string_equal(text, "10 received ");
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.count, 1);
    assert_int_equal(e.spans[0]->incomplete, 0);
    assert_int_equal(stats(&e)->open, 0);
    events_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_polling),        cmocka_unit_test(test_polling_93),
        cmocka_unit_test(test_push_size),      cmocka_unit_test(test_beats),
        cmocka_unit_test(test_push),           cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_receive),        cmocka_unit_test(test_life),
        cmocka_unit_test(test_init_device),    cmocka_unit_test(test_init_device_ends),
        cmocka_unit_test(test_no_init_device),
    };

    return cmocka_run_group_tests_name("causes", tests, NULL, NULL);
}
