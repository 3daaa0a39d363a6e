/* SPDX-License-Identifier: GPL-2.0-only */
/* made.c: rows that are not of the catalogue, but made of one for a file at hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue/catalogue.h"

struct tt_row *tt_row_make(const struct tt_row *like, const char *name)
{
    size_t size = strlen(name) + 1, more = like->arguments ? strlen(like->arguments) + 1 : 0;
    struct tt_row *row = malloc(sizeof(*row) + size + more);
    char *texts = (char *)(row + 1);

    if (!row)
        return NULL;
    *row = *like;
    row->name = memcpy(texts, name, size);
    if (more)
        row->arguments = memcpy(texts + size, like->arguments, more);
    return row;
}

struct tt_row *tt_row_make_method(const char *name, const char *arguments)
{
    const struct tt_row method = {
        .library = TT_LIBRARY_TANGO,
        .role = TT_ROLE_METHOD,
        .detail = TT_DETAIL_METHODS,
        .foreign = true,
        .arguments = arguments,
    };

    return tt_row_make(&method, name);
}

bool tt_row_argument(const struct tt_row *row, unsigned index, struct tt_row_argument *argument)
{
    const char *at = row->arguments;

    for (; at && index; index--) {
        at = strchr(at, ',');
        at += at != NULL;
    }
    if (!at || sscanf(at, "%39[^:,]:%15[^,]", argument->name, argument->kind) != 2)
        return false;
    argument->text = !strcmp(argument->kind, "char*") || !strcmp(argument->kind, "string");
    return true;
}
