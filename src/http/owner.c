/* SPDX-License-Identifier: GPL-2.0-only */
/* owner.c: which process listens at a port: its socket's inode by the kernel's table, its owner by /proc. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/httpd.h"

#define LISTEN 0x0a /* TCP_LISTEN, include/net/tcp_states.h */

static uint64_t inode_in(const char *table, unsigned port)
{
    _cleanup_fclose_ FILE *file = fopen(table, "re");
    char line[512];

    while (file && fgets(line, sizeof(line), file)) {
        unsigned local, state;
        uint64_t inode;

        if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %" SCNu64, &local,
                   &state, &inode) == 3 &&
            local == port && state == LISTEN)
            return inode;
    }
    return 0;
}

static bool has_socket(const char *pid, const char *link)
{
    char path[32], target[64];
    _cleanup_closedir_ DIR *fds = NULL;
    struct dirent *entry;

    snprintf(path, sizeof(path), "/proc/%.10s/fd", pid);
    fds = opendir(path);
    while (fds && (entry = readdir(fds))) {
        ssize_t n = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);

        target[n < 0 ? 0 : n] = '\0';
        if (!strcmp(target, link))
            return true;
    }
    return false;
}

static char *describe(const char *pid)
{
    _cleanup_(tt_text_free) struct tt_text text = {0};
    _cleanup_free_ char *name = NULL;
    char path[32];
    size_t size;

    snprintf(path, sizeof(path), "/proc/%.10s/comm", pid);
    if (tt_read_file_at(AT_FDCWD, path, 64, &name, &size, NULL))
        return tt_format("pid %s", pid);
    name[strcspn(name, "\n")] = '\0';
    tt_text_safe(&text, name);
    tt_text_printf(&text, " (pid %s)", pid);
    return tt_text_take(&text);
}

char *tt_httpd_port_owner(unsigned port)
{
    uint64_t inode = inode_in("/proc/net/tcp", port);
    _cleanup_closedir_ DIR *proc = opendir("/proc");
    struct dirent *entry;
    char link[48];

    if (!inode)
        inode = inode_in("/proc/net/tcp6", port);
    if (!inode)
        return NULL;
    snprintf(link, sizeof(link), "socket:[%" PRIu64 "]", inode);
    while (proc && (entry = readdir(proc))) {
        if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name) && has_socket(entry->d_name, link))
            return describe(entry->d_name);
    }
    return NULL;
}
