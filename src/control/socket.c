/* SPDX-License-Identifier: GPL-2.0-only */
#include "control/socket.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/text.h"

int tt_control_group(const char *text, gid_t *group, char **error)
{
    struct group entry, *found = NULL;
    char buffer[16384];
    uint64_t number;

    if (!text) {
        *group = (gid_t)-1;
        return 0;
    }
    if (!getgrnam_r(text, &entry, buffer, sizeof(buffer), &found) && found) {
        *group = found->gr_gid;
        return 0;
    }
    if (!tt_parse_u64(text, &number) && number < UINT32_MAX) {
        *group = (gid_t)number;
        return 0;
    }
    *error = tt_format("there is no group \"%s\" (--control-group)", text);
    return -EINVAL;
}

static int address_of(const char *path, struct sockaddr_un *address)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (!*path || strlen(path) >= sizeof(address->sun_path))
        return -ENAMETOOLONG;
    memcpy(address->sun_path, path, strlen(path));
    return 0;
}

int tt_control_connect(const char *path, int *fd)
{
    _cleanup_close_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;
    int err = address_of(path, &address);

    if (s < 0)
        return -errno;
    if (err)
        return err;
    /* Not blocking: a full backlog of a stopped agent is -EAGAIN at once. */
    if (connect(s, (struct sockaddr *)&address, sizeof(address)))
        return -errno;
    *fd = TAKE_FD(s);
    return 0;
}

/* Somebody has that path. A live agent: its pid goes into the error. A socket without one is removed, then 0.
 */
static int clear_path(const char *path, char **error)
{
    _cleanup_close_ int fd = -1;
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    struct stat st;
    int err = tt_control_connect(path, &fd);

    if (!err || err == -EAGAIN) {
        /* The kernel tells who called listen(). */
        if (err || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
            peer.pid = 0;
        *error =
            peer.pid
                ? tt_format(
                      "%s is in use by process %d, another agent? (give this one its own --control PATH)",
                      path, (int)peer.pid)
                : tt_format("%s is in use by another agent (give this one its own --control PATH)", path);
        return -EADDRINUSE;
    }
    if (lstat(path, &st) || !S_ISSOCK(st.st_mode)) {
        *error = tt_format("%s exists and is no socket (give --control another PATH)", path);
        return -EEXIST;
    }
    if (err != -ECONNREFUSED) {
        *error = tt_format("%s: %s", path, strerror(-err));
        return err;
    }
    if (unlink(path) && errno != ENOENT) {
        err = -errno;
        *error = tt_format("cannot remove %s, which an earlier agent left: %s", path, strerror(-err));
        return err;
    }
    return 0;
}

static int share(const char *path, gid_t group)
{
    if (group == (gid_t)-1)
        return 0;
    return lchown(path, (uid_t)-1, group) || chmod(path, 0660) ? -errno : 0;
}

static int bind_at(int fd, const char *path, const struct sockaddr_un *address, char **error)
{
    int err = 0;

    if (!bind(fd, (const struct sockaddr *)address, sizeof(*address)))
        return 0;
    if (errno == EADDRINUSE)
        err = clear_path(path, error);
    else
        *error = tt_format("cannot listen at %s: %s", path, strerror(-(err = -errno)));
    if (err)
        return err;
    if (!bind(fd, (const struct sockaddr *)address, sizeof(*address)))
        return 0;
    err = -errno;
    *error = tt_format("cannot listen at %s: %s", path, strerror(-err));
    return err;
}

int tt_control_listen(const char *path, gid_t group, int *fd, char **error)
{
    _cleanup_close_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;
    int err;

    if (s < 0)
        return -errno;
    err = address_of(path, &address);
    if (err) {
        *error = tt_format("the path of the control socket has %zu bytes, 1 to %zu are possible (--control)",
                           strlen(path), sizeof(address.sun_path) - 1);
        return -EINVAL;
    }
    /* bind() gives the file the mode of the socket (unix_bind_bsd() of net/unix/af_unix.c), so there is no
     * moment in which others may connect. */
    if (fchmod(s, 0600))
        return -errno;
    err = bind_at(s, path, &address, error);
    if (err)
        return err;
    err = share(path, group);
    if (!err && listen(s, 16))
        err = -errno;
    if (err) {
        *error = tt_format("cannot listen at %s: %s", path, strerror(-err));
        unlink(path);
        return err;
    }
    *fd = TAKE_FD(s);
    return 0;
}
