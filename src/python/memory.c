/* SPDX-License-Identifier: GPL-2.0-only */
#include "python/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "host/host.h"

bool tt_pymem_read(struct tt_pymem *mem, uint64_t address, void *buffer, size_t size)
{
    if (mem->failed)
        return false;
    if (mem->left && address)
        mem->left--;
    else
        mem->failed = true;
    if (!mem->failed && tt_host_read_memory(mem->pid, address, buffer, size) != (ssize_t)size)
        mem->failed = true;
    return !mem->failed;
}

uint64_t tt_pymem_word(struct tt_pymem *mem, uint64_t address)
{
    uint64_t value = 0;

    return tt_pymem_read(mem, address, &value, sizeof(value)) ? value : 0;
}

uint32_t tt_pymem_u32(struct tt_pymem *mem, uint64_t address)
{
    uint32_t value = 0;

    return tt_pymem_read(mem, address, &value, sizeof(value)) ? value : 0;
}

/* ---- str ---- */

static bool fail(struct tt_pymem *mem)
{
    mem->failed = true;
    return false;
}

/* `count` characters of `width` bytes as UTF-8. */
static bool encode(const uint8_t *from, size_t count, unsigned width, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t c = 0;

        memcpy(&c, from + i * width, width);
        if (used + 4 >= size || !c)
            return false;
        if (c < 0x80) {
            text[used++] = (char)c;
        } else if (c < 0x800) {
            text[used++] = (char)(0xc0 | c >> 6);
            text[used++] = (char)(0x80 | (c & 63));
        } else if (c < 0x10000) {
            text[used++] = (char)(0xe0 | c >> 12);
            text[used++] = (char)(0x80 | (c >> 6 & 63));
            text[used++] = (char)(0x80 | (c & 63));
        } else {
            text[used++] = (char)(0xf0 | (c >> 18 & 7));
            text[used++] = (char)(0x80 | (c >> 12 & 63));
            text[used++] = (char)(0x80 | (c >> 6 & 63));
            text[used++] = (char)(0x80 | (c & 63));
        }
    }
    text[used] = '\0';
    return true;
}

/* Bits of PyASCIIObject.state: interned 2, kind 3 (bytes per character), compact 1, ascii 1. */
static bool is_ascii(uint32_t state)
{
    return state & 64;
}

/*
 * Memory that was given back keeps most of what was in it; where the reference count was it has a pointer to
 * the next free piece, or nothing. Bits 32 to 47 of a count are never used, but by pointers. (3.14 keeps
 * flags above.)
 */
static bool is_count(uint64_t count)
{
    return (uint32_t)count && !(count >> 32 & 0xffff);
}

bool tt_pymem_alive(struct tt_pymem *mem, uint64_t object)
{
    return is_count(tt_pymem_word(mem, object)) || fail(mem);
}

bool tt_pymem_str(struct tt_pymem *mem, uint64_t object, char *text, size_t size)
{
    uint8_t head[TT_PY_STR_STATE + 4];
    uint8_t bytes[4 * TT_PYTHON_FILE_MAX];
    uint64_t length, references;
    uint32_t state, width;

    text[0] = '\0';
    if (!tt_pymem_read(mem, object, head, sizeof(head)))
        return false;
    memcpy(&references, head, sizeof(references));
    memcpy(&length, head + TT_PY_SIZE, sizeof(length));
    memcpy(&state, head + TT_PY_STR_STATE, sizeof(state));
    width = state >> 2 & 7;
    if (!is_count(references) || !(state & 32) || (width != 1 && width != 2 && width != 4) ||
        length >= size || length > TT_PYTHON_FILE_MAX)
        return fail(mem);
    if (length && !tt_pymem_read(mem, object + (is_ascii(state) ? mem->layout->ascii : mem->layout->compact),
                                 bytes, length * width))
        return false;
    return encode(bytes, length, width, text, size) || fail(mem);
}

/* ---- types ---- */

bool tt_pymem_type_name(struct tt_pymem *mem, uint64_t type, char *text, size_t size)
{
    uint64_t name = tt_pymem_word(mem, type + TT_PY_TYPE_NAME);
    /* not over the end of a page, which may be the last one */
    size_t rest = 4096 - (name & 4095), take = rest < size ? rest : size;

    text[0] = '\0';
    if (!tt_pymem_read(mem, name, text, take))
        return false;
    if (!memchr(text, '\0', take) && take < size &&
        !tt_pymem_read(mem, name + take, text + take, size - take))
        return false;
    return memchr(text, '\0', size) || fail(mem);
}

bool tt_pymem_is(struct tt_pymem *mem, uint64_t object, const char *type)
{
    char name[64];
    struct tt_pymem probe = *mem; /* a long name is another name, not a failure */
    bool read = tt_pymem_type_name(&probe, tt_pymem_word(&probe, object + TT_PY_TYPE), name, sizeof(name));

    mem->left = probe.left;
    return read && !strcmp(name, type);
}

/* ---- containers ---- */

size_t tt_pymem_tuple(struct tt_pymem *mem, uint64_t tuple, uint64_t *items, size_t max)
{
    uint64_t count = tt_pymem_word(mem, tuple + TT_PY_SIZE);

    if (count > max)
        count = max;
    return count && tt_pymem_read(mem, tuple + TT_PY_TUPLE_ITEMS, items, count * sizeof(*items)) ? count : 0;
}

#define DICT_MAX 8192 /* entries looked at */

struct keys {
    uint64_t entries, count;
    unsigned stride, key; /* bytes of an entry; where the key lies in it, the value follows */
};

/* Objects/dictobject.c: PyDictKeysObject. */
static bool read_keys(struct tt_pymem *mem, uint64_t object, struct keys *keys)
{
    uint8_t head[40];
    uint64_t size;

    if (!tt_pymem_read(mem, object, head, sizeof(head)))
        return false;
    if (mem->layout->keys == TT_PYTHON_KEYS_39) {
        memcpy(&size, head + 8, sizeof(size));
        memcpy(&keys->count, head + 32, sizeof(keys->count));
        if (size > 1u << 24)
            return fail(mem);
        keys->entries = object + 40 + size * (size <= 0xff ? 1 : size <= 0xffff ? 2 : 4);
        keys->stride = 24;
    } else {
        if (head[9] > 26)
            return fail(mem);
        memcpy(&keys->count, head + 24, sizeof(keys->count));
        keys->entries = object + 32 + (1ull << head[9]);
        keys->stride = head[10] ? 16 : 24;
    }
    keys->key = keys->stride - 16;
    return keys->count <= DICT_MAX || fail(mem);
}

/* Is the str that text? Failing to read it, or another length, is no match, and no failure of the whole. */
static bool is_text(struct tt_pymem *mem, uint64_t object, const char *text, size_t length)
{
    uint8_t bytes[TT_PY_STR_STATE + 4];
    char found[TT_PYTHON_NAME_MAX];
    struct tt_pymem probe = *mem;
    uint64_t size;
    bool same = false;

    if (tt_pymem_read(&probe, object, bytes, sizeof(bytes))) {
        memcpy(&size, bytes + TT_PY_SIZE, sizeof(size));
        same = size == length && tt_pymem_str(&probe, object, found, sizeof(found)) && !strcmp(found, text);
    }
    mem->left = probe.left;
    return same;
}

uint64_t tt_pymem_dict_get(struct tt_pymem *mem, uint64_t dict, const char *key)
{
    uint64_t object = tt_pymem_word(mem, dict + TT_PY_DICT_KEYS);
    uint64_t values = tt_pymem_word(mem, dict + TT_PY_DICT_VALUES), found[2];
    _cleanup_free_ uint8_t *entries = NULL;
    size_t length = strlen(key);
    struct keys keys;

    if (!read_keys(mem, object, &keys) || !keys.count)
        return 0;
    entries = malloc(keys.count * keys.stride);
    if (!entries || !tt_pymem_read(mem, keys.entries, entries, keys.count * keys.stride))
        return 0;
    for (uint64_t i = 0; i < keys.count && !mem->failed; i++) {
        memcpy(found, entries + i * keys.stride + keys.key, sizeof(found));
        if (!found[0] || (!found[1] && !values) || !is_text(mem, found[0], key, length))
            continue;
        /* objects of one class may share the keys; each has values of its own */
        return values ? tt_pymem_word(mem, values + mem->layout->dict_values + 8 * i) : found[1];
    }
    return 0;
}
