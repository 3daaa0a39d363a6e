/* SPDX-License-Identifier: GPL-2.0-only */
#include "sample/slow.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"

#define OPERATIONS_MAX 4096
#define CALLS_MIN      100          /* before that nothing is slow */
#define WINDOW         1024         /* calls; then all counts are halved */
#define STEPS          8            /* buckets per doubling: 9 % wide */
#define BUCKETS        (30 * STEPS) /* from 1 us up to 1,000 s */

struct operation {
    uint64_t key;
    uint32_t calls;
    uint16_t limit; /* bucket that holds the 99th percentile */
    uint16_t since; /* calls since it was looked for */
    uint16_t counts[BUCKETS];
    UT_hash_handle hh; /* iterates in order of creation */
};

struct tt_slow {
    struct operation *operations;
};

struct tt_slow *tt_slow_new(void)
{
    return calloc(1, sizeof(struct tt_slow));
}

void tt_slow_free(struct tt_slow **slow)
{
    struct operation *o, *next;

    if (!*slow)
        return;
    HASH_ITER(hh, (*slow)->operations, o, next)
    {
        HASH_DEL((*slow)->operations, o);
        free(o);
    }
    free(*slow);
    *slow = NULL;
}

/* FNV-1a; two operations of one key would share their percentile, no more. */
static uint64_t add_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
    return (hash ^ 0xff) * 0x100000001b3ull;
}

static uint64_t key_of(const struct tt_otel_span *span)
{
    const struct tt_otel_attribute *peer = tt_otel_find(span->attributes, span->attribute_count,
                                                        "peer.service");
    uint64_t hash = 0xcbf29ce484222325ull + (uint64_t)span->kind;

    hash = add_text(hash,
                    peer && peer->type == TT_OTEL_STRING ? peer->value.string : span->resource->service_name);
    return add_text(hash, span->title ? span->title : span->name);
}

/* Eight buckets to each doubling, the first for up to 1 us: from the position of the highest bit, and the
 * three bits below it. */
static unsigned bucket_of(uint64_t ns)
{
    unsigned bucket, bit;

    if (ns < 1024)
        return 0;
    bit = 63 - (unsigned)__builtin_clzll(ns);
    bucket = (bit - 10) * STEPS + (unsigned)(ns >> (bit - 3) & 7);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static struct operation *find(struct tt_slow *slow, uint64_t key)
{
    struct operation *o;

    HASH_FIND(hh, slow->operations, &key, sizeof(key), o);
    if (o)
        return o;
    if (HASH_COUNT(slow->operations) >= OPERATIONS_MAX) {
        o = slow->operations;
        HASH_DEL(slow->operations, o);
        memset(o, 0, sizeof(*o));
    } else {
        o = calloc(1, sizeof(*o));
    }
    if (!o)
        return NULL;
    o->key = key;
    HASH_ADD(hh, slow->operations, key, sizeof(o->key), o);
    return o;
}

static void find_limit(struct operation *o)
{
    uint32_t above = 0;
    int bucket = BUCKETS - 1;

    while (bucket > 0 && (above + o->counts[bucket]) * 100 <= o->calls)
        above += o->counts[bucket--];
    o->limit = (uint16_t)bucket;
    o->since = 0;
}

static void halve(struct operation *o)
{
    o->calls = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        o->counts[i] /= 2;
        o->calls += o->counts[i];
    }
}

bool tt_slow_call(struct tt_slow *slow, const struct tt_otel_span *span)
{
    struct operation *o = span->unmeasured ? NULL : find(slow, key_of(span));
    unsigned bucket = bucket_of(span->end - span->start);
    bool is_slow;

    if (!o)
        return false;
    is_slow = o->calls >= CALLS_MIN && bucket > o->limit;
    o->counts[bucket]++;
    o->calls++;
    if (o->calls >= WINDOW)
        halve(o);
    if (++o->since >= 16 || o->calls <= CALLS_MIN)
        find_limit(o);
    return is_slow;
}
