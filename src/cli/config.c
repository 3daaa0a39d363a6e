/* SPDX-License-Identifier: GPL-2.0-only */
/* config.c: `tangotrace config check FILE`, `config schema`. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/commands.h"

static int print_schema(void)
{
    _cleanup_(tt_json_free) struct tt_json json = {0};
    struct json_object *root;

    tt_options_schema(&json);
    root = json.failed ? NULL : json_tokener_parse(json.data);
    if (!root)
        return TT_EXIT_FAILURE;
    puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(root);
    return fflush(stdout) ? TT_EXIT_FAILURE : TT_EXIT_OK;
}

int tt_cmd_config(const struct tt_options *options)
{
    static char option[] = "--config";
    _cleanup_(tt_options_free) struct tt_options found = {0};
    _cleanup_free_ char *error = NULL;
    char *const *words = options->arguments;
    int err;

    if (words[0] && !strcmp(words[0], "schema") && !words[1])
        return print_schema();
    if (!words[0] || strcmp(words[0], "check") != 0 || !words[1]) {
        tt_error("%s usage: tangotrace config check FILE", !words[0] || !strcmp(words[0], "check")
                                                               ? "which file?"
                                                               : "a configuration can only be checked;");
        return TT_EXIT_USAGE;
    }
    /* As `run` would read it, but with an empty environment: the file alone is judged. */
    err = tt_options_parse(&found, TT_COMMAND_RUN, (char *[]){option, words[1], NULL}, NULL, &error);
    if (err) {
        tt_error("%s", error ? error : strerror(-err));
        return err == -EINVAL ? TT_EXIT_USAGE : TT_EXIT_FAILURE;
    }
    printf("%s: no errors\n", words[1]);
    return TT_EXIT_OK;
}
