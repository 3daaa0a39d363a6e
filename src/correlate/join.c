/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * join.c: requests wait for their other side and are joined; spans leave when the ids of their trace are
 * final.
 */
#include <stdlib.h>
#include <string.h>

#include "correlate/internal.h"

/* ---- emission -------------------------------------------------------------------------------- */

void tt_correlate_drop_link(struct tt_correlator *correlator, struct tt_span *span)
{
    unsigned depth = 0;
    if (!span->linked)
        return;
    memcpy(span->link_trace, tt_trace_find(span->link_to, &depth)->id, sizeof(span->link_trace));
    tt_trace_put(&correlator->traces, span->link_to);
    span->link_to = NULL;
}

/* The root of the span's trace is decided: its ids are final. */
static void emit(struct tt_correlator *correlator, struct tt_span *span)
{
    unsigned depth = 0;
    struct tt_trace *own = span->trace, *trace = tt_trace_find(own, &depth);
    memcpy(span->trace_id, trace->id, sizeof(span->trace_id));
    span->unix_offset = trace->unix_offset;
    span->root_tgid = trace->root_tgid;
    span->root_trigger = trace->root_trigger;
    span->trace_flags = trace->flags;
    span->native_trace = trace->native;
    span->top = span->proof == TT_PROOF_NONE || span->proof == TT_PROOF_NATIVE ||
                (span->proof == TT_PROOF_NESTING && span->parent_remote);
    span->depth += depth;
    if (span->split)
        memcpy(span->split_trace, tt_trace_find(own->split_from, &depth)->id, sizeof(span->split_trace));
    tt_correlate_drop_link(correlator, span);
    span->trace = NULL;
    tt_trace_put(&correlator->traces, own);
    correlator->stats.emitted++;
    correlator->emit(correlator->context, span);
}

void tt_correlate_settle(struct tt_correlator *correlator, struct tt_span *span)
{
    unsigned depth = 0;
    struct tt_trace *trace = tt_trace_find(span->trace, &depth);
    if (!trace->waiting && span->linked)
        trace = tt_trace_find(span->link_to, &depth);
    if (!trace->waiting) {
        emit(correlator, span);
        return;
    }
    tt_trace_hold(trace, span);
    correlator->stats.pending++;
}

/* The root of its trace is decided. */
static void emit_log(struct tt_correlator *correlator, struct tt_log *log)
{
    unsigned depth = 0;
    struct tt_trace *own = log->trace, *trace = tt_trace_find(own, &depth);
    memcpy(log->trace_id, trace->id, sizeof(log->trace_id));
    log->unix_offset = trace->unix_offset;
    log->root_tgid = trace->root_tgid;
    log->trace = NULL;
    tt_trace_put(&correlator->traces, own);
    correlator->config.log(correlator->context, log);
}

void tt_correlate_log(struct tt_correlator *correlator, struct tt_log *log)
{
    unsigned depth = 0;
    struct tt_span *span = log->span;
    struct tt_trace *trace;
    log->span = NULL;
    if (!span || !span->trace) {
        log->unix_offset = correlator->config.unix_offset(correlator->config.unix_context, log->time);
        log->root_tgid = log->tgid;
        correlator->config.log(correlator->context, log);
        return;
    }
    log->in_span = true;
    memcpy(log->span_id, span->span_id, sizeof(log->span_id));
    span->used = true; /* its id is known outside from here on */
    log->trace = tt_trace_get(span->trace);
    trace = tt_trace_find(log->trace, &depth);
    if (trace->waiting) {
        tt_trace_hold_log(trace, log);
        correlator->stats.pending++;
    } else {
        emit_log(correlator, log);
    }
}

static void emit_pending(struct tt_correlator *correlator, struct tt_trace *trace)
{
    /* The last span gives back the last reference but this one. */
    tt_trace_get(trace);
    for (struct tt_log *log; (log = tt_trace_release_log(trace));) {
        correlator->stats.pending--;
        emit_log(correlator, log);
    }
    for (struct tt_span *span; (span = tt_trace_release(trace));) {
        correlator->stats.pending--;
        tt_correlate_settle(correlator, span);
    }
    tt_trace_put(&correlator->traces, trace);
}

/* ---- requests that wait ---------------------------------------------------------------------- */

void tt_correlate_link_sent(struct tt_request *request, struct tt_span *span)
{
    request->span = span;
    request->sent_next = span->sent;
    if (span->sent)
        span->sent->sent_previous = request;
    span->sent = request;
}

static void unlink_sent(struct tt_request *request)
{
    if (!request->span)
        return;
    if (request->sent_previous)
        request->sent_previous->sent_next = request->sent_next;
    else
        request->span->sent = request->sent_next;
    if (request->sent_next)
        request->sent_next->sent_previous = request->sent_previous;
}

static void remove_request(struct tt_correlator *correlator, struct tt_request *request)
{
    struct tt_trace *trace = request->trace;
    if (request->side == TT_SIDE_CLIENT || request->settled)
        unlink_sent(request);
    else
        trace->waiting = NULL;
    tt_keys_remove(correlator->keys, request);
    tt_trace_put(&correlator->traces, trace);
}

void tt_correlate_decide_root(struct tt_correlator *correlator, struct tt_request *server,
                              unsigned incomplete)
{
    if (server->settled) {
        remove_request(correlator, server);
        return;
    }
    struct tt_trace *trace = tt_trace_get(server->trace);
    server->span->incomplete |= incomplete;
    correlator->stats.server_unmatched++;
    remove_request(correlator, server);
    emit_pending(correlator, trace);
    tt_trace_put(&correlator->traces, trace);
}

void tt_correlate_give_up_client(struct tt_correlator *correlator, struct tt_request *client)
{
    correlator->stats.client_unmatched++;
    remove_request(correlator, client);
}

static void make_room(struct tt_correlator *correlator, enum tt_side side)
{
    while (tt_keys_full(correlator->keys, side)) {
        correlator->stats.evicted++;
        struct tt_request *oldest = tt_keys_oldest(correlator->keys, side);
        if (side == TT_SIDE_CLIENT)
            tt_correlate_give_up_client(correlator, oldest);
        else
            tt_correlate_decide_root(correlator, oldest, TT_INCOMPLETE_PARENT);
    }
}

struct tt_request *tt_correlate_add_request(struct tt_correlator *correlator, struct tt_request *filled,
                                            const struct tt_span *span)
{
    make_room(correlator, filled->side);
    filled->tgid = span->tgid;
    filled->depth = span->depth;
    memcpy(filled->span_id, span->span_id, sizeof(filled->span_id));
    struct tt_request *request = tt_keys_add(correlator->keys, filled);
    if (request)
        request->trace = tt_trace_get(span->trace);
    else
        correlator->stats.evicted++;
    return request;
}

/* ---- joining --------------------------------------------------------------------------------- */

bool tt_correlate_beyond_caps(const struct tt_correlator *correlator, const struct tt_trace *trace,
                              unsigned depth, unsigned more, uint64_t time)
{
    const struct tt_correlator_config *config = &correlator->config;
    return depth >= config->max_depth || trace->spans + more > config->max_spans ||
           (time > trace->begin && time - trace->begin > config->max_age_ns);
}

static const char *copy(struct tt_span *span, const char *text)
{
    return text ? tt_arena_copy(&span->arena, text, strlen(text)) : NULL;
}

/* What the server knows of the call goes to its client. */
static void tell_client(struct tt_span *client, const struct tt_span *server)
{
    client->moments.received = server->received_at ?: server->start;
    client->moments.begun = server->start;
    client->moments.done = server->end;
    client->served = server->ledger;
}

void tt_correlate_close_ledger(struct tt_span *span)
{
    struct tt_span *other = span->other;
    struct tt_moments *moments = &span->moments;

    if (other) {
        other->other = span->other = NULL;
        if (span->kind == TT_SPAN_SERVER)
            tell_client(other, span);
        else
            tell_client(span, other); /* which goes on: the client waits no longer */
    }
    if (span->kind != TT_SPAN_CLIENT || !span->ledger.known)
        return;
    moments->start = span->start;
    moments->sent = span->sent_at;
    moments->end = span->end;
    tt_ledger_close_client(&span->ledger, moments,
                           moments->done && span->served.known ? &span->served : NULL);
}

/* Only the first request of a client's span: further ones are in what it does besides. */
static void link_ledgers(struct tt_span *client, struct tt_span *server)
{
    if (client->other || client->moments.received)
        return;
    if (server->end) {
        tell_client(client, server);
        return;
    }
    client->other = server;
    server->other = client;
}

void tt_correlate_set_peers(struct tt_span *server, uint32_t client_tgid, struct tt_span *client)
{
    server->has_peer = true;
    server->peer_tgid = client_tgid;
    if (!client)
        return;
    server->peer_class = client->owner_class ? copy(server, client->owner_class) : "";
    server->peer_device = copy(server, client->owner_device);
    link_ledgers(client, server);
    if (client->has_peer)
        return;
    client->has_peer = true;
    client->peer_tgid = server->tgid;
    client->peer_class = copy(client, server->class_name);
    client->peer_device = copy(client, server->device);
}

void tt_correlate_set_split(struct tt_correlator *correlator, struct tt_span *span, struct tt_trace *from,
                            const uint8_t parent_id[8])
{
    correlator->stats.split++;
    span->split = true;
    memcpy(span->split_span, parent_id, sizeof(span->split_span));
    span->trace->split_from = tt_trace_get(from);
    span->trace->root_trigger = from->root_trigger;
}

void tt_correlate_hide(struct tt_correlator *correlator, struct tt_span *span, struct tt_trace *trace,
                       const uint8_t span_id[8])
{
    if (span->hidden || span->used)
        return;
    correlator->stats.native_hidden++;
    tt_native_hide(correlator->natives, span, trace, span_id);
}

/* The client of a server span that is settled: both sides of the request are known, nothing is to be decided.
 */
static void meet(struct tt_correlator *correlator, struct tt_request *client, struct tt_request *server)
{
    if (server->span)
        tt_correlate_set_peers(server->span, client->tgid, client->span);
    /* Its own context could not be read (asynchronous calls). */
    if (client->span && client->span->kind == TT_SPAN_CLIENT)
        tt_correlate_hide(correlator, client->span, server->trace, server->span_id);
    remove_request(correlator, client);
    remove_request(correlator, server);
}

void tt_correlate_join(struct tt_correlator *correlator, struct tt_request *client, struct tt_request *server)
{
    if (server->settled) {
        meet(correlator, client, server);
        return;
    }
    struct tt_span *span = server->span;
    unsigned depth = client->depth + 1;
    struct tt_trace *under = server->trace, *into = tt_trace_find(client->trace, &depth);
    if (into == under) { /* its own descendant: cannot be */
        correlator->stats.ambiguous++;
        tt_correlate_give_up_client(correlator, client);
        tt_correlate_decide_root(correlator, server, TT_INCOMPLETE_PARENT);
        return;
    }

    tt_correlate_set_peers(span, client->tgid, client->span);
    struct tt_trace *whole = tt_trace_get(into);
    tt_trace_get(under);
    if (tt_correlate_beyond_caps(correlator, into, depth, under->spans, span->start)) {
        tt_correlate_set_split(correlator, span, into, client->span_id);
        whole = under;
    } else {
        correlator->stats.joined++;
        if (client->span)
            client->span->used = true;
        span->proof = TT_PROOF_REQUEST;
        span->parent_remote = client->tgid != span->tgid;
        memcpy(span->parent_id, client->span_id, sizeof(span->parent_id));
        tt_trace_merge(under, into, depth);
    }
    remove_request(correlator, client);
    remove_request(correlator, server);
    if (!whole->waiting)
        emit_pending(correlator, whole);
    tt_trace_put(&correlator->traces, into);
    tt_trace_put(&correlator->traces, under);
}

void tt_correlate_give_up_servers(struct tt_correlator *correlator, const struct tt_request *client)
{
    for (;;) {
        struct tt_keys_found found = tt_keys_find(correlator->keys, TT_SIDE_SERVER, client,
                                                  correlator->config.join_wait_ns);
        if (!found.count)
            return;
        correlator->stats.ambiguous++;
        tt_correlate_decide_root(correlator, found.match, TT_INCOMPLETE_PARENT);
    }
}
