/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * types.h (private to plan): the C++ classes of a file that have bases, by their type descriptions (RTTI;
 * Itanium C++ ABI, section 2.9.5). These are found by the virtual table they begin with: that of
 * __si_class_type_info (one base) or __vmi_class_type_info (several), known by its symbol, or, where the C++
 * runtime is in the file itself and all symbols are gone, by the name in its own type description. Classes
 * without bases are no types here.
 */
#pragma once

#include "plan/pointers.h"

#define TT_TYPE_NONE UINT32_MAX

struct tt_type_base {
    const char *name; /* mangled: "N5Tango4AttrE"; NULL: not known */
    uint32_t type;    /* index of it, if it is one of this file's types, else TT_TYPE_NONE */
    int64_t offset;   /* of its part in the object */
    bool is_virtual;  /* the offset is not known */
};

struct tt_type {
    uint64_t at, size;     /* of the type description */
    const char *name;      /* mangled, in the file's bytes */
    uint32_t first, count; /* its bases */
};

struct tt_types {
    const struct tt_pointers *pointers;
    struct tt_type *array; /* by address */
    size_t count;
    struct tt_type_base *bases;
    size_t base_count;
};

/* 0, -E2BIG or -ENOMEM. Uses the pointers until it is freed. */
int tt_types_read(const struct tt_pointers *pointers, struct tt_types *types);
void tt_types_free(struct tt_types *types);

/* The type described at that address; TT_TYPE_NONE if there is none. */
uint32_t tt_type_at(const struct tt_types *types, uint64_t address);
