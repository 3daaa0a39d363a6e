/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/flat.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "catalogue/attributes.h"

/* ---- keys: nearly all are of the attribute table, and are known by their number there ---- */

#define KEYS      1024 /* places of the table of addresses; a power of two, several times TT_ATTRS */
#define OWN_KEY   0xffff
#define ITEMS_MAX 65536 /* of one array */

_Static_assert(KEYS > 3 * TT_ATTRS, "the table of keys is sparse");

static struct {
    const char *key;
    uint16_t number;
} keys[KEYS];
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;

static size_t place_of(const char *key)
{
    size_t place = ((uintptr_t)key * 0x9e3779b97f4a7c15u) >> 54;

    while (keys[place].key && keys[place].key != key)
        place = (place + 1) % KEYS;
    return place;
}

static void fill_keys(void)
{
    for (unsigned i = 0; i < TT_ATTRS; i++) {
        size_t place = place_of(tt_attr_rows[i].key);

        if (keys[place].key)
            continue;
        keys[place].key = tt_attr_rows[i].key;
        keys[place].number = (uint16_t)i;
    }
}

/* ---- writing ---- */

void tt_flat_put(struct tt_text *out, const void *bytes, size_t size)
{
    tt_text_add(out, bytes, size);
}

void tt_flat_string(struct tt_text *out, const char *string)
{
    uint32_t size = string ? (uint32_t)strlen(string) + 1 : 0;

    tt_text_add(out, (const char *)&size, sizeof(size));
    if (size)
        tt_text_add(out, string, size);
}

size_t tt_flat_begin(struct tt_text *out, enum tt_flat_type type)
{
    struct tt_flat_head head = {.type = type};
    size_t place = out->size;

    tt_text_add(out, (const char *)&head, sizeof(head));
    return place;
}

void tt_flat_end(struct tt_text *out, size_t place)
{
    uint32_t size = (uint32_t)(out->size - place - sizeof(struct tt_flat_head));

    if (!out->failed)
        memcpy(out->data + place, &size, sizeof(size));
}

static void put_u32(struct tt_text *out, size_t value)
{
    uint32_t v = (uint32_t)value;

    tt_flat_put(out, &v, sizeof(v));
}

static void put_key(struct tt_text *out, const char *key)
{
    size_t place = place_of(key);
    uint16_t number = keys[place].key ? keys[place].number : OWN_KEY;

    tt_flat_put(out, &number, sizeof(number));
    if (number == OWN_KEY)
        tt_flat_string(out, key);
}

static void put_attributes(struct tt_text *out, const struct tt_otel_attribute *attributes, size_t count)
{
    pthread_once(&keys_once, fill_keys);
    put_u32(out, count);
    for (size_t i = 0; i < count; i++) {
        const struct tt_otel_attribute *a = &attributes[i];
        uint8_t type = (uint8_t)a->type;

        put_key(out, a->key);
        tt_flat_put(out, &type, sizeof(type));
        switch (a->type) {
        case TT_OTEL_STRING:
            tt_flat_string(out, a->value.string ? a->value.string : "");
            break;
        case TT_OTEL_INT:
            tt_flat_put(out, &a->value.integer, sizeof(a->value.integer));
            break;
        case TT_OTEL_DOUBLE:
            tt_flat_put(out, &a->value.real, sizeof(a->value.real));
            break;
        case TT_OTEL_BOOL:
            put_u32(out, a->value.boolean);
            break;
        case TT_OTEL_STRINGS:
            put_u32(out, a->value.strings.count);
            for (size_t j = 0; j < a->value.strings.count; j++)
                tt_flat_string(out, a->value.strings.items[j]);
            break;
        }
    }
}

void tt_flat_put_resource(struct tt_text *out, const struct tt_otel_resource *resource)
{
    size_t place = tt_flat_begin(out, TT_FLAT_RESOURCE);

    tt_flat_put(out, &resource->number, sizeof(resource->number));
    put_u32(out, resource->is_client);
    tt_flat_string(out, resource->service_name);
    tt_flat_string(out, resource->instance);
    tt_flat_string(out, resource->class_name);
    put_attributes(out, resource->attributes, resource->attribute_count);
    tt_flat_end(out, place);
}

static void put_scope(struct tt_text *out, const struct tt_otel_scope *scope)
{
    tt_flat_string(out, scope ? scope->name : "");
    tt_flat_string(out, scope ? scope->version : "");
}

void tt_flat_put_span(struct tt_text *out, const struct tt_otel_span *span)
{
    size_t place = tt_flat_begin(out, TT_FLAT_SPAN);
    struct tt_flat_span front = {
        .start = span->start,
        .end = span->end,
        .resource = span->resource->number,
        .flags = span->flags,
        .kind = (uint8_t)span->kind,
        .status = (uint8_t)span->status,
        .top = span->top,
    };

    memcpy(front.trace_id, span->trace_id, sizeof(front.trace_id));
    memcpy(front.span_id, span->span_id, sizeof(front.span_id));
    memcpy(front.parent_id, span->parent_id, sizeof(front.parent_id));
    tt_flat_put(out, &front, sizeof(front));
    tt_flat_string(out, span->name);
    tt_flat_string(out, span->title);
    tt_flat_string(out, span->trace_state);
    tt_flat_string(out, span->status_message);
    put_scope(out, span->scope);
    put_attributes(out, span->attributes, span->attribute_count);
    put_u32(out, span->dropped_attributes);
    put_u32(out, span->event_count);
    for (size_t i = 0; i < span->event_count; i++) {
        tt_flat_put(out, &span->events[i].time, sizeof(span->events[i].time));
        tt_flat_string(out, span->events[i].name);
        put_attributes(out, span->events[i].attributes, span->events[i].attribute_count);
    }
    put_u32(out, span->dropped_events);
    put_u32(out, span->dropped_links);
    put_u32(out, span->link_count);
    for (size_t i = 0; i < span->link_count; i++)
        tt_flat_put(out, &span->links[i], sizeof(span->links[i]));
    tt_flat_end(out, place);
}

void tt_flat_put_log(struct tt_text *out, const struct tt_otel_log *log)
{
    size_t place = tt_flat_begin(out, TT_FLAT_LOG);
    struct tt_flat_log front = {
        .time = log->time,
        .resource = log->resource->number,
        .severity = log->severity,
        .in_span = log->in_span,
    };

    memcpy(front.trace_id, log->trace_id, sizeof(front.trace_id));
    memcpy(front.span_id, log->span_id, sizeof(front.span_id));
    tt_flat_put(out, &front, sizeof(front));
    tt_flat_string(out, log->severity_text);
    tt_flat_string(out, log->body);
    tt_flat_string(out, log->logger);
    tt_flat_string(out, log->event);
    put_scope(out, log->scope);
    put_attributes(out, log->attributes, log->attribute_count);
    tt_flat_end(out, place);
}

/* ---- reading ---- */

void tt_flat_get(struct tt_flat_reader *reader, void *bytes, size_t size)
{
    if (reader->bad || (size_t)(reader->end - reader->at) < size) {
        reader->bad = true;
        memset(bytes, 0, size);
        return;
    }
    memcpy(bytes, reader->at, size);
    reader->at += size;
}

static uint32_t get_u32(struct tt_flat_reader *reader)
{
    uint32_t value;

    tt_flat_get(reader, &value, sizeof(value));
    return value;
}

const char *tt_flat_get_string(struct tt_flat_reader *reader)
{
    uint32_t size = get_u32(reader);
    const char *string = reader->at;

    if (!size)
        return NULL;
    if (size > (size_t)(reader->end - reader->at) || string[size - 1] || memchr(string, 0, size - 1)) {
        reader->bad = true;
        return NULL;
    }
    reader->at += size;
    return string;
}

static const char *get_text(struct tt_flat_reader *reader)
{
    const char *string = tt_flat_get_string(reader);

    return string ? string : "";
}

/* An array of so many; NULL and bad: no room. Each takes at least `least` bytes of what is left. */
static void *get_array(struct tt_flat_reader *reader, struct tt_arena *arena, size_t size, size_t least,
                       size_t *count)
{
    void *array = NULL;

    *count = get_u32(reader);
    if (*count > ITEMS_MAX || *count * least > (size_t)(reader->end - reader->at))
        reader->bad = true;
    if (!reader->bad && *count)
        array = tt_arena_alloc(arena, *count * size);
    if (!array)
        reader->bad |= *count > 0;
    if (reader->bad)
        *count = 0;
    return array;
}

static const char *get_key(struct tt_flat_reader *reader)
{
    uint16_t number;

    tt_flat_get(reader, &number, sizeof(number));
    if (number == OWN_KEY)
        return get_text(reader);
    if (number < TT_ATTRS)
        return tt_attr_rows[number].key;
    reader->bad = true;
    return "";
}

static struct tt_otel_attribute *get_attributes(struct tt_flat_reader *reader, struct tt_arena *arena,
                                                size_t *count)
{
    struct tt_otel_attribute *attributes = get_array(reader, arena, sizeof(*attributes), 7, count);

    for (size_t i = 0; i < *count; i++) {
        struct tt_otel_attribute *a = &attributes[i];
        const char **items;
        uint8_t type;

        a->key = get_key(reader);
        tt_flat_get(reader, &type, sizeof(type));
        a->type = type;
        switch (a->type) {
        case TT_OTEL_STRING:
            a->value.string = get_text(reader);
            break;
        case TT_OTEL_INT:
            tt_flat_get(reader, &a->value.integer, sizeof(a->value.integer));
            break;
        case TT_OTEL_DOUBLE:
            tt_flat_get(reader, &a->value.real, sizeof(a->value.real));
            break;
        case TT_OTEL_BOOL:
            a->value.boolean = get_u32(reader);
            break;
        case TT_OTEL_STRINGS:
            items = get_array(reader, arena, sizeof(*items), 4, &a->value.strings.count);
            for (size_t j = 0; j < a->value.strings.count; j++)
                items[j] = get_text(reader);
            a->value.strings.items = items;
            break;
        default:
            reader->bad = true;
        }
        if (reader->bad)
            break;
    }
    return attributes;
}

static void get_events(struct tt_flat_reader *reader, struct tt_otel_span *span)
{
    span->events = get_array(reader, &span->arena, sizeof(*span->events), 16, &span->event_count);
    for (size_t i = 0; i < span->event_count && !reader->bad; i++) {
        struct tt_otel_event *event = &span->events[i];

        tt_flat_get(reader, &event->time, sizeof(event->time));
        event->name = get_text(reader);
        event->attributes = get_attributes(reader, &span->arena, &event->attribute_count);
    }
}

int tt_flat_get_span(const void *data, size_t size, struct tt_otel_span *span, struct tt_otel_scope *scope,
                     uint64_t *resource)
{
    struct tt_flat_reader reader = {data, (const char *)data + size, false};
    struct tt_flat_span front;

    memset(span, 0, offsetof(struct tt_otel_span, arena.first));
    tt_flat_get(&reader, &front, sizeof(front));
    *resource = front.resource;
    span->refs = 1;
    span->start = front.start;
    span->end = front.end;
    span->flags = front.flags;
    span->kind = front.kind;
    span->status = front.status;
    span->top = front.top;
    memcpy(span->trace_id, front.trace_id, sizeof(front.trace_id));
    memcpy(span->span_id, front.span_id, sizeof(front.span_id));
    memcpy(span->parent_id, front.parent_id, sizeof(front.parent_id));
    span->name = get_text(&reader);
    span->title = get_text(&reader);
    span->trace_state = tt_flat_get_string(&reader);
    span->status_message = tt_flat_get_string(&reader);
    scope->name = get_text(&reader);
    scope->version = get_text(&reader);
    span->scope = scope;
    span->attributes = get_attributes(&reader, &span->arena, &span->attribute_count);
    span->dropped_attributes = get_u32(&reader);
    get_events(&reader, span);
    span->dropped_events = get_u32(&reader);
    span->dropped_links = get_u32(&reader);
    span->links = get_array(&reader, &span->arena, sizeof(*span->links), sizeof(*span->links),
                            &span->link_count);
    for (size_t i = 0; i < span->link_count; i++)
        tt_flat_get(&reader, &span->links[i], sizeof(span->links[i]));
    if (!reader.bad && reader.at == reader.end && span->end >= span->start)
        return 0;
    tt_arena_free(&span->arena);
    return -EBADMSG;
}

int tt_flat_get_log(const void *data, size_t size, struct tt_otel_log *log, struct tt_otel_scope *scope,
                    uint64_t *resource)
{
    struct tt_flat_reader reader = {data, (const char *)data + size, false};
    struct tt_flat_log front;

    memset(log, 0, sizeof(*log));
    tt_flat_get(&reader, &front, sizeof(front));
    *resource = front.resource;
    log->refs = 1;
    log->time = front.time;
    log->severity = front.severity;
    log->in_span = front.in_span;
    memcpy(log->trace_id, front.trace_id, sizeof(front.trace_id));
    memcpy(log->span_id, front.span_id, sizeof(front.span_id));
    log->severity_text = get_text(&reader);
    log->body = get_text(&reader);
    log->logger = get_text(&reader);
    log->event = tt_flat_get_string(&reader);
    scope->name = get_text(&reader);
    scope->version = get_text(&reader);
    log->scope = scope;
    log->attributes = get_attributes(&reader, &log->arena, &log->attribute_count);
    if (!reader.bad && reader.at == reader.end)
        return 0;
    tt_arena_free(&log->arena);
    return -EBADMSG;
}

int tt_flat_get_resource(const void *data, size_t size, struct tt_otel_resource **resource)
{
    _cleanup_(tt_otel_resource_put) struct tt_otel_resource *made = tt_otel_resource_new();
    char *copy = made ? tt_arena_alloc(&made->arena, size + 1) : NULL;
    struct tt_flat_reader reader = {copy, copy + size, false};

    if (!copy)
        return -ENOMEM;
    memcpy(copy, data, size);
    tt_flat_get(&reader, &made->number, sizeof(made->number));
    made->is_client = get_u32(&reader);
    made->service_name = get_text(&reader);
    made->instance = get_text(&reader);
    made->class_name = tt_flat_get_string(&reader);
    made->attributes = get_attributes(&reader, &made->arena, &made->attribute_count);
    if (reader.bad || reader.at != reader.end)
        return -EBADMSG;
    *resource = TAKE_PTR(made);
    return 0;
}
