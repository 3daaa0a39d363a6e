/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/measure.h"

#include <string.h>

#include "base/cleanup.h"

static uint64_t value_of(const struct tt_measure *row, const void *from)
{
    return *(const uint64_t *)((const char *)from + row->offset);
}

void tt_measure_add(struct tt_snapshot *snapshot, const struct tt_measure *rows, size_t count,
                    const void *from)
{
    for (size_t i = 0; i < count; i++) {
        const struct tt_measure *row = &rows[i];
        const struct tt_metric_figure figure = {
            .name = row->name,
            .unit = row->unit,
            .help = row->help,
            .type = row->type,
            .labels = {{row->key, row->value}},
            .integer = value_of(row, from),
        };

        tt_snapshot_add(snapshot, &figure);
    }
}

void tt_measure_add_labelled(struct tt_snapshot *snapshot, const struct tt_measure *row, const void *from,
                             const char *component_type, const char *component_name)
{
    const struct tt_metric_figure figure = {
        .name = row->name,
        .unit = row->unit,
        .help = row->help,
        .type = row->type,
        .labels = {{"otel.component.type", component_type},
                   {"otel.component.name", component_name},
                   {row->key, row->value}},
        .is_real = row->per != 0,
        .integer = value_of(row, from),
        .real = row->per ? (double)value_of(row, from) / row->per : 0,
    };

    tt_snapshot_add(snapshot, &figure);
}

/* ---- the pipeline ---- */

struct pipeline_numbers {
    struct tt_pipeline_figures f;
    struct tt_metrics_stats metrics;
    uint64_t begun, live;
};

#define PIPELINE(field, ...) TT_MEASURE(pipeline_numbers, field, __VA_ARGS__)
#define LOST                                                                                                 \
    "tangotrace.lost", "{item}", "What was lost before it could be exported, by reason", TT_METRIC_COUNTER,  \
        "reason"
#define UNPAIRED                                                                                             \
    "tangotrace.exits.unpaired", "{exit}", "Functions left that were not seen entered", TT_METRIC_COUNTER,   \
        "reason"
#define UNMATCHED                                                                                            \
    "tangotrace.requests.unmatched", "{request}", "Requests of which the other side was not seen",           \
        TT_METRIC_COUNTER, "side"
#define SPANS_OUT "tangotrace.spans", "{span}", "Finished spans", TT_METRIC_COUNTER, "outcome"

static const struct tt_measure pipeline_rows[] = {
    PIPELINE(begun, "otel.sdk.span.started", "{span}", "Spans begun", TT_METRIC_COUNTER),
    PIPELINE(live, "otel.sdk.span.live", "{span}", "Spans open now", TT_METRIC_UPDOWN),
    PIPELINE(f.spans, SPANS_OUT, "made"),
    PIPELINE(f.hidden, SPANS_OUT, "hidden"),
    PIPELINE(f.assemble.malformed, LOST, "malformed_event"),
    PIPELINE(f.assemble.dropped_frames, LOST, "frame_not_kept"),
    PIPELINE(f.enrich_failures, LOST, "span_not_made"),
    PIPELINE(f.assemble.lost, "tangotrace.events.missing", "{event}",
             "Events missing in the numbering of threads", TT_METRIC_COUNTER),
    PIPELINE(f.assemble.orphan_exits, UNPAIRED, "orphan"),
    PIPELINE(f.assemble.early_exits, UNPAIRED, "early"),
    PIPELINE(f.assemble.mismatched_exits, UNPAIRED, "mismatched"),
    PIPELINE(f.assemble.buried, "tangotrace.ends.unknown", "{function}", "Functions whose end was not seen",
             TT_METRIC_COUNTER),
    PIPELINE(f.correlate.joined, "tangotrace.requests.joined", "{request}",
             "Requests of which both sides were seen", TT_METRIC_COUNTER),
    PIPELINE(f.correlate.client_unmatched, UNMATCHED, "client"),
    PIPELINE(f.correlate.server_unmatched, UNMATCHED, "server"),
    PIPELINE(f.correlate.ambiguous, "tangotrace.requests.ambiguous", "{request}",
             "Requests with several candidates for a parent: none was taken", TT_METRIC_COUNTER),
    PIPELINE(f.correlate.split, "tangotrace.traces.split", "{trace}",
             "Traces that went on as a new one at a limit", TT_METRIC_COUNTER),
    PIPELINE(f.correlate.evicted, "tangotrace.correlate.evicted", "{item}",
             "Requests and spans pushed out by the bounds of memory", TT_METRIC_COUNTER),
    PIPELINE(f.correlate.pending, "tangotrace.spans.pending", "{span}", "Spans that wait for their trace",
             TT_METRIC_UPDOWN),
    PIPELINE(f.assemble.threads, "tangotrace.threads.traced", "{thread}", "Threads known now",
             TT_METRIC_UPDOWN),
    PIPELINE(metrics.series, "tangotrace.metrics.series", "{series}", "Series of metrics now",
             TT_METRIC_UPDOWN),
    PIPELINE(metrics.bytes, "tangotrace.metrics.memory", "By", "Memory of these", TT_METRIC_UPDOWN),
    PIPELINE(metrics.overflow, "tangotrace.metrics.overflow", "{value}",
             "Values counted as _OTHER for want of series", TT_METRIC_COUNTER),
    PIPELINE(metrics.evicted, "tangotrace.metrics.evicted", "{series}",
             "Series that made room after 10 minutes without a value", TT_METRIC_COUNTER),
};

/* ---- calls that are open ---- */

#define OPEN_MAX 256 /* classes; more are one */

struct open_calls {
    struct {
        const char *class_name;
        bool client;
        uint64_t count;
    } classes[OPEN_MAX + 1];
    size_t count;
    uint64_t spans;
};

static void count_open(void *context, const struct tt_span *span)
{
    struct open_calls *calls = context;
    bool client = span->kind == TT_SPAN_CLIENT;
    const char *name = client ? span->peer_class : span->class_name;
    size_t i = 0;

    calls->spans++;
    if (!client && span->kind != TT_SPAN_SERVER)
        return;
    name = name ? name : "";
    while (i < calls->count &&
           (calls->classes[i].client != client || strcmp(calls->classes[i].class_name, name) != 0))
        i++;
    if (i == OPEN_MAX)
        name = TT_METRICS_OTHER;
    if (i == calls->count && i <= OPEN_MAX) {
        calls->classes[i].class_name = name;
        calls->classes[i].client = client;
        calls->count++;
    }
    calls->classes[i].count++;
}

static void add_open(struct tt_snapshot *snapshot, const struct open_calls *calls)
{
    for (size_t i = 0; i < calls->count; i++) {
        const struct tt_metric_figure figure = {
            .name = "tango.calls.open",
            .unit = "{call}",
            .help = "Calls that have not ended, by the side that is seen",
            .type = TT_METRIC_UPDOWN,
            .labels = {{"side", calls->classes[i].client ? "client" : "server"},
                       {"tango.device.class", calls->classes[i].class_name}},
            .integer = calls->classes[i].count,
        };

        tt_snapshot_add(snapshot, &figure);
    }
}

struct tt_snapshot *tt_pipeline_snapshot(struct tt_pipeline *pipeline, uint64_t time)
{
    struct tt_snapshot *snapshot = pipeline->metrics ? tt_metrics_snapshot(pipeline->metrics, time) : NULL;
    struct pipeline_numbers numbers = {0};
    struct open_calls open = {.count = 0};

    if (!snapshot)
        return NULL;
    snapshot->start = pipeline->started ? pipeline->started : snapshot->time;
    if (pipeline->own)
        snapshot->resource = tt_otel_resource_get(pipeline->own);
    tt_assembler_each_open(pipeline->assembler, count_open, &open);
    tt_pipeline_figures(pipeline, &numbers.f);
    tt_metrics_get_stats(pipeline->metrics, &numbers.metrics);
    numbers.live = open.spans;
    numbers.begun = numbers.f.assemble.spans + open.spans;
    add_open(snapshot, &open);
    tt_measure_add(snapshot, pipeline_rows, TT_ARRAY_SIZE(pipeline_rows), &numbers);
    return snapshot;
}

/* ---- exporters ---- */

#define EXPORT(field, ...) TT_MEASURE(tt_export_stats, field, __VA_ARGS__)
#define PROCESSED                                                                                            \
    "otel.sdk.processor.span.processed", "{span}", "Spans handed to the exporter, or not",                   \
        TT_METRIC_COUNTER, "error.type"
#define EXPORTED                                                                                             \
    "otel.sdk.exporter.span.exported", "{span}", "Spans for which export has ended, well or not",            \
        TT_METRIC_COUNTER, "error.type"

static const struct tt_measure export_rows[] = {
    EXPORT(waiting, "otel.sdk.processor.span.queue.size", "{span}", "Spans in queue and batch",
           TT_METRIC_UPDOWN),
    EXPORT(queued, PROCESSED, ""),
    EXPORT(dropped_queue, PROCESSED, "queue_full"),
    EXPORT(dropped_rootless, PROCESSED, "rootless"),
    EXPORT(exported, EXPORTED, ""),
    EXPORT(dropped_refused, EXPORTED, "rejected"),
    EXPORT(dropped_timeout, EXPORTED, "timeout"),
    EXPORT(dropped_error, EXPORTED, "_OTHER"),
    EXPORT(dropped_spool, EXPORTED, "spool_full"),
    EXPORT(dropped_age, EXPORTED, "spool_age"),
    EXPORT(dropped_damaged, EXPORTED, "spool_damaged"),
    EXPORT(requests, "tangotrace.exporter.requests", "{request}", "Requests or writes made",
           TT_METRIC_COUNTER),
    EXPORT(retries, "tangotrace.exporter.retries", "{request}", "Of these, repeated ones", TT_METRIC_COUNTER),
    EXPORT(bytes, "tangotrace.exporter.sent", "By", "Bytes sent or written", TT_METRIC_COUNTER),
    EXPORT(spooled, "tangotrace.exporter.spool.spans", "{span}", "Spans in the spool now", TT_METRIC_UPDOWN),
    EXPORT(spool_bytes, "tangotrace.exporter.spool.size", "By", "Size of that", TT_METRIC_UPDOWN),
    EXPORT(gap_ms, "tangotrace.exporter.gap", "s",
           "Time before the start of which something may be missing, because the agent before was killed",
           TT_METRIC_UPDOWN, .per = 1000),
};

#define LOGS_PROCESSED                                                                                       \
    "otel.sdk.processor.log.processed", "{log_record}", "Log records handed to the exporter, or not",        \
        TT_METRIC_COUNTER, "error.type"
#define LOGS_EXPORTED                                                                                        \
    "otel.sdk.exporter.log.exported", "{log_record}", "Log records for which export has ended, well or not", \
        TT_METRIC_COUNTER, "error.type"

static const struct tt_measure log_rows[] = {
    EXPORT(waiting, "otel.sdk.processor.log.queue.size", "{log_record}", "Log records in queue and batch",
           TT_METRIC_UPDOWN),
    EXPORT(queued, LOGS_PROCESSED, ""),
    EXPORT(dropped_queue, LOGS_PROCESSED, "queue_full"),
    EXPORT(dropped_debug, LOGS_PROCESSED, "debug"),
    EXPORT(exported, LOGS_EXPORTED, ""),
    EXPORT(dropped_refused, LOGS_EXPORTED, "rejected"),
    EXPORT(dropped_timeout, LOGS_EXPORTED, "timeout"),
    EXPORT(dropped_error, LOGS_EXPORTED, "_OTHER"),
    EXPORT(dropped_spool, LOGS_EXPORTED, "spool_full"),
    EXPORT(dropped_age, LOGS_EXPORTED, "spool_age"),
    EXPORT(dropped_damaged, LOGS_EXPORTED, "spool_damaged"),
    EXPORT(spooled, "tangotrace.exporter.spool.logs", "{log_record}", "Log records in the spool now",
           TT_METRIC_UPDOWN),
};

/* otel.component.type by the beginning of an exporter's name. */
static const char *component_type(const char *name, enum tt_signal signal)
{
    static const struct {
        const char *scheme, *types[TT_SIGNALS];
    } exporters[] = {
        {"otlp:", {"otlp_http_span_exporter", "otlp_http_log_exporter"}},
        {"file:", {"otlp_json_file_span_exporter", "otlp_json_file_log_exporter"}},
        {"console", {"console_span_exporter", "console_log_exporter"}},
        {"", {"null_span_exporter", "null_log_exporter"}},
    };
    size_t i = 0;

    while (strncmp(name, exporters[i].scheme, strlen(exporters[i].scheme)) != 0)
        i++;
    return exporters[i].types[signal];
}

/* Rows of one name follow each other, whichever exporter they are of. */
static void measure_signal(struct tt_pipeline *pipeline, struct tt_snapshot *snapshot, enum tt_signal signal,
                           const struct tt_measure *rows, size_t count)
{
    static const char *const processors[TT_SIGNALS] = {"batching_span_processor", "batching_log_processor"};
    struct tt_export_stats stats[TT_EXPORTERS_MAX];

    for (size_t i = 0; i < pipeline->exporter_count; i++)
        (signal == TT_SIGNAL_LOGS ? tt_exporter_log_stats : tt_exporter_stats)(pipeline->exporters[i],
                                                                               &stats[i]);
    for (size_t r = 0; r < count; r++) {
        bool processor = strstr(rows[r].name, ".processor.") != NULL;

        for (size_t i = 0; i < pipeline->exporter_count; i++) {
            const char *name = tt_exporter_name(pipeline->exporters[i]);

            tt_measure_add_labelled(snapshot, &rows[r], &stats[i],
                                    processor ? processors[signal] : component_type(name, signal), name);
        }
    }
}

void tt_pipeline_measure_exporters(struct tt_pipeline *pipeline, struct tt_snapshot *snapshot)
{
    measure_signal(pipeline, snapshot, TT_SIGNAL_SPANS, export_rows, TT_ARRAY_SIZE(export_rows));
    measure_signal(pipeline, snapshot, TT_SIGNAL_LOGS, log_rows, TT_ARRAY_SIZE(log_rows));
}
