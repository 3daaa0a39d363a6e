/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * snapshot.h: metrics at one moment, for whoever writes them out: a copy of all series, and the agent's own
 * figures. It may be read on any thread.
 */
#pragma once

#include "base/arena.h"
#include "enrich/otel.h"
#include "metrics/durations.h"
#include "metrics/series.h"

#define TT_FIGURE_LABELS 3

/* One figure of the agent itself. Those of one name have the same unit, help and type. */
struct tt_metric_figure {
    const char *name, *unit, *help; /* static */
    enum tt_metric_type type;
    struct {
        const char *key, *value; /* key static, NULL: no more */
    } labels[TT_FIGURE_LABELS];
    bool is_real;
    uint64_t integer;
    double real;
    const struct tt_duration_counts *durations; /* of a histogram, in place of a number */
};

struct tt_snapshot {
    int refs;                          /* atomic */
    uint64_t time;                     /* of all points, unix ns */
    uint64_t start;                    /* of the agent's own figures, unix ns */
    struct tt_otel_resource *resource; /* of the agent; a reference, or NULL */
    struct tt_series **series;         /* by family, each in order of creation .. */
    size_t first[TT_FAMILIES + 1];     /* .. that of family f at first[f] up to first[f + 1] */
    struct tt_metric_figure *figures;  /* those of one name follow each other */
    size_t figure_count, figure_capacity;
    struct tt_arena arena; /* of label values */
    void *memory;
    bool failed; /* out of memory while figures were added */
};

/* With one reference; NULL when out of memory. */
struct tt_snapshot *tt_snapshot_new(const struct tt_series_table *table, uint64_t time);
struct tt_snapshot *tt_snapshot_get(struct tt_snapshot *snapshot);
/* Gives a reference back. Accepts NULL. */
void tt_snapshot_free(struct tt_snapshot **snapshot);

/* Values of labels and durations are copied. */
void tt_snapshot_add(struct tt_snapshot *snapshot, const struct tt_metric_figure *figure);

/* Has the series a point of that instrument? */
bool tt_snapshot_has(const struct tt_series *series, const struct tt_instrument *instrument);
