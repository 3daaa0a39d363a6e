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
#include "base/text.h"
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

static int print(const struct tt_plan *plan, const struct tt_options *options)
{
    if (options->json)
        return print_json(plan);
    tt_plan_print(plan, !options->brief);
    return 0;
}

/* Where a system keeps its libraries; the file asked for says only the name. */
static const char *const library_dirs[] = {"/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64",
                                           "/usr/lib", "/lib"};

/* What the cppTango that belongs to the file says of its classes; NULL: there is none. */
static struct tt_bases *find_bases(int fd, const char *path, const struct tt_options *options)
{
    _cleanup_free_ char *needed = tt_plan_needs_tango(fd), *error = NULL;
    struct tt_bases *bases = NULL;

    for (size_t i = 0; i <= TT_ARRAY_SIZE(library_dirs); i++) {
        _cleanup_free_ char *name = NULL;
        _cleanup_close_ int library = -1;
        bool last = i == TT_ARRAY_SIZE(library_dirs) || options->tango;

        if (options->tango)
            name = strdup(options->tango);
        else if (!last && needed)
            name = tt_format("%s/%s", library_dirs[i], needed);
        else if (last)
            name = strdup(path); /* linked into it */
        library = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        if (library >= 0 && !tt_bases_read(library, name, &bases, &error))
            return bases;
        if (last)
            break;
    }
    if (options->tango)
        tt_error("%s", error ? error : strerror(errno));
    else
        tt_warn("%s: no %s found, so its device classes are not known: name it with --tango", path,
                needed ? needed : "cppTango library");
    return NULL;
}

/* The functions of device classes in the file. 0, -ENOENT: none, another negative errno (logged). */
static int show_methods(int fd, const char *path, const struct tt_options *options)
{
    _cleanup_(tt_bases_free) struct tt_bases *bases = find_bases(fd, path, options);
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    _cleanup_free_ char *error = NULL;
    int r = bases ? tt_plan_methods(fd, path, bases, &plan, &error) : -ENOENT;

    if (r < 0 && r != -ENOENT)
        tt_error("%s", error ? error : strerror(-r));
    return r < 0 ? r : print(plan, options);
}

static int show(const char *path, const struct tt_options *options)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *error = NULL;
    bool holds[TT_HOLDS] = {false};
    int r, methods = -ENOENT;

    if (fd < 0) {
        tt_error("%s: %s", path, strerror(errno));
        return 1;
    }
    r = tt_plan_file(fd, path, &plan, &error);
    if (r < 0 && r != -ENOENT) {
        tt_error("%s", error ? error : strerror(-r));
        return 1;
    }
    if (r == 0)
        r = print(plan, options);
    if (!tt_plan_probe(fd, holds) && holds[TT_HOLDS_CLASSES])
        methods = show_methods(fd, path, options);
    if (r == -ENOENT && methods == -ENOENT) {
        tt_error(
            "%s: has none of the functions of cppTango, omniORB or the C++ runtime, and no device classes",
            path);
        return 1;
    }
    if (fflush(stdout) || (r < 0 && r != -ENOENT) || (methods < 0 && methods != -ENOENT)) {
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
    return show(path, options);
}
