/* SPDX-License-Identifier: GPL-2.0-only */
#include "enrich/limits.h"

#include <string.h>

#include "enrich/convert.h"

static const char *shorten(struct tt_arena *arena, const char *text, size_t length)
{
    const char *copy = text && strnlen(text, length + 1) > length ? tt_convert_copy(arena, text, length)
                                                                  : text;

    return copy ? copy : text;
}

static void shorten_values(struct tt_arena *arena, struct tt_otel_attribute *attributes, size_t count,
                           unsigned length)
{
    for (size_t i = 0; i < count && length; i++) {
        struct tt_otel_attribute *a = &attributes[i];
        const char **items;

        if (a->type == TT_OTEL_STRING)
            a->value.string = shorten(arena, a->value.string, length);
        if (a->type != TT_OTEL_STRINGS)
            continue;
        items = tt_arena_alloc(arena, a->value.strings.count * sizeof(*items));
        for (size_t j = 0; items && j < a->value.strings.count; j++)
            items[j] = shorten(arena, a->value.strings.items[j], length);
        if (items)
            a->value.strings.items = items;
    }
}

/* What is beyond `most`; the count becomes that. */
static uint32_t cut(size_t *count, unsigned most)
{
    size_t over = most && *count > most ? *count - most : 0;

    *count -= over;
    return (uint32_t)over;
}

void tt_otel_limit_span(struct tt_otel_span *span, const struct tt_otel_limits *limits)
{
    span->dropped_attributes += cut(&span->attribute_count, limits->attributes);
    span->dropped_events += cut(&span->event_count, limits->events);
    span->dropped_links += cut(&span->link_count, limits->links);
    shorten_values(&span->arena, span->attributes, span->attribute_count, limits->length);
    for (size_t i = 0; i < span->event_count; i++) {
        span->events[i].dropped_attributes += cut(&span->events[i].attribute_count, limits->event_attributes);
        shorten_values(&span->arena, span->events[i].attributes, span->events[i].attribute_count,
                       limits->length);
    }
}

void tt_otel_limit_log(struct tt_otel_log *log, const struct tt_otel_limits *limits)
{
    log->dropped_attributes += cut(&log->attribute_count, limits->attributes);
    shorten_values(&log->arena, log->attributes, log->attribute_count, limits->length);
}
