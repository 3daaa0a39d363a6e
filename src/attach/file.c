/* SPDX-License-Identifier: GPL-2.0-only */
#include "attach/file.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* What a user's probe asks for depends on the path, too. */
static bool same_probes(const struct tt_files *files, bool probes, const char *path, const char *other)
{
    return !probes || tt_probes_alike(files->probes, path, other);
}

static struct tt_file *find_file(struct tt_files *files, const struct stat *st, const char *path,
                                 const struct tt_bases *bases, bool probes)
{
    for (struct tt_file *f = files->list; f; f = f->next)
        if (f->bases == bases && f->probes == probes && same_file(&f->st, st) && !f->broken &&
            same_probes(files, probes, f->path, path))
            return f;
    return NULL;
}

/* The same plan, made of another copy of the file. A build id would not do: what patchelf or strip left keeps
 * it. One file can have two plans made of the same bytes: that of its classes belongs to the cppTango beside
 * it, too. */
static struct tt_planned *find_planned(struct tt_files *files, const struct tt_plan *plan,
                                       const struct tt_file *file)
{
    for (struct tt_planned *p = files->plans; p; p = p->next)
        if (p->bases == file->bases && p->probes == file->probes && p->plan->omni == plan->omni &&
            !memcmp(p->plan->source.digest, plan->source.digest, sizeof(plan->source.digest)) &&
            same_probes(files, p->probes, p->plan->path, plan->path))
            return p;
    return NULL;
}

/* Gives the plan's points their indices and describes them to the kernel. */
static int describe_points(struct tt_files *files, struct tt_host *host, struct tt_planned *planned)
{
    const struct tt_plan *plan = planned->plan;
    _cleanup_free_ struct tt_point *points = calloc(plan->point_count ? plan->point_count : 1,
                                                    sizeof(*points));

    if (!points)
        return -ENOMEM;
    if (files->next_point + plan->point_count > TT_MAX_POINTS - 1) /* the last one is the self-test's */
        return tt_err(
            -ENOSPC,
            "%s: no room for %zu more points (limit %d): too many different builds of Tango on this host",
            plan->path, plan->point_count, TT_MAX_POINTS);
    planned->first = files->next_point;
    for (size_t i = 0; i < plan->point_count; i++) {
        points[i] = plan->points[i].point;
        planned->count[tt_point_level(plan, &plan->points[i])]++;
        __atomic_store_n(&files->rows[planned->first + i], tt_plan_row(plan, points[i].function),
                         __ATOMIC_RELEASE);
    }
    files->next_point += (uint32_t)plan->point_count;
    return tt_host_set_points(host, planned->first, points, plan->point_count);
}

static bool is_overlay(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) || fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

#define OTHERS_MAX 4 /* plans of one file: libraries, device classes */

/* What the user asks for; what cannot be given is told. */
static int plan_probes(struct tt_files *files, struct tt_file *file, struct tt_plan **plan, char **why)
{
    const struct tt_plan *others[OTHERS_MAX];
    struct tt_probes_context context = {.probes = files->probes, .bases = file->bases, .others = others};
    int error;

    for (const struct tt_file *f = files->list; f && context.other_count < OTHERS_MAX; f = f->next)
        if (same_file(&f->st, &file->st) && f->planned && !f->probes && !f->broken)
            others[context.other_count++] = f->planned->plan;
    error = tt_plan_probes(file->fd, file->path, &context, plan, why);
    for (size_t i = 0; !error && i < (*plan)->function_count; i++) {
        const struct tt_plan_function *function = &(*plan)->functions[i];

        if (function->refused)
            tt_warn("%s: %s is not traced by the probe that names it: %s", file->path, function->signature,
                    function->refused);
        else if (function->note)
            tt_warn("%s: %s is traced, but: %s", file->path, function->signature, function->note);
    }
    return error;
}

static int make_plan(struct tt_files *files, struct tt_file *file, struct tt_plan **plan, uint64_t *made)
{
    _cleanup_free_ char *why = NULL;
    int error = file->probes  ? plan_probes(files, file, plan, &why)
                : file->bases ? tt_plan_methods(file->fd, file->path, file->bases, plan, &why)
                              : tt_plan_file(file->fd, file->path, plan, &why);

    if (error && error != -ENOENT)
        return tt_err(error, "%s cannot be probed: %s", file->path, why ? why : strerror(-error));
    *made += !error;
    return error;
}

/* Of a file that is known, from the disk; else by planning it. -ENOENT: nothing there to probe. */
static int get_plan(struct tt_files *files, struct tt_file *file, struct tt_plan **plan,
                    struct tt_plan_counts *counts)
{
    int error;

    /* The plan of device classes is made of two files, and has rows of its own: the cache knows a plan by one
     * file, and has one of each. */
    if (file->bases || file->probes)
        return make_plan(files, file, plan, &counts->methods);
    error = files->cache ? tt_plan_cache_load(files->cache, file->fd, file->path, plan) : -ENOENT;
    if (!error) {
        counts->cached++;
        return 0;
    }
    if (error != -ENOENT) {
        counts->refused++;
        tt_warn("the cached plan of %s is not used, it is planned anew: %s", file->path,
                error == -EPERM    ? "others could have written it"
                : error == -EINVAL ? "damaged"
                                   : strerror(-error));
    }
    return make_plan(files, file, plan, &counts->made);
}

static int plan_file(struct tt_files *files, struct tt_host *host, struct tt_file *file,
                     struct tt_plan_counts *counts)
{
    struct tt_plan *plan = NULL;
    struct tt_planned *planned;
    uint64_t made = counts->made;
    size_t left_out;
    int error = get_plan(files, file, &plan, counts);

    if (error)
        return error == -ENOENT ? 0 : error;
    counts->seconds += plan->seconds;
    /* On overlayfs the lease is on the overlay's inode but the probes are on that of the layer: who writes to
     * the layer (podman's :O volumes, lowerdir=/) breaks no lease. By pid, then: no process that starts later
     * gets a point. */
    file->may_be_wide = !file->bases && !file->probes &&
                        (plan->library[TT_LIBRARY_TANGO] || plan->library[TT_LIBRARY_OMNIORB] ||
                         plan->library[TT_LIBRARY_DYNAMIC]) &&
                        !is_overlay(file->fd);
    planned = find_planned(files, plan, file);
    if (planned) {
        tt_plan_free(&plan);
        file->planned = planned;
        return 0;
    }
    planned = calloc(1, sizeof(*planned));
    if (!planned) {
        tt_plan_free(&plan);
        return -ENOMEM;
    }
    planned->plan = plan;
    planned->bases = file->bases;
    planned->probes = file->probes;
    left_out = tt_host_features(host)->shadow_stacks ? tt_plan_leave_out_calls(plan) : 0;
    if (left_out)
        tt_info(
            "%s: %zu functions are not probed: it would take points on call instructions, which harm programs "
            "with a user shadow stack, and this host has these",
            file->path, left_out);
    planned->unkept = counts->made > made && !left_out;
    error = describe_points(files, host, planned);
    if (error) {
        tt_plan_free(&planned->plan);
        free(planned);
        return error;
    }
    planned->next = files->plans;
    files->plans = planned;
    file->planned = planned;
    return 0;
}

int tt_files_get(struct tt_files *files, struct tt_host *host, int fd, const char *path,
                 const struct tt_bases *bases, bool probes, struct tt_file **file,
                 struct tt_plan_counts *counts)
{
    struct tt_file *made;
    struct stat st;
    int error;

    if (fstat(fd, &st))
        return -errno;
    made = find_file(files, &st, path, bases, probes);
    if (made) {
        close(fd);
        *file = made;
        return 0;
    }
    made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->path = strdup(path);
    if (!made->path) {
        free(made);
        return -ENOMEM;
    }
    made->bases = bases;
    made->probes = probes;
    made->id = ++files->next_id;
    made->st = st;
    made->fd = fd;
    error = plan_file(files, host, made, counts);
    pthread_mutex_lock(&files->lock);
    made->next = files->list;
    files->list = made;
    pthread_mutex_unlock(&files->lock);
    *file = made;
    return error;
}

const struct tt_bases *tt_files_bases(struct tt_files *files, int fd, const char *path)
{
    _cleanup_free_ char *why = NULL;
    struct tt_tango *tango;
    struct stat st;
    int error;

    if (fstat(fd, &st))
        return NULL;
    for (tango = files->tangos; tango; tango = tango->next)
        if (same_file(&tango->st, &st))
            return tango->bases;
    tango = calloc(1, sizeof(*tango));
    if (!tango)
        return NULL;
    tango->st = st;
    error = tt_bases_read(fd, path, &tango->bases, &why);
    if (error && error != -ENOENT)
        tt_warn("%s: methods of device classes cannot be found: %s", path, why ? why : strerror(-error));
    tango->next = files->tangos;
    files->tangos = tango;
    return tango->bases;
}

bool tt_file_matches(const struct tt_file *file)
{
    const struct tt_plan *plan = file->planned->plan;
    uint8_t bytes[16];

    for (size_t i = 0; i < plan->point_count; i++) {
        const struct tt_plan_point *p = &plan->points[i];

        if (pread(file->fd, bytes, p->length, (off_t)p->offset) != p->length ||
            memcmp(bytes, p->bytes, p->length) != 0)
            return false;
    }
    return true;
}

void tt_files_set_cache(struct tt_files *files, const char *directory)
{
    _cleanup_free_ char *why = NULL;
    int error;

    tt_plan_cache_free(&files->cache);
    error = tt_plan_cache_open(directory, &files->cache, &why);
    if (error)
        tt_warn("plans are not kept on disk: %s", why ? why : strerror(-error));
}

void tt_files_keep(struct tt_files *files)
{
    for (struct tt_planned *p = files->plans; p; p = p->next) {
        int error = files->cache && p->unkept ? tt_plan_cache_store(files->cache, p->plan) : 0;

        p->unkept = false;
        if (error && error != -ENODATA) /* the next start takes longer, that is all */
            tt_debug("the plan of %s cannot be kept: %s", p->plan->path, strerror(-error));
    }
}

void tt_files_clear(struct tt_files *files)
{
    tt_plan_cache_free(&files->cache);
    for (struct tt_file *f = files->list, *next; f; f = next) {
        next = f->next;
        tt_cleanup_close(&f->fd);
        free(f->path);
        free(f);
    }
    for (struct tt_tango *t = files->tangos, *next; t; t = next) {
        next = t->next;
        tt_bases_free(&t->bases);
        free(t);
    }
    for (struct tt_planned *p = files->plans, *next; p; p = next) {
        next = p->next;
        tt_plan_free(&p->plan);
        free(p);
    }
}
