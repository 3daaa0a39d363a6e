/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * encode.h: a snapshot as OTLP metrics requests, protobuf or JSON. One snapshot may be several requests, so
 * that each is of a size that every receiver takes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "metrics/snapshot.h"

/* Points of one request: some 600 bytes each, uncompressed. */
#define TT_METRICS_POINTS 4000

enum tt_temporality {
    TT_TEMPORALITY_CUMULATIVE,
    TT_TEMPORALITY_DELTA,     /* counters and histograms since the snapshot before */
    TT_TEMPORALITY_LOWMEMORY, /* the same, but figures of the agent itself are cumulative */
};

struct tt_metrics_encoder { /* zeroed but for the first members: at the start of a snapshot */
    const struct tt_snapshot *snapshot;
    const struct tt_snapshot *previous; /* delta: what was sent last; NULL: nothing yet */
    enum tt_temporality temporality;
    bool exponential;                  /* histograms have exponential buckets */
    size_t instrument, series, figure; /* where the next request begins */
    struct tt_series **sorted;         /* those of `previous`, by key */
};

/*
 * Makes the next request, as protobuf (*size bytes at *data, caller frees) or as one line of JSON, whichever
 * is not NULL. Number of its points; 0: nothing is left; or -ENOMEM.
 */
long tt_metrics_encode(struct tt_metrics_encoder *encoder, uint8_t **data, size_t *size,
                       struct tt_json *json);
void tt_metrics_encoder_end(struct tt_metrics_encoder *encoder);
