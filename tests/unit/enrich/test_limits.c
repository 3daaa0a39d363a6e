/* SPDX-License-Identifier: GPL-2.0-only */
/* OpenTelemetry's limits on what is exported. */
#include "../export/fixture.h"

#include "enrich/limits.h"

static struct tt_otel_span *make(struct tt_otel_resource *resource)
{
    static const char *const names[] = {"short", "longer than that"};
    struct tt_otel_span *span = fixture_span(resource, 1, 1, 0, 3, "read", "sys/tg_test/1", 0, 1);

    add_attribute(span, string_attribute("one", "12345678"));
    add_attribute(span, string_attribute("two", "123456\u00e4\u00e4"));
    add_attribute(span, strings_attribute("names", names, 2));
    add_attribute(span, int_attribute("number", 123456789));
    fail_span(span, "API_Error: no such thing");
    return span;
}

static const struct tt_otel_attribute *find(const struct tt_otel_span *span, const char *key)
{
    return tt_otel_find(span->attributes, span->attribute_count, key);
}

static void test_none(void **state)
{
    const struct tt_otel_limits none = {0};
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    struct tt_otel_span *span = make(resource);
    size_t count = span->attribute_count;

    tt_otel_limit_span(span, &none);
    assert_int_equal(span->attribute_count, count);
    assert_int_equal(span->event_count, 1);
    assert_string_equal(find(span, "two")->value.string, "123456\u00e4\u00e4");
    tt_otel_span_put(&span);
    tt_otel_resource_put(&resource);
}

static void test_length(void **state)
{
    const struct tt_otel_limits limits = {.length = 7};
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    struct tt_otel_span *span = make(resource);

    tt_otel_limit_span(span, &limits);
    assert_string_equal(find(span, "one")->value.string, "1234567");
    assert_string_equal(find(span, "two")->value.string, "123456"); /* no half of a character */
    assert_string_equal(find(span, "names")->value.strings.items[0], "short");
    assert_string_equal(find(span, "names")->value.strings.items[1], "longer ");
    assert_int_equal(find(span, "number")->value.integer, 123456789);
    assert_string_equal(span->events[0].attributes[1].value.string, "API_Err");
    assert_string_equal(span->status_message, "API_Error: no such thing"); /* no attribute */
    tt_otel_span_put(&span);
    tt_otel_resource_put(&resource);
}

static void test_counts(void **state)
{
    const struct tt_otel_limits limits = {.attributes = 3, .events = 1, .event_attributes = 1, .links = 1};
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    struct tt_otel_span *span = make(resource);
    size_t count = span->attribute_count;
    struct tt_otel_log *log = tt_otel_log_new();

    span->links = tt_arena_alloc(&span->arena, 2 * sizeof(*span->links));
    memset(span->links, 0, 2 * sizeof(*span->links));
    span->link_count = 2;
    span->dropped_events = 2; /* before it came here */
    span->dropped_attributes = 3;
    span->dropped_links = 4;
    tt_otel_limit_span(span, &limits);
    assert_int_equal(span->link_count, 1);
    assert_int_equal(span->dropped_links, 5);
    assert_int_equal(span->attribute_count, 3);
    assert_int_equal(span->dropped_attributes, count);
    assert_int_equal(span->event_count, 1);
    assert_int_equal(span->dropped_events, 2);
    assert_int_equal(span->events[0].attribute_count, 1);
    assert_true(span->events[0].dropped_attributes > 0);
    log->attributes = tt_arena_alloc(&log->arena, 5 * sizeof(*log->attributes));
    for (log->attribute_count = 0; log->attribute_count < 5; log->attribute_count++)
        log->attributes[log->attribute_count] = int_attribute("number", 1);
    tt_otel_limit_log(log, &limits);
    assert_int_equal(log->attribute_count, 3);
    assert_int_equal(log->dropped_attributes, 2);
    tt_otel_log_put(&log);
    tt_otel_span_put(&span);
    tt_otel_resource_put(&resource);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
