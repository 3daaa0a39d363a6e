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

/* What there is to plan in a file: its libraries, its device classes, what the user asks for. */
struct plans {
    struct tt_bases *bases;
    struct tt_probes *probes;
    struct tt_plan *plan[3];
};

static void free_plans(struct plans *plans)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(plans->plan); i++)
        tt_plan_free(&plans->plan[i]);
    tt_probes_free(&plans->probes);
    tt_bases_free(&plans->bases);
}

/* -ENOENT, with the reason logged: none of the user's probes names a function in the file. */
static int plan_probes(int fd, const char *path, struct plans *plans, char **error)
{
    const struct tt_probes_context context = {.probes = plans->probes,
                                              .bases = plans->bases,
                                              .others = (const struct tt_plan *const *)plans->plan,
                                              .other_count = 2};
    const char *missed;
    size_t next = 0;
    int r = tt_plan_probes(fd, path, &context, &plans->plan[2], error);

    while ((r == 0 || r == -ENOENT) && (missed = tt_probes_missed(plans->probes, &next))) {
        tt_error("%s: there is no function %s", path, missed);
        r = -ENOENT;
    }
    return r;
}

static int make_plans(int fd, const char *path, const struct tt_options *options, struct plans *plans,
                      char **error)
{
    const char *const *probes = (const char *const *)options->probes.items;
    bool holds[TT_HOLDS] = {false};
    int r = options->probes.count ? tt_probes_new(probes, options->probes.count, &plans->probes) : 0;

    if (r == 0)
        r = tt_plan_file(fd, path, &plans->plan[0], error);
    if (r < 0 && r != -ENOENT)
        return r;
    if (!tt_plan_probe(plans->probes, fd, path, holds) && (holds[TT_HOLDS_CLASSES] || holds[TT_HOLDS_PROBES]))
        plans->bases = find_bases(fd, path, options);
    if (holds[TT_HOLDS_CLASSES] && plans->bases) {
        r = tt_plan_methods(fd, path, plans->bases, &plans->plan[1], error);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return plans->probes ? plan_probes(fd, path, plans, error) : 0;
}

static int show(const char *path, const struct tt_options *options)
{
    _cleanup_(free_plans) struct plans plans = {0};
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *error = NULL;
    size_t count = 0;
    int r;

    if (fd < 0) {
        tt_error("%s: %s", path, strerror(errno));
        return 1;
    }
    r = make_plans(fd, path, options, &plans, &error);
    if (r < 0 && r != -ENOENT) {
        tt_error("%s", error ? error : strerror(-r));
        return 1;
    }
    for (size_t i = 0; i < TT_ARRAY_SIZE(plans.plan); i++) {
        if (plans.plan[i] && print(plans.plan[i], options) < 0) {
            tt_error("cannot write the plan");
            return 1;
        }
        count += plans.plan[i] != NULL;
    }
    if (!count && !plans.probes)
        tt_error(
            "%s: has none of the functions of cppTango, omniORB or the C++ runtime, and no device classes",
            path);
    if (fflush(stdout)) {
        tt_error("cannot write the plan");
        return 1;
    }
    return count && r != -ENOENT ? 0 : 1;
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
