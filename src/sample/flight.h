/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flight.h: the flight recorder: traces that sampling dropped (but for excluded ones), as long as there is
 * room and for some seconds, so that what led to a failure can still be had. What was kept is exported
 * already: both together are everything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enrich/otel.h"

/* Spans of one trace, a reference each; a zeroed struct is empty. */
struct tt_spans {
    struct tt_otel_span **items;
    size_t count, capacity;
};

/* Takes a reference. False when out of memory (none taken). */
bool tt_spans_add(struct tt_spans *spans, struct tt_otel_span *span);
/* Gives the references back and empties it. */
void tt_spans_put(struct tt_spans *spans);

/* The same with log records. */
struct tt_logs {
    struct tt_otel_log **items;
    size_t count, capacity;
};
bool tt_logs_add(struct tt_logs *logs, struct tt_otel_log *log);
void tt_logs_put(struct tt_logs *logs);

struct tt_flight;

/* At most `max_spans`, log records among them, each for `keep_ns` at most. NULL when out of memory. */
struct tt_flight *tt_flight_new(size_t max_spans, uint64_t keep_ns);
void tt_flight_free(struct tt_flight **flight);

/* Takes the spans over (they are empty then), beside what is there of the trace; the oldest make room. */
void tt_flight_add(struct tt_flight *flight, const uint8_t trace_id[16], struct tt_spans *spans,
                   uint64_t now);

/* The same for a log record of that trace: takes a reference of its own. */
void tt_flight_add_log(struct tt_flight *flight, const uint8_t trace_id[16], struct tt_otel_log *log,
                       uint64_t now);

/* Hands over what is there of a trace, the oldest one with trace_id NULL. False: nothing. */
bool tt_flight_take(struct tt_flight *flight, const uint8_t *trace_id, struct tt_spans *spans,
                    struct tt_logs *logs);

/* Forgets what is too old. */
void tt_flight_tick(struct tt_flight *flight, uint64_t now);
size_t tt_flight_count(const struct tt_flight *flight);
