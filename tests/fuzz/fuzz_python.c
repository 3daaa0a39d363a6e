/* SPDX-License-Identifier: GPL-2.0-only */
/* fuzz_python.c: line tables of code objects. First byte: kind; second: offset of the instruction. */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "python/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *table; /* of its own, so that a read beyond it is found */
    unsigned line;

    if (size < 2)
        return 0;
    table = malloc(size - 2 ? size - 2 : 1);
    if (!table)
        return 0;
    memcpy(table, data + 2, size - 2);
    line = tt_python_line(data[0] % 3, table, size - 2, 1, data[1]);
    if (line > INT_MAX || tt_python_line(data[0] % 3, table, size - 2, 1, UINT64_MAX) > INT_MAX)
        abort();
    free(table);
    return 0;
}
