/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/flow.h"

#define DEPTH_MAX  32 /* of inheritance */
#define PARTS_MAX  8  /* classes of cppTango in one object */
#define OFFSET_MAX (1 << 20)
#define SLOTS_MAX  1024 /* beyond those of cppTango's class */

/* ---- bases ----------------------------------------------------------------------------------------- */

/* Where in an object a class of cppTango lies. */
struct part {
    const struct tt_base *base;
    int64_t offset;
};

struct parts {
    struct part array[PARTS_MAX];
    size_t count;
};

const struct tt_base *tt_base_find(const struct tt_bases *bases, const char *name)
{
    size_t low = 0, high = bases->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(bases->array[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < bases->count && !strcmp(bases->array[low].name, name) ? &bases->array[low] : NULL;
}

/* The nearest classes of cppTango that the type derives from. */
static void find_parts(const struct tt_types *types, uint32_t type, const struct tt_bases *bases,
                       int64_t offset, unsigned depth, struct parts *parts)
{
    const struct tt_type *t = &types->array[type];

    for (uint32_t i = 0; i < t->count && depth < DEPTH_MAX && parts->count < PARTS_MAX; i++) {
        const struct tt_type_base *b = &types->bases[t->first + i];
        const struct tt_base *base = b->name ? tt_base_find(bases, b->name) : NULL;
        int64_t at;

        if (b->is_virtual || __builtin_add_overflow(offset, b->offset, &at))
            continue;
        if (base && base->known)
            parts->array[parts->count++] = (struct part){base, at};
        else if (!base && b->type != TT_TYPE_NONE)
            find_parts(types, b->type, bases, at, depth + 1, parts);
    }
}

static bool derives(const struct tt_types *types, uint32_t type, uint32_t from, unsigned depth)
{
    const struct tt_type *t = &types->array[type];

    if (type == from)
        return true;
    for (uint32_t i = 0; i < t->count && depth < DEPTH_MAX; i++) {
        uint32_t base = types->bases[t->first + i].type;

        if (base != TT_TYPE_NONE && derives(types, base, from, depth + 1))
            return true;
    }
    return false;
}

bool tt_type_derives(const struct tt_types *types, uint32_t type, uint32_t from)
{
    return derives(types, type, from, 0);
}

/* ---- tables ---------------------------------------------------------------------------------------- */

bool tt_class_code(const struct tt_elf *elf, uint64_t address)
{
    const struct tt_elf_load *load = tt_elf_load(elf, address);

    return load && load->executable;
}

/* What a slot holds. */
enum content {
    CONTENT_NOT, /* nothing that a virtual table holds */
    CONTENT_NULL,
    CONTENT_NAMED, /* a function known by its symbol, of this or another file */
    CONTENT_LOCAL, /* code of this file */
};

static enum content content_of(const struct tt_pointers *pointers, uint64_t at,
                               const struct tt_pointer **pointer, const char **name)
{
    const uint8_t *word;
    uint64_t addend;

    *pointer = tt_pointer_at(pointers, at);
    *name = NULL;
    if (!*pointer) {
        word = tt_elf_at(pointers->elf, at, 8);
        return word && !memcmp(word, "\0\0\0\0\0\0\0", 8) ? CONTENT_NULL : CONTENT_NOT;
    }
    *name = tt_pointer_symbol(pointers, *pointer, &addend);
    if (*name && (addend || !strncmp(*name, "_ZTI", 4) || !strncmp(*name, "_ZTV", 4)))
        return CONTENT_NOT;
    if ((*pointer)->here && tt_class_code(pointers->elf, (*pointer)->target)) {
        /* in a program at a fixed address a function of a library is known by its entry in the PLT */
        if (!*name && pointers->elf->fixed)
            *name = tt_flow_plt_name(pointers->elf, (*pointer)->target);
        return *name && !(*pointer)->symbol ? CONTENT_NAMED : CONTENT_LOCAL;
    }
    return *name && !(*pointer)->here ? CONTENT_NAMED : CONTENT_NOT;
}

/* Is this a virtual table of a class derived from `base`? In each slot of the base lies a function, or
 * nothing; one that is known by its name is the one that belongs there. */
static bool is_table(const struct tt_pointers *pointers, uint64_t table, const struct tt_base *base)
{
    const struct tt_pointer *pointer;
    const char *name;
    size_t functions = 0;

    for (size_t i = 0; i < base->slot_count; i++) {
        enum content content = content_of(pointers, table + 8 * i, &pointer, &name);
        _cleanup_free_ char *method = NULL;

        if (content == CONTENT_NOT)
            return false;
        functions += content != CONTENT_NULL;
        if (content != CONTENT_NAMED || !base->slots[i].method || !strcmp(name, "__cxa_pure_virtual"))
            continue;
        method = tt_class_method(name);
        if (!method || (*method != '~' && strcmp(method, base->slots[i].method)))
            return false;
    }
    return functions > 0;
}

static bool in_type(const struct tt_types *types, uint64_t address)
{
    size_t low = 0, high = types->count;

    while (low < high) { /* the last type at or before it */
        size_t middle = low + (high - low) / 2;

        if (types->array[middle].at <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low && address - types->array[low - 1].at < types->array[low - 1].size;
}

/* The word before a pointer to the type description: how far back from the table's part the object begins. */
static bool read_top(const struct tt_pointers *pointers, uint64_t at, int64_t *offset)
{
    const uint8_t *bytes = at >= 8 ? tt_elf_at(pointers->elf, at - 8, 8) : NULL;
    int64_t top;

    if (!bytes || tt_pointer_at(pointers, at - 8))
        return false;
    memcpy(&top, bytes, 8);
    if (top > 0 || top <= -OFFSET_MAX || (top & 7))
        return false;
    *offset = -top;
    return true;
}

struct tables {
    struct tt_class_table *array;
    size_t count, capacity;
};

static int add_table(struct tables *tables, const struct tt_class_table *table)
{
    if (tables->count == tables->capacity) {
        size_t capacity = tables->capacity ? tables->capacity * 2 : 64;
        struct tt_class_table *array = reallocarray(tables->array, capacity, sizeof(*array));

        if (!array)
            return -ENOMEM;
        tables->array = array;
        tables->capacity = capacity;
    }
    tables->array[tables->count++] = *table;
    return 0;
}

int tt_class_tables(const struct tt_types *types, const struct tt_bases *bases,
                    struct tt_class_table **result, size_t *count)
{
    const struct tt_pointers *pointers = types->pointers;
    struct tables tables = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < pointers->count; i++) {
        const struct tt_pointer *pointer = &pointers->array[i];
        uint32_t type = pointer->here ? tt_type_at(types, pointer->target) : TT_TYPE_NONE;
        struct parts parts = {0};
        int64_t offset;

        if (type == TT_TYPE_NONE || tt_base_find(bases, types->array[type].name) ||
            in_type(types, pointer->at) || !read_top(pointers, pointer->at, &offset))
            continue;
        find_parts(types, type, bases, 0, 0, &parts);
        for (size_t j = 0; r == 0 && j < parts.count; j++) {
            if (parts.array[j].offset == offset && is_table(pointers, pointer->at + 8, parts.array[j].base))
                r = add_table(&tables,
                              &(struct tt_class_table){type, parts.array[j].base, offset, pointer->at + 8});
        }
    }
    if (r < 0) {
        free(tables.array);
        return r;
    }
    *result = tables.array;
    *count = tables.count;
    return 0;
}

uint64_t tt_class_slot(const struct tt_pointers *pointers, uint64_t table, uint64_t slot)
{
    const struct tt_pointer *pointer;
    const char *name;

    if (slot >= SLOTS_MAX || content_of(pointers, table + 8 * slot, &pointer, &name) != CONTENT_LOCAL)
        return 0;
    return pointer->target;
}

bool tt_class_filled(const struct tt_pointers *pointers, uint64_t table, uint64_t slot)
{
    const struct tt_pointer *pointer;
    const char *name;
    enum content content = slot < SLOTS_MAX ? content_of(pointers, table + 8 * slot, &pointer, &name)
                                            : CONTENT_NOT;

    return content == CONTENT_LOCAL || content == CONTENT_NAMED;
}
