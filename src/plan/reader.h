/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reader.h (private to plan): reads little-endian values out of a bounded range of untrusted bytes. A read
 * past the end gives 0, marks the reader as failed and leaves it at its end, so that loops end and callers
 * may check once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tt_reader {
    const uint8_t *p, *end;
    uint64_t address; /* virtual address of p */
    bool failed;
};

/* Over `size` bytes at `p`; NULL gives a failed reader. */
static inline struct tt_reader tt_reader_over(const uint8_t *p, uint64_t size, uint64_t address)
{
    static const uint8_t nothing[1];

    return p ? (struct tt_reader){p, p + size, address, false}
             : (struct tt_reader){nothing, nothing, address, true};
}

static inline size_t tt_reader_left(const struct tt_reader *reader)
{
    return (size_t)(reader->end - reader->p);
}

static inline const uint8_t *tt_reader_skip(struct tt_reader *reader, uint64_t size)
{
    const uint8_t *p = reader->p;

    if (size > tt_reader_left(reader)) {
        reader->failed = true;
        size = tt_reader_left(reader);
        p = NULL;
    }
    reader->p += size;
    reader->address += size;
    return p;
}

/* An unsigned value of 1, 2, 4 or 8 bytes. */
static inline uint64_t tt_reader_uint(struct tt_reader *reader, size_t size)
{
    const uint8_t *p = tt_reader_skip(reader, size);
    uint64_t value = 0;

    if (p)
        memcpy(&value, p, size);
    return value;
}

static inline int64_t tt_reader_int(struct tt_reader *reader, size_t size)
{
    unsigned shift = 64 - 8 * (unsigned)size;

    return (int64_t)(tt_reader_uint(reader, size) << shift) >> shift;
}

static inline uint64_t tt_reader_leb(struct tt_reader *reader, bool is_signed)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = (uint8_t)tt_reader_uint(reader, 1);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while ((byte & 0x80) && !reader->failed);
    if (is_signed && shift < 64 && (byte & 0x40))
        value |= ~0ull << shift;
    return value;
}

static inline uint64_t tt_reader_uleb(struct tt_reader *reader)
{
    return tt_reader_leb(reader, false);
}

static inline int64_t tt_reader_sleb(struct tt_reader *reader)
{
    return (int64_t)tt_reader_leb(reader, true);
}
