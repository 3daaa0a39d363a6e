/* SPDX-License-Identifier: GPL-2.0-only */
/* client.c: asks the running agent. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "control/control.h"
#include "control/socket.h"

/* An agent that answers at all does so within this time: it writes the whole reply before it sends any of it.
 */
#define ANSWER_MS 10000

static int explain(const char *path, int err, char **error)
{
    switch (err) {
    case -ENOENT:
    case -ECONNREFUSED:
        *error = tt_format(
            "no agent is running at %s; start it with 'tangotrace run', or name its socket with --control",
            path);
        break;
    case -EACCES:
    case -EPERM:
    case -ECONNRESET:
    case -EPIPE:
        *error = tt_format("the agent at %s does not answer you: be root, or a member of its --control-group",
                           path);
        break;
    case -EAGAIN:
    case -ETIMEDOUT:
        *error = tt_format("the agent at %s does not answer: is it stopped?", path);
        break;
    case -EFBIG:
        *error = tt_format("the reply of %s is larger than 16 MB", path);
        break;
    default:
        *error = tt_format("%s: %s", path, strerror(-err));
    }
    return err;
}

static int wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n;

    do
        n = poll(&p, 1, ANSWER_MS);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

static int send_request(int fd, const char *verb, const char *request)
{
    _cleanup_free_ char *line = tt_format("%s %s\n", verb, request);
    size_t size, sent = 0;

    if (!line)
        return -ENOMEM;
    for (size = strlen(line); sent < size;) {
        ssize_t n = send(fd, line + sent, size - sent, MSG_NOSIGNAL);

        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN && wait_for(fd, POLLOUT))
            return -ETIMEDOUT;
        else if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return 0;
}

static int read_reply(int fd, struct tt_text *reply)
{
    char buffer[16384];

    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

        if (n == 0)
            return reply->size ? 0 : -ECONNRESET;
        if (n < 0 && errno == EAGAIN) {
            int err = wait_for(fd, POLLIN);

            if (err)
                return err;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (reply->size + (size_t)n > TT_CONTROL_REPLY)
            return -EFBIG;
        tt_text_add(reply, buffer, (size_t)n);
        if (reply->failed)
            return -ENOMEM;
    }
}

/* Takes the first line; what follows stays in the socket. A refusal is one line of JSON. */
static int read_first_line(int fd, struct tt_text *line)
{
    char c;

    while (line->size < TT_CONTROL_REQUEST) {
        ssize_t n = recv(fd, &c, 1, 0);
        int err;

        if (n == 0)
            return line->size ? 0 : -ECONNRESET;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (n < 0) {
            err = errno == EAGAIN ? wait_for(fd, POLLIN) : 0;
            if (err)
                return err;
            continue;
        }
        tt_text_add(line, &c, 1);
        if (c == '\n')
            return line->failed ? -ENOMEM : 0;
    }
    return 0;
}

static char *refusal(const char *line)
{
    struct json_object *root = json_tokener_parse(line), *why = NULL;
    char *text = NULL;

    if (root && json_object_object_get_ex(root, "error", &why))
        text = tt_format("%s", json_object_get_string(why));
    json_object_put(root);
    return text ? text : strdup("the agent's answer is not understood; is it of another version?");
}

int tt_control_open(const char *path, const char *request, int *fd, char **error)
{
    _cleanup_(tt_text_free) struct tt_text line = {0};
    _cleanup_close_ int opened = -1;
    int err = tt_control_connect(path, &opened);

    if (!err)
        err = send_request(opened, "GET", request);
    if (!err)
        err = read_first_line(opened, &line);
    if (!err && fcntl(opened, F_SETFL, fcntl(opened, F_GETFL) & ~O_NONBLOCK))
        err = -errno;
    if (err)
        return explain(path, err, error);
    if (!line.data || strcmp(line.data, TT_CONTROL_GOES_ON) != 0) {
        *error = refusal(line.data ? line.data : "");
        return -EBADMSG;
    }
    *fd = TAKE_FD(opened);
    return 0;
}

static int exchange(const char *path, const char *verb, const char *request, char **reply, size_t *size,
                    char **error)
{
    _cleanup_(tt_text_free) struct tt_text text = {0};
    _cleanup_close_ int fd = -1;
    int err = tt_control_connect(path, &fd);

    if (!err)
        err = send_request(fd, verb, request);
    if (!err)
        err = read_reply(fd, &text);
    if (err)
        return explain(path, err, error);
    *size = text.size;
    *reply = tt_text_take(&text);
    return *reply ? 0 : -ENOMEM;
}

int tt_control_ask(const char *path, const char *request, char **reply, size_t *size, char **error)
{
    return exchange(path, "GET", request, reply, size, error);
}

int tt_control_tell(const char *path, const char *request, char **reply, size_t *size, char **error)
{
    return exchange(path, "SET", request, reply, size, error);
}
