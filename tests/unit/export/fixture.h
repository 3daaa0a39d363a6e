/* SPDX-License-Identifier: GPL-2.0-only */
/* fixture.h: spans as enrich makes them, for the exporters' tests. */
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
#include "enrich/otel.h"

static const struct tt_otel_scope fixture_scope = {"tango.cpp", "9.3.4"};
static const struct tt_otel_scope fixture_python_scope = {"tango.python.client", "9.3.6"};

/* 2024-01-01 12:00:00 UTC */
#define FIXTURE_TIME 1704110400000000000ULL

static inline struct tt_otel_attribute string_attribute(const char *key, const char *value)
{
    return (struct tt_otel_attribute){.key = key, .type = TT_OTEL_STRING, .value.string = value};
}

static inline struct tt_otel_attribute int_attribute(const char *key, int64_t value)
{
    return (struct tt_otel_attribute){.key = key, .type = TT_OTEL_INT, .value.integer = value};
}

static inline struct tt_otel_attribute strings_attribute(const char *key, const char *const *items,
                                                         size_t count)
{
    return (struct tt_otel_attribute){.key = key, .type = TT_OTEL_STRINGS, .value.strings = {items, count}};
}

static inline struct tt_otel_resource *fixture_resource(const char *service, const char *instance,
                                                        const char *server, int pid)
{
    struct tt_otel_resource *resource = tt_otel_resource_new();
    struct tt_otel_attribute *a = tt_arena_alloc(&resource->arena, 12 * sizeof(*a));
    size_t n = 0;

    a[n++] = string_attribute("service.namespace", "tango");
    a[n++] = string_attribute("service.name", service);
    a[n++] = string_attribute("service.instance.id", instance);
    if (server)
        a[n++] = string_attribute("tango.server.name", server);
    a[n++] = string_attribute("tango.host", "localhost:10000");
    a[n++] = string_attribute("host.name", "ws1");
    a[n++] = int_attribute("process.pid", pid);
    a[n++] = string_attribute("process.executable.path", "/usr/lib/tango/TangoTest");
    a[n++] = string_attribute("telemetry.sdk.name", "tangotrace");
    a[n++] = string_attribute("telemetry.sdk.language", "cpp");
    resource->attributes = a;
    resource->attribute_count = n;
    resource->service_name = service;
    resource->instance = instance;
    resource->is_client = !server;
    return resource;
}

static inline void add_attribute(struct tt_otel_span *span, struct tt_otel_attribute attribute)
{
    assert_true(span->attribute_count < 40);
    span->attributes[span->attribute_count++] = attribute;
}

/* A span with few attributes; ids from small numbers, parent 0 = root; times in us after FIXTURE_TIME. */
static inline struct tt_otel_span *fixture_span(struct tt_otel_resource *resource, unsigned trace,
                                                unsigned id, unsigned parent, int kind, const char *title,
                                                const char *device, uint64_t start, uint64_t end)
{
    struct tt_otel_span *span = tt_otel_span_new();

    span->trace_id[0] = 0x4b;
    span->trace_id[1] = 0xf9;
    span->trace_id[14] = (uint8_t)(trace >> 8);
    span->trace_id[15] = (uint8_t)trace;
    span->span_id[0] = 0xa1;
    span->span_id[5] = (uint8_t)(id >> 16);
    span->span_id[6] = (uint8_t)(id >> 8);
    span->span_id[7] = (uint8_t)id;
    if (parent) {
        memcpy(span->parent_id, span->span_id, 5);
        span->parent_id[6] = (uint8_t)(parent >> 8);
        span->parent_id[7] = (uint8_t)parent;
    }
    span->flags = 0x101;
    span->trigger = "client";
    span->kind = kind;
    span->name = kind == 2 ? "Tango::Device_5Impl::read_attributes_5" : "Tango::DeviceProxy::read_attribute";
    span->title = title;
    span->start = FIXTURE_TIME + start * 1000;
    span->end = FIXTURE_TIME + end * 1000;
    span->resource = tt_otel_resource_get(resource);
    span->scope = &fixture_scope;
    span->attributes = tt_arena_alloc(&span->arena, 40 * sizeof(struct tt_otel_attribute));
    add_attribute(span, string_attribute("tango.operation.name", title));
    if (device)
        add_attribute(span, string_attribute("tango.operation.target", device));
    return span;
}

static inline void fail_span(struct tt_otel_span *span, const char *message)
{
    struct tt_otel_event *event = tt_arena_alloc(&span->arena, sizeof(*event));
    struct tt_otel_attribute *a = tt_arena_alloc(&span->arena, 2 * sizeof(*a));

    a[0] = string_attribute("exception.type", "Tango::DevFailed");
    a[1] = string_attribute("exception.message", message);
    *event = (struct tt_otel_event){
        .time = span->end, .name = "exception", .attributes = a, .attribute_count = 2};
    span->events = event;
    span->event_count = 1;
    span->status = TT_OTEL_ERROR;
    span->status_message = message;
    add_attribute(span, string_attribute("error.type", "API_CommandNotFound"));
}

/* As above with the 25 attributes of a real read, and values that differ from span to span where real ones
 * do. */
static inline struct tt_otel_span *fixture_real_span(struct tt_otel_resource *resource, unsigned i)
{
    static const char *const names[] = {"double_scalar"};
    struct tt_otel_span *span = fixture_span(resource, i / 2, i + 1, i % 2 ? i : 0, i % 2 ? 2 : 3,
                                             "read double_scalar", "sys/tg_test/1", i * 180,
                                             i * 180 + 150 + i % 37);
    uint64_t random = (i + 1) * 0x9e3779b97f4a7c15ULL;

    memcpy(span->trace_id, &random, 8);
    random *= 0xbf58476d1ce4e5b9ULL;
    memcpy(span->trace_id + 8, &random, 8);
    random ^= random >> 29;
    memcpy(span->span_id, &random, 8);
    add_attribute(span, string_attribute("tango.operation.argument", "double_scalar"));
    add_attribute(span, strings_attribute("tango.attribute.names", names, 1));
    add_attribute(span, string_attribute("tango.source", "CACHE_DEV"));
    add_attribute(span, string_attribute("tango.trigger", "client"));
    add_attribute(span, string_attribute("tango.client_ident.location", "ws1"));
    add_attribute(span, int_attribute("tango.client_ident.pid", 4711));
    add_attribute(span, string_attribute("tango.client_ident.lang", "cpp"));
    add_attribute(span, int_attribute("thread.id", 4711 + i % 4));
    add_attribute(span, string_attribute("rpc.system.name", "tango"));
    add_attribute(span, string_attribute("rpc.method", "Tango::Device_5/read_attributes_5"));
    add_attribute(span, string_attribute("peer.service", "TangoTest"));
    add_attribute(span, int_attribute("giop.request_id", 2 * (int64_t)i));
    add_attribute(span, string_attribute("giop.version", "1.2"));
    add_attribute(span, string_attribute("network.transport", "tcp"));
    add_attribute(span, string_attribute("network.type", "ipv4"));
    add_attribute(span, string_attribute("network.protocol.name", "giop"));
    add_attribute(span, string_attribute("network.peer.address", "192.168.10.21"));
    add_attribute(span, int_attribute("network.peer.port", 45123));
    add_attribute(span, string_attribute("network.local.address", "192.168.10.22"));
    add_attribute(span, int_attribute("network.local.port", 33210 + i % 8));
    add_attribute(span, string_attribute("server.address", "192.168.10.21"));
    add_attribute(span, int_attribute("server.port", 45123));
    add_attribute(span, string_attribute("tangotrace.parent.proof", i % 2 ? "request" : "none"));
    return span;
}

static inline void put_spans(struct tt_otel_span **spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tt_otel_span_put(&spans[i]);
}
