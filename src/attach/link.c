/* SPDX-License-Identifier: GPL-2.0-only */
/* link.c: the only place where probes go in, and where they come out because a file is about to change. */
#include <errno.h>
#include <string.h>

#include "attach/internal.h"
#include "base/cleanup.h"
#include "base/log.h"

/* ---- the lease thread: a file is about to be written ---- */

/* Takes at most `max` links of that file out of the tables. */
static size_t take_links(struct tt_attach *attach, uint64_t tag, struct tt_link **links, size_t max)
{
    size_t count = 0;

    pthread_mutex_lock(&attach->files.lock);
    for (struct tt_file *f = attach->files.list; f; f = f->next) {
        if (f->id != tag)
            continue;
        attach->stats.lease_breaks += !f->broken;
        f->broken = true;
        f->leased = false;
        /* Points that are being placed just now are in no table yet; the main thread waits for nothing
         * meanwhile. */
        while (f->linking)
            pthread_cond_wait(&attach->files.linked, &attach->files.lock);
        for (int level = 0; level < TT_LEVELS; level++)
            if (f->wide[level])
                links[count++] = TAKE_PTR(f->wide[level]);
    }
    for (struct member *m = attach->members; m; m = m->next)
        for (size_t i = 0; i < m->file_count; i++)
            for (int level = 0; level < TT_LEVELS && count < max; level++)
                if (m->files[i].file->id == tag && m->files[i].link[level])
                    links[count++] = TAKE_PTR(m->files[i].link[level]);
    attach->stats.links -= count;
    for (struct tt_file *f = attach->files.list; f; f = f->next)
        if (f->id == tag)
            f->taken += count;
    pthread_mutex_unlock(&attach->files.lock);
    return count;
}

/* Nothing here may wait for anybody else, so nothing is logged (a full pipe behind standard error would hold
 * up the writer): tt_attach_retry says it. */
void tt_attach_lease_broken(void *context, uint64_t tag)
{
    struct tt_attach *attach = context;
    struct tt_link *links[256];
    size_t count;

    do {
        count = take_links(attach, tag, links, TT_ARRAY_SIZE(links));
        tt_host_unlink(links, count);
    } while (count == TT_ARRAY_SIZE(links));
    attach->retry(attach->context);
}

/* ---- linking ---- */

static int link_points(struct tt_attach *attach, struct tt_file *file, unsigned level, pid_t pid,
                       struct tt_link **link)
{
    const struct tt_plan *plan = file->planned->plan;
    _cleanup_free_ uint64_t *offsets = calloc(plan->point_count, sizeof(*offsets));
    _cleanup_free_ uint64_t *cookies = calloc(plan->point_count, sizeof(*cookies));
    size_t count = 0;

    if (!offsets || !cookies)
        return -ENOMEM;
    for (size_t i = 0; i < plan->point_count; i++) {
        if (tt_point_level(plan, &plan->points[i]) != level)
            continue;
        offsets[count] = plan->points[i].offset;
        cookies[count++] = file->planned->first + i;
    }
    return tt_host_link(attach->host, file->fd, offsets, cookies, count, pid, link);
}

/* Reads the points' first bytes in the process. `mapped` tells which of them its mapping covers. */
static int peek_points(const struct tt_file *file, pid_t pid, const struct tt_mapped_file *map,
                       uint8_t *bytes, bool *mapped)
{
    const struct tt_plan *plan = file->planned->plan;
    _cleanup_free_ uint64_t *addresses = calloc(plan->point_count, sizeof(*addresses));
    ssize_t n;

    if (!addresses)
        return -ENOMEM;
    for (size_t i = 0; i < plan->point_count; i++) {
        uint64_t offset = plan->points[i].offset;
        bool inside = offset >= map->offset && offset - map->offset < map->end - map->start;

        addresses[i] = inside ? map->start + (offset - map->offset) : 0;
    }
    n = tt_host_peek(pid, addresses, bytes, mapped, plan->point_count);
    return n < 0 ? (int)n : 0;
}

#define BREAKPOINT 0xcc

/* Among the points of that level. */
static size_t count_breakpoints(const struct tt_plan *plan, unsigned level, const uint8_t *bytes,
                                const bool *mapped, size_t *missing)
{
    size_t there = 0;

    *missing = 0;
    for (size_t i = 0; i < plan->point_count; i++) {
        if (!mapped[i] || tt_point_level(plan, &plan->points[i]) != level)
            continue;
        if (bytes[i] == BREAKPOINT && plan->points[i].bytes[0] != BREAKPOINT)
            there++;
        else
            (*missing)++;
    }
    return there;
}

/* Breakpoints that were there before: ours? A process with a link by pid has forked, and its child inherited
 * the bytes. */
static bool are_ours(struct tt_attach *attach, const struct tt_file *file)
{
    bool ours = false;

    pthread_mutex_lock(&attach->files.lock);
    for (struct member *m = attach->members; m && !ours; m = m->next)
        for (size_t i = 0; i < m->file_count && !ours; i++)
            ours = tt_has_link(&m->files[i]) && m->files[i].file->planned == file->planned;
    pthread_mutex_unlock(&attach->files.lock);
    return ours;
}

static void report_foreign(struct tt_attach *attach, struct tt_file *file, const struct tt_process *process,
                           size_t there)
{
    attach->stats.foreign += there;
    if (file->foreign || attach->others)
        return;
    file->foreign = true;
    tt_warn(
        "%s: %zu point%s in %s (pid %d) held a breakpoint already: another tracer or debugger is there too",
        file->path, there, there == 1 ? "" : "s", process->name, process->pid);
}

/* Takes the lease. 1 = leased; 0 = none to be had here; -EAGAIN = open for writing. */
static int take_lease(struct tt_attach *attach, struct tt_file *file)
{
    int error;

    if (file->leased)
        return 1;
    error = tt_leases_take(attach->leases, file->fd, file->id);
    file->waiting = error == -EAGAIN;
    if (file->waiting)
        return -EAGAIN;
    file->leased = !error;
    if (error)
        tt_debug("%s: no read lease (%s): its probes are per process", file->path, strerror(-error));
    return !error;
}

/* From here to end_linking the lease thread waits: only system calls that nobody else can hold up. False: the
 * file is being written. */
static bool begin_linking(struct tt_attach *attach, struct tt_file *file)
{
    pthread_mutex_lock(&attach->files.lock);
    file->linking = !file->broken;
    pthread_mutex_unlock(&attach->files.lock);
    return file->linking;
}

static void end_linking(struct tt_attach *attach, struct tt_file *file)
{
    pthread_mutex_lock(&attach->files.lock);
    file->linking = false;
    pthread_cond_broadcast(&attach->files.linked);
    pthread_mutex_unlock(&attach->files.lock);
}

static int add_level(struct tt_attach *attach, struct member *m, struct tt_file *file, unsigned level,
                     struct tt_link *link)
{
    struct attached *entry;
    void *files;

    pthread_mutex_lock(&attach->files.lock);
    entry = tt_member_file(m, file);
    files = entry ? NULL : realloc(m->files, (m->file_count + 1) * sizeof(m->files[0]));
    if (files) {
        m->files = files;
        entry = &m->files[m->file_count++];
        *entry = (struct attached){.file = file};
    }
    if (entry) {
        entry->link[level] = link;
        entry->has[level] = true;
        entry->idle[level] = 0;
    }
    pthread_mutex_unlock(&attach->files.lock);
    return entry ? 0 : -ENOMEM;
}

/* Makes the link and puts it where the lease thread finds it. */
static int make_link(struct tt_attach *attach, struct member *m, struct tt_file *file, unsigned level,
                     bool wide, pid_t pid)
{
    struct tt_link *link = NULL;
    int error;

    if (!begin_linking(attach, file))
        return -EAGAIN;
    error = link_points(attach, file, level, wide ? 0 : pid, &link);
    if (!error)
        error = add_level(attach, m, file, level, wide ? NULL : link);
    if (!error) {
        pthread_mutex_lock(&attach->files.lock);
        if (wide)
            file->wide[level] = link;
        attach->stats.links++;
        pthread_mutex_unlock(&attach->files.lock);
    } else if (link) {
        tt_host_unlink(&link, 1);
    }
    end_linking(attach, file);
    return error;
}

/* Reads back what linking did; a point that is not there is counted and said. */
static void verify(struct tt_attach *attach, const struct tt_file *file, unsigned level,
                   const struct tt_process *process, const struct tt_mapped_file *map)
{
    const struct tt_plan *plan = file->planned->plan;
    _cleanup_free_ uint8_t *bytes = calloc(plan->point_count, 1);
    _cleanup_free_ bool *mapped = calloc(plan->point_count, sizeof(*mapped));
    size_t missing;

    if (!bytes || !mapped || peek_points(file, process->pid, map, bytes, mapped))
        return;
    count_breakpoints(plan, level, bytes, mapped, &missing);
    if (!missing)
        return;
    attach->stats.unverified += missing;
    tt_warn("%s (pid %d): %zu of %zu probes in %s do not read back: spans of these functions are missing",
            process->name, process->pid, missing, file->planned->count[level], file->path);
}

static int link_level(struct tt_attach *attach, struct member *m, struct tt_file *file, unsigned level,
                      const struct tt_process *process, const struct tt_mapped_file *map)
{
    const struct tt_plan *plan = file->planned->plan;
    _cleanup_free_ uint8_t *bytes = calloc(plan->point_count, 1);
    _cleanup_free_ bool *mapped = calloc(plan->point_count, sizeof(*mapped));
    size_t missing, there = 0;
    int leased, error;

    if (!bytes || !mapped)
        return -ENOMEM;
    if (file->wide[level]) {
        verify(attach, file, level, process, map);
        return add_level(attach, m, file, level, NULL);
    }
    if (!peek_points(file, process->pid, map, bytes, mapped))
        there = count_breakpoints(plan, level, bytes, mapped, &missing);
    leased = take_lease(attach, file);
    if (leased < 0)
        return leased;
    /* Under the lease, so that what is compared is what is linked. */
    if (!tt_file_matches(file)) {
        attach->stats.stale++;
        return tt_err(-ESTALE, "%s changed since it was planned: not probed", file->path);
    }
    if (there && !are_ours(attach, file))
        report_foreign(attach, file, process, there);
    error = make_link(attach, m, file, level, leased && file->may_be_wide, process->pid);
    if (error == -EAGAIN || error == -ESRCH)
        return error;
    if (error)
        return tt_err(error, "cannot probe %s for %s (pid %d): %s", file->path, process->name, process->pid,
                      strerror(-error));
    verify(attach, file, level, process, map);
    return 0;
}

int tt_attach_link_file(struct tt_attach *attach, struct member *m, struct tt_file *file,
                        const struct tt_process *process, const struct tt_mapped_file *map)
{
    int error = 0;

    for (unsigned level = 0; level < TT_LEVELS && !error; level++) {
        const struct attached *entry = tt_member_file(m, file);

        if (tt_wants(attach, m, level) && file->planned->count[level] && !(entry && entry->has[level]))
            error = link_level(attach, m, file, level, process, map);
    }
    return error;
}
