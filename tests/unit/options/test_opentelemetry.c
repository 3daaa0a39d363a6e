/* SPDX-License-Identifier: GPL-2.0-only */
/* test_opentelemetry.c: variables of OpenTelemetry, and what becomes of them beside options of our own. */
#include "parse.h"

#include <stdlib.h>

#include "options/internal.h"
#include "sample/sample.h"

static void test_environment_lists(void **state)
{
    struct tt_options o = parse(ARGS(), ARGS("TANGOTRACE_SELECT=a/*,,!pid:1,b", "TANGOTRACE_EXCLUDE=user:x"));

    assert_int_equal(tt_selection_count(o.selection), 4);
    rule_is(&o, 0, false, "user:x"); /* excludes of the environment are exceptions: first */
    rule_is(&o, 1, true, "a/*");
    rule_is(&o, 2, false, "pid:1");
    rule_is(&o, 3, true, "b");
    tt_options_free(&o);
}

static void test_opentelemetry(void **state)
{
    struct tt_options o = parse(
        ARGS(), ARGS("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318/base", "OTEL_EXPORTER_OTLP_HEADERS=a=b",
                     "OTEL_EXPORTER_OTLP_TRACES_HEADERS=c=d", "OTEL_EXPORTER_OTLP_TIMEOUT=2500",
                     "OTEL_EXPORTER_OTLP_COMPRESSION=none", "OTEL_EXPORTER_OTLP_CERTIFICATE=/ca",
                     "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=/cert", "OTEL_EXPORTER_OTLP_CLIENT_KEY=/key",
                     "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test", "OTEL_BSP_SCHEDULE_DELAY=50",
                     "OTEL_BSP_MAX_QUEUE_SIZE=100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=10"));

    assert_string_equal(o.otlp_of[TT_OTLP_TRACES].headers, "c=d"); /* the more specific variable */
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].timeout, 2500);
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].compression, TT_COMPRESSION_NONE);
    assert_string_equal(o.otlp_of[TT_OTLP_TRACES].certificate, "/ca");
    assert_string_equal(o.otlp_of[TT_OTLP_TRACES].client_certificate, "/cert");
    assert_string_equal(o.otlp_of[TT_OTLP_TRACES].client_key, "/key");
    assert_string_equal(o.resource_attributes, "deployment.environment=test");
    assert_int_equal(o.batch_delay, 50);
    assert_int_equal(o.queue_size, 100);
    assert_int_equal(o.batch_size, 10);
    assert_int_equal(o.exports.count, 2); /* an endpoint asks for the exporter */
    assert_string_equal(o.exports.items[0], "console");
    assert_string_equal(o.exports.items[1], "otlp:http://c:4318/base");
    tt_options_free(&o);

    /* What is not said of one signal is what is said of all, wherever that stands; the rest is the default.
     */
    o = parse(ARGS("--otlp-timeout", "3s", "--otlp-logs-protocol", "http/json", "--spool", "/s",
                   "--spool-size", "300K"),
              ARGS("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=50", "OTEL_EXPORTER_OTLP_METRICS_HEADERS=k=v",
                   "OTEL_EXPORTER_OTLP_HEADERS=a=b", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=zstd",
                   "OTEL_BLRP_MAX_QUEUE_SIZE=7", "OTEL_BSP_SCHEDULE_DELAY=20",
                   "OTEL_METRIC_EXPORT_TIMEOUT=900", "OTEL_LOG_LEVEL=WARN", "OTEL_ATTRIBUTE_COUNT_LIMIT=9",
                   "OTEL_SPAN_EVENT_COUNT_LIMIT=2", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT=3",
                   "OTEL_SPAN_LINK_COUNT_LIMIT=1", "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT=40"));
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].timeout, 3000);
    assert_int_equal(o.otlp_of[TT_OTLP_LOGS].timeout, 50);
    assert_int_equal(o.otlp_of[TT_OTLP_METRICS].timeout, 900);
    assert_string_equal(o.otlp_of[TT_OTLP_TRACES].headers, "a=b");
    assert_string_equal(o.otlp_of[TT_OTLP_METRICS].headers, "k=v");
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].compression, TT_COMPRESSION_ZSTD);
    assert_int_equal(o.otlp_of[TT_OTLP_LOGS].compression, TT_COMPRESSION_GZIP);
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].protocol, TT_PROTOCOL_PROTOBUF);
    assert_int_equal(o.otlp_of[TT_OTLP_LOGS].protocol, TT_PROTOCOL_JSON);
    assert_null(o.otlp_of[TT_OTLP_LOGS].certificate);
    assert_int_equal(o.queue_size, 65536);
    assert_int_equal(o.log_queue_size, 7);
    assert_int_equal(o.log_batch_delay, 20);
    assert_string_equal(o.spool_dir, "/s");
    assert_int_equal(o.spool_size, 300 * 1024);
    assert_int_equal(o.spool_age, 24 * 3600 * 1000);
    assert_int_equal(o.log_level, TT_LOG_WARN);
    assert_int_equal(o.attribute_count, 9);
    assert_int_equal(o.event_count, 2);
    assert_int_equal(o.event_attribute_count, 3);
    assert_int_equal(o.link_count, 1);
    assert_int_equal(o.attribute_length, 0);
    assert_int_equal(o.log_attribute_length, 40);
    assert_int_equal(o.log_attribute_count, 9); /* of OTEL_ATTRIBUTE_COUNT_LIMIT: for both */
    tt_options_free(&o);

    o = parse(ARGS(), ARGS("TANGOTRACE_SPOOL_DIR=/var/lib/x", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"));
    assert_string_equal(o.spool_dir, "/var/lib/x");
    assert_int_equal(o.otlp_of[TT_OTLP_METRICS].protocol, TT_PROTOCOL_PROTOBUF);
    tt_options_free(&o);

    o = parse(ARGS("--sampling-rules", "device=a; ratio=1", "--sampling-rules", "ratio=0"),
              ARGS("OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.25"));
    assert_int_equal(o.sampler, TT_SAMPLER_PARENT_RATIO);
    assert_string_equal(o.sampler_ratio, "0.25");
    assert_int_equal(o.sampling_rules.count, 2);
    assert_string_equal(o.sampling_rules.items[1], "ratio=0");
    assert_null(o.sampling_background);
    tt_options_free(&o);

    /* Ours goes before OpenTelemetry's; --export decides alone. */
    o = parse(ARGS("--export", "otlp"), ARGS("OTEL_BSP_MAX_QUEUE_SIZE=100", "TANGOTRACE_QUEUE_SIZE=200",
                                             "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:1/v1/traces",
                                             "OTEL_EXPORTER_OTLP_ENDPOINT=http://d:2"));
    assert_int_equal(o.queue_size, 200);
    assert_int_equal(o.exports.count, 1);
    /* The signal's endpoint is used as it is; log records go to the base, whatever the former's path. */
    assert_string_equal(o.exports.items[0], "otlp-traces:http://c:1/v1/traces");
    assert_string_equal(o.otlp_of[TT_OTLP_LOGS].endpoint, "http://d:2/v1/logs");
    tt_options_free(&o);
    o = parse(ARGS("--export", "otlp"), ARGS("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:1/v1/traces"));
    assert_string_equal(o.exports.items[0], "otlp-traces:http://c:1/v1/traces");
    assert_null(o.otlp_of[TT_OTLP_LOGS].endpoint); /* nobody said that it takes any */
    tt_options_free(&o);
    o = parse(ARGS("--export", "otlp", "--otlp-endpoint", "http://d:2/in/"),
              ARGS("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:1/other"));
    assert_string_equal(o.exports.items[0], "otlp-traces:http://c:1/other");
    assert_string_equal(o.otlp_of[TT_OTLP_LOGS].endpoint, "http://d:2/in/v1/logs");
    tt_options_free(&o);
    o = parse(ARGS("--export", "otlp:http://x:3", "--otlp-endpoint", "http://d:2"),
              ARGS("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:1/other"));
    assert_null(o.otlp_of[TT_OTLP_LOGS].endpoint); /* they go with their spans */
    tt_options_free(&o);

    /* Log records alone, where nothing is said of spans, or that there are to be none. */
    o = parse(ARGS(), ARGS("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://c:1/in"));
    assert_int_equal(o.exports.count, 2);
    assert_string_equal(o.exports.items[1], "otlp-logs:http://c:1/in");
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://c:1/in", "OTEL_TRACES_EXPORTER=none"));
    assert_int_equal(o.exports.count, 1);
    assert_string_equal(o.exports.items[0], "otlp-logs:http://c:1/in");
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:1", "OTEL_TRACES_EXPORTER=none"));
    assert_int_equal(o.exports.count, 1);
    assert_string_equal(o.exports.items[0], "otlp-logs:http://c:1/v1/logs");
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:1", "OTEL_TRACES_EXPORTER=console"));
    assert_int_equal(o.exports.count, 2);
    assert_string_equal(o.exports.items[1], "otlp-logs:http://c:1/v1/logs");
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:1", "OTEL_TRACES_EXPORTER=none",
                           "OTEL_LOGS_EXPORTER=none"));
    assert_int_equal(o.exports.count, 0);
    tt_options_free(&o);
    o = parse(ARGS("--export", "none"), ARGS("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://c:1/in"));
    assert_int_equal(o.exports.count, 0);
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://c:1/in", "OTEL_SDK_DISABLED=true"));
    assert_int_equal(o.exports.count, 0);
    tt_options_free(&o);
    o = parse(ARGS("--no-logs"), ARGS("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://c:1/in"));
    assert_int_equal(o.exports.count, 1);
    tt_options_free(&o);

    /* Which exporters; files are ours alone. */
    o = parse(ARGS(), ARGS("OTEL_TRACES_EXPORTER=otlp,console", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:1"));
    assert_int_equal(o.exports.count, 2);
    assert_string_equal(o.exports.items[0], "otlp:http://c:1");
    assert_string_equal(o.exports.items[1], "console");
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_TRACES_EXPORTER=none"));
    assert_int_equal(o.exports.count, 0);
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_SDK_DISABLED=True", "OTEL_TRACES_EXPORTER=otlp"));
    assert_int_equal(o.exports.count, 0);
    tt_options_free(&o);
    o = parse(ARGS("--export", "console"), ARGS("OTEL_SDK_DISABLED=true"));
    assert_int_equal(o.exports.count, 1);
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_SDK_DISABLED=false", "OTEL_TRACES_EXPORTER=otlp"));
    assert_string_equal(o.exports.items[0], "otlp");
    tt_options_free(&o);

    /* In any letter case; a time-out of 0 is none. */
    o = parse(ARGS(),
              ARGS("OTEL_TRACES_EXPORTER=OTLP", "OTEL_LOGS_EXPORTER=None", "OTEL_TRACES_SAMPLER=Always_Off",
                   "OTEL_EXPORTER_OTLP_COMPRESSION=ZSTD", "OTEL_EXPORTER_OTLP_TIMEOUT=0",
                   "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=7", "OTEL_METRIC_EXPORT_TIMEOUT=00"));
    assert_int_equal(o.exports.count, 1);
    assert_string_equal(o.exports.items[0], "otlp");
    assert_false(o.logs);
    assert_int_equal(o.sampler, TT_SAMPLER_ALWAYS_OFF);
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].compression, TT_COMPRESSION_ZSTD);
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].timeout, 3600000);
    assert_int_equal(o.otlp_of[TT_OTLP_LOGS].timeout, 7);
    assert_int_equal(o.otlp_of[TT_OTLP_METRICS].timeout, 3600000);
    tt_options_free(&o);
    refused(TT_COMMAND_RUN, ARGS("--sampler", "ALWAYS_ON"), NO_ENV,
            "option --sampler: \"ALWAYS_ON\" is none of: always_on, always_off, traceidratio, "
            "parentbased_always_on, parentbased_always_off, parentbased_traceidratio");

    /* Bad values: a warning and the default; but spans do not go elsewhere than was meant. */
    refused(
        TT_COMMAND_RUN, ARGS(), ARGS("OTEL_EXPORTER_OTLP_ENDPOINT=c:4318"),
        "OTEL_EXPORTER_OTLP_ENDPOINT: 'c:4318' is not an OTLP/HTTP URL: it must begin with http:// or https://");
    tt_log_set_level(TT_LOG_ERROR);
    o = parse(ARGS(), ARGS("OTEL_TRACES_EXPORTER=zipkin"));
    assert_string_equal(o.exports.items[0], "console");
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_TRACES_EXPORTER=file:/tmp/x"));
    assert_string_equal(o.exports.items[0], "console");
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_TRACES_EXPORTER=otlp,file:/tmp/x"));
    assert_int_equal(o.exports.count, 1);
    assert_string_equal(o.exports.items[0], "console");
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_TRACES_EXPORTER=otlp,zipkin"));
    assert_int_equal(o.exports.count, 1);
    assert_string_equal(o.exports.items[0], "otlp");
    tt_options_free(&o);
    o = parse(ARGS(),
              ARGS("OTEL_BSP_MAX_QUEUE_SIZE=many", "OTEL_BSP_SCHEDULE_DELAY=-1",
                   "OTEL_EXPORTER_OTLP_COMPRESSION=zip", "OTEL_EXPORTER_OTLP_TIMEOUT=99999999999999999999",
                   "OTEL_TRACES_SAMPLER=jaeger_remote", "OTEL_TRACES_SAMPLER_ARG=endpoint=http://c",
                   "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "TANGOTRACE_RING_SIZ=1"));
    assert_int_equal(o.sampler, TT_SAMPLER_ALWAYS_ON);
    assert_string_equal(o.sampler_ratio, "1");
    assert_int_equal(o.queue_size, 65536);
    assert_int_equal(o.batch_delay, 1000);
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].compression, TT_COMPRESSION_GZIP);
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].timeout, 10000);
    tt_options_free(&o);
    tt_log_set_level(TT_LOG_INFO);
}

static void test_metrics(void **state)
{
    struct tt_options o = parse(ARGS(), ARGS("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:1"));

    assert_int_equal(o.metrics_exports.count, 0); /* a collector of traces need not take metrics */
    assert_null(o.metrics_listen);
    assert_int_equal(o.metrics_series, 20000);
    assert_int_equal(o.metrics_interval, 60000);
    assert_string_equal(o.service_name, "tangotrace");
    assert_true(o.metrics_exemplars && !o.metrics_spans && o.metrics_graph == TT_OPTION_GRAPH_NO);
    tt_options_free(&o);

    o = parse(
        ARGS(),
        ARGS("OTEL_METRICS_EXPORTER=otlp,prometheus", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:1",
             "OTEL_METRIC_EXPORT_INTERVAL=5000", "OTEL_SERVICE_NAME=hutch",
             "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=DELTA",
             "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=base2_exponential_bucket_histogram",
             "OTEL_METRICS_EXEMPLAR_FILTER=always_off"));
    assert_int_equal(o.metrics_exports.count, 1);
    assert_string_equal(o.metrics_exports.items[0], "otlp:http://c:1");
    assert_string_equal(o.metrics_listen, "127.0.0.1:9464");
    assert_int_equal(o.metrics_interval, 5000);
    assert_string_equal(o.service_name, "hutch");
    assert_int_equal(o.metrics_temporality, TT_OPTION_DELTA);
    assert_int_equal(o.metrics_buckets, TT_BUCKETS_EXPONENTIAL);
    assert_false(o.metrics_exemplars);
    tt_options_free(&o);

    o = parse(ARGS(), ARGS("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://m:2/x"));
    assert_string_equal(o.metrics_exports.items[0], "otlp-metrics:http://m:2/x");
    tt_options_free(&o);
    o = parse(ARGS("--metrics-export", "otlp"), ARGS());
    assert_string_equal(o.metrics_exports.items[0], "otlp");
    tt_options_free(&o);
    o = parse(ARGS("--metrics-export", "file:/x", "--metrics-export", "otlp:http://c:3"),
              ARGS("OTEL_METRICS_EXPORTER=none", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://m:2/x"));
    assert_int_equal(o.metrics_exports.count, 2);
    assert_string_equal(o.metrics_exports.items[1], "otlp:http://c:3");
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_METRICS_EXPORTER=none", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://m:2/x"));
    assert_int_equal(o.metrics_exports.count, 0);
    tt_options_free(&o);
    o = parse(ARGS(), ARGS("OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://m:2/x"));
    assert_int_equal(o.metrics_exports.count, 0);
    tt_options_free(&o);
    refused(TT_COMMAND_RUN, ARGS("--metrics-export", "file:-"), ARGS(),
            "option --metrics-export: \"file:-\": metrics go to otlp, otlp:URL or file:PATH");
    refused(TT_COMMAND_RUN, ARGS("--metrics-listen", "localhost"), ARGS(),
            "option --metrics-listen: \"localhost\" is not ADDRESS:PORT, as in 127.0.0.1:9464");
    refused(TT_COMMAND_RUN, ARGS("--metrics-series", "10"), ARGS(),
            "option --metrics-series: \"10\" is out of range, 64 to 1000000 is possible");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment_lists),
        cmocka_unit_test(test_opentelemetry),
        cmocka_unit_test(test_metrics),
    };

    return cmocka_run_group_tests_name("opentelemetry", tests, NULL, NULL);
}
