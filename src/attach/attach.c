/* SPDX-License-Identifier: GPL-2.0-only */
#include "attach/attach.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "attach/file.h"
#include "base/cleanup.h"
#include "base/log.h"

/* A process that has probes, or waits for them. */
struct member {
    struct member *next;
    pid_t pid;
    uint64_t start_ticks;
    size_t points;
    bool waiting;
    bool selected;
    struct {
        struct tt_file *file;
        struct tt_link *link; /* by pid; NULL: inode-wide. Under files.lock */
    } * files;
    size_t file_count;
};

struct tt_attach {
    struct tt_host *host;
    struct tt_leases *leases;
    struct tt_files files;
    struct member *members; /* list: main thread; entries' links: files.lock */
    struct tt_attach_stats stats;
    bool others; /* breakpoints of another agent are no news */
    void (*retry)(void *context);
    void *context;
    pthread_mutex_t closing; /* counts threads that close links of ended processes */
    pthread_cond_t closed;
    size_t closers;
};

/* ---- the lease thread: a file is about to be written ---- */

/* Takes at most `max` links of that file out of the tables. */
static size_t take_links(struct tt_attach *attach, uint64_t tag, struct tt_link **links, size_t max,
                         char *path, size_t size)
{
    size_t count = 0;

    pthread_mutex_lock(&attach->files.lock);
    for (struct tt_file *f = attach->files.list; f; f = f->next) {
        if (f->id != tag)
            continue;
        attach->stats.lease_breaks += !f->broken;
        f->broken = true;
        f->leased = false;
        snprintf(path, size, "%s", f->path);
        if (f->wide)
            links[count++] = TAKE_PTR(f->wide);
    }
    for (struct member *m = attach->members; m; m = m->next)
        for (size_t i = 0; i < m->file_count && count < max; i++)
            if (m->files[i].file->id == tag && m->files[i].link)
                links[count++] = TAKE_PTR(m->files[i].link);
    attach->stats.links -= count;
    pthread_mutex_unlock(&attach->files.lock);
    return count;
}

static void lease_broken(void *context, uint64_t tag)
{
    struct tt_attach *attach = context;
    struct tt_link *links[256];
    size_t count, total = 0;
    char path[256] = "?";

    do {
        count = take_links(attach, tag, links, TT_ARRAY_SIZE(links), path, sizeof(path));
        tt_host_unlink(links, count);
        total += count;
    } while (count == TT_ARRAY_SIZE(links));
    tt_info(
        "%s is being written: its probes were taken out first (%zu links); it is probed again when that is done",
        path, total);
    attach->retry(attach->context);
}

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
    pthread_mutex_init(&made->closing, NULL);
    pthread_cond_init(&made->closed, NULL);
    error = tt_leases_new(lease_broken, made, &made->leases);
    if (error) {
        free(made);
        return tt_err(error, "cannot start the lease thread: %s", strerror(-error));
    }
    *attach = made;
    return 0;
}

const struct tt_row *tt_attach_row(const struct tt_attach *attach, uint32_t point)
{
    return point < TT_MAX_POINTS ? __atomic_load_n(&attach->files.rows[point], __ATOMIC_ACQUIRE) : NULL;
}

void tt_attach_expect_others(struct tt_attach *attach)
{
    attach->others = true;
}

/* ---- linking ---- */

static int link_points(struct tt_attach *attach, struct tt_file *file, pid_t pid, struct tt_link **link)
{
    const struct tt_plan *plan = file->planned->plan;
    _cleanup_free_ uint64_t *offsets = calloc(plan->point_count, sizeof(*offsets));
    _cleanup_free_ uint64_t *cookies = calloc(plan->point_count, sizeof(*cookies));

    if (!offsets || !cookies)
        return -ENOMEM;
    for (size_t i = 0; i < plan->point_count; i++) {
        offsets[i] = plan->points[i].offset;
        cookies[i] = file->planned->first + i;
    }
    return tt_host_link(attach->host, file->fd, offsets, cookies, plan->point_count, pid, link);
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

static size_t count_breakpoints(const struct tt_plan *plan, const uint8_t *bytes, const bool *mapped,
                                size_t *missing)
{
    size_t there = 0;

    *missing = 0;
    for (size_t i = 0; i < plan->point_count; i++) {
        if (!mapped[i])
            continue;
        if (bytes[i] == BREAKPOINT && plan->points[i].bytes[0] != BREAKPOINT)
            there++;
        else
            (*missing)++;
    }
    return there;
}

/* Breakpoints that were there before: whose are they? */
enum owner { NOBODY, OURS, OURS_WIDE };

/*
 * OURS_WIDE: the same real file is linked already under another identity (two overlay mounts of one layer).
 * OURS: a process with a link by pid has forked, and its child inherited the bytes.
 */
static enum owner find_owner(struct tt_attach *attach, const struct tt_file *file)
{
    enum owner owner = NOBODY;

    pthread_mutex_lock(&attach->files.lock);
    for (struct member *m = attach->members; m && !owner; m = m->next)
        for (size_t i = 0; i < m->file_count && !owner; i++)
            if (m->files[i].link && m->files[i].file->planned == file->planned)
                owner = OURS;
    if (tt_files_linked_elsewhere(&attach->files, file))
        owner = OURS_WIDE;
    pthread_mutex_unlock(&attach->files.lock);
    return owner;
}

static void report_foreign(struct tt_attach *attach, struct tt_file *file, const struct tt_process *process,
                           size_t there)
{
    attach->stats.foreign += there;
    if (file->foreign || attach->others)
        return;
    file->foreign = true;
    tt_warn(
        "%s: %zu of the points already hold a breakpoint in %s (pid %d): another tracer or debugger is there too",
        file->path, there, process->name, process->pid);
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

/* Makes the link and keeps it, unless the file was written to meanwhile. */
static int keep_link(struct tt_attach *attach, struct tt_file *file, pid_t pid, struct tt_link **slot)
{
    struct tt_link *link = NULL;
    int error = link_points(attach, file, pid, &link);

    if (error)
        return error;
    pthread_mutex_lock(&attach->files.lock);
    if (file->broken)
        error = -EAGAIN;
    else {
        *slot = TAKE_PTR(link);
        attach->stats.links++;
    }
    pthread_mutex_unlock(&attach->files.lock);
    if (link)
        tt_host_unlink(&link, 1);
    return error;
}

/* Reads back what linking did; a point that is not there is counted and said. */
static void verify(struct tt_attach *attach, const struct tt_file *file, const struct tt_process *process,
                   const struct tt_mapped_file *map)
{
    const struct tt_plan *plan = file->planned->plan;
    _cleanup_free_ uint8_t *bytes = calloc(plan->point_count, 1);
    _cleanup_free_ bool *mapped = calloc(plan->point_count, sizeof(*mapped));
    size_t missing;

    if (!bytes || !mapped || peek_points(file, process->pid, map, bytes, mapped))
        return;
    count_breakpoints(plan, bytes, mapped, &missing);
    if (!missing)
        return;
    attach->stats.unverified += missing;
    tt_warn("%s (pid %d): %zu of %zu probes in %s do not read back: spans of these functions are missing",
            process->name, process->pid, missing, plan->point_count, file->path);
}

static int attach_file(struct tt_attach *attach, struct tt_file *file, const struct tt_process *process,
                       const struct tt_mapped_file *map, struct tt_link **own)
{
    const struct tt_plan *plan = file->planned->plan;
    _cleanup_free_ uint8_t *bytes = calloc(plan->point_count, 1);
    _cleanup_free_ bool *mapped = calloc(plan->point_count, sizeof(*mapped));
    enum owner owner = NOBODY;
    size_t missing, there = 0;
    int leased, error;

    if (!bytes || !mapped)
        return -ENOMEM;
    if (file->wide) {
        verify(attach, file, process, map);
        return 0;
    }
    if (!peek_points(file, process->pid, map, bytes, mapped))
        there = count_breakpoints(plan, bytes, mapped, &missing);
    if (there)
        owner = find_owner(attach, file);
    if (owner == OURS_WIDE)
        return 0;
    leased = take_lease(attach, file);
    if (leased < 0)
        return leased;
    /* Under the lease, so that what is compared is what is linked. */
    if (!tt_file_matches(file)) {
        attach->stats.stale++;
        return tt_err(-ESTALE, "%s changed since it was planned: not probed", file->path);
    }
    if (there && owner == NOBODY)
        report_foreign(attach, file, process, there);
    error = leased && file->may_be_wide ? keep_link(attach, file, 0, &file->wide)
                                        : keep_link(attach, file, process->pid, own);
    if (error == -EAGAIN || error == -ESRCH)
        return error;
    if (error)
        return tt_err(error, "cannot probe %s for %s (pid %d): %s", file->path, process->name, process->pid,
                      strerror(-error));
    verify(attach, file, process, map);
    return 0;
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

static bool has_file(const struct member *m, const struct tt_file *file)
{
    for (size_t i = 0; i < m->file_count; i++)
        if (m->files[i].file == file)
            return true;
    return false;
}

/* Forgets files that were written to, so that they are attached anew. */
static void drop_broken(struct tt_attach *attach, struct member *m)
{
    pthread_mutex_lock(&attach->files.lock);
    for (size_t i = 0; i < m->file_count;) {
        if (m->files[i].file->broken && !m->files[i].link) {
            m->points -= m->files[i].file->planned->plan->point_count;
            m->files[i] = m->files[--m->file_count];
        } else {
            i++;
        }
    }
    pthread_mutex_unlock(&attach->files.lock);
}

static int add_file(struct tt_attach *attach, struct member *m, struct tt_file *file, struct tt_link *link)
{
    void *files;

    pthread_mutex_lock(&attach->files.lock);
    files = realloc(m->files, (m->file_count + 1) * sizeof(m->files[0]));
    if (files) {
        m->files = files;
        m->files[m->file_count].file = file;
        m->files[m->file_count++].link = link;
        m->points += file->planned->plan->point_count;
    }
    pthread_mutex_unlock(&attach->files.lock);
    return files ? 0 : -ENOMEM;
}

static int attach_mapped(struct tt_attach *attach, struct member *m, const struct tt_process *process,
                         const struct tt_mapped_file *map)
{
    struct tt_link *own = NULL;
    struct tt_file *file;
    int fd, error;

    fd = tt_host_open_mapped(process->pid, map->start, map->end);
    if (fd < 0)
        return fd;
    error = tt_files_get(&attach->files, attach->host, fd, map->path, &file, &attach->stats.plans,
                         &attach->stats.plan_seconds);
    if (error || !file->planned || !file->planned->plan->point_count || has_file(m, file))
        return error;
    error = attach_file(attach, file, process, map, &own);
    if (error)
        return error;
    error = add_file(attach, m, file, own);
    if (error && own)
        tt_host_unlink(&own, 1);
    return error;
}

static bool has_library(const struct tt_mapped_file *map)
{
    for (int i = 0; i < TT_LIBRARIES; i++)
        if (map->library[i])
            return true;
    return false;
}

int tt_attach_process(struct tt_attach *attach, struct tt_process *process)
{
    struct member *m = find_member(attach, process->pid);
    int error = 0;

    if (m && m->start_ticks != process->start_ticks) {
        tt_attach_exit(attach, process->pid);
        m = NULL;
    }
    if (!process->tango) { /* by exec */
        if (m)
            tt_attach_exit(attach, process->pid);
        return 0;
    }
    if (!process->selected) {
        if (m)
            tt_attach_exit(attach, process->pid);
        return tt_host_set_target(attach->host, process->pid, TT_TARGET_IGNORED);
    }
    if (!m)
        m = new_member(attach, process);
    if (!m)
        return -ENOMEM;
    /* First, so that no event of an inode-wide link is dropped. */
    error = tt_host_set_target(attach->host, process->pid, TT_TARGET_SELECTED);
    drop_broken(attach, m);
    m->waiting = false;
    for (size_t i = 0; i < process->file_count; i++) {
        int result = has_library(&process->files[i]) ? attach_mapped(attach, m, process, &process->files[i])
                                                     : 0;

        if (result && process->files[i].library[TT_LIBRARY_GREENLET])
            __atomic_store_n(&process->switches_stacks, true, __ATOMIC_RELAXED);
        if (result == -EAGAIN)
            m->waiting = true;
        else if (result && result != -ESRCH && result != -ENOENT)
            attach->stats.failures++;
        if (result && !error)
            error = result;
    }
    return error;
}

/* ---- ends ---- */

struct closing {
    struct tt_attach *attach;
    size_t count;
    struct tt_link *links[];
};

static void *close_links(void *argument)
{
    struct closing *closing = argument;
    struct tt_attach *attach = closing->attach;

    tt_host_unlink(closing->links, closing->count);
    free(closing);
    pthread_mutex_lock(&attach->closing);
    attach->closers--;
    pthread_cond_broadcast(&attach->closed);
    pthread_mutex_unlock(&attach->closing);
    return NULL;
}

/* Closing takes 40 ms: not on the thread that follows processes. */
static void close_in_background(struct closing *closing)
{
    struct tt_attach *attach = closing->attach;
    pthread_attr_t attr;
    pthread_t thread;

    pthread_mutex_lock(&attach->closing);
    attach->closers++;
    pthread_mutex_unlock(&attach->closing);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (!closing->count || pthread_create(&thread, &attr, close_links, closing))
        close_links(closing);
    pthread_attr_destroy(&attr);
}

void tt_attach_exit(struct tt_attach *attach, pid_t pid)
{
    struct member **place = &attach->members, *m;
    struct closing *closing;

    tt_host_set_target(attach->host, pid, TT_TARGET_UNKNOWN);
    while (*place && (*place)->pid != pid)
        place = &(*place)->next;
    m = *place;
    if (!m)
        return;
    closing = calloc(1, sizeof(*closing) + m->file_count * sizeof(closing->links[0]));
    pthread_mutex_lock(&attach->files.lock);
    *place = m->next;
    for (size_t i = 0; closing && i < m->file_count; i++)
        if (m->files[i].link)
            closing->links[closing->count++] = m->files[i].link;
    if (closing)
        attach->stats.links -= closing->count;
    pthread_mutex_unlock(&attach->files.lock);
    free(m->files);
    free(m);
    if (closing) {
        closing->attach = attach;
        close_in_background(closing);
    }
}

void tt_attach_retry(struct tt_attach *attach, void (*again)(void *context, pid_t pid), void *context)
{
    _cleanup_free_ pid_t *pids = NULL;
    size_t count = 0, i = 0;

    for (struct member *m = attach->members; m; m = m->next)
        count++;
    pids = calloc(count ? count : 1, sizeof(*pids));
    if (!pids)
        return;
    /* `again` changes the list: collect first. */
    pthread_mutex_lock(&attach->files.lock);
    for (struct member *m = attach->members; m; m = m->next) {
        bool lost = m->waiting;

        for (size_t j = 0; j < m->file_count; j++)
            lost |= m->files[j].file->broken;
        if (lost)
            pids[i++] = m->pid;
    }
    pthread_mutex_unlock(&attach->files.lock);
    for (size_t j = 0; j < i; j++)
        again(context, pids[j]);
}

bool tt_attach_waiting(struct tt_attach *attach)
{
    for (struct member *m = attach->members; m; m = m->next)
        if (m->waiting)
            return true;
    return false;
}

size_t tt_attach_points_of(struct tt_attach *attach, pid_t pid)
{
    const struct member *m = find_member(attach, pid);

    return m ? m->points : 0;
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
    pthread_mutex_unlock(&attach->files.lock);
}

static size_t collect_links(struct tt_attach *attach, struct tt_link **links)
{
    size_t count = 0;

    pthread_mutex_lock(&attach->files.lock);
    for (struct tt_file *f = attach->files.list; f; f = f->next)
        if (f->wide && links)
            links[count++] = TAKE_PTR(f->wide);
        else
            count += f->wide != NULL;
    for (struct member *m = attach->members; m; m = m->next)
        for (size_t i = 0; i < m->file_count; i++)
            if (m->files[i].link && links)
                links[count++] = TAKE_PTR(m->files[i].link);
            else
                count += m->files[i].link != NULL;
    pthread_mutex_unlock(&attach->files.lock);
    return count;
}

void tt_attach_detach(struct tt_attach *attach)
{
    size_t count = collect_links(attach, NULL);
    struct tt_link **links = calloc(count ? count : 1, sizeof(*links));

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
    tt_files_clear(&a->files);
    free(a);
    *attach = NULL;
}
