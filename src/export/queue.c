/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/queue.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

struct tt_queue {
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the reader waits here */
    enum tt_signal signal;
    void **ring;
    size_t capacity, batch;
    size_t first, count;
    struct tt_queue_memory *memory; /* NULL: it is not bounded */
    uint64_t oldest;                /* when the oldest came, or earlier; valid if count > 0 */
    uint64_t since; /* when the oldest came that was not there at the last take; valid if count > 0 */
    bool closed;
    pthread_cond_t room; /* a writer that waits */
};

static void *get(enum tt_signal signal, void *item)
{
    if (signal == TT_SIGNAL_LOGS)
        return tt_otel_log_get(item);
    return tt_otel_span_get(item);
}

void tt_queue_put(enum tt_signal signal, void **item)
{
    struct tt_otel_span *span = *item;
    struct tt_otel_log *log = *item;

    *item = NULL;
    if (signal == TT_SIGNAL_LOGS)
        tt_otel_log_put(&log);
    else
        tt_otel_span_put(&span);
}

enum tt_rank tt_queue_rank(enum tt_signal signal, const void *item)
{
    const struct tt_otel_log *log = item;
    const struct tt_otel_span *span = item;

    if (signal == TT_SIGNAL_LOGS)
        return log->severity && log->severity < TT_OTEL_LOG_INFO ? TT_RANK_DEBUG : TT_RANK_OTHER;
    return span->trigger ? TT_RANK_OTHER : TT_RANK_ROOTLESS;
}

static size_t size_of(enum tt_signal signal, const void *item)
{
    return signal == TT_SIGNAL_LOGS ? tt_otel_log_size(item) : tt_otel_span_size(item);
}

static void give_back(struct tt_queue *queue, void **item)
{
    if (queue->memory)
        atomic_fetch_sub_explicit(&queue->memory->used, size_of(queue->signal, *item), memory_order_relaxed);
    tt_queue_put(queue->signal, item);
}

void tt_queue_share(struct tt_queue *queue, struct tt_queue_memory *memory)
{
    queue->memory = memory;
}

struct tt_queue *tt_queue_new(enum tt_signal signal, size_t capacity, size_t batch)
{
    struct tt_queue *queue = calloc(1, sizeof(*queue));
    pthread_condattr_t attr;

    if (!queue)
        return NULL;
    queue->ring = calloc(capacity, sizeof(void *));
    if (!queue->ring) {
        free(queue);
        return NULL;
    }
    queue->signal = signal;
    queue->capacity = capacity;
    queue->batch = batch < capacity ? batch : capacity;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->wake, &attr);
    pthread_cond_init(&queue->room, NULL);
    pthread_condattr_destroy(&attr);
    return queue;
}

void tt_queue_free(struct tt_queue **queue)
{
    struct tt_queue *q = *queue;

    if (!q)
        return;
    for (size_t i = 0; i < q->count; i++)
        give_back(q, &q->ring[(q->first + i) % q->capacity]);
    pthread_cond_destroy(&q->wake);
    pthread_cond_destroy(&q->room);
    pthread_mutex_destroy(&q->lock);
    free(q->ring);
    free(q);
    *queue = NULL;
}

/* With the lock held. */
static bool has_room(const struct tt_queue *queue, const void *item, size_t size)
{
    static const struct {
        unsigned part, of;
    } shares[TT_RANKS] = {{1, 2}, {3, 4}, {1, 1}};
    enum tt_rank rank = tt_queue_rank(queue->signal, item);
    uint64_t used = queue->memory ? atomic_load_explicit(&queue->memory->used, memory_order_relaxed) : 0;

    if (queue->memory && (used + size) * shares[rank].of > queue->memory->most * shares[rank].part)
        return false;
    return (queue->count + 1) * shares[rank].of <= queue->capacity * shares[rank].part;
}

static bool push(struct tt_queue *queue, void *item, bool always)
{
    size_t size = size_of(queue->signal, item);
    bool room, wake = false;

    pthread_mutex_lock(&queue->lock);
    room = !queue->closed && (always ? queue->count < queue->capacity : has_room(queue, item, size));
    if (room) {
        queue->ring[(queue->first + queue->count++) % queue->capacity] = get(queue->signal, item);
        if (queue->memory)
            atomic_fetch_add_explicit(&queue->memory->used, size, memory_order_relaxed);
        if (queue->count == 1)
            queue->since = queue->oldest = tt_now_ns();
        /* Only the first (its delay starts) and the one that fills a batch concern the waiting reader. */
        wake = queue->count == 1 || queue->count == queue->batch;
    }
    pthread_mutex_unlock(&queue->lock);
    if (wake)
        pthread_cond_signal(&queue->wake);
    return room;
}

bool tt_queue_push(struct tt_queue *queue, void *item)
{
    return push(queue, item, false);
}

bool tt_queue_push_wait(struct tt_queue *queue, void *item, bool batch)
{
    bool taken;

    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && queue->count == queue->capacity)
        pthread_cond_wait(&queue->room, &queue->lock);
    pthread_mutex_unlock(&queue->lock);
    taken = push(queue, item, true); /* there is but one who writes */
    if (!batch)
        return taken;
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && queue->count >= queue->batch)
        pthread_cond_wait(&queue->room, &queue->lock);
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

static bool wait_until(struct tt_queue *queue, uint64_t deadline)
{
    struct timespec t = {.tv_sec = (time_t)(deadline / TT_NS_PER_S),
                         .tv_nsec = (long)(deadline % TT_NS_PER_S)};

    return pthread_cond_timedwait(&queue->wake, &queue->lock, &t) == 0;
}

/* With the lock held: waits until a batch is due; false when there is nothing to take. */
static bool wait_due(struct tt_queue *queue, unsigned delay_ms, unsigned idle_ms)
{
    uint64_t idle_end = tt_now_ns() + idle_ms * TT_NS_PER_MS;

    for (;;) {
        uint64_t now = tt_now_ns(), due;

        if (queue->closed || queue->count >= queue->batch)
            return queue->count > 0;
        due = queue->count ? queue->since + delay_ms * TT_NS_PER_MS : TT_NEVER;
        if (now >= due)
            return true;
        if (now >= idle_end)
            return false;
        wait_until(queue, due < idle_end ? due : idle_end);
    }
}

size_t tt_queue_take(struct tt_queue *queue, void **items, unsigned delay_ms, unsigned idle_ms)
{
    size_t n = 0;

    pthread_mutex_lock(&queue->lock);
    if (wait_due(queue, delay_ms, idle_ms)) {
        for (; n < queue->batch && queue->count; n++, queue->count--) {
            items[n] = queue->ring[queue->first];
            queue->first = (queue->first + 1) % queue->capacity;
        }
        queue->since = tt_now_ns();
        pthread_cond_signal(&queue->room);
    }
    pthread_mutex_unlock(&queue->lock);
    return n;
}

void tt_queue_done(struct tt_queue *queue, void **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        give_back(queue, &items[i]);
}

uint64_t tt_queue_oldest(struct tt_queue *queue)
{
    uint64_t oldest;

    pthread_mutex_lock(&queue->lock);
    oldest = queue->count ? queue->oldest : tt_now_ns();
    pthread_mutex_unlock(&queue->lock);
    return oldest;
}

void tt_queue_close(struct tt_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->room);
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->wake);
}

bool tt_queue_closed(struct tt_queue *queue)
{
    bool closed;

    pthread_mutex_lock(&queue->lock);
    closed = queue->closed;
    pthread_mutex_unlock(&queue->lock);
    return closed;
}

bool tt_queue_ended(struct tt_queue *queue)
{
    bool ended;

    pthread_mutex_lock(&queue->lock);
    ended = queue->closed && !queue->count;
    pthread_mutex_unlock(&queue->lock);
    return ended;
}

size_t tt_queue_size(struct tt_queue *queue)
{
    size_t count;

    pthread_mutex_lock(&queue->lock);
    count = queue->count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}
