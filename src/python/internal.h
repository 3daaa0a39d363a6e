/* SPDX-License-Identifier: GPL-2.0-only */
/* internal.h: what the files of src/python share. */
#pragma once

#include <pthread.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "catalogue/python.h"
#include "python/memory.h"
#include "python/python.h"

#define TT_PYTHON_FOUND_MAX 4096          /* of one process; all are forgotten when there are more */
#define TT_PYTHON_READS     20000         /* of one look-up */
#define TT_PYTHON_RETRY_NS  1000000000ull /* what could not be read is tried again after this time */

/* What a look-up was for; compared as bytes, up to and with the NUL of the name. */
struct tt_python_key {
    uint64_t a, b, c, d;
    char name[TT_PYTHON_NAME_MAX];
};

struct tt_python_found {
    UT_hash_handle hh;
    struct tt_python_key key;
    uint64_t until; /* CLOCK_MONOTONIC ns: afterwards it is looked at again */
    bool known;     /* what the rest says was read */
    bool dull;      /* a method of PyTango's own of which nothing depends */
    bool user;      /* a method that a device class defines; a frame outside PyTango */
    char *name, *file;
    unsigned line;
};

struct tt_python_process {
    UT_hash_handle hh;
    uint32_t pid;
    uint64_t start_ticks;
    uint64_t ended; /* CLOCK_MONOTONIC ns; 0: it runs */
    unsigned minor;
    bool readable;
    struct tt_python_layout layout;
    uint64_t runtime;
    uint64_t extension, extension_end;
    char *package; /* PyTango's folder with its slash, or NULL */
    struct tt_python_found *found;
};

struct tt_pythons {
    pthread_mutex_t lock;
    struct tt_python_process *processes;
    struct tt_python_stats stats;
};

/* Under the lock. */
struct tt_python_process *tt_pythons_find(struct tt_pythons *pythons, uint32_t pid);
struct tt_python_found *tt_python_found_get(struct tt_python_process *p, const struct tt_python_key *key);
/* New, or emptied; NULL when out of memory. */
struct tt_python_found *tt_python_found_add(struct tt_python_process *p, const struct tt_python_key *key);

/* Is it a file of PyTango's own? */
bool tt_python_is_own(const struct tt_python_process *p, const char *file);
