/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random calls against the truth. Nothing lost: every span, every parent, every outcome right, nothing in
 * doubt. With losses, or with stacks that switch: never a wrong parent, never an outcome that is wrong
 * without saying so.
 */
#include "correlate/calls.h"

#include <stdio.h>
#include <time.h>

static size_t seen_parents, seen_spans, seen_marked;

static struct draft *event_draft(const struct call_event *event, uint32_t *sequence)
{
    static struct draft d;
    char name[32];
    d.header = (struct tt_event){.time = event->time,
                                 .tgid = event->tgid,
                                 .tid = event->tid,
                                 .sequence = ++sequence[event->tid],
                                 .thread_start = 1,
                                 .type = (uint16_t)event->type,
                                 .size = sizeof(struct tt_event),
                                 .point = event->row,
                                 .frame = event->frame,
                                 .sp = event->sp};
    if (event->type == TT_EVENT_ENTER) {
        snprintf(name, sizeof(name), "%d", event->truth);
        draft_string(&d, TT_FIELD_TEXT, 0, name);
    } else if (event->type == TT_EVENT_REQUEST || event->type == TT_EVENT_UPCALL) {
        struct tt_key key = tcp_key(event->port, event->request, event->type == TT_EVENT_REQUEST);
        draft_field(&d, TT_FIELD_KEY, TT_STATUS_OK, 0, 0, &key, sizeof(key));
    } else if (event->type == TT_EVENT_CATCH) {
        struct tt_exception exception = {.exception_class = CXX_CLASS, .errors = 1};
        draft_field(&d, TT_FIELD_EXCEPTION, TT_STATUS_OK, 0, 0, &exception, sizeof(exception));
        draft_string(&d, TT_FIELD_TYPE, 0, "N5Tango9DevFailedE");
        draft_string(&d, TT_FIELD_REASON, 0, "API_Failed");
    }
    return &d;
}

static void play(struct events *e, const struct calls *calls)
{
    static uint32_t sequence[MAX_TIDS];
    memset(sequence, 0, sizeof(sequence));
    for (size_t i = 0; i < calls->events; i++) {
        const struct call_event *event = &calls->event[i];
        if (event->dropped)
            sequence[event->tid]++;
        else
            feed(e, event_draft(event, sequence));
        if (e->now < event->time)
            e->now = event->time;
        if (i % 1000 == 0)
            tt_correlator_tick(e->correlator, e->now);
    }
    tt_assembler_flush(e->assembler, e->now);
    tt_correlator_flush(e->correlator);
}

/* ---- comparing -------------------------------------------------------------------------------- */

static int truth_of(const struct tt_span *span)
{
    assert_non_null(span->text);
    return atoi(span->text);
}

static int outermost(const struct calls *calls, int truth)
{
    while (calls->truth[truth].inner_of >= 0)
        truth = calls->truth[truth].inner_of;
    return truth;
}

static int by_span_id(const void *a, const void *b)
{
    return memcmp((*(struct tt_span *const *)a)->span_id, (*(struct tt_span *const *)b)->span_id, 8);
}

static struct tt_span *parent_of(const struct events *e, const struct tt_span *span)
{
    struct tt_span key, *pointer = &key;
    memcpy(key.span_id, span->parent_id, sizeof(key.span_id));
    struct tt_span **found = bsearch(&pointer, e->spans, e->count, sizeof(e->spans[0]), by_span_id);
    return found ? *found : NULL;
}

static void check_span(const struct events *e, const struct calls *calls, const struct tt_span *span,
                       bool exact)
{
    int own = truth_of(span), call = outermost(calls, own);
    const struct truth *truth = &calls->truth[own];
    assert_true(is_row(span, truth->row));
    seen_spans++;
    seen_marked += span->incomplete != 0;
    if (!is_root(span)) {
        struct tt_span *parent = parent_of(e, span);
        assert_non_null(parent);
        assert_memory_equal(parent->trace_id, span->trace_id, 16);
        int above = span->further ? own : outermost(calls, calls->truth[call].parent);
        assert_int_equal(outermost(calls, truth_of(parent)), outermost(calls, above));
        seen_parents++;
    }
    if (!span->further && !calls->parks_anywhere &&
        !(span->incomplete & (TT_INCOMPLETE_LOST | TT_INCOMPLETE_END))) {
        assert_int_equal(span->failed, truth->failed);
        if (!span->failed)
            assert_int_equal(span->end, truth->end);
    }
    if (span->further) {
        assert_true(is_root(span) || truth_of(parent_of(e, span)) == own);
        return;
    }
    if (!exact)
        return;
    assert_int_equal(own, call);
    assert_int_equal(span->incomplete, 0);
    assert_int_equal(is_root(span), truth->parent < 0);
    assert_int_equal(span->collocated, truth->collocated);
}

static void compare(struct events *e, const struct calls *calls, bool exact)
{
    unsigned char *seen = calloc(calls->truths, 1);
    qsort(e->spans, e->count, sizeof(e->spans[0]), by_span_id);
    for (size_t i = 0; i < e->count; i++) {
        if (is_row(e->spans[i], UPCALL))
            continue; /* a method that is not catalogued */
        check_span(e, calls, e->spans[i], exact);
        assert_false(!e->spans[i]->further && seen[truth_of(e->spans[i])]++);
    }
    for (size_t i = 0; exact && i < calls->truths; i++)
        assert_int_equal(seen[i], calls->truth[i].inner_of < 0);
    assert_int_equal(stats(e)->open, 0);
    assert_int_equal(tt_correlator_stats(e->correlator)->pending, 0);
    assert_int_equal(tt_correlator_stats(e->correlator)->emitted, e->count);
    free(seen);
}

static void run(uint64_t seed, unsigned greenlets, bool parks_anywhere, unsigned drop, bool exact)
{
    struct calls calls;
    struct events e;
    make_calls(&calls, seed, greenlets ? 4 : 10, greenlets, parks_anywhere, 10);
    shuffle(&calls, 20000);
    drop_events(&calls, drop);
    events_init_correlated_rows(&e, &(struct tt_correlator_config){.seed = seed + 1},
                                greenlets ? foreign_row : test_row);
    e.switching = greenlets;
    play(&e, &calls);
    compare(&e, &calls, exact);
    if (exact) {
        assert_int_equal(stats(&e)->gaps + stats(&e)->malformed + stats(&e)->buried + stats(&e)->suspended,
                         0);
        assert_int_equal(stats(&e)->orphan_exits + stats(&e)->early_exits + stats(&e)->mismatched_exits, 0);
        assert_int_equal(tt_correlator_stats(e.correlator)->ambiguous, 0);
    }
    events_free(&e);
    calls_free(&calls);
}

static void report(const char *what)
{
    print_message("%s: %zu spans, %zu with parent, %zu marked incomplete\n", what, seen_spans, seen_parents,
                  seen_marked);
    seen_spans = seen_parents = seen_marked = 0;
}

static void nothing_lost(void **state)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        run(seed, 0, false, 0, true);
    report("nothing lost");
}

static void some_lost(void **state)
{
    static const unsigned per_mille[] = {2, 20, 100, 400};
    for (size_t k = 0; k < TT_ARRAY_SIZE(per_mille); k++) {
        for (uint64_t seed = 1; seed <= 100; seed++)
            run(seed * 1000 + k, 0, false, per_mille[k], false);
        char what[64];
        snprintf(what, sizeof(what), "%u of 1000 losses", per_mille[k]);
        report(what);
    }
}

static void greenlets(void **state)
{
    for (unsigned drop = 0; drop <= 50; drop += 50)
        for (unsigned anywhere = 0; anywhere < 2; anywhere++) {
            for (uint64_t seed = 1; seed <= 100; seed++)
                run(seed * 77 + drop, 4, anywhere, drop, false);
            char what[80];
            snprintf(what, sizeof(what), "greenlets%s, %u of 1000 losses", anywhere ? " parked anywhere" : "",
                     drop);
            report(what);
        }
}

/* ---- throughput ------------------------------------------------------------------------------- */

static void count_span(void *context, struct tt_span *span)
{
    ++*(size_t *)context;
    tt_span_free(&span);
}

static void throughput(void **state)
{
    struct calls calls;
    size_t spans = 0, size = 0;
    static uint32_t sequence[MAX_TIDS];
    make_calls(&calls, 5, 20, 0, false, 2000);
    shuffle(&calls, 20000);
    unsigned char *bytes = malloc(calls.events * 256);
    assert_non_null(bytes);
    for (size_t i = 0; i < calls.events; i++) {
        struct draft *d = event_draft(&calls.event[i], sequence);
        assert_true(d->header.size <= 256);
        memcpy(bytes + size, d, d->header.size);
        size += d->header.size;
    }

    struct tt_correlator *correlator = tt_correlator_new(&(struct tt_correlator_config){.seed = 1},
                                                         count_span, &spans);
    struct tt_assembler_ops ops = tt_correlator_ops(correlator);
    struct tt_assembler *assembler = tt_assembler_new(&ops, test_row, NULL);
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (size_t at = 0; at < size;) {
        struct tt_event header;
        memcpy(&header, bytes + at, sizeof(header));
        tt_assembler_event(assembler, bytes + at, header.size);
        at += header.size;
    }
    tt_assembler_flush(assembler, UINT64_MAX / 4);
    tt_correlator_flush(correlator);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    double seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    print_message("throughput: %zu events, %zu spans in %.3f s CPU: %.2f M events/s, %.2f M spans/s\n",
                  calls.events, spans, seconds, (double)calls.events / seconds / 1e6,
                  (double)spans / seconds / 1e6);
    tt_assembler_free(&assembler);
    tt_correlator_free(&correlator);
    free(bytes);
    calls_free(&calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_lost),
        cmocka_unit_test(some_lost),
        cmocka_unit_test(greenlets),
        cmocka_unit_test(throughput),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
