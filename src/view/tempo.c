/* SPDX-License-Identifier: GPL-2.0-only */
/* tempo.c: Tempo's API as far as Grafana's data source needs it: a trace by its id, search by TraceQL, tags
 * and their values, below /tempo/api. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "export/encode.h"
#include "view/internal.h"

#define LIMIT      20
#define LIMIT_MAX  2000
#define SPANS      3 /* of each trace found that are told */
#define SPANS_MAX  100
#define VALUES_MAX 1000

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

/* {"resourceSpans":..} as {"batches":..}, or {"trace":{"resourceSpans":..}}. */
static void put_json(struct reading *reading, struct tt_httpd_reply *reply)
{
    static const char ours[] = "{\"resourceSpans\":";
    const char *rest = reading->out->data + strlen(ours);

    reply->content_type = "application/json";
    tt_text_puts(&reply->body, reading->wrapped ? "{\"trace\":{\"resourceSpans\":" : "{\"batches\":");
    tt_text_puts(&reply->body, rest);
    if (reading->wrapped)
        tt_text_puts(&reply->body, "}");
}

static void refuse(struct tt_httpd_reply *reply, unsigned status, const char *why)
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
        refuse(reply, 400, "trace IDs can only contain hex characters");
    else if (!tt_store_find(view->store, id, &visitor))
        refuse(reply, 404, "trace not found");
    else if (reading.failed || json.failed)
        refuse(reply, 500, "out of memory");
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
    put_spans(s, found, "spanSet", false);
    put_spans(s, found, "spanSets", true);
    tt_json_object_end(&s->json);
}

/* start and end are seconds. */
static bool read_times(const struct tt_httpd_request *request, struct tt_view_search *search)
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

    if (!read_times(request, &search) || !tt_view_number(request, "limit", &limit) ||
        !tt_view_number(request, "spss", &spans)) {
        refuse(reply, 400, "start, end, limit and spss are numbers");
        return;
    }
    if (query && *query && tt_query_compile(query, &search.query, &why)) {
        refuse(reply, 400, why ? why : "invalid TraceQL query");
        return;
    }
    search.limit = limit < 1 ? LIMIT : limit < LIMIT_MAX ? (size_t)limit : LIMIT_MAX;
    searching.spans = spans < SPANS_MAX ? (size_t)spans : SPANS_MAX;
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

/* ---- tags ---- */

struct value {
    UT_hash_handle hh;
    char text[];
};

enum scope { RESOURCE, SPAN };

struct tags {
    struct value *sets[2]; /* by scope: names; values: in the first */
    const char *key;       /* whose values are wanted; NULL: names are */
    bool of[2];            /* scopes that are asked */
};

static void add(struct value **set, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    struct value *value;

    if (!length)
        return;
    HASH_FIND(hh, *set, text, length, value);
    if (value || HASH_COUNT(*set) == VALUES_MAX || !(value = calloc(1, sizeof(*value) + length + 1)))
        return;
    memcpy(value->text, text, length);
    HASH_ADD(hh, *set, text, length, value);
}

static void add_attributes(struct tags *tags, enum scope scope, const struct tt_otel_attribute *attributes,
                           size_t count)
{
    char number[32];

    for (size_t i = 0; i < count && tags->of[scope]; i++) {
        const struct tt_otel_attribute *a = &attributes[i];

        if (!tags->key) {
            add(&tags->sets[scope], a->key);
        } else if (!strcmp(a->key, tags->key) && a->type == TT_OTEL_STRING) {
            add(&tags->sets[0], a->value.string);
        } else if (!strcmp(a->key, tags->key) && a->type == TT_OTEL_INT) {
            snprintf(number, sizeof(number), "%lld", (long long)a->value.integer);
            add(&tags->sets[0], number);
        }
    }
}

static void take_tags(void *context, const struct tt_view_found *found)
{
    struct tags *tags = context;

    for (size_t i = 0; i < found->count; i++) {
        const struct tt_otel_span *span = found->spans[i];

        if (tags->key && !strcmp(tags->key, "name"))
            add(&tags->sets[0], span->name);
        add_attributes(tags, SPAN, span->attributes, span->attribute_count);
        add_attributes(tags, RESOURCE, span->resource->attributes, span->resource->attribute_count);
    }
}

static void free_set(struct value **set)
{
    struct value *value, *next;

    HASH_ITER(hh, *set, value, next)
    {
        HASH_DEL(*set, value);
        free(value);
    }
}

static int by_text(const struct value *a, const struct value *b)
{
    return strcmp(a->text, b->text);
}

static void put_set(struct tt_json *json, struct value **set, bool typed)
{
    HASH_SORT(*set, by_text);
    for (const struct value *v = *set; v; v = v->hh.next) {
        if (typed)
            tt_json_object(json, NULL);
        if (typed)
            tt_json_string(json, "type", "string");
        tt_json_string(json, typed ? "value" : NULL, v->text);
        if (typed)
            tt_json_object_end(json);
    }
}

static void gather(struct tt_view *view, struct tags *tags)
{
    const struct tt_view_search search = {
        .to = UINT64_MAX, .most = UINT64_MAX, .status = -1, .limit = SIZE_MAX};

    tt_view_find(view, &search, take_tags, tags);
}

static void tag_names(struct tt_view *view, bool scoped, struct tt_httpd_reply *reply)
{
    static const char *const scopes[] = {"resource", "span"};
    struct tags tags = {.of = {true, true}};
    struct tt_json json = {0};

    gather(view, &tags);
    tt_json_object(&json, NULL);
    tt_json_array(&json, scoped ? "scopes" : "tagNames");
    for (enum scope scope = RESOURCE; scope <= SPAN; scope++) {
        if (scoped) {
            tt_json_object(&json, NULL);
            tt_json_string(&json, "name", scopes[scope]);
            tt_json_array(&json, "tags");
        }
        put_set(&json, &tags.sets[scope], false);
        if (scoped) {
            tt_json_array_end(&json);
            tt_json_object_end(&json);
        }
        free_set(&tags.sets[scope]);
    }
    tt_json_array_end(&json);
    tt_json_object_end(&json);
    tt_view_json(reply, &json);
}

/* "tag/KEY/values"; KEY may say its scope: "resource.service.name", ".tango.command.name". */
static void tag_values(struct tt_view *view, const char *rest, bool typed, struct tt_httpd_reply *reply)
{
    static const char values[] = "/values", resource[] = "resource.", span[] = "span.";
    size_t length = strlen(rest), tail = strlen(values);
    _cleanup_free_ char *key = NULL;
    struct tags tags = {.of = {true, true}};
    struct tt_json json = {0};

    if (length > tail && !strcmp(rest + length - tail, values))
        key = strndup(rest, length - tail);
    if (!key) {
        refuse(reply, 404, "not a part of Tempo's API that is served here");
        return;
    }
    tags.key = *key == '.' ? key + 1 : key;
    if (!strncmp(key, resource, strlen(resource))) {
        tags.key += strlen(resource);
        tags.of[SPAN] = false;
    } else if (!strncmp(key, span, strlen(span))) {
        tags.key += strlen(span);
        tags.of[RESOURCE] = false;
    }
    gather(view, &tags);
    tt_json_object(&json, NULL);
    tt_json_array(&json, "tagValues");
    put_set(&json, &tags.sets[0], typed);
    tt_json_array_end(&json);
    tt_json_object_end(&json);
    free_set(&tags.sets[0]);
    tt_view_json(reply, &json);
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
        tag_names(context, second, reply);
    else if (!strncmp(rest, tag, strlen(tag)))
        tag_values(context, rest + strlen(tag), second, reply);
    else
        refuse(reply, 404, "not a part of Tempo's API that is served here");
}
