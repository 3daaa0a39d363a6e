/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * attach.h: the folder attach/, the stage between plan and kernel: it puts the planned probes into the
 * processes that are to be traced and takes them out again. attach.c decides per process, file.c owns the
 * files (identity, plan, lease, inode-wide link); what needs rights is done by host/. Rules (they keep
 * targets alive):
 *  - the file that is linked is the one the process maps, opened through the process; its bytes are those of
 * the plan;
 *  - an inode-wide link only on files that export cppTango and on libomniORB, and only under a read lease;
 * all else by pid;
 *  - a file open for writing is not linked at all; one that is about to be written loses its links first;
 *  - after linking, the bytes are read back in the process.
 * All functions are called from one thread, but for tt_attach_row and what the lease thread does inside.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "catalogue/catalogue.h"
#include "discover/process.h"
#include "host/host.h"
#include "plan/plan.h"

struct tt_attach;

struct tt_attach_stats {
    uint64_t files;         /* linked inode-wide or by pid, now */
    uint64_t plans;         /* made since start */
    uint64_t plans_cached;  /* read from the disk since start */
    uint64_t plans_methods; /* made since start, of device classes: these are not kept on the disk */
    uint64_t plans_refused; /* on the disk, but damaged, or others could have written them */
    uint64_t points;        /* of all plans that are linked */
    uint64_t links;         /* now */
    uint64_t processes;     /* with probes, now */
    uint64_t failures;      /* files or processes that could not be linked */
    uint64_t unverified;    /* points whose breakpoint did not read back */
    uint64_t foreign;       /* points that held somebody else's breakpoint before ours */
    uint64_t lease_breaks;  /* files that lost their links because somebody wrote to them */
    uint64_t stale;         /* files refused because their bytes were not those of the plan */
    uint64_t waiting;       /* files that are open for writing, tried again later */
    double plan_seconds;    /* spent planning */
};

/* `retry(context)` is called from the lease thread when files should be tried again (tt_attach_retry); it
 * must only wake the caller's thread. */
int tt_attach_new(struct tt_host *host, void (*retry)(void *context), void *context,
                  struct tt_attach **attach);

/* Another agent is known to be here: its breakpoints are counted, not reported one by one. */
void tt_attach_expect_others(struct tt_attach *attach);

/* Functions that the user asks for: before the first process; to be kept as long as `attach`. */
void tt_attach_set_probes(struct tt_attach *attach, struct tt_probes *probes);

/* Are log messages wanted? Else what emits them is not probed. Processes that have probes get what is missing
 * with their next tt_attach_process; what is there too much goes within a minute. */
void tt_attach_set_logs(struct tt_attach *attach, bool wanted);
/* Plans are read from that directory from now on, and kept there. Warns and does without where it cannot be
 * used. */
void tt_attach_set_cache(struct tt_attach *attach, const char *directory);
/* Writes plans that were made to the disk: for when no process waits for its probes. tt_attach_free does it,
 * too. */
void tt_attach_keep_plans(struct tt_attach *attach);

/* Takes out all probes, in parallel, and gives the leases back; the catalogue rows of points stay known. */
void tt_attach_detach(struct tt_attach *attach);
void tt_attach_free(struct tt_attach **attach);

/* Brings the probes of the process in line with its selection and its mapped files; call it again whenever
 * these change. 0, or the first negative errno (logged, counted); -EAGAIN: something waits for
 * tt_attach_retry. */
int tt_attach_process(struct tt_attach *attach, struct tt_process *process);

/* The process is gone: its links are closed in the background. */
void tt_attach_exit(struct tt_attach *attach, pid_t pid);

/* Processes whose files waited, or lost their links, are to be attached again: calls `again` with each pid.
 */
void tt_attach_retry(struct tt_attach *attach, void (*again)(void *context, pid_t pid), void *context);

/* Catalogue row of a point index, NULL if unknown. From any thread. */
const struct tt_row *tt_attach_row(const struct tt_attach *attach, uint32_t point);

/* Number of points in that process. */
size_t tt_attach_points_of(struct tt_attach *attach, pid_t pid);

/* Traps that a read or command takes in the files of that process at that level of detail. */
unsigned tt_attach_traps_of(struct tt_attach *attach, pid_t pid, enum tt_usual usual, enum tt_detail detail);

void tt_attach_get_stats(struct tt_attach *attach, struct tt_attach_stats *stats);
