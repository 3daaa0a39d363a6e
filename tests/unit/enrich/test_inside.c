/* SPDX-License-Identifier: GPL-2.0-only */
/* Log records, and spans of polling and events, as they leave. */
#include "fixture.h"

static const struct tt_row row_poll = {
    .role = TT_ROLE_POLL, .name = "Tango::PollThread::poll_attr", .verb = "poll"};
static const struct tt_row row_push = {
    .role = TT_ROLE_PUSH, .name = "Tango::ZmqEventSupplier::push_event", .verb = "push"};
static const struct tt_row row_receive = {
    .role = TT_ROLE_RECEIVE, .name = "Tango::ZmqEventConsumer::push_zmq_event", .verb = "event"};

static int64_t int_of(const struct tt_otel_attribute *attributes, size_t count, const char *key)
{
    const struct tt_otel_attribute *attribute = tt_otel_find(attributes, count, key);

    return attribute && attribute->type == TT_OTEL_INT ? attribute->value.integer : INT64_MIN;
}

static struct tt_otel_span *enriched(struct tt_enricher *enricher, struct tt_span *span)
{
    struct tt_otel_span *out = tt_enrich(enricher, &span);

    assert_non_null(out);
    assert_span_by_table(out);
    return out;
}

static void test_polling(void **state)
{
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_span *span = fixture_span(&row_poll, TT_SPAN_INTERNAL, SERVER_PID);
    struct tt_otel_span *out;

    fixture_device(span, "sys/tg_test/1", "TangoTest");
    fixture_attribute(span, "ampli");
    span->trigger = TT_TRIGGER_POLLING;
    span->period = 3000000000;
    span->planned = span->start - 1500000;
    out = enriched(enricher, span);
    assert_string_equal(out->title, "poll ampli");
    assert_string_equal(string_of(out, "tango.trigger"), "polling");
    assert_string_equal(resource_string(out, "service.instance.id"), "sys/tg_test/1");
    assert_int_equal(int_of(out->attributes, out->attribute_count, "tango.polling.period_ms"), 3000);
    assert_int_equal(int_of(out->attributes, out->attribute_count, "tango.polling.late_us"), 1500);
    tt_otel_span_put(&out);

    /* a command; earlier than planned, by the wall clock (9.3) */
    span = fixture_span(&row_poll, TT_SPAN_INTERNAL, SERVER_PID);
    span->command = tt_arena_copy(&span->arena, "DevVoid", 7);
    span->planned_unix = span->start + (uint64_t)span->unix_offset + 20000;
    out = enriched(enricher, span);
    assert_string_equal(out->title, "poll DevVoid");
    assert_string_equal(string_of(out, "tango.command.name"), "DevVoid");
    assert_int_equal(int_of(out->attributes, out->attribute_count, "tango.polling.late_us"), -20);
    tt_otel_span_put(&out);
    tt_enricher_free(&enricher);
}

struct topic_sample {
    const char *topic, *title, *device, *type, *attribute;
};

static const struct topic_sample topics[] = {
    {"tango://h:10000/sys/tg_test/1/ampli.idl5_change", "event change ampli", "sys/tg_test/1", "change",
     "ampli"},
    {"tango://h:1/sys/tg_test/1/ampli#dbase=no.idl4_periodic", "event periodic ampli", "sys/tg_test/1",
     "periodic", "ampli"},
    {"tango://h.x.y:1/a/b/c.intr_change", "event intr_change", "a/b/c", "intr_change", NULL},
    {"tango://h.x.y:1/a/b/c#dbase=no.intr_change", "event intr_change", "a/b/c", "intr_change", NULL},
    {"tango://h:1/a/b/c/pi/pe.pipe", "event pipe pi/pe", "a/b/c", "pipe", NULL},
    {"tango://h:1.change", "event ", NULL, NULL, NULL},
    {"tango://", "event ", NULL, NULL, NULL},
    {"nonsense", "event ", NULL, NULL, NULL},
    {".", "event ", NULL, NULL, NULL},
};

static void test_topics(void **state)
{
    struct tt_enricher *enricher = fixture_enricher(NULL);

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        struct tt_span *span = fixture_span(&row_receive, TT_SPAN_CONSUMER, CLIENT_PID);
        const struct tt_otel_attribute *names;
        struct tt_otel_span *out;

        span->topic = tt_arena_copy(&span->arena, topics[i].topic, strlen(topics[i].topic));
        out = enriched(enricher, span);
        assert_string_equal(out->title, topics[i].title);
        assert_string_equal(string_of(out, "messaging.destination.name"), topics[i].topic);
        if (topics[i].device) {
            assert_string_equal(string_of(out, "tango.operation.target"), topics[i].device);
            assert_string_equal(string_of(out, "tango.event.type"), topics[i].type);
        }
        names = tt_otel_find(out->attributes, out->attribute_count, "tango.attribute.names");
        assert_int_equal(!names, !topics[i].attribute);
        if (names)
            assert_string_equal(names->value.strings.items[0], topics[i].attribute);
        assert_string_equal(string_of(out, "tangotrace.parent.reason"), "publisher_unseen");
        tt_otel_span_put(&out);
    }
    tt_enricher_free(&enricher);
}

static void test_event(void **state)
{
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_span *span = fixture_span(&row_push, TT_SPAN_PRODUCER, SERVER_PID);
    struct tt_otel_span *out;

    fixture_device(span, "sys/tg_test/1", "TangoTest");
    fixture_attribute(span, "ampli");
    span->event_type = tt_arena_copy(&span->arena, "idl5_change", 11);
    span->counter = 12;
    span->has_counter = span->event_error = true;
    span->elements = 200;
    span->subscribers = 3;
    out = enriched(enricher, span);
    assert_int_equal(int_of(out->attributes, out->attribute_count, "tango.event.size"), 200);
    assert_int_equal(int_of(out->attributes, out->attribute_count, "tango.event.subscribers"), 3);
    assert_string_equal(out->title, "push change ampli");
    assert_string_equal(string_of(out, "messaging.operation.type"), "send");
    assert_int_equal(int_of(out->attributes, out->attribute_count, "tango.event.counter"), 12);
    assert_non_null(tt_otel_find(out->attributes, out->attribute_count, "tango.event.error"));
    tt_otel_span_put(&out);

    span = fixture_span(&row_receive, TT_SPAN_CONSUMER, CLIENT_PID);
    span->proof = TT_PROOF_EVENT;
    span->pushed = span->start - 250000;
    span->events_lost = 7;
    out = enriched(enricher, span);
    assert_string_equal(string_of(out, "tangotrace.parent.proof"), "event");
    assert_int_equal(int_of(out->attributes, out->attribute_count, "tango.event.latency_us"), 250);
    assert_int_equal(int_of(out->attributes, out->attribute_count, "tango.event.lost"), 7);
    assert_null(tt_otel_find(out->attributes, out->attribute_count, "tango.event.error"));
    tt_otel_span_put(&out);
    tt_enricher_free(&enricher);
}

static struct tt_log *log_of(const char *logger, uint64_t level)
{
    struct tt_log *log = tt_log_new();

    log->tgid = SERVER_PID;
    log->tid = 77;
    log->time = 5000;
    log->unix_offset = 1700000000000000000;
    log->level = level;
    log->has_level = true;
    log->logger = tt_arena_copy(&log->arena, logger, strlen(logger));
    log->message = tt_arena_copy(&log->arena, "te\xffxt", 5);
    return log;
}

static void test_severities(void **state)
{
    static const struct {
        uint64_t level;
        int severity;
        const char *text;
    } samples[] = {{200, 21, "FATAL"}, {300, 17, "ERROR"}, {400, 13, "WARN"}, {500, 9, "INFO"},
                   {600, 5, "DEBUG"},  {0, 0, ""},         {450, 0, ""}};
    struct tt_enricher *enricher = fixture_enricher(NULL);

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct tt_log *log = log_of("sys/tg_test/1", samples[i].level);
        struct tt_otel_log *out = tt_enrich_log(enricher, &log);

        assert_null(log);
        assert_int_equal(out->severity, samples[i].severity);
        assert_string_equal(out->severity_text, samples[i].text);
        assert_string_equal(out->body, "te\xef\xbf\xbdxt");
        assert_int_equal(out->time, 1700000000000005000);
        assert_by_table(out->attributes, out->attribute_count, TT_ATTR_OF_LOG);
        tt_otel_log_put(&out);
    }
    tt_enricher_free(&enricher);
}

/* Of the logger's device, with the class that its spans told; the library's own of the process. */
static void test_log_resource(void **state)
{
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_log *log = log_of("sys/tg_test/1", 400);
    struct tt_otel_log *out;

    log->device = tt_arena_copy(&log->arena, "SYS/tg_test/1", 13);
    log->class_name = tt_arena_copy(&log->arena, "TangoTest", 9);
    log->file = tt_arena_copy(&log->arena, "a.cpp", 5);
    log->line = 12;
    log->has_line = true;
    log->full = 5000;
    log->incomplete = TT_INCOMPLETE_CUT;
    out = tt_enrich_log(enricher, &log);
    assert_string_equal(out->resource->service_name, "TangoTest");
    assert_string_equal(out->resource->instance, "sys/tg_test/1");
    assert_int_equal(int_of(out->attributes, out->attribute_count, "thread.id"), 77);
    assert_int_equal(int_of(out->attributes, out->attribute_count, "code.line.number"), 12);
    assert_int_equal(int_of(out->attributes, out->attribute_count, "tangotrace.log.length"), 5000);
    assert_by_table(out->attributes, out->attribute_count, TT_ATTR_OF_LOG);
    tt_otel_log_put(&out);

    log = log_of("sys/tg_test/1", 400); /* outside any request */
    out = tt_enrich_log(enricher, &log);
    assert_string_equal(out->resource->service_name, "TangoTest");
    tt_otel_log_put(&out);

    log = log_of("TangoTest", 400);
    out = tt_enrich_log(enricher, &log);
    assert_string_equal(out->resource->service_name, "TangoTest");
    assert_null(strchr(out->resource->instance, '/'));
    tt_otel_log_put(&out);
    tt_enricher_free(&enricher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_polling),    cmocka_unit_test(test_topics),       cmocka_unit_test(test_event),
        cmocka_unit_test(test_severities), cmocka_unit_test(test_log_resource),
    };

    return cmocka_run_group_tests_name("inside", tests, NULL, NULL);
}
