/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/measure.h"

#include <ctype.h>
#include <stdio.h>
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
            .is_real = row->per != 0,
            .integer = value_of(row, from),
            .real = row->per ? (double)value_of(row, from) / row->per : 0,
        };

        tt_snapshot_add(snapshot, &figure);
    }
}

void tt_measure_add_labelled(struct tt_snapshot *snapshot, const struct tt_measure *row, const void *from,
                             const char *component_type, const char *component_name)
{
    const struct tt_duration_counts *durations = (const void *)((const char *)from + row->offset);
    bool is_histogram = row->type == TT_METRIC_HISTOGRAM;
    const struct tt_metric_figure figure = {
        .name = row->name,
        .unit = row->unit,
        .help = row->help,
        .type = row->type,
        .durations = is_histogram ? durations : NULL,
        .labels = {{"otel.component.type", component_type},
                   {"otel.component.name", component_name},
                   {row->key, row->value}},
        .is_real = row->per != 0,
        .integer = is_histogram ? 0 : value_of(row, from),
        .real = row->per ? (double)value_of(row, from) / row->per : 0,
    };

    /* Most ways to fail never happen: nothing is said of them. */
    if (!is_histogram || durations->slots[TT_SLOT_COUNT])
        tt_snapshot_add(snapshot, &figure);
}

/* ---- the pipeline ---- */

struct pipeline_numbers {
    struct tt_pipeline_figures f;
    struct tt_metrics_stats metrics;
    struct tt_sampler_stats sample;
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
#define LOGS_OUT "tangotrace.logs", "{log_record}", "Log records that came", TT_METRIC_COUNTER, "outcome"
#define SAMPLED                                                                                              \
    "tangotrace.sampling.spans", "{span}", "Spans of traces that were judged, or need not be",               \
        TT_METRIC_COUNTER, "outcome"
#define KEPT                                                                                                 \
    "tangotrace.sampling.kept_traces", "{trace}", "Traces kept whatever their share", TT_METRIC_COUNTER,     \
        "reason"
#define SPANS_OUT "tangotrace.spans", "{span}", "Finished spans", TT_METRIC_COUNTER, "outcome"

static const struct tt_measure pipeline_rows[] = {
    PIPELINE(begun, "otel.sdk.span.started", "{span}", "Spans begun", TT_METRIC_COUNTER),
    PIPELINE(live, "otel.sdk.span.live", "{span}", "Spans open now", TT_METRIC_UPDOWN),
    PIPELINE(f.spans, SPANS_OUT, "made"),
    PIPELINE(f.hidden, SPANS_OUT, "hidden"),
    PIPELINE(f.logs, "otel.sdk.log.created", "{log_record}", "Log records that came", TT_METRIC_COUNTER),
    PIPELINE(f.logs, LOGS_OUT, "made"),
    PIPELINE(f.logs_hidden, LOGS_OUT, "hidden"),
    PIPELINE(f.logs_limited, LOGS_OUT, "limited"),
    PIPELINE(sample.passed, SAMPLED, "passed"),
    PIPELINE(sample.kept, SAMPLED, "kept"),
    PIPELINE(sample.dropped, SAMPLED, "dropped"),
    PIPELINE(sample.held, "tangotrace.sampling.held", "{span}", "Spans that wait for the end of their trace",
             TT_METRIC_UPDOWN),
    PIPELINE(sample.failed, KEPT, "failed"),
    PIPELINE(sample.late, KEPT, "late"),
    PIPELINE(sample.slow, KEPT, "slow"),
    PIPELINE(sample.open, KEPT, "open"),
    PIPELINE(sample.marked, KEPT, "marked"),
    PIPELINE(sample.early, "tangotrace.sampling.early", "{trace}", "Traces judged early for want of room",
             TT_METRIC_COUNTER),
    PIPELINE(sample.recorder, "tangotrace.recorder.spans", "{span}", "Spans in the flight recorder",
             TT_METRIC_UPDOWN),
    PIPELINE(sample.dumped, "tangotrace.recorder.dumped", "{span}", "Spans that it gave out",
             TT_METRIC_COUNTER),
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

/* ---- heartbeats ---- */

bool tt_beat_server(const char *channel, const char *name, char *server, size_t size)
{
    static const char device[] = "/dserver/", end[] = ".heartbeat";
    const char *at = strstr(channel, device);
    size_t length = at ? strcspn(at + strlen(device), "#") : 0;

    if (at) {
        at += strlen(device);
        if (length > strlen(end) && !strncmp(at + length - strlen(end), end, strlen(end)))
            length -= strlen(end);
    } else if (name) {
        at = name;
        length = strlen(name);
    }
    if (!at || !length || length >= size)
        return false;
    for (size_t i = 0; i < length; i++)
        server[i] = (char)tolower((unsigned char)at[i]);
    server[length] = '\0';
    return true;
}

void tt_pipeline_beat(void *context, const struct tt_beat *beat)
{
    struct tt_pipeline *pipeline = context;
    const struct tt_world *world = &pipeline->world;
    bool sent = !strcmp(beat->row->verb, "sent");
    const char *name = NULL;
    struct tt_process *process;
    char server[TT_LABEL_SIZE];

    if (!pipeline->metrics)
        return;
    process = world->process(world->context, beat->tgid, beat->time);
    if (process && sent)
        name = process->server ? process->server : process->serves_as;
    if (process ? process->selected : !pipeline->rules)
        tt_metrics_beat(pipeline->metrics, sent,
                        tt_beat_server(beat->channel, name, server, sizeof(server)) ? server : NULL,
                        process && !sent ? process->name : NULL,
                        beat->time + (uint64_t)world->unix_offset(world->context, beat->time));
    tt_process_put(&process);
}

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

static void count_open(void *context, const struct tt_open *open)
{
    struct open_calls *calls = context;
    const struct tt_span *span = open->span;
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
    tt_sampler_get_stats(pipeline->sampler, &numbers.sample);
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
    EXPORT(in_queue, "otel.sdk.processor.span.queue.size", "{span}", "Spans in the queue", TT_METRIC_UPDOWN),
    EXPORT(capacity, "otel.sdk.processor.span.queue.capacity", "{span}", "Most spans that the queue holds",
           TT_METRIC_UPDOWN),
    EXPORT(inflight, "otel.sdk.exporter.span.inflight", "{span}", "Spans that are being exported",
           TT_METRIC_UPDOWN),
    EXPORT(processed, PROCESSED, ""),
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
    TT_MEASURE_DURATIONS(tt_export_stats),
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
    EXPORT(in_queue, "otel.sdk.processor.log.queue.size", "{log_record}", "Log records in the queue",
           TT_METRIC_UPDOWN),
    EXPORT(capacity, "otel.sdk.processor.log.queue.capacity", "{log_record}",
           "Most log records that the queue holds", TT_METRIC_UPDOWN),
    EXPORT(inflight, "otel.sdk.exporter.log.inflight", "{log_record}", "Log records that are being exported",
           TT_METRIC_UPDOWN),
    EXPORT(processed, LOGS_PROCESSED, ""),
    EXPORT(dropped_queue, LOGS_PROCESSED, "queue_full"),
    EXPORT(dropped_debug, LOGS_PROCESSED, "debug"),
    EXPORT(exported, LOGS_EXPORTED, ""),
    EXPORT(dropped_refused, LOGS_EXPORTED, "rejected"),
    EXPORT(dropped_timeout, LOGS_EXPORTED, "timeout"),
    EXPORT(dropped_error, LOGS_EXPORTED, "_OTHER"),
    EXPORT(dropped_spool, LOGS_EXPORTED, "spool_full"),
    EXPORT(dropped_age, LOGS_EXPORTED, "spool_age"),
    EXPORT(dropped_damaged, LOGS_EXPORTED, "spool_damaged"),
    TT_MEASURE_DURATIONS(tt_export_stats),
    EXPORT(spooled, "tangotrace.exporter.spool.logs", "{log_record}", "Log records in the spool now",
           TT_METRIC_UPDOWN),
};

/* otel.component.type by the beginning of an exporter's name. */
static const char *component_type(const char *name, bool logs)
{
    static const struct {
        const char *scheme, *spans, *logs;
    } types[] = {
        {"otlp:", "otlp_http_span_exporter", "otlp_http_log_exporter"},
        {"file:", "otlp_json_file_span_exporter", "otlp_json_file_log_exporter"},
        {"console", "console_span_exporter", "console_log_exporter"},
        {"", "null_span_exporter", "null_log_exporter"},
    };
    size_t i = 0;

    while (strncmp(name, types[i].scheme, strlen(types[i].scheme)) != 0)
        i++;
    return logs ? types[i].logs : types[i].spans;
}

struct measured {
    struct {
        struct tt_export_stats spans, logs;
        char name[256];
    } items[TT_EXPORTERS_MAX];
    size_t count;
};

/* Those that are gone are in no metric: a dashboard shows what goes on. */
static void measure(void *context, const struct tt_exporter_figures *figures)
{
    struct measured *m = context;

    if (figures->gone || m->count == TT_EXPORTERS_MAX)
        return;
    m->items[m->count].spans = figures->spans;
    m->items[m->count].logs = figures->logs;
    snprintf(m->items[m->count++].name, sizeof(m->items[0].name), "%s", figures->name);
}

/* Rows of one name follow each other, whichever exporter they are of. */
static void add_rows(struct tt_snapshot *snapshot, const struct measured *m, const struct tt_measure *rows,
                     size_t count, bool logs)
{
    for (size_t r = 0; r < count; r++) {
        bool processor = strstr(rows[r].name, ".processor.") != NULL;

        for (size_t i = 0; i < m->count; i++) {
            const char *name = m->items[i].name;

            tt_measure_add_labelled(snapshot, &rows[r], logs ? &m->items[i].logs : &m->items[i].spans,
                                    !processor ? component_type(name, logs)
                                    : logs     ? "batching_log_processor"
                                               : "batching_span_processor",
                                    name);
        }
    }
}

void tt_pipeline_measure_exporters(struct tt_pipeline *pipeline, struct tt_snapshot *snapshot)
{
    struct measured m = {.count = 0};

    tt_pipeline_each_exporter(pipeline, measure, &m);
    add_rows(snapshot, &m, export_rows, TT_ARRAY_SIZE(export_rows), false);
    add_rows(snapshot, &m, log_rows, TT_ARRAY_SIZE(log_rows), true);
}
