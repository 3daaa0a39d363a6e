/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * process.h: which processes there are, which of them are Tango, which are selected and by which rule.
 * A process is identified by pid and start time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "catalogue/catalogue.h"

/* A file that the process maps executable and that holds one of the probed libraries. */
struct tt_mapped_file {
    uint64_t start, end;    /* of one executable mapping: /proc/PID/map_files/START-END */
    uint64_t offset;        /* file offset of that mapping */
    uint64_t device, inode; /* as /proc/PID/maps shows them */
    char *path;             /* as /proc/PID/maps shows it; owned */
    bool library[TT_HOLDS];
    char *version; /* of the library, by its file's name ("9.3.4"), or NULL; owned */
    uint8_t build_id[32];
    size_t build_id_size; /* 0: none */
};

struct tt_process {
    int refs; /* atomic; see tt_process_get/put */
    pid_t pid;
    uint64_t start_ticks; /* field 22 of /proc/PID/stat, clock ticks since boot */
    uint64_t start_unix_ns;
    pid_t parent;
    uid_t uid;
    char *user;       /* name, or the number */
    char *exe;        /* /proc/PID/exe, may be NULL */
    char **argv;      /* NULL-ended, bounded */
    char *script;     /* for python, java ..: what runs (tt_name_*), basename; for C++ the program */
    char *server;     /* "TangoTest/test" if it serves devices, else NULL */
    char *serves_as;  /* what it is called once it serves, by its command line ("TangoTest/test"), or NULL. A
                         SERVER  span of it is proof that it does, also before `server` is set */
    char *name;       /* for people: server, or script or program */
    char *runtime;    /* "python", "java" or NULL (C++) */
    char *python;     /* version of the Python in it, as sys.version_info has it ("3.11.2"), or NULL */
    char *python_all; /* the same as sys.version: with build and compiler, or NULL */
    char *tango_host; /* of its environment (TANGO_HOST), or NULL */
    char *cgroup;     /* path in the unified hierarchy, or NULL */
    uint64_t netns;   /* inode of its network namespace */
    bool tango;       /* maps a file that exports cppTango */
    bool corba;       /* maps libomniORB but no cppTango: none of our business, but libomniORB is probed */
    bool native;      /* native telemetry is built in, and switched on in its environment */
    bool switches_stacks; /* atomic; maps a greenlet whose switching cannot be seen: any thread may have many
                             stacks */
    bool selected;
    enum tt_detail detail; /* atomic; how much of it is traced */
    char *
        rule; /* which rule decided, for people: "include server:TangoTest", "default: every Tango process" */
    struct tt_mapped_file *files;
    size_t file_count;
    unsigned unreadable; /* executable mappings whose file could not be looked at */
    uint64_t looked;     /* when it was seen to be so: CLOCK_MONOTONIC ns, before /proc was read */
    bool exited;         /* atomic */
    bool glimpsed;       /* known by the kernel's word only (tt_process_table_glimpse), not by /proc */
};

/* Once the table hands a process out, nothing of it changes but `refs`, `exited`, `switches_stacks` and
 * `detail`. Takes a reference (returns its argument); drops one and frees with the last, *process becomes
 * NULL. */
struct tt_process *tt_process_get(struct tt_process *process);
void tt_process_put(struct tt_process **process);

/* ---- selection ---- */

/* Ordered includes and excludes, first match wins (design section 3). */
struct tt_selection;

/* Adds a rule from its text: [KIND:]GLOB, KIND one of server exe script cmd user cgroup netns pid; bare
 * patterns match server, executable and script names. 0, -EINVAL with *error (caller frees) or -ENOMEM. */
int tt_selection_add(struct tt_selection *selection, bool include, const char *text, char **error);
struct tt_selection *tt_selection_new(void);
void tt_selection_free(struct tt_selection **selection);

/* The rules in their order: how many, and the text of one ("server:TangoTest"; the selection's) and its
 * sense. */
size_t tt_selection_count(const struct tt_selection *selection);
const char *tt_selection_rule(const struct tt_selection *selection, size_t index, bool *include);

/* Processes with native telemetry are left alone, whatever the rules say. */
void tt_selection_skip_native(struct tt_selection *selection, bool skip);

/* LEVEL, or LEVEL:PATTERN with a pattern as above: how much of the processes that match is traced. The first
 * pattern that matches decides; LEVEL alone is for those that none matches. `first`: the pattern is put
 * before the others, in place of the same one. 0, -EINVAL or -E2BIG with *error (caller frees), or -ENOMEM.
 */
int tt_selection_add_detail(struct tt_selection *selection, bool first, const char *text, char **error);
/* The level of a process. */
enum tt_detail tt_selection_detail(const struct tt_selection *selection, const struct tt_process *process);
/* The patterns in their order as LEVEL:PATTERN, then LEVEL for the rest; NULL behind it. Caller frees; NULL
 * when out of memory or behind the last. */
char *tt_selection_detail_rule(const struct tt_selection *selection, size_t index);

/* Decides for one process: sets process->selected, process->rule and process->detail. 0, -ENOMEM, or -EAGAIN:
 * of one that was only glimpsed too little is known for these rules. */
int tt_selection_apply(const struct tt_selection *selection, struct tt_process *process);

/* ---- the table ---- */

struct tt_process_table;
struct tt_probes;

/* Thread-safe. `proc_root` is "/proc" (tests pass a fake tree). Takes no ownership of `selection`, which must
 * outlive it; nor of the user's probes, which may be NULL.
 */
struct tt_process_table *tt_process_table_new(const char *proc_root, const struct tt_selection *selection,
                                              const struct tt_probes *probes);
void tt_process_table_free(struct tt_process_table **table);

/* Other rules from now on: the next scan decides for every process anew. On the thread that glimpses. */
void tt_process_table_select(struct tt_process_table *table, const struct tt_selection *selection);

/* Reads /proc/PID anew: adds it, or replaces what is known (a fresh object when exec or maps changed it).
 * Returns a reference in *process (NULL if it is gone or not readable) and *changed = it is new or differs in
 * identity, exe, mapped Tango/omniORB/C++ files, name (a client that has become a server) or selection. A
 * process that is not Tango has only pid, parent, start, uid, exe, argv and names. 0 or negative errno
 * (-ESRCH: gone, -EACCES..). */
int tt_process_table_update(struct tt_process_table *table, pid_t pid, struct tt_process **process,
                            bool *changed);

/* What the probe program tells of a process that the table may not know yet. */
struct tt_glimpse {
    pid_t pid, parent;
    uid_t uid;
    uint64_t start;           /* ns since boot, with the time spent suspended */
    uint64_t executed;        /* when it became this program, CLOCK_MONOTONIC ns; 0: it began as it, for all
                                 that is known */
    const char *exe;          /* its file's name without folder, or NULL */
    const char *command_line; /* words, each ended by NUL */
    size_t size;              /* of it, without a NUL at the end that is not there */
};

/* Adds a Tango process that is not known yet by what was glimpsed of it: it may end before anybody has read
 * its /proc. Whoever does replaces it. Never waits for a reader of /proc. *executed: it was known as another
 * program, and has become this one by exec since. 0, also when it is known; -ENOMEM; -EAGAIN: it is unknown
 * (as what it has become), since the rules ask for what only /proc tells. */
int tt_process_table_glimpse(struct tt_process_table *table, const struct tt_glimpse *glimpse,
                             bool *executed);

/* Marks as exited; it stays findable for `tt_process_table_find` for 60 s. */
void tt_process_table_exit(struct tt_process_table *table, pid_t pid);

/* Scans /proc once: update of each process; calls `seen` for each that is Tango. Returns the number of
 * processes. */
int tt_process_table_scan(struct tt_process_table *table,
                          void (*seen)(void *context, struct tt_process *process, bool changed),
                          void *context);

/* Looks again at the Tango processes that may have become servers since (they map libtango before they
 * listen), the young ones more often; `seen` gets those that changed. Cheap: call it about once a second. */
void tt_process_table_recheck(struct tt_process_table *table,
                              void (*seen)(void *context, struct tt_process *process, bool changed),
                              void *context);

/* The process of that pid that ran at CLOCK_MONOTONIC `time_ns` (0 = now); a reference or NULL. */
struct tt_process *tt_process_table_find(struct tt_process_table *table, pid_t pid, uint64_t time_ns);

/* Calls `visit` for every Tango process that has not exited, in order of pid. */
void tt_process_table_each(struct tt_process_table *table,
                           void (*visit)(void *context, struct tt_process *process), void *context);
