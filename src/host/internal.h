/* SPDX-License-Identifier: GPL-2.0-only */
/* internal.h: what the files of src/host share. */
#pragma once

#include "host/host.h"

struct probe_bpf;
struct ring_buffer;

struct tt_host {
    struct probe_bpf *bpf;
    struct ring_buffer *ring;
    struct tt_host_features features;
    size_t ring_size;
    const uint64_t *ring_consumer, *ring_producer; /* positions, in the kernel's pages; NULL: not mapped */
    uint64_t ring_used, ring_peak;                 /* before it was read last; most of all times */
    uint64_t before[TT_COUNTERS];                  /* counted by the self-test */
    int cpus;                                      /* possible CPUs: per-CPU maps have that many values */
    bool multi;
    int single_fd; /* the program for single uprobes where `multi` is on but its pid filter is broken, else -1
                    */
    struct probe_bpf *single; /* owns single_fd */
    tt_host_event_fn event;   /* of the tt_host_consume that runs */
    void *event_context;
    int keeper; /* socket; -1: none */
    pid_t keeper_pid;
};

/* ring.c: 0 or a negative errno. Measured before each reading, by the one who reads. */
int tt_ring_map(struct tt_host *host, int fd);
void tt_ring_unmap(struct tt_host *host);
void tt_ring_measure(struct tt_host *host);

/* include/uapi/linux/bpf.h of 6.6 and later; Debian 12's headers are 6.1. */
#define ATTACH_UPROBE_MULTI 48

/* Index of the point that the self-test uses. */
#define TT_SELFTEST_POINT (TT_MAX_POINTS - 1)

/* ---- link.c and keeper.c: see the top of keeper.c ---- */

struct tt_link_request {
    uint32_t count;  /* of points */
    int32_t pid;     /* 0: every process */
    uint32_t single; /* single uprobes instead of one uprobe_multi link */
};

/* What comes with a request. */
enum { TT_LINK_PROGRAM, TT_LINK_FILE, TT_LINK_CONNECTION, TT_LINK_FDS };

/* All bytes, or false: the other side is gone. */
bool tt_link_send(int connection, const void *data, size_t size);
bool tt_link_receive(int connection, void *data, size_t size);

/* Starts the keeper: before any thread. 0 or negative errno. */
int tt_keeper_new(struct tt_host *host);
/* Ends it; returns when all links are gone. */
void tt_keeper_free(struct tt_host *host);
/* The keeper's life, in the child; ends the process. */
__attribute__((noreturn)) void tt_keeper_run(int control);

/* Loads one copy of the programs, for uprobe_multi links or for single uprobes; maps are shared with `share`
 * if given. */
int tt_bpf_load(size_t ring_size, bool multi, struct probe_bpf *share, struct probe_bpf **bpf);

/* Tries `link` on a child with a second thread. Sets *fires and *threads (all threads are seen), *trap_ns,
 * *event_ns. */
int tt_selftest(struct tt_host *host, bool multi, bool *fires, bool *threads, double *trap_ns,
                double *event_ns);
