/* SPDX-License-Identifier: GPL-2.0-only */
/* options.c: from the sources (file, environment, command line) to the values. */
#include "options/options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/url.h"
#include "options/internal.h"

#define CONFIG_MAX (1 << 18) /* bytes of a configuration file */

/* ---- assignments ---- */

int tt_assign(struct assignments *list, const struct option *option, const char *value, size_t size,
              bool lenient, const char *where, ...)
{
    struct assignment *items = reallocarray(list->items, list->count + 1, sizeof(*items));
    struct assignment item = {.option = option, .lenient = lenient};
    va_list args;

    if (!items)
        return -ENOMEM;
    list->items = items;
    va_start(args, where);
    if (vasprintf(&item.where, where, args) < 0)
        item.where = NULL;
    va_end(args);
    item.value = strndup(value, size);
    if (!item.where || !item.value) {
        free(item.where);
        free(item.value);
        return -ENOMEM;
    }
    list->items[list->count++] = item;
    return 0;
}

void tt_assignments_free(struct assignments *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].value);
        free(list->items[i].where);
    }
    free(list->items);
    memset(list, 0, sizeof(*list));
}

/* The row that others of the same field share their origin with: --exclude adds to the list of --select. */
static const struct option *list_head(const struct option *option)
{
    return option->type == OPTION_EXCLUDE ? tt_option_find("select", 6) : option;
}

static int empty_list(struct tt_options *options, const struct option *option)
{
    if (option->type == OPTION_LIST) {
        tt_list_free((struct tt_list *)((char *)options + option->offset));
        return 0;
    }
    tt_selection_free(&options->selection);
    options->selection = tt_selection_new();
    return options->selection ? 0 : -ENOMEM;
}

/* Sets the values of one source. Lists of an earlier source are replaced, not extended. */
static int apply(struct tt_options *options, const struct assignments *list, char **error)
{
    bool emptied[TT_OPTIONS_MAX] = {false};

    for (size_t i = 0; i < list->count; i++) {
        const struct assignment *a = &list->items[i];
        size_t index = (size_t)(list_head(a->option) - tt_option_table);
        char *origin;
        int err = 0;

        if (tt_option_is_list(a->option) && !emptied[index])
            err = empty_list(options, a->option);
        emptied[index] = true;
        if (!err)
            err = tt_option_set(options, a, error);
        if (err == -EINVAL && a->lenient && !a->option->strict) {
            tt_warn("%s; using %s", *error, a->option->initial ? a->option->initial : "the default");
            free(*error);
            *error = NULL;
            continue;
        }
        if (err)
            return err;
        origin = strdup(a->where);
        if (!origin)
            return -ENOMEM;
        free(options->origin[index]);
        options->origin[index] = origin;
    }
    return 0;
}

static int set_defaults(struct tt_options *options, char **error)
{
    options->selection = tt_selection_new();
    if (!options->selection)
        return -ENOMEM;
    for (size_t i = 0; i < tt_option_count; i++) {
        const struct option *option = &tt_option_table[i];
        struct assignment a = {
            .option = option, .value = (char *)option->initial, .where = (char *)"default"};
        int err = option->initial ? tt_option_set(options, &a, error) : 0;

        if (err)
            return err;
    }
    return 0;
}

/* ---- environment ---- */

static const char *variable(char *const environment[], const char *name)
{
    size_t length = strlen(name);

    for (; environment && *environment; environment++)
        if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
            return (*environment)[length + 1] ? *environment + length + 1
                                              : NULL; /* empty counts as not set */
    return NULL;
}

/* A list in a variable: commas between its elements. */
static int assign_variable(struct assignments *list, const struct option *option, const char *name,
                           const char *value, bool lenient)
{
    if (!tt_option_is_list(option))
        return tt_assign(list, option, value, strlen(value), lenient, "%s", name);
    while (*value) {
        size_t length = strcspn(value, ",");
        int err = length ? tt_assign(list, option, value, length, lenient, "%s", name) : 0;

        if (err)
            return err;
        value += length + (value[length] == ',');
    }
    return 0;
}

static void warn_unknown_variables(char *const environment[])
{
    char names[TT_OPTIONS_MAX][64];
    const char *list[TT_OPTIONS_MAX];

    for (size_t i = 0; i < tt_option_count; i++)
        list[i] = tt_option_environment(&tt_option_table[i], names[i]);
    for (; environment && *environment; environment++) {
        _cleanup_free_ char *name = strndup(*environment, strcspn(*environment, "="));
        bool known = !name || strncmp(name, "TANGOTRACE_", 11) != 0;
        const char *meant;

        for (size_t i = 0; i < tt_option_count && !known; i++)
            known = tt_option_table[i].scope != SCOPE_INVOCATION && !strcmp(list[i], name);
        if (known)
            continue;
        meant = tt_suggest(name, list, tt_option_count, sizeof(list[0]));
        tt_warn("%s in the environment is no option of tangotrace%s%s", name, meant ? "; did you mean " : "",
                meant ? meant : "");
    }
}

/* The first of OpenTelemetry's variables for an option that is set and means something to it. */
static int assign_standard(struct assignments *list, const struct option *option, char *const environment[])
{
    for (size_t s = 0; s < STANDARD_MAX && option->standard[s]; s++) {
        const char *value = variable(environment, option->standard[s]);

        if (value && option->translate)
            value = option->translate(option->standard[s], value);
        if (value)
            return assign_variable(list, option, option->standard[s], value, true);
    }
    return 0;
}

static int read_environment(enum tt_command command, char *const environment[], struct assignments *list)
{
    /* Excludes first: they are the exceptions from what is selected. */
    for (size_t i = tt_option_count; i-- > 0;) {
        const struct option *option = &tt_option_table[i];
        char name[64];
        const char *value = variable(environment, tt_option_environment(option, name));
        int err;

        if (option->scope == SCOPE_INVOCATION || !(option->commands & command))
            continue;
        err = value ? assign_variable(list, option, name, value, false)
                    : assign_standard(list, option, environment);
        if (err)
            return err;
    }
    return 0;
}

/* ---- command line ---- */

static int unknown_option(enum tt_command command, const char *argument, size_t length, char **error)
{
    const char *names[TT_OPTIONS_MAX], *meant;
    _cleanup_free_ char *word = strndup(argument, length);
    size_t count = 0;

    for (size_t i = 0; i < tt_option_count; i++)
        if (tt_option_table[i].commands & command)
            names[count++] = tt_option_table[i].name;
    meant = word && !strncmp(word, "--", 2) ? tt_suggest(word + 2, names, count, sizeof(names[0])) : NULL;
    if (meant)
        *error = tt_format("unknown option %.*s; did you mean --%s?", (int)length, argument, meant);
    else
        *error = tt_format("unknown option %.*s; --help lists the options", (int)length, argument);
    return -EINVAL;
}

/* "--ring-size=1M", "--ring-size 1M", "--no-multi". Returns the number of arguments used, or negative. */
static int read_long(enum tt_command command, char *const argv[], struct assignments *list, char **error)
{
    const char *name = argv[0] + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct option *option = tt_option_find(name, length);
    const char *value = equals ? equals + 1 : NULL;
    bool negated = false;
    int err;

    if (!option && length > 3 && !strncmp(name, "no-", 3)) {
        option = tt_option_find(name + 3, length - 3);
        negated = option && option->type == OPTION_BOOL;
        option = negated ? option : NULL;
    }
    if (!option || !(option->commands & command))
        return unknown_option(command, argv[0], length + 2, error);
    if (negated && value) {
        *error = tt_format("--no-%s takes no value", option->name);
        return -EINVAL;
    }
    if (option->type == OPTION_BOOL && !value)
        value = negated ? "no" : "yes";
    if (!value && !argv[1]) {
        *error = tt_format("option --%s needs a value: --%s %s", option->name, option->name, option->value);
        return -EINVAL;
    }
    err = tt_assign(list, option, value ? value : argv[1], strlen(value ? value : argv[1]), false,
                    "option --%s", option->name);
    return err ? err : value ? 1 : 2;
}

/* "-s PATTERN", "-sPATTERN"; flags do not cluster. */
static int read_short(enum tt_command command, char *const argv[], struct assignments *list, char **error)
{
    const struct option *option = NULL;
    const char *value = argv[0] + 2;
    int err;

    for (size_t i = 0; i < tt_option_count; i++)
        if (tt_option_table[i].letter == argv[0][1] && (tt_option_table[i].commands & command))
            option = &tt_option_table[i];
    if (!option)
        return unknown_option(command, argv[0], strlen(argv[0]), error);
    if (option->type == OPTION_BOOL) {
        if (*value)
            return unknown_option(command, argv[0], strlen(argv[0]), error);
        err = tt_assign(list, option, "yes", 3, false, "option --%s", option->name);
        return err ? err : 1;
    }
    if (!*value && !argv[1]) {
        *error = tt_format("option -%c needs a value: -%c %s", option->letter, option->letter, option->value);
        return -EINVAL;
    }
    value = *value ? value : argv[1];
    err = tt_assign(list, option, value, strlen(value), false, "option --%s", option->name);
    return err ? err : value == argv[1] ? 2 : 1;
}

/* Options and arguments in any order; what stands behind "--" are no arguments of ours. */
static int read_command_line(struct tt_options *options, enum tt_command command, char *const argv[],
                             struct assignments *list, char **error)
{
    size_t i = 0, count = 0;

    while (argv[count])
        count++;
    options->arguments = calloc(count + 1, sizeof(*options->arguments));
    if (!options->arguments)
        return -ENOMEM;
    count = 0;
    while (argv[i] && strcmp(argv[i], "--") != 0) {
        int used = 1;

        if (argv[i][0] != '-' || !argv[i][1])
            options->arguments[count++] = argv[i];
        else
            used = argv[i][1] == '-' ? read_long(command, argv + i, list, error)
                                     : read_short(command, argv + i, list, error);
        if (used < 0 && command == TT_COMMAND_RUN && count) {
            /* "run ls -l": the "-l" is not what is wrong. */
            free(TAKE_PTR(*error));
            break;
        }
        if (used < 0)
            return used;
        i += (size_t)used;
    }
    options->command = argv[i] && !strcmp(argv[i], "--") ? (char **)argv + i + 1 : NULL;
    if (options->command && (command != TT_COMMAND_RUN || !options->command[0])) {
        *error = tt_format(command != TT_COMMAND_RUN ? "\"--\" belongs to 'tangotrace run -- COMMAND'"
                                                     : "\"--\" is to be followed by the command to run");
        return -EINVAL;
    }
    return 0;
}

/* ---- file ---- */

static int read_file(const char *path, struct assignments *list, char **error)
{
    _cleanup_free_ char *text = NULL;
    bool cut = false;
    size_t size;
    int err = tt_read_file_at(AT_FDCWD, path, CONFIG_MAX, &text, &size, &cut);

    if (err == -ENOMEM)
        return err;
    if (err || cut) {
        *error = tt_format("configuration file %s: %s", path, cut ? "larger than 256 KiB" : strerror(-err));
        return -EINVAL;
    }
    return tt_options_read_yaml(text, size, path, list, error);
}

int tt_options_check_yaml(const char *text, size_t size, const char *path, char **error)
{
    _cleanup_(tt_assignments_free) struct assignments list = {0};
    _cleanup_(tt_options_free) struct tt_options options = {0};
    int err = set_defaults(&options, error);

    if (!err)
        err = tt_options_read_yaml(text, size, path, &list, error);
    if (!err)
        err = apply(&options, &list, error);
    return err;
}

/* ---- together ---- */

static int read_all(struct tt_options *options, enum tt_command command, char *const argv[],
                    char *const environment[], char **error)
{
    _cleanup_(tt_assignments_free) struct assignments file = {0}, variables = {0}, line = {0};
    const char *config = NULL;
    int err = read_command_line(options, command, argv, &line, error);

    if (!err)
        err = set_defaults(options, error);
    if (!err)
        err = read_environment(command, environment, &variables);
    if (err)
        return err;
    warn_unknown_variables(environment);
    for (size_t i = 0; i < variables.count; i++) /* of commands that take it */
        if (!strcmp(variables.items[i].option->name, "config"))
            config = variables.items[i].value;
    for (size_t i = 0; i < line.count; i++)
        if (!strcmp(line.items[i].option->name, "config"))
            config = line.items[i].value;
    if (config)
        err = read_file(config, &file, error);
    if (!err)
        err = apply(options, &file, error);
    if (!err)
        err = apply(options, &variables, error);
    if (!err)
        err = apply(options, &line, error);
    return err;
}

/* Root's agent is the host's. Others have one of their own; a client of theirs asks root's if there is none.
 */
static char *default_control(enum tt_command command, char *const environment[])
{
    static const char host_path[] = "/run/tangotrace.sock";
    const char *runtime = variable(environment, "XDG_RUNTIME_DIR");
    char *path;

    if (!geteuid())
        return strdup(host_path);
    path = runtime ? tt_format("%s/tangotrace.sock", runtime)
                   : tt_format("/run/user/%u/tangotrace.sock", geteuid());
    if (path && command != TT_COMMAND_RUN && access(path, F_OK) && !access(host_path, F_OK)) {
        free(path);
        path = strdup(host_path);
    }
    return path;
}

/* What "otlp" without a URL stands for. */
static char *otlp_target(const struct tt_options *options)
{
    const char *exact = options->otlp_of[TT_OTLP_TRACES].endpoint;

    if (exact)
        return tt_format(TT_EXPORT_TRACES "%s", exact);
    return options->otlp_endpoint ? tt_format("otlp:%s", options->otlp_endpoint) : strdup("otlp");
}

static const struct option *option_named(const char *name)
{
    return tt_option_find(name, strlen(name));
}

/* Spans have a destination of their own: the base URL is that of the log records. */
static int derive_logs_endpoint(struct tt_options *options)
{
    const char *given = options->origin[option_named("otlp-endpoint") - tt_option_table];
    char **origin = &options->origin[option_named("otlp-logs-endpoint") - tt_option_table];
    _cleanup_(tt_url_free) struct tt_url url = {0};
    _cleanup_free_ char *why = NULL;
    int err = tt_url_parse(options->otlp_endpoint, "/v1/logs", &url, &why);

    if (err)
        return err;
    options->otlp_of[TT_OTLP_LOGS].endpoint = TAKE_PTR(url.url);
    *origin = given ? strdup(given) : NULL;
    return given && !*origin ? -ENOMEM : 0;
}

/* Where only log records have a destination they go there without spans; but --export decides alone. */
static int complete_logs(struct tt_options *options)
{
    const char *given = options->origin[option_named("export") - tt_option_table], *first = NULL;
    const char *endpoint = options->otlp_of[TT_OTLP_LOGS].endpoint;
    bool standard = given && !strcmp(given, "OTEL_TRACES_EXPORTER");

    for (size_t i = 0; i < options->exports.count && !first; i++)
        if (!strncmp(options->exports.items[i], "otlp", strlen("otlp")))
            first = options->exports.items[i];
    if (!endpoint && options->otlp_endpoint &&
        (first ? !strncmp(first, TT_EXPORT_TRACES, strlen(TT_EXPORT_TRACES)) : standard)) {
        int err = derive_logs_endpoint(options);

        if (err)
            return err;
        endpoint = options->otlp_of[TT_OTLP_LOGS].endpoint;
    }
    if (first || !endpoint || !options->logs || options->serve || (given && !standard))
        return 0;
    return tt_list_add(&options->exports, tt_format(TT_EXPORT_LOGS "%s", endpoint));
}

/* "none" wins over nothing else and says nothing itself. */
static void drop_none(struct tt_list *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], "none") != 0)
            list->items[kept++] = list->items[i];
        else
            free(list->items[i]);
    }
    list->count = kept;
    list->items[kept] = NULL;
}

static int complete_metrics(struct tt_options *options)
{
    struct tt_list *list = &options->metrics_exports;
    int err = 0;

    if (!list->count && options->otlp_of[TT_OTLP_METRICS].endpoint)
        err = tt_list_add(list, strdup("otlp"));
    if (list->count)
        drop_none(list);
    for (size_t i = 0; i < list->count && !err; i++) {
        if (strcmp(list->items[i], "otlp") != 0 ||
            !(options->otlp_of[TT_OTLP_METRICS].endpoint || options->otlp_endpoint))
            continue;
        free(list->items[i]);
        list->items[i] = options->otlp_of[TT_OTLP_METRICS].endpoint
                             ? tt_format(TT_EXPORT_METRICS "%s", options->otlp_of[TT_OTLP_METRICS].endpoint)
                             : tt_format("otlp:%s", options->otlp_endpoint);
        err = list->items[i] ? 0 : -ENOMEM;
    }
    return err;
}

/* The values are checked already. */
static int add_details(struct tt_options *options)
{
    int err = 0;

    for (size_t i = 0; i < options->details.count && !err; i++) {
        _cleanup_free_ char *why = NULL;

        err = tt_selection_add_detail(options->selection, false, options->details.items[i], &why);
    }
    return err;
}

/* What was not given is what was given, or is the default, of the other. */
static int inherit(struct tt_options *options, const struct option *to)
{
    const struct option *from = tt_option_find(to->inherits, strlen(to->inherits));
    char **origin = &options->origin[to - tt_option_table], *given = options->origin[from - tt_option_table];
    void *value = (char *)options + to->offset;
    const void *source = (const char *)options + from->offset;

    if (*origin)
        return 0;
    if (to->type != OPTION_TEXT)
        *(unsigned *)value = *(const unsigned *)source; /* counts, durations and choices */
    else if (*(char *const *)source && !(*(char **)value = strdup(*(char *const *)source)))
        return -ENOMEM;
    *origin = given ? strdup(given) : NULL;
    return given && !*origin ? -ENOMEM : 0;
}

static int inherit_all(struct tt_options *options)
{
    int err = 0;

    for (size_t i = 0; i < tt_option_count && !err; i++)
        if (tt_option_table[i].inherits)
            err = inherit(options, &tt_option_table[i]);
    return err;
}

static int complete(struct tt_options *options, enum tt_command command, char *const environment[])
{
    int err = add_details(options);

    if (!err)
        err = inherit_all(options);
    if (err)
        return err;
    tt_selection_skip_native(options->selection, options->native == TT_NATIVE_SKIP);
    if (!options->control)
        options->control = default_control(command, environment);
    if (!options->control)
        return -ENOMEM;
    if (!options->exports.count) { /* who looks at the page wants no console */
        err = tt_list_add(&options->exports, strdup(options->serve ? "none" : "console"));
        if (!err && (options->otlp_endpoint || options->otlp_of[TT_OTLP_TRACES].endpoint))
            err = tt_list_add(&options->exports, strdup("otlp"));
    }
    if (!err)
        drop_none(&options->exports);
    for (size_t i = 0; i < options->exports.count && !err; i++) {
        if (strcmp(options->exports.items[i], "otlp") != 0)
            continue;
        free(options->exports.items[i]);
        options->exports.items[i] = otlp_target(options);
        err = options->exports.items[i] ? 0 : -ENOMEM;
    }
    if (!err)
        err = complete_logs(options);
    return err ? err : complete_metrics(options);
}

int tt_options_parse(struct tt_options *options, enum tt_command command, char *const argv[],
                     char *const environment[], char **error)
{
    _cleanup_(tt_options_free) struct tt_options found = {0};
    char *message = NULL;
    int err = read_all(&found, command, argv, environment, &message);

    if (!err)
        err = complete(&found, command, environment);
    if (err) {
        *error = message ? message : tt_format("%s", strerror(-err));
        return err;
    }
    found.made_for = command;
    found.made_of = argv;
    found.made_in = environment;
    *options = found;
    found = (struct tt_options){0};
    return 0;
}

bool tt_options_given(const struct tt_options *options, const char *name)
{
    const struct option *option = tt_option_find(name, strlen(name));

    return option && options->origin[option - tt_option_table];
}

void tt_options_free(struct tt_options *options)
{
    for (size_t i = 0; i < tt_option_count; i++) {
        const struct option *option = &tt_option_table[i];

        if (option->type == OPTION_TEXT)
            free(*(char **)((char *)options + option->offset));
        else if (option->type == OPTION_LIST)
            tt_list_free((struct tt_list *)((char *)options + option->offset));
        free(options->origin[i]);
    }
    free(options->arguments);
    tt_selection_free(&options->selection);
    memset(options, 0, sizeof(*options));
}
