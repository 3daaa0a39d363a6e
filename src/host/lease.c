/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lease.c: read leases on probed files (fcntl(2), F_SETLEASE). Opening such a file for writing makes the
 * kernel send a signal to this thread and holds the writer up until the lease is released (at most
 * lease-break-time, 45 s): the probes leave before the bytes change.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <poll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "host/host.h"

/* A queued real-time signal: it carries the descriptor, and several do not merge. */
#define LEASE_SIGNAL (SIGRTMIN + 4)

struct lease {
    int fd;
    uint64_t tag;
};

struct tt_leases {
    pthread_t thread;
    pthread_mutex_t lock; /* of the table; never held while `broken` runs */
    struct lease *table;
    size_t count, capacity;
    pid_t tid;
    int signals, stop;
    void (*broken)(void *context, uint64_t tag);
    void *context;
};

static bool take_out(struct tt_leases *leases, int fd, uint64_t *tag)
{
    bool found = false;

    pthread_mutex_lock(&leases->lock);
    for (size_t i = 0; i < leases->count && !found; i++) {
        if (leases->table[i].fd != fd)
            continue;
        *tag = leases->table[i].tag;
        leases->table[i] = leases->table[--leases->count];
        found = true;
    }
    pthread_mutex_unlock(&leases->lock);
    return found;
}

static void *lease_thread(void *argument)
{
    struct tt_leases *leases = argument;
    struct pollfd fds[2] = {{.fd = leases->signals, .events = POLLIN},
                            {.fd = leases->stop, .events = POLLIN}};
    struct signalfd_siginfo info;

    __atomic_store_n(&leases->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    for (;;) {
        uint64_t tag;

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[1].revents)
            return NULL;
        if (!fds[0].revents || read(leases->signals, &info, sizeof(info)) != sizeof(info))
            continue;
        if (!take_out(leases, info.ssi_fd, &tag))
            continue;
        leases->broken(leases->context, tag);
        fcntl(info.ssi_fd, F_SETLEASE, F_UNLCK);
    }
}

int tt_leases_new(void (*broken)(void *context, uint64_t tag), void *context, struct tt_leases **leases)
{
    struct tt_leases *made = calloc(1, sizeof(*made));
    sigset_t set;
    int error;

    if (!made)
        return -ENOMEM;
    made->broken = broken;
    made->context = context;
    pthread_mutex_init(&made->lock, NULL);
    sigemptyset(&set);
    sigaddset(&set, LEASE_SIGNAL);
    /* Blocked in the caller and so in every thread it starts later: only the signalfd takes it. */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    made->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    made->stop = eventfd(0, EFD_CLOEXEC);
    error = made->signals < 0 || made->stop < 0 ? errno
                                                : pthread_create(&made->thread, NULL, lease_thread, made);
    if (error) {
        tt_cleanup_close(&made->signals);
        tt_cleanup_close(&made->stop);
        free(made);
        return -error;
    }
    while (!__atomic_load_n(&made->tid, __ATOMIC_ACQUIRE))
        usleep(100);
    *leases = made;
    return 0;
}

void tt_leases_free(struct tt_leases **leases)
{
    struct tt_leases *l = *leases;
    uint64_t one = 1;

    if (!l)
        return;
    if (write(l->stop, &one, sizeof(one)) == sizeof(one))
        pthread_join(l->thread, NULL);
    close(l->signals);
    close(l->stop);
    free(l->table);
    free(l);
    *leases = NULL;
}

int tt_leases_take(struct tt_leases *leases, int fd, uint64_t tag)
{
    struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = leases->tid};
    int error = 0;

    pthread_mutex_lock(&leases->lock);
    if (leases->count == leases->capacity) {
        size_t capacity = leases->capacity ? 2 * leases->capacity : 16;
        struct lease *table = realloc(leases->table, capacity * sizeof(*table));

        if (!table)
            error = -ENOMEM;
        else {
            leases->table = table;
            leases->capacity = capacity;
        }
    }
    if (!error)
        leases->table[leases->count++] = (struct lease){.fd = fd, .tag = tag};
    pthread_mutex_unlock(&leases->lock);
    if (error)
        return error;
    /* In the table first: a break may come at once. The owner first too: F_SETLEASE leaves one that is set
     * (fs/locks.c, lease_setup). */
    if (fcntl(fd, F_SETSIG, LEASE_SIGNAL) || fcntl(fd, F_SETOWN_EX, &owner) ||
        fcntl(fd, F_SETLEASE, F_RDLCK)) {
        error = -errno;
        take_out(leases, fd, &tag);
    }
    return error;
}

void tt_leases_release(struct tt_leases *leases, int fd)
{
    uint64_t tag;

    if (take_out(leases, fd, &tag))
        fcntl(fd, F_SETLEASE, F_UNLCK);
}
