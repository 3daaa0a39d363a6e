/* SPDX-License-Identifier: GPL-2.0-only */
/* size.c: by the wire format of protobuf; field numbers are those of proto/otlp.proto. */
#include "metrics/size.h"

#include <string.h>

static size_t varint(uint64_t value)
{
    return (size_t)(63 - __builtin_clzll(value | 1)) / 7 + 1;
}

/* A field with a length in front, whose number is below 16. */
static size_t field(size_t size)
{
    return 1 + varint(size) + size;
}

/* The same for what is left out where it is empty. */
static size_t text(const char *string)
{
    size_t size = string ? strlen(string) : 0;

    return size ? field(size) : 0;
}

static size_t number(uint64_t value)
{
    return value ? 1 + varint(value) : 0;
}

static size_t fixed64(uint64_t value)
{
    return value ? 9 : 0;
}

/* AnyValue: a member of a oneof is there even where it is empty. */
static size_t value_size(const struct tt_otel_attribute *a)
{
    size_t size = 0;

    switch (a->type) {
    case TT_OTEL_STRING:
        return field(strlen(a->value.string));
    case TT_OTEL_INT:
        return 1 + varint((uint64_t)a->value.integer);
    case TT_OTEL_BOOL:
        return 2;
    case TT_OTEL_DOUBLE:
        return 9;
    case TT_OTEL_STRINGS:
        for (size_t i = 0; i < a->value.strings.count; i++)
            size += field(field(strlen(a->value.strings.items[i])));
        return field(size);
    }
    return size;
}

static size_t attributes_size(const struct tt_otel_attribute *attributes, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += field(text(attributes[i].key) + field(value_size(&attributes[i])));
    return size;
}

static size_t id(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i])
            return field(size);
    }
    return 0;
}

size_t tt_span_size(const struct tt_otel_span *span)
{
    size_t size = field(sizeof(span->trace_id)) + field(sizeof(span->span_id)) +
                  id(span->parent_id, sizeof(span->parent_id));

    size += text(span->trace_state) + text(span->name) + number((uint64_t)span->kind);
    size += fixed64(span->start) + fixed64(span->end);
    size += attributes_size(span->attributes, span->attribute_count) + number(span->dropped_attributes);
    for (size_t i = 0; i < span->event_count; i++) {
        const struct tt_otel_event *event = &span->events[i];

        size += field(fixed64(event->time) + text(event->name) +
                      attributes_size(event->attributes, event->attribute_count));
    }
    size += number(span->dropped_events);
    for (size_t i = 0; i < span->link_count; i++)
        size += field(field(sizeof(span->links[i].trace_id)) + field(sizeof(span->links[i].span_id)));
    if (span->status != TT_OTEL_UNSET)
        size += field(text(span->status_message) + number(span->status));
    return size + (span->flags ? 6 : 0); /* fixed32, and a number above 15 */
}
