/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file.h (private to attach): the files that are probed: identity, plan, lease, inode-wide link. One entry
 * per file, however many processes map it; a process's own links are attach.c's.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "host/host.h"
#include "plan/plan.h"

/* One plan and its range in the map of points; shared by all files with the same build id. */
struct tt_planned {
    struct tt_planned *next;
    struct tt_plan *plan;
    uint32_t first;           /* point indices first .. first + plan->point_count - 1 */
    size_t count[TT_DETAILS]; /* points of each level: what is linked together */
};

struct tt_file {
    struct tt_file *next;
    uint64_t id;  /* tag of the lease */
    dev_t device; /* identity: a file that was written again is another one */
    ino_t inode;
    off_t size;
    struct timespec modified;
    int fd;                     /* -1 once the file is given up */
    char *path;                 /* as the process named it, for messages */
    struct tt_planned *planned; /* NULL: nothing to probe there */
    bool may_be_wide;           /* exports cppTango, or is libomniORB */
    bool leased, waiting;
    bool foreign; /* somebody else's breakpoints were reported */

    /* under tt_files.lock, shared with the lease thread */
    bool broken;   /* somebody writes to it: no links any more */
    bool linking;  /* links are being made that are in no table yet: a writer waits for them */
    unsigned idle; /* seconds without a process that maps it */
    size_t taken;  /* links that a writer's coming took out, to be reported */
    bool told;
    struct tt_link *wide[TT_DETAILS];
    unsigned wide_idle[TT_DETAILS]; /* seconds without a process that wants them */
};

struct tt_files {
    struct tt_file *list;
    struct tt_planned *plans;
    uint64_t next_id;
    uint32_t next_point;
    bool without_logs;
    const struct tt_row
        *rows[TT_MAX_POINTS]; /* read by other threads; written before the points are linked */
    pthread_mutex_t lock;     /* never held across a system call that waits */
    pthread_cond_t linked;    /* `linking` of a file has become false */
};

/* The entry of the open file `fd` (taken over on success), made if it is new: planned, its points described
 * to the kernel. 0; negative errno if it cannot be used (logged; the entry is remembered so that it is said
 * once). */
int tt_files_get(struct tt_files *files, struct tt_host *host, int fd, const char *path,
                 struct tt_file **file, uint64_t *plans, double *plan_seconds);

/* Do the bytes in the file still equal the plan's at every point? */
bool tt_file_matches(const struct tt_file *file);

void tt_files_clear(struct tt_files *files);
