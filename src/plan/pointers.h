/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pointers.h (private to plan): the words of a file that hold addresses once it is loaded: what relocations
 * say (RELA, RELR, copy relocations), and in a program at fixed addresses what the words themselves say.
 * Slots of the GOT and the PLT are left out, as far as symbols fill them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/elf.h"

struct tt_pointer {
    uint64_t at; /* of the word */
    uint64_t
        target; /* address in this file; if it is bound to another file's symbol: what is added to that */
    uint32_t symbol; /* dynamic symbol it is bound to, 0 = none */
    bool here;       /* `target` is an address in this file */
};

/* A variable of a library that the dynamic linker copies into this program, where its users look for it. */
struct tt_copy {
    uint64_t address, size;
    const char *name;
};

struct tt_pointers {
    struct tt_elf *elf;
    struct tt_pointer *array; /* by address, each once */
    size_t count;
    struct tt_copy *copies; /* by address */
    size_t copy_count;
};

/* 0; -E2BIG: more than anyone's file has; another negative errno. Uses `elf` until it is freed. */
int tt_pointers_read(struct tt_elf *elf, struct tt_pointers *pointers);
void tt_pointers_free(struct tt_pointers *pointers);

/* The pointer in the word at `address`, or NULL. */
const struct tt_pointer *tt_pointer_at(const struct tt_pointers *pointers, uint64_t address);

/* Name of the symbol that the pointer is bound to, and what is added to its address; NULL if it is none. */
const char *tt_pointer_symbol(const struct tt_pointers *pointers, const struct tt_pointer *pointer,
                              uint64_t *addend);

/* The text that ends in NUL at `address`, or NULL if there is none of at most `max` bytes. */
const char *tt_elf_text(struct tt_elf *elf, uint64_t address, size_t max);
