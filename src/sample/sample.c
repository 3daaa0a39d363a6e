/* SPDX-License-Identifier: GPL-2.0-only */
#include "sample/sample.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "sample/flight.h"
#include "sample/internal.h"

#define SETTLE_NS   (200 * TT_NS_PER_MS) /* after the last span, for those of other threads and processes */
#define LOOK_NS     (50 * TT_NS_PER_MS)  /* between two looks at what is held */
#define WINDOW_NS   TT_NS_PER_S          /* in which `rate` traces may leave */
#define MARKS_MAX   4096
#define DECIDED_MAX 16384 /* verdicts remembered, for spans that come later; 120 bytes each */

/* ---- counting --------------------------------------------------------------------------------------- */

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- what leaves ------------------------------------------------------------------------------------ */

/* What the tracestate says of how the span was chosen. */
static void put_state(struct tt_otel_span *span, const struct verdict *verdict)
{
    char state[TT_TH_STATE + 1];
    const char *copy;

    if (verdict->as_is)
        return;
    tt_threshold_put(span->trace_state, verdict->threshold, state);
    copy = tt_arena_copy(&span->arena, state, strlen(state));
    if (copy)
        span->trace_state = copy;
}

static void emit(struct tt_sampler *sampler, struct tt_otel_span *span, const struct verdict *verdict)
{
    put_state(span, verdict);
    sampler->emit(sampler->context, span);
}

static void remember(struct tt_sampler *sampler, const uint8_t id[16], const struct verdict *verdict)
{
    struct decided *decided;

    HASH_FIND(hh, sampler->decided, id, sizeof(decided->id), decided);
    if (decided) {
        HASH_DEL(sampler->decided, decided);
    } else if (HASH_COUNT(sampler->decided) >= DECIDED_MAX) {
        decided = sampler->decided; /* the one that was asked for longest ago */
        HASH_DEL(sampler->decided, decided);
        memset(decided, 0, sizeof(*decided));
    } else {
        decided = calloc(1, sizeof(*decided));
    }
    if (!decided)
        return;
    memcpy(decided->id, id, sizeof(decided->id));
    decided->verdict = *verdict;
    HASH_ADD(hh, sampler->decided, id, sizeof(decided->id), decided);
}

static void drop(struct tt_sampler *sampler, const uint8_t id[16], struct tt_spans *spans,
                 const struct verdict *verdict)
{
    count(&sampler->rows[verdict->row].dropped_spans, spans->count);
    if (sampler->flight && !verdict->final)
        tt_flight_add(sampler->flight, id, spans, sampler->now);
    else
        tt_spans_put(spans);
}

static void keep(struct tt_sampler *sampler, struct tt_spans *spans, const struct verdict *verdict)
{
    count(&sampler->rows[verdict->row].kept_spans, spans->count);
    for (size_t i = 0; i < spans->count; i++)
        emit(sampler, spans->items[i], verdict);
    tt_spans_put(spans);
}

/* The trace is judged: it leaves the table. */
static void finish(struct tt_sampler *sampler, struct held *held, const struct verdict *verdict)
{
    struct row *row = &sampler->rows[verdict->row];

    count(verdict->keep ? &row->kept : &row->dropped, 1);
    HASH_DEL(sampler->held, held);
    sampler->spans -= held->spans.count;
    atomic_store_explicit(&sampler->waiting, sampler->spans, memory_order_relaxed);
    remember(sampler, held->id, verdict);
    if (verdict->keep)
        keep(sampler, &held->spans, verdict);
    else
        drop(sampler, held->id, &held->spans, verdict);
    tt_sample_logs_judged(sampler, held->id, verdict);
    free(held);
}

/* ---- judging ---------------------------------------------------------------------------------------- */

static unsigned find_row(const struct tt_sampler *sampler, const struct held *held)
{
    for (unsigned i = 0; i < sampler->rule_count; i++)
        if (tt_rule_match_any(&sampler->rules[i], held->spans.items, held->spans.count))
            return i;
    return sampler->rule_count +
           (tt_sample_is_background(held->spans.items[0]) ? ROW_BACKGROUND : ROW_OTHERS);
}

static bool is_slow(struct tt_sampler *sampler, const struct held *held)
{
    bool slow = false;

    for (size_t i = 0; i < held->spans.count; i++) {
        const struct tt_otel_span *span = held->spans.items[i];

        if (sampler->config.slow_ns)
            slow |= span->end - span->start >= sampler->config.slow_ns;
        else if (span->top) /* all of them are taken into account */
            slow |= tt_slow_call(sampler->slow, span);
    }
    return slow;
}

/* Why the trace is kept by what its spans and log records themselves say; TAIL_NONE: they do not. */
static enum tail told_by(const struct tt_sampler *sampler, const struct held *held)
{
    if (sampler->config.errors && held->failed)
        return TAIL_FAILED;
    if (sampler->config.late && held->late)
        return TAIL_LATE;
    return held->marked ? TAIL_MARKED : TAIL_NONE;
}

/* Why the trace is kept whatever its share; TAIL_NONE: it is not. `open`: its topmost span has not ended
 * within the wait, which makes it slow. */
static enum tail tail_of(struct tt_sampler *sampler, const struct held *held, bool open)
{
    bool slow = sampler->config.slow && is_slow(sampler, held);
    enum tail told = told_by(sampler, held);

    if (told)
        return told;
    if (slow)
        return TAIL_SLOW;
    return sampler->config.slow && open ? TAIL_OPEN : TAIL_NONE;
}

/* Kept for that reason, and standing for itself alone. */
static void finish_by(struct tt_sampler *sampler, struct held *held, enum tail tail, unsigned row)
{
    count(&sampler->tails[tail], 1);
    finish(sampler, held, &(struct verdict){.keep = true, .row = row});
}

static void judge(struct tt_sampler *sampler, struct held *held, bool open)
{
    struct verdict verdict = {.row = find_row(sampler, held)};
    const struct tt_otel_span *first = held->spans.items[0];
    bool excluded = verdict.row < sampler->rule_count && sampler->rules[verdict.row].exclude;
    enum tail tail = excluded ? TAIL_NONE : tail_of(sampler, held, open);

    if (tail) {
        finish_by(sampler, held, tail, verdict.row);
        return;
    }
    if (!excluded && sampler->parent_based && first->native) {
        verdict.keep = !first->unsampled; /* who samples there writes its own threshold */
        verdict.as_is = true;
    } else if (!excluded) {
        verdict.threshold = sampler->rows[verdict.row].threshold;
        verdict.keep = held->random >= verdict.threshold;
        if (verdict.keep && sampler->config.rate) {
            held->candidate = true;
            held->verdict = verdict;
            sampler->candidates++;
            return;
        }
    }
    verdict.final = excluded;
    finish(sampler, held, &verdict);
}

/* ---- the rate: of all that the head keeps in a second, those with the highest random bits ---------------
 */

static int by_random(const void *a, const void *b)
{
    const struct held *x = *(struct held *const *)a, *y = *(struct held *const *)b;

    if (x->random != y->random)
        return x->random > y->random ? -1 : 1;
    return memcmp(x->id, y->id, sizeof(x->id));
}

/*
 * The threshold is the first that was not kept: with it each trace that was kept stands for 1 / (1 -
 * threshold) ones, without bias (bottom-k sampling; Cohen and Kaplan, "Summarizing data using bottom-k
 * sketches", 2007).
 */
static uint64_t limit_of(struct held *const *candidates, size_t count, size_t rate)
{
    return count > rate ? tt_threshold_round(candidates[rate]->random + 1) : TT_TH_ALL;
}

static void close_window(struct tt_sampler *sampler)
{
    size_t n = 0;
    _cleanup_free_ struct held **candidates = calloc(sampler->candidates ? sampler->candidates : 1,
                                                     sizeof(struct held *));
    struct held *held, *next;
    uint64_t limit;

    if (!candidates) /* later, then: the bound on spans leads here again */
        return;
    HASH_ITER(hh, sampler->held, held, next)
    {
        enum tail tail = held->candidate ? told_by(sampler, held) : TAIL_NONE;

        if (tail) /* by what came since it was judged */
            finish_by(sampler, held, tail, held->verdict.row);
        else if (held->candidate && n < sampler->candidates)
            candidates[n++] = held;
    }
    qsort(candidates, n, sizeof(struct held *), by_random);
    limit = limit_of(candidates, n, sampler->config.rate);
    for (size_t i = 0; i < n; i++) {
        struct verdict verdict = candidates[i]->verdict;

        verdict.keep = candidates[i]->random >= limit;
        if (!verdict.keep) {
            count(&sampler->over_rate, 1);
            verdict.row = sampler->rule_count + ROW_RATE;
        } else if (verdict.threshold < limit) {
            verdict.threshold = limit;
        }
        finish(sampler, candidates[i], &verdict);
    }
    sampler->candidates = 0;
    sampler->window_end = sampler->now + WINDOW_NS;
}

/* ---- time and room ---------------------------------------------------------------------------------- */

static void make_room(struct tt_sampler *sampler)
{
    while (sampler->spans > sampler->config.max_spans && sampler->held) {
        count(&sampler->early, 1);
        if (sampler->held->candidate)
            close_window(sampler);
        else
            judge(sampler, sampler->held, false);
    }
}

/* What came before the first tick came then. */
static void begin_time(struct tt_sampler *sampler, uint64_t now)
{
    for (struct held *held = sampler->held; held; held = held->hh.next)
        held->first = held->last = now;
    for (struct written *written = sampler->written; written; written = written->hh.next)
        written->first = now;
}

/* The rate's second is part of the wait: so that a longer one is not needed where spans are to leave in time.
 */
static uint64_t longest_wait(const struct tt_sampler *sampler)
{
    uint64_t wait = sampler->config.wait_ns;

    return sampler->config.rate && wait >= 2 * WINDOW_NS ? wait - WINDOW_NS : wait;
}

void tt_sampler_tick(struct tt_sampler *sampler, uint64_t now)
{
    uint64_t longest = longest_wait(sampler);
    struct held *held, *next;

    if (now < sampler->now + LOOK_NS)
        return;
    if (!sampler->now)
        begin_time(sampler, now);
    sampler->now = now;
    HASH_ITER(hh, sampler->held, held, next)
    {
        bool over = now - held->first >= longest;

        if (!held->candidate && (over || (held->top && now - held->last >= SETTLE_NS)))
            judge(sampler, held, over && !held->top);
    }
    if (sampler->candidates && now >= sampler->window_end)
        close_window(sampler);
    tt_sample_logs_tick(sampler);
    tt_sample_triggers_tick(sampler);
    if (!sampler->flight)
        return;
    tt_flight_tick(sampler->flight, now);
    atomic_store_explicit(&sampler->remembered, tt_flight_count(sampler->flight), memory_order_relaxed);
}

void tt_sampler_flush(struct tt_sampler *sampler)
{
    struct held *held, *next;

    HASH_ITER(hh, sampler->held, held, next)
    if (!held->candidate)
        judge(sampler, held, false);
    if (sampler->candidates)
        close_window(sampler);
    tt_sample_logs_flush(sampler);
}

/* ---- spans ------------------------------------------------------------------------------------------ */

/* Is there anything that could drop a trace of this kind? */
static bool is_held(const struct tt_sampler *sampler, const struct tt_otel_span *span)
{
    unsigned row = sampler->rule_count + (tt_sample_is_background(span) ? ROW_BACKGROUND : ROW_OTHERS);

    return sampler->rule_count || sampler->config.rate || sampler->rows[row].threshold != TT_TH_ALL ||
           (sampler->parent_based && span->unsampled);
}

/* It was dropped, and now there is a reason to keep it: as far as the flight recorder has it. */
static bool revive(struct tt_sampler *sampler, struct decided *decided, enum tail tail)
{
    struct row *row = &sampler->rows[decided->verdict.row];
    struct tt_spans spans = {0};
    struct tt_logs logs = {0};

    if (decided->verdict.keep || decided->verdict.final || !sampler->flight ||
        !tt_flight_take(sampler->flight, decided->id, &spans, &logs))
        return false;
    atomic_fetch_sub_explicit(&row->dropped, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&row->dropped_spans, spans.count, memory_order_relaxed);
    count(&row->kept, 1);
    count(&sampler->tails[tail], 1);
    decided->verdict = (struct verdict){.keep = true, .row = decided->verdict.row};
    keep(sampler, &spans, &decided->verdict);
    atomic_fetch_sub_explicit(&sampler->logs_dropped, logs.count, memory_order_relaxed);
    tt_sample_logs_emit(sampler, &logs);
    return true;
}

static void add_late(struct tt_sampler *sampler, struct decided *decided, struct tt_otel_span *span)
{
    const struct verdict verdict = decided->verdict;
    bool fails = sampler->config.errors && span->status == TT_OTEL_ERROR;
    struct tt_spans spans = {0};

    count(&sampler->late, 1);
    if (!tt_spans_add(&spans, span))
        return;
    if (verdict.keep || (fails && revive(sampler, decided, TAIL_FAILED)))
        keep(sampler, &spans, &decided->verdict);
    else
        drop(sampler, decided->id, &spans, &verdict);
    HASH_DEL(sampler->decided, decided); /* asked for just now: the last to be forgotten */
    HASH_ADD(hh, sampler->decided, id, sizeof(decided->id), decided);
}

static int64_t int_of(const struct tt_otel_span *span, const char *key)
{
    const struct tt_otel_attribute *found = tt_otel_find(span->attributes, span->attribute_count, key);

    return found && found->type == TT_OTEL_INT ? found->value.integer : 0;
}

/* A poll (INTERNAL) a whole period too late, or an event received (CONSUMER) before which others were lost.
 */
static bool is_late(const struct tt_otel_span *span)
{
    int64_t period = span->kind == 1 ? int_of(span, "tango.polling.period_ms") : 0;

    if (span->kind == 5)
        return int_of(span, "tango.event.lost") > 0;
    return period > 0 && period < INT64_MAX / 1000 && int_of(span, "tango.polling.late_us") > period * 1000;
}

/* Did something speak for the trace already? Asked once. */
static bool take_mark(struct tt_sampler *sampler, const uint8_t id[16])
{
    struct mark *mark;

    HASH_FIND(hh, sampler->marks, id, sizeof(mark->id), mark);
    if (!mark)
        return false;
    HASH_DEL(sampler->marks, mark);
    free(mark);
    return true;
}

static struct held *find_or_add(struct tt_sampler *sampler, const struct tt_otel_span *span)
{
    struct held *held;

    HASH_FIND(hh, sampler->held, span->trace_id, sizeof(held->id), held);
    if (held)
        return held;
    held = calloc(1, sizeof(*held));
    if (!held)
        return NULL;
    memcpy(held->id, span->trace_id, sizeof(held->id));
    held->random = tt_threshold_random(held->id);
    held->first = sampler->now;
    held->marked = take_mark(sampler, held->id);
    HASH_ADD(hh, sampler->held, id, sizeof(held->id), held);
    return held;
}

void tt_sampler_span(struct tt_sampler *sampler, struct tt_otel_span *span)
{
    struct decided *decided;
    struct held *held;

    tt_sample_triggers_span(sampler, span);
    if (!is_held(sampler, span)) {
        count(&sampler->passed, 1);
        sampler->emit(sampler->context, span);
        tt_sample_logs_pass(sampler, span->trace_id);
        return;
    }
    HASH_FIND(hh, sampler->decided, span->trace_id, sizeof(decided->id), decided);
    if (decided) {
        add_late(sampler, decided, span);
        return;
    }
    held = find_or_add(sampler, span);
    if (!held || !tt_spans_add(&held->spans, span)) { /* out of memory: no reason to lose it */
        count(&sampler->passed, 1);
        sampler->emit(sampler->context, span);
        return;
    }
    held->last = sampler->now;
    held->top |= span->top;
    held->failed |= span->status == TT_OTEL_ERROR;
    held->late |= is_late(span);
    atomic_store_explicit(&sampler->waiting, ++sampler->spans, memory_order_relaxed);
    make_room(sampler);
}

void tt_sampler_mark(struct tt_sampler *sampler, const uint8_t trace_id[16])
{
    struct decided *decided;
    struct held *held;
    struct mark *mark;

    HASH_FIND(hh, sampler->held, trace_id, sizeof(held->id), held);
    if (held) {
        held->marked = true;
        return;
    }
    HASH_FIND(hh, sampler->decided, trace_id, sizeof(decided->id), decided);
    if (decided) {
        revive(sampler, decided, TAIL_MARKED);
        return;
    }
    HASH_FIND(hh, sampler->marks, trace_id, sizeof(mark->id), mark);
    if (mark)
        return;
    if (HASH_COUNT(sampler->marks) >= MARKS_MAX) {
        mark = sampler->marks; /* the oldest */
        HASH_DEL(sampler->marks, mark);
        memset(mark, 0, sizeof(*mark));
    } else {
        mark = calloc(1, sizeof(*mark));
    }
    if (!mark)
        return;
    memcpy(mark->id, trace_id, sizeof(mark->id));
    HASH_ADD(hh, sampler->marks, id, sizeof(mark->id), mark);
}

uint64_t tt_sampler_dump(struct tt_sampler *sampler)
{
    struct tt_spans spans = {0};
    struct tt_logs logs = {0};
    uint64_t dumped = 0;

    while (sampler->flight && tt_flight_take(sampler->flight, NULL, &spans, &logs)) {
        for (size_t i = 0; i < spans.count; i++) {
            spans.items[i]->trace_state = "tangotrace=flight";
            sampler->emit(sampler->context, spans.items[i]);
        }
        dumped += spans.count;
        tt_spans_put(&spans);
        tt_sample_logs_emit(sampler, &logs);
    }
    count(&sampler->dumped, dumped);
    count(&sampler->dumps, 1);
    return dumped;
}
