/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/expose.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define NS_PER_S 1000000000u

/* ---- negotiation ---- */

/* Clients that know OpenMetrics name it; its weight (q=) is above that of the other format in all of them,
 * unless it is 0. */
enum tt_expose_format tt_expose_accepted(const char *accept)
{
    static const char media[] = "application/openmetrics-text";
    const char *found = accept ? strstr(accept, media) : NULL;
    size_t length = found ? strcspn(found, ",") : 0;
    const char *weight = found ? memmem(found, length, "q=0", 3) : NULL;

    if (!found || (weight && strspn(weight + 3, ".0") == strcspn(weight + 3, ",; ")))
        return TT_EXPOSE_TEXT;
    return TT_EXPOSE_OPENMETRICS;
}

const char *tt_expose_content_type(enum tt_expose_format format)
{
    return format == TT_EXPOSE_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                           : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- names ---- */

static bool ends_with(const struct tt_text *text, const char *end)
{
    size_t length = strlen(end);

    return text->size >= length && !memcmp(text->data + text->size - length, end, length);
}

static void add_suffix(struct tt_text *name, const char *suffix)
{
    if (!ends_with(name, suffix))
        tt_text_puts(name, suffix);
}

/* Letters, digits and '_' are left, everything else is '_'. */
static void add_sanitized(struct tt_text *out, const char *name)
{
    for (; *name; name++) {
        bool plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                     (*name >= '0' && *name <= '9');

        tt_text_add(out, plain ? name : "_", 1);
    }
}

/* By the rules of OpenTelemetry for Prometheus: the unit is a suffix, and `_total` that of counters, unless
 * the name says so already. */
static const char *unit_suffix(const char *unit, enum tt_metric_type type)
{
    if (!strcmp(unit, "s"))
        return "seconds";
    if (!strcmp(unit, "By"))
        return "bytes";
    return !strcmp(unit, "1") && type == TT_METRIC_GAUGE ? "ratio" : NULL;
}

struct head {
    const char *name, *unit, *help;
    enum tt_metric_type type;
};

/* Leaves the name of the metric in expose->name, without `_total`. */
static void make_name(struct tt_expose *expose, const struct head *head)
{
    const char *unit = unit_suffix(head->unit, head->type);
    struct tt_text *name = &expose->name;

    name->size = 0;
    add_sanitized(name, head->name);
    if (ends_with(name, "_total"))
        name->size -= strlen("_total");
    if (unit) {
        char suffix[16];

        snprintf(suffix, sizeof(suffix), "_%s", unit);
        add_suffix(name, suffix);
    }
    tt_text_add(name, "", 0);
}

static void add_name(struct tt_text *out, const struct tt_expose *expose, const char *suffix)
{
    tt_text_add(out, expose->name.data, expose->name.size);
    tt_text_puts(out, suffix);
}

static void add_head(struct tt_expose *expose, const struct head *head, struct tt_text *out)
{
    static const char *const types[] = {"counter", "gauge", "gauge", "histogram"};
    bool open = expose->format == TT_EXPOSE_OPENMETRICS;
    const char *total = head->type == TT_METRIC_COUNTER && !open ? "_total" : "";
    const char *unit = unit_suffix(head->unit, head->type);

    make_name(expose, head);
    tt_text_puts(out, "# HELP ");
    add_name(out, expose, total);
    tt_text_printf(out, " %s\n# TYPE ", head->help);
    add_name(out, expose, total);
    tt_text_printf(out, " %s\n", types[head->type]);
    if (open && unit) {
        tt_text_puts(out, "# UNIT ");
        add_name(out, expose, "");
        tt_text_printf(out, " %s\n", unit);
    }
}

/* ---- labels and values ---- */

static void add_label(struct tt_text *out, bool *any, const char *key, const char *value)
{
    if (!*value)
        return;
    tt_text_puts(out, *any ? "," : "{");
    *any = true;
    add_sanitized(out, key);
    tt_text_puts(out, "=\"");
    while (*value) {
        size_t plain = strcspn(value, "\\\"\n");

        tt_text_add(out, value, plain);
        value += plain;
        if (!*value)
            break;
        tt_text_puts(out, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : "\\\\");
        value++;
    }
    tt_text_puts(out, "\"");
}

/* Of a point: a series, or a figure. */
struct labelled {
    const struct tt_series *series; /* NULL: a figure */
    const struct tt_metric_figure *figure;
};

static void add_labels(struct tt_text *out, struct labelled point, const char *le)
{
    const struct tt_label *labels = point.series ? tt_families[tt_series_family(point.series)].labels : NULL;
    bool any = false;

    for (unsigned i = 0; labels && labels[i].key; i++)
        add_label(out, &any, labels[i].key, tt_series_label(point.series, i));
    for (unsigned i = 0; point.figure && i < TT_FIGURE_LABELS && point.figure->labels[i].key; i++)
        add_label(out, &any, point.figure->labels[i].key, point.figure->labels[i].value);
    if (le)
        add_label(out, &any, "le", le);
    if (any)
        tt_text_puts(out, "}");
}

/* Nanoseconds as seconds, exactly. */
static void add_seconds(struct tt_text *out, uint64_t ns)
{
    tt_text_printf(out, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

static void add_exemplar(struct tt_text *out, const struct tt_exemplar *exemplar)
{
    tt_text_puts(out, " # {trace_id=\"");
    for (size_t i = 0; i < sizeof(exemplar->trace_id); i++)
        tt_text_printf(out, "%02x", exemplar->trace_id[i]);
    tt_text_puts(out, "\",span_id=\"");
    for (size_t i = 0; i < sizeof(exemplar->span_id); i++)
        tt_text_printf(out, "%02x", exemplar->span_id[i]);
    tt_text_puts(out, "\"} ");
    add_seconds(out, exemplar->value);
    tt_text_puts(out, " ");
    add_seconds(out, exemplar->time);
}

/* The bound as a number; OpenMetrics wants it to be seen that it is none of integers. */
static void format_bound(char *text, size_t size, uint64_t ns, bool open)
{
    snprintf(text, size, "%.10g", (double)ns / NS_PER_S);
    if (open && !strpbrk(text, ".e"))
        strncat(text, ".0", size - strlen(text) - 1);
}

struct histogram {
    const uint64_t *bounds, *values; /* values: TT_SLOT_* */
    unsigned bound_count;
    const struct tt_exemplar *exemplar; /* NULL: there is none */
};

static void add_histogram(const struct tt_expose *expose, const struct histogram *h, struct labelled point,
                          struct tt_text *out)
{
    bool open = expose->format == TT_EXPOSE_OPENMETRICS;
    const uint64_t *values = h->values;
    uint64_t sum = 0;

    for (unsigned i = 0; i <= h->bound_count; i++) {
        bool last = i == h->bound_count;
        char bound[32] = "+Inf";

        if (!last)
            format_bound(bound, sizeof(bound), h->bounds[i], open);
        sum += values[TT_SLOT_BUCKETS + i];
        add_name(out, expose, "_bucket");
        add_labels(out, point, bound);
        tt_text_printf(out, " %" PRIu64, sum);
        if (open && h->exemplar && h->exemplar->time && (last || h->exemplar->value <= h->bounds[i]) &&
            (!i || h->exemplar->value > h->bounds[i - 1]))
            add_exemplar(out, h->exemplar);
        tt_text_puts(out, "\n");
    }
    add_name(out, expose, "_sum");
    add_labels(out, point, NULL);
    tt_text_puts(out, " ");
    add_seconds(out, values[TT_SLOT_SUM]);
    tt_text_puts(out, "\n");
    add_name(out, expose, "_count");
    add_labels(out, point, NULL);
    tt_text_printf(out, " %" PRIu64 "\n", values[TT_SLOT_COUNT]);
}

static void add_series(const struct tt_expose *expose, struct tt_series *series,
                       const struct tt_instrument *instrument, struct tt_text *out)
{
    if (!tt_snapshot_has(series, instrument))
        return;
    if (instrument->type == TT_METRIC_HISTOGRAM) {
        const struct histogram histogram = {instrument->bounds, tt_series_get(series) + instrument->slot,
                                            instrument->bound_count,
                                            tt_series_exemplar(series, instrument->histogram)};

        add_histogram(expose, &histogram, (struct labelled){.series = series}, out);
        return;
    }
    add_name(out, expose, instrument->type == TT_METRIC_COUNTER ? "_total" : "");
    add_labels(out, (struct labelled){.series = series}, NULL);
    tt_text_printf(out, " %" PRIu64 "\n", tt_series_get(series)[instrument->slot]);
}

static void add_figure(const struct tt_expose *expose, const struct tt_metric_figure *figure,
                       struct tt_text *out)
{
    const struct labelled point = {.figure = figure};

    if (figure->durations) {
        const struct histogram histogram = {tt_duration_bounds, figure->durations->slots, TT_DURATION_BOUNDS,
                                            NULL};

        add_histogram(expose, &histogram, point, out);
        return;
    }
    add_name(out, expose, figure->type == TT_METRIC_COUNTER ? "_total" : "");
    add_labels(out, point, NULL);
    if (figure->is_real)
        tt_text_printf(out, " %.9g\n", figure->real);
    else
        tt_text_printf(out, " %" PRIu64 "\n", figure->integer);
}

/* ---- pieces ---- */

/* `target_info`: what the agent says of itself as a resource. */
static void add_target(const struct tt_expose *expose, struct tt_text *out)
{
    const struct tt_otel_resource *resource = expose->snapshot->resource;
    bool open = expose->format == TT_EXPOSE_OPENMETRICS, any = false;

    if (!resource)
        return;
    tt_text_printf(out, "# HELP %s The agent\n# TYPE %s %s\ntarget_info", open ? "target" : "target_info",
                   open ? "target" : "target_info", open ? "info" : "gauge");
    for (size_t i = 0; i < resource->attribute_count; i++) {
        if (resource->attributes[i].type == TT_OTEL_STRING)
            add_label(out, &any, resource->attributes[i].key, resource->attributes[i].value.string);
    }
    tt_text_puts(out, any ? "} 1\n" : " 1\n");
}

/* The head of an instrument, or its next series. */
static bool next_of_series(struct tt_expose *expose, struct tt_text *out)
{
    const struct tt_instrument *instrument = &tt_instruments[expose->instrument];
    const struct tt_snapshot *snapshot = expose->snapshot;
    size_t first = snapshot->first[instrument->family], end = snapshot->first[instrument->family + 1];

    if (expose->next < first)
        expose->next = first;
    if (expose->next >= end) {
        expose->instrument++;
        expose->next = 0;
        return expose->instrument < TT_INSTRUMENTS;
    }
    if (expose->next == first) {
        const struct head head = {instrument->name, instrument->unit, instrument->help, instrument->type};

        add_head(expose, &head, out);
    }
    add_series(expose, snapshot->series[expose->next++], instrument, out);
    return true;
}

static bool next_of_figures(struct tt_expose *expose, struct tt_text *out)
{
    const struct tt_snapshot *snapshot = expose->snapshot;
    const struct tt_metric_figure *figure = &snapshot->figures[expose->next];

    if (expose->next >= snapshot->figure_count)
        return false;
    if (!expose->next || strcmp(figure->name, figure[-1].name) != 0) {
        const struct head head = {figure->name, figure->unit, figure->help, figure->type};

        add_head(expose, &head, out);
    }
    add_figure(expose, figure, out);
    return ++expose->next < snapshot->figure_count;
}

enum { STAGE_TARGET, STAGE_SERIES, STAGE_FIGURES, STAGE_END };

bool tt_expose_next(struct tt_expose *expose, struct tt_text *out)
{
    switch (expose->stage) {
    case STAGE_TARGET:
        add_target(expose, out);
        expose->stage++;
        return true;
    case STAGE_SERIES:
        expose->stage += !next_of_series(expose, out);
        if (expose->stage != STAGE_SERIES)
            expose->next = 0;
        return true;
    case STAGE_FIGURES:
        expose->stage += !next_of_figures(expose, out);
        return true;
    default:
        if (expose->format == TT_EXPOSE_OPENMETRICS)
            tt_text_puts(out, "# EOF\n");
        return false;
    }
}

void tt_expose_end(struct tt_expose *expose)
{
    tt_text_free(&expose->name);
}
