/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define TEMPORARY "new.tmp" /* one name is enough: one at a time is written */

/* A directory and its parent, if they are not there. 0 or negative errno. */
static int make_directory(const char *path, mode_t mode)
{
    _cleanup_free_ char *parent = NULL;
    char *slash;

    if (!mkdir(path, mode) || errno == EEXIST)
        return 0;
    parent = errno == ENOENT ? strdup(path) : NULL;
    slash = parent ? strrchr(parent, '/') : NULL;
    if (!slash || slash == parent)
        return -errno;
    *slash = '\0';
    if (mkdir(parent, 0755))
        return -errno;
    return mkdir(path, mode) ? -errno : 0;
}

bool tt_is_ours(const struct stat *st)
{
    return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

int tt_directory_open_at(int parent, const char *name, mode_t mode, int *fd)
{
    _cleanup_close_ int dir = -1;
    struct stat st;

    if (mkdirat(parent, name, mode) && errno != EEXIST)
        return -errno;
    dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || fstat(dir, &st))
        return -errno;
    if (!tt_is_ours(&st))
        return -EPERM;
    *fd = TAKE_FD(dir);
    return 0;
}

int tt_directory_open(const char *path, mode_t mode, int *fd)
{
    int error = make_directory(path, mode);

    return error ? error : tt_directory_open_at(AT_FDCWD, path, mode, fd);
}

void tt_directory_tidy(int dir)
{
    unlinkat(dir, TEMPORARY, 0);
}

int tt_directory_put(int dir, const char *name, mode_t mode, const struct iovec *parts, size_t count)
{
    _cleanup_close_ int fd = -1;
    int error = 0;

    tt_directory_tidy(dir);
    fd = openat(dir, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    for (size_t i = 0; !error && i < count; i++)
        error = tt_write_all(fd, parts[i].iov_base, parts[i].iov_len);
    if (!error && fdatasync(fd))
        error = -errno;
    if (!error && renameat(dir, TEMPORARY, dir, name))
        error = -errno;
    if (error)
        tt_directory_tidy(dir);
    return error;
}

const char *tt_directory_reason(int error)
{
    return error == -EPERM
               ? "others could write to it: it must be yours, and not writable for group or others"
               : strerror(-error);
}
