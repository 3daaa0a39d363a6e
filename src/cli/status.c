/* SPDX-License-Identifier: GPL-2.0-only */
/* status.c: `tangotrace status`: the running agent's own figures, shown as they come. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/commands.h"
#include "control/control.h"

#define DEPTH_MAX 8

static void print_value(struct tt_text *out, const char *key, struct json_object *value, int depth);

static void print_key(struct tt_text *out, const char *key, int depth)
{
    tt_text_printf(out, "%*s", depth * 2, "");
    for (; *key; key++)
        tt_text_add(out, *key == '_' ? " " : key, 1);
}

static void print_scalar(struct tt_text *out, struct json_object *value)
{
    double number;

    switch (json_object_get_type(value)) {
    case json_type_null:
        tt_text_puts(out, "-");
        break;
    case json_type_boolean:
        tt_text_puts(out, json_object_get_boolean(value) ? "yes" : "no");
        break;
    case json_type_double:
        number = json_object_get_double(value);
        tt_text_printf(out, number >= 100 || number <= -100 ? "%.0f" : "%.3g", number);
        break;
    default:
        tt_text_safe(out, json_object_get_string(value));
    }
}

static void print_members(struct tt_text *out, struct json_object *object, int depth)
{
    json_object_object_foreach(object, key, value) print_value(out, key, value, depth);
}

static void print_elements(struct tt_text *out, struct json_object *array, int depth)
{
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        struct json_object *item = json_object_array_get_idx(array, i), *name;

        /* An object with a name is headed by it. */
        if (json_object_is_type(item, json_type_object) && json_object_object_get_ex(item, "name", &name)) {
            tt_text_printf(out, "%*s", depth * 2, "");
            print_scalar(out, name);
            tt_text_puts(out, "\n");
            json_object_object_foreach(item, key, value) if (strcmp(key, "name") != 0)
                print_value(out, key, value, depth + 1);
        } else {
            print_value(out, "-", item, depth);
        }
    }
}

static void print_value(struct tt_text *out, const char *key, struct json_object *value, int depth)
{
    bool object = json_object_is_type(value, json_type_object),
         array = json_object_is_type(value, json_type_array);
    size_t start = out->size;

    if (depth > DEPTH_MAX)
        return;
    print_key(out, key, depth);
    if (object || array) {
        tt_text_puts(out, "\n");
        if (object)
            print_members(out, value, depth + 1);
        else
            print_elements(out, value, depth + 1);
        return;
    }
    tt_text_printf(out, "%*s", out->size - start < 32 ? (int)(32 - (out->size - start)) : 1, "");
    print_scalar(out, value);
    tt_text_puts(out, "\n");
}

static int print_reply(const char *reply)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};
    struct json_object *root = json_tokener_parse(reply), *refusal;
    int code = TT_EXIT_FAILURE;

    if (!root || !json_object_is_type(root, json_type_object)) {
        tt_error("the reply is not understood; is the agent of another version?");
    } else if (json_object_object_get_ex(root, "error", &refusal)) {
        tt_error("the agent says: %s", json_object_get_string(refusal));
    } else {
        print_members(&out, root, 0);
        if (!out.failed && out.data)
            fputs(out.data, stdout);
        code = out.failed ? TT_EXIT_FAILURE : TT_EXIT_OK;
    }
    json_object_put(root);
    return code;
}

int tt_cmd_status(const struct tt_options *options)
{
    _cleanup_free_ char *reply = NULL, *error = NULL;
    size_t size;
    int err = tt_control_ask(options->control, "status", &reply, &size, &error);

    if (err)
        return tt_err(TT_EXIT_FAILURE, "%s", error ? error : strerror(-err));
    if (options->json) {
        puts(reply);
        return TT_EXIT_OK;
    }
    return print_reply(reply);
}
