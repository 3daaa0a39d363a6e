/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pipeline.h: the way of the data behind the ring buffer or a recording: event -> assembler -> correlator ->
 * enricher -> exporters. The running agent and `replay` build the same one and differ in the `tt_world` they
 * give it, which answers what the events alone do not tell. One thread feeds it; all functions but
 * the figures of the pipeline and of the exporters belong to that thread.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/calls.h"
#include "assemble/assemble.h"
#include "base/json.h"
#include "correlate/correlate.h"
#include "discover/process.h"
#include "enrich/enrich.h"
#include "enrich/limits.h"
#include "export/export.h"
#include "metrics/metrics.h"
#include "metrics/usage.h"
#include "sample/sample.h"

#define TT_EXPORTERS_MAX 8
#define TT_TAILS_MAX     4  /* who watch the running agent */
#define TT_RETIRED_MAX   16 /* names of exporters that are no more */

struct tt_options;
struct tt_activity;

/* What the pipeline asks; called on the feeding thread. */
struct tt_world {
    /* Catalogue row of a point index; NULL: unknown. */
    const struct tt_row *(*row)(void *context, uint32_t point);
    /* A reference to the process of a pid at a monotonic time, or NULL. */
    struct tt_process *(*process)(void *context, uint32_t pid, uint64_t time);
    /* Unix time minus CLOCK_MONOTONIC in ns at the monotonic time `now`; NULL: measured. */
    int64_t (*unix_offset)(void *context, uint64_t now);
    /* Are traces shown whose root is of that process? NULL: all are. */
    bool (*shown)(void *context, uint32_t root_tgid);
    /* Native telemetry was found in a process that is to be left alone then (--native skip); may be NULL. */
    void (*native)(void *context, uint32_t pid);
    /* tt_method_fn; NULL: nothing is known of what interpreters run. */
    bool (*method)(void *context, struct tt_span *span);
    /* The code that called, into the span; false: not known. NULL: as above. */
    bool (*caller)(void *context, struct tt_span *span);
    void *context;
};

struct tt_pipeline_config {
    struct tt_world world;
    const struct tt_options *options; /* exporters and their settings; must outlive the pipeline */
    struct tt_enrich_config enrich;
    uint64_t join_wait_ns;
    uint64_t seed; /* of ids; 0: random */
    bool rules;    /* the user selects: spans of processes of which nothing is known are not shown */
    /* A recording as fast as it goes: exporters make the feeding thread wait, where else they would drop, and
     * their batches depend on the number of spans only, so that a second run writes the same. */
    bool batch_by_count;
    bool whole; /* polling and events are wanted like everything else, unless the options say otherwise */
    bool wait_for_exporters;
    bool enrich_always; /* make the final spans although nobody exports them */
    bool usage;         /* somebody may ask who asks whom */
    void (*silence)(void *context, char *buffer, size_t size); /* tt_export_config.silence */
    void *silence_context;
};

/* An exporter that was taken away while the agent runs, or several of one name: what they counted. */
struct tt_retired {
    char *name;
    struct tt_export_stats spans, logs;
};

struct tt_pipeline {
    struct tt_world world;
    struct tt_assembler *assembler;
    struct tt_correlator *correlator;
    struct tt_enricher *enricher;
    struct tt_metrics *metrics;   /* NULL: none are made */
    struct tt_usage *usage;       /* NULL: nobody asks */
    struct tt_otel_resource *own; /* the agent's, for metrics */
    uint64_t started;             /* of the first span, unix ns; 0: there was none yet */
    /* What can be put in place of another while the agent runs is guarded against those who read figures on
     * other threads: the sampler and the exporters themselves, not what the feeding thread does with them. */
    pthread_mutex_t lock;
    struct tt_sampler *sampler;
    struct tt_calls *calls; /* open ones */
    struct tt_exporter *exporters[TT_EXPORTERS_MAX];
    char
        *origins[TT_EXPORTERS_MAX]; /* what they were made of: the spec, and the logs' URL where it has one */
    size_t exporter_count;
    struct tt_exporter *leaving[TT_EXPORTERS_MAX]; /* taken away; they send what they have */
    size_t leaving_count;
    struct tt_retired retired[TT_RETIRED_MAX];
    size_t retired_count;
    struct tt_encoder *encoder; /* packs spans for the exporters that take them so; NULL: none does */
    struct tt_exporter *tails[TT_TAILS_MAX]; /* not owned */
    size_t tail_count;
    struct tt_exporter *page; /* the built-in page; NULL: none; not owned */
    bool rules, enrich_always, skip_native, join_native;
    struct tt_activity *activity; /* events per process */
    uint64_t spans, hidden;       /* made; of these not exported because not asked for */
    uint64_t unknown;             /* of these because their process ended before it was looked at */
    bool with_logs;               /* they are wanted */
    struct tt_otel_limits limits; /* of what is exported */
    struct tt_otel_limits log_limits;
    unsigned log_rate;          /* log records per second and process; 0: no limit */
    uint64_t logs, logs_hidden; /* made; not exported because not asked for */
    uint64_t logs_limited;      /* dropped because their process wrote more than log_rate */
};

struct tt_otlp_options;

/* As an exporter wants them, but for the URL; points into the options. */
struct tt_otlp_config tt_pipeline_otlp(const struct tt_otlp_options *options);

/* 0; -EINVAL, -E2BIG: an --export that makes no sense (logged); other errno. */
int tt_pipeline_new(const struct tt_pipeline_config *config, struct tt_pipeline **pipeline);
void tt_pipeline_free(struct tt_pipeline **pipeline);
/* All threads and connections are others from here on: closes and emits everything but what is sampled and
 * exported, which goes on. Of the config what concerns these counts. */
int tt_pipeline_restart(struct tt_pipeline *pipeline, const struct tt_pipeline_config *config, uint64_t now);

/* One event as it came from the ring buffer; untrusted. */
void tt_pipeline_event(struct tt_pipeline *pipeline, const void *data, size_t size);
/* Time passes; CLOCK_MONOTONIC ns. */
void tt_pipeline_tick(struct tt_pipeline *pipeline, uint64_t now);
/* The frames of that process are void: another program runs under the pid, or it is not traced any more. */
void tt_pipeline_forget(struct tt_pipeline *pipeline, uint32_t pid);
/* Exports what the flight recorder has; number of spans. */
uint64_t tt_pipeline_dump(struct tt_pipeline *pipeline);
/* What is exported goes to that exporter as well, which stays the caller's. 0 or -EBUSY: there are enough. */
int tt_pipeline_add_tail(struct tt_pipeline *pipeline, struct tt_exporter *tail);
void tt_pipeline_remove_tail(struct tt_pipeline *pipeline, const struct tt_exporter *tail);
/* No more events: closes and emits everything. */
void tt_pipeline_flush(struct tt_pipeline *pipeline, uint64_t now);
/* Nobody reads what is exported any more: every exporter writes to a pipe whose reader is gone. */
bool tt_pipeline_is_deaf(struct tt_pipeline *pipeline);
/* Sends what the exporters hold, each for at most `wait_ms`, and ends them. */
void tt_pipeline_stop(struct tt_pipeline *pipeline, unsigned wait_ms);

/* ---- change.c: another configuration, while events come ---- */

struct tt_pipeline_change;

/* Makes all that `config` asks for and `old` did not, without touching anything: 0; -EINVAL, -E2BIG:
 * something makes no sense (logged); -ENOMEM. */
int tt_pipeline_change_new(struct tt_pipeline *pipeline, const struct tt_options *old,
                           const struct tt_pipeline_config *config, struct tt_pipeline_change **change);
/* Puts it in place; on the feeding thread. Spans that are open or held stay. */
void tt_pipeline_change_apply(struct tt_pipeline *pipeline, struct tt_pipeline_change *change);
/* What was not applied is thrown away. Accepts NULL. */
void tt_pipeline_change_free(struct tt_pipeline_change **change);
/* Lets exporters that were taken away send what they have, each for at most `wait_ms`; on any thread, one at
 * a time. */
void tt_pipeline_retire(struct tt_pipeline *pipeline, unsigned wait_ms);

struct tt_exporter_figures {
    const char *name;
    struct tt_export_stats spans, logs;
    bool gone; /* it gets nothing any more */
};
/* Calls `visit` for each exporter there is, and was; on any thread. */
void tt_pipeline_each_exporter(struct tt_pipeline *pipeline,
                               void (*visit)(void *context, const struct tt_exporter_figures *figures),
                               void *context);

/* pipeline.c, for change.c. The exporters of `config`; those of `old` (may be NULL) that were made of the
 * same, and are not among what is `affected` (enum tt_affected), are taken as they are. Errors as of
 * tt_pipeline_new; those made newly are in pipeline->exporters then. */
int tt_pipeline_make_exporters(struct tt_pipeline *pipeline, const struct tt_pipeline_config *config,
                               const struct tt_pipeline *old, unsigned affected);
int tt_pipeline_make_sampler(struct tt_pipeline *pipeline, const struct tt_pipeline_config *config,
                             struct tt_sampler **sampler);
/* *metrics NULL: none are asked for. */
int tt_pipeline_make_metrics(const struct tt_options *options, struct tt_metrics **metrics);
/* What those are made with, of all the options; exporters of OTLP are given their URLs besides. A row of the
 * table says it affects them if and only if it changes these (a test goes over all). */
struct tt_export_config tt_pipeline_export_config(const struct tt_pipeline_config *config);
struct tt_sampler_config tt_pipeline_sampler_config(const struct tt_pipeline_config *config);
struct tt_metrics_config tt_pipeline_metrics_config(const struct tt_options *options);
/* What needs no room. */
void tt_pipeline_configure(struct tt_pipeline *pipeline, const struct tt_pipeline_config *config);

/* ---- activity.c: how many events each process gave, and when the last ---- */

struct tt_activity *tt_activity_new(void);
void tt_activity_free(struct tt_activity **activity);
void tt_activity_count(struct tt_activity *activity, uint32_t pid, uint64_t time);
/* False: none yet. */
bool tt_activity_get(const struct tt_activity *activity, uint32_t pid, uint64_t *events, uint64_t *last);
void tt_activity_forget(struct tt_activity *activity, uint32_t pid);
/* What the feeding thread asks about a process again and again. */
enum tt_trait {
    TT_TRAIT_SWITCHES = 1, /* its stacks switch */
    TT_TRAIT_NATIVE = 2,   /* native telemetry is on in it, by its environment */
};
/* Traits of that process, or-ed. Asks `look` once a round (tick) and process. */
unsigned tt_activity_traits(struct tt_activity *activity, uint32_t pid,
                            unsigned (*look)(void *context, uint32_t pid), void *context);
/* One more of something of which a process may have `rate` per second (of its own clock: `time`); false: no
 * more in this second. */
bool tt_activity_allows(struct tt_activity *activity, uint32_t pid, uint64_t time, unsigned rate);
/* A request of the process carried native's trace context: true the first time. And: has one? */
bool tt_activity_native_seen(struct tt_activity *activity, uint32_t pid);
bool tt_activity_is_native(const struct tt_activity *activity, uint32_t pid);
void tt_activity_tick(struct tt_activity *activity);

/* ---- figures.c: what was counted, for status and the last line ---- */

struct tt_pipeline_figures {
    struct tt_assembler_stats assemble;
    struct tt_correlator_stats correlate;
    uint64_t spans, hidden, unknown, enrich_failures;
    uint64_t logs, logs_hidden, logs_limited;
};
/* A copy; on the feeding thread. */
void tt_pipeline_figures(const struct tt_pipeline *pipeline, struct tt_pipeline_figures *figures);

/* Members "assemble", "correlate", "spans" and "exporters" of an open JSON object. */
void tt_pipeline_json(struct tt_json *json, struct tt_pipeline *pipeline,
                      const struct tt_pipeline_figures *figures);

struct tt_loss {
    const char *reason;
    uint64_t count;
};
/* The last line: what was seen, made, exported and lost; `losses` (ended by reason NULL) are those before the
 * pipeline. Returns the number of lost items. */
uint64_t tt_pipeline_report(struct tt_pipeline *pipeline, uint64_t seen, const struct tt_loss *losses);

/* A table of 64-bit counters of one struct, ended by name NULL. */
struct tt_figure {
    const char *name;
    size_t offset;
};
#define TT_FIGURE(type, field)                                                                               \
    {                                                                                                        \
#field, offsetof(struct type, field)                                                                 \
    }
void tt_figures_json(struct tt_json *json, const char *key, const struct tt_figure *figures,
                     const void *from);
