/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/grid.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 16

struct tt_text *tt_grid_row(struct tt_grid *grid)
{
    size_t columns = (size_t)grid->columns;
    struct tt_text *cells = reallocarray(grid->cells, grid->rows + 1, columns * sizeof(*cells)), *row;

    if (!cells)
        return NULL;
    grid->cells = cells;
    row = cells + grid->rows++ * columns;
    memset(row, 0, columns * sizeof(*row));
    return row;
}

void tt_grid_free(struct tt_grid *grid)
{
    for (size_t i = 0; i < grid->rows * (size_t)grid->columns; i++)
        tt_text_free(&grid->cells[i]);
    free(grid->cells);
    grid->cells = NULL;
    grid->rows = 0;
}

/* Characters, not bytes. */
static int width_of(const char *text)
{
    int width = 0;

    for (; text && *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static const char *cell(const struct tt_grid *grid, size_t row, int column)
{
    const char *text = row ? grid->cells[(row - 1) * (size_t)grid->columns + (size_t)column].data
                           : grid->titles[column];

    return text ? text : "";
}

/* Cuts what was added to `out` since `start` after `width` characters. */
static void cut(struct tt_text *out, size_t start, int width)
{
    if (out->failed)
        return;
    for (size_t i = start; i < out->size; i++) {
        if (((unsigned char)out->data[i] & 0xc0) == 0x80 || width-- > 0)
            continue;
        out->size = i;
        out->data[i] = '\0';
    }
}

static void print_row(const struct tt_grid *grid, size_t row, const int *width, int columns,
                      struct tt_text *out)
{
    for (int c = 0; c < columns; c++) {
        const char *text = cell(grid, row, c);
        int pad = width[c] - width_of(text);

        if (grid->right >> c & 1)
            tt_text_printf(out, "%*s%s", pad, "", text);
        else
            tt_text_printf(out, "%s%*s", text, c + 1 < columns ? pad : 0, "");
        tt_text_puts(out, c + 1 < columns ? "  " : "");
    }
}

void tt_grid_print(const struct tt_grid *grid, int columns, size_t rows, int width, struct tt_text *out)
{
    int widths[COLUMNS_MAX] = {0};

    if (!grid->rows || columns > COLUMNS_MAX)
        return;
    rows = rows < grid->rows ? rows : grid->rows;
    for (size_t r = 0; r <= rows; r++)
        for (int c = 0; c < columns; c++)
            if (width_of(cell(grid, r, c)) > widths[c])
                widths[c] = width_of(cell(grid, r, c));
    for (size_t r = 0; r <= rows; r++) {
        size_t start = out->size;

        print_row(grid, r, widths, columns, out);
        if (width)
            cut(out, start, width);
        tt_text_puts(out, "\n");
    }
}
