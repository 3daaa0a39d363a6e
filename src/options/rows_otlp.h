/* SPDX-License-Identifier: GPL-2.0-only */
/* rows_otlp.h: the receivers and how they are spoken to. Part of the array in table.c. */
#define GROUP "OTLP"

/* The settings of one signal, where they are not those of all. */
#define OTLP_ROW(_affects, _signal, _SIGNAL, _what, _WHAT, _other, ...)                                      \
    {                                                                                                        \
        .name = "otlp-" _signal "-" _what, .group = GROUP, .commands = EXPORTING, .affects = (_affects),     \
        INHERITS("otlp-" _what), .help = "As --otlp-" _what ", for " _signal " only",                        \
        .standard = {"OTEL_EXPORTER_OTLP_" _SIGNAL "_" _WHAT, _other}, __VA_ARGS__                           \
    }
#define OTLP_FILE(_field) .type = OPTION_TEXT, FIELD(_field), .value = "FILE"
#define OTLP_SIGNAL(_of, _affects, _signal, _SIGNAL, _timeout)                                               \
    OTLP_ROW(_affects, _signal, _SIGNAL, "headers", "HEADERS", NULL, .type = OPTION_TEXT,                    \
             FIELD(_of.headers), .value = "LIST", .secret = true, .check = check_headers, .strict = true),   \
        OTLP_ROW(_affects, _signal, _SIGNAL, "timeout", "TIMEOUT", _timeout, .type = OPTION_DURATION,        \
                 FIELD(_of.timeout), .value = "TIME", .min = 1, .max = 3600000,                              \
                 .translate = translate_timeout),                                                            \
        OTLP_ROW(_affects, _signal, _SIGNAL, "compression", "COMPRESSION", NULL, .type = OPTION_CHOICE,      \
                 FIELD(_of.compression), .value = "KIND", .choices = compressions),                          \
        OTLP_ROW(_affects, _signal, _SIGNAL, "protocol", "PROTOCOL", NULL, .type = OPTION_CHOICE,            \
                 FIELD(_of.protocol), .value = "KIND", .choices = protocols),                                \
        OTLP_ROW(_affects, _signal, _SIGNAL, "certificate", "CERTIFICATE", NULL,                             \
                 OTLP_FILE(_of.certificate)),                                                                \
        OTLP_ROW(_affects, _signal, _SIGNAL, "client-certificate", "CLIENT_CERTIFICATE", NULL,               \
                 OTLP_FILE(_of.client_certificate)),                                                         \
        OTLP_ROW(_affects, _signal, _SIGNAL, "client-key", "CLIENT_KEY", NULL, OTLP_FILE(_of.client_key))

{.name = "otlp-endpoint",
 .type = OPTION_TEXT,
 FIELD(otlp_endpoint),
 .value = "URL",
 .group = GROUP,
 .commands = EXPORTING,
 .affects = TT_AFFECTS_OTHERS,
 .initial_text = "http://localhost:4318",
 .check = check_url,
 .strict = true,
 .standard = {"OTEL_EXPORTER_OTLP_ENDPOINT"},
 .help = "Base URL of the collector; /v1/traces is appended"},
    {.name = "otlp-traces-endpoint",
     .type = OPTION_TEXT,
     FIELD(otlp_of[TT_OTLP_TRACES].endpoint),
     .value = "URL",
     .group = GROUP,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_OTHERS,
     .check = check_url,
     .strict = true,
     .standard = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
     .help = "URL for traces, used as it is; before --otlp-endpoint"},
    {.name = "otlp-logs-endpoint",
     .type = OPTION_TEXT,
     FIELD(otlp_of[TT_OTLP_LOGS].endpoint),
     .value = "URL",
     .group = GROUP,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_EXPORTS,
     .check = check_url,
     .strict = true,
     .standard = {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"},
     .help =
         "URL for log records, used as it is; without it that of --otlp-endpoint with /v1/logs, and none where only "
         "--otlp-traces-endpoint is given. Where no spans are sent (and no --export says what is), log records are all the same"},
    {.name = "otlp-metrics-endpoint",
     .type = OPTION_TEXT,
     FIELD(otlp_of[TT_OTLP_METRICS].endpoint),
     .value = "URL",
     .group = GROUP,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_OTHERS,
     .check = check_url,
     .strict = true,
     .standard = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"},
     .help = "URL for metrics, used as it is; before --otlp-endpoint"},
    {.name = "otlp-headers",
     .type = OPTION_TEXT,
     FIELD(otlp.headers),
     .value = "LIST",
     .group = GROUP,
     .secret = true,
     .check = check_headers,
     .strict = true,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_OTHERS,
     .standard = {"OTEL_EXPORTER_OTLP_HEADERS"},
     .help =
         "Headers of every request: name=value,name=value with values percent-encoded. Command lines are visible to "
         "all users of the host: keep secrets in the environment or the file"},
    {.name = "otlp-timeout",
     .type = OPTION_DURATION,
     FIELD(otlp.timeout),
     .value = "TIME",
     .group = GROUP,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_OTHERS,
     .initial = "10s",
     .min = 1,
     .max = 3600000,
     .standard = {"OTEL_EXPORTER_OTLP_TIMEOUT"},
     .translate = translate_timeout,
     .help =
         "Longest time for one export, retries included, at most 1h; that is what 0, no limit, means in OpenTelemetry's variables"},
    {.name = "otlp-compression",
     .type = OPTION_CHOICE,
     FIELD(otlp.compression),
     .value = "KIND",
     .group = GROUP,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_OTHERS,
     .initial = "gzip",
     .choices = compressions,
     .standard = {"OTEL_EXPORTER_OTLP_COMPRESSION"},
     .help =
         "Compression of request bodies. zstd is smaller and cheaper; Collectors take it, not every back end does"},
    {.name = "otlp-protocol",
     .type = OPTION_CHOICE,
     FIELD(otlp.protocol),
     .value = "KIND",
     .group = GROUP,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_OTHERS,
     .initial = "http/protobuf",
     .choices = protocols,
     .standard = {"OTEL_EXPORTER_OTLP_PROTOCOL"},
     .help =
         "Form of request bodies. gRPC is not spoken: the endpoint must be an OTLP/HTTP port (usually 4318)"},
    {.name = "otlp-certificate",
     .type = OPTION_TEXT,
     FIELD(otlp.certificate),
     .value = "FILE",
     .group = GROUP,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_OTHERS,
     .initial_text = "the system's",
     .standard = {"OTEL_EXPORTER_OTLP_CERTIFICATE"},
     .help =
         "PEM file of the certificate authorities that the collector's certificate is checked with; read again when it changes"},
    {.name = "otlp-client-certificate",
     .type = OPTION_TEXT,
     FIELD(otlp.client_certificate),
     .value = "FILE",
     .group = GROUP,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_OTHERS,
     .standard = {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"},
     .help = "PEM file of the certificate chain shown to the collector; read again when it changes"},
    {.name = "otlp-client-key",
     .type = OPTION_TEXT,
     FIELD(otlp.client_key),
     .value = "FILE",
     .group = GROUP,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_OTHERS,
     .standard = {"OTEL_EXPORTER_OTLP_CLIENT_KEY"},
     .help = "PEM file of its private key; read again when it changes"},
    OTLP_SIGNAL(otlp_of[TT_OTLP_TRACES], TT_AFFECTS_OTLP, "traces", "TRACES", "OTEL_BSP_EXPORT_TIMEOUT"),
    OTLP_SIGNAL(otlp_of[TT_OTLP_LOGS], TT_AFFECTS_OTLP, "logs", "LOGS", "OTEL_BLRP_EXPORT_TIMEOUT"),
    OTLP_SIGNAL(otlp_of[TT_OTLP_METRICS], TT_AFFECTS_POINTS, "metrics", "METRICS",
                "OTEL_METRIC_EXPORT_TIMEOUT"),
    {.name = "resource-attributes",
     .type = OPTION_TEXT,
     FIELD(resource_attributes),
     .value = "LIST",
     .group = GROUP,
     .commands = EXPORTING,
     .affects = TT_AFFECTS_RESOURCES | TT_AFFECTS_METRICS,
     .standard = {"OTEL_RESOURCE_ATTRIBUTES"},
     .help =
         "Added to every resource: key=value,key=value with values percent-encoded; overrides nothing of tangotrace's"},

#undef GROUP
#undef OTLP_ROW
#undef OTLP_FILE
#undef OTLP_SIGNAL
