/* SPDX-License-Identifier: GPL-2.0-only */
#include "collect/collect.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define ROUND_NS 10000000L

struct tt_collector {
    struct tt_host *host;
    struct tt_collector_ops ops;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* something to run, or stop */
    pthread_cond_t done; /* the call has run */
    void (*call)(void *context);
    void *call_context;
    bool stop;
};

static void round_once(struct tt_collector *collector)
{
    tt_host_consume(collector->host, collector->ops.event, collector->ops.context);
    collector->ops.tick(collector->ops.context, tt_now_ns());
}

/* Waits for the next round; runs calls meanwhile. False: stop. */
static bool wait_round(struct tt_collector *collector)
{
    struct timespec until;
    bool stop;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ROUND_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&collector->lock);
    while (!collector->stop) {
        if (collector->call) {
            collector->call(collector->call_context);
            collector->call = NULL;
            pthread_cond_broadcast(&collector->done);
        } else if (pthread_cond_timedwait(&collector->wake, &collector->lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    stop = collector->stop;
    pthread_mutex_unlock(&collector->lock);
    return !stop;
}

static void *collect(void *argument)
{
    struct tt_collector *collector = argument;

    do {
        round_once(collector);
    } while (wait_round(collector));
    round_once(collector);
    return NULL;
}

int tt_collector_new(struct tt_host *host, const struct tt_collector_ops *ops,
                     struct tt_collector **collector)
{
    struct tt_collector *made = calloc(1, sizeof(*made));
    pthread_condattr_t attr;
    int error;

    if (!made)
        return -ENOMEM;
    made->host = host;
    made->ops = *ops;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&made->wake, &attr);
    pthread_cond_init(&made->done, &attr);
    pthread_condattr_destroy(&attr);
    error = pthread_create(&made->thread, NULL, collect, made);
    if (error) {
        free(made);
        return -error;
    }
    *collector = made;
    return 0;
}

void tt_collector_call(struct tt_collector *collector, void (*fn)(void *context), void *context)
{
    pthread_mutex_lock(&collector->lock);
    while (collector->call)
        pthread_cond_wait(&collector->done, &collector->lock);
    collector->call = fn;
    collector->call_context = context;
    pthread_cond_signal(&collector->wake);
    while (collector->call == fn && collector->call_context == context)
        pthread_cond_wait(&collector->done, &collector->lock);
    pthread_mutex_unlock(&collector->lock);
}

void tt_collector_free(struct tt_collector **collector)
{
    struct tt_collector *c = *collector;

    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    free(c);
    *collector = NULL;
}
