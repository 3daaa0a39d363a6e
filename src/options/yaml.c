/* SPDX-License-Identifier: GPL-2.0-only */
/* yaml.c: the configuration file: one mapping, keys are the long names of options. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "options/internal.h"

struct reader {
    yaml_document_t *document;
    const char *path;
    struct assignments *list;
    char **error;
    bool seen[TT_OPTIONS_MAX];
};

#define FAIL(reader, node, ...) fail_at((reader), (node)->start_mark.line + 1, __VA_ARGS__)

static int __attribute__((format(printf, 3, 4)))
fail_at(struct reader *reader, size_t line, const char *format, ...)
{
    struct tt_text text = {0};
    char what[512];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    tt_text_printf(&text, "%s:%zu: ", reader->path, line);
    tt_text_safe(&text, what);
    *reader->error = tt_text_take(&text);
    return -EINVAL;
}

static int read_scalar(struct reader *reader, const struct option *option, const yaml_node_t *node)
{
    const char *value = (const char *)node->data.scalar.value;
    size_t size = node->data.scalar.length;

    /* "- !user:x" without quotes is a tag, with nothing behind it. */
    if (node->tag && node->tag[0] == '!')
        return FAIL(reader, node, "%s: put quotes around a value that begins with '!'", option->name);
    if (memchr(value, '\0', size))
        return FAIL(reader, node, "%s: the value holds a NUL byte", option->name);
    return tt_assign(reader->list, option, value, size, false, "%s:%zu", reader->path,
                     node->start_mark.line + 1);
}

/* {device: "b107a-*", ratio: 1}: as the command line writes it, "device=b107a-*; ratio=1". */
static int read_pairs(struct reader *reader, const struct option *option, const yaml_node_t *node)
{
    _cleanup_(tt_text_free) struct tt_text text = {0};

    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, p->key);
        const yaml_node_t *value = yaml_document_get_node(reader->document, p->value);

        if (!key || !value || key->type != YAML_SCALAR_NODE || value->type != YAML_SCALAR_NODE)
            return FAIL(reader, node, "%s: plain names and values are expected", option->name);
        if (strpbrk((const char *)value->data.scalar.value, ";\n") ||
            strlen((const char *)value->data.scalar.value) != value->data.scalar.length)
            return FAIL(reader, value, "%s: no ';', newline or NUL can stand in a value", option->name);
        tt_text_printf(&text, "%s%s=%s", text.size ? "; " : "", (const char *)key->data.scalar.value,
                       (const char *)value->data.scalar.value);
    }
    if (text.failed)
        return -ENOMEM;
    return tt_assign(reader->list, option, text.data ? text.data : "", text.size, false, "%s:%zu",
                     reader->path, node->start_mark.line + 1);
}

static int read_sequence(struct reader *reader, const struct option *option, const yaml_node_t *node)
{
    if (!tt_option_is_list(option))
        return FAIL(reader, node, "%s takes one value, not a list", option->name);
    for (const yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         i++) {
        const yaml_node_t *item = yaml_document_get_node(reader->document, *i);
        int err;

        if (item && item->type == YAML_MAPPING_NODE && option->pairs) {
            err = read_pairs(reader, option, item);
            if (err)
                return err;
            continue;
        }
        if (!item || item->type != YAML_SCALAR_NODE)
            return FAIL(reader, item ? item : node, "%s: the elements of the list are to be plain values",
                        option->name);
        err = read_scalar(reader, option, item);
        if (err)
            return err;
    }
    return 0;
}

static int unknown_key(struct reader *reader, const yaml_node_t *key, const char *name)
{
    const char *meant = tt_suggest(name, &tt_option_table[0].name, tt_option_count,
                                   sizeof(tt_option_table[0]));

    if (meant)
        return FAIL(reader, key, "unknown key \"%s\"; did you mean \"%s\"?", name, meant);
    return FAIL(reader, key,
                "unknown key \"%s\"; the keys are the long names of the options in 'tangotrace help run'",
                name);
}

/* Is it what the names of several options begin with? */
static bool is_group(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < tt_option_count; i++)
        if (!strncmp(tt_option_table[i].name, name, length) && tt_option_table[i].name[length] == '-')
            return true;
    return false;
}

static int read_pair(struct reader *reader, const yaml_node_pair_t *pair, const char *group);

/* "sampling: {wait: 2s}" is "sampling-wait: 2s". */
static int read_group(struct reader *reader, const yaml_node_t *node, const char *group)
{
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        int err = read_pair(reader, p, group);

        if (err)
            return err;
    }
    return 0;
}

static int read_pair(struct reader *reader, const yaml_node_pair_t *pair, const char *group)
{
    const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
    _cleanup_free_ char *name = NULL;
    const struct option *option;
    size_t index;

    if (!key || !value || key->type != YAML_SCALAR_NODE)
        return fail_at(reader, key ? key->start_mark.line + 1 : 1, "a key is to be the name of an option");
    if (memchr(key->data.scalar.value, '\0', key->data.scalar.length))
        return FAIL(reader, key, "a key is to be the name of an option");
    name = tt_format("%s%s%s", group ? group : "", group ? "-" : "", (const char *)key->data.scalar.value);
    if (!name)
        return -ENOMEM;
    option = tt_option_find(name, strlen(name));
    if ((!option || option->alias) && !group && value->type == YAML_MAPPING_NODE && is_group(name))
        return read_group(reader, value, name);
    if (!option)
        return unknown_key(reader, key, name);
    if (option->scope != SCOPE_EVERYWHERE)
        return FAIL(reader, key, "\"%s\" belongs on the command line, not in a file", option->name);
    index = (size_t)(option - tt_option_table);
    if (reader->seen[index])
        return FAIL(reader, key, "\"%s\" appears twice; several values go into one list", option->name);
    reader->seen[index] = true;
    if (value->type == YAML_SEQUENCE_NODE)
        return read_sequence(reader, option, value);
    if (value->type != YAML_SCALAR_NODE)
        return FAIL(reader, value, "%s takes %s, not a mapping", option->name,
                    tt_option_is_list(option) ? "a list" : "a value");
    return read_scalar(reader, option, value);
}

static int read_document(struct reader *reader)
{
    const yaml_node_t *root = yaml_document_get_root_node(reader->document);

    /* An empty file, or comments only. */
    if (!root || (root->type == YAML_SCALAR_NODE && !root->data.scalar.length))
        return 0;
    if (root->type != YAML_MAPPING_NODE)
        return FAIL(reader, root, "lines of the form \"option: value\" are expected");
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        int err = read_pair(reader, p, NULL);

        if (err)
            return err;
    }
    return 0;
}

static int syntax_error(struct reader *reader, const yaml_parser_t *parser)
{
    bool alias = parser->context && strstr(parser->context, "alias");

    if (parser->error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    if (parser->error == YAML_READER_ERROR)
        return fail_at(reader, parser->mark.line + 1, "no valid YAML: %s", parser->problem);
    return fail_at(reader, parser->problem_mark.line + 1, "no valid YAML: %s%s%s%s",
                   parser->context ? parser->context : "", parser->context ? ", " : "",
                   parser->problem ? parser->problem : "unknown error",
                   alias ? "; put quotes around a pattern that begins with '*'" : "");
}

/* Nesting deeper than any configuration has: libyaml takes time quadratic in it. Brackets in values count,
 * too, and do no harm at this limit. */
static int check_depth(struct reader *reader, const char *text, size_t size)
{
    size_t depth = 0, line = 1;

    for (size_t i = 0; i < size; i++) {
        line += text[i] == '\n';
        if (text[i] == '[' || text[i] == '{')
            depth++;
        else if ((text[i] == ']' || text[i] == '}') && depth)
            depth--;
        if (depth > 1000)
            return fail_at(reader, line, "brackets nested too deeply");
    }
    return 0;
}

int tt_options_read_yaml(const char *text, size_t size, const char *path, struct assignments *list,
                         char **error)
{
    struct reader reader = {.path = path, .list = list, .error = error};
    yaml_document_t document, second;
    yaml_parser_t parser;
    int err = check_depth(&reader, text, size);

    if (err)
        return err;
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (!yaml_parser_load(&parser, &document)) {
        err = syntax_error(&reader, &parser);
        yaml_parser_delete(&parser);
        return err;
    }
    reader.document = &document;
    err = read_document(&reader);
    if (!err && yaml_document_get_root_node(&document)) {
        if (!yaml_parser_load(&parser, &second)) {
            err = syntax_error(&reader, &parser);
        } else {
            const yaml_node_t *root = yaml_document_get_root_node(&second);

            if (root)
                err = FAIL(&reader, root, "a second document; one file holds one configuration");
            yaml_document_delete(&second);
        }
    }
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return err;
}
