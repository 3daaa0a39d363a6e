/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cfi.h (private to plan): what .eh_frame tells of a function: its extent, the expression of its canonical
 * frame address (CFA) at each instruction, and where exceptions land in it. DWARF 5 section 6.4; Linux
 * Standard Base 5.0, Core, section 10.6 (.eh_frame, .eh_frame_hdr); Itanium C++ ABI, exception handling
 * tables (LSDA).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/elf.h"
#include "plan/reader.h"

struct tt_fde {
    uint64_t begin, end; /* [begin, end) of code */
    uint64_t lsda;       /* address of the exception table, 0 = none */
    uint64_t code_align;
    int64_t data_align;
    struct tt_reader initial, program; /* call frame instructions of the CIE and of the FDE */
};

struct tt_cfa {
    uint8_t reg; /* enum tt_reg */
    int32_t offset;
};

/*
 * Finds the entry that covers `address` by the search table of .eh_frame_hdr. -ENOENT: none; -EINVAL: damaged
 * or of a form no linker makes.
 */
int tt_cfi_find(struct tt_elf *elf, uint64_t address, struct tt_fde *fde);

/* CFA before the instruction at `address` is executed. -ENOENT: it is no register + offset; -EINVAL: damaged.
 */
int tt_cfi_cfa(const struct tt_fde *fde, uint64_t address, struct tt_cfa *cfa);

/*
 * Addresses where exceptions thrown in this function land, at most `max` of them, unsorted, with repeats.
 * Returns their number, 0 without a table, -E2BIG if there are more, -EINVAL if the table is damaged.
 */
int tt_cfi_landing_pads(struct tt_elf *elf, const struct tt_fde *fde, uint64_t *pads, size_t max);
