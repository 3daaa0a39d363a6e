/* SPDX-License-Identifier: GPL-2.0-only */
/* Known mixes of traces through the sampler: what is kept, what is dropped and by which rule, and what the
 * thresholds say of how many there were. */
#include "../export/fixture.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "sample/sample.h"
#include "sample/threshold.h"

/* ---- the bench -------------------------------------------------------------------------------------- */

struct out {
    struct tt_otel_span **spans;
    size_t count;
};

struct bench {
    struct tt_sampler *sampler;
    struct tt_otel_resource *client, *device;
    struct out out;
    uint64_t now, random;
    uint64_t given;
};

static void on_span(void *context, struct tt_otel_span *span)
{
    struct out *out = &((struct bench *)context)->out;

    if (!(out->count & (out->count - 1)))
        out->spans = reallocarray(out->spans, out->count ? out->count * 2 : 1, sizeof(struct tt_otel_span *));
    out->spans[out->count++] = tt_otel_span_get(span);
}

/* As the options have it by default. */
static struct tt_sampler_config defaults(void)
{
    return (struct tt_sampler_config){.ratio = 1,
                                      .background = 0.01,
                                      .errors = true,
                                      .slow = true,
                                      .wait_ns = 4 * TT_NS_PER_S,
                                      .max_spans = 16384,
                                      .flight_ns = 30 * TT_NS_PER_S,
                                      .flight_spans = 16384};
}

static void setup(struct bench *b, const struct tt_sampler_config *config)
{
    char *error = NULL;

    *b = (struct bench){.client = fixture_resource("scan.py", "ws1:4711", NULL, 4711),
                        .device = fixture_resource("Motor", "b107a/mot/1", "MotorServer/b107a", 815),
                        .now = 1000 * TT_NS_PER_S,
                        .random = 42};
    if (tt_sampler_new(config, on_span, b, &b->sampler, &error))
        fail_msg("%s", error);
    tt_sampler_tick(b->sampler, b->now);
}

static void forget(struct bench *b)
{
    put_spans(b->out.spans, b->out.count);
    free(b->out.spans);
    b->out = (struct out){0};
}

static void teardown(struct bench *b)
{
    forget(b);
    tt_sampler_free(&b->sampler);
    tt_otel_resource_put(&b->client);
    tt_otel_resource_put(&b->device);
}

static void pass(struct bench *b, uint64_t ms)
{
    for (uint64_t end = b->now + ms * TT_NS_PER_MS; b->now < end;) {
        b->now += 50 * TT_NS_PER_MS;
        tt_sampler_tick(b->sampler, b->now);
    }
}

/* splitmix64 */
static uint64_t next_random(struct bench *b)
{
    uint64_t z = (b->random += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

struct kind {
    const char *title, *trigger;
    uint64_t us; /* how long */
    bool fails;
};

static void give(struct bench *b, struct tt_otel_span *span)
{
    tt_sampler_span(b->sampler, span);
    tt_otel_span_put(&span);
    b->given++;
}

static struct tt_otel_span *make_span(struct bench *b, uint64_t trace, bool top, const struct kind *kind)
{
    struct tt_otel_span *span = fixture_span(top ? b->client : b->device, 1, top ? 1 : 2, top ? 0 : 1,
                                             top ? 3 : 2, kind->title, "b107a/mot/1", top ? 0 : 1,
                                             top ? kind->us : kind->us - 1);

    for (int i = 0; i < 8; i++)
        span->trace_id[8 + i] = (uint8_t)(trace >> (56 - 8 * i));
    span->top = top;
    span->trigger = kind->trigger;
    if (kind->fails && !top) /* on the server's side only: the whole trace counts as failed */
        fail_span(span, "API_Error: no");
    return span;
}

/* The server's span, then the client's. Returns the trace's random bits. */
static uint64_t call(struct bench *b, const struct kind *kind)
{
    uint64_t trace = next_random(b);

    give(b, make_span(b, trace, false, kind));
    give(b, make_span(b, trace, true, kind));
    return trace;
}

static unsigned count_of(const struct bench *b, const char *title)
{
    unsigned n = 0;

    for (size_t i = 0; i < b->out.count; i++)
        n += !strcmp(b->out.spans[i]->title, title);
    return n;
}

/* Every trace that left did so with both spans, next to each other. */
static void check_whole(const struct bench *b)
{
    assert_int_equal(b->out.count % 2, 0);
    for (size_t i = 0; i < b->out.count; i += 2)
        assert_memory_equal(b->out.spans[i]->trace_id, b->out.spans[i + 1]->trace_id, 16);
}

/* A member of "sampling", or with `rule` one of that rule. */
static uint64_t figure(const struct bench *b, const char *rule, const char *name)
{
    struct json_object *root, *sampling = NULL, *rules = NULL, *value = NULL;
    struct tt_json json = {0};
    uint64_t result = UINT64_MAX;

    tt_json_object(&json, NULL);
    tt_sampler_json(&json, b->sampler);
    tt_json_object_end(&json);
    root = json_tokener_parse(json.data);
    assert_true(json_object_object_get_ex(root, "sampling", &sampling));
    assert_true(json_object_object_get_ex(sampling, "rules", &rules));
    for (size_t i = 0; rule && i < json_object_array_length(rules); i++) {
        struct json_object *one = json_object_array_get_idx(rules, i), *title;

        json_object_object_get_ex(one, "rule", &title);
        if (!strcmp(json_object_get_string(title), rule) && json_object_object_get_ex(one, name, &value))
            result = json_object_get_uint64(value);
    }
    if (!rule && json_object_object_get_ex(sampling, name, &value))
        result = json_object_get_uint64(value);
    if (result == UINT64_MAX)
        fail_msg("no figure %s of %s in %s", name, rule ? rule : "sampling", json.data);
    json_object_put(root);
    tt_json_free(&json);
    return result;
}

/* given = passed + kept + dropped + held: nothing is lost without a word. */
static void check_sums(const struct bench *b)
{
    assert_int_equal(b->given, figure(b, NULL, "passed") + figure(b, NULL, "kept") +
                                   figure(b, NULL, "dropped") + figure(b, NULL, "held"));
    assert_int_equal(tt_sampler_dropped(b->sampler), figure(b, NULL, "dropped"));
}

/* How many traces those that left stand for; client spans are counted. */
static double estimate(const struct bench *b, const char *title)
{
    double sum = 0;

    for (size_t i = 0; i < b->out.count; i++) {
        const struct tt_otel_span *span = b->out.spans[i];

        if (span->kind == 3 && (!title || !strcmp(span->title, title)))
            sum += 1 / (1 - (double)tt_threshold_of_state(span->trace_state) / (double)TT_TH_NONE);
    }
    return sum;
}

static const struct kind read_call = {"read position", "client", 300, false};
static const struct kind failed_call = {"Move", "client", 300, true};
static const struct kind poll_call = {"poll State", "polling", 100, false};
static const struct kind failed_poll = {"poll Status", "polling", 100, true};
static const struct kind event_call = {"push Position", "event", 50, false};

/* ---- by default ------------------------------------------------------------------------------------- */

/* What clients do is untouched and does not wait; of polling and events 1 % stays, and what failed. */
static void test_default(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    size_t expected = 0;

    config.slow = false;
    setup(&b, &config);
    for (int i = 0; i < 100; i++)
        call(&b, &read_call);
    assert_int_equal(b.out.count, 200);
    assert_null(b.out.spans[0]->trace_state);
    assert_int_equal(figure(&b, NULL, "passed"), 200);
    forget(&b);
    for (int i = 0; i < 20000; i++) {
        expected += (call(&b, i % 2 ? &poll_call : &event_call) & (TT_TH_NONE - 1)) >= 0xfd70a000000000;
        if (i % 20 == 0)
            call(&b, &failed_poll);
        if (i % 1000 == 0)
            pass(&b, 500);
    }
    pass(&b, 5000);
    check_whole(&b);
    check_sums(&b);
    assert_int_equal(count_of(&b, "poll Status"), 2 * 1000);
    assert_int_equal(count_of(&b, "poll State") + count_of(&b, "push Position"), 2 * expected);
    assert_in_range(expected, 150, 250);
    assert_int_equal(figure(&b, NULL, "kept_failed"), 1000);
    assert_int_equal(figure(&b, "polling and events", "kept_traces"), 1000 + expected);
    assert_int_equal(figure(&b, "polling and events", "dropped_traces"), 20000 - expected);
    assert_int_equal(figure(&b, "polling and events", "dropped_spans"), 2 * (20000 - expected));
    assert_int_equal(figure(&b, "others", "dropped_traces"), 0);
    assert_int_equal(figure(&b, NULL, "held"), 0);
    for (size_t i = 0; i < b.out.count; i++)
        assert_string_equal(b.out.spans[i]->trace_state,
                            !strcmp(b.out.spans[i]->title, "poll Status") ? "ot=th:0" : "ot=th:fd70a");
    teardown(&b);
}

/* ---- thresholds and truth --------------------------------------------------------------------------- */

static void test_estimates(void **state)
{
    static const double ratios[] = {0.5, 0.1, 0.02};
    static const char *const rules[] = {"operation=Move; ratio=0.25"};
    const struct kind move = {"Move", "client", 300, false};

    for (size_t r = 0; r < TT_ARRAY_SIZE(ratios); r++) {
        struct tt_sampler_config config = defaults();
        const int calls = 20000;
        struct bench b;

        config.kind = TT_SAMPLER_RATIO;
        config.ratio = ratios[r];
        config.rules = rules;
        config.rule_count = 1;
        config.slow = false;
        setup(&b, &config);
        for (int i = 0; i < calls; i++) {
            call(&b, &read_call);
            if (i % 4 == 0)
                call(&b, &move);
            if (i % 50 == 0)
                call(&b, &failed_call);
            if (i % 500 == 0)
                pass(&b, 300);
        }
        pass(&b, 5000);
        check_whole(&b);
        check_sums(&b);
        /* Four standard deviations of a binomial share, scaled up. */
        assert_true(fabs(estimate(&b, "read position") - calls) <
                    4 * sqrt(calls * (1 - ratios[r]) / ratios[r]));
        /* Moves that failed stand for themselves, the others for four each. */
        assert_true(fabs(estimate(&b, "Move") - calls / 4 - calls / 50) < 4 * sqrt(calls / 4 * 3));
        assert_int_equal(figure(&b, NULL, "kept_failed"), calls / 50);
        teardown(&b);
    }
}

/* At most so many a second, and still it is known how many there were. */
static void test_rate(void **state)
{
    struct tt_sampler_config config = defaults();
    static const unsigned per_second[] = {5, 500, 40, 3000, 41, 0, 900};
    struct bench b;
    unsigned calls = 0;
    double total = 0, variance = 0;

    config.rate = 40;
    config.slow = false;
    setup(&b, &config);
    for (unsigned round = 0; round < 10; round++) {
        for (size_t i = 0; i < TT_ARRAY_SIZE(per_second); i++) {
            for (unsigned k = 0; k < per_second[i]; k++)
                call(&b, &read_call);
            calls += per_second[i];
            call(&b, &failed_call);
            pass(&b, 1000);
            pass(&b, 500); /* a window and the settling are over */
            check_sums(&b);
            assert_in_range(count_of(&b, "read position"), 0, 2 * 2 * 40); /* of two windows at most */
            assert_int_equal(count_of(&b, "Move"), 2);
            total += estimate(&b, "read position");
            if (per_second[i] > 40)
                variance += (double)per_second[i] * per_second[i] / 39;
            forget(&b);
        }
    }
    assert_true(fabs(total - calls) < 4 * sqrt(variance));
    assert_true(figure(&b, "over the rate", "dropped_traces") > calls / 2);
    assert_int_equal(figure(&b, NULL, "over_rate"), figure(&b, "over the rate", "dropped_traces"));
    teardown(&b);
}

/* ---- rules and their order -------------------------------------------------------------------------- */

static void test_rules(void **state)
{
    static const char *const rules[] = {
        "operation=read secret*; exclude=yes",
        "trigger=polling; operation=*State*; ratio=0",
        "device=b107a*; class=Motor; operation=read *; ratio=1",
        "client=scan*; ratio=0",
    };
    const struct kind secret = {"read secret", "client", 100, true}, other = {"Stop", "client", 100, false};
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.rules = rules;
    config.rule_count = TT_ARRAY_SIZE(rules);
    config.kind = TT_SAMPLER_ALWAYS_OFF;
    config.slow = false;
    setup(&b, &config);
    for (int i = 0; i < 100; i++) {
        call(&b, &secret);      /* excluded, though it failed */
        call(&b, &poll_call);   /* rule 2: nothing */
        call(&b, &failed_poll); /* client scan.py, but failed */
        call(&b, &read_call);   /* rule 3: all, by the server's span */
        call(&b, &other);       /* rule 4 */
    }
    pass(&b, 1000);
    check_whole(&b);
    check_sums(&b);
    assert_int_equal(b.out.count, 400);
    assert_int_equal(count_of(&b, "read position"), 200);
    assert_int_equal(count_of(&b, "poll Status"), 200);
    assert_int_equal(figure(&b, rules[0], "dropped_traces"), 100);
    assert_int_equal(figure(&b, rules[1], "dropped_traces"), 100);
    assert_int_equal(figure(&b, rules[2], "kept_traces"), 100);
    assert_int_equal(figure(&b, rules[3], "kept_traces"), 100);
    assert_int_equal(figure(&b, rules[3], "dropped_traces"), 100);
    assert_int_equal(figure(&b, NULL, "kept_failed"), 100);
    teardown(&b);
}

static void test_bad_rules(void **state)
{
    static const char *const bad[] = {"ratio=2"};
    const char *many[TT_SAMPLE_RULES_MAX + 1];
    struct tt_sampler_config config = defaults();
    struct tt_sampler *sampler = NULL;
    char *error = NULL;

    config.rules = bad;
    config.rule_count = 1;
    assert_int_equal(tt_sampler_new(&config, on_span, NULL, &sampler, &error), -EINVAL);
    assert_non_null(strstr(error, "ratio"));
    free(TAKE_PTR(error));
    for (size_t i = 0; i < TT_ARRAY_SIZE(many); i++)
        many[i] = "ratio=1";
    config.rules = many;
    config.rule_count = TT_ARRAY_SIZE(many);
    assert_int_equal(tt_sampler_new(&config, on_span, NULL, &sampler, &error), -EINVAL);
    free(error);
    assert_null(sampler);
}

/* ---- the tail: slow, open, marked --------------------------------------------------------------------- */

static void test_fixed_limit(void **state)
{
    const struct kind slow = {"poll slow", "polling", 20000, false},
                      fast = {"poll fast", "polling", 19999, false};
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.background = 0;
    config.slow_ns = 20 * TT_NS_PER_MS;
    setup(&b, &config);
    for (int i = 0; i < 10; i++) {
        call(&b, &slow);
        call(&b, &fast);
    }
    pass(&b, 1000);
    assert_int_equal(count_of(&b, "poll slow"), 20);
    assert_int_equal(count_of(&b, "poll fast"), 0);
    assert_int_equal(figure(&b, NULL, "kept_slow"), 10);
    teardown(&b);
}

/* What is slow for one operation is not for another; about 1 % of what is usual is kept besides. */
static void test_percentile(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    unsigned usual = 0;

    config.background = 0;
    setup(&b, &config);
    for (int i = 0; i < 5000; i++) {
        struct kind quick = {"poll quick", "polling", 100 + next_random(&b) % 50, false};
        struct kind slow = {"poll slow", "polling", 10000 + next_random(&b) % 5000, false};

        call(&b, &quick);
        call(&b, &slow);
        if (i % 100 == 0)
            pass(&b, 500);
    }
    pass(&b, 1000);
    usual = count_of(&b, "poll quick") + count_of(&b, "poll slow");
    assert_in_range(usual, 0, 2 * 2 * 5000 * 3 / 100);
    forget(&b);
    for (int i = 0; i < 10; i++) {
        struct kind now_slow = {"poll quick", "polling", 400, false};
        struct kind still_usual = {"poll slow", "polling", 12000, false};

        call(&b, &now_slow);
        call(&b, &still_usual);
    }
    pass(&b, 1000);
    assert_int_equal(count_of(&b, "poll quick"), 20);
    assert_int_equal(count_of(&b, "poll slow"), 0);
    teardown(&b);
}

/* A poll that goes on for longer than spans are held is slow; it stays whole. */
static void test_open(void **state)
{
    const struct kind endless = {"poll endless", "polling", 9000000, false};
    struct tt_sampler_config config = defaults();
    struct bench b;
    uint64_t trace;

    config.background = 0;
    setup(&b, &config);
    trace = next_random(&b);
    give(&b, make_span(&b, trace, false, &endless));
    pass(&b, 3900);
    assert_int_equal(b.out.count, 0);
    pass(&b, 200);
    assert_int_equal(b.out.count, 1);
    assert_int_equal(figure(&b, NULL, "kept_open"), 1);
    pass(&b, 4000);
    give(&b, make_span(&b, trace, true, &endless));
    assert_int_equal(b.out.count, 2); /* at once: it is known what becomes of it */
    assert_string_equal(b.out.spans[1]->trace_state, "ot=th:0");
    assert_int_equal(figure(&b, NULL, "late"), 1);
    check_sums(&b);
    teardown(&b);
}

static void test_late(void **state)
{
    static const struct {
        int64_t period, late, lost;
        bool kept;
    } cases[] = {{1000, 1000001, 0, true}, {1000, 1000000, 0, false},        {1000, -5, 0, false},
                 {0, 99, 0, false},        {INT64_MAX, INT64_MAX, 0, false}, {0, 0, 1, true}};
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.background = 0;
    config.slow = false;
    for (int asked = 0; asked < 2; asked++) {
        config.late = asked;
        setup(&b, &config);
        for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
            uint64_t trace = next_random(&b);
            struct tt_otel_span *span = make_span(&b, trace, false, &poll_call);

            span->kind = cases[i].lost ? 5 : 1; /* CONSUMER, INTERNAL */
            add_attribute(span, int_attribute("tango.polling.period_ms", cases[i].period));
            add_attribute(span, int_attribute("tango.polling.late_us", cases[i].late));
            add_attribute(span, int_attribute("tango.event.lost", cases[i].lost));
            give(&b, span);
            give(&b, make_span(&b, trace, true, &poll_call));
        }
        pass(&b, 1000);
        assert_int_equal(b.out.count, asked ? 4 : 0);
        assert_int_equal(figure(&b, NULL, "kept_late"), asked ? 2 : 0);
        teardown(&b);
    }
}

/* Spans that come before time is known wait like all others. */
static void test_first_tick(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b = {.random = 7, .now = 1000 * TT_NS_PER_S};
    char *error = NULL;

    config.background = 0;
    b.client = fixture_resource("scan.py", "ws1:4711", NULL, 4711);
    b.device = fixture_resource("Motor", "b107a/mot/1", "MotorServer/b107a", 815);
    assert_int_equal(tt_sampler_new(&config, on_span, &b, &b.sampler, &error), 0);
    give(&b, make_span(&b, 1, false, &poll_call));
    pass(&b, 3900);
    assert_int_equal(figure(&b, NULL, "held"), 1);
    give(&b, make_span(&b, 1, true, &poll_call));
    pass(&b, 300);
    assert_int_equal(figure(&b, NULL, "dropped"), 2);
    assert_int_equal(figure(&b, NULL, "kept_open"), 0);
    teardown(&b);
}

static void test_marked(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    uint8_t id[16] = {0x4b, 0xf9};
    uint64_t trace = 0;

    config.background = 0;
    config.slow = false;
    setup(&b, &config);
    for (int i = 0; i < 10; i++)
        trace = call(&b, &poll_call);
    for (int i = 0; i < 8; i++)
        id[8 + i] = (uint8_t)(trace >> (56 - 8 * i));
    tt_sampler_mark(b.sampler, id);
    pass(&b, 1000);
    assert_int_equal(b.out.count, 2);
    assert_memory_equal(b.out.spans[0]->trace_id, id, 16);
    assert_int_equal(figure(&b, NULL, "kept_marked"), 1);
    tt_sampler_mark(b.sampler, id); /* gone: nothing happens */
    assert_int_equal(b.out.count, 2);
    forget(&b);

    /* Before any span has ended, and after all were dropped. */
    for (int later = 0; later < 2; later++) {
        for (int i = 0; i < 10; i++)
            call(&b, &poll_call);
        trace = next_random(&b);
        for (int i = 0; i < 8; i++)
            id[8 + i] = (uint8_t)(trace >> (56 - 8 * i));
        if (!later)
            tt_sampler_mark(b.sampler, id);
        give(&b, make_span(&b, trace, false, &poll_call));
        give(&b, make_span(&b, trace, true, &poll_call));
        pass(&b, 1000);
        assert_int_equal(b.out.count, later ? 0 : 2);
        tt_sampler_mark(b.sampler, id);
        assert_int_equal(b.out.count, 2);
        assert_memory_equal(b.out.spans[1]->trace_id, id, 16);
        assert_int_equal(figure(&b, NULL, "kept_marked"), 2 + later);
        check_sums(&b);
        forget(&b);
    }
    /* Marks of traces that never come are bounded. */
    for (unsigned i = 0; i < 100000; i++) {
        memcpy(id, &i, sizeof(i));
        tt_sampler_mark(b.sampler, id);
    }
    teardown(&b);
}

/* ---- log records --------------------------------------------------------------------------------------- */

static struct {
    uint8_t ids[64][16];
    size_t count;
} heard;

static void on_log(void *context, struct tt_otel_log *log)
{
    assert_true(heard.count < TT_ARRAY_SIZE(heard.ids));
    memcpy(heard.ids[heard.count++], log->trace_id, 16);
}

static void say(struct bench *b, uint64_t trace, bool in_span)
{
    struct tt_otel_log *log = tt_otel_log_new();

    log->in_span = in_span;
    log->severity = 9;
    log->trace_id[0] = 0x4b;
    log->trace_id[1] = 0xf9;
    for (int i = 0; i < 8; i++)
        log->trace_id[8 + i] = (uint8_t)(trace >> (56 - 8 * i));
    tt_sampler_log(b->sampler, log);
    tt_otel_log_put(&log);
}

/* They go the way of their trace: before its spans, between them, after its verdict; in the recorder, too. */
static void test_logs(void **state)
{
    const struct kind failing = {"read B", "polling", 300, true};
    struct tt_sampler_config config = defaults();
    uint64_t dropped, kept;
    struct bench b;

    config.background = 0;
    config.slow = false;
    config.emit_log = on_log;
    heard.count = 0;
    setup(&b, &config);
    say(&b, 7, false); /* of no trace: at once */
    assert_int_equal(heard.count, 1);

    dropped = next_random(&b);
    kept = next_random(&b);
    say(&b, dropped, true);
    say(&b, kept, true);
    give(&b, make_span(&b, dropped, false, &poll_call));
    give(&b, make_span(&b, kept, false, &failing));
    say(&b, dropped, true);
    say(&b, kept, true);
    give(&b, make_span(&b, dropped, true, &poll_call));
    give(&b, make_span(&b, kept, true, &failing));
    assert_int_equal(heard.count, 1);
    assert_int_equal(figure(&b, NULL, "logs_held"), 4);
    pass(&b, 1000);
    assert_int_equal(b.out.count, 2);
    assert_int_equal(heard.count, 3);
    say(&b, dropped, true);
    say(&b, kept, true);
    assert_int_equal(heard.count, 4);
    for (size_t i = 1; i < heard.count; i++)
        assert_memory_equal(heard.ids[i], b.out.spans[0]->trace_id, 16);
    assert_int_equal(figure(&b, NULL, "logs_dropped"), 3);
    assert_int_equal(figure(&b, NULL, "logs_held"), 0);

    assert_int_equal(tt_sampler_dump(b.sampler), 2);
    assert_int_equal(heard.count, 7);
    assert_memory_equal(heard.ids[6], b.out.spans[2]->trace_id, 16);

    /* Something speaks for the trace after all. */
    dropped = next_random(&b);
    say(&b, dropped, true);
    give(&b, make_span(&b, dropped, true, &poll_call));
    pass(&b, 1000);
    assert_int_equal(heard.count, 7);
    tt_sampler_mark(b.sampler, heard.ids[0]); /* another */
    assert_int_equal(heard.count, 7);
    {
        uint8_t id[16] = {0x4b, 0xf9};

        for (int i = 0; i < 8; i++)
            id[8 + i] = (uint8_t)(dropped >> (56 - 8 * i));
        tt_sampler_mark(b.sampler, id);
    }
    assert_int_equal(heard.count, 8);
    assert_int_equal(figure(&b, NULL, "logs_dropped"), 3);

    /* Of a trace that is not sampled: with its first span; of one that never comes: after the wait. */
    say(&b, 1000, true);
    say(&b, 1001, true);
    assert_int_equal(heard.count, 8);
    give(&b, make_span(&b, 1000, false, &(const struct kind){"Move", "client", 300, false}));
    assert_int_equal(heard.count, 9);
    pass(&b, 3000);
    assert_int_equal(heard.count, 9);
    pass(&b, 1500);
    assert_int_equal(heard.count, 10);
    say(&b, 1002, true);
    tt_sampler_flush(b.sampler);
    assert_int_equal(heard.count, 11);
    teardown(&b);
}

/* Nothing could drop a trace: nobody waits. */
static void test_logs_unsampled(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.background = 1;
    config.emit_log = on_log;
    heard.count = 0;
    setup(&b, &config);
    say(&b, 1, true);
    assert_int_equal(heard.count, 1);
    teardown(&b);
}

static void test_logs_bounded(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.max_spans = 10;
    config.emit_log = on_log;
    heard.count = 0;
    setup(&b, &config);
    for (uint64_t i = 1; i <= 30; i++)
        say(&b, i, true);
    assert_int_equal(heard.count, 20);
    assert_int_equal(heard.ids[0][15], 1); /* the oldest */
    assert_int_equal(figure(&b, NULL, "logs_held"), 10);
    teardown(&b);
}

/* ---- what comes late, and what has no room ------------------------------------------------------------ */

/* A span that fails after its trace was dropped brings it back, whole. */
static void test_late_failure(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    uint64_t trace, other;

    config.background = 0;
    config.slow = false;
    setup(&b, &config);
    trace = call(&b, &poll_call);
    other = call(&b, &poll_call);
    pass(&b, 1000);
    assert_int_equal(b.out.count, 0);
    give(&b, make_span(&b, other, false, &poll_call)); /* late, nothing special: dropped like the rest */
    give(&b, make_span(&b, trace, false, &failed_poll));
    assert_int_equal(b.out.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(b.out.spans[i]->trace_state, "ot=th:0");
    assert_int_equal(figure(&b, "polling and events", "dropped_spans"), 3);
    assert_int_equal(figure(&b, "polling and events", "kept_traces"), 1);
    assert_int_equal(figure(&b, "polling and events", "dropped_traces"), 1);
    check_sums(&b);
    teardown(&b);
}

static void test_room(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.max_spans = 100;
    config.slow = false;
    config.background = 0.5;
    setup(&b, &config);
    for (int i = 0; i < 1000; i++) {
        call(&b, &poll_call);
        assert_in_range(figure(&b, NULL, "held"), 0, 100);
    }
    assert_in_range(figure(&b, NULL, "early"), 900, 1000);
    check_sums(&b);
    tt_sampler_flush(b.sampler);
    assert_int_equal(figure(&b, NULL, "held"), 0);
    check_whole(&b);
    check_sums(&b);
    assert_true(fabs(estimate(&b, NULL) - 1000) < 4 * sqrt(1000));
    teardown(&b);

    /* With a rate, too: what waits for the end of the second is bounded as well. */
    config.rate = 10;
    config.background = 1;
    setup(&b, &config);
    for (int i = 0; i < 300; i++) {
        for (int k = 0; k < 20; k++)
            call(&b, &read_call);
        assert_in_range(figure(&b, NULL, "held"), 0, 100);
        if (i % 5 == 0)
            pass(&b, 300);
    }
    tt_sampler_flush(b.sampler);
    assert_int_equal(figure(&b, NULL, "held"), 0);
    check_whole(&b);
    check_sums(&b);
    teardown(&b);
}

/* ---- native telemetry's decision ---------------------------------------------------------------------- */

static void test_parent(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    for (int parent_based = 0; parent_based < 2; parent_based++) {
        config.kind = parent_based ? TT_SAMPLER_PARENT_ALWAYS_OFF : TT_SAMPLER_ALWAYS_ON;
        config.slow = false;
        setup(&b, &config);
        for (int i = 0; i < 40; i++) {
            uint64_t trace = next_random(&b);

            for (int top = 0; top < 2; top++) {
                struct tt_otel_span *span = make_span(&b, trace, top, &read_call);

                span->native = i % 4 != 0;
                span->unsampled = i % 4 == 1;
                span->trace_state = i % 4 == 2 ? "ot=th:8,v=1" : NULL;
                give(&b, span);
            }
        }
        pass(&b, 1000);
        check_whole(&b);
        check_sums(&b);
        /* 10 are ours, 10 native's that it does not sample, 20 that it does. */
        assert_int_equal(b.out.count, 2 * (parent_based ? 20 : 40));
        for (size_t i = 0; i < b.out.count; i++)
            if (b.out.spans[i]->trace_state)
                assert_string_equal(b.out.spans[i]->trace_state, "ot=th:8,v=1");
        teardown(&b);
    }
}

/* ---- flight recorder ---------------------------------------------------------------------------------- */

static void test_flight(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.background = 0;
    config.slow = false;
    config.flight_on = TT_FLIGHT_REQUEST;
    config.flight_ns = 10 * TT_NS_PER_S;
    config.flight_spans = 150;
    setup(&b, &config);
    for (int i = 0; i < 50; i++)
        call(&b, &poll_call);
    pass(&b, 6000);
    for (int i = 0; i < 50; i++)
        call(&b, &event_call);
    call(&b, &failed_poll);
    pass(&b, 1000);
    assert_int_equal(b.out.count, 2); /* the failed one */
    assert_int_equal(figure(&b, NULL, "recorder"), 150);
    assert_int_equal(tt_sampler_dump(b.sampler), 150);
    assert_int_equal(count_of(&b, "push Position"), 100);
    assert_int_equal(count_of(&b, "poll State"), 50);
    assert_int_equal(count_of(&b, "poll Status"), 2); /* not twice */
    assert_string_equal(b.out.spans[10]->trace_state, "tangotrace=flight");
    check_whole(&b);
    assert_int_equal(tt_sampler_dump(b.sampler), 0);
    forget(&b);
    call(&b, &poll_call);
    pass(&b, 12000); /* too old by then */
    assert_int_equal(tt_sampler_dump(b.sampler), 0);
    assert_int_equal(figure(&b, NULL, "dumps"), 3);
    assert_int_equal(figure(&b, NULL, "dumped"), 150);
    teardown(&b);
}

static void test_flight_triggers(void **state)
{
    static const struct {
        enum tt_flight_on on;
        bool by_errors, by_timeout;
    } cases[] = {{TT_FLIGHT_ANY, true, true},
                 {TT_FLIGHT_ERRORS, true, false},
                 {TT_FLIGHT_TIMEOUT, false, true},
                 {TT_FLIGHT_REQUEST, false, false}};

    for (size_t i = 0; i < 2 * TT_ARRAY_SIZE(cases); i++) {
        struct tt_sampler_config config = defaults();
        bool by_timeout = i % 2;
        struct bench b;

        config.flight_on = cases[i / 2].on;
        config.background = 0;
        config.slow = false;
        setup(&b, &config);
        for (int k = 0; k < 10; k++)
            call(&b, &poll_call);
        pass(&b, 1000);
        for (int k = 0; k < (by_timeout ? 1 : 10); k++) {
            struct tt_otel_span *span = make_span(&b, next_random(&b), true, &read_call);

            fail_span(span, by_timeout ? "API_DeviceTimedOut: Timeout (3000 mS) exceeded" : "API_Error: no");
            if (by_timeout)
                span->events[0].attributes[1] = string_attribute("tango.error.reason", "API_DeviceTimedOut");
            give(&b, span);
            if (k == 8)
                assert_int_equal(count_of(&b, "poll State"), 0);
        }
        pass(&b, 3000);
        assert_int_equal(count_of(&b, "poll State"),
                         (by_timeout ? cases[i / 2].by_timeout : cases[i / 2].by_errors) ? 20 : 0);
        teardown(&b);
    }
}

/* Errors without end do not make the recorder give out everything all the time; after a rest it is as at
 * first. */
static void test_flight_pauses(void **state)
{
    struct tt_sampler_config config = defaults();
    struct bench b;
    uint64_t dumps = 0;

    config.background = 0;
    config.slow = false;
    setup(&b, &config);
    for (int s = 0; s < 3600; s++) {
        for (int i = 0; i < 2; i++) {
            struct tt_otel_span *span = make_span(&b, next_random(&b), true, &read_call);

            fail_span(span, "API_Error: no");
            give(&b, span);
        }
        pass(&b, 1000);
    }
    assert_in_range(figure(&b, NULL, "dumps"), 6, 9); /* 30 s, 1 min, 2 min, .. */
    pass(&b, 3600 * 1000);
    pass(&b, 3600 * 1000);
    for (int round = 0; round < 2; round++) {
        dumps = figure(&b, NULL, "dumps");
        for (int i = 0; i < 10; i++)
            call(&b, &failed_poll);
        for (int i = 0; i < 10; i++) {
            struct tt_otel_span *span = make_span(&b, next_random(&b), true, &read_call);

            fail_span(span, "API_Error: no");
            give(&b, span);
        }
        pass(&b, 3000);
        assert_int_equal(figure(&b, NULL, "dumps"), dumps + 1);
        pass(&b, 100 * 1000);
    }
    teardown(&b);
}

/* What a rule excludes is never given out. */
static void test_flight_excluded(void **state)
{
    static const char *const rules[] = {"operation=poll State; exclude=yes"};
    struct tt_sampler_config config = defaults();
    struct bench b;

    config.rules = rules;
    config.rule_count = 1;
    config.background = 0;
    config.slow = false;
    setup(&b, &config);
    for (int i = 0; i < 10; i++) {
        call(&b, &poll_call);
        call(&b, &event_call);
    }
    pass(&b, 1000);
    assert_int_equal(tt_sampler_dump(b.sampler), 20);
    assert_int_equal(count_of(&b, "push Position"), 20);
    check_sums(&b);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_estimates),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_bad_rules),
        cmocka_unit_test(test_fixed_limit),
        cmocka_unit_test(test_percentile),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_first_tick),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_marked),
        cmocka_unit_test(test_logs),
        cmocka_unit_test(test_logs_unsampled),
        cmocka_unit_test(test_logs_bounded),
        cmocka_unit_test(test_late_failure),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_flight),
        cmocka_unit_test(test_flight_triggers),
        cmocka_unit_test(test_flight_pauses),
        cmocka_unit_test(test_flight_excluded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
