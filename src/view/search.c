/* SPDX-License-Identifier: GPL-2.0-only */
/* search.c: traces by what one of their spans is like: "GET /api/traces". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "view/internal.h"

#define AT_ONCE      64 /* traces that are read under one lock */
#define LIMIT        100
#define LIMIT_MAX    2000
#define SERVICES_MAX 8

/* ---- one span ---- */

static bool has(const char *glob, const char *text)
{
    return !glob || (text && tt_glob(glob, text, true));
}

static bool contains(const char *text, const char *part)
{
    return text && strcasestr(text, part);
}

static bool has_text(const struct tt_otel_attribute *attributes, size_t count, const char *part)
{
    for (size_t i = 0; i < count; i++) {
        const struct tt_otel_attribute *a = &attributes[i];

        if (a->type == TT_OTEL_STRING && contains(a->value.string, part))
            return true;
        for (size_t j = 0; a->type == TT_OTEL_STRINGS && j < a->value.strings.count; j++)
            if (contains(a->value.strings.items[j], part))
                return true;
    }
    return false;
}

static bool span_has_text(const struct tt_otel_span *span, const char *part)
{
    if (contains(span->name, part) || contains(span->title, part) || contains(span->status_message, part) ||
        has_text(span->attributes, span->attribute_count, part) ||
        has_text(span->resource->attributes, span->resource->attribute_count, part))
        return true;
    for (size_t i = 0; i < span->event_count; i++)
        if (has_text(span->events[i].attributes, span->events[i].attribute_count, part))
            return true;
    return false;
}

static bool is_device(const struct tt_otel_span *span, const char *glob)
{
    return has(glob, tt_view_string(span, "tango.operation.target")) ||
           (!span->resource->is_client && has(glob, span->resource->instance));
}

static bool is_named(const struct tt_view_search *s, const struct tt_otel_span *span)
{
    const char *service = span->resource->service_name;

    if (s->exact)
        return (!s->service || !strcmp(s->service, service)) &&
               (!s->operation || !strcmp(s->operation, span->name));
    return has(s->service, service) &&
           (!s->operation || has(s->operation, span->title) || has(s->operation, span->name));
}

/* Of a call whose end nobody saw nobody knows how it ended. */
static bool has_outcome(const struct tt_otel_span *span, int error)
{
    const struct tt_otel_attribute *incomplete = tt_otel_find(span->attributes, span->attribute_count,
                                                              "tangotrace.incomplete");

    if (error || span->status == TT_OTEL_ERROR)
        return error && span->status == TT_OTEL_ERROR;
    for (size_t i = 0;
         incomplete && incomplete->type == TT_OTEL_STRINGS && i < incomplete->value.strings.count; i++)
        if (!strcmp(incomplete->value.strings.items[i], TT_OTEL_END_UNKNOWN))
            return false;
    return true;
}

static bool matches(const struct tt_view_search *s, const struct tt_otel_span *span,
                    const struct tt_query_trace *trace)
{
    uint64_t duration = span->end - span->start;

    return duration >= s->least && duration <= s->most && (s->status < 0 || has_outcome(span, s->status)) &&
           is_named(s, span) && (!s->device || is_device(span, s->device)) &&
           (!s->text || span_has_text(span, s->text)) && (!s->query || tt_query_match(s->query, span, trace));
}

/* It is that of the trace: who began it. */
static bool is_client(const struct tt_view_search *s, const struct tt_otel_span *root)
{
    return !s->client || (root && (has(s->client, root->resource->service_name) ||
                                   has(s->client, root->resource->instance)));
}

/* ---- all ---- */

struct searching {
    const struct tt_view_search *search;
    void (*found)(void *context, const struct tt_view_found *found);
    void *context;
    size_t left;
    bool cut; /* there is one more than was asked for */
};

static bool wants(void *context, const struct tt_store_trace *trace)
{
    const struct tt_view_search *s = ((struct searching *)context)->search;

    return trace->start <= s->to && trace->end >= s->from && (s->status != 1 || trace->errors);
}

/* A call says more of a trace than a function, and the first more than what it led to. */
static bool tells_more(const struct tt_otel_span *a, const struct tt_otel_span *b)
{
    static const bool calls[] = {[2] = true, [3] = true}; /* OTLP's SERVER and CLIENT */
    bool a_calls = a->kind <= 3 && calls[a->kind], b_calls = b->kind <= 3 && calls[b->kind];

    return a_calls != b_calls ? a_calls : a->start < b->start;
}

static bool look(void *context, const struct tt_store_trace *trace, struct tt_otel_span *const *spans,
                 size_t count, const struct tt_otel_span *root, struct tt_otel_log *const *logs,
                 size_t log_count)
{
    struct searching *searching = context;
    const struct tt_query_trace whole = {.root = root, .duration = trace->end - trace->start};
    struct tt_view_found found = {.trace = trace, .root = root, .spans = spans, .count = count};

    if (!is_client(searching->search, root))
        return true;
    for (size_t i = 0; i < count; i++) {
        if (!matches(searching->search, spans[i], &whole))
            continue;
        if (!found.matched++ || tells_more(spans[i], found.span))
            found.span = spans[i];
    }
    if (!found.matched)
        return true;
    searching->cut = !searching->left;
    if (searching->cut)
        return false;
    searching->found(searching->context, &found);
    searching->left--;
    return true;
}

bool tt_view_find(struct tt_view *view, const struct tt_view_search *search,
                  void (*found)(void *context, const struct tt_view_found *found), void *context)
{
    static atomic_int searches;
    struct searching searching = {search, found, context, search->limit, false};
    const struct tt_store_visitor visitor = {.wants = wants, .visit = look, .context = &searching};
    uint64_t before = UINT64_MAX, until = tt_now_ns() + TT_VIEW_SEARCH_NS;
    bool more = atomic_fetch_add(&searches, 1) < TT_VIEW_SEARCHES && search->limit, whole = more;

    while (more && tt_now_ns() < until)
        more = tt_store_walk(view->store, &before, AT_ONCE, &visitor);
    atomic_fetch_sub(&searches, 1);
    return whole && !more && !searching.cut;
}

/* ---- the answer ---- */

static void put_services(struct tt_json *json, const struct tt_view_found *found)
{
    const char *seen[SERVICES_MAX];
    size_t count = 0;

    tt_json_array(json, "services");
    for (size_t i = 0; i < found->count && count < SERVICES_MAX; i++) {
        const char *name = found->spans[i]->resource->service_name;
        size_t j = 0;

        while (j < count && strcmp(seen[j], name) != 0)
            j++;
        if (j < count)
            continue;
        seen[count++] = name;
        tt_json_string(json, NULL, name);
    }
    tt_json_array_end(json);
}

static void put_short(struct tt_json *json, const char *key, const struct tt_otel_span *span)
{
    if (!span)
        return;
    tt_json_object(json, key);
    tt_json_hex(json, "id", span->span_id, sizeof(span->span_id));
    tt_json_string(json, "name", span->name);
    tt_json_string(json, "title", span->title);
    tt_json_string(json, "service", span->resource->service_name);
    tt_json_string(json, "instance", span->resource->instance);
    tt_json_string(json, "device", tt_view_string(span, "tango.operation.target"));
    tt_json_uint(json, "duration_ns", span->end - span->start);
    tt_json_bool(json, "error", span->status == TT_OTEL_ERROR);
    if (span->status_message)
        tt_json_string(json, "message", span->status_message);
    tt_json_object_end(json);
}

static void put_trace(void *context, const struct tt_view_found *found)
{
    const struct tt_store_trace *trace = found->trace;
    struct tt_json *json = context;

    tt_json_object(json, NULL);
    tt_json_hex(json, "id", trace->id, sizeof(trace->id));
    tt_json_double(json, "start_us", (double)trace->start / 1e3);
    tt_json_uint(json, "duration_ns", trace->end - trace->start);
    tt_json_uint(json, "spans", trace->spans);
    tt_json_uint(json, "errors", trace->errors);
    tt_json_uint(json, "logs", trace->logs);
    tt_json_uint(json, "matched", found->matched);
    put_services(json, found);
    put_short(json, "root", found->root);
    put_short(json, "span", found->span);
    tt_json_object_end(json);
}

static const char *given(const struct tt_httpd_request *request, const char *name)
{
    const char *value = tt_httpd_argument(request, name);

    return value && *value ? value : NULL;
}

/* False: refused. */
static bool read_search(const struct tt_httpd_request *request, struct tt_view_search *s,
                        struct tt_httpd_reply *reply)
{
    const char *query = given(request, "q"), *status = given(request, "status");
    double least = 0, most = 9e12, limit = LIMIT; /* us */
    _cleanup_free_ char *why = NULL;
    size_t at = 0;
    int error;

    *s = (struct tt_view_search){.to = UINT64_MAX, .status = -1};
    s->service = given(request, "service");
    s->device = given(request, "device");
    s->operation = given(request, "operation");
    s->client = given(request, "client");
    s->text = given(request, "text");
    if (!tt_view_time(request, "from", &s->from) || !tt_view_time(request, "to", &s->to) ||
        !tt_view_number(request, "min", &least) || !tt_view_number(request, "max", &most) ||
        !tt_view_number(request, "limit", &limit)) {
        tt_view_refuse(reply, 400, "from, to, min and max are microseconds, limit is a number", -1);
        return false;
    }
    s->least = (uint64_t)(least * 1000);
    s->most = (uint64_t)(most * 1000);
    s->limit = limit < LIMIT_MAX ? (size_t)limit : LIMIT_MAX;
    if (status && strcmp(status, "error") != 0 && strcmp(status, "ok") != 0) {
        tt_view_refuse(reply, 400, "status is error or ok", -1);
        return false;
    }
    if (status)
        s->status = !strcmp(status, "error");
    error = query ? tt_query_compile_at(query, &s->query, &why, &at) : 0;
    if (error)
        tt_view_refuse(reply, error == -EINVAL ? 400 : 503, why ? why : "out of memory",
                       why ? (int64_t)at : -1);
    return !error;
}

void tt_view_search(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    struct tt_view_search search;
    struct tt_json json = {0};
    bool whole;

    if (!read_search(request, &search, reply))
        return;
    tt_view_look(context);
    tt_json_object(&json, NULL);
    tt_json_array(&json, "traces");
    whole = tt_view_find(context, &search, put_trace, &json);
    tt_json_array_end(&json);
    tt_json_bool(&json, "whole", whole);
    tt_json_object_end(&json);
    tt_query_free(&search.query);
    tt_view_json(reply, &json);
}

/* Is the query right? */
void tt_view_query(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    struct tt_view_search search = {0};
    struct tt_json json = {0};

    if (!read_search(request, &search, reply))
        return;
    tt_query_free(&search.query);
    tt_json_object(&json, NULL);
    tt_json_bool(&json, "ok", true);
    tt_json_object_end(&json);
    tt_view_json(reply, &json);
}
