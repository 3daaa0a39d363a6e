/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 2048

struct tt_arena_block {
    struct tt_arena_block *next;
    size_t capacity;
    char data[];
};

/* `size` bytes of the newest block at an offset that is a multiple of `align`, or of a new block. NULL when
 * out of memory. */
static char *take(struct tt_arena *arena, size_t size, size_t align)
{
    char *base = arena->blocks ? arena->blocks->data : arena->first;
    size_t capacity = arena->blocks ? arena->blocks->capacity : sizeof(arena->first);
    size_t at = (arena->used + align - 1) & ~(align - 1);
    if (at <= capacity && size <= capacity - at) {
        arena->used = at + size;
        return base + at;
    }

    capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    if (capacity > SIZE_MAX - sizeof(struct tt_arena_block))
        return NULL;
    struct tt_arena_block *block = malloc(sizeof(*block) + capacity);
    if (!block)
        return NULL;
    block->next = arena->blocks;
    block->capacity = capacity;
    arena->blocks = block;
    arena->used = size;
    return block->data;
}

const char *tt_arena_copy(struct tt_arena *arena, const char *bytes, size_t size)
{
    if (size == SIZE_MAX)
        return NULL;
    char *copy = take(arena, size + 1, 1);
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

const char *tt_arena_printf(struct tt_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang-tidy 14 does not see va_start */
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);

    char *text = length < 0 ? NULL : take(arena, (size_t)length + 1, 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void *tt_arena_alloc(struct tt_arena *arena, size_t size)
{
    char *memory = take(arena, size, 8);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

size_t tt_arena_blocks(const struct tt_arena *arena)
{
    size_t size = 0;

    for (const struct tt_arena_block *block = arena->blocks; block; block = block->next)
        size += sizeof(*block) + block->capacity;
    return size;
}

void tt_arena_free(struct tt_arena *arena)
{
    while (arena->blocks) {
        struct tt_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    arena->used = 0;
}
