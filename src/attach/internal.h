/* SPDX-License-Identifier: GPL-2.0-only */
/* internal.h: what the files of src/attach share. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "attach/attach.h"
#include "attach/file.h"

/* A process that has probes, or waits for them. */
struct member {
    struct member *next;
    pid_t pid;
    uint64_t start_ticks;
    enum tt_detail detail; /* it wants the points of this level and of those below */
    bool waiting;
    struct attached {
        struct tt_file *file;
        struct tt_link *link[TT_LEVELS]; /* by pid; NULL: inode-wide, or none. Under files.lock */
        bool has[TT_LEVELS];             /* the points of that level are linked for it */
        unsigned idle[TT_LEVELS];        /* seconds since it wants them no more */
    } * files;
    size_t file_count;
};

struct tt_attach {
    struct tt_host *host;
    struct tt_leases *leases;
    struct tt_files files;
    struct member *members; /* list: main thread; entries' links: files.lock */
    struct tt_attach_stats stats;
    struct tt_plan_counts plans;
    bool others;    /* breakpoints of another agent are no news */
    bool scheduler; /* the scheduler is followed, or that was tried in vain */
    void (*retry)(void *context);
    void *context;
    pthread_mutex_t closing; /* counts threads that close links of ended processes */
    pthread_cond_t closed;
    size_t closers;
};

/* Does the process want the points of that level? */
static inline bool tt_wants(const struct tt_attach *attach, const struct member *m, unsigned level)
{
    return level == TT_LEVEL_LOGS ? !attach->files.without_logs && m->detail >= TT_DETAIL_METHODS
                                  : m->detail >= level;
}

/* link.c: runs on the lease thread when somebody opens a probed file for writing. */
void tt_attach_lease_broken(void *context, uint64_t tag);
/* link.c: puts those probes of one mapped file into the process that it wants and has not, and the file into
 * the member's list. 0; -EAGAIN: the file is being written; -ESRCH: the process is gone; another negative
 * errno (logged). */
int tt_attach_link_file(struct tt_attach *attach, struct member *m, struct tt_file *file,
                        const struct tt_process *process, const struct tt_mapped_file *map);

/* Follows the scheduler while a process is at the level that needs it. */
void tt_attach_follow_scheduler(struct tt_attach *attach);

/* The member's entry of a file, or NULL. */
static inline struct attached *tt_member_file(const struct member *m, const struct tt_file *file)
{
    for (size_t i = 0; i < m->file_count; i++)
        if (m->files[i].file == file)
            return &m->files[i];
    return NULL;
}

static inline bool tt_has_link(const struct attached *attached)
{
    for (int level = 0; level < TT_LEVELS; level++)
        if (attached->link[level])
            return true;
    return false;
}
