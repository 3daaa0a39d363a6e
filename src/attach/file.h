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
#include "plan/cache.h"
#include "plan/plan.h"

/* Levels of detail, and what emits log messages, which can be switched off by itself. */
enum { TT_LEVEL_LOGS = TT_DETAILS, TT_LEVELS };

/* One plan and its range in the map of points; shared by all files that have all that it was made from. */
struct tt_planned {
    struct tt_planned *next;
    struct tt_plan *plan;
    /* as of its files */
    const struct tt_bases *bases;
    bool probes;
    uint32_t first;          /* point indices first .. first + plan->point_count - 1 */
    size_t count[TT_LEVELS]; /* points of each level: what is linked together */
    bool unkept;             /* made now: to be put into the cache */
};

struct tt_file {
    struct tt_file *next;
    uint64_t id;    /* tag of the lease */
    struct stat st; /* identity: a file that was written again is another one */
    int fd;         /* -1 once the file is given up */
    char *path;     /* as the process named it, for messages */
    /* What is planned there: the functions of the user's probes, or of device classes, beside the cppTango of
     * these; neither: those of the libraries. A file that has several has as many entries. */
    const struct tt_bases *bases;
    bool probes;
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
    struct tt_link *wide[TT_LEVELS];
    unsigned wide_idle[TT_LEVELS]; /* seconds without a process that wants them */
};

/* Where plans came from. */
struct tt_plan_counts {
    uint64_t made, cached; /* planned now, read from the cache */
    uint64_t methods;      /* planned now, of device classes and the user's probes: these are not kept */
    uint64_t refused;      /* files of the cache that were not to be trusted or damaged */
    double seconds;
};

/* A cppTango, and what it tells of its classes. */
struct tt_tango {
    struct tt_tango *next;
    struct stat st;         /* identity */
    struct tt_bases *bases; /* NULL: nothing */
};

struct tt_files {
    struct tt_plan_cache *cache; /* NULL: none */
    struct tt_file *list;
    struct tt_planned *plans;
    struct tt_tango *tangos;
    uint64_t next_id;
    uint32_t next_point;
    bool without_logs;
    struct tt_probes *probes; /* of the user; NULL: none. Not owned */
    const struct tt_row
        *rows[TT_MAX_POINTS]; /* read by other threads; written before the points are linked */
    pthread_mutex_t lock;     /* never held across a system call that waits */
    pthread_cond_t linked;    /* `linking` of a file has become false */
};

/* What is linked together: the points of a level of detail, and those of log messages beside. */
static inline unsigned tt_point_level(const struct tt_plan *plan, const struct tt_plan_point *point)
{
    return tt_plan_row(plan, point->point.function)->role == TT_ROLE_LOG ? TT_LEVEL_LOGS
                                                                         : point->point.detail;
}

/* The entry of the open file `fd` (taken over on success), made if it is new: planned, its points described
 * to the kernel. 0; negative errno if it cannot be used (logged; the entry is remembered so that it is said
 * once). */
int tt_files_get(struct tt_files *files, struct tt_host *host, int fd, const char *path,
                 const struct tt_bases *bases, bool probes, struct tt_file **file,
                 struct tt_plan_counts *counts);

/* What the open file `fd` (stays the caller's), a cppTango, tells of its classes; read once. NULL: nothing.
 */
const struct tt_bases *tt_files_bases(struct tt_files *files, int fd, const char *path);

/* Warns and does without where the directory cannot be used. */
void tt_files_set_cache(struct tt_files *files, const char *directory);

/* Puts the plans that were made into the cache: for when nothing waits for probes, since the disk may be
 * slow. */
void tt_files_keep(struct tt_files *files);

/* Do the bytes in the file still equal the plan's at every point? */
bool tt_file_matches(const struct tt_file *file);

void tt_files_clear(struct tt_files *files);
