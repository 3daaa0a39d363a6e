/* SPDX-License-Identifier: GPL-2.0-only */
/* setup.c: a sampler's beginning and end, and its figures. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "sample/internal.h"

/* ---- life ------------------------------------------------------------------------------------------- */

static double base_ratio(const struct tt_sampler_config *config)
{
    switch (config->kind) {
    case TT_SAMPLER_ALWAYS_OFF:
    case TT_SAMPLER_PARENT_ALWAYS_OFF:
        return 0;
    case TT_SAMPLER_RATIO:
    case TT_SAMPLER_PARENT_RATIO:
        return config->ratio;
    default:
        return 1;
    }
}

static int read_rules(struct tt_sampler *sampler, char **error)
{
    const struct tt_sampler_config *config = &sampler->config;
    double base = base_ratio(config);
    struct row *own;

    if (config->rule_count > TT_SAMPLE_RULES_MAX) {
        *error = tt_format("more than %d sampling rules", TT_SAMPLE_RULES_MAX);
        return -EINVAL;
    }
    sampler->rules = calloc(config->rule_count + 1, sizeof(*sampler->rules));
    sampler->rows = calloc(config->rule_count + ROWS_OWN, sizeof(*sampler->rows));
    if (!sampler->rules || !sampler->rows)
        return -ENOMEM;
    for (size_t i = 0; i < config->rule_count; i++) {
        int err = tt_rule_parse(config->rules[i], &sampler->rules[i], error);

        if (err)
            return err;
        sampler->rule_count++;
        sampler->rows[i].name = sampler->rules[i].text;
        sampler->rows[i].threshold = tt_threshold_of_ratio(sampler->rules[i].ratio);
    }
    own = &sampler->rows[config->rule_count];
    own[ROW_BACKGROUND].name = "polling and events";
    own[ROW_BACKGROUND].threshold = tt_threshold_of_ratio(config->background < base ? config->background
                                                                                    : base);
    own[ROW_OTHERS].name = "others";
    own[ROW_OTHERS].threshold = tt_threshold_of_ratio(base);
    own[ROW_RATE].name = "over the rate";
    return 0;
}

int tt_sampler_new(const struct tt_sampler_config *config,
                   void (*emit)(void *context, struct tt_otel_span *span), void *context,
                   struct tt_sampler **sampler, char **error)
{
    _cleanup_(tt_sampler_free) struct tt_sampler *made = calloc(1, sizeof(*made));
    int err;

    if (!made)
        return -ENOMEM;
    made->config = *config;
    made->emit = emit;
    made->context = context;
    made->parent_based = config->kind >= TT_SAMPLER_PARENT_ALWAYS_ON;
    err = read_rules(made, error);
    if (err)
        return err;
    made->config.rules = NULL; /* the caller's */
    made->may_drop = config->rule_count || config->rate || made->parent_based ||
                     made->rows[config->rule_count + ROW_BACKGROUND].threshold != TT_TH_ALL ||
                     made->rows[config->rule_count + ROW_OTHERS].threshold != TT_TH_ALL;
    made->slow = tt_slow_new();
    if (config->flight_ns && config->flight_spans)
        made->flight = tt_flight_new(config->flight_spans, config->flight_ns);
    if (!made->slow || (config->flight_ns && config->flight_spans && !made->flight))
        return -ENOMEM;
    *sampler = TAKE_PTR(made);
    return 0;
}

void tt_sampler_free(struct tt_sampler **sampler)
{
    struct tt_sampler *s = TAKE_PTR(*sampler);
    struct held *held, *next;
    struct decided *decided, *following;
    struct mark *mark, *after;
    struct written *written, *later;

    if (!s)
        return;
    HASH_ITER(hh, s->written, written, later)
    {
        HASH_DEL(s->written, written);
        tt_logs_put(&written->logs);
        free(written);
    }
    HASH_ITER(hh, s->held, held, next)
    {
        HASH_DEL(s->held, held);
        tt_spans_put(&held->spans);
        free(held);
    }
    HASH_ITER(hh, s->decided, decided, following)
    {
        HASH_DEL(s->decided, decided);
        free(decided);
    }
    HASH_ITER(hh, s->marks, mark, after)
    {
        HASH_DEL(s->marks, mark);
        free(mark);
    }
    for (size_t i = 0; i < s->rule_count; i++)
        tt_rule_free(&s->rules[i]);
    free(s->rules);
    free(s->rows);
    tt_slow_free(&s->slow);
    tt_flight_free(&s->flight);
    free(s);
}

/* ---- figures ---------------------------------------------------------------------------------------- */

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

uint64_t tt_sampler_dropped(const struct tt_sampler *sampler)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < sampler->rule_count + ROWS_OWN; i++)
        sum += load(&sampler->rows[i].dropped_spans);
    return sum;
}

static void put_rules(struct tt_json *json, const struct tt_sampler *sampler)
{
    tt_json_array(json, "rules");
    for (size_t i = 0; i < sampler->rule_count + ROWS_OWN; i++) {
        const struct row *row = &sampler->rows[i];

        tt_json_object(json, NULL);
        tt_json_string(json, "rule", row->name);
        tt_json_uint(json, "kept_traces", load(&row->kept));
        tt_json_uint(json, "dropped_traces", load(&row->dropped));
        tt_json_uint(json, "kept_spans", load(&row->kept_spans));
        tt_json_uint(json, "dropped_spans", load(&row->dropped_spans));
        tt_json_object_end(json);
    }
    tt_json_array_end(json);
}

void tt_sampler_json(struct tt_json *json, const struct tt_sampler *sampler)
{
    static const char *const tails[TAILS] = {[TAIL_FAILED] = "kept_failed",
                                             [TAIL_LATE] = "kept_late",
                                             [TAIL_MARKED] = "kept_marked",
                                             [TAIL_SLOW] = "kept_slow",
                                             [TAIL_OPEN] = "kept_open"};
    uint64_t kept = 0;

    for (size_t i = 0; i < sampler->rule_count + ROWS_OWN; i++)
        kept += load(&sampler->rows[i].kept_spans);
    tt_json_object(json, "sampling");
    tt_json_uint(json, "passed", load(&sampler->passed));
    tt_json_uint(json, "kept", kept);
    tt_json_uint(json, "dropped", tt_sampler_dropped(sampler));
    tt_json_uint(json, "held", load(&sampler->waiting));
    tt_json_uint(json, "early", load(&sampler->early));
    tt_json_uint(json, "late", load(&sampler->late));
    for (size_t i = 1; i < TAILS; i++)
        tt_json_uint(json, tails[i], load(&sampler->tails[i]));
    tt_json_uint(json, "logs_held", load(&sampler->logs_held));
    tt_json_uint(json, "logs_dropped", load(&sampler->logs_dropped));
    tt_json_uint(json, "over_rate", load(&sampler->over_rate));
    tt_json_uint(json, "recorder", load(&sampler->remembered));
    tt_json_uint(json, "dumps", load(&sampler->dumps));
    tt_json_uint(json, "dumped", load(&sampler->dumped));
    put_rules(json, sampler);
    tt_json_object_end(json);
}
