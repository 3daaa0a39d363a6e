/* SPDX-License-Identifier: GPL-2.0-only */
/* fuzz_store.c: any bytes as frames into the store of the page: refused, or something that can be read. A
 * frame of the input is its type (a byte), its size (two bytes) and as many bytes. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "catalogue/attributes.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A resource, a span and a log record of it, in the input's form. */
static void seed(FILE *file)
{
    static struct tt_otel_attribute attributes[3];
    static struct tt_otel_resource resource = {.number = 1, .service_name = "TangoTest", .instance = "a/b/1"};
    static const struct tt_otel_scope scope = {"tango.cpp", "9.5.1"};
    static struct tt_otel_event event = {.name = "exception", .attributes = attributes, .attribute_count = 3};
    const struct tt_otel_span span = {.start = 1,
                                      .end = 5,
                                      .resource = &resource,
                                      .scope = &scope,
                                      .name = "x",
                                      .title = "read",
                                      .attributes = attributes,
                                      .attribute_count = 3,
                                      .events = &event,
                                      .event_count = 1};
    const struct tt_otel_log log = {.time = 2,
                                    .in_span = true,
                                    .resource = &resource,
                                    .scope = &scope,
                                    .severity_text = "WARN",
                                    .body = "hot",
                                    .logger = "l"};
    struct tt_text text = {0};

    attributes[0] = (struct tt_otel_attribute){.key = tt_attr_rows[0].key, .value.string = "read"};
    attributes[1] = (struct tt_otel_attribute){.key = "own", .type = TT_OTEL_INT, .value.integer = 7};
    attributes[2] = (struct tt_otel_attribute){.key = "b", .type = TT_OTEL_BOOL, .value.boolean = true};
    tt_flat_put_resource(&text, &resource);
    tt_flat_put_span(&text, &span);
    tt_flat_put_log(&text, &log);
    tt_flat_end(&text, tt_flat_begin(&text, TT_FLAT_BATCH));
    for (size_t at = 0; at < text.size;) {
        struct tt_flat_head head;

        memcpy(&head, text.data + at, sizeof(head));
        fputc((int)head.type, file);
        fputc((int)(head.size & 255), file);
        fputc((int)(head.size >> 8), file);
        fwrite(text.data + at + sizeof(head), 1, head.size, file);
        at += sizeof(head) + head.size;
    }
    tt_text_free(&text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *directory = getenv("TT_SEEDS");
    char path[PATH_MAX];
    _cleanup_fclose_ FILE *file = NULL;

    if (!directory)
        return 0;
    snprintf(path, sizeof(path), "%s/frames", directory);
    file = fopen(path, "we");
    if (file)
        seed(file);
    return 0;
}

static bool look(void *context, const struct tt_store_trace *trace, struct tt_otel_span *const *spans,
                 size_t count, const struct tt_otel_span *root, struct tt_otel_log *const *logs,
                 size_t log_count)
{
    size_t *sum = context;

    for (size_t i = 0; i < count; i++) {
        *sum += strlen(spans[i]->name) + strlen(spans[i]->resource->service_name);
        for (size_t j = 0; j < spans[i]->attribute_count; j++)
            *sum += strlen(spans[i]->attributes[j].key);
    }
    for (size_t i = 0; i < log_count; i++)
        *sum += strlen(logs[i]->body);
    return true;
}

static void look_at_point(void *context, const struct tt_store_point *point)
{
    *(size_t *)context += strlen(point->labels[0]) + point->bucket_count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tt_store_config config = {.bytes = 1 << 20, .age_ns = 20};
    struct tt_store *store = tt_store_new(&config);
    size_t sum = 0, at = 0;
    const struct tt_store_visitor visitor = {.visit = look, .with_logs = true, .context = &sum};
    uint64_t before = UINT64_MAX;

    for (uint64_t now = 1; store && at + 3 <= size; now++) {
        size_t length = data[at + 1] | (size_t)data[at + 2] << 8, left = size - at - 3;
        uint8_t *frame;

        length = length < left ? length : left;
        frame = malloc(length ? length : 1); /* of its very size: what reads beyond it is caught */
        if (!frame)
            break;
        memcpy(frame, data + at + 3, length);
        tt_store_take(store, data[at], frame, length, now);
        free(frame);
        at += 3 + length;
    }
    while (store && tt_store_walk(store, &before, 16, &visitor))
        continue;
    if (store)
        tt_store_each_point(store, 0, UINT64_MAX, look_at_point, &sum);
    tt_store_free(&store);
    return sum == SIZE_MAX;
}
