/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * objects.h: Python objects as CPython lays them out, in the memory of the test itself, where src/python
 * reads them like any process's. Only what is read is there.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "python/memory.h"

#define HEAP_SIZE (1u << 20)

static const struct tt_python_layout *layout; /* of what is made */
static uint8_t *heap;
static size_t heap_used;

static inline void heap_start(unsigned minor)
{
    heap = realloc(heap, HEAP_SIZE);
    assert_non_null(heap);
    memset(heap, 0, HEAP_SIZE);
    heap_used = 0;
    layout = NULL;
    for (size_t i = 0; i < tt_python_layout_count; i++)
        if (tt_python_layouts[i].minor == minor)
            layout = &tt_python_layouts[i];
    assert_non_null(layout);
}

static inline void heap_end(void)
{
    free(heap);
    heap = NULL;
}

static inline uint64_t room(size_t size)
{
    uint64_t address = (uint64_t)(uintptr_t)(heap + heap_used);

    heap_used += (size + 15) & ~(size_t)15;
    assert_true(heap_used < HEAP_SIZE);
    return address;
}

static inline void put_bytes(uint64_t address, const void *bytes, size_t size)
{
    memcpy((void *)(uintptr_t)address, bytes, size);
}

static inline void put_word(uint64_t address, uint64_t value)
{
    put_bytes(address, &value, sizeof(value));
}

static inline void put_u32(uint64_t address, uint32_t value)
{
    put_bytes(address, &value, sizeof(value));
}

static inline uint64_t make_type(const char *name)
{
    uint64_t type = room(512), text = room(4096 + strlen(name) + 1);

    put_bytes(text, name, strlen(name) + 1);
    put_word(type, 1);
    put_word(type + TT_PY_TYPE_NAME, text);
    return type;
}

static inline uint64_t make_object(const char *type, size_t size)
{
    uint64_t object = room(size);

    put_word(object, 1);
    put_word(object + TT_PY_TYPE, make_type(type));
    return object;
}

/* `count` characters of `width` bytes; `ascii`: none is above 127. */
static inline uint64_t make_wide(const void *characters, size_t count, unsigned width, bool ascii)
{
    uint64_t str = room(128 + count * width);

    put_word(str, 3);
    put_word(str + TT_PY_SIZE, count);
    put_u32(str + TT_PY_STR_STATE, width << 2 | 32 | (ascii ? 64 : 0));
    put_bytes(str + (ascii ? layout->ascii : layout->compact), characters, count * width);
    return str;
}

static inline uint64_t make_str(const char *text)
{
    return make_wide(text, strlen(text), 1, true);
}

static inline uint64_t make_tuple(const uint64_t *items, size_t count)
{
    uint64_t tuple = make_object("tuple", 64 + count * 8);

    put_word(tuple + TT_PY_SIZE, count);
    put_bytes(tuple + TT_PY_TUPLE_ITEMS, items, count * 8);
    return tuple;
}

/* Keys that are str objects, and their values; `shared`: objects of one class have the keys in common. */
static inline uint64_t make_dict(const uint64_t *keys, const uint64_t *values, size_t count, bool shared)
{
    bool old = layout->keys == TT_PYTHON_KEYS_39;
    uint64_t dict = make_object("dict", 64), table = room(64 + 8 + count * 24), own = room(64 + count * 8);
    uint64_t entries = table + (old ? 40 : 32) + 8;
    unsigned stride = old ? 24 : 16;

    put_word(dict + TT_PY_DICT_KEYS, table);
    if (old) {
        put_word(table + 8, 8); /* places of one byte */
        put_word(table + 32, count);
    } else {
        put_bytes(table + 9, "\x03\x01", 2); /* 8 bytes of them; all keys are strings */
        put_word(table + 24, count);
    }
    for (size_t i = 0; i < count; i++) {
        put_word(entries + i * stride + stride - 16, keys[i]);
        put_word(entries + i * stride + stride - 8, shared ? 0 : values[i]);
        put_word(own + layout->dict_values + 8 * i, values[i]);
    }
    if (shared)
        put_word(dict + TT_PY_DICT_VALUES, own);
    return dict;
}

static inline struct tt_pymem reader(void)
{
    return (struct tt_pymem){.pid = getpid(), .layout = layout, .left = 1000};
}
