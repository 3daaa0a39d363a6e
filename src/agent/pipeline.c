/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/pipeline.h"
#include "agent/measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "options/options.h"
#include "export/encode.h"
#include "sample/rules.h"

/* ---- what the stages ask ---- */

static const struct tt_row *row_of(void *context, uint32_t point)
{
    const struct tt_pipeline *pipeline = context;

    return pipeline->world.row(pipeline->world.context, point);
}

static struct tt_process *find_process(void *context, uint32_t pid, uint64_t time)
{
    const struct tt_pipeline *pipeline = context;

    return pipeline->world.process(pipeline->world.context, pid, time);
}

static unsigned look_at_traits(void *context, uint32_t pid)
{
    struct tt_process *process = find_process(context, pid, 0);
    unsigned traits = process && __atomic_load_n(&process->switches_stacks, __ATOMIC_RELAXED)
                          ? TT_TRAIT_SWITCHES
                          : 0;

    if (process && process->native)
        traits |= TT_TRAIT_NATIVE;
    tt_process_put(&process);
    return traits;
}

static bool switches_stacks(void *context, uint32_t pid)
{
    struct tt_pipeline *pipeline = context;

    return tt_activity_traits(pipeline->activity, pid, look_at_traits, pipeline) & TT_TRAIT_SWITCHES;
}

static bool is_native_server(void *context, uint32_t pid)
{
    struct tt_pipeline *pipeline = context;

    return tt_activity_traits(pipeline->activity, pid, look_at_traits, pipeline) & TT_TRAIT_NATIVE;
}

/* Switched on by other means than its environment (tangorc): with --native skip it is left alone from here
 * on. */
static void native_client(void *context, uint32_t pid)
{
    struct tt_pipeline *pipeline = context;

    if (pipeline->skip_native && tt_activity_native_seen(pipeline->activity, pid) && pipeline->world.native)
        pipeline->world.native(pipeline->world.context, pid);
}

/* Native telemetry has a span of its own for the caller. */
static bool find_caller(void *context, struct tt_span *span)
{
    struct tt_pipeline *pipeline = context;

    if (!pipeline->world.caller || !pipeline->world.caller(pipeline->world.context, span))
        return false;
    return !pipeline->join_native || (!is_native_server(pipeline, span->tgid) &&
                                      !tt_activity_is_native(pipeline->activity, span->tgid));
}

/* What processes do that turned out not to be selected, and in strace mode other programs' traces, ends here.
 */
static bool is_wanted(struct tt_pipeline *pipeline, uint32_t tgid, uint64_t time, uint32_t root_tgid,
                      unsigned *incomplete, uint64_t *unknown)
{
    struct tt_process *process = find_process(pipeline, tgid, time);
    /* One that ended before it could be looked at: where there are rules, they may have meant it. */
    bool wanted = process ? process->selected : !pipeline->rules;

    if (!process && wanted)
        *incomplete |= TT_INCOMPLETE_PROCESS;
    *unknown += !process && !wanted;
    tt_process_put(&process);
    if (pipeline->skip_native && tt_activity_is_native(pipeline->activity, tgid))
        return false;
    if (wanted && pipeline->world.shown)
        wanted = pipeline->world.shown(pipeline->world.context, root_tgid);
    return wanted;
}

/* Packed at once, while it is in the cache; out of memory: whole, which does as well. */
static void export_span(void *context, struct tt_otel_span *span)
{
    struct tt_pipeline *pipeline = context;
    struct tt_otel_span *packed;

    tt_otel_limit_span(span, &pipeline->limits);
    packed = pipeline->encoder ? tt_encode_packed(pipeline->encoder, span) : NULL;
    for (size_t i = 0; i < pipeline->exporter_count; i++) {
        bool pack = packed && tt_exporter_takes_packed(pipeline->exporters[i]);

        tt_exporter_span(pipeline->exporters[i], pack ? packed : span);
    }
    for (size_t i = 0; i < pipeline->tail_count; i++)
        tt_exporter_span(pipeline->tails[i], span);
    if (pipeline->page)
        tt_exporter_span(pipeline->page, span);
    tt_otel_span_put(&packed);
}

static void count_span(struct tt_pipeline *pipeline, const struct tt_otel_span *span)
{
    if (pipeline->metrics)
        tt_metrics_span(pipeline->metrics, span);
    if (pipeline->usage)
        tt_usage_span(pipeline->usage, span);
}

static bool is_exported(const struct tt_pipeline *pipeline)
{
    return pipeline->exporter_count || pipeline->tail_count || pipeline->page || pipeline->enrich_always;
}

static void on_span(void *context, struct tt_span *span)
{
    struct tt_pipeline *pipeline = context;
    bool wanted = is_wanted(pipeline, span->tgid, span->start, span->root_tgid, &span->incomplete,
                            &pipeline->unknown);
    struct tt_otel_span *out;

    pipeline->spans++;
    pipeline->hidden += !wanted;
    if (!wanted || (!is_exported(pipeline) && !pipeline->metrics && !pipeline->usage)) {
        tt_span_free(&span);
        return;
    }
    out = tt_enrich(pipeline->enricher, &span);
    if (!out)
        return;
    if (!pipeline->started)
        pipeline->started = out->start;
    count_span(pipeline, out);
    tt_sampler_span(pipeline->sampler, out);
    tt_otel_span_put(&out);
}

/* Native telemetry shows it: counted like all others, and not exported. */
static void on_hidden(void *context, struct tt_span *span)
{
    struct tt_pipeline *pipeline = context;
    uint64_t unknown = 0;
    bool counted = (pipeline->metrics || pipeline->usage) &&
                   is_wanted(pipeline, span->tgid, span->start, span->root_tgid, &span->incomplete, &unknown);
    struct tt_otel_span *out = counted ? tt_enrich(pipeline->enricher, &span) : NULL;

    if (out)
        count_span(pipeline, out);
    tt_otel_span_put(&out);
    tt_span_free(&span);
}

static void export_log(void *context, struct tt_otel_log *log)
{
    struct tt_pipeline *pipeline = context;

    tt_otel_limit_log(log, &pipeline->log_limits);
    for (size_t i = 0; i < pipeline->exporter_count; i++)
        tt_exporter_log(pipeline->exporters[i], log);
    for (size_t i = 0; i < pipeline->tail_count; i++)
        tt_exporter_log(pipeline->tails[i], log);
    if (pipeline->page)
        tt_exporter_log(pipeline->page, log);
}

static void on_log(void *context, struct tt_log *log)
{
    struct tt_pipeline *pipeline = context;
    uint64_t unknown = 0;
    bool wanted, allowed;
    struct tt_otel_log *out;

    if (!pipeline->with_logs) { /* probes that are there yet, or a recording */
        tt_log_free(&log);
        return;
    }
    wanted = is_wanted(pipeline, log->tgid, log->time, log->root_tgid, &log->incomplete, &unknown);
    allowed = !wanted || !pipeline->log_rate ||
              tt_activity_allows(pipeline->activity, log->tgid, log->time, pipeline->log_rate);
    pipeline->logs++;
    pipeline->logs_hidden += !wanted;
    pipeline->logs_limited += !allowed;
    if (!wanted || !allowed || !is_exported(pipeline)) {
        tt_log_free(&log);
        return;
    }
    out = tt_enrich_log(pipeline->enricher, &log);
    if (!out)
        return;
    if (out->in_span && out->severity >= TT_OTEL_LOG_WARN)
        tt_sampler_mark(pipeline->sampler, out->trace_id);
    tt_sampler_log(pipeline->sampler, out);
    tt_otel_log_put(&out);
}

static void on_wait(void *context, struct tt_span *span, const struct tt_wait *wait)
{
    tt_calls_wait(((struct tt_pipeline *)context)->calls, span, wait);
}

static void record(void *context, struct tt_log *log)
{
    tt_correlator_log(((struct tt_pipeline *)context)->correlator, log);
}

/* ---- the way ---- */

void tt_pipeline_event(struct tt_pipeline *pipeline, const void *data, size_t size)
{
    const struct tt_event *event = data;

    if (size >= sizeof(*event))
        tt_activity_count(pipeline->activity, event->tgid, event->time);
    tt_assembler_event(pipeline->assembler, data, size);
}

void tt_pipeline_tick(struct tt_pipeline *pipeline, uint64_t now)
{
    tt_assembler_tick(pipeline->assembler, now);
    tt_correlator_tick(pipeline->correlator, now);
    tt_calls_tick(pipeline->calls, pipeline->assembler, now);
    tt_sampler_tick(pipeline->sampler, now);
    tt_enricher_tick(pipeline->enricher, now);
    tt_activity_tick(pipeline->activity);
    if (pipeline->metrics)
        tt_metrics_tick(pipeline->metrics, now);
    if (pipeline->usage)
        tt_usage_tick(pipeline->usage, now);
}

void tt_pipeline_forget(struct tt_pipeline *pipeline, uint32_t pid)
{
    tt_assembler_forget(pipeline->assembler, pid);
    tt_correlator_forget(pipeline->correlator, pid);
    tt_activity_forget(pipeline->activity, pid);
}

void tt_pipeline_flush(struct tt_pipeline *pipeline, uint64_t now)
{
    tt_assembler_flush(pipeline->assembler, now);
    tt_correlator_flush(pipeline->correlator);
    tt_sampler_flush(pipeline->sampler);
}

uint64_t tt_pipeline_dump(struct tt_pipeline *pipeline)
{
    return tt_sampler_dump(pipeline->sampler);
}

int tt_pipeline_add_tail(struct tt_pipeline *pipeline, struct tt_exporter *tail)
{
    if (pipeline->tail_count == TT_TAILS_MAX)
        return -EBUSY;
    pipeline->tails[pipeline->tail_count++] = tail;
    return 0;
}

void tt_pipeline_remove_tail(struct tt_pipeline *pipeline, const struct tt_exporter *tail)
{
    for (size_t i = 0; i < pipeline->tail_count; i++)
        if (pipeline->tails[i] == tail)
            pipeline->tails[i] = pipeline->tails[--pipeline->tail_count];
}

bool tt_pipeline_is_deaf(struct tt_pipeline *pipeline)
{
    size_t closed = 0;

    /* Exporters change on the thread that asks this one. */
    for (size_t i = 0; i < pipeline->exporter_count; i++)
        closed += tt_exporter_is_closed(pipeline->exporters[i]);
    return pipeline->exporter_count && closed == pipeline->exporter_count;
}

void tt_pipeline_stop(struct tt_pipeline *pipeline, unsigned wait_ms)
{
    for (size_t i = 0; i < pipeline->exporter_count; i++)
        tt_exporter_stop(pipeline->exporters[i], wait_ms);
}

/* ---- construction ---- */

struct tt_metrics_config tt_pipeline_metrics_config(const struct tt_options *o)
{
    return (struct tt_metrics_config){
        .series = o->metrics_series,
        .device = o->metrics_device,
        .attribute = o->metrics_attribute,
        .spans = o->metrics_spans,
        .graph = (enum tt_metrics_graph)o->metrics_graph,
        .exponential = o->metrics_buckets == TT_BUCKETS_EXPONENTIAL,
        .exemplars = o->metrics_exemplars,
    };
}

int tt_pipeline_make_metrics(const struct tt_options *o, struct tt_metrics **metrics)
{
    const struct tt_metrics_config config = tt_pipeline_metrics_config(o);

    if (!o->metrics_listen && !o->metrics_file && !o->metrics_exports.count)
        return 0;
    *metrics = tt_metrics_new(&config);
    return *metrics ? 0 : -ENOMEM;
}

static int make_metrics(struct tt_pipeline *pipeline, const struct tt_options *o)
{
    int error = tt_pipeline_make_metrics(o, &pipeline->metrics);

    if (error || !pipeline->metrics)
        return error;
    pipeline->own = tt_enricher_own_resource(pipeline->enricher, o->service_name);
    return pipeline->own ? 0 : -ENOMEM;
}

#define BACKGROUND_RATIO 0.01
#define HELD_MS          8000 /* back ends pair the two sides of a call within 10 s */

struct tt_sampler_config tt_pipeline_sampler_config(const struct tt_pipeline_config *config)
{
    const struct tt_options *o = config->options;
    struct tt_sampler_config sample = {
        .emit_log = export_log,
        .kind = (enum tt_sampler_kind)o->sampler,
        .ratio = 1,
        .background = config->whole || o->command ? 1 : BACKGROUND_RATIO,
        .rules = (const char *const *)o->sampling_rules.items,
        .rule_count = o->sampling_rules.count,
        .rate = o->sampling_rate,
        .errors = o->sampling_errors,
        .late = o->sampling_late,
        .slow = strcmp(o->sampling_slow, "no") != 0,
        .wait_ns = (uint64_t)o->sampling_wait * 1000000u,
        .max_spans = o->sampling_spans,
        .flight_ns = (uint64_t)o->flight_recorder * 1000000u,
        .flight_spans = o->flight_recorder_spans,
        .flight_on = (enum tt_flight_on)o->flight_recorder_on,
    };
    uint64_t ms;

    if (sample.slow && !tt_parse_duration(o->sampling_slow, &ms))
        sample.slow_ns = ms * 1000000u;
    /* Both were looked at when the options were read. */
    if (o->sampler_ratio)
        tt_rule_ratio(o->sampler_ratio, &sample.ratio);
    if (o->sampling_background)
        tt_rule_ratio(o->sampling_background, &sample.background);
    return sample;
}

int tt_pipeline_make_sampler(struct tt_pipeline *pipeline, const struct tt_pipeline_config *config,
                             struct tt_sampler **sampler)
{
    const struct tt_options *o = config->options;
    struct tt_sampler_config sample = tt_pipeline_sampler_config(config);
    _cleanup_free_ char *why = NULL;
    int error;

    if (!config->whole && o->sampling_wait + o->join_wait + o->batch_delay > HELD_MS)
        tt_warn(
            "--sampling-wait, --join-wait and --batch-delay together are more than %d s: back ends may not find both "
            "sides of a call",
            HELD_MS / 1000);
    error = tt_sampler_new(&sample, export_span, pipeline, sampler, &why);
    return error == -EINVAL ? tt_err(error, "--sampling-rules: %s", why ? why : "not valid") : error;
}

/* What turns events into spans. */
static int make_front(struct tt_pipeline *pipeline, const struct tt_pipeline_config *config)
{
    struct tt_correlator_config correlate = {
        .join_wait_ns = config->join_wait_ns,
        .seed = config->seed,
        .unix_offset = pipeline->world.unix_offset,
        .unix_context = pipeline->world.context,
        .native = config->options->native != TT_NATIVE_IGNORE,
        .native_server = is_native_server,
        .native_client = native_client,
        .native_hidden = on_hidden,
        .native_context = pipeline,
        .log = on_log,
        .wait = on_wait,
    };
    struct tt_assembler_ops ops;

    pipeline->correlator = tt_correlator_new(&correlate, on_span, pipeline);
    if (!pipeline->correlator)
        return -ENOMEM;
    ops = tt_correlator_ops(pipeline->correlator);
    pipeline->assembler = tt_assembler_new(&ops, row_of, pipeline);
    if (!pipeline->assembler)
        return -ENOMEM;
    tt_assembler_set_switching(pipeline->assembler, switches_stacks, pipeline);
    tt_assembler_set_callers(pipeline->assembler, find_caller, pipeline);
    tt_assembler_set_beats(pipeline->assembler, tt_pipeline_beat, pipeline);
    tt_assembler_set_methods(pipeline->assembler, pipeline->world.method, pipeline->world.context);
    return 0;
}

static int make_stages(struct tt_pipeline *pipeline, const struct tt_pipeline_config *config)
{
    const struct tt_calls_config calls = {
        .process = find_process,
        .record = record,
        .context = pipeline,
    };
    int error;

    pipeline->activity = tt_activity_new();
    pipeline->enricher = tt_enricher_new(&config->enrich, find_process, pipeline);
    pipeline->usage = config->usage ? tt_usage_new(0) : NULL;
    pipeline->calls = tt_calls_new(&calls);
    if (!pipeline->activity || !pipeline->enricher || !pipeline->calls || (config->usage && !pipeline->usage))
        return -ENOMEM;
    error = make_front(pipeline, config);
    return error ? error : tt_pipeline_make_sampler(pipeline, config, &pipeline->sampler);
}

int tt_pipeline_restart(struct tt_pipeline *pipeline, const struct tt_pipeline_config *config, uint64_t now)
{
    tt_assembler_flush(pipeline->assembler, now);
    tt_correlator_flush(pipeline->correlator);
    tt_assembler_free(&pipeline->assembler);
    tt_correlator_free(&pipeline->correlator);
    return make_front(pipeline, config);
}

void tt_pipeline_configure(struct tt_pipeline *pipeline, const struct tt_pipeline_config *config)
{
    pipeline->rules = config->rules;
    pipeline->join_native = config->options->native != TT_NATIVE_IGNORE;
    pipeline->skip_native = config->options->native == TT_NATIVE_SKIP;
    pipeline->with_logs = config->options->logs;
    pipeline->log_rate = config->options->log_rate;
    pipeline->limits = (struct tt_otel_limits){
        .length = config->options->attribute_length,
        .attributes = config->options->attribute_count,
        .events = config->options->event_count,
        .event_attributes = config->options->event_attribute_count,
        .links = config->options->link_count,
    };
    pipeline->log_limits = (struct tt_otel_limits){.length = config->options->log_attribute_length,
                                                   .attributes = config->options->log_attribute_count};
    tt_calls_configure(pipeline->calls, pipeline->with_logs * config->options->calls_open * TT_NS_PER_MS,
                       pipeline->with_logs * config->options->calls_wait * TT_NS_PER_MS);
}

int tt_pipeline_new(const struct tt_pipeline_config *config, struct tt_pipeline **pipeline)
{
    struct tt_pipeline *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->world = config->world;
    made->enrich_always = config->enrich_always;
    pthread_mutex_init(&made->lock, NULL);
    error = make_stages(made, config);
    if (!error)
        tt_pipeline_configure(made, config);
    if (!error)
        error = make_metrics(made, config->options);
    if (!error)
        error = tt_pipeline_make_exporters(made, config, NULL, 0);
    if (error) {
        tt_pipeline_free(&made);
        return error;
    }
    *pipeline = made;
    return 0;
}

void tt_pipeline_free(struct tt_pipeline **pipeline)
{
    struct tt_pipeline *p = *pipeline;

    if (!p)
        return;
    tt_assembler_free(&p->assembler);
    tt_correlator_free(&p->correlator);
    tt_sampler_free(&p->sampler);
    for (size_t i = 0; i < p->exporter_count; i++) {
        tt_exporter_free(&p->exporters[i]);
        free(p->origins[i]);
    }
    for (size_t i = 0; i < p->leaving_count; i++)
        tt_exporter_free(&p->leaving[i]);
    for (size_t i = 0; i < p->retired_count; i++)
        free(p->retired[i].name);
    pthread_mutex_destroy(&p->lock);
    tt_encoder_free(&p->encoder);
    tt_metrics_free(&p->metrics);
    tt_usage_free(&p->usage);
    tt_otel_resource_put(&p->own);
    tt_enricher_free(&p->enricher);
    tt_activity_free(&p->activity);
    tt_calls_free(&p->calls);
    free(p);
    *pipeline = NULL;
}
