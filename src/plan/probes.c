/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probes.c: the functions of one file that a user's probes name, planned: with their entry and all their
 * exits, or not at all. A function that is traced already stays what it is.
 */
#include "plan/probes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "plan/classes.h"
#include "plan/demangle.h"
#include "plan/elf.h"
#include "plan/function.h"

/* Of one probe in one file: each costs two traps whenever it is called, and a glob that matches so many was
 * not meant so. */
#define FUNCTIONS_MAX 64

/* A function that a probe names. */
struct found {
    struct tt_probe *probe;
    uint64_t address, size;
    char *symbol, *signature, *name; /* owned */
};

struct search {
    struct found *array;
    size_t count;
};

static void free_found(struct found *found)
{
    free(found->symbol);
    free(found->signature);
    free(found->name);
}

static void free_search(struct search *search)
{
    for (size_t i = 0; i < search->count; i++)
        free_found(&search->array[i]);
    free(search->array);
}

/* ---- names ---- */

/* Length of the signature without the compiler's note that it is a clone: "[clone .isra.0]". */
static size_t without_clone(const char *signature)
{
    const char *clone = strstr(signature, " [clone ");

    return clone ? (size_t)(clone - signature) : strlen(signature);
}

/* The opening one of the brackets that the text's nth byte closes, or 0. */
static size_t opening(const char *text, size_t closing)
{
    size_t depth = 0;

    for (size_t i = closing + 1; i-- > 0;) {
        depth += text[i] == ')';
        depth -= text[i] == '(' && depth;
        if (!depth)
            return i;
    }
    return 0;
}

/* Where the qualified name begins: behind the type that a template returns. */
static size_t name_begin(const char *text, size_t end)
{
    size_t depth = 0;

    if (!memchr(text, '<', end))
        return 0;
    for (size_t i = end; i-- > 0;) {
        bool is_operator = i >= 8 && !strncmp(text + i - 8, "operator", 8);

        depth += text[i] == '>' || text[i] == ')';
        depth -= (text[i] == '<' || text[i] == '(') && depth;
        if (text[i] == ' ' && !depth && !is_operator)
            return i + 1;
    }
    return 0;
}

/* "MyDevice::compute" of "MyDevice::compute(int) const"; the caller's. */
static char *name_of(const char *signature)
{
    size_t size = without_clone(signature), end = size, begin;

    while (end && signature[end - 1] != ')')
        end--;
    end = end ? opening(signature, end - 1) : size;
    if (!end) /* all of it in brackets: no signature of ours */
        end = size;
    begin = name_begin(signature, end);
    return strndup(signature + begin, end - begin);
}

static bool takes_file(const struct tt_probe *probe, const char *path)
{
    return !probe->file || tt_glob(probe->file, strchr(probe->file, '/') ? path : tt_basename(path), false);
}

bool tt_probes_alike(const struct tt_probes *probes, const char *path, const char *other)
{
    for (size_t i = 0; probes && i < probes->count; i++)
        if (takes_file(&probes->array[i], path) != takes_file(&probes->array[i], other))
            return false;
    return true;
}

/* Does the probe name it? Then *signature and *name are the caller's. 1, 0 or -ENOMEM. */
static int names(const struct tt_probe *probe, const char *symbol, char **signature, char **name)
{
    _cleanup_free_ char *whole = NULL, *plain = NULL;

    if (!strstr(symbol, probe->hint) || strstr(symbol, ".cold"))
        return 0;
    whole = tt_demangle(symbol);
    if (!whole)
        return 0;
    plain = name_of(whole);
    if (!plain)
        return -ENOMEM;
    if (!tt_glob(probe->function, probe->signature ? whole : plain, false))
        return 0;
    *signature = TAKE_PTR(whole);
    *name = TAKE_PTR(plain);
    return 1;
}

bool tt_probes_want(const struct tt_probes *probes, const struct tt_elf *elf, const char *path)
{
    for (size_t i = 0; probes && i < probes->count; i++) {
        const struct tt_probe *probe = &probes->array[i];

        if (!takes_file(probe, path))
            continue;
        if (probe->address)
            return true;
        for (size_t j = 0; j < elf->symbol_count; j++) {
            _cleanup_free_ char *signature = NULL, *name = NULL;

            if (names(probe, elf->symbols[j].name, &signature, &name) > 0)
                return true;
        }
    }
    return false;
}

/* ---- the functions of a file ---- */

/* Takes over the texts. */
static int add_found(struct search *search, struct found *found)
{
    struct found *array = NULL;

    for (size_t i = 0; i < search->count; i++) {
        if (search->array[i].address == found->address) { /* another name of it, or another probe's */
            free_found(found);
            return 0;
        }
    }
    if (found->symbol && found->signature && found->name)
        array = reallocarray(search->array, search->count + 1, sizeof(*array));
    if (!array) {
        free_found(found);
        return -ENOMEM;
    }
    search->array = array;
    array[search->count++] = *found;
    return 0;
}

static int find_address(struct search *search, struct tt_elf *elf, struct tt_probe *probe)
{
    const struct tt_elf_symbol *symbol = tt_elf_symbol_at(elf, probe->address);
    struct found found = {.probe = probe, .address = probe->address};

    found.signature = symbol ? tt_demangle(symbol->name) : NULL;
    if (found.signature) { /* else it has no name, or none that can be read */
        found.symbol = strdup(symbol->name);
        found.name = name_of(found.signature);
    } else {
        found.symbol = strdup(probe->function);
        found.signature = strdup(probe->function);
        found.name = strdup(probe->function);
    }
    return add_found(search, &found);
}

static int find_names(struct search *search, const struct tt_elf *elf, struct tt_probe *probe)
{
    for (size_t i = 0; i < elf->symbol_count; i++) {
        const struct tt_elf_symbol *symbol = &elf->symbols[i];
        struct found found = {.probe = probe, .address = symbol->address, .size = symbol->size};
        int r = names(probe, symbol->name, &found.signature, &found.name);

        if (r > 0) {
            found.symbol = strdup(symbol->name);
            r = add_found(search, &found);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* The function of another plan that lies there with its points, or NULL. */
static const struct tt_plan_function *traced_there(const struct tt_probes_context *context, uint64_t address,
                                                   const struct tt_plan **plan)
{
    for (size_t i = 0; i < context->other_count; i++) {
        for (size_t j = 0; context->others[i] && j < context->others[i]->function_count; j++) {
            const struct tt_plan_function *function = &context->others[i]->functions[j];

            if (function->address == address && function->count) {
                *plan = context->others[i];
                return function;
            }
        }
    }
    return NULL;
}

/* The compiler gave it other arguments than the source has. */
static const char *clone_problem(const struct found *found)
{
    bool clone = strstr(found->symbol, ".isra.") || strstr(found->symbol, ".constprop.") ||
                 strstr(found->symbol, ".part.");

    return clone && found->probe->row.argument[0].field != TT_FIELD_NONE
               ? "a clone of the compiler's: its arguments are not those of the source"
               : NULL;
}

static int plan_found(struct tt_plan *plan, struct tt_elf *elf, const struct found *found,
                      const struct tt_probes_context *context)
{
    int64_t row = tt_plan_add_row(plan, &found->probe->row, found->name);
    const struct tt_function wanted = {
        .row = (uint32_t)row,
        .address = found->address,
        .size = found->size,
        .symbol = found->symbol,
        .signature = found->signature,
        .whole = true,
    };
    const struct tt_plan *other = NULL;
    const struct tt_plan_function *function = traced_there(context, found->address, &other);
    const char *clone = clone_problem(found);

    if (row < 0)
        return (int)row;
    if (function) {
        _cleanup_free_ char *why = tt_format("traced already, as %s",
                                             tt_plan_row(other, function->row)->name);

        return why ? tt_plan_leave_out(plan, &wanted, why) : -ENOMEM;
    }
    return clone ? tt_plan_leave_out(plan, &wanted, clone) : tt_plan_function(plan, elf, &wanted);
}

/* The glob itself stands for the functions that it should not have matched. */
static int plan_too_many(struct tt_plan *plan, const struct tt_probe *probe, size_t count)
{
    int64_t row = tt_plan_add_row(plan, &probe->row, probe->function);
    _cleanup_free_ char *why = tt_format("it matches %zu functions, more than %d: none of them is traced",
                                         count, FUNCTIONS_MAX);
    const struct tt_function wanted = {
        .row = (uint32_t)row, .symbol = probe->function, .signature = probe->function};

    return row < 0 || !why ? -ENOMEM : tt_plan_leave_out(plan, &wanted, why);
}

static int plan_search(struct tt_plan *plan, struct tt_elf *elf, const struct search *search,
                       const struct tt_probes_context *context)
{
    int r = 0;

    plan->functions = calloc(search->count, sizeof(*plan->functions));
    if (!plan->functions)
        return -ENOMEM;
    for (size_t i = 0, end; r >= 0 && i < search->count; i = end) {
        for (end = i + 1; end < search->count && search->array[end].probe == search->array[i].probe;)
            end++;
        search->array[i].probe->found += end - i;
        if (end - i > FUNCTIONS_MAX) {
            r = plan_too_many(plan, search->array[i].probe, end - i);
            continue;
        }
        for (size_t j = i; r >= 0 && j < end; j++)
            r = plan_found(plan, elf, &search->array[j], context);
    }
    return r < 0 ? r : 0;
}

static int fill(struct tt_plan *plan, struct tt_elf *elf, const void *argument)
{
    const struct tt_probes_context *context = argument;
    _cleanup_(free_search) struct search search = {0};
    int r = 0;

    if (context->bases)
        plan->layout = context->bases->layout;
    for (size_t i = 0; r >= 0 && i < context->probes->count; i++) {
        struct tt_probe *probe = &context->probes->array[i];

        if (takes_file(probe, plan->path))
            r = probe->address ? find_address(&search, elf, probe) : find_names(&search, elf, probe);
    }
    if (r < 0)
        return r;
    return search.count ? plan_search(plan, elf, &search, context) : -ENOENT;
}

int tt_plan_probes(int fd, const char *path, const struct tt_probes_context *context, struct tt_plan **result,
                   char **error)
{
    return tt_plan_make(fd, path, fill, context, result, error);
}

const char *tt_probes_missed(const struct tt_probes *probes, size_t *next)
{
    while (probes && *next < probes->count) {
        const struct tt_probe *probe = &probes->array[(*next)++];

        if (!probe->found)
            return probe->function;
    }
    return NULL;
}
