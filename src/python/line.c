/* SPDX-License-Identifier: GPL-2.0-only */
#include "python/line.h"

#include <stdbool.h>

/* A line number as the interpreter can have it; 0 for anything else. */
static unsigned valid(int64_t line)
{
    return line > 0 && line <= INT32_MAX ? (unsigned)line : 0;
}

/* Pairs (advance of the address, signed advance of the line): Objects/lnotab_notes.txt of CPython 3.9. */
static unsigned from_lnotab(const uint8_t *table, size_t size, int64_t line, uint64_t offset)
{
    uint64_t address = 0;

    for (size_t i = 0; i + 1 < size; i += 2) {
        address += table[i];
        if (address > offset)
            break;
        line += (int8_t)table[i + 1];
    }
    return valid(line);
}

/* Pairs (length of a range, signed advance of the line before it; -128: the range has no line):
 * Objects/lnotab_notes.txt of CPython 3.10. */
static unsigned from_linetable(const uint8_t *table, size_t size, int64_t line, uint64_t offset)
{
    uint64_t address = 0;

    for (size_t i = 0; i + 1 < size; i += 2) {
        int8_t advance = (int8_t)table[i + 1];
        bool none = advance == -128;

        if (!none)
            line += advance;
        address += table[i];
        if (address > offset)
            return none ? 0 : valid(line);
    }
    return 0;
}

struct reader {
    const uint8_t *at, *end;
};

/* 6 bits per byte, the lowest first; bit 6 says that more follow. */
static uint64_t read_varint(struct reader *reader)
{
    uint64_t value = 0;
    unsigned shift = 0;

    while (reader->at < reader->end) {
        uint8_t byte = *reader->at++;

        if (shift < 60)
            value |= (uint64_t)(byte & 63) << shift;
        shift += 6;
        if (!(byte & 64))
            break;
    }
    return value;
}

static int64_t read_signed(struct reader *reader)
{
    uint64_t value = read_varint(reader);

    return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

/* Entries: a byte with bit 7 set, code and number of units (2 bytes), then what the code says:
 * Objects/locations.md of CPython 3.11. */
static unsigned from_locations(const uint8_t *table, size_t size, int64_t line, uint64_t offset)
{
    struct reader reader = {table, table + size};
    uint64_t address = 0;

    while (reader.at < reader.end) {
        uint8_t byte = *reader.at++, code = byte >> 3 & 15;

        if (!(byte & 128))
            return 0;
        address += 2u * ((byte & 7) + 1u);
        if (code == 13 || code == 14)
            line += read_signed(&reader);
        else if (code >= 10 && code <= 12)
            line += code - 10;
        if (line > INT32_MAX || line < INT32_MIN)
            return 0;
        if (address > offset)
            return code == 15 ? 0 : valid(line);
        /* columns and last lines are of no interest: to the next entry */
        while (reader.at < reader.end && !(*reader.at & 128))
            reader.at++;
    }
    return 0;
}

unsigned tt_python_line(enum tt_python_lines kind, const uint8_t *table, size_t size, unsigned first,
                        uint64_t offset)
{
    switch (kind) {
    case TT_PYTHON_LNOTAB:
        return from_lnotab(table, size, first, offset);
    case TT_PYTHON_LINETABLE:
        return from_linetable(table, size, first, offset);
    case TT_PYTHON_LOCATIONS:
        return from_locations(table, size, first, offset);
    }
    return 0;
}
