/* SPDX-License-Identifier: GPL-2.0-only */
/* What was captured, readable or not. */
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

static struct tt_span *finish(struct draft *d)
{
    feed(&e, d);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.count, 1);
    return e.spans[0];
}

static struct draft *begin(void)
{
    return draft(&e, TT_EVENT_ENTER, 11, READ, 0x8000, 0x8000);
}

static void all_kinds(void **state)
{
    struct draft *d = begin();
    struct tt_client_ident ident = {.language = 2, .pid = 4711};
    draft_string(d, TT_FIELD_DEVICE, 0, "a/b/c");
    draft_string(d, TT_FIELD_CLASS, 0, "Basler");
    draft_string(d, TT_FIELD_COMMAND, 0, "Arm");
    draft_string(d, TT_FIELD_TEXT, 0, "tango://h:10000/a/b/c");
    draft_string(d, TT_FIELD_ATTRIBUTE, 0, "Gain");
    draft_string(d, TT_FIELD_ATTRIBUTE, 1, "Exposure");
    draft_u64(d, TT_FIELD_COUNT, 12);
    draft_u64(d, TT_FIELD_SOURCE, 0xffffffff00000003ull);
    draft_field(d, TT_FIELD_CLIENT, TT_STATUS_OK, 0, 0, &ident, sizeof(ident));
    struct tt_span *span = finish(d);
    assert_string_equal(span->device, "a/b/c");
    assert_string_equal(span->class_name, "Basler");
    assert_string_equal(span->command, "Arm");
    assert_string_equal(span->text, "tango://h:10000/a/b/c");
    assert_int_equal(span->attribute_count, 2);
    assert_string_equal(span->attributes[1], "Exposure");
    assert_int_equal(span->attribute_total, 12);
    assert_int_equal(span->source, 3);
    assert_true(span->has_client);
    assert_int_equal(span->client.pid, 4711);
    assert_int_equal(span->incomplete, 0);
}

static void nothing_captured(void **state)
{
    struct tt_span *span = finish(begin());
    assert_null(span->device);
    assert_int_equal(span->source, -1);
    assert_int_equal(span->attribute_total, 0);
    assert_int_equal(span->incomplete, 0);
}

static void cut_and_unreadable(void **state)
{
    struct draft *d = begin();
    draft_field(d, TT_FIELD_DEVICE, TT_STATUS_CUT, 0, 0, "a/b/c", 5);
    draft_field(d, TT_FIELD_COMMAND, TT_STATUS_FAULT, 0, 0, NULL, 0);
    draft_field(d, TT_FIELD_ATTRIBUTE, TT_STATUS_BAD, 0, 0, NULL, 0);
    draft_string(d, TT_FIELD_ATTRIBUTE, 1, "second");
    struct tt_span *span = finish(d);
    assert_string_equal(span->device, "a/b/c");
    assert_null(span->command);
    assert_int_equal(span->attribute_count, 1);
    assert_string_equal(span->attributes[0], "second");
    assert_int_equal(span->incomplete, TT_INCOMPLETE_CUT | TT_INCOMPLETE_FAULT);
}

/* A Database has anything where a DeviceProxy has its name: no name, and no doubt either. */
static void connection_without_name(void **state)
{
    static const struct {
        enum tt_status status;
        const char *data;
        const char *want;
    } cases[] = {{TT_STATUS_FAULT, "", NULL},
                 {TT_STATUS_BAD, "", NULL},
                 {TT_STATUS_OK, "\x01\x02", NULL},
                 {TT_STATUS_CUT, "\x7f", NULL},
                 {TT_STATUS_OK, "a/b/c", "a/b/c"}};

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        struct draft *d = draft(&e, TT_EVENT_ENTER, 11, ON_CONNECTION, 0x8000, 0x8000);
        draft_field(d, TT_FIELD_DEVICE, cases[i].status, 0, 0, cases[i].data, strlen(cases[i].data));
        feed(&e, d);
        leave(&e, 11, ON_CONNECTION, 0x8000);
        assert_int_equal(e.count, i + 1);
        assert_int_equal(e.spans[i]->incomplete, 0);
        if (cases[i].want)
            assert_string_equal(e.spans[i]->device, cases[i].want);
        else
            assert_null(e.spans[i]->device);
    }
}

static void full_event_is_cut(void **state)
{
    struct draft *d = begin();
    d->header.flags = TT_EVENT_FULL;
    assert_int_equal(finish(d)->incomplete, TT_INCOMPLETE_CUT);
}

static void wrong_sizes(void **state)
{
    struct draft *d = begin();
    draft_field(d, TT_FIELD_SOURCE, TT_STATUS_OK, 0, 0, "abc", 3);
    draft_field(d, TT_FIELD_CLIENT, TT_STATUS_OK, 0, 0, "abc", 3);
    draft_field(d, 200, TT_STATUS_OK, 0, 0, "abc", 3);
    draft_field(d, TT_FIELD_REASON, TT_STATUS_OK, 200, 0, "abc", 3);
    struct tt_span *span = finish(d);
    assert_int_equal(span->incomplete, TT_INCOMPLETE_FAULT);
    assert_int_equal(span->source, -1);
    assert_false(span->has_client);
    assert_int_equal(span->error_count, 0);
}

static void more_attributes_than_fit(void **state)
{
    struct draft *d = begin();
    for (int i = 0; i < 20; i++)
        draft_string(d, TT_FIELD_ATTRIBUTE, i, "x");
    struct tt_span *span = finish(d);
    assert_int_equal(span->attribute_count, TT_LIST_MAX);
    assert_int_equal(span->attribute_total, TT_LIST_MAX);
}

static void failed_attributes_of_a_reply(void **state)
{
    enter(&e, 11, READ, 0x8000);
    struct draft *d = draft(&e, TT_EVENT_EXIT, 11, READ, 0x8000, 0x7000);
    draft_u64(d, TT_FIELD_FAILED, 3);
    draft_string(d, TT_FIELD_FAILED_NAME, 0, "Gain");
    draft_string(d, TT_FIELD_REASON, 0, "API_AttrNotFound");
    draft_string(d, TT_FIELD_FAILED_NAME, 1, "Mode");
    draft_field(d, TT_FIELD_REASON, TT_STATUS_FAULT, 1, 0, NULL, 0);
    feed(&e, d);
    struct tt_span *span = e.spans[0];
    assert_true(span->failed);
    assert_int_equal(span->error_count, 2);
    assert_int_equal(span->error_total, 3);
    assert_string_equal(span->errors[0].attribute, "Gain");
    assert_string_equal(span->errors[0].reason, "API_AttrNotFound");
    assert_string_equal(span->errors[1].attribute, "Mode");
    assert_null(span->errors[1].reason);
    assert_null(span->exception_type);
    assert_int_equal(span->incomplete, TT_INCOMPLETE_FAULT);
}

/* The first error of a stack cannot be read, the second can: it stays the second. */
static void unreadable_error(void **state)
{
    enter(&e, 11, READ, 0x8000);
    struct draft *d = draft(&e, TT_EVENT_CATCH, 11, CATCH, 0x8000, 0x8000);
    struct tt_exception exception = {.exception_class = CXX_CLASS, .errors = 2};
    draft_field(d, TT_FIELD_EXCEPTION, TT_STATUS_OK, 0, 0, &exception, sizeof(exception));
    draft_field(d, TT_FIELD_REASON, TT_STATUS_FAULT, 0, 0, NULL, 0);
    draft_string(d, TT_FIELD_REASON, 1, "API_Second");
    feed(&e, d);
    assert_int_equal(e.spans[0]->error_count, 2);
    assert_null(e.spans[0]->errors[0].reason);
    assert_string_equal(e.spans[0]->errors[1].reason, "API_Second");
    assert_int_equal(e.spans[0]->incomplete, TT_INCOMPLETE_FAULT);
}

static void no_failed_attribute(void **state)
{
    enter(&e, 11, READ, 0x8000);
    struct draft *d = draft(&e, TT_EVENT_EXIT, 11, READ, 0x8000, 0x7000);
    draft_u64(d, TT_FIELD_FAILED, 0);
    feed(&e, d);
    assert_false(e.spans[0]->failed);
    assert_int_equal(e.spans[0]->error_total, 0);
}

static void reply_of_a_tail_call(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, COMMAND_4, 0x9000);
    enter(&e, 21, COMMAND_2, 0x9000);
    struct draft *d = draft(&e, TT_EVENT_EXIT, 21, COMMAND_2, 0x9000, 0x8000);
    draft_u64(d, TT_FIELD_FAILED, 1);
    feed(&e, d);
    assert_true(span_of(&e, COMMAND_4, 0)->failed);
}

static void size_of_the_buffer_counts(void **state)
{
    struct draft *d = begin();
    draft_string(d, TT_FIELD_DEVICE, 0, "a/b/c");
    tt_assembler_event(e.assembler, d, d->header.size - 1u); /* cut off by the ring: refused */
    assert_int_equal(stats(&e)->malformed, 1);
    d->header.sequence = 1;
    d->header.size -= 3; /* the padding only */
    tt_assembler_event(e.assembler, d, d->header.size);
    assert_int_equal(stats(&e)->malformed, 1);
    leave(&e, 11, READ, 0x8000);
    assert_string_equal(e.spans[0]->device, "a/b/c");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_kinds),
        TEST(nothing_captured),
        TEST(cut_and_unreadable),
        TEST(connection_without_name),
        TEST(full_event_is_cut),
        TEST(wrong_sizes),
        TEST(more_attributes_than_fit),
        TEST(failed_attributes_of_a_reply),
        TEST(unreadable_error),
        TEST(no_failed_attribute),
        TEST(reply_of_a_tail_call),
        TEST(size_of_the_buffer_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
