/* SPDX-License-Identifier: GPL-2.0-only */
/* internal.h (private to store): its parts: records of traces, points of usage, states. */
#pragma once

#include <pthread.h>
#include <uthash.h>

#include "metrics/usage.h"
#include "store/ring.h"
#include "store/store.h"

#define STATES 16

enum kind { TT_KIND_SPAN, TT_KIND_LOG, TT_KINDS };

struct resource {
    uint64_t number, refs;
    struct tt_otel_resource *resource;
    UT_hash_handle hh;
};

/* A span or log record in its ring. */
struct record {
    uint64_t next;   /* position of the next of its trace */
    uint64_t serial; /* of its trace; 0: none */
    uint64_t arrived;
    struct resource *resource;
    char data[]; /* a frame's contents */
};

struct trace {
    struct tt_store_trace front; /* serial 0: the place is free */
    uint64_t first[TT_KINDS], last[TT_KINDS], root;
    UT_hash_handle hh;
};

struct records {
    struct tt_ring ring;
    uint64_t count, taken, left;
};

struct series;

struct state {
    char *name, *json;
    uint64_t time;
};

struct tt_store {
    pthread_mutex_t lock;
    uint64_t age_ns;
    struct records spans, logs, *kinds[TT_KINDS];
    struct trace *traces, *by_id; /* a trace with serial s lies at s % slots */
    uint64_t slots, next_serial, trace_count;
    struct resource *resources;
    struct tt_ring points;
    struct series *series, **numbered; /* by labels; by number */
    uint64_t point_count, taken_points, left_points, newest;
    uint64_t counted_since; /* unix ns, of the newest point that left; 0: none did */
    struct state states[STATES];
    uint64_t refused, version;
    struct tt_otel_span span; /* of the one who fills it */
    struct tt_otel_log log;
};

/* points.c; the store is locked. `counted`: TT_FLAT_COUNTED. */
int tt_store_take_usage(struct tt_store *store, const void *data, size_t size, bool counted, uint64_t now);
uint64_t tt_store_oldest_point(const struct tt_store *store); /* unix ns; 0: none */
uint64_t tt_store_series_count(const struct tt_store *store);
void tt_store_free_usage(struct tt_store *store);
