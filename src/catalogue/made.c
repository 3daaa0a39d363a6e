/* SPDX-License-Identifier: GPL-2.0-only */
/* made.c: rows that are not of the catalogue, but made of one for a file at hand. */
#include <stdlib.h>
#include <string.h>

#include "catalogue/catalogue.h"

struct tt_row *tt_row_make(const struct tt_row *like, const char *name)
{
    size_t size = strlen(name) + 1;
    struct tt_row *row = malloc(sizeof(*row) + size);

    if (!row)
        return NULL;
    *row = *like;
    row->name = memcpy((char *)(row + 1), name, size);
    return row;
}

struct tt_row *tt_row_make_method(const char *name)
{
    static const struct tt_row method = {
        .library = TT_LIBRARY_TANGO,
        .role = TT_ROLE_METHOD,
        .detail = TT_DETAIL_METHODS,
        .foreign = true,
    };

    return tt_row_make(&method, name);
}
