/* SPDX-License-Identifier: GPL-2.0-only */
/* line.h: the line of an instruction, out of the table that a code object carries. The bytes are untrusted.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "catalogue/python.h"

#define TT_PYTHON_TABLE_MAX 65536 /* bytes of a table that are looked at */

/* `offset`: of the instruction in the bytecode, in bytes. 0 if the table does not tell. */
unsigned tt_python_line(enum tt_python_lines kind, const uint8_t *table, size_t size, unsigned first,
                        uint64_t offset);
