/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "correlate/correlate.h"
#include "enrich/enrich.h"

#define BLOCKS_MAX   256 /* who held up whom; the one that did so longest ago makes room */
#define WAITS_MAX    256 /* waits that go on; the oldest makes room */
#define TOLD_TIMES   3   /* at 1, 2 and 4 times the limit */
#define LOOK_NS      (100 * TT_NS_PER_MS)
#define LEVEL_WARN   400 /* log4tango::Level */
#define NAME_SIZE    128
#define PHRASE_SIZE  400
#define STATE_SIZE   640
#define MESSAGE_SIZE 1200

/* Somebody at work: what it does, for whom. "": not known. */
struct party {
    char operation[NAME_SIZE], device[NAME_SIZE], client[NAME_SIZE];
    uint32_t thread; /* in its own pid namespace; 0: not known */
};

struct block {
    uint32_t tgid;
    char monitor[NAME_SIZE];
    struct party holder, waiter; /* `thread`: of the last time */
    uint64_t count, total, longest, last;
};

struct wait {
    uint32_t tid, holder; /* threads; what they do says the block */
    uint64_t since;
    struct block *block;
};

struct tt_calls {
    struct tt_calls_config config;
    uint64_t looked;
    size_t block_count, wait_count;
    struct block blocks[BLOCKS_MAX];
    struct wait waits[WAITS_MAX]; /* in any order */
};

struct tt_calls *tt_calls_new(const struct tt_calls_config *config)
{
    struct tt_calls *calls = calloc(1, sizeof(*calls));

    if (calls)
        calls->config = *config;
    return calls;
}

void tt_calls_free(struct tt_calls **calls)
{
    free(*calls);
    *calls = NULL;
}

void tt_calls_configure(struct tt_calls *calls, uint64_t open_ns, uint64_t wait_ns)
{
    calls->config.open_ns = open_ns;
    calls->config.wait_ns = wait_ns;
}

/* ---- parties ---- */

static struct tt_process *process_of(const struct tt_calls *calls, uint32_t pid)
{
    return pid ? calls->config.process(calls->config.context, pid, 0) : NULL;
}

/* "a/b/c (pid 7)", "gui.py (pid 7)", "pid 7" */
static void name_program(const struct tt_calls *calls, const char *device, uint32_t pid, char *text)
{
    _cleanup_(tt_process_put) struct tt_process *process = process_of(calls, pid);
    const char *name = device && *device ? device : process ? process->name : NULL;

    if (name)
        snprintf(text, NAME_SIZE, "%.100s (pid %u)", name, pid);
    else
        snprintf(text, NAME_SIZE, "pid %u", pid);
}

static void name_client(const struct tt_calls *calls, const struct tt_span *span, char *text)
{
    static const char *const causes[] = {
        [TT_TRIGGER_POLLING] = "polling",
        [TT_TRIGGER_STARTUP] = "startup",
        [TT_TRIGGER_SHUTDOWN] = "shutdown",
        [TT_TRIGGER_UNKNOWN] = NULL,
    };

    *text = '\0';
    if (span->kind == TT_SPAN_CLIENT)
        name_program(calls, span->owner_device, span->tgid, text);
    else if (span->has_peer)
        name_program(calls, span->peer_device, span->peer_tgid, text);
    else if (span->has_client && span->client.language % 2 == 0 && span->client.pid)
        snprintf(text, NAME_SIZE, "pid %u", span->client.pid); /* as it calls itself */
    else if (span->kind != TT_SPAN_SERVER && causes[span->trigger])
        snprintf(text, NAME_SIZE, "%s", causes[span->trigger]);
}

static void describe(const struct tt_calls *calls, const struct tt_span *span, struct party *party)
{
    struct tt_arena arena = {0};
    const char *title = tt_enrich_title(&arena, span);

    snprintf(party->operation, sizeof(party->operation), "%s", title ?: "");
    snprintf(party->device, sizeof(party->device), "%s", span->device ?: "");
    name_client(calls, span, party->client);
    party->thread = span->tid;
    tt_arena_free(&arena);
}

/* "read State of a/b/c for gui.py (pid 7)" */
static const char *phrase(const struct party *party, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s%s%s", *party->operation ? party->operation : "something unseen",
             *party->device ? " of " : "", party->device, *party->client ? " for " : "", party->client);
    return text;
}

static bool is_same(const struct party *a, const struct party *b)
{
    return !strcmp(a->operation, b->operation) && !strcmp(a->device, b->device) &&
           !strcmp(a->client, b->client);
}

/* ---- who holds up whom ---- */

static void end_wait(struct tt_calls *calls, struct wait *wait)
{
    *wait = calls->waits[--calls->wait_count];
}

/* Room for one more: that of the block which was the last to hold anybody up longest ago, if there is no
 * other. */
static struct block *new_block(struct tt_calls *calls)
{
    struct block *oldest = calls->blocks;

    if (calls->block_count < BLOCKS_MAX)
        return &calls->blocks[calls->block_count++];
    for (size_t i = 1; i < BLOCKS_MAX; i++)
        if (calls->blocks[i].last < oldest->last)
            oldest = &calls->blocks[i];
    for (size_t i = calls->wait_count; i-- > 0;)
        if (calls->waits[i].block == oldest)
            end_wait(calls, &calls->waits[i]);
    return oldest;
}

static struct block *find_block(struct tt_calls *calls, uint32_t tgid, const char *monitor,
                                const struct party *holder, const struct party *waiter)
{
    struct block *block;

    for (size_t i = 0; i < calls->block_count; i++) {
        block = &calls->blocks[i];
        if (block->tgid == tgid && !strcmp(block->monitor, monitor) && is_same(&block->holder, holder) &&
            is_same(&block->waiter, waiter))
            return block;
    }
    block = new_block(calls);
    *block = (struct block){.tgid = tgid, .holder = *holder, .waiter = *waiter};
    snprintf(block->monitor, sizeof(block->monitor), "%s", monitor);
    return block;
}

static struct wait *find_wait(struct tt_calls *calls, uint32_t tid)
{
    for (size_t i = 0; i < calls->wait_count; i++)
        if (calls->waits[i].tid == tid)
            return &calls->waits[i];
    return NULL;
}

static struct wait *new_wait(struct tt_calls *calls)
{
    struct wait *oldest = calls->waits;

    if (calls->wait_count < WAITS_MAX)
        return &calls->waits[calls->wait_count++];
    for (size_t i = 1; i < WAITS_MAX; i++)
        if (calls->waits[i].since < oldest->since)
            oldest = &calls->waits[i];
    return oldest;
}

static void wait_begins(struct tt_calls *calls, const struct tt_span *span, const struct tt_wait *w)
{
    struct wait *wait = find_wait(calls, span->tid);
    struct party holder = {.thread = 0}, waiter = {.thread = 0};
    struct block *block;
    char monitor[NAME_SIZE];

    if (wait) /* its end was not seen */
        end_wait(calls, wait);
    if (w->holding)
        describe(calls, w->holding, &holder);
    describe(calls, span, &waiter);
    snprintf(monitor, sizeof(monitor), "%s", w->monitor);
    block = find_block(calls, span->tgid, monitor, &holder, &waiter);
    block->last = w->start;
    block->holder.thread = w->holder;
    block->waiter.thread = span->tid;
    *new_wait(calls) = (struct wait){
        .tid = span->tid, .holder = w->holder, .since = w->start, .block = block};
}

/* Who holds what is waited for; another thread of the same doing may have done so since. */
static struct party holder_of(const struct wait *wait)
{
    struct party holder = wait->block->holder;

    holder.thread = wait->holder;
    return holder;
}

/* ---- records ---- */

static const char *copy(struct tt_log *log, const char *text)
{
    return tt_arena_copy(&log->arena, text, strlen(text));
}

static void add_text(struct tt_log *log, enum tt_attr attr, const char *text)
{
    if (*text && log->fact_count < TT_LOG_FACTS)
        log->facts[log->fact_count++] = (struct tt_log_fact){.attr = attr, .text = copy(log, text)};
}

static void add_number(struct tt_log *log, enum tt_attr attr, uint64_t number)
{
    if (log->fact_count < TT_LOG_FACTS)
        log->facts[log->fact_count++] = (struct tt_log_fact){.attr = attr, .number = (int64_t)number};
}

static void add_holder(struct tt_log *log, const struct wait *wait, uint64_t ns)
{
    const struct party *holder = &wait->block->holder;

    add_text(log, TT_ATTR_LOG_MONITOR, wait->block->monitor);
    add_number(log, TT_ATTR_LOG_WAIT, ns);
    add_number(log, TT_ATTR_LOG_HOLDER, wait->holder);
    add_text(log, TT_ATTR_LOG_HOLDER_OPERATION, holder->operation);
    add_text(log, TT_ATTR_LOG_HOLDER_TARGET, holder->device);
    add_text(log, TT_ATTR_LOG_HOLDER_CLIENT, holder->client);
}

/* Of that span, which is open; NULL when out of memory. */
static struct tt_log *begin_record(struct tt_span *span, const char *event, uint64_t time,
                                   const struct party *party)
{
    struct tt_log *log = tt_log_new();

    if (!log)
        return NULL;
    log->event = event;
    log->tgid = span->tgid;
    log->tid = span->tid;
    memcpy(log->thread_name, span->thread_name, sizeof(log->thread_name));
    log->time = time;
    log->span = span;
    log->level = LEVEL_WARN;
    log->has_level = true;
    tt_log_set_owner(log, span);
    add_text(log, TT_ATTR_LOG_OPERATION, party->operation);
    add_text(log, TT_ATTR_LOG_TARGET, party->device);
    add_text(log, TT_ATTR_LOG_CLIENT, party->client);
    return log;
}

static void record_wait(const struct tt_calls *calls, struct tt_span *span, const struct wait *wait,
                        uint64_t end)
{
    char who[PHRASE_SIZE], by[PHRASE_SIZE], text[MESSAGE_SIZE];
    uint64_t ns = end - wait->since;
    struct tt_log *log = begin_record(span, "tango.monitor.wait", end, &wait->block->waiter);

    if (!log)
        return;
    add_holder(log, wait, ns);
    snprintf(text, sizeof(text), "%s waited %.0f ms for the monitor of %s, held by %s (thread %u)",
             phrase(&wait->block->waiter, who, sizeof(who)), (double)ns / 1e6, wait->block->monitor,
             phrase(&wait->block->holder, by, sizeof(by)), wait->holder);
    log->message = copy(log, text);
    calls->config.record(calls->config.context, log);
}

void tt_calls_wait(struct tt_calls *calls, struct tt_span *span, const struct tt_wait *w)
{
    const struct tt_calls_config *config = &calls->config;
    struct wait *wait;
    uint64_t ns;

    if (!w->end) {
        wait_begins(calls, span, w);
        return;
    }
    wait = find_wait(calls, span->tid);
    if (!wait || wait->since != w->start)
        return;
    ns = w->end - w->start;
    wait->block->count++;
    wait->block->total += ns;
    wait->block->last = w->end;
    if (ns > wait->block->longest)
        wait->block->longest = ns;
    if (config->record && config->wait_ns && ns >= config->wait_ns)
        record_wait(calls, span, wait, w->end);
    end_wait(calls, wait);
}

/* ---- open calls ---- */

/* The wait that the call is in; NULL: none that is known. */
static const struct wait *wait_of(const struct tt_calls *calls, const struct tt_open *open)
{
    const struct wait *wait = open->waiting ? find_wait((struct tt_calls *)calls, open->span->tid) : NULL;

    return wait && wait->since == open->since ? wait : NULL;
}

/* What it is at, for people; "": in cppTango. */
static void put_state(const struct tt_calls *calls, const struct tt_open *open, char *text, size_t size)
{
    const struct tt_span *inside = open->inside;
    const struct wait *wait = wait_of(calls, open);
    char by[PHRASE_SIZE];
    struct party party;
    bool calls_on;

    *text = '\0';
    if (wait) {
        snprintf(text, size, "the monitor of %s, held by %s (thread %u)", wait->block->monitor,
                 phrase(&wait->block->holder, by, sizeof(by)), wait->holder);
    } else if (inside == open->span || !inside) {
        if (open->span->kind == TT_SPAN_CLIENT)
            snprintf(text, size, "%s", open->span->requests ? "the reply" : "its request to be sent");
    } else {
        describe(calls, inside, &party);
        calls_on = inside->kind == TT_SPAN_CLIENT && *party.device;
        snprintf(text, size, "%s%s%s%s", inside->row->role == TT_ROLE_METHOD ? "its method " : "",
                 party.operation, calls_on ? " of " : "", calls_on ? party.device : "");
    }
}

static bool is_call(const struct tt_span *span)
{
    return span->kind == TT_SPAN_CLIENT || span->kind == TT_SPAN_SERVER;
}

struct round {
    const struct tt_calls *calls;
    struct tt_json *json;
    uint64_t now;
};

static uint64_t age_of(const struct round *round, const struct tt_span *span)
{
    return round->now > span->start ? round->now - span->start : 0;
}

static void record_open(void *context, const struct tt_open *open)
{
    const struct round *round = context;
    const struct tt_calls *calls = round->calls;
    struct tt_span *span = open->span;
    const struct wait *wait = wait_of(calls, open);
    char who[PHRASE_SIZE], state[STATE_SIZE], text[MESSAGE_SIZE];
    struct party party;
    struct tt_log *log;

    if (!is_call(span) || span->told >= TOLD_TIMES ||
        age_of(round, span) < calls->config.open_ns << span->told)
        return;
    span->told++;
    describe(calls, span, &party);
    log = begin_record(span, "tango.call.open", round->now, &party);
    if (!log)
        return;
    put_state(calls, open, state, sizeof(state));
    add_number(log, TT_ATTR_LOG_AGE, age_of(round, span));
    add_text(log, TT_ATTR_LOG_WAITS_FOR, state);
    if (wait)
        add_holder(log, wait, round->now - wait->since);
    snprintf(text, sizeof(text), "%s is open for %.1f s%s%s", phrase(&party, who, sizeof(who)),
             (double)age_of(round, span) / 1e9, *state ? ", waits for " : "", state);
    log->message = copy(log, text);
    calls->config.record(calls->config.context, log);
}

void tt_calls_tick(struct tt_calls *calls, struct tt_assembler *assembler, uint64_t now)
{
    struct round round = {.calls = calls, .now = now};

    if (!calls->config.record || !calls->config.open_ns || now - calls->looked < LOOK_NS)
        return;
    calls->looked = now;
    tt_assembler_each_open(assembler, record_open, &round);
}

/* ---- for those who ask ---- */

static void put_party(struct tt_json *json, const char *key, const struct party *party)
{
    tt_json_object(json, key);
    tt_json_string(json, "operation", party->operation);
    tt_json_string(json, "device", party->device);
    tt_json_string(json, "client", party->client);
    tt_json_uint(json, "thread", party->thread);
    tt_json_object_end(json);
}

static void put_call(void *context, const struct tt_open *open)
{
    const struct round *round = context;
    struct tt_json *json = round->json;
    const struct tt_span *span = open->span;
    const struct wait *wait = wait_of(round->calls, open);
    _cleanup_(tt_process_put) struct tt_process *process = NULL;
    char state[STATE_SIZE];
    uint8_t trace_id[16];
    struct party party;

    if (!is_call(span))
        return;
    process = process_of(round->calls, span->tgid);
    if (process && !process->selected)
        return;
    describe(round->calls, span, &party);
    put_state(round->calls, open, state, sizeof(state));
    tt_json_object(json, NULL);
    tt_json_double(json, "age_seconds", (double)age_of(round, span) / 1e9);
    tt_json_string(json, "side", span->kind == TT_SPAN_CLIENT ? "client" : "server");
    tt_json_string(json, "process", process ? process->name : "");
    tt_json_uint(json, "pid", span->tgid);
    tt_json_uint(json, "thread", span->tid);
    tt_json_string(json, "operation", party.operation);
    tt_json_string(json, "device", party.device);
    tt_json_string(json, "client", party.client);
    tt_json_string(json, "waits_for", state);
    if (wait) {
        struct party holder = holder_of(wait);

        tt_json_object(json, "monitor");
        tt_json_string(json, "name", wait->block->monitor);
        tt_json_double(json, "seconds", (double)(round->now - wait->since) / 1e9);
        put_party(json, "holder", &holder);
        tt_json_object_end(json);
    }
    if (tt_correlator_ids(span, trace_id))
        tt_json_hex(json, "trace_id", trace_id, sizeof(trace_id));
    tt_json_hex(json, "span_id", span->span_id, sizeof(span->span_id));
    tt_json_object_end(json);
}

static void put_block(const struct round *round, const struct block *block)
{
    _cleanup_(tt_process_put) struct tt_process *process = process_of(round->calls, block->tgid);
    struct tt_json *json = round->json;
    uint64_t waiting = 0;

    for (size_t i = 0; i < round->calls->wait_count; i++)
        waiting += round->calls->waits[i].block == block;
    tt_json_object(json, NULL);
    tt_json_string(json, "process", process ? process->name : "");
    tt_json_uint(json, "pid", block->tgid);
    tt_json_string(json, "monitor", block->monitor);
    put_party(json, "holder", &block->holder);
    put_party(json, "waiter", &block->waiter);
    tt_json_uint(json, "waiting", waiting);
    tt_json_uint(json, "waits", block->count);
    tt_json_double(json, "total_seconds", (double)block->total / 1e9);
    tt_json_double(json, "longest_seconds", (double)block->longest / 1e9);
    tt_json_double(json, "last_seconds",
                   round->now > block->last ? (double)(round->now - block->last) / 1e9 : 0);
    tt_json_object_end(json);
}

void tt_calls_json(const struct tt_calls *calls, struct tt_assembler *assembler, uint64_t now,
                   struct tt_json *json)
{
    struct round round = {.calls = calls, .json = json, .now = now};

    tt_json_array(json, "calls");
    tt_assembler_each_open(assembler, put_call, &round);
    tt_json_array_end(json);
    tt_json_array(json, "blocks");
    for (size_t i = 0; i < calls->block_count; i++)
        put_block(&round, &calls->blocks[i]);
    tt_json_array_end(json);
}
