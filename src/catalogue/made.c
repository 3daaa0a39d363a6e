/* SPDX-License-Identifier: GPL-2.0-only */
/* made.c: rows that are not of the catalogue, but made of one for a file at hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue/catalogue.h"

static void read_argument(const char *text, struct tt_row_argument *argument)
{
    struct tt_row_argument read = {0};

    if (sscanf(text, "%39[^:,]:%15[^,]", read.name, read.kind) != 2)
        return;
    read.text = !strcmp(read.kind, "char*") || !strcmp(read.kind, "string");
    *argument = read;
}

/* Once, and not with every event. What makes no sense stays empty: a recording may say anything. */
static void read_arguments(const char *text, struct tt_row_argument asked[TT_PROBE_ARGUMENTS])
{
    for (unsigned i = 0; text && i < TT_PROBE_ARGUMENTS; i++) {
        read_argument(text, &asked[i]);
        text = strchr(text, ',');
        text += text != NULL;
    }
}

struct tt_row *tt_row_make(const struct tt_row *like, const char *name)
{
    struct made {
        struct tt_row row;
        struct tt_row_argument asked[TT_PROBE_ARGUMENTS];
        char texts[];
    } * made;
    size_t size = strlen(name) + 1, more = like->arguments ? strlen(like->arguments) + 1 : 0;

    made = calloc(1, sizeof(*made) + size + more);
    if (!made)
        return NULL;
    made->row = *like;
    made->row.name = memcpy(made->texts, name, size);
    if (more) {
        made->row.arguments = memcpy(made->texts + size, like->arguments, more);
        read_arguments(like->arguments, made->asked);
        made->row.asked = made->asked;
    }
    return &made->row;
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
