/* SPDX-License-Identifier: GPL-2.0-only */
#include "fixture.h"

#include <errno.h>
#include <math.h>
#include <sys/wait.h>
#include <zlib.h>

#include "base/clock.h"
#include "export/encode.h"
#include "base/text.h"
#include "base/utf8.h"
#include "otlp.pb-c.h"

#include <libdeflate.h>

/* As protobuf-c reads it, which writes the very same bytes, but for the order of a span's fields. */
static Tt__Otlp__TraceRequest *decode(const struct tt_bytes *bytes)
{
    Tt__Otlp__TraceRequest *request = tt__otlp__trace_request__unpack(NULL, bytes->size, bytes->data);
    uint8_t *again = malloc(bytes->size);
    int counts[256] = {0};

    assert_non_null(request);
    assert_int_equal(tt__otlp__trace_request__get_packed_size(request), bytes->size);
    tt__otlp__trace_request__pack(request, again);
    for (size_t i = 0; i < bytes->size; i++) {
        counts[bytes->data[i]]++;
        counts[again[i]]--;
    }
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(counts[i], 0);
    free(again);
    return request;
}

static const Tt__Otlp__AnyValue *value_of(Tt__Otlp__KeyValue **attributes, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(attributes[i]->key, key) == 0)
            return attributes[i]->value;
    }
    fail_msg("no attribute %s", key);
    return NULL;
}

/* Every type of value, an error with its event, hostile strings. */
static struct tt_otel_span *span_with_everything(struct tt_otel_resource *resource)
{
    static const char *const items[] = {"a", "", "\xe9t\xe9"};
    struct tt_otel_span *span = fixture_span(resource, 1, 2, 1, 3, "Arm", "a/b/c", 10, 1244);

    fail_span(span, "API_CommandNotFound: 45 \xb0"
                    "C");
    add_attribute(span, int_attribute("i", INT64_MIN));
    add_attribute(span, (struct tt_otel_attribute){.key = "b", .type = TT_OTEL_BOOL, .value.boolean = false});
    add_attribute(span, (struct tt_otel_attribute){.key = "d", .type = TT_OTEL_DOUBLE, .value.real = -0.5});
    add_attribute(span, (struct tt_otel_attribute){.key = "nan", .type = TT_OTEL_DOUBLE, .value.real = NAN});
    add_attribute(span, strings_attribute("list", items, 3));
    add_attribute(span, strings_attribute("none", NULL, 0));
    add_attribute(span, string_attribute("empty", ""));
    add_attribute(span, string_attribute("quoted", "\"\\\n\x01 \xc3\xa9"));
    span->dropped_attributes = 3;
    span->dropped_events = 2;
    span->events[0].dropped_attributes = 4;
    span->links = tt_arena_alloc(&span->arena, sizeof(span->links[0]));
    memcpy(span->links[0].trace_id, "fedcba9876543210", 16);
    memcpy(span->links[0].span_id, "HGFEDCBA", 8);
    span->link_count = 1;
    span->dropped_links = 5;
    return span;
}

static void check_span(const Tt__Otlp__Span *span)
{
    const Tt__Otlp__AnyValue *list = value_of(span->attributes, span->n_attributes, "list");

    assert_int_equal(span->trace_id.len, 16);
    assert_int_equal(span->trace_id.data[0], 0x4b);
    assert_int_equal(span->span_id.len, 8);
    assert_int_equal(span->parent_span_id.len, 8);
    assert_int_equal(span->parent_span_id.data[7], 1);
    assert_int_equal(span->flags, 0x101);
    assert_int_equal(span->kind, 3);
    assert_string_equal(span->name, "Tango::DeviceProxy::read_attribute");
    assert_int_equal(span->start_time_unix_nano, FIXTURE_TIME + 10000);
    assert_int_equal(span->end_time_unix_nano, FIXTURE_TIME + 1244000);
    assert_int_equal(span->dropped_attributes_count, 3);
    assert_int_equal(span->dropped_events_count, 2);
    assert_int_equal(span->events[0]->dropped_attributes_count, 4);
    assert_int_equal(span->status->code, 2);
    assert_string_equal(span->status->message, "API_CommandNotFound: 45 " TT_UTF8_REPLACEMENT "C");
    assert_int_equal(span->n_links, 1);
    assert_int_equal(span->dropped_links_count, 5);
    assert_memory_equal(span->links[0]->trace_id.data, "fedcba9876543210", 16);
    assert_memory_equal(span->links[0]->span_id.data, "HGFEDCBA", 8);
    assert_int_equal(span->n_events, 1);
    assert_string_equal(span->events[0]->name, "exception");
    assert_int_equal(span->events[0]->time_unix_nano, FIXTURE_TIME + 1244000);
    assert_true(value_of(span->attributes, span->n_attributes, "i")->int_value == INT64_MIN);
    assert_int_equal(value_of(span->attributes, span->n_attributes, "b")->value_case,
                     TT__OTLP__ANY_VALUE__VALUE_BOOL_VALUE);
    assert_true(value_of(span->attributes, span->n_attributes, "d")->double_value == -0.5);
    assert_int_equal(value_of(span->attributes, span->n_attributes, "empty")->value_case,
                     TT__OTLP__ANY_VALUE__VALUE_STRING_VALUE);
    assert_int_equal(value_of(span->attributes, span->n_attributes, "none")->array_value->n_values, 0);
    assert_int_equal(list->array_value->n_values, 3);
    assert_string_equal(list->array_value->values[1]->string_value, "");
    assert_string_equal(list->array_value->values[2]->string_value,
                        TT_UTF8_REPLACEMENT "t" TT_UTF8_REPLACEMENT);
}

static void test_protobuf_fields(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    struct tt_otel_span *span = span_with_everything(resource);
    struct tt_encoder *encoder = tt_encoder_new();
    struct tt_bytes bytes = {0}, again = {0};
    struct tt_otel_span *packed;
    Tt__Otlp__TraceRequest *request;
    size_t taken = 0;

    assert_int_equal(tt_encode_protobuf(encoder, &span, 1, 1 << 20, &bytes, &taken), 0);
    assert_int_equal(taken, 1);
    packed = tt_encode_packed(encoder, span);
    assert_int_equal(tt_encode_protobuf(encoder, &packed, 1, 1 << 20, &again, &taken), 0);
    assert_int_equal(again.size, bytes.size);
    assert_memory_equal(again.data, bytes.data, bytes.size);
    request = decode(&bytes);
    assert_int_equal(request->n_resource_spans, 1);
    assert_string_equal(request->resource_spans[0]->schema_url, TT_OTEL_SCHEMA_URL);
    assert_int_equal(value_of(request->resource_spans[0]->resource->attributes,
                              request->resource_spans[0]->resource->n_attributes, "process.pid")
                         ->int_value,
                     815);
    assert_int_equal(request->resource_spans[0]->n_scope_spans, 1);
    assert_string_equal(request->resource_spans[0]->scope_spans[0]->scope->name, "tango.cpp");
    assert_string_equal(request->resource_spans[0]->scope_spans[0]->scope->version, "9.3.4");
    assert_int_equal(request->resource_spans[0]->scope_spans[0]->n_spans, 1);
    check_span(request->resource_spans[0]->scope_spans[0]->spans[0]);
    tt__otlp__trace_request__free_unpacked(request, NULL);
    tt_bytes_free(&again);
    tt_otel_span_put(&packed);
    tt_bytes_free(&bytes);
    tt_encoder_free(&encoder);
    tt_otel_span_put(&span);
    tt_otel_resource_put(&resource);
}

/* Lengths of one byte and of two, of value, pair and key. */
static void test_protobuf_lengths(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("A", "a/b/c", "A/1", 1);
    struct tt_encoder *encoder = tt_encoder_new();
    struct tt_bytes bytes = {0};
    size_t taken;

    for (size_t size = 0; size < 300; size++) {
        char text[301] = {0}, key[301] = {0};
        struct tt_otel_span *span = fixture_span(resource, 1, 2, 1, 3, "Arm", "a/b/c", 10, 1244);

        memset(text, 'x', size);
        memset(key, 'k', size);
        add_attribute(span, string_attribute("k", text));
        add_attribute(span, string_attribute(key, "v"));
        add_attribute(span, int_attribute(key, (int64_t)(UINT64_MAX >> size % 64)));
        add_attribute(span,
                      (struct tt_otel_attribute){.key = key, .type = TT_OTEL_BOOL, .value.boolean = true});
        assert_int_equal(tt_encode_protobuf(encoder, &span, 1, 1 << 20, &bytes, &taken), 0);
        tt__otlp__trace_request__free_unpacked(decode(&bytes), NULL);
        tt_otel_span_put(&span);
    }
    tt_bytes_free(&bytes);
    tt_encoder_free(&encoder);
    tt_otel_resource_put(&resource);
}

static size_t gzipped(struct tt_encoder *encoder, struct tt_otel_span *const *spans, size_t count)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(1);
    struct tt_bytes bytes = {0};
    _cleanup_free_ uint8_t *out = malloc(16 << 20);
    size_t taken, size;

    assert_int_equal(tt_encode_protobuf(encoder, spans, count, 64 << 20, &bytes, &taken), 0);
    assert_int_equal(taken, count);
    size = libdeflate_gzip_compress(compressor, bytes.data, bytes.size, out, 16 << 20);
    assert_true(size > 0);
    libdeflate_free_compressor(compressor);
    tt_bytes_free(&bytes);
    return size;
}

#define ALIKE_DEVICES 300
#define ALIKE_SPANS   3000

/* Many devices in one batch: what is alike stands together, whichever comes first, and every span is there.
 */
static void test_alike(void **state)
{
    static const char *const verbs[] = {"read position", "Arm", "State", "read velocity", "write offset"};
    struct tt_otel_resource *devices[ALIKE_DEVICES];
    struct tt_otel_span *spans[ALIKE_SPANS];
    struct tt_encoder *encoder = tt_encoder_new();
    char names[ALIKE_DEVICES][32];
    size_t plain, alike;
    unsigned groups = 1, runs = 1;

    for (unsigned i = 0; i < ALIKE_DEVICES; i++) {
        unsigned n = i * 7 % ALIKE_DEVICES;

        snprintf(names[i], sizeof(names[i]), "lab/motor/%u", n);
        devices[i] = fixture_resource(n % 2 ? "Motor" : "Slit", names[i], "Motors/1", 815);
    }
    for (unsigned i = 0; i < ALIKE_SPANS; i++) {
        struct tt_otel_span *whole = fixture_real_span(devices[i * 31 % ALIKE_DEVICES], i);
        uint64_t x = i * 0x9e3779b97f4a7c15;

        for (unsigned b = 0; b < 8; b++, x = x * 6364136223846793005 + 1442695040888963407)
            whole->trace_id[b] = whole->trace_id[b + 8] = whole->span_id[b] = (uint8_t)(x >> 56);
        whole->title = verbs[i % TT_ARRAY_SIZE(verbs)];
        spans[i] = tt_encode_packed(encoder, whole);
        assert_non_null(spans[i]);
        tt_otel_span_put(&whole);
    }
    tt_encode_sort(spans, ALIKE_SPANS);
    plain = gzipped(encoder, spans, ALIKE_SPANS);
    tt_encode_sort_alike(spans, ALIKE_SPANS);
    alike = gzipped(encoder, spans, ALIKE_SPANS);
    print_message("%u devices: %.1f bytes/span by time, %.1f by likeness\n", ALIKE_DEVICES,
                  (double)plain / ALIKE_SPANS, (double)alike / ALIKE_SPANS);
    assert_true(alike < plain); /* how much, bench/rate.py says: real spans differ more */
    for (unsigned i = 1; i < ALIKE_SPANS; i++) {
        const struct tt_otel_resource *a = spans[i - 1]->resource, *b = spans[i]->resource;

        groups += a != b;
        runs += a != b || spans[i - 1]->like != spans[i]->like;
        assert_true(strcmp(a->service_name, b->service_name) <= 0);
    }
    assert_int_equal(groups, ALIKE_DEVICES);
    assert_true(runs <= ALIKE_DEVICES * TT_ARRAY_SIZE(verbs));
    for (unsigned i = 0; i < ALIKE_SPANS; i++)
        tt_otel_span_put(&spans[i]);
    for (unsigned i = 0; i < ALIKE_DEVICES; i++)
        tt_otel_resource_put(&devices[i]);
    tt_encoder_free(&encoder);
}

/* The field numbers are those of the public protocol: a root span, byte by byte. */
static void test_protobuf_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } expected[] = {
        {"\x0a\xaa\x01", 3},      /* request 1: resource_spans */
        {"\x0a\x00", 2},          /*   1: resource, without attributes */
        {"\x12\x7d", 2},          /*   2: scope_spans */
        {"\x0a\x03\x0a\x01s", 5}, /*     1: scope { 1: name } */
        {"\x12\x4d", 2},          /*     2: span */
        {"\x0a\x10"
         "0123456789abcdef",
         18},                          /*       1: trace_id */
        {"\x39\x01\0\0\0\0\0\0\0", 9}, /*       7: start */
        {"\x41\x02\0\0\0\0\0\0\0", 9}, /*       8: end */
        {"\x12\x08"
         "ABCDEFGH",
         10},                                           /*       2: span_id */
        {"\x2a\x01n\x30\x02", 5},                       /*       5: name, 6: kind */
        {"\x7a\x12\x12\x0eReason: a desc\x18\x02", 20}, /*       15: status { 2: message, 3: code } */
        {"\x85\x01\x01\0\0\0", 6},                      /*       16: flags */
        {"\x1a\x27" TT_OTEL_SCHEMA_URL, 2 + 39},        /*     3: schema_url of the scope */
        {"\x1a\x27" TT_OTEL_SCHEMA_URL, 2 + 39},        /*   3: schema_url of the resource */
    };
    static const struct tt_otel_scope scope = {"s", ""};
    struct tt_otel_resource *resource = tt_otel_resource_new();
    struct tt_otel_span *span = tt_otel_span_new();
    struct tt_encoder *encoder = tt_encoder_new();
    struct tt_bytes bytes = {0};
    size_t taken, at = 0;

    memcpy(span->trace_id, "0123456789abcdef", 16);
    memcpy(span->span_id, "ABCDEFGH", 8);
    span->name = "n";
    span->kind = 2;
    span->start = 1;
    span->end = 2;
    span->flags = 1;
    span->status = TT_OTEL_ERROR;
    span->status_message = "Reason: a desc";
    span->resource = tt_otel_resource_get(resource);
    span->scope = &scope;
    assert_int_equal(tt_encode_protobuf(encoder, &span, 1, 1 << 20, &bytes, &taken), 0);
    for (size_t i = 0; i < TT_ARRAY_SIZE(expected); at += expected[i++].size) {
        assert_true(at + expected[i].size <= bytes.size);
        assert_memory_equal(bytes.data + at, expected[i].bytes, expected[i].size);
    }
    assert_int_equal(at, bytes.size);
    tt_bytes_free(&bytes);
    tt_encoder_free(&encoder);
    tt_otel_span_put(&span);
    tt_otel_resource_put(&resource);
}

static void test_groups(void **state)
{
    struct tt_otel_resource *a = fixture_resource("A", "a/b/c", "A/1", 1),
                            *b = fixture_resource("B", "d/e/f", "B/1", 2);
    struct tt_encoder *encoder = tt_encoder_new();
    struct tt_bytes bytes = {0};
    struct tt_otel_span *spans[60];
    Tt__Otlp__TraceRequest *request;
    size_t taken, total = 0;

    for (unsigned i = 0; i < 60; i++) {
        spans[i] = fixture_span(i % 2 ? a : b, i, i + 1, 0, 3, "x", NULL, i, i + 1);
        if (i % 3 == 0)
            spans[i]->scope = &fixture_python_scope;
    }
    tt_encode_sort(spans, 60);
    assert_int_equal(tt_encode_protobuf(encoder, spans, 60, 1 << 20, &bytes, &taken), 0);
    assert_int_equal(taken, 60);
    request = decode(&bytes);
    assert_int_equal(request->n_resource_spans, 2);
    for (size_t r = 0; r < 2; r++) {
        const Tt__Otlp__ResourceSpans *group = request->resource_spans[r];

        assert_int_equal(group->n_scope_spans, 2);
        for (size_t s = 0; s < 2; s++) {
            assert_true(group->scope_spans[s]->n_spans > 0);
            for (size_t i = 1; i < group->scope_spans[s]->n_spans; i++)
                assert_true(group->scope_spans[s]->spans[i - 1]->start_time_unix_nano <
                            group->scope_spans[s]->spans[i]->start_time_unix_nano);
            total += group->scope_spans[s]->n_spans;
        }
    }
    assert_int_equal(total, 60);
    tt__otlp__trace_request__free_unpacked(request, NULL);
    tt_bytes_free(&bytes);
    tt_encoder_free(&encoder);
    put_spans(spans, 60);
    tt_otel_resource_put(&a);
    tt_otel_resource_put(&b);
}

/* A batch larger than a request is split without loss, also when one tree does not fit; a single giant is
 * refused alone. */
static void test_limit(void **state)
{
    enum { COUNT = 3000, LIMIT = 100000 };
    struct tt_otel_resource *resource = fixture_resource("A", "a/b/c", "A/1", 1);
    struct tt_otel_span **spans = calloc(COUNT, sizeof(struct tt_otel_span *));
    struct tt_encoder *encoder = tt_encoder_new();
    _cleanup_free_ char *giant = malloc(LIMIT + 1);
    struct tt_bytes bytes = {0};
    size_t taken, requests = 0, seen = 0;

    memset(giant, 'x', LIMIT);
    giant[LIMIT] = '\0';
    for (unsigned i = 0; i < COUNT; i++)
        spans[i] = fixture_span(resource, i, i + 1, 0, 3, "x", "a/b/c", i, i + 1);
    for (size_t i = 0; i < COUNT; i += taken, requests++) {
        Tt__Otlp__TraceRequest *request;

        assert_int_equal(tt_encode_protobuf(encoder, spans + i, COUNT - i, LIMIT, &bytes, &taken), 0);
        assert_true(taken > 0 && bytes.size <= LIMIT);
        assert_true(i + taken == COUNT || bytes.size > LIMIT * 9 / 10);
        request = decode(&bytes);
        for (size_t r = 0; r < request->n_resource_spans; r++)
            seen += request->resource_spans[r]->scope_spans[0]->n_spans;
        tt__otlp__trace_request__free_unpacked(request, NULL);
    }
    assert_int_equal(seen, COUNT);
    assert_true(requests > 3);
    add_attribute(spans[1], string_attribute("giant", giant));
    assert_int_equal(tt_encode_protobuf(encoder, spans, COUNT, LIMIT, &bytes, &taken), 0);
    assert_int_equal(taken, 1);
    assert_int_equal(tt_encode_protobuf(encoder, spans + 1, COUNT - 1, LIMIT, &bytes, &taken), -EMSGSIZE);
    assert_int_equal(taken, 1);
    put_spans(spans, COUNT);
    free(spans);
    tt_bytes_free(&bytes);
    tt_encoder_free(&encoder);
    tt_otel_resource_put(&resource);
}

static void test_json_golden(void **state)
{
    static const char expected[] =
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"C\"}}]},"
        "\"scopeSpans\":[{\"scope\":{\"name\":\"tango.cpp\",\"version\":\"9.3.4\"},\"spans\":[{"
        "\"traceId\":\"4bf90000000000000000000000000001\",\"spanId\":\"a100000000000002\",\"parentSpanId\":\"a100000000000001\","
        "\"flags\":257,\"name\":\"Tango::DeviceProxy::read_attribute\",\"kind\":3,"
        "\"startTimeUnixNano\":\"1704110400000010000\",\"endTimeUnixNano\":\"1704110400001244000\",\"attributes\":["
        "{\"key\":\"tango.operation.name\",\"value\":{\"stringValue\":\"Arm\"}},"
        "{\"key\":\"tango.operation.target\",\"value\":{\"stringValue\":\"a/b/c\"}},"
        "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"API_CommandNotFound\"}},"
        "{\"key\":\"i\",\"value\":{\"intValue\":\"-9223372036854775808\"}},"
        "{\"key\":\"b\",\"value\":{\"boolValue\":false}},"
        "{\"key\":\"d\",\"value\":{\"doubleValue\":-0.5}},"
        "{\"key\":\"nan\",\"value\":{\"doubleValue\":\"NaN\"}},"
        "{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"a\"},{\"stringValue\":\"\"},"
        "{\"stringValue\":\"\xef\xbf\xbdt\xef\xbf\xbd\"}]}}},"
        "{\"key\":\"none\",\"value\":{\"arrayValue\":{\"values\":[]}}},"
        "{\"key\":\"empty\",\"value\":{\"stringValue\":\"\"}},"
        "{\"key\":\"quoted\",\"value\":{\"stringValue\":\"\\\"\\\\\\n\\u0001 \xc3\xa9\"}}],"
        "\"droppedAttributesCount\":3,\"events\":[{\"timeUnixNano\":\"1704110400001244000\",\"name\":\"exception\","
        "\"attributes\":[{\"key\":\"exception.type\",\"value\":{\"stringValue\":\"Tango::DevFailed\"}},"
        "{\"key\":\"exception.message\",\"value\":{\"stringValue\":\"API_CommandNotFound: 45 \xef\xbf\xbd"
        "C\"}}],\"droppedAttributesCount\":4}],"
        "\"droppedEventsCount\":2,\"links\":[{\"traceId\":\"66656463626139383736353433323130\","
        "\"spanId\":\"4847464544434241\"}],\"droppedLinksCount\":5,\"status\":{\"message\":\"API_CommandNotFound: 45 \xef\xbf\xbd"
        "C\",\"code\":2}}],"
        "\"schemaUrl\":\"" TT_OTEL_SCHEMA_URL "\"}],\"schemaUrl\":\"" TT_OTEL_SCHEMA_URL "\"}]}\n";
    struct tt_otel_resource *resource = tt_otel_resource_new();
    struct tt_otel_attribute service = string_attribute("service.name", "C");
    struct tt_otel_span *span;
    struct tt_json json = {0};

    resource->attributes = &service;
    resource->attribute_count = 1;
    span = span_with_everything(resource);
    tt_encode_json(&span, 1, &json);
    assert_false(json.failed);
    assert_string_equal(json.data, expected);
    tt_json_free(&json);
    tt_otel_span_put(&span);
    tt_otel_resource_put(&resource);
}

/* An independent parser takes it too. */
static void test_json_valid(void **state)
{
    struct tt_otel_resource *a = fixture_resource("A", "a/b/c", "A/1", 1),
                            *b = fixture_resource("B", "d/e/f", NULL, 2);
    struct tt_otel_span *spans[100];
    struct tt_json json = {0};
    FILE *python;

    if (system("python3 -c '' 2>/dev/null") != 0)
        skip();
    for (unsigned i = 0; i < 100; i++)
        spans[i] = i == 50 ? span_with_everything(a) : fixture_real_span(i % 2 ? a : b, i);
    tt_encode_sort(spans, 100);
    tt_encode_json(spans, 100, &json);
    python = popen("python3 -c 'import json, sys\n"
                   "r = json.load(sys.stdin)[\"resourceSpans\"]\n"
                   "n = sum(len(s[\"spans\"]) for x in r for s in x[\"scopeSpans\"])\n"
                   "sys.exit(0 if len(r) == 2 and n == 100 else 1)'",
                   "w");
    assert_int_equal(fwrite(json.data, 1, json.size, python), json.size);
    assert_int_equal(pclose(python), 0);
    tt_json_free(&json);
    put_spans(spans, 100);
    tt_otel_resource_put(&a);
    tt_otel_resource_put(&b);
}

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain ascii text", true},
        {"\xc3\xa9", true},
        {"12345678\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xe9", false},
        {"12345678\xe9", false},
        {"\xc0\x80", false},
        {"\xed\xa0\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"\xe2\x82", false},
        {"\x80", false},
        {"\xe0\x9f\xbf", false},
        {"\xf5\x80\x80\x80", false},
        {"\xf0\x8f\xbf\xbf", false},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        size_t size = strlen(cases[i].text), clean = tt_utf8_clean(cases[i].text, size, NULL);
        char copy[64];

        assert_int_equal(tt_utf8_valid(cases[i].text, size), cases[i].valid);
        assert_int_equal(tt_utf8_clean(cases[i].text, size, copy), clean);
        assert_true(tt_utf8_valid(copy, clean));
        if (cases[i].valid)
            assert_memory_equal(copy, cases[i].text, size);
    }
}

/* Prints what a span costs; the bounds only catch a disaster. */
static void test_speed(void **state)
{
    enum { COUNT = 8192 };
    struct tt_otel_resource *resources[20];
    struct tt_otel_span **spans = calloc(COUNT, sizeof(struct tt_otel_span *));
    struct tt_encoder *encoder = tt_encoder_new();
    struct tt_bytes bytes = {0};
    uint64_t start, encoded, packed;
    uint8_t *out = malloc(16 << 20);
    size_t taken;
    z_stream zip = {.next_out = out, .avail_out = 16 << 20};

    for (unsigned i = 0; i < 20; i++)
        resources[i] = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", (int)i);
    for (unsigned i = 0; i < COUNT; i++)
        spans[i] = fixture_real_span(resources[i % 20], i);
    assert_int_equal(spans[0]->attribute_count, 25);
    start = tt_now_ns();
    tt_encode_sort(spans, COUNT);
    assert_int_equal(tt_encode_protobuf(encoder, spans, COUNT, 64 << 20, &bytes, &taken), 0);
    encoded = tt_now_ns();
    assert_int_equal(taken, COUNT);
    deflateInit2(&zip, 1, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    zip.next_in = bytes.data;
    zip.avail_in = (uInt)bytes.size;
    assert_int_equal(deflate(&zip, Z_FINISH), Z_STREAM_END);
    packed = tt_now_ns();
    print_message(
        "25 attributes: %.0f bytes/span, %.0f gzipped; encode %.2f us/span, gzip %.2f us/span: %.0f spans/s\n",
        (double)bytes.size / COUNT, (double)zip.total_out / COUNT, (double)(encoded - start) / 1e3 / COUNT,
        (double)(packed - encoded) / 1e3 / COUNT, COUNT / ((double)(packed - start) / 1e9));
    assert_true(bytes.size / COUNT < 2048);
    deflateEnd(&zip);
    free(out);
    put_spans(spans, COUNT);
    free(spans);
    for (unsigned i = 0; i < 20; i++)
        tt_otel_resource_put(&resources[i]);
    tt_bytes_free(&bytes);
    tt_encoder_free(&encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protobuf_fields),
        cmocka_unit_test(test_protobuf_bytes),
        cmocka_unit_test(test_alike),
        cmocka_unit_test(test_protobuf_lengths),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_json_golden),
        cmocka_unit_test(test_json_valid),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
