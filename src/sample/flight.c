/* SPDX-License-Identifier: GPL-2.0-only */
#include "sample/flight.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"

struct kept {
    uint8_t id[16];
    struct tt_spans spans;
    struct tt_logs logs;
    uint64_t time;     /* when it was dropped */
    UT_hash_handle hh; /* iterates in order of that */
};

struct tt_flight {
    struct kept *traces;
    size_t count, max; /* spans and log records */
    uint64_t keep_ns;
};

/* Room for one more pointer in an array of `count`: where it lies now, or NULL. */
static void *grow(void *items, size_t count, size_t *capacity)
{
    size_t more = *capacity ? *capacity * 2 : 4;

    if (count < *capacity)
        return items;
    items = reallocarray(items, more, sizeof(void *));
    if (items)
        *capacity = more;
    return items;
}

bool tt_spans_add(struct tt_spans *spans, struct tt_otel_span *span)
{
    struct tt_otel_span **items = grow(spans->items, spans->count, &spans->capacity);

    if (!items)
        return false;
    spans->items = items;
    spans->items[spans->count++] = tt_otel_span_get(span);
    return true;
}

bool tt_logs_add(struct tt_logs *logs, struct tt_otel_log *log)
{
    struct tt_otel_log **items = grow(logs->items, logs->count, &logs->capacity);

    if (!items)
        return false;
    logs->items = items;
    logs->items[logs->count++] = tt_otel_log_get(log);
    return true;
}

void tt_logs_put(struct tt_logs *logs)
{
    for (size_t i = 0; i < logs->count; i++)
        tt_otel_log_put(&logs->items[i]);
    free(logs->items);
    *logs = (struct tt_logs){0};
}

void tt_spans_put(struct tt_spans *spans)
{
    for (size_t i = 0; i < spans->count; i++)
        tt_otel_span_put(&spans->items[i]);
    free(spans->items);
    *spans = (struct tt_spans){0};
}

struct tt_flight *tt_flight_new(size_t max_spans, uint64_t keep_ns)
{
    struct tt_flight *flight = calloc(1, sizeof(*flight));

    if (flight) {
        flight->max = max_spans;
        flight->keep_ns = keep_ns;
    }
    return flight;
}

/* Out of the table, what it has into `spans` and `logs`. */
static void take(struct tt_flight *flight, struct kept *kept, struct tt_spans *spans, struct tt_logs *logs)
{
    HASH_DEL(flight->traces, kept);
    flight->count -= kept->spans.count + kept->logs.count;
    *spans = kept->spans;
    *logs = kept->logs;
    free(kept);
}

static void forget_oldest(struct tt_flight *flight)
{
    struct tt_spans spans;
    struct tt_logs logs;

    take(flight, flight->traces, &spans, &logs);
    tt_spans_put(&spans);
    tt_logs_put(&logs);
}

void tt_flight_free(struct tt_flight **flight)
{
    if (!*flight)
        return;
    while ((*flight)->traces)
        forget_oldest(*flight);
    free(*flight);
    *flight = NULL;
}

static struct kept *find(const struct tt_flight *flight, const uint8_t *trace_id)
{
    struct kept *kept;

    if (!trace_id)
        return flight->traces;
    HASH_FIND(hh, flight->traces, trace_id, sizeof(kept->id), kept);
    return kept;
}

/* Appends; false when out of memory. */
static bool move(struct tt_spans *from, struct tt_spans *to)
{
    if (!to->count) {
        free(to->items);
        *to = *from;
        *from = (struct tt_spans){0};
        return true;
    }
    for (size_t i = 0; i < from->count; i++)
        if (!tt_spans_add(to, from->items[i]))
            return false;
    tt_spans_put(from);
    return true;
}

static struct kept *find_or_add(struct tt_flight *flight, const uint8_t trace_id[16], uint64_t now)
{
    struct kept *kept = find(flight, trace_id);

    if (!kept) {
        kept = calloc(1, sizeof(*kept));
        if (!kept)
            return NULL;
        memcpy(kept->id, trace_id, sizeof(kept->id));
        HASH_ADD(hh, flight->traces, id, sizeof(kept->id), kept);
    }
    kept->time = now;
    return kept;
}

static void make_room(struct tt_flight *flight)
{
    while (flight->count > flight->max)
        forget_oldest(flight);
}

void tt_flight_add(struct tt_flight *flight, const uint8_t trace_id[16], struct tt_spans *spans, uint64_t now)
{
    struct kept *kept = find_or_add(flight, trace_id, now);
    size_t before = kept ? kept->spans.count : 0;

    if (!kept || !move(spans, &kept->spans))
        tt_spans_put(spans);
    if (kept)
        flight->count += kept->spans.count - before;
    make_room(flight);
}

void tt_flight_add_log(struct tt_flight *flight, const uint8_t trace_id[16], struct tt_otel_log *log,
                       uint64_t now)
{
    struct kept *kept = find_or_add(flight, trace_id, now);

    if (kept && tt_logs_add(&kept->logs, log))
        flight->count++;
    make_room(flight);
}

bool tt_flight_take(struct tt_flight *flight, const uint8_t *trace_id, struct tt_spans *spans,
                    struct tt_logs *logs)
{
    struct kept *kept = find(flight, trace_id);

    if (kept)
        take(flight, kept, spans, logs);
    return kept != NULL;
}

void tt_flight_tick(struct tt_flight *flight, uint64_t now)
{
    while (flight->traces && flight->traces->time + flight->keep_ns < now)
        forget_oldest(flight);
}

size_t tt_flight_count(const struct tt_flight *flight)
{
    return flight->count;
}
