/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * protobuf.h: spans and log records as OTLP protobuf, written from the end to the beginning: a message's
 * length, which stands before it, is known when it is due, so that one pass does, without a tree of messages
 * in memory and without computing sizes first. protobuf-c, which wants both, takes four times as long for the
 * same message.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enrich/otel.h"

/* A buffer that grows at its front. A zeroed one is empty. */
struct tt_back {
    uint8_t *data;
    size_t capacity, at; /* the content is data[at] .. data[capacity - 1] */
    bool failed;         /* out of memory: the content is not to be used */
};

void tt_back_free(struct tt_back *back);

static inline void tt_back_reset(struct tt_back *back)
{
    back->at = back->capacity;
    back->failed = false;
}

static inline size_t tt_back_size(const struct tt_back *back)
{
    return back->capacity - back->at;
}

static inline const uint8_t *tt_back_data(const struct tt_back *back)
{
    return back->data + back->at;
}

/* Puts the fields of a Span message before what is there. */
void tt_protobuf_span(struct tt_back *back, const struct tt_otel_span *span);

/* Puts a request with these spans (at least one), which share a resource and are sorted by scope, before what
 * is there. */
void tt_protobuf_group(struct tt_back *back, struct tt_otel_span *const *spans, size_t count);

/* The same with log records. */
void tt_protobuf_logs(struct tt_back *back, struct tt_otel_log *const *logs, size_t count);
