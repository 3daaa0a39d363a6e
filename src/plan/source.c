/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void begin(struct tt_blake2b *state, const struct tt_plan_source *source)
{
    tt_blake2b_begin(state);
    tt_blake2b_add(state, &source->file_size, sizeof(source->file_size));
    tt_blake2b_add(state, source->ranges, source->range_count * sizeof(*source->ranges));
}

int tt_source_take(const struct tt_elf *elf, struct tt_plan_source *source)
{
    struct tt_plan_source made = {.file_size = elf->size};
    struct tt_plan_range range = {0};
    struct tt_blake2b state;

    if (elf->unreadable)
        return -EIO;
    while (tt_elf_next_loaded(elf, &range.offset, &range.size)) {
        made.range_count++;
        range.offset += range.size;
    }
    if (!made.range_count)
        return -EIO;
    made.ranges = calloc(made.range_count, sizeof(*made.ranges));
    if (!made.ranges)
        return -ENOMEM;
    range.offset = 0;
    for (size_t i = 0; i < made.range_count; i++) {
        tt_elf_next_loaded(elf, &range.offset, &range.size);
        made.ranges[i] = range;
        range.offset += range.size;
    }
    begin(&state, &made);
    for (size_t i = 0; i < made.range_count; i++)
        tt_blake2b_add(&state, elf->data + made.ranges[i].offset, made.ranges[i].size);
    tt_blake2b_end(&state, made.digest);
    *source = made;
    return 0;
}

static bool add_range(int fd, const struct tt_plan_range *range, struct tt_blake2b *state)
{
    uint8_t buffer[1 << 16];

    for (uint64_t done = 0; done < range->size;) {
        uint64_t rest = range->size - done;
        ssize_t n = pread(fd, buffer, rest < sizeof(buffer) ? rest : sizeof(buffer),
                          (off_t)(range->offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        tt_blake2b_add(state, buffer, (size_t)n);
        done += (uint64_t)n;
    }
    return true;
}

bool tt_source_matches(int fd, const struct tt_plan_source *source)
{
    uint8_t digest[TT_DIGEST_SIZE];
    struct tt_blake2b state;
    struct stat st;

    if (fstat(fd, &st) || (uint64_t)st.st_size != source->file_size)
        return false;
    begin(&state, source);
    for (size_t i = 0; i < source->range_count; i++) {
        if (!add_range(fd, &source->ranges[i], &state))
            return false;
    }
    tt_blake2b_end(&state, digest);
    return !memcmp(digest, source->digest, sizeof(digest));
}
