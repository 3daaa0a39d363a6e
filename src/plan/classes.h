/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * classes.h (private to plan): which functions of a file take the place of cppTango's virtual functions. What
 * lies in which slot of a virtual table is read out of cppTango's own tables (struct tt_bases), so no version
 * has to be known; a slot that these do not tell for sure has no meaning.
 */
#pragma once

#include "plan/plan.h"
#include "plan/types.h"

#define TT_SLOT_NO_ROW UINT32_MAX

struct tt_base_slot {
    char *method; /* "init_device()", as all classes of cppTango name it; NULL: not known */
    uint32_t row; /* of the catalogue, or TT_SLOT_NO_ROW */
};

/* A class of cppTango that user classes derive from. */
struct tt_base {
    char *name;    /* mangled: "N5Tango12Device_5ImplE" */
    uint32_t root; /* index of that of its bases which the rows name; itself, if it is one */
    bool known;    /* has such a root */
    struct tt_base_slot *slots;
    size_t slot_count;
};

struct tt_bases {
    struct tt_base *array; /* by name */
    size_t count;
    const struct tt_layout *layout;
    char *path;
};

/* "init_device()" of "_ZN9TangoTest11init_deviceEv": a mangled function without namespaces and class. The
 * caller's (free); NULL: it is none, or out of memory. */
char *tt_class_method(const char *symbol);

/* Does code of the file lie at the address? */
bool tt_class_code(const struct tt_elf *elf, uint64_t address);

/* Class by its mangled name, or NULL. */
const struct tt_base *tt_base_find(const struct tt_bases *bases, const char *name);

/* One virtual table of a user class, where it stands for a class of cppTango. */
struct tt_class_table {
    uint32_t type; /* index into the types */
    const struct tt_base *base;
    int64_t offset;   /* of the base's part in the object */
    uint64_t address; /* of slot 0 */
};

/* All such tables of the file, by address. *result is the caller's (free). 0 or -ENOMEM. */
int tt_class_tables(const struct tt_types *types, const struct tt_bases *bases,
                    struct tt_class_table **result, size_t *count);

/* The function of this file that lies in a slot; 0: another file's, none, or none that is known. */
uint64_t tt_class_slot(const struct tt_pointers *pointers, uint64_t table, uint64_t slot);

/* Is there a function in that slot, of whichever file? */
bool tt_class_filled(const struct tt_pointers *pointers, uint64_t table, uint64_t slot);

/* Does the first class derive from the second, or are they the same? */
bool tt_type_derives(const struct tt_types *types, uint32_t type, uint32_t from);
