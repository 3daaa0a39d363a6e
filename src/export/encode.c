/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/encode.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "export/protobuf.h"

/* Items written at a time. Serialized requests may be concatenated (repeated fields add up), so a resource
 * with more simply appears again; and the memory for a group stays small enough for the cache. */
#define GROUP 256

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

static int compare_groups(const struct tt_otel_span *x, const struct tt_otel_span *y)
{
    if (x->resource != y->resource)
        return COMPARE(x->resource->number, y->resource->number);
    return COMPARE((uintptr_t)x->scope, (uintptr_t)y->scope); /* of one table, in order of appearance */
}

static int compare_times(const struct tt_otel_span *x, const struct tt_otel_span *y)
{
    if (x->start != y->start)
        return COMPARE(x->start, y->start);
    return memcmp(x->span_id, y->span_id, sizeof(x->span_id));
}

static int compare(const void *a, const void *b)
{
    const struct tt_otel_span *x = *(struct tt_otel_span *const *)a, *y = *(struct tt_otel_span *const *)b;
    int order = compare_groups(x, y);

    return order ? order : compare_times(x, y);
}

void tt_encode_sort(struct tt_otel_span **spans, size_t count)
{
    qsort(spans, count, sizeof(*spans), compare);
}

static int compare_names(const struct tt_otel_resource *x, const struct tt_otel_resource *y)
{
    int order = x == y ? 0 : strcmp(x->service_name, y->service_name);

    return order || x == y ? order : strcmp(x->instance, y->instance);
}

static int compare_alike(const void *a, const void *b)
{
    const struct tt_otel_span *x = *(struct tt_otel_span *const *)a, *y = *(struct tt_otel_span *const *)b;
    int order = compare_names(x->resource, y->resource);

    if (!order)
        order = compare_groups(x, y);
    if (!order)
        order = COMPARE(x->like, y->like);
    if (!order)
        order = COMPARE(x->like_whom, y->like_whom);
    return order ? order : compare_times(x, y);
}

void tt_encode_sort_alike(struct tt_otel_span **spans, size_t count)
{
    qsort(spans, count, sizeof(*spans), compare_alike);
}

static uint32_t hash(const char *text)
{
    return text ? libdeflate_crc32(0, text, strlen(text)) : 0;
}

/* The function, whether it failed, and the beginning of what it does: "read ampli" is near "read position".
 */
static uint64_t likeness(const struct tt_otel_span *span)
{
    uint64_t like = (uint64_t)(hash(span->name) & 0xffff) << 8 | (span->status == TT_OTEL_ERROR);
    const char *title = span->title ? span->title : "";

    for (unsigned i = 0; i < 5; i++) {
        like = like << 8 | (uint8_t)*title;
        title += *title != 0;
    }
    return like;
}

/* What differs between the signals; `batch` is an array of pointers to their items. */
struct form {
    size_t (*run)(const void *batch, size_t at, size_t count); /* items from `at` that share its resource */
    void (*put)(struct tt_back *back, const void *batch, size_t at, size_t count);
};

static size_t run_of_spans(const void *batch, size_t at, size_t count)
{
    struct tt_otel_span *const *spans = (struct tt_otel_span *const *)batch + at;
    size_t n = 1;

    while (n < count && spans[n]->resource == spans[0]->resource)
        n++;
    return n;
}

static void put_spans(struct tt_back *back, const void *batch, size_t at, size_t count)
{
    tt_protobuf_group(back, (struct tt_otel_span *const *)batch + at, count);
}

static size_t run_of_logs(const void *batch, size_t at, size_t count)
{
    struct tt_otel_log *const *logs = (struct tt_otel_log *const *)batch + at;
    size_t n = 1;

    while (n < count && logs[n]->resource == logs[0]->resource)
        n++;
    return n;
}

static void put_logs(struct tt_back *back, const void *batch, size_t at, size_t count)
{
    tt_protobuf_logs(back, (struct tt_otel_log *const *)batch + at, count);
}

static const struct form spans_form = {run_of_spans, put_spans}, logs_form = {run_of_logs, put_logs};

/* Appends the request that `back` has; -EMSGSIZE if `out` would grow beyond `limit`. */
static int append(const struct tt_back *back, size_t limit, struct tt_bytes *out)
{
    size_t size = tt_back_size(back);

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

static int encode(struct tt_back *back, const struct form *form, const void *batch, size_t count,
                  size_t limit, struct tt_bytes *out, size_t *taken)
{
    size_t done = 0, most = GROUP;

    out->size = 0;
    while (done < count) {
        size_t n = form->run(batch, done, count - done < most ? count - done : most);
        int err;

        tt_back_reset(back);
        form->put(back, batch, done, n);
        err = append(back, limit, out);
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

struct tt_otel_span *tt_encode_packed(struct tt_encoder *encoder, const struct tt_otel_span *span)
{
    struct tt_otel_span *packed = NULL;

    tt_back_reset(&encoder->back);
    tt_protobuf_span(&encoder->back, span);
    if (!encoder->back.failed)
        packed = tt_otel_span_packed(span, tt_back_data(&encoder->back), tt_back_size(&encoder->back));
    if (packed) {
        packed->like = likeness(span);
        packed->like_whom = hash(span->peer_device);
    }
    return packed;
}

int tt_encode_protobuf(struct tt_encoder *encoder, struct tt_otel_span *const *spans, size_t count,
                       size_t limit, struct tt_bytes *out, size_t *taken)
{
    return encode(&encoder->back, &spans_form, spans, count, limit, out, taken);
}

int tt_encode_logs_protobuf(struct tt_encoder *encoder, struct tt_otel_log *const *logs, size_t count,
                            size_t limit, struct tt_bytes *out, size_t *taken)
{
    return encode(&encoder->back, &logs_form, logs, count, limit, out, taken);
}
