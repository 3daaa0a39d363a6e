/* SPDX-License-Identifier: GPL-2.0-only */
/* page_process.c: the process that serves the page: begins, is seen to have ended, begins again. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/page.h"
#include "agent/page_internal.h"
#include "agent/page_setup.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "view/view.h"

#define SEND_S       5    /* a page that takes nothing for so long is given up */
#define END_MS       2000 /* for it to end by itself */
#define AGAIN_S      1    /* after its first end; twice as long after each further one .. */
#define AGAIN_MOST_S 60
#define GOOD_NS      60000000000u /* .. unless it lived so long */

/* ---- begin ---- */

/* In the child, between fork and exec: nothing that another thread may hold a lock of. */
static void become_page(int fd, int listener)
{
    static char self[] = "/proc/self/exe", name[] = "tangotrace", command[] = "page-server";
    char *argv[] = {name, command, NULL}, *environment[] = {NULL};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Both at places that are known; first away from there. */
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    listener = fcntl(listener, F_DUPFD_CLOEXEC, 10);
    if (fd < 0 || listener < 0 || dup2(fd, TT_VIEW_FD) < 0 || dup2(listener, TT_VIEW_LISTENER) < 0)
        _exit(126);
    close_range(TT_VIEW_LISTENER + 1, UINT_MAX, 0);
    execve(self, argv, environment);
    _exit(127);
}

/* Frames go to `fd` from here on. */
static int put_wire(struct tt_page *page, int fd)
{
    int error = 0;

    pthread_mutex_lock(&page->lock);
    if (page->fd < 0)
        page->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    else if (dup3(fd, page->fd, O_CLOEXEC) < 0) /* whoever reads from it meanwhile reads from one of both */
        error = -errno;
    error = page->fd < 0 ? -errno : error;
    page->gone = error != 0;
    page->stuck = false;
    pthread_mutex_unlock(&page->lock);
    return error;
}

static int start(struct tt_page *page)
{
    const struct timeval patience = {.tv_sec = SEND_S};
    _cleanup_close_ int ours = -1, theirs = -1;
    int pair[2], error;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -errno;
    ours = pair[0];
    theirs = pair[1];
    setsockopt(ours, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    pid = fork();
    if (!pid)
        become_page(theirs, page->setup->listener);
    if (pid < 0)
        return -errno;
    page->pidfd = pidfd_open(pid, 0);
    if (page->pidfd < 0) {
        error = -errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return error;
    }
    page->started = tt_now_ns();
    page->starts++;
    pthread_mutex_lock(&page->state);
    page->pid = pid;
    pthread_mutex_unlock(&page->state);
    error = tt_page_setup_send(page->setup, ours); /* first, before others may send */
    return error ? error : put_wire(page, ours);
}

/* ---- end ---- */

/* Waits for it, killed if it does not end in time. How it ended, in words. */
static void collect(struct tt_page *page, int timeout_ms, char *why, size_t size)
{
    struct pollfd ended = {.fd = page->pidfd, .events = POLLIN};
    siginfo_t info = {0};

    if (poll(&ended, 1, timeout_ms) == 0 && pidfd_send_signal(page->pidfd, SIGKILL, NULL, 0))
        tt_debug("page: %s", strerror(errno));
    /* As the first process of a container everybody's children are reaped: then it is not known. */
    if (waitid(P_PIDFD, (id_t)page->pidfd, &info, WEXITED))
        snprintf(why, size, "how is not known");
    else if (info.si_code == CLD_EXITED)
        snprintf(why, size, "exit code %d", info.si_status);
    else
        snprintf(why, size, "killed by SIG%s",
                 sigabbrev_np(info.si_status) ? sigabbrev_np(info.si_status) : "?");
    tt_cleanup_close(&page->pidfd);
    page->pidfd = -1;
    pthread_mutex_lock(&page->state);
    page->pid = 0;
    pthread_mutex_unlock(&page->state);
}

void tt_page_stop_process(struct tt_page *page)
{
    char why[64];

    page->gone = true;
    if (page->fd >= 0)
        shutdown(page->fd, SHUT_WR); /* it reads what is there, and ends */
    if (page->pid)
        collect(page, END_MS, why, sizeof(why));
}

/* Another one comes, the later the more often that was to be done. */
static void fail(struct tt_page *page, const char *why)
{
    unsigned seconds = AGAIN_S;

    if (page->started && tt_now_ns() - page->started > GOOD_NS)
        page->failures = 0;
    for (unsigned i = 0; i < page->failures && seconds < AGAIN_MOST_S; i++)
        seconds *= 2;
    seconds = seconds < AGAIN_MOST_S ? seconds : AGAIN_MOST_S;
    page->failures++;
    pthread_mutex_lock(&page->state);
    page->ends++;
    page->due = tt_now_ns() + seconds * TT_NS_PER_S;
    snprintf(page->why, sizeof(page->why), "%s", why);
    pthread_mutex_unlock(&page->state);
    tt_warn("the page ended (%s); it starts again in %u s, and tracing goes on", why, seconds);
}

/* It has ended, or takes nothing. */
static void bury(struct tt_page *page)
{
    char why[64], how[64];
    bool stuck = page->stuck;

    page->gone = true;
    if (page->pid)
        collect(page, stuck ? 0 : END_MS, how, sizeof(how));
    snprintf(why, sizeof(why), "%s", stuck ? "it took nothing for 5 s" : how);
    fail(page, why);
}

/* ---- tend ---- */

static void take_change(struct tt_page *page)
{
    struct tt_page_setup *old;
    bool changed;

    pthread_mutex_lock(&page->state);
    changed = page->changed;
    pthread_mutex_unlock(&page->state);
    if (!changed)
        return;
    tt_page_stop_process(page);
    page->failures = 0;
    pthread_mutex_lock(&page->state);
    old = TAKE_PTR(page->setup);
    page->setup = TAKE_PTR(page->fresh);
    page->changed = false;
    page->due = 0;
    pthread_mutex_unlock(&page->state);
    tt_page_setup_free(&old);
    if (page->begun && page->setup)
        tt_say("page at %s", page->setup->url);
    else if (page->begun)
        tt_say("the page is served no more");
}

static void begin(struct tt_page *page)
{
    char why[64], how[64];
    int error = start(page);

    page->late = page->begun;
    if (!error)
        return;
    if (page->pid)
        collect(page, 0, how, sizeof(how));
    snprintf(why, sizeof(why), "it does not start: %.40s", strerror(-error));
    fail(page, why);
}

unsigned tt_page_starts(const struct tt_page *page)
{
    return page->starts;
}

uint64_t tt_page_tend(struct tt_page *page)
{
    take_change(page);
    if (page->pid && tt_page_is_gone(page))
        bury(page);
    if (page->setup && !page->pid && page->due <= tt_now_ns())
        begin(page);
    page->begun = true;
    return page->setup ? page->pid ? 0 : page->due : UINT64_MAX;
}
