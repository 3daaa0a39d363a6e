/* SPDX-License-Identifier: GPL-2.0-only */
/* encode.h: batches of finished spans and log records as OTLP: protobuf for HTTP, JSON for files. No input or
 * output of its own. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "enrich/otel.h"

/* Version of the semantic conventions whose names we use (rpc.system.name, code.function.name, ...). */
#define TT_OTEL_SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"

struct tt_bytes {
    uint8_t *data;
    size_t size, capacity;
};

void tt_bytes_free(struct tt_bytes *bytes);
/* Room for `size` more bytes: 0 or -ENOMEM. */
int tt_bytes_reserve(struct tt_bytes *bytes, size_t size);

/* Memory that is reused from batch to batch. */
struct tt_encoder;
struct tt_encoder *tt_encoder_new(void); /* NULL when out of memory */
void tt_encoder_free(struct tt_encoder **encoder);

/* Orders a batch by resource, scope and start time: both encoders want it so, and write each group once. */
void tt_encode_sort(struct tt_otel_span **spans, size_t count);

/* The same for a body that is to be compressed: resources by name, and in each those packed spans together
 * that say nearly the same. What repeats is then within reach: gzip looks back 32 KiB, and 900 devices fill
 * megabytes. */
void tt_encode_sort_alike(struct tt_otel_span **spans, size_t count);

/* A packed span that says the same (see tt_otel_span.packed), with one reference; NULL when out of memory. */
struct tt_otel_span *tt_encode_packed(struct tt_encoder *encoder, const struct tt_otel_span *span);

/*
 * Replaces `out` by one request with the first *taken of the `count` (> 0) sorted spans: as many as fit into
 * `limit` bytes. -EMSGSIZE: the first span alone is larger; -ENOMEM. In both cases *taken spans (at least 1)
 * cannot be sent.
 */
int tt_encode_protobuf(struct tt_encoder *encoder, struct tt_otel_span *const *spans, size_t count,
                       size_t limit, struct tt_bytes *out, size_t *taken);

/* The same for log records. */
void tt_encode_sort_logs(struct tt_otel_log **logs, size_t count);
int tt_encode_logs_protobuf(struct tt_encoder *encoder, struct tt_otel_log *const *logs, size_t count,
                            size_t limit, struct tt_bytes *out, size_t *taken);
void tt_encode_logs_json(struct tt_otel_log *const *logs, size_t count, struct tt_json *json);

/* Appends one request (one line) with all spans, which are sorted; json->failed when out of memory. */
void tt_encode_json(struct tt_otel_span *const *spans, size_t count, struct tt_json *json);
