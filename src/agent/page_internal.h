/* SPDX-License-Identifier: GPL-2.0-only */
/* page_internal.h (private to the page): its state, and who may touch it. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tt_exporter;
struct tt_page_setup;

struct tt_page {
    struct tt_exporter *exporter; /* NULL: there was no setup yet */
    bool wait;

    /* The wire. One frame after the other: `lock`. */
    pthread_mutex_t lock;
    atomic_int fd;            /* the number stays, whatever process is behind it; -1: there was none yet */
    atomic_bool gone;         /* nothing is behind it, or nothing that takes anything */
    atomic_bool stuck;        /* .. it is there and does not read */
    _Atomic uint64_t watched; /* CLOCK_MONOTONIC ns */

    /* Of the thread that tends it. */
    uint64_t usage_time; /* unix ns */
    bool begun;          /* what comes now is not the first that is done */
    bool late;           /* what was counted before the process began is still to be told */
    int pidfd;
    uint64_t started;  /* CLOCK_MONOTONIC ns */
    unsigned failures; /* in a row */
    unsigned starts;

    /* Under `state`. `setup` is changed by the thread that tends it, and only if `changed`. */
    pthread_mutex_t state;
    struct tt_page_setup *setup; /* NULL: nothing is served */
    struct tt_page_setup *fresh;
    bool changed; /* `fresh` is what is wanted */
    pid_t pid;    /* 0: none */
    uint64_t due; /* CLOCK_MONOTONIC ns: then it is started again */
    uint64_t ends;
    char why[64]; /* the last of these */
};

/* page_process.c: ends the process, if there is one, with what it was told before. */
void tt_page_stop_process(struct tt_page *page);
