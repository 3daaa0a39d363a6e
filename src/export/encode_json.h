/* SPDX-License-Identifier: GPL-2.0-only */
/* encode_json.h (private to the encoders): the parts that the OTLP JSON of all signals is made of. */
#pragma once

#include <stddef.h>

#include "base/json.h"
#include "enrich/otel.h"

/* Writes nothing for no attributes. */
void tt_json_attributes(struct tt_json *json, const struct tt_otel_attribute *attributes, size_t count);
void tt_json_scope(struct tt_json *json, const struct tt_otel_scope *scope);
void tt_json_resource(struct tt_json *json, const struct tt_otel_resource *resource);
