/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * keeper.c: the process that makes and holds the links, a child of the agent ("tt-keeper" in ps).
 *
 * Why: the kernel cannot take a breakpoint out for a task that has SIGKILL pending (get_user_pages gives up,
 * mm/gup.c; the kernel log then says "failed to unregister, leaking uprobe", kernel/events/uprobes.c). An
 * agent that is killed in the middle of making or closing a link would leave its breakpoints behind. So those
 * system calls are made by a process that such a SIGKILL is not for: when the agent ends, however it does,
 * its sockets reach their end, the keeper closes the links in good order and ends.
 *
 * A request on `control` brings the program, the file and a connection (SCM_RIGHTS); offsets and cookies
 * follow on the connection, the answer goes back on it, and then the connection is the link: its end ends the
 * link, and the keeper closes its own end when that is done. The keeper keeps the file open as long: a read
 * lease belongs to the open file, so no writer comes in before the links are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host/internal.h"

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

/* A link: one descriptor, or one for each point. Only connection_ended() ends it. */
struct kept {
    struct tt_link_request request;
    int fds[TT_LINK_FDS]; /* as received; the program is closed once the link is made */
    int *links;
    size_t count; /* of links */
    int32_t error;
    /* Under lock: */
    size_t closed;
    bool answered;
    bool unwanted; /* the connection's end was seen */
};

/* ---- jobs: all that can block, on up to WORKERS threads that end when there is nothing to do ---- */

struct job {
    struct job *next;
    void (*run)(struct kept *kept, size_t index);
    struct kept *kept;
    size_t index;
};

#define WORKERS 256 /* each close waits for RCU, about 40 ms: so all at once */

static struct {
    pthread_mutex_t lock;
    struct job *first, **last;
    size_t workers;
    size_t kept;
    bool ending; /* the agent is gone */
    int epoll;
} keeper = {.lock = PTHREAD_MUTEX_INITIALIZER, .last = &keeper.first};

static void *work(void *unused)
{
    (void)unused;
    for (;;) {
        struct job *job;

        pthread_mutex_lock(&keeper.lock);
        job = keeper.first;
        if (job) {
            keeper.first = job->next;
            if (!keeper.first)
                keeper.last = &keeper.first;
        } else {
            keeper.workers--;
        }
        pthread_mutex_unlock(&keeper.lock);
        if (!job)
            return NULL;
        job->run(job->kept, job->index);
        free(job);
    }
}

static void submit(void (*run)(struct kept *kept, size_t index), struct kept *kept, size_t index)
{
    struct job *job = malloc(sizeof(*job));
    pthread_attr_t attr;
    pthread_t thread;
    bool start;

    if (!job) { /* late is better than never */
        run(kept, index);
        return;
    }
    *job = (struct job){.run = run, .kept = kept, .index = index};
    pthread_mutex_lock(&keeper.lock);
    *keeper.last = job;
    keeper.last = &job->next;
    start = keeper.workers < WORKERS;
    keeper.workers += start;
    pthread_mutex_unlock(&keeper.lock);
    if (!start)
        return;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 * 1024);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, work, NULL))
        work(NULL);
    pthread_attr_destroy(&attr);
}

/* ---- the end of a link ---- */

static void forget(struct kept *kept)
{
    /* The link went before the file, whose lease lets a writer in; the connection tells the agent. */
    for (int i = 0; i < TT_LINK_FDS; i++)
        tt_cleanup_close(&kept->fds[i]);
    free(kept->links);
    free(kept);
    pthread_mutex_lock(&keeper.lock);
    if (!--keeper.kept && keeper.ending)
        _exit(0);
    pthread_mutex_unlock(&keeper.lock);
}

static void end(struct kept *kept);

/* The agent hears how it went; from then on the connection's end is the link's. */
static void answer(struct kept *kept)
{
    bool unwanted;

    pthread_mutex_lock(&keeper.lock);
    kept->answered = true;
    unwanted = kept->unwanted;
    if (!unwanted) /* in vain only if the agent is gone, which connection_ended() sees */
        tt_link_send(kept->fds[TT_LINK_CONNECTION], &kept->error, sizeof(kept->error));
    pthread_mutex_unlock(&keeper.lock);
    if (unwanted)
        end(kept);
}

static void close_one(struct kept *kept, size_t index)
{
    bool last, answered;

    close(kept->links[index]);
    pthread_mutex_lock(&keeper.lock);
    last = ++kept->closed == kept->count;
    answered = kept->answered;
    pthread_mutex_unlock(&keeper.lock);
    if (!last)
        return;
    kept->count = 0;
    if (answered)
        forget(kept);
    else
        answer(kept);
}

static void close_all(struct kept *kept)
{
    size_t count = kept->count; /* `kept` may be gone with the last one */

    for (size_t i = 0; i < count; i++)
        submit(close_one, kept, i);
}

static void end(struct kept *kept)
{
    if (kept->count)
        close_all(kept);
    else
        forget(kept);
}

/* ---- making a link ---- */

/*
 * When this process is killed, the kernel ends its files by falling descriptor (delayed fput works through a
 * stack): the link must go before the lease on the file.
 */
static int above(int file, int link)
{
    int moved = link > file ? link : fcntl(link, F_DUPFD_CLOEXEC, file + 1);

    if (moved < 0 || moved == link)
        return link;
    close(link);
    return moved;
}

static int link_multi(struct kept *kept, const char *path, const uint64_t *offsets, const uint64_t *cookies)
{
    struct link_create_uprobe_multi attr = {
        .prog_fd = (uint32_t)kept->fds[TT_LINK_PROGRAM],
        .attach_type = ATTACH_UPROBE_MULTI,
        .multi = {.path = (uintptr_t)path,
                  .offsets = (uintptr_t)offsets,
                  .cookies = (uintptr_t)cookies,
                  .count = kept->request.count,
                  .pid = (uint32_t)kept->request.pid},
    };
    int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

    if (fd < 0)
        return -errno;
    kept->links[kept->count++] = above(kept->fds[TT_LINK_FILE], fd);
    return 0;
}

static int uprobe_perf_type(void)
{
    _cleanup_fclose_ FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
    int type;

    return file && fscanf(file, "%d", &type) == 1 ? type : -ENOSYS;
}

/* One perf event and one BPF link on it. */
static int link_one(struct kept *kept, int type, const char *path, uint64_t offset, uint64_t cookie)
{
    struct perf_event_attr attr = {
        .type = (uint32_t)type,
        .size = sizeof(attr),
        .config1 = (uintptr_t)path,
        .config2 = offset,
    };
    struct link_create_perf_event create = {
        .prog_fd = (uint32_t)kept->fds[TT_LINK_PROGRAM],
        .attach_type = BPF_PERF_EVENT,
        .cookie = cookie,
    };
    pid_t pid = kept->request.pid;
    /* Every process: the CPU does not matter, the program runs on all (trace_call_bpf comes before the
     * filter). The link holds the event (bpf_perf_link_attach in kernel/bpf/syscall.c). */
    _cleanup_close_ int event = (int)syscall(SYS_perf_event_open, &attr, pid ? pid : -1, pid ? -1 : 0, -1,
                                             PERF_FLAG_FD_CLOEXEC);
    int fd;

    if (event < 0)
        return -errno;
    create.target_fd = (uint32_t)event;
    fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &create, sizeof(create));
    if (fd < 0)
        return -errno;
    kept->links[kept->count++] = above(kept->fds[TT_LINK_FILE], fd);
    return 0;
}

static int link_single(struct kept *kept, const char *path, const uint64_t *offsets, const uint64_t *cookies)
{
    int type = uprobe_perf_type(), error = type < 0 ? type : 0;

    for (size_t i = 0; i < kept->request.count && !error; i++)
        error = link_one(kept, type, path, offsets[i], cookies[i]);
    return error;
}

static int make_links(struct kept *kept)
{
    size_t count = kept->request.count;
    _cleanup_free_ uint64_t *points = calloc(count ? count : 1, 2 * sizeof(*points));
    char path[64];

    kept->links = calloc(kept->request.single && count ? count : 1, sizeof(*kept->links));
    if (!points || !kept->links)
        return -ENOMEM;
    if (!tt_link_receive(kept->fds[TT_LINK_CONNECTION], points, 2 * count * sizeof(*points)))
        return -EPIPE;
    /* By descriptor, so that it is the very inode that was checked, whatever its name means by now. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", kept->fds[TT_LINK_FILE]);
    return kept->request.single ? link_single(kept, path, points, points + count)
                                : link_multi(kept, path, points, points + count);
}

static void make(struct kept *kept, size_t unused)
{
    (void)unused;
    kept->error = make_links(kept);
    tt_cleanup_close(&kept->fds[TT_LINK_PROGRAM]);
    kept->fds[TT_LINK_PROGRAM] = -1;
    if (kept->error && kept->count)
        close_all(kept); /* nothing is left behind on failure; then the answer */
    else
        answer(kept);
}

/* ---- requests ---- */

static void drop_passed(const struct cmsghdr *rights)
{
    int fd;

    for (size_t at = 0; rights && CMSG_LEN(at + sizeof(fd)) <= rights->cmsg_len; at += sizeof(fd)) {
        memcpy(&fd, CMSG_DATA(rights) + at, sizeof(fd));
        close(fd);
    }
}

/* False: the agent is gone. */
static bool receive(int control)
{
    union {
        char space[CMSG_SPACE(TT_LINK_FDS * sizeof(int))];
        struct cmsghdr align;
    } passed;
    struct tt_link_request request;
    struct iovec data = {.iov_base = &request, .iov_len = sizeof(request)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = passed.space,
                             .msg_controllen = sizeof(passed.space)};
    struct epoll_event event = {.events = EPOLLRDHUP};
    ssize_t n = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *rights = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    struct kept *kept;

    if (n <= 0)
        return n < 0; /* an error passes, an end does not */
    /* What cannot be served is dropped: the agent finds its connection closed. */
    if (n != sizeof(request) || !rights || rights->cmsg_len != CMSG_LEN(sizeof(kept->fds))) {
        drop_passed(rights); /* no descriptors left: the kernel passed none, or not all of them */
        return true;
    }
    kept = calloc(1, sizeof(*kept));
    if (!kept)
        _exit(1);
    kept->request = request;
    memcpy(kept->fds, CMSG_DATA(rights), sizeof(kept->fds));
    event.data.ptr = kept;
    pthread_mutex_lock(&keeper.lock);
    keeper.kept++;
    pthread_mutex_unlock(&keeper.lock);
    if (epoll_ctl(keeper.epoll, EPOLL_CTL_ADD, kept->fds[TT_LINK_CONNECTION], &event))
        forget(kept);
    else
        submit(make, kept, 0);
    return true;
}

static void connection_ended(struct kept *kept)
{
    bool answered;

    epoll_ctl(keeper.epoll, EPOLL_CTL_DEL, kept->fds[TT_LINK_CONNECTION], NULL);
    pthread_mutex_lock(&keeper.lock);
    kept->unwanted = true;
    answered = kept->answered;
    pthread_mutex_unlock(&keeper.lock);
    if (answered)
        end(kept);
}

static void agent_ended(int control)
{
    epoll_ctl(keeper.epoll, EPOLL_CTL_DEL, control, NULL);
    pthread_mutex_lock(&keeper.lock);
    keeper.ending = true;
    if (!keeper.kept)
        _exit(0);
    pthread_mutex_unlock(&keeper.lock);
}

/* Only its socket is left of what the agent had: nothing stays open, or locked, longer than the agent lives.
 */
static void leave_agent(int *control)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), kept = fcntl(*control, F_DUPFD_CLOEXEC, 3);
    sigset_t all;

    if (null < 0 || kept < 0)
        _exit(1);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL); /* a stop of the service is the agent's business */
    setsid();
    prctl(PR_SET_NAME, "tt-keeper");
    for (int fd = 0; fd <= 2; fd++)
        dup2(null, fd);
    *control = dup2(kept, 3);
    close_range(4, ~0U, 0);
}

void tt_keeper_run(int control)
{
    struct epoll_event event = {.events = EPOLLIN};

    leave_agent(&control);
    keeper.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (keeper.epoll < 0 || epoll_ctl(keeper.epoll, EPOLL_CTL_ADD, control, &event))
        _exit(1);
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(keeper.epoll, events, TT_ARRAY_SIZE(events), -1);

        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                connection_ended(events[i].data.ptr);
            else if (!receive(control))
                agent_ended(control);
    }
}
