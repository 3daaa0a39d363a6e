/* SPDX-License-Identifier: GPL-2.0-only */
#include "assemble/span.h"

#include <stdlib.h>

struct tt_span *tt_span_new(void)
{
    struct tt_span *span = calloc(1, sizeof(*span));
    if (!span)
        return NULL;
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
