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

#include "correlate/internal.h"

#define DEFAULT_JOIN_WAIT_NS 2000000000ull
#define DEFAULT_MAX_AGE_NS   300000000000ull
#define DEFAULT_MAX_DEPTH    64
#define DEFAULT_MAX_SPANS    5000
#define DEFAULT_MAX_KEYS     65536
#define DEFAULT_MAX_PENDING  65536

static int64_t measure_unix_offset(void *context, uint64_t now)
{
    return tt_unix_clock_measure(context);
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
    correlator->natives = tt_natives_new(&correlator->traces);
    correlator->topics = tt_topics_new(&correlator->traces);
    correlator->starts = tt_starts_new(&correlator->traces);
    if (!correlator->keys || !correlator->natives || !correlator->topics || !correlator->starts)
        tt_correlator_free(&correlator);
    return correlator;
}

void tt_correlator_free(struct tt_correlator **correlator)
{
    struct tt_correlator *old = *correlator;
    if (!old)
        return;
    tt_keys_free(&old->keys);
    tt_natives_free(&old->natives);
    tt_topics_free(&old->topics);
    tt_starts_free(&old->starts);
    tt_traces_free(&old->traces);
    free(old);
    *correlator = NULL;
}

/* ---- native telemetry ------------------------------------------------------------------------ */

/* Is the span's context to be taken over? */
static bool is_native(struct tt_correlator *correlator, struct tt_span *span)
{
    if (correlator->config.native && span->bad_context)
        correlator->stats.native_malformed++;
    span->bad_context = false;
    return correlator->config.native && tt_native_usable(span);
}

/* Native's trace of the span's context; `own` is the trace that the span already has, or NULL. NULL when out
 * of memory. A trace of native's that lasts for ever is no reason to keep ours for ever, so it is begun anew
 * at the caps.
 */
static struct tt_trace *native_trace(struct tt_correlator *correlator, const struct tt_span *span,
                                     const struct tt_trace *own)
{
    struct tt_trace *trace = tt_natives_find(correlator->natives, span->context.trace_id);
    bool known = trace != NULL, guess = !own && (!known || trace->root_guessed);
    uint32_t root = own ? own->root_tgid : known ? trace->root_tgid : span->client.pid ?: span->tgid;
    if (!known || tt_correlate_beyond_caps(correlator, trace, 0, 1, span->start)) {
        int64_t offset = known ? trace->unix_offset
                         : own ? own->unix_offset
                               : correlator->config.unix_offset(correlator->config.unix_context, span->start);
        trace = tt_natives_begin(correlator->natives, span->context.trace_id);
        if (!trace)
            return NULL;
        trace->begin = span->start;
        trace->unix_offset = offset;
        trace->root_tgid = root;
        trace->root_guessed = guess;
        trace->root_trigger = own ? own->root_trigger : TT_TRIGGER_CLIENT;
        trace->flags = span->context.flags;
        trace->native = true;
    } else if (own && trace->root_guessed) {
        trace->root_tgid = root;
        trace->root_guessed = false;
    }
    return trace;
}

/* The request just sent by the span carries a context: native has a client span for it. Native's trace, or
 * NULL. */
static struct tt_trace *client_native(struct tt_correlator *correlator, struct tt_span *span)
{
    unsigned depth = 0;
    if (!is_native(correlator, span))
        return NULL;
    if (correlator->config.native_client)
        correlator->config.native_client(correlator->config.native_context, span->tgid);
    struct tt_trace *trace = native_trace(correlator, span, tt_trace_find(span->trace, &depth));
    if (!trace || span->kind != TT_SPAN_CLIENT)
        return trace;
    tt_correlate_hide(correlator, span, trace, span->context.span_id);
    /* It had to connect first, which native does not show: it stays as what holds that together, but the
     * request and its CLIENT span are native's. */
    if (!span->hidden)
        span->kind = TT_SPAN_INTERNAL;
    return trace;
}

/* Native's own server span stands for ours. Its admin device has none. */
static void hide_server(struct tt_correlator *correlator, struct tt_span *span, struct tt_trace *trace)
{
    const struct tt_correlator_config *config = &correlator->config;
    if (config->native_server && config->native_server(config->native_context, span->tgid) &&
        !(span->class_name && !strcmp(span->class_name, "DServer")))
        tt_correlate_hide(correlator, span, trace, span->context.span_id);
}

/* A request was received whose client's native telemetry says what its parent is. */
static bool server_native(struct tt_correlator *correlator, struct tt_span *span)
{
    struct tt_trace *trace = is_native(correlator, span) ? native_trace(correlator, span, NULL) : NULL;
    struct tt_request filled;
    if (!trace)
        return false;
    correlator->stats.native_joined++;
    span->trace = tt_trace_get(trace);
    trace->spans++;
    span->depth = 1;
    span->proof = TT_PROOF_NATIVE;
    span->parent_remote = true;
    memcpy(span->parent_id, span->context.span_id, sizeof(span->parent_id));
    if (span->has_key && tt_keys_fill(&filled, TT_SIDE_SERVER, &span->key, span->start)) {
        struct tt_keys_found clients = tt_keys_find(correlator->keys, TT_SIDE_CLIENT, &filled,
                                                    correlator->config.join_wait_ns);
        filled.settled = true;
        struct tt_request *server = tt_correlate_add_request(correlator, &filled, span);
        if (server) {
            memcpy(server->span_id, span->context.span_id, sizeof(server->span_id));
            tt_correlate_link_sent(server, span);
            if (clients.count == 1)
                tt_correlate_join(correlator, clients.match, server);
        }
    }
    hide_server(correlator, span, trace);
    return true;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void client_request(void *context, struct tt_span *span, const struct tt_key *key, uint64_t time)
{
    struct tt_correlator *correlator = context;
    uint64_t wait = correlator->config.join_wait_ns;
    struct tt_request filled;
    if (!span->trace)
        return;
    struct tt_trace *native = client_native(correlator, span);
    if (!tt_keys_fill(&filled, TT_SIDE_CLIENT, key, time)) {
        correlator->stats.client_unmatched++;
        return;
    }

    struct tt_keys_found servers = tt_keys_find(correlator->keys, TT_SIDE_SERVER, &filled, wait);
    correlator->stats.late += servers.late;
    if (servers.count) {
        struct tt_keys_found rivals = tt_keys_find(correlator->keys, TT_SIDE_CLIENT, servers.match, wait);
        if (servers.count > 1 || rivals.count) {
            tt_correlate_give_up_servers(correlator, &filled);
            return;
        }
    }

    struct tt_request *client = tt_correlate_add_request(correlator, &filled, span);
    if (!client)
        return;
    tt_correlate_link_sent(client, span);
    if (native && native != client->trace) { /* a span that could not be left to native */
        tt_trace_put(&correlator->traces, client->trace);
        client->trace = tt_trace_get(native);
        memcpy(client->span_id, span->context.span_id, sizeof(client->span_id));
    }
    /* Making room for a client does not touch the server that was found. */
    if (servers.count)
        tt_correlate_join(correlator, client, servers.match);
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
    struct tt_request *server = tt_correlate_add_request(correlator, &filled, span);
    if (!server) {
        correlator->stats.server_unmatched++;
        return;
    }
    server->span = span;
    span->trace->waiting = server;
    if (clients.count)
        tt_correlate_join(correlator, clients.match, server);
}

/* ---- spans begin and end --------------------------------------------------------------------- */

/* What set off a trace of that root. A client's call has no trigger itself, nor has an event that a device
 * sends by itself: they are what sets off the rest. */
static enum tt_trigger trigger_of_root(const struct tt_span *span)
{
    enum tt_role role = span->row ? span->row->role : TT_ROLE_METHOD;

    if (span->trigger != TT_TRIGGER_UNKNOWN)
        return span->trigger;
    if (span->kind == TT_SPAN_PRODUCER)
        return TT_TRIGGER_EVENT;
    if (span->kind == TT_SPAN_CLIENT || role == TT_ROLE_MANY || role == TT_ROLE_REPLY ||
        role == TT_ROLE_CALLER)
        return TT_TRIGGER_CLIENT;
    return TT_TRIGGER_UNKNOWN;
}

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
    trace->root_trigger = trigger_of_root(span);
    trace->flags = TT_W3C_SAMPLED | TT_W3C_RANDOM;
    trace->spans = 1;
    trace->unix_offset = correlator->config.unix_offset(correlator->config.unix_context, span->start);
    correlator->stats.traces++;
}

/* Puts the span below another one that may be over, or of another process; a new trace with a link where that
 * would go beyond the caps of its trace. */
static void place_below(struct tt_correlator *correlator, struct tt_span *span, struct tt_trace *trace,
                        unsigned depth, const uint8_t parent_id[8], enum tt_proof proof)
{
    depth++;
    trace = tt_trace_find(trace, &depth);
    if (tt_correlate_beyond_caps(correlator, trace, depth, 1, span->start)) {
        begin_trace(correlator, span);
        if (span->trace)
            tt_correlate_set_split(correlator, span, trace, parent_id);
        return;
    }
    span->trace = tt_trace_get(trace);
    span->depth = depth;
    trace->spans++;
    span->proof = proof;
    memcpy(span->parent_id, parent_id, sizeof(span->parent_id));
}

/* An event was received. True: by proof it is below the one that was sent. */
static bool event_received(struct tt_correlator *correlator, struct tt_span *span)
{
    struct tt_correlator_stats *stats = &correlator->stats;
    const struct tt_push *push;
    bool ambiguous;
    if (!span->topic || !span->has_counter)
        return false;
    span->events_lost = tt_topics_receive(correlator->topics, span, &span->event_again);
    stats->events_lost += span->events_lost;
    push = tt_topics_find(correlator->topics, span->topic, span->counter, &ambiguous);
    stats->events_ambiguous += ambiguous;
    if (!push || push->time > span->start) {
        stats->events_unmatched++;
        return false;
    }
    stats->events_joined++;
    span->pushed = push->time;
    span->parent_remote = push->tgid != span->tgid;
    place_below(correlator, span, push->trace, push->depth, push->span_id, TT_PROOF_EVENT);
    return true;
}

static void event_pushed(void *context, struct tt_span *span, uint64_t time)
{
    struct tt_correlator *correlator = context;
    span->subscribers = tt_topics_audience(correlator->topics, span->topic);
    if (span->trace)
        tt_topics_push(correlator->topics, span, time);
}

static bool is_life(const struct tt_span *span)
{
    return span->row->role == TT_ROLE_LIFE &&
           (span->trigger == TT_TRIGGER_STARTUP || span->trigger == TT_TRIGGER_SHUTDOWN);
}

/* A part of a server's start or end that nothing encloses. True: it is below the first part. */
static bool start_goes_on(struct tt_correlator *correlator, struct tt_span *span)
{
    const struct tt_start *start = tt_starts_find(correlator->starts, span->tgid);
    bool first = !strcmp(span->row->verb, "start") || !strcmp(span->row->verb, "stop server");
    if (!start || start->tid != span->tid || start->thread_start != span->thread_start ||
        start->trigger != span->trigger || first) /* another life of that pid; the first part itself */
        return false;
    place_below(correlator, span, start->trace, start->depth, start->span_id, TT_PROOF_PROCESS);
    return true;
}

/* What is placed by other proofs than nesting and requests. True: done. */
static bool placed_by_cause(struct tt_correlator *correlator, struct tt_span *span)
{
    const struct tt_row *row = span->row;
    if (row->role == TT_ROLE_RECEIVE)
        return event_received(correlator, span);
    if (row->role == TT_ROLE_MANY && row->verb && !strcmp(row->verb, "subscribe_event"))
        tt_topics_forget(correlator->topics, span->tgid);
    return !span->parent && is_life(span) && start_goes_on(correlator, span);
}

static void span_open(void *context, struct tt_span *span)
{
    struct tt_correlator *correlator = context;
    struct tt_span *parent = span->parent;
    random_id(&correlator->random, span->span_id, sizeof(span->span_id));
    if (placed_by_cause(correlator, span))
        return;
    if (span->answers && span->answers->trace) {
        span->linked = true;
        span->link_to = tt_trace_get(span->answers->trace);
        memcpy(span->link_span, span->answers->span_id, sizeof(span->link_span));
    }
    if (!parent || !parent->trace) {
        if (span->kind == TT_SPAN_SERVER && !span->collocated && server_native(correlator, span))
            return;
        begin_trace(correlator, span);
        if (span->trace && span->kind == TT_SPAN_SERVER && !span->collocated)
            server_request(correlator, span);
        if (span->trace && is_life(span))
            tt_starts_add(correlator->starts, span);
        return;
    }

    /* Inside one process no request is sent: native's context is first seen where it arrives. */
    struct tt_trace *native = span->collocated && is_native(correlator, span)
                                  ? native_trace(correlator, span, NULL)
                                  : NULL;
    if (native && parent->kind == TT_SPAN_CLIENT)
        tt_correlate_hide(correlator, parent, native, span->context.span_id);
    if (span->collocated && parent->kind == TT_SPAN_CLIENT)
        tt_correlate_set_peers(span, span->tgid, parent);
    unsigned depth = parent->depth + 1;
    struct tt_trace *trace = tt_trace_find(parent->trace, &depth);
    parent->used = true;
    if (tt_correlate_beyond_caps(correlator, trace, depth, 1, span->start)) {
        begin_trace(correlator, span);
        if (span->trace)
            tt_correlate_set_split(correlator, span, trace, parent->span_id);
        return;
    }
    span->trace = tt_trace_get(trace);
    span->depth = depth;
    trace->spans++;
    span->proof = TT_PROOF_NESTING;
    span->parent_remote = parent->hidden && parent->kind == TT_SPAN_SERVER;
    memcpy(span->parent_id, parent->span_id, sizeof(span->parent_id));
    if (native)
        hide_server(correlator, span, native);
}

/* Too many spans are held back: the oldest trace that waits is let go. */
static void limit_pending(struct tt_correlator *correlator)
{
    while (correlator->stats.pending > correlator->config.max_pending) {
        struct tt_request *oldest = tt_keys_oldest(correlator->keys, TT_SIDE_SERVER);
        if (!oldest)
            return;
        correlator->stats.evicted++;
        tt_correlate_decide_root(correlator, oldest, TT_INCOMPLETE_PARENT);
    }
}

/* Left to native telemetry. */
static void close_hidden(struct tt_correlator *correlator, struct tt_span *span)
{
    const struct tt_correlator_config *config = &correlator->config;
    unsigned depth = 0;
    struct tt_trace *own = span->trace, *trace = tt_trace_find(own, &depth);
    tt_correlate_drop_link(correlator, span);
    memcpy(span->trace_id, trace->id, sizeof(span->trace_id));
    span->unix_offset = trace->unix_offset;
    span->root_tgid = trace->root_tgid;
    span->trace = NULL;
    tt_trace_put(&correlator->traces, own);
    if (config->native_hidden)
        config->native_hidden(config->native_context, span);
    else
        tt_span_free(&span);
}

static void span_close(void *context, struct tt_span *span)
{
    struct tt_correlator *correlator = context;
    tt_correlate_close_ledger(span);
    while (span->sent) {
        struct tt_request *request = span->sent;
        span->sent = request->sent_next;
        request->span = NULL;
        request->sent_previous = request->sent_next = NULL;
        request->until = span->end;
        tt_keys_renew(correlator->keys, request, span->end);
    }
    if (!span->trace) { /* was out of memory when it began: a trace of its own, known by its span id */
        memcpy(span->trace_id, span->span_id, sizeof(span->span_id));
        span->incomplete |= TT_INCOMPLETE_PARENT;
        span->root_trigger = trigger_of_root(span);
        span->top = true;
        tt_correlate_drop_link(correlator, span);
        span->unix_offset = correlator->config.unix_offset(correlator->config.unix_context, span->start);
        correlator->stats.emitted++;
        correlator->emit(correlator->context, span);
        return;
    }
    if (span->hidden) {
        close_hidden(correlator, span);
        return;
    }
    tt_correlate_settle(correlator, span);
    limit_pending(correlator);
}

void tt_correlator_configure(struct tt_correlator *correlator, uint64_t join_wait_ns, bool native)
{
    correlator->config.join_wait_ns = join_wait_ns;
    correlator->config.native = native;
}

void tt_correlator_log(struct tt_correlator *correlator, struct tt_log *log)
{
    tt_correlate_log(correlator, log);
    limit_pending(correlator);
}

static void log_written(void *context, struct tt_log *log)
{
    tt_correlator_log(context, log);
}

bool tt_correlator_ids(const struct tt_span *span, uint8_t trace_id[16])
{
    unsigned depth = 0;
    const struct tt_trace *trace = span->trace ? tt_trace_find(span->trace, &depth) : NULL;
    if (!trace || trace->waiting)
        return false;
    memcpy(trace_id, trace->id, sizeof(trace->id));
    return true;
}

/* The first wait of a span links it to the one that holds what it waits for. */
static void span_waits(void *context, struct tt_span *span, const struct tt_wait *wait)
{
    struct tt_correlator *correlator = context;
    const struct tt_span *holding = wait->holding;
    if (holding && holding->trace && !span->linked && !holding->hidden) {
        span->linked = true;
        span->link_to = tt_trace_get(holding->trace);
        memcpy(span->link_span, holding->span_id, sizeof(span->link_span));
    }
    if (correlator->config.wait)
        correlator->config.wait(correlator->context, span, wait);
}

struct tt_assembler_ops tt_correlator_ops(struct tt_correlator *correlator)
{
    return (struct tt_assembler_ops){.open = span_open,
                                     .request = client_request,
                                     .close = span_close,
                                     .log = correlator->config.log ? log_written : NULL,
                                     .pushed = event_pushed,
                                     .wait = span_waits,
                                     .context = correlator};
}

/* ---- time ------------------------------------------------------------------------------------ */

void tt_correlator_tick(struct tt_correlator *correlator, uint64_t now)
{
    struct tt_request *oldest;
    uint64_t wait = correlator->config.join_wait_ns;
    while ((oldest = tt_keys_oldest(correlator->keys, TT_SIDE_CLIENT)) && oldest->seen < now &&
           now - oldest->seen > wait) {
        if (oldest->span) /* the call is open still, its server may be busy */
            tt_keys_renew(correlator->keys, oldest, now);
        else
            tt_correlate_give_up_client(correlator, oldest);
    }
    while ((oldest = tt_keys_oldest(correlator->keys, TT_SIDE_SERVER)) && oldest->time < now &&
           now - oldest->time > wait)
        tt_correlate_decide_root(correlator, oldest, 0);
    tt_topics_expire(correlator->topics, now);
    if (now > correlator->config.max_age_ns)
        tt_natives_expire(correlator->natives, now - correlator->config.max_age_ns);
}

void tt_correlator_forget(struct tt_correlator *correlator, uint32_t tgid)
{
    tt_topics_forget(correlator->topics, tgid);
    tt_starts_forget(correlator->starts, tgid);
}

void tt_correlator_flush(struct tt_correlator *correlator)
{
    struct tt_request *oldest;
    while ((oldest = tt_keys_oldest(correlator->keys, TT_SIDE_CLIENT)))
        tt_correlate_give_up_client(correlator, oldest);
    while ((oldest = tt_keys_oldest(correlator->keys, TT_SIDE_SERVER)))
        tt_correlate_decide_root(correlator, oldest, 0);
}

const struct tt_correlator_stats *tt_correlator_stats(const struct tt_correlator *correlator)
{
    return &correlator->stats;
}
