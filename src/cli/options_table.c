/* SPDX-License-Identifier: GPL-2.0-only */
/* options_table.c: every option, as data. */
#include <string.h>
#include <ctype.h>

#include <curl/curl.h>
#include <strings.h>

#include "base/cleanup.h"
#include "cli/options_internal.h"
#include "export/export.h"
#include "export/url.h"

#define FIELD(field) .offset = offsetof(struct tt_options, field)

#define GROUP_SELECT  "Which processes"
#define GROUP_EXPORT  "Where spans go"
#define GROUP_OTLP    "OTLP"
#define GROUP_CONSOLE "Console"
#define GROUP_AGENT   "The agent"
#define GROUP_CALL    "This invocation"

/* Commands that export spans. */
#define EXPORTING (TT_COMMAND_RUN | TT_COMMAND_REPLAY)

static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const natives[] = {"join", "ignore", "skip", NULL}; /* enum tt_native */
static const char *const compressions[] = {"none", "gzip", NULL};

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
    {.name = "queue-size",
     .type = OPTION_COUNT,
     FIELD(queue_size),
     .value = "SPANS",
     .group = GROUP_EXPORT,
     .commands = EXPORTING,
     .initial = "16384",
     .min = 1,
     .max = 1 << 22,
     .standard = {"OTEL_BSP_MAX_QUEUE_SIZE"},
     .help = "Spans that may wait for each exporter; further ones are dropped and counted"},
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
     FIELD(otlp_traces_endpoint),
     .value = "URL",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .check = check_url,
     .strict = true,
     .standard = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
     .help = "URL for traces, used as it is; before --otlp-endpoint"},
    {.name = "otlp-headers",
     .type = OPTION_TEXT,
     FIELD(otlp_headers),
     .value = "LIST",
     .group = GROUP_OTLP,
     .secret = true,
     .check = check_headers,
     .strict = true,
     .commands = EXPORTING,
     .standard = {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"},
     .help =
         "Headers of every request: name=value,name=value with values percent-encoded. Command lines are visible to "
         "all users of the host: keep secrets in the environment or the file"},
    {.name = "otlp-timeout",
     .type = OPTION_DURATION,
     FIELD(otlp_timeout),
     .value = "TIME",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .initial = "10s",
     .min = 1,
     .max = 3600000,
     .standard = {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"},
     .help = "Longest time for one export, retries included"},
    {.name = "otlp-compression",
     .type = OPTION_CHOICE,
     FIELD(otlp_compression),
     .value = "KIND",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .initial = "gzip",
     .choices = compressions,
     .standard = {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"},
     .help = "Compression of request bodies"},
    {.name = "otlp-certificate",
     .type = OPTION_TEXT,
     FIELD(otlp_certificate),
     .value = "FILE",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .initial_text = "the system's",
     .standard = {"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"},
     .help = "PEM file of the certificate authorities that the collector's certificate is checked with"},
    {.name = "otlp-client-certificate",
     .type = OPTION_TEXT,
     FIELD(otlp_client_certificate),
     .value = "FILE",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .standard = {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"},
     .help = "PEM file of the certificate chain shown to the collector"},
    {.name = "otlp-client-key",
     .type = OPTION_TEXT,
     FIELD(otlp_client_key),
     .value = "FILE",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .standard = {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"},
     .help = "PEM file of its private key"},
    {.name = "resource-attributes",
     .type = OPTION_TEXT,
     FIELD(resource_attributes),
     .value = "LIST",
     .group = GROUP_OTLP,
     .commands = EXPORTING,
     .standard = {"OTEL_RESOURCE_ATTRIBUTES"},
     .help =
         "Added to every resource: key=value,key=value with values percent-encoded; overrides nothing of tangotrace's. OTEL_SERVICE_NAME is not used: it would be the agent's own name, and services "
         "here are the traced programs"},

    {.name = "all-roots",
     .type = OPTION_BOOL,
     FIELD(all_roots),
     .group = GROUP_CONSOLE,
     .commands = EXPORTING,
     .initial = "no",
     .help = "Also print traces that do not begin with a client's call"},
    {.name = "console-rate",
     .type = OPTION_COUNT,
     FIELD(console_rate),
     .value = "TRACES",
     .group = GROUP_CONSOLE,
     .commands = EXPORTING,
     .initial = "0",
     .min = 0,
     .max = 1000000,
     .help = "Most traces printed per second; the others are counted. 0: 20, and all of them with COMMAND"},
    {.name = "color",
     .type = OPTION_CHOICE,
     FIELD(color),
     .value = "WHEN",
     .group = GROUP_CONSOLE,
     .commands = EXPORTING,
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
     .commands = TT_COMMAND_RUN | TT_COMMAND_LIST | TT_COMMAND_STATUS | TT_COMMAND_DOCTOR,
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
     .help = "Messages of this level and above"},

    {.name = "config",
     .letter = 'c',
     .type = OPTION_TEXT,
     .scope = SCOPE_ENVIRONMENT,
     FIELD(config),
     .value = "FILE",
     .group = GROUP_CALL,
     .commands = EXPORTING | TT_COMMAND_LIST | TT_COMMAND_STATUS | TT_COMMAND_DOCTOR,
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
     .commands = TT_COMMAND_LIST | TT_COMMAND_STATUS | TT_COMMAND_DOCTOR | TT_COMMAND_PLAN,
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

const struct option *tt_option_find(const char *name, size_t length)
{
    for (size_t i = 0; i < tt_option_count; i++)
        if (strlen(tt_option_table[i].name) == length && !memcmp(tt_option_table[i].name, name, length))
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
