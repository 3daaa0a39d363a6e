/* SPDX-License-Identifier: GPL-2.0-only */
/* What comes from outside: URLs and headers from the configuration, answers from the network. */
#include "fixture.h"

#include <curl/curl.h>
#include <errno.h>

#include "export/reply.h"
#include "export/url.h"
#include "otlp.pb-c.h"

static void test_urls(void **state)
{
    static const struct {
        const char *text, *url, *display;
        bool local;
    } cases[] = {
        {"http://localhost:4318", "http://localhost:4318/v1/traces", "http://localhost:4318/v1/traces", true},
        {"http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/v1/traces",
         true},
        {"HTTPS://h/v1/traces", "https://h/v1/traces", "https://h/v1/traces", false},
        {"http://h/otlp/", "http://h/otlp/v1/traces", "http://h/otlp/v1/traces", false},
        {"http://h/otlp/v1/traces/", "http://h/otlp/v1/traces", "http://h/otlp/v1/traces", false},
        {"http://[::1]:4318/x?key=1", "http://[::1]:4318/x/v1/traces?key=1", "http://[::1]:4318/x/v1/traces",
         true},
        {"https://me:secret@h:1/#frag", "https://me:secret@h:1/v1/traces", "https://h:1/v1/traces", false},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        struct tt_url url = {0};
        char *error = NULL;

        assert_int_equal(tt_url_parse(cases[i].text, "/v1/traces", &url, &error), 0);
        assert_string_equal(url.url, cases[i].url);
        assert_string_equal(url.display, cases[i].display);
        assert_int_equal(url.local, cases[i].local);
        tt_url_free(&url);
    }
}

static void test_bad_urls(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"ftp://h", "scheme must be http or https"},
        {"localhost:4318", "must begin with http://"},
        {"", "must begin with http://"},
        {"grpc://h:4317", "gRPC"},
        {"http://h:99999", "port"},
        {"http://h:port", "port"},
        {"http://h:-1", "port"},
        {"http://", "host"},
        {"http://a b/", "not an OTLP/HTTP URL"},
        {"http://h/\n", "not an OTLP/HTTP URL"},
        {"http://[::1/", "not an OTLP/HTTP URL"},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        struct tt_url url = {0};
        char *error = NULL;

        assert_int_equal(tt_url_parse(cases[i].text, "/v1/traces", &url, &error), -EINVAL);
        if (!strstr(error, cases[i].error))
            fail_msg("%s: %s", cases[i].text, error);
        assert_null(url.url);
        free(error);
    }
}

static void test_headers(void **state)
{
    struct curl_slist *list = NULL;
    char *error = NULL;

    assert_int_equal(
        tt_url_headers("a=b, X-Key = a%20b%2C%zz=c ,,Authorization=Basic%20Zm9v, empty=", &list, &error), 0);
    assert_string_equal(list->data, "a: b");
    assert_string_equal(list->next->data, "X-Key: a b,%zz=c");
    assert_string_equal(list->next->next->data, "Authorization: Basic Zm9v");
    assert_string_equal(list->next->next->next->data, "empty;");
    assert_null(list->next->next->next->next);
    curl_slist_free_all(list);
    list = NULL;
    assert_int_equal(tt_url_headers(NULL, &list, &error), 0);
    assert_null(list);
}

static void test_bad_headers(void **state)
{
    static const char *const cases[] = {"secret", "=secret", "a b=secret", "a=secret%0d%0aHost: x",
                                        "Content-Type=secret"};

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        struct curl_slist *list = NULL;
        char *error = NULL;

        assert_int_equal(tt_url_headers(cases[i], &list, &error), -EINVAL);
        assert_null(strstr(error, "secret"));
        curl_slist_free_all(list);
        free(error);
    }
}

#define PROTOBUF "application/x-protobuf"

static void test_partial(void **state)
{
    Tt__Otlp__TracePartialSuccess p = TT__OTLP__TRACE_PARTIAL_SUCCESS__INIT;
    Tt__Otlp__TraceReply reply = TT__OTLP__TRACE_REPLY__INIT;
    struct tt_reply_partial partial;
    uint8_t bytes[256];
    size_t size;

    reply.partial_success = &p;
    p.rejected_spans = 3;
    p.error_message = (char *)"too\nold\x1b";
    size = tt__otlp__trace_reply__pack(&reply, bytes);
    tt_reply_partial(bytes, size, PROTOBUF "; charset=x", 10, &partial);
    assert_int_equal(partial.rejected, 3);
    assert_string_equal(partial.message, "too old?");
    tt_reply_partial(bytes, size, PROTOBUF, 2, &partial);
    assert_int_equal(partial.rejected, 2); /* not more than were sent */
    tt_reply_partial(bytes, size, "text/plain", 10, &partial);
    assert_int_equal(partial.rejected, 0);
    tt_reply_partial(bytes, size, NULL, 10, &partial);
    assert_int_equal(partial.rejected, 0);
    tt_reply_partial(bytes, size - 1, PROTOBUF, 10, &partial); /* cut */
    assert_int_equal(partial.rejected, 0);
    tt_reply_partial((const uint8_t *)"\x0a\x00", 2, PROTOBUF, 10, &partial); /* Jaeger, Collector */
    assert_int_equal(partial.rejected, 0);
    p.rejected_spans = -5;
    size = tt__otlp__trace_reply__pack(&reply, bytes);
    tt_reply_partial(bytes, size, PROTOBUF, 10, &partial);
    assert_int_equal(partial.rejected, 0);
}

static void test_message(void **state)
{
    char message[TT_REPLY_TEXT], text[2000];

    tt_reply_message((const uint8_t *)"\x08\x03\x12\x07no good", 11, PROTOBUF, message);
    assert_string_equal(message, "no good");
    tt_reply_message((const uint8_t *)"\x12\x7fshort", 7, PROTOBUF, message);
    assert_string_equal(message, "");
    tt_reply_message((const uint8_t *)"bad\xe9 \xc3\xa9\r\nrequest\n", 17, "text/plain", message);
    assert_string_equal(message, "bad? \xc3\xa9  request");
    tt_reply_message(NULL, 0, NULL, message);
    assert_string_equal(message, "");
    memset(text, 'x', sizeof(text));
    memcpy(text + TT_REPLY_TEXT - 2, "\xc3\xa9", 2);
    tt_reply_message((const uint8_t *)text, sizeof(text), NULL, message);
    assert_int_equal(strlen(message), TT_REPLY_TEXT - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),        cmocka_unit_test(test_bad_urls), cmocka_unit_test(test_headers),
        cmocka_unit_test(test_bad_headers), cmocka_unit_test(test_partial),  cmocka_unit_test(test_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
