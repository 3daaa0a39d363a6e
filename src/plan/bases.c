/* SPDX-License-Identifier: GPL-2.0-only */
/* bases.c: cppTango's own classes, and the meaning of the slots of their virtual tables (classes.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "catalogue/virtuals.h"
#include "plan/bound.h"
#include "plan/classes.h"
#include "plan/demangle.h"
#include "plan/identity.h"

#define DEPTH_MAX 32
#define TABLE_MAX (8 * 512) /* bytes of one class's table; Device_6Impl of 10.3 has 64 slots */

/* ---- names ----------------------------------------------------------------------------------------- */

/* Where the function's own name begins in "a::B<c::d>::e(f::g)". */
static char *own_name(char *text)
{
    char *name = text;
    int depth = 0;

    for (char *at = text; *at && !(*at == '(' && !depth); at++) {
        depth += *at == '<';
        depth -= *at == '>';
        if (!depth && at[0] == ':' && at[1] == ':')
            name = at + 2;
    }
    return name;
}

char *tt_class_method(const char *symbol)
{
    _cleanup_free_ char *text = !strncmp(symbol, "_Z", 2) ? tt_demangle(symbol) : NULL;

    return text ? strdup(own_name(text)) : NULL;
}

/* "N5Tango4AttrE" of "Tango::Attr". */
static bool mangled(const char *class, char *name, size_t size)
{
    char prefix[256];

    return tt_demangle_prefix(class, prefix, sizeof(prefix)) &&
           snprintf(name, size, "%sE", prefix + 2) < (int)size;
}

/* The same of the class that a row's signature names: of "Tango::Attr::read(..)". */
static bool class_of_row(const struct tt_row *row, char *name, size_t size)
{
    char copy[256];

    if (snprintf(copy, sizeof(copy), "%s", row->signature[0]) >= (int)sizeof(copy))
        return false;
    own_name(copy)[-2] = '\0';
    return mangled(copy, name, size);
}

static bool is_root(const char *name)
{
    char root[256];

    for (size_t i = 0; i < tt_row_count; i++) {
        if (tt_rows[i].overrides && class_of_row(&tt_rows[i], root, sizeof(root)) && !strcmp(root, name))
            return true;
    }
    return false;
}

/* The row whose function that is, in classes derived from `root`. */
static uint32_t row_of(const char *root, const char *method)
{
    char name[256], copy[256];

    for (uint32_t i = 0; i < tt_row_count; i++) {
        if (!tt_rows[i].overrides || !class_of_row(&tt_rows[i], name, sizeof(name)) || strcmp(name, root))
            continue;
        snprintf(copy, sizeof(copy), "%s", tt_rows[i].signature[0]);
        if (!strcmp(own_name(copy), method))
            return i;
    }
    return TT_SLOT_NO_ROW;
}

/* ---- one class ------------------------------------------------------------------------------------- */

/* The class that the rows name among the type and its bases, as long as it lies at the object's beginning:
 * then its table is the beginning of the type's. NULL: none. */
static const char *root_of(const struct tt_types *types, const char *name, uint32_t type, unsigned depth)
{
    if (is_root(name))
        return name;
    for (uint32_t i = 0; type != TT_TYPE_NONE && i < types->array[type].count && depth < DEPTH_MAX; i++) {
        const struct tt_type_base *base = &types->bases[types->array[type].first + i];
        const char *root = base->name && !base->offset && !base->is_virtual
                               ? root_of(types, base->name, base->type, depth + 1)
                               : NULL;

        if (root)
            return root;
    }
    return NULL;
}

/* Slot 0 of the primary table that begins at `at` and has that many bytes: behind the first pointer to the
 * class's type description, before which lie offsets. 0: there is none. */
static uint64_t first_slot(const struct tt_pointers *pointers, uint64_t at, uint64_t size, const char *name)
{
    for (uint64_t end = at + size; end - at >= 8; at += 8) {
        const struct tt_pointer *pointer = tt_pointer_at(pointers, at);
        const char *symbol;
        uint64_t addend;

        if (!pointer)
            continue;
        symbol = tt_pointer_symbol(pointers, pointer, &addend);
        if (symbol && !addend)
            return !strncmp(symbol, "_ZTI", 4) && !strcmp(symbol + 4, name) ? at + 8 : 0;
        if (pointer->here) {
            const struct tt_pointer *text = tt_pointer_at(pointers, pointer->target + 8);
            const char *found = text && text->here ? tt_elf_text(pointers->elf, text->target, 1024) : NULL;

            return found && !strcmp(found, name) ? at + 8 : 0;
        }
    }
    return 0;
}

/* The functions of this file at `address`, as one method name; NULL if they differ. */
static char *method_at(const struct tt_elf *elf, uint64_t address)
{
    char *method = NULL;

    for (size_t i = TT_LOWER_BOUND(elf->symbols, elf->symbol_count, address, address);
         i < elf->symbol_count && elf->symbols[i].address == address; i++) {
        _cleanup_free_ char *other = tt_class_method(elf->symbols[i].name);

        if (method && (!other || strcmp(method, other))) {
            free(method);
            return NULL;
        }
        if (!method)
            method = TAKE_PTR(other);
    }
    return method;
}

/* What the function in a slot is called; NULL: not known, none, a pure virtual one, a destructor. *end: what
 * lies there ends the table. */
static char *method_in(const struct tt_pointers *pointers, uint64_t at, bool *end)
{
    const struct tt_pointer *pointer = tt_pointer_at(pointers, at);
    char *method = NULL;
    const char *symbol;
    uint64_t addend;

    if (!pointer)
        return NULL;
    symbol = tt_pointer_symbol(pointers, pointer, &addend);
    *end = (symbol && !strncmp(symbol, "_ZT", 3) && strncmp(symbol, "_ZTh", 4) &&
            strncmp(symbol, "_ZTv", 4)) ||
           (pointer->here && !tt_class_code(pointers->elf, pointer->target));
    if (*end || (symbol && addend))
        return NULL;
    if (symbol)
        method = tt_class_method(symbol);
    else if (pointer->here)
        method = method_at(pointers->elf, pointer->target);
    if (method && (*method == '~' || !strncmp(symbol ? symbol : "", "_ZT", 3))) {
        free(method);
        return NULL;
    }
    return method;
}

static int read_slots(const struct tt_pointers *pointers, const struct tt_elf_symbol *table,
                      struct tt_base *base)
{
    uint64_t rest = tt_elf_rest(pointers->elf, table->address), size, first, count, used = 0;
    bool end = false;

    /* a symbol may claim any size */
    size = table->size < rest ? table->size : rest;
    size = size < TABLE_MAX ? size : TABLE_MAX;
    first = first_slot(pointers, table->address, size, base->name);
    if (!first)
        return 0;
    count = (table->address + size - first) / 8;
    base->slots = calloc(count ? count : 1, sizeof(*base->slots));
    if (!base->slots)
        return -ENOMEM;
    for (uint64_t i = 0; i < count && !end; i++) {
        base->slots[i].row = TT_SLOT_NO_ROW;
        base->slots[i].method = method_in(pointers, first + 8 * i, &end);
        /* further tables of the same symbol follow, offsets first: those are no pointers */
        if (!end && tt_pointer_at(pointers, first + 8 * i))
            used = i + 1;
    }
    base->slot_count = used;
    return 0;
}

/* ---- all of them ----------------------------------------------------------------------------------- */

static int compare_bases(const void *a, const void *b)
{
    return strcmp(((const struct tt_base *)a)->name, ((const struct tt_base *)b)->name);
}

static uint32_t type_of(const struct tt_types *types, const char *name)
{
    for (uint32_t i = 0; i < types->count; i++) {
        if (!strcmp(types->array[i].name, name))
            return i;
    }
    return TT_TYPE_NONE;
}

/* The root of a class by its name; NULL: it has none. */
static const char *root_name(const struct tt_types *types, const char *class)
{
    return root_of(types, class, type_of(types, class), 0);
}

/* Appends the class that a symbol is the virtual table of, if it is one that counts. */
static int add_base(struct tt_bases *bases, const struct tt_types *types, const struct tt_elf_symbol *table)
{
    const char *name = table->name + 4;
    struct tt_base *base = &bases->array[bases->count];
    int r;

    if (!root_name(types, name) || !tt_elf_rest(types->pointers->elf, table->address))
        return 0;
    *base = (struct tt_base){.name = strdup(name)};
    if (!base->name)
        return -ENOMEM;
    bases->count++;
    r = read_slots(types->pointers, table, base);
    if (r == 0 && !base->slot_count) { /* copied from a library, say: nothing is told here */
        bases->count--;
        free(base->name);
        free(base->slots);
    }
    return r;
}

/* Also before they are in order, as tt_base_find wants them. */
static bool has_base(const struct tt_bases *bases, const char *name)
{
    for (size_t i = 0; i < bases->count; i++)
        if (!strcmp(bases->array[i].name, name))
            return true;
    return false;
}

/* Roots whose own table the build has left out, since nobody makes objects of them: the tables of all that
 * derive from one begin with its slots. */
static int add_roots(struct tt_bases *bases, const struct tt_types *types)
{
    for (size_t i = 0, count = bases->count; i < count; i++) {
        const char *name = root_name(types, bases->array[i].name);
        struct tt_base *root = &bases->array[bases->count];
        size_t slots = bases->array[i].slot_count;

        if (!name || has_base(bases, name))
            continue;
        for (size_t j = i; j < count; j++) {
            const char *other = root_name(types, bases->array[j].name);

            if (other && !strcmp(other, name) && bases->array[j].slot_count < slots)
                slots = bases->array[j].slot_count;
        }
        *root = (struct tt_base){.name = strdup(name), .slot_count = slots};
        root->slots = calloc(slots, sizeof(*root->slots));
        bases->count++;
        if (!root->name || !root->slots)
            return -ENOMEM;
    }
    return 0;
}

static void find_roots(struct tt_bases *bases, const struct tt_types *types)
{
    for (uint32_t i = 0; i < bases->count; i++) {
        struct tt_base *base = &bases->array[i];
        const char *name = root_name(types, base->name);
        const struct tt_base *root = name ? tt_base_find(bases, name) : NULL;

        base->root = root ? (uint32_t)(root - bases->array) : i;
        base->known = root != NULL;
    }
}

#define DISAGREED ""

/* What all classes of the root call that slot; DISAGREED, or NULL where none has a name for it. */
static const char *agreed(const struct tt_bases *bases, uint32_t root, size_t slot)
{
    const char *method = NULL;

    for (size_t i = 0; i < bases->count; i++) {
        const struct tt_base *base = &bases->array[i];

        if (base->root != root || slot >= base->slot_count || !base->slots[slot].method ||
            !strcmp(base->slots[slot].method, "__cxa_pure_virtual"))
            continue;
        if (method && strcmp(method, base->slots[slot].method))
            return DISAGREED;
        method = base->slots[slot].method;
    }
    return method;
}

/* Do the functions lie there, as far as there are names? There are of the first and the last. */
static bool lie_there(const struct tt_virtuals *order, const char *const *names, size_t count, size_t at)
{
    size_t i;

    for (i = 0; i < TT_VIRTUALS && order->method[i]; i++) {
        if (!strcmp(order->method[i], TT_VIRTUALS_END))
            return at + i == count;
        if (at + i >= count || (!i && !names[at]) ||
            (names[at + i] && strcmp(names[at + i], order->method[i])))
            return false;
    }
    return names[at + i - 1] != NULL;
}

/* Names slots that have none by the order in which their functions are declared. */
static void name_by_order(const struct tt_base *root, const char **names)
{
    char name[256];

    for (size_t i = 0; i < tt_virtuals_count; i++) {
        const struct tt_virtuals *order = &tt_virtuals[i];
        size_t at = 0;

        if (!mangled(order->class, name, sizeof(name)) || strcmp(name, root->name))
            continue;
        while (at < root->slot_count && !lie_there(order, names, root->slot_count, at))
            at++;
        for (size_t j = 0; at + j < root->slot_count && j < TT_VIRTUALS && order->method[j]; j++)
            names[at + j] = order->method[j];
    }
}

/* What all classes of the root are to say of that slot. */
static int set_slot(struct tt_bases *bases, uint32_t root, size_t slot, const char *method, uint32_t row)
{
    for (size_t i = 0; i < bases->count; i++) {
        struct tt_base *base = &bases->array[i];

        if (base->root != root || slot >= base->slot_count)
            continue;
        free(base->slots[slot].method);
        base->slots[slot].method = method ? strdup(method) : NULL;
        base->slots[slot].row = row;
        if (method && !base->slots[slot].method)
            return -ENOMEM;
    }
    return 0;
}

/* Gives the slots of one root that the rows name their rows, in all its classes alike. */
static int give_root_meaning(struct tt_bases *bases, uint32_t root)
{
    const struct tt_base *base = &bases->array[root];
    _cleanup_free_ const char **names = calloc(base->slot_count + 1, sizeof(*names));
    int r = names ? 0 : -ENOMEM;

    for (size_t slot = 0; r == 0 && slot < base->slot_count; slot++)
        names[slot] = agreed(bases, root, slot);
    if (r == 0)
        name_by_order(base, names);
    for (size_t slot = 0; r == 0 && slot < base->slot_count; slot++) {
        _cleanup_free_ char *copy = names[slot] && *names[slot] ? strdup(names[slot]) : NULL;

        r = set_slot(bases, root, slot, copy, copy ? row_of(base->name, copy) : TT_SLOT_NO_ROW);
    }
    return r;
}

static int give_meaning(struct tt_bases *bases)
{
    int r = 0;

    for (uint32_t root = 0; r == 0 && root < bases->count; root++)
        if (bases->array[root].root == root && bases->array[root].known)
            r = give_root_meaning(bases, root);
    return r;
}

static int read_bases(struct tt_elf *elf, struct tt_bases *bases)
{
    _cleanup_(tt_pointers_free) struct tt_pointers pointers = {0};
    _cleanup_(tt_types_free) struct tt_types types = {0};
    int r = tt_pointers_read(elf, &pointers);

    if (r == 0)
        r = tt_types_read(&pointers, &types);
    bases->array = r == 0 ? calloc(elf->table_count + tt_row_count, sizeof(*bases->array)) : NULL;
    if (r == 0 && !bases->array)
        r = -ENOMEM;
    for (size_t i = 0; r == 0 && i < elf->table_count; i++) {
        const struct tt_elf_symbol *table = &elf->tables[i];
        bool again = i && !strcmp(table->name, table[-1].name);

        if (!again && !strncmp(table->name, "_ZTV", 4))
            r = add_base(bases, &types, table);
    }
    if (r == 0)
        r = add_roots(bases, &types);
    if (r == 0 && bases->count)
        qsort(bases->array, bases->count, sizeof(*bases->array), compare_bases);
    if (r == 0)
        find_roots(bases, &types);
    if (r == 0 && !bases->count)
        r = -ENOENT;
    return r < 0 ? r : give_meaning(bases);
}

int tt_bases_read(int fd, const char *path, struct tt_bases **result, char **error)
{
    _cleanup_(tt_bases_free) struct tt_bases *bases = calloc(1, sizeof(*bases));
    const char *why = "out of memory";
    struct tt_elf elf;
    int r;

    *error = NULL;
    if (!bases)
        return -ENOMEM;
    bases->path = strdup(path);
    r = bases->path ? tt_elf_open(&elf, fd, false, &why) : -ENOMEM;
    if (r >= 0) {
        bases->layout = tt_identity_layout(&elf);
        r = read_bases(&elf, bases);
        why = strerror(-r);
        tt_elf_close(&elf);
    }
    if (r < 0) {
        if (r != -ENOENT && asprintf(error, "%s: %s", path, why) < 0)
            *error = NULL;
        return r;
    }
    *result = TAKE_PTR(bases);
    return 0;
}

void tt_bases_free(struct tt_bases **bases)
{
    struct tt_bases *b = TAKE_PTR(*bases);

    if (!b)
        return;
    for (size_t i = 0; i < b->count; i++) {
        for (size_t j = 0; j < b->array[i].slot_count; j++)
            free(b->array[i].slots[j].method);
        free(b->array[i].slots);
        free(b->array[i].name);
    }
    free(b->array);
    free(b->path);
    free(b);
}
