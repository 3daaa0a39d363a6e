/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "otlp.pb-c.h"

#define POOL_BLOCK (256 * 1024)
/* Spans per message tree, which takes some 3 KB per span: this bounds its memory. Serialized requests may be
 * concatenated (repeated fields add up), so a resource with more spans simply appears again. */
#define TREE_SPANS 256

struct pool_block {
    struct pool_block *next;
    size_t size, used;
    char data[] __attribute__((aligned(16)));
};

/* Bump allocator; a reset keeps the blocks of the usual size. */
struct pool {
    struct pool_block *first, *current;
};

struct tt_encoder {
    struct pool pool;
};

static void pool_free(struct pool *pool)
{
    for (struct pool_block *block = pool->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    *pool = (struct pool){0};
}

static void pool_reset(struct pool *pool)
{
    if (pool->first)
        pool->first->used = 0;
    pool->current = pool->first;
}

static struct pool_block *pool_grow(struct pool *pool, size_t size)
{
    struct pool_block *last = pool->current, *block = last ? last->next : NULL;

    if (block && block->size >= size) {
        block->used = 0;
    } else {
        size_t space = size > POOL_BLOCK ? size : POOL_BLOCK;

        block = malloc(sizeof(*block) + space);
        if (!block)
            return NULL;
        block->size = space;
        block->used = 0;
        block->next = last ? last->next : NULL;
        if (last)
            last->next = block;
        else
            pool->first = block;
    }
    pool->current = block;
    return block;
}

/* Not zeroed: the messages' init functions set every field. NULL when out of memory. */
static void *pool_alloc(struct pool *pool, size_t size)
{
    struct pool_block *block = pool->current;
    void *memory;

    size = (size + 15) & ~(size_t)15;
    if (!block || block->size - block->used < size)
        block = pool_grow(pool, size);
    if (!block)
        return NULL;
    memory = block->data + block->used;
    block->used += size;
    return memory;
}

void tt_bytes_free(struct tt_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct tt_bytes){0};
}

int tt_bytes_reserve(struct tt_bytes *bytes, size_t size)
{
    size_t need = bytes->size + size, capacity = bytes->capacity ? bytes->capacity : 64 * 1024;
    uint8_t *data;

    if (need <= bytes->capacity)
        return 0;
    while (capacity < need)
        capacity += capacity / 2;
    data = realloc(bytes->data, capacity);
    if (!data)
        return -ENOMEM;
    bytes->data = data;
    bytes->capacity = capacity;
    return 0;
}

struct tt_encoder *tt_encoder_new(void)
{
    return calloc(1, sizeof(struct tt_encoder));
}

void tt_encoder_free(struct tt_encoder **encoder)
{
    if (!*encoder)
        return;
    pool_free(&(*encoder)->pool);
    free(*encoder);
    *encoder = NULL;
}

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

static int compare(const void *a, const void *b)
{
    const struct tt_otel_span *x = *(struct tt_otel_span *const *)a, *y = *(struct tt_otel_span *const *)b;

    if (x->resource != y->resource)
        return COMPARE(x->resource->number, y->resource->number);
    if (x->scope != y->scope) /* of one table, in order of appearance */
        return COMPARE((uintptr_t)x->scope, (uintptr_t)y->scope);
    if (x->start != y->start)
        return COMPARE(x->start, y->start);
    return memcmp(x->span_id, y->span_id, sizeof(x->span_id));
}

void tt_encode_sort(struct tt_otel_span **spans, size_t count)
{
    qsort(spans, count, sizeof(*spans), compare);
}

/* ---- message trees: strings and ids stay where they are, the spans outlive the tree ------------------ */

/* `text` itself if it is valid UTF-8, else a cleaned copy. protobuf-c's fields are only read, if not const.
 */
static char *clean(struct pool *pool, const char *text)
{
    size_t size, clean_size;
    char *copy;

    if (!text)
        return (char *)"";
    size = strlen(text);
    if (tt_utf8_valid(text, size))
        return (char *)text;
    clean_size = tt_utf8_clean(text, size, NULL);
    copy = pool_alloc(pool, clean_size + 1);
    if (!copy)
        return NULL;
    tt_utf8_clean(text, size, copy);
    copy[clean_size] = '\0';
    return copy;
}

/* An array of `count` pointers to the elements of `messages`. */
static void *pointers(struct pool *pool, void *messages, size_t count, size_t size)
{
    void **array = pool_alloc(pool, count * sizeof(*array));

    for (size_t i = 0; array && i < count; i++)
        array[i] = (char *)messages + i * size;
    return array;
}

static int build_strings(struct pool *pool, const struct tt_otel_attribute *attribute,
                         Tt__Otlp__AnyValue *value)
{
    size_t count = attribute->value.strings.count;
    Tt__Otlp__ArrayValue *array = pool_alloc(pool, sizeof(*array));
    Tt__Otlp__AnyValue *items = pool_alloc(pool, count * sizeof(*items));

    if (!array || !items)
        return -ENOMEM;
    tt__otlp__array_value__init(array);
    for (size_t i = 0; i < count; i++) {
        tt__otlp__any_value__init(&items[i]);
        items[i].value_case = TT__OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        items[i].string_value = clean(pool, attribute->value.strings.items[i]);
        if (!items[i].string_value)
            return -ENOMEM;
    }
    array->n_values = count;
    array->values = pointers(pool, items, count, sizeof(*items));
    value->value_case = TT__OTLP__ANY_VALUE__VALUE_ARRAY_VALUE;
    value->array_value = array;
    return array->values ? 0 : -ENOMEM;
}

static int build_value(struct pool *pool, const struct tt_otel_attribute *attribute,
                       Tt__Otlp__AnyValue *value)
{
    switch (attribute->type) {
    case TT_OTEL_STRING:
        value->value_case = TT__OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        value->string_value = clean(pool, attribute->value.string);
        return value->string_value ? 0 : -ENOMEM;
    case TT_OTEL_INT:
        value->value_case = TT__OTLP__ANY_VALUE__VALUE_INT_VALUE;
        value->int_value = attribute->value.integer;
        return 0;
    case TT_OTEL_BOOL:
        value->value_case = TT__OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
        value->bool_value = attribute->value.boolean;
        return 0;
    case TT_OTEL_DOUBLE:
        value->value_case = TT__OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
        value->double_value = attribute->value.real;
        return 0;
    case TT_OTEL_STRINGS:
        return build_strings(pool, attribute, value);
    }
    return 0;
}

static int build_attributes(struct pool *pool, const struct tt_otel_attribute *attributes, size_t count,
                            Tt__Otlp__KeyValue ***out)
{
    Tt__Otlp__KeyValue *pairs = pool_alloc(pool, count * sizeof(*pairs));
    Tt__Otlp__AnyValue *values = pool_alloc(pool, count * sizeof(*values));

    if (!pairs || !values)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        tt__otlp__key_value__init(&pairs[i]);
        tt__otlp__any_value__init(&values[i]);
        pairs[i].key = (char *)attributes[i].key;
        pairs[i].value = &values[i];
        if (build_value(pool, &attributes[i], &values[i]) < 0)
            return -ENOMEM;
    }
    *out = pointers(pool, pairs, count, sizeof(*pairs));
    return *out ? 0 : -ENOMEM;
}

static int build_events(struct pool *pool, const struct tt_otel_span *span, Tt__Otlp__Span *message)
{
    Tt__Otlp__SpanEvent *events = pool_alloc(pool, span->event_count * sizeof(*events));

    if (!events)
        return -ENOMEM;
    for (size_t i = 0; i < span->event_count; i++) {
        const struct tt_otel_event *event = &span->events[i];

        tt__otlp__span_event__init(&events[i]);
        events[i].time_unix_nano = event->time;
        events[i].name = clean(pool, event->name);
        events[i].n_attributes = event->attribute_count;
        if (!events[i].name ||
            build_attributes(pool, event->attributes, event->attribute_count, &events[i].attributes) < 0)
            return -ENOMEM;
    }
    message->n_events = span->event_count;
    message->events = pointers(pool, events, span->event_count, sizeof(*events));
    return message->events ? 0 : -ENOMEM;
}

static int build_links(struct pool *pool, const struct tt_otel_span *span, Tt__Otlp__Span *message)
{
    Tt__Otlp__SpanLink *links = pool_alloc(pool, span->link_count * sizeof(*links));

    if (!links)
        return -ENOMEM;
    for (size_t i = 0; i < span->link_count; i++) {
        struct tt_otel_link *link = &span->links[i];

        tt__otlp__span_link__init(&links[i]);
        links[i].trace_id = (ProtobufCBinaryData){sizeof(link->trace_id), link->trace_id};
        links[i].span_id = (ProtobufCBinaryData){sizeof(link->span_id), link->span_id};
    }
    message->n_links = span->link_count;
    message->links = pointers(pool, links, span->link_count, sizeof(*links));
    return message->links ? 0 : -ENOMEM;
}

static int build_status(struct pool *pool, const struct tt_otel_span *span, Tt__Otlp__Span *message)
{
    Tt__Otlp__SpanStatus *status;

    if (span->status == TT_OTEL_UNSET)
        return 0;
    status = pool_alloc(pool, sizeof(*status));
    if (!status)
        return -ENOMEM;
    tt__otlp__span_status__init(status);
    status->code = TT__OTLP__STATUS_CODE__STATUS_CODE_ERROR;
    status->message = clean(pool, span->status_message);
    message->status = status;
    return status->message ? 0 : -ENOMEM;
}

static int build_span(struct pool *pool, const struct tt_otel_span *span, Tt__Otlp__Span *message)
{
    static const uint8_t no_parent[8];

    tt__otlp__span__init(message);
    message->trace_id = (ProtobufCBinaryData){sizeof(span->trace_id), (uint8_t *)span->trace_id};
    message->span_id = (ProtobufCBinaryData){sizeof(span->span_id), (uint8_t *)span->span_id};
    if (memcmp(span->parent_id, no_parent, sizeof(no_parent)) != 0)
        message->parent_span_id = (ProtobufCBinaryData){sizeof(span->parent_id), (uint8_t *)span->parent_id};
    if (span->trace_state)
        message->trace_state = clean(pool, span->trace_state);
    message->flags = span->flags;
    message->name = clean(pool, span->name);
    message->kind = (Tt__Otlp__SpanKind)span->kind;
    message->start_time_unix_nano = span->start;
    message->end_time_unix_nano = span->end;
    message->n_attributes = span->attribute_count;
    message->dropped_attributes_count = span->dropped_attributes;
    message->dropped_events_count = span->dropped_events;
    if (!message->name ||
        build_attributes(pool, span->attributes, span->attribute_count, &message->attributes) < 0 ||
        build_events(pool, span, message) < 0 || (span->link_count && build_links(pool, span, message) < 0))
        return -ENOMEM;
    return build_status(pool, span, message);
}

static int build_scope(struct pool *pool, struct tt_otel_span *const *spans, size_t count,
                       Tt__Otlp__ScopeSpans *message)
{
    Tt__Otlp__InstrumentationScope *scope = pool_alloc(pool, sizeof(*scope));
    Tt__Otlp__Span *messages = pool_alloc(pool, count * sizeof(*messages));

    if (!scope || !messages)
        return -ENOMEM;
    tt__otlp__instrumentation_scope__init(scope);
    scope->name = clean(pool, spans[0]->scope->name);
    scope->version = clean(pool, spans[0]->scope->version);
    if (!scope->name || !scope->version)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if (build_span(pool, spans[i], &messages[i]) < 0)
            return -ENOMEM;
    }
    tt__otlp__scope_spans__init(message);
    message->scope = scope;
    message->schema_url = (char *)TT_OTEL_SCHEMA_URL;
    message->n_spans = count;
    message->spans = pointers(pool, messages, count, sizeof(*messages));
    return message->spans ? 0 : -ENOMEM;
}

/* Spans at the front that share the first one's resource (and scope). */
static size_t run_length(struct tt_otel_span *const *spans, size_t count, bool scope)
{
    size_t n = 1;

    while (n < count && spans[n]->resource == spans[0]->resource &&
           (!scope || spans[n]->scope == spans[0]->scope))
        n++;
    return n;
}

static int build_resource(struct pool *pool, const struct tt_otel_resource *resource,
                          Tt__Otlp__ResourceSpans *message)
{
    Tt__Otlp__Resource *r = pool_alloc(pool, sizeof(*r));

    if (!r)
        return -ENOMEM;
    tt__otlp__resource_spans__init(message);
    tt__otlp__resource__init(r);
    r->n_attributes = resource->attribute_count;
    message->resource = r;
    message->schema_url = (char *)TT_OTEL_SCHEMA_URL;
    return build_attributes(pool, resource->attributes, resource->attribute_count, &r->attributes);
}

/* `spans` share a resource. */
static int build_group(struct pool *pool, struct tt_otel_span *const *spans, size_t count,
                       Tt__Otlp__ResourceSpans *message)
{
    size_t scopes = 0, n;
    Tt__Otlp__ScopeSpans *messages;

    for (size_t i = 0; i < count; i += run_length(spans + i, count - i, true))
        scopes++;
    messages = pool_alloc(pool, scopes * sizeof(*messages));
    if (!messages || build_resource(pool, spans[0]->resource, message) < 0)
        return -ENOMEM;
    for (size_t i = 0, scope = 0; i < count; i += n, scope++) {
        n = run_length(spans + i, count - i, true);
        if (build_scope(pool, spans + i, n, &messages[scope]) < 0)
            return -ENOMEM;
    }
    message->n_scope_spans = scopes;
    message->scope_spans = pointers(pool, messages, scopes, sizeof(*messages));
    return message->scope_spans ? 0 : -ENOMEM;
}

/* Appends a request with these spans of one resource; -EMSGSIZE if `out` would grow beyond `limit`. */
static int append_group(struct pool *pool, struct tt_otel_span *const *spans, size_t count, size_t limit,
                        struct tt_bytes *out)
{
    Tt__Otlp__TraceRequest request = TT__OTLP__TRACE_REQUEST__INIT;
    Tt__Otlp__ResourceSpans group, *groups[] = {&group};
    size_t size;

    pool_reset(pool);
    if (build_group(pool, spans, count, &group) < 0)
        return -ENOMEM;
    request.n_resource_spans = 1;
    request.resource_spans = groups;
    size = tt__otlp__trace_request__get_packed_size(&request);
    if (size > limit - out->size)
        return -EMSGSIZE;
    if (tt_bytes_reserve(out, size) < 0)
        return -ENOMEM;
    out->size += tt__otlp__trace_request__pack(&request, out->data + out->size);
    return 0;
}

int tt_encode_protobuf(struct tt_encoder *encoder, struct tt_otel_span *const *spans, size_t count,
                       size_t limit, struct tt_bytes *out, size_t *taken)
{
    size_t done = 0, most = TREE_SPANS;

    out->size = 0;
    while (done < count) {
        size_t n = run_length(spans + done, count - done < most ? count - done : most, false);
        int err = append_group(&encoder->pool, spans + done, n, limit, out);

        if (err == -EMSGSIZE && n > 1) {
            most = n / 2; /* fills the request up with smaller and smaller groups */
        } else if (err < 0) {
            if (done > 0)
                break; /* what is there fits; the rest is the next request's */
            *taken = n;
            return err;
        } else {
            done += n;
        }
    }
    *taken = done;
    return 0;
}
