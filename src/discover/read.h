/* SPDX-License-Identifier: GPL-2.0-only */
/* read.h: makes a struct tt_process from /proc/PID; for the process table, `list` and `doctor`. */
#pragma once

#include "discover/files.h"
#include "discover/process.h"

#define TT_READ_USERS 64

/* What is shared by many reads. */
struct tt_reader {
    const char *proc_root;
    struct tt_file_cache *files;
    struct {
        uid_t uid;
        char *name;
    } users[TT_READ_USERS]; /* names of users: looking one up may ask the network */
    size_t user_count;
};

int tt_reader_init(struct tt_reader *reader, const char *proc_root, tt_file_probe probe);
void tt_reader_free(struct tt_reader *reader);

/* ns of one of the clock ticks in which /proc tells the start of a process. */
uint64_t tt_tick_ns(void);

/* The quickly read part, by which a change is noticed. */
struct tt_glance {
    struct tt_proc_stat stat;
    struct tt_maps maps;
    char **argv;
    char *exe;            /* may be NULL */
    uint64_t fingerprint; /* of everything above but the state */
};

/* 0, -ESRCH (gone or a zombie) or another negative errno. */
int tt_glance_read(int dir, struct tt_glance *glance);
void tt_glance_free(struct tt_glance *glance);

/*
 * A fresh process with one reference, not yet selected. Consumes argv and exe of the glance. `probe` false:
 * the files are not looked at and it stays "not Tango".
 */
int tt_process_read(struct tt_reader *reader, int dir, pid_t pid, struct tt_glance *glance, bool probe,
                    struct tt_process **process);

/* The same of what the kernel has told: no files, no server. `reader` gives known names of users, NULL: none.
 * 0 or -ENOMEM. */
int tt_process_from_glimpse(const struct tt_reader *reader, const struct tt_glimpse *glimpse,
                            struct tt_process **process);

/* Does it listen now? For a process with `serves_as`. */
bool tt_process_serves(int dir);
