/* SPDX-License-Identifier: GPL-2.0-only */
#include "enrich/otel.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void ref_get(int *refs)
{
    __atomic_add_fetch(refs, 1, __ATOMIC_RELAXED);
}

/* True when that was the last reference: all writes of the other holders are then seen by who frees. */
static bool ref_put(int *refs)
{
    return __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL) == 0;
}

struct tt_otel_span *tt_otel_span_new(void)
{
    struct tt_otel_span *span = malloc(sizeof(*span));

    if (!span)
        return NULL;
    memset(span, 0, offsetof(struct tt_otel_span, arena.first)); /* the rest is large, and written first */
    span->refs = 1;
    return span;
}

struct tt_otel_span *tt_otel_span_packed(const struct tt_otel_span *span, const uint8_t *message, size_t size)
{
    const size_t head = offsetof(struct tt_otel_span, name);
    struct tt_otel_span *packed = malloc(head + size);

    if (!packed)
        return NULL;
    memcpy(packed, span, head);
    packed->refs = 1;
    packed->resource = tt_otel_resource_get(span->resource);
    packed->packed = memcpy((char *)packed + head, message, size);
    packed->packed_size = size;
    return packed;
}

size_t tt_otel_span_size(const struct tt_otel_span *span)
{
    return span->packed ? offsetof(struct tt_otel_span, name) + span->packed_size
                        : sizeof(*span) + tt_arena_blocks(&span->arena);
}

size_t tt_otel_log_size(const struct tt_otel_log *log)
{
    return sizeof(*log) + tt_arena_blocks(&log->arena);
}

struct tt_otel_span *tt_otel_span_get(struct tt_otel_span *span)
{
    ref_get(&span->refs);
    return span;
}

void tt_otel_span_put(struct tt_otel_span **span)
{
    struct tt_otel_span *s = *span;

    *span = NULL;
    if (!s || !ref_put(&s->refs))
        return;
    tt_otel_resource_put(&s->resource);
    if (!s->packed)
        tt_arena_free(&s->arena);
    free(s);
}

struct tt_otel_log *tt_otel_log_new(void)
{
    struct tt_otel_log *log = calloc(1, sizeof(*log));

    if (log)
        log->refs = 1;
    return log;
}

struct tt_otel_log *tt_otel_log_get(struct tt_otel_log *log)
{
    ref_get(&log->refs);
    return log;
}

void tt_otel_log_put(struct tt_otel_log **log)
{
    struct tt_otel_log *l = *log;

    *log = NULL;
    if (!l || !ref_put(&l->refs))
        return;
    tt_otel_resource_put(&l->resource);
    tt_arena_free(&l->arena);
    free(l);
}

struct tt_otel_resource *tt_otel_resource_new(void)
{
    static uint64_t last;
    struct tt_otel_resource *resource = calloc(1, sizeof(*resource));

    if (!resource)
        return NULL;
    resource->number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
    resource->refs = 1;
    resource->service_name = resource->instance = "";
    return resource;
}

struct tt_otel_resource *tt_otel_resource_get(struct tt_otel_resource *resource)
{
    ref_get(&resource->refs);
    return resource;
}

void tt_otel_resource_put(struct tt_otel_resource **resource)
{
    struct tt_otel_resource *r = *resource;

    *resource = NULL;
    if (!r || !ref_put(&r->refs))
        return;
    tt_arena_free(&r->arena);
    free(r);
}

const struct tt_otel_attribute *tt_otel_find(const struct tt_otel_attribute *attributes, size_t count,
                                             const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(attributes[i].key, key) == 0)
            return &attributes[i];
    }
    return NULL;
}
