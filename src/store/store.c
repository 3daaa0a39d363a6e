/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/internal.h"

#define DEFAULT_BYTES (48u << 20)
#define LEAST_BYTES   (1u << 20)
#define TRACE_BYTES   768 /* of spans, for each place in the table of traces */

/* ---- life ---- */

static int make_parts(struct tt_store *store, uint64_t bytes)
{
    int error = tt_ring_init(&store->spans.ring, bytes / 100 * 62);

    if (!error)
        error = tt_ring_init(&store->logs.ring, bytes / 100 * 10);
    if (!error)
        error = tt_ring_init(&store->points, bytes / 100 * 15);
    store->slots = bytes / 100 * 62 / TRACE_BYTES;
    store->traces = calloc(store->slots, sizeof(*store->traces));
    return error ? error : store->traces ? 0 : -ENOMEM;
}

struct tt_store *tt_store_new(const struct tt_store_config *config)
{
    struct tt_store *store = calloc(1, sizeof(*store));
    uint64_t bytes = config->bytes ? config->bytes : DEFAULT_BYTES;

    if (!store)
        return NULL;
    store->age_ns = config->age_ns;
    store->next_serial = 1;
    store->kinds[TT_KIND_SPAN] = &store->spans;
    store->kinds[TT_KIND_LOG] = &store->logs;
    pthread_mutex_init(&store->lock, NULL);
    if (make_parts(store, bytes < LEAST_BYTES ? LEAST_BYTES : bytes))
        tt_store_free(&store);
    return store;
}

void tt_store_free(struct tt_store **store)
{
    struct tt_store *s = TAKE_PTR(*store);
    struct resource *r, *next;

    if (!s)
        return;
    HASH_CLEAR(hh, s->by_id);
    HASH_ITER(hh, s->resources, r, next)
    {
        HASH_DEL(s->resources, r);
        tt_otel_resource_put(&r->resource);
        free(r);
    }
    tt_store_free_usage(s);
    for (size_t i = 0; i < STATES; i++) {
        free(s->states[i].name);
        free(s->states[i].json);
    }
    tt_ring_end(&s->spans.ring);
    tt_ring_end(&s->logs.ring);
    tt_ring_end(&s->points);
    free(s->traces);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- traces ---- */

static struct trace *find_trace(const struct tt_store *store, const uint8_t id[16])
{
    struct trace *trace;

    HASH_FIND(hh, store->by_id, id, sizeof(trace->front.id), trace);
    return trace;
}

static void remove_trace(struct tt_store *store, struct trace *trace)
{
    HASH_DEL(store->by_id, trace);
    store->trace_count--;
    memset(trace, 0, sizeof(*trace)); /* serial 0: nobody has the place */
}

/* One that keeps its place for longer than all the others take makes room, too: its records stay until they
 * are the oldest, and belong to nothing. */
static struct trace *add_trace(struct tt_store *store, const uint8_t id[16])
{
    struct trace *trace = &store->traces[store->next_serial % store->slots];

    if (trace->front.serial)
        remove_trace(store, trace);
    trace->front.serial = store->next_serial++;
    memcpy(trace->front.id, id, sizeof(trace->front.id));
    trace->front.start = UINT64_MAX;
    trace->root = TT_RING_NONE;
    for (size_t kind = 0; kind < TT_KINDS; kind++)
        trace->first[kind] = trace->last[kind] = TT_RING_NONE;
    HASH_ADD(hh, store->by_id, front.id, sizeof(trace->front.id), trace);
    store->trace_count++;
    return trace;
}

static struct trace *trace_of(const struct tt_store *store, const struct record *record)
{
    struct trace *trace = &store->traces[record->serial % store->slots];

    return record->serial && trace->front.serial == record->serial ? trace : NULL;
}

/* The oldest of its trace: they leave in the order in which they came. */
static void leave(struct tt_store *store, struct record *record, enum kind kind)
{
    struct trace *trace = trace_of(store, record);

    store->kinds[kind]->left++;
    store->kinds[kind]->count--;
    record->resource->refs--;
    if (!trace)
        return;
    trace->first[kind] = record->next;
    if (kind == TT_KIND_SPAN) {
        trace->front.spans--;
        trace->front.gone++;
    } else {
        trace->front.logs--;
    }
    if (!trace->front.spans && !trace->front.logs)
        remove_trace(store, trace);
}

static void leave_span(void *context, void *record)
{
    leave(context, record, TT_KIND_SPAN);
}

static void leave_log(void *context, void *record)
{
    leave(context, record, TT_KIND_LOG);
}

static void (*const leavers[TT_KINDS])(void *, void *) = {leave_span, leave_log};

static const struct tt_flat_span *front_at(const struct tt_store *store, uint64_t position)
{
    const struct record *record = tt_ring_at(&store->spans.ring, position, NULL);

    return (const struct tt_flat_span *)record->data;
}

static bool is_root(const struct tt_flat_span *front)
{
    static const uint8_t none[8];

    return !memcmp(front->parent_id, none, sizeof(none));
}

/* Without parent; else the topmost of this host; else what began first. */
static bool is_higher(const struct tt_flat_span *a, const struct tt_flat_span *b)
{
    if (is_root(a) != is_root(b))
        return is_root(a);
    if (a->top != b->top)
        return a->top;
    return a->start < b->start;
}

static void count_span(struct tt_store *store, struct trace *trace, uint64_t position)
{
    const struct tt_flat_span *front = front_at(store, position);

    trace->front.spans++;
    trace->front.errors += front->status == TT_OTEL_ERROR;
    if (front->start < trace->front.start)
        trace->front.start = front->start;
    if (front->end > trace->front.end)
        trace->front.end = front->end;
    if (front->end > store->newest)
        store->newest = front->end;
    if (trace->root == TT_RING_NONE || !tt_ring_has(&store->spans.ring, trace->root) ||
        is_higher(front, front_at(store, trace->root)))
        trace->root = position;
}

/* A record of a trace, its bytes behind it; `id` NULL: of none. */
static int add_record(struct tt_store *store, enum kind kind, const uint8_t *id, uint64_t number,
                      const void *data, size_t size, uint64_t now)
{
    struct records *records = store->kinds[kind];
    struct resource *resource;
    struct record *record;
    struct trace *trace;
    uint64_t position;

    HASH_FIND(hh, store->resources, &number, sizeof(number), resource);
    if (!resource)
        return -EBADMSG;
    position = tt_ring_add(&records->ring, sizeof(*record) + size, leavers[kind], store);
    if (position == TT_RING_NONE)
        return -EFBIG;
    record = tt_ring_at(&records->ring, position, NULL);
    *record = (struct record){.next = TT_RING_NONE, .arrived = now, .resource = resource};
    memcpy(record->data, data, size);
    resource->refs++;
    records->count++;
    records->taken++;
    if (!id)
        return 0;
    trace = find_trace(store, id);
    if (!trace)
        trace = add_trace(store, id);
    record->serial = trace->front.serial;
    if (trace->last[kind] != TT_RING_NONE && tt_ring_has(&records->ring, trace->last[kind]))
        ((struct record *)tt_ring_at(&records->ring, trace->last[kind], NULL))->next = position;
    else
        trace->first[kind] = position;
    trace->last[kind] = position;
    if (kind == TT_KIND_SPAN)
        count_span(store, trace, position);
    else
        trace->front.logs++;
    return 0;
}

/* ---- frames ---- */

static int take_resource(struct tt_store *store, const void *data, size_t size, uint64_t now)
{
    _cleanup_(tt_otel_resource_put) struct tt_otel_resource *resource = NULL;
    struct resource *known;
    uint64_t number;
    int error;

    if (size < sizeof(number))
        return -EBADMSG;
    memcpy(&number, data, sizeof(number));
    HASH_FIND(hh, store->resources, &number, sizeof(number), known);
    if (known)
        return 0;
    error = tt_flat_get_resource(data, size, &resource);
    if (error)
        return error;
    known = calloc(1, sizeof(*known));
    if (!known)
        return -ENOMEM;
    known->number = number;
    known->resource = TAKE_PTR(resource);
    HASH_ADD(hh, store->resources, number, sizeof(known->number), known);
    return 0;
}

/* What is kept can be read: searches need not ask. */
static int take_span(struct tt_store *store, const void *data, size_t size, uint64_t now)
{
    struct tt_otel_scope scope;
    uint64_t number;
    int error = tt_flat_get_span(data, size, &store->span, &scope, &number);

    if (error)
        return error;
    tt_arena_free(&store->span.arena);
    return add_record(store, TT_KIND_SPAN, store->span.trace_id, number, data, size, now);
}

static int take_log(struct tt_store *store, const void *data, size_t size, uint64_t now)
{
    struct tt_otel_scope scope;
    uint64_t number;
    int error = tt_flat_get_log(data, size, &store->log, &scope, &number);

    if (error)
        return error;
    tt_arena_free(&store->log.arena);
    return add_record(store, TT_KIND_LOG, store->log.in_span ? store->log.trace_id : NULL, number, data, size,
                      now);
}

/* Age, where nothing new makes the oldest go. */
static void drop_old(struct tt_store *store, uint64_t now)
{
    for (enum kind kind = 0; kind < TT_KINDS && store->age_ns; kind++) {
        struct tt_ring *ring = &store->kinds[kind]->ring;
        uint64_t first;

        while ((first = tt_ring_first(ring)) != TT_RING_NONE) {
            const struct record *record = tt_ring_at(ring, first, NULL);

            if (record->arrived + store->age_ns >= now)
                break;
            tt_ring_drop(ring, leavers[kind], store);
        }
    }
}

static int take_batch(struct tt_store *store, const void *data, size_t size, uint64_t now)
{
    struct resource *r, *next;

    drop_old(store, now);
    HASH_ITER(hh, store->resources, r, next)
    {
        if (r->refs)
            continue;
        HASH_DEL(store->resources, r);
        tt_otel_resource_put(&r->resource);
        free(r);
    }
    store->version++;
    return 0;
}

static int take_state(struct tt_store *store, const void *data, size_t size, uint64_t now)
{
    struct tt_flat_reader reader = {data, (const char *)data + size, false};
    const char *name, *json;
    struct state *state = store->states;
    char *copy;
    uint64_t time;

    tt_flat_get(&reader, &time, sizeof(time));
    name = tt_flat_get_string(&reader);
    json = tt_flat_get_string(&reader);
    if (reader.bad || !name || !json)
        return -EBADMSG;
    while (state < store->states + STATES && state->name && strcmp(state->name, name) != 0)
        state++;
    if (state == store->states + STATES)
        return -EFBIG;
    copy = strdup(json);
    if (copy && !state->name)
        state->name = strdup(name);
    if (!copy || !state->name) {
        free(copy);
        return -ENOMEM;
    }
    free(state->json);
    state->json = copy;
    state->time = time;
    return 0;
}

static int take_counted(struct tt_store *store, const void *data, size_t size, uint64_t now)
{
    return tt_store_take_usage(store, data, size, true, now);
}

static int take_usage(struct tt_store *store, const void *data, size_t size, uint64_t now)
{
    int error = tt_store_take_usage(store, data, size, false, now);

    drop_old(store, now);
    store->version += !error;
    return error;
}

int tt_store_take(struct tt_store *store, uint32_t type, const void *data, size_t size, uint64_t now)
{
    static int (*const takers[TT_FLAT_TYPES])(struct tt_store *, const void *, size_t, uint64_t) = {
        [TT_FLAT_RESOURCE] = take_resource, [TT_FLAT_SPAN] = take_span,   [TT_FLAT_LOG] = take_log,
        [TT_FLAT_BATCH] = take_batch,       [TT_FLAT_USAGE] = take_usage, [TT_FLAT_STATE] = take_state,
        [TT_FLAT_COUNTED] = take_counted,
    };
    int error;

    pthread_mutex_lock(&store->lock);
    error = type < TT_FLAT_TYPES && takers[type] ? takers[type](store, data, size, now) : -EBADMSG;
    store->refused += error != 0;
    pthread_mutex_unlock(&store->lock);
    return error;
}

/* ---- what there is ---- */

/* When the trace of the oldest span began: its root, which ends last, comes last. */
static uint64_t oldest(const struct tt_store *store)
{
    uint64_t first = tt_ring_first(&store->spans.ring);
    const struct record *record = first == TT_RING_NONE ? NULL : tt_ring_at(&store->spans.ring, first, NULL);
    const struct trace *trace = record ? trace_of(store, record) : NULL;

    return trace ? trace->front.start : record ? front_at(store, first)->start : 0;
}

static uint64_t used(const struct tt_ring *ring)
{
    return ring->head - ring->tail;
}

void tt_store_get_stats(struct tt_store *store, struct tt_store_stats *stats)
{
    uint64_t point;

    pthread_mutex_lock(&store->lock);
    point = tt_store_oldest_point(store);
    *stats = (struct tt_store_stats){
        .spans = store->spans.count,
        .logs = store->logs.count,
        .traces = store->trace_count,
        .series = tt_store_series_count(store),
        .points = store->point_count,
        .resources = HASH_COUNT(store->resources),
        .taken_spans = store->spans.taken,
        .taken_logs = store->logs.taken,
        .taken_points = store->taken_points,
        .left_spans = store->spans.left,
        .left_logs = store->logs.left,
        .left_points = store->left_points,
        .refused = store->refused,
        .bytes = used(&store->spans.ring) + used(&store->logs.ring) + used(&store->points),
        .size = store->spans.ring.size + store->logs.ring.size + store->points.size,
        .oldest = oldest(store),
        .newest = store->newest,
        .counted_since = store->counted_since,
        .version = store->version,
    };
    if (point && (!stats->oldest || point < stats->oldest))
        stats->oldest = point;
    pthread_mutex_unlock(&store->lock);
}

char *tt_store_state(struct tt_store *store, const char *name, uint64_t *time)
{
    char *copy = NULL;

    pthread_mutex_lock(&store->lock);
    for (const struct state *s = store->states; s < store->states + STATES && s->name; s++) {
        if (strcmp(s->name, name) != 0)
            continue;
        copy = strdup(s->json);
        if (time)
            *time = s->time;
    }
    pthread_mutex_unlock(&store->lock);
    return copy;
}
