/* SPDX-License-Identifier: GPL-2.0-only */
/* tempo.c: Tempo's API as far as Grafana's data source needs it: a trace by its id, search by TraceQL, tags
 * and their values, below /tempo/api. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/encode.h"
#include "view/tempo.h"

#define LIMIT     20
#define LIMIT_MAX 2000
#define SPANS     3 /* of each trace found that are told */
#define SPANS_MAX 100

/* ---- traces ---- */

struct reading {
    bool json, wrapped; /* v2: the trace is a member */
    struct tt_json *out;
    struct tt_bytes bytes;
    bool failed;
};

static void put_length(struct tt_text *out, size_t value)
{
    do {
        char byte = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));

        tt_text_add(out, &byte, 1);
        value >>= 7;
    } while (value);
}

static bool read_trace(void *context, const struct tt_store_trace *trace, struct tt_otel_span *const *spans,
                       size_t count, const struct tt_otel_span *root, struct tt_otel_log *const *logs,
                       size_t log_count)
{
    struct reading *reading = context;
    _cleanup_free_ struct tt_otel_span **sorted = calloc(count + 1, sizeof(struct tt_otel_span *));
    struct tt_encoder *encoder = reading->json ? NULL : tt_encoder_new();
    size_t taken = 0;

    reading->failed = !sorted || (!reading->json && !encoder);
    if (reading->failed)
        return true;
    memcpy(sorted, spans, count * sizeof(struct tt_otel_span *));
    tt_encode_sort(sorted, count);
    if (reading->json)
        tt_encode_json(sorted, count, reading->out);
    else
        reading->failed = tt_encode_protobuf(encoder, sorted, count, 64u << 20, &reading->bytes, &taken) != 0;
    tt_encoder_free(&encoder);
    return true;
}

/* A Trace has its ResourceSpans in field 1 as an ExportTraceServiceRequest has; of version 2's reply it is
 * field 1 itself. */
static void put_protobuf(struct reading *reading, struct tt_httpd_reply *reply)
{
    reply->content_type = "application/protobuf";
    if (reading->wrapped) {
        tt_text_add(&reply->body, "\x0a", 1);
        put_length(&reply->body, reading->bytes.size);
    }
    tt_text_add(&reply->body, (const char *)reading->bytes.data, reading->bytes.size);
}

static int digit_of(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* "0123.." as base64; returns what is behind the digits. */
static const char *put_base64(struct tt_text *out, const char *hex)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned left = 0, bits = 0, put = 0;

    for (; *hex != '"' && *hex; hex++) {
        left = (left << 4 | (unsigned)digit_of(*hex)) & 0xfff;
        for (bits += 4; bits >= 6; put++)
            tt_text_add(out, &digits[left >> (bits -= 6) & 63], 1);
    }
    if (bits) {
        tt_text_add(out, &digits[left << (6 - bits) & 63], 1);
        put++;
    }
    for (; put % 4; put++)
        tt_text_puts(out, "=");
    return hex;
}

/* The name that the protobuf definition has for the number at `text`; returns what is behind that. */
static const char *put_enum(struct tt_text *out, const char *text, const char *const *names, size_t count)
{
    size_t number = (size_t)digit_of(*text);

    tt_text_printf(out, "\"%s\"", number < count ? names[number] : names[0]);
    return text + 1;
}

/* Tempo writes the JSON of protobuf, where OTLP has its own: ids in base64, names for the numbers of kinds
 * and codes. In strings of ours quotes are escaped, so what looks like a member is one. */
static void put_as_protobuf_does(struct tt_text *out, const char *json)
{
    static const char *const ids[] = {"\"traceId\":\"", "\"spanId\":\"", "\"parentSpanId\":\""};
    static const char *const kinds[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
                                        "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
    static const char *const codes[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};
    static const char kind[] = "\"kind\":", code[] = "\"code\":";
    const char *quote;

    for (; (quote = strchr(json, '"')); json = quote) {
        size_t i = 0, length = 1;

        while (i < TT_ARRAY_SIZE(ids) && strncmp(quote, ids[i], strlen(ids[i])) != 0)
            i++;
        if (i < TT_ARRAY_SIZE(ids))
            length = strlen(ids[i]);
        else if (!strncmp(quote, kind, strlen(kind)))
            length = strlen(kind);
        else if (!strncmp(quote, code, strlen(code)))
            length = strlen(code);
        tt_text_add(out, json, (size_t)(quote - json) + length);
        quote += length;
        if (i < TT_ARRAY_SIZE(ids))
            quote = put_base64(out, quote);
        else if (length == strlen(kind))
            quote = quote[-3] == 'd' ? put_enum(out, quote, kinds, TT_ARRAY_SIZE(kinds))
                                     : put_enum(out, quote, codes, TT_ARRAY_SIZE(codes));
    }
    tt_text_puts(out, json);
}

/* {"resourceSpans":..} as {"batches":..}, or {"trace":{"resourceSpans":..},"metrics":{}}. */
static void put_json(struct reading *reading, struct tt_httpd_reply *reply)
{
    static const char ours[] = "{\"resourceSpans\":";

    reply->content_type = "application/json";
    tt_text_puts(&reply->body, reading->wrapped ? "{\"trace\":{\"resourceSpans\":" : "{\"batches\":");
    put_as_protobuf_does(&reply->body, reading->out->data + strlen(ours));
    if (reading->wrapped)
        tt_text_puts(&reply->body, ",\"metrics\":{}}");
}

/* Version 2 has an empty trace for it. */
static void no_trace(const struct reading *reading, struct tt_httpd_reply *reply)
{
    if (!reading->wrapped) {
        reply->status = 404;
    } else if (reading->json) {
        reply->content_type = "application/json";
        tt_text_puts(&reply->body, "{\"trace\":{},\"metrics\":{}}");
    } else {
        reply->content_type = "application/protobuf";
        tt_text_add(&reply->body, "\x0a\0", 2);
    }
}

void tt_tempo_refuse(struct tt_httpd_reply *reply, unsigned status, const char *why)
{
    reply->status = status;
    tt_text_puts(&reply->body, why);
}

static void one_trace(struct tt_view *view, const struct tt_httpd_request *request, const char *text,
                      bool wrapped, struct tt_httpd_reply *reply)
{
    struct tt_json json = {0};
    struct reading reading = {.json = !request->accept || !strstr(request->accept, "application/protobuf"),
                              .wrapped = wrapped,
                              .out = &json};
    const struct tt_store_visitor visitor = {.visit = read_trace, .context = &reading};
    uint8_t id[16];

    if (!tt_view_id(text, id, sizeof(id)))
        tt_tempo_refuse(reply, 400, "trace IDs can only contain hex characters");
    else if (!tt_store_find(view->store, id, &visitor))
        no_trace(&reading, reply);
    else if (reading.failed || json.failed)
        tt_tempo_refuse(reply, 500, "out of memory");
    else if (reading.json)
        put_json(&reading, reply);
    else
        put_protobuf(&reading, reply);
    tt_bytes_free(&reading.bytes);
    tt_json_free(&json);
}

/* ---- search ---- */

struct searching {
    struct tt_json json;
    const struct tt_view_search *search;
    size_t spans; /* of each trace */
};

/* A value as OTLP has it. */
static void put_value(struct tt_json *json, const struct tt_otel_attribute *a)
{
    tt_json_object(json, NULL);
    tt_json_string(json, "key", a->key);
    tt_json_object(json, "value");
    if (a->type == TT_OTEL_INT)
        tt_json_int_string(json, "intValue", a->value.integer);
    else
        tt_json_string(json, "stringValue", a->value.string);
    tt_json_object_end(json);
    tt_json_object_end(json);
}

static void put_span(struct tt_json *json, const struct tt_otel_span *span)
{
    const struct tt_otel_attribute service = {
        .key = "service.name", .type = TT_OTEL_STRING, .value.string = span->resource->service_name};

    tt_json_object(json, NULL);
    tt_json_hex(json, "spanID", span->span_id, sizeof(span->span_id));
    tt_json_string(json, "name", span->name);
    tt_json_uint_string(json, "startTimeUnixNano", span->start);
    tt_json_uint_string(json, "durationNanos", span->end - span->start);
    tt_json_array(json, "attributes");
    put_value(json, &service);
    tt_json_array_end(json);
    tt_json_object_end(json);
}

/* How many spans of the trace each service has, and how many of these failed. */
static void put_services(struct tt_json *json, const struct tt_view_found *found)
{
    tt_json_object(json, "serviceStats");
    for (size_t i = 0; i < found->count; i++) {
        const char *name = found->spans[i]->resource->service_name;
        uint64_t spans = 0, errors = 0;
        bool first = true;

        for (size_t j = 0; j < found->count && first; j++) {
            if (strcmp(found->spans[j]->resource->service_name, name) != 0)
                continue;
            first = j >= i;
            spans++;
            errors += found->spans[j]->status == TT_OTEL_ERROR;
        }
        if (!first)
            continue;
        tt_json_object(json, name);
        tt_json_uint(json, "spanCount", spans);
        if (errors)
            tt_json_uint(json, "errorCount", errors);
        tt_json_object_end(json);
    }
    tt_json_object_end(json);
}

static void put_spans(struct searching *s, const struct tt_view_found *found, const char *key, bool list)
{
    const struct tt_query_trace whole = {.root = found->root,
                                         .duration = found->trace->end - found->trace->start};
    size_t left = s->spans;

    if (list)
        tt_json_array(&s->json, key);
    tt_json_object(&s->json, list ? NULL : key);
    tt_json_array(&s->json, "spans");
    for (size_t i = 0; i < found->count && left; i++) {
        const struct tt_otel_span *span = found->spans[i];

        if (s->search->query && !tt_query_match(s->search->query, span, &whole))
            continue;
        put_span(&s->json, span);
        left--;
    }
    tt_json_array_end(&s->json);
    tt_json_uint(&s->json, "matched", found->matched);
    tt_json_object_end(&s->json);
    if (list)
        tt_json_array_end(&s->json);
}

static void put_found(void *context, const struct tt_view_found *found)
{
    struct searching *s = context;
    const struct tt_store_trace *trace = found->trace;

    tt_json_object(&s->json, NULL);
    tt_json_hex(&s->json, "traceID", trace->id, sizeof(trace->id));
    tt_json_string(&s->json, "rootServiceName",
                   found->root ? found->root->resource->service_name : "<root span not yet received>");
    if (found->root)
        tt_json_string(&s->json, "rootTraceName", found->root->name);
    tt_json_uint_string(&s->json, "startTimeUnixNano", trace->start);
    tt_json_uint(&s->json, "durationMs", (trace->end - trace->start) / 1000000);
    if (s->search->query) {
        put_spans(s, found, "spanSet", false);
        put_spans(s, found, "spanSets", true);
        put_services(&s->json, found);
    }
    tt_json_object_end(&s->json);
}

bool tt_tempo_times(const struct tt_httpd_request *request, struct tt_view_search *search)
{
    double start = 0, end = 9e9;

    if (!tt_view_number(request, "start", &start) || !tt_view_number(request, "end", &end))
        return false;
    search->from = start < 9e9 ? (uint64_t)(start * 1e9) : 0;
    search->to = end > 0 && end < 9e9 ? (uint64_t)(end * 1e9) : UINT64_MAX;
    return true;
}

static void search_traces(struct tt_view *view, const struct tt_httpd_request *request,
                          struct tt_httpd_reply *reply)
{
    struct tt_view_search search = {.most = UINT64_MAX, .status = -1};
    struct searching searching = {.search = &search};
    const char *query = tt_httpd_argument(request, "q");
    double limit = LIMIT, spans = SPANS;
    _cleanup_free_ char *why = NULL;

    if (!tt_tempo_times(request, &search) || !tt_view_number(request, "limit", &limit) ||
        !tt_view_number(request, "spss", &spans)) {
        tt_tempo_refuse(reply, 400, "start, end, limit and spss are numbers");
        return;
    }
    if (limit < 1) {
        tt_tempo_refuse(reply, 400, "invalid limit: must be a positive number");
        return;
    }
    if ((!query || !*query) &&
        (tt_httpd_argument(request, "tags") || tt_httpd_argument(request, "minDuration") ||
         tt_httpd_argument(request, "maxDuration"))) {
        tt_tempo_refuse(reply, 400, "search is by TraceQL here: q={..}");
        return;
    }
    if (query && *query && tt_query_compile(query, &search.query, &why)) {
        tt_tempo_refuse(reply, 400, why ? why : "invalid TraceQL query");
        return;
    }
    search.limit = limit < LIMIT_MAX ? (size_t)limit : LIMIT_MAX;
    searching.spans = spans < 1 ? SPANS : spans < SPANS_MAX ? (size_t)spans : SPANS_MAX;
    tt_json_object(&searching.json, NULL);
    tt_json_array(&searching.json, "traces");
    tt_view_find(view, &search, put_found, &searching);
    tt_json_array_end(&searching.json);
    tt_json_object(&searching.json, "metrics");
    tt_json_object_end(&searching.json);
    tt_json_object_end(&searching.json);
    tt_query_free(&search.query);
    tt_view_json(reply, &searching.json);
}

static void build_info(struct tt_httpd_reply *reply)
{
    struct tt_json json = {0};

    tt_json_object(&json, NULL);
    tt_json_string(&json, "version", "2.0.0 (tangotrace " TT_VERSION ")");
    tt_json_object_end(&json);
    tt_view_json(reply, &json);
}

void tt_view_tempo(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    static const char traces[] = "traces/", tag[] = "search/tag/";
    const char *rest = request->rest;
    bool second = !strncmp(rest, "v2/", 3);

    rest += second ? 3 : 0;
    if (!strcmp(rest, "echo"))
        tt_text_puts(&reply->body, "echo");
    else if (!strcmp(rest, "status/buildinfo"))
        build_info(reply);
    else if (!strncmp(rest, traces, strlen(traces)))
        one_trace(context, request, rest + strlen(traces), second, reply);
    else if (!strcmp(rest, "search"))
        search_traces(context, request, reply);
    else if (!strcmp(rest, "search/tags"))
        tt_tempo_tag_names(context, request, second, reply);
    else if (!strncmp(rest, tag, strlen(tag)))
        tt_tempo_tag_values(context, request, rest + strlen(tag), second, reply);
    else
        tt_tempo_refuse(reply, 404, "not a part of Tempo's API that is served here");
}
