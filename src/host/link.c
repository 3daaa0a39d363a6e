/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "host/internal.h"

/* include/uapi/linux/bpf.h of 6.6 and later; Debian 12's headers are 6.1. */
#define ATTACH_UPROBE_MULTI 48

struct link_create_uprobe_multi {
    uint32_t prog_fd, target_fd, attach_type, flags;
    struct {
        uint64_t path, offsets, ref_ctr_offsets, cookies;
        uint32_t count, flags, pid;
    } multi;
};

struct link_create_perf_event {
    uint32_t prog_fd, target_fd, attach_type, flags;
    uint64_t cookie;
};

struct tt_link {
    size_t count; /* descriptors: one link, or a link for each point */
    int fds[];
};

static struct tt_link *link_alloc(size_t count)
{
    struct tt_link *link = malloc(sizeof(*link) + count * sizeof(link->fds[0]));

    if (link)
        link->count = 0;
    return link;
}

/*
 * When this process is killed, the kernel ends its files by falling descriptor (delayed fput works through a
 * stack): the link must go before the lease on the file, whose end lets a writer in.
 */
static int above(int file, int link)
{
    int moved = link > file ? link : fcntl(link, F_DUPFD_CLOEXEC, file + 1);

    if (moved < 0 || moved == link)
        return link;
    close(link);
    return moved;
}

int tt_link_multi(int program, int fd, const uint64_t *offsets, const uint64_t *cookies, size_t count,
                  pid_t pid, struct tt_link **link)
{
    struct link_create_uprobe_multi attr = {
        .prog_fd = (uint32_t)program,
        .attach_type = ATTACH_UPROBE_MULTI,
    };
    _cleanup_free_ struct tt_link *made = link_alloc(1);
    char path[64];
    int made_fd;

    if (!made)
        return -ENOMEM;
    /* By descriptor, so that it is the very inode that was checked, whatever its name means by now. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    attr.multi.path = (uintptr_t)path;
    attr.multi.offsets = (uintptr_t)offsets;
    attr.multi.cookies = (uintptr_t)cookies;
    attr.multi.count = (uint32_t)count;
    attr.multi.pid = (uint32_t)pid;
    made_fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
    if (made_fd < 0)
        return -errno;
    made->fds[made->count++] = above(fd, made_fd);
    *link = TAKE_PTR(made);
    return 0;
}

static int uprobe_perf_type(void)
{
    _cleanup_fclose_ FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
    int type;

    return file && fscanf(file, "%d", &type) == 1 ? type : -ENOSYS;
}

/* One perf event and one BPF link on it, whose descriptor is appended. */
static int link_one(struct tt_link *link, int type, int program, const char *path, uint64_t offset,
                    uint64_t cookie, pid_t pid)
{
    struct perf_event_attr attr = {
        .type = (uint32_t)type,
        .size = sizeof(attr),
        .config1 = (uintptr_t)path,
        .config2 = offset,
    };
    struct link_create_perf_event create = {
        .prog_fd = (uint32_t)program,
        .attach_type = BPF_PERF_EVENT,
        .cookie = cookie,
    };
    int event, bpf;

    /* Every process: the CPU does not matter, the program runs on all (trace_call_bpf comes before the
     * filter). */
    event = (int)syscall(SYS_perf_event_open, &attr, pid ? pid : -1, pid ? -1 : 0, -1, PERF_FLAG_FD_CLOEXEC);
    if (event < 0)
        return -errno;
    create.target_fd = (uint32_t)event;
    bpf = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &create, sizeof(create));
    if (bpf < 0) {
        int error = -errno;

        close(event);
        return error;
    }
    /* The link holds the event (bpf_perf_link_attach in kernel/bpf/syscall.c): one descriptor per point. */
    close(event);
    link->fds[link->count++] = bpf;
    return 0;
}

int tt_link_single(int program, int fd, const uint64_t *offsets, const uint64_t *cookies, size_t count,
                   pid_t pid, struct tt_link **link)
{
    struct tt_link *made = link_alloc(count);
    int type = uprobe_perf_type(), error = 0;
    char path[64];

    if (!made)
        return -ENOMEM;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (type < 0)
        error = type;
    for (size_t i = 0; i < count && !error; i++)
        error = link_one(made, type, program, path, offsets[i], cookies[i], pid);
    for (size_t i = 0; i < made->count; i++)
        made->fds[i] = above(fd, made->fds[i]);
    if (error) {
        tt_host_unlink(&made, 1);
        return error;
    }
    *link = made;
    return 0;
}

/* ---- closing: each close waits for RCU, about 40 ms, so all at once ---- */

struct closer {
    struct tt_link **links;
    size_t count;
    atomic_size_t next; /* index over all descriptors of all links */
    size_t total;
};

static int nth_descriptor(const struct closer *closer, size_t n)
{
    for (size_t i = 0; i < closer->count; i++) {
        const struct tt_link *link = closer->links[i];

        if (!link)
            continue;
        if (n < link->count)
            return link->fds[n];
        n -= link->count;
    }
    return -1;
}

static void *close_some(void *argument)
{
    struct closer *closer = argument;

    for (;;) {
        size_t n = atomic_fetch_add(&closer->next, 1);

        if (n >= closer->total)
            return NULL;
        close(nth_descriptor(closer, n));
    }
}

#define CLOSERS 256

void tt_host_unlink(struct tt_link **links, size_t count)
{
    struct closer closer = {.links = links, .count = count};
    pthread_t threads[CLOSERS];
    size_t started = 0;
    pthread_attr_t attr;

    for (size_t i = 0; i < count; i++)
        closer.total += links[i] ? links[i]->count : 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 * 1024);
    /* This thread closes too, so one descriptor needs no thread. */
    while (started + 1 < closer.total && started < CLOSERS &&
           !pthread_create(&threads[started], &attr, close_some, &closer))
        started++;
    pthread_attr_destroy(&attr);
    close_some(&closer);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < count; i++) {
        free(links[i]);
        links[i] = NULL;
    }
}
