/* SPDX-License-Identifier: GPL-2.0-only */
/* server.c: the agent's end of the control socket. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "control/control.h"
#include "control/socket.h"

struct client {
    int fd;            /* -1: free */
    bool may_change;   /* not only ask */
    uint64_t deadline; /* CLOCK_MONOTONIC ns; moved on with each piece of the reply that is taken */
    char request[TT_CONTROL_REQUEST + 1];
    size_t got;
    struct tt_json reply; /* replying once it has data */
    size_t sent;
    void *stream; /* its answer goes on; somebody else writes it */
};

struct tt_control_server {
    struct tt_control_handlers handlers;
    char *path;
    gid_t group; /* -1: none */
    int listener, wake;
    dev_t device; /* of the socket file, to remove no other's */
    ino_t inode;
    pthread_t thread;
    bool running;
    struct client clients[TT_CONTROL_CLIENTS];
};

static void hang_up(const struct tt_control_server *server, struct client *client)
{
    if (client->stream)
        server->handlers.end_stream(server->handlers.context, client->stream);
    client->stream = NULL;
    close(client->fd);
    client->fd = -1;
    client->got = client->sent = 0;
    tt_json_free(&client->reply);
}

/* ---- who may ask ---- */

static bool in_group(int fd, gid_t group)
{
    gid_t groups[1024];
    socklen_t size = sizeof(groups);

    /* SO_PEERGROUPS: the supplementary groups; more than 1024 of them is -ERANGE, so not a member. */
    if (group == (gid_t)-1 || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
        return false;
    for (size_t i = 0; i < size / sizeof(groups[0]); i++)
        if (groups[i] == group)
            return true;
    return false;
}

static bool may_ask(const struct tt_control_server *server, int fd, bool *may_change)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        return false;
    *may_change = peer.uid == 0 || peer.uid == geteuid();
    return *may_change || (server->group != (gid_t)-1 && peer.gid == server->group) ||
           in_group(fd, server->group);
}

/* ---- requests ---- */

static void refuse(struct client *client, const char *why)
{
    tt_json_reset(&client->reply);
    tt_json_object(&client->reply, NULL);
    tt_json_string(&client->reply, "error", why);
    tt_json_object_end(&client->reply);
}

/* True: the answer goes on, or it was refused. */
static bool begin_stream(const struct tt_control_server *server, struct client *client)
{
    const struct tt_control_handlers *handlers = &server->handlers;
    _cleanup_free_ char *why = NULL;
    int err = handlers->stream
                  ? handlers->stream(handlers->context, client->request, client->fd, &client->stream, &why)
                  : -EINVAL;

    if (err == -EINVAL)
        return false;
    if (err)
        refuse(client, why ? why : strerror(-err));
    return true;
}

static void answer(const struct tt_control_server *server, struct client *client)
{
    char why[128];
    int err;

    tt_json_reset(&client->reply);
    if (strncmp(client->request, "GET ", 4) != 0 && strncmp(client->request, "SET ", 4) != 0) {
        refuse(client, "a request is one line: GET WHAT or SET WHAT");
        return;
    }
    if (client->request[0] == 'S' && !client->may_change) {
        refuse(client, "only root and the agent's own user may change it");
        return;
    }
    if (begin_stream(server, client))
        return;
    err = server->handlers.handle(server->handlers.context, client->request, &client->reply);
    if (err == -EINVAL)
        snprintf(why, sizeof(why), "the agent does not know \"%.32s\"", client->request);
    else if (err || client->reply.failed)
        snprintf(why, sizeof(why), "%s", strerror(err ? -err : ENOMEM));
    if (err || client->reply.failed)
        refuse(client, why);
}

static void write_reply(const struct tt_control_server *server, struct client *client, uint64_t now)
{
    while (client->sent < client->reply.size) {
        ssize_t n = send(client->fd, client->reply.data + client->sent, client->reply.size - client->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break;
        client->sent += (size_t)n;
        client->deadline = now + TT_CONTROL_TIMEOUT_MS * 1000000ull;
    }
    hang_up(server, client);
}

/* Of a client whose answer goes on nothing more is expected but its end. */
static void watch_stream(const struct tt_control_server *server, struct client *client)
{
    char rest[256];
    ssize_t n = recv(client->fd, rest, sizeof(rest), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        hang_up(server, client);
}

static void read_request(const struct tt_control_server *server, struct client *client, uint64_t now)
{
    ssize_t n = recv(client->fd, client->request + client->got, TT_CONTROL_REQUEST - client->got,
                     MSG_DONTWAIT);
    char *end;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        hang_up(server, client);
        return;
    }
    client->got += (size_t)n;
    end = memchr(client->request, '\n', client->got);
    if (end) {
        *end = '\0';
        answer(server, client);
    } else if (client->got == TT_CONTROL_REQUEST) {
        refuse(client, "the request is too long");
    } else {
        return; /* the deadline stays: a request is to be there in time as a whole */
    }
    client->deadline = client->stream ? TT_NEVER : now + TT_CONTROL_TIMEOUT_MS * 1000000ull;
    if (!client->stream)
        write_reply(server, client, now);
}

static void accept_one(struct tt_control_server *server, uint64_t now)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    bool may_change = false, asks = fd >= 0 && may_ask(server, fd, &may_change);

    if (fd < 0)
        return;
    for (size_t i = 0; i < TT_CONTROL_CLIENTS && asks; i++) {
        struct client *client = &server->clients[i];

        if (client->fd >= 0)
            continue;
        client->fd = fd;
        client->may_change = may_change;
        client->deadline = now + TT_CONTROL_TIMEOUT_MS * 1000000ull;
        return;
    }
    close(fd);
}

/* ---- the thread ---- */

/* Fills fds[0] wake, [1] listener (only with a free place), [2..] clients; returns the ms until the next
 * deadline. */
static int prepare(const struct tt_control_server *server, struct pollfd *fds, uint64_t now)
{
    uint64_t first = UINT64_MAX;
    bool place = false;

    for (size_t i = 0; i < TT_CONTROL_CLIENTS; i++) {
        const struct client *client = &server->clients[i];

        fds[2 + i] = (struct pollfd){.fd = client->fd, .events = client->reply.size ? POLLOUT : POLLIN};
        place |= client->fd < 0;
        if (client->fd >= 0 && client->deadline < first)
            first = client->deadline;
    }
    fds[0] = (struct pollfd){.fd = server->wake, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = place ? server->listener : -1, .events = POLLIN};
    if (first == UINT64_MAX)
        return -1;
    return first <= now ? 0 : (int)((first - now) / 1000000) + 1;
}

static void serve(struct tt_control_server *server, const struct pollfd *fds)
{
    uint64_t now = tt_now_ns();

    for (size_t i = 0; i < TT_CONTROL_CLIENTS; i++) {
        struct client *client = &server->clients[i];

        if (client->fd < 0)
            continue;
        if (fds[2 + i].revents && client->stream)
            watch_stream(server, client);
        else if (fds[2 + i].revents && client->reply.size)
            write_reply(server, client, now);
        else if (fds[2 + i].revents)
            read_request(server, client, now);
        if (client->fd >= 0 && client->deadline <= now)
            hang_up(server, client);
    }
    if (fds[1].revents)
        accept_one(server, now);
}

static void *work(void *argument)
{
    struct tt_control_server *server = argument;
    struct pollfd fds[2 + TT_CONTROL_CLIENTS];

    for (;;) {
        int timeout = prepare(server, fds, tt_now_ns());
        int n = poll(fds, TT_ARRAY_SIZE(fds), timeout);

        if (n < 0 && errno != EINTR) {
            tt_error("the control socket ends: %s", strerror(errno));
            return NULL;
        }
        if (n < 0)
            continue;
        if (fds[0].revents)
            return NULL;
        serve(server, fds);
    }
}

static int start_thread(struct tt_control_server *server)
{
    int err = tt_thread_start(&server->thread, work, server);

    server->running = !err;
    return err;
}

int tt_control_server_new(const char *path, const char *group, const struct tt_control_handlers *handlers,
                          struct tt_control_server **server, char **error)
{
    _cleanup_(tt_control_server_free) struct tt_control_server *s = calloc(1, sizeof(*s));
    struct stat st;
    int err;

    if (!s)
        return -ENOMEM;
    s->listener = s->wake = -1;
    for (size_t i = 0; i < TT_CONTROL_CLIENTS; i++)
        s->clients[i].fd = -1;
    s->handlers = *handlers;
    err = tt_control_group(group, &s->group, error);
    if (err)
        return err;
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake < 0)
        return -errno;
    err = tt_control_listen(path, s->group, &s->listener, error);
    if (err)
        return err;
    s->path = strdup(path);
    if (!s->path)
        return -ENOMEM;
    if (!lstat(path, &st)) {
        s->device = st.st_dev;
        s->inode = st.st_ino;
    }
    err = start_thread(s);
    if (err)
        return err;
    *server = TAKE_PTR(s);
    return 0;
}

void tt_control_server_free(struct tt_control_server **server)
{
    struct tt_control_server *s = TAKE_PTR(*server);
    struct stat st;

    if (!s)
        return;
    if (s->running) {
        eventfd_write(s->wake, 1);
        pthread_join(s->thread, NULL);
    }
    /* While the listener is open nobody else takes our socket for a stale one. */
    if (s->path && s->inode && !lstat(s->path, &st) && st.st_dev == s->device && st.st_ino == s->inode)
        unlink(s->path);
    for (size_t i = 0; i < TT_CONTROL_CLIENTS; i++)
        if (s->clients[i].fd >= 0)
            hang_up(s, &s->clients[i]);
    tt_cleanup_close(&s->listener);
    tt_cleanup_close(&s->wake);
    free(s->path);
    free(s);
}
