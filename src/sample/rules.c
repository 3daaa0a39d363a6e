/* SPDX-License-Identifier: GPL-2.0-only */
#include "sample/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static const char *const names[TT_RULE_FIELDS] = {
    [TT_RULE_DEVICE] = "device",       [TT_RULE_CLASS] = "class",   [TT_RULE_SERVER] = "server",
    [TT_RULE_OPERATION] = "operation", [TT_RULE_CLIENT] = "client", [TT_RULE_ATTRIBUTE] = "attribute",
    [TT_RULE_TRIGGER] = "trigger",
};

/* ---- from text ---- */

int tt_rule_ratio(const char *text, double *ratio)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= 0 && value <= 1))
        return -EINVAL;
    *ratio = value;
    return 0;
}

static int refuse(char **error, const char *format, const char *what)
{
    *error = tt_format(format, what); /* NOLINT(clang-diagnostic-format-nonliteral) */
    return *error ? -EINVAL : -ENOMEM;
}

/* A glob that no trace can have been set off by is a slip of the pen, which would never match. */
static bool is_trigger(const char *glob)
{
    static const char *const triggers[] = {"client", "polling", "event", "startup", "shutdown"};
    bool found = false;

    for (size_t i = 0; i < TT_ARRAY_SIZE(triggers); i++)
        found |= tt_glob(glob, triggers[i], true);
    return found;
}

static int set_field(struct tt_rule *rule, const char *key, const char *value, bool *shared, char **error)
{
    for (size_t i = 0; i < TT_RULE_FIELDS; i++) {
        if (strcmp(key, names[i]) != 0)
            continue;
        if (rule->globs[i])
            return refuse(error, "\"%s\" stands twice in the rule", key);
        if (i == TT_RULE_TRIGGER && !is_trigger(value))
            return refuse(error, "trigger \"%s\" is none of client, polling, event, startup, shutdown",
                          value);
        rule->globs[i] = strdup(value);
        return rule->globs[i] ? 0 : -ENOMEM;
    }
    if (!strcmp(key, "ratio")) {
        *shared = true;
        return tt_rule_ratio(value, &rule->ratio)
                   ? refuse(error, "ratio \"%s\" is no number from 0 to 1", value)
                   : 0;
    }
    if (!strcmp(key, "exclude")) {
        if (tt_parse_bool(value, &rule->exclude))
            return refuse(error, "exclude \"%s\" is to be yes or no", value);
        return 0;
    }
    return refuse(
        error,
        "a rule knows device, class, server, operation, client, attribute, trigger, ratio and exclude, "
        "not \"%s\"",
        key);
}

int tt_rule_parse(const char *text, struct tt_rule *rule, char **error)
{
    struct tt_rule made = {.text = strdup(text)};
    bool shared = false;
    int err = made.text ? 0 : -ENOMEM;

    for (int more = 1; !err && more;) {
        _cleanup_free_ char *key = NULL, *value = NULL;

        more = tt_pair_next(&text, &key, &value);
        if (more > 0)
            err = set_field(&made, key, value, &shared, error);
        else if (more == -EINVAL)
            err = refuse(error, "\"%s\" has no value; a rule is written device=b107a-*; ratio=0.01", key);
        else
            err = more;
    }
    if (!err && shared && made.exclude)
        err = refuse(error, "%s", "exclude=yes drops them all: a rule has either that or a ratio");
    if (!err && !shared && !made.exclude)
        err = refuse(error, "%s",
                     "the rule does not say what becomes of the traces: ratio=0.01, or exclude=yes");
    if (err) {
        tt_rule_free(&made);
        return err;
    }
    *rule = made;
    return 0;
}

void tt_rule_free(struct tt_rule *rule)
{
    free(rule->text);
    for (size_t i = 0; i < TT_RULE_FIELDS; i++)
        free(rule->globs[i]);
    memset(rule, 0, sizeof(*rule));
}

/* ---- matching ---- */

static const char *string_of(const struct tt_otel_attribute *attributes, size_t count, const char *key)
{
    const struct tt_otel_attribute *found = tt_otel_find(attributes, count, key);

    return found && found->type == TT_OTEL_STRING ? found->value.string : NULL;
}

static bool match_device(const char *glob, const struct tt_otel_span *span)
{
    return tt_glob(glob, string_of(span->attributes, span->attribute_count, "tango.operation.target"),
                   true) ||
           (!span->resource->is_client && tt_glob(glob, span->resource->instance, true));
}

static bool match_class(const char *glob, const struct tt_otel_span *span)
{
    return tt_glob(glob, string_of(span->attributes, span->attribute_count, "peer.service"), true) ||
           (!span->resource->is_client && tt_glob(glob, span->resource->service_name, true));
}

/* Also by the executable alone, as --select has it. */
static bool match_server(const char *glob, const struct tt_otel_span *span)
{
    const char *server = string_of(span->resource->attributes, span->resource->attribute_count,
                                   "tango.server.name");
    size_t length = server ? strcspn(server, "/") : 0;
    char name[128];

    if (!server || tt_glob(glob, server, true))
        return server != NULL;
    if (length >= sizeof(name))
        return false;
    memcpy(name, server, length);
    name[length] = '\0';
    return tt_glob(glob, name, true);
}

static bool match_operation(const char *glob, const struct tt_otel_span *span)
{
    return tt_glob(glob, span->title, true) || tt_glob(glob, span->name, true);
}

static bool match_client(const char *glob, const struct tt_otel_span *span)
{
    return span->resource->is_client && (tt_glob(glob, span->resource->service_name, true) ||
                                         tt_glob(glob, span->resource->instance, true));
}

static bool match_attribute(const char *glob, const struct tt_otel_span *span)
{
    const struct tt_otel_attribute *found = tt_otel_find(span->attributes, span->attribute_count,
                                                         "tango.attribute.names");

    for (size_t i = 0; found && found->type == TT_OTEL_STRINGS && i < found->value.strings.count; i++)
        if (tt_glob(glob, found->value.strings.items[i], true))
            return true;
    return false;
}

static bool match_trigger(const char *glob, const struct tt_otel_span *span)
{
    return tt_glob(glob, span->trigger, true);
}

bool tt_rule_match(const struct tt_rule *rule, const struct tt_otel_span *span)
{
    static bool (*const matchers[TT_RULE_FIELDS])(const char *glob, const struct tt_otel_span *span) = {
        [TT_RULE_DEVICE] = match_device,   [TT_RULE_CLASS] = match_class,
        [TT_RULE_SERVER] = match_server,   [TT_RULE_OPERATION] = match_operation,
        [TT_RULE_CLIENT] = match_client,   [TT_RULE_ATTRIBUTE] = match_attribute,
        [TT_RULE_TRIGGER] = match_trigger,
    };

    for (size_t i = 0; i < TT_RULE_FIELDS; i++)
        if (rule->globs[i] && !matchers[i](rule->globs[i], span))
            return false;
    return true;
}

bool tt_rule_match_any(const struct tt_rule *rule, struct tt_otel_span *const *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tt_rule_match(rule, spans[i]))
            return true;
    return false;
}
