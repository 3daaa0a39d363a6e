/* SPDX-License-Identifier: GPL-2.0-only */
#include "attach/attach.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "attach/internal.h"
#include "base/cleanup.h"
#include "base/log.h"

int tt_attach_new(struct tt_host *host, void (*retry)(void *context), void *context,
                  struct tt_attach **attach)
{
    struct tt_attach *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->host = host;
    made->retry = retry;
    made->context = context;
    pthread_mutex_init(&made->files.lock, NULL);
    pthread_cond_init(&made->files.linked, NULL);
    pthread_mutex_init(&made->closing, NULL);
    pthread_cond_init(&made->closed, NULL);
    error = tt_leases_new(tt_attach_lease_broken, made, &made->leases);
    if (error) {
        free(made);
        return tt_err(error, "cannot start the lease thread: %s", strerror(-error));
    }
    *attach = made;
    return 0;
}

void tt_attach_set_cache(struct tt_attach *attach, const char *directory)
{
    tt_files_set_cache(&attach->files, directory);
}

void tt_attach_keep_plans(struct tt_attach *attach)
{
    tt_files_keep(&attach->files);
}

const struct tt_row *tt_attach_row(const struct tt_attach *attach, uint32_t point)
{
    return point < TT_MAX_POINTS ? __atomic_load_n(&attach->files.rows[point], __ATOMIC_ACQUIRE) : NULL;
}

void tt_attach_expect_others(struct tt_attach *attach)
{
    attach->others = true;
}

void tt_attach_set_probes(struct tt_attach *attach, struct tt_probes *probes)
{
    attach->files.probes = probes;
}

void tt_attach_set_logs(struct tt_attach *attach, bool wanted)
{
    attach->files.without_logs = !wanted;
}

/* ---- processes ---- */

static struct member *find_member(struct tt_attach *attach, pid_t pid)
{
    for (struct member *m = attach->members; m; m = m->next)
        if (m->pid == pid)
            return m;
    return NULL;
}

static struct member *new_member(struct tt_attach *attach, const struct tt_process *process)
{
    struct member *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    m->pid = process->pid;
    m->start_ticks = process->start_ticks;
    pthread_mutex_lock(&attach->files.lock);
    m->next = attach->members;
    attach->members = m;
    pthread_mutex_unlock(&attach->files.lock);
    return m;
}

/* Forgets files that were written to, so that they are attached anew. */
static void drop_broken(struct tt_attach *attach, struct member *m)
{
    pthread_mutex_lock(&attach->files.lock);
    for (size_t i = 0; i < m->file_count;) {
        if (m->files[i].file->broken && !tt_has_link(&m->files[i]))
            m->files[i] = m->files[--m->file_count];
        else
            i++;
    }
    pthread_mutex_unlock(&attach->files.lock);
}

/* `bases`: for the functions of device classes in it, `probes`: for those that the user asks for; neither:
 * for those of the libraries. */
static int attach_mapped(struct tt_attach *attach, struct member *m, const struct tt_process *process,
                         const struct tt_mapped_file *map, const struct tt_bases *bases, bool probes)
{
    struct tt_file *file;
    int fd, error;

    fd = tt_host_open_mapped(process->pid, map->start, map->end);
    if (fd < 0)
        return fd;
    error = tt_files_get(&attach->files, attach->host, fd, map->path, bases, probes, &file, &attach->plans);
    if (error || !file->planned || !file->planned->plan->point_count)
        return error;
    return tt_attach_link_file(attach, m, file, process, map);
}

static bool has_library(const struct tt_mapped_file *map)
{
    for (int i = 0; i < TT_LIBRARIES; i++)
        if (map->library[i])
            return true;
    return false;
}

/* Of the cppTango that the process maps; NULL: none that tells anything. */
static const struct tt_bases *bases_of(struct tt_attach *attach, const struct tt_process *process)
{
    const struct tt_bases *bases = NULL;

    for (size_t i = 0; i < process->file_count && !bases; i++) {
        const struct tt_mapped_file *map = &process->files[i];
        _cleanup_close_ int fd = -1;

        if (!map->library[TT_LIBRARY_TANGO])
            continue;
        fd = tt_host_open_mapped(process->pid, map->start, map->end);
        if (fd >= 0)
            bases = tt_files_bases(&attach->files, fd, map->path);
    }
    return bases;
}

/* What is probed of one mapped file: libraries, device classes, and what the user asks for. */
static int attach_file(struct tt_attach *attach, struct member *m, const struct tt_process *process,
                       const struct tt_mapped_file *map)
{
    int error = has_library(map) ? attach_mapped(attach, m, process, map, NULL, false) : 0;
    bool classes = map->library[TT_HOLDS_CLASSES], probes = map->library[TT_HOLDS_PROBES];
    const struct tt_bases *bases = classes || probes ? bases_of(attach, process) : NULL;
    int result = classes && bases ? attach_mapped(attach, m, process, map, bases, false) : 0;

    error = error ? error : result;
    result = probes ? attach_mapped(attach, m, process, map, bases, true) : 0;
    return error ? error : result;
}

void tt_attach_follow_scheduler(struct tt_attach *attach)
{
    bool needed = false;
    int error;

    for (const struct member *m = attach->members; m && !needed; m = m->next)
        needed = m->detail >= TT_DETAIL_FULL;
    if (needed == attach->scheduler)
        return;
    attach->scheduler = needed;
    error = tt_host_set_scheduler(attach->host, needed);
    if (error)
        tt_warn("the scheduler cannot be followed (%s): what of a call was time off the CPU is not told",
                strerror(-error));
}

int tt_attach_process(struct tt_attach *attach, struct tt_process *process)
{
    struct member *m = find_member(attach, process->pid);
    int error = 0;

    if (m && m->start_ticks != process->start_ticks) {
        tt_attach_exit(attach, process->pid);
        m = NULL;
    }
    if (!process->tango) { /* by exec, or a plain CORBA program that maps a probed libomniORB */
        if (m)
            tt_attach_exit(attach, process->pid);
        return process->corba
                   ? tt_host_set_target(attach->host, process->pid, TT_TARGET_IGNORED, 0, process->looked)
                   : 0;
    }
    if (!process->selected) {
        if (m)
            tt_attach_exit(attach, process->pid);
        return tt_host_set_target(attach->host, process->pid, TT_TARGET_IGNORED, 0, process->looked);
    }
    if (!m)
        m = new_member(attach, process);
    if (!m)
        return -ENOMEM;
    m->detail = __atomic_load_n(&process->detail, __ATOMIC_RELAXED);
    tt_attach_follow_scheduler(attach);
    /* First, so that no event of an inode-wide link is dropped. */
    error = tt_host_set_target(attach->host, process->pid,
                               process->switches_stacks ? TT_TARGET_SWITCHING : TT_TARGET_SELECTED, m->detail,
                               process->looked);
    drop_broken(attach, m);
    m->waiting = false;
    for (size_t i = 0; i < process->file_count; i++) {
        int result = attach_file(attach, m, process, &process->files[i]);

        if (result && process->files[i].library[TT_LIBRARY_GREENLET]) {
            __atomic_store_n(&process->switches_stacks, true, __ATOMIC_RELAXED);
            tt_host_set_target(attach->host, process->pid, TT_TARGET_SWITCHING, m->detail, process->looked);
        }
        if (result == -EAGAIN)
            m->waiting = true;
        else if (result && result != -ESRCH && result != -ENOENT)
            attach->stats.failures++;
        if (result && !error)
            error = result;
    }
    return error;
}

size_t tt_attach_points_of(struct tt_attach *attach, pid_t pid)
{
    const struct member *m = find_member(attach, pid);
    size_t count = 0;

    for (size_t i = 0; m && i < m->file_count; i++)
        for (int level = 0; level < TT_LEVELS; level++)
            count += m->files[i].has[level] ? m->files[i].file->planned->count[level] : 0;
    return count;
}

unsigned tt_attach_traps_of(struct tt_attach *attach, pid_t pid, enum tt_usual usual, enum tt_detail detail)
{
    const struct member *m = find_member(attach, pid);
    unsigned traps = 0;

    for (size_t i = 0; m && i < m->file_count; i++)
        traps += tt_plan_traps(m->files[i].file->planned->plan, usual, detail);
    return traps;
}

void tt_attach_get_stats(struct tt_attach *attach, struct tt_attach_stats *stats)
{
    pthread_mutex_lock(&attach->files.lock);
    *stats = attach->stats;
    stats->files = stats->processes = stats->waiting = 0;
    for (const struct tt_file *f = attach->files.list; f; f = f->next) {
        stats->files += f->planned && !f->broken;
        stats->waiting += f->waiting;
    }
    for (const struct member *m = attach->members; m; m = m->next)
        stats->processes += m->file_count > 0;
    stats->points = attach->files.next_point;
    stats->plans = attach->plans.made;
    stats->plans_cached = attach->plans.cached;
    stats->plans_methods = attach->plans.methods;
    stats->plans_refused = attach->plans.refused;
    stats->plan_seconds = attach->plans.seconds;
    pthread_mutex_unlock(&attach->files.lock);
}

/* Moves the links of one place to links[*count..]; without `links` only counts them. */
static void collect_levels(struct tt_link *from[TT_LEVELS], struct tt_link **links, size_t *count)
{
    for (int level = 0; level < TT_LEVELS; level++) {
        if (!from[level])
            continue;
        if (links)
            links[*count] = TAKE_PTR(from[level]);
        (*count)++;
    }
}

static size_t collect_links(struct tt_attach *attach, struct tt_link **links)
{
    size_t count = 0;

    pthread_mutex_lock(&attach->files.lock);
    for (struct tt_file *f = attach->files.list; f; f = f->next)
        collect_levels(f->wide, links, &count);
    for (struct member *m = attach->members; m; m = m->next)
        for (size_t i = 0; i < m->file_count; i++)
            collect_levels(m->files[i].link, links, &count);
    pthread_mutex_unlock(&attach->files.lock);
    return count;
}

void tt_attach_detach(struct tt_attach *attach)
{
    size_t count = collect_links(attach, NULL);
    struct tt_link **links = calloc(count ? count : 1, sizeof(*links));

    if (attach->scheduler)
        tt_host_set_scheduler(attach->host, false);
    /* Links first, then leases: a file that is written between the two has no probes any more. */
    if (links) {
        count = collect_links(attach, links);
        tt_host_unlink(links, count);
        free(links);
    }
    pthread_mutex_lock(&attach->closing);
    while (attach->closers)
        pthread_cond_wait(&attach->closed, &attach->closing);
    pthread_mutex_unlock(&attach->closing);
    for (struct tt_file *f = attach->files.list; f; f = f->next) {
        if (f->leased)
            tt_leases_release(attach->leases, f->fd);
        f->leased = false;
    }
}

void tt_attach_free(struct tt_attach **attach)
{
    struct tt_attach *a = *attach;

    if (!a)
        return;
    tt_attach_detach(a);
    tt_leases_free(&a->leases);
    for (struct member *m = a->members, *next; m; m = next) {
        next = m->next;
        free(m->files);
        free(m);
    }
    tt_files_keep(&a->files);
    tt_files_clear(&a->files);
    free(a);
    *attach = NULL;
}
