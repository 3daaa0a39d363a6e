/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memory.h (private to python): Python objects in the memory of a process. Everything there may change or
 * make no sense at any time: reads are bounded in size and number, and a reader that met anything odd has
 * failed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "catalogue/python.h"

#define TT_PYTHON_NAME_MAX 256
#define TT_PYTHON_FILE_MAX 1024

struct tt_pymem {
    pid_t pid;
    const struct tt_python_layout *layout;
    unsigned left; /* reads that may still be made */
    bool failed;
};

bool tt_pymem_read(struct tt_pymem *mem, uint64_t address, void *buffer, size_t size);
uint64_t tt_pymem_word(struct tt_pymem *mem, uint64_t address);
uint32_t tt_pymem_u32(struct tt_pymem *mem, uint64_t address);
/* False (and failed): it is no object any more. */
bool tt_pymem_alive(struct tt_pymem *mem, uint64_t object);
/* A str as UTF-8, NUL-ended; false (and failed) if it does not fit or is none. */
bool tt_pymem_str(struct tt_pymem *mem, uint64_t object, char *text, size_t size);
/* Is the object's type called so (tp_name)? */
bool tt_pymem_is(struct tt_pymem *mem, uint64_t object, const char *type);
bool tt_pymem_type_name(struct tt_pymem *mem, uint64_t type, char *text, size_t size);
/* The value under a key that is a str; 0: none. */
uint64_t tt_pymem_dict_get(struct tt_pymem *mem, uint64_t dict, const char *key);
/* Items of a tuple; entries beyond `max` are left out. */
size_t tt_pymem_tuple(struct tt_pymem *mem, uint64_t tuple, uint64_t *items, size_t max);
