/* SPDX-License-Identifier: GPL-2.0-only */
/* plan.c: `tangotrace plan FILE`: the probe plan of a library or program. */
#include "plan/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/commands.h"

static const char usage[] =
    "usage: tangotrace plan FILE [--json] [--brief]\n"
    "\n"
    "Shows where FILE (libtango, libomniORB4, libstdc++, or a program that holds them) would be probed: every\n"
    "function with its points (the instruction, whether the kernel emulates it or has to step it, the frame\n"
    "address (CFA), conditions of exits, what is captured), what cannot be covered and why, and the totals.\n"
    "\n"
    "  --brief  only what cannot be covered, and the totals\n"
    "  --json   everything, as JSON\n";

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

int tt_cmd_plan(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"brief", no_argument, NULL, 'b'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    bool json = false, all = true;
    int option;

    optind = 0; /* a full restart of getopt: main has used it */
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'j':
            json = true;
            break;
        case 'b':
            all = false;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (argc - optind != 1) {
        fputs(usage, stderr);
        return 2;
    }
    return show(argv[optind], json, all);
}
