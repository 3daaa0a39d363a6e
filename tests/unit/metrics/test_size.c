/* SPDX-License-Identifier: GPL-2.0-only */
/* The size of a span by our reckoning is that of the message which protobuf-c makes of it. */
#include "export/fixture.h"

#include "base/cleanup.h"
#include "export/encode.h"
#include "metrics/size.h"
#include "otlp.pb-c.h"

static void check(struct tt_otel_span *span)
{
    struct tt_encoder *encoder = tt_encoder_new();
    struct tt_bytes bytes = {0};
    Tt__Otlp__TraceRequest *request;
    size_t taken;

    assert_int_equal(tt_encode_protobuf(encoder, &span, 1, 1 << 20, &bytes, &taken), 0);
    request = tt__otlp__trace_request__unpack(NULL, bytes.size, bytes.data);
    assert_non_null(request);
    assert_int_equal(tt_span_size(span),
                     tt__otlp__span__get_packed_size(request->resource_spans[0]->scope_spans[0]->spans[0]));
    tt__otlp__trace_request__free_unpacked(request, NULL);
    tt_bytes_free(&bytes);
    tt_encoder_free(&encoder);
}

static void test_sizes(void **state)
{
    static const char *const items[] = {"a", "", "b"};
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 7);
    struct tt_otel_link links[2] = {{.trace_id = {1}, .span_id = {2}}, {.trace_id = {3}, .span_id = {4}}};
    static char large[20000];

    memset(large, 'x', sizeof(large) - 1);
    for (unsigned i = 0; i < 50; i++) {
        struct tt_otel_span *span = fixture_real_span(resource, i);

        if (i % 2)
            fail_span(span, i % 3 ? "API_CommandNotFound" : large);
        if (i % 3 == 1) {
            add_attribute(span, int_attribute("negative", -(int64_t)i));
            add_attribute(span, int_attribute("large", INT64_MAX >> i));
            add_attribute(span, (struct tt_otel_attribute){.key = "b", .type = TT_OTEL_BOOL});
            add_attribute(span,
                          (struct tt_otel_attribute){.key = "d", .type = TT_OTEL_DOUBLE, .value.real = 0});
            add_attribute(span, strings_attribute("list", items, 3));
            add_attribute(span, strings_attribute("none", NULL, 0));
            add_attribute(span, string_attribute("empty", ""));
            add_attribute(span, string_attribute("large text", large));
        }
        if (i % 5 == 2) {
            span->links = links;
            span->link_count = 2;
            span->trace_state = "ot=th:8";
            span->dropped_attributes = i * 100;
            span->dropped_events = i;
            span->flags = 0;
        }
        check(span);
        tt_otel_span_put(&span);
    }
    tt_otel_resource_put(&resource);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
