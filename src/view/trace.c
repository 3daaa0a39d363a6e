/* SPDX-License-Identifier: GPL-2.0-only */
/* trace.c: one trace, one span: "GET /api/trace/ID", "GET /api/span/TRACE/SPAN". */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/encode.h"
#include "view/internal.h"

/* ---- the trace: what a waterfall needs of each span ---- */

/* Numbers of the resources, in order of their first span. */
struct resources {
    const struct tt_otel_resource **list;
    size_t count, room;
};

static size_t number_of(struct resources *resources, const struct tt_otel_resource *resource)
{
    for (size_t i = resources->count; i-- > 0;)
        if (resources->list[i] == resource)
            return i;
    if (resources->count == resources->room)
        return 0;
    resources->list[resources->count] = resource;
    return resources->count++;
}

static void put_offset(struct tt_json *json, const char *key, uint64_t time, uint64_t start)
{
    tt_json_int(json, key, (int64_t)(time - start));
}

static bool has_exception(const struct tt_otel_span *span)
{
    for (size_t i = 0; i < span->event_count; i++)
        if (!strcmp(span->events[i].name, "exception"))
            return true;
    return false;
}

/* A parent or link of zeros is none. */
static void put_id(struct tt_json *json, const char *key, const uint8_t *id, size_t size)
{
    static const uint8_t none[16];

    if (memcmp(id, none, size) != 0)
        tt_json_hex(json, key, id, size);
}

static void put_row(struct tt_json *json, const struct tt_otel_span *span, uint64_t start,
                    struct resources *resources)
{
    const char *device = tt_view_string(span, "tango.operation.target");

    tt_json_object(json, NULL);
    tt_json_hex(json, "id", span->span_id, sizeof(span->span_id));
    put_id(json, "parent", span->parent_id, sizeof(span->parent_id));
    tt_json_string(json, "name", span->name);
    if (strcmp(span->title, span->name) != 0)
        tt_json_string(json, "title", span->title);
    tt_json_int(json, "kind", span->kind);
    put_offset(json, "at", span->start, start);
    tt_json_uint(json, "ns", span->end - span->start);
    tt_json_uint(json, "resource", number_of(resources, span->resource));
    if (device)
        tt_json_string(json, "device", device);
    if (span->status == TT_OTEL_ERROR)
        tt_json_string(json, "error", span->status_message ? span->status_message : "");
    if (has_exception(span))
        tt_json_bool(json, "exception", true);
    tt_json_object_end(json);
}

static void put_log(struct tt_json *json, const struct tt_otel_log *log, uint64_t start)
{
    tt_json_object(json, NULL);
    put_id(json, "span", log->span_id, sizeof(log->span_id));
    put_offset(json, "at", log->time, start);
    tt_json_int(json, "severity", log->severity);
    tt_json_string(json, "level", log->severity_text);
    tt_json_string(json, "body", log->body);
    tt_json_string(json, "logger", log->logger);
    if (log->event)
        tt_json_string(json, "event", log->event);
    tt_json_string(json, "service", log->resource->service_name);
    tt_json_string(json, "instance", log->resource->instance);
    tt_view_attributes(json, "attributes", log->attributes, log->attribute_count);
    tt_json_object_end(json);
}

static void put_resources(struct tt_json *json, const struct resources *resources)
{
    tt_json_array(json, "resources");
    for (size_t i = 0; i < resources->count; i++) {
        const struct tt_otel_resource *r = resources->list[i];

        tt_json_object(json, NULL);
        tt_json_string(json, "service", r->service_name);
        tt_json_string(json, "instance", r->instance);
        tt_json_bool(json, "client", r->is_client);
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
}

static bool put_trace(void *context, const struct tt_store_trace *trace, struct tt_otel_span *const *spans,
                      size_t count, const struct tt_otel_span *root, struct tt_otel_log *const *logs,
                      size_t log_count)
{
    struct tt_json *json = context;
    struct resources resources = {.list = calloc(count + 1, sizeof(void *)), .room = count};

    json->failed |= !resources.list;
    tt_json_object(json, NULL);
    tt_json_hex(json, "id", trace->id, sizeof(trace->id));
    tt_json_double(json, "start_us", (double)trace->start / 1e3);
    tt_json_uint(json, "duration_ns", trace->end - trace->start);
    tt_json_uint(json, "gone", trace->gone + (trace->spans - count));
    tt_json_array(json, "spans");
    for (size_t i = 0; i < count && resources.list; i++)
        put_row(json, spans[i], trace->start, &resources);
    tt_json_array_end(json);
    put_resources(json, &resources);
    tt_json_array(json, "logs");
    for (size_t i = 0; i < log_count; i++)
        put_log(json, logs[i], trace->start);
    tt_json_array_end(json);
    tt_json_object_end(json);
    free(resources.list);
    return true;
}

/* As `--export file:` writes it: for other programs. */
static bool put_otlp(void *context, const struct tt_store_trace *trace, struct tt_otel_span *const *spans,
                     size_t count, const struct tt_otel_span *root, struct tt_otel_log *const *logs,
                     size_t log_count)
{
    struct tt_json *json = context;
    _cleanup_free_ struct tt_otel_span **sorted = calloc(count + 1, sizeof(struct tt_otel_span *));

    json->failed |= !sorted;
    if (!sorted)
        return true;
    memcpy(sorted, spans, count * sizeof(struct tt_otel_span *));
    tt_encode_sort(sorted, count);
    tt_encode_json(sorted, count, json);
    return true;
}

static void missing(struct tt_httpd_reply *reply)
{
    tt_view_refuse(
        reply, 404,
        "that trace is not here: it made room for newer ones, or was not kept, or was never seen by this agent",
        -1);
}

void tt_view_trace(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    struct tt_view *view = context;
    const char *format = tt_httpd_argument(request, "format");
    bool otlp = format && !strcmp(format, "otlp");
    struct tt_json json = {0};
    const struct tt_store_visitor visitor = {
        .visit = otlp ? put_otlp : put_trace, .with_logs = !otlp, .context = &json};
    uint8_t id[16];

    if (!tt_view_id(request->rest, id, sizeof(id)))
        tt_view_refuse(reply, 400, "a trace's id is 32 hexadecimal digits", -1);
    else if (!tt_store_find(view->store, id, &visitor))
        missing(reply);
    else
        tt_view_json(reply, &json);
}

/* ---- one span, with all that is known of it ---- */

struct wanted {
    uint8_t id[8];
    struct tt_json *json;
    bool found;
};

static void put_events(struct tt_json *json, const struct tt_otel_span *span)
{
    tt_json_array(json, "events");
    for (size_t i = 0; i < span->event_count; i++) {
        const struct tt_otel_event *event = &span->events[i];

        tt_json_object(json, NULL);
        tt_json_string(json, "name", event->name);
        put_offset(json, "at", event->time, span->start);
        tt_view_attributes(json, "attributes", event->attributes, event->attribute_count);
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
}

static void put_links(struct tt_json *json, const struct tt_otel_span *span)
{
    tt_json_array(json, "links");
    for (size_t i = 0; i < span->link_count; i++) {
        tt_json_object(json, NULL);
        tt_json_hex(json, "trace", span->links[i].trace_id, sizeof(span->links[i].trace_id));
        put_id(json, "span", span->links[i].span_id, sizeof(span->links[i].span_id));
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
}

static void put_whole(struct tt_json *json, const struct tt_store_trace *trace,
                      const struct tt_otel_span *span)
{
    const struct tt_otel_resource *resource = span->resource;

    tt_json_object(json, NULL);
    tt_json_hex(json, "trace", trace->id, sizeof(trace->id));
    tt_json_hex(json, "id", span->span_id, sizeof(span->span_id));
    put_id(json, "parent", span->parent_id, sizeof(span->parent_id));
    tt_json_string(json, "name", span->name);
    tt_json_string(json, "title", span->title);
    tt_json_int(json, "kind", span->kind);
    tt_json_double(json, "start_us", (double)span->start / 1e3);
    put_offset(json, "at", span->start, trace->start);
    tt_json_uint(json, "ns", span->end - span->start);
    tt_json_bool(json, "failed", span->status == TT_OTEL_ERROR);
    tt_json_string(json, "message", span->status_message);
    tt_json_string(json, "trace_state", span->trace_state);
    tt_json_string(json, "scope", span->scope->name);
    tt_json_string(json, "scope_version", span->scope->version);
    tt_json_string(json, "service", resource->service_name);
    tt_json_string(json, "instance", resource->instance);
    tt_view_attributes(json, "attributes", span->attributes, span->attribute_count);
    tt_view_attributes(json, "resource", resource->attributes, resource->attribute_count);
    put_events(json, span);
    put_links(json, span);
    tt_json_object_end(json);
}

static bool put_span(void *context, const struct tt_store_trace *trace, struct tt_otel_span *const *spans,
                     size_t count, const struct tt_otel_span *root, struct tt_otel_log *const *logs,
                     size_t log_count)
{
    struct wanted *wanted = context;

    for (size_t i = 0; i < count && !wanted->found; i++) {
        wanted->found = !memcmp(spans[i]->span_id, wanted->id, sizeof(wanted->id));
        if (wanted->found)
            put_whole(wanted->json, trace, spans[i]);
    }
    return true;
}

void tt_view_span(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    struct tt_view *view = context;
    struct tt_json json = {0};
    struct wanted wanted = {.json = &json};
    const struct tt_store_visitor visitor = {.visit = put_span, .context = &wanted};
    const char *slash = strchr(request->rest, '/');
    _cleanup_free_ char *trace = slash ? strndup(request->rest, (size_t)(slash - request->rest)) : NULL;
    uint8_t id[16];

    if (!trace || !tt_view_id(trace, id, sizeof(id)) || !tt_view_id(slash + 1, wanted.id, sizeof(wanted.id)))
        tt_view_refuse(reply, 400, "a span is asked for as TRACE/SPAN, in hexadecimal digits", -1);
    else if (!tt_store_find(view->store, id, &visitor) || !wanted.found)
        missing(reply);
    else
        tt_view_json(reply, &json);
    tt_json_free(&json);
}
