/* SPDX-License-Identifier: GPL-2.0-only */
/* walk.c: reading traces out of the store. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/internal.h"

/* A trace made readable. */
struct opened {
    struct tt_otel_span *spans, **span_list;
    struct tt_otel_log *logs, **log_list;
    struct tt_otel_scope *scopes;
    size_t span_count, log_count;
    const struct tt_otel_span *root;
};

static void close_trace(struct opened *opened)
{
    for (size_t i = 0; i < opened->span_count; i++)
        tt_arena_free(&opened->spans[i].arena);
    for (size_t i = 0; i < opened->log_count; i++)
        tt_arena_free(&opened->logs[i].arena);
    free(opened->spans);
    free(opened->span_list);
    free(opened->logs);
    free(opened->log_list);
    free(opened->scopes);
}

/* Scopes of equal names are one, as everybody who groups by them expects. */
static const struct tt_otel_scope *same_scope(struct opened *opened, const struct tt_otel_scope *scope,
                                              size_t *count)
{
    for (size_t i = *count; i-- > 0;)
        if (!strcmp(opened->scopes[i].name, scope->name) &&
            !strcmp(opened->scopes[i].version, scope->version))
            return &opened->scopes[i];
    opened->scopes[*count] = *scope;
    return &opened->scopes[(*count)++];
}

static void open_spans(const struct tt_store *store, const struct trace *trace, size_t most,
                       struct opened *opened, size_t *scopes)
{
    uint64_t position = trace->first[TT_KIND_SPAN];

    for (size_t i = 0; i < most && position != TT_RING_NONE; i++) {
        size_t size;
        const struct record *record = tt_ring_at(&store->spans.ring, position, &size);
        struct tt_otel_span *span = &opened->spans[opened->span_count];
        struct tt_otel_scope scope;
        uint64_t number;

        if (!tt_flat_get_span(record->data, size - sizeof(*record), span, &scope, &number)) {
            span->scope = same_scope(opened, &scope, scopes);
            span->resource = record->resource->resource;
            opened->span_list[opened->span_count++] = span;
            if (position == trace->root)
                opened->root = span;
        }
        position = record->next;
    }
}

static void open_logs(const struct tt_store *store, const struct trace *trace, size_t most,
                      struct opened *opened, size_t *scopes)
{
    uint64_t position = trace->first[TT_KIND_LOG];

    for (size_t i = 0; i < most && position != TT_RING_NONE; i++) {
        size_t size;
        const struct record *record = tt_ring_at(&store->logs.ring, position, &size);
        struct tt_otel_log *log = &opened->logs[opened->log_count];
        struct tt_otel_scope scope;
        uint64_t number;

        if (!tt_flat_get_log(record->data, size - sizeof(*record), log, &scope, &number)) {
            log->scope = same_scope(opened, &scope, scopes);
            log->resource = record->resource->resource;
            opened->log_list[opened->log_count++] = log;
        }
        position = record->next;
    }
}

/* False: out of memory, or the visitor has enough. */
static bool visit_trace(const struct tt_store *store, const struct trace *trace,
                        const struct tt_store_visitor *visitor)
{
    _cleanup_(close_trace) struct opened opened = {0};
    size_t spans = trace->front.spans < TT_STORE_SPANS_MAX ? trace->front.spans : TT_STORE_SPANS_MAX;
    size_t logs = !visitor->with_logs                      ? 0
                  : trace->front.logs < TT_STORE_SPANS_MAX ? trace->front.logs
                                                           : TT_STORE_SPANS_MAX;
    size_t scopes = 0;

    opened.spans = malloc((spans + 1) * sizeof(*opened.spans));
    opened.span_list = calloc(spans + 1, sizeof(*opened.span_list));
    opened.logs = malloc((logs + 1) * sizeof(*opened.logs));
    opened.log_list = calloc(logs + 1, sizeof(*opened.log_list));
    opened.scopes = calloc(spans + logs + 1, sizeof(*opened.scopes));
    if (!opened.spans || !opened.span_list || !opened.logs || !opened.log_list || !opened.scopes)
        return false;
    open_spans(store, trace, spans, &opened, &scopes);
    open_logs(store, trace, logs, &opened, &scopes);
    return visitor->visit(visitor->context, &trace->front, opened.span_list, opened.span_count, opened.root,
                          opened.log_list, opened.log_count);
}

bool tt_store_walk(struct tt_store *store, uint64_t *before, size_t most,
                   const struct tt_store_visitor *visitor)
{
    bool more = true;

    pthread_mutex_lock(&store->lock);
    if (*before > store->next_serial)
        *before = store->next_serial;
    while (more && most && *before > 1 && *before + store->slots > store->next_serial) {
        const struct trace *trace = &store->traces[--*before % store->slots];

        if (trace->front.serial != *before || !trace->front.spans)
            continue;
        most--;
        if (!visitor->wants || visitor->wants(visitor->context, &trace->front))
            more = visit_trace(store, trace, visitor);
    }
    more &= *before > 1 && *before + store->slots > store->next_serial;
    pthread_mutex_unlock(&store->lock);
    return more;
}

bool tt_store_find(struct tt_store *store, const uint8_t id[16], const struct tt_store_visitor *visitor)
{
    struct trace *trace;

    pthread_mutex_lock(&store->lock);
    HASH_FIND(hh, store->by_id, id, sizeof(trace->front.id), trace);
    if (trace)
        visit_trace(store, trace, visitor);
    pthread_mutex_unlock(&store->lock);
    return trace != NULL;
}
