/* SPDX-License-Identifier: GPL-2.0-only */
/* blake2b.c: RFC 7693, sections 2.6, 2.7 and 3. */
#include "base/blake2b.h"

#include <stdbool.h>
#include <string.h>

#define ROUNDS 12

static const uint64_t initial[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* The order in which the words of a block are used; rounds 10 and 11 are 0 and 1 again. */
static const uint8_t sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint64_t rotated(uint64_t value, unsigned bits)
{
    return value >> bits | value << (64 - bits);
}

static inline void mix(uint64_t v[16], unsigned a, unsigned b, unsigned c, unsigned d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotated(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotated(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotated(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotated(v[b] ^ v[c], 63);
}

/* x86-64 has the byte order of the RFC. */
static void compress(struct tt_blake2b *state, const uint8_t *block, size_t size, bool last)
{
    uint64_t v[16], m[16];

    state->total += size;
    memcpy(v, state->h, sizeof(state->h));
    memcpy(v + 8, initial, sizeof(initial));
    v[12] ^= state->total;
    if (last)
        v[14] = ~v[14];
    memcpy(m, block, sizeof(m));
    for (unsigned i = 0; i < ROUNDS; i++) {
        const uint8_t *s = sigma[i % 10];

        for (unsigned j = 0; j < 4; j++)
            mix(v, j, j + 4, j + 8, j + 12, m[s[2 * j]], m[s[2 * j + 1]]);
        for (unsigned j = 0; j < 4; j++)
            mix(v, j, (j + 1) % 4 + 4, (j + 2) % 4 + 8, (j + 3) % 4 + 12, m[s[2 * j + 8]], m[s[2 * j + 9]]);
    }
    for (unsigned i = 0; i < 8; i++)
        state->h[i] ^= v[i] ^ v[i + 8];
}

void tt_blake2b_begin(struct tt_blake2b *state)
{
    memset(state, 0, sizeof(*state));
    memcpy(state->h, initial, sizeof(initial));
    state->h[0] ^= 0x01010000u ^ TT_DIGEST_SIZE; /* no key, fan-out and depth 1 */
}

void tt_blake2b_add(struct tt_blake2b *state, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    /* The last block is compressed by end(), so one that is full waits until more comes. */
    while (size) {
        size_t part = sizeof(state->block) - state->used;

        if (!part) {
            compress(state, state->block, sizeof(state->block), false);
            state->used = 0;
            continue;
        }
        if (part > size)
            part = size;
        memcpy(state->block + state->used, bytes, part);
        state->used += part;
        bytes += part;
        size -= part;
    }
}

void tt_blake2b_end(struct tt_blake2b *state, uint8_t digest[TT_DIGEST_SIZE])
{
    memset(state->block + state->used, 0, sizeof(state->block) - state->used);
    compress(state, state->block, state->used, true);
    memcpy(digest, state->h, TT_DIGEST_SIZE);
}
