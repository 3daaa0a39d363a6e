/* SPDX-License-Identifier: GPL-2.0-only */
/* Who asks whom: sums, rates, quantiles, open calls, and what happens when there are too many. */
#include "metrics/fixture.h"

#include <json-c/json.h>
#include <math.h>

#include "metrics/usage.h"

#define SECOND 1000000000ull

static struct json_object *view_of(const struct tt_usage *usage, uint64_t time, enum tt_usage_view view)
{
    struct tt_usage_copy *copy = tt_usage_copy(usage, time);
    struct json_object *root;
    struct tt_json json = {0};

    assert_non_null(copy);
    tt_usage_json(&json, copy, view);
    assert_false(json.failed);
    root = json_tokener_parse(json.data);
    assert_non_null(root);
    tt_json_free(&json);
    tt_usage_copy_free(&copy);
    return root;
}

static struct json_object *clients_of(const struct tt_usage *usage, uint64_t time, const char *device)
{
    struct tt_usage_copy *copy = tt_usage_copy(usage, time);
    struct json_object *root;
    struct tt_json json = {0};

    assert_non_null(copy);
    tt_usage_clients_json(&json, copy, device);
    assert_false(json.failed);
    root = json_tokener_parse(json.data);
    assert_non_null(root);
    tt_json_free(&json);
    tt_usage_copy_free(&copy);
    return root;
}

static struct json_object *at(struct json_object *root, const char *list, size_t index)
{
    return json_object_array_get_idx(json_object_object_get(root, list), index);
}

static size_t length(struct json_object *root, const char *list)
{
    return json_object_array_length(json_object_object_get(root, list));
}

#define TEXT(object, key)   json_object_get_string(json_object_object_get(object, key))
#define NUMBER(object, key) json_object_get_int64(json_object_object_get(object, key))
#define REAL(object, key)   json_object_get_double(json_object_object_get(object, key))

static void add(struct tt_usage *usage, struct fixture *f, uint64_t end)
{
    uint64_t ns = f->span.end - f->span.start;

    f->span.end = end;
    f->span.start = end - ns;
    tt_usage_span(usage, &f->span);
}

/* A call counts once, from its client's side if that is seen. */
static void test_sides(void **state)
{
    struct tt_usage *usage = tt_usage_new(0);
    struct json_object *root;
    struct fixture f;

    fixture_call(&f, KIND_CLIENT, "scan", "TangoTest", "a/b/1", "Arm", NULL, 300000);
    fixture_fail(&f, "API_Refused");
    tt_usage_span(usage, &f.span);
    fixture_call(&f, KIND_SERVER, "TangoTest", "scan", "a/b/1", "Arm", NULL, 200000);
    tt_usage_span(usage, &f.span);
    fixture_call(&f, KIND_SERVER, "TangoTest", NULL, "a/b/1", "Arm", NULL, 200000); /* of nobody here */
    fixture_string(&f, TT_ATTR_CLIENT_ADDRESS, "10.0.0.5");
    tt_usage_span(usage, &f.span);
    fixture_call(&f, KIND_INTERNAL, "TangoTest", NULL, "a/b/1", "TangoTest.Arm", NULL, 200000);
    tt_usage_span(usage, &f.span);

    root = view_of(usage, START, TT_USAGE_DEVICES);
    assert_int_equal(length(root, "rows"), 1);
    assert_string_equal(TEXT(at(root, "rows", 0), "name"), "a/b/1");
    assert_string_equal(TEXT(at(root, "rows", 0), "class"), "TangoTest");
    assert_int_equal(NUMBER(at(root, "rows", 0), "calls"), 2);
    assert_int_equal(NUMBER(at(root, "rows", 0), "errors"), 1);
    assert_int_equal(NUMBER(at(root, "rows", 0), "ns"), 500000);
    json_object_put(root);

    root = view_of(usage, START, TT_USAGE_CLIENTS);
    assert_int_equal(length(root, "rows"), 2);
    assert_string_equal(TEXT(at(root, "rows", 0), "name"), "10.0.0.5");
    assert_string_equal(TEXT(at(root, "rows", 1), "name"), "scan host:1");
    json_object_put(root);
    tt_usage_free(&usage);
}

/* A call whose end was not seen is a call, of unknown duration. */
static void test_unmeasured(void **state)
{
    struct tt_usage *usage = tt_usage_new(0);
    struct json_object *root, *row;
    struct fixture f;

    for (unsigned i = 0; i < 10; i++) {
        fixture_call(&f, KIND_CLIENT, "scan", "TangoTest", "a/b/1", "Arm", NULL,
                     i < 5 ? 300000 : 60 * SECOND);
        f.span.unmeasured = i < 5 ? NULL : "end_unknown";
        tt_usage_span(usage, &f.span);
    }
    root = view_of(usage, START, TT_USAGE_DEVICES);
    row = at(root, "rows", 0);
    assert_int_equal(NUMBER(row, "calls"), 10);
    assert_int_equal(NUMBER(row, "errors"), 0);
    assert_int_equal(NUMBER(row, "ns"), 5 * 300000);
    json_object_put(root);
    root = clients_of(usage, START, "a/b/1");
    assert_true(REAL(at(root, "clients", 0), "p99_seconds") < 1e-3);
    json_object_put(root);
    tt_usage_free(&usage);
}

/* Ten calls a second of one client, one of another every 10 s. */
static void test_rates(void **state)
{
    struct tt_usage *usage = tt_usage_new(0);
    struct json_object *root, *busy, *calm;
    struct fixture f;

    for (unsigned i = 0; i < 6000; i++) {
        fixture_call(&f, KIND_CLIENT, "fast", "TangoTest", "a/b/1", "read State", "State", 300000);
        add(usage, &f, START + i * SECOND / 10);
        fixture_call(&f, KIND_CLIENT, "slow", "TangoTest", "A/B/1", "Arm", NULL, 3000000);
        if (i % 100 == 0)
            add(usage, &f, START + i * SECOND / 10);
    }
    root = clients_of(usage, START + 600 * SECOND, "a/b/1");
    assert_int_equal(length(root, "clients"), 2);
    busy = at(root, "clients", 0);
    calm = at(root, "clients", 1);
    assert_string_equal(TEXT(busy, "client"), "fast host:1");
    assert_string_equal(TEXT(busy, "operation"), "read State");
    assert_true(fabs(REAL(busy, "rate") - 10) < 0.1);
    assert_true(fabs(REAL(calm, "rate") - 0.1) < 0.02);
    assert_int_equal(NUMBER(busy, "calls"), 6000);
    assert_true(fabs(REAL(busy, "p50_seconds") / 300e-6 - 1) < 0.2);
    assert_true(fabs(REAL(calm, "p99_seconds") / 3e-3 - 1) < 0.42); /* of one bucket */
    assert_true(fabs(REAL(calm, "last_seconds") - 10) < 1e-6);
    json_object_put(root);
    root = clients_of(usage, START + 900 * SECOND, "a/*"); /* five minutes later */
    assert_true(REAL(at(root, "clients", 0), "rate") < 0.1);
    json_object_put(root);
    root = clients_of(usage, START, "a/b/2");
    assert_int_equal(length(root, "clients"), 0);
    json_object_put(root);
    tt_usage_free(&usage);
}

/* A new client's rate is that of its short life. */
static void test_young_rate(void **state)
{
    struct tt_usage *usage = tt_usage_new(0);
    struct json_object *root;
    struct fixture f;

    for (unsigned i = 0; i < 20; i++) {
        fixture_call(&f, KIND_CLIENT, "scan", "TangoTest", "a/b/1", "Arm", NULL, 300000);
        add(usage, &f, START + i * SECOND / 5);
    }
    root = clients_of(usage, START + 4 * SECOND, "a/b/1");
    assert_true(fabs(REAL(at(root, "clients", 0), "rate") - 5) < 0.5);
    json_object_put(root);
    tt_usage_free(&usage);
}

static void test_quantiles(void **state)
{
    uint64_t bounds[TT_USAGE_BUCKETS - 1], buckets[TT_USAGE_BUCKETS] = {0};

    tt_usage_bounds(bounds);
    assert_int_equal(bounds[0], 10000);
    assert_int_equal(bounds[2], 20000);
    assert_true(tt_usage_quantile(buckets, bounds, TT_USAGE_BUCKETS, 0.5) == 0);
    buckets[4] = 98; /* 28 to 40 us */
    buckets[10] = 2; /* 226 to 320 us */
    assert_true(fabs(tt_usage_quantile(buckets, bounds, TT_USAGE_BUCKETS, 0.5) - 34e3) < 2e3);
    assert_true(tt_usage_quantile(buckets, bounds, TT_USAGE_BUCKETS, 0.98) <= 40000);
    assert_true(tt_usage_quantile(buckets, bounds, TT_USAGE_BUCKETS, 0.99) > 226e3);
    memset(buckets, 0, sizeof(buckets));
    buckets[TT_USAGE_BUCKETS - 1] = 1; /* beyond */
    assert_true(tt_usage_quantile(buckets, bounds, TT_USAGE_BUCKETS, 0.5) ==
                (double)bounds[TT_USAGE_BUCKETS - 2]);
}

/* Open on both sides is one call; a client is known by its own side only. */
static void test_open(void **state)
{
    struct tt_usage *usage = tt_usage_new(0);
    struct tt_usage_copy *copy;
    struct json_object *root;
    struct tt_json json = {0};
    struct fixture f;

    fixture_call(&f, KIND_CLIENT, "scan", "TangoTest", "a/b/1", "Arm", NULL, 300000);
    tt_usage_span(usage, &f.span);
    copy = tt_usage_copy(usage, START);
    assert_int_equal(tt_usage_add_open(copy, &f.span), 0);
    assert_int_equal(tt_usage_add_open(copy, &f.span), 0);
    fixture_call(&f, KIND_SERVER, "TangoTest", NULL, "a/b/1", "Arm", NULL, 0);
    assert_int_equal(tt_usage_add_open(copy, &f.span), 0);
    for (enum tt_usage_view view = 0; view < TT_USAGE_VIEWS; view++) {
        tt_json_reset(&json);
        tt_usage_json(&json, copy, view);
        root = json_tokener_parse(json.data);
        assert_int_equal(length(root, "rows"), 1);
        assert_int_equal(NUMBER(at(root, "rows", 0), "open"), 2);
        assert_int_equal(NUMBER(at(root, "rows", 0), "calls"), 1);
        json_object_put(root);
    }
    tt_json_free(&json);
    tt_usage_copy_free(&copy);
    tt_usage_free(&usage);
}

/* Beyond the bound sums of devices stay right as long as there is room for devices. */
static void test_overflow(void **state)
{
    struct tt_usage *usage = tt_usage_new(64);
    struct json_object *root;
    int64_t calls = 0;
    char name[32];
    struct fixture f;

    tt_usage_tick(usage, SECOND);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "read a%u", i);
        fixture_call(&f, KIND_CLIENT, "scan", "TangoTest", "a/b/1", name, "a", 300000);
        tt_usage_span(usage, &f.span);
    }
    root = view_of(usage, START, TT_USAGE_DEVICES);
    assert_int_equal(length(root, "rows"), 1);
    assert_int_equal(NUMBER(at(root, "rows", 0), "calls"), 1000);
    json_object_put(root);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "a/b/%u", i);
        fixture_call(&f, KIND_CLIENT, "scan", "TangoTest", name, "Arm", NULL, 300000);
        tt_usage_span(usage, &f.span);
    }
    root = view_of(usage, START, TT_USAGE_DEVICES);
    assert_true(length(root, "rows") <= 64);
    for (size_t i = 0; i < length(root, "rows"); i++)
        calls += NUMBER(at(root, "rows", i), "calls");
    assert_int_equal(calls, 2000);
    json_object_put(root);
    /* What was not used for long makes room. */
    tt_usage_tick(usage, 2 * TT_METRICS_IDLE);
    fixture_call(&f, KIND_CLIENT, "scan", "TangoTest", "x/y/z", "Arm", NULL, 300000);
    tt_usage_span(usage, &f.span);
    root = clients_of(usage, START, "x/y/z");
    assert_string_equal(TEXT(at(root, "clients", 0), "operation"), "Arm");
    json_object_put(root);
    tt_usage_free(&usage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides),      cmocka_unit_test(test_unmeasured), cmocka_unit_test(test_rates),
        cmocka_unit_test(test_young_rate), cmocka_unit_test(test_quantiles),  cmocka_unit_test(test_open),
        cmocka_unit_test(test_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
