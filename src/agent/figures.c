/* SPDX-License-Identifier: GPL-2.0-only */
/* figures.c: what the pipeline counted: one table per group of figures, and the last line. */
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "agent/pipeline.h"
#include "base/cleanup.h"
#include "base/log.h"

void tt_pipeline_figures(const struct tt_pipeline *pipeline, struct tt_pipeline_figures *figures)
{
    figures->assemble = *tt_assembler_stats(pipeline->assembler);
    figures->correlate = *tt_correlator_stats(pipeline->correlator);
    figures->spans = pipeline->spans;
    figures->hidden = pipeline->hidden;
    figures->unknown = pipeline->unknown;
    figures->logs = pipeline->logs;
    figures->logs_hidden = pipeline->logs_hidden;
    figures->logs_limited = pipeline->logs_limited;
    figures->enrich_failures = tt_enricher_failures(pipeline->enricher);
}

void tt_figures_json(struct tt_json *json, const char *key, const struct tt_figure *figures, const void *from)
{
    tt_json_object(json, key);
    for (; figures->name; figures++)
        tt_json_uint(json, figures->name, *(const uint64_t *)((const char *)from + figures->offset));
    tt_json_object_end(json);
}

static const struct tt_figure assemble_figures[] = {
    TT_FIGURE(tt_assembler_stats, events),
    TT_FIGURE(tt_assembler_stats, malformed),
    TT_FIGURE(tt_assembler_stats, gaps),
    TT_FIGURE(tt_assembler_stats, lost),
    TT_FIGURE(tt_assembler_stats, orphan_exits),
    TT_FIGURE(tt_assembler_stats, early_exits),
    TT_FIGURE(tt_assembler_stats, mismatched_exits),
    TT_FIGURE(tt_assembler_stats, suspended),
    TT_FIGURE(tt_assembler_stats, revived),
    TT_FIGURE(tt_assembler_stats, buried),
    TT_FIGURE(tt_assembler_stats, exceptions),
    TT_FIGURE(tt_assembler_stats, upcalls),
    TT_FIGURE(tt_assembler_stats, upcalls_bare),
    TT_FIGURE(tt_assembler_stats, requests),
    TT_FIGURE(tt_assembler_stats, requests_bare),
    TT_FIGURE(tt_assembler_stats, asynch),
    TT_FIGURE(tt_assembler_stats, asynch_unknown),
    TT_FIGURE(tt_assembler_stats, replies_unlinked),
    TT_FIGURE(tt_assembler_stats, logs),
    TT_FIGURE(tt_assembler_stats, logs_bare),
    TT_FIGURE(tt_assembler_stats, waits),
    TT_FIGURE(tt_assembler_stats, spans),
    TT_FIGURE(tt_assembler_stats, open),
    TT_FIGURE(tt_assembler_stats, threads),
    TT_FIGURE(tt_assembler_stats, dropped_frames),
    {0},
};

static const struct tt_figure correlate_figures[] = {
    TT_FIGURE(tt_correlator_stats, joined),
    TT_FIGURE(tt_correlator_stats, client_unmatched),
    TT_FIGURE(tt_correlator_stats, server_unmatched),
    TT_FIGURE(tt_correlator_stats, ambiguous),
    TT_FIGURE(tt_correlator_stats, late),
    TT_FIGURE(tt_correlator_stats, split),
    TT_FIGURE(tt_correlator_stats, evicted),
    TT_FIGURE(tt_correlator_stats, native_joined),
    TT_FIGURE(tt_correlator_stats, native_hidden),
    TT_FIGURE(tt_correlator_stats, native_malformed),
    TT_FIGURE(tt_correlator_stats, events_joined),
    TT_FIGURE(tt_correlator_stats, events_unmatched),
    TT_FIGURE(tt_correlator_stats, events_ambiguous),
    TT_FIGURE(tt_correlator_stats, events_lost),
    TT_FIGURE(tt_correlator_stats, traces),
    TT_FIGURE(tt_correlator_stats, pending),
    TT_FIGURE(tt_correlator_stats, emitted),
    {0},
};

static const struct tt_figure export_figures[] = {
    TT_FIGURE(tt_export_stats, queued),          TT_FIGURE(tt_export_stats, exported),
    TT_FIGURE(tt_export_stats, requests),        TT_FIGURE(tt_export_stats, retries),
    TT_FIGURE(tt_export_stats, bytes),           TT_FIGURE(tt_export_stats, dropped_queue),
    TT_FIGURE(tt_export_stats, dropped_debug),   TT_FIGURE(tt_export_stats, dropped_rootless),
    TT_FIGURE(tt_export_stats, dropped_refused), TT_FIGURE(tt_export_stats, dropped_timeout),
    TT_FIGURE(tt_export_stats, dropped_error),   TT_FIGURE(tt_export_stats, dropped_spool),
    TT_FIGURE(tt_export_stats, dropped_age),     TT_FIGURE(tt_export_stats, dropped_damaged),
    TT_FIGURE(tt_export_stats, waiting),         TT_FIGURE(tt_export_stats, carried),
    TT_FIGURE(tt_export_stats, in_queue),        TT_FIGURE(tt_export_stats, inflight),
    TT_FIGURE(tt_export_stats, processed),       TT_FIGURE(tt_export_stats, capacity),
    TT_FIGURE(tt_export_stats, spooled),         TT_FIGURE(tt_export_stats, spool_bytes),
    TT_FIGURE(tt_export_stats, gap_ms),          TT_FIGURE(tt_export_stats, operations),
    TT_FIGURE(tt_export_stats, operation_us),    {0},
};

static void put_exporter(void *context, const struct tt_exporter_figures *figures)
{
    struct tt_json *json = context;

    tt_json_object(json, NULL);
    tt_json_string(json, "name", figures->name);
    if (figures->gone)
        tt_json_bool(json, "gone", true);
    tt_figures_json(json, "figures", export_figures, &figures->spans);
    tt_figures_json(json, "logs", export_figures, &figures->logs);
    tt_json_object_end(json);
}

void tt_pipeline_json(struct tt_json *json, struct tt_pipeline *pipeline,
                      const struct tt_pipeline_figures *figures)
{
    tt_figures_json(json, "assemble", assemble_figures, &figures->assemble);
    tt_figures_json(json, "correlate", correlate_figures, &figures->correlate);
    tt_json_object(json, "spans");
    tt_json_uint(json, "made", figures->spans);
    tt_json_uint(json, "hidden", figures->hidden);
    tt_json_uint(json, "hidden_unknown", figures->unknown);
    tt_json_uint(json, "enrich_failures", figures->enrich_failures);
    tt_json_object_end(json);
    pthread_mutex_lock(&pipeline->lock);
    tt_sampler_json(json, pipeline->sampler);
    pthread_mutex_unlock(&pipeline->lock);
    tt_json_object(json, "logs");
    tt_json_uint(json, "made", figures->logs);
    tt_json_uint(json, "hidden", figures->logs_hidden);
    tt_json_uint(json, "limited", figures->logs_limited);
    tt_json_object_end(json);
    tt_json_array(json, "exporters");
    tt_pipeline_each_exporter(pipeline, put_exporter, json);
    tt_json_array_end(json);
}

/* ---- the last line ---- */

struct reasons {
    char text[512];
    size_t used;
    uint64_t lost;
};

static void add_losses(struct reasons *reasons, const struct tt_loss *losses)
{
    for (; losses->reason; losses++) {
        if (!losses->count)
            continue;
        reasons->lost += losses->count;
        if (reasons->used < sizeof(reasons->text) - 64)
            reasons->used += (size_t)snprintf(reasons->text + reasons->used,
                                              sizeof(reasons->text) - reasons->used, "%s%s %" PRIu64,
                                              reasons->used ? ", " : " (", losses->reason, losses->count);
    }
}

/* Losses of an exporter, and what they are called. */
static const struct tt_figure drop_figures[] = {
    {"export queue full", offsetof(struct tt_export_stats, dropped_queue)},
    {"debug logs for want of memory", offsetof(struct tt_export_stats, dropped_debug)},
    {"without root for want of memory", offsetof(struct tt_export_stats, dropped_rootless)},
    {"refused by the receiver", offsetof(struct tt_export_stats, dropped_refused)},
    {"not delivered in time", offsetof(struct tt_export_stats, dropped_timeout)},
    {"not written", offsetof(struct tt_export_stats, dropped_error)},
    {"spool full", offsetof(struct tt_export_stats, dropped_spool)},
    {"too old in the spool", offsetof(struct tt_export_stats, dropped_age)},
    {"damaged in the spool", offsetof(struct tt_export_stats, dropped_damaged)},
    {0},
};

struct exported {
    char text[512];
    size_t used, exporters;
    bool named;                                        /* there is more than one */
    struct tt_loss drops[TT_ARRAY_SIZE(drop_figures)]; /* ended by reason NULL */
};

static void add_drops(struct tt_loss *losses, const struct tt_export_stats *e)
{
    for (size_t i = 0; drop_figures[i].name; i++) {
        losses[i].reason = drop_figures[i].name;
        losses[i].count += *(const uint64_t *)((const char *)e + drop_figures[i].offset);
    }
}

static void __attribute__((format(printf, 2, 3))) put(struct exported *out, const char *format, ...)
{
    va_list args;

    if (out->used >= sizeof(out->text))
        return;
    va_start(args, format);
    out->used += (size_t)vsnprintf(out->text + out->used, sizeof(out->text) - out->used, format, args);
    va_end(args);
}

static void count_exporter(void *context, const struct tt_exporter_figures *figures)
{
    (*(size_t *)context)++;
}

/* "190 spans", or with several exporters "190 spans to console, 190 to file:x". */
static void put_exported(void *context, const struct tt_exporter_figures *figures)
{
    struct exported *out = context;
    bool first = !out->exporters++;

    add_drops(out->drops, &figures->spans);
    add_drops(out->drops, &figures->logs);
    put(out, "%s%" PRIu64 "%s", first ? "" : ", ", figures->spans.exported, first ? " spans" : "");
    if (figures->logs.exported)
        put(out, " and %" PRIu64 " logs", figures->logs.exported);
    if (figures->spans.spooled + figures->logs.spooled)
        put(out, " (%" PRIu64 " in the spool)", figures->spans.spooled + figures->logs.spooled);
    if (out->named)
        put(out, " to %s%s", figures->name, figures->gone ? " (earlier)" : "");
}

static void put_hidden(const struct tt_pipeline_figures *figures, uint64_t dropped, char *text, size_t size)
{
    char sampled[64] = "";

    if (dropped)
        snprintf(sampled, sizeof(sampled), "%s%" PRIu64 " sampled out", figures->hidden ? ", " : " (",
                 dropped);
    if (figures->hidden)
        snprintf(text, size, " (%" PRIu64 " not asked for%s%s)", figures->hidden,
                 figures->unknown ? ", some of processes that ended before they could be looked at" : "",
                 sampled);
    else if (dropped)
        snprintf(text, size, "%s)", sampled);
}

uint64_t tt_pipeline_report(struct tt_pipeline *pipeline, uint64_t seen, const struct tt_loss *losses)
{
    struct reasons reasons = {.text = ""};
    struct tt_pipeline_figures figures;
    struct exported exported = {.text = "0 spans"};
    char hidden[192] = "";
    size_t count = 0;

    tt_pipeline_figures(pipeline, &figures);
    tt_pipeline_each_exporter(pipeline, count_exporter, &count);
    exported.named = count > 1;
    tt_pipeline_each_exporter(pipeline, put_exported, &exported);
    const struct tt_loss own[] = {
        {"malformed events", figures.assemble.malformed},
        {"frames not kept", figures.assemble.dropped_frames},
        {"spans not made", figures.enrich_failures},
        {"logs beyond their rate", figures.logs_limited},
        {0},
    };
    add_losses(&reasons, losses);
    add_losses(&reasons, own);
    add_losses(&reasons, exported.drops);
    put_hidden(&figures, tt_sampler_dropped(pipeline->sampler), hidden, sizeof(hidden));
    tt_say("seen %" PRIu64 " events, %" PRIu64 " spans%s; exported %s; lost %" PRIu64 "%s%s", seen,
           figures.spans, hidden, exported.text, reasons.lost, reasons.text, reasons.used ? ")" : "");
    return reasons.lost;
}
