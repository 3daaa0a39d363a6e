/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/protobuf.h"

/* Spans written at a time. Serialized requests may be concatenated (repeated fields add up), so a resource
 * with more spans simply appears again; and the memory for a group stays small enough for the cache. */
#define GROUP_SPANS 256

struct tt_encoder {
    struct tt_back back;
};

void tt_bytes_free(struct tt_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct tt_bytes){0};
}

int tt_bytes_reserve(struct tt_bytes *bytes, size_t size)
{
    size_t need = bytes->size + size, capacity = bytes->capacity ? bytes->capacity : 64 * 1024;
    uint8_t *data;

    if (need <= bytes->capacity)
        return 0;
    while (capacity < need)
        capacity += capacity / 2;
    data = realloc(bytes->data, capacity);
    if (!data)
        return -ENOMEM;
    bytes->data = data;
    bytes->capacity = capacity;
    return 0;
}

struct tt_encoder *tt_encoder_new(void)
{
    return calloc(1, sizeof(struct tt_encoder));
}

void tt_encoder_free(struct tt_encoder **encoder)
{
    if (!*encoder)
        return;
    tt_back_free(&(*encoder)->back);
    free(*encoder);
    *encoder = NULL;
}

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

static int compare(const void *a, const void *b)
{
    const struct tt_otel_span *x = *(struct tt_otel_span *const *)a, *y = *(struct tt_otel_span *const *)b;

    if (x->resource != y->resource)
        return COMPARE(x->resource->number, y->resource->number);
    if (x->scope != y->scope) /* of one table, in order of appearance */
        return COMPARE((uintptr_t)x->scope, (uintptr_t)y->scope);
    if (x->start != y->start)
        return COMPARE(x->start, y->start);
    return memcmp(x->span_id, y->span_id, sizeof(x->span_id));
}

void tt_encode_sort(struct tt_otel_span **spans, size_t count)
{
    qsort(spans, count, sizeof(*spans), compare);
}

/* Spans at the front that share the first one's resource. */
static size_t run_length(struct tt_otel_span *const *spans, size_t count)
{
    size_t n = 1;

    while (n < count && spans[n]->resource == spans[0]->resource)
        n++;
    return n;
}

/* Appends a request with these spans of one resource; -EMSGSIZE if `out` would grow beyond `limit`. */
static int append_group(struct tt_back *back, struct tt_otel_span *const *spans, size_t count, size_t limit,
                        struct tt_bytes *out)
{
    size_t size;

    tt_back_reset(back);
    tt_protobuf_group(back, spans, count);
    size = tt_back_size(back);
    if (back->failed)
        return -ENOMEM;
    if (size > limit - out->size)
        return -EMSGSIZE;
    if (tt_bytes_reserve(out, size) < 0)
        return -ENOMEM;
    memcpy(out->data + out->size, tt_back_data(back), size);
    out->size += size;
    return 0;
}

struct tt_otel_span *tt_encode_packed(struct tt_encoder *encoder, const struct tt_otel_span *span)
{
    tt_back_reset(&encoder->back);
    tt_protobuf_span(&encoder->back, span);
    return encoder->back.failed
               ? NULL
               : tt_otel_span_packed(span, tt_back_data(&encoder->back), tt_back_size(&encoder->back));
}

int tt_encode_protobuf(struct tt_encoder *encoder, struct tt_otel_span *const *spans, size_t count,
                       size_t limit, struct tt_bytes *out, size_t *taken)
{
    size_t done = 0, most = GROUP_SPANS;

    out->size = 0;
    while (done < count) {
        size_t n = run_length(spans + done, count - done < most ? count - done : most);
        int err = append_group(&encoder->back, spans + done, n, limit, out);

        if (err == -EMSGSIZE && n > 1) {
            most = n / 2; /* fills the request up with smaller and smaller groups */
        } else if (err < 0) {
            if (done > 0)
                break; /* what is there fits; the rest is the next request's */
            *taken = n;
            return err;
        } else {
            done += n;
        }
    }
    *taken = done;
    return 0;
}
