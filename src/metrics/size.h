/* SPDX-License-Identifier: GPL-2.0-only */
/* size.h (private to metrics): how large a span is as an OTLP protobuf message, without making it. */
#pragma once

#include <stddef.h>

#include "enrich/otel.h"

size_t tt_span_size(const struct tt_otel_span *span);
