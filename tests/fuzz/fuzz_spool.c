/* SPDX-License-Identifier: GPL-2.0-only */
/* A spool's directory with arbitrary files in it, as a crash, a full disk or a person can leave them: every
 * item that was counted is sent or dropped for a reason, and what is stored then comes out as it went in. Of
 * the input the files are made: a byte of FLAGS, the name up to a line's end, two bytes of size, the content.
 */
#include <dirent.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "export/spool.h"
#include "seed.h"

#define FLAG_CHECKSUM  1 /* put the right checksum in: else few inputs came behind it */
#define FLAG_DIRECTORY 2
#define FLAG_LINK      4
#define FLAG_OLD       8
#define CRC_AT         8 /* in the header: of what follows it */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char place[64], path[512]; /* of all spools, and of the only one */
static int dir = -1;

static int open_spool(struct tt_sink_counters *counters, struct tt_spool **spool)
{
    const struct tt_spool_config config = {place, 64u << 10, 3600 * TT_NS_PER_S};
    _cleanup_free_ char *error = NULL;

    return tt_spool_open(&config, "fuzz", counters, spool, &error);
}

/* The only directory there, made by the spool itself. */
static void find_directory(void)
{
    struct tt_sink_counters counters = {0};
    struct tt_spool *spool = NULL;
    const struct dirent *entry;
    DIR *all;

    if (open_spool(&counters, &spool))
        abort();
    tt_spool_close(&spool, true);
    all = opendir(place);
    while (all && (entry = readdir(all)))
        if (*entry->d_name != '.')
            snprintf(path, sizeof(path), "%s/%s", place, entry->d_name);
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        abort();
    closedir(all);
}

static void empty_directory(void)
{
    DIR *all = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const struct dirent *entry;

    while (all && (entry = readdir(all)))
        if (unlinkat(dir, entry->d_name, 0))
            unlinkat(dir, entry->d_name, AT_REMOVEDIR);
    closedir(all);
}

static void remove_place(void)
{
    empty_directory();
    rmdir(path);
    rmdir(place);
}

/* ---- seeds ---- */

static void add_file(const char *name, struct tt_text *out)
{
    _cleanup_free_ char *data = NULL;
    uint8_t head[2];
    size_t size;

    if (tt_read_file_at(dir, name, UINT16_MAX, &data, &size, NULL))
        abort();
    head[0] = (uint8_t)(size >> 8);
    head[1] = (uint8_t)size;
    tt_text_add(out, "\1", 1);
    tt_text_puts(out, name);
    tt_text_add(out, "\n", 1);
    tt_text_add(out, (const char *)head, sizeof(head));
    tt_text_add(out, data, size);
}

/* What an agent that was killed leaves: batches of every kind, and "alive". */
static void write_batches(void)
{
    struct tt_sink_counters counters = {0};
    _cleanup_(tt_text_free) struct tt_text all = {0};
    struct tt_spool *spool = NULL;
    const struct dirent *entry;
    DIR *files;

    if (open_spool(&counters, &spool))
        abort();
    for (uint32_t i = 0; i < 2 * TT_ENCODINGS; i++) {
        const struct tt_spool_batch batch = {(const uint8_t *)"some body", i, i + 1, i / 2, i % 2};

        if (tt_spool_put(spool, &batch))
            abort();
    }
    tt_spool_alive(spool, tt_clock_ns(CLOCK_REALTIME));
    tt_spool_close(&spool, false);
    files = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    while (files && (entry = readdir(files)))
        if (*entry->d_name != '.')
            add_file(entry->d_name, &all);
    closedir(files);
    write_seed("batches", &all);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    tt_log_set_level(TT_LOG_ERROR); /* every damaged file is told */
    snprintf(place, sizeof(place), "%s/tangotrace-fuzz-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(place))
        abort();
    find_directory();
    atexit(remove_place);
    if (getenv("TT_SEEDS"))
        write_batches();
    return 0;
}

/* ---- one input ---- */

static void make_file(uint8_t flags, const char *name, uint8_t *content, size_t size)
{
    const struct timespec old[2] = {{.tv_sec = flags}, {.tv_sec = flags}};
    _cleanup_close_ int fd = -1;

    if (flags & FLAG_DIRECTORY) {
        mkdirat(dir, name, 0700);
        return;
    }
    if (flags & FLAG_LINK) {
        (void)!symlinkat("lock", dir, name);
        return;
    }
    if ((flags & FLAG_CHECKSUM) && size >= CRC_AT + sizeof(uint32_t)) {
        const uint8_t *from = content + CRC_AT + sizeof(uint32_t);
        uint32_t crc = libdeflate_crc32(0, from, size - (size_t)(from - content));

        memcpy(content + CRC_AT, &crc, sizeof(crc));
    }
    fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    if (tt_write_all(fd, content, size))
        abort();
    if (flags & FLAG_OLD)
        futimens(fd, old);
}

static void make_files(const uint8_t *data, size_t size)
{
    while (size > 4) {
        uint8_t flags = *data;
        const uint8_t *end = memchr(data + 1, '\n', size - 1);
        size_t length = end ? (size_t)(end - data) - 1 : 0, used = length + 4, body;
        _cleanup_free_ char *name = strndup((const char *)data + 1, length);
        _cleanup_free_ uint8_t *content = NULL;

        if (!end || used > size)
            return;
        body = (size_t)end[1] << 8 | end[2];
        if (body > size - used)
            body = size - used;
        content = malloc(body + 1);
        if (!name || !content)
            abort();
        memcpy(content, data + used, body);
        if (*name && !strchr(name, '/'))
            make_file(flags, name, content, body);
        data += used + body;
        size -= used + body;
    }
}

static uint64_t sum(const uint8_t *data, size_t size)
{
    uint64_t all = 0;

    for (size_t i = 0; i < size; i++)
        all += data[i];
    return all;
}

/* All `items` are accounted for, and `last` comes last. */
static void drain(struct tt_spool *spool, const struct tt_sink_counters *counters,
                  const struct tt_spool_batch *last, uint64_t items)
{
    struct tt_spool_batch batch;
    volatile uint64_t all = 0;
    uint64_t sent = 0;
    bool same = false;

    while (tt_spool_oldest(spool, &batch)) {
        if (batch.encoding >= TT_ENCODINGS || tt_spool_is_empty(spool))
            abort();
        all += sum(batch.data, batch.size);
        sent += batch.items;
        same = batch.size == last->size && batch.items == last->items &&
               !memcmp(batch.data, last->data, batch.size);
        tt_spool_remove(spool);
    }
    if (!same || !tt_spool_is_empty(spool) || counters->spooled || counters->spool_bytes ||
        sent + counters->dropped_spool + counters->dropped_age + counters->dropped_damaged != items)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t body[] = "a batch that is new";
    const struct tt_spool_batch batch = {body, sizeof(body), 7, TT_ENCODING_GZIP, true};
    struct tt_sink_counters counters = {0}, next = {0};
    struct tt_spool *spool = NULL;

    empty_directory();
    make_files(data, size);
    if (open_spool(&counters, &spool)) { /* "lock" is a directory, say */
        if (spool || counters.spooled || counters.spool_bytes || counters.carried)
            abort();
        return 0;
    }
    if (tt_spool_put(spool, &batch))
        abort();
    if (size & 1) { /* it is the next agent that sends */
        tt_spool_close(&spool, false);
        if (open_spool(&next, &spool))
            abort();
        drain(spool, &next, &batch, next.carried);
    } else {
        drain(spool, &counters, &batch, counters.carried + batch.items);
    }
    tt_spool_close(&spool, true);
    return 0;
}
