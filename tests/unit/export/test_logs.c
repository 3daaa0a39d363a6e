/* SPDX-License-Identifier: GPL-2.0-only */
/* Log records on every way out. */
#include "server.h"

#include <errno.h>

#include "base/clock.h"
#include "base/text.h"
#include "export/console.h"
#include "export/encode.h"
#include "export/export.h"
#include "otlp.pb-c.h"

/* A record inside span `span` of trace `trace` (0: none), as in fixture_span. */
static struct tt_otel_log *fixture_log(struct tt_otel_resource *resource, unsigned trace, unsigned span,
                                       int severity, const char *level, const char *body, uint64_t time)
{
    struct tt_otel_log *log = tt_otel_log_new();

    log->in_span = span != 0;
    if (span) {
        log->trace_id[0] = 0x4b;
        log->trace_id[1] = 0xf9;
        log->trace_id[15] = (uint8_t)trace;
        log->span_id[0] = 0xa1;
        log->span_id[7] = (uint8_t)span;
    }
    log->time = FIXTURE_TIME + time * 1000;
    log->severity = severity;
    log->severity_text = level;
    log->body = body;
    log->logger = "sys/tg_test/1";
    log->attributes = tt_arena_alloc(&log->arena, sizeof(struct tt_otel_attribute));
    log->attributes[0] = string_attribute("tango.logger.name", "sys/tg_test/1");
    log->attribute_count = 1;
    log->resource = tt_otel_resource_get(resource);
    log->scope = &fixture_scope;
    return log;
}

static void put_logs(struct tt_otel_log **logs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tt_otel_log_put(&logs[i]);
}

static void test_json(void **state)
{
    struct tt_otel_resource *resource = tt_otel_resource_new();
    struct tt_otel_log *logs[] = {fixture_log(resource, 1, 2, 13, "WARN", "odd \x01\xff", 5),
                                  fixture_log(resource, 0, 0, 0, "", "", 7)};
    struct tt_json json = {0};

    logs[1]->event = "tango.call.open";
    tt_encode_logs_json(logs, 2, &json);
    assert_false(json.failed);
    assert_string_equal(
        json.data,
        "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{\"name\":\"tango.cpp\",\"version\":\"9.3.4\"},"
        "\"logRecords\":[{\"timeUnixNano\":\"1704110400000005000\",\"observedTimeUnixNano\":\"1704110400000005000\","
        "\"severityNumber\":13,\"severityText\":\"WARN\",\"body\":{\"stringValue\":\"odd \\u0001\xef\xbf\xbd\"},"
        "\"attributes\":[{\"key\":\"tango.logger.name\",\"value\":{\"stringValue\":\"sys/tg_test/1\"}}],\"flags\":1,"
        "\"traceId\":\"4bf90000000000000000000000000001\",\"spanId\":\"a100000000000002\"},"
        "{\"timeUnixNano\":\"1704110400000007000\",\"observedTimeUnixNano\":\"1704110400000007000\","
        "\"eventName\":\"tango.call.open\",\"body\":{\"stringValue\":\"\"},"
        "\"attributes\":[{\"key\":\"tango.logger.name\",\"value\":{\"stringValue\":\"sys/tg_test/1\"}}]}],"
        "\"schemaUrl\":\"https://opentelemetry.io/schemas/1.44.0\"}],"
        "\"schemaUrl\":\"https://opentelemetry.io/schemas/1.44.0\"}]}\n");
    tt_json_free(&json);
    put_logs(logs, 2);
    tt_otel_resource_put(&resource);
}

static void test_protobuf(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    struct tt_otel_log *logs[600];
    struct tt_encoder *encoder = tt_encoder_new();
    struct tt_bytes out = {0};
    size_t taken, records = 0;

    for (unsigned i = 0; i < 600; i++)
        logs[i] = fixture_log(resource, 1, 1 + i % 2, 9, "INFO", "text", 600 - i);
    logs[599]->event = "tango.monitor.wait";
    tt_encode_sort_logs(logs, 600);
    assert_int_equal(tt_encode_logs_protobuf(encoder, logs, 600, 1 << 20, &out, &taken), 0);
    assert_int_equal(taken, 600);
    Tt__Otlp__LogsRequest *request = tt__otlp__logs_request__unpack(NULL, out.size, out.data);
    assert_non_null(request);
    for (size_t i = 0; i < request->n_resource_logs; i++) {
        const Tt__Otlp__ResourceLogs *group = request->resource_logs[i];
        assert_int_equal(group->resource->n_attributes, resource->attribute_count);
        assert_int_equal(group->n_scope_logs, 1);
        records += group->scope_logs[0]->n_log_records;
    }
    assert_int_equal(records, 600);
    const Tt__Otlp__LogRecord *first = request->resource_logs[0]->scope_logs[0]->log_records[0];
    assert_int_equal(first->time_unix_nano, FIXTURE_TIME + 1000);
    assert_int_equal(first->severity_number, 9);
    assert_string_equal(first->severity_text, "INFO");
    assert_string_equal(first->event_name, "tango.monitor.wait");
    assert_string_equal(first->body->string_value, "text");
    assert_int_equal(first->trace_id.len, 16);
    assert_int_equal(first->span_id.len, 8);
    assert_int_equal(first->n_attributes, 1);
    tt__otlp__logs_request__free_unpacked(request, NULL);
    /* As many as fit; what alone is too large is refused. */
    assert_int_equal(tt_encode_logs_protobuf(encoder, logs, 600, 10000, &out, &taken), 0);
    assert_true(taken > 10 && taken < 600 && out.size <= 10000);
    assert_int_equal(tt_encode_logs_protobuf(encoder, logs, 600, 100, &out, &taken), -EMSGSIZE);
    assert_int_equal(taken, 1);
    tt_encoder_free(&encoder);
    tt_bytes_free(&out);
    put_logs(logs, 600);
    tt_otel_resource_put(&resource);
}

static void test_console_tree(void **state)
{
    struct tt_otel_resource *client = fixture_resource("scan.py", "ws1:4711", NULL, 4711);
    struct tt_otel_span *spans[] = {
        fixture_span(client, 1, 1, 0, 3, "TurnOn", "lab/leader/1", 123456, 126456),
        fixture_span(client, 1, 2, 1, 1, "inner", NULL, 123500, 126400)};
    struct tt_otel_log *logs[] = {fixture_log(client, 1, 2, 5, "DEBUG", "first\n", 123600),
                                  fixture_log(client, 1, 2, 17, "ERROR", "second", 123700),
                                  fixture_log(client, 1, 1, 0, "", "outer", 123800)};
    struct tt_text text = {0};

    tt_console_tree(&text, spans, 2, 0, logs, 3, &(struct tt_console_style){.utf8 = false});
    assert_non_null(text.data);
    const char *outer = strstr(text.data, "LOG outer\n"), *inner = strstr(text.data, "INTERNAL inner"),
               *first = strstr(text.data, "DEBUG first"), *second = strstr(text.data, "ERROR second\n");
    assert_true(outer && inner && first && second);
    assert_true(outer < inner && inner < first && first < second);
    tt_text_free(&text);
    put_logs(logs, 3);
    put_spans(spans, 2);
    tt_otel_resource_put(&client);
}

/* Logs of traces without a span so far, and beyond all bounds, are neither held for ever nor lost uncounted.
 */
static void test_console_bounds(void **state)
{
    struct tt_otel_resource *client = fixture_resource("scan.py", "ws1:4711", NULL, 4711);
    struct tt_sink_counters counters[TT_SIGNALS] = {0};
    FILE *file = tmpfile();
    struct tt_sink *sink;

    assert_int_equal(
        tt_console_new(&(struct tt_console_options){.fd = fileno(file), .rate = 20, .now = tt_now_ns},
                       counters, &sink),
        0);
    for (unsigned i = 0; i < 1000; i++) {
        struct tt_otel_log *log = fixture_log(client, i % 3, i % 2, 9, "INFO", "text", i);
        sink->ops->write_logs(sink, &log, 1);
        tt_otel_log_put(&log);
    }
    sink->ops->finish(sink);
    assert_int_equal(counters[TT_SIGNAL_LOGS].exported, 1000);
    assert_int_equal(counters[TT_SIGNAL_SPANS].exported, 0);
    assert_int_equal(ftell(file), 0);
    sink->ops->free(sink);
    fclose(file);
    tt_otel_resource_put(&client);
}

/* As JSON they follow their trace, in a line of their own. */
static void test_console_json(void **state)
{
    struct tt_otel_resource *client = fixture_resource("scan.py", "ws1:4711", NULL, 4711);
    struct tt_sink_counters counters[TT_SIGNALS] = {0};
    struct tt_otel_span *span = fixture_span(client, 1, 1, 0, 3, "TurnOn", "lab/leader/1", 0, 10);
    struct tt_otel_log *log = fixture_log(client, 1, 1, 13, "WARN", "too warm", 5);
    FILE *file = tmpfile();
    struct tt_sink *sink;
    char text[8192];

    assert_int_equal(
        tt_console_new(
            &(struct tt_console_options){.fd = fileno(file), .rate = 20, .json = true, .now = tt_now_ns},
            counters, &sink),
        0);
    sink->ops->write(sink, &span, 1);
    sink->ops->write_logs(sink, &log, 1);
    sink->ops->finish(sink);
    rewind(file);
    assert_non_null(fgets(text, sizeof(text), file));
    assert_non_null(strstr(text, "{\"resourceSpans\":["));
    assert_non_null(fgets(text, sizeof(text), file));
    assert_non_null(strstr(text, "{\"resourceLogs\":["));
    assert_non_null(strstr(text, "too warm"));
    assert_null(fgets(text, sizeof(text), file));
    sink->ops->free(sink);
    fclose(file);
    tt_otel_log_put(&log);
    tt_otel_span_put(&span);
    tt_otel_resource_put(&client);
}

static void settle(struct tt_exporter *exporter, uint64_t wanted)
{
    uint64_t deadline = server_ms() + 8000;
    struct tt_export_stats stats;

    do {
        tt_exporter_log_stats(exporter, &stats);
        assert_true(server_ms() < deadline);
        usleep(2000);
    } while (stats.exported < wanted);
}

/* To a path of their own; without `logs` they are not taken. */
static void test_otlp(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    struct tt_otel_log *log = fixture_log(resource, 1, 1, 9, "INFO", "text", 1);
    struct tt_export_config config = {.queues = {{.delay_ms = 20}, {.delay_ms = 20}}, .logs = true};
    struct tt_exporter *exporter;
    struct tt_export_stats stats;
    struct tt_otel_span *span;
    const struct step steps[] = {{.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
    struct server server = {0};
    char spec[64], *error = NULL;

    server_start(&server, steps, 1);
    snprintf(spec, sizeof(spec), "otlp:http://127.0.0.1:%u/v1/traces", server.port);
    assert_int_equal(tt_exporter_new(spec, &config, &exporter, &error), 0);
    tt_exporter_log(exporter, log);
    settle(exporter, 1);
    assert_non_null(strstr(server.head, "POST /v1/logs HTTP"));
    assert_int_equal(server.logs, 1);
    tt_exporter_stop(exporter, 1000);
    tt_exporter_stats(exporter, &stats);
    assert_int_equal(stats.exported, 0);
    tt_exporter_free(&exporter);

    /* Log records only: spans are not taken, and no loss. */
    config.no_spans = true;
    assert_int_equal(tt_exporter_new(spec, &config, &exporter, &error), 0);
    assert_false(tt_exporter_takes_packed(exporter));
    span = fixture_span(resource, 1, 1, 0, 3, "read", "sys/tg_test/1", 0, 1);
    tt_exporter_span(exporter, span);
    tt_exporter_log(exporter, log);
    settle(exporter, 1);
    assert_int_equal(server.logs, 2);
    tt_exporter_stop(exporter, 1000);
    tt_exporter_stats(exporter, &stats);
    assert_int_equal(stats.queued + stats.dropped_queue + stats.capacity, 0);
    assert_non_null(strstr(tt_exporter_name(exporter), "/v1/logs"));
    tt_exporter_free(&exporter);
    tt_otel_span_put(&span);

    config = (struct tt_export_config){0};
    assert_int_equal(tt_exporter_new(spec, &config, &exporter, &error), 0);
    tt_exporter_log(exporter, log);
    tt_exporter_stop(exporter, 1000);
    tt_exporter_log_stats(exporter, &stats);
    assert_int_equal(stats.queued + stats.dropped_queue, 0);
    tt_exporter_free(&exporter);
    server_end(&server);
    tt_otel_log_put(&log);
    tt_otel_resource_put(&resource);
}

static void give_logs(struct tt_exporter *exporter, struct tt_otel_resource *resource, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct tt_otel_log *log = fixture_log(resource, 1, 1, 9, "INFO", "text", i);

        tt_exporter_log(exporter, log);
        tt_otel_log_put(&log);
    }
}

static void settle_stored(struct tt_exporter *exporter, uint64_t exported, uint64_t spooled)
{
    uint64_t deadline = server_ms() + 8000;
    struct tt_export_stats stats;

    do {
        tt_exporter_log_stats(exporter, &stats);
        if (server_ms() > deadline)
            fail_msg("exported %llu, spooled %llu", (unsigned long long)stats.exported,
                     (unsigned long long)stats.spooled);
        usleep(2000);
    } while (stats.exported != exported || stats.spooled != spooled);
}

/* Log records keep their order: what is new waits behind what is on the disk, though the destination is back.
 */
static void test_order(void **state)
{
    static const struct step ok[] = {{.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    char directory[] = "/tmp/tt-logs-XXXXXX", spec[64], command[64], *error = NULL;
    struct tt_export_config config = {.queues = {{.delay_ms = 20}, {.delay_ms = 20}},
                                      .logs = true,
                                      .spool = directory,
                                      .spool_rate = 1}; /* so that one batch leaves the disk, and no more */
    struct tt_export_stats stats;
    struct tt_exporter *exporter;
    struct server server;

    assert_non_null(mkdtemp(directory));
    server_start(&server, ok, 1);
    server_end(&server);
    snprintf(spec, sizeof(spec), "otlp:http://127.0.0.1:%u/v1/traces", server.port);
    assert_int_equal(tt_exporter_new(spec, &config, &exporter, &error), 0);
    give_logs(exporter, resource, 10);
    settle_stored(exporter, 0, 10);
    give_logs(exporter, resource, 20);
    settle_stored(exporter, 0, 30);
    server_start_at(&server, ok, 1, server.port);
    settle(exporter, 1);
    tt_exporter_log_stats(exporter, &stats);
    give_logs(exporter, resource, 5);
    settle_stored(exporter, stats.exported, stats.spooled + 5);
    tt_exporter_stop(exporter, 1000);
    tt_exporter_free(&exporter);
    server_end(&server);
    snprintf(command, sizeof(command), "rm -r %s", directory);
    assert_int_equal(system(command), 0);
    tt_otel_resource_put(&resource);
}

/* Spans and logs of one file: whole lines, all there. */
static void test_file(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
    struct tt_export_config config = {.queues = {{.delay_ms = 20}, {.delay_ms = 20}}, .logs = true};
    struct tt_exporter *exporter;
    struct tt_export_stats spans, logs;
    char path[] = "/tmp/tt-logs-XXXXXX", spec[64], *error = NULL, line[1 << 16];
    unsigned traces = 0, records = 0;
    FILE *file;

    close(mkstemp(path));
    snprintf(spec, sizeof(spec), "file:%s", path);
    assert_int_equal(tt_exporter_new(spec, &config, &exporter, &error), 0);
    for (unsigned i = 0; i < 20; i++) {
        struct tt_otel_log *log = fixture_log(resource, 1, 1, 9, "INFO", "text", i);
        struct tt_otel_span *span = fixture_real_span(resource, i);
        tt_exporter_log(exporter, log);
        tt_exporter_span(exporter, span);
        tt_otel_log_put(&log);
        tt_otel_span_put(&span);
    }
    tt_exporter_stop(exporter, 2000);
    tt_exporter_stats(exporter, &spans);
    tt_exporter_log_stats(exporter, &logs);
    assert_int_equal(spans.exported, 20);
    assert_int_equal(logs.exported, 20);
    tt_exporter_free(&exporter);
    file = fopen(path, "r");
    while (fgets(line, sizeof(line), file)) {
        assert_true(!strncmp(line, "{\"resourceSpans\"", 16) || !strncmp(line, "{\"resourceLogs\"", 15));
        for (const char *at = line; (at = strstr(at, "\"endTimeUnixNano\"")); at++)
            traces++;
        for (const char *at = line; (at = strstr(at, "\"severityText\"")); at++)
            records++;
    }
    assert_int_equal(traces, 20);
    assert_int_equal(records, 20);
    fclose(file);
    unlink(path);
    tt_otel_resource_put(&resource);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),         cmocka_unit_test(test_protobuf),
        cmocka_unit_test(test_console_tree), cmocka_unit_test(test_console_bounds),
        cmocka_unit_test(test_console_json), cmocka_unit_test(test_otlp),
        cmocka_unit_test(test_file),         cmocka_unit_test(test_order),
    };

    return cmocka_run_group_tests_name("logs", tests, NULL, NULL);
}
