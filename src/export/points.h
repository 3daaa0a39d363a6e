/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * points.h: where metrics go by OTLP: one destination, to which snapshots are sent one after the other. There
 * is no queue: what a destination missed is in the next snapshot, also with delta temporality, which is
 * reckoned from the last one that was accepted. One thread each, but for tt_points_stop and the figures.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "export/export.h"
#include "metrics/encode.h"

struct tt_points;

struct tt_points_config {
    struct tt_otlp_config otlp; /* but for its URL */
    bool exponential;
    enum tt_temporality temporality;
};

struct tt_points_stats {
    uint64_t exported, dropped_refused, dropped_timeout, dropped_error; /* points */
    uint64_t inflight; /* of the request that is on its way */
    uint64_t requests, retries, bytes;
    struct tt_duration_counts durations[TT_OPERATIONS]; /* of requests with their retries, and of lines */
};

/* `spec`: "otlp", "otlp:URL" (/v1/metrics is appended), "otlp-metrics:URL" (as it is), "file:PATH". 0, or
 * -EINVAL or -ENOMEM with *error. */
int tt_points_check(const char *spec, char **error);
/* The config is copied, its strings outlive the destination. 0, or a negative errno with *error. */
int tt_points_new(const char *spec, const struct tt_points_config *config, struct tt_points **points,
                  char **error);
/* Blocks until all of it was accepted, or given up. */
void tt_points_send(struct tt_points *points, struct tt_snapshot *snapshot);
/* Everything ends by then (monotonic ns). */
void tt_points_stop(struct tt_points *points, uint64_t deadline);
void tt_points_free(struct tt_points **points);

const char *tt_points_name(const struct tt_points *points); /* no secrets */
void tt_points_get_stats(const struct tt_points *points, struct tt_points_stats *stats);
