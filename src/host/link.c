/* SPDX-License-Identifier: GPL-2.0-only */
/* link.c: the agent's side of keeper.c: asks for links, and ends them by ending their connections. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "host/internal.h"
#include "probe.skel.h"

struct tt_link {
    int connection;
};

/* ---- all of it, or nothing ---- */

bool tt_link_send(int connection, const void *data, size_t size)
{
    const char *next = data;

    while (size) {
        ssize_t n = send(connection, next, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        next += n;
        size -= (size_t)n;
    }
    return true;
}

bool tt_link_receive(int connection, void *data, size_t size)
{
    char *next = data;

    while (size) {
        ssize_t n = recv(connection, next, size, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        next += n;
        size -= (size_t)n;
    }
    return true;
}

/* ---- the keeper ---- */

int tt_keeper_new(struct tt_host *host)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    host->keeper_pid = fork();
    if (host->keeper_pid == 0)
        tt_keeper_run(pair[1]);
    close(pair[1]);
    host->keeper = pair[0];
    return host->keeper_pid < 0 ? -errno : 0;
}

void tt_keeper_free(struct tt_host *host)
{
    tt_cleanup_close(&host->keeper);
    if (host->keeper_pid > 0)
        waitpid(host->keeper_pid, NULL, 0); /* the caller may have reaped it */
}

int tt_host_keeper(const struct tt_host *host)
{
    return host->keeper;
}

/* ---- links ---- */

static int send_request(const struct tt_host *host, const struct tt_link_request *request,
                        const int fds[TT_LINK_FDS])
{
    union {
        char space[CMSG_SPACE(TT_LINK_FDS * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec data = {.iov_base = (void *)request, .iov_len = sizeof(*request)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof(control.space)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(TT_LINK_FDS * sizeof(int));
    memcpy(CMSG_DATA(rights), fds, TT_LINK_FDS * sizeof(int));
    return sendmsg(host->keeper, &message, MSG_NOSIGNAL) == sizeof(*request) ? 0 : -errno;
}

int tt_host_link(struct tt_host *host, int fd, const uint64_t *offsets, const uint64_t *cookies, size_t count,
                 pid_t pid, struct tt_link **link)
{
    bool single = !host->multi || (pid && host->single);
    int program = single && host->single ? host->single_fd : bpf_program__fd(host->bpf->progs.tt_probe);
    struct tt_link_request request = {.count = (uint32_t)count, .pid = pid, .single = single};
    _cleanup_free_ struct tt_link *made = malloc(sizeof(*made));
    int pair[2], error;
    int32_t answer;

    if (!made)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -errno;
    error = send_request(
        host, &request,
        (const int[TT_LINK_FDS]){
            [TT_LINK_PROGRAM] = program, [TT_LINK_FILE] = fd, [TT_LINK_CONNECTION] = pair[1]});
    close(pair[1]);
    if (!error)
        error = tt_link_send(pair[0], offsets, count * sizeof(*offsets)) &&
                        tt_link_send(pair[0], cookies, count * sizeof(*cookies)) &&
                        tt_link_receive(pair[0], &answer, sizeof(answer))
                    ? answer
                    : -EPIPE;
    if (error) {
        close(pair[0]);
        return error;
    }
    made->connection = pair[0];
    *link = TAKE_PTR(made);
    return 0;
}

void tt_host_unlink(struct tt_link **links, size_t count)
{
    char byte;

    for (size_t i = 0; i < count; i++)
        if (links[i])
            shutdown(links[i]->connection, SHUT_WR);
    for (size_t i = 0; i < count; i++) {
        if (!links[i])
            continue;
        while (recv(links[i]->connection, &byte, 1, 0) < 0 && errno == EINTR)
            ;
        close(links[i]->connection);
        free(links[i]);
        links[i] = NULL;
    }
}
