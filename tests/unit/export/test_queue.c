/* SPDX-License-Identifier: GPL-2.0-only */
#include "fixture.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "export/queue.h"

static struct tt_otel_span *plain_span(void)
{
    struct tt_otel_span *span = tt_otel_span_new();

    span->resource = tt_otel_resource_new();
    span->trigger = "client";
    return span;
}

static void test_overflow(void **state)
{
    struct tt_queue *queue = tt_queue_new(TT_SIGNAL_SPANS, 100, 30);
    struct tt_otel_span *span = plain_span();
    void *taken[30];
    unsigned accepted = 0;
    size_t n, total = 0;

    for (unsigned i = 0; i < 250; i++)
        accepted += tt_queue_push(queue, span);
    assert_int_equal(accepted, 100);
    assert_int_equal(tt_queue_size(queue), 100);
    assert_int_equal(span->refs, 101); /* a refused span is not held */
    tt_queue_close(queue);
    assert_false(tt_queue_push(queue, span));
    while ((n = tt_queue_take(queue, taken, 60000, 60000))) {
        assert_true(n == 30 || n == 10);
        total += n;
        for (size_t i = 0; i < n; i++)
            tt_queue_put(TT_SIGNAL_SPANS, &taken[i]);
    }
    assert_int_equal(total, 100);
    assert_true(tt_queue_ended(queue));
    assert_int_equal(span->refs, 1);
    tt_queue_free(&queue);
    tt_otel_span_put(&span);
}

static void test_free_puts(void **state)
{
    struct tt_queue *queue = tt_queue_new(TT_SIGNAL_SPANS, 10, 20);
    struct tt_otel_span *span = plain_span();

    for (unsigned i = 0; i < 7; i++)
        assert_true(tt_queue_push(queue, span));
    tt_queue_free(&queue);
    tt_queue_free(&queue);
    assert_int_equal(span->refs, 1);
    tt_otel_span_put(&span);
}

static uint64_t ms_since(uint64_t start)
{
    return (tt_now_ns() - start) / TT_NS_PER_MS;
}

static void test_delay(void **state)
{
    struct tt_queue *queue = tt_queue_new(TT_SIGNAL_SPANS, 10, 4);
    struct tt_otel_span *span = plain_span();
    void *taken[4];
    uint64_t start = tt_now_ns();

    assert_int_equal(tt_queue_take(queue, taken, 1000, 50), 0); /* idle */
    assert_true(ms_since(start) >= 50);
    tt_queue_push(queue, span);
    start = tt_now_ns();
    assert_int_equal(tt_queue_take(queue, taken, 60, 10), 0); /* there, but not due within the idle time */
    assert_int_equal(tt_queue_take(queue, taken, 60, 1000), 1);
    assert_true(ms_since(start) >= 59);
    tt_queue_put(TT_SIGNAL_SPANS, &taken[0]);
    for (unsigned i = 0; i < 4; i++)
        tt_queue_push(queue, span);
    start = tt_now_ns();
    assert_int_equal(tt_queue_take(queue, taken, 5000, 5000), 4); /* a full batch does not wait */
    assert_true(ms_since(start) < 1000);
    for (unsigned i = 0; i < 4; i++)
        tt_queue_put(TT_SIGNAL_SPANS, &taken[i]);
    for (unsigned i = 0; i < 6; i++)
        tt_queue_push(queue, span);
    usleep(250000);
    assert_int_equal(tt_queue_take(queue, taken, 250, 1000), 4);
    tt_queue_done(queue, taken, 4);
    assert_int_equal(tt_queue_take(queue, taken, 250, 1), 0); /* what a batch leaves waits for the next */
    tt_queue_free(&queue);
    assert_int_equal(span->refs, 1);
    tt_otel_span_put(&span);
}

/* What makes room first: log records below INFO, then spans without a root, then everything. */
static void test_ranks(void **state)
{
    struct tt_queue *spans = tt_queue_new(TT_SIGNAL_SPANS, 100, 100),
                    *logs = tt_queue_new(TT_SIGNAL_LOGS, 100, 100);
    struct tt_otel_span *span = plain_span(), *rootless = plain_span();
    struct tt_otel_log *info = tt_otel_log_new(), *debug = tt_otel_log_new();
    unsigned taken[4] = {0};

    rootless->trigger = NULL;
    info->severity = 9;
    debug->severity = 5;
    for (unsigned i = 0; i < 200; i++) {
        taken[0] += tt_queue_push(logs, debug);
        taken[1] += tt_queue_push(spans, rootless);
    }
    for (unsigned i = 0; i < 200; i++) {
        taken[2] += tt_queue_push(logs, info);
        taken[3] += tt_queue_push(spans, span);
    }
    assert_int_equal(taken[0], 50);
    assert_int_equal(taken[1], 75);
    assert_int_equal(taken[2], 50);
    assert_int_equal(taken[3], 25);
    debug->severity = 0; /* not told: who knows what it says */
    assert_int_equal(tt_queue_rank(TT_SIGNAL_LOGS, debug), TT_RANK_OTHER);
    tt_queue_free(&spans);
    tt_queue_free(&logs);
    tt_otel_span_put(&span);
    tt_otel_span_put(&rootless);
    tt_otel_log_put(&info);
    tt_otel_log_put(&debug);
}

/* Queues that share memory: it is bounded whatever the number of items, and comes back. */
static void test_memory(void **state)
{
    struct tt_queue *spans = tt_queue_new(TT_SIGNAL_SPANS, 1000, 1000),
                    *logs = tt_queue_new(TT_SIGNAL_LOGS, 1000, 10);
    struct tt_otel_span *span = plain_span();
    struct tt_otel_log *info = tt_otel_log_new(), *debug = tt_otel_log_new();
    struct tt_queue_memory memory = {.most = 100 * tt_otel_span_size(span)};
    unsigned accepted = 0;
    void *taken[10];

    info->severity = 9;
    debug->severity = 5;
    tt_queue_share(spans, &memory);
    tt_queue_share(logs, &memory);
    for (unsigned i = 0; i < 60; i++)
        assert_true(tt_queue_push(spans, span));
    assert_false(tt_queue_push(logs, debug));
    while (accepted < 1000 && tt_queue_push(logs, info))
        accepted++;
    assert_in_range(accepted, 10, 100);
    assert_true(memory.used <= memory.most);
    assert_false(tt_queue_push(spans, span));
    assert_int_equal(tt_queue_take(logs, taken, 0, 0), 10);
    assert_false(tt_queue_push(logs, info)); /* a batch in hand is memory, too */
    tt_queue_done(logs, taken, 10);
    assert_true(tt_queue_push(logs, info));
    assert_true(tt_queue_push_wait(spans, span, false)); /* who waits is not dropped for want of memory */
    tt_queue_free(&spans);
    tt_queue_free(&logs);
    assert_int_equal(memory.used, 0);
    tt_otel_span_put(&span);
    tt_otel_log_put(&info);
    tt_otel_log_put(&debug);
}

struct race {
    struct tt_queue *queue;
    struct tt_otel_span *span;
    _Atomic unsigned accepted;
};

static void *push_many(void *arg)
{
    struct race *race = arg;

    for (unsigned i = 0; i < 50000; i++)
        race->accepted += tt_queue_push(race->queue, race->span);
    return NULL;
}

/* Several writers, one reader: what was accepted arrives, and every reference comes back. */
static void test_threads(void **state)
{
    struct race race = {.queue = tt_queue_new(TT_SIGNAL_SPANS, 1000, 100), .span = plain_span()};
    void *taken[100];
    pthread_t writers[3];
    unsigned total = 0;

    for (unsigned i = 0; i < 3; i++)
        pthread_create(&writers[i], NULL, push_many, &race);
    for (size_t n; (n = tt_queue_take(race.queue, taken, 1, 200));) {
        for (size_t i = 0; i < n; i++)
            tt_queue_put(TT_SIGNAL_SPANS, &taken[i]);
        total += (unsigned)n;
    }
    for (unsigned i = 0; i < 3; i++)
        pthread_join(writers[i], NULL);
    assert_int_equal(total + tt_queue_size(race.queue), race.accepted);
    tt_queue_free(&race.queue);
    assert_int_equal(race.span->refs, 1);
    tt_otel_span_put(&race.span);
}

static void *push_patiently(void *arg)
{
    struct race *race = arg;

    for (unsigned i = 0; i < 2000; i++)
        race->accepted += tt_queue_push_wait(race->queue, race->span, i % 2);
    return NULL;
}

/* A writer that waits for room, or for the batch to be taken, goes on when there is. */
static void test_patience(void **state)
{
    struct race race = {.queue = tt_queue_new(TT_SIGNAL_SPANS, 4, 2), .span = plain_span()};
    void *taken[2];
    pthread_t writer;
    unsigned total = 0;

    pthread_create(&writer, NULL, push_patiently, &race);
    for (size_t n; total < 2000 && (n = tt_queue_take(race.queue, taken, 0, 20000)); total += (unsigned)n)
        tt_queue_done(race.queue, taken, n);
    tt_queue_close(race.queue);
    pthread_join(writer, NULL);
    assert_int_equal(total, 2000);
    assert_int_equal(race.accepted, 2000);
    tt_queue_free(&race.queue);
    tt_otel_span_put(&race.span);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overflow), cmocka_unit_test(test_free_puts), cmocka_unit_test(test_delay),
        cmocka_unit_test(test_ranks),    cmocka_unit_test(test_memory),    cmocka_unit_test(test_threads),
        cmocka_unit_test(test_patience),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
