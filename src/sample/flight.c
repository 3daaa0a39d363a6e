/* SPDX-License-Identifier: GPL-2.0-only */
#include "sample/flight.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"

struct kept {
    uint8_t id[16];
    struct tt_spans spans;
    uint64_t time;     /* when it was dropped */
    UT_hash_handle hh; /* iterates in order of that */
};

struct tt_flight {
    struct kept *traces;
    size_t count, max; /* spans */
    uint64_t keep_ns;
};

bool tt_spans_add(struct tt_spans *spans, struct tt_otel_span *span)
{
    if (spans->count == spans->capacity) {
        size_t capacity = spans->capacity ? spans->capacity * 2 : 4;
        struct tt_otel_span **items = reallocarray(spans->items, capacity, sizeof(*items));

        if (!items)
            return false;
        spans->items = items;
        spans->capacity = capacity;
    }
    spans->items[spans->count++] = tt_otel_span_get(span);
    return true;
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

/* Out of the table, its spans into `spans`. */
static void take(struct tt_flight *flight, struct kept *kept, struct tt_spans *spans)
{
    HASH_DEL(flight->traces, kept);
    flight->count -= kept->spans.count;
    *spans = kept->spans;
    free(kept);
}

static void forget_oldest(struct tt_flight *flight)
{
    struct tt_spans spans;

    take(flight, flight->traces, &spans);
    tt_spans_put(&spans);
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

void tt_flight_add(struct tt_flight *flight, const uint8_t trace_id[16], struct tt_spans *spans, uint64_t now)
{
    struct kept *kept = find(flight, trace_id);
    size_t before = kept ? kept->spans.count : 0;

    if (!kept) {
        kept = calloc(1, sizeof(*kept));
        if (!kept) {
            tt_spans_put(spans);
            return;
        }
        memcpy(kept->id, trace_id, sizeof(kept->id));
        HASH_ADD(hh, flight->traces, id, sizeof(kept->id), kept);
    }
    kept->time = now;
    if (!move(spans, &kept->spans))
        tt_spans_put(spans);
    flight->count += kept->spans.count - before;
    while (flight->count > flight->max)
        forget_oldest(flight);
}

bool tt_flight_take(struct tt_flight *flight, const uint8_t *trace_id, struct tt_spans *spans)
{
    struct kept *kept = find(flight, trace_id);

    if (kept)
        take(flight, kept, spans);
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
