/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Orders the list by family. */
static int group(struct tt_snapshot *snapshot, struct tt_series **list, size_t count)
{
    size_t next[TT_FAMILIES] = {0};

    snapshot->series = calloc(count + 1, sizeof(struct tt_series *));
    if (!snapshot->series)
        return -1;
    for (size_t i = 0; i < count; i++)
        next[tt_series_family(list[i])]++;
    for (int f = 0; f < TT_FAMILIES; f++) {
        snapshot->first[f + 1] = snapshot->first[f] + next[f];
        next[f] = snapshot->first[f];
    }
    for (size_t i = 0; i < count; i++)
        snapshot->series[next[tt_series_family(list[i])]++] = list[i];
    return 0;
}

struct tt_snapshot *tt_snapshot_new(const struct tt_series_table *table, uint64_t time)
{
    _cleanup_(tt_snapshot_free) struct tt_snapshot *made = calloc(1, sizeof(*made));
    _cleanup_free_ struct tt_series **list = NULL;

    if (!made)
        return NULL;
    made->refs = 1;
    made->time = time;
    list = tt_series_copy(table, &made->memory);
    if (!list || group(made, list, tt_series_count(table)))
        return NULL;
    return TAKE_PTR(made);
}

struct tt_snapshot *tt_snapshot_get(struct tt_snapshot *snapshot)
{
    __atomic_add_fetch(&snapshot->refs, 1, __ATOMIC_RELAXED);
    return snapshot;
}

void tt_snapshot_free(struct tt_snapshot **snapshot)
{
    struct tt_snapshot *s = TAKE_PTR(*snapshot);

    if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
        return;
    tt_otel_resource_put(&s->resource);
    tt_arena_free(&s->arena);
    free(s->series);
    free(s->figures);
    free(s->memory);
    free(s);
}

/* Room for one more behind the last of that name, or at the end. */
static struct tt_metric_figure *place(struct tt_snapshot *snapshot, const char *name)
{
    size_t at = snapshot->figure_count++;

    while (at && strcmp(snapshot->figures[at - 1].name, name) != 0)
        at--;
    if (!at)
        at = snapshot->figure_count - 1;
    memmove(&snapshot->figures[at + 1], &snapshot->figures[at],
            (snapshot->figure_count - 1 - at) * sizeof(struct tt_metric_figure));
    return &snapshot->figures[at];
}

void tt_snapshot_add(struct tt_snapshot *snapshot, const struct tt_metric_figure *figure)
{
    struct tt_metric_figure *added;

    if (snapshot->figure_count == snapshot->figure_capacity) {
        size_t capacity = snapshot->figure_capacity ? snapshot->figure_capacity * 2 : 128;
        struct tt_metric_figure *grown = reallocarray(snapshot->figures, capacity, sizeof(*grown));

        if (!grown) {
            snapshot->failed = true;
            return;
        }
        snapshot->figures = grown;
        snapshot->figure_capacity = capacity;
    }
    added = place(snapshot, figure->name);
    *added = *figure;
    if (figure->durations) {
        struct tt_duration_counts *copy = tt_arena_alloc(&snapshot->arena, sizeof(*copy));

        if (copy)
            *copy = *figure->durations;
        added->durations = copy;
        snapshot->failed |= !copy;
    }
    for (size_t i = 0; i < TT_FIGURE_LABELS && added->labels[i].key; i++) {
        const char *value = figure->labels[i].value ? figure->labels[i].value : "";

        added->labels[i].value = tt_arena_copy(&snapshot->arena, value, strlen(value));
        snapshot->failed |= !added->labels[i].value;
    }
}

bool tt_snapshot_has(const struct tt_series *series, const struct tt_instrument *instrument)
{
    return tt_series_get(series)[instrument->present] != 0;
}
