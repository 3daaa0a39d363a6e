/* SPDX-License-Identifier: GPL-2.0-only */
/* sockets.c: does a process listen? Sockets of its descriptors against the tables of its network namespace.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discover/proc.h"

struct inodes {
    uint64_t *items; /* sorted */
    size_t count;
};

static void free_inodes(struct inodes *inodes)
{
    free(inodes->items);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Inodes of the sockets among the descriptors. */
static int read_sockets(int dir, struct inodes *sockets)
{
    int fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *fds = NULL;
    size_t capacity = 0;

    if (fd < 0)
        return -errno;
    fds = fdopendir(fd);
    if (!fds) {
        close(fd);
        return -ENOMEM;
    }
    for (struct dirent *entry; sockets->count < TT_PROC_SOCKETS_MAX && (entry = readdir(fds));) {
        char link[64];
        ssize_t n = readlinkat(fd, entry->d_name, link, sizeof(link) - 1);
        uint64_t inode;

        link[n < 0 ? 0 : n] = '\0';
        if (sscanf(link, "socket:[%" SCNu64 "]", &inode) != 1)
            continue;
        if (sockets->count == capacity) {
            uint64_t *items;

            capacity = capacity ? capacity * 2 : 64;
            items = reallocarray(sockets->items, capacity, sizeof(*items));
            if (!items)
                return -ENOMEM;
            sockets->items = items;
        }
        sockets->items[sockets->count++] = inode;
    }
    if (sockets->count)
        qsort(sockets->items, sockets->count, sizeof(*sockets->items), compare);
    return 0;
}

/* TCP: "sl local remote st tx:rx tr:when retrnsmt uid timeout inode", listening is state 0A (TCP_LISTEN). */
static bool tcp_listener(const char *line, uint64_t *inode)
{
    unsigned state;

    return sscanf(line, " %*[^:]: %*s %*s %x %*s %*s %*s %*s %*s %" SCNu64, &state, inode) == 2 &&
           state == 0x0a;
}

/* Unix: "Num RefCount Protocol Flags Type St Inode Path", flag 0x10000 is __SO_ACCEPTCON. */
static bool unix_listener(const char *line, uint64_t *inode)
{
    unsigned flags;

    return sscanf(line, "%*[^:]: %*s %*s %x %*s %*s %" SCNu64, &flags, inode) == 2 && (flags & 0x10000);
}

static bool listens_in(int dir, const char *table, bool (*listener)(const char *line, uint64_t *inode),
                       const struct inodes *sockets)
{
    _cleanup_close_ int fd = openat(dir, table, O_RDONLY | O_CLOEXEC);
    _cleanup_fclose_ FILE *file = NULL;
    char line[1024];

    file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!file)
        return false;
    (void)TAKE_FD(fd); /* the stream's now */
    while (fgets(line, sizeof(line), file)) {
        uint64_t inode;

        if (listener(line, &inode) && bsearch(&inode, sockets->items, sockets->count, sizeof(inode), compare))
            return true;
    }
    return false;
}

int tt_proc_listens(int dir, bool *listens)
{
    _cleanup_(free_inodes) struct inodes sockets = {0};
    int err = read_sockets(dir, &sockets);

    if (err)
        return err;
    *listens = sockets.count && (listens_in(dir, "net/unix", unix_listener, &sockets) ||
                                 listens_in(dir, "net/tcp", tcp_listener, &sockets) ||
                                 listens_in(dir, "net/tcp6", tcp_listener, &sockets));
    return 0;
}
