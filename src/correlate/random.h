/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * random.h: ids of traces and spans: xoshiro256** (Blackman and Vigna, 2018), its state filled by splitmix64
 * from one seed. Not for secrets; unique ids are what is asked of it, and the same seed gives the same ids in
 * tests.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct random_state {
    uint64_t s[4];
};

static inline void random_seed(struct random_state *state, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15ull);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        state->s[i] = z ^ (z >> 31);
    }
}

static inline uint64_t random_rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t random_next(struct random_state *state)
{
    uint64_t *s = state->s;
    uint64_t result = random_rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate(s[3], 45);
    return result;
}

/* Fills 8 or 16 bytes; never all zero, which W3C trace context forbids. */
static inline void random_id(struct random_state *state, uint8_t *id, size_t size)
{
    for (size_t at = 0; at + sizeof(uint64_t) <= size; at += sizeof(uint64_t)) {
        uint64_t value;
        do
            value = random_next(state);
        while (!value);
        memcpy(id + at, &value, sizeof(value));
    }
}
