/* SPDX-License-Identifier: GPL-2.0-only */
/* manual.c: options in troff's man macros, for the man pages. */
#include <string.h>

#include "options/internal.h"

void tt_troff(struct tt_text *out, const char *string)
{
    if (*string == '.' || *string == '\'')
        tt_text_puts(out, "\\&");
    for (; *string; string++) {
        if (*string == '\\')
            tt_text_puts(out, "\\e");
        else if (*string == '-')
            tt_text_puts(out, "\\-");
        else
            tt_text_add(out, string, 1);
    }
}

static void put_paragraph(struct tt_text *out, const char *string)
{
    tt_troff(out, string);
    tt_text_puts(out, "\n");
}

static void put_choices(struct tt_text *out, const struct option *option)
{
    tt_text_puts(out, "One of:");
    for (size_t i = 0; option->choices[i]; i++) {
        tt_text_puts(out, i ? ", " : " ");
        tt_troff(out, option->choices[i]);
    }
    tt_text_puts(out, ".\n");
}

static void put_default(struct tt_text *out, const struct option *option)
{
    const char *text = option->initial_text ? option->initial_text : option->initial;

    if (!text)
        return;
    tt_text_puts(out, "Default: ");
    tt_troff(out, text);
    tt_text_puts(out, ".\n");
}

/* "-s, --select PATTERN", or for the file "select: PATTERN". */
static void put_title(struct tt_text *out, const struct option *option, bool file)
{
    tt_text_puts(out, ".TP\n.B ");
    if (!file && option->letter)
        tt_text_printf(out, "\\-%c\\fR, \\fB", option->letter);
    tt_text_puts(out, file ? "" : "\\-\\-");
    tt_troff(out, option->name);
    tt_text_puts(out, file ? ":" : "");
    if (option->value || file) {
        tt_text_puts(out, " \\fI");
        tt_troff(out, option->value ? option->value : "yes|no");
        tt_text_puts(out, "\\fR");
    }
    tt_text_puts(out, "\n");
}

static void put_environment(struct tt_text *out, const struct option *option)
{
    char environment[64];

    if (option->scope == SCOPE_INVOCATION)
        return;
    tt_text_puts(out, "Environment: ");
    tt_troff(out, tt_option_environment(option, environment));
    for (size_t i = 0; i < STANDARD_MAX && option->standard[i]; i++) {
        tt_text_puts(out, ", ");
        tt_troff(out, option->standard[i]);
    }
    tt_text_puts(out, ".\n");
}

static void put_option(struct tt_text *out, const struct option *option, bool file)
{
    put_title(out, option, file);
    tt_troff(out, option->help);
    tt_text_puts(out, ".\n");
    if (option->choices)
        put_choices(out, option);
    put_default(out, option);
    if (option->affects & TT_AFFECTS_RESTART)
        tt_text_puts(out, "A reload (SIGHUP) does not change it.\n");
    if (file)
        return;
    put_environment(out, option);
    tt_text_puts(out, "Commands:");
    for (size_t i = 0; tt_command_names[i]; i++)
        if (option->commands >> i & 1)
            tt_text_printf(out, " %s", tt_command_names[i]);
    tt_text_puts(out, ".\n");
}

void tt_options_manual(struct tt_text *out, bool file)
{
    const char *group = NULL;

    for (size_t i = 0; i < tt_option_count; i++) {
        const struct option *option = &tt_option_table[i];

        if (file && option->scope != SCOPE_EVERYWHERE)
            continue;
        if (!group || strcmp(group, option->group) != 0) {
            tt_text_puts(out, ".SS ");
            put_paragraph(out, option->group);
        }
        group = option->group;
        put_option(out, option, file);
    }
}
