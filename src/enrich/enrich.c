/* SPDX-License-Identifier: GPL-2.0-only */
#include "enrich/enrich.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "catalogue/attributes.h"
#include "enrich/fill.h"
#include "enrich/resource.h"
#include "enrich/convert.h"

#define SCOPES_MAX 64 /* versions of cppTango on one host */

#define FLAG_HAS_IS_REMOTE 0x100u /* OTLP: Span.flags */
#define FLAG_IS_REMOTE     0x200u

struct scope {
    struct tt_otel_scope scope;
    char version[32];
};

struct tt_enricher {
    struct tt_process *(*find)(void *context, uint32_t pid, uint64_t time);
    void *context;
    struct tt_resources *resources;
    uint64_t failures;
};

/* Exporters may hold spans after the enricher is gone, so scopes live as long as the agent: a fixed table. */
static struct scope scopes[SCOPES_MAX] = {{.scope = {.name = "tango.cpp", .version = ""}}};
static size_t scope_count = 1;

struct tt_enricher *tt_enricher_new(const struct tt_enrich_config *config,
                                    struct tt_process *(*find)(void *context, uint32_t pid, uint64_t time),
                                    void *context)
{
    struct tt_enricher *enricher = calloc(1, sizeof(*enricher));

    if (!enricher)
        return NULL;
    enricher->find = find;
    enricher->context = context;
    enricher->resources = tt_resources_new(config);
    if (!enricher->resources)
        tt_enricher_free(&enricher);
    return enricher;
}

void tt_enricher_free(struct tt_enricher **enricher)
{
    if (!*enricher)
        return;
    tt_resources_free(&(*enricher)->resources);
    free(*enricher);
    *enricher = NULL;
}

int tt_enricher_configure(struct tt_enricher *enricher, const struct tt_enrich_config *config)
{
    struct tt_resources *resources = tt_resources_new(config);

    if (!resources)
        return -ENOMEM;
    tt_resources_free(&enricher->resources);
    enricher->resources = resources;
    return 0;
}

void tt_enricher_tick(struct tt_enricher *enricher, uint64_t now)
{
    tt_resources_tick(enricher->resources, now);
}

struct tt_otel_resource *tt_enricher_own_resource(const struct tt_enricher *enricher, const char *name)
{
    return tt_resources_own(enricher->resources, name);
}

uint64_t tt_enricher_failures(const struct tt_enricher *enricher)
{
    return enricher->failures;
}

/* Version in the file name of the cppTango that the process maps: "libtango.so.9.3.4", and of wheels
 * "libtango-0d5e.so.10.3" give "9.3.4" and "10.3". Length in *size, 0 where the name tells none. */
static const char *library_version(const struct tt_process *process, size_t *size)
{
    *size = 0;
    for (size_t i = 0; process && i < process->file_count; i++) {
        const char *path = process->files[i].path, *so;

        if (!process->files[i].library[TT_LIBRARY_TANGO] || !path)
            continue;
        so = strstr(strrchr(path, '/') ? strrchr(path, '/') : path, ".so.");
        if (!so)
            continue;
        *size = strspn(so + 4, "0123456789.");
        return so + 4;
    }
    return "";
}

static const struct tt_otel_scope python_server = {.name = "tango.python.server", .version = ""};
static const struct tt_otel_scope python_client = {.name = "tango.python.client", .version = ""};

/* PyTango's names for what its Python code does, as native has them. */
static const struct tt_otel_scope *python_scope_of(const struct tt_span *span)
{
    if (span->row->role == TT_ROLE_CALLER)
        return &python_client;
    return tt_row_is_python(span->row) ? &python_server : NULL;
}

static const struct tt_otel_scope *scope_of(const struct tt_process *process)
{
    size_t size;
    const char *version = library_version(process, &size);

    if (!size || size >= sizeof(scopes[0].version))
        return &scopes[0].scope;
    for (size_t i = 1; i < scope_count; i++) {
        if (!strncmp(scopes[i].version, version, size) && !scopes[i].version[size])
            return &scopes[i].scope;
    }
    if (scope_count == SCOPES_MAX)
        return &scopes[0].scope;
    memcpy(scopes[scope_count].version, version, size);
    scopes[scope_count].scope.name = "tango.cpp";
    scopes[scope_count].scope.version = scopes[scope_count].version;
    return &scopes[scope_count++].scope;
}

/* Whose span it is: a server's method belongs to its own device, a call made on the way to the device whose
 * request is being served, everything else to the process. */
static int add_owner(struct tt_enricher *enricher, const struct tt_span *span, struct tt_otel_span *out)
{
    bool server = tt_row_is_devices(span->row) || span->row->role == TT_ROLE_UPCALL;
    const char *device = server && span->device ? span->device : span->owner_device;
    const char *class_name = server && span->device ? span->class_name : span->owner_class;
    _cleanup_(tt_process_put) struct tt_process *process = enricher->find(enricher->context, span->tgid,
                                                                          span->start);

    out->scope = python_scope_of(span) ?: scope_of(process);
    out->resource = tt_resources_get(enricher->resources, process, span->tgid, device, class_name, span->end);
    return out->resource ? 0 : -1;
}

static void add_identity(const struct tt_span *span, struct tt_otel_span *out)
{
    memcpy(out->trace_id, span->trace_id, sizeof(out->trace_id));
    memcpy(out->span_id, span->span_id, sizeof(out->span_id));
    memcpy(out->parent_id, span->parent_id, sizeof(out->parent_id));
    /* Sampled is what leaves this host at all. */
    out->flags = TT_W3C_SAMPLED | (span->trace_flags & TT_W3C_RANDOM) | FLAG_HAS_IS_REMOTE |
                 (span->parent_remote ? FLAG_IS_REMOTE : 0);
    out->trigger = tt_fill_trigger(span->root_trigger);
    out->top = span->top;
    out->native = span->native_trace;
    out->unsampled = span->native_trace && !(span->trace_flags & TT_W3C_SAMPLED);
    out->kind = (int)span->kind;
    out->start = span->start + (uint64_t)span->unix_offset;
    out->end = span->end + (uint64_t)span->unix_offset;
    if (out->end < out->start)
        out->end = out->start;
}

/* The other side is no device, or none whose class is known: its program. NULL: not known. */
static const char *peer_program(struct tt_enricher *enricher, const struct tt_span *span,
                                struct tt_otel_span *out)
{
    _cleanup_(tt_process_put) struct tt_process *process = NULL;
    const char *program;

    if (!span->has_peer)
        return NULL;
    process = enricher->find(enricher->context, span->peer_tgid, span->start);
    /* A call that had ended before it was joined may have been any device's of that server. */
    if (!process || (span->kind == TT_SPAN_SERVER && !span->peer_class && process->server))
        return NULL;
    program = tt_resource_program(&out->arena, process);
    return program ? tt_convert_copy(&out->arena, program, TT_ATTR_LENGTH) : NULL;
}

static int add_peer(struct tt_enricher *enricher, const struct tt_span *span, struct tt_otel_span *out)
{
    const struct tt_otel_attribute *service;

    if (span->kind != TT_SPAN_CLIENT && span->kind != TT_SPAN_SERVER)
        return 0;
    out->peer_seen = span->has_peer;
    out->unmeasured = tt_fill_unmeasured(span);
    if (span->peer_device) {
        out->peer_device = tt_convert_copy(&out->arena, span->peer_device, TT_ATTR_LENGTH);
        if (!out->peer_device)
            return -1;
    }
    if (span->kind == TT_SPAN_SERVER) { /* who called: the device whose request was being served then */
        bool device = span->peer_class && *span->peer_class;

        out->peer = device ? tt_convert_copy(&out->arena, span->peer_class, TT_ATTR_LENGTH)
                           : peer_program(enricher, span, out);
        return 0;
    }
    service = tt_otel_find(out->attributes, out->attribute_count, tt_attr_rows[TT_ATTR_PEER_SERVICE].key);
    out->peer = service ? service->value.string : peer_program(enricher, span, out);
    return 0;
}

/* To the call that a reply answers, and to what would have been the parent where a trace was split. */
static int add_links(const struct tt_span *span, struct tt_otel_span *out)
{
    if (!span->linked && !span->split)
        return 0;
    out->links = tt_arena_alloc(&out->arena, 2 * sizeof(out->links[0]));
    if (!out->links)
        return -1;
    if (span->linked) {
        struct tt_otel_link *link = &out->links[out->link_count++];

        memcpy(link->trace_id, span->link_trace, sizeof(link->trace_id));
        memcpy(link->span_id, span->link_span, sizeof(link->span_id));
    }
    if (span->split) {
        struct tt_otel_link *link = &out->links[out->link_count++];

        memcpy(link->trace_id, span->split_trace, sizeof(link->trace_id));
        memcpy(link->span_id, span->split_span, sizeof(link->span_id));
    }
    return 0;
}

static int add_text(const struct tt_span *span, struct tt_otel_span *out)
{
    struct tt_build build;

    tt_build_start(&build, &out->arena);
    out->name = tt_fill_name(&out->arena, span);
    if (tt_fill_is_bare(span) && span->operation && *span->operation)
        out->name = tt_convert_copy(&out->arena, span->operation, TT_ATTR_LENGTH);
    if (tt_fill_is_code(span))
        out->name = tt_convert_copy(&out->arena, span->code.name, TT_ATTR_LENGTH);
    out->title = tt_fill_title(&out->arena, span);
    if (!out->name || !out->title)
        return -1;
    if (span->proof == TT_PROOF_NATIVE && span->trace_state)
        out->trace_state = tt_convert_copy(&out->arena, span->trace_state, TT_W3C_STATE_MAX);
    tt_fill_attributes(&build, span, out->title);
    tt_fill_outcome(&build, span, out);
    out->attributes = tt_build_finish(&build);
    out->attribute_count = build.count;
    out->dropped_attributes = build.dropped;
    return build.failed ? -1 : 0;
}

/* A logger is named after its device; the library's own have the server's name. */
static int add_log_owner(struct tt_enricher *enricher, const struct tt_log *log, struct tt_otel_log *out)
{
    const char *device = tt_fill_is_device(log->logger) ? log->logger : log->device;
    /* The class of the device that answers the request; of another one what its own spans told. */
    const char *class_name = device && log->device && !strcasecmp(device, log->device) ? log->class_name
                                                                                       : NULL;
    _cleanup_(tt_process_put) struct tt_process *process = enricher->find(enricher->context, log->tgid,
                                                                          log->time);

    out->scope = scope_of(process);
    out->resource = tt_resources_get(enricher->resources, process, log->tgid, device, class_name, log->time);
    return out->resource ? 0 : -1;
}

static int add_log_text(const struct tt_log *log, struct tt_otel_log *out)
{
    struct tt_build build;

    tt_build_start(&build, &out->arena);
    out->body = log->message ? tt_convert_copy(&out->arena, log->message, TT_LONG_MAX) : "";
    out->logger = log->logger ? tt_convert_copy(&out->arena, log->logger, TT_ATTR_LENGTH) : "";
    if (!out->body || !out->logger)
        return -1;
    out->event = log->event;
    tt_fill_log(&build, log, out);
    out->attributes = tt_build_finish(&build);
    out->attribute_count = build.count;
    return build.failed ? -1 : 0;
}

const char *tt_enrich_title(struct tt_arena *arena, const struct tt_span *span)
{
    return tt_fill_title(arena, span);
}

struct tt_otel_log *tt_enrich_log(struct tt_enricher *enricher, struct tt_log **log)
{
    _cleanup_(tt_log_free) struct tt_log *in = TAKE_PTR(*log);
    struct tt_otel_log *out = tt_otel_log_new();

    if (!out) {
        enricher->failures++;
        return NULL;
    }
    out->in_span = in->in_span;
    memcpy(out->trace_id, in->trace_id, sizeof(out->trace_id));
    memcpy(out->span_id, in->span_id, sizeof(out->span_id));
    out->time = in->time + (uint64_t)in->unix_offset;
    if (add_log_text(in, out) || add_log_owner(enricher, in, out)) {
        enricher->failures++;
        tt_otel_log_put(&out);
    }
    return out;
}

struct tt_otel_span *tt_enrich_open(struct tt_enricher *enricher, const struct tt_span *span)
{
    struct tt_otel_span *out = tt_otel_span_new();

    if (!out) {
        enricher->failures++;
        return NULL;
    }
    add_identity(span, out);
    if (add_text(span, out) || add_links(span, out) || add_owner(enricher, span, out) ||
        add_peer(enricher, span, out)) {
        enricher->failures++;
        tt_otel_span_put(&out);
    }
    return out;
}

struct tt_otel_span *tt_enrich(struct tt_enricher *enricher, struct tt_span **span)
{
    _cleanup_(tt_span_free) struct tt_span *in = TAKE_PTR(*span);

    return tt_enrich_open(enricher, in);
}
