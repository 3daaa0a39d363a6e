/* SPDX-License-Identifier: GPL-2.0-only */
/* measure.h: the figures of the pipeline and of the agent as metrics, from the same numbers as `status`. */
#pragma once

#include <stddef.h>

#include "agent/pipeline.h"
#include "metrics/snapshot.h"

/* One figure of a struct: where it lies, and what it is called. */
struct tt_measure {
    size_t offset; /* of a uint64_t; of a histogram: of a struct tt_duration_counts */
    const char *name, *unit, *help;
    enum tt_metric_type type;
    const char *key, *value; /* label, or NULL */
    unsigned per;            /* of the figure in one of its unit: 1000 for milliseconds shown as s; 0: one */
};

#define TT_MEASURE(_type, _field, ...)                                                                       \
    {                                                                                                        \
        .offset = offsetof(struct _type, _field), __VA_ARGS__                                                \
    }

/* Rows of a struct's `durations`: the same for all signals, by how the export ended. */
#define TT_MEASURE_DURATION(_type, _how, _error)                                                             \
    TT_MEASURE(_type, durations[_how], "otel.sdk.exporter.operation.duration", "s",                          \
               "How long the export of a batch took, with all its attempts", TT_METRIC_HISTOGRAM,            \
               "error.type", _error)
#define TT_MEASURE_DURATIONS(_type)                                                                          \
    TT_MEASURE_DURATION(_type, TT_OPERATION_DONE, ""),                                                       \
        TT_MEASURE_DURATION(_type, TT_OPERATION_REJECTED, "rejected"),                                       \
        TT_MEASURE_DURATION(_type, TT_OPERATION_TIMEOUT, "timeout"),                                         \
        TT_MEASURE_DURATION(_type, TT_OPERATION_FAILED, "_OTHER"),                                           \
        TT_MEASURE_DURATION(_type, TT_OPERATION_STORED, "unavailable")

void tt_measure_add(struct tt_snapshot *snapshot, const struct tt_measure *rows, size_t count,
                    const void *from);

/* The same for one row, of one component among several (OpenTelemetry's otel.component.*). */
void tt_measure_add_labelled(struct tt_snapshot *snapshot, const struct tt_measure *row, const void *from,
                             const char *component_type, const char *component_name);

/* Metrics of the spans and figures of the pipeline; on the feeding thread. `time` as for tt_metrics_snapshot.
 * NULL: no metrics are made, or out of memory. */
struct tt_snapshot *tt_pipeline_snapshot(struct tt_pipeline *pipeline, uint64_t time);
/* The server whose heartbeats a channel carries ("pusher/p" of
 * "tango://host:10000/dserver/pusher/p.heartbeat",
 * "..p#dbase=no.heartbeat"), or else `name`, in lower case as channels have it. False: it is not known. */
bool tt_beat_server(const char *channel, const char *name, char *server, size_t size);
/* tt_beat_fn of the pipeline's assembler. */
void tt_pipeline_beat(void *context, const struct tt_beat *beat);
/* Figures of the exporters, which belong to no thread. */
void tt_pipeline_measure_exporters(struct tt_pipeline *pipeline, struct tt_snapshot *snapshot);
