/* SPDX-License-Identifier: GPL-2.0-only */
/* bench.h: a sampler that is given known mixes of traces, and what it lets out. */
#pragma once

#include "../export/fixture.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "sample/sample.h"
#include "sample/threshold.h"

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

static inline void on_span(void *context, struct tt_otel_span *span)
{
    struct out *out = &((struct bench *)context)->out;

    if (!(out->count & (out->count - 1)))
        out->spans = reallocarray(out->spans, out->count ? out->count * 2 : 1, sizeof(struct tt_otel_span *));
    out->spans[out->count++] = tt_otel_span_get(span);
}

/* As the options have it by default. */
static inline struct tt_sampler_config defaults(void)
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

static inline void setup(struct bench *b, const struct tt_sampler_config *config)
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

static inline void forget(struct bench *b)
{
    put_spans(b->out.spans, b->out.count);
    free(b->out.spans);
    b->out = (struct out){0};
}

static inline void teardown(struct bench *b)
{
    forget(b);
    tt_sampler_free(&b->sampler);
    tt_otel_resource_put(&b->client);
    tt_otel_resource_put(&b->device);
}

static inline void pass(struct bench *b, uint64_t ms)
{
    for (uint64_t end = b->now + ms * TT_NS_PER_MS; b->now < end;) {
        b->now += 50 * TT_NS_PER_MS;
        tt_sampler_tick(b->sampler, b->now);
    }
}

/* splitmix64 */
static inline uint64_t next_random(struct bench *b)
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

static inline void give(struct bench *b, struct tt_otel_span *span)
{
    tt_sampler_span(b->sampler, span);
    tt_otel_span_put(&span);
    b->given++;
}

static inline struct tt_otel_span *make_span(struct bench *b, uint64_t trace, bool top,
                                             const struct kind *kind)
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
static inline uint64_t call(struct bench *b, const struct kind *kind)
{
    uint64_t trace = next_random(b);

    give(b, make_span(b, trace, false, kind));
    give(b, make_span(b, trace, true, kind));
    return trace;
}

static inline unsigned count_of(const struct bench *b, const char *title)
{
    unsigned n = 0;

    for (size_t i = 0; i < b->out.count; i++)
        n += !strcmp(b->out.spans[i]->title, title);
    return n;
}

/* Every trace that left did so with both spans, next to each other. */
static inline void check_whole(const struct bench *b)
{
    assert_int_equal(b->out.count % 2, 0);
    for (size_t i = 0; i < b->out.count; i += 2)
        assert_memory_equal(b->out.spans[i]->trace_id, b->out.spans[i + 1]->trace_id, 16);
}

/* A member of "sampling", or with `rule` one of that rule. */
static inline uint64_t figure(const struct bench *b, const char *rule, const char *name)
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
static inline void check_sums(const struct bench *b)
{
    assert_int_equal(b->given, figure(b, NULL, "passed") + figure(b, NULL, "kept") +
                                   figure(b, NULL, "dropped") + figure(b, NULL, "held"));
    assert_int_equal(tt_sampler_dropped(b->sampler), figure(b, NULL, "dropped"));
}

/* How many traces those that left stand for; client spans are counted. */
static inline double estimate(const struct bench *b, const char *title)
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
