/* SPDX-License-Identifier: GPL-2.0-only */
/* print.c: help, --print-config and docs/options.md, from the table. */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "options/internal.h"

#define WIDTH  100
#define INDENT 30

/* ---- help ---- */

/* Words of `string` from column `column` on, continued at INDENT. */
static void wrap(struct tt_text *out, const char *string, size_t column)
{
    while (*string) {
        size_t word = strcspn(string, " ");

        if (column > INDENT && column + 1 + word > WIDTH) {
            tt_text_printf(out, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            tt_text_puts(out, " ");
            column++;
        }
        tt_text_add(out, string, word);
        column += word;
        string += word;
        string += strspn(string, " ");
    }
    tt_text_puts(out, "\n");
}

static const char *default_text(const struct option *option)
{
    if (option->initial_text)
        return option->initial_text;
    return option->type == OPTION_BOOL && option->initial && !strcmp(option->initial, "no") ? NULL
                                                                                            : option->initial;
}

static void help_one(const struct option *option, struct tt_text *out)
{
    _cleanup_(tt_text_free) struct tt_text left = {0}, right = {0};

    if (option->letter)
        tt_text_printf(&left, "  -%c, ", option->letter);
    else
        tt_text_puts(&left, "      ");
    tt_text_printf(&left, "--%s%s%s", option->name, option->value ? " " : "",
                   option->value ? option->value : "");
    tt_text_puts(&right, option->help);
    if (option->choices) {
        tt_text_puts(&right, " (");
        for (size_t i = 0; option->choices[i]; i++)
            tt_text_printf(&right, "%s%s", i ? ", " : "", option->choices[i]);
        tt_text_puts(&right, ")");
    }
    if (default_text(option))
        tt_text_printf(&right, " [%s]", default_text(option));
    if (!left.failed && !right.failed) {
        tt_text_puts(out, left.data);
        if (left.size + 2 > INDENT)
            tt_text_printf(out, "\n%*s", INDENT, "");
        else
            tt_text_printf(out, "%*s", (int)(INDENT - left.size), "");
        wrap(out, right.data, INDENT);
    }
}

void tt_options_help(enum tt_command command, struct tt_text *out)
{
    const char *group = NULL;

    for (size_t i = 0; i < tt_option_count; i++) {
        const struct option *option = &tt_option_table[i];

        if (!(option->commands & command))
            continue;
        if (!group || strcmp(group, option->group) != 0)
            tt_text_printf(out, "%s%s:\n", group ? "\n" : "", option->group);
        group = option->group;
        help_one(option, out);
    }
}

/* ---- effective values ---- */

/* Between quotes; a user and password in a URL are masked, and the query of one that is sent to. */
static void print_quoted(struct tt_text *out, const char *value)
{
    bool is_target = !strncasecmp(value, "http", strlen("http")) || !strncmp(value, "otlp", strlen("otlp"));
    const char *scheme = strstr(value, "://"), *authority = scheme ? scheme + 3 : value;
    const char *query = scheme && is_target ? strchr(authority, '?') : NULL;
    const char *at = scheme ? memrchr(authority, '@', strcspn(authority, "/?#")) : NULL;

    tt_text_puts(out, "\"");
    for (; *value; value++) {
        if (at && value == authority) {
            tt_text_puts(out, "****");
            value = at;
        }
        if (query && value == query) {
            tt_text_puts(out, "?****");
            break;
        }
        if (*value == '"' || *value == '\\')
            tt_text_printf(out, "\\%c", *value);
        else if ((unsigned char)*value < 0x20 || *value == 0x7f)
            tt_text_printf(out, "\\x%02x", (unsigned char)*value);
        else
            tt_text_add(out, value, 1);
    }
    tt_text_puts(out, "\"");
}

static void print_size(struct tt_text *out, uint64_t value)
{
    static const char *const units[] = {"", "K", "M", "G"};
    size_t unit = 0;

    for (; value && value % 1024 == 0 && unit < 3; unit++)
        value /= 1024;
    tt_text_printf(out, "%llu%s", (unsigned long long)value, units[unit]);
}

static void print_selection(struct tt_text *out, const struct tt_selection *selection)
{
    for (size_t i = 0; i < tt_selection_count(selection); i++) {
        bool include;
        const char *rule = tt_selection_rule(selection, i, &include);
        _cleanup_free_ char *text = tt_format("%s%s", include ? "" : "!", rule);

        if (i)
            tt_text_puts(out, ", ");
        print_quoted(out, text ? text : rule);
    }
}

static void print_list(struct tt_text *out, const struct tt_list *list, bool none)
{
    if (!list->count && none)
        print_quoted(out, "none");
    for (size_t i = 0; i < list->count; i++) {
        if (i)
            tt_text_puts(out, ", ");
        print_quoted(out, list->items[i]);
    }
}

/* "name=value,..." without the values. */
static void print_secret(struct tt_text *out, const char *value)
{
    _cleanup_(tt_text_free) struct tt_text masked = {0};

    for (const char *pair = value; *pair;) {
        size_t length = strcspn(pair, ","), name = strcspn(pair, "=,");

        tt_text_add(&masked, pair, name < length ? name : 0);
        tt_text_puts(&masked, name < length ? "=****" : "");
        pair += length;
        if (*pair == ',')
            tt_text_add(&masked, pair++, 1);
    }
    print_quoted(out, masked.data && !masked.failed ? masked.data : "");
}

static void print_value(struct tt_text *out, const struct tt_options *options, const struct option *option)
{
    const void *field = (const char *)options + option->offset;

    switch (option->type) {
    case OPTION_BOOL:
        tt_text_puts(out, *(const bool *)field ? "yes" : "no");
        break;
    case OPTION_TEXT:
        (option->secret ? print_secret : print_quoted)(out, *(char *const *)field);
        break;
    case OPTION_SIZE:
        print_size(out, *(const uint64_t *)field);
        break;
    case OPTION_COUNT:
        tt_text_printf(out, "%u", *(const unsigned *)field);
        break;
    case OPTION_DURATION:
        tt_text_printf(out, "%ums", *(const unsigned *)field);
        break;
    case OPTION_CHOICE:
        tt_text_puts(out, option->choices[*(const unsigned *)field]);
        break;
    case OPTION_LIST:
        tt_text_puts(out, "[");
        print_list(out, field, !strcmp(option->name, "export"));
        tt_text_puts(out, "]");
        break;
    case OPTION_SELECT:
    case OPTION_EXCLUDE:
        tt_text_puts(out, "[");
        print_selection(out, options->selection);
        tt_text_puts(out, "]");
        break;
    }
}

void tt_options_print_config(const struct tt_options *options, struct tt_text *out)
{
    for (size_t i = 0; i < tt_option_count; i++) {
        const struct option *option = &tt_option_table[i];
        bool unset = option->type == OPTION_TEXT && !*(char *const *)((const char *)options + option->offset);
        size_t start = out->size;

        /* Excludes are printed with the selection, as one list in its order. */
        if (option->scope != SCOPE_EVERYWHERE || option->type == OPTION_EXCLUDE)
            continue;
        /* What has no value is shown as a comment: the output can be used as a file. */
        tt_text_printf(out, "%s%s: ", unset ? "# " : "", option->name);
        if (!unset)
            print_value(out, options, option);
        if (out->size - start < 40)
            tt_text_printf(out, "%*s", (int)(40 - (out->size - start)), "");
        tt_text_puts(out, " # ");
        tt_text_safe(out, options->origin[i] ? options->origin[i] : unset ? "not set" : "default");
        tt_text_puts(out, "\n");
    }
}

/* ---- reference ---- */

const char *const tt_command_names[] = {"run",    "list",   "status", "doctor", "plan",
                                        "config", "replay", "tail",   "top",    NULL};

static void reference_one(const struct option *option, struct tt_text *out)
{
    char environment[64];

    tt_text_printf(out, "### `--%s%s%s`", option->name, option->value ? " " : "",
                   option->value ? option->value : "");
    if (option->letter)
        tt_text_printf(out, ", `-%c`", option->letter);
    tt_text_printf(out, "\n\n%s.\n\n", option->help);
    if (option->choices) {
        tt_text_puts(out, "* one of:");
        for (size_t i = 0; option->choices[i]; i++)
            tt_text_printf(out, "%s `%s`", i ? "," : "", option->choices[i]);
        tt_text_puts(out, "\n");
    }
    if (option->type == OPTION_BOOL && option->scope == SCOPE_EVERYWHERE)
        tt_text_printf(out, "* the opposite: `--no-%s`\n", option->name);
    if (option->initial_text)
        tt_text_printf(out, "* default: %s\n", option->initial_text);
    else if (option->initial)
        tt_text_printf(out, "* default: `%s`\n", option->initial);
    if (option->scope != SCOPE_INVOCATION) {
        tt_text_printf(out, "* environment: `%s`", tt_option_environment(option, environment));
        for (size_t i = 0; i < STANDARD_MAX && option->standard[i]; i++)
            tt_text_printf(out, ", `%s`", option->standard[i]);
        tt_text_puts(out, "\n");
    }
    if (option->affects & TT_AFFECTS_RESTART)
        tt_text_puts(out, "* a reload (SIGHUP) does not change it\n");
    tt_text_puts(out, "* commands:");
    for (size_t i = 0; tt_command_names[i]; i++) {
        if (option->commands & (1u << i))
            tt_text_printf(out, " `%s`", tt_command_names[i]);
    }
    tt_text_puts(out, "\n\n");
}

void tt_options_reference(struct tt_text *out)
{
    const char *group = NULL;

    tt_text_puts(
        out,
        "# Options of tangotrace\n\n"
        "Generated by `tangotrace help-reference` from the option table; do not edit.\n\n"
        "Each option has one name in three places: `--name VALUE` on the command line, `TANGOTRACE_NAME` in "
        "the environment\nand `name: VALUE` in the YAML file of `--config`. The command line goes before "
        "the environment, the environment before\nthe file. Lists are replaced, not extended: elements are "
        "separated by commas in the environment, written as\n`[a, b]` in the file and given by repeating "
        "the option. `--print-config` shows each effective value and its origin.\n\n"
        "A bad value in one of OpenTelemetry's variables (`OTEL_*`) is warned of and ignored, but for "
        "endpoints and headers:\nspans are not sent elsewhere than was meant. Everywhere else it is an "
        "error. Variables of OpenTelemetry that are not\nnamed here have no effect: the propagators.\n\n"
        "In the file, options whose names begin alike can stand together: `sampling: {wait: 2s}` is "
        "`sampling-wait: 2s`.\n\n");
    for (size_t i = 0; i < tt_option_count; i++) {
        const struct option *option = &tt_option_table[i];

        if (!group || strcmp(group, option->group) != 0)
            tt_text_printf(out, "## %s\n\n", option->group);
        group = option->group;
        reference_one(option, out);
    }
}
