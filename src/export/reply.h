/* SPDX-License-Identifier: GPL-2.0-only */
/* reply.h: what OTLP receivers answer. The bytes come from the network: everything is bounded and checked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TT_REPLY_TEXT 256 /* longest message that is shown */

struct tt_reply_partial {
    uint64_t rejected;           /* spans, at most the `sent` given */
    char message[TT_REPLY_TEXT]; /* printable, one line; may be empty */
};

/* Body of a success, protobuf or JSON; all zero when it says nothing (empty, or something else: receivers
 * differ, and 2xx is what counts). */
void tt_reply_partial(const uint8_t *body, size_t size, const char *content_type, uint64_t sent,
                      struct tt_reply_partial *partial);

/* Is it nothing, or of the types that an OTLP receiver answers with? */
bool tt_reply_is_otlp(size_t size, const char *content_type);

/* Body of a failure as one printable line: google.rpc.Status, or the text itself; empty if none. */
void tt_reply_message(const uint8_t *body, size_t size, const char *content_type,
                      char message[TT_REPLY_TEXT]);
