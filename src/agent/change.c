/* SPDX-License-Identifier: GPL-2.0-only */
/* change.c: another configuration of a pipeline while events come: first everything new is made, which may
 * fail; then it is put in place, which does not. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pipeline.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "export/encode.h"
#include "options/options.h"

struct tt_pipeline_change {
    struct tt_pipeline *pipeline;
    const struct tt_pipeline_config *config;
    struct tt_pipeline made; /* its exporters and encoder only; what is of the pipeline is borrowed */
    bool exporters, resources, metrics;
    struct tt_sampler *sampler;       /* NULL: it stays */
    struct tt_metrics *fresh_metrics; /* if `metrics`; NULL: there are none any more */
    bool applied;
};

static bool borrowed(const struct tt_pipeline_change *change, const struct tt_exporter *exporter)
{
    for (size_t i = 0; i < change->pipeline->exporter_count; i++)
        if (change->pipeline->exporters[i] == exporter)
            return true;
    return false;
}

void tt_pipeline_change_free(struct tt_pipeline_change **change)
{
    struct tt_pipeline_change *c = TAKE_PTR(*change);

    if (!c)
        return;
    for (size_t i = 0; !c->applied && i < c->made.exporter_count; i++) {
        if (borrowed(c, c->made.exporters[i]))
            continue;
        tt_exporter_free(&c->made.exporters[i]);
        free(c->made.origins[i]);
    }
    if (c->made.encoder != c->pipeline->encoder)
        tt_encoder_free(&c->made.encoder);
    tt_sampler_free(&c->sampler);
    tt_metrics_free(&c->fresh_metrics);
    free(c);
}

static bool has_metrics(const struct tt_options *options)
{
    return options->metrics_listen || options->metrics_file || options->metrics_exports.count;
}

static int make(struct tt_pipeline_change *change, const struct tt_options *old)
{
    const struct tt_pipeline_config *config = change->config;
    unsigned affected = tt_options_affected(old, config->options);
    bool had = has_metrics(old), has = has_metrics(config->options);
    int error = 0;

    change->exporters = affected &
                        (TT_AFFECTS_EXPORTS | TT_AFFECTS_EXPORTERS | TT_AFFECTS_CONSOLE | TT_AFFECTS_OTLP);
    change->resources = affected & TT_AFFECTS_RESOURCES;
    /* Series that were begun go on, where their labels are the same. */
    change->metrics = had != has || (has && (affected & TT_AFFECTS_METRICS));
    if (change->exporters)
        error = tt_pipeline_make_exporters(&change->made, config, change->pipeline, affected);
    if (!error && (affected & TT_AFFECTS_SAMPLER))
        error = tt_pipeline_make_sampler(change->pipeline, config, &change->sampler);
    if (!error && change->metrics)
        error = tt_pipeline_make_metrics(config->options, &change->fresh_metrics);
    return error;
}

int tt_pipeline_change_new(struct tt_pipeline *pipeline, const struct tt_options *old,
                           const struct tt_pipeline_config *config, struct tt_pipeline_change **change)
{
    _cleanup_(tt_pipeline_change_free) struct tt_pipeline_change *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->pipeline = pipeline;
    made->config = config;
    made->made.encoder = pipeline->encoder;
    error = make(made, old);
    if (!error && made->exporters && pipeline->leaving_count)
        error = -EBUSY;
    if (!error)
        *change = TAKE_PTR(made);
    return error;
}

static bool is_kept(const struct tt_pipeline *made, const struct tt_exporter *exporter)
{
    for (size_t i = 0; i < made->exporter_count; i++)
        if (made->exporters[i] == exporter)
            return true;
    return false;
}

/* With the lock held. */
static void put_exporters(struct tt_pipeline *pipeline, struct tt_pipeline *made)
{
    bool packed = false;

    for (size_t i = 0; i < pipeline->exporter_count; i++) {
        if (is_kept(made, pipeline->exporters[i]))
            continue;
        pipeline->leaving[pipeline->leaving_count++] = pipeline->exporters[i];
        free(pipeline->origins[i]);
    }
    memcpy(pipeline->exporters, made->exporters, sizeof(made->exporters));
    memcpy(pipeline->origins, made->origins, sizeof(made->origins));
    pipeline->exporter_count = made->exporter_count;
    for (size_t i = 0; i < made->exporter_count; i++)
        packed |= tt_exporter_takes_packed(made->exporters[i]);
    if (!packed)
        tt_encoder_free(&made->encoder);
    pipeline->encoder = made->encoder;
}

static void put_metrics(struct tt_pipeline *pipeline, struct tt_pipeline_change *change)
{
    struct tt_otel_resource *own = NULL;

    if (change->fresh_metrics)
        own = tt_enricher_own_resource(pipeline->enricher, change->config->options->service_name);
    if (change->fresh_metrics && !own) {
        tt_warn("out of memory: the metrics stay as they were");
        return;
    }
    tt_metrics_free(&pipeline->metrics);
    tt_otel_resource_put(&pipeline->own);
    pipeline->metrics = TAKE_PTR(change->fresh_metrics);
    pipeline->own = own;
}

void tt_pipeline_change_apply(struct tt_pipeline *pipeline, struct tt_pipeline_change *change)
{
    const struct tt_pipeline_config *config = change->config;
    struct tt_sampler *old = NULL;

    pthread_mutex_lock(&pipeline->lock);
    if (change->exporters)
        put_exporters(pipeline, &change->made);
    if (change->sampler) {
        old = pipeline->sampler;
        tt_sampler_take_over(change->sampler, old);
        pipeline->sampler = TAKE_PTR(change->sampler);
    }
    pthread_mutex_unlock(&pipeline->lock);
    tt_sampler_free(&old);
    if (change->resources && tt_enricher_configure(pipeline->enricher, &config->enrich))
        tt_warn("out of memory: resources stay as they were");
    if (change->metrics)
        put_metrics(pipeline, change);
    tt_correlator_configure(pipeline->correlator, config->join_wait_ns,
                            config->options->native != TT_NATIVE_IGNORE);
    tt_pipeline_configure(pipeline, config);
    change->applied = true;
}

/* ---- exporters that were ---- */

/* What is in the spool now is the next exporter's. */
static void add_stats(struct tt_export_stats *sum, const struct tt_export_stats *more)
{
    static const size_t counted[] = {
        offsetof(struct tt_export_stats, queued),          offsetof(struct tt_export_stats, exported),
        offsetof(struct tt_export_stats, requests),        offsetof(struct tt_export_stats, retries),
        offsetof(struct tt_export_stats, bytes),           offsetof(struct tt_export_stats, dropped_queue),
        offsetof(struct tt_export_stats, dropped_debug),   offsetof(struct tt_export_stats, dropped_rootless),
        offsetof(struct tt_export_stats, dropped_refused), offsetof(struct tt_export_stats, dropped_timeout),
        offsetof(struct tt_export_stats, dropped_error),   offsetof(struct tt_export_stats, dropped_spool),
        offsetof(struct tt_export_stats, dropped_age),     offsetof(struct tt_export_stats, dropped_damaged),
        offsetof(struct tt_export_stats, operations),      offsetof(struct tt_export_stats, operation_us),
        offsetof(struct tt_export_stats, processed),
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(counted); i++)
        *(uint64_t *)((char *)sum + counted[i]) += *(const uint64_t *)((const char *)more + counted[i]);
    for (enum tt_operation how = 0; how < TT_OPERATIONS; how++)
        for (unsigned i = 0; i < TT_DURATION_SLOTS; i++)
            sum->durations[how].slots[i] += more->durations[how].slots[i];
}

/* Its own, or the last one, which is then that of several. */
static struct tt_retired *retired_like(struct tt_pipeline *pipeline, const char *name)
{
    struct tt_retired *last = &pipeline->retired[TT_RETIRED_MAX - 1];

    for (size_t i = 0; i < pipeline->retired_count; i++)
        if (pipeline->retired[i].name && !strcmp(pipeline->retired[i].name, name))
            return &pipeline->retired[i];
    if (pipeline->retired_count == TT_RETIRED_MAX) {
        free(TAKE_PTR(last->name));
        last->name = strdup("others");
        return last;
    }
    pipeline->retired[pipeline->retired_count].name = strdup(name);
    return &pipeline->retired[pipeline->retired_count++];
}

static void retire(struct tt_pipeline *pipeline)
{
    struct tt_exporter *exporter = pipeline->leaving[0];
    struct tt_retired *retired;
    struct tt_export_stats s;

    pthread_mutex_lock(&pipeline->lock);
    retired = retired_like(pipeline, tt_exporter_name(exporter));
    tt_exporter_stats(exporter, &s);
    add_stats(&retired->spans, &s);
    tt_exporter_log_stats(exporter, &s);
    add_stats(&retired->logs, &s);
    pipeline->leaving[0] = pipeline->leaving[pipeline->leaving_count - 1];
    pipeline->leaving_count--;
    pthread_mutex_unlock(&pipeline->lock);
    tt_exporter_free(&exporter);
}

void tt_pipeline_retire(struct tt_pipeline *pipeline, unsigned wait_ms)
{
    while (pipeline->leaving_count) { /* nobody else changes it as long as it is not 0 */
        tt_exporter_stop(pipeline->leaving[0], wait_ms);
        retire(pipeline);
    }
}

static void visit_one(struct tt_exporter *exporter, bool gone,
                      void (*visit)(void *context, const struct tt_exporter_figures *figures), void *context)
{
    struct tt_exporter_figures f = {.name = tt_exporter_name(exporter), .gone = gone};

    tt_exporter_stats(exporter, &f.spans);
    tt_exporter_log_stats(exporter, &f.logs);
    visit(context, &f);
}

void tt_pipeline_each_exporter(struct tt_pipeline *pipeline,
                               void (*visit)(void *context, const struct tt_exporter_figures *figures),
                               void *context)
{
    pthread_mutex_lock(&pipeline->lock);
    for (size_t i = 0; i < pipeline->exporter_count; i++)
        visit_one(pipeline->exporters[i], false, visit, context);
    for (size_t i = 0; i < pipeline->leaving_count; i++)
        visit_one(pipeline->leaving[i], true, visit, context);
    for (size_t i = 0; i < pipeline->retired_count; i++) {
        const struct tt_retired *r = &pipeline->retired[i];
        const struct tt_exporter_figures f = {r->name ? r->name : "?", r->spans, r->logs, true};

        visit(context, &f);
    }
    pthread_mutex_unlock(&pipeline->lock);
}
