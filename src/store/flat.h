/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flat.h: spans, log records and resources as bytes: how the agent hands them to the process that serves the
 * page, and how the store keeps them. Reading copies no text: strings point into the bytes. Both ends are of
 * the same binary, so there are no versions; reading checks every length all the same.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "enrich/otel.h"

/* What a frame holds; a frame is this head and `size` bytes. */
enum tt_flat_type {
    TT_FLAT_CONFIG,   /* how to serve: the first frame (view/view.c) */
    TT_FLAT_RESOURCE, /* before the first span or log of a batch that has it */
    TT_FLAT_SPAN,
    TT_FLAT_LOG,
    TT_FLAT_BATCH,   /* the end of a batch: resources that nothing has are forgotten */
    TT_FLAT_USAGE,   /* what was counted since the start, of those that changed */
    TT_FLAT_STATE,   /* a name and JSON: what the agent says of itself */
    TT_FLAT_COUNTED, /* as USAGE: what was counted before the store began, which did not happen in its time */
    TT_FLAT_TYPES,
};

struct tt_flat_head {
    uint32_t size, type;
};

#define TT_FLAT_MAX (16u << 20) /* bytes of a frame */

/* The front of a span: what searches go by first. */
struct tt_flat_span {
    uint64_t start, end; /* unix ns */
    uint64_t resource;   /* its number */
    uint8_t trace_id[16], span_id[8], parent_id[8];
    uint32_t flags;
    uint8_t kind, status, top, pad;
};

struct tt_flat_log {
    uint64_t time, resource;
    uint8_t trace_id[16], span_id[8];
    int32_t severity;
    uint32_t in_span;
};

/* ---- writing; out->failed when out of memory ---- */

/* Begins a frame; its place. tt_flat_end() writes its size. */
size_t tt_flat_begin(struct tt_text *out, enum tt_flat_type type);
void tt_flat_end(struct tt_text *out, size_t place);
void tt_flat_put(struct tt_text *out, const void *bytes, size_t size);
void tt_flat_string(struct tt_text *out, const char *string); /* may be NULL */

/* Whole frames. */
void tt_flat_put_resource(struct tt_text *out, const struct tt_otel_resource *resource);
void tt_flat_put_span(struct tt_text *out, const struct tt_otel_span *span);
void tt_flat_put_log(struct tt_text *out, const struct tt_otel_log *log);

/* ---- reading ---- */

/* What is left; `bad` once it was not what it should be, and then everything reads as nothing. */
struct tt_flat_reader {
    const char *at, *end;
    bool bad;
};

void tt_flat_get(struct tt_flat_reader *reader, void *bytes, size_t size); /* zeroed if bad */
const char *tt_flat_get_string(struct tt_flat_reader *reader);             /* NULL as it was written */

/* The contents of a frame. Strings of a span or log point into `data`, arrays lie in its arena; its resource
 * is left to the caller by number. Nothing is owned but the arena. 0; -EBADMSG; -ENOMEM. */
int tt_flat_get_span(const void *data, size_t size, struct tt_otel_span *span, struct tt_otel_scope *scope,
                     uint64_t *resource);
int tt_flat_get_log(const void *data, size_t size, struct tt_otel_log *log, struct tt_otel_scope *scope,
                    uint64_t *resource);
/* A resource of its own, with one reference and the number that it had. */
int tt_flat_get_resource(const void *data, size_t size, struct tt_otel_resource **resource);
