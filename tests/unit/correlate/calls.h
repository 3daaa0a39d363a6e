/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * calls.h: random calls of a small control system, as the truth (who called whom, how did it end) and as the
 * events they leave. A client thread may run several greenlets; each call chain goes over up to four
 * processes.
 */
#pragma once

#include "assemble/events.h"
#include "correlate/random.h"

#define LEVELS 5 /* client and four processes behind each other */

struct truth {
    int parent;   /* call, or -1 */
    int inner_of; /* frame of the same call that stands for it, or -1 */
    uint32_t row;
    bool failed, collocated;
    uint64_t end;
};

struct call_event {
    uint64_t time, key; /* when it happened; when it was recorded */
    uint32_t tid, tgid, row;
    int type, truth;
    uint64_t frame, sp;
    uint32_t port, request;
    unsigned flow;
    bool glued; /* nothing else happens on the thread before the flow's next event */
    bool dropped;
};

struct calls {
    struct random_state random;
    struct truth *truth;
    size_t truths, truth_room;
    struct call_event *event;
    size_t events, event_room;
    unsigned greenlets;  /* of a client thread */
    bool parks_anywhere; /* greenlets are switched even inside a call that waits for its reply */
};

/* One flow of control: a thread, or a greenlet of it. */
struct flow {
    uint32_t tid, tgid;
    uint64_t time, top; /* now; where its stack begins */
    unsigned number;
    size_t previous; /* its last event */
    bool glue;       /* to the next one: no switch */
    unsigned hold;   /* no switch until it is 0 again */
};

/* A client's flow and the server threads behind it. */
struct client {
    struct calls *calls;
    struct flow flow[LEVELS];
    uint32_t request[LEVELS];
    unsigned number;
};

static inline unsigned chance(struct calls *calls, unsigned percent)
{
    return random_next(&calls->random) % 100 < percent;
}

static inline uint64_t between(struct calls *calls, uint64_t low, uint64_t high)
{
    return low + random_next(&calls->random) % (high - low + 1);
}

static inline int new_truth(struct calls *calls, uint32_t row, int parent, int inner_of)
{
    if (calls->truths == calls->truth_room) {
        calls->truth_room = calls->truth_room ? calls->truth_room * 2 : 1024;
        calls->truth = realloc(calls->truth, calls->truth_room * sizeof(struct truth));
        assert_non_null(calls->truth);
    }
    calls->truth[calls->truths] = (struct truth){.parent = parent, .inner_of = inner_of, .row = row};
    return (int)calls->truths++;
}

static inline struct call_event *new_event(struct client *client, unsigned level, int type, uint32_t row,
                                           int truth, uint64_t frame, uint64_t sp)
{
    struct calls *calls = client->calls;
    struct flow *flow = &client->flow[level];
    if (calls->events == calls->event_room) {
        calls->event_room = calls->event_room ? calls->event_room * 2 : 4096;
        calls->event = realloc(calls->event, calls->event_room * sizeof(struct call_event));
        assert_non_null(calls->event);
    }
    if (flow->glue || flow->hold)
        calls->event[flow->previous].glued = true;
    flow->glue = false;
    flow->time += between(calls, 1, 5000);
    flow->previous = calls->events++;
    struct call_event *event = &calls->event[flow->previous];
    *event = (struct call_event){.time = flow->time,
                                 .tid = flow->tid,
                                 .tgid = flow->tgid,
                                 .row = row,
                                 .type = type,
                                 .truth = truth,
                                 .frame = frame,
                                 .sp = sp,
                                 .flow = flow->number};
    return event;
}

/* All functions below give back whether an exception leaves them, and take the stack pointer of their caller.
 */
static bool random_client_call(struct client *client, unsigned level, uint64_t sp, int parent);

static uint64_t deeper(struct client *client, uint64_t sp)
{
    return sp - 8 * between(client->calls, 8, 100);
}

static void begin(struct client *client, unsigned level, uint32_t row, int truth, uint64_t frame)
{
    new_event(client, level, TT_EVENT_ENTER, row, truth, frame, frame);
}

static bool end(struct client *client, unsigned level, uint32_t row, int truth, uint64_t frame, bool thrown)
{
    client->calls->truth[truth].failed = thrown;
    if (!thrown)
        new_event(client, level, TT_EVENT_EXIT, row, truth, frame, frame - 56);
    return thrown;
}

/* The caller, whose own stack pointer is `sp`, handles an exception that left a callee. */
static void handle(struct client *client, unsigned level, uint64_t sp)
{
    new_event(client, level, TT_EVENT_CATCH, CATCH, -1, 0, sp - 8);
}

/* Throws and catches inside, deeper than anything open. */
static void internal_exception(struct client *client, unsigned level, uint64_t sp)
{
    if (chance(client->calls, 10))
        handle(client, level, deeper(client, sp));
}

static bool method_body(struct client *client, unsigned level, uint64_t sp, int truth)
{
    for (unsigned n = level + 1 < LEVELS ? (unsigned)between(client->calls, 0, 2) : 0; n; n--) {
        if (!random_client_call(client, level, sp, truth))
            continue;
        if (chance(client->calls, 50))
            return true;
        handle(client, level, sp);
    }
    internal_exception(client, level, sp);
    return chance(client->calls, 15);
}

/* A method of a device: with or without others inside that are part of it. */
static bool method(struct client *client, unsigned level, uint64_t sp, int parent, bool collocated)
{
    static const uint32_t rows[] = {READ_5, WRITE_READ_5, COMMAND_4, COMMAND_2};
    uint32_t row = rows[between(client->calls, 0, 3)];
    int truth = new_truth(client->calls, row, parent, -1), inner;
    uint64_t frame = deeper(client, sp), inside = deeper(client, frame);
    bool thrown;
    client->calls->truth[truth].collocated = collocated;
    begin(client, level, row, truth, frame);
    if (row == COMMAND_4) { /* jumps */
        client->flow[level].glue = true;
        inner = new_truth(client->calls, COMMAND_2, parent, truth);
        begin(client, level, COMMAND_2, inner, frame);
        thrown = method_body(client, level, inside, truth);
        end(client, level, COMMAND_2, inner, frame, thrown);
        client->calls->truth[truth].failed = thrown;
        return thrown;
    }
    if (row == WRITE_READ_5) {
        inner = new_truth(client->calls, READ_5, parent, truth);
        uint64_t inner_frame = deeper(client, inside);
        begin(client, level, READ_5, inner, inner_frame);
        thrown = method_body(client, level, deeper(client, inner_frame), truth);
        end(client, level, READ_5, inner, inner_frame, thrown);
        return end(client, level, row, truth, frame, thrown);
    }
    thrown = method_body(client, level, inside, truth);
    return end(client, level, row, truth, frame, thrown);
}

/* Serves a request on the thread behind `level`. */
static bool serve(struct client *client, unsigned level, uint32_t request, int parent)
{
    struct flow *flow = &client->flow[level];
    uint64_t frame = deeper(client, flow->top);
    struct call_event *event = new_event(client, level, TT_EVENT_UPCALL, UPCALL, -1, frame, frame);
    event->port = 1000 + client->number * 10 + level;
    event->request = request;
    if (chance(client->calls, 10))
        return false; /* a method that is not catalogued */
    flow->glue = true;
    bool thrown = method(client, level, frame, parent, false);
    if (thrown)
        handle(client, level, frame);
    return thrown;
}

/* Sends a request and waits for the reply, or does not. */
static bool send_request(struct client *client, unsigned level, uint64_t sp, int truth)
{
    struct calls *calls = client->calls;
    struct flow *here = &client->flow[level], *there = &client->flow[level + 1];
    struct call_event *event = new_event(client, level, TT_EVENT_REQUEST, SEND, -1, deeper(client, sp),
                                         deeper(client, sp));
    event->port = 1000 + client->number * 10 + level + 1;
    event->request = client->request[level] += 2;
    if (chance(calls, 15))
        return false; /* to a process that is not traced */
    if (there->time < here->time)
        there->time = here->time;
    bool one_way = chance(calls, 10), thrown = serve(client, level + 1, event->request, truth);
    if (one_way)
        return false;
    if (here->time < there->time)
        here->time = there->time;
    return thrown;
}

static bool many(struct client *client, unsigned level, uint64_t sp, int parent)
{
    struct calls *calls = client->calls;
    uint32_t row = chance(calls, 50) ? CONNECT : CONSTRUCT;
    if (parent >= 0 && calls->truth[parent].row == row)
        row = row == CONNECT ? CONSTRUCT : CONNECT; /* inside its like it would have no span of its own */
    int truth = new_truth(calls, row, parent, -1);
    uint64_t frame = deeper(client, sp), inside = deeper(client, frame);
    bool thrown = false;
    begin(client, level, row, truth, frame);
    if (chance(calls, 20)) {
        client->flow[level].glue = true;
        thrown = send_request(client, level, inside, truth);
    }
    for (unsigned n = (unsigned)between(calls, 0, 2); n && !thrown; n--) {
        thrown = random_client_call(client, level, inside, truth);
        if (thrown && chance(calls, 50)) {
            handle(client, level, inside);
            thrown = false;
        }
    }
    return end(client, level, row, truth, frame, thrown || chance(calls, 5));
}

static bool one_body(struct client *client, unsigned level, uint64_t sp, int truth)
{
    struct calls *calls = client->calls;
    client->flow[level].glue =
        true; /* no switch between the entry and the first request: only C++ lies between */
    internal_exception(client, level, sp);
    if (chance(calls, 5))
        return true;                  /* refused */
    if (level && chance(calls, 10)) { /* to a device of the same process */
        client->flow[level].glue = true;
        return method(client, level, sp, truth, true);
    }
    client->flow[level].glue = true;
    bool thrown = send_request(client, level, sp, truth);
    if (chance(calls, 5) && !calls->greenlets)
        thrown = send_request(client, level, sp, truth); /* again */
    return thrown;
}

static bool one_inside(struct client *client, unsigned level, uint64_t sp, int parent, uint32_t row,
                       int truth)
{
    if (row == READ_CHAR) {
        int inner = new_truth(client->calls, READ, parent, truth);
        uint64_t frame = deeper(client, sp);
        client->flow[level].glue = true;
        begin(client, level, READ, inner, frame);
        bool thrown = one_body(client, level, deeper(client, frame), truth);
        return end(client, level, READ, inner, frame, thrown);
    }
    if (chance(client->calls, 5) && many(client, level, sp, truth)) /* reconnects first */
        return true;
    return one_body(client, level, sp, truth);
}

static bool one(struct client *client, unsigned level, uint64_t sp, int parent)
{
    struct flow *flow = &client->flow[level];
    static const uint32_t rows[] = {READ, READ_CHAR, COMMAND};
    uint32_t row = rows[between(client->calls, 0, 2)];
    int truth = new_truth(client->calls, row, parent, -1);
    uint64_t frame = deeper(client, sp);
    begin(client, level, row, truth, frame);
    flow->hold += !client->calls->parks_anywhere;
    bool thrown = one_inside(client, level, deeper(client, frame), parent, row, truth);
    end(client, level, row, truth, frame, thrown);
    flow->hold -= !client->calls->parks_anywhere;
    flow->glue = thrown; /* up to the handler */
    return thrown;
}

static bool random_client_call(struct client *client, unsigned level, uint64_t sp, int parent)
{
    if (level + 1 >= LEVELS)
        return false;
    return chance(client->calls, 20) ? many(client, level, sp, parent) : one(client, level, sp, parent);
}

static int by_time(const void *a, const void *b)
{
    const struct call_event *x = a, *y = b;
    return x->time < y->time ? -1 : x->time > y->time;
}

static int by_key(const void *a, const void *b)
{
    const struct call_event *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return by_time(a, b);
}

/* Greenlets take turns on their thread, at the switches that are possible. `event`: `count` of one thread, by
 * time. */
static inline void take_turns(struct call_event *event, size_t count)
{
    struct call_event *order = calloc(count, sizeof(*order));
    uint64_t time = 0;
    bool *taken = calloc(count, sizeof(*taken));
    assert_true(order && taken);
    for (size_t n = 0; n < count; n++) {
        bool held = n && order[n - 1].glued;
        size_t i = 0;
        while (i < count && (taken[i] || (held && event[i].flow != order[n - 1].flow)))
            i++;
        assert_true(i < count);
        taken[i] = true;
        order[n] = event[i];
        time = order[n].time = event[i].time > time ? event[i].time : time + 1;
    }
    memcpy(event, order, count * sizeof(*order));
    free(order);
    free(taken);
}

static int by_thread(const void *a, const void *b)
{
    const struct call_event *x = a, *y = b;
    if (x->tid != y->tid)
        return x->tid < y->tid ? -1 : 1;
    return by_time(a, b);
}

static inline void note_ends(struct calls *calls)
{
    for (size_t i = 0; i < calls->events; i++) {
        if (calls->event[i].type != TT_EVENT_EXIT)
            continue;
        struct truth *truth = &calls->truth[calls->event[i].truth];
        truth->end = calls->event[i].time;
        if (truth->row == COMMAND_2 && truth->inner_of >= 0) /* was jumped to */
            calls->truth[truth->inner_of].end = truth->end;
    }
}

/* Events of one thread stay in order, those of different threads are recorded up to `jitter` ns late. */
static inline void shuffle(struct calls *calls, uint64_t jitter)
{
    uint64_t last = 0;
    qsort(calls->event, calls->events, sizeof(calls->event[0]), by_thread);
    for (size_t i = 0, n; calls->greenlets && i < calls->events; i = n) {
        for (n = i; n < calls->events && calls->event[n].tid == calls->event[i].tid;)
            n++;
        take_turns(&calls->event[i], n - i);
    }
    note_ends(calls);
    for (size_t i = 0; i < calls->events; i++) {
        struct call_event *event = &calls->event[i];
        if (!i || event->tid != event[-1].tid)
            last = 0;
        event->key = event->time + between(calls, 0, jitter);
        if (event->key <= last)
            event->key = last + 1;
        last = event->key;
    }
    qsort(calls->event, calls->events, sizeof(calls->event[0]), by_key);
}

/* `clients` client threads with `greenlets` greenlets each (0: none), `rounds` calls each. */
static inline void make_calls(struct calls *calls, uint64_t seed, unsigned clients, unsigned greenlets,
                              bool parks_anywhere, unsigned rounds)
{
    memset(calls, 0, sizeof(*calls));
    random_seed(&calls->random, seed);
    calls->greenlets = greenlets;
    calls->parks_anywhere = parks_anywhere;
    unsigned flows = clients * (greenlets ? greenlets : 1);
    for (unsigned f = 0; f < flows; f++) {
        unsigned thread = greenlets ? f / greenlets : f;
        struct client client = {.calls = calls, .number = f};
        for (unsigned level = 0; level < LEVELS; level++) {
            client.flow[level] = (struct flow){.tid = level ? 100 + f * 10 + level : 10 + thread,
                                               .tgid = level ? 2000 + level : 1000 + thread,
                                               .time = 1000000,
                                               .number = f * LEVELS + level};
            client.flow[level].top = 0x7f0000100000 + client.flow[level].tid * 0x1000000ull;
            if (!level && greenlets) /* greenlets begin at about the same depth */
                client.flow[level].top -= 8 * between(calls, 0, 20) * between(calls, 0, 1);
        }
        bool polls = !greenlets && f % 5 == 4; /* a server's own thread */
        for (unsigned i = 0; i < rounds; i++) {
            uint64_t sp = client.flow[0].top;
            bool thrown = polls ? method(&client, 0, sp, -1, false) : random_client_call(&client, 0, sp, -1);
            if (thrown)
                handle(&client, 0, sp);
        }
    }
}

static inline void calls_free(struct calls *calls)
{
    free(calls->truth);
    free(calls->event);
}

/* Loses some, alone or in runs. */
static inline void drop_events(struct calls *calls, unsigned per_mille)
{
    for (size_t i = 0; i < calls->events; i++)
        if (random_next(&calls->random) % 1000 < per_mille)
            for (size_t n = 1 + (chance(calls, 20) ? between(calls, 1, 30) : 0); n && i < calls->events; n--)
                calls->event[i++].dropped = true;
}
