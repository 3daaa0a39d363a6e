/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/protobuf.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "export/encode.h"

/* Field numbers as in proto/otlp.proto; a test compares with the bytes that protobuf-c makes of that. */
enum { VALUE_STRING = 1, VALUE_BOOL, VALUE_INT, VALUE_DOUBLE, VALUE_ARRAY };
enum { ARRAY_VALUES = 1 };
enum { PAIR_KEY = 1, PAIR_VALUE };
enum { SCOPE_NAME = 1, SCOPE_VERSION };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { EVENT_TIME = 1, EVENT_NAME, EVENT_ATTRIBUTES, EVENT_DROPPED_ATTRIBUTES };
enum { LINK_TRACE_ID = 1, LINK_SPAN_ID };
enum { STATUS_MESSAGE = 2, STATUS_CODE };
enum {
    SPAN_TRACE_ID = 1,
    SPAN_ID,
    SPAN_TRACE_STATE,
    SPAN_PARENT_ID,
    SPAN_NAME,
    SPAN_KIND,
    SPAN_START,
    SPAN_END,
    SPAN_ATTRIBUTES,
    SPAN_DROPPED_ATTRIBUTES,
    SPAN_EVENTS,
    SPAN_DROPPED_EVENTS,
    SPAN_LINKS,
    SPAN_DROPPED_LINKS,
    SPAN_STATUS,
    SPAN_FLAGS,
};
enum { SCOPE_SPANS_SCOPE = 1, SCOPE_SPANS_SPANS, SCOPE_SPANS_SCHEMA };
enum { RESOURCE_SPANS_RESOURCE = 1, RESOURCE_SPANS_SCOPES, RESOURCE_SPANS_SCHEMA };
enum { REQUEST_RESOURCE_SPANS = 1 };
enum {
    LOG_TIME = 1,
    LOG_SEVERITY,
    LOG_SEVERITY_TEXT,
    LOG_BODY = 5,
    LOG_ATTRIBUTES,
    LOG_DROPPED_ATTRIBUTES,
    LOG_FLAGS = 8,
    LOG_TRACE_ID,
    LOG_SPAN_ID,
    LOG_OBSERVED_TIME,
    LOG_EVENT_NAME,
};
enum { SCOPE_LOGS_SCOPE = 1, SCOPE_LOGS_RECORDS, SCOPE_LOGS_SCHEMA };
enum { RESOURCE_LOGS_RESOURCE = 1, RESOURCE_LOGS_SCOPES, RESOURCE_LOGS_SCHEMA };
enum { REQUEST_RESOURCE_LOGS = 1 };

enum wire { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

#define CAPACITY (256u * 1024)

void tt_back_free(struct tt_back *back)
{
    free(back->data);
    *back = (struct tt_back){0};
}

static bool grow(struct tt_back *back, size_t size)
{
    size_t used = tt_back_size(back), capacity = back->capacity ? back->capacity : CAPACITY / 2;
    uint8_t *data;

    do
        capacity *= 2;
    while (capacity < used + size);
    data = back->failed ? NULL : malloc(capacity);
    if (!data) {
        back->failed = true;
        return false;
    }
    if (used)
        memcpy(data + capacity - used, back->data + back->at, used);
    free(back->data);
    back->data = data;
    back->capacity = capacity;
    back->at = capacity - used;
    return true;
}

/* Where `size` more bytes go; NULL when out of memory. */
static inline uint8_t *front(struct tt_back *back, size_t size)
{
    if (back->at < size && !grow(back, size))
        return NULL;
    back->at -= size;
    return back->data + back->at;
}

static inline void put_bytes(struct tt_back *back, const void *bytes, size_t size)
{
    uint8_t *out = front(back, size);

    if (out && size)
        memcpy(out, bytes, size);
}

#define VARINT_MAX 10

/* The bytes of a varint; their number. */
static inline size_t varint(uint64_t value, uint8_t bytes[VARINT_MAX])
{
    size_t size = 0;

    do {
        bytes[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    } while (value);
    bytes[size - 1] &= 0x7f;
    return size;
}

static inline void put_varint(struct tt_back *back, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];

    if (value < 0x80) {
        uint8_t *out = front(back, 1);

        if (out)
            *out = (uint8_t)value;
        return;
    }
    put_bytes(back, bytes, varint(value, bytes));
}

static inline void put_tag(struct tt_back *back, unsigned field, enum wire wire)
{
    put_varint(back, field << 3 | wire);
}

/* ---- fields; those that stand for nothing are left out, as proto3 has it ---- */

static void put_number(struct tt_back *back, unsigned field, uint64_t value)
{
    if (!value)
        return;
    put_varint(back, value);
    put_tag(back, field, VARINT);
}

static void put_fixed64(struct tt_back *back, unsigned field, uint64_t value)
{
    if (!value)
        return;
    put_bytes(back, &value, sizeof(value));
    put_tag(back, field, FIXED64);
}

static void put_fixed32(struct tt_back *back, unsigned field, uint32_t value)
{
    if (!value)
        return;
    put_bytes(back, &value, sizeof(value));
    put_tag(back, field, FIXED32);
}

static void put_data(struct tt_back *back, unsigned field, const void *bytes, size_t size)
{
    put_bytes(back, bytes, size);
    put_varint(back, size);
    put_tag(back, field, LENGTH);
}

/* Also an empty one; NULL counts as empty. */
static void put_text_always(struct tt_back *back, unsigned field, const char *text)
{
    size_t size = text ? strlen(text) : 0, clean = size;

    if (tt_utf8_valid(text ? text : "", size)) {
        put_bytes(back, text, size);
    } else {
        clean = tt_utf8_clean(text, size, NULL);
        uint8_t *out = front(back, clean);

        if (out)
            tt_utf8_clean(text, size, (char *)out);
    }
    put_varint(back, clean);
    put_tag(back, field, LENGTH);
}

static void put_text(struct tt_back *back, unsigned field, const char *text)
{
    if (text && *text)
        put_text_always(back, field, text);
}

/* Ends the message whose content began when the buffer had `before` bytes. */
static void put_message(struct tt_back *back, unsigned field, size_t before)
{
    put_varint(back, tt_back_size(back) - before);
    put_tag(back, field, LENGTH);
}

/* ---- messages, their last field first ---- */

static void put_strings(struct tt_back *back, const struct tt_otel_attribute *attribute)
{
    size_t array = tt_back_size(back);

    for (size_t i = attribute->value.strings.count; i--;) {
        size_t value = tt_back_size(back);

        put_text_always(back, VALUE_STRING, attribute->value.strings.items[i]);
        put_message(back, ARRAY_VALUES, value);
    }
    put_message(back, VALUE_ARRAY, array);
}

/* One of several: written also where it is 0 or empty. */
static void put_value(struct tt_back *back, const struct tt_otel_attribute *attribute)
{
    switch (attribute->type) {
    case TT_OTEL_STRING:
        put_text_always(back, VALUE_STRING, attribute->value.string);
        break;
    case TT_OTEL_INT:
        put_varint(back, (uint64_t)attribute->value.integer);
        put_tag(back, VALUE_INT, VARINT);
        break;
    case TT_OTEL_BOOL:
        put_varint(back, attribute->value.boolean);
        put_tag(back, VALUE_BOOL, VARINT);
        break;
    case TT_OTEL_DOUBLE:
        put_bytes(back, &attribute->value.real, sizeof(attribute->value.real));
        put_tag(back, VALUE_DOUBLE, FIXED64);
        break;
    case TT_OTEL_STRINGS:
        put_strings(back, attribute);
        break;
    }
}

/* Nearly all attributes are so short that each of their lengths takes one byte. */
#define SHORT_MAX 100

/* The pair of a key and a value of `size` bytes behind the value's own tag; where they go, or NULL when out
 * of memory. */
static inline uint8_t *put_short(struct tt_back *back, unsigned field, const char *key, size_t key_size,
                                 uint8_t value_tag, size_t size)
{
    size_t pair = 2 + key_size + 3 + size;
    uint8_t *out = front(back, 2 + pair);

    if (!out)
        return NULL;
    *out++ = (uint8_t)(field << 3 | LENGTH);
    *out++ = (uint8_t)pair;
    *out++ = PAIR_KEY << 3 | LENGTH;
    *out++ = (uint8_t)key_size;
    memcpy(out, key, key_size);
    out += key_size;
    *out++ = PAIR_VALUE << 3 | LENGTH;
    *out++ = (uint8_t)(1 + size);
    *out++ = value_tag;
    return out;
}

static bool put_short_string(struct tt_back *back, unsigned field, const char *key, const char *text)
{
    size_t key_size = strlen(key), size = strlen(text);
    uint8_t *out;

    if (key_size + size > SHORT_MAX || !key_size || !tt_utf8_valid(text, size))
        return false;
    out = put_short(back, field, key, key_size, VALUE_STRING << 3 | LENGTH, 1 + size);
    if (!out)
        return true; /* back->failed says it */
    *out++ = (uint8_t)size;
    memcpy(out, text, size);
    return true;
}

static bool put_short_number(struct tt_back *back, unsigned field, const char *key, uint8_t tag,
                             uint64_t value)
{
    uint8_t bytes[VARINT_MAX], *out;
    size_t key_size = strlen(key), size = varint(value, bytes);

    if (key_size > SHORT_MAX || !key_size)
        return false;
    out = put_short(back, field, key, key_size, tag, size);
    if (out)
        memcpy(out, bytes, size);
    return true;
}

static bool put_short_attribute(struct tt_back *back, unsigned field, const struct tt_otel_attribute *a)
{
    switch (a->type) {
    case TT_OTEL_STRING:
        return put_short_string(back, field, a->key, a->value.string ? a->value.string : "");
    case TT_OTEL_INT:
        return put_short_number(back, field, a->key, VALUE_INT << 3 | VARINT, (uint64_t)a->value.integer);
    case TT_OTEL_BOOL:
        return put_short_number(back, field, a->key, VALUE_BOOL << 3 | VARINT, a->value.boolean);
    default:
        return false;
    }
}

static void put_attributes(struct tt_back *back, unsigned field, const struct tt_otel_attribute *attributes,
                           size_t count)
{
    while (count--) {
        size_t pair = tt_back_size(back);

        if (put_short_attribute(back, field, &attributes[count]))
            continue;
        put_value(back, &attributes[count]);
        put_message(back, PAIR_VALUE, pair);
        put_text(back, PAIR_KEY, attributes[count].key);
        put_message(back, field, pair);
    }
}

static void put_events(struct tt_back *back, const struct tt_otel_span *span)
{
    for (size_t i = span->event_count; i--;) {
        const struct tt_otel_event *event = &span->events[i];
        size_t before = tt_back_size(back);

        put_number(back, EVENT_DROPPED_ATTRIBUTES, event->dropped_attributes);
        put_attributes(back, EVENT_ATTRIBUTES, event->attributes, event->attribute_count);
        put_text(back, EVENT_NAME, event->name);
        put_fixed64(back, EVENT_TIME, event->time);
        put_message(back, SPAN_EVENTS, before);
    }
}

static void put_links(struct tt_back *back, const struct tt_otel_span *span)
{
    for (size_t i = span->link_count; i--;) {
        const struct tt_otel_link *link = &span->links[i];
        size_t before = tt_back_size(back);

        put_data(back, LINK_SPAN_ID, link->span_id, sizeof(link->span_id));
        put_data(back, LINK_TRACE_ID, link->trace_id, sizeof(link->trace_id));
        put_message(back, SPAN_LINKS, before);
    }
}

static void put_status(struct tt_back *back, const struct tt_otel_span *span)
{
    size_t before = tt_back_size(back);

    if (span->status == TT_OTEL_UNSET)
        return;
    put_number(back, STATUS_CODE, (uint64_t)span->status);
    put_text(back, STATUS_MESSAGE, span->status_message);
    put_message(back, SPAN_STATUS, before);
}

void tt_protobuf_span(struct tt_back *back, const struct tt_otel_span *span)
{
    static const uint8_t no_parent[8];

    if (span->packed) {
        put_bytes(back, span->packed, span->packed_size);
        return;
    }
    put_fixed32(back, SPAN_FLAGS, span->flags);
    put_status(back, span);
    put_number(back, SPAN_DROPPED_LINKS, span->dropped_links);
    put_links(back, span);
    put_number(back, SPAN_DROPPED_EVENTS, span->dropped_events);
    put_events(back, span);
    put_number(back, SPAN_DROPPED_ATTRIBUTES, span->dropped_attributes);
    put_attributes(back, SPAN_ATTRIBUTES, span->attributes, span->attribute_count);
    put_number(back, SPAN_KIND, (uint64_t)span->kind);
    put_text(back, SPAN_NAME, span->name);
    put_text(back, SPAN_TRACE_STATE, span->trace_state);
    /* What no two spans share stands together, and all that repeats behind it: one long match instead of
     * several. Fields may come in any order. */
    if (memcmp(span->parent_id, no_parent, sizeof(no_parent)) != 0)
        put_data(back, SPAN_PARENT_ID, span->parent_id, sizeof(span->parent_id));
    put_data(back, SPAN_ID, span->span_id, sizeof(span->span_id));
    put_fixed64(back, SPAN_END, span->end);
    put_fixed64(back, SPAN_START, span->start);
    put_data(back, SPAN_TRACE_ID, span->trace_id, sizeof(span->trace_id));
}

static void put_scope(struct tt_back *back, unsigned field, const struct tt_otel_scope *scope)
{
    size_t before = tt_back_size(back);

    put_text(back, SCOPE_VERSION, scope->version);
    put_text(back, SCOPE_NAME, scope->name);
    put_message(back, field, before);
}

static void put_resource(struct tt_back *back, unsigned field, const struct tt_otel_resource *resource)
{
    size_t before = tt_back_size(back);

    put_attributes(back, RESOURCE_ATTRIBUTES, resource->attributes, resource->attribute_count);
    put_message(back, field, before);
}

/* The spans at the end that share the last one's scope; returns how many are left. */
static size_t put_spans(struct tt_back *back, struct tt_otel_span *const *spans, size_t count)
{
    const struct tt_otel_scope *scope = spans[count - 1]->scope;
    size_t before = tt_back_size(back), inner;

    put_text(back, SCOPE_SPANS_SCHEMA, TT_OTEL_SCHEMA_URL);
    while (count && spans[count - 1]->scope == scope) {
        inner = tt_back_size(back);
        tt_protobuf_span(back, spans[--count]);
        put_message(back, SCOPE_SPANS_SPANS, inner);
    }
    put_scope(back, SCOPE_SPANS_SCOPE, scope);
    put_message(back, RESOURCE_SPANS_SCOPES, before);
    return count;
}

void tt_protobuf_group(struct tt_back *back, struct tt_otel_span *const *spans, size_t count)
{
    const struct tt_otel_resource *resource = spans[0]->resource;
    size_t before = tt_back_size(back);

    put_text(back, RESOURCE_SPANS_SCHEMA, TT_OTEL_SCHEMA_URL);
    while (count)
        count = put_spans(back, spans, count);
    put_resource(back, RESOURCE_SPANS_RESOURCE, resource);
    put_message(back, REQUEST_RESOURCE_SPANS, before);
}

static void put_log(struct tt_back *back, const struct tt_otel_log *log)
{
    size_t body;

    if (log->event)
        put_text(back, LOG_EVENT_NAME, log->event);
    put_fixed64(back, LOG_OBSERVED_TIME, log->time);
    if (log->in_span) {
        put_data(back, LOG_SPAN_ID, log->span_id, sizeof(log->span_id));
        put_data(back, LOG_TRACE_ID, log->trace_id, sizeof(log->trace_id));
        put_fixed32(back, LOG_FLAGS, TT_OTEL_LOG_SAMPLED);
    }
    put_number(back, LOG_DROPPED_ATTRIBUTES, log->dropped_attributes);
    put_attributes(back, LOG_ATTRIBUTES, log->attributes, log->attribute_count);
    body = tt_back_size(back);
    put_text_always(back, VALUE_STRING, log->body);
    put_message(back, LOG_BODY, body);
    put_text(back, LOG_SEVERITY_TEXT, log->severity_text);
    put_number(back, LOG_SEVERITY, (uint64_t)log->severity);
    put_fixed64(back, LOG_TIME, log->time);
}

/* The records at the end that share the last one's scope; returns how many are left. */
static size_t put_logs(struct tt_back *back, struct tt_otel_log *const *logs, size_t count)
{
    const struct tt_otel_scope *scope = logs[count - 1]->scope;
    size_t before = tt_back_size(back), inner;

    put_text(back, SCOPE_LOGS_SCHEMA, TT_OTEL_SCHEMA_URL);
    while (count && logs[count - 1]->scope == scope) {
        inner = tt_back_size(back);
        put_log(back, logs[--count]);
        put_message(back, SCOPE_LOGS_RECORDS, inner);
    }
    put_scope(back, SCOPE_LOGS_SCOPE, scope);
    put_message(back, RESOURCE_LOGS_SCOPES, before);
    return count;
}

void tt_protobuf_logs(struct tt_back *back, struct tt_otel_log *const *logs, size_t count)
{
    const struct tt_otel_resource *resource = logs[0]->resource;
    size_t before = tt_back_size(back);

    put_text(back, RESOURCE_LOGS_SCHEMA, TT_OTEL_SCHEMA_URL);
    while (count)
        count = put_logs(back, logs, count);
    put_resource(back, RESOURCE_LOGS_RESOURCE, resource);
    put_message(back, REQUEST_RESOURCE_LOGS, before);
}
