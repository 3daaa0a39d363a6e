/* SPDX-License-Identifier: GPL-2.0-only */
#include "attach/attach.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
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
        if (f->wide)
            links[count++] = TAKE_PTR(f->wide);
    }
    for (struct member *m = attach->members; m; m = m->next)
        for (size_t i = 0; i < m->file_count && count < max; i++)
            if (m->files[i].file->id == tag && m->files[i].link)
                links[count++] = TAKE_PTR(m->files[i].link);
    attach->stats.links -= count;
    for (struct tt_file *f = attach->files.list; f; f = f->next)
        if (f->id == tag)
            f->taken += count;
    pthread_mutex_unlock(&attach->files.lock);
    return count;
}

/* Nothing here may wait for anybody else, so nothing is logged (a full pipe behind standard error would hold
 * up the writer): tt_attach_retry says it. */
static void lease_broken(void *context, uint64_t tag)
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

/* Breakpoints that were there before: ours? A process with a link by pid has forked, and its child inherited
 * the bytes. */
static bool are_ours(struct tt_attach *attach, const struct tt_file *file)
{
    bool ours = false;

    pthread_mutex_lock(&attach->files.lock);
    for (struct member *m = attach->members; m && !ours; m = m->next)
        for (size_t i = 0; i < m->file_count && !ours; i++)
            ours = m->files[i].link && m->files[i].file->planned == file->planned;
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

static int add_file(struct tt_attach *attach, struct member *m, struct tt_file *file, struct tt_link *link);

/* Makes the link and puts it where the lease thread finds it. */
static int make_link(struct tt_attach *attach, struct member *m, struct tt_file *file, bool wide, pid_t pid)
{
    struct tt_link *link = NULL;
    int error;

    if (!begin_linking(attach, file))
        return -EAGAIN;
    error = link_points(attach, file, wide ? 0 : pid, &link);
    if (!error)
        error = add_file(attach, m, file, wide ? NULL : link);
    if (!error) {
        pthread_mutex_lock(&attach->files.lock);
        if (wide)
            file->wide = link;
        attach->stats.links++;
        pthread_mutex_unlock(&attach->files.lock);
    } else if (link) {
        tt_host_unlink(&link, 1);
    }
    end_linking(attach, file);
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

static int attach_file(struct tt_attach *attach, struct member *m, struct tt_file *file,
                       const struct tt_process *process, const struct tt_mapped_file *map)
{
    const struct tt_plan *plan = file->planned->plan;
    _cleanup_free_ uint8_t *bytes = calloc(plan->point_count, 1);
    _cleanup_free_ bool *mapped = calloc(plan->point_count, sizeof(*mapped));
    size_t missing, there = 0;
    int leased, error;

    if (!bytes || !mapped)
        return -ENOMEM;
    if (file->wide) {
        verify(attach, file, process, map);
        return add_file(attach, m, file, NULL);
    }
    if (!peek_points(file, process->pid, map, bytes, mapped))
        there = count_breakpoints(plan, bytes, mapped, &missing);
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
    error = make_link(attach, m, file, leased && file->may_be_wide, process->pid);
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
    struct tt_file *file;
    int fd, error;

    fd = tt_host_open_mapped(process->pid, map->start, map->end);
    if (fd < 0)
        return fd;
    error = tt_files_get(&attach->files, attach->host, fd, map->path, &file, &attach->stats.plans,
                         &attach->stats.plan_seconds);
    if (error || !file->planned || !file->planned->plan->point_count || has_file(m, file))
        return error;
    return attach_file(attach, m, file, process, map);
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
    if (!process->tango) { /* by exec, or a plain CORBA program that maps a probed libomniORB */
        if (m)
            tt_attach_exit(attach, process->pid);
        return process->corba ? tt_host_set_target(attach->host, process->pid, TT_TARGET_IGNORED) : 0;
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
    error = tt_host_set_target(attach->host, process->pid,
                               process->switches_stacks ? TT_TARGET_SWITCHING : TT_TARGET_SELECTED);
    drop_broken(attach, m);
    m->waiting = false;
    for (size_t i = 0; i < process->file_count; i++) {
        int result = has_library(&process->files[i]) ? attach_mapped(attach, m, process, &process->files[i])
                                                     : 0;

        if (result && process->files[i].library[TT_LIBRARY_GREENLET]) {
            __atomic_store_n(&process->switches_stacks, true, __ATOMIC_RELAXED);
            tt_host_set_target(attach->host, process->pid, TT_TARGET_SWITCHING);
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

#define IDLE_SECONDS 60

static bool is_used(const struct tt_attach *attach, const struct tt_file *file)
{
    for (const struct member *m = attach->members; m; m = m->next)
        if (has_file(m, file))
            return true;
    return false;
}

/* An open descriptor and a link keep a file system mounted and a deleted file on the disk: not for longer
 * than somebody uses the file, and a while. (A broken one long after the lease thread is done with the
 * descriptor.) */
static void release_idle(struct tt_attach *attach)
{
    for (struct tt_file *f = attach->files.list; f; f = f->next) {
        struct closing *closing;
        struct stat st;

        if (f->fd < 0 || is_used(attach, f)) {
            f->idle = 0;
            continue;
        }
        if (++f->idle < (!f->broken && !fstat(f->fd, &st) && !st.st_nlink ? 2 : IDLE_SECONDS))
            continue;
        closing = calloc(1, sizeof(*closing) + sizeof(closing->links[0]));
        if (!closing)
            return;
        closing->attach = attach;
        pthread_mutex_lock(&attach->files.lock);
        f->broken = f->told = true; /* found no more */
        f->waiting = false;
        if (f->wide) {
            closing->links[closing->count++] = TAKE_PTR(f->wide);
            attach->stats.links--;
        }
        pthread_mutex_unlock(&attach->files.lock);
        /* Links first, then the lease. */
        tt_host_unlink(closing->links, closing->count);
        free(closing);
        if (f->leased)
            tt_leases_release(attach->leases, f->fd);
        f->leased = false;
        close(f->fd);
        f->fd = -1;
    }
}

/* Its exit was among lost process events. */
static void drop_vanished(struct tt_attach *attach)
{
    for (struct member *m = attach->members, *next; m; m = next) {
        next = m->next;
        if (kill(m->pid, 0) && errno == ESRCH)
            tt_attach_exit(attach, m->pid);
    }
}

static void report_written(struct tt_attach *attach)
{
    for (struct tt_file *f = attach->files.list; f; f = f->next) {
        size_t taken;
        bool tell;

        pthread_mutex_lock(&attach->files.lock);
        tell = f->broken && !f->told;
        f->told |= tell;
        taken = f->taken;
        pthread_mutex_unlock(&attach->files.lock);
        if (tell)
            tt_info(
                "%s is being written: its probes were taken out first (%zu links); it is probed again when that is done",
                f->path, taken);
    }
}

void tt_attach_retry(struct tt_attach *attach, void (*again)(void *context, pid_t pid), void *context)
{
    _cleanup_free_ pid_t *pids = NULL;
    size_t count = 0, i = 0;

    report_written(attach);
    drop_vanished(attach);
    release_idle(attach);
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
