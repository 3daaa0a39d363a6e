/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * recording_read.c: record by record through a buffer. Everything before the first damage is given out; what
 * comes behind it is only counted, since nothing tells where a whole record begins again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <libdeflate.h>

#include "base/cleanup.h"
#include "collect/recording.h"

#define BUFFER (1u << 20) /* more than the largest record */

struct tt_recording_reader {
    int fd;
    uint8_t *buffer;
    size_t at, end;  /* unread part of the buffer; `at` is a multiple of 8 */
    uint64_t used;   /* bytes of the file before `at` */
    uint32_t number; /* of the last record */
    bool ended, failed, eof;
    char damage[160];
    uint64_t rest;
};

static int read_some(struct tt_recording_reader *reader)
{
    ssize_t n;

    do {
        n = read(reader->fd, reader->buffer + reader->end, BUFFER - reader->end);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    reader->end += (size_t)n;
    reader->eof = n == 0;
    return 0;
}

/* Sees to `size` unread bytes in the buffer; false: the file has fewer (or cannot be read). */
static bool fill(struct tt_recording_reader *reader, size_t size)
{
    if (reader->end - reader->at >= size)
        return true;
    memmove(reader->buffer, reader->buffer + reader->at, reader->end - reader->at);
    reader->end -= reader->at;
    reader->at = 0;
    while (reader->end < size && !reader->eof && !reader->failed) {
        int error = read_some(reader);

        if (error) {
            reader->failed = true;
            snprintf(reader->damage, sizeof(reader->damage), "cannot be read at byte %" PRIu64 ": %s",
                     reader->used, strerror(-error));
        }
    }
    return reader->end >= size;
}

static bool damaged(struct tt_recording_reader *reader, const char *what)
{
    reader->ended = true;
    if (!*reader->damage)
        snprintf(reader->damage, sizeof(reader->damage), "%s at byte %" PRIu64, what, reader->used);
    /* Counts the rest. */
    reader->rest = reader->end - reader->at;
    while (!reader->eof && !reader->failed) {
        reader->at = reader->end = 0;
        if (read_some(reader))
            break;
        reader->rest += reader->end;
    }
    reader->at = reader->end = 0;
    return false;
}

bool tt_recording_next(struct tt_recording_reader *reader, struct tt_record *record)
{
    static const uint8_t zeros[8];
    struct tt_record_header header;
    const uint8_t *payload;
    size_t padded;
    uint32_t crc;

    if (reader->ended)
        return false;
    if (!fill(reader, sizeof(header)))
        return damaged(reader, reader->end > reader->at ? "cut" : "ends without its last record");
    memcpy(&header, reader->buffer + reader->at, sizeof(header));
    if (header.size > TT_RECORD_MAX || header.number != reader->number + 1)
        return damaged(reader, "damaged");
    padded = sizeof(header) + ((header.size + 7u) & ~(size_t)7);
    if (!fill(reader, padded))
        return damaged(reader, "cut");
    payload = reader->buffer + reader->at + sizeof(header);
    crc = libdeflate_crc32(0, &header, offsetof(struct tt_record_header, crc));
    if (libdeflate_crc32(crc, payload, header.size) != header.crc ||
        memcmp(payload + header.size, zeros, padded - sizeof(header) - header.size) != 0)
        return damaged(reader, "damaged");
    reader->number = header.number;
    reader->at += padded;
    reader->used += padded;
    record->type = (enum tt_record_type)header.type;
    record->data = payload;
    record->size = header.size;
    if (header.type == TT_RECORD_END) {
        reader->ended = true;
        if (fill(reader, 1)) {
            damaged(reader, "more bytes behind its last record");
        }
    }
    return true;
}

const char *tt_recording_damage(struct tt_recording_reader *reader, uint64_t *rest)
{
    *rest = reader->rest;
    return *reader->damage ? reader->damage : NULL;
}

uint64_t tt_recording_bytes(const struct tt_recording_reader *reader)
{
    return reader->used;
}

/* NULL: it is one of ours. */
static const char *check_header(struct tt_recording_reader *reader, char *text, size_t size)
{
    struct tt_recording_header header;

    if (!fill(reader, sizeof(header)))
        return reader->failed ? reader->damage : "is too short for a recording";
    memcpy(&header, reader->buffer, sizeof(header));
    if (memcmp(header.magic, TT_RECORDING_MAGIC, sizeof(header.magic)) != 0)
        return "is no recording of tangotrace";
    if (header.version != TT_RECORDING_VERSION) {
        snprintf(text, size, "is of format %" PRIu32 ", this tangotrace reads format %d", header.version,
                 TT_RECORDING_VERSION);
        return text;
    }
    if (header.size != sizeof(header) ||
        libdeflate_crc32(0, &header, offsetof(struct tt_recording_header, crc)) != header.crc)
        return "is damaged in its first bytes";
    reader->at = reader->used = sizeof(header);
    return NULL;
}

int tt_recording_open_fd(int fd, const char *name, struct tt_recording_reader **reader, char **error)
{
    struct tt_recording_reader *made = calloc(1, sizeof(*made));
    const char *why;
    char text[80];

    *error = NULL;
    if (made)
        made->buffer = aligned_alloc(64, BUFFER);
    if (!made || !made->buffer) {
        free(made);
        close(fd);
        return -ENOMEM;
    }
    made->fd = fd;
    why = check_header(made, text, sizeof(text));
    if (why) {
        *error = tt_format("%s %s", name, why);
        tt_recording_reader_free(&made);
        return -EINVAL;
    }
    *reader = made;
    return 0;
}

int tt_recording_open(const char *path, struct tt_recording_reader **reader, char **error)
{
    int fd = strcmp(path, "-") != 0 ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : dup(STDIN_FILENO);
    int err = fd < 0 ? -errno : 0;

    if (err) {
        *error = tt_format("cannot open %s: %s", path, strerror(-err));
        return err;
    }
    return tt_recording_open_fd(fd, path, reader, error);
}

void tt_recording_reader_free(struct tt_recording_reader **reader)
{
    struct tt_recording_reader *r = TAKE_PTR(*reader);

    if (!r)
        return;
    tt_cleanup_close(&r->fd);
    free(r->buffer);
    free(r);
}
