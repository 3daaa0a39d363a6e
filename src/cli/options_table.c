/* SPDX-License-Identifier: GPL-2.0-only */
/* options_table.c: every option, as data. */
#include <errno.h>
#include <string.h>
#include <ctype.h>

#include <curl/curl.h>
#include <strings.h>

#include "base/cleanup.h"
#include "cli/options_internal.h"
#include "export/export.h"
#include "export/points.h"
#include "export/url.h"
#include "http/httpd.h"
#include "query/query.h"
#include "sample/rules.h"

#define FIELD(field) .offset = offsetof(struct tt_options, field)

#define GROUP_SELECT  "Which processes"
#define GROUP_EXPORT  "Where spans go"
#define GROUP_SAMPLE  "Sampling"
#define GROUP_OTLP    "OTLP"
#define GROUP_METRICS "Metrics"
#define GROUP_CONSOLE "Console"
#define GROUP_AGENT   "The agent"
#define GROUP_CALL    "This invocation"

/* Commands that export spans, and those that show them to people. */
#define EXPORTING (TT_COMMAND_RUN | TT_COMMAND_REPLAY)
#define SHOWING   (EXPORTING | TT_COMMAND_TAIL)

static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const natives[] = {"join", "ignore", "skip", NULL}; /* enum tt_native */
/* enum tt_sampler_kind */
static const char *const samplers[] = {"always_on",
                                       "always_off",
                                       "traceidratio",
                                       "parentbased_always_on",
                                       "parentbased_always_off",
                                       "parentbased_traceidratio",
                                       NULL};
static const char *const flights[] = {"any", "errors", "timeout", "request", NULL}; /* enum tt_flight_on */
static const char *const temporalities[] = {"cumulative", "delta", "lowmemory",
                                            NULL};                           /* enum tt_option_temporality */
static const char *const graphs[] = {"no", "class", "device", NULL};         /* enum tt_graph */
static const char *const buckets[] = {"explicit", "exponential", NULL};      /* enum tt_buckets */
static const char *const compressions[] = {"none", "gzip", "zstd", NULL};    /* enum tt_compression */
static const char *const protocols[] = {"http/protobuf", "http/json", NULL}; /* enum tt_protocol */

/* ---- values that only their users can judge: asked before anything starts ---- */

#define EXPORT_NONE "none"

static int check_url(const char *value, char **error)
{
    struct tt_url url = {0};
    int err = tt_url_parse(value, NULL, &url, error);

    tt_url_free(&url);
    return err;
}

static int check_export(const char *value, char **error)
{
    static const char full[] = "otlp-traces:"; /* as --print-config shows --otlp-traces-endpoint */

    if (!strcmp(value, EXPORT_NONE))
        return 0;
    if (!strncmp(value, full, strlen(full)))
        return check_url(value + strlen(full), error);
    return tt_exporter_check(value, error);
}

static int check_filter(const char *value, char **error)
{
    struct tt_query *query = NULL;
    int err = tt_query_compile(value, &query, error);

    tt_query_free(&query);
    return err;
}

static int check_ratio(const char *value, char **error)
{
    double ratio;

    if (!tt_rule_ratio(value, &ratio))
        return 0;
    *error = strdup("a share is a number from 0 to 1: 0.01");
    return -EINVAL;
}

static int check_rule(const char *value, char **error)
{
    struct tt_rule rule = {0};
    int err = tt_rule_parse(value, &rule, error);

    tt_rule_free(&rule);
    return err;
}

static int check_slow(const char *value, char **error)
{
    uint64_t ms;

    if (!strcmp(value, "p99") || !strcmp(value, "no") || (!tt_parse_duration(value, &ms) && ms))
        return 0;
    *error = strdup("p99, no, or a time is possible: 100ms, 2s");
    return -EINVAL;
}

static int check_detail(const char *value, char **error)
{
    struct tt_selection *selection = tt_selection_new();
    int err = selection ? tt_selection_add_detail(selection, false, value, error) : -ENOMEM;

    tt_selection_free(&selection);
    return err;
}

static int check_headers(const char *value, char **error)
{
    struct curl_slist *headers = NULL;
    int err = tt_url_headers(value, &headers, error);

    curl_slist_free_all(headers);
    return err;
}

/* Files are asked for with --export only: a variable of OpenTelemetry that is meant for other programs must
 * not name one. */
static const char *translate_exporter(const char *variable, const char *value)
{
    if (!strcmp(variable, "OTEL_SDK_DISABLED"))
        return !strcasecmp(value, "true") ? EXPORT_NONE : NULL;
    return !strncmp(value, "file", 4) ? "?" : value;
}

static int check_metrics_export(const char *value, char **error)
{
    return !strcmp(value, EXPORT_NONE) ? 0 : tt_points_check(value, error);
}

/* A list; what of it is another option's, or nothing that we do, is left out. */
static const char *translate_metrics_exporter(const char *variable, const char *value)
{
    static const char *const known[] = {"otlp", "none", "prometheus", "console"};
    bool otlp = false;

    if (!strcmp(variable, "OTEL_SDK_DISABLED"))
        return !strcasecmp(value, "true") ? EXPORT_NONE : NULL;
    for (size_t length; *value; value += length + (value[length] == ',')) {
        size_t i = 0;

        length = strcspn(value, ",");
        while (i < TT_ARRAY_SIZE(known) &&
               (strlen(known[i]) != length || strncasecmp(value, known[i], length) != 0))
            i++;
        if (i == TT_ARRAY_SIZE(known))
            return "?";
        otlp |= !i;
    }
    return otlp ? "otlp" : EXPORT_NONE;
}

static const char *translate_temporality(const char *variable, const char *value)
{
    for (size_t i = 0; temporalities[i]; i++) {
        if (!strcasecmp(value, temporalities[i]))
            return temporalities[i];
    }
    return value;
}

/* Its default address; OTEL_EXPORTER_PROMETHEUS_HOST and _PORT are not looked at. */
static const char *translate_prometheus(const char *variable, const char *value)
{
    return strcasestr(value, "prometheus") ? "127.0.0.1:9464" : NULL;
}

static const char *translate_histogram(const char *variable, const char *value)
{
    return !strcasecmp(value, "base2_exponential_bucket_histogram") ? "exponential"
           : !strcasecmp(value, "explicit_bucket_histogram")        ? "explicit"
                                                                    : "?";
}

/* Which calls may be exemplars is not for us to choose by whether they are sampled: they are chosen before.
 */
static const char *translate_exemplars(const char *variable, const char *value)
{
    return !strcasecmp(value, "always_off")                                       ? "no"
           : !strcasecmp(value, "always_on") || !strcasecmp(value, "trace_based") ? "yes"
                                                                                  : "?";
}

static const char *translate_logs(const char *variable, const char *value)
{
    return !strcmp(value, "none") ? "no" : "yes";
}

static const char *translate_level(const char *variable, const char *value)
{
    static const char *const ours[][2] = {
        {"warn", "warning"}, {"warning", "warning"}, {"info", "info"},   {"error", "error"},
        {"debug", "debug"},  {"trace", "debug"},     {"fatal", "error"}, {"none", "error"},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(ours); i++)
        if (!strcasecmp(value, ours[i][0]))
            return ours[i][1];
    return "?";
}

/* The settings of one signal, where they are not those of all. */
#define OTLP_ROW(_signal, _SIGNAL, _what, _WHAT, _other, ...)                                                \
    {                                                                                                        \
        .name = "otlp-" _signal "-" _what, .group = GROUP_OTLP, .commands = EXPORTING,                       \
        .initial_text = "as --otlp-" _what, .help = "As --otlp-" _what ", for " _signal " only",             \
        .standard = {"OTEL_EXPORTER_OTLP_" _SIGNAL "_" _WHAT, _other}, __VA_ARGS__                           \
    }
#define OTLP_FILE(_field) .type = OPTION_TEXT, FIELD(_field), .value = "FILE"
#define OTLP_SIGNAL(_of, _signal, _SIGNAL, _timeout)                                                         \
    OTLP_ROW(_signal, _SIGNAL, "headers", "HEADERS", NULL, .type = OPTION_TEXT, FIELD(_of.headers),          \
             .value = "LIST", .secret = true, .check = check_headers, .strict = true),                       \
        OTLP_ROW(_signal, _SIGNAL, "timeout", "TIMEOUT", _timeout, .type = OPTION_DURATION,                  \
                 FIELD(_of.timeout), .value = "TIME", .min = 1, .max = 3600000),                             \
        OTLP_ROW(_signal, _SIGNAL, "compression", "COMPRESSION", NULL, .type = OPTION_CHOICE,                \
                 FIELD(_of.compression), .value = "KIND", .choices = compressions),                          \
        OTLP_ROW(_signal, _SIGNAL, "protocol", "PROTOCOL", NULL, .type = OPTION_CHOICE, FIELD(_of.protocol), \
                 .value = "KIND", .choices = protocols),                                                     \
        OTLP_ROW(_signal, _SIGNAL, "certificate", "CERTIFICATE", NULL, OTLP_FILE(_of.certificate)),          \
        OTLP_ROW(_signal, _SIGNAL, "client-certificate", "CLIENT_CERTIFICATE", NULL,                         \
                 OTLP_FILE(_of.client_certificate)),                                                         \
        OTLP_ROW(_signal, _SIGNAL, "client-key", "CLIENT_KEY", NULL, OTLP_FILE(_of.client_key))

const struct option tt_option_table[] = {
    {.name = "select",
     .letter = 's',
     .type = OPTION_SELECT,
     FIELD(selection),
     .value = "PATTERN",
     .group = GROUP_SELECT,
     .commands = TT_COMMAND_RUN | TT_COMMAND_LIST | TT_COMMAND_DOCTOR,
     .initial_text = "every Tango process",
     .help =
         "Trace processes that match [KIND:]GLOB; KIND is server, exe, script, cmd, user, cgroup, netns or pid, without "
         "it server (exec/instance, or exec alone), executable and script names are compared. Of all --select and "
         "--exclude the first that matches decides; if none matches, a process is traced only if there is no --select. "
         "In a list, \"!PATTERN\" excludes"},
    {.name = "exclude",
     .letter = 'x',
     .type = OPTION_EXCLUDE,
     FIELD(selection),
     .value = "PATTERN",
     .group = GROUP_SELECT,
     .commands = TT_COMMAND_RUN | TT_COMMAND_LIST | TT_COMMAND_DOCTOR,
     .help = "Leave processes alone that match PATTERN (see --select)"},
    {.name = "native",
     .type = OPTION_CHOICE,
     FIELD(native),
     .value = "HOW",
     .group = GROUP_SELECT,
     .commands = TT_COMMAND_RUN | TT_COMMAND_LIST,
     .initial = "join",
     .choices = natives,
     .help =
         "Programs of Tango 10 that are traced by native telemetry as well. join: a request that carries native's trace "
         "context goes into that trace, under native's client span, and what native records itself is not recorded "
         "twice; ignore: as if native were not there; skip: leave such programs alone"},
    {.name = "detail",
     .letter = 'd',
     .type = OPTION_LIST,
     FIELD(details),
     .value = "LEVEL[:PATTERN]",
     .group = GROUP_SELECT,
     .commands = TT_COMMAND_RUN | TT_COMMAND_LIST,
     .initial = "methods",
     .check = check_detail,
     .help =
         "How much is traced. rpc: calls only; methods: also methods of devices, Python callers, polling, events and "
         "logs; full: also waits and CPU time. With a pattern as of --select for the processes that match: the first "
         "that does decides; LEVEL alone is for the rest. 'tangotrace detail' changes it while the agent runs"},
    {.name = "all",
     .type = OPTION_BOOL,
     .scope = SCOPE_INVOCATION,
     FIELD(all),
     .group = GROUP_SELECT,
     .commands = EXPORTING,
     .initial = "no",
     .help =
         "With -- COMMAND, or the recording of one: show the traces of the whole host, not only those that begin in COMMAND"},

    {.name = "export",
     .letter = 'e',
     .type = OPTION_LIST,
     FIELD(exports),
     .value = "TARGET",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial_text = "console, and otlp where an endpoint is configured",
     .standard = {"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"},
     .check = check_export,
     .translate = translate_exporter,
     .help =
         "Where spans go: console, file:PATH (OTLP JSON, one request per line), otlp or otlp:URL (OTLP/HTTP; "
         "/v1/traces is appended), null (made and counted only), none. May be given several times. OTEL_SDK_DISABLED=true means none"},
    {.name = "attribute-length",
     .type = OPTION_COUNT,
     FIELD(attribute_length),
     .value = "BYTES",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "0",
     .standard = {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"},
     .help = "Longest text of an attribute that is exported, in UTF-8; 0: as docs/spans.md says"},
    {.name = "attribute-count",
     .type = OPTION_COUNT,
     FIELD(attribute_count),
     .value = "ATTRIBUTES",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "0",
     .standard = {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"},
     .help = "Most attributes of a span or log record that are exported; 0: all"},
    {.name = "event-count",
     .type = OPTION_COUNT,
     FIELD(event_count),
     .value = "EVENTS",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "0",
     .standard = {"OTEL_SPAN_EVENT_COUNT_LIMIT"},
     .help = "Most events of a span that are exported: one for each error of a stack; 0: all"},
    {.name = "logs",
     .type = OPTION_BOOL,
     FIELD(logs),
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "yes",
     .standard = {"OTEL_LOGS_EXPORTER"},
     .translate = translate_logs,
     .help =
         "Export the log messages of traced programs (log4tango), each with trace and span id, at levels of detail "
         "methods and full; --no-logs: neither read nor exported. OTEL_LOGS_EXPORTER=none means --no-logs"},
    {.name = "log-rate",
     .type = OPTION_COUNT,
     FIELD(log_rate),
     .value = "RECORDS",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "1000",
     .min = 0,
     .max = 1000000,
     .help =
         "Most log messages of one process per second; further ones are dropped and counted. 0: no limit"},
    {.name = "queue-size",
     .type = OPTION_COUNT,
     FIELD(queue_size),
     .value = "SPANS",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "65536",
     .min = 1,
     .max = 1 << 22,
     .standard = {"OTEL_BSP_MAX_QUEUE_SIZE"},
     .help =
         "Spans that may wait for each exporter; further ones are dropped and counted, those of traces whose root was "
         "not seen when three quarters are full"},
    {.name = "batch-size",
     .type = OPTION_COUNT,
     FIELD(batch_size),
     .value = "SPANS",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "8192",
     .min = 1,
     .max = 1 << 20,
     .standard = {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE"},
     .help = "Most spans of one export request"},
    {.name = "batch-delay",
     .type = OPTION_DURATION,
     FIELD(batch_delay),
     .value = "TIME",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "1s",
     .min = 1,
     .max = 3600000,
     .standard = {"OTEL_BSP_SCHEDULE_DELAY"},
     .help = "Longest wait before a batch leaves (ms, s, m; without a unit: ms)"},
    {.name = "log-queue-size",
     .type = OPTION_COUNT,
     FIELD(log_queue_size),
     .value = "RECORDS",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial_text = "as --queue-size",
     .min = 1,
     .max = 1 << 22,
     .standard = {"OTEL_BLRP_MAX_QUEUE_SIZE"},
     .help = "The same for log records; those below INFO are dropped when it is half full"},
    {.name = "log-batch-size",
     .type = OPTION_COUNT,
     FIELD(log_batch_size),
     .value = "RECORDS",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial_text = "as --batch-size",
     .min = 1,
     .max = 1 << 20,
     .standard = {"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"},
     .help = "Most log records of one export request"},
    {.name = "log-batch-delay",
     .type = OPTION_DURATION,
     FIELD(log_batch_delay),
     .value = "TIME",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial_text = "as --batch-delay",
     .min = 1,
     .max = 3600000,
     .standard = {"OTEL_BLRP_SCHEDULE_DELAY"},
     .help = "Longest wait before a batch of log records leaves"},
    {.name = "queue-memory",
     .type = OPTION_SIZE,
     FIELD(queue_memory),
     .value = "BYTES",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "32M",
     .min = 1 << 20,
     .max = 1ull << 34,
     .help =
         "Memory of what waits for one exporter. Above half of it log records below INFO are dropped, above three "
         "quarters also spans of traces whose root was not seen, above all of it everything; counted by these reasons"},
    {.name = "spool-dir",
     .alias = "spool",
     .type = OPTION_TEXT,
     FIELD(spool_dir),
     .value = "DIRECTORY",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial_text = "none: they are dropped after --otlp-timeout",
     .help =
         "Where batches are kept that an OTLP destination does not take, until it does: also beyond the end of the agent. "
         "Spans and log records; none but the agent's user may be able to write there. --spool is the same"},
    {.name = "spool-size",
     .type = OPTION_SIZE,
     FIELD(spool_size),
     .value = "BYTES",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "512M",
     .min = 4096,
     .max = 1ull << 42,
     .help =
         "Most bytes that the spool of one destination and signal takes; then, and when the disk is full, the oldest "
         "batches make room"},
    {.name = "spool-age",
     .type = OPTION_DURATION,
     FIELD(spool_age),
     .value = "TIME",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "24h",
     .min = 1,
     .help = "How long a batch is kept in the spool at most (ms, s, m, h)"},
    {.name = "spool-rate",
     .type = OPTION_SIZE,
     FIELD(spool_rate),
     .value = "BYTES",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "1M",
     .min = 1024,
     .max = 1ull << 40,
     .help = "How many bytes of the spool are sent per second, besides what is new"},

    {.name = "sampler",
     .type = OPTION_CHOICE,
     FIELD(sampler),
     .value = "NAME",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "always_on",
     .choices = samplers,
     .standard = {"OTEL_TRACES_SAMPLER"},
     .help =
         "Which traces are exported, of those that no rule is about. traceidratio: the share --sampler-ratio, by the random "
         "bits of the trace id; parentbased_*: in traces that native telemetry began, as that decided. Failed and slow "
         "traces are kept with all of them (--no-sampling-errors, --sampling-slow no)"},
    {.name = "sampler-ratio",
     .type = OPTION_TEXT,
     FIELD(sampler_ratio),
     .value = "SHARE",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "1",
     .check = check_ratio,
     .standard = {"OTEL_TRACES_SAMPLER_ARG"},
     .help = "Share of the traceidratio samplers, from 0 to 1"},
    {.name = "sampling-rules",
     .type = OPTION_LIST,
     .pairs = true,
     FIELD(sampling_rules),
     .value = "RULE",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .check = check_rule,
     .initial_text = "none",
     .help =
         "\"device=b107a-*; ratio=1\": the first rule that matches a span of a trace decides its share, before the sampler. "
         "Globs for device, class, server, operation, client, attribute and trigger (client, polling, event, startup, shutdown); "
         "exclude=yes drops even failed and slow ones. May be given several times; in a file as a list of mappings"},
    {.name = "sampling-background",
     .type = OPTION_TEXT,
     FIELD(sampling_background),
     .value = "SHARE",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .check = check_ratio,
     .initial_text = "0.01; with COMMAND and of a recording 1",
     .help = "Share of the traces that polling or an event set off, besides the failed and slow ones"},
    {.name = "sampling-rate",
     .type = OPTION_COUNT,
     FIELD(sampling_rate),
     .value = "TRACES",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "0",
     .max = 1000000,
     .help = "Most traces per second, besides the failed and slow ones; 0: no limit"},
    {.name = "sampling-errors",
     .type = OPTION_BOOL,
     FIELD(sampling_errors),
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "yes",
     .help = "Keep every trace in which something failed"},
    {.name = "sampling-late",
     .type = OPTION_BOOL,
     FIELD(sampling_late),
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "yes",
     .help =
         "Keep every poll that came later than planned by more than its period, and every event before which others were "
         "lost"},
    {.name = "sampling-slow",
     .type = OPTION_TEXT,
     FIELD(sampling_slow),
     .value = "LIMIT",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "p99",
     .check = check_slow,
     .help =
         "Keep every trace that is slow. p99: slower than 99 % of the last calls of the same operation; a time: one of its "
         "spans takes as long; no"},
    {.name = "sampling-wait",
     .type = OPTION_DURATION,
     FIELD(sampling_wait),
     .value = "TIME",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "4s",
     .min = 200,
     .max = 6000,
     .help =
         "How long the spans of a trace are held until it ends, where there is anything that could drop it. Back ends pair "
         "the two sides of a call within 10 s"},
    {.name = "sampling-spans",
     .type = OPTION_COUNT,
     FIELD(sampling_spans),
     .value = "SPANS",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "8192",
     .min = 1,
     .max = 1 << 22,
     .help = "Spans that are held at most; then the oldest traces are judged early"},
    {.name = "flight-recorder",
     .type = OPTION_DURATION,
     FIELD(flight_recorder),
     .value = "TIME",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "30s",
     .max = 3600000,
     .help =
         "How long traces that sampling dropped are remembered, to be exported after all: by 'tangotrace dump', SIGUSR2, or "
         "--flight-recorder-on. 0: not at all"},
    {.name = "flight-recorder-spans",
     .type = OPTION_COUNT,
     FIELD(flight_recorder_spans),
     .value = "SPANS",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "8192",
     .max = 1 << 22,
     .help = "Spans that are remembered at most"},
    {.name = "flight-recorder-on",
     .type = OPTION_CHOICE,
     FIELD(flight_recorder_on),
     .value = "WHEN",
     .group = GROUP_SAMPLE,
     .commands = EXPORTING,
     .initial = "any",
     .choices = flights,
     .help =
         "What makes the flight recorder export by itself. errors: 10 failed traces within 10 s; timeout: a call timed out; "
         "any: both; request: nothing"},

    {.name = "otlp-endpoint",
     .type = OPTION_TEXT,
     FIELD(otlp_endpoint),
     .value = "URL",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .initial_text = "http://localhost:4318",
     .check = check_url,
     .strict = true,
     .standard = {"OTEL_EXPORTER_OTLP_ENDPOINT"},
     .help = "Base URL of the collector; /v1/traces is appended"},
    {.name = "otlp-traces-endpoint",
     .type = OPTION_TEXT,
     FIELD(otlp_of[TT_OTLP_TRACES].endpoint),
     .value = "URL",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .check = check_url,
     .strict = true,
     .standard = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
     .help = "URL for traces, used as it is; before --otlp-endpoint"},
    {.name = "otlp-logs-endpoint",
     .type = OPTION_TEXT,
     FIELD(otlp_of[TT_OTLP_LOGS].endpoint),
     .value = "URL",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .check = check_url,
     .strict = true,
     .standard = {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"},
     .help =
         "URL for log records, used as it is; without it that of --otlp-endpoint with /v1/logs, and none where only "
         "--otlp-traces-endpoint is given"},
    {.name = "otlp-metrics-endpoint",
     .type = OPTION_TEXT,
     FIELD(otlp_of[TT_OTLP_METRICS].endpoint),
     .value = "URL",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .check = check_url,
     .strict = true,
     .standard = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"},
     .help = "URL for metrics, used as it is; before --otlp-endpoint"},
    {.name = "otlp-headers",
     .type = OPTION_TEXT,
     FIELD(otlp.headers),
     .value = "LIST",
     .group = GROUP_OTLP,
     .secret = true,
     .check = check_headers,
     .strict = true,
     .commands = EXPORTING,
     .standard = {"OTEL_EXPORTER_OTLP_HEADERS"},
     .help =
         "Headers of every request: name=value,name=value with values percent-encoded. Command lines are visible to "
         "all users of the host: keep secrets in the environment or the file"},
    {.name = "otlp-timeout",
     .type = OPTION_DURATION,
     FIELD(otlp.timeout),
     .value = "TIME",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .initial = "10s",
     .min = 1,
     .max = 3600000,
     .standard = {"OTEL_EXPORTER_OTLP_TIMEOUT"},
     .help = "Longest time for one export, retries included"},
    {.name = "otlp-compression",
     .type = OPTION_CHOICE,
     FIELD(otlp.compression),
     .value = "KIND",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .initial = "gzip",
     .choices = compressions,
     .standard = {"OTEL_EXPORTER_OTLP_COMPRESSION"},
     .help =
         "Compression of request bodies. zstd is smaller and cheaper; Collectors take it, not every back end does"},
    {.name = "otlp-protocol",
     .type = OPTION_CHOICE,
     FIELD(otlp.protocol),
     .value = "KIND",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .initial = "http/protobuf",
     .choices = protocols,
     .standard = {"OTEL_EXPORTER_OTLP_PROTOCOL"},
     .help =
         "Form of request bodies. gRPC is not spoken: the endpoint must be an OTLP/HTTP port (usually 4318)"},
    {.name = "otlp-certificate",
     .type = OPTION_TEXT,
     FIELD(otlp.certificate),
     .value = "FILE",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .initial_text = "the system's",
     .standard = {"OTEL_EXPORTER_OTLP_CERTIFICATE"},
     .help =
         "PEM file of the certificate authorities that the collector's certificate is checked with; read again when it changes"},
    {.name = "otlp-client-certificate",
     .type = OPTION_TEXT,
     FIELD(otlp.client_certificate),
     .value = "FILE",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .standard = {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"},
     .help = "PEM file of the certificate chain shown to the collector; read again when it changes"},
    {.name = "otlp-client-key",
     .type = OPTION_TEXT,
     FIELD(otlp.client_key),
     .value = "FILE",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .standard = {"OTEL_EXPORTER_OTLP_CLIENT_KEY"},
     .help = "PEM file of its private key; read again when it changes"},
    OTLP_SIGNAL(otlp_of[TT_OTLP_TRACES], "traces", "TRACES", "OTEL_BSP_EXPORT_TIMEOUT"),
    OTLP_SIGNAL(otlp_of[TT_OTLP_LOGS], "logs", "LOGS", "OTEL_BLRP_EXPORT_TIMEOUT"),
    OTLP_SIGNAL(otlp_of[TT_OTLP_METRICS], "metrics", "METRICS", "OTEL_METRIC_EXPORT_TIMEOUT"),
    {.name = "resource-attributes",
     .type = OPTION_TEXT,
     FIELD(resource_attributes),
     .value = "LIST",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .standard = {"OTEL_RESOURCE_ATTRIBUTES"},
     .help =
         "Added to every resource: key=value,key=value with values percent-encoded; overrides nothing of tangotrace's"},

    {.name = "metrics-listen",
     .type = OPTION_TEXT,
     FIELD(metrics_listen),
     .value = "ADDRESS:PORT",
     .group = GROUP_METRICS,
     .commands = TT_COMMAND_RUN,
     .initial_text = "no port is opened",
     .standard = {"OTEL_METRICS_EXPORTER"},
     .check = tt_httpd_check,
     .translate = translate_prometheus,
     .help =
         "Serve /metrics (Prometheus), /healthz and /readyz there. Without an address: 127.0.0.1; [::]:9464 and *:9464 "
         "are every address of the host, for everybody to read names of devices and programs"},
    {.name = "metrics-file",
     .type = OPTION_TEXT,
     FIELD(metrics_file),
     .value = "FILE",
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .help =
         "Write the same metrics to FILE as text, every --metrics-interval and at the end, in place of the file before: "
         "for the textfile collector of node_exporter"},
    {.name = "metrics-export",
     .type = OPTION_LIST,
     FIELD(metrics_exports),
     .value = "TARGET",
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .initial_text = "none; otlp where --otlp-metrics-endpoint is set",
     .standard = {"OTEL_SDK_DISABLED", "OTEL_METRICS_EXPORTER"},
     .check = check_metrics_export,
     .translate = translate_metrics_exporter,
     .help =
         "Send metrics to otlp or otlp:URL (OTLP/HTTP; /v1/metrics is appended), or append them to file:PATH (OTLP JSON, one "
         "request per line), every --metrics-interval and at the end. May be given several times. OTEL_METRICS_EXPORTER=prometheus "
         "means --metrics-listen 127.0.0.1:9464"},
    {.name = "metrics-temporality",
     .type = OPTION_CHOICE,
     FIELD(metrics_temporality),
     .value = "KIND",
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .initial = "cumulative",
     .choices = temporalities,
     .standard = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"},
     .translate = translate_temporality,
     .help =
         "What is sent by OTLP: counts since the start, or (delta) since the last that was accepted; lowmemory: delta but for the "
         "agent's own figures. Prometheus refuses delta"},
    {.name = "metrics-interval",
     .type = OPTION_DURATION,
     FIELD(metrics_interval),
     .value = "TIME",
     .group = GROUP_METRICS,
     .commands = TT_COMMAND_RUN,
     .initial = "60s",
     .min = 100,
     .max = 86400000,
     .standard = {"OTEL_METRIC_EXPORT_INTERVAL"},
     .help = "How often metrics are sent and written (ms, s, m; without a unit: ms)"},
    {.name = "metrics-spans",
     .type = OPTION_BOOL,
     FIELD(metrics_spans),
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .initial = "no",
     .help =
         "Also make traces_spanmetrics_*, as Tempo's metrics-generator makes them of spans. Not where a generator gets "
         "our spans: every sum would be double"},
    {.name = "metrics-graph",
     .type = OPTION_CHOICE,
     FIELD(metrics_graph),
     .value = "NODES",
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .initial = "no",
     .choices = graphs,
     .help =
         "Also make traces_service_graph_*, as Tempo's metrics-generator makes them: nodes are device classes and "
         "programs, or devices. Not where a generator gets our spans: every sum would be double"},
    {.name = "metrics-device",
     .type = OPTION_BOOL,
     FIELD(metrics_device),
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .initial = "no",
     .help = "Label the metrics of calls with the device, too"},
    {.name = "metrics-attribute",
     .type = OPTION_BOOL,
     FIELD(metrics_attribute),
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .initial = "no",
     .help = "Label the metrics of calls that read or write one attribute with its name, too"},
    {.name = "metrics-series",
     .type = OPTION_COUNT,
     FIELD(metrics_series),
     .value = "SERIES",
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .initial = "20000",
     .min = 64,
     .max = 1000000,
     .help =
         "Most series that are kept. What is above is counted as _OTHER, first instead of device and attribute, then of "
         "all names; a series that was not used for 10 minutes makes room"},
    {.name = "metrics-buckets",
     .type = OPTION_CHOICE,
     FIELD(metrics_buckets),
     .value = "KIND",
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .initial = "explicit",
     .choices = buckets,
     .standard = {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"},
     .translate = translate_histogram,
     .help = "Histograms as they are sent by OTLP; the text for Prometheus has explicit buckets always"},
    {.name = "metrics-exemplars",
     .type = OPTION_BOOL,
     FIELD(metrics_exemplars),
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .initial = "yes",
     .standard = {"OTEL_METRICS_EXEMPLAR_FILTER"},
     .translate = translate_exemplars,
     .help = "With each histogram the trace of a call that failed or was slow of late"},
    {.name = "service-name",
     .type = OPTION_TEXT,
     FIELD(service_name),
     .value = "NAME",
     .group = GROUP_METRICS,
     .commands = EXPORTING,
     .initial = "tangotrace",
     .standard = {"OTEL_SERVICE_NAME"},
     .help = "service.name of the agent itself in the metrics; never that of a traced program"},

    {.name = "filter",
     .letter = 'f',
     .type = OPTION_TEXT,
     FIELD(filter),
     .value = "QUERY",
     .group = GROUP_CONSOLE,
     .commands = SHOWING,
     .initial_text = "everything",
     .check = check_filter,
     .help =
         "Print traces in which a span matches: {resource.service.name = \"Basler\" && duration > 10ms}, a part of TraceQL "
         "(docs/query.md); wherever they begin"},
    {.name = "all-roots",
     .type = OPTION_BOOL,
     FIELD(all_roots),
     .group = GROUP_CONSOLE,
     .commands = SHOWING,
     .initial = "no",
     .help = "Also print traces that do not begin with a client's call"},
    {.name = "console-rate",
     .type = OPTION_COUNT,
     FIELD(console_rate),
     .value = "TRACES",
     .group = GROUP_CONSOLE,
     .commands = SHOWING,
     .initial = "0",
     .min = 0,
     .max = 1000000,
     .help = "Most traces printed per second; the others are counted. 0: 20, and all of them with COMMAND"},
    {.name = "color",
     .type = OPTION_CHOICE,
     FIELD(color),
     .value = "WHEN",
     .group = GROUP_CONSOLE,
     .commands = SHOWING,
     .initial = "auto",
     .choices = colors,
     .help = "Colours; auto: on a terminal"},

    {.name = "ring-size",
     .type = OPTION_SIZE,
     FIELD(ring_size),
     .value = "BYTES",
     .group = GROUP_AGENT,
     .commands = TT_COMMAND_RUN,
     .initial = "16M",
     .power = true,
     .min = 4096,
     .max = 1 << 30,
     .help =
         "Ring buffer between kernel and agent (K, M, G), rounded up to a power of two. When it is full events are "
         "dropped and counted; traced programs never wait"},
    {.name = "join-wait",
     .type = OPTION_DURATION,
     FIELD(join_wait),
     .value = "TIME",
     .group = GROUP_AGENT,
     .commands = EXPORTING,
     .initial = "2s",
     .min = 1,
     .max = 600000,
     .help = "How long one side of a call waits for the other before it is shown alone"},
    {.name = "command-lines",
     .type = OPTION_BOOL,
     FIELD(command_lines),
     .group = GROUP_AGENT,
     .commands = TT_COMMAND_RUN,
     .initial = "no",
     .help = "Export the full command lines of traced processes; they may hold secrets"},
    {.name = "multi",
     .type = OPTION_BOOL,
     FIELD(multi),
     .group = GROUP_AGENT,
     .commands = TT_COMMAND_RUN,
     .initial = "yes",
     .help =
         "Use uprobe_multi links where the kernel has them; --no-multi: single uprobes, as on kernels before 6.6"},
    {.name = "plan-cache",
     .type = OPTION_TEXT,
     FIELD(plan_cache),
     .value = "DIRECTORY",
     .group = GROUP_AGENT,
     .commands = TT_COMMAND_RUN,
     .initial = "/var/cache/tangotrace/plans",
     .may_be_empty = true,
     .help =
         "Where plans of known libraries are kept; none but the agent's user may be able to write there. \"\": nowhere"},
    {.name = "record",
     .type = OPTION_TEXT,
     .scope = SCOPE_INVOCATION,
     FIELD(record),
     .value = "FILE",
     .group = GROUP_AGENT,
     .commands = TT_COMMAND_RUN,
     .help =
         "Also write the raw events to FILE, for 'tangotrace replay'. 'tangotrace record FILE' is the same without "
         "exporting"},
    {.name = "control",
     .letter = 'C',
     .type = OPTION_TEXT,
     FIELD(control),
     .value = "PATH",
     .group = GROUP_AGENT,
     .commands = TT_COMMAND_RUN | TT_COMMAND_LIST | TT_COMMAND_STATUS | TT_COMMAND_DOCTOR | TT_COMMAND_TAIL,
     .initial_text = "/run/tangotrace.sock; for other users than root $XDG_RUNTIME_DIR/tangotrace.sock",
     .help = "The running agent's socket"},
    {.name = "control-group",
     .type = OPTION_TEXT,
     FIELD(control_group),
     .value = "GROUP",
     .group = GROUP_AGENT,
     .commands = TT_COMMAND_RUN,
     .initial_text = "root only",
     .help = "Members of this group may ask the agent, too"},
    {.name = "log-level",
     .type = OPTION_CHOICE,
     FIELD(log_level),
     .value = "LEVEL",
     .group = GROUP_AGENT,
     .commands = TT_COMMAND_ALL,
     .initial = "info",
     .choices = levels,
     .standard = {"OTEL_LOG_LEVEL"},
     .translate = translate_level,
     .help = "Messages of this level and above"},

    {.name = "config",
     .letter = 'c',
     .type = OPTION_TEXT,
     .scope = SCOPE_ENVIRONMENT,
     FIELD(config),
     .value = "FILE",
     .group = GROUP_CALL,
     .commands = SHOWING | TT_COMMAND_LIST | TT_COMMAND_STATUS | TT_COMMAND_DOCTOR,
     .help = "YAML file with the long names of these options as keys"},
    {.name = "print-config",
     .type = OPTION_BOOL,
     .scope = SCOPE_INVOCATION,
     FIELD(print_config),
     .group = GROUP_CALL,
     .commands = EXPORTING,
     .initial = "no",
     .help = "Print every effective value and where it comes from, and end"},
    {.name = "speed",
     .type = OPTION_TEXT,
     .scope = SCOPE_INVOCATION,
     FIELD(speed),
     .value = "FACTOR",
     .group = GROUP_CALL,
     .commands = TT_COMMAND_REPLAY,
     .initial = "max",
     .help = "How fast to replay: max, or a factor: 1 as it was, 10 ten times as fast"},
    {.name = "repeat",
     .type = OPTION_COUNT,
     .scope = SCOPE_INVOCATION,
     FIELD(repeat),
     .value = "TIMES",
     .group = GROUP_CALL,
     .commands = TT_COMMAND_REPLAY,
     .initial = "1",
     .min = 1,
     .max = 1000000,
     .help = "Replay it so many times, one after the other, each time with other ids and later times"},
    {.name = "tango",
     .type = OPTION_TEXT,
     .scope = SCOPE_INVOCATION,
     FIELD(tango),
     .value = "FILE",
     .group = GROUP_CALL,
     .commands = TT_COMMAND_PLAN,
     .initial_text = "where the system's linker looks",
     .help = "The cppTango library that the device server or plug-in to be planned is used with"},
    {.name = "json",
     .type = OPTION_BOOL,
     .scope = SCOPE_INVOCATION,
     FIELD(json),
     .group = GROUP_CALL,
     .commands = TT_COMMAND_LIST | TT_COMMAND_STATUS | TT_COMMAND_DOCTOR | TT_COMMAND_PLAN | TT_COMMAND_TAIL,
     .initial = "no",
     .help = "Print JSON"},
    {.name = "brief",
     .type = OPTION_BOOL,
     .scope = SCOPE_INVOCATION,
     FIELD(brief),
     .group = GROUP_CALL,
     .commands = TT_COMMAND_PLAN,
     .initial = "no",
     .help = "Only what cannot be covered, and the totals"},
    {.name = "help",
     .letter = 'h',
     .type = OPTION_BOOL,
     .scope = SCOPE_INVOCATION,
     FIELD(help),
     .group = GROUP_CALL,
     .commands = TT_COMMAND_ALL,
     .initial = "no",
     .help = "Print this"},
};

const size_t tt_option_count = TT_ARRAY_SIZE(tt_option_table);

_Static_assert(TT_ARRAY_SIZE(tt_option_table) <= TT_OPTIONS_MAX, "struct tt_options has an origin for each");

static bool is_word(const char *word, const char *name, size_t length)
{
    return word && strlen(word) == length && !memcmp(word, name, length);
}

const struct option *tt_option_find(const char *name, size_t length)
{
    for (size_t i = 0; i < tt_option_count; i++)
        if (is_word(tt_option_table[i].name, name, length) || is_word(tt_option_table[i].alias, name, length))
            return &tt_option_table[i];
    return NULL;
}

const char *tt_option_environment(const struct option *option, char *buffer)
{
    char *out = buffer + sprintf(buffer, "TANGOTRACE_");

    for (const char *s = option->name; *s && out < buffer + 63; s++)
        *out++ = *s == '-' ? '_' : (char)toupper((unsigned char)*s);
    *out = '\0';
    return buffer;
}
