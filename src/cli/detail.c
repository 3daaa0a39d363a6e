/* SPDX-License-Identifier: GPL-2.0-only */
/* detail.c: `tangotrace detail`: how much the running agent traces of which programs. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/commands.h"
#include "control/control.h"

static void print_rules(struct json_object *rules)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};

    for (size_t i = 0; i < json_object_array_length(rules); i++) {
        const char *rule = json_object_get_string(json_object_array_get_idx(rules, i));

        tt_text_safe(&out, rule ? rule : "?");
        tt_text_puts(&out, "\n");
    }
    if (!out.failed && out.data)
        fputs(out.data, stdout);
}

static int print_reply(const char *reply)
{
    struct json_object *root = json_tokener_parse(reply), *refusal, *rules, *processes;
    int code = TT_EXIT_FAILURE;

    if (root && json_object_object_get_ex(root, "error", &refusal)) {
        tt_error("the agent says: %s", json_object_get_string(refusal));
    } else if (!root || !json_object_object_get_ex(root, "detail", &rules) ||
               !json_object_is_type(rules, json_type_array)) {
        tt_error("the reply is not understood; is the agent of another version?");
    } else {
        print_rules(rules);
        if (json_object_object_get_ex(root, "processes", &processes))
            tt_say("%llu of the traced processes changed",
                   (unsigned long long)json_object_get_uint64(processes));
        code = TT_EXIT_OK;
    }
    json_object_put(root);
    return code;
}

int tt_cmd_detail(const struct tt_options *options)
{
    const char *level = options->arguments[0], *pattern = level ? options->arguments[1] : NULL;
    _cleanup_free_ char *reply = NULL, *error = NULL, *request = NULL;
    size_t size;
    int err;

    if (level)
        request = pattern ? tt_format("detail %s:%s", level, pattern) : tt_format("detail %s", level);
    if (level && !request)
        return tt_err(TT_EXIT_FAILURE, "out of memory");
    err = level ? tt_control_tell(options->control, request, &reply, &size, &error)
                : tt_control_ask(options->control, "detail", &reply, &size, &error);
    if (err)
        return tt_err(TT_EXIT_FAILURE, "%s", error ? error : strerror(-err));
    if (options->json) {
        puts(reply);
        return TT_EXIT_OK;
    }
    return print_reply(reply);
}
