/* SPDX-License-Identifier: GPL-2.0-only */
#include "discover/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uthash.h>

#include "base/cleanup.h"

/* Compared as bytes: no padding. */
struct identity {
    uint64_t device, inode, size;
    int64_t seconds, nanoseconds; /* ctime: unlike mtime it cannot be set back by who overwrites the file */
};

struct entry {
    struct identity identity;
    struct tt_file_facts facts;
    UT_hash_handle hh;
};

struct tt_file_cache {
    tt_file_probe probe;
    const struct tt_probes *probes;
    struct entry *entries; /* in order of age */
};

struct tt_file_cache *tt_file_cache_new(tt_file_probe probe, const struct tt_probes *probes)
{
    struct tt_file_cache *cache = calloc(1, sizeof(*cache));

    if (cache) {
        cache->probe = probe;
        cache->probes = probes;
    }
    return cache;
}

void tt_file_cache_free(struct tt_file_cache **cache)
{
    struct entry *entry, *next;

    if (!*cache)
        return;
    HASH_ITER(hh, (*cache)->entries, entry, next)
    {
        HASH_DEL((*cache)->entries, entry);
        free(entry);
    }
    free(TAKE_PTR(*cache));
}

/*
 * A descriptor (O_PATH: opening a device file for reading could do something) of the mapped file. map_files
 * leads to the very file even if it was deleted or lies in another mount namespace, but needs
 * CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN; else the path, as the process sees it, may still show the same
 * inode.
 */
static int open_mapped(int dir, const struct tt_mapping *mapping)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    char name[64];
    struct stat st;
    int root, fd;

    snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, mapping->start, mapping->end);
    fd = openat(dir, name, O_PATH | O_CLOEXEC);
    if (fd >= 0 || mapping->path[0] != '/')
        return fd >= 0 ? fd : -errno;
    root = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    fd = (int)syscall(SYS_openat2, root, mapping->path, &how, sizeof(how));
    if (fd < 0)
        fd = -errno;
    close(root);
    if (fd >= 0 && (fstat(fd, &st) || st.st_ino != mapping->inode)) {
        close(fd);
        return -ESTALE;
    }
    return fd;
}

static int probe_file(const struct tt_file_cache *cache, int path_fd, const struct tt_mapping *mapping,
                      struct tt_file_facts *facts)
{
    struct tt_file_facts found = {0};
    char name[64], magic[4];
    _cleanup_close_ int fd = -1;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
    fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && !memcmp(magic, "\177ELF", 4)) {
        /* An ELF file that cannot be used holds nothing that could be probed. */
        if (cache->probe(cache->probes, fd, mapping->path, found.library))
            memset(found.library, 0, sizeof(found.library));
        if (tt_build_id_read(fd, found.build_id, &found.build_id_size))
            found.build_id_size = 0;
        if (found.library[TT_LIBRARY_PYTHON])
            tt_plan_python(fd, mapping->offset, &found.python); /* else it stays empty */
    }
    *facts = found;
    return 0;
}

int tt_file_cache_get(struct tt_file_cache *cache, int dir, const struct tt_mapping *mapping,
                      struct tt_file_facts *facts)
{
    _cleanup_close_ int fd = open_mapped(dir, mapping);
    struct identity identity;
    struct entry *entry;
    struct stat st;
    int err;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode)) {
        memset(facts, 0, sizeof(*facts));
        return 0;
    }
    identity = (struct identity){
        .device = st.st_dev,
        .inode = st.st_ino,
        .size = (uint64_t)st.st_size,
        .seconds = st.st_ctim.tv_sec,
        .nanoseconds = st.st_ctim.tv_nsec,
    };
    HASH_FIND(hh, cache->entries, &identity, sizeof(identity), entry);
    if (entry) {
        *facts = entry->facts;
        return 0;
    }

    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    entry->identity = identity;
    err = probe_file(cache, fd, mapping, &entry->facts);
    if (err) {
        free(entry);
        return err;
    }
    if (HASH_COUNT(cache->entries) >= TT_FILE_CACHE_MAX) {
        struct entry *oldest = cache->entries;

        HASH_DEL(cache->entries, oldest);
        free(oldest);
    }
    HASH_ADD(hh, cache->entries, identity, sizeof(identity), entry);
    *facts = entry->facts;
    return 0;
}
