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
#include "cli/reply.h"

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

static int print_detail(struct json_object *root)
{
    struct json_object *rules = tt_reply_member(root, "detail"),
                       *processes = tt_reply_member(root, "processes");

    if (!json_object_is_type(rules, json_type_array)) {
        tt_reply_strange();
        return TT_EXIT_FAILURE;
    }
    print_rules(rules);
    if (processes)
        tt_say("%llu of the traced processes changed", (unsigned long long)json_object_get_uint64(processes));
    return TT_EXIT_OK;
}

int tt_cmd_detail(const struct tt_options *options)
{
    const char *level = options->arguments[0], *pattern = level ? options->arguments[1] : NULL;
    _cleanup_free_ char *request = NULL;

    if (!level)
        return tt_reply_show(options, "detail", false, print_detail);
    request = pattern ? tt_format("detail %s:%s", level, pattern) : tt_format("detail %s", level);
    if (!request)
        return tt_err(TT_EXIT_FAILURE, "out of memory");
    return tt_reply_show(options, request, true, print_detail);
}
