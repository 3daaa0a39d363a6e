/* SPDX-License-Identifier: GPL-2.0-only */
/* The filter language: TraceQL's documented behaviour on spans as enrich makes them, and its errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "base/cleanup.h"
#include "query/query.h"

/* ---- the spans ---- */

static const char *const list[] = {"ExposureTime", "Gain"};
static const char *const single[] = {"State"};

static struct tt_otel_attribute resource_attributes[] = {
    {.key = "service.name", .type = TT_OTEL_STRING, .value.string = "Basler"},
    {.key = "service.instance.id", .type = TT_OTEL_STRING, .value.string = "b107a/cam/1"},
    {.key = "process.pid", .type = TT_OTEL_INT, .value.integer = 815},
    {.key = "both", .type = TT_OTEL_STRING, .value.string = "resource"},
};

static struct tt_otel_resource basler = {.refs = 1,
                                         .attributes = resource_attributes,
                                         .attribute_count = TT_ARRAY_SIZE(resource_attributes),
                                         .service_name = "Basler",
                                         .instance = "b107a/cam/1"};

static struct tt_otel_attribute attributes[] = {
    {.key = "tango.operation.name", .type = TT_OTEL_STRING, .value.string = "read ExposureTime"},
    {.key = "tango.attribute.names", .type = TT_OTEL_STRINGS, .value.strings = {list, 2}},
    {.key = "http.status_code", .type = TT_OTEL_INT, .value.integer = 200},
    {.key = "http.method", .type = TT_OTEL_STRING, .value.string = "GET"},
    {.key = "ratio", .type = TT_OTEL_DOUBLE, .value.real = 1.5},
    {.key = "whole", .type = TT_OTEL_DOUBLE, .value.real = 200},
    {.key = "cache.hit", .type = TT_OTEL_BOOL, .value.boolean = true},
    {.key = "collocated", .type = TT_OTEL_BOOL, .value.boolean = false},
    {.key = "with space", .type = TT_OTEL_STRING, .value.string = "value"},
    {.key = "both", .type = TT_OTEL_STRING, .value.string = "span"},
    {.key = "text", .type = TT_OTEL_STRING, .value.string = "a\"b\\c\nd \xc3\xa9"},
    {.key = "single", .type = TT_OTEL_STRINGS, .value.strings = {single, 1}},
    {.key = "dashed-name/x", .type = TT_OTEL_INT, .value.integer = -3},
};

static struct tt_otel_attribute event_attributes[2][2] = {
    {{.key = "exception.type", .type = TT_OTEL_STRING, .value.string = "Tango::DevFailed"},
     {.key = "exception.message", .type = TT_OTEL_STRING, .value.string = "REASON:API_DeviceTimedOut"}},
    {{.key = "exception.type", .type = TT_OTEL_STRING, .value.string = "CORBA::TRANSIENT"}},
};

static struct tt_otel_event events[] = {
    {.time = 1005, .name = "exception", .attributes = event_attributes[0], .attribute_count = 2},
    {.time = 2000, .name = "exception caught", .attributes = event_attributes[1], .attribute_count = 1},
};

static const struct tt_otel_scope scope = {"tango.cpp", "9.3.4"};
static struct tt_otel_link link_to = {.trace_id = {[15] = 7}, .span_id = {[7] = 9}};

/* 15 ms, a server span that failed. */
static struct tt_otel_span failed = {.refs = 1,
                                     .trace_id = {0x4b, 0xf9, [15] = 1},
                                     .span_id = {[7] = 2},
                                     .parent_id = {[7] = 1},
                                     .name = "Tango::Device_5Impl::read_attributes_5",
                                     .kind = 2,
                                     .start = 1000,
                                     .end = 15001000,
                                     .attributes = attributes,
                                     .attribute_count = TT_ARRAY_SIZE(attributes),
                                     .events = events,
                                     .event_count = 2,
                                     .links = &link_to,
                                     .link_count = 1,
                                     .status = TT_OTEL_ERROR,
                                     .status_message = "API_DeviceTimedOut: no answer",
                                     .resource = &basler,
                                     .scope = &scope};

/* Its root: a client's, nothing special. */
static struct tt_otel_resource client = {.refs = 1, .service_name = "scan", .instance = "ws1:12"};
static struct tt_otel_span root = {.refs = 1,
                                   .trace_id = {0x4b, 0xf9, [15] = 1},
                                   .span_id = {[7] = 1},
                                   .name = "Tango::DeviceProxy::read_attribute",
                                   .kind = 3,
                                   .start = 500,
                                   .end = 2000000500,
                                   .resource = &client,
                                   .scope = &scope};

/* ---- what matches ---- */

struct question {
    const char *query;
    bool matches; /* the failed span */
};

static const struct question questions[] = {
    /* Tempo's documentation, its values put in place of its examples' */
    {"{}", true},
    {"{ }", true},
    {"{ true }", true},
    {"{ false }", false},
    {"{resource.service.name=\"Basler\" && duration>10ms}", true},
    {"{ resource.service.name = \"Basler\" && name = \"Tango::Device_5Impl::read_attributes_5\" }", true},
    {"{\n  resource.service.name=\"Basler\" &&\n  status = error\n}", true},
    {"{ span.http.status_code >= 200 && span.http.status_code < 300 }", true},
    {"{ span.http.status_code >= 500 }", false},
    {"{ span.http.method =~ \"DELETE|GET\" }", true},
    {"{ span.http.method =~ \"DELETE|PUT\" }", false},
    {"{ span.http.method !~ \"DELETE|PUT\" }", true},
    {"{ span.any_attribute != nil }", false},
    {"{ span.any_attribute = nil }", true},
    {"{ span.http.method != nil }", true},
    {"{ nil != span.http.method }", true},
    {"{ resource.service.version = nil }", true},
    {"{ event.exception.message = nil }", false},
    {"{ event.nothing = nil }", true},
    {"{ statusMessage = nil }", false},
    {"{ span.http.method = \"GET\" && status != ok }", true},
    {"{ span.http.method = \"GET\" && status = ok }", false},
    {"{ span.cache.hit || span.http.status_code = 500 }", true},
    {"{ span.cache.hit = true || span.http.status_code = 500 }", true},
    {"{ span.missing || span.http.status_code = 500 }", false},
    {"{ span.cache.hit }", true},
    {"{ !span.cache.hit }", false},
    {"{ !span.missing }", true},
    {"{ !(span.http.method = \"GET\") }", false},
    {"{ !(span.missing = \"GET\") }", true},
    {"{ span.\"with space\" = \"value\" }", true},
    {"{ span.with\" space\" = \"value\" }", true},
    {"{ .\"with space\" = \"value\" }", true},
    {"{ event.exception.message =~ \".*TimedOut.*\" }", true},
    {"{ event:name = \"exception\" }", true},
    {"{ event:name = \"exception caught\" }", true},
    {"{ event:timeSinceStart > 500ns }", true},
    {"{ event:timeSinceStart < 6ns }", true},
    {"{ event:timeSinceStart > 1h }", false},
    {"{ event:timeSinceStart > -5s }", true},
    {"{ instrumentation:name = \"tango.cpp\" && instrumentation:version = \"9.3.4\" }", true},
    {"{ span:status = error && span:kind = server && span:duration > 10ms }", true},
    {"{ span:statusMessage =~ \"API_DeviceTimedOut.*\" }", true},
    {"{ span:id = \"0000000000000002\" }", true},
    {"{ span:id = \"2\" }", true},
    {"{ span:id = \"3\" }", false},
    {"{ span:parentID = \"0000000000000001\" }", true},
    {"{ trace:id = \"4bf90000000000000000000000000001\" }", true},
    {"{ trace:id = \"4BF90000000000000000000000000001\" }", true},
    {"{ link:spanID = \"9\" && link:traceID = \"7\" }", true},
    {"{ span.value != minInt && span.value != maxInt }", false}, /* not there */
    {"{ span.http.status_code != minInt && span.http.status_code != maxInt }", true},
    {"{ span.http.status_code > -1 }", true},

    /* regular expressions are anchored */
    {"{ span.http.method =~ \"E\" }", false},
    {"{ span.http.method =~ \".*E.*\" }", true},
    {"{ span.http.method =~ \"G|GET\" }", true}, /* not "^G|GET$" */
    {"{ span.http.method =~ `(?i)get` }", true},
    {"{ span.text =~ `(?s)a\"b\\\\c.d é` }", true},
    {"{ span.text =~ `a\"b\\\\c.d é` }", false}, /* a dot is no newline */
    {"{ resource.service.instance.id =~ `b107a/cam/\\d+` }", true},
    {"{ span.http.status_code =~ \"200\" }", false}, /* a number is no text */
    {"{ span.http.status_code !~ \"500\" }", false},

    /* lists: any element for = and =~, no element for != and !~ */
    {"{ .tango.attribute.names = \"Gain\" }", true},
    {"{ .tango.attribute.names = \"State\" }", false},
    {"{ .tango.attribute.names != \"Gain\" }", false},
    {"{ .tango.attribute.names != \"State\" }", true},
    {"{ .tango.attribute.names =~ \"Exp.*\" }", true},
    {"{ .tango.attribute.names !~ \"Exp.*\" }", false},
    {"{ .tango.attribute.names !~ \"St.*\" }", true},
    {"{ event.exception.type = \"CORBA::TRANSIENT\" }", true},
    {"{ event.exception.type != \"CORBA::TRANSIENT\" }", false},

    /* scopes: the span's own goes before the resource's */
    {"{ .both = \"span\" }", true},
    {"{ .both = \"resource\" }", false},
    {"{ resource.both = \"resource\" }", true},
    {"{ .process.pid = 815 }", true},
    {"{ span.process.pid = 815 }", false},
    {"{ span.process.pid != 815 }", false},
    {"{ resource.http.method = \"GET\" }", false},

    /* numbers of all types compare, other types do not */
    {"{ .http.status_code = 200.0 }", true},
    {"{ .whole = 200 }", true},
    {"{ .ratio > 1 }", true},
    {"{ .ratio < 1.6 }", true},
    {"{ .ratio = 1.5e0 }", true},
    {"{ 1 < .ratio }", true},
    {"{ .http.status_code = .whole }", true},
    {"{ .http.status_code = .both }", false},
    {"{ .http.status_code != .both }", false},
    {"{ .http.status_code = \"200\" }", false},
    {"{ .http.status_code != \"200\" }", false},
    {"{ .http.method >= \"FOO\" }", true},
    {"{ .http.method < \"GES\" }", false},
    {"{ .collocated = false }", true},
    {"{ .collocated != true }", true},
    {"{ .cache.hit > .collocated }", false}, /* no order */
    {"{ duration = 15ms }", true},
    {"{ duration > 14999999 }", true},
    {"{ duration > 0.0149s }", true},
    {"{ duration > 1h30m }", false},
    {"{ duration < 1.5h && duration > 14us && duration > 14µs && duration < 1d }", true},
    {"{ .dashed-name/x = -3 }", true},
    {"{ .dashed-name/x = - 3 }", true},
    {"{ .dashed-name/x < -2.5 }", true},
    {"{ status != error }", false},
    {"{ status = unset }", false},
    {"{ kind = server }", true},
    {"{ kind != client }", true},
    {"{ server = kind }", true},
    {"{ kind = internal || kind = producer || kind = consumer || kind = unspecified }", false},
    {"{ (duration > 10ms) = true }", true},
    {"{ true = false }", false},
    {"{ 1 = 1 }", true},
    {"{ \"a\" != `a` }", false},

    /* strings */
    {"{ .text = \"a\\\"b\\\\c\\nd \\u00e9\" }", true},
    {"{ .text = \"a\\x22b\\134c\\nd \\xc3\\xa9\" }", true},
    {"{ .text = \"a\\\"b\\\\c\\nd é\" }", true},
    {"{ .text = `a` }", false},

    /* precedence: ! before comparisons before && before || */
    {"{ true || true && false }", true},
    {"{ (true || true) && false }", false},
    {"{ !false && true }", true},
    {"{ !!true }", true},
    {"{ !.cache.hit = false }", true},
    {"{ false && false || true }", true},

    /* what a query does not know of a lone span */
    {"{ rootName = \"x\" }", false},
    {"{ rootName = nil }", true},
    {"{ traceDuration > 0 }", false},
};

static bool ask(const char *text, const struct tt_otel_span *span)
{
    _cleanup_(tt_query_free) struct tt_query *query = NULL;
    _cleanup_free_ char *error = NULL;
    int err = tt_query_compile(text, &query, &error);

    if (err)
        fail_msg("%s: %s", text, error ? error : strerror(-err));
    return tt_query_match(query, span, NULL);
}

static void test_matches(void **state)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(questions); i++)
        if (ask(questions[i].query, &failed) != questions[i].matches)
            fail_msg("%s: %s", questions[i].query,
                     questions[i].matches ? "should match" : "should not match");
}

/* A span with next to nothing in it: no getter may stumble. */
static void test_bare_span(void **state)
{
    static struct tt_otel_span bare = {.refs = 1};

    for (size_t i = 0; i < TT_ARRAY_SIZE(questions); i++)
        ask(questions[i].query, &bare);
    assert_false(ask("{ name = \"x\" }", &bare));
    assert_true(ask("{ name = nil && span:parentID = nil && .x = nil && event:name = nil }", &bare));
}

/* ---- traces ---- */

static void test_traces(void **state)
{
    static const struct question of_trace[] = {
        {"{ rootName = \"Tango::DeviceProxy::read_attribute\" }", true},
        {"{ trace:rootName =~ \".*read_attribute\" && kind = server }", true},
        {"{ rootServiceName = \"scan\" && resource.service.name = \"Basler\" }", true},
        {"{ trace:rootService = \"Basler\" }", false},
        {"{ traceDuration = 2s }", true},
        {"{ trace:duration > 2s }", false},
        {"{ duration > 1s }", true},
        {"{ duration > 1s && kind = server }", false}, /* both of one span */
        {"{ status = error }", true},
        {"{ kind = producer }", false},
    };
    struct tt_otel_span *spans[] = {&failed, &root};

    for (size_t i = 0; i < TT_ARRAY_SIZE(of_trace); i++) {
        struct tt_query *query = NULL;
        char *error = NULL;

        assert_int_equal(tt_query_compile(of_trace[i].query, &query, &error), 0);
        if (tt_query_match_trace(query, spans, 2) != of_trace[i].matches)
            fail_msg("%s of the trace", of_trace[i].query);
        assert_false(tt_query_match_trace(query, spans, 0));
        tt_query_free(&query);
    }
    /* Without its root the trace has none. */
    struct tt_query *query = NULL;
    char *error = NULL;

    assert_int_equal(tt_query_compile("{ rootName = nil && traceDuration = 15ms }", &query, &error), 0);
    assert_true(tt_query_match_trace(query, spans, 1));
    tt_query_free(&query);
}

/* ---- errors ---- */

static const struct {
    const char *query, *message; /* part of it */
    int column;                  /* of the caret; -1: not looked at */
} errors[] = {
    {"", "stands in braces", 0},
    {"name = \"x\"", "stands in braces", 0},
    {"{ name = \"x\"", "closing brace is expected", 12},
    {"{ name = \"x }", "not closed", 9},
    {"{ name = }", "field or a value is expected", 9},
    {"{ = 1 }", "field or a value is expected", 2},
    {"{ name \"x\" }", "an operator or the closing brace", 7},
    {"{ (duration > 1s }", "closing bracket is missing", 17},
    {"{ duration > 1s) }", "an operator or the closing brace", 15},
    {"{ duration > 1 s }", "unknown name", 15},
    {"{ duration > 1x }", "neither a number nor a duration", 13},
    {"{ duration > 1.2.3 }", "neither a number nor a duration", 13},
    {"{ duration > 99999999999999999999 }", "too large", 13},
    {"{ duration > 999y }", "too long", 13},
    {"{ duration > \"1s\" }", "cannot be compared", 11},
    {"{ duration = error }", "cannot be compared", 11},
    {"{ name = 1 }", "cannot be compared", 7},
    {"{ status > error }", "has no order", 9},
    {"{ kind < server }", "has no order", 7},
    {"{ .a > true }", "has no order", 5},
    {"{ .a > nil }", "only = and !=", 5},
    {"{ nil = nil }", "only a field", 8},
    {"{ name }", "no condition", 2},
    {"{ \"x\" }", "no condition", 2},
    {"{ 1 && true }", "no condition", 2},
    {"{ true && duration }", "no condition", 10},
    {"{ !duration }", "no condition", 3},
    {"{ nam = \"x\" }", "unknown name", 2},
    {"{ span:nam = \"x\" }", "unknown name", 2},
    {"{ foo.bar = \"x\" }", "unknown scope", 2},
    {"{ parent.foo = \"x\" }", "unknown scope", 2},
    {"{ . = \"x\" }", "missing behind the dot", 3},
    {"{ span. = \"x\" }", "missing behind the dot", 7},
    {"{ .a =~ .b }", "in quotes is expected", 8},
    {"{ .a =~ 1 }", "in quotes is expected", 8},
    {"{ duration =~ \"1\" }", "is for texts", 2},
    {"{ .a =~ \"(\" }", "regular expression", 10},
    {"{ .a =~ \"x[\" }", "regular expression", 11},
    {"{ .a =~ `(a)\\1` }", "back references", -1},
    {"{ .a = 'x' }", "double quotes", 7},
    {"{ .a = \"\\q\" }", "unknown escape", 8},
    {"{ .a = \"\\x00\" }", "unknown escape", 8},
    {"{ .a = \"\\ud800\" }", "unknown escape", 8},
    {"{ .a = 1 + 1 }", "calculating", 9},
    {"{ .a = 1 & 1 }", "no operator begins", 9},
    {"{ .a = -\"x\" }", "number is expected behind the minus", 8},
    {"{ .a = 1 } | count() > 1", "no pipeline", 11},
    {"{ .a = 1 } && { .b = 1 }", "nothing can follow", 11},
    {"{ .a = 1 = 1 }", "an operator or the closing brace", 9},
    {"{ span:id = \"xyz\" }", "16 hexadecimal", 12},
    {"{ span:id = \"00000000000000001\" }", "16 hexadecimal", 12},
    {"{ .é = 1 && ? }", "no operator begins", 12}, /* columns are characters */
};

static void test_errors(void **state)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(errors); i++) {
        struct tt_query *query = NULL;
        _cleanup_free_ char *error = NULL;
        const char *caret;

        if (tt_query_compile(errors[i].query, &query, &error) != -EINVAL || !error || query)
            fail_msg("%s should be refused", errors[i].query);
        if (!strstr(error, errors[i].message))
            fail_msg("%s: \"%s\" is not in \"%s\"", errors[i].query, errors[i].message, error);
        caret = strrchr(error, '\n');
        if (!caret || caret[strlen(caret) - 1] != '^')
            fail_msg("%s: no caret in \"%s\"", errors[i].query, error);
        if (errors[i].column >= 0 && strlen(caret) != 3 + (size_t)errors[i].column + 1)
            fail_msg("%s: the caret is at %zu, not %d: %s", errors[i].query, strlen(caret) - 4,
                     errors[i].column, error);
    }
}

static void test_error_text(void **state)
{
    struct tt_query *query = NULL;
    _cleanup_free_ char *error = NULL, *far = NULL, *hostile = NULL;
    char text[400];

    assert_int_equal(tt_query_compile("{name = \"x\" && (duration > 1s}", &query, &error), -EINVAL);
    assert_string_equal(error, "a closing bracket is missing here\n"
                               "  {name = \"x\" && (duration > 1s}\n"
                               "                               ^");
    /* Of a long query the part around the place; nothing in it moves the cursor. */
    memset(text, ' ', sizeof(text));
    text[0] = '{';
    text[200] = '?';
    text[201] = '\033';
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(tt_query_compile(text, &query, &far), -EINVAL);
    assert_non_null(strstr(far, "\n  ..."));
    assert_null(strchr(far, '\033'));
    assert_true(strlen(far) < 320);
    assert_int_equal(tt_query_compile("{\xc3?", &query, &hostile), -EINVAL);
}

/* ---- bounds ---- */

static void test_bounds(void **state)
{
    struct tt_query *query = NULL;
    char *text = calloc(1, 2 * TT_QUERY_MAX), *error = NULL;
    size_t n = 0;

    /* nesting */
    text[n++] = '{';
    memset(text + n, '(', 1000);
    assert_int_equal(tt_query_compile(text, &query, &error), -EINVAL);
    assert_non_null(strstr(error, "nested too deeply"));
    free(TAKE_PTR(error));
    memset(text + n, '!', 1000);
    assert_int_equal(tt_query_compile(text, &query, &error), -EINVAL);
    assert_non_null(strstr(error, "nested too deeply"));
    free(TAKE_PTR(error));
    /* parts */
    n = (size_t)sprintf(text, "{true");
    while (n < TT_QUERY_MAX - 20)
        n += (size_t)sprintf(text + n, "||true");
    sprintf(text + n, "}");
    assert_int_equal(tt_query_compile(text, &query, &error), -EINVAL);
    assert_non_null(strstr(error, "too many parts"));
    free(TAKE_PTR(error));
    /* length */
    memset(text, ' ', TT_QUERY_MAX + 1);
    assert_int_equal(tt_query_compile(text, &query, &error), -EINVAL);
    assert_non_null(strstr(error, "longer than"));
    free(error);
    free(text);
}

/* An expression that backtracks without end costs little, and is counted. */
static void test_costly_regex(void **state)
{
    static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    struct tt_otel_attribute attribute = {.key = "a", .type = TT_OTEL_STRING, .value.string = text};
    struct tt_otel_span span = {.refs = 1, .attributes = &attribute, .attribute_count = 1};
    struct tt_query *query = NULL;
    char *error = NULL;

    assert_int_equal(tt_query_compile("{ .a =~ `(a|aa)*[cd]` }", &query, &error), 0);
    for (unsigned i = 1; i <= 100; i++) {
        assert_false(tt_query_match(query, &span, NULL));
        assert_int_equal(tt_query_given_up(query), i);
    }
    tt_query_free(&query);
    /* Not UTF-8: no match, no crash. */
    attribute.value.string = "\xc3(\xff";
    assert_int_equal(tt_query_compile("{ .a =~ `.*` }", &query, &error), 0);
    tt_query_match(query, &span, NULL);
    tt_query_free(&query);
}

static void test_no_allocation(void **state)
{
    static const char text[] =
        "{ (resource.service.name =~ \"Bas.*\" || .tango.attribute.names =~ `x(y|z)+`) && duration > 1ms && "
        "event.exception.type != \"x\" && !(span:id = \"3\") && .http.method =~ \"(GET|PUT)\" }";
    struct tt_query *query = NULL;
    char *error = NULL;
    size_t before;

    assert_int_equal(tt_query_compile(text, &query, &error), 0);
    assert_true(tt_query_match(query, &failed, NULL)); /* whatever is kept for the next ones is there now */
    before = mallinfo2().uordblks;
    for (int i = 0; i < 1000; i++)
        assert_true(tt_query_match(query, &failed, NULL));
    assert_int_equal(mallinfo2().uordblks, before);
    tt_query_free(&query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),      cmocka_unit_test(test_bare_span),
        cmocka_unit_test(test_traces),       cmocka_unit_test(test_errors),
        cmocka_unit_test(test_error_text),   cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_costly_regex), cmocka_unit_test(test_no_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
