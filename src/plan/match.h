/* SPDX-License-Identifier: GPL-2.0-only */
/* match.h (private to plan): which functions of a file the catalogue's rows name. */
#pragma once

#include <stdint.h>

#include "plan/elf.h"

struct tt_match {
    uint32_t row; /* index into tt_rows */
    const struct tt_elf_symbol *symbol;
    char *signature; /* demangled, owned */
};

/* All matches, by row, then address, then symbol; *matches is the caller's. 0 or -ENOMEM. */
int tt_match_symbols(const struct tt_elf *elf, struct tt_match **result, size_t *result_count);
void tt_match_free(struct tt_match **matches, size_t count);
