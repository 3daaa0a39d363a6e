/* SPDX-License-Identifier: GPL-2.0-only */
#include "correlate/topics.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define KEY_MAX (TT_STRING_MAX + sizeof(uint32_t))

/* An event: number, topic. A receiver: process, topic. */
struct key {
    uint32_t number;
    char topic[TT_STRING_MAX];
};

struct push {
    struct tt_push it;
    bool ambiguous;
    UT_hash_handle hh; /* in the order of sending */
    char key[];
};

struct last {
    uint32_t tgid, counter;
    uint32_t thread_start; /* of the thread that receives */
    bool fresh;            /* nothing is known of what came before */
    UT_hash_handle hh;
    char key[];
};

/* How many receivers a topic has in `lasts`. */
struct audience {
    unsigned count;
    UT_hash_handle hh;
    char topic[];
};

struct tt_topics {
    struct tt_traces *traces;
    struct push *pushes;
    struct last *lasts;
    struct audience *audiences;
};

struct tt_topics *tt_topics_new(struct tt_traces *traces)
{
    struct tt_topics *topics = calloc(1, sizeof(*topics));
    if (topics)
        topics->traces = traces;
    return topics;
}

static void drop_push(struct tt_topics *topics, struct push *push)
{
    HASH_DEL(topics->pushes, push);
    tt_trace_put(topics->traces, push->it.trace);
    free(push);
}

static struct audience *find_audience(const struct tt_topics *topics, const char *topic, unsigned length)
{
    struct audience *audience;
    HASH_FIND(hh, topics->audiences, topic, length, audience);
    return audience;
}

/* The topic of a key, not ended by NUL. */
static const char *topic_of(const struct last *last, unsigned *length)
{
    *length = last->hh.keylen - (unsigned)offsetof(struct key, topic);
    return last->key + offsetof(struct key, topic);
}

static void join_audience(struct tt_topics *topics, const struct last *last)
{
    unsigned length;
    const char *topic = topic_of(last, &length);
    struct audience *audience = find_audience(topics, topic, length);
    if (!audience) {
        audience = calloc(1, sizeof(*audience) + length);
        if (!audience)
            return;
        memcpy(audience->topic, topic, length);
        HASH_ADD_KEYPTR(hh, topics->audiences, audience->topic, length, audience);
        if (!audience->hh.tbl) {
            free(audience);
            return;
        }
    }
    audience->count++;
}

static void leave_audience(struct tt_topics *topics, const struct last *last)
{
    unsigned length;
    const char *topic = topic_of(last, &length);
    struct audience *audience = find_audience(topics, topic, length);
    if (!audience || --audience->count)
        return;
    HASH_DEL(topics->audiences, audience);
    free(audience);
}

static void drop_last(struct tt_topics *topics, struct last *last)
{
    leave_audience(topics, last);
    HASH_DEL(topics->lasts, last);
    free(last);
}

void tt_topics_free(struct tt_topics **topics)
{
    struct tt_topics *old = *topics;
    if (!old)
        return;
    while (old->pushes)
        drop_push(old, old->pushes);
    while (old->lasts)
        drop_last(old, old->lasts);
    free(old);
    *topics = NULL;
}

/* Its used length. */
static unsigned make_key(struct key *key, uint32_t number, const char *topic)
{
    size_t length = strnlen(topic, sizeof(key->topic));
    key->number = number;
    memcpy(key->topic, topic, length);
    return (unsigned)(offsetof(struct key, topic) + length);
}

/* The analyzer does not see that the first `size` bytes of the key are set. */
static struct push *find_push(const struct tt_topics *topics, const struct key *key, unsigned size)
{
    struct push *push;
    /* NOLINTNEXTLINE(clang-analyzer-core.*) */
    HASH_FIND(hh, topics->pushes, key, size, push);
    return push;
}

static struct last *find_last(const struct tt_topics *topics, const struct key *key, unsigned size)
{
    struct last *last;
    /* NOLINTNEXTLINE(clang-analyzer-core.*) */
    HASH_FIND(hh, topics->lasts, key, size, last);
    return last;
}

void tt_topics_push(struct tt_topics *topics, const struct tt_span *span, uint64_t time)
{
    struct push *push, *before;
    struct key key;
    unsigned size = make_key(&key, span->counter, span->topic);
    before = find_push(topics, &key, size);
    if (!before && HASH_COUNT(topics->pushes) >= TT_PUSHES_MAX)
        drop_push(topics, topics->pushes);
    push = calloc(1, sizeof(*push) + size);
    if (!push)
        return;
    push->ambiguous = before != NULL;
    if (before)
        drop_push(topics, before);
    memcpy(push->key, &key, size);
    push->it.trace = tt_trace_get(span->trace);
    memcpy(push->it.span_id, span->span_id, sizeof(push->it.span_id));
    push->it.depth = span->depth;
    push->it.tgid = span->tgid;
    push->it.time = time;
    HASH_ADD_KEYPTR(hh, topics->pushes, push->key, size, push);
    if (!push->hh.tbl) { /* uthash's sign of being out of memory */
        tt_trace_put(topics->traces, push->it.trace);
        free(push);
    }
}

const struct tt_push *tt_topics_find(const struct tt_topics *topics, const char *topic, uint32_t counter,
                                     bool *ambiguous)
{
    struct push *push;
    struct key key;
    unsigned size = make_key(&key, counter, topic);
    push = find_push(topics, &key, size);
    *ambiguous = push && push->ambiguous;
    return push && !push->ambiguous ? &push->it : NULL;
}

unsigned tt_topics_audience(const struct tt_topics *topics, const char *topic)
{
    const struct audience *audience = find_audience(topics, topic, (unsigned)strnlen(topic, TT_STRING_MAX));
    return audience ? audience->count : 0;
}

static struct last *new_last(struct tt_topics *topics, const struct key *key, unsigned size)
{
    struct last *last;
    if (HASH_COUNT(topics->lasts) >= TT_LASTS_MAX)
        drop_last(topics, topics->lasts);
    last = calloc(1, sizeof(*last) + size);
    if (!last)
        return NULL;
    memcpy(last->key, key, size);
    last->tgid = key->number;
    last->fresh = true;
    HASH_ADD_KEYPTR(hh, topics->lasts, last->key, size, last);
    if (!last->hh.tbl) {
        free(last);
        return NULL;
    }
    join_audience(topics, last);
    return last;
}

uint32_t tt_topics_receive(struct tt_topics *topics, const struct tt_span *span, bool *again)
{
    uint32_t missed = 0, counter = span->counter;
    struct last *last;
    struct key key;
    unsigned size = make_key(&key, span->tgid, span->topic);
    last = find_last(topics, &key, size);
    if (!last)
        last = new_last(topics, &key, size);
    *again = false;
    if (!last)
        return 0;
    *again = !last->fresh && counter == last->counter && last->thread_start == span->thread_start;
    if (last->thread_start != span->thread_start) /* another process of that id */
        last->fresh = true;
    if (!last->fresh && !span->after_gap && counter > last->counter) /* lower: its sender was started anew */
        missed = counter - last->counter - 1;
    last->counter = counter;
    last->thread_start = span->thread_start;
    last->fresh = false;
    return missed;
}

void tt_topics_forget(struct tt_topics *topics, uint32_t tgid)
{
    struct last *last, *next;
    HASH_ITER(hh, topics->lasts, last, next)
    {
        if (last->tgid == tgid)
            drop_last(topics, last);
    }
}

void tt_topics_expire(struct tt_topics *topics, uint64_t now)
{
    while (topics->pushes && topics->pushes->it.time < now && now - topics->pushes->it.time > TT_PUSH_NS)
        drop_push(topics, topics->pushes);
}
