/* SPDX-License-Identifier: GPL-2.0-only */
#include "enrich/build.h"

#include <string.h>

#include "enrich/convert.h"

/* The next free attribute, or NULL when the count is reached. */
static struct tt_otel_attribute *add(struct tt_build *build, const char *key, enum tt_otel_type type)
{
    struct tt_otel_attribute *item;

    if (build->count == TT_ATTR_COUNT) {
        build->dropped++;
        return NULL;
    }
    item = &build->items[build->count++];
    item->key = key;
    item->type = type;
    return item;
}

static size_t limit_of(enum tt_attr attr)
{
    return tt_attr_rows[attr].limit ? tt_attr_rows[attr].limit : TT_ATTR_LENGTH;
}

void tt_build_extra(struct tt_build *build, const char *key, const char *value)
{
    struct tt_otel_attribute *item = add(build, key, TT_OTEL_STRING);

    if (item)
        item->value.string = value;
}

void tt_build_ready(struct tt_build *build, enum tt_attr attr, const char *value)
{
    if (value && *value)
        tt_build_extra(build, tt_attr_rows[attr].key, value);
}

void tt_build_string(struct tt_build *build, enum tt_attr attr, const char *value)
{
    const char *copy;

    if (!value || !*value)
        return;
    copy = tt_convert_copy(build->arena, value, limit_of(attr));
    if (copy)
        tt_build_ready(build, attr, copy);
    else
        build->failed = true;
}

void tt_build_int(struct tt_build *build, enum tt_attr attr, int64_t value)
{
    struct tt_otel_attribute *item = add(build, tt_attr_rows[attr].key, TT_OTEL_INT);

    if (item)
        item->value.integer = value;
}

void tt_build_true(struct tt_build *build, enum tt_attr attr)
{
    struct tt_otel_attribute *item = add(build, tt_attr_rows[attr].key, TT_OTEL_BOOL);

    if (item)
        item->value.boolean = true;
}

void tt_build_strings(struct tt_build *build, enum tt_attr attr, const char *const *values, size_t count)
{
    struct tt_otel_attribute *item;
    const char **items;
    size_t used = 0;

    if (!count)
        return;
    items = tt_arena_alloc(build->arena, count * sizeof(*items));
    if (!items) {
        build->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!values[i] || !*values[i])
            continue;
        items[used] = tt_convert_copy(build->arena, values[i], limit_of(attr));
        if (!items[used++]) {
            build->failed = true;
            return;
        }
    }
    item = used ? add(build, tt_attr_rows[attr].key, TT_OTEL_STRINGS) : NULL;
    if (item) {
        item->value.strings.items = items;
        item->value.strings.count = used;
    }
}

struct tt_otel_attribute *tt_build_finish(struct tt_build *build)
{
    size_t size = build->count * sizeof(build->items[0]);
    struct tt_otel_attribute *result;

    if (!size || build->failed)
        return NULL;
    result = tt_arena_alloc(build->arena, size);
    if (!result) {
        build->failed = true;
        return NULL;
    }
    return memcpy(result, build->items, size);
}
