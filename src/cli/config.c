/* SPDX-License-Identifier: GPL-2.0-only */
/* config.c: `tangotrace config check FILE`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/commands.h"

int tt_cmd_config(int argc, char **argv)
{
    static char option[] = "--config";
    _cleanup_(tt_options_free) struct tt_options options = {0};
    _cleanup_free_ char *error = NULL;
    int err;

    if (argc != 3 || strcmp(argv[1], "check") != 0) {
        tt_error("usage: tangotrace config check FILE");
        return TT_EXIT_USAGE;
    }
    /* As `run` would read it, but with an empty environment: the file alone is judged. */
    err = tt_options_parse(&options, TT_COMMAND_RUN, (char *[]){option, argv[2], NULL}, NULL, &error);
    if (err) {
        tt_error("%s", error ? error : strerror(-err));
        return err == -EINVAL ? TT_EXIT_USAGE : TT_EXIT_FAILURE;
    }
    printf("%s: no errors\n", argv[2]);
    return TT_EXIT_OK;
}
