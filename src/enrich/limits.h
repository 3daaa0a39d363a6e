/* SPDX-License-Identifier: GPL-2.0-only */
/* limits.h: OpenTelemetry's limits (OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, ...), where users set narrower ones
 * than the attribute table has. Applied to what leaves, after metrics and sampling have looked at all of it.
 */
#pragma once

#include "enrich/otel.h"

struct tt_otel_limits {
    unsigned length;           /* bytes of a string value; 0: no limit, as with the others */
    unsigned attributes;       /* of a span or log record */
    unsigned events;           /* of a span .. */
    unsigned event_attributes; /* .. and attributes of each */
    unsigned links;            /* of a span; they have no attributes */
};

/* What is left out is counted in the span; out of memory leaves a value whole. */
void tt_otel_limit_span(struct tt_otel_span *span, const struct tt_otel_limits *limits);
void tt_otel_limit_log(struct tt_otel_log *log, const struct tt_otel_limits *limits);
