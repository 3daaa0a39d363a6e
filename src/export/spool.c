/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/spool.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "base/text.h"
#include "export/ratelog.h"

#define MAGIC       "TTSPOOL1"
#define FORMAT      "%016" PRIx64 "-%" PRIu32 ".batch"
#define NAME_SIZE   64
#define BODY_MAX    (64u << 20) /* OTLP's limit of a request */
#define ENTRIES_MAX 100000      /* files; 2.4 MB of memory, and more than a batch a second for a day */
#define ALIVE_NS    (500 * TT_NS_PER_MS)

struct header {
    char magic[8];
    uint32_t crc; /* of what follows, and the body */
    uint32_t items;
    uint32_t size; /* of the body */
    uint8_t encoding, json;
    uint16_t zero;
};

struct entry {
    uint64_t number, time; /* unix ns, of the file */
    uint32_t items;
    uint32_t blocks; /* of 4 KiB */
};

struct tt_spool {
    struct tt_spool_config config;
    struct tt_sink_counters *counters;
    char *path; /* for people */
    int dir, lock, alive;
    struct entry *entries; /* oldest first; `first` of them are gone */
    size_t first, count, capacity;
    uint64_t next, blocks;
    uint64_t told_alive; /* monotonic */
    uint8_t *body;       /* the oldest's file, as long as that is `held`; NULL: not read yet */
    struct tt_spool_batch held;
    struct tt_ratelog full, aged, damaged;
};

/* ---- what is there ----------------------------------------------------------------------------------- */

static struct entry *oldest(const struct tt_spool *spool)
{
    return spool->first < spool->count ? &spool->entries[spool->first] : NULL;
}

bool tt_spool_is_empty(const struct tt_spool *spool)
{
    return !oldest(spool);
}

static void name_of(const struct entry *entry, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, FORMAT, entry->number, entry->items);
}

static uint32_t blocks_of(uint64_t size)
{
    return (uint32_t)((size + 4095) / 4096);
}

static void publish(const struct tt_spool *spool)
{
    atomic_store_explicit(&spool->counters->spool_bytes, spool->blocks * 4096, memory_order_relaxed);
}

/* Not counted yet. */
static int append(struct tt_spool *spool, const struct entry *entry)
{
    /* Moved seldom enough to be cheap. */
    if (spool->entries && spool->first && spool->first >= spool->count / 2) {
        spool->count -= spool->first;
        memmove(spool->entries, spool->entries + spool->first, spool->count * sizeof(*entry));
        spool->first = 0;
    }
    if (!spool->entries || spool->count == spool->capacity) {
        size_t capacity = spool->capacity ? spool->capacity * 2 : 64;
        struct entry *entries = reallocarray(spool->entries, capacity, sizeof(*entries));

        if (!entries)
            return -ENOMEM;
        spool->entries = entries;
        spool->capacity = capacity;
    }
    spool->entries[spool->count++] = *entry;
    spool->blocks += entry->blocks;
    return 0;
}

/* The oldest goes; whoever calls counts what became of it. */
static void drop_oldest(struct tt_spool *spool)
{
    struct entry *entry = oldest(spool);
    char name[NAME_SIZE];

    name_of(entry, name);
    /* One that cannot be removed would be sent again after the next start, and no worse. */
    unlinkat(spool->dir, name, 0);
    free(TAKE_PTR(spool->body));
    spool->blocks -= entry->blocks;
    atomic_fetch_sub_explicit(&spool->counters->spooled, entry->items, memory_order_relaxed);
    spool->first++;
    publish(spool);
}

void tt_spool_remove(struct tt_spool *spool)
{
    if (oldest(spool))
        drop_oldest(spool);
}

static void lose_oldest(struct tt_spool *spool, _Atomic uint64_t *counter, struct tt_ratelog *log,
                        const char *why)
{
    uint32_t items = oldest(spool)->items;

    drop_oldest(spool);
    tt_sink_add(counter, items);
    tt_ratelog_warn(log, TT_RATELOG_S, "spool %s: %s; a batch of %" PRIu32 " is dropped", spool->path, why,
                    items);
}

static void drop_aged(struct tt_spool *spool)
{
    uint64_t now = tt_clock_ns(CLOCK_REALTIME);

    while (oldest(spool) && oldest(spool)->time + spool->config.max_age_ns < now)
        lose_oldest(spool, &spool->counters->dropped_age, &spool->aged, "older than --spool-age allows");
}

/* ---- opening ----------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

/* An earlier agent's file, by its name and what the file system knows; false: something else. */
static bool look_at(const struct tt_spool *spool, const char *file, struct entry *entry)
{
    char name[NAME_SIZE];
    struct stat st;

    if (sscanf(file, FORMAT, &entry->number, &entry->items) != 2 || entry->number == UINT64_MAX)
        return false; /* of that number: none could follow */
    name_of(entry, name);
    if (strcmp(name, file) != 0 || fstatat(spool->dir, file, &st, AT_SYMLINK_NOFOLLOW) ||
        !S_ISREG(st.st_mode) || st.st_size > (off_t)(BODY_MAX + sizeof(struct header)))
        return false;
    entry->time = (uint64_t)st.st_mtim.tv_sec * TT_NS_PER_S + (uint64_t)st.st_mtim.tv_nsec;
    entry->blocks = blocks_of((uint64_t)st.st_size);
    return true;
}

static int scan(struct tt_spool *spool)
{
    _cleanup_close_ int copy = openat(spool->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *file;
    struct entry entry;
    uint64_t items = 0;
    int error = 0;

    if (!dir)
        return -errno;
    (void)TAKE_FD(copy); /* the stream's now */
    while (!error && (file = readdir(dir)) && spool->count < ENTRIES_MAX)
        if (look_at(spool, file->d_name, &entry)) {
            error = append(spool, &entry);
            items += entry.items;
        }
    if (error) /* nothing is counted of what nobody will send */
        return error;
    if (spool->count)
        qsort(spool->entries, spool->count, sizeof(*spool->entries), by_number);
    spool->next = spool->count ? spool->entries[spool->count - 1].number + 1 : 1;
    atomic_store_explicit(&spool->counters->carried, items, memory_order_relaxed);
    atomic_store_explicit(&spool->counters->spooled, items, memory_order_relaxed);
    publish(spool);
    return 0;
}

/* Did an earlier agent end without a stop? Then up to now something may be missing. */
static void find_gap(struct tt_spool *spool)
{
    uint64_t now = tt_clock_ns(CLOCK_REALTIME), then;
    struct stat st;

    if (fstatat(spool->dir, "alive", &st, AT_SYMLINK_NOFOLLOW))
        return;
    then = (uint64_t)st.st_mtim.tv_sec * TT_NS_PER_S + (uint64_t)st.st_mtim.tv_nsec;
    if (then >= now)
        return;
    atomic_store_explicit(&spool->counters->gap_ms, (now - then) / TT_NS_PER_MS, memory_order_relaxed);
    tt_warn("spool %s: the last agent ended without a stop: what it saw, but had neither sent nor stored, is "
            "lost; a gap of up to %.1f s",
            spool->path, (double)(now - then) / 1e9);
}

static int open_files(struct tt_spool *spool, const char *directory_name, char **error)
{
    _cleanup_close_ int all = -1;
    int err = tt_directory_open(spool->config.directory, 0700, &all);

    if (!err)
        err = tt_directory_open_at(all, directory_name, 0700, &spool->dir);
    if (err) {
        *error = tt_format("%s: %s", spool->path, tt_directory_reason(err));
        return err;
    }
    spool->lock = openat(spool->dir, "lock", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (spool->lock < 0 || flock(spool->lock, LOCK_EX | LOCK_NB)) {
        err = -errno;
        *error = tt_format("%s: %s", spool->path,
                           err == -EWOULDBLOCK ? "another agent, or exporter of this one, uses it"
                                               : strerror(-err));
        return err;
    }
    tt_directory_tidy(spool->dir);
    err = scan(spool);
    if (err)
        *error = tt_format("%s: %s", spool->path, strerror(-err));
    return err;
}

/* A name that can be a directory's: readable, and different for different texts. */
static char *directory_name(const char *text)
{
    char *name = tt_format("%s-%08" PRIx32, text, (uint32_t)libdeflate_crc32(0, text, strlen(text)));
    size_t length = name ? strlen(name) : 0;

    if (length > 200)
        memmove(name, name + length - 200, 201);
    for (char *c = name; c && *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
            *c = '_';
    if (name && *name == '.')
        *name = '_';
    return name;
}

int tt_spool_open(const struct tt_spool_config *config, const char *name, struct tt_sink_counters *counters,
                  struct tt_spool **spool, char **error)
{
    struct tt_spool *made = calloc(1, sizeof(*made));
    _cleanup_free_ char *directory = directory_name(name);
    int err = -ENOMEM;

    if (made) {
        made->config = *config;
        made->counters = counters;
        made->dir = made->lock = made->alive = -1;
        made->path = directory ? tt_format("%s/%s", config->directory, directory) : NULL;
    }
    if (made && made->path)
        err = open_files(made, directory, error);
    if (err) {
        if (made)
            tt_spool_close(&made, false);
        return err;
    }
    made->config.directory = NULL; /* the caller's */
    find_gap(made);
    made->alive = openat(made->dir, "alive", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    drop_aged(made);
    if (oldest(made))
        tt_info("spool %s: %zu batches with %" PRIu64 " items of an earlier run are to be sent", made->path,
                made->count - made->first, (uint64_t)atomic_load(&counters->spooled));
    *spool = made;
    return 0;
}

void tt_spool_close(struct tt_spool **spool, bool clean)
{
    struct tt_spool *s = TAKE_PTR(*spool);

    if (!s)
        return;
    if (clean)
        unlinkat(s->dir, "alive", 0);
    tt_cleanup_close(&s->alive);
    tt_cleanup_close(&s->lock);
    tt_cleanup_close(&s->dir);
    free(s->entries);
    free(s->path);
    free(s->body);
    free(s);
}

void tt_spool_alive(struct tt_spool *spool, uint64_t unix_ns)
{
    const struct timespec time = {.tv_sec = (time_t)(unix_ns / TT_NS_PER_S),
                                  .tv_nsec = (long)(unix_ns % TT_NS_PER_S)};
    uint64_t now = tt_now_ns();

    if (spool->alive < 0 || (spool->told_alive && now < spool->told_alive + ALIVE_NS))
        return;
    spool->told_alive = now;
    /* No sync: what the page cache has survives a kill, and of a crash of the host some seconds are lost
     * anyway. */
    futimens(spool->alive, (const struct timespec[]){time, time});
}

/* ---- writing ----------------------------------------------------------------------------------------- */

static uint32_t checksum(const struct header *header, const uint8_t *body)
{
    const size_t from = offsetof(struct header, items);
    uint32_t crc = libdeflate_crc32(0, (const char *)header + from, sizeof(*header) - from);

    return libdeflate_crc32(crc, body, header->size);
}

static int write_file(const struct tt_spool *spool, const struct tt_spool_batch *batch, const char *name)
{
    struct header header = {.magic = MAGIC,
                            .items = batch->items,
                            .size = (uint32_t)batch->size,
                            .encoding = (uint8_t)batch->encoding,
                            .json = batch->json};
    const struct iovec parts[] = {{&header, sizeof(header)}, {(void *)batch->data, batch->size}};
    int err;

    header.crc = checksum(&header, batch->data);
    err = tt_directory_put(spool->dir, name, 0600, parts, TT_ARRAY_SIZE(parts));
    if (!err)
        fsync(spool->dir); /* it is there; whether also after a crash the next one's sync will settle */
    return err;
}

static bool is_full(const struct tt_spool *spool, uint32_t blocks)
{
    return (spool->blocks + blocks) * 4096 > spool->config.max_bytes ||
           spool->count - spool->first >= ENTRIES_MAX;
}

int tt_spool_put(struct tt_spool *spool, const struct tt_spool_batch *batch)
{
    struct entry entry = {.number = spool->next,
                          .items = batch->items,
                          .blocks = blocks_of(sizeof(struct header) + batch->size),
                          .time = tt_clock_ns(CLOCK_REALTIME)};
    char name[NAME_SIZE];
    int err;

    if (batch->size > BODY_MAX || entry.blocks * 4096ull > spool->config.max_bytes)
        return -EFBIG;
    drop_aged(spool);
    while (oldest(spool) && is_full(spool, entry.blocks))
        lose_oldest(spool, &spool->counters->dropped_spool, &spool->full, "as large as --spool-size allows");
    name_of(&entry, name);
    err = write_file(spool, batch, name);
    while ((err == -ENOSPC || err == -EDQUOT) && oldest(spool)) {
        lose_oldest(spool, &spool->counters->dropped_spool, &spool->full, "the disk is full");
        err = write_file(spool, batch, name);
    }
    if (err)
        return err;
    spool->next++;
    err = append(spool, &entry);
    if (err) {
        unlinkat(spool->dir, name, 0);
        return err;
    }
    tt_sink_add(&spool->counters->spooled, entry.items);
    publish(spool);
    return 0;
}

/* ---- reading ----------------------------------------------------------------------------------------- */

/* Holds it. NULL, or what is wrong with the file. */
static const char *read_file(struct tt_spool *spool, const struct entry *entry)
{
    _cleanup_free_ char *data = NULL;
    char name[NAME_SIZE];
    struct header header;
    size_t size = 0;
    int err;

    name_of(entry, name);
    err = tt_read_file_at(spool->dir, name, BODY_MAX + sizeof(header), &data, &size, NULL);
    if (err)
        return strerror(-err);
    if (size < sizeof(header))
        return "a file is cut off";
    memcpy(&header, data, sizeof(header));
    if (memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0 || header.size != size - sizeof(header) ||
        checksum(&header, (const uint8_t *)data + sizeof(header)) != header.crc ||
        header.items != entry->items || header.encoding >= TT_ENCODINGS)
        return "a file is damaged";
    spool->body = (uint8_t *)TAKE_PTR(data);
    spool->held = (struct tt_spool_batch){.data = spool->body + sizeof(header),
                                          .size = header.size,
                                          .items = header.items,
                                          .encoding = (enum tt_encoding)header.encoding,
                                          .json = header.json};
    return NULL;
}

bool tt_spool_oldest(struct tt_spool *spool, struct tt_spool_batch *batch)
{
    drop_aged(spool);
    while (oldest(spool)) {
        const char *wrong = spool->body ? NULL : read_file(spool, oldest(spool));

        if (!wrong) {
            *batch = spool->held;
            return true;
        }
        lose_oldest(spool, &spool->counters->dropped_damaged, &spool->damaged, wrong);
    }
    return false;
}
