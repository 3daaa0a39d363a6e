/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sample.h: which traces leave the host. A trace is kept or dropped whole as far as this host sees it: its
 * spans are held until its topmost one has ended, or for a bounded time, judged together, and leave together.
 * In this order:
 *
 *   rules     the first whose globs all match one of its spans decides the share, or excludes the trace
 *   tail      failed, late, slow, marked (a log record at WARN or above): kept, whatever the share (ot=th:0)
 *   head      a share by the random bits of the trace id (threshold.h); what is above a rate is dropped so
 * that the share stays known
 *
 * A log record that was written during a span goes the way of its trace: it is held until that is judged, for
 * as long as spans are, and kept where that does not come to pass.
 *
 * Traces of which all are to be kept anyway are not held. Whatever is dropped is counted by rule, and
 * remembered for some seconds by the flight recorder (flight.h). Times are CLOCK_MONOTONIC as the feeding
 * thread has it, so that a replay decides as the recorded run did. All functions but tt_sampler_json and
 * tt_sampler_dropped belong to that thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "enrich/otel.h"

#define TT_SAMPLE_RULES_MAX 64

struct tt_sampler;

/* OTEL_TRACES_SAMPLER. */
enum tt_sampler_kind {
    TT_SAMPLER_ALWAYS_ON,
    TT_SAMPLER_ALWAYS_OFF,
    TT_SAMPLER_RATIO,
    TT_SAMPLER_PARENT_ALWAYS_ON, /* in traces that native telemetry began, its decision is followed */
    TT_SAMPLER_PARENT_ALWAYS_OFF,
    TT_SAMPLER_PARENT_RATIO,
};

/* When the flight recorder gives out what it has by itself. */
enum tt_flight_on { TT_FLIGHT_ANY, TT_FLIGHT_ERRORS, TT_FLIGHT_TIMEOUT, TT_FLIGHT_REQUEST };

struct tt_sampler_config {
    void (*emit_log)(void *context, struct tt_otel_log *log); /* as `emit`; NULL: no logs are given */
    enum tt_sampler_kind kind;
    double ratio;             /* of the ratio samplers */
    double background;        /* share of traces that polling or an event set off; at most the sampler's */
    const char *const *rules; /* as tt_rule_parse reads them */
    size_t rule_count;
    unsigned rate;      /* traces per second that the head keeps at most; 0: no limit */
    bool errors;        /* tail: keep what failed */
    bool late;          /* tail: keep polls that came a period too late, events before which some were lost */
    bool slow;          /* tail: keep what is above the operation's moving 99th percentile .. */
    uint64_t slow_ns;   /* .. or, if not 0, what takes so long */
    uint64_t wait_ns;   /* longest time that a span is held */
    size_t max_spans;   /* held at most; then the oldest traces are judged early */
    uint64_t flight_ns; /* 0: no flight recorder */
    size_t flight_spans;
    enum tt_flight_on flight_on;
};

/* `emit` gets the spans that are kept (the reference stays the sampler's). 0; -EINVAL with *error (caller
 * frees): a rule that makes no sense; -ENOMEM. */
int tt_sampler_new(const struct tt_sampler_config *config,
                   void (*emit)(void *context, struct tt_otel_span *span), void *context,
                   struct tt_sampler **sampler, char **error);
void tt_sampler_free(struct tt_sampler **sampler);

/* Takes a reference of its own if it holds the span. Nobody else has the span yet: its tracestate is written.
 */
void tt_sampler_span(struct tt_sampler *sampler, struct tt_otel_span *span);
/* Time passes. */
void tt_sampler_tick(struct tt_sampler *sampler, uint64_t now);
/* Judges all that is held. */
void tt_sampler_flush(struct tt_sampler *sampler);
/* A log record: takes a reference of its own if it holds it. */
void tt_sampler_log(struct tt_sampler *sampler, struct tt_otel_log *log);
/* Something else speaks for the trace (a log record at WARN or above): it is kept, also if none of its spans
 * has ended yet, or it was dropped and the flight recorder has it. */
void tt_sampler_mark(struct tt_sampler *sampler, const uint8_t trace_id[16]);
/* Exports what the flight recorder has; number of spans. These say `tangotrace=flight` in the tracestate and
 * no threshold: they stand for nothing but themselves. */
uint64_t tt_sampler_dump(struct tt_sampler *sampler);

/* Member "sampling" of an open object; any thread. */
void tt_sampler_json(struct tt_json *json, const struct tt_sampler *sampler);
/* Spans that were dropped; any thread. */
uint64_t tt_sampler_dropped(const struct tt_sampler *sampler);
