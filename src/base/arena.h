/* SPDX-License-Identifier: GPL-2.0-only */
/* arena.h: strings that live as long as their owner; a first block inside the owner, more on the heap when
 * needed. */
#pragma once

#include <stddef.h>

#define TT_ARENA_INLINE 1536 /* what nearly every span needs */

struct tt_arena_block;

struct tt_arena {
    struct tt_arena_block *blocks; /* further blocks, newest first */
    size_t used;                   /* bytes used of the newest block (or of `first`) */
    char first[TT_ARENA_INLINE];
};

/* Copies `size` bytes and adds a NUL. NULL when out of memory. A zeroed arena is empty and valid. */
const char *tt_arena_copy(struct tt_arena *arena, const char *bytes, size_t size);
/* printf into the arena. */
const char *tt_arena_printf(struct tt_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* `size` bytes, zeroed, aligned to 8. */
void *tt_arena_alloc(struct tt_arena *arena, size_t size);
/* Bytes of the further blocks. */
size_t tt_arena_blocks(const struct tt_arena *arena);
void tt_arena_free(struct tt_arena *arena);
