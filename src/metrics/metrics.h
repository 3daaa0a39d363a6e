/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * metrics.h: metrics of every finished span, before any sampling: durations of calls from both sides, and
 * what Tempo's metrics-generator would make of the spans. One thread feeds it and takes snapshots, which any
 * thread may then read. For label sets that are known nothing is allocated.
 *
 * Memory is bounded by the number of series: some 400 bytes each, 1.7 kB with exponential buckets. When there
 * are too many, what is new is counted under _OTHER instead of its device and attribute, and at last of all
 * its names, so that sums stay right; a series that was not used for TT_METRICS_IDLE makes room.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enrich/otel.h"
#include "metrics/series.h"

#define TT_METRICS_OTHER "_OTHER"

enum tt_metrics_graph { TT_GRAPH_NONE, TT_GRAPH_CLASS, TT_GRAPH_DEVICE };

struct tt_metrics_config {
    size_t series;               /* at most, at least 64; 0 = 20,000 */
    bool device, attribute;      /* further labels of the rpc metrics */
    bool spans;                  /* traces_spanmetrics_* */
    enum tt_metrics_graph graph; /* traces_service_graph_*: are nodes classes, or devices? */
    bool exponential;            /* exponential buckets besides the explicit ones */
    bool exemplars;
};

struct tt_metrics;

struct tt_metrics_stats {
    uint64_t spans;    /* that were counted */
    uint64_t series;   /* now */
    uint64_t overflow; /* times that a series was not to be had, and _OTHER counted */
    uint64_t evicted;  /* series that made room */
    uint64_t bytes;    /* of memory, now */
};

/* NULL when out of memory. */
struct tt_metrics *tt_metrics_new(const struct tt_metrics_config *config);
void tt_metrics_free(struct tt_metrics **metrics);

void tt_metrics_span(struct tt_metrics *metrics, const struct tt_otel_span *span);
/* A server has sent a heartbeat to the subscribers of its events, or a program has received one; names NULL:
 * not known. `start`: unix ns. */
void tt_metrics_beat(struct tt_metrics *metrics, bool sent, const char *server, const char *program,
                     uint64_t start);
/* Time passes; CLOCK_MONOTONIC ns. */
void tt_metrics_tick(struct tt_metrics *metrics, uint64_t now);

void tt_metrics_get_stats(const struct tt_metrics *metrics, struct tt_metrics_stats *stats);

struct tt_snapshot;
/* All series as they are now; `time` (unix ns, 0: the end of the newest span) is that of the points. NULL
 * when out of memory. */
struct tt_snapshot *tt_metrics_snapshot(const struct tt_metrics *metrics, uint64_t time);
