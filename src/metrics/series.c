/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/series.h"

#include <stdlib.h>
#include <string.h>

/* Keys are some 100 bytes of text: eight at a time (the multiply and fold of wyhash). */
static unsigned hash_key(const void *data, size_t size);
#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = hash_key(keyptr, keylen))
#include <uthash.h>

#include "base/cleanup.h"

struct tt_series {
    UT_hash_handle hh;
    struct tt_series *older, *newer;
    uint64_t used;
    uint64_t start;
    uint32_t size;                    /* of the block */
    uint32_t exponentials, key, keys; /* where these lie in it; size of the key */
    uint64_t values[];                /* then exemplars, exponentials, the key */
};

struct tt_series_table {
    struct tt_series *all;
    struct tt_series *oldest, *newest;
    size_t max, total;
    bool exponential;
    uint64_t evicted;
};

static unsigned hash_key(const void *data, size_t size)
{
    const uint64_t secret = 0xa0761d6478bd642fu;
    uint64_t hash = size * 0xe7037ed1a0b428dbu, word;
    const char *bytes = data;

    for (; size >= 8; size -= 8, bytes += 8) {
        unsigned __int128 product;

        memcpy(&word, bytes, 8);
        product = (unsigned __int128)(hash ^ word ^ secret) * 0x8ebc6af09c88c6e3u;
        hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    word = 0;
    memcpy(&word, bytes, size);
    hash = (hash ^ word) * 0x9fb21c651e98df25u;
    return (unsigned)(hash >> 32 ^ hash);
}

/* ---- keys ---- */

/* Copies a value and its NUL; never ends inside a character. */
static size_t put_value(char *to, const char *value)
{
    size_t size = strnlen(value, TT_LABEL_SIZE + 1);

    if (size > TT_LABEL_SIZE) {
        size = TT_LABEL_SIZE;
        while (size && ((unsigned char)value[size] & 0xc0) == 0x80)
            size--;
    }
    memcpy(to, value, size);
    to[size] = '\0';
    return size + 1;
}

void tt_series_key(struct tt_series_key *key, enum tt_family_id family, const char *const *values)
{
    const struct tt_label *labels = tt_families[family].labels;

    key->bytes[0] = (char)family;
    key->size = 1;
    for (unsigned i = 0; labels[i].key; i++) {
        if (!labels[i].fixed)
            key->size += put_value(key->bytes + key->size, values[i] ? values[i] : "");
    }
}

/* ---- the table ---- */

struct tt_series_table *tt_series_table_new(size_t max, bool exponential)
{
    struct tt_series_table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->max = max;
    table->exponential = exponential;
    return table;
}

static void unlink_series(struct tt_series_table *table, struct tt_series *series)
{
    *(series->older ? &series->older->newer : &table->oldest) = series->newer;
    *(series->newer ? &series->newer->older : &table->newest) = series->older;
}

static void link_newest(struct tt_series_table *table, struct tt_series *series)
{
    series->older = table->newest;
    series->newer = NULL;
    *(table->newest ? &table->newest->newer : &table->oldest) = series;
    table->newest = series;
}

void tt_series_drop(struct tt_series_table *table, struct tt_series *series)
{
    /* The analyzer cannot know that a table with an entry is not empty. */
    HASH_DEL(table->all, series); /* NOLINT(clang-analyzer-core.NullDereference) */
    unlink_series(table, series);
    table->total -= series->size;
    free(series);
}

void tt_series_table_free(struct tt_series_table **table)
{
    struct tt_series_table *t = TAKE_PTR(*table);

    if (!t)
        return;
    while (t->oldest)
        tt_series_drop(t, t->oldest);
    free(t);
}

/* The order matters to seconds only: most calls leave it alone. */
#define TOUCH_NS 1000000000u

struct tt_series *tt_series_find(struct tt_series_table *table, const struct tt_series_key *key, uint64_t now)
{
    struct tt_series *series;

    HASH_FIND(hh, table->all, key->bytes, key->size, series);
    if (series && now - series->used >= TOUCH_NS) {
        series->used = now;
        unlink_series(table, series);
        link_newest(table, series);
    }
    return series;
}

static struct tt_series *make(const struct tt_series_table *table, const struct tt_series_key *key)
{
    const struct tt_family *family = &tt_families[(int)key->bytes[0]];
    size_t exemplars = offsetof(struct tt_series, values) + family->slots * sizeof(uint64_t);
    size_t exponentials = exemplars + family->histograms * sizeof(struct tt_exemplar);
    size_t bytes = exponentials +
                   (table->exponential ? family->histograms * sizeof(struct tt_exponential) : 0);
    /* Blocks lie behind one another in a copy. */
    size_t size = (bytes + key->size + 7) & ~(size_t)7;
    struct tt_series *series = calloc(1, size);

    if (!series)
        return NULL;
    series->size = (uint32_t)size;
    series->exponentials = (uint32_t)exponentials;
    series->key = (uint32_t)bytes;
    series->keys = (uint32_t)key->size;
    memcpy((char *)series + bytes, key->bytes, key->size);
    for (unsigned i = 0; table->exponential && i < family->histograms; i++)
        tt_series_exponential(series, i)->scale = TT_EXPONENTIAL_MAX_SCALE;
    return series;
}

static bool has_room(const struct tt_series_table *table, enum tt_series_room room)
{
    size_t count = HASH_COUNT(table->all);

    switch (room) {
    case TT_ROOM_SHARED:
        return count < table->max - TT_SERIES_LAST - table->max / 8;
    case TT_ROOM_RESERVED:
        return count < table->max - TT_SERIES_LAST;
    case TT_ROOM_LAST:
        break;
    }
    return true;
}

struct tt_series *tt_series_add(struct tt_series_table *table, const struct tt_series_key *key,
                                enum tt_series_room room, uint64_t now, uint64_t idle_before, uint64_t start)
{
    struct tt_series *series;

    if (!has_room(table, room)) {
        if (!table->oldest || table->oldest->used >= idle_before)
            return NULL;
        tt_series_drop(table, table->oldest);
        table->evicted++;
    }
    series = make(table, key);
    if (!series)
        return NULL;
    series->used = now;
    series->start = start;
    HASH_ADD_KEYPTR(hh, table->all, (char *)series + series->key, series->keys, series);
    link_newest(table, series);
    table->total += series->size;
    return series;
}

struct tt_series *tt_series_find_or_add(struct tt_series_table *table, enum tt_family_id family,
                                        const char *const *values, enum tt_series_room room, uint64_t now,
                                        uint64_t start)
{
    struct tt_series_key key;
    struct tt_series *series;

    tt_series_key(&key, family, values);
    series = tt_series_find(table, &key, now);
    return series ? series
                  : tt_series_add(table, &key, room, now, now > TT_METRICS_IDLE ? now - TT_METRICS_IDLE : 0,
                                  start);
}

struct tt_series *tt_series_oldest(const struct tt_series_table *table)
{
    return table->oldest;
}

uint64_t tt_series_used(const struct tt_series *series)
{
    return series->used;
}

size_t tt_series_count(const struct tt_series_table *table)
{
    return HASH_COUNT(table->all);
}

size_t tt_series_bytes(const struct tt_series_table *table)
{
    size_t malloc_overhead = 16;

    return sizeof(*table) + HASH_OVERHEAD(hh, table->all) - HASH_COUNT(table->all) * sizeof(UT_hash_handle) +
           table->total + HASH_COUNT(table->all) * malloc_overhead;
}

uint64_t tt_series_evicted(const struct tt_series_table *table)
{
    return table->evicted;
}

/* ---- one series ---- */

enum tt_family_id tt_series_family(const struct tt_series *series)
{
    return (enum tt_family_id) * ((const char *)series + series->key);
}

uint64_t tt_series_start(const struct tt_series *series)
{
    return series->start;
}

uint64_t *tt_series_values(struct tt_series *series)
{
    return series->values;
}

const uint64_t *tt_series_get(const struct tt_series *series)
{
    return series->values;
}

struct tt_exemplar *tt_series_exemplar(struct tt_series *series, unsigned histogram)
{
    const struct tt_family *family = &tt_families[tt_series_family(series)];

    return (struct tt_exemplar *)(series->values + family->slots) + histogram;
}

struct tt_exponential *tt_series_exponential(struct tt_series *series, unsigned histogram)
{
    if (series->exponentials == series->key)
        return NULL;
    return (struct tt_exponential *)((char *)series + series->exponentials) + histogram;
}

const char *tt_series_key_of(const struct tt_series *series, size_t *size)
{
    *size = series->keys;
    return (const char *)series + series->key;
}

const char *tt_series_label(const struct tt_series *series, unsigned label)
{
    const struct tt_label *labels = tt_families[tt_series_family(series)].labels;
    const char *value = (const char *)series + series->key + 1;

    if (labels[label].fixed)
        return labels[label].fixed;
    for (unsigned i = 0; i < label; i++) {
        if (!labels[i].fixed)
            value += strlen(value) + 1;
    }
    return value;
}

/* ---- copies ---- */

struct tt_series **tt_series_copy(const struct tt_series_table *table, void **memory)
{
    struct tt_series **list = calloc(tt_series_count(table) + 1, sizeof(struct tt_series *)), **next = list;
    char *to = malloc(table->total + 1);

    *memory = to;
    if (!list || !to) {
        free(list);
        free(to);
        *memory = NULL;
        return NULL;
    }
    for (const struct tt_series *series = table->all; series; series = series->hh.next) {
        *next++ = memcpy(to, series, series->size);
        to += series->size;
    }
    return list;
}
