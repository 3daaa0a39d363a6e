/* SPDX-License-Identifier: GPL-2.0-only */
/* exporters.c: the exporters of a pipeline, as the options name them, made anew or taken over from the one
 * before. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "agent/pipeline.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "export/encode.h"
#include "options/options.h"

struct tt_otlp_config tt_pipeline_otlp(const struct tt_otlp_options *options)
{
    return (struct tt_otlp_config){
        .headers = options->headers,
        .timeout_ms = options->timeout,
        .encoding = (enum tt_encoding)options->compression,
        .json = options->protocol == TT_PROTOCOL_JSON,
        .certificate = options->certificate,
        .client_certificate = options->client_certificate,
        .client_key = options->client_key,
    };
}

static bool is_otlp(const char *spec)
{
    return !strncmp(spec, "otlp", strlen("otlp"));
}

static bool is_logs(const char *spec)
{
    return !strncmp(spec, TT_EXPORT_LOGS, strlen(TT_EXPORT_LOGS));
}

/* `origin`: see struct tt_pipeline. */
static int make_exporter(struct tt_pipeline *pipeline, struct tt_export_config config, const char *spec,
                         const char *origin)
{
    bool exact = !strncmp(spec, TT_EXPORT_TRACES, strlen(TT_EXPORT_TRACES));
    _cleanup_free_ char *why = NULL;
    int error;

    if (pipeline->exporter_count == TT_EXPORTERS_MAX)
        return tt_err(-E2BIG, "more than %d --export: leave some out", TT_EXPORTERS_MAX);
    if (exact) {
        config.otlp[TT_SIGNAL_SPANS].url = spec + strlen(TT_EXPORT_TRACES);
        config.logs &= config.otlp[TT_SIGNAL_LOGS].url != NULL; /* that URL says nothing about them */
    }
    config.no_spans = is_logs(spec);
    if (config.no_spans)
        config.otlp[TT_SIGNAL_LOGS].url = spec + strlen(TT_EXPORT_LOGS);
    error = tt_exporter_new(exact || config.no_spans ? "otlp" : spec, &config,
                            &pipeline->exporters[pipeline->exporter_count], &why);
    if (error) /* whatever it is: the command line asked for it */
        return tt_err(error == -ENOMEM ? error : -EINVAL, "--export %s: %s", spec,
                      why ? why : strerror(-error));
    if (tt_exporter_takes_packed(pipeline->exporters[pipeline->exporter_count]) && !pipeline->encoder)
        pipeline->encoder = tt_encoder_new();
    pipeline->origins[pipeline->exporter_count] = strdup(origin);
    return pipeline->origins[pipeline->exporter_count++] ? 0 : -ENOMEM;
}

/* Would one of that spec be another than it was, though that is the same? */
static bool is_affected(const char *spec, unsigned affected)
{
    return (affected & TT_AFFECTS_EXPORTERS) || ((affected & TT_AFFECTS_OTLP) && is_otlp(spec)) ||
           ((affected & TT_AFFECTS_CONSOLE) && !strcmp(spec, "console"));
}

static bool take_same(struct tt_pipeline *pipeline, const struct tt_pipeline *old, const char *origin)
{
    for (size_t i = 0; i < old->exporter_count; i++) {
        bool taken = false;

        for (size_t j = 0; j < pipeline->exporter_count; j++)
            taken |= pipeline->exporters[j] == old->exporters[i];
        if (taken || strcmp(old->origins[i], origin) != 0 || pipeline->exporter_count == TT_EXPORTERS_MAX)
            continue;
        pipeline->exporters[pipeline->exporter_count] = old->exporters[i];
        pipeline->origins[pipeline->exporter_count++] = old->origins[i];
        return true;
    }
    return false;
}

#define CONSOLE_RATE 20 /* traces per second: what a person can read */

/* Of a command, and of a recording, all are wanted. */
static unsigned console_rate(const struct tt_pipeline_config *config)
{
    const struct tt_options *options = config->options;

    if (options->console_rate)
        return options->console_rate;
    return config->batch_by_count || options->command ? UINT_MAX : CONSOLE_RATE;
}

struct tt_export_config tt_pipeline_export_config(const struct tt_pipeline_config *config)
{
    const struct tt_options *o = config->options;

    return (struct tt_export_config){
        .queues = {{o->queue_size, o->batch_size, config->batch_by_count ? UINT_MAX : o->batch_delay},
                   {o->log_queue_size, o->log_batch_size,
                    config->batch_by_count ? UINT_MAX : o->log_batch_delay}},
        .memory = o->queue_memory,
        .otlp = {tt_pipeline_otlp(&o->otlp_of[TT_OTLP_TRACES]), tt_pipeline_otlp(&o->otlp_of[TT_OTLP_LOGS])},
        .color = o->color == TT_COLOR_ALWAYS || (o->color == TT_COLOR_AUTO && isatty(STDOUT_FILENO)),
        .all_roots = o->all_roots,
        .console_rate = console_rate(config),
        .filter = o->filter,
        .logs = o->logs,
        .spool = o->spool_dir,
        .spool_bytes = o->spool_size,
        .spool_age_ms = o->spool_age,
        .spool_rate = o->spool_rate,
        .held_ms = o->join_wait + o->sampling_wait,
        .wait = config->wait_for_exporters,
        .silence = config->silence,
        .silence_context = config->silence_context,
    };
}

int tt_pipeline_make_exporters(struct tt_pipeline *pipeline, const struct tt_pipeline_config *config,
                               const struct tt_pipeline *old, unsigned affected)
{
    struct tt_export_config export = tt_pipeline_export_config(config);
    const struct tt_list *specs = &config->options->exports;
    const char *logs_url = config->options->otlp_of[TT_OTLP_LOGS].endpoint;

    for (size_t i = 0; i < specs->count; i++) {
        const char *spec = specs->items[i];
        _cleanup_free_ char *origin = NULL;
        int error = 0;

        if (!strcmp(spec, "none") || (is_logs(spec) && !export.logs))
            continue;
        export.otlp[TT_SIGNAL_LOGS].url = is_otlp(spec) ? logs_url : NULL;
        if (is_otlp(spec))
            logs_url = NULL; /* further ones have their own: nothing comes twice */
        origin = export.otlp[TT_SIGNAL_LOGS].url ? tt_format("%s %s", spec, export.otlp[TT_SIGNAL_LOGS].url)
                                                 : strdup(spec);
        if (!origin)
            return -ENOMEM;
        if (!old || is_affected(spec, affected) || !take_same(pipeline, old, origin))
            error = make_exporter(pipeline, export, spec, origin);
        if (error)
            return error;
    }
    return 0;
}
