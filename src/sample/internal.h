/* SPDX-License-Identifier: GPL-2.0-only */
/* internal.h (private to sample): the sampler's state, between what judges (sample.c), what watches for
 * reasons to give out the flight recorder (triggers.c) and what is made and told of it (setup.c). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <uthash.h>

#include "sample/flight.h"
#include "sample/rules.h"
#include "sample/sample.h"
#include "sample/slow.h"
#include "sample/threshold.h"

/* Rows behind those of the rules. */
enum { ROW_BACKGROUND, ROW_OTHERS, ROW_RATE, ROWS_OWN };

/* Why a trace is kept whatever its share. */
enum tail { TAIL_NONE, TAIL_FAILED, TAIL_LATE, TAIL_MARKED, TAIL_SLOW, TAIL_OPEN, TAILS };

/* What became of the traces, and spans, of a rule. Written by the feeding thread, read by any. */
struct row {
    const char *name;
    uint64_t threshold;
    _Atomic uint64_t kept, dropped, kept_spans, dropped_spans;
};

struct verdict {
    bool keep;
    bool as_is; /* the tracestate stays what it is: another one samples */
    bool final; /* excluded: nothing changes it */
    unsigned row;
    uint64_t threshold;
};

/* A trace that is not judged yet. */
struct held {
    uint8_t id[16];
    struct tt_spans spans; /* at least one */
    uint64_t first, last;  /* when its first and last span came */
    uint64_t random;
    bool top, failed, late, marked;
    bool candidate; /* the head keeps it, if the rate allows */
    struct verdict verdict;
    UT_hash_handle hh; /* iterates in order of `first` */
};

struct decided {
    uint8_t id[16];
    struct verdict verdict;
    UT_hash_handle hh; /* iterates in order of use */
};

/* A trace that something spoke for before any of its spans had ended. */
struct mark {
    uint8_t id[16];
    UT_hash_handle hh; /* iterates in order of creation */
};

/* Log records of a trace that is not judged yet. */
struct written {
    uint8_t id[16];
    struct tt_logs logs;
    uint64_t first;    /* when its first record came */
    UT_hash_handle hh; /* iterates in order of that */
};

struct triggers {
    uint64_t second; /* since when `errors` counts */
    unsigned errors; /* failed traces */
    bool pending;    /* there is a reason; given out once what is held is judged */
    uint64_t due;    /* when that is */
    uint64_t next;   /* no other before that time, .. */
    uint64_t pause;  /* .. so long after the last one */
};

struct tt_sampler {
    struct tt_sampler_config config;
    void (*emit)(void *context, struct tt_otel_span *span);
    void *context;
    struct tt_rule *rules;
    unsigned rule_count;
    struct row *rows; /* rule_count + ROWS_OWN */
    bool parent_based;
    struct tt_slow *slow;
    struct tt_flight *flight; /* NULL: there is none */
    struct held *held;
    size_t spans;      /* held */
    size_t candidates; /* traces */
    uint64_t window_end;
    struct decided *decided;
    struct mark *marks;
    struct written *written;
    size_t log_count; /* in these */
    bool may_drop;    /* is there anything that could drop a trace? */
    uint64_t now;
    struct triggers triggers;
    _Atomic uint64_t passed, early, late, over_rate, dumps, dumped, waiting, remembered;
    _Atomic uint64_t logs_held, logs_dropped;
    _Atomic uint64_t tails[TAILS];
};

/* Set off by polling or an event. */
bool tt_sample_is_background(const struct tt_otel_span *span);

/* ---- logs.c ---- */

/* What is held of the trace goes the way of the verdict. */
void tt_sample_logs_judged(struct tt_sampler *sampler, const uint8_t id[16], const struct verdict *verdict);
/* Its spans pass without being judged. */
void tt_sample_logs_pass(struct tt_sampler *sampler, const uint8_t id[16]);
void tt_sample_logs_tick(struct tt_sampler *sampler);
void tt_sample_logs_flush(struct tt_sampler *sampler);
/* Emits them and gives them back. */
void tt_sample_logs_emit(struct tt_sampler *sampler, struct tt_logs *logs);

/* ---- triggers.c ---- */

void tt_sample_triggers_span(struct tt_sampler *sampler, const struct tt_otel_span *span);
void tt_sample_triggers_tick(struct tt_sampler *sampler);
