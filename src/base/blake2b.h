/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * blake2b.h: BLAKE2b (RFC 7693) with 256 bits: two contents with the same digest cannot be made, by whoever
 * wants to. No key.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TT_DIGEST_SIZE 32

struct tt_blake2b {
    uint64_t h[8];
    uint64_t total; /* bytes of the blocks that went into h */
    uint8_t block[128];
    size_t used;
};

void tt_blake2b_begin(struct tt_blake2b *state);
void tt_blake2b_add(struct tt_blake2b *state, const void *data, size_t size);
void tt_blake2b_end(struct tt_blake2b *state, uint8_t digest[TT_DIGEST_SIZE]);
