/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/pointers.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/bound.h"

#define POINTERS_MAX (2u << 20) /* a program of 50 MB has some 300,000 */
#define COPIES_MAX   65536

/* Being filled. */
struct list {
    struct tt_pointers *pointers;
    size_t capacity;
};

static int add(struct list *list, const struct tt_pointer *pointer)
{
    struct tt_pointers *pointers = list->pointers;

    if (pointers->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 4096;
        struct tt_pointer *array;

        if (pointers->count >= POINTERS_MAX)
            return -E2BIG;
        array = reallocarray(pointers->array, capacity, sizeof(*array));
        if (!array)
            return -ENOMEM;
        pointers->array = array;
        list->capacity = capacity;
    }
    pointers->array[pointers->count++] = *pointer;
    return 0;
}

static int add_copy(struct tt_pointers *pointers, const Elf64_Rela *rela)
{
    uint64_t value, index = ELF64_R_SYM(rela->r_info);
    const uint8_t *bytes = tt_elf_at(pointers->elf, pointers->elf->dynamic.symtab + index * sizeof(Elf64_Sym),
                                     sizeof(Elf64_Sym));
    const char *name = tt_elf_dynamic_symbol(pointers->elf, index, &value);
    Elf64_Sym symbol;

    if (!name || !bytes || pointers->copy_count == COPIES_MAX)
        return 0;
    if (pointers->copy_count % 64 == 0) {
        struct tt_copy *copies = reallocarray(pointers->copies, pointers->copy_count + 64, sizeof(*copies));

        if (!copies)
            return -ENOMEM;
        pointers->copies = copies;
    }
    memcpy(&symbol, bytes, sizeof(symbol));
    pointers->copies[pointers->copy_count++] = (struct tt_copy){rela->r_offset, symbol.st_size, name};
    return 0;
}

static int read_rela(struct list *list)
{
    struct tt_elf *elf = list->pointers->elf;
    const uint8_t *table = elf->dynamic.rela ? tt_elf_at(elf, elf->dynamic.rela, elf->dynamic.relasz) : NULL;
    int r = 0;

    for (uint64_t i = 0; table && r == 0 && i < elf->dynamic.relasz / sizeof(Elf64_Rela); i++) {
        struct tt_pointer pointer = {0};
        Elf64_Rela rela;
        uint64_t value;

        memcpy(&rela, table + i * sizeof(rela), sizeof(rela));
        pointer.at = rela.r_offset;
        pointer.target = (uint64_t)rela.r_addend;
        switch (ELF64_R_TYPE(rela.r_info)) {
        case R_X86_64_RELATIVE:
            pointer.here = true;
            r = add(list, &pointer);
            break;
        case R_X86_64_64:
            if (!tt_elf_dynamic_symbol(elf, ELF64_R_SYM(rela.r_info), &value))
                break;
            pointer.symbol = (uint32_t)ELF64_R_SYM(rela.r_info);
            pointer.here = value != 0;
            pointer.target += value;
            r = add(list, &pointer);
            break;
        case R_X86_64_COPY:
            r = add_copy(list->pointers, &rela);
            break;
        default:
            break;
        }
    }
    return r;
}

/* A relative relocation whose addend is the word itself. */
static int add_word(struct list *list, uint64_t at)
{
    struct tt_pointer pointer = {.at = at, .here = true};
    const uint8_t *bytes = tt_elf_at(list->pointers->elf, at, 8);

    if (!bytes)
        return 0;
    memcpy(&pointer.target, bytes, 8);
    return add(list, &pointer);
}

/*
 * DT_RELR (gABI): an even entry is the address of a word, an odd one says by its bits which of the 63 words
 * behind the last of those are others.
 */
static int read_relr(struct list *list)
{
    struct tt_elf *elf = list->pointers->elf;
    const uint8_t *table = elf->dynamic.relr ? tt_elf_at(elf, elf->dynamic.relr, elf->dynamic.relrsz) : NULL;
    uint64_t next = 0;
    int r = 0;

    for (uint64_t i = 0; table && r == 0 && i < elf->dynamic.relrsz / 8; i++) {
        uint64_t entry;

        memcpy(&entry, table + 8 * i, 8);
        if (!(entry & 1)) {
            r = add_word(list, entry);
            next = entry + 8;
            continue;
        }
        for (unsigned bit = 1; r == 0 && bit < 64; bit++) {
            if (entry >> bit & 1)
                r = add_word(list, next + 8ull * (bit - 1));
        }
        next += 63 * 8;
    }
    return r;
}

/* In a program at fixed addresses the linker has filled in what is in the program itself. */
static int read_words(struct list *list)
{
    struct tt_elf *elf = list->pointers->elf;
    uint64_t lowest = UINT64_MAX;
    int r = 0;

    for (size_t i = 0; i < elf->load_count; i++)
        lowest = elf->loads[i].address < lowest ? elf->loads[i].address : lowest;
    for (size_t i = 0; i < elf->load_count; i++) {
        const struct tt_elf_load *load = &elf->loads[i];
        uint64_t skip = -load->address & 7;
        const uint8_t *bytes = load->size > skip ? tt_elf_at(elf, load->address, load->size) : NULL;

        for (uint64_t at = skip; bytes && r == 0 && at + 8 <= load->size; at += 8) {
            struct tt_pointer pointer = {.at = load->address + at, .here = true};

            memcpy(&pointer.target, bytes + at, 8);
            if (pointer.target >= lowest && pointer.target < elf->highest)
                r = add(list, &pointer);
        }
    }
    return r;
}

/* What a symbol fills comes first of what lies at one address. */
static int compare_pointers(const void *a, const void *b)
{
    const struct tt_pointer *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->symbol != y->symbol)
        return x->symbol > y->symbol ? -1 : 1;
    return x->target < y->target ? -1 : x->target > y->target;
}

static int compare_copies(const void *a, const void *b)
{
    const struct tt_copy *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void sort(struct tt_pointers *pointers)
{
    size_t kept = 0;

    if (pointers->copy_count)
        qsort(pointers->copies, pointers->copy_count, sizeof(*pointers->copies), compare_copies);
    for (size_t i = 1; i < pointers->count; i++) {
        if (compare_pointers(&pointers->array[i - 1], &pointers->array[i]) > 0) {
            qsort(pointers->array, pointers->count, sizeof(*pointers->array), compare_pointers);
            break;
        }
    }
    for (size_t i = 0; i < pointers->count; i++) {
        if (!i || pointers->array[i].at != pointers->array[kept - 1].at)
            pointers->array[kept++] = pointers->array[i];
    }
    pointers->count = kept;
}

int tt_pointers_read(struct tt_elf *elf, struct tt_pointers *pointers)
{
    struct list list = {.pointers = pointers};
    int r;

    *pointers = (struct tt_pointers){.elf = elf};
    r = read_rela(&list);
    if (r == 0)
        r = read_relr(&list);
    if (r == 0 && elf->fixed)
        r = read_words(&list);
    if (r < 0) {
        tt_pointers_free(pointers);
        return r;
    }
    sort(pointers);
    return 0;
}

void tt_pointers_free(struct tt_pointers *pointers)
{
    free(pointers->array);
    free(pointers->copies);
    *pointers = (struct tt_pointers){0};
}

const struct tt_pointer *tt_pointer_at(const struct tt_pointers *pointers, uint64_t address)
{
    size_t i = TT_LOWER_BOUND(pointers->array, pointers->count, at, address);

    return i < pointers->count && pointers->array[i].at == address ? &pointers->array[i] : NULL;
}

/* The copied variable that holds `address`, or NULL. */
static const struct tt_copy *find_copy(const struct tt_pointers *pointers, uint64_t address)
{
    const struct tt_copy *copies = pointers->copies;

    for (size_t i = TT_LOWER_BOUND(copies, pointers->copy_count, address, address + 1); i > 0; i--) {
        if (address - copies[i - 1].address < copies[i - 1].size)
            return &copies[i - 1];
        if (i > 1 && copies[i - 2].address != copies[i - 1].address) /* else another name of the same */
            return NULL;
    }
    return NULL;
}

const char *tt_pointer_symbol(const struct tt_pointers *pointers, const struct tt_pointer *pointer,
                              uint64_t *addend)
{
    const struct tt_copy *copy;
    uint64_t value;

    if (pointer->symbol) {
        const char *name = tt_elf_dynamic_symbol(pointers->elf, pointer->symbol, &value);

        *addend = pointer->target - (pointer->here ? value : 0);
        return name;
    }
    copy = pointers->copy_count ? find_copy(pointers, pointer->target) : NULL;
    if (!copy)
        return NULL;
    *addend = pointer->target - copy->address;
    return copy->name;
}

const char *tt_elf_text(struct tt_elf *elf, uint64_t address, size_t max)
{
    uint64_t rest = tt_elf_rest(elf, address);
    const uint8_t *bytes;

    rest = rest > max ? max : rest;
    bytes = rest ? tt_elf_at(elf, address, rest) : NULL;
    return bytes && memchr(bytes, '\0', rest) ? (const char *)bytes : NULL;
}
