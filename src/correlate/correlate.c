/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * correlate.c: every span that begins gets its id and a trace: its parent's, or a new one. A server span's
 * trace waits for the request of its client; spans that end in a trace that waits are held back. Joined: that
 * trace goes under the client's and what is held back leaves with the ids of the whole. Not joined in time:
 * it is a root.
 */
#include "correlate/correlate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "correlate/keys.h"
#include "correlate/random.h"
#include "correlate/traces.h"

#define DEFAULT_JOIN_WAIT_NS 2000000000ull
#define DEFAULT_MAX_AGE_NS   300000000000ull
#define DEFAULT_MAX_DEPTH    64
#define DEFAULT_MAX_SPANS    5000
#define DEFAULT_MAX_KEYS     65536
#define DEFAULT_MAX_PENDING  65536

#define CLOCK_GRAIN_NS 1000

/* Unix time minus monotonic time, as last measured. */
struct unix_clock {
    bool known;
    int64_t offset;
};

struct tt_correlator {
    struct unix_clock clock;
    struct tt_correlator_config config;
    void (*emit)(void *context, struct tt_span *span);
    void *context;
    struct random_state random;
    struct tt_keys *keys;
    struct tt_traces traces;
    struct tt_correlator_stats stats;
};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/*
 * One clock is read between two readings of the other, and the tightest of a few tries counts: a thread
 * preempted between them would shift a whole trace. What the uncertainty explains is no change, so that
 * traces that follow each other stay in order.
 */
static int64_t measure_unix_offset(void *context, uint64_t now)
{
    struct unix_clock *clock = context;
    int64_t offset = 0, width = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        int64_t before = clock_ns(CLOCK_MONOTONIC), real = clock_ns(CLOCK_REALTIME),
                after = clock_ns(CLOCK_MONOTONIC);
        if (after - before >= width)
            continue;
        width = after - before;
        offset = real - before - width / 2;
    }
    if (!clock->known || llabs(offset - clock->offset) > width / 2 + CLOCK_GRAIN_NS)
        clock->offset = offset;
    clock->known = true;
    return clock->offset;
}

static uint64_t choose_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), 0) == sizeof(seed))
        return seed;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + ((uint64_t)getpid() << 40);
}

struct tt_correlator *tt_correlator_new(const struct tt_correlator_config *config,
                                        void (*emit)(void *context, struct tt_span *span), void *context)
{
    struct tt_correlator *correlator = calloc(1, sizeof(*correlator));
    if (!correlator)
        return NULL;
    struct tt_correlator_config *c = &correlator->config;
    *c = *config;
    c->join_wait_ns = c->join_wait_ns ?: DEFAULT_JOIN_WAIT_NS;
    c->max_age_ns = c->max_age_ns ?: DEFAULT_MAX_AGE_NS;
    c->max_depth = c->max_depth ?: DEFAULT_MAX_DEPTH;
    c->max_spans = c->max_spans ?: DEFAULT_MAX_SPANS;
    c->max_keys = c->max_keys ?: DEFAULT_MAX_KEYS;
    c->max_pending = c->max_pending ?: DEFAULT_MAX_PENDING;
    if (!c->unix_offset) {
        c->unix_offset = measure_unix_offset;
        c->unix_context = &correlator->clock;
    }
    correlator->emit = emit;
    correlator->context = context;
    random_seed(&correlator->random, c->seed ?: choose_seed());
    correlator->keys = tt_keys_new(c->max_keys);
    if (!correlator->keys)
        tt_correlator_free(&correlator);
    return correlator;
}

void tt_correlator_free(struct tt_correlator **correlator)
{
    struct tt_correlator *old = *correlator;
    if (!old)
        return;
    tt_keys_free(&old->keys);
    tt_traces_free(&old->traces);
    free(old);
    *correlator = NULL;
}

/* ---- emission -------------------------------------------------------------------------------- */

/* The trace id of the link is final. */
static void drop_link(struct tt_correlator *correlator, struct tt_span *span)
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
    span->depth += depth;
    if (span->split)
        memcpy(span->split_trace, tt_trace_find(own->split_from, &depth)->id, sizeof(span->split_trace));
    drop_link(correlator, span);
    span->trace = NULL;
    tt_trace_put(&correlator->traces, own);
    correlator->stats.emitted++;
    correlator->emit(correlator->context, span);
}

/* The span has ended. It leaves when its own ids and that of its link are final, and waits with the trace
 * whose is not. */
static void settle(struct tt_correlator *correlator, struct tt_span *span)
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

static void emit_pending(struct tt_correlator *correlator, struct tt_trace *trace)
{
    /* The last span gives back the last reference but this one. */
    tt_trace_get(trace);
    for (struct tt_span *span; (span = tt_trace_release(trace));) {
        correlator->stats.pending--;
        settle(correlator, span);
    }
    tt_trace_put(&correlator->traces, trace);
}

/* ---- requests that wait ---------------------------------------------------------------------- */

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
    if (request->side == TT_SIDE_CLIENT)
        unlink_sent(request);
    else
        trace->waiting = NULL;
    tt_keys_remove(correlator->keys, request);
    tt_trace_put(&correlator->traces, trace);
}

/* A server span stays the root of its trace. */
static void decide_root(struct tt_correlator *correlator, struct tt_request *server, unsigned incomplete)
{
    struct tt_trace *trace = tt_trace_get(server->trace);
    server->span->incomplete |= incomplete;
    correlator->stats.server_unmatched++;
    remove_request(correlator, server);
    emit_pending(correlator, trace);
    tt_trace_put(&correlator->traces, trace);
}

static void give_up_client(struct tt_correlator *correlator, struct tt_request *client)
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
            give_up_client(correlator, oldest);
        else
            decide_root(correlator, oldest, TT_INCOMPLETE_PARENT);
    }
}

static struct tt_request *add_request(struct tt_correlator *correlator, struct tt_request *filled,
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

/* Whether a span at `depth` of a trace, with `more` spans, would go beyond its caps. */
static bool beyond_caps(const struct tt_correlator *correlator, const struct tt_trace *trace, unsigned depth,
                        unsigned more, uint64_t time)
{
    const struct tt_correlator_config *config = &correlator->config;
    return depth >= config->max_depth || trace->spans + more > config->max_spans ||
           (time > trace->begin && time - trace->begin > config->max_age_ns);
}

static void set_peers(struct tt_span *server, const struct tt_request *client)
{
    server->has_peer = true;
    server->peer_tgid = client->tgid;
    struct tt_span *span = client->span;
    if (!span || span->has_peer)
        return;
    span->has_peer = true;
    span->peer_tgid = server->tgid;
    if (server->class_name)
        span->peer_class = tt_arena_copy(&span->arena, server->class_name, strlen(server->class_name));
    if (server->device)
        span->peer_device = tt_arena_copy(&span->arena, server->device, strlen(server->device));
}

static void set_split(struct tt_correlator *correlator, struct tt_span *span, struct tt_trace *from,
                      const uint8_t parent_id[8])
{
    correlator->stats.split++;
    span->split = true;
    memcpy(span->split_span, parent_id, sizeof(span->split_span));
    span->trace->split_from = tt_trace_get(from);
}

/* The client's span becomes the parent of the server's. Both requests are used up. */
static void join(struct tt_correlator *correlator, struct tt_request *client, struct tt_request *server)
{
    struct tt_span *span = server->span;
    unsigned depth = client->depth + 1;
    struct tt_trace *under = server->trace, *into = tt_trace_find(client->trace, &depth);
    if (into == under) { /* its own descendant: cannot be */
        correlator->stats.ambiguous++;
        give_up_client(correlator, client);
        decide_root(correlator, server, TT_INCOMPLETE_PARENT);
        return;
    }

    set_peers(span, client);
    struct tt_trace *whole = tt_trace_get(into);
    tt_trace_get(under);
    if (beyond_caps(correlator, into, depth, under->spans, span->start)) {
        set_split(correlator, span, into, client->span_id);
        whole = under;
    } else {
        correlator->stats.joined++;
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

/* A client's request that fits several server spans, or a server span that fits several clients': no parent.
 */
static void give_up_servers(struct tt_correlator *correlator, const struct tt_request *client)
{
    for (;;) {
        struct tt_keys_found found = tt_keys_find(correlator->keys, TT_SIDE_SERVER, client,
                                                  correlator->config.join_wait_ns);
        if (!found.count)
            return;
        correlator->stats.ambiguous++;
        decide_root(correlator, found.match, TT_INCOMPLETE_PARENT);
    }
}

static void client_request(void *context, struct tt_span *span, const struct tt_key *key, uint64_t time)
{
    struct tt_correlator *correlator = context;
    uint64_t wait = correlator->config.join_wait_ns;
    struct tt_request filled;
    if (!span->trace)
        return;
    if (!tt_keys_fill(&filled, TT_SIDE_CLIENT, key, time)) {
        correlator->stats.client_unmatched++;
        return;
    }

    struct tt_keys_found servers = tt_keys_find(correlator->keys, TT_SIDE_SERVER, &filled, wait);
    correlator->stats.late += servers.late;
    if (servers.count) {
        struct tt_keys_found rivals = tt_keys_find(correlator->keys, TT_SIDE_CLIENT, servers.match, wait);
        if (servers.count > 1 || rivals.count) {
            give_up_servers(correlator, &filled);
            return;
        }
    }

    struct tt_request *client = add_request(correlator, &filled, span);
    if (!client)
        return;
    client->span = span;
    client->sent_next = span->sent;
    if (span->sent)
        span->sent->sent_previous = client;
    span->sent = client;
    /* Making room for a client does not touch the server that was found. */
    if (servers.count)
        join(correlator, client, servers.match);
}

/* The root of the span's new trace is a request received: looks for its client, or waits for it. */
static void server_request(struct tt_correlator *correlator, struct tt_span *span)
{
    uint64_t wait = correlator->config.join_wait_ns;
    struct tt_request filled;
    if (!span->has_key || !tt_keys_fill(&filled, TT_SIDE_SERVER, &span->key, span->start)) {
        correlator->stats.server_unmatched++;
        return;
    }
    struct tt_keys_found clients = tt_keys_find(correlator->keys, TT_SIDE_CLIENT, &filled, wait);
    correlator->stats.late += clients.late;
    if (clients.count > 1) {
        correlator->stats.ambiguous++;
        correlator->stats.server_unmatched++;
        span->incomplete |= TT_INCOMPLETE_PARENT;
        return;
    }
    struct tt_request *server = add_request(correlator, &filled, span);
    if (!server) {
        correlator->stats.server_unmatched++;
        return;
    }
    server->span = span;
    span->trace->waiting = server;
    if (clients.count)
        join(correlator, clients.match, server);
}

/* ---- spans begin and end --------------------------------------------------------------------- */

static void begin_trace(struct tt_correlator *correlator, struct tt_span *span)
{
    struct tt_trace *trace = tt_trace_new(&correlator->traces);
    span->trace = trace;
    span->depth = 0;
    if (!trace)
        return;
    random_id(&correlator->random, trace->id, sizeof(trace->id));
    trace->begin = span->start;
    trace->root_tgid = span->tgid;
    trace->spans = 1;
    trace->unix_offset = correlator->config.unix_offset(correlator->config.unix_context, span->start);
    correlator->stats.traces++;
}

static void span_open(void *context, struct tt_span *span)
{
    struct tt_correlator *correlator = context;
    struct tt_span *parent = span->parent;
    random_id(&correlator->random, span->span_id, sizeof(span->span_id));
    if (span->answers && span->answers->trace) {
        span->linked = true;
        span->link_to = tt_trace_get(span->answers->trace);
        memcpy(span->link_span, span->answers->span_id, sizeof(span->link_span));
    }
    if (!parent || !parent->trace) {
        begin_trace(correlator, span);
        if (span->trace && span->kind == TT_SPAN_SERVER && !span->collocated)
            server_request(correlator, span);
        return;
    }

    unsigned depth = parent->depth + 1;
    struct tt_trace *trace = tt_trace_find(parent->trace, &depth);
    if (beyond_caps(correlator, trace, depth, 1, span->start)) {
        begin_trace(correlator, span);
        if (span->trace)
            set_split(correlator, span, trace, parent->span_id);
        return;
    }
    span->trace = tt_trace_get(trace);
    span->depth = depth;
    trace->spans++;
    span->proof = TT_PROOF_NESTING;
    memcpy(span->parent_id, parent->span_id, sizeof(span->parent_id));
}

/* Too many spans are held back: the oldest trace that waits is let go. */
static void limit_pending(struct tt_correlator *correlator)
{
    while (correlator->stats.pending > correlator->config.max_pending) {
        struct tt_request *oldest = tt_keys_oldest(correlator->keys, TT_SIDE_SERVER);
        if (!oldest)
            return;
        correlator->stats.evicted++;
        decide_root(correlator, oldest, TT_INCOMPLETE_PARENT);
    }
}

static void span_close(void *context, struct tt_span *span)
{
    struct tt_correlator *correlator = context;
    while (span->sent) {
        struct tt_request *request = span->sent;
        span->sent = request->sent_next;
        request->span = NULL;
        request->sent_previous = request->sent_next = NULL;
    }
    if (!span->trace) { /* was out of memory when it began: a trace of its own, known by its span id */
        memcpy(span->trace_id, span->span_id, sizeof(span->span_id));
        span->incomplete |= TT_INCOMPLETE_PARENT;
        drop_link(correlator, span);
        span->unix_offset = correlator->config.unix_offset(correlator->config.unix_context, span->start);
        correlator->stats.emitted++;
        correlator->emit(correlator->context, span);
        return;
    }
    settle(correlator, span);
    limit_pending(correlator);
}

struct tt_assembler_ops tt_correlator_ops(struct tt_correlator *correlator)
{
    return (struct tt_assembler_ops){
        .open = span_open, .request = client_request, .close = span_close, .context = correlator};
}

/* ---- time ------------------------------------------------------------------------------------ */

void tt_correlator_tick(struct tt_correlator *correlator, uint64_t now)
{
    struct tt_request *oldest;
    uint64_t wait = correlator->config.join_wait_ns;
    while ((oldest = tt_keys_oldest(correlator->keys, TT_SIDE_CLIENT)) && oldest->time < now &&
           now - oldest->time > wait)
        give_up_client(correlator, oldest);
    while ((oldest = tt_keys_oldest(correlator->keys, TT_SIDE_SERVER)) && oldest->time < now &&
           now - oldest->time > wait)
        decide_root(correlator, oldest, 0);
}

void tt_correlator_flush(struct tt_correlator *correlator)
{
    struct tt_request *oldest;
    while ((oldest = tt_keys_oldest(correlator->keys, TT_SIDE_CLIENT)))
        give_up_client(correlator, oldest);
    while ((oldest = tt_keys_oldest(correlator->keys, TT_SIDE_SERVER)))
        decide_root(correlator, oldest, 0);
}

const struct tt_correlator_stats *tt_correlator_stats(const struct tt_correlator *correlator)
{
    return &correlator->stats;
}
