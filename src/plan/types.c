/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/types.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/bound.h"

#define NAME_MAX_  2048 /* bytes of a mangled name */
#define BASES_MAX  256  /* of one class */
#define TYPES_MAX  (1u << 18)
#define LOCALS_MAX 8

enum kind { KIND_NONE, KIND_SINGLE, KIND_MULTIPLE };

static const struct {
    const char *symbol, *name; /* of the virtual table, of the class */
    enum kind kind;
} kinds[] = {
    {"_ZTVN10__cxxabiv120__si_class_type_infoE", "N10__cxxabiv120__si_class_type_infoE", KIND_SINGLE},
    {"_ZTVN10__cxxabiv121__vmi_class_type_infoE", "N10__cxxabiv121__vmi_class_type_infoE", KIND_MULTIPLE},
};

/* Virtual tables of these classes in the file itself. */
struct locals {
    uint64_t address[LOCALS_MAX]; /* as objects point at them: behind the two words at their head */
    enum kind kind[LOCALS_MAX];
    size_t count;
};

struct list {
    struct tt_types *types;
    size_t capacity, base_capacity;
};

static const char *name_at(const struct tt_pointers *pointers, uint64_t type)
{
    const struct tt_pointer *name = tt_pointer_at(pointers, type + 8);
    const char *text = name && name->here ? tt_elf_text(pointers->elf, name->target, NAME_MAX_) : NULL;

    if (text && *text == '*') /* compared by address only */
        text++;
    return text && *text ? text : NULL;
}

/* ---- which words begin a type description ---------------------------------------------------------- */

/* The words that point at `type`: at the head of its virtual table. */
static void add_locals(const struct tt_pointers *pointers, uint64_t type, enum kind kind,
                       struct locals *locals)
{
    for (size_t i = 0; i < pointers->count && locals->count < LOCALS_MAX; i++) {
        if (!pointers->array[i].here || pointers->array[i].target != type)
            continue;
        locals->address[locals->count] = pointers->array[i].at + 8;
        locals->kind[locals->count++] = kind;
    }
}

static void find_locals(const struct tt_pointers *pointers, struct locals *locals)
{
    for (size_t i = 0; i < pointers->count; i++) {
        const struct tt_pointer *pointer = &pointers->array[i];
        const uint8_t *bytes = pointer->here ? tt_elf_at(pointers->elf, pointer->target, 13) : NULL;

        if (!bytes || memcmp(bytes, "N10__cxxabiv1", 13) || pointer->at < 8)
            continue;
        for (size_t j = 0; j < TT_ARRAY_SIZE(kinds); j++) {
            const char *name = name_at(pointers, pointer->at - 8);

            if (name && !strcmp(name, kinds[j].name))
                add_locals(pointers, pointer->at - 8, kinds[j].kind, locals);
        }
    }
}

static enum kind kind_of(const struct tt_pointers *pointers, const struct locals *locals,
                         const struct tt_pointer *pointer)
{
    uint64_t addend;
    const char *symbol = tt_pointer_symbol(pointers, pointer, &addend);

    if (symbol && addend == 16 && !strncmp(symbol, "_ZTVN10__cxxabiv1", 17)) {
        for (size_t i = 0; i < TT_ARRAY_SIZE(kinds); i++) {
            if (!strcmp(symbol, kinds[i].symbol))
                return kinds[i].kind;
        }
    }
    for (size_t i = 0; pointer->here && i < locals->count; i++) {
        if (pointer->target == locals->address[i])
            return locals->kind[i];
    }
    return KIND_NONE;
}

/* ---- types ----------------------------------------------------------------------------------------- */

static int add_base(struct list *list, const struct tt_pointer *pointer, int64_t offset, bool is_virtual)
{
    struct tt_types *types = list->types;
    struct tt_type_base *base;
    uint64_t addend;

    if (types->base_count == list->base_capacity) {
        size_t capacity = list->base_capacity ? list->base_capacity * 2 : 256;

        base = reallocarray(types->bases, capacity, sizeof(*base));
        if (!base)
            return -ENOMEM;
        types->bases = base;
        list->base_capacity = capacity;
    }
    base = &types->bases[types->base_count++];
    *base = (struct tt_type_base){.type = TT_TYPE_NONE, .offset = offset, .is_virtual = is_virtual};
    base->name = tt_pointer_symbol(types->pointers, pointer, &addend);
    if (base->name && !addend && !strncmp(base->name, "_ZTI", 4))
        base->name += 4;
    else
        base->name = NULL;
    return 0;
}

/* Bases of a class with several: u32 flags, u32 count, then for each a pointer and a word with the offset in
 * its upper 56 bits, bit 0 = virtual. -EINVAL: it is no such description. */
static int add_bases(struct list *list, uint64_t type, uint64_t *size)
{
    const struct tt_pointers *pointers = list->types->pointers;
    const uint8_t *head = tt_elf_at(pointers->elf, type + 16, 8);
    uint32_t count;

    if (!head)
        return -EINVAL;
    memcpy(&count, head + 4, 4);
    if (!count || count > BASES_MAX)
        return -EINVAL;
    *size = 24 + 16ull * count;
    for (uint32_t i = 0; i < count; i++) {
        const struct tt_pointer *pointer = tt_pointer_at(pointers, type + 24 + 16ull * i);
        const uint8_t *bytes = tt_elf_at(pointers->elf, type + 32 + 16ull * i, 8);
        int64_t word;
        int r;

        if (!pointer || !bytes)
            return -EINVAL;
        memcpy(&word, bytes, 8);
        r = add_base(list, pointer, word >> 8, word & 1);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_type(struct list *list, uint64_t at, enum kind kind)
{
    struct tt_types *types = list->types;
    const struct tt_pointer *base = kind == KIND_SINGLE ? tt_pointer_at(types->pointers, at + 16) : NULL;
    struct tt_type type = {.at = at, .size = 24, .first = (uint32_t)types->base_count};
    int r;

    type.name = name_at(types->pointers, at);
    if (!type.name || (kind == KIND_SINGLE && !base))
        return 0;
    r = base ? add_base(list, base, 0, false) : add_bases(list, at, &type.size);
    if (r == -EINVAL) {
        types->base_count = type.first;
        return 0;
    }
    if (r < 0)
        return r;
    type.count = (uint32_t)types->base_count - type.first;
    if (types->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 256;
        struct tt_type *array = types->count < TYPES_MAX
                                    ? reallocarray(types->array, capacity, sizeof(*array))
                                    : NULL;

        if (!array)
            return types->count < TYPES_MAX ? -ENOMEM : -E2BIG;
        types->array = array;
        list->capacity = capacity;
    }
    types->array[types->count++] = type;
    return 0;
}

/* Which of the bases are types of this file. */
static void link_bases(struct tt_types *types)
{
    for (size_t i = 0; i < types->count; i++) {
        const struct tt_type *type = &types->array[i];

        for (uint32_t j = 0; j < type->count; j++) {
            uint64_t at = type->at + (type->size == 24 ? 16 : 24 + 16ull * j);
            const struct tt_pointer *pointer = tt_pointer_at(types->pointers, at);
            struct tt_type_base *base = &types->bases[type->first + j];

            if (pointer->here)
                base->type = tt_type_at(types, pointer->target);
            if (!base->name && base->type != TT_TYPE_NONE)
                base->name = types->array[base->type].name;
            else if (!base->name && pointer->here)
                base->name = name_at(types->pointers, pointer->target);
        }
    }
}

int tt_types_read(const struct tt_pointers *pointers, struct tt_types *types)
{
    struct list list = {.types = types};
    struct locals locals = {0};
    int r = 0;

    *types = (struct tt_types){.pointers = pointers};
    find_locals(pointers, &locals);
    for (size_t i = 0; r == 0 && i < pointers->count; i++) {
        enum kind kind = kind_of(pointers, &locals, &pointers->array[i]);

        if (kind != KIND_NONE)
            r = add_type(&list, pointers->array[i].at, kind);
    }
    if (r < 0) {
        tt_types_free(types);
        return r;
    }
    link_bases(types);
    return 0;
}

void tt_types_free(struct tt_types *types)
{
    free(types->array);
    free(types->bases);
    *types = (struct tt_types){0};
}

uint32_t tt_type_at(const struct tt_types *types, uint64_t address)
{
    size_t i = TT_LOWER_BOUND(types->array, types->count, at, address);

    return i < types->count && types->array[i].at == address ? (uint32_t)i : TT_TYPE_NONE;
}
