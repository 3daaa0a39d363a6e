/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/commands.h"
#include "control/control.h"

struct json_object *tt_reply_member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    json_object_object_get_ex(object, key, &value);
    return value;
}

const char *tt_reply_text(struct json_object *object, const char *key)
{
    return json_object_get_string(tt_reply_member(object, key)) ?: "";
}

bool tt_reply_strange(void)
{
    tt_error("the reply is not understood; is the agent of another version?");
    return false;
}

struct json_object *tt_reply_parse(const char *reply)
{
    struct json_object *root = json_tokener_parse(reply);
    bool refused = tt_reply_member(root, "error");

    if (refused)
        tt_error("the agent says: %s", tt_reply_text(root, "error"));
    if (!refused && (json_object_is_type(root, json_type_object) || tt_reply_strange()))
        return root;
    json_object_put(root);
    return NULL;
}

int tt_reply_show(const struct tt_options *options, const char *request, bool tell,
                  int (*print)(struct json_object *root))
{
    _cleanup_free_ char *reply = NULL, *error = NULL;
    struct json_object *root;
    size_t size;
    int code,
        err = (tell ? tt_control_tell : tt_control_ask)(options->control, request, &reply, &size, &error);

    if (err)
        return tt_err(TT_EXIT_FAILURE, "%s", error ? error : strerror(-err));
    if (options->json) {
        puts(reply);
        return TT_EXIT_OK;
    }
    root = tt_reply_parse(reply);
    code = root ? print(root) : TT_EXIT_FAILURE;
    json_object_put(root);
    return code;
}
