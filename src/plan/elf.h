/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * elf.h (private to plan): a bounded reader of one untrusted ELF file: segments, symbols, PLT slots. What the
 * dynamic linker uses (program headers, PT_DYNAMIC) is believed before section headers, which serve for
 * .symtab only.
 *
 * The file is read by pread in chunks when first touched, never mapped: a file that is truncated while it is
 * being read would kill a mapping's reader by SIGBUS, and most files are only asked for their symbols.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tt_elf_load {
    uint64_t offset, address, size; /* the part that is in the file */
    bool executable;
};

struct tt_elf_symbol {
    const char *name; /* in the file's bytes: lives as long as the tt_elf */
    uint64_t address, size;
    bool dynamic; /* of .dynsym, else of .symtab */
};

struct tt_elf_slot { /* a word the dynamic linker fills with the address of a symbol */
    uint64_t address;
    const char *name;
};

/* What PT_DYNAMIC says; addresses are virtual, 0 = absent. */
struct tt_elf_dynamic {
    uint64_t symtab, strtab, strsz, hash, gnu_hash, soname;
    uint64_t rela, relasz, jmprel, pltrelsz, relr, relrsz;
    uint64_t symbol_count;
    bool has_soname;
};

/* A string table that ends in NUL, so that every offset below its size is a C string. */
struct tt_elf_strings {
    const char *data;
    uint64_t size;
};

struct tt_elf {
    int fd;
    uint64_t size;
    uint8_t *data;   /* `size` bytes, valid where loaded */
    uint8_t *loaded; /* one byte per chunk */
    bool unreadable; /* bytes that should be there could not be read: what was made of the rest is worth
                        nothing */

    struct tt_elf_load *loads;
    size_t load_count;
    uint64_t highest; /* address behind the last byte in memory, .bss included */
    bool fixed;       /* loaded at these very addresses (ET_EXEC) */
    struct tt_elf_dynamic dynamic;
    struct tt_elf_strings strings; /* of the dynamic symbols */
    uint64_t eh_frame_hdr;         /* virtual address, 0 = none */
    uint64_t eh_frame_hdr_size;

    struct tt_elf_symbol *symbols; /* defined functions, by address, then name */
    size_t symbol_count;
    struct tt_elf_slot *slots; /* by address */
    size_t slot_count;
    /* addresses of _PyRuntime, Py_Version and PyMethod_Type, 0 = not exported */
    uint64_t python_runtime, python_version, python_method;
    struct tt_elf_symbol *tables; /* virtual tables and type descriptions of namespace Tango ("_ZTV..,
                                     _ZTI..") that are defined here, by name */
    size_t table_count;
    bool tango_types;          /* knows one of cppTango's types, defined here or not */
    bool program;              /* has an interpreter or no dynamic section: not a shared library */
    const char *soname;        /* or NULL */
    const char *tango_library; /* that it was linked with ("libtango.so.9"), or NULL */
    uint8_t build_id[32];
    size_t build_id_size;
};

/*
 * Reads headers and symbols; .symtab of programs only, since libraries export what matters. `symbols_only`:
 * no slots. `elf` is zeroed first; on failure nothing is left to close, *why (static text) says what is
 * wrong. The descriptor stays the caller's and is used until close.
 */
int tt_elf_open(struct tt_elf *elf, int fd, bool symbols_only, const char **why);
void tt_elf_close(struct tt_elf *elf);

/* `size` bytes at a file offset, or NULL if they are not in the file or cannot be read. */
const uint8_t *tt_elf_bytes(struct tt_elf *elf, uint64_t offset, uint64_t size);
/* The same at a virtual address; must lie in one segment. */
const uint8_t *tt_elf_at(struct tt_elf *elf, uint64_t address, uint64_t size);
/* Segment that holds `address`, or NULL. */
const struct tt_elf_load *tt_elf_load(const struct tt_elf *elf, uint64_t address);
/* File bytes from `address` to the end of its segment; 0 if it is in none. */
uint64_t tt_elf_rest(const struct tt_elf *elf, uint64_t address);

/* The next stretch of the file at or behind *offset that was read so far; false: none. */
bool tt_elf_next_loaded(const struct tt_elf *elf, uint64_t *offset, uint64_t *size);

/* A function symbol that starts at `address`; split parts (".cold") do not count. NULL if there is none. */
const struct tt_elf_symbol *tt_elf_symbol_at(const struct tt_elf *elf, uint64_t address);
/* Is a function of that name defined here? */
bool tt_elf_exports(const struct tt_elf *elf, const char *name);
/* The nth dynamic symbol: its name, or NULL; *value: its address if it is defined here, else 0. */
const char *tt_elf_dynamic_symbol(struct tt_elf *elf, uint64_t index, uint64_t *value);
/* The symbol whose address the word at `address` gets, or NULL. */
const char *tt_elf_slot_at(const struct tt_elf *elf, uint64_t address);
