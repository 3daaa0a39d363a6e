/* SPDX-License-Identifier: GPL-2.0-only */
/* compress.h: bodies of requests as they go over the wire. */
#pragma once

#include "export/encode.h"
#include "export/export.h"

struct tt_compressor;

/* NULL when out of memory. */
struct tt_compressor *tt_compressor_new(enum tt_encoding encoding);
void tt_compressor_free(struct tt_compressor **compressor);

/* The body compressed, or as it is without compression: valid until the next one. NULL when out of memory. */
const struct tt_bytes *tt_compress(struct tt_compressor *compressor, const struct tt_bytes *body);

/* Of the header Content-Encoding; NULL: none. */
const char *tt_encoding_name(enum tt_encoding encoding);
