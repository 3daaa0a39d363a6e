/* SPDX-License-Identifier: GPL-2.0-only */
/* fields.c: what a query can ask of a span, as a table. */
#include <string.h>

#include "base/cleanup.h"
#include "query/internal.h"

struct subject {
    const struct tt_otel_span *span;
    const struct tt_query_trace *trace; /* NULL: nothing is known of it */
    size_t index;
};

struct tt_query_intrinsic {
    const char *scoped, *bare; /* TraceQL's names; `bare` NULL: only with its scope */
    enum tt_query_type type;
    bool (*get)(const struct subject *subject, struct tt_query_value *value);
    size_t digits; /* of an id */
    bool of_trace;
};

/* ---- getters ---- */

static bool put_string(struct tt_query_value *value, const char *string)
{
    value->type = TT_QUERY_STRING;
    value->string = string;
    return string != NULL;
}

static bool put_number(struct tt_query_value *value, enum tt_query_type type, int64_t number)
{
    value->type = type;
    value->integer = number;
    return true;
}

static bool put_id(struct tt_query_value *value, const uint8_t *id, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        value->hex[2 * i] = digits[id[i] >> 4];
        value->hex[2 * i + 1] = digits[id[i] & 15];
    }
    value->hex[2 * size] = '\0';
    return put_string(value, value->hex);
}

static bool get_name(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && put_string(value, s->span->name);
}

static bool get_duration(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && put_number(value, TT_QUERY_DURATION, (int64_t)(s->span->end - s->span->start));
}

static bool get_status(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && put_number(value, TT_QUERY_STATUS, s->span->status);
}

static bool get_message(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && put_string(value, s->span->status_message);
}

static bool get_kind(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && put_number(value, TT_QUERY_KIND, s->span->kind);
}

static bool get_span_id(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && put_id(value, s->span->span_id, sizeof(s->span->span_id));
}

static bool get_parent_id(const struct subject *s, struct tt_query_value *value)
{
    static const uint8_t none[8];

    return !s->index && memcmp(s->span->parent_id, none, sizeof(none)) != 0 &&
           put_id(value, s->span->parent_id, sizeof(s->span->parent_id));
}

static bool get_trace_id(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && put_id(value, s->span->trace_id, sizeof(s->span->trace_id));
}

static bool get_root_name(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && s->trace && s->trace->root && put_string(value, s->trace->root->name);
}

static bool get_root_service(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && s->trace && s->trace->root && s->trace->root->resource &&
           put_string(value, s->trace->root->resource->service_name);
}

static bool get_trace_duration(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && s->trace && put_number(value, TT_QUERY_DURATION, (int64_t)s->trace->duration);
}

static bool get_event_name(const struct subject *s, struct tt_query_value *value)
{
    return s->index < s->span->event_count && put_string(value, s->span->events[s->index].name);
}

static bool get_event_time(const struct subject *s, struct tt_query_value *value)
{
    return s->index < s->span->event_count &&
           put_number(value, TT_QUERY_DURATION, (int64_t)(s->span->events[s->index].time - s->span->start));
}

static bool get_link_span(const struct subject *s, struct tt_query_value *value)
{
    return s->index < s->span->link_count &&
           put_id(value, s->span->links[s->index].span_id, sizeof(s->span->links[0].span_id));
}

static bool get_link_trace(const struct subject *s, struct tt_query_value *value)
{
    return s->index < s->span->link_count &&
           put_id(value, s->span->links[s->index].trace_id, sizeof(s->span->links[0].trace_id));
}

static bool get_scope_name(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && s->span->scope && put_string(value, s->span->scope->name);
}

static bool get_scope_version(const struct subject *s, struct tt_query_value *value)
{
    return !s->index && s->span->scope && put_string(value, s->span->scope->version);
}

static const struct tt_query_intrinsic intrinsics[] = {
    {"span:name", "name", TT_QUERY_STRING, get_name, 0, false},
    {"span:duration", "duration", TT_QUERY_DURATION, get_duration, 0, false},
    {"span:status", "status", TT_QUERY_STATUS, get_status, 0, false},
    {"span:statusMessage", "statusMessage", TT_QUERY_STRING, get_message, 0, false},
    {"span:kind", "kind", TT_QUERY_KIND, get_kind, 0, false},
    {"span:id", NULL, TT_QUERY_STRING, get_span_id, 16, false},
    {"span:parentID", NULL, TT_QUERY_STRING, get_parent_id, 16, false},
    {"trace:id", NULL, TT_QUERY_STRING, get_trace_id, 32, false},
    {"trace:rootName", "rootName", TT_QUERY_STRING, get_root_name, 0, true},
    {"trace:rootService", "rootServiceName", TT_QUERY_STRING, get_root_service, 0, true},
    {"trace:duration", "traceDuration", TT_QUERY_DURATION, get_trace_duration, 0, true},
    {"event:name", NULL, TT_QUERY_STRING, get_event_name, 0, false},
    {"event:timeSinceStart", NULL, TT_QUERY_DURATION, get_event_time, 0, false},
    {"link:spanID", NULL, TT_QUERY_STRING, get_link_span, 16, false},
    {"link:traceID", NULL, TT_QUERY_STRING, get_link_trace, 32, false},
    {"instrumentation:name", NULL, TT_QUERY_STRING, get_scope_name, 0, false},
    {"instrumentation:version", NULL, TT_QUERY_STRING, get_scope_version, 0, false},
};

/* ---- attributes ---- */

static bool get_attribute(const struct tt_otel_attribute *attribute, size_t index,
                          struct tt_query_value *value)
{
    if (attribute->type == TT_OTEL_STRINGS)
        return index < attribute->value.strings.count &&
               put_string(value, attribute->value.strings.items[index]);
    if (index)
        return false;
    switch (attribute->type) {
    case TT_OTEL_STRING:
        return put_string(value, attribute->value.string);
    case TT_OTEL_INT:
        return put_number(value, TT_QUERY_INT, attribute->value.integer);
    case TT_OTEL_BOOL:
        value->type = TT_QUERY_BOOL;
        value->boolean = attribute->value.boolean;
        return true;
    case TT_OTEL_DOUBLE:
        value->type = TT_QUERY_FLOAT;
        value->real = attribute->value.real;
        return true;
    case TT_OTEL_STRINGS:
        break;
    }
    return false;
}

/* The value of the event that has number `index` among those with the attribute. */
static bool get_of_events(const struct tt_otel_span *span, const char *key, size_t index,
                          struct tt_query_value *value)
{
    for (size_t i = 0; i < span->event_count; i++) {
        const struct tt_otel_attribute *found = tt_otel_find(span->events[i].attributes,
                                                             span->events[i].attribute_count, key);

        if (found && index-- == 0)
            return get_attribute(found, 0, value);
    }
    return false;
}

static const struct tt_otel_attribute *find_attribute(const struct tt_query_field *field,
                                                      const struct tt_otel_span *span)
{
    const struct tt_otel_attribute *found = NULL;

    if (field->scope != TT_SCOPE_RESOURCE)
        found = tt_otel_find(span->attributes, span->attribute_count, field->key);
    if (!found && field->scope != TT_SCOPE_SPAN && span->resource)
        found = tt_otel_find(span->resource->attributes, span->resource->attribute_count, field->key);
    return found;
}

/* ---- fields ---- */

static bool is_name(const char *name, const char *text, size_t length)
{
    return name && strlen(name) == length && !memcmp(name, text, length);
}

const struct tt_query_intrinsic *tt_query_intrinsic_find(const char *name, size_t length)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(intrinsics); i++)
        if (is_name(intrinsics[i].scoped, name, length) || is_name(intrinsics[i].bare, name, length))
            return &intrinsics[i];
    return NULL;
}

enum tt_query_type tt_query_field_type(const struct tt_query_field *field)
{
    return field->intrinsic ? field->intrinsic->type : TT_QUERY_ANY;
}

size_t tt_query_field_digits(const struct tt_query_field *field)
{
    return field->intrinsic ? field->intrinsic->digits : 0;
}

bool tt_query_field_of_trace(const struct tt_query_field *field)
{
    return field->intrinsic && field->intrinsic->of_trace;
}

bool tt_query_field_get(const struct tt_query_field *field, const struct tt_otel_span *span,
                        const struct tt_query_trace *trace, size_t index, struct tt_query_value *value)
{
    const struct subject subject = {span, trace, index};
    const struct tt_otel_attribute *attribute;

    if (field->intrinsic)
        return field->intrinsic->get(&subject, value);
    if (field->scope == TT_SCOPE_EVENT)
        return get_of_events(span, field->key, index, value);
    attribute = find_attribute(field, span);
    return attribute && get_attribute(attribute, index, value);
}
