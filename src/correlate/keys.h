/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * keys.h: requests that wait for their other side: a table by connection and request id, and a queue by age.
 * Knows when two sides are one request (what the kernel knows of inet and unix sockets); knows
 * nothing of traces.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "assemble/span.h"

enum tt_side { TT_SIDE_CLIENT, TT_SIDE_SERVER, TT_SIDES };

/* What both sides see alike: TCP addresses and ports, unix socket addresses in the kernel; and the request
 * id. */
struct tt_key_identity {
    uint64_t client[2], server[2]; /* unix: the kernel's socket, 0 */
    uint16_t client_port, server_port, family, pad;
    uint32_t request_id;
    uint32_t pad2;
};

struct tt_request {
    struct tt_request *chain;                     /* same bucket */
    struct tt_request *older, *newer;             /* same side, by age */
    struct tt_request *sent_previous, *sent_next; /* CLIENT and settled: other requests of the same span */
    struct tt_key_identity identity;
    uint64_t hash;
    /* What one side may not know: 0. */
    uint64_t netns;                      /* demanded equal for loopback addresses only */
    uint64_t client_inode, server_inode; /* unix */
    bool loopback;
    enum tt_side side;
    uint64_t time;
    uint64_t until; /* CLIENT: when the call ended; while `span` is open it has not */
    uint64_t seen;  /* the age by which the queue is ordered */
    /* The caller's. */
    struct tt_trace *trace;
    struct tt_span *span; /* CLIENT and settled: NULL once closed */
    bool settled;         /* SERVER: its parent is known by native's trace context; it waits only to be met */
    uint32_t tgid;
    unsigned depth;
    uint8_t span_id[8];
};

struct tt_keys;

/* Room for `max` requests of each side. NULL when out of memory. */
struct tt_keys *tt_keys_new(size_t max);
void tt_keys_free(struct tt_keys **keys);

/* Fills identity and the rest that comes from the key; false if the connection is not known well enough. */
bool tt_keys_fill(struct tt_request *request, enum tt_side side, const struct tt_key *key, uint64_t time);

/* Copies a filled request into the table; it must have room. NULL when out of memory. */
struct tt_request *tt_keys_add(struct tt_keys *keys, const struct tt_request *filled);
bool tt_keys_full(const struct tt_keys *keys, enum tt_side side);
/* Takes it out and frees it. */
void tt_keys_remove(struct tt_keys *keys, struct tt_request *request);
struct tt_request *tt_keys_oldest(const struct tt_keys *keys, enum tt_side side);

/* Makes it the newest of its side. */
void tt_keys_renew(struct tt_keys *keys, struct tt_request *request, uint64_t now);

struct tt_keys_found {
    struct tt_request *match; /* the first that fits */
    unsigned count;           /* that fit: 0, 1, or 2 for more than one */
    unsigned late;            /* would fit but for the time */
};

/* Requests of `side` that fit `request` (filled; a member of the table or not; itself excluded), a server's
 * not more than `wait` ns outside the time of the client's call. */
struct tt_keys_found tt_keys_find(const struct tt_keys *keys, enum tt_side side,
                                  const struct tt_request *request, uint64_t wait);
