/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls that stay open, and who holds up whom. */
#include "assemble/events.h"

#include <json-c/json.h>

#include "agent/calls.h"

#define MS 1000000ull

static struct events e;
static struct tt_calls *calls;

/* Nothing is known of any process. */
static struct tt_process *no_process(void *context, uint32_t pid, uint64_t time)
{
    return NULL;
}

static void on_wait(void *context, struct tt_span *span, const struct tt_wait *wait)
{
    tt_calls_wait(calls, span, wait);
}

static void record(void *context, struct tt_log *log)
{
    tt_correlator_log(e.correlator, log);
}

static int setup(void **state)
{
    const struct tt_calls_config config = {
        .open_ns = 100 * MS, .wait_ns = 50 * MS, .process = no_process, .record = record};
    events_init_correlated(&e, &(struct tt_correlator_config){.wait = on_wait});
    calls = tt_calls_new(&config);
    assert_non_null(calls);
    return 0;
}

static int teardown(void **state)
{
    tt_calls_free(&calls);
    events_free(&e);
    return 0;
}

static void tick_after(uint64_t ms)
{
    e.now += ms * MS;
    tt_calls_tick(calls, e.assembler, e.now);
}

static const struct tt_log_fact *fact_of(const struct tt_log *log, enum tt_attr attr)
{
    for (unsigned i = 0; i < log->fact_count; i++)
        if (log->facts[i].attr == attr)
            return &log->facts[i];
    return NULL;
}

static void assert_text(const struct tt_log *log, enum tt_attr attr, const char *text)
{
    const struct tt_log_fact *fact = fact_of(log, attr);
    assert_non_null(fact);
    assert_string_equal(fact->text, text);
}

static void waits(uint32_t tid, uint64_t frame, uint64_t holder)
{
    struct draft *d = draft(&e, TT_EVENT_ENTER, tid, WAIT, frame, frame);
    draft_u64(d, TT_FIELD_HOLDER, holder);
    draft_string(d, TT_FIELD_TEXT, 0, "sys/tg_test/1");
    feed(&e, d);
}

static struct json_object *ask(void)
{
    struct tt_json json = {0};
    struct json_object *root;

    tt_json_object(&json, NULL);
    tt_calls_json(calls, e.assembler, e.now, &json);
    tt_json_object_end(&json);
    assert_false(json.failed);
    root = json_tokener_parse(json.data);
    assert_non_null(root);
    tt_json_free(&json);
    return root;
}

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value;
    assert_true(json_object_object_get_ex(object, key, &value));
    return value;
}

static const char *text(struct json_object *object, const char *key)
{
    return json_object_get_string(member(object, key));
}

/* Once at the limit, once at twice, once at four times; with the ids that the span has in the end. */
static void told_three_times(void **state)
{
    enter(&e, 11, READ, 0x8000);
    tick_after(90);
    assert_int_equal(e.log_count, 0);
    tick_after(110);
    assert_int_equal(e.log_count, 1); /* one at a time, however late */
    tick_after(10);
    assert_int_equal(e.log_count, 1); /* looked just now */
    tick_after(100);
    tick_after(100);
    assert_int_equal(e.log_count, 3 - 1 + (410 >= 400));
    tick_after(1000);
    assert_int_equal(e.log_count, 3);
    leave(&e, 11, READ, 0x8000);
    tick_after(1000);
    assert_int_equal(e.log_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(e.logs[i]->event, "tango.call.open");
        assert_memory_equal(e.logs[i]->span_id, span_of(&e, READ, 0)->span_id, 8);
        assert_memory_equal(e.logs[i]->trace_id, span_of(&e, READ, 0)->trace_id, 16);
        assert_text(e.logs[i], TT_ATTR_LOG_TARGET, "sys/tg_test/1");
        assert_text(e.logs[i], TT_ATTR_LOG_WAITS_FOR, "its request to be sent");
    }
    assert_true(fact_of(e.logs[0], TT_ATTR_LOG_AGE)->number >= (int64_t)(100 * MS));
}

/* What is no call is not told of. */
static void not_of_methods(void **state)
{
    enter(&e, 31, POLL, 0x8000);
    enter(&e, 31, METHOD, 0x7000);
    tick_after(1000);
    assert_int_equal(e.log_count, 0);
}

static void who_blocks_whom(void **state)
{
    struct json_object *root, *block, *call;

    upcall(&e, 21, 0x9000, 4000, 2);
    enter(&e, 21, COMMAND_2, 0x8000);
    enter(&e, 21, METHOD, 0x7000);
    upcall(&e, 22, 0x9000, 4001, 2);
    enter(&e, 22, READ_5, 0x8000);
    waits(22, 0x7000, 21);
    e.now += 40 * MS;
    root = ask();
    assert_int_equal(json_object_array_length(member(root, "calls")), 2);
    call = json_object_array_get_idx(member(root, "calls"), 1);
    if (json_object_get_int(member(call, "thread")) != 22)
        call = json_object_array_get_idx(member(root, "calls"), 0);
    assert_string_equal(text(call, "side"), "server");
    assert_string_equal(text(member(call, "monitor"), "name"), "sys/tg_test/1");
    assert_int_equal(json_object_get_int(member(member(member(call, "monitor"), "holder"), "thread")), 21);
    assert_non_null(strstr(text(call, "waits_for"), "the monitor of sys/tg_test/1, held by "));
    block = json_object_array_get_idx(member(root, "blocks"), 0);
    assert_int_equal(json_object_get_int(member(block, "waiting")), 1);
    assert_int_equal(json_object_get_int(member(block, "waits")), 0);
    json_object_put(root);
    leave(&e, 22, WAIT, 0x7000); /* too short for a record */
    assert_int_equal(e.log_count, 0);

    waits(22, 0x7000, 21);
    e.now += 60 * MS;
    leave(&e, 22, WAIT, 0x7000);
    leave(&e, 22, READ_5, 0x8000);
    tt_correlator_flush(e.correlator);
    assert_int_equal(e.log_count, 1);
    assert_string_equal(e.logs[0]->event, "tango.monitor.wait");
    assert_int_equal(fact_of(e.logs[0], TT_ATTR_LOG_WAIT)->number, 60 * MS + 1000);
    assert_int_equal(fact_of(e.logs[0], TT_ATTR_LOG_HOLDER)->number, 21);
    assert_text(e.logs[0], TT_ATTR_LOG_HOLDER_TARGET, "sys/tg_test/1");
    assert_memory_equal(e.logs[0]->span_id, span_of(&e, READ_5, 0)->span_id, 8);
    root = ask();
    assert_int_equal(json_object_array_length(member(root, "blocks")), 1);
    block = json_object_array_get_idx(member(root, "blocks"), 0);
    assert_int_equal(json_object_get_int(member(block, "waiting")), 0);
    assert_int_equal(json_object_get_int(member(block, "waits")), 2);
    assert_true(json_object_get_double(member(block, "total_seconds")) > 0.1);
    assert_true(json_object_get_double(member(block, "longest_seconds")) < 0.061);
    json_object_put(root);
}

/* More pairs, and more threads that wait, than there is room for: the oldest are forgotten, nothing else. */
static void bounded(void **state)
{
    struct json_object *root;

    for (unsigned i = 0; i < 600; i++) {
        uint32_t tid = 300 + i;
        upcall(&e, tid, 0x9000, 5000 + i, 2);
        enter(&e, tid, READ_5, 0x8000);
        waits(tid, 0x7000, 9000 + i);
    }
    for (unsigned i = 0; i < 600; i++)
        leave(&e, 300 + i, WAIT, 0x7000);
    root = ask();
    assert_int_equal(json_object_array_length(member(root, "calls")), 600);
    assert_in_range(json_object_array_length(member(root, "blocks")), 60, 256);
    json_object_put(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(told_three_times, setup, teardown),
        cmocka_unit_test_setup_teardown(not_of_methods, setup, teardown),
        cmocka_unit_test_setup_teardown(who_blocks_whom, setup, teardown),
        cmocka_unit_test_setup_teardown(bounded, setup, teardown),
    };
    return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
