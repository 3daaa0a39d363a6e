/* SPDX-License-Identifier: GPL-2.0-only */
/* jaeger.c: Jaeger's query API (its api_v2 JSON), as far as its page and Grafana's data source ask it:
 * services, operations, traces, dependencies, below /jaeger/api. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "view/internal.h"

#define LIMIT     20
#define LIMIT_MAX 1500
#define NAMES_MAX 2000

/* ---- names ---- */

struct name {
    UT_hash_handle hh;
    const char *kind; /* static; of an operation's spans */
    char text[];
};

static void add_name(struct name **names, const char *text, const char *kind)
{
    size_t length = strlen(text);
    struct name *name;

    HASH_FIND(hh, *names, text, length, name);
    if (name || HASH_COUNT(*names) == NAMES_MAX)
        return;
    name = calloc(1, sizeof(*name) + length + 1);
    if (!name)
        return;
    memcpy(name->text, text, length);
    name->kind = kind;
    HASH_ADD(hh, *names, text, length, name);
}

static void free_names(struct name **names)
{
    struct name *name, *next;

    HASH_ITER(hh, *names, name, next)
    {
        HASH_DEL(*names, name);
        free(name);
    }
}

static int by_text(const struct name *a, const struct name *b)
{
    return strcmp(a->text, b->text);
}

static const char *kind_name(int kind)
{
    static const char *const names[] = {"", "internal", "server", "client", "producer", "consumer"};

    return kind >= 0 && (size_t)kind < TT_ARRAY_SIZE(names) ? names[kind] : "";
}

struct naming {
    struct name *names;
    const char *service; /* NULL: services are wanted, else its operations */
};

static void take_names(void *context, const struct tt_view_found *found)
{
    struct naming *naming = context;

    for (size_t i = 0; i < found->count; i++) {
        const struct tt_otel_span *span = found->spans[i];

        if (!naming->service)
            add_name(&naming->names, span->resource->service_name, "");
        else if (!strcmp(span->resource->service_name, naming->service))
            add_name(&naming->names, span->name, kind_name(span->kind));
    }
}

static struct tt_view_search everything(void)
{
    return (struct tt_view_search){.to = UINT64_MAX, .most = UINT64_MAX, .status = -1, .limit = SIZE_MAX};
}

static void put_end(struct tt_json *json, size_t total)
{
    tt_json_uint(json, "total", total);
    tt_json_uint(json, "limit", 0);
    tt_json_uint(json, "offset", 0);
    tt_json_string(json, "errors", NULL);
    tt_json_object_end(json);
}

static void put_names(struct tt_view *view, const char *service, bool whole, struct tt_httpd_reply *reply)
{
    const struct tt_view_search search = everything();
    struct naming naming = {.service = service};
    struct tt_json json = {0};
    size_t total;

    tt_view_find(view, &search, take_names, &naming);
    HASH_SORT(naming.names, by_text);
    total = HASH_COUNT(naming.names);
    tt_json_object(&json, NULL);
    tt_json_array(&json, "data");
    for (const struct name *n = naming.names; n; n = n->hh.next) {
        if (whole)
            tt_json_object(&json, NULL);
        tt_json_string(&json, whole ? "name" : NULL, n->text);
        if (!whole)
            continue;
        tt_json_string(&json, "spanKind", n->kind);
        tt_json_object_end(&json);
    }
    tt_json_array_end(&json);
    put_end(&json, total);
    free_names(&naming.names);
    tt_view_json(reply, &json);
}

/* ---- traces ---- */

static void put_tag(struct tt_json *json, const char *key, const char *type)
{
    tt_json_object(json, NULL);
    tt_json_string(json, "key", key);
    tt_json_string(json, "type", type);
}

static void put_text(struct tt_json *json, const char *key, const char *value)
{
    put_tag(json, key, "string");
    tt_json_string(json, "value", value);
    tt_json_object_end(json);
}

/* A list is a text with a JSON array in it. */
static void put_strings(struct tt_json *json, const struct tt_otel_attribute *a)
{
    struct tt_json list = {0};

    tt_json_array(&list, NULL);
    for (size_t i = 0; i < a->value.strings.count; i++)
        tt_json_string(&list, NULL, a->value.strings.items[i]);
    tt_json_array_end(&list);
    put_text(json, a->key, list.failed ? "" : list.data);
    tt_json_free(&list);
}

static void put_tags(struct tt_json *json, const struct tt_otel_attribute *attributes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct tt_otel_attribute *a = &attributes[i];

        switch (a->type) {
        case TT_OTEL_STRING:
            put_text(json, a->key, a->value.string);
            break;
        case TT_OTEL_INT:
            put_tag(json, a->key, "int64");
            tt_json_int(json, "value", a->value.integer);
            tt_json_object_end(json);
            break;
        case TT_OTEL_BOOL:
            put_tag(json, a->key, "bool");
            tt_json_bool(json, "value", a->value.boolean);
            tt_json_object_end(json);
            break;
        case TT_OTEL_DOUBLE:
            put_tag(json, a->key, "float64");
            tt_json_double(json, "value", a->value.real);
            tt_json_object_end(json);
            break;
        case TT_OTEL_STRINGS:
            put_strings(json, a);
            break;
        }
    }
}

static void put_reference(struct tt_json *json, const char *type, const uint8_t *trace, const uint8_t *span)
{
    tt_json_object(json, NULL);
    tt_json_string(json, "refType", type);
    tt_json_hex(json, "traceID", trace, 16);
    tt_json_hex(json, "spanID", span, 8);
    tt_json_object_end(json);
}

static void put_references(struct tt_json *json, const struct tt_otel_span *span)
{
    static const uint8_t none[8];

    tt_json_array(json, "references");
    if (memcmp(span->parent_id, none, sizeof(none)) != 0)
        put_reference(json, "CHILD_OF", span->trace_id, span->parent_id);
    for (size_t i = 0; i < span->link_count; i++)
        put_reference(json, "FOLLOWS_FROM", span->links[i].trace_id, span->links[i].span_id);
    tt_json_array_end(json);
}

/* What Jaeger makes of OTLP: the scope, kind and status become tags. */
static void put_span_tags(struct tt_json *json, const struct tt_otel_span *span)
{
    tt_json_array(json, "tags");
    put_tags(json, span->attributes, span->attribute_count);
    put_text(json, "otel.scope.name", span->scope->name);
    if (*span->scope->version)
        put_text(json, "otel.scope.version", span->scope->version);
    put_text(json, "span.kind", kind_name(span->kind));
    if (span->status == TT_OTEL_ERROR) {
        put_text(json, "otel.status_code", "ERROR");
        if (span->status_message)
            put_text(json, "otel.status_description", span->status_message);
        put_tag(json, "error", "bool");
        tt_json_bool(json, "value", true);
        tt_json_object_end(json);
    }
    if (span->trace_state)
        put_text(json, "w3c.tracestate", span->trace_state);
    tt_json_array_end(json);
}

static void put_events(struct tt_json *json, const struct tt_otel_span *span)
{
    tt_json_array(json, "logs");
    for (size_t i = 0; i < span->event_count; i++) {
        const struct tt_otel_event *event = &span->events[i];

        tt_json_object(json, NULL);
        tt_json_uint(json, "timestamp", event->time / 1000);
        tt_json_array(json, "fields");
        put_text(json, "event", event->name);
        put_tags(json, event->attributes, event->attribute_count);
        tt_json_array_end(json);
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
}

static size_t process_of(struct tt_otel_span *const *spans, size_t i)
{
    size_t first = 0;

    while (spans[first]->resource != spans[i]->resource)
        first++;
    return first + 1;
}

static void put_processes(struct tt_json *json, struct tt_otel_span *const *spans, size_t count)
{
    tt_json_object(json, "processes");
    for (size_t i = 0; i < count; i++) {
        const struct tt_otel_resource *resource = spans[i]->resource;
        char name[24];

        if (process_of(spans, i) != i + 1)
            continue;
        snprintf(name, sizeof(name), "p%zu", i + 1);
        tt_json_object(json, name);
        tt_json_string(json, "serviceName", resource->service_name);
        tt_json_array(json, "tags");
        for (size_t j = 0; j < resource->attribute_count; j++)
            if (strcmp(resource->attributes[j].key, "service.name") != 0)
                put_tags(json, &resource->attributes[j], 1);
        tt_json_array_end(json);
        tt_json_object_end(json);
    }
    tt_json_object_end(json);
}

static void put_trace(struct tt_json *json, const uint8_t id[16], struct tt_otel_span *const *spans,
                      size_t count)
{
    tt_json_object(json, NULL);
    tt_json_hex(json, "traceID", id, 16);
    tt_json_array(json, "spans");
    for (size_t i = 0; i < count; i++) {
        const struct tt_otel_span *span = spans[i];
        char process[24];

        snprintf(process, sizeof(process), "p%zu", process_of(spans, i));
        tt_json_object(json, NULL);
        tt_json_hex(json, "traceID", span->trace_id, sizeof(span->trace_id));
        tt_json_hex(json, "spanID", span->span_id, sizeof(span->span_id));
        tt_json_string(json, "operationName", span->name);
        put_references(json, span);
        tt_json_uint(json, "startTime", span->start / 1000);
        tt_json_uint(json, "duration", (span->end - span->start) / 1000);
        put_span_tags(json, span);
        put_events(json, span);
        tt_json_string(json, "processID", process);
        tt_json_string(json, "warnings", NULL);
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
    put_processes(json, spans, count);
    tt_json_string(json, "warnings", NULL);
    tt_json_object_end(json);
}

static void put_found(void *context, const struct tt_view_found *found)
{
    put_trace(context, found->trace->id, found->spans, found->count);
}

static bool put_one(void *context, const struct tt_store_trace *trace, struct tt_otel_span *const *spans,
                    size_t count, const struct tt_otel_span *root, struct tt_otel_log *const *logs,
                    size_t log_count)
{
    put_trace(context, trace->id, spans, count);
    return true;
}

/* As Jaeger says it. */
static void refuse(struct tt_httpd_reply *reply, unsigned status, const char *why)
{
    struct tt_json json = {0};

    tt_json_object(&json, NULL);
    tt_json_string(&json, "data", NULL);
    tt_json_uint(&json, "total", 0);
    tt_json_uint(&json, "limit", 0);
    tt_json_uint(&json, "offset", 0);
    tt_json_array(&json, "errors");
    tt_json_object(&json, NULL);
    tt_json_uint(&json, "code", status);
    tt_json_string(&json, "msg", why);
    tt_json_object_end(&json);
    tt_json_array_end(&json);
    tt_json_object_end(&json);
    tt_view_json(reply, &json);
    reply->status = status;
}

/* Go's durations: "1.5s", "200ms", "1m30s" has only its first part here. False: none. */
static bool read_duration(const char *text, uint64_t *ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    char *end;
    double value;

    if (!text || !*text)
        return true;
    value = strtod(text, &end);
    for (size_t i = 0; end != text && i < TT_ARRAY_SIZE(units); i++) {
        if (strcmp(units[i].name, end) != 0 || !(value >= 0) || value * units[i].ns > 9e18)
            continue;
        *ns = (uint64_t)(value * units[i].ns);
        return true;
    }
    return false;
}

/* {"error":"true","http.method":"GET"}: all must hold, of one span. Into a query of ours. False: no such. */
static bool read_tags(const char *text, struct tt_text *query)
{
    const char *at = text;

    while (at && (at = strchr(at, '"'))) {
        const char *key = at + 1, *key_end = strchr(key, '"');
        const char *value = key_end ? strchr(key_end + 1, '"') : NULL;
        const char *end = value ? strchr(value + 1, '"') : NULL;

        if (!end || strcspn(key, "\\") < (size_t)(end - key))
            return false;
        tt_text_puts(query, query->size ? " && " : "");
        if (!strncmp(key, "error\"", 6))
            tt_text_printf(query, "status %s error", !strncmp(value + 1, "true", 4) ? "=" : "!=");
        else
            tt_text_printf(query, "(.\"%.*s\" = \"%.*s\")", (int)(key_end - key), key, (int)(end - value - 1),
                           value + 1);
        at = end + 1;
    }
    return true;
}

static const char *read_search(const struct tt_httpd_request *request, struct tt_view_search *search)
{
    const char *operation = tt_httpd_argument(request, "operation");
    const char *tags = tt_httpd_argument(request, "tags");
    double limit = LIMIT;
    _cleanup_(tt_text_free) struct tt_text query = {0};
    _cleanup_free_ char *filter = NULL, *why = NULL;

    search->exact = true;
    search->service = tt_httpd_argument(request, "service");
    if (!search->service || !*search->service)
        return "parameter 'service' is required";
    search->operation = operation && *operation && strcmp(operation, "all") != 0 ? operation : NULL;
    if (!tt_view_time(request, "start", &search->from) || !tt_view_time(request, "end", &search->to) ||
        !tt_view_number(request, "limit", &limit))
        return "start and end are microseconds, limit is a number";
    search->limit = limit < 1 ? LIMIT : limit < LIMIT_MAX ? (size_t)limit : LIMIT_MAX;
    if (!read_duration(tt_httpd_argument(request, "minDuration"), &search->least) ||
        !read_duration(tt_httpd_argument(request, "maxDuration"), &search->most))
        return "durations are written as in 1.5s, 200ms, 10us";
    if (!read_tags(tags, &query))
        return "tags are {\"key\":\"value\"}";
    if (!query.size)
        return NULL;
    filter = tt_format("{%s}", query.data);
    return filter && !tt_query_compile(filter, &search->query, &why) ? NULL
                                                                     : "a tag that cannot be asked for";
}

static void search_traces(struct tt_view *view, const struct tt_httpd_request *request,
                          struct tt_httpd_reply *reply)
{
    struct tt_view_search search = everything();
    const char *why = read_search(request, &search);
    struct tt_json json = {0};

    if (why) {
        refuse(reply, 400, why);
        return;
    }
    tt_json_object(&json, NULL);
    tt_json_array(&json, "data");
    tt_view_find(view, &search, put_found, &json);
    tt_json_array_end(&json);
    put_end(&json, 0);
    tt_query_free(&search.query);
    tt_view_json(reply, &json);
}

static void one_trace(struct tt_view *view, const char *text, struct tt_httpd_reply *reply)
{
    struct tt_json json = {0};
    const struct tt_store_visitor visitor = {.visit = put_one, .context = &json};
    uint8_t id[16];

    if (!tt_view_id(text, id, sizeof(id))) {
        refuse(reply, 400, "malformed trace ID");
        return;
    }
    tt_json_object(&json, NULL);
    tt_json_array(&json, "data");
    if (tt_store_find(view->store, id, &visitor)) {
        tt_json_array_end(&json);
        put_end(&json, 0);
        tt_view_json(reply, &json);
    } else {
        refuse(reply, 404, "trace not found");
    }
    tt_json_free(&json);
}

/* ---- dependencies ---- */

struct link {
    UT_hash_handle hh;
    uint64_t calls;
    size_t size, split; /* of the key; where the second name begins */
    char key[];
};

static const struct tt_otel_span *parent_of(const struct tt_view_found *found,
                                            const struct tt_otel_span *span)
{
    for (size_t i = 0; i < found->count; i++)
        if (!memcmp(found->spans[i]->span_id, span->parent_id, sizeof(span->parent_id)))
            return found->spans[i];
    return NULL;
}

static void take_links(void *context, const struct tt_view_found *found)
{
    struct link **links = context;

    for (size_t i = 0; i < found->count && found->count < 1000; i++) {
        const struct tt_otel_span *span = found->spans[i], *parent = parent_of(found, span);
        const char *a = parent ? parent->resource->service_name : "", *b = span->resource->service_name;
        size_t split = strlen(a) + 1, size = split + strlen(b) + 1;
        char key[512];
        struct link *link;

        if (!parent || !strcmp(a, b) || size > sizeof(key))
            continue;
        memcpy(key, a, split);
        memcpy(key + split, b, size - split);
        HASH_FIND(hh, *links, key, size, link);
        if (!link && HASH_COUNT(*links) < NAMES_MAX && (link = calloc(1, sizeof(*link) + size))) {
            memcpy(link->key, key, size);
            link->size = size;
            link->split = split;
            HASH_ADD(hh, *links, key, link->size, link);
        }
        if (link)
            link->calls++;
    }
}

/* endTs and lookback are milliseconds. */
static void dependencies(struct tt_view *view, const struct tt_httpd_request *request,
                         struct tt_httpd_reply *reply)
{
    struct tt_view_search search = everything();
    double end = (double)tt_clock_ns(CLOCK_REALTIME) / 1e6, lookback = 86400e3;
    struct link *links = NULL, *link, *next;
    struct tt_json json = {0};

    if (!tt_view_number(request, "endTs", &end) || !tt_view_number(request, "lookback", &lookback)) {
        refuse(reply, 400, "endTs and lookback are milliseconds");
        return;
    }
    search.to = (uint64_t)(end * 1e6);
    search.from = lookback < end ? (uint64_t)((end - lookback) * 1e6) : 0;
    tt_view_find(view, &search, take_links, &links);
    tt_json_object(&json, NULL);
    tt_json_array(&json, "data");
    HASH_ITER(hh, links, link, next)
    {
        tt_json_object(&json, NULL);
        tt_json_string(&json, "parent", link->key);
        tt_json_string(&json, "child", link->key + link->split);
        tt_json_uint(&json, "callCount", link->calls);
        tt_json_object_end(&json);
        HASH_DEL(links, link);
        free(link);
    }
    tt_json_array_end(&json);
    put_end(&json, 0);
    tt_view_json(reply, &json);
}

void tt_view_jaeger(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    static const char services[] = "services/", operations[] = "/operations", traces[] = "traces/";
    const char *rest = request->rest, *service = tt_httpd_argument(request, "service");
    size_t length = strlen(rest), tail = strlen(operations);

    if (!strcmp(rest, "services")) {
        put_names(context, NULL, false, reply);
    } else if (!strncmp(rest, services, strlen(services)) && length > strlen(services) + tail &&
               !strcmp(rest + length - tail, operations)) {
        _cleanup_free_ char *name = strndup(rest + strlen(services), length - strlen(services) - tail);

        put_names(context, name ? name : "", false, reply);
    } else if (!strcmp(rest, "operations")) {
        put_names(context, service ? service : "", true, reply);
    } else if (!strcmp(rest, "traces") && tt_httpd_argument(request, "traceID")) {
        one_trace(context, tt_httpd_argument(request, "traceID"), reply);
    } else if (!strcmp(rest, "traces")) {
        search_traces(context, request, reply);
    } else if (!strncmp(rest, traces, strlen(traces))) {
        one_trace(context, rest + strlen(traces), reply);
    } else if (!strcmp(rest, "dependencies")) {
        dependencies(context, request, reply);
    } else {
        refuse(reply, 404, "not a part of Jaeger's API that is served here");
    }
}
