/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host/host.h"

int tt_host_open_mapped(pid_t pid, uint64_t start, uint64_t end)
{
    char path[96];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, start, end);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int open_memory(pid_t pid)
{
    char path[32];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

ssize_t tt_host_read_memory(pid_t pid, uint64_t address, void *buffer, size_t size)
{
    _cleanup_close_ int fd = open_memory(pid);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = pread(fd, buffer, size, (off_t)address);
    return n < 0 ? -errno : n;
}

ssize_t tt_host_peek(pid_t pid, const uint64_t *addresses, uint8_t *bytes, bool *read, size_t count)
{
    _cleanup_close_ int fd = open_memory(pid);
    ssize_t n = 0;

    if (fd < 0)
        return fd;
    for (size_t i = 0; i < count; i++) {
        read[i] = pread(fd, &bytes[i], 1, (off_t)addresses[i]) == 1;
        n += read[i];
    }
    return n;
}
