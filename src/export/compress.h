/* SPDX-License-Identifier: GPL-2.0-only */
/* compress.h: bodies of requests as they go over the wire. */
#pragma once

#include "export/encode.h"
#include "export/export.h"
#include "export/http.h"

struct tt_compressor;

/* NULL when out of memory. */
struct tt_compressor *tt_compressor_new(enum tt_encoding encoding);
void tt_compressor_free(struct tt_compressor **compressor);

/* The body as it goes over the wire, compressed or as it is: valid until the next one. False: out of memory.
 */
bool tt_compress(struct tt_compressor *compressor, const struct tt_bytes *body, bool json,
                 struct tt_http_body *http);

/* Of the header Content-Encoding; NULL: none. */
const char *tt_encoding_name(enum tt_encoding encoding);
