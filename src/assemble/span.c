/* SPDX-License-Identifier: GPL-2.0-only */
#include "assemble/span.h"

#include <stdlib.h>
#include <string.h>

struct tt_span *tt_span_new(void)
{
    struct tt_span *span = malloc(sizeof(*span));
    if (!span)
        return NULL;
    memset(span, 0, offsetof(struct tt_span, arena.first)); /* the rest is large, and written first */
    span->source = -1;
    span->trigger = TT_TRIGGER_UNKNOWN;
    return span;
}

void tt_span_free(struct tt_span **span)
{
    if (!*span)
        return;
    tt_arena_free(&(*span)->arena);
    free(*span);
    *span = NULL;
}

static const char *copy(struct tt_span *span, const char *text)
{
    return text ? tt_arena_copy(&span->arena, text, strlen(text)) : NULL;
}

void tt_span_copy_names(struct tt_span *to, const struct tt_span *from)
{
    to->device = to->device ?: copy(to, from->device);
    to->command = to->command ?: copy(to, from->command);
    to->text = to->text ?: copy(to, from->text);
    if (to->attribute_count || to->attribute_total)
        return;
    for (unsigned i = 0; i < from->attribute_count; i++) {
        to->attributes[i] = copy(to, from->attributes[i]);
        if (!to->attributes[i])
            return;
        to->attribute_count = i + 1;
    }
    to->attribute_total = from->attribute_total;
}

void tt_span_copy_outcome(struct tt_span *to, const struct tt_span *from)
{
    to->failed = from->failed;
    to->exception_type = copy(to, from->exception_type);
    to->exception_minor = from->exception_minor;
    to->error_count = from->error_count;
    to->error_total = from->error_total;
    for (unsigned i = 0; i < from->error_count; i++) {
        const struct tt_span_error *error = &from->errors[i];
        to->errors[i] = (struct tt_span_error){.attribute = copy(to, error->attribute),
                                               .reason = copy(to, error->reason),
                                               .desc = copy(to, error->desc),
                                               .origin = copy(to, error->origin),
                                               .severity = error->severity};
    }
}
