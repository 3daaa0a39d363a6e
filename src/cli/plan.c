/* SPDX-License-Identifier: GPL-2.0-only */
/* plan.c: `tangotrace plan FILE`: the probe plan of a library or program. */
#include "plan/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/commands.h"

static int print_json(const struct tt_plan *plan)
{
    _cleanup_(tt_json_free) struct tt_json json = {0};

    tt_plan_to_json(plan, &json);
    tt_json_newline(&json);
    if (json.failed)
        return -ENOMEM;
    return fwrite(json.data, 1, json.size, stdout) == json.size ? 0 : -EIO;
}

static int show(const char *path, bool json, bool all)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *error = NULL;
    int r = 0;

    if (fd < 0) {
        tt_error("%s: %s", path, strerror(errno));
        return 1;
    }
    r = tt_plan_file(fd, path, &plan, &error);
    if (r == -ENOENT) {
        tt_error("%s: has none of the functions of cppTango, omniORB or the C++ runtime", path);
        return 1;
    }
    if (r < 0) {
        tt_error("%s", error ? error : strerror(-r));
        return 1;
    }
    if (json)
        r = print_json(plan);
    else
        tt_plan_print(plan, all);
    if (fflush(stdout) || r < 0) {
        tt_error("cannot write the plan");
        return 1;
    }
    return 0;
}

int tt_cmd_plan(const struct tt_options *options)
{
    const char *path = options->arguments[0];

    if (!path) {
        tt_error(
            "which file? usage: tangotrace plan FILE; 'tangotrace list --json' and /proc/PID/maps name libraries");
        return TT_EXIT_USAGE;
    }
    return show(path, options->json, !options->brief);
}
