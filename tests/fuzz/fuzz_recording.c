/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arbitrary bytes as a recording, through reader and pipeline; then the same with every checksum and record
 * number put right, so that what lies behind them is reached.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "agent/replay.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "options/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct tt_options *options(void)
{
    static struct tt_options parsed;
    static bool done;
    char *argv[] = {"--export", "none", NULL}, *error = NULL;

    if (!done && tt_options_parse(&parsed, TT_COMMAND_REPLAY, argv, NULL, &error))
        abort();
    done = true;
    tt_log_set_level(TT_LOG_ERROR);
    return &parsed;
}

static void replay(const uint8_t *data, size_t size)
{
    static const volatile bool never;
    struct tt_recording_reader *reader = NULL;
    _cleanup_free_ char *error = NULL;
    struct tt_replay *replay = NULL;
    int fd = memfd_create("recording", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
        abort();
    if (tt_recording_open_fd(fd, "input", &reader, &error))
        return;
    if (tt_replay_new(options(), reader, 0, &replay))
        return;
    tt_replay_run(replay, &never);
    tt_replay_stop(replay);

    const struct tt_replay_stats *stats = tt_replay_stats(replay);
    if (stats->bytes + stats->rest > size || (!stats->damage && stats->bytes != size))
        abort();
    tt_replay_report(replay);
    tt_replay_free(&replay);
}

/* Makes a sound file of what looks like records. */
static void sign(uint8_t *data, size_t size)
{
    struct tt_recording_header head = {.version = TT_RECORDING_VERSION, .size = sizeof(head)};
    uint32_t number = 0;

    if (size < sizeof(head))
        return;
    memcpy(head.magic, TT_RECORDING_MAGIC, sizeof(head.magic));
    head.crc = (uint32_t)crc32(0, (const Bytef *)&head, offsetof(struct tt_recording_header, crc));
    memcpy(data, &head, sizeof(head));
    for (size_t at = sizeof(head); size - at >= sizeof(struct tt_record_header);) {
        struct tt_record_header record;

        memcpy(&record, data + at, sizeof(record));
        record.size %= TT_RECORD_MAX;
        if (record.size > size - at - sizeof(record))
            record.size = (uint32_t)(size - at - sizeof(record)) & ~7u;
        record.number = ++number;
        record.crc = (uint32_t)crc32(0, (const Bytef *)&record, offsetof(struct tt_record_header, crc));
        record.crc = (uint32_t)crc32(record.crc, data + at + sizeof(record), record.size);
        memcpy(data + at, &record, sizeof(record));
        at += sizeof(record) + record.size + (-record.size & 7);
        if (at > size)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    replay(data, size);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    sign(copy, size);
    replay(copy, size);
    free(copy);
    return 0;
}
