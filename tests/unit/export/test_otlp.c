/* SPDX-License-Identifier: GPL-2.0-only */
/* The OTLP exporter against a real server that behaves well and badly. */
#include "server.h"

#include <time.h>

#include "export/export.h"

struct bed {
    struct server server;
    struct tt_exporter *exporter;
    struct tt_otel_resource *resource;
    struct tt_export_stats stats;
};

static void start(struct bed *bed, struct tt_export_config config, const struct step *steps, size_t count)
{
    _cleanup_free_ char *spec = NULL;
    char *error = NULL;

    *bed = (struct bed){.resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815)};
    server_start(&bed->server, steps, count);
    assert_true(asprintf(&spec, "otlp:http://127.0.0.1:%u", bed->server.port) > 0);
    if (!config.queues[0].delay_ms)
        config.queues[0].delay_ms = 20;
    assert_int_equal(tt_exporter_new(spec, &config, &bed->exporter, &error), 0);
}

static void give(struct bed *bed, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct tt_otel_span *span = fixture_real_span(bed->resource, i);

        tt_exporter_span(bed->exporter, span);
        tt_otel_span_put(&span);
    }
}

/* Waits until every span has its end. */
static void settle(struct bed *bed)
{
    uint64_t deadline = server_ms() + 8000;

    for (;;) {
        tt_exporter_stats(bed->exporter, &bed->stats);
        if (!bed->stats.waiting)
            return;
        if (server_ms() > deadline)
            fail_msg("still %llu waiting", (unsigned long long)bed->stats.waiting);
        usleep(2000);
    }
}

static void end(struct bed *bed)
{
    tt_exporter_stop(bed->exporter, 1000);
    tt_exporter_stats(bed->exporter, &bed->stats);
    assert_int_equal(bed->stats.waiting, 0);
    assert_int_equal(bed->stats.queued, bed->stats.exported + bed->stats.dropped_error +
                                            bed->stats.dropped_timeout + bed->stats.dropped_refused);
    tt_exporter_free(&bed->exporter);
    server_end(&bed->server);
    tt_otel_resource_put(&bed->resource);
}

/* At the end: how many exports ended that way, and no other. */
static void check_operations(const struct bed *bed, enum tt_operation how, uint64_t count)
{
    assert_int_equal(bed->stats.operations, count);
    assert_int_equal(bed->stats.durations[how].slots[TT_SLOT_COUNT], count);
    assert_int_equal(bed->stats.processed, bed->stats.queued);
    assert_int_equal(bed->stats.in_queue + bed->stats.inflight, 0);
}

static void test_accepted(void **state)
{
    static const struct step steps[] = {
        {.answer = OK_PROTOBUF, .size = sizeof(OK_PROTOBUF) - 1},
        ANSWER(OK_EMPTY),
        ANSWER("HTTP/1.1 204 No Content\r\n\r\n"),
        ANSWER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")};
    struct bed bed;

    start(&bed,
          (struct tt_export_config){.otlp[0].encoding = TT_ENCODING_GZIP, .otlp[0].headers = "x-key=a%20b"},
          steps, TT_ARRAY_SIZE(steps));
    for (unsigned i = 1; i <= 4; i++) {
        give(&bed, 100 * i);
        settle(&bed);
    }
    assert_int_equal(bed.stats.exported, 1000);
    assert_int_equal(bed.server.spans, 1000);
    assert_int_equal(bed.stats.requests, bed.server.requests);
    assert_int_equal(bed.server.connections, 1);
    assert_int_equal(bed.stats.retries, 0);
    assert_true(bed.stats.bytes > bed.server.body_size);
    assert_memory_equal(bed.server.head, "POST /v1/traces HTTP/1.1\r\n", 26);
    assert_non_null(strstr(bed.server.head, "\r\nContent-Type: application/x-protobuf"));
    assert_non_null(strstr(bed.server.head, "\r\nContent-Encoding: gzip"));
    assert_non_null(strstr(bed.server.head, "\r\nUser-Agent: tangotrace/" TT_VERSION
                                            " OTel-OTLP-Exporter-C/" TT_VERSION "\r\n"));
    assert_non_null(strstr(bed.server.head, "\r\nx-key: a b"));
    assert_null(strstr(bed.server.head, "Expect"));
    end(&bed);
}

static void test_plain(void **state)
{
    static const struct step steps[] = {ANSWER(OK_EMPTY)};
    struct bed bed;

    start(&bed, (struct tt_export_config){.queues[0].batch = 3000, .queues[0].delay_ms = 500}, steps, 1);
    give(&bed, 3000); /* 2.8 MB: more than sockets hold, and libcurl would like to wait for "100 Continue" */
    settle(&bed);
    assert_int_equal(bed.server.spans, 3000);
    assert_null(strstr(bed.server.head, "Content-Encoding"));
    end(&bed);
}

static void test_refused(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-protobuf\r\nContent-Length: 11\r\n\r\n\x08\x03\x12\x07no good",
        STATUS("401 Unauthorized"),
        STATUS("404 Not Found"),
        STATUS("413 Too Large"),
        STATUS("415 Unsupported"),
        STATUS("422 Unprocessable"),
        STATUS("500 Internal Server Error"),
        STATUS("501 Not Implemented"),
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\ncut", /* the connection ends there */
    };
    struct step steps[TT_ARRAY_SIZE(answers)];
    struct bed bed;

    for (size_t i = 0; i < TT_ARRAY_SIZE(answers); i++)
        steps[i] = (struct step){.answer = answers[i], .hang_up = i == TT_ARRAY_SIZE(answers) - 1};
    start(&bed, (struct tt_export_config){.queues[0].delay_ms = 1}, steps, TT_ARRAY_SIZE(steps));
    for (size_t i = 0; i < TT_ARRAY_SIZE(answers); i++) {
        give(&bed, 1);
        settle(&bed);
    }
    assert_int_equal(bed.stats.dropped_refused, TT_ARRAY_SIZE(answers));
    assert_int_equal(bed.stats.retries, 0);
    assert_int_equal(bed.server.requests, TT_ARRAY_SIZE(answers));
    end(&bed);
}

static void test_retried(void **state)
{
    static const struct step steps[] = {ANSWER(STATUS("503 Service Unavailable")),
                                        ANSWER(STATUS("502 Bad Gateway")),
                                        ANSWER(OK_EMPTY),
                                        ANSWER(STATUS("504 Gateway Timeout")),
                                        {.hang_up = true},
                                        ANSWER(OK_EMPTY)};
    struct bed bed;

    start(&bed, (struct tt_export_config){.otlp[0].encoding = TT_ENCODING_GZIP}, steps, TT_ARRAY_SIZE(steps));
    give(&bed, 10);
    settle(&bed);
    assert_int_equal(bed.stats.retries, 2);
    give(&bed, 10);
    settle(&bed);
    assert_int_equal(bed.stats.exported, 20);
    assert_int_equal(bed.server.requests, 6);
    assert_true(bed.stats.retries >= 3); /* libcurl itself repeats what a kept-alive connection lost */
    assert_true(bed.server.times[1] - bed.server.times[0] >= 100);
    end(&bed);
    check_operations(&bed, TT_OPERATION_DONE, 2);
    assert_true(bed.stats.durations[TT_OPERATION_DONE].slots[TT_SLOT_SUM] >= 100000000);
}

static void test_retry_after(void **state)
{
    static char date[256];
    struct step steps[] = {
        ANSWER("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), ANSWER(date),
        ANSWER(OK_EMPTY)};
    time_t then = time(NULL) + 3;
    char when[64];
    struct bed bed;
    struct tm tm;

    strftime(when, sizeof(when), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &tm));
    snprintf(date, sizeof(date), "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", when);
    start(&bed, (struct tt_export_config){.otlp[0].encoding = TT_ENCODING_GZIP}, steps, TT_ARRAY_SIZE(steps));
    give(&bed, 1);
    settle(&bed);
    assert_int_equal(bed.stats.exported, 1);
    assert_int_equal(bed.stats.retries, 2);
    assert_true(bed.server.times[1] - bed.server.times[0] >= 1000);
    assert_true(time(NULL) >= then);
    end(&bed);
}

/* The receiver wants to be left alone for longer than a batch may take: that batch is given up, the next are
 * kept, unsent. */
static void test_long_retry_after(void **state)
{
    static const struct step steps[] = {
        ANSWER("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n")};
    uint64_t begin;
    struct bed bed;

    start(&bed, (struct tt_export_config){.otlp[0].encoding = TT_ENCODING_GZIP}, steps, 1);
    give(&bed, 5);
    settle(&bed);
    assert_int_equal(bed.stats.dropped_timeout, 5);
    give(&bed, 7);
    usleep(100000);
    tt_exporter_stats(bed.exporter, &bed.stats);
    assert_int_equal(bed.stats.waiting, 7);
    assert_int_equal(bed.server.requests, 1);
    begin = server_ms();
    tt_exporter_stop(bed.exporter, 100);
    assert_true(server_ms() - begin < 1000);
    tt_exporter_stats(bed.exporter, &bed.stats);
    assert_int_equal(bed.stats.dropped_timeout, 12);
    end(&bed);
}

static void test_connection_refused(void **state)
{
    static const struct step steps[] = {ANSWER(OK_EMPTY)};
    struct tt_export_config config = {.otlp[0].timeout_ms = 500, .queues[0].delay_ms = 10};
    _cleanup_free_ char *spec = NULL;
    char *error = NULL;
    struct bed bed;
    struct tt_exporter *exporter = NULL;

    start(&bed, config, steps, 1);
    assert_true(asprintf(&spec, "otlp:http://127.0.0.1:%u", bed.server.port) > 0);
    server_end(&bed.server); /* its port is closed now */
    give(&bed, 10);
    settle(&bed);
    assert_int_equal(bed.stats.dropped_timeout, 10);
    assert_true(bed.stats.retries >= 1);
    /* A name that does not exist is a failure of the connection too. */
    assert_int_equal(tt_exporter_new("otlp:http://tangotrace.invalid:1", &config, &exporter, &error), 0);
    tt_exporter_stop(exporter, 100);
    tt_exporter_free(&exporter);
    server_start(&bed.server, steps, 1);
    end(&bed);
}

static void test_slow(void **state)
{
    static const struct step steps[] = {{.hold = true}};
    uint64_t begin = server_ms();
    struct bed bed;

    start(&bed, (struct tt_export_config){.otlp[0].timeout_ms = 300}, steps, 1);
    give(&bed, 10);
    settle(&bed);
    assert_int_equal(bed.stats.dropped_timeout, 10);
    assert_true(server_ms() - begin >= 300 && server_ms() - begin < 2000);
    end(&bed);
    check_operations(&bed, TT_OPERATION_TIMEOUT, 1);
}

/* "200" arrived: the spans have been taken, whatever happens to the rest of the answer. */
static void test_cut_answer(void **state)
{
    static const struct step steps[] = {
        {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut", .hang_up = true},
        {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow", .hold = true},
    };
    struct bed bed;

    start(&bed, (struct tt_export_config){.otlp[0].timeout_ms = 300, .queues[0].delay_ms = 1}, steps, 2);
    give(&bed, 1);
    settle(&bed);
    give(&bed, 1);
    settle(&bed);
    assert_int_equal(bed.stats.exported, 2);
    assert_int_equal(bed.server.requests, 2);
    end(&bed);
}

static void test_huge_answer(void **state)
{
    static const struct step steps[] = {
        {.answer = "HTTP/1.1 200 OK\r\n\r\n", .fill = 5 << 20, .hang_up = true},
        {.answer = "HTTP/1.1 503 Busy\r\n\r\n", .fill = 5 << 20, .hang_up = true}};
    struct bed bed;

    start(&bed, (struct tt_export_config){.queues[0].delay_ms = 1}, steps, 2);
    give(&bed, 1);
    settle(&bed);
    give(&bed, 1);
    settle(&bed);
    assert_int_equal(bed.stats.dropped_refused, 2);
    assert_int_equal(bed.server.requests, 2);
    end(&bed);
}

static void test_other_protocols(void **state)
{
    static const struct step steps[] = {
        {.answer = "HTTP/1.0 200 OK\r\n\r\n",
         .hang_up = true}, /* no length: the end of the connection ends it */
        {.answer = "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0d",
         .size = 15,
         .hang_up = true}, /* what a gRPC port says */
    };
    struct bed bed;

    start(&bed, (struct tt_export_config){.queues[0].delay_ms = 1}, steps, 2);
    give(&bed, 1);
    settle(&bed);
    assert_int_equal(bed.stats.exported, 1);
    give(&bed, 1);
    settle(&bed);
    assert_int_equal(bed.stats.dropped_refused, 1);
    assert_int_equal(bed.server.connections, 2);
    end(&bed);
}

static void test_partial_success(void **state)
{
    static const struct step steps[] = {ANSWER(
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 13\r\n\r\n\x0a\x0b\x08\x03\x12\x07too old")};
    struct bed bed;

    start(&bed, (struct tt_export_config){.otlp[0].encoding = TT_ENCODING_GZIP}, steps, 1);
    give(&bed, 10);
    settle(&bed);
    assert_int_equal(bed.stats.exported, 7);
    assert_int_equal(bed.stats.dropped_refused, 3);
    assert_int_equal(bed.server.requests, 1);
    end(&bed);
    check_operations(&bed, TT_OPERATION_REJECTED, 1);
}

/* The same in JSON, and JSON that is none of ours: 2xx is what counts. */
static void test_json_replies(void **state)
{
#define JSON_ANSWER(length, text)                                                                            \
    ANSWER("HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: " length     \
           "\r\n\r\n" text)
    static const struct step steps[] = {
        JSON_ANSWER("63", "{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"old\"}}  "),
        JSON_ANSWER("41", "{\"partialSuccess\":{\"rejectedSpans\":1000}}"),
        JSON_ANSWER("26", "{\"partialSuccess\":[1,2,3]}"),
        JSON_ANSWER("40", "{\"partialSuccess\":{\"errorMessage\":null}}"),
        JSON_ANSWER("14", "[[[[[[[[[[[[[["),
    };
    struct bed bed;

    start(&bed, (struct tt_export_config){.queues[0].delay_ms = 1, .otlp[0].json = true}, steps,
          TT_ARRAY_SIZE(steps));
    for (size_t i = 0; i < TT_ARRAY_SIZE(steps); i++) {
        give(&bed, 10);
        settle(&bed);
        assert_int_equal(bed.stats.dropped_refused, i ? 13 : 3);
    }
    assert_int_equal(bed.stats.exported, 37);
    assert_non_null(strstr(bed.server.head, "\r\nContent-Type: application/json"));
    end(&bed);
}

/* The receiver hangs: the queue fills, what comes then is dropped, nobody waits, the end comes in time. */
static void test_overflow_and_stop(void **state)
{
    static const struct step steps[] = {{.hold = true}};
    uint64_t begin = server_ms();
    struct bed bed;

    start(&bed,
          (struct tt_export_config){.queues[0].queue = 100,
                                    .queues[0].batch = 50,
                                    .otlp[0].timeout_ms = 60000,
                                    .otlp[0].encoding = TT_ENCODING_GZIP},
          steps, 1);
    give(&bed, 50);
    while (!bed.server.requests)
        usleep(1000);
    give(&bed, 1000);
    tt_exporter_stats(bed.exporter, &bed.stats);
    assert_int_equal(bed.stats.queued, 150);
    assert_int_equal(bed.stats.dropped_queue, 900);
    assert_int_equal(bed.stats.waiting, 150);
    tt_exporter_stop(bed.exporter, 200);
    assert_true(server_ms() - begin < 3000);
    tt_exporter_stats(bed.exporter, &bed.stats);
    assert_int_equal(bed.stats.dropped_timeout, 150);
    end(&bed);
}

static void test_stop_flushes(void **state)
{
    static const struct step steps[] = {ANSWER(OK_EMPTY)};
    struct bed bed;

    start(&bed,
          (struct tt_export_config){
              .queues[0].delay_ms = 60000, .queues[0].batch = 300, .otlp[0].encoding = TT_ENCODING_GZIP},
          steps, 1);
    give(&bed, 1000);
    tt_exporter_stop(bed.exporter, 2000);
    tt_exporter_stats(bed.exporter, &bed.stats);
    assert_int_equal(bed.stats.exported, 1000);
    assert_int_equal(bed.server.spans, 1000);
    end(&bed);
}

static void test_bad_files(void **state)
{
    const struct tt_export_config config = {.otlp[0].certificate = "/nonexistent.pem"};
    struct tt_exporter *exporter = NULL;
    char *error = NULL;

    assert_true(tt_exporter_new("otlp:https://h", &config, &exporter, &error) < 0);
    assert_non_null(strstr(error, "/nonexistent.pem"));
    free(error);
}

static void test_names(void **state)
{
    static const struct {
        const char *spec, *name;
        bool full; /* the URL is used as it is */
    } cases[] = {
        {"otlp", "otlp:http://localhost:4318/v1/traces", false},
        {"otlp:https://me:secret@h/x?key=secret", "otlp:https://h/x/v1/traces", false},
        {"http://h/x", "otlp:http://h/x", true},
        {"http://h", "otlp:http://h/", true},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        struct tt_export_config config = {0};
        struct tt_exporter *exporter = NULL;
        char *error = NULL;

        config.otlp[0].url = cases[i].full ? cases[i].spec : NULL;
        assert_int_equal(tt_exporter_new(cases[i].full ? "otlp" : cases[i].spec, &config, &exporter, &error),
                         0);
        assert_string_equal(tt_exporter_name(exporter), cases[i].name);
        tt_exporter_free(&exporter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_retried),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_long_retry_after),
        cmocka_unit_test(test_connection_refused),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_cut_answer),
        cmocka_unit_test(test_huge_answer),
        cmocka_unit_test(test_other_protocols),
        cmocka_unit_test(test_partial_success),
        cmocka_unit_test(test_json_replies),
        cmocka_unit_test(test_overflow_and_stop),
        cmocka_unit_test(test_stop_flushes),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
