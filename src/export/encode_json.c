/* SPDX-License-Identifier: GPL-2.0-only */
/* OTLP JSON: lowerCamelCase keys, ids in hex, 64-bit integers as strings, enums as numbers; empty fields are
 * left out. */
#include <math.h>
#include <string.h>

#include "export/encode.h"
#include "export/encode_json.h"

static void write_double(struct tt_json *json, double value)
{
    /* protobuf's JSON mapping has names for what JSON numbers cannot say. */
    if (isnan(value))
        tt_json_string(json, "doubleValue", "NaN");
    else if (isinf(value))
        tt_json_string(json, "doubleValue", value > 0 ? "Infinity" : "-Infinity");
    else
        tt_json_double(json, "doubleValue", value);
}

static void write_strings(struct tt_json *json, const struct tt_otel_attribute *attribute)
{
    tt_json_object(json, "arrayValue");
    tt_json_array(json, "values");
    for (size_t i = 0; i < attribute->value.strings.count; i++) {
        const char *item = attribute->value.strings.items[i];

        tt_json_object(json, NULL);
        tt_json_string(json, "stringValue", item ? item : "");
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
    tt_json_object_end(json);
}

static void write_value(struct tt_json *json, const struct tt_otel_attribute *attribute)
{
    tt_json_object(json, "value");
    switch (attribute->type) {
    case TT_OTEL_STRING:
        tt_json_string(json, "stringValue", attribute->value.string ? attribute->value.string : "");
        break;
    case TT_OTEL_INT:
        tt_json_int_string(json, "intValue", attribute->value.integer);
        break;
    case TT_OTEL_BOOL:
        tt_json_bool(json, "boolValue", attribute->value.boolean);
        break;
    case TT_OTEL_DOUBLE:
        write_double(json, attribute->value.real);
        break;
    case TT_OTEL_STRINGS:
        write_strings(json, attribute);
        break;
    }
    tt_json_object_end(json);
}

void tt_json_attributes(struct tt_json *json, const struct tt_otel_attribute *attributes, size_t count)
{
    if (!count)
        return;
    tt_json_array(json, "attributes");
    for (size_t i = 0; i < count; i++) {
        tt_json_object(json, NULL);
        tt_json_string(json, "key", attributes[i].key);
        write_value(json, &attributes[i]);
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
}

void tt_json_scope(struct tt_json *json, const struct tt_otel_scope *scope)
{
    tt_json_object(json, "scope");
    tt_json_string(json, "name", scope->name);
    if (scope->version && *scope->version)
        tt_json_string(json, "version", scope->version);
    tt_json_object_end(json);
}

void tt_json_resource(struct tt_json *json, const struct tt_otel_resource *resource)
{
    tt_json_object(json, "resource");
    tt_json_attributes(json, resource->attributes, resource->attribute_count);
    tt_json_object_end(json);
}

static void write_count(struct tt_json *json, const char *key, uint32_t count)
{
    if (count)
        tt_json_uint(json, key, count);
}

static void write_events(struct tt_json *json, const struct tt_otel_span *span)
{
    if (!span->event_count)
        return;
    tt_json_array(json, "events");
    for (size_t i = 0; i < span->event_count; i++) {
        const struct tt_otel_event *event = &span->events[i];

        tt_json_object(json, NULL);
        tt_json_uint_string(json, "timeUnixNano", event->time);
        tt_json_string(json, "name", event->name ? event->name : "");
        tt_json_attributes(json, event->attributes, event->attribute_count);
        write_count(json, "droppedAttributesCount", event->dropped_attributes);
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
}

static void write_links(struct tt_json *json, const struct tt_otel_span *span)
{
    if (!span->link_count)
        return;
    tt_json_array(json, "links");
    for (size_t i = 0; i < span->link_count; i++) {
        const struct tt_otel_link *link = &span->links[i];

        tt_json_object(json, NULL);
        tt_json_hex(json, "traceId", link->trace_id, sizeof(link->trace_id));
        tt_json_hex(json, "spanId", link->span_id, sizeof(link->span_id));
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
}

static void write_status(struct tt_json *json, const struct tt_otel_span *span)
{
    if (span->status == TT_OTEL_UNSET)
        return;
    tt_json_object(json, "status");
    if (span->status_message && *span->status_message)
        tt_json_string(json, "message", span->status_message);
    tt_json_int(json, "code", span->status);
    tt_json_object_end(json);
}

static void write_span(struct tt_json *json, const struct tt_otel_span *span)
{
    static const uint8_t no_parent[8];

    tt_json_object(json, NULL);
    tt_json_hex(json, "traceId", span->trace_id, sizeof(span->trace_id));
    tt_json_hex(json, "spanId", span->span_id, sizeof(span->span_id));
    if (span->trace_state)
        tt_json_string(json, "traceState", span->trace_state);
    if (memcmp(span->parent_id, no_parent, sizeof(no_parent)) != 0)
        tt_json_hex(json, "parentSpanId", span->parent_id, sizeof(span->parent_id));
    write_count(json, "flags", span->flags);
    tt_json_string(json, "name", span->name ? span->name : "");
    tt_json_int(json, "kind", span->kind);
    tt_json_uint_string(json, "startTimeUnixNano", span->start);
    tt_json_uint_string(json, "endTimeUnixNano", span->end);
    tt_json_attributes(json, span->attributes, span->attribute_count);
    write_count(json, "droppedAttributesCount", span->dropped_attributes);
    write_events(json, span);
    write_count(json, "droppedEventsCount", span->dropped_events);
    write_links(json, span);
    write_count(json, "droppedLinksCount", span->dropped_links);
    write_status(json, span);
    tt_json_object_end(json);
}

/* Writes the spans at the front that share a scope and gives their number. */
static size_t write_scope(struct tt_json *json, struct tt_otel_span *const *spans, size_t count)
{
    const struct tt_otel_span *first = spans[0];
    size_t n = 0;

    tt_json_object(json, NULL);
    tt_json_scope(json, first->scope);
    tt_json_array(json, "spans");
    for (; n < count && spans[n]->resource == first->resource && spans[n]->scope == first->scope; n++)
        write_span(json, spans[n]);
    tt_json_array_end(json);
    tt_json_string(json, "schemaUrl", TT_OTEL_SCHEMA_URL);
    tt_json_object_end(json);
    return n;
}

static size_t write_resource(struct tt_json *json, struct tt_otel_span *const *spans, size_t count)
{
    const struct tt_otel_resource *resource = spans[0]->resource;
    size_t n = 0;

    tt_json_object(json, NULL);
    tt_json_resource(json, resource);
    tt_json_array(json, "scopeSpans");
    while (n < count && spans[n]->resource == resource)
        n += write_scope(json, spans + n, count - n);
    tt_json_array_end(json);
    tt_json_string(json, "schemaUrl", TT_OTEL_SCHEMA_URL);
    tt_json_object_end(json);
    return n;
}

void tt_encode_json(struct tt_otel_span *const *spans, size_t count, struct tt_json *json)
{
    size_t n = 0;

    tt_json_object(json, NULL);
    tt_json_array(json, "resourceSpans");
    while (n < count)
        n += write_resource(json, spans + n, count - n);
    tt_json_array_end(json);
    tt_json_object_end(json);
    tt_json_newline(json);
}
