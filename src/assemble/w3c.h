/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * w3c.h: the trace context that native telemetry puts into a request (W3C Trace Context, version 00). It
 * comes from the memory of a traced process: nothing of it is used before the whole format was checked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TT_W3C_SIZE      55  /* "00-" 32 hex "-" 16 hex "-" 2 hex */
#define TT_W3C_SAMPLED   1u  /* of flags */
#define TT_W3C_RANDOM    2u  /* the trace id's last 7 bytes are random (level 2, section 3.2.2.5.2) */
#define TT_W3C_STATE_MAX 512 /* bytes of a tracestate that have to be passed on (section 3.3.1.5) */

struct tt_w3c {
    uint8_t trace_id[16], span_id[8];
    uint8_t flags;
};

/* A traceparent of `size` bytes, not NUL-ended. False: it is none, *context is untouched. */
bool tt_w3c_parse(const char *text, size_t size, struct tt_w3c *context);

/* Can the bytes be passed on as a tracestate? Printable ASCII, key=value pairs, of bounded length. */
bool tt_w3c_state(const char *text, size_t size);
