/* SPDX-License-Identifier: GPL-2.0-only */
/* reload.c: the options again, while the agent runs, and what has changed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "options/internal.h"

static const void *field_of(const struct tt_options *options, const struct option *option)
{
    return (const char *)options + option->offset;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool same_list(const struct tt_list *a, const struct tt_list *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = !strcmp(a->items[i], b->items[i]);
    return same;
}

static bool same_rules(const struct tt_selection *a, const struct tt_selection *b)
{
    bool same = tt_selection_count(a) == tt_selection_count(b);

    for (size_t i = 0; same && i < tt_selection_count(a); i++) {
        bool x, y;

        same = !strcmp(tt_selection_rule(a, i, &x), tt_selection_rule(b, i, &y)) && x == y;
    }
    return same;
}

static bool same_value(const struct tt_options *a, const struct tt_options *b, const struct option *option)
{
    const void *x = field_of(a, option), *y = field_of(b, option);

    switch (option->type) {
    case OPTION_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case OPTION_TEXT:
        return same_text(*(char *const *)x, *(char *const *)y);
    case OPTION_SIZE:
        return *(const uint64_t *)x == *(const uint64_t *)y;
    case OPTION_LIST:
        return same_list(x, y);
    case OPTION_SELECT:
    case OPTION_EXCLUDE:
        return same_rules(*(struct tt_selection *const *)x, *(struct tt_selection *const *)y);
    default:
        return *(const unsigned *)x == *(const unsigned *)y;
    }
}

unsigned tt_options_affected(const struct tt_options *a, const struct tt_options *b)
{
    unsigned affected = 0;

    for (size_t i = 0; i < tt_option_count; i++)
        if (!same_value(a, b, &tt_option_table[i]))
            affected |= tt_option_table[i].affects;
    return affected;
}

/* Texts and lists are not kept: nobody looks at those after the start. */
static void keep_fixed(const struct tt_options *old, struct tt_options *options)
{
    static const size_t sizes[] = {[OPTION_BOOL] = sizeof(bool),       [OPTION_SIZE] = sizeof(uint64_t),
                                   [OPTION_COUNT] = sizeof(unsigned),  [OPTION_DURATION] = sizeof(unsigned),
                                   [OPTION_CHOICE] = sizeof(unsigned), [OPTION_EXCLUDE] = 0};

    for (size_t i = 0; i < tt_option_count; i++) {
        const struct option *option = &tt_option_table[i];

        if (!(option->affects & TT_AFFECTS_RESTART) || same_value(old, options, option))
            continue;
        tt_warn("%s cannot change while the agent runs: it stays what it is until a restart", option->name);
        memcpy((char *)options + option->offset, field_of(old, option), sizes[option->type]);
    }
}

int tt_options_reload(const struct tt_options *old, struct tt_options *options, char **error)
{
    int err = tt_options_parse(options, old->made_for, old->made_of, old->made_in, error);

    if (!err)
        keep_fixed(old, options);
    return err;
}

int tt_options_record(struct tt_options *options, const char *path)
{
    char *copy = strdup(path);

    if (!copy)
        return -ENOMEM;
    free(options->record);
    options->record = copy;
    for (size_t i = 0; !tt_options_given(options, "export") && i < options->exports.count; i++)
        free(options->exports.items[i]);
    if (!tt_options_given(options, "export"))
        options->exports.count = 0;
    return 0;
}
