/* SPDX-License-Identifier: GPL-2.0-only */
/* config.c: `tangotrace config check FILE`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/commands.h"

int tt_cmd_config(const struct tt_options *options)
{
    static char option[] = "--config";
    _cleanup_(tt_options_free) struct tt_options found = {0};
    _cleanup_free_ char *error = NULL;
    char *const *words = options->arguments;
    int err;

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
