/* SPDX-License-Identifier: GPL-2.0-only */
/* grid.h: a table for people: columns as wide as their widest cell, counted in characters. */
#pragma once

#include <stddef.h>

#include "base/text.h"

struct tt_grid {
    const char *const *titles;
    int columns;
    unsigned right;        /* bit of each column that is set to the right */
    struct tt_text *cells; /* row by row */
    size_t rows;
};

/* The cells of a new row; NULL when out of memory. */
struct tt_text *tt_grid_row(struct tt_grid *grid);
/* Titles and the first `rows` rows, the first `columns` columns, to `out`; a line is cut after `width`
 * characters (0: never). Nothing if there is no row. */
void tt_grid_print(const struct tt_grid *grid, int columns, size_t rows, int width, struct tt_text *out);
void tt_grid_free(struct tt_grid *grid);
