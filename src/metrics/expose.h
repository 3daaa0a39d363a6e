/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * expose.h: a snapshot as Prometheus reads it: its text format 0.0.4, or OpenMetrics 1.0, which has
 * exemplars. Piece by piece, since all of it may be large.
 */
#pragma once

#include "base/text.h"
#include "metrics/snapshot.h"

enum tt_expose_format { TT_EXPOSE_TEXT, TT_EXPOSE_OPENMETRICS };

/* What a client's Accept header asks for; NULL: none came. */
enum tt_expose_format tt_expose_accepted(const char *accept);
const char *tt_expose_content_type(enum tt_expose_format format);

struct tt_expose { /* zeroed but for these two: at the start */
    const struct tt_snapshot *snapshot;
    enum tt_expose_format format;
    int stage, instrument;
    size_t next;
    struct tt_text name; /* scratch */
};

/* Appends the next piece; false: that was the last. */
bool tt_expose_next(struct tt_expose *expose, struct tt_text *out);
void tt_expose_end(struct tt_expose *expose);
