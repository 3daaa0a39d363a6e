/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fixture.h: two processes (a C++ device server, a Python client), spans as assemble and correlate would make
 * them, and a dump of what tt_enrich makes of them.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue/attributes.h"
#include "enrich/enrich.h"

#define SERVER_PID  1000u
#define CLIENT_PID  2000u
#define THROWER_PID 3000u
#define FIX         static inline __attribute__((unused))

static const struct tt_row row_read = {
    .role = TT_ROLE_CLIENT,
    .name = "Tango::DeviceProxy::read_attribute",
    .verb = "read",
    .sret = true,
    .argument = {{TT_FIELD_DEVICE, TT_VALUE_PROXY_NAME, 0},
                 {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING, 1},
                 {TT_FIELD_FAILED, TT_VALUE_RETURNED_ATTRIBUTE, TT_ARGUMENT_RETURNED}}};
static const struct tt_row row_reads = {
    .role = TT_ROLE_CLIENT, .name = "Tango::DeviceProxy::read_attributes", .verb = "read"};
static const struct tt_row row_write = {
    .role = TT_ROLE_CLIENT, .name = "Tango::DeviceProxy::write_attribute", .verb = "write"};
static const struct tt_row row_write_read = {
    .role = TT_ROLE_CLIENT, .name = "Tango::DeviceProxy::write_read_attribute", .verb = "write_read"};
static const struct tt_row row_command = {
    .role = TT_ROLE_CLIENT, .name = "Tango::Connection::command_inout", .verb = "command"};
static const struct tt_row row_ping = {
    .role = TT_ROLE_CLIENT, .name = "Tango::DeviceProxy::ping", .verb = "ping"};
static const struct tt_row row_connect = {.role = TT_ROLE_MANY,
                                          .name = "Tango::DeviceProxy::DeviceProxy",
                                          .verb = "connect",
                                          .argument = {{TT_FIELD_DEVICE, TT_VALUE_STRING, 1}}};
static const struct tt_row row_server_read = {
    .role = TT_ROLE_SERVER, .name = "Tango::Device_5Impl::read_attributes_5", .verb = "read"};
static const struct tt_row row_server_write = {
    .role = TT_ROLE_SERVER, .name = "Tango::Device_4Impl::write_attributes_4", .verb = "write"};
static const struct tt_row row_python = {
    .library = TT_LIBRARY_PYTHON,
    .role = TT_ROLE_METHOD,
    .name = "PyObject_CallMethod",
};
static const struct tt_row row_server_command = {
    .role = TT_ROLE_SERVER, .name = "Tango::Device_4Impl::command_inout_4", .verb = "command"};
static const struct tt_row row_server_state = {
    .role = TT_ROLE_SERVER, .name = "Tango::DeviceImpl::state", .verb = "state"};
static const struct tt_row row_upcall = {.role = TT_ROLE_UPCALL, .name = "omniCallHandle::upcall"};

FIX struct tt_process *fixture_process(pid_t pid)
{
    static char *const server_argv[] = {
        "/usr/lib/tango/TangoTest", "test", "-v4", "--token", "hunter2", NULL};
    static char *const client_argv[] = {"python3", "/home/operator/scan.py", "--password=hunter2", "1.5",
                                        NULL};
    static struct tt_mapped_file file = {.path = "/usr/lib/x86_64-linux-gnu/libtango.so.9.3.4",
                                         .library = {[TT_LIBRARY_TANGO] = true}};
    static struct tt_mapped_file wheel = {.path = "/opt/venv/pytango.libs/libtango-0d5e3f11.so.10.3",
                                          .library = {[TT_LIBRARY_TANGO] = true}};
    static struct tt_process processes[] = {
        {.pid = SERVER_PID,
         .refs = 1,
         .start_unix_ns = 1700000000123456789u,
         .parent = 1,
         .user = "tango",
         .exe = "/usr/lib/tango/TangoTest",
         .argv = (char **)server_argv,
         .script = "TangoTest",
         .server = "TangoTest/test",
         .name = "TangoTest/test",
         .tango_host = "127.0.0.1:10000",
         .tango = true,
         .cgroup = "/system.slice/tangotest.service",
         .files = &file,
         .file_count = 1},
        {.pid = CLIENT_PID,
         .refs = 1,
         .start_unix_ns = 1700000001000000000u,
         .parent = 1999,
         .user = "operator",
         .exe = "/usr/bin/python3.11",
         .argv = (char **)client_argv,
         .script = "scan",
         .name = "scan",
         .runtime = "python",
         .python = "3.11.2",
         .python_all = "3.11.2 (main, Apr 28 2025, 14:11:48) [GCC 12.2.0]",
         .tango_host = "127.0.0.1:10000",
         .tango = true,
         .files = &wheel,
         .file_count = 1},
        {.pid = THROWER_PID,
         .refs = 1,
         .parent = 1,
         .user = "tango",
         .exe = "/opt/thrower",
         .server = "thrower/1",
         .name = "thrower/1",
         .tango = true},
    };

    for (size_t i = 0; i < sizeof(processes) / sizeof(processes[0]); i++) {
        if (processes[i].pid == pid)
            return tt_process_get(&processes[i]);
    }
    return NULL;
}

FIX struct tt_process *fixture_find(void *context, uint32_t pid, uint64_t time)
{
    (void)context;
    (void)time;
    return fixture_process((pid_t)pid);
}

FIX struct tt_enricher *fixture_enricher(const struct tt_enrich_config *config)
{
    static const struct tt_enrich_config standard = {.host_name = "beamline1"};
    struct tt_enricher *enricher = tt_enricher_new(config ? config : &standard, fixture_find, NULL);

    assert_non_null(enricher);
    return enricher;
}

FIX struct tt_span *fixture_span(const struct tt_row *row, enum tt_span_kind kind, uint32_t pid)
{
    struct tt_span *span = tt_span_new();

    assert_non_null(span);
    span->row = row;
    span->kind = kind;
    span->tgid = pid;
    span->tid = pid + 1;
    span->start = 5000000000u;
    span->end = 5000123456u;
    span->unix_offset = 1700000000000000000;
    memset(span->trace_id, 0xab, sizeof(span->trace_id));
    memset(span->span_id, 0x01, sizeof(span->span_id));
    return span;
}

FIX void fixture_device(struct tt_span *span, const char *device, const char *class_name)
{
    span->device = device ? tt_arena_copy(&span->arena, device, strlen(device)) : NULL;
    span->class_name = class_name ? tt_arena_copy(&span->arena, class_name, strlen(class_name)) : NULL;
}

FIX void fixture_tcp(struct tt_span *span, const char *operation, const char *remote, unsigned port)
{
    struct tt_connection *c = &span->key.connection;
    int family = strchr(remote, ':') ? AF_INET6 : AF_INET;

    span->has_key = true;
    span->requests = span->kind == TT_SPAN_SERVER ? 0 : 1;
    span->operation = operation;
    span->key.request_id = 42;
    span->key.giop_major = 1;
    span->key.giop_minor = 2;
    span->key.response_expected = 1;
    span->key.carrier = TT_CARRIER_TCP;
    c->family = family == AF_INET ? 2 : 10;
    c->remote_port = (uint16_t)port;
    c->local_port = 40000;
    assert_int_equal(inet_pton(family, remote, c->remote), 1);
    assert_int_equal(inet_pton(family, family == AF_INET ? "10.0.0.1" : "fd00::1", c->local), 1);
}

FIX void fixture_unix(struct tt_span *span, const char *operation)
{
    fixture_tcp(span, operation, "127.0.0.1", 0);
    memset(&span->key.connection, 0, sizeof(span->key.connection));
    span->key.connection.family = 1;
    span->key.carrier = TT_CARRIER_UNIX;
}

FIX void fixture_parent(struct tt_span *span, enum tt_proof proof)
{
    memset(span->parent_id, 0x02, sizeof(span->parent_id));
    span->proof = proof;
    span->parent_remote = proof == TT_PROOF_REQUEST;
    span->has_peer = proof == TT_PROOF_REQUEST;
}

FIX void fixture_attribute(struct tt_span *span, const char *name)
{
    span->attributes[span->attribute_count++] = name;
    span->attribute_total = span->attribute_count;
}

FIX void fixture_error(struct tt_span *span, const char *attribute, const char *reason, const char *desc,
                       const char *origin)
{
    span->failed = true;
    span->errors[span->error_count++] = (struct tt_span_error){
        .attribute = attribute, .reason = reason, .desc = desc, .origin = origin, .severity = 1};
    span->error_total = span->error_count;
}

FIX void dump_attributes(FILE *out, const char *indent, const struct tt_otel_attribute *attributes,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct tt_otel_attribute *a = &attributes[i];

        fprintf(out, "%s%s: ", indent, a->key);
        if (a->type == TT_OTEL_STRING)
            fprintf(out, "\"%s\"", a->value.string);
        else if (a->type == TT_OTEL_INT)
            fprintf(out, "%lld", (long long)a->value.integer);
        else if (a->type == TT_OTEL_BOOL)
            fprintf(out, "%s", a->value.boolean ? "true" : "false");
        for (size_t k = 0; a->type == TT_OTEL_STRINGS && k < a->value.strings.count; k++)
            fprintf(out, "%s\"%s\"", k ? ", " : "[", a->value.strings.items[k]);
        fprintf(out, "%s\n", a->type == TT_OTEL_STRINGS ? "]" : "");
    }
}

FIX void dump_span(FILE *out, const struct tt_otel_span *span)
{
    static const char *const kinds[] = {"?", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};

    fprintf(out, "%s\n  title: \"%s\"\n  kind: %s\n  flags: 0x%x\n  start: %llu\n  end: %llu\n", span->name,
            span->title, kinds[span->kind], span->flags, (unsigned long long)span->start,
            (unsigned long long)span->end);
    fprintf(out, "  scope: \"%s\" \"%s\"\n", span->scope->name, span->scope->version);
    fprintf(out, "  status: %s%s%s\n", span->status == TT_OTEL_ERROR ? "Error" : "Unset",
            span->status_message ? " " : "", span->status_message ? span->status_message : "");
    fprintf(out, "  attributes:\n");
    dump_attributes(out, "    ", span->attributes, span->attribute_count);
    for (size_t i = 0; i < span->event_count; i++) {
        fprintf(out, "  event: %s at %llu\n", span->events[i].name, (unsigned long long)span->events[i].time);
        dump_attributes(out, "    ", span->events[i].attributes, span->events[i].attribute_count);
    }
    if (span->dropped_events)
        fprintf(out, "  dropped events: %u\n", span->dropped_events);
    fprintf(out, "  resource: %s \"%s\" \"%s\"\n", span->resource->is_client ? "client" : "device or server",
            span->resource->service_name, span->resource->instance);
}

/* Every key is of the attribute table, of the right level and type, and there once. */
FIX void assert_by_table(const struct tt_otel_attribute *attributes, size_t count, enum tt_attr_level level)
{
    static const enum tt_otel_type types[] = {[TT_ATTR_STRING] = TT_OTEL_STRING,
                                              [TT_ATTR_INT] = TT_OTEL_INT,
                                              [TT_ATTR_BOOL] = TT_OTEL_BOOL,
                                              [TT_ATTR_STRING_LIST] = TT_OTEL_STRINGS};

    for (size_t i = 0; i < count; i++) {
        size_t k = 0;

        while (k < TT_ATTRS &&
               (tt_attr_rows[k].level != level || strcmp(tt_attr_rows[k].key, attributes[i].key)))
            k++;
        if (k == TT_ATTRS)
            fail_msg("%s is not in the table", attributes[i].key);
        assert_int_equal(attributes[i].type, types[tt_attr_rows[k].type]);
        assert_ptr_equal(tt_otel_find(attributes, count, attributes[i].key), &attributes[i]);
        if (attributes[i].type == TT_OTEL_STRING)
            assert_true(attributes[i].value.string && *attributes[i].value.string);
    }
}

FIX void assert_span_by_table(const struct tt_otel_span *span)
{
    assert_by_table(span->attributes, span->attribute_count, TT_ATTR_OF_SPAN);
    assert_by_table(span->resource->attributes, span->resource->attribute_count, TT_ATTR_OF_RESOURCE);
    for (size_t i = 0; i < span->event_count; i++)
        assert_by_table(span->events[i].attributes, span->events[i].attribute_count, TT_ATTR_OF_EVENT);
}

/* The value of a string attribute of the span, NULL if it has none. */
FIX const char *string_of(const struct tt_otel_span *span, const char *key)
{
    const struct tt_otel_attribute *a = tt_otel_find(span->attributes, span->attribute_count, key);

    return a && a->type == TT_OTEL_STRING ? a->value.string : NULL;
}

FIX const char *resource_string(const struct tt_otel_span *span, const char *key)
{
    const struct tt_otel_attribute *a = tt_otel_find(span->resource->attributes,
                                                     span->resource->attribute_count, key);

    return a && a->type == TT_OTEL_STRING ? a->value.string : NULL;
}
