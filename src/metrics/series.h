/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * series.h: the table of series: one block of memory for each set of label values, found by hash, ordered by
 * last use, at most so many. A series holds no pointer to anything of its own, so that copying its block
 * copies it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics/instruments.h"

/* A call that stands for others in a histogram: a failed one, or the slowest of late. */
struct tt_exemplar {
    uint64_t value; /* ns */
    uint64_t time;  /* unix ns; 0: none yet */
    uint8_t trace_id[16], span_id[8];
    bool failed;
};

/* OpenTelemetry's base-2 exponential histogram: bucket i of scale s holds values in (2^(i/2^s),
 * 2^((i+1)/2^s)] seconds. */
#define TT_EXPONENTIAL_BUCKETS   160 /* the specification's default */
#define TT_EXPONENTIAL_MAX_SCALE 20

struct tt_exponential {
    int32_t scale;
    int32_t first;  /* index of buckets[0] */
    uint32_t count; /* buckets used */
    uint32_t pad;
    uint64_t zero; /* values of 0 */
    uint64_t buckets[TT_EXPONENTIAL_BUCKETS];
};

void tt_exponential_add(struct tt_exponential *exponential, uint64_t ns);
/* Takes out what `before` had, an earlier state of the same histogram. */
void tt_exponential_subtract(struct tt_exponential *exponential, const struct tt_exponential *before);

struct tt_series;
struct tt_series_table;

/* A key: the family and each label's value, in order; made by tt_series_key_*. */
#define TT_LABEL_SIZE 200 /* bytes of a value; longer ones are cut */
struct tt_series_key {
    size_t size;
    char bytes[1 + TT_LABELS_MAX * (TT_LABEL_SIZE + 1)];
};

/* `values` has an entry for each label of the family that is not fixed (others are ignored); NULL: the label
 * is left out. */
void tt_series_key(struct tt_series_key *key, enum tt_family_id family, const char *const *values);

#define TT_SERIES_LAST 28 /* of these, for what stands for all others */

/* At most `max` series (64 or more), an eighth of them for `reserved` ones only. `exponential`: series have
 * room for exponential buckets. NULL when out of memory. */
struct tt_series_table *tt_series_table_new(size_t max, bool exponential);
void tt_series_table_free(struct tt_series_table **table);

/* The series with that key, which becomes the newest; NULL: there is none. `now`: any clock that does not go
 * back. */
struct tt_series *tt_series_find(struct tt_series_table *table, const struct tt_series_key *key,
                                 uint64_t now);

#define TT_METRICS_IDLE 600000000000u /* ns */

enum tt_series_room {
    TT_ROOM_SHARED,   /* fails where only reserved room is left */
    TT_ROOM_RESERVED, /* fails where only the last is left */
    TT_ROOM_LAST,     /* never fails for want of room: few enough to fit, by nature */
};

/* Adds a series, with all values 0, in place of one not used since `idle_before` if there is no room.
 * `start`: unix ns. NULL: no room (or no memory). */
struct tt_series *tt_series_add(struct tt_series_table *table, const struct tt_series_key *key,
                                enum tt_series_room room, uint64_t now, uint64_t idle_before, uint64_t start);

/* The series with these labels, added if it is new: in place of one idle for TT_METRICS_IDLE. */
struct tt_series *tt_series_find_or_add(struct tt_series_table *table, enum tt_family_id family,
                                        const char *const *values, enum tt_series_room room, uint64_t now,
                                        uint64_t start);

/* That was not used for longest; NULL: there are none. And: when it was. */
struct tt_series *tt_series_oldest(const struct tt_series_table *table);
uint64_t tt_series_used(const struct tt_series *series);
void tt_series_drop(struct tt_series_table *table, struct tt_series *series);

size_t tt_series_count(const struct tt_series_table *table);
size_t tt_series_bytes(const struct tt_series_table *table); /* of memory, all told */
uint64_t tt_series_evicted(const struct tt_series_table *table);

/* ---- one series, of the table or a copy ---- */

enum tt_family_id tt_series_family(const struct tt_series *series);
uint64_t tt_series_start(const struct tt_series *series);
uint64_t *tt_series_values(struct tt_series *series);
const uint64_t *tt_series_get(const struct tt_series *series);
struct tt_exemplar *tt_series_exemplar(struct tt_series *series, unsigned histogram);
/* NULL: there are none. */
struct tt_exponential *tt_series_exponential(struct tt_series *series, unsigned histogram);
/* Value of a label; "" where it was left out. */
const char *tt_series_label(const struct tt_series *series, unsigned label);
/* Of its key, which tells it from all others. */
const char *tt_series_key_of(const struct tt_series *series, size_t *size);

/* A list of copies of all series, in order of their creation, which lie in *memory; both are the caller's.
 * NULL when out of memory. */
struct tt_series **tt_series_copy(const struct tt_series_table *table, void **memory);
