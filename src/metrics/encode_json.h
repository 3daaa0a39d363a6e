/* SPDX-License-Identifier: GPL-2.0-only */
/* encode_json.h (private to metrics): any OTLP message in OTLP's JSON, by what protobuf-c knows of its
 * fields. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/json.h"

void tt_json_message(struct tt_json *json, const char *key, const ProtobufCMessage *message);
