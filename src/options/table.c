/* SPDX-License-Identifier: GPL-2.0-only */
/* table.c: every option, as data: one array out of the files by subject. */
#include <errno.h>
#include <string.h>
#include <ctype.h>

#include <curl/curl.h>
#include <strings.h>

#include "base/cleanup.h"
#include "options/internal.h"
#include "export/export.h"
#include "export/points.h"
#include "export/url.h"
#include "http/httpd.h"
#include "plan/plan.h"
#include "query/query.h"
#include "sample/rules.h"

#define FIELD(field) .offset = offsetof(struct tt_options, field)

/* Where nothing is given it is what that other option is. */
#define INHERITS(other) .inherits = (other), .initial_text = "as --" other

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
static const char *const sorts[] = {"rate", "p50", "p99", "errors", "open", "name", NULL}; /* enum tt_sort */

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
    /* As --print-config shows --otlp-traces-endpoint and --otlp-logs-endpoint. */
    static const char *const full[] = {TT_EXPORT_TRACES, TT_EXPORT_LOGS};

    if (!strcmp(value, EXPORT_NONE))
        return 0;
    for (size_t i = 0; i < TT_ARRAY_SIZE(full); i++)
        if (!strncmp(value, full[i], strlen(full[i])))
            return check_url(value + strlen(full[i]), error);
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

/* Its index; negative: it is none of these. */
static int find_word(const char *word, size_t length, const char *const *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(known[i]) == length && !strncasecmp(known[i], word, length))
            return (int)i;
    return -1;
}

/* Files are asked for with --export only: a variable of OpenTelemetry that is meant for other programs must
 * not name one. */
static const char *translate_exporter(const char *variable, const char *value)
{
    static const char *const known[] = {"console", "otlp", "none"};
    static const char *const lists[] = {EXPORT_NONE, "console", "otlp", "otlp,console"};
    const char *all = value;
    unsigned found = 0;

    if (!strcmp(variable, "OTEL_SDK_DISABLED"))
        return !strcasecmp(value, "true") ? EXPORT_NONE : NULL;
    for (size_t length; *value; value += length + (value[length] == ',')) {
        int i = find_word(value, length = strcspn(value, ","), known, TT_ARRAY_SIZE(known));

        if (i < 0) /* said by name, each */
            return strcasestr(all, "file") ? "?" : all;
        found |= 1u << i & 3;
    }
    return lists[found];
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
        int i = find_word(value, length = strcspn(value, ","), known, TT_ARRAY_SIZE(known));

        if (i < 0)
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

static int check_view(const char *value, char **error)
{
    return !strcmp(value, "none") ? 0 : tt_httpd_check(value, error);
}

/* It stands in an address and in headers. */
static int check_token(const char *value, char **error)
{
    size_t length = strspn(value, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");

    if (!value[length] && (length >= 16 || !strcmp(value, "auto") || !strcmp(value, "none")))
        return 0;
    *error = strdup("auto, none, or at least 16 letters, digits, \"-\" and \"_\"");
    return -EINVAL;
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
    return !strcasecmp(value, "none") ? "no" : "yes";
}

/* "0: no limit" there; here an hour is as good as that. */
static const char *translate_timeout(const char *variable, const char *value)
{
    return *value && !value[strspn(value, "0")] ? "1h" : value;
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

const struct option tt_option_table[] = {
#include "options/rows_select.h"
#include "options/rows_export.h"
#include "options/rows_sampling.h"
#include "options/rows_otlp.h"
#include "options/rows_metrics.h"
#include "options/rows_console.h"
#include "options/rows_page.h"
#include "options/rows_agent.h"
#include "options/rows_call.h"
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
