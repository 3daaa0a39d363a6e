/* SPDX-License-Identifier: GPL-2.0-only */
/* symbols.h (private to elf.c): the second half of opening a file. */
#pragma once

#include <elf.h>

#include "plan/elf.h"

/* Symbols, tables, and slots unless `symbols_only`, of a file whose segments and dynamic section (`phdr`; of
 * another type: there is none) are known. 0, -ENOMEM, or -EINVAL with *why. */
int tt_elf_read_symbols(struct tt_elf *elf, const Elf64_Ehdr *header, const Elf64_Phdr *phdr,
                        bool symbols_only, const char **why);
