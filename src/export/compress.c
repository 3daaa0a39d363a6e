/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/compress.h"

#include <stdlib.h>
#include <libdeflate.h>
#include <zstd.h>

#include "base/cleanup.h"

/* Spans repeat themselves so much that the fastest levels already take off nine tenths. zstd's third takes
 * off a further eighth for 0.5 us per span; gzip's second to fifth a twentieth for 2 us
 * (tests/bench/rate.py's recording). */
#define GZIP_LEVEL 1
#define ZSTD_LEVEL 3

struct tt_compressor {
    enum tt_encoding encoding;
    struct libdeflate_compressor *gzip;
    ZSTD_CCtx *zstd;
    struct tt_bytes packed;
};

const char *tt_encoding_name(enum tt_encoding encoding)
{
    static const char *const names[TT_ENCODINGS] = {
        [TT_ENCODING_GZIP] = "gzip",
        [TT_ENCODING_ZSTD] = "zstd",
    };

    return encoding < TT_ENCODINGS ? names[encoding] : NULL;
}

struct tt_compressor *tt_compressor_new(enum tt_encoding encoding)
{
    _cleanup_(tt_compressor_free) struct tt_compressor *made = calloc(1, sizeof(*made));

    if (!made)
        return NULL;
    made->encoding = encoding;
    if (encoding == TT_ENCODING_GZIP)
        made->gzip = libdeflate_alloc_compressor(GZIP_LEVEL);
    if (encoding == TT_ENCODING_ZSTD)
        made->zstd = ZSTD_createCCtx();
    return encoding == TT_ENCODING_NONE || made->gzip || made->zstd ? TAKE_PTR(made) : NULL;
}

void tt_compressor_free(struct tt_compressor **compressor)
{
    struct tt_compressor *c = TAKE_PTR(*compressor);

    if (!c)
        return;
    libdeflate_free_compressor(c->gzip);
    ZSTD_freeCCtx(c->zstd);
    tt_bytes_free(&c->packed);
    free(c);
}

static const struct tt_bytes *pack(struct tt_compressor *compressor, const struct tt_bytes *body)
{
    struct tt_bytes *packed = &compressor->packed;
    size_t size;

    if (compressor->encoding == TT_ENCODING_NONE)
        return body;
    packed->size = 0;
    size = compressor->gzip ? libdeflate_gzip_compress_bound(compressor->gzip, body->size)
                            : ZSTD_compressBound(body->size);
    if (tt_bytes_reserve(packed, size) < 0)
        return NULL;
    if (compressor->gzip)
        packed->size = libdeflate_gzip_compress(compressor->gzip, body->data, body->size, packed->data,
                                                packed->capacity);
    else
        packed->size = ZSTD_compressCCtx(compressor->zstd, packed->data, packed->capacity, body->data,
                                         body->size, ZSTD_LEVEL);
    return packed->size && !ZSTD_isError(packed->size) ? packed : NULL;
}

bool tt_compress(struct tt_compressor *compressor, const struct tt_bytes *body, bool json,
                 struct tt_http_body *http)
{
    const struct tt_bytes *packed = pack(compressor, body);

    if (packed)
        *http = (struct tt_http_body){packed->data, packed->size, compressor->encoding, json};
    return packed != NULL;
}
