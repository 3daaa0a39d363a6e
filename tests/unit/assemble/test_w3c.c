/* SPDX-License-Identifier: GPL-2.0-only */
/* What native telemetry sends is believed only in W3C's form, and reaches the span. */
#include "assemble/events.h"
#include "assemble/w3c.h"

#define GOOD "00-febdc034fde84bbf49f4e0997b5cdb66-1b94c9ba055495eb-01"

static void good(void **state)
{
    static const uint8_t trace[16] = {0xfe, 0xbd, 0xc0, 0x34, 0xfd, 0xe8, 0x4b, 0xbf,
                                      0x49, 0xf4, 0xe0, 0x99, 0x7b, 0x5c, 0xdb, 0x66};
    static const uint8_t span[8] = {0x1b, 0x94, 0xc9, 0xba, 0x05, 0x54, 0x95, 0xeb};
    struct tt_w3c context;
    assert_true(tt_w3c_parse(GOOD, strlen(GOOD), &context));
    assert_memory_equal(context.trace_id, trace, sizeof(trace));
    assert_memory_equal(context.span_id, span, sizeof(span));
    assert_int_equal(context.flags, TT_W3C_SAMPLED);
    assert_true(tt_w3c_state("a=1,b@c=2", 9));
}

static void bad(void **state)
{
    static const char *const texts[] = {
        "",
        "00-febdc034fde84bbf49f4e0997b5cdb66-1b94c9ba055495eb-0",
        "00-febdc034fde84bbf49f4e0997b5cdb66-1b94c9ba055495eb-01-",
        "01-febdc034fde84bbf49f4e0997b5cdb66-1b94c9ba055495eb-01",
        "ff-febdc034fde84bbf49f4e0997b5cdb66-1b94c9ba055495eb-01",
        "00-FEBDC034FDE84BBF49F4E0997B5CDB66-1b94c9ba055495eb-01",
        "00-febdc034fde84bbf49f4e0997b5cdb6g-1b94c9ba055495eb-01",
        "00-00000000000000000000000000000000-1b94c9ba055495eb-01",
        "00-febdc034fde84bbf49f4e0997b5cdb66-0000000000000000-01",
        "00-febdc034fde84bbf49f4e0997b5cdb66_1b94c9ba055495eb-01",
        "00-febdc034fde84bbf49f4e0997b5cdb66-1b94c9ba055495eb_01",
    };
    struct tt_w3c context = {.flags = 77};
    for (size_t i = 0; i < TT_ARRAY_SIZE(texts); i++)
        assert_false(tt_w3c_parse(texts[i], strlen(texts[i]), &context));
    assert_int_equal(context.flags, 77);
    assert_false(tt_w3c_state("", 0));
    assert_false(tt_w3c_state("nothing", 7));
    assert_false(tt_w3c_state("a=\n", 3));
}

static struct events e;

static void of_request(void **state)
{
    events_init(&e);
    upcall(&e, 21, 0xa000, 4000, 2);
    struct draft *d = draft(&e, TT_EVENT_ENTER, 21, READ_5, 0x9000, 0x9000);
    draft_string(d, TT_FIELD_TRACE_PARENT, 0, GOOD);
    draft_string(d, TT_FIELD_TRACE_STATE, 0, "vendor=x");
    feed(&e, d);
    leave(&e, 21, READ_5, 0x9000);
    struct tt_span *span = span_of(&e, READ_5, 0);
    assert_true(span->has_context);
    assert_false(span->bad_context);
    assert_int_equal(span->context.trace_id[0], 0xfe);
    assert_string_equal(span->trace_state, "vendor=x");
    events_free(&e);
}

/* A context belongs to one request, not to the one after it. */
static void of_requests(void **state)
{
    events_init(&e);
    enter(&e, 11, READ, 0x8000);
    sends_context(&e, 11, 0x7000, tcp_key(4000, 2, true), GOOD);
    sends_context(&e, 11, 0x7000, tcp_key(4000, 4, true), NULL);
    leave(&e, 11, READ, 0x8000);
    assert_true(span_of(&e, READ, 0)->has_context);
    assert_false(further_of(&e, READ, 0)->has_context);
    events_free(&e);
}

static void malformed(void **state)
{
    events_init(&e);
    upcall(&e, 21, 0xa000, 4000, 2);
    enter_context(&e, 21, READ_5, 0x9000, "00-nonsense");
    leave(&e, 21, READ_5, 0x9000);
    assert_false(span_of(&e, READ_5, 0)->has_context);
    assert_true(span_of(&e, READ_5, 0)->bad_context);
    assert_int_equal(span_of(&e, READ_5, 0)->incomplete, 0);
    events_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),        cmocka_unit_test(bad),       cmocka_unit_test(of_request),
        cmocka_unit_test(of_requests), cmocka_unit_test(malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
