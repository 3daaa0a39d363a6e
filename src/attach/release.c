/* SPDX-License-Identifier: GPL-2.0-only */
/* release.c: how probes end: with their process, with their file's last user, or because a file is written
 * to. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "attach/internal.h"
#include "base/cleanup.h"
#include "base/log.h"

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

    tt_host_set_target(attach->host, pid, TT_TARGET_UNKNOWN, 0, 0);
    while (*place && (*place)->pid != pid)
        place = &(*place)->next;
    m = *place;
    if (!m)
        return;
    closing = calloc(1, sizeof(*closing) + m->file_count * TT_LEVELS * sizeof(closing->links[0]));
    pthread_mutex_lock(&attach->files.lock);
    *place = m->next;
    for (size_t i = 0; closing && i < m->file_count; i++)
        for (int level = 0; level < TT_LEVELS; level++)
            if (m->files[i].link[level])
                closing->links[closing->count++] = m->files[i].link[level];
    if (closing)
        attach->stats.links -= closing->count;
    pthread_mutex_unlock(&attach->files.lock);
    free(m->files);
    free(m);
    tt_attach_follow_scheduler(attach);
    if (closing) {
        closing->attach = attach;
        close_in_background(closing);
    }
}

#define IDLE_SECONDS 60

static bool is_used(const struct tt_attach *attach, const struct tt_file *file)
{
    for (const struct member *m = attach->members; m; m = m->next)
        if (tt_member_file(m, file))
            return true;
    return false;
}

/* ---- levels of detail that nobody wants any more: they stay for as long as a frame is waited for ---- */

/* Takes out what `link` holds, in the background. */
static void drop_link(struct tt_attach *attach, struct tt_link **link)
{
    struct closing *closing = calloc(1, sizeof(*closing) + sizeof(closing->links[0]));

    if (!closing)
        return; /* again in a second */
    closing->attach = attach;
    pthread_mutex_lock(&attach->files.lock);
    if (*link) {
        closing->links[closing->count++] = TAKE_PTR(*link);
        attach->stats.links--;
    }
    pthread_mutex_unlock(&attach->files.lock);
    close_in_background(closing);
}

static bool is_wanted(const struct tt_attach *attach, const struct tt_file *file, unsigned level)
{
    for (const struct member *m = attach->members; m; m = m->next)
        if (tt_wants(attach, m, level) && tt_member_file(m, file))
            return true;
    return false;
}

static void release_wide_level(struct tt_attach *attach, struct tt_file *file, unsigned level)
{
    if (!file->wide[level] || is_wanted(attach, file, level) || !is_used(attach, file)) {
        file->wide_idle[level] = 0;
        return;
    }
    if (++file->wide_idle[level] < IDLE_SECONDS)
        return;
    for (struct member *m = attach->members; m; m = m->next) {
        struct attached *entry = tt_member_file(m, file);

        if (entry)
            entry->has[level] = false;
    }
    drop_link(attach, &file->wide[level]);
}

static void release_levels(struct tt_attach *attach)
{
    for (unsigned level = TT_DETAIL_METHODS; level < TT_LEVELS; level++) {
        for (struct tt_file *f = attach->files.list; f; f = f->next)
            release_wide_level(attach, f, level);
        for (struct member *m = attach->members; m; m = m->next)
            for (size_t i = 0; i < m->file_count; i++) {
                struct attached *entry = &m->files[i];

                if (!entry->link[level] || tt_wants(attach, m, level)) {
                    entry->idle[level] = 0;
                } else if (++entry->idle[level] >= IDLE_SECONDS) {
                    entry->has[level] = false;
                    drop_link(attach, &entry->link[level]);
                }
            }
    }
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
        closing = calloc(1, sizeof(*closing) + TT_LEVELS * sizeof(closing->links[0]));
        if (!closing)
            return;
        closing->attach = attach;
        pthread_mutex_lock(&attach->files.lock);
        f->broken = f->told = true; /* found no more */
        f->waiting = false;
        for (int level = 0; level < TT_LEVELS; level++) {
            if (!f->wide[level])
                continue;
            closing->links[closing->count++] = TAKE_PTR(f->wide[level]);
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
    release_levels(attach);
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
