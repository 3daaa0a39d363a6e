/* SPDX-License-Identifier: GPL-2.0-only */
#include "correlate/keys.h"

#include <stdlib.h>
#include <string.h>

#define FAMILY_UNIX  1
#define FAMILY_INET  2
#define FAMILY_INET6 10

/*
 * Chained buckets of a fixed number instead of uthash: one key has several entries as a rule (both sides, and
 * the lives of a unix socket address), the size is bounded anyway, and nothing is ever moved or grown.
 */
struct tt_keys {
    size_t buckets; /* a power of two */
    size_t max;
    struct tt_request **bucket;
    struct tt_request *spare;
    struct {
        struct tt_request *oldest, *newest;
        size_t count;
    } side[TT_SIDES];
};

struct tt_keys *tt_keys_new(size_t max)
{
    struct tt_keys *keys = calloc(1, sizeof(*keys));
    if (!keys)
        return NULL;
    keys->max = max;
    for (keys->buckets = 64; keys->buckets < max && keys->buckets < (1u << 20);)
        keys->buckets *= 2;
    keys->bucket = calloc(keys->buckets, sizeof(struct tt_request *));
    if (!keys->bucket) {
        free(keys);
        return NULL;
    }
    return keys;
}

void tt_keys_free(struct tt_keys **keys)
{
    struct tt_keys *old = *keys;
    if (!old)
        return;
    for (int side = 0; side < TT_SIDES; side++)
        while (old->side[side].oldest)
            tt_keys_remove(old, old->side[side].oldest);
    while (old->spare) {
        struct tt_request *request = old->spare;
        old->spare = request->chain;
        free(request);
    }
    free(old->bucket);
    free(old);
    *keys = NULL;
}

static uint64_t hash_identity(const struct tt_key_identity *identity)
{
    uint64_t words[sizeof(*identity) / sizeof(uint64_t)], hash = 0;
    memcpy(words, identity, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 29;
    }
    return hash;
}

static bool is_loopback(uint16_t family, const uint64_t address[2])
{
    static const uint8_t loopback6[16] = {[15] = 1};
    uint8_t bytes[16];
    memcpy(bytes, address, sizeof(bytes));
    return family == FAMILY_INET ? bytes[0] == 127 : !memcmp(bytes, loopback6, sizeof(bytes));
}

static void fill_inet(struct tt_request *request, const struct tt_connection *connection, bool is_client)
{
    struct tt_key_identity *identity = &request->identity;
    size_t size = connection->family == FAMILY_INET ? 4 : 16;
    memcpy(is_client ? identity->client : identity->server, connection->local, size);
    memcpy(is_client ? identity->server : identity->client, connection->remote, size);
    identity->client_port = is_client ? connection->local_port : connection->remote_port;
    identity->server_port = is_client ? connection->remote_port : connection->local_port;
    request->netns = connection->netns;
    request->loopback = is_loopback(connection->family, identity->client) ||
                        is_loopback(connection->family, identity->server);
}

static void fill_unix(struct tt_request *request, const struct tt_connection *connection, bool is_client)
{
    const __u64 *client = is_client ? connection->local : connection->remote;
    const __u64 *server = is_client ? connection->remote : connection->local;
    request->identity.client[0] = client[0];
    request->identity.server[0] = server[0];
    request->client_inode = client[1];
    request->server_inode = server[1];
}

bool tt_keys_fill(struct tt_request *request, enum tt_side side, const struct tt_key *key, uint64_t time)
{
    const struct tt_connection *connection = &key->connection;
    struct tt_key_identity *identity = &request->identity;
    memset(request, 0, sizeof(*request));
    request->side = side;
    request->time = request->until = request->seen = time;
    identity->family = connection->family;
    identity->request_id = key->request_id;

    bool usable;
    if (connection->family == FAMILY_INET || connection->family == FAMILY_INET6) {
        fill_inet(request, connection, side == TT_SIDE_CLIENT);
        usable = identity->client_port && identity->server_port;
    } else {
        fill_unix(request, connection, side == TT_SIDE_CLIENT);
        usable = connection->family == FAMILY_UNIX && identity->client[0] && identity->server[0];
    }
    request->hash = hash_identity(identity);
    return usable;
}

bool tt_keys_full(const struct tt_keys *keys, enum tt_side side)
{
    return keys->side[side].count >= keys->max;
}

struct tt_request *tt_keys_oldest(const struct tt_keys *keys, enum tt_side side)
{
    return keys->side[side].oldest;
}

static void queue_add(struct tt_keys *keys, struct tt_request *request)
{
    request->newer = NULL;
    request->older = keys->side[request->side].newest;
    if (request->older)
        request->older->newer = request;
    else
        keys->side[request->side].oldest = request;
    keys->side[request->side].newest = request;
}

static void queue_remove(struct tt_keys *keys, struct tt_request *request)
{
    if (request->older)
        request->older->newer = request->newer;
    else
        keys->side[request->side].oldest = request->newer;
    if (request->newer)
        request->newer->older = request->older;
    else
        keys->side[request->side].newest = request->older;
}

void tt_keys_renew(struct tt_keys *keys, struct tt_request *request, uint64_t now)
{
    request->seen = now;
    queue_remove(keys, request);
    queue_add(keys, request);
}

struct tt_request *tt_keys_add(struct tt_keys *keys, const struct tt_request *filled)
{
    struct tt_request *request = keys->spare;
    if (request)
        keys->spare = request->chain;
    else if (!(request = malloc(sizeof(*request))))
        return NULL;
    *request = *filled;

    struct tt_request **bucket = &keys->bucket[request->hash & (keys->buckets - 1)];
    request->chain = *bucket;
    *bucket = request;
    queue_add(keys, request);
    keys->side[request->side].count++;
    return request;
}

void tt_keys_remove(struct tt_keys *keys, struct tt_request *request)
{
    struct tt_request **at = &keys->bucket[request->hash & (keys->buckets - 1)];
    while (*at != request)
        at = &(*at)->chain;
    *at = request->chain;

    queue_remove(keys, request);
    keys->side[request->side].count--;
    request->chain = keys->spare;
    keys->spare = request;
}

static bool both_known_differ(uint64_t a, uint64_t b)
{
    return a && b && a != b;
}

static bool fits(const struct tt_request *a, const struct tt_request *b)
{
    if (a->hash != b->hash || memcmp(&a->identity, &b->identity, sizeof(a->identity)) != 0)
        return false;
    /* Addresses mean the same in all network namespaces, but for those of the loopback device. */
    if (a->loopback && both_known_differ(a->netns, b->netns))
        return false;
    /* Kernel socket addresses are reused at once; a side that is not accepted yet or closed already has no
     * inode. */
    return !both_known_differ(a->client_inode, b->client_inode) &&
           !both_known_differ(a->server_inode, b->server_inode);
}

/* Connection and id mean this call as long as it is open: a server that is busy may take it up late. */
static bool too_late(const struct tt_request *a, const struct tt_request *b, uint64_t wait)
{
    const struct tt_request *client = a->side == TT_SIDE_CLIENT ? a : b, *server = client == a ? b : a;
    return server->time + wait < client->time || (!client->span && server->time > client->until + wait);
}

struct tt_keys_found tt_keys_find(const struct tt_keys *keys, enum tt_side side,
                                  const struct tt_request *request, uint64_t wait)
{
    struct tt_keys_found found = {0};
    for (struct tt_request *other = keys->bucket[request->hash & (keys->buckets - 1)]; other;
         other = other->chain) {
        if (other == request || other->side != side || !fits(other, request))
            continue;
        if (too_late(other, request, wait)) {
            found.late++;
        } else {
            if (found.count++)
                break; /* two are as bad as many */
            found.match = other;
        }
    }
    return found;
}
