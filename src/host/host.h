/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host.h: the only code that needs rights: BPF, links, leases, mapped files and memory of targets, process
 * events. A narrow interface of plain data, so that it can later live in a process of its own. It never
 * writes to a target.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tangotrace/event.h"

/* ---- what this host can do; found by trying, never by version ---- */

struct tt_host_features {
    bool btf;          /* /sys/kernel/btf/vmlinux is there */
    bool program;      /* the probe program loads */
    bool uprobe;       /* single uprobes (perf events) attach with a cookie and fire */
    bool uprobe_multi; /* uprobe_multi links attach and fire */
    bool multi_pid; /* .. and with a pid they see all threads of the process (kernel commit 46ba0e49b642) */
    bool lease;     /* read leases can be taken */
    bool sideband;  /* process and map events by perf_event_open */
    bool shadow_stacks; /* programs may have them (/proc/cpuinfo: user_shstk): the kernel's emulation of a
                           probed `call` does not write to them, and the return would fault */
    double trap_ns;     /* cost of one bare hit, measured; 0 if unknown */
    double event_ns;    /* .. and of one that writes an event with a text; 0 if unknown */
    char error[256];    /* first reason why something essential is missing */
};

/* Tries everything with a child of its own; takes some 100 ms. Needs root. 0, or a negative errno if nothing
 * works. */
int tt_host_probe_features(struct tt_host_features *features);

/* ---- BPF programs and maps ---- */

struct tt_host;

struct tt_host_config {
    size_t ring_size; /* bytes, power of two, at least a page */
    bool no_multi;    /* never use uprobe_multi */
};

/* Loads the program, decides between uprobe_multi and single uprobes by self-test. 0 or negative errno
 * (logged): -EPERM and -ENOSYS mean that the host lacks a right or a feature. */
int tt_host_new(const struct tt_host_config *config, struct tt_host **host);
/* Descriptor that polls as POLLHUP when the process that holds the links has ended, and they with it. */
int tt_host_keeper(const struct tt_host *host);
void tt_host_free(struct tt_host **host);
const struct tt_host_features *tt_host_features(const struct tt_host *host);
size_t tt_host_ring_size(const struct tt_host *host);
/* Bytes in the ring buffer before it was read last, and the most that there ever were; from any thread. */
void tt_host_ring_use(const struct tt_host *host, uint64_t *used, uint64_t *peak);

/* Describes points first .. first + count - 1. */
int tt_host_set_points(struct tt_host *host, uint32_t first, const struct tt_point *points, size_t count);
/* Filter: TT_TARGET_UNKNOWN removes the entry. `detail`: points above that level are passed over. `since`:
 * the process was seen to be so at that time, CLOCK_MONOTONIC ns; if it has become another program since, the
 * kernel tells of it. */
int tt_host_set_target(struct tt_host *host, pid_t tgid, enum tt_target_state state, unsigned detail,
                       uint64_t since);
/* Hits of probes in a process since it is in the filter; 0 if it is not. */
uint64_t tt_host_target_hits(struct tt_host *host, pid_t tgid);
/* Follows every switch of the scheduler, for the time that traced threads spend off the CPU. The whole host
 * pays for it: only while a process is at TT_CLOCK_DETAIL. 0, or negative errno: that time is not told. */
int tt_host_set_scheduler(struct tt_host *host, bool on);
/* What is to be known of a Python process; NULL removes the entry. */
int tt_host_set_python(struct tt_host *host, pid_t tgid, const struct tt_python *python);
/* Calls of that method need not be told. The oldest make room. */
int tt_host_set_dull(struct tt_host *host, const struct tt_dull_key *key, const struct tt_dull *dull);
/* Sums over all CPUs. */
int tt_host_counters(struct tt_host *host, uint64_t counters[TT_COUNTERS]);
/* Hits of points of kind TT_POINT_TEST. */
int tt_host_test_hits(struct tt_host *host, uint64_t *hits);

/* Calls `event` for every event in the ring buffer, then returns; does not wait. Number of events, or
 * negative errno. Only one thread may consume. */
typedef void (*tt_host_event_fn)(void *context, const void *data, size_t size);
int tt_host_consume(struct tt_host *host, tt_host_event_fn event, void *context);

/* ---- links ---- */

struct tt_link; /* the probes of one file, for one process or for all that map it */

/*
 * Links `count` points of the file behind `fd` (any descriptor of the inode): offsets in the file, cookies =
 * point indices. `pid` 0 = every process that maps the file, now or later. 0 and *link, or negative errno
 * (-ESRCH: the process is gone; -EPIPE: the process that holds the links is). Nothing is left behind on
 * failure, nor when this process is killed.
 */
int tt_host_link(struct tt_host *host, int fd, const uint64_t *offsets, const uint64_t *cookies, size_t count,
                 pid_t pid, struct tt_link **link);
/* Detaches links, in parallel, and frees them; returns when all are gone (about 40 ms however many). Entries
 * become NULL. */
void tt_host_unlink(struct tt_link **links, size_t count);

/* ---- files and memory of targets ---- */

/* The file mapped at START-END in that process, whatever its path means there. Descriptor or negative errno.
 */
int tt_host_open_mapped(pid_t pid, uint64_t start, uint64_t end);
/* Reads target memory; number of bytes read (may be fewer) or negative errno. */
ssize_t tt_host_read_memory(pid_t pid, uint64_t address, void *buffer, size_t size);
/* Reads single bytes at many addresses with one open; `bytes[i]` valid where `read[i]`. Number read or
 * negative errno. */
ssize_t tt_host_peek(pid_t pid, const uint64_t *addresses, uint8_t *bytes, bool *read, size_t count);

/* ---- leases: a thread that is never blocked by anything else ---- */

struct tt_leases;

/* `broken(context, tag)` runs on the lease thread when somebody opens the file for writing: it must detach,
 * quickly; the lease is released when it returns, and the writer goes on. */
int tt_leases_new(void (*broken)(void *context, uint64_t tag), void *context, struct tt_leases **leases);
void tt_leases_free(struct tt_leases **leases);
/* Takes a read lease on the open file `fd` (which must stay open as long as the lease). -EAGAIN: open for
 * writing. Any failure means: no inode-wide link. */
int tt_leases_take(struct tt_leases *leases, int fd, uint64_t tag);
void tt_leases_release(struct tt_leases *leases, int fd);

/* ---- process events ---- */

enum tt_sideband_type {
    TT_SIDEBAND_EXEC,
    TT_SIDEBAND_FORK,
    TT_SIDEBAND_EXIT,
    TT_SIDEBAND_MAP,
    TT_SIDEBAND_LOST
};

struct tt_sideband_event {
    enum tt_sideband_type type;
    pid_t pid;                           /* process; FORK: the child */
    pid_t parent;                        /* FORK */
    uint64_t start, size, inode, device; /* MAP, executable */
    const char *path;                    /* MAP; valid during the call */
    uint64_t lost;                       /* LOST: number of events */
};

struct tt_sideband;

int tt_sideband_new(struct tt_sideband **sideband);
void tt_sideband_free(struct tt_sideband **sideband);
/* Descriptor to poll for POLLIN (an epoll instance over all CPUs). */
int tt_sideband_fd(const struct tt_sideband *sideband);
/* Calls `event` for all that is there. Processes only, not threads. */
void tt_sideband_read(struct tt_sideband *sideband,
                      void (*event)(void *context, const struct tt_sideband_event *event), void *context);
