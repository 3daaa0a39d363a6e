/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "catalogue/catalogue.h"
#include "plan/demangle.h"

#define PREFIX_MAX  128
#define MATCHES_MAX 4096 /* a file with more is not what the catalogue was made for */

/* One signature of the catalogue. */
struct wanted {
    char prefix[PREFIX_MAX];
    size_t size; /* of the prefix */
    const char *signature;
    uint32_t row;
};

static int compare_wanted(const void *a, const void *b)
{
    return strcmp(((const struct wanted *)a)->prefix, ((const struct wanted *)b)->prefix);
}

/* All signatures, by prefix. NULL when out of memory. */
static struct wanted *list_wanted(size_t *count)
{
    struct wanted *list = calloc(tt_row_count * TT_ROW_SIGNATURES, sizeof(*list));

    *count = 0;
    for (uint32_t row = 0; list && row < tt_row_count; row++) {
        if (tt_rows[row].overrides || tt_rows[row].callers)
            continue;
        for (size_t i = 0; i < TT_ROW_SIGNATURES && tt_rows[row].signature[i]; i++) {
            struct wanted *wanted = &list[*count];

            wanted->signature = tt_rows[row].signature[i];
            wanted->row = row;
            if (!tt_demangle_prefix(wanted->signature, wanted->prefix, sizeof(wanted->prefix)))
                continue; /* the unit test of the catalogue does not let this happen */
            wanted->size = strlen(wanted->prefix);
            (*count)++;
        }
    }
    if (list)
        qsort(list, *count, sizeof(*list), compare_wanted);
    return list;
}

/* Length of the mangled nested name at the start of a symbol, without const mark and what follows; else of
 * all. */
static size_t nested_size(const char *name)
{
    size_t at = 3;

    if (strncmp(name, "_ZN", 3))
        return strlen(name);
    at += name[at] == 'K'; /* a const member */
    while (name[at] >= '1' && name[at] <= '9') {
        char *end;
        unsigned long length = strtoul(name + at, &end, 10);
        size_t digits = (size_t)(end - (name + at));

        if (length > 1000 || strnlen(end, length) < length)
            break;
        at += digits + length;
    }
    if (name[at] >= 'a' && name[at] <= 'z' && name[at + 1]) /* an operator: two letters */
        at += 2;
    return at;
}

/* First signature whose prefix is the first `size` bytes of `name`, or count. */
static size_t find_wanted(const struct wanted *list, size_t count, const char *name, size_t size)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strncmp(list[middle].prefix, name, size);

        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    /* longer prefixes come behind the equal one */
    return low < count && list[low].size == size && !strncmp(list[low].prefix, name, size) ? low : count;
}

struct matches {
    struct tt_match *array;
    size_t count, capacity;
};

static int add_match(struct matches *matches, uint32_t row, const struct tt_elf_symbol *symbol,
                     const char *signature)
{
    struct tt_match *match;

    if (matches->count == MATCHES_MAX)
        return 0;
    if (matches->count == matches->capacity) {
        size_t capacity = matches->capacity ? matches->capacity * 2 : 128;
        struct tt_match *array = reallocarray(matches->array, capacity, sizeof(*array));

        if (!array)
            return -ENOMEM;
        matches->array = array;
        matches->capacity = capacity;
    }
    match = &matches->array[matches->count];
    *match = (struct tt_match){row, symbol, strdup(signature)};
    if (!match->signature)
        return -ENOMEM;
    matches->count++;
    return 0;
}

static int match_symbol(struct matches *matches, const struct wanted *list, size_t count,
                        const struct tt_elf_symbol *symbol)
{
    size_t size = nested_size(symbol->name), at = find_wanted(list, count, symbol->name, size);
    _cleanup_free_ char *signature = NULL;

    if (at == count)
        return 0;
    signature = tt_demangle(symbol->name);
    for (; signature && at < count && list[at].size == size && !strncmp(list[at].prefix, symbol->name, size);
         at++) {
        if (strcmp(list[at].signature, signature))
            continue;
        if (add_match(matches, list[at].row, symbol, signature) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int compare_matches(const void *a, const void *b)
{
    const struct tt_match *x = a, *y = b;

    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    if (x->symbol->address != y->symbol->address)
        return x->symbol->address < y->symbol->address ? -1 : 1;
    return strcmp(x->symbol->name, y->symbol->name);
}

int tt_match_symbols(const struct tt_elf *elf, struct tt_match **result, size_t *result_count)
{
    size_t count;
    _cleanup_free_ struct wanted *list = list_wanted(&count);
    struct matches matches = {0};
    int r = list ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < elf->symbol_count; i++) {
        const struct tt_elf_symbol *symbol = &elf->symbols[i], *last = i ? symbol - 1 : NULL;

        /* the same symbol of .dynsym and .symtab, and of several versions */
        if (last && last->address == symbol->address && !strcmp(last->name, symbol->name))
            continue;
        r = match_symbol(&matches, list, count, symbol);
    }
    if (r < 0) {
        tt_match_free(&matches.array, matches.count);
        return r;
    }
    if (matches.count)
        qsort(matches.array, matches.count, sizeof(*matches.array), compare_matches);
    *result = matches.array;
    *result_count = matches.count;
    return 0;
}

void tt_match_free(struct tt_match **matches, size_t count)
{
    for (size_t i = 0; *matches && i < count; i++)
        free((*matches)[i].signature);
    free(*matches);
    *matches = NULL;
}
