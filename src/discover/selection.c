/* SPDX-License-Identifier: GPL-2.0-only */
/* selection.c: ordered includes and excludes, first match wins. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "discover/process.h"

enum kind {
    KIND_BARE,
    KIND_SERVER,
    KIND_EXE,
    KIND_SCRIPT,
    KIND_CMD,
    KIND_USER,
    KIND_CGROUP,
    KIND_NETNS,
    KIND_PID
};

#define KINDS "server exe script cmd user cgroup netns pid"

static const struct {
    const char *name;
    enum kind kind;
    bool number; /* the pattern is one */
} kinds[] = {
    {"server", KIND_SERVER, false}, {"exe", KIND_EXE, false},   {"script", KIND_SCRIPT, false},
    {"cmd", KIND_CMD, false},       {"user", KIND_USER, false}, {"cgroup", KIND_CGROUP, false},
    {"netns", KIND_NETNS, true},    {"pid", KIND_PID, true},
};

struct rule {
    bool include;
    enum kind kind;
    char *text;          /* as given; owned */
    const char *pattern; /* in text, behind the kind */
    uint64_t number;
};

#define DETAILS_MAX 256 /* patterns with a level: they can be added while the agent runs */

struct tt_selection {
    struct rule *rules;
    size_t count;
    bool has_include;
    bool skip_native;
    struct detail {
        struct rule rule;
        enum tt_detail level;
    } * details;
    size_t detail_count;
    enum tt_detail rest; /* level of those that no pattern matches */
};

struct tt_selection *tt_selection_new(void)
{
    struct tt_selection *selection = calloc(1, sizeof(*selection));

    if (selection)
        selection->rest = TT_DETAIL_METHODS;
    return selection;
}

void tt_selection_free(struct tt_selection **selection)
{
    if (!*selection)
        return;
    for (size_t i = 0; i < (*selection)->count; i++)
        free((*selection)->rules[i].text);
    free((*selection)->rules);
    for (size_t i = 0; i < (*selection)->detail_count; i++)
        free((*selection)->details[i].rule.text);
    free((*selection)->details);
    free(TAKE_PTR(*selection));
}

/* The kind before the first ':', in any letter case. A prefix that is no word belongs to the pattern
 * ("[[:alpha:]]*"). */
static int parse_kind(struct rule *rule, char **error)
{
    size_t length = 0;

    rule->kind = KIND_BARE;
    rule->pattern = rule->text;
    while (isalpha((unsigned char)rule->text[length]))
        length++;
    if (!length || rule->text[length] != ':')
        return 0;
    for (size_t i = 0; i < TT_ARRAY_SIZE(kinds); i++) {
        if (strlen(kinds[i].name) != length || strncasecmp(kinds[i].name, rule->text, length) != 0)
            continue;
        rule->kind = kinds[i].kind;
        rule->pattern = rule->text + length + 1;
        if (kinds[i].number && tt_parse_u64(rule->pattern, &rule->number)) {
            *error = tt_format("\"%s\": %s: takes a decimal number, not \"%s\"", rule->text, kinds[i].name,
                               rule->pattern);
            return -EINVAL;
        }
        return 0;
    }
    *error = tt_format("\"%s\": there is no kind \"%.*s\"; use one of: " KINDS
                       ", or a bare pattern for server, executable "
                       "and script names",
                       rule->text, (int)length, rule->text);
    return -EINVAL;
}

static int check_pattern(const struct rule *rule, char **error)
{
    if (!*rule->pattern) {
        *error = tt_format("\"%s\": the pattern is empty; write \"*\" for everything", rule->text);
        return -EINVAL;
    }
    if (strlen(rule->pattern) > 1024) {
        *error = tt_format("a pattern of %zu bytes; the limit is 1024", strlen(rule->pattern));
        return -EINVAL;
    }
    return 0;
}

/* `rule` without its text, on failure. */
static int parse_rule(struct rule *rule, const char *text, char **error)
{
    int err;

    rule->text = strdup(text);
    if (!rule->text)
        return -ENOMEM;
    err = parse_kind(rule, error);
    if (!err)
        err = check_pattern(rule, error);
    if (err)
        free(TAKE_PTR(rule->text));
    return err;
}

int tt_selection_add(struct tt_selection *selection, bool include, const char *text, char **error)
{
    struct rule rule = {.include = include}, *rules;
    int err = parse_rule(&rule, text, error);

    rules = err ? NULL : reallocarray(selection->rules, selection->count + 1, sizeof(*rules));
    if (!rules) {
        free(rule.text);
        return err ? err : -ENOMEM;
    }
    selection->rules = rules;
    selection->rules[selection->count++] = rule;
    selection->has_include |= include;
    return 0;
}

size_t tt_selection_count(const struct tt_selection *selection)
{
    return selection ? selection->count : 0;
}

const char *tt_selection_rule(const struct tt_selection *selection, size_t index, bool *include)
{
    *include = selection->rules[index].include;
    return selection->rules[index].text;
}

/*
 * "TangoTest/te*" against exec/instance; without a '/' against the exec name: any instance. By its command
 * line where it does not listen yet: a server that is asked for is traced from its first call. "*" means what
 * surely serves.
 */
static bool match_server(const char *glob, const struct tt_process *process)
{
    const char *server = process->server          ? process->server
                         : strcmp(glob, "*") != 0 ? process->serves_as
                                                  : NULL;
    char exec[256];
    size_t length;

    if (!server)
        return false;
    if (strchr(glob, '/') || !strcmp(glob, "*"))
        return tt_glob(glob, server, true);
    length = strcspn(server, "/");
    snprintf(exec, sizeof(exec), "%.*s", (int)length, server);
    return tt_glob(glob, exec, true);
}

static bool match_exe(const char *glob, const struct tt_process *process)
{
    return process->exe &&
           (tt_glob(glob, process->exe, false) || tt_glob(glob, tt_basename(process->exe), false));
}

/* Script names are kept without ".py"; people write it all the same. */
static bool match_script(const char *glob, const struct tt_process *process)
{
    char with_ending[256];

    if (!process->script)
        return false;
    if (tt_glob(glob, process->script, false))
        return true;
    snprintf(with_ending, sizeof(with_ending), "%s.py", process->script);
    return process->runtime && tt_glob(glob, with_ending, false);
}

static bool match_command(const char *glob, const struct tt_process *process)
{
    _cleanup_(tt_text_free) struct tt_text line = {0};

    for (size_t i = 0; process->argv && process->argv[i]; i++)
        tt_text_printf(&line, "%s%s", i ? " " : "", process->argv[i]);
    return !line.failed && tt_glob(glob, line.data ? line.data : "", false);
}

static bool match_user(const char *glob, const struct tt_process *process)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", process->uid);
    return tt_glob(glob, process->user, false) || tt_glob(glob, number, false);
}

static bool matches(const struct rule *rule, const struct tt_process *process)
{
    switch (rule->kind) {
    case KIND_SERVER:
        return match_server(rule->pattern, process);
    case KIND_EXE:
        return match_exe(rule->pattern, process);
    case KIND_SCRIPT:
        return match_script(rule->pattern, process);
    case KIND_CMD:
        return match_command(rule->pattern, process);
    case KIND_USER:
        return match_user(rule->pattern, process);
    case KIND_CGROUP:
        return tt_glob(rule->pattern, process->cgroup, false);
    case KIND_NETNS:
        return rule->number == process->netns;
    case KIND_PID:
        return process->pid > 0 && rule->number == (uint64_t)process->pid;
    case KIND_BARE:
        break;
    }
    return match_server(rule->pattern, process) || match_exe(rule->pattern, process) ||
           match_script(rule->pattern, process);
}

/* Can the rule be answered for a process of which the kernel alone has told? */
static bool is_answerable(const struct rule *rule, const struct tt_process *process)
{
    if (!process->glimpsed)
        return true;
    if (rule->kind == KIND_USER)
        return !isdigit((unsigned char)process->user[0]) || isdigit((unsigned char)rule->pattern[0]);
    if (rule->kind == KIND_EXE) /* the name without its folder is known */
        return !strchr(rule->pattern, '/');
    return rule->kind != KIND_CGROUP && rule->kind != KIND_NETNS;
}

/* The first rule that matches, or NULL; *sure = there was no rule before it that cannot be answered. */
static const struct rule *first_match(const struct tt_selection *selection, const struct tt_process *process,
                                      bool *sure)
{
    *sure = true;
    for (size_t i = 0; i < tt_selection_count(selection); i++) {
        const struct rule *rule = &selection->rules[i];

        *sure &= is_answerable(rule, process);
        if (matches(rule, process))
            return rule;
    }
    return NULL;
}

/* ---- levels of detail ---- */

static int parse_level(const char *text, size_t length, enum tt_detail *level, char **error)
{
    for (int i = 0; i < TT_DETAILS; i++) {
        if (strlen(tt_detail_names[i]) == length && !strncasecmp(tt_detail_names[i], text, length)) {
            *level = (enum tt_detail)i;
            return 0;
        }
    }
    *error = tt_format("\"%.*s\" is no level of detail; use rpc, methods or full", (int)length, text);
    return -EINVAL;
}

static void remove_detail(struct tt_selection *selection, const char *pattern)
{
    for (size_t i = 0; i < selection->detail_count; i++) {
        if (strcmp(selection->details[i].rule.text, pattern) != 0)
            continue;
        free(selection->details[i].rule.text);
        selection->detail_count--;
        memmove(&selection->details[i], &selection->details[i + 1],
                (selection->detail_count - i) * sizeof(selection->details[0]));
        return;
    }
}

int tt_selection_add_detail(struct tt_selection *selection, bool first, const char *text, char **error)
{
    size_t length = strcspn(text, ":"), at;
    struct detail made = {0}, *details;
    int err = parse_level(text, length, &made.level, error);

    if (!err && !text[length])
        selection->rest = made.level;
    if (err || !text[length])
        return err;
    err = parse_rule(&made.rule, text + length + 1, error);
    if (err)
        return err;
    if (first)
        remove_detail(selection, made.rule.text);
    if (selection->detail_count == DETAILS_MAX) {
        free(made.rule.text);
        *error = tt_format("there are %d patterns with a level already", DETAILS_MAX);
        return -E2BIG;
    }
    details = reallocarray(selection->details, selection->detail_count + 1, sizeof(*details));
    if (!details) {
        free(made.rule.text);
        return -ENOMEM;
    }
    selection->details = details;
    at = first ? 0 : selection->detail_count;
    memmove(&details[at + 1], &details[at], (selection->detail_count - at) * sizeof(*details));
    details[at] = made;
    selection->detail_count++;
    return 0;
}

char *tt_selection_detail_rule(const struct tt_selection *selection, size_t index)
{
    if (index > selection->detail_count)
        return NULL;
    if (index == selection->detail_count)
        return strdup(tt_detail_names[selection->rest]);
    return tt_format("%s:%s", tt_detail_names[selection->details[index].level],
                     selection->details[index].rule.text);
}

void tt_selection_skip_native(struct tt_selection *selection, bool skip)
{
    selection->skip_native = skip;
}

enum tt_detail tt_selection_detail(const struct tt_selection *selection, const struct tt_process *process)
{
    if (!selection)
        return TT_DETAIL_METHODS;
    for (size_t i = 0; i < selection->detail_count; i++)
        if (matches(&selection->details[i].rule, process))
            return selection->details[i].level;
    return selection->rest;
}

int tt_selection_apply(const struct tt_selection *selection, struct tt_process *process)
{
    bool sure = true;
    const struct rule *rule = process->tango ? first_match(selection, process, &sure) : NULL;
    bool selected = rule ? rule->include : process->tango && !(selection && selection->has_include);
    char *why;

    if (!sure || (process->glimpsed && selection && selection->skip_native))
        return -EAGAIN;
    if (selection && selection->skip_native && process->native) {
        selected = false;
        why = strdup("native telemetry is on in it, --native skip");
    } else if (rule)
        why = tt_format("%s %s", rule->include ? "include" : "exclude", rule->text);
    else
        why = strdup(!process->tango ? "not a Tango process"
                     : selected      ? "default: every Tango process"
                                     : "default: no include matches");
    if (!why)
        return -ENOMEM;
    free(process->rule);
    process->rule = why;
    process->selected = selected;
    process->detail = tt_selection_detail(selection, process);
    return 0;
}
