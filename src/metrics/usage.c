/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/usage.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "catalogue/attributes.h"
#include "metrics/metrics.h"
#include "metrics/series.h"

#define FIRST_NS  10000 /* bound of the first bucket */
#define RATE_TAU  60.0  /* s: the moving rate is that of the last minute or so */
#define OPENS_MAX 4096

enum { SERVER = 2, CLIENT = 3 }; /* OTLP's kinds of spans */

_Static_assert(TT_USAGE_SLOTS == TT_USAGE_FIRST_BUCKET + TT_USAGE_BUCKETS, "a slot for each bucket");

const char *const tt_usage_views[TT_USAGE_VIEWS] = {"devices", "clients", "operations"};
/* Label that each is about. */
static const unsigned view_labels[TT_USAGE_VIEWS] = {TT_USAGE_DEVICE, TT_USAGE_CLIENT, TT_USAGE_OPERATION};

struct tt_usage {
    struct tt_series_table *table;
    uint64_t bounds[TT_USAGE_BUCKETS - 1];
    uint64_t now;
};

/* ---- counting ---- */

void tt_usage_bounds(uint64_t bounds[TT_USAGE_BUCKETS - 1])
{
    for (int i = 0; i < TT_USAGE_BUCKETS - 1; i++)
        bounds[i] = (uint64_t)(FIRST_NS * pow(2, i / 2.0) + 0.5);
}

struct tt_usage *tt_usage_new(size_t max)
{
    struct tt_usage *usage = calloc(1, sizeof(*usage));

    if (!usage)
        return NULL;
    usage->table = tt_series_table_new(max ? max : TT_USAGE_MAX, false);
    if (!usage->table)
        tt_usage_free(&usage);
    else
        tt_usage_bounds(usage->bounds);
    return usage;
}

void tt_usage_free(struct tt_usage **usage)
{
    if (!*usage)
        return;
    tt_series_table_free(&(*usage)->table);
    free(TAKE_PTR(*usage));
}

void tt_usage_tick(struct tt_usage *usage, uint64_t now)
{
    usage->now = now;
}

/* Enrich takes keys from the attribute table, so that one is known by its address. */
static const struct tt_otel_attribute *attribute(const struct tt_otel_span *span, enum tt_attr attr)
{
    for (size_t i = 0; i < span->attribute_count; i++)
        if (span->attributes[i].key == tt_attr_rows[attr].key)
            return &span->attributes[i];
    return NULL;
}

#define NAME_SIZE TT_LABEL_SIZE

/* A client that has no span here: what its requests tell of it. */
static const char *unseen_client(const struct tt_otel_span *span, char buffer[NAME_SIZE])
{
    const struct tt_otel_attribute *address = attribute(span, TT_ATTR_CLIENT_ADDRESS);
    const struct tt_otel_attribute *pid = attribute(span, TT_ATTR_CLIENT_PID);
    const char *from = address ? address->value.string : "this host";

    if (pid)
        snprintf(buffer, NAME_SIZE, "pid %lld of %s", (long long)pid->value.integer, from);
    else
        snprintf(buffer, NAME_SIZE, "%s%s", address ? "" : "somebody on ", from);
    return buffer;
}

/* The device that calls, or program, host and pid. */
static const char *client_of(const struct tt_otel_span *span, char buffer[NAME_SIZE])
{
    const struct tt_otel_resource *own = span->resource;

    if (span->kind == SERVER)
        return span->peer_device && *span->peer_device ? span->peer_device : unseen_client(span, buffer);
    if (!own->is_client)
        return own->instance;
    snprintf(buffer, NAME_SIZE, "%s %s", own->service_name, own->instance);
    return buffer;
}

/* False: no call. */
static bool labels_of(const struct tt_otel_span *span, const char **values, char buffer[NAME_SIZE])
{
    const struct tt_otel_attribute *target;

    if (span->kind != CLIENT && span->kind != SERVER)
        return false;
    target = attribute(span, TT_ATTR_OPERATION_TARGET);
    values[TT_USAGE_DEVICE] = target ? target->value.string : "";
    values[TT_USAGE_CLASS] = span->kind == SERVER ? span->resource->class_name : target ? span->peer : NULL;
    values[TT_USAGE_CLIENT] = client_of(span, buffer);
    values[TT_USAGE_OPERATION] = span->title;
    return true;
}

static struct tt_series *series_of(struct tt_usage *usage, const char **values, uint64_t start)
{
    struct tt_series *series = tt_series_find_or_add(usage->table, TT_FAMILY_USAGE, values, TT_ROOM_SHARED,
                                                     usage->now, start);

    if (series)
        return series;
    values[TT_USAGE_CLIENT] = values[TT_USAGE_OPERATION] = TT_METRICS_OTHER;
    series = tt_series_find_or_add(usage->table, TT_FAMILY_USAGE, values, TT_ROOM_RESERVED, usage->now,
                                   start);
    if (series)
        return series;
    values[TT_USAGE_DEVICE] = TT_METRICS_OTHER;
    values[TT_USAGE_CLASS] = NULL;
    return tt_series_find_or_add(usage->table, TT_FAMILY_USAGE, values, TT_ROOM_LAST, usage->now, start);
}

static double rate_of(const uint64_t *values)
{
    double rate;

    memcpy(&rate, &values[TT_USAGE_RATE], sizeof(rate));
    return rate;
}

/* Calls per second, those of long ago ever less: each call adds 1 / tau, which fades with tau. */
static void add_to_rate(uint64_t *values, uint64_t time)
{
    uint64_t last = values[TT_USAGE_LAST];
    double rate = rate_of(values);

    if (last && time > last)
        rate *= exp(-(double)(time - last) / 1e9 / RATE_TAU);
    rate += 1 / RATE_TAU;
    memcpy(&values[TT_USAGE_RATE], &rate, sizeof(rate));
}

/* Of one that began short ago the fading sum has not reached the rate yet. */
static double rate_now(const uint64_t *values, uint64_t now)
{
    double idle = now > values[TT_USAGE_LAST] ? (double)(now - values[TT_USAGE_LAST]) / 1e9 : 0;
    double age = now > values[TT_USAGE_FIRST] ? (double)(now - values[TT_USAGE_FIRST]) / 1e9 : 0;

    return rate_of(values) * exp(-idle / RATE_TAU) / (1 - exp(-(age > 1 ? age : 1) / RATE_TAU));
}

static unsigned bucket_of(const struct tt_usage *usage, uint64_t ns)
{
    unsigned low = 0, high = TT_USAGE_BUCKETS - 1;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (ns <= usage->bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void tt_usage_span(struct tt_usage *usage, const struct tt_otel_span *span)
{
    const char *labels[TT_LABELS_MAX] = {NULL};
    char buffer[NAME_SIZE];
    struct tt_series *series;
    uint64_t *values, ns;

    /* The client's span of the same call is counted. */
    if ((span->kind == SERVER && span->peer_seen) || !labels_of(span, labels, buffer))
        return;
    series = series_of(usage, labels, span->start);
    if (!series)
        return;
    values = tt_series_values(series);
    ns = span->end > span->start ? span->end - span->start : 0;
    add_to_rate(values, span->end);
    if (!values[TT_USAGE_CALLS]++)
        values[TT_USAGE_FIRST] = span->end;
    if (span->end > values[TT_USAGE_LAST])
        values[TT_USAGE_LAST] = span->end;
    values[TT_USAGE_ERRORS] += span->status == TT_OTEL_ERROR;
    if (span->unmeasured) /* a bound is no duration */
        return;
    values[TT_USAGE_SUM] += ns;
    values[TT_USAGE_FIRST_BUCKET + bucket_of(usage, ns)]++;
}

/* ---- copies ---- */

/* An entry of the table, or an open call. */
struct item {
    const char *labels[TT_USAGE_LABELS];
    const uint64_t *values; /* NULL: open */
    bool client;            /* open: seen from the client's side */
};

struct tt_usage_copy {
    uint64_t time;
    uint64_t bounds[TT_USAGE_BUCKETS - 1];
    void *memory;
    struct item *items;
    size_t count, closed;
    struct tt_arena arena;
};

void tt_usage_copy_free(struct tt_usage_copy **copy)
{
    struct tt_usage_copy *c = TAKE_PTR(*copy);

    if (!c)
        return;
    tt_arena_free(&c->arena);
    free(c->memory);
    free(c->items);
    free(c);
}

struct tt_usage_copy *tt_usage_copy(const struct tt_usage *usage, uint64_t time)
{
    size_t count = tt_series_count(usage->table);
    _cleanup_(tt_usage_copy_free) struct tt_usage_copy *copy = calloc(1, sizeof(*copy));
    _cleanup_free_ struct tt_series **list = NULL;

    if (!copy)
        return NULL;
    copy->time = time;
    memcpy(copy->bounds, usage->bounds, sizeof(copy->bounds));
    list = tt_series_copy(usage->table, &copy->memory);
    copy->items = calloc(count + OPENS_MAX, sizeof(*copy->items));
    if (!list || !copy->items)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        for (unsigned label = 0; label < TT_USAGE_LABELS; label++)
            copy->items[i].labels[label] = tt_series_label(list[i], label);
        copy->items[i].values = tt_series_get(list[i]);
    }
    copy->count = copy->closed = count;
    return TAKE_PTR(copy);
}

int tt_usage_add_open(struct tt_usage_copy *copy, const struct tt_otel_span *span)
{
    const char *labels[TT_LABELS_MAX] = {NULL};
    struct item *item = &copy->items[copy->count];
    char buffer[NAME_SIZE];

    if (!labels_of(span, labels, buffer) || copy->count == copy->closed + OPENS_MAX)
        return 0;
    for (unsigned i = 0; i < TT_USAGE_LABELS; i++) {
        const char *text = labels[i] ? labels[i] : "";

        item->labels[i] = tt_arena_copy(&copy->arena, text, strnlen(text, TT_LABEL_SIZE));
        if (!item->labels[i])
            return -ENOMEM;
    }
    item->client = span->kind == CLIENT;
    copy->count++;
    return 0;
}

void tt_usage_each(const struct tt_usage_copy *copy,
                   void (*visit)(void *context, const char *const *labels, const uint64_t *values),
                   void *context)
{
    for (size_t i = 0; i < copy->closed; i++)
        visit(context, copy->items[i].labels, copy->items[i].values);
}

uint64_t tt_usage_time(const struct tt_usage_copy *copy)
{
    return copy->time;
}

double tt_usage_quantile(const uint64_t *buckets, const uint64_t *bounds, size_t count, double q)
{
    uint64_t total = 0, below = 0;
    double rank;

    for (size_t i = 0; i < count; i++)
        total += buckets[i];
    if (!total)
        return 0;
    rank = q * (double)total;
    for (size_t i = 0; i + 1 < count; i++) {
        double low = i ? (double)bounds[i - 1] : (double)bounds[0] / 2;

        if (buckets[i] && (double)(below + buckets[i]) >= rank)
            return low * pow((double)bounds[i] / low, (rank - (double)below) / (double)buckets[i]);
        below += buckets[i];
    }
    return (double)bounds[count - 2];
}

/* ---- views ---- */

/* What belongs together. */
struct sum {
    const char *name, *class_name;
    uint64_t values[TT_USAGE_SLOTS];
    uint64_t open[2]; /* by the server's side, the client's */
};

static void add_item(struct sum *sum, const struct item *item)
{
    if (*item->labels[TT_USAGE_CLASS])
        sum->class_name = item->labels[TT_USAGE_CLASS];
    if (!item->values) {
        sum->open[item->client]++;
        return;
    }
    for (unsigned i = 0; i < TT_USAGE_SLOTS; i++)
        if (i != TT_USAGE_FIRST && i != TT_USAGE_LAST && i != TT_USAGE_RATE)
            sum->values[i] += item->values[i];
}

/* A call that is open on both sides is one. Who calls is often known by the client's side only. */
static uint64_t open_calls(const struct sum *sum, enum tt_usage_view view)
{
    return sum->open[1] >= sum->open[0] || view == TT_USAGE_CLIENTS ? sum->open[1] : sum->open[0];
}

static void put_sum(struct tt_json *json, const struct sum *sum, enum tt_usage_view view)
{
    if (view == TT_USAGE_CLIENTS && !sum->values[TT_USAGE_CALLS] && !sum->open[1])
        return;
    tt_json_object(json, NULL);
    tt_json_string(json, "name", sum->name);
    if (view == TT_USAGE_DEVICES)
        tt_json_string(json, "class", sum->class_name);
    tt_json_uint(json, "calls", sum->values[TT_USAGE_CALLS]);
    tt_json_uint(json, "errors", sum->values[TT_USAGE_ERRORS]);
    tt_json_uint(json, "open", open_calls(sum, view));
    tt_json_uint(json, "ns", sum->values[TT_USAGE_SUM]);
    tt_json_array(json, "buckets");
    for (unsigned i = 0; i < TT_USAGE_BUCKETS; i++)
        tt_json_uint(json, NULL, sum->values[TT_USAGE_FIRST_BUCKET + i]);
    tt_json_array_end(json);
    tt_json_object_end(json);
}

static int compare_label(const void *a, const void *b, void *label)
{
    const struct item *x = *(const struct item *const *)a, *y = *(const struct item *const *)b;

    return strcmp(x->labels[*(const unsigned *)label], y->labels[*(const unsigned *)label]);
}

static const struct item **sorted(const struct tt_usage_copy *copy, unsigned label)
{
    const struct item **items = calloc(copy->count + 1, sizeof(struct item *));

    for (size_t i = 0; items && i < copy->count; i++)
        items[i] = &copy->items[i];
    if (items)
        qsort_r(items, copy->count, sizeof(*items), compare_label, &label);
    return items;
}

void tt_usage_json(struct tt_json *json, const struct tt_usage_copy *copy, enum tt_usage_view view)
{
    unsigned label = view_labels[view];
    _cleanup_free_ const struct item **items = sorted(copy, label);
    struct sum sum = {0};

    json->failed |= !items;
    tt_json_object(json, NULL);
    tt_json_double(json, "time", (double)copy->time / 1e9);
    tt_json_array(json, "bounds_ns");
    for (size_t i = 0; i < TT_ARRAY_SIZE(copy->bounds); i++)
        tt_json_uint(json, NULL, copy->bounds[i]);
    tt_json_array_end(json);
    tt_json_array(json, "rows");
    for (size_t i = 0; items && i < copy->count; i++) {
        const char *name = items[i]->labels[label];

        if (!i || strcmp(name, sum.name) != 0)
            sum = (struct sum){.name = name};
        add_item(&sum, items[i]);
        if (i + 1 == copy->count || strcmp(name, items[i + 1]->labels[label]) != 0)
            put_sum(json, &sum, view);
    }
    tt_json_array_end(json);
    tt_json_object_end(json);
}

/* ---- who asks a device ---- */

struct ranked {
    const struct item *item;
    double rate;
};

static int by_rate(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    return x->rate > y->rate ? -1 : x->rate < y->rate;
}

static void put_client(struct tt_json *json, const struct tt_usage_copy *copy, const struct ranked *ranked)
{
    const struct item *item = ranked->item;
    const uint64_t *v = item->values, *buckets = v + TT_USAGE_FIRST_BUCKET;

    tt_json_object(json, NULL);
    tt_json_string(json, "device", item->labels[TT_USAGE_DEVICE]);
    tt_json_string(json, "client", item->labels[TT_USAGE_CLIENT]);
    tt_json_string(json, "operation", item->labels[TT_USAGE_OPERATION]);
    tt_json_uint(json, "calls", v[TT_USAGE_CALLS]);
    tt_json_uint(json, "errors", v[TT_USAGE_ERRORS]);
    tt_json_double(json, "rate", ranked->rate);
    tt_json_double(json, "p50_seconds",
                   tt_usage_quantile(buckets, copy->bounds, TT_USAGE_BUCKETS, 0.5) / 1e9);
    tt_json_double(json, "p99_seconds",
                   tt_usage_quantile(buckets, copy->bounds, TT_USAGE_BUCKETS, 0.99) / 1e9);
    tt_json_double(json, "last_seconds",
                   copy->time > v[TT_USAGE_LAST] ? (double)(copy->time - v[TT_USAGE_LAST]) / 1e9 : 0);
    tt_json_object_end(json);
}

void tt_usage_clients_json(struct tt_json *json, const struct tt_usage_copy *copy, const char *device)
{
    _cleanup_free_ struct ranked *ranked = calloc(copy->closed + 1, sizeof(*ranked));
    size_t count = 0;

    json->failed |= !ranked;
    for (size_t i = 0; ranked && i < copy->closed; i++) {
        const struct item *item = &copy->items[i];

        if (tt_glob(device, item->labels[TT_USAGE_DEVICE], true))
            ranked[count++] = (struct ranked){item, rate_now(item->values, copy->time)};
    }
    if (count)
        qsort(ranked, count, sizeof(*ranked), by_rate);
    tt_json_object(json, NULL);
    tt_json_string(json, "device", device);
    tt_json_array(json, "clients");
    for (size_t i = 0; i < count; i++)
        put_client(json, copy, &ranked[i]);
    tt_json_array_end(json);
    tt_json_object_end(json);
}
