/* SPDX-License-Identifier: GPL-2.0-only */
/* points.c: counts of calls over time: what changed from one usage frame to the next. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/internal.h"

#define SERIES_MAX  16384 /* as many as the agent remembers */
#define READ_AT_ONE 4096  /* points that are read under one lock */

struct series {
    uint32_t number;
    uint32_t made; /* how often the number was given away: points of earlier ones are not its */
    uint64_t used; /* CLOCK_MONOTONIC ns */
    uint64_t calls, errors, sum;
    uint64_t buckets[TT_USAGE_BUCKETS];
    const char *labels[TT_USAGE_LABELS]; /* into the key */
    size_t key_size;
    UT_hash_handle hh;
    char key[]; /* all labels, each with its NUL */
};

struct point {
    uint64_t time, arrived;
    uint64_t calls, errors, sum;
    uint32_t series, made;
    uint64_t count;
    struct tt_store_bucket buckets[];
};

/* What a frame says of one series, since the agent's start. */
struct row {
    char key[TT_USAGE_LABELS * 256];
    size_t key_size;
    uint64_t calls, errors, sum;
    uint32_t count;
    struct tt_store_bucket buckets[TT_USAGE_BUCKETS];
};

static bool get_row(struct tt_flat_reader *reader, struct row *row)
{
    row->key_size = 0;
    for (unsigned i = 0; i < TT_USAGE_LABELS; i++) {
        const char *label = tt_flat_get_string(reader);
        size_t size = label ? strlen(label) + 1 : 1;

        if (row->key_size + size > sizeof(row->key))
            return false;
        memcpy(row->key + row->key_size, label ? label : "", size);
        row->key_size += size;
    }
    tt_flat_get(reader, &row->calls, sizeof(row->calls));
    tt_flat_get(reader, &row->errors, sizeof(row->errors));
    tt_flat_get(reader, &row->sum, sizeof(row->sum));
    tt_flat_get(reader, &row->count, sizeof(row->count));
    if (row->count > TT_USAGE_BUCKETS)
        return false;
    tt_flat_get(reader, row->buckets, row->count * sizeof(row->buckets[0]));
    for (uint32_t i = 0; i < row->count; i++)
        if (row->buckets[i].index >= TT_USAGE_BUCKETS)
            return false;
    return !reader->bad;
}

/* ---- series ---- */

static struct series *oldest_series(struct series *all)
{
    struct series *oldest = all;

    for (struct series *s = all; s; s = s->hh.next)
        if (s->used < oldest->used)
            oldest = s;
    return oldest;
}

static struct series *add_series(struct tt_store *store, const struct row *row)
{
    struct series *series = calloc(1, sizeof(*series) + row->key_size), *old;
    char *label;

    if (!store->numbered)
        store->numbered = calloc(SERIES_MAX, sizeof(struct series *));
    if (!series || !store->numbered) {
        free(series);
        return NULL;
    }
    series->number = HASH_COUNT(store->series);
    if (series->number == SERIES_MAX) {
        old = oldest_series(store->series);
        series->number = old->number;
        series->made = old->made + 1;
        HASH_DEL(store->series, old);
        free(old);
    }
    store->numbered[series->number] = series;
    series->key_size = row->key_size;
    memcpy(series->key, row->key, row->key_size);
    label = series->key;
    for (unsigned i = 0; i < TT_USAGE_LABELS; i++, label += strlen(label) + 1)
        series->labels[i] = label;
    HASH_ADD(hh, store->series, key, series->key_size, series);
    return series;
}

uint64_t tt_store_series_count(const struct tt_store *store)
{
    return HASH_COUNT(store->series);
}

void tt_store_free_usage(struct tt_store *store)
{
    struct series *s, *next;

    HASH_ITER(hh, store->series, s, next)
    {
        HASH_DEL(store->series, s);
        free(s);
    }
    free(store->numbered);
}

/* ---- points ---- */

static void leave_point(void *context, void *record)
{
    struct tt_store *store = context;

    store->point_count--;
    store->left_points++;
    store->counted_since = ((struct point *)record)->time;
}

/* The agent has forgotten the series in between: it counts from 0 again. */
static void begin_again(struct series *series)
{
    series->calls = series->errors = series->sum = 0;
    memset(series->buckets, 0, sizeof(series->buckets));
}

/* What happened before the store began. */
static void count_row(struct series *series, const struct row *row)
{
    series->calls = row->calls;
    series->errors = row->errors;
    series->sum = row->sum;
    for (uint32_t i = 0; i < row->count; i++)
        series->buckets[row->buckets[i].index] = row->buckets[i].count;
}

static int take_row(struct tt_store *store, const struct row *row, bool counted, uint64_t time, uint64_t now)
{
    struct point *point;
    struct series *series;
    uint64_t position;

    HASH_FIND(hh, store->series, row->key, row->key_size, series);
    if (!series)
        series = add_series(store, row);
    if (!series)
        return -ENOMEM;
    if (counted) {
        count_row(series, row);
        return 0;
    }
    if (row->calls < series->calls || row->sum < series->sum)
        begin_again(series);
    if (row->calls == series->calls)
        return 0;
    series->used = now;
    position = tt_ring_add(&store->points, sizeof(*point) + row->count * sizeof(point->buckets[0]),
                           leave_point, store);
    if (position == TT_RING_NONE)
        return -EFBIG;
    point = tt_ring_at(&store->points, position, NULL);
    *point = (struct point){.time = time,
                            .arrived = now,
                            .calls = row->calls - series->calls,
                            .errors = row->errors - series->errors,
                            .sum = row->sum - series->sum,
                            .series = series->number,
                            .made = series->made};
    for (uint32_t i = 0; i < row->count; i++) {
        uint64_t *before = &series->buckets[row->buckets[i].index];
        uint32_t more = row->buckets[i].count - (uint32_t)*before;

        *before = row->buckets[i].count;
        if (more)
            point->buckets[point->count++] = (struct tt_store_bucket){row->buckets[i].index, more};
    }
    series->calls = row->calls;
    series->errors = row->errors;
    series->sum = row->sum;
    store->point_count++;
    store->taken_points++;
    if (time > store->newest)
        store->newest = time;
    return 0;
}

int tt_store_take_usage(struct tt_store *store, const void *data, size_t size, bool counted, uint64_t now)
{
    struct tt_flat_reader reader = {data, (const char *)data + size, false};
    uint64_t time, first;
    struct row row;

    tt_flat_get(&reader, &time, sizeof(time));
    while (reader.at < reader.end) {
        if (!get_row(&reader, &row))
            return -EBADMSG;
        int error = take_row(store, &row, counted, time, now);

        if (error)
            return error;
    }
    while (store->age_ns && (first = tt_ring_first(&store->points)) != TT_RING_NONE) {
        const struct point *point = tt_ring_at(&store->points, first, NULL);

        if (point->arrived + store->age_ns >= now)
            break;
        tt_ring_drop(&store->points, leave_point, store);
    }
    return reader.bad ? -EBADMSG : 0;
}

uint64_t tt_store_oldest_point(const struct tt_store *store)
{
    uint64_t first = tt_ring_first(&store->points);

    return first == TT_RING_NONE ? 0 : ((const struct point *)tt_ring_at(&store->points, first, NULL))->time;
}

/* ---- reading ---- */

static void show(const struct tt_store *store, const struct point *point,
                 void (*visit)(void *context, const struct tt_store_point *point), void *context)
{
    const struct series *series = store->numbered[point->series];
    struct tt_store_point shown = {.time = point->time,
                                   .calls = point->calls,
                                   .errors = point->errors,
                                   .sum = point->sum,
                                   .bucket_count = point->count,
                                   .buckets = point->buckets};

    if (series->made != point->made)
        return;
    memcpy(shown.labels, series->labels, sizeof(shown.labels));
    visit(context, &shown);
}

/* Some, beginning at *position; false: no more. */
static bool read_some(struct tt_store *store, uint64_t *position, uint64_t from, uint64_t to,
                      void (*visit)(void *context, const struct tt_store_point *point), void *context)
{
    size_t left = READ_AT_ONE;

    pthread_mutex_lock(&store->lock);
    if (*position < store->points.tail || !tt_ring_has(&store->points, *position))
        *position = *position == TT_RING_NONE ? TT_RING_NONE : tt_ring_first(&store->points);
    for (; left && *position != TT_RING_NONE; left--) {
        const struct point *point = tt_ring_at(&store->points, *position, NULL);

        if (point->time > from && point->time <= to)
            show(store, point, visit, context);
        *position = tt_ring_next(&store->points, *position);
    }
    pthread_mutex_unlock(&store->lock);
    return *position != TT_RING_NONE;
}

void tt_store_each_point(struct tt_store *store, uint64_t from, uint64_t to,
                         void (*visit)(void *context, const struct tt_store_point *point), void *context)
{
    uint64_t position = 0;

    while (read_some(store, &position, from, to, visit, context))
        continue;
}

void tt_store_each_series(struct tt_store *store,
                          void (*visit)(void *context, const char *const labels[TT_USAGE_LABELS]),
                          void *context)
{
    pthread_mutex_lock(&store->lock);
    for (const struct series *s = store->series; s; s = s->hh.next)
        visit(context, s->labels);
    pthread_mutex_unlock(&store->lock);
}
