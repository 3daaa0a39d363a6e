/* SPDX-License-Identifier: GPL-2.0-only */
/* fixture.h: finished spans as enrich makes them, in so far as metrics look at them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "catalogue/attributes.h"
#include "metrics/expose.h"
#include "metrics/metrics.h"

#define FIX           static inline __attribute__((unused))
#define START         1704110400000000000ull /* 2024-01-01 12:00:00 UTC */
#define KIND_INTERNAL 1
#define KIND_SERVER   2
#define KIND_CLIENT   3

/* A span whose attributes and resource lie in it. */
struct fixture {
    struct tt_otel_span span;
    struct tt_otel_resource resource;
    struct tt_otel_attribute attributes[12];
    const char *names[1];
};

FIX void fixture_string(struct fixture *f, enum tt_attr attr, const char *value)
{
    assert_true(f->span.attribute_count < TT_ARRAY_SIZE(f->attributes));
    f->attributes[f->span.attribute_count++] = (struct tt_otel_attribute){
        .key = tt_attr_rows[attr].key, .type = TT_OTEL_STRING, .value.string = value};
}

/* `attribute` NULL: a command called `title`. */
FIX void fixture_call(struct fixture *f, int kind, const char *service, const char *peer, const char *device,
                      const char *title, const char *attribute, uint64_t ns)
{
    memset(f, 0, sizeof(*f));
    f->resource.service_name = service;
    f->resource.instance = kind == KIND_SERVER ? device : "host:1";
    f->resource.class_name = kind == KIND_SERVER ? service : NULL;
    f->resource.is_client = kind == KIND_CLIENT;
    f->span.resource = &f->resource;
    f->span.attributes = f->attributes;
    f->span.kind = kind;
    f->span.name = kind == KIND_CLIENT ? "Tango::DeviceProxy::read_attribute"
                                       : "Tango::Device_5Impl::read_attributes_5";
    f->span.title = title;
    f->span.peer = peer;
    f->span.peer_seen = peer != NULL;
    f->span.start = START;
    f->span.end = START + ns;
    f->span.trace_id[0] = 0xab;
    f->span.span_id[7] = 0xcd;
    fixture_string(f, TT_ATTR_RPC_METHOD, "Tango/read_attributes_5");
    fixture_string(f, TT_ATTR_OPERATION_TARGET, device);
    if (kind == KIND_CLIENT && peer)
        fixture_string(f, TT_ATTR_PEER_SERVICE, peer);
    if (!attribute) {
        fixture_string(f, TT_ATTR_COMMAND_NAME, title);
        return;
    }
    f->names[0] = attribute;
    f->attributes[f->span.attribute_count++] = (struct tt_otel_attribute){
        .key = tt_attr_rows[TT_ATTR_ATTRIBUTE_NAMES].key,
        .type = TT_OTEL_STRINGS,
        .value.strings = {f->names, 1}};
    f->attributes[f->span.attribute_count++] = (struct tt_otel_attribute){
        .key = tt_attr_rows[TT_ATTR_ATTRIBUTE_COUNT].key, .type = TT_OTEL_INT, .value.integer = 1};
}

FIX void fixture_fail(struct fixture *f, const char *reason)
{
    f->span.status = TT_OTEL_ERROR;
    fixture_string(f, TT_ATTR_ERROR_TYPE, reason);
}

FIX struct tt_metrics *fixture_metrics(const struct tt_metrics_config *config)
{
    struct tt_metrics *metrics = tt_metrics_new(config);

    assert_non_null(metrics);
    return metrics;
}

/* All of it; the caller frees. */
FIX char *fixture_text(const struct tt_snapshot *snapshot, enum tt_expose_format format)
{
    struct tt_expose expose = {.snapshot = snapshot, .format = format};
    struct tt_text text = {0};

    while (tt_expose_next(&expose, &text))
        ;
    tt_expose_end(&expose);
    assert_false(text.failed);
    return tt_text_take(&text);
}

FIX char *fixture_metrics_text(const struct tt_metrics *metrics, enum tt_expose_format format)
{
    struct tt_snapshot *snapshot = tt_metrics_snapshot(metrics, 0);
    char *text;

    assert_non_null(snapshot);
    text = fixture_text(snapshot, format);
    tt_snapshot_free(&snapshot);
    return text;
}
