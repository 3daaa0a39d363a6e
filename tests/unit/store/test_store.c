/* SPDX-License-Identifier: GPL-2.0-only */
/* The store: what goes in comes out the same, the oldest makes room, nonsense changes nothing; what a span
 * costs. */
#include "../export/fixture.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "catalogue/attributes.h"
#include "metrics/instruments.h"
#include "metrics/usage.h"
#include "store/store.h"

#define MIB (1u << 20)

static struct tt_store *new_store(uint64_t bytes, uint64_t age_ns)
{
    const struct tt_store_config config = {.bytes = bytes, .age_ns = age_ns};
    struct tt_store *store = tt_store_new(&config);

    assert_non_null(store);
    return store;
}

/* All frames of a text, as they come over the socket. */
static int feed(struct tt_store *store, struct tt_text *text, uint64_t now)
{
    int error = 0;

    assert_false(text->failed);
    for (size_t at = 0; at < text->size;) {
        struct tt_flat_head head;

        memcpy(&head, text->data + at, sizeof(head));
        at += sizeof(head);
        int one = tt_store_take(store, head.type, text->data + at, head.size, now);

        error = error ? error : one;
        at += head.size;
    }
    text->size = 0;
    return error;
}

static void put_batch_end(struct tt_text *text)
{
    tt_flat_end(text, tt_flat_begin(text, TT_FLAT_BATCH));
}

/* A client's span and a server's, with everything that a span can have. */
static struct tt_otel_span *rich_span(struct tt_otel_resource *resource, unsigned trace, unsigned id)
{
    struct tt_otel_span *span = fixture_span(resource, trace, id, id - 1, id % 2 ? 3 : 2,
                                             "read double_scalar", "sys/tg_test/1", 10 * id, 10 * id + 250);
    static const char *const names[] = {"double_scalar", "", "state"};

    add_attribute(span, strings_attribute(tt_attr_rows[TT_ATTR_ATTRIBUTE_NAMES].key, names, 3));
    add_attribute(span, int_attribute(tt_attr_rows[TT_ATTR_GIOP_REQUEST_ID].key, -7));
    add_attribute(span, string_attribute("a.key.of.nobody", "Gr\xc3\xbc\xc3\x9f Gott"));
    span->events = tt_arena_alloc(&span->arena, sizeof(*span->events));
    span->events[0] = (struct tt_otel_event){.time = span->start + 5, .name = "exception"};
    span->events[0].attributes = tt_arena_alloc(&span->arena, sizeof(struct tt_otel_attribute));
    span->events[0].attributes[0] = string_attribute(tt_attr_rows[TT_ATTR_EXCEPTION_REASON].key,
                                                     "API_AttrNotFound");
    span->events[0].attribute_count = span->event_count = 1;
    span->links = tt_arena_alloc(&span->arena, sizeof(*span->links));
    span->links[0].span_id[3] = 9;
    span->link_count = 1;
    span->status = TT_OTEL_ERROR;
    span->status_message = "API_AttrNotFound: no such attribute";
    span->trace_state = "ot=th:8";
    span->dropped_events = 2;
    span->dropped_links = 3;
    return span;
}

static void same_attributes(const struct tt_otel_attribute *a, size_t a_count,
                            const struct tt_otel_attribute *b, size_t b_count)
{
    assert_int_equal(a_count, b_count);
    for (size_t i = 0; i < a_count; i++) {
        assert_string_equal(a[i].key, b[i].key);
        assert_int_equal(a[i].type, b[i].type);
        switch (a[i].type) {
        case TT_OTEL_STRING:
            assert_string_equal(a[i].value.string, b[i].value.string);
            break;
        case TT_OTEL_STRINGS:
            assert_int_equal(a[i].value.strings.count, b[i].value.strings.count);
            for (size_t j = 0; j < a[i].value.strings.count; j++)
                assert_string_equal(a[i].value.strings.items[j], b[i].value.strings.items[j]);
            break;
        default:
            assert_int_equal(a[i].value.integer, b[i].value.integer);
        }
    }
}

/* A key of the table is known by its address, as those who look for it there expect. */
static void test_flat(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 42);
    struct tt_otel_span *in = rich_span(resource, 1, 2), out;
    struct tt_otel_scope scope;
    struct tt_text text = {0};
    uint64_t number;

    tt_flat_put_span(&text, in);
    assert_int_equal(tt_flat_get_span(text.data + sizeof(struct tt_flat_head),
                                      text.size - sizeof(struct tt_flat_head), &out, &scope, &number),
                     0);
    assert_int_equal(number, resource->number);
    assert_int_equal(out.start, in->start);
    assert_int_equal(out.end, in->end);
    assert_int_equal(out.kind, in->kind);
    assert_int_equal(out.status, TT_OTEL_ERROR);
    assert_memory_equal(out.trace_id, in->trace_id, 16);
    assert_memory_equal(out.parent_id, in->parent_id, 8);
    assert_string_equal(out.name, in->name);
    assert_string_equal(out.title, in->title);
    assert_string_equal(out.trace_state, "ot=th:8");
    assert_string_equal(out.status_message, in->status_message);
    assert_string_equal(scope.name, in->scope->name);
    same_attributes(out.attributes, out.attribute_count, in->attributes, in->attribute_count);
    assert_int_equal(out.event_count, 1);
    same_attributes(out.events[0].attributes, 1, in->events[0].attributes, 1);
    assert_ptr_equal(out.events[0].attributes[0].key, tt_attr_rows[TT_ATTR_EXCEPTION_REASON].key);
    assert_int_equal(out.links[0].span_id[3], 9);
    assert_int_equal(out.dropped_events, 2);
    assert_int_equal(out.dropped_links, 3);
    tt_arena_free(&out.arena);

    /* Cut anywhere it is refused, and so it is with any byte of its front half turned around, or read. */
    for (size_t size = 0; size < text.size - sizeof(struct tt_flat_head); size++)
        assert_int_equal(
            tt_flat_get_span(text.data + sizeof(struct tt_flat_head), size, &out, &scope, &number), -EBADMSG);
    for (size_t i = sizeof(struct tt_flat_head); i < text.size; i++) {
        text.data[i] ^= 0x81;
        if (!tt_flat_get_span(text.data + sizeof(struct tt_flat_head),
                              text.size - sizeof(struct tt_flat_head), &out, &scope, &number))
            tt_arena_free(&out.arena);
        text.data[i] ^= 0x81;
    }
    tt_text_free(&text);
    tt_otel_span_put(&in);
    tt_otel_resource_put(&resource);
}

struct seen {
    size_t traces, spans, logs, limit;
    uint64_t last;
    char root[64], service[64], body[64];
};

static bool look(void *context, const struct tt_store_trace *trace, struct tt_otel_span *const *spans,
                 size_t count, const struct tt_otel_span *root, struct tt_otel_log *const *logs,
                 size_t log_count)
{
    struct seen *seen = context;

    assert_int_equal(trace->spans, count);
    assert_true(!seen->last || trace->serial < seen->last); /* newest first */
    seen->last = trace->serial;
    seen->traces++;
    seen->spans += count;
    seen->logs += log_count;
    if (root)
        snprintf(seen->root, sizeof(seen->root), "%s", root->title);
    if (count)
        snprintf(seen->service, sizeof(seen->service), "%s", spans[0]->resource->service_name);
    if (log_count)
        snprintf(seen->body, sizeof(seen->body), "%s", logs[0]->body);
    return !seen->limit || seen->traces < seen->limit;
}

static size_t walk(struct tt_store *store, struct seen *seen, size_t at_once)
{
    const struct tt_store_visitor visitor = {.visit = look, .with_logs = true, .context = seen};
    uint64_t before = UINT64_MAX;

    while (tt_store_walk(store, &before, at_once, &visitor))
        continue;
    return seen->traces;
}

static void put_log(struct tt_text *text, const struct tt_otel_span *span, const char *body)
{
    struct tt_otel_log log = {.resource = span->resource,
                              .scope = span->scope,
                              .in_span = true,
                              .time = span->start,
                              .severity = 13,
                              .severity_text = "WARN",
                              .body = body,
                              .logger = "x"};

    memcpy(log.trace_id, span->trace_id, sizeof(log.trace_id));
    memcpy(log.span_id, span->span_id, sizeof(log.span_id));
    tt_flat_put_log(text, &log);
}

static void test_traces(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 42);
    struct tt_store *store = new_store(0, 0);
    struct tt_text text = {0};
    struct tt_store_stats stats;
    struct seen seen = {0};

    tt_flat_put_resource(&text, resource);
    for (unsigned trace = 1; trace <= 300; trace++) {
        for (unsigned id = 3; id >= 1; id--) { /* the root comes last, as in life */
            struct tt_otel_span *span = rich_span(resource, trace, id);

            span->title = id == 1 ? "the root" : "below";
            tt_flat_put_span(&text, span);
            if (id == 2)
                put_log(&text, span, "something was odd");
            tt_otel_span_put(&span);
        }
    }
    put_batch_end(&text);
    assert_int_equal(feed(store, &text, 1), 0);
    tt_store_get_stats(store, &stats);
    assert_int_equal(stats.spans, 900);
    assert_int_equal(stats.logs, 300);
    assert_int_equal(stats.traces, 300);
    assert_int_equal(stats.left_spans, 0);
    assert_int_equal(walk(store, &seen, 7), 300);
    assert_int_equal(seen.spans, 900);
    assert_int_equal(seen.logs, 300);
    assert_string_equal(seen.root, "the root");
    assert_string_equal(seen.service, "TangoTest");
    assert_string_equal(seen.body, "something was odd");
    seen = (struct seen){.limit = 5};
    assert_int_equal(walk(store, &seen, 64), 5);
    /* What nothing refers to is forgotten at the end of a batch, what is used is not. */
    assert_int_equal(stats.resources, 1);
    tt_text_free(&text);
    tt_store_free(&store);
    tt_otel_resource_put(&resource);
}

/* Twenty times what fits: the newest are there, whole traces of them; nothing grows. */
static void test_room(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 42);
    struct tt_store *store = new_store(MIB, 0);
    struct tt_text text = {0};
    struct tt_store_stats stats;
    struct seen seen = {0};
    unsigned traces = 0;

    while (traces < 10000) {
        tt_flat_put_resource(&text, resource);
        for (unsigned i = 0; i < 100; i++) {
            traces++;
            for (unsigned id = 2; id >= 1; id--) {
                struct tt_otel_span *span = rich_span(resource, traces, id);

                tt_flat_put_span(&text, span);
                tt_otel_span_put(&span);
            }
        }
        put_batch_end(&text);
        assert_int_equal(feed(store, &text, traces), 0);
    }
    tt_store_get_stats(store, &stats);
    assert_int_equal(stats.taken_spans, 20000);
    assert_int_equal(stats.spans + stats.left_spans, 20000);
    assert_true(stats.left_spans > 18000 && stats.spans > 300);
    assert_true(stats.bytes <= stats.size && stats.size <= MIB);
    walk(store, &seen, 64);
    assert_true(seen.traces >= stats.traces - 1 && seen.traces > 300 && seen.spans <= stats.spans);
    tt_text_free(&text);
    tt_store_free(&store);
    tt_otel_resource_put(&resource);
}

/* A trace that goes on while thousands of others come and go loses its place, and then its spans; not a byte
 * is read that is not there (the sanitizer of the debug build looks). */
static void test_long_trace(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 42);
    struct tt_store *store = new_store(MIB, 0);
    struct tt_text text = {0};
    struct seen seen = {0};

    for (unsigned i = 1; i <= 5000; i++) {
        struct tt_otel_span *span = rich_span(resource, i, 1), *same = rich_span(resource, 77777, i + 1);

        tt_flat_put_resource(&text, resource);
        tt_flat_put_span(&text, span);
        if (i % 3 == 0)
            tt_flat_put_span(&text, same);
        tt_otel_span_put(&span);
        tt_otel_span_put(&same);
        put_batch_end(&text);
        assert_int_equal(feed(store, &text, i), 0);
    }
    walk(store, &seen, 64);
    assert_true(seen.traces > 100);
    tt_text_free(&text);
    tt_store_free(&store);
    tt_otel_resource_put(&resource);
}

static void test_age(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 42);
    struct tt_store *store = new_store(MIB, 1000);
    struct tt_text text = {0};
    struct tt_store_stats stats;

    for (unsigned i = 1; i <= 3; i++) {
        struct tt_otel_span *span = rich_span(resource, i, 1);

        tt_flat_put_resource(&text, resource);
        tt_flat_put_span(&text, span);
        tt_otel_span_put(&span);
        put_batch_end(&text);
        assert_int_equal(feed(store, &text, i * 600), 0); /* 600, 1200, 1800 */
    }
    tt_store_get_stats(store, &stats);
    assert_int_equal(stats.spans, 2);
    put_batch_end(&text);
    assert_int_equal(feed(store, &text, 10000), 0);
    tt_store_get_stats(store, &stats);
    assert_int_equal(stats.spans, 0);
    assert_int_equal(stats.traces, 0);
    assert_int_equal(stats.resources, 0);
    tt_text_free(&text);
    tt_store_free(&store);
    tt_otel_resource_put(&resource);
}

struct found {
    struct tt_store_trace front;
    uint8_t ids[4];
    const struct tt_otel_scope *scope[4]; /* valid no longer */
    char scopes[4][32];
    size_t logs;
    char root[64];
};

static bool note(void *context, const struct tt_store_trace *trace, struct tt_otel_span *const *spans,
                 size_t count, const struct tt_otel_span *root, struct tt_otel_log *const *logs,
                 size_t log_count)
{
    struct found *found = context;

    assert_true(count <= sizeof(found->ids));
    *found = (struct found){.front = *trace, .logs = log_count};
    for (size_t i = 0; i < count; i++) {
        found->ids[i] = spans[i]->span_id[7];
        found->scope[i] = spans[i]->scope;
        snprintf(found->scopes[i], sizeof(found->scopes[i]), "%s", spans[i]->scope->name);
    }
    snprintf(found->root, sizeof(found->root), "%s", root ? root->title : "");
    return true;
}

static struct found find(struct tt_store *store, const uint8_t id[16])
{
    struct found found = {0};
    const struct tt_store_visitor visitor = {.visit = note, .with_logs = true, .context = &found};

    assert_true(tt_store_find(store, id, &visitor));
    return found;
}

/* One record of a trace, and the end of its batch. */
static void take(struct tt_store *store, struct tt_otel_span *span, bool log, uint64_t now)
{
    struct tt_text text = {0};

    tt_flat_put_resource(&text, span->resource);
    if (log)
        put_log(&text, span, "something was odd");
    else
        tt_flat_put_span(&text, span);
    put_batch_end(&text);
    assert_int_equal(feed(store, &text, now), 0);
    tt_text_free(&text);
}

/* What is larger than a quarter of the room is refused, rather than all else pushed out; scopes are told
 * apart by name and version, and equal ones are one. */
static void test_large_and_scopes(void **state)
{
    static const struct tt_otel_scope python = {"tango.python.client", "9.3.4"},
                                      same = {"tango.cpp", "9.3.4"};
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 42);
    struct tt_otel_span *large = rich_span(resource, 2, 1), *span;
    struct tt_store *store = new_store(MIB, 0);
    const struct tt_otel_scope *scopes[] = {&fixture_scope, &python, &same};
    struct tt_text text = {0};
    struct tt_store_stats stats;
    struct found found;
    char *value = malloc(300000);

    for (unsigned i = 0; i < TT_ARRAY_SIZE(scopes); i++) {
        span = rich_span(resource, 1, i + 1);
        span->scope = scopes[i];
        take(store, span, false, 1);
        tt_otel_span_put(&span);
    }
    memset(value, 'x', 300000);
    value[299999] = '\0';
    add_attribute(large, string_attribute("a.key.of.nobody", value));
    tt_flat_put_span(&text, large);
    assert_int_equal(feed(store, &text, 1), -EFBIG);
    tt_store_get_stats(store, &stats);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.spans, 3);
    found = find(store, (uint8_t[16]){0x4b, 0xf9, [15] = 1});
    assert_int_equal(found.front.spans, 3);
    assert_string_equal(found.scopes[0], "tango.cpp");
    assert_string_equal(found.scopes[1], "tango.python.client");
    assert_ptr_equal(found.scope[0], found.scope[2]);
    free(value);
    tt_text_free(&text);
    tt_otel_span_put(&large);
    tt_store_free(&store);
    tt_otel_resource_put(&resource);
}

/* A trace of which the oldest records have made room: the rest is there, and told as such. */
static void test_parts(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 42);
    struct tt_store *store = new_store(MIB, 1000);
    struct tt_otel_span *spans[4];
    struct seen seen = {0};
    struct found found;

    for (unsigned id = 1; id <= 4; id++) {
        static const char *const titles[] = {"root", "second", "third", "fourth"};

        spans[id - 1] = rich_span(resource, 1, id);
        spans[id - 1]->title = titles[id - 1];
        spans[id - 1]->top = id == 3;
    }
    take(store, spans[3], false, 100);
    take(store, spans[3], true, 100);
    take(store, spans[1], false, 900);
    assert_string_equal(find(store, spans[0]->trace_id).root, "second"); /* began before the fourth */
    take(store, spans[2], false, 900);
    assert_string_equal(find(store, spans[0]->trace_id).root, "third"); /* topmost of this host */
    take(store, spans[0], false, 1300);
    found = find(store, spans[0]->trace_id);
    assert_int_equal(found.front.spans, 3);
    assert_int_equal(found.front.gone, 1);
    assert_int_equal(found.logs, 0);
    assert_memory_equal(found.ids, ((uint8_t[]){2, 3, 1, 0}), 4);
    assert_string_equal(found.root, "root");

    /* Only a log record is left of it, and then its spans go on. */
    take(store, spans[3], true, 2500);
    assert_int_equal(walk(store, &seen, 64), 0);
    take(store, spans[1], false, 3000);
    found = find(store, spans[0]->trace_id);
    assert_int_equal(found.front.spans, 1);
    assert_int_equal(found.front.gone, 4);
    assert_int_equal(found.logs, 1);
    assert_int_equal(found.ids[0], 2);
    assert_string_equal(found.root, "second"); /* the one without parent is gone */
    for (unsigned i = 0; i < 4; i++)
        tt_otel_span_put(&spans[i]);
    tt_store_free(&store);
    tt_otel_resource_put(&resource);
}

static void test_nonsense(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 42);
    struct tt_store *store = new_store(MIB, 0);
    struct tt_otel_span *span = rich_span(resource, 1, 1);
    struct tt_text text = {0};
    struct tt_store_stats stats;
    char noise[300];

    tt_flat_put_span(&text, span); /* of a resource that nobody told */
    assert_int_equal(feed(store, &text, 1), -EBADMSG);
    for (uint32_t type = 0; type < 40; type++) {
        memset(noise, (int)(type * 37 + 1), sizeof(noise));
        if (type != TT_FLAT_BATCH)
            assert_int_not_equal(tt_store_take(store, type, noise, sizeof(noise), 1), 0);
    }
    tt_store_get_stats(store, &stats);
    assert_int_equal(stats.refused, 40);
    assert_int_equal(stats.spans + stats.logs + stats.points, 0);
    tt_text_free(&text);
    tt_otel_span_put(&span);
    tt_otel_resource_put(&resource);
    tt_store_free(&store);
}

/* ---- usage ---- */

static void put_counts(struct tt_text *text, enum tt_flat_type type, uint64_t time, const char *device,
                       uint64_t calls, uint64_t errors, uint32_t bucket)
{
    const char *const labels[] = {device, "TangoTest", "mix host:1", "read"};
    size_t place = tt_flat_begin(text, type);
    const uint64_t sum = calls * 1000;
    const uint32_t count = 1, pair[] = {bucket, (uint32_t)calls};

    tt_flat_put(text, &time, sizeof(time));
    for (unsigned i = 0; i < TT_USAGE_LABELS; i++)
        tt_flat_string(text, labels[i]);
    tt_flat_put(text, &calls, sizeof(calls));
    tt_flat_put(text, &errors, sizeof(errors));
    tt_flat_put(text, &sum, sizeof(sum));
    tt_flat_put(text, &count, sizeof(count));
    tt_flat_put(text, pair, sizeof(pair));
    tt_flat_end(text, place);
}

static void put_usage(struct tt_text *text, uint64_t time, const char *device, uint64_t calls,
                      uint64_t errors, uint32_t bucket)
{
    put_counts(text, TT_FLAT_USAGE, time, device, calls, errors, bucket);
}

struct sums {
    uint64_t calls, errors, ns, in_bucket, points;
};

static void add(void *context, const struct tt_store_point *point)
{
    struct sums *sums = context;

    sums->points++;
    sums->calls += point->calls;
    sums->errors += point->errors;
    sums->ns += point->sum;
    for (size_t i = 0; i < point->bucket_count; i++)
        sums->in_bucket += point->buckets[i].count;
    assert_string_equal(point->labels[TT_USAGE_CLASS], "TangoTest");
}

static void test_usage(void **state)
{
    struct tt_store *store = new_store(MIB, 0);
    struct tt_text text = {0};
    struct tt_store_stats stats;
    struct sums sums = {0};
    char *json;

    put_usage(&text, 1000, "a/b/1", 10, 1, 4);
    put_usage(&text, 2000, "a/b/1", 25, 1, 4);
    put_usage(&text, 2000, "a/b/2", 3, 0, 4);
    put_usage(&text, 3000, "a/b/1", 25, 1, 4); /* nothing new: no point */
    put_usage(&text, 4000, "a/b/1", 7, 2, 4);  /* the agent had forgotten it */
    assert_int_equal(feed(store, &text, 1), 0);
    tt_store_each_point(store, 0, UINT64_MAX, add, &sums);
    assert_int_equal(sums.points, 4);
    assert_int_equal(sums.calls, 10 + 15 + 3 + 7);
    assert_int_equal(sums.errors, 1 + 0 + 0 + 2);
    assert_int_equal(sums.in_bucket, sums.calls);
    assert_int_equal(sums.ns, sums.calls * 1000);
    sums = (struct sums){0};
    tt_store_each_point(store, 1000, 2000, add, &sums); /* later than the first */
    assert_int_equal(sums.calls, 18);

    /* Many: bounded, the newest stay. */
    for (uint64_t i = 1; i <= 100000; i++) {
        put_usage(&text, 5000 + i, "a/b/3", i, 0, 4);
        if (i % 1000 == 0)
            assert_int_equal(feed(store, &text, i), 0);
    }
    sums = (struct sums){0};
    tt_store_each_point(store, 0, UINT64_MAX, add, &sums);
    assert_true(sums.points > 100 && sums.points < 5000);
    sums = (struct sums){0};
    tt_store_each_point(store, 104999, 105000, add, &sums);
    assert_int_equal(sums.calls, 1);
    tt_store_get_stats(store, &stats);
    assert_int_equal(stats.counted_since, stats.oldest - 1); /* the one before was the last that left */

    assert_null(tt_store_state(store, "status", NULL));
    size_t place = tt_flat_begin(&text, TT_FLAT_STATE);
    const uint64_t time = 5;

    tt_flat_put(&text, &time, sizeof(time));
    tt_flat_string(&text, "status");
    tt_flat_string(&text, "{\"x\":1}");
    tt_flat_end(&text, place);
    assert_int_equal(feed(store, &text, 1), 0);
    json = tt_store_state(store, "status", NULL);
    assert_string_equal(json, "{\"x\":1}");
    free(json);
    tt_text_free(&text);
    tt_store_free(&store);
}

/* More combinations than are told apart: the counts of one that had to go are not another one's. */
static void test_many_series(void **state)
{
    struct tt_store *store = new_store(32 * MIB, 0);
    struct tt_text text = {0};
    struct tt_store_stats stats;
    struct sums sums = {0};
    char device[32];

    for (unsigned i = 0; i <= 16384; i++) {
        snprintf(device, sizeof(device), "a/b/%u", i);
        put_usage(&text, 1000 + i, device, 3, 0, 4);
    }
    assert_int_equal(feed(store, &text, 1), 0);
    tt_store_get_stats(store, &stats);
    assert_int_equal(stats.series, 16384);
    assert_int_equal(stats.points, 16385);
    tt_store_each_point(store, 0, UINT64_MAX, add, &sums);
    assert_int_equal(sums.points, 16384);
    assert_int_equal(sums.calls, 3 * 16384);
    tt_text_free(&text);
    tt_store_free(&store);
}

/* Buckets that there are not. */
static void test_bad_buckets(void **state)
{
    struct tt_store *store = new_store(MIB, 0);
    const uint64_t numbers[] = {1, 0, 1000};
    const uint32_t count = TT_USAGE_BUCKETS + 1, pair[] = {0, 1};
    struct tt_text text = {0};
    struct sums sums = {0};
    size_t place;

    put_usage(&text, 1000, "a/b/1", 1, 0, TT_USAGE_BUCKETS);
    assert_int_equal(feed(store, &text, 1), -EBADMSG);
    place = tt_flat_begin(&text, TT_FLAT_USAGE);
    tt_flat_put(&text, numbers, sizeof(numbers[0]));
    for (unsigned i = 0; i < TT_USAGE_LABELS; i++)
        tt_flat_string(&text, "x");
    tt_flat_put(&text, numbers, sizeof(numbers));
    tt_flat_put(&text, &count, sizeof(count));
    for (unsigned i = 0; i < count; i++)
        tt_flat_put(&text, pair, sizeof(pair));
    tt_flat_end(&text, place);
    assert_int_equal(feed(store, &text, 1), -EBADMSG);
    tt_store_each_point(store, 0, UINT64_MAX, add, &sums);
    assert_int_equal(sums.points, 0);
    put_usage(&text, 1000, "a/b/1", 1, 0, TT_USAGE_BUCKETS - 1);
    assert_int_equal(feed(store, &text, 1), 0);
    tt_text_free(&text);
    tt_store_free(&store);
}

/* A store that begins late: what was counted before is not told as if it happened now. */
static void test_counted(void **state)
{
    struct tt_store *store = new_store(MIB, 0);
    struct tt_text text = {0};
    struct sums sums = {0};

    put_counts(&text, TT_FLAT_COUNTED, 1000, "a/b/1", 1000000, 10, 4);
    assert_int_equal(feed(store, &text, 1), 0);
    tt_store_each_point(store, 0, UINT64_MAX, add, &sums);
    assert_int_equal(sums.points, 0);
    put_usage(&text, 2000, "a/b/1", 1000007, 11, 4);
    put_usage(&text, 2000, "a/b/2", 3, 0, 4); /* that had not been called before */
    assert_int_equal(feed(store, &text, 1), 0);
    tt_store_each_point(store, 0, UINT64_MAX, add, &sums);
    assert_int_equal(sums.points, 2);
    assert_int_equal(sums.calls, 7 + 3);
    assert_int_equal(sums.errors, 1);
    assert_int_equal(sums.in_bucket, sums.calls);
    assert_int_equal(sums.ns, sums.calls * 1000);
    tt_text_free(&text);
    tt_store_free(&store);
}

/* ---- what it costs ---- */

#define COST_SPANS 200000

struct reading {
    struct tt_store *store;
    _Atomic bool stop;
    size_t rounds;
};

static void *read_all(void *argument)
{
    struct reading *reading = argument;

    while (!reading->stop) {
        struct seen seen = {0};

        walk(reading->store, &seen, 64);
        reading->rounds++;
    }
    return NULL;
}

/* ns of CPU per span: written by the agent's exporter thread, and taken by the page's process. */
static void cost(uint64_t bytes, double *written, double *taken)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 42);
    struct tt_store *store = new_store(bytes, 0);
    struct tt_otel_span *span = fixture_real_span(resource, 1);
    struct tt_text text = {0};
    uint64_t a = 0, b = 0;

    for (unsigned i = 0; i < COST_SPANS; i += 500) {
        uint64_t begin = tt_clock_ns(CLOCK_THREAD_CPUTIME_ID);

        tt_flat_put_resource(&text, resource);
        for (unsigned j = 0; j < 500; j++) {
            memcpy(span->trace_id, (const unsigned[]){(i + j) / 4}, sizeof(unsigned));
            tt_flat_put_span(&text, span);
        }
        put_batch_end(&text);
        a += tt_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
        begin = tt_clock_ns(CLOCK_THREAD_CPUTIME_ID);
        assert_int_equal(feed(store, &text, i), 0);
        b += tt_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
    }
    *written = (double)a / COST_SPANS;
    *taken = (double)b / COST_SPANS;
    tt_text_free(&text);
    tt_store_free(&store);
    tt_otel_span_put(&span);
    tt_otel_resource_put(&resource);
}

static void test_cost(void **state)
{
    double written, small, large;

    cost(2 * MIB, &written, &small);
    cost(48 * MIB, &written, &large);
    printf("      a span: %.0f ns to write it, %.0f ns to take it into 2 MiB, %.0f ns into 48 MiB\n", written,
           small, large);
    assert_true(large < 4 * small + 2000); /* no matter how much is there; caches are smaller than 48 MiB */
}

static void test_readers(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 42);
    struct tt_store *store = new_store(8 * MIB, 0);
    struct reading reading = {.store = store};
    struct tt_text text = {0};
    uint64_t longest = 0;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, read_all, &reading), 0);
    for (unsigned i = 1; i <= 300; i++) {
        uint64_t begin;

        tt_flat_put_resource(&text, resource);
        for (unsigned j = 0; j < 100; j++) {
            struct tt_otel_span *span = rich_span(resource, i * 50 + j / 2, j % 2 + 1);

            tt_flat_put_span(&text, span);
            tt_otel_span_put(&span);
        }
        put_batch_end(&text);
        begin = tt_now_ns();
        assert_int_equal(feed(store, &text, i), 0);
        if (tt_now_ns() - begin > longest)
            longest = tt_now_ns() - begin;
    }
    reading.stop = true;
    pthread_join(thread, NULL);
    printf("      beside a reader who never stops (%zu rounds): a batch of 100 took %.1f ms at most\n",
           reading.rounds, (double)longest / 1e6);
    tt_text_free(&text);
    tt_store_free(&store);
    tt_otel_resource_put(&resource);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat),        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_room),        cmocka_unit_test(test_long_trace),
        cmocka_unit_test(test_age),         cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_parts),       cmocka_unit_test(test_large_and_scopes),
        cmocka_unit_test(test_many_series), cmocka_unit_test(test_bad_buckets),
        cmocka_unit_test(test_usage),       cmocka_unit_test(test_counted),
        cmocka_unit_test(test_cost),        cmocka_unit_test(test_readers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
