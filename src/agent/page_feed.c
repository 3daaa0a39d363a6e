/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * page_feed.c: what the running agent tells the page besides spans: counts of calls every second, and the
 * answers of the control socket, often only while somebody looks. A thread of its own, which tends the
 * process that serves it, too.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/page.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define INTERVAL_NS 1000000000u
#define SHARE       50 /* a round that takes long comes less often: at most so much of the time .. */
#define LONGEST_NS  10000000000u /* .. but so often it comes */

/* Questions to ourselves, and how often they are asked, s. */
static const struct question {
    const char *request, *name;
    unsigned watched, unwatched;
} questions[] = {
    {"GET status", "status", 1, 10},
    {"GET calls", "calls", 1, 10},
    {"GET list", "processes", 5, 10},
};

struct tt_page_feed {
    struct tt_agent *agent;
    struct tt_page *page;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping, woken;
    uint64_t asked[TT_ARRAY_SIZE(questions)]; /* CLOCK_MONOTONIC ns */
    struct tt_json json;
};

struct taking {
    struct tt_agent *agent;
    struct tt_usage_copy *copy;
};

/* On the collecting thread. */
static void take(void *context)
{
    struct taking *taking = context;

    taking->copy = tt_usage_copy(taking->agent->pipeline->usage, tt_clock_ns(CLOCK_REALTIME));
}

static void tell_usage(struct tt_page_feed *feed)
{
    struct taking taking = {.agent = feed->agent};

    tt_collector_call(feed->agent->collector, take, &taking);
    if (taking.copy)
        tt_page_usage(feed->page, taking.copy);
    tt_usage_copy_free(&taking.copy);
}

static void ask(struct tt_page_feed *feed, size_t i, uint64_t now)
{
    bool watched = tt_page_is_watched(feed->page);
    uint64_t seconds = watched ? questions[i].watched : questions[i].unwatched;

    if (feed->asked[i] && now - feed->asked[i] < seconds * TT_NS_PER_S - INTERVAL_NS / 2)
        return;
    feed->asked[i] = now;
    tt_json_reset(&feed->json);
    if (!tt_agent_answer(feed->agent, questions[i].request, &feed->json))
        tt_page_state(feed->page, questions[i].name, &feed->json);
}

/* Everything that is to be told now. When the next round is due. */
static uint64_t tell(struct tt_page_feed *feed, uint64_t due)
{
    uint64_t begin = tt_now_ns(), pause, next;

    for (size_t i = 0; i < TT_ARRAY_SIZE(questions); i++)
        ask(feed, i, begin);
    tell_usage(feed); /* last: it says that there is something new */
    pause = (tt_now_ns() - begin) * SHARE;
    next = due + (pause < INTERVAL_NS ? INTERVAL_NS : pause < LONGEST_NS ? pause : LONGEST_NS);
    return next < begin ? begin + INTERVAL_NS : next;
}

/* With the lock held. */
static void wait_until(struct tt_page_feed *feed, uint64_t time)
{
    struct timespec until = {.tv_sec = (time_t)(time / TT_NS_PER_S), .tv_nsec = (long)(time % TT_NS_PER_S)};

    while (!feed->stopping && !feed->woken && tt_now_ns() < time) {
        if (time == UINT64_MAX)
            pthread_cond_wait(&feed->wake, &feed->lock);
        else
            pthread_cond_timedwait(&feed->wake, &feed->lock, &until);
    }
    feed->woken = false;
}

static void *work(void *argument)
{
    struct tt_page_feed *feed = argument;
    uint64_t next = tt_now_ns(), again;
    unsigned starts = tt_page_starts(feed->page);

    pthread_mutex_lock(&feed->lock);
    while (!feed->stopping) {
        pthread_mutex_unlock(&feed->lock);
        again = tt_page_tend(feed->page);
        if (starts != tt_page_starts(feed->page)) { /* it knows nothing yet */
            starts = tt_page_starts(feed->page);
            memset(feed->asked, 0, sizeof(feed->asked));
            next = tt_now_ns();
        }
        if (!again && next <= tt_now_ns())
            next = tell(feed, next);
        if (!again) /* is it there still? */
            again = next < tt_now_ns() + INTERVAL_NS ? next : tt_now_ns() + INTERVAL_NS;
        pthread_mutex_lock(&feed->lock);
        wait_until(feed, again);
    }
    pthread_mutex_unlock(&feed->lock);
    return NULL;
}

void tt_page_feed_wake(struct tt_page_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    feed->woken = true;
    pthread_cond_signal(&feed->wake);
    pthread_mutex_unlock(&feed->lock);
}

int tt_page_feed_new(struct tt_agent *agent, struct tt_page *page, struct tt_page_feed **feed)
{
    struct tt_page_feed *made = calloc(1, sizeof(*made));
    pthread_condattr_t monotonic;
    sigset_t all, before;
    int error;

    if (!made)
        return -ENOMEM;
    made->agent = agent;
    made->page = page;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    error = pthread_create(&made->thread, NULL, work, made);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    made->running = !error;
    if (error) {
        tt_page_feed_free(&made);
        return -error;
    }
    *feed = made;
    return 0;
}

void tt_page_feed_free(struct tt_page_feed **feed)
{
    struct tt_page_feed *f = TAKE_PTR(*feed);

    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    if (f->running)
        pthread_join(f->thread, NULL);
    tt_json_free(&f->json);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
