/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc.h: bounded reads of what /proc tells of one process. What a process says of itself (command line,
 * environment, names of mapped files) is untrusted: any length, any bytes.
 *
 * All take a descriptor of /proc/PID. It stays bound to that one process: once the process is gone every read
 * fails, even when the pid is used again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TT_PROC_ARGS_MAX     128        /* arguments kept of a command line */
#define TT_PROC_CMDLINE_MAX  16384      /* bytes kept of it */
#define TT_PROC_ENVIRON_MAX  (1 << 20)  /* bytes of an environment looked at */
#define TT_PROC_MAPPINGS_MAX 4096       /* executable mappings of files kept of one process */
#define TT_PROC_LINES_MAX    (1u << 18) /* lines of maps looked at */
#define TT_PROC_SOCKETS_MAX  65536      /* sockets of one process looked at */

struct tt_proc_stat {
    char state;
    pid_t parent;
    uint64_t start_ticks; /* clock ticks since boot */
};

/* /proc/PID below `proc_root`; the descriptor, or negative errno (-ESRCH: no such process). */
int tt_proc_open(const char *proc_root, pid_t pid);

int tt_proc_stat(int dir, struct tt_proc_stat *stat);
int tt_proc_parse_stat(const char *text, struct tt_proc_stat *stat);

/* The command line as a NULL-ended array in one allocation (plain free); empty for kernel threads. */
int tt_proc_argv(int dir, char ***argv);

/* The same of bytes at hand, of which `size` count and one more is NUL. */
int tt_proc_split(const char *text, size_t size, char ***argv);

/* The value of one variable of the environment the process was started with; -ENOENT. Nothing else of the
 * environment is kept, and the copy that was read is wiped. */
int tt_proc_environ(int dir, const char *name, char **value);

int tt_proc_uid(int dir, uid_t *uid);              /* real user */
int tt_proc_pid_in_namespace(int dir, pid_t *pid); /* last of NSpid: its pid in its own namespace */
int tt_proc_cgroup(int dir, char **path);          /* unified hierarchy, else systemd's; -ENOENT */
int tt_proc_exe(int dir, char **path);             /* without " (deleted)" */
int tt_proc_namespace(int dir, const char *name, uint64_t *inode); /* "net", "pid", "user", .. */

/* Does it hold a listening TCP or unix socket? -EACCES without the right to look. */
int tt_proc_listens(int dir, bool *listens);

/* ---- maps ---- */

struct tt_mapping {
    uint64_t start, end, offset;
    uint64_t device, inode; /* device as makedev(3) */
    bool executable;
    char *path; /* see the functions */
};

/* One line of maps; path points into `line` ("" without one), a newline at the end is cut off. -EINVAL: not
 * such a line. */
int tt_maps_parse(char *line, struct tt_mapping *mapping);

/* The first executable mapping of each mapped file, in order of address; paths are owned. */
struct tt_maps {
    struct tt_mapping *items;
    size_t count;
    bool cut; /* there were more than TT_PROC_MAPPINGS_MAX or TT_PROC_LINES_MAX */
};

int tt_maps_read(int dir, struct tt_maps *maps);
void tt_maps_free(struct tt_maps *maps);
