/* SPDX-License-Identifier: GPL-2.0-only */
/* set.c: from the text of a value to its field, by the option's type. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "options/internal.h"

/* A message may have several lines; nothing else in it moves the cursor. */
static void add_lines(struct tt_text *text, const char *lines)
{
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        _cleanup_free_ char *line = strndup(lines, length);

        if (line)
            tt_text_safe(text, line);
        lines += length;
        if (*lines)
            tt_text_add(text, lines++, 1);
    }
}

static int __attribute__((format(printf, 3, 4)))
refuse(const struct assignment *a, char **error, const char *format, ...)
{
    struct tt_text text = {0};
    _cleanup_free_ char *what = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&what, format, args) < 0)
        what = NULL;
    va_end(args);
    /* "FILE:LINE" does not name the option, the others do. */
    tt_text_printf(&text, "%s: ", a->where);
    if (strchr(a->where, ':'))
        tt_text_printf(&text, "%s: ", a->option->name);
    add_lines(&text, what ? what : "bad value");
    *error = tt_text_take(&text);
    return -EINVAL;
}

static int set_bool(void *field, const struct assignment *a, char **error)
{
    if (tt_parse_bool(a->value, field))
        return refuse(a, error, "\"%s\" is to be yes or no", a->value);
    return 0;
}

static int check_value(const struct assignment *a, char **error)
{
    _cleanup_free_ char *why = NULL;
    int err = a->option->check ? a->option->check(a->value, &why) : 0;

    return err == -EINVAL ? refuse(a, error, "%s", why ? why : "bad value") : err;
}

static int set_text(void *field, const struct assignment *a, char **error)
{
    char *copy;
    int err;

    if (!*a->value && !a->option->may_be_empty)
        return refuse(a, error, "the value is empty");
    err = check_value(a, error);
    if (err)
        return err;
    copy = strdup(a->value);
    if (!copy)
        return -ENOMEM;
    free(*(char **)field);
    *(char **)field = copy;
    return 0;
}

static int check_range(const struct assignment *a, uint64_t value, char **error)
{
    uint64_t max = a->option->max ? a->option->max : UINT_MAX;

    if (value < a->option->min || value > max)
        return refuse(a, error, "\"%s\" is out of range, %llu to %llu%s is possible", a->value,
                      (unsigned long long)a->option->min, (unsigned long long)max,
                      a->option->type == OPTION_DURATION ? " ms"
                      : a->option->type == OPTION_SIZE   ? " bytes"
                                                         : "");
    return 0;
}

static int set_size(void *field, const struct assignment *a, char **error)
{
    uint64_t value, rounded = 1;
    int err = tt_parse_size(a->value, &value);

    if (err)
        return refuse(a, error, "\"%s\" is no size; write bytes or K, M, G as in 16M", a->value);
    err = check_range(a, value, error);
    if (err)
        return err;
    while (rounded < value)
        rounded *= 2;
    *(uint64_t *)field = a->option->power ? rounded : value;
    return 0;
}

static int set_count(void *field, const struct assignment *a, char **error)
{
    uint64_t value;
    int err;

    if (tt_parse_u64(a->value, &value))
        return refuse(a, error, "\"%s\" is no number", a->value);
    err = check_range(a, value, error);
    if (!err)
        *(unsigned *)field = (unsigned)value;
    return err;
}

static int set_duration(void *field, const struct assignment *a, char **error)
{
    uint64_t value;
    int err;

    if (tt_parse_duration(a->value, &value))
        return refuse(a, error, "\"%s\" is no time; write 500ms, 2s or 1m (without a unit: ms)", a->value);
    err = check_range(a, value, error);
    if (!err)
        *(unsigned *)field = (unsigned)value;
    return err;
}

static int set_choice(void *field, const struct assignment *a, char **error)
{
    _cleanup_(tt_text_free) struct tt_text all = {0};

    /* OpenTelemetry: "enum values [..] SHOULD be interpreted in a case-insensitive manner". */
    int (*const compare)(const char *, const char *) = a->lenient ? strcasecmp : strcmp;

    for (unsigned i = 0; a->option->choices[i]; i++) {
        if (!compare(a->option->choices[i], a->value)) {
            *(unsigned *)field = i;
            return 0;
        }
        tt_text_printf(&all, "%s%s", i ? ", " : "", a->option->choices[i]);
    }
    return refuse(a, error, "\"%s\" is none of: %s", a->value, all.data ? all.data : "");
}

bool tt_option_is_list(const struct option *option)
{
    return option->type == OPTION_LIST || option->type == OPTION_SELECT || option->type == OPTION_EXCLUDE;
}

int tt_list_add(struct tt_list *list, char *text)
{
    char **items = text ? reallocarray(list->items, list->count + 2, sizeof(*items)) : NULL;

    if (!items) {
        free(text);
        return -ENOMEM;
    }
    list->items = items;
    items[list->count++] = text;
    items[list->count] = NULL;
    return 0;
}

void tt_list_free(struct tt_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct tt_list){0};
}

static int set_list(void *field, const struct assignment *a, char **error)
{
    int err;

    if (!*a->value)
        return refuse(a, error, "the value is empty");
    err = check_value(a, error);
    return err ? err : tt_list_add(field, strdup(a->value));
}

static int set_rule(void *field, const struct assignment *a, char **error)
{
    bool include = a->option->type == OPTION_SELECT, negated = include && a->value[0] == '!';
    _cleanup_free_ char *why = NULL;
    int err = tt_selection_add(*(struct tt_selection **)field, include && !negated, a->value + negated, &why);

    return err == -EINVAL ? refuse(a, error, "%s", why ? why : "bad pattern") : err;
}

int tt_option_set(struct tt_options *options, const struct assignment *assignment, char **error)
{
    static int (*const setters[])(void *field, const struct assignment *a, char **error) = {
        [OPTION_BOOL] = set_bool,   [OPTION_TEXT] = set_text,         [OPTION_SIZE] = set_size,
        [OPTION_COUNT] = set_count, [OPTION_DURATION] = set_duration, [OPTION_CHOICE] = set_choice,
        [OPTION_LIST] = set_list,   [OPTION_SELECT] = set_rule,       [OPTION_EXCLUDE] = set_rule,
    };

    return setters[assignment->option->type]((char *)options + assignment->option->offset, assignment, error);
}
