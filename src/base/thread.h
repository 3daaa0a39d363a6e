/* SPDX-License-Identifier: GPL-2.0-only */
/* thread.h: threads beside the main one. */
#pragma once

#include <pthread.h>
#include <signal.h>

/* Starts a thread that takes no signals: these are the main thread's, and what would be SIGPIPE is EPIPE
 * here. 0, or a negative errno. */
static inline int tt_thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}
