/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <libdeflate.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/directory.h"
#include "plan/identity.h"
#include "plan/source.h"

#define MAGIC     "TTPLAN01"
#define ENTRY_MAX (4u << 20)
#define SUFFIX    ".plan"
#define NAME_SIZE (2 * TT_BUILD_ID_MAX + 1 + 16 + sizeof(SUFFIX))

struct header {
    char magic[8];
    uint8_t agent[TT_BUILD_ID_MAX]; /* build id of the program that wrote it */
    uint32_t size;                  /* of what follows */
    uint32_t crc;                   /* of the header before it, and what follows: against accidents only */
};

struct tt_plan_cache {
    int dir;
    uint8_t agent[TT_BUILD_ID_MAX];
};

/* The build id of this program. */
static int own_build_id(uint8_t id[TT_BUILD_ID_MAX])
{
    _cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    size_t size;

    memset(id, 0, TT_BUILD_ID_MAX);
    if (fd < 0)
        return -errno;
    return tt_build_id_read(fd, id, &size) ? -ENODATA : 0;
}

static const char *reason(int error)
{
    return error == -ENODATA ? "this program was built without a build id" : tt_directory_reason(error);
}

int tt_plan_cache_open(const char *directory, struct tt_plan_cache **cache, char **error)
{
    struct tt_plan_cache *made = calloc(1, sizeof(*made));
    int err = made ? 0 : -ENOMEM;

    *error = NULL;
    if (!err) {
        made->dir = -1;
        err = tt_directory_open(directory, 0755, &made->dir);
    }
    if (!err)
        err = own_build_id(made->agent);
    if (err) {
        tt_plan_cache_free(&made);
        *error = tt_format("%s: %s", directory, reason(err));
        return err;
    }
    *cache = made;
    return 0;
}

void tt_plan_cache_free(struct tt_plan_cache **cache)
{
    struct tt_plan_cache *c = TAKE_PTR(*cache);

    if (!c)
        return;
    tt_cleanup_close(&c->dir);
    free(c);
}

/* Build id and size: copies of one build that were made different afterwards (stripped, patched) mostly
 * differ in size, and need not drive each other out. */
static void name_of(const uint8_t *id, size_t size, uint64_t file_size, char name[NAME_SIZE])
{
    for (size_t i = 0; i < size; i++)
        sprintf(name + 2 * i, "%02x", id[i]);
    sprintf(name + 2 * size, "-%llx" SUFFIX, (unsigned long long)file_size);
}

static uint32_t checksum(const struct header *header, const void *body)
{
    uint32_t crc = libdeflate_crc32(0, header, offsetof(struct header, crc));

    return libdeflate_crc32(crc, body, header->size);
}

/* ---- loading ---- */

static int read_all(int fd, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EINVAL;
        done += (size_t)n;
    }
    return 0;
}

/* The whole file in *data (caller frees), if none but us could have written it. */
static int read_entry(int dir, const char *name, uint8_t **data, size_t *size)
{
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    _cleanup_free_ uint8_t *buffer = NULL;
    struct stat st;
    int err;

    if (fd < 0 || fstat(fd, &st))
        return errno == ELOOP ? -EPERM : -errno;
    if (!S_ISREG(st.st_mode) || !tt_is_ours(&st))
        return -EPERM;
    if (st.st_size < (off_t)sizeof(struct header) || st.st_size > ENTRY_MAX)
        return -EINVAL;
    buffer = malloc((size_t)st.st_size);
    if (!buffer)
        return -ENOMEM;
    err = read_all(fd, buffer, (size_t)st.st_size);
    if (err)
        return err;
    *data = TAKE_PTR(buffer);
    *size = (size_t)st.st_size;
    return 0;
}

/* The plan of an entry; -ENOENT: another program's. */
static int decode_entry(const struct tt_plan_cache *cache, const uint8_t *data, size_t size,
                        struct tt_plan **plan)
{
    struct header header;

    memcpy(&header, data, sizeof(header));
    if (memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0 || header.size != size - sizeof(header) ||
        header.crc != checksum(&header, data + sizeof(header)))
        return -EINVAL;
    if (memcmp(header.agent, cache->agent, sizeof(header.agent)) != 0)
        return -ENOENT;
    return tt_plan_decode(data + sizeof(header), header.size, plan);
}

int tt_plan_cache_load(struct tt_plan_cache *cache, int fd, const char *path, struct tt_plan **plan)
{
    _cleanup_(tt_plan_free) struct tt_plan *found = NULL;
    _cleanup_free_ uint8_t *data = NULL;
    const struct tt_omni_layout *omni;
    uint64_t start = tt_now_ns();
    uint8_t id[TT_BUILD_ID_MAX];
    char name[NAME_SIZE];
    size_t size, id_size;
    struct stat st;
    int err;

    if (tt_build_id_read(fd, id, &id_size) || !id_size || fstat(fd, &st))
        return -ENOENT;
    name_of(id, id_size, (uint64_t)st.st_size, name);
    err = read_entry(cache->dir, name, &data, &size);
    if (err || !data)
        return err;
    err = decode_entry(cache, data, size, &found);
    if (err)
        return err;
    if (!tt_source_matches(fd, &found->source))
        return -ENOENT;
    omni = found->omni;
    err = tt_identify_by_name(found, fd, path);
    if (err)
        return err;
    if (found->omni != omni) /* an omniORB that is recognised by its file's name, and has another one here */
        return -ENOENT;
    utimensat(cache->dir, name, NULL, AT_SYMLINK_NOFOLLOW); /* used now: for make_room */
    found->seconds = (double)(tt_now_ns() - start) / TT_NS_PER_S;
    *plan = TAKE_PTR(found);
    return 0;
}

/* ---- storing ---- */

struct kept {
    char name[NAME_SIZE];
    struct timespec used;
    off_t size;
};

static int compare_kept(const void *a, const void *b)
{
    const struct timespec *x = &((const struct kept *)a)->used, *y = &((const struct kept *)b)->used;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* What else could have such a name is nothing of ours, and stays. */
static bool is_entry(const char *name)
{
    size_t size = strlen(name);

    return size < NAME_SIZE && size > strlen(SUFFIX) && !strcmp(name + size - strlen(SUFFIX), SUFFIX);
}

/* All entries, the longest unused first; *kept is the caller's. */
static size_t list_entries(int dir, struct kept **kept)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *file;
    size_t count = 0;

    *kept = NULL;
    if (!listing && copy >= 0)
        close(copy);
    while (listing && (file = readdir(listing))) {
        struct kept *grown;
        struct stat st;

        if (!is_entry(file->d_name) || fstatat(dir, file->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
            S_ISDIR(st.st_mode))
            continue;
        grown = reallocarray(*kept, count + 1, sizeof(*grown));
        if (!grown)
            break;
        *kept = grown;
        grown[count] = (struct kept){.used = st.st_mtim, .size = st.st_size};
        memcpy(grown[count++].name, file->d_name, strlen(file->d_name) + 1);
    }
    if (count)
        qsort(*kept, count, sizeof(**kept), compare_kept);
    return count;
}

/* Removes what was not used for the longest time until the rest is within the bounds. */
static void make_room(int dir)
{
    _cleanup_free_ struct kept *kept = NULL;
    size_t count = list_entries(dir, &kept);
    uint64_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += (uint64_t)kept[i].size;
    for (size_t i = 0; i < count && (count - i > TT_PLAN_CACHE_ENTRIES || bytes > TT_PLAN_CACHE_BYTES); i++) {
        unlinkat(dir, kept[i].name, 0);
        bytes -= (uint64_t)kept[i].size;
    }
}

int tt_plan_cache_store(struct tt_plan_cache *cache, const struct tt_plan *plan)
{
    _cleanup_(tt_text_free) struct tt_text body = {0};
    struct header header = {.magic = MAGIC};
    struct iovec parts[] = {{&header, sizeof(header)}, {0}};
    char name[NAME_SIZE];
    int err;

    if (!plan->build_id_size)
        return -ENODATA;
    tt_plan_encode(plan, &body);
    if (body.failed || !body.data)
        return -ENOMEM;
    if (body.size > ENTRY_MAX - sizeof(header))
        return -EFBIG;
    memcpy(header.agent, cache->agent, sizeof(header.agent));
    header.size = (uint32_t)body.size;
    header.crc = checksum(&header, body.data);
    name_of(plan->build_id, plan->build_id_size, plan->source.file_size, name);
    if (flock(cache->dir, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    parts[1] = (struct iovec){body.data, body.size};
    err = tt_directory_put(cache->dir, name, 0644, parts, TT_ARRAY_SIZE(parts));
    if (!err)
        make_room(cache->dir);
    flock(cache->dir, LOCK_UN);
    return err;
}
