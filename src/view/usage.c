/* SPDX-License-Identifier: GPL-2.0-only */
/* usage.c: calls, errors and durations, by any of device, class, client and operation, over time: "GET
 * /api/usage"; and which of these there are: "GET /api/names". */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "metrics/usage.h"
#include "view/internal.h"

#define GROUPS_MAX 4000
#define BINS_MAX   1000
#define CELLS_MAX  20000 /* groups with bins */
#define KEY_SIZE   1024
#define NAMES_MAX  2000

static const char *const label_names[TT_USAGE_LABELS] = {"device", "class", "client", "operation"};

struct sums {
    uint64_t calls, errors, ns;
    uint32_t buckets[TT_USAGE_BUCKETS];
};

struct cell {
    uint32_t bin;
    struct sums sums;
};

struct group {
    struct sums sums;
    struct cell *cells; /* by bin, in order of time */
    size_t cell_count, cell_room;
    UT_hash_handle hh;
    char key[]; /* the labels, each with its NUL */
};

struct asking {
    unsigned by[TT_USAGE_LABELS], by_count;
    const char *globs[TT_USAGE_LABELS]; /* NULL: any */
    uint64_t from, to, step;            /* ns; step 0: no bins */
    bool buckets;                       /* as they are .. */
    bool pairs;                         /* .. those that are not 0, with their numbers */
    struct group *groups;
    size_t cells;
    bool cut; /* there was more than is told */
    uint64_t bounds[TT_USAGE_BUCKETS - 1];
};

/* ---- sums ---- */

static void add(struct sums *sums, const struct tt_store_point *point)
{
    sums->calls += point->calls;
    sums->errors += point->errors;
    sums->ns += point->sum;
    for (size_t i = 0; i < point->bucket_count; i++)
        sums->buckets[point->buckets[i].index] += point->buckets[i].count;
}

static struct group *group_of(struct asking *asking, const struct tt_store_point *point)
{
    struct group *group;
    char key[KEY_SIZE];
    size_t size = 0;

    for (unsigned i = 0; i < asking->by_count; i++) {
        const char *label = point->labels[asking->by[i]];
        size_t length = strlen(label) + 1;

        if (size + length > sizeof(key))
            return NULL;
        memcpy(key + size, label, length);
        size += length;
    }
    if (!size)
        key[size++] = '\0';
    HASH_FIND(hh, asking->groups, key, size, group);
    if (group || HASH_COUNT(asking->groups) == GROUPS_MAX)
        return group;
    group = calloc(1, sizeof(*group) + size);
    if (!group)
        return NULL;
    memcpy(group->key, key, size);
    HASH_ADD(hh, asking->groups, key, size, group);
    return group;
}

/* Points come in order of time. */
static struct cell *cell_of(struct asking *asking, struct group *group, uint64_t time)
{
    uint32_t bin = (uint32_t)((time - asking->from - 1) / asking->step);

    if (group->cell_count && group->cells[group->cell_count - 1].bin == bin)
        return &group->cells[group->cell_count - 1];
    if (asking->cells == CELLS_MAX)
        return NULL;
    if (group->cell_count == group->cell_room) {
        size_t room = group->cell_room ? 2 * group->cell_room : 16;
        struct cell *larger = realloc(group->cells, room * sizeof(*larger));

        if (!larger)
            return NULL;
        group->cells = larger;
        group->cell_room = room;
    }
    asking->cells++;
    group->cells[group->cell_count] = (struct cell){.bin = bin};
    return &group->cells[group->cell_count++];
}

static void take_point(void *context, const struct tt_store_point *point)
{
    struct asking *asking = context;
    struct group *group;
    struct cell *cell = NULL;

    for (unsigned i = 0; i < TT_USAGE_LABELS; i++)
        if (asking->globs[i] && !tt_glob(asking->globs[i], point->labels[i], true))
            return;
    group = group_of(asking, point);
    if (group)
        add(&group->sums, point);
    if (group && asking->step)
        cell = cell_of(asking, group, point->time);
    if (cell)
        add(&cell->sums, point);
    asking->cut |= !group || (asking->step && !cell);
}

/* ---- the answer ---- */

/* As in `top`: right within the width of a bucket. */
static void put_quantiles(struct tt_json *json, const struct sums *sums, const uint64_t *bounds)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}};
    uint64_t buckets[TT_USAGE_BUCKETS];

    for (size_t i = 0; i < TT_USAGE_BUCKETS; i++)
        buckets[i] = sums->buckets[i];
    for (size_t i = 0; i < TT_ARRAY_SIZE(quantiles); i++)
        tt_json_uint(json, quantiles[i].name,
                     (uint64_t)tt_usage_quantile(buckets, bounds, TT_USAGE_BUCKETS, quantiles[i].q));
}

static void put_sums(struct tt_json *json, const struct sums *sums, const uint64_t *bounds)
{
    tt_json_uint(json, "calls", sums->calls);
    tt_json_uint(json, "errors", sums->errors);
    tt_json_uint(json, "ns", sums->ns);
    put_quantiles(json, sums, bounds);
}

static void put_buckets(struct tt_json *json, const struct asking *asking, const struct sums *sums)
{
    tt_json_array(json, "buckets");
    for (unsigned i = 0; i < TT_USAGE_BUCKETS; i++) {
        if (asking->pairs && !sums->buckets[i])
            continue;
        if (asking->pairs) {
            tt_json_array(json, NULL);
            tt_json_uint(json, NULL, i);
        }
        tt_json_uint(json, NULL, sums->buckets[i]);
        if (asking->pairs)
            tt_json_array_end(json);
    }
    tt_json_array_end(json);
}

static void put_group(struct tt_json *json, const struct asking *asking, const struct group *group)
{
    const char *label = group->key;

    tt_json_object(json, NULL);
    for (unsigned i = 0; i < asking->by_count; i++, label += strlen(label) + 1)
        tt_json_string(json, label_names[asking->by[i]], label);
    put_sums(json, &group->sums, asking->bounds);
    if (asking->buckets)
        put_buckets(json, asking, &group->sums);
    if (asking->step) {
        tt_json_array(json, "bins");
        for (size_t i = 0; i < group->cell_count; i++) {
            tt_json_object(json, NULL);
            tt_json_uint(json, "bin", group->cells[i].bin);
            put_sums(json, &group->cells[i].sums, asking->bounds);
            tt_json_object_end(json);
        }
        tt_json_array_end(json);
    }
    tt_json_object_end(json);
}

static void put_answer(struct tt_json *json, const struct asking *asking)
{
    tt_json_object(json, NULL);
    tt_json_double(json, "from_us", (double)asking->from / 1e3);
    tt_json_double(json, "to_us", (double)asking->to / 1e3);
    tt_json_double(json, "step_us", (double)asking->step / 1e3);
    tt_json_bool(json, "whole", !asking->cut);
    if (asking->buckets) {
        tt_json_array(json, "bounds_ns");
        for (size_t i = 0; i < TT_ARRAY_SIZE(asking->bounds); i++)
            tt_json_uint(json, NULL, asking->bounds[i]);
        tt_json_array_end(json);
    }
    tt_json_array(json, "rows");
    for (const struct group *g = asking->groups; g; g = g->hh.next)
        put_group(json, asking, g);
    tt_json_array_end(json);
    tt_json_object_end(json);
}

static void free_groups(struct asking *asking)
{
    struct group *g, *next;

    HASH_ITER(hh, asking->groups, g, next)
    {
        HASH_DEL(asking->groups, g);
        free(g->cells);
        free(g);
    }
}

/* "device,client". False: there is no such label. */
static bool read_by(const char *text, struct asking *asking)
{
    while (text && *text) {
        size_t length = strcspn(text, ",");
        unsigned label = 0;

        while (label < TT_USAGE_LABELS &&
               (strlen(label_names[label]) != length || strncmp(label_names[label], text, length) != 0))
            label++;
        if (label == TT_USAGE_LABELS || asking->by_count == TT_USAGE_LABELS)
            return false;
        asking->by[asking->by_count++] = label;
        text += length + (text[length] == ',');
    }
    return true;
}

/* NULL, or why not. */
static const char *read_asking(const struct tt_httpd_request *request, struct asking *asking)
{
    const char *buckets = tt_httpd_argument(request, "buckets");
    double step = 0;

    if (!read_by(tt_httpd_argument(request, "by"), asking))
        return "by is a list of device, class, client and operation";
    for (unsigned i = 0; i < TT_USAGE_LABELS; i++) {
        const char *glob = tt_httpd_argument(request, label_names[i]);

        asking->globs[i] = glob && *glob ? glob : NULL;
    }
    asking->pairs = buckets && !strcmp(buckets, "pairs");
    asking->buckets = asking->pairs || (buckets && !strcmp(buckets, "1"));
    if (!tt_view_time(request, "from", &asking->from) || !tt_view_time(request, "to", &asking->to) ||
        !tt_view_number(request, "step", &step))
        return "from, to and step are microseconds";
    asking->step = (uint64_t)(step * 1000);
    if (asking->from > asking->to)
        return "from is later than to";
    if (asking->step && (asking->to - asking->from) / asking->step >= BINS_MAX)
        return "too many steps between from and to: at most 1000";
    return NULL;
}

void tt_view_usage(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    struct tt_view *view = context;
    struct tt_store_stats stats;
    struct asking asking = {0};
    struct tt_json json = {0};
    const char *why;

    tt_view_look(view);
    tt_store_get_stats(view->store, &stats);
    asking.to = stats.newest;
    why = read_asking(request, &asking);
    if (why) {
        tt_view_refuse(reply, 400, why, -1);
        return;
    }
    tt_usage_bounds(asking.bounds);
    tt_store_each_point(view->store, asking.from, asking.to, take_point, &asking);
    put_answer(&json, &asking);
    free_groups(&asking);
    tt_view_json(reply, &json);
}

/* ---- names ---- */

struct names {
    char *items[TT_USAGE_LABELS][NAMES_MAX];
    size_t count[TT_USAGE_LABELS];
};

/* Sorted, each once: found by halves. */
static void add_name(struct names *names, unsigned label, const char *name)
{
    char **items = names->items[label];
    size_t low = 0, high = names->count[label];

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, items[middle]);

        if (!order)
            return;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (!*name || names->count[label] == NAMES_MAX)
        return;
    memmove(items + low + 1, items + low, (names->count[label] - low) * sizeof(*items));
    items[low] = strdup(name);
    if (items[low])
        names->count[label]++;
    else
        memmove(items + low, items + low + 1, (names->count[label] - low) * sizeof(*items));
}

static void take_series(void *context, const char *const labels[TT_USAGE_LABELS])
{
    for (unsigned i = 0; i < TT_USAGE_LABELS; i++)
        add_name(context, i, labels[i]);
}

void tt_view_names(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    static const char *const plural[TT_USAGE_LABELS] = {"devices", "classes", "clients", "operations"};
    struct tt_view *view = context;
    struct names *names = calloc(1, sizeof(*names));
    struct tt_json json = {0};

    if (!names) {
        tt_view_refuse(reply, 503, "out of memory", -1);
        return;
    }
    tt_store_each_series(view->store, take_series, names);
    tt_json_object(&json, NULL);
    for (unsigned i = 0; i < TT_USAGE_LABELS; i++) {
        tt_json_array(&json, plural[i]);
        for (size_t j = 0; j < names->count[i]; j++) {
            tt_json_string(&json, NULL, names->items[i][j]);
            free(names->items[i][j]);
        }
        tt_json_array_end(&json);
    }
    tt_json_object_end(&json);
    free(names);
    tt_view_json(reply, &json);
}
