/* SPDX-License-Identifier: GPL-2.0-only */
/* cache_format.c: a plan as tagged fields. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/tags.h"
#include "plan/cache.h"

enum {
    PLAN_BUILD_ID = 1,
    PLAN_SONAME,
    PLAN_SOURCE,
    PLAN_RANGES,
    PLAN_LIBRARIES,
    PLAN_LAYOUT, /* index + 1 */
    PLAN_OMNI,
    PLAN_FUNCTION,
    PLAN_POINT,
};
enum {
    FUNCTION_NUMBERS = 1,
    FUNCTION_SYMBOL,
    FUNCTION_SIGNATURE,
    FUNCTION_REFUSED,
    FUNCTION_NOTE,
};
enum { POINT_NUMBERS = 1, POINT_BYTES, POINT_TEXT, POINT_KERNEL };

/* What stands below is all there is in them, but the rows of a plan's own: cache.h. */
_Static_assert(sizeof(struct tt_plan_point) == 88 + sizeof(struct tt_point),
               "a new member must be written, too");
_Static_assert(sizeof(struct tt_plan_function) == 72, "a new member must be written, too");
_Static_assert(sizeof(struct tt_plan) == 200, "a new member must be written, too");

#define FUNCTIONS_MAX 65536

struct source_head {
    uint64_t file_size;
    uint8_t digest[TT_DIGEST_SIZE];
};

/* ---- writing ---- */

static void put_function(struct tt_text *out, const struct tt_plan_function *function)
{
    const uint64_t numbers[] = {function->row,   function->address, function->size,
                                function->first, function->count,   function->entry_only};
    _cleanup_(tt_text_free) struct tt_text text = {0};

    tt_tags_put(&text, FUNCTION_NUMBERS, numbers, sizeof(numbers));
    tt_tags_put_text(&text, FUNCTION_SYMBOL, function->symbol);
    tt_tags_put_text(&text, FUNCTION_SIGNATURE, function->signature);
    tt_tags_put_text(&text, FUNCTION_REFUSED, function->refused);
    tt_tags_put_text(&text, FUNCTION_NOTE, function->note);
    out->failed |= text.failed;
    tt_tags_put(out, PLAN_FUNCTION, text.data, text.size);
}

static void put_point(struct tt_text *out, const struct tt_plan_point *point)
{
    const uint64_t numbers[] = {point->offset, point->address, point->function, point->emulated,
                                point->is_call};
    _cleanup_(tt_text_free) struct tt_text text = {0};

    tt_tags_put(&text, POINT_NUMBERS, numbers, sizeof(numbers));
    tt_tags_put(&text, POINT_BYTES, point->bytes, point->length);
    tt_tags_put_text(&text, POINT_TEXT, point->text);
    tt_tags_put(&text, POINT_KERNEL, &point->point, sizeof(point->point)); /* has no padding: event.h */
    out->failed |= text.failed;
    tt_tags_put(out, PLAN_POINT, text.data, text.size);
}

static void put_source(struct tt_text *out, const struct tt_plan_source *source)
{
    struct source_head head = {.file_size = source->file_size};

    memcpy(head.digest, source->digest, sizeof(head.digest));
    tt_tags_put(out, PLAN_SOURCE, &head, sizeof(head));
    tt_tags_put(out, PLAN_RANGES, source->ranges, source->range_count * sizeof(*source->ranges));
}

void tt_plan_encode(const struct tt_plan *plan, struct tt_text *out)
{
    uint64_t libraries = 0;

    for (unsigned i = 0; i < TT_LIBRARIES; i++)
        libraries |= (uint64_t)plan->library[i] << i;
    tt_tags_put(out, PLAN_BUILD_ID, plan->build_id, plan->build_id_size);
    tt_tags_put_text(out, PLAN_SONAME, plan->soname);
    put_source(out, &plan->source);
    tt_tags_put_u64(out, PLAN_LIBRARIES, libraries);
    if (plan->layout)
        tt_tags_put_u64(out, PLAN_LAYOUT, (uint64_t)(plan->layout - tt_layouts) + 1);
    if (plan->omni)
        tt_tags_put_u64(out, PLAN_OMNI, (uint64_t)(plan->omni - tt_omni_layouts) + 1);
    for (size_t i = 0; i < plan->function_count; i++)
        put_function(out, &plan->functions[i]);
    for (size_t i = 0; i < plan->point_count; i++)
        put_point(out, &plan->points[i]);
}

/* ---- reading ---- */

static bool set_text(char **text, const struct tt_tag *tag)
{
    free(*text);
    *text = tt_tag_text(tag);
    return *text;
}

/* The list with room for one more; NULL when out of memory or too many, then it is as it was. */
static void *grown(void *list, size_t count, size_t max, size_t size)
{
    if (count >= max)
        return NULL;
    return count % 64 == 0 ? reallocarray(list, count + 64, size) : list;
}

static bool get_function(struct tt_plan *plan, const struct tt_tag *tag)
{
    struct tt_plan_function *f = grown(plan->functions, plan->function_count, FUNCTIONS_MAX, sizeof(*f));
    struct tt_tags tags = tt_tags_of(tag->data, tag->size);
    uint64_t numbers[6] = {UINT64_MAX};
    struct tt_tag part;

    if (!f)
        return false;
    plan->functions = f;
    f = memset(f + plan->function_count++, 0, sizeof(*f));
    while (tt_tags_next(&tags, &part)) {
        char **const texts[] = {[FUNCTION_SYMBOL] = &f->symbol,
                                [FUNCTION_SIGNATURE] = &f->signature,
                                [FUNCTION_REFUSED] = &f->refused,
                                [FUNCTION_NOTE] = &f->note};

        if (part.tag == FUNCTION_NUMBERS && part.size == sizeof(numbers))
            memcpy(numbers, part.data, sizeof(numbers));
        else if (part.tag < TT_ARRAY_SIZE(texts) && texts[part.tag] && !set_text(texts[part.tag], &part))
            return false;
    }
    if (numbers[0] >= tt_row_count || numbers[3] > TT_MAX_POINTS || numbers[4] > TT_MAX_POINTS)
        return false;
    f->row = (uint32_t)numbers[0];
    f->address = numbers[1];
    f->size = numbers[2];
    f->first = (uint32_t)numbers[3];
    f->count = (uint32_t)numbers[4];
    f->entry_only = numbers[5];
    return f->symbol && f->signature;
}

static bool sound_capture(const struct tt_capture *capture)
{
    return capture->field < TT_FIELDS && capture->kind < TT_CAPTURE_KINDS && capture->reg <= TT_REG_R15 &&
           capture->derefs <= 2;
}

static bool sound_point(const struct tt_point *point)
{
    if (point->kind == TT_POINT_NONE || point->kind == TT_POINT_TEST || point->kind > TT_POINT_SWITCH ||
        point->condition > TT_COND_WATCH || point->cfa_reg > TT_REG_R15 ||
        point->captures > TT_MAX_CAPTURES || point->function >= tt_row_count || point->file)
        return false;
    for (unsigned i = 0; i < point->captures; i++) {
        if (!sound_capture(&point->capture[i]))
            return false;
    }
    return true;
}

static bool get_point(struct tt_plan *plan, const struct tt_tag *tag)
{
    struct tt_plan_point *p = grown(plan->points, plan->point_count, TT_MAX_POINTS, sizeof(*p));
    struct tt_tags tags = tt_tags_of(tag->data, tag->size);
    uint64_t numbers[5] = {0};
    struct tt_tag part;

    if (!p)
        return false;
    plan->points = p;
    p = memset(p + plan->point_count++, 0, sizeof(*p));
    while (tt_tags_next(&tags, &part)) {
        if (part.tag == POINT_NUMBERS && part.size == sizeof(numbers)) {
            memcpy(numbers, part.data, sizeof(numbers));
        } else if (part.tag == POINT_BYTES && part.size < sizeof(p->bytes)) {
            memcpy(p->bytes, part.data, part.size);
            p->length = (uint8_t)part.size;
        } else if (part.tag == POINT_TEXT && part.size < sizeof(p->text)) {
            memcpy(p->text, part.data, part.size);
        } else if (part.tag == POINT_KERNEL && part.size == sizeof(p->point)) {
            memcpy(&p->point, part.data, part.size);
        }
    }
    p->offset = numbers[0];
    p->address = numbers[1];
    p->function = (uint32_t)numbers[2];
    p->emulated = numbers[3];
    p->is_call = numbers[4];
    return p->length && p->offset < INT64_MAX / 2 && numbers[2] < plan->function_count &&
           sound_point(&p->point) && plan->functions[p->function].row == p->point.function;
}

static bool get_source(struct tt_plan_source *source, const struct tt_tag *tag)
{
    struct source_head head;

    if (tag->size != sizeof(head) || source->ranges) /* the ranges were held against the size of before */
        return false;
    memcpy(&head, tag->data, sizeof(head));
    source->file_size = head.file_size;
    memcpy(source->digest, head.digest, sizeof(head.digest));
    return head.file_size < INT64_MAX;
}

/* Ascending, apart, in the file (PLAN_SOURCE comes first). */
static bool get_ranges(struct tt_plan_source *source, const struct tt_tag *tag)
{
    uint64_t end = 0;

    if (source->ranges || !tag->size || tag->size % sizeof(*source->ranges))
        return false;
    source->ranges = malloc(tag->size);
    if (!source->ranges)
        return false;
    memcpy(source->ranges, tag->data, tag->size);
    source->range_count = tag->size / sizeof(*source->ranges);
    for (size_t i = 0; i < source->range_count; i++) {
        const struct tt_plan_range *range = &source->ranges[i];

        if (range->offset < end || range->offset > source->file_size || !range->size ||
            range->size > source->file_size - range->offset)
            return false;
        end = range->offset + range->size;
    }
    return true;
}

static bool get_header(struct tt_plan *plan, const struct tt_tag *tag)
{
    uint64_t number = tt_tag_number(tag);

    switch (tag->tag) {
    case PLAN_BUILD_ID:
        if (tag->size > sizeof(plan->build_id))
            return false;
        memcpy(plan->build_id, tag->data, tag->size);
        plan->build_id_size = tag->size;
        return true;
    case PLAN_SONAME:
        return set_text(&plan->soname, tag);
    case PLAN_SOURCE:
        return get_source(&plan->source, tag);
    case PLAN_RANGES:
        return get_ranges(&plan->source, tag);
    case PLAN_LIBRARIES:
        for (unsigned i = 0; i < TT_LIBRARIES; i++)
            plan->library[i] = number >> i & 1;
        return true;
    case PLAN_LAYOUT:
        if (!number || number > tt_layout_count)
            return false;
        plan->layout = &tt_layouts[number - 1];
        return true;
    case PLAN_OMNI:
        if (!number || number > tt_omni_layout_count)
            return false;
        plan->omni = &tt_omni_layouts[number - 1];
        return true;
    default:
        return false; /* of nobody we know */
    }
}

static bool get_all(struct tt_plan *plan, const void *data, size_t size)
{
    struct tt_tags tags = tt_tags_of(data, size);
    struct tt_tag tag;

    while (tt_tags_next(&tags, &tag)) {
        bool good = tag.tag == PLAN_FUNCTION ? get_function(plan, &tag)
                    : tag.tag == PLAN_POINT  ? get_point(plan, &tag)
                                             : get_header(plan, &tag);

        if (!good)
            return false;
    }
    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_plan_function *f = &plan->functions[i];

        if (f->first > plan->point_count || f->count > plan->point_count - f->first)
            return false;
    }
    return tags.at == tags.end && plan->source.ranges;
}

int tt_plan_decode(const void *data, size_t size, struct tt_plan **plan)
{
    struct tt_plan *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    if (!get_all(made, data, size)) {
        tt_plan_free(&made);
        return -EINVAL;
    }
    *plan = made;
    return 0;
}
