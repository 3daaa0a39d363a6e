/* SPDX-License-Identifier: GPL-2.0-only */
/* symbols.c: the symbols of an ELF file and the words that are bound to them: read once, then looked up. */
#include "plan/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/bound.h"

static struct tt_elf_strings make_strings(const uint8_t *data, uint64_t size)
{
    while (data && size && data[size - 1])
        size--;
    return (struct tt_elf_strings){(const char *)data, data ? size : 0};
}

static const char *string_at(const struct tt_elf_strings *strings, uint64_t offset)
{
    return offset < strings->size ? strings->data + offset : NULL;
}

/*
 * PT_DYNAMIC does not say how many symbols there are: the highest index in the hash table does. DT_GNU_HASH:
 * header of 4 words, bloom filter, buckets, chains that end in an odd hash.
 */
static uint64_t count_gnu_hash(struct tt_elf *elf, uint64_t address)
{
    const uint8_t *bytes = tt_elf_at(elf, address, 16);
    uint64_t buckets_at, last = 0;
    uint32_t header[4], word;

    if (!bytes)
        return 0;
    memcpy(header, bytes, sizeof(header)); /* buckets, first symbol, bloom words, shift */
    buckets_at = address + 16 + 8ull * header[2];
    bytes = tt_elf_at(elf, buckets_at, 4ull * header[0]);
    if (!bytes)
        return 0;
    for (uint64_t i = 0; i < header[0]; i++) {
        memcpy(&word, bytes + 4 * i, 4);
        if (word > last)
            last = word;
    }
    if (last < header[1])
        return header[1];
    for (;; last++) {
        bytes = tt_elf_at(elf, buckets_at + 4ull * header[0] + 4 * (last - header[1]), 4);
        if (!bytes)
            return 0;
        memcpy(&word, bytes, 4);
        if (word & 1)
            return last + 1;
    }
}

static uint64_t count_hash(struct tt_elf *elf, uint64_t address)
{
    const uint8_t *bytes = tt_elf_at(elf, address, 8);
    uint32_t count = 0;

    if (bytes)
        memcpy(&count, bytes + 4, 4);
    return count;
}

/* The few exported data that are asked for. */
static void note_object(struct tt_elf *elf, const struct tt_elf_symbol *object)
{
    if (!strcmp(object->name, "_PyRuntime"))
        elf->python_runtime = object->address;
    else if (!strcmp(object->name, "Py_Version"))
        elf->python_version = object->address;
    else if (!strcmp(object->name, "PyMethod_Type"))
        elf->python_method = object->address;
}

/* Types of cppTango by their type descriptions. */
static bool is_tango_type(const char *name)
{
    return !strncmp(name, "_ZTIN5Tango", 11);
}

static bool is_table(const Elf64_Sym *symbol, const char *name)
{
    return ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT &&
           (is_tango_type(name) || !strncmp(name, "_ZTVN5Tango", 11));
}

static int add_table(struct tt_elf *elf, const struct tt_elf_symbol *table)
{
    if (elf->table_count % 64 == 0) {
        struct tt_elf_symbol *tables = reallocarray(elf->tables, elf->table_count + 64, sizeof(*tables));

        if (!tables)
            return -ENOMEM;
        elf->tables = tables;
    }
    elf->tables[elf->table_count++] = *table;
    return 0;
}

/* Appends what is wanted of a symbol table: defined functions, and tables. */
static int add_symbols(struct tt_elf *elf, const uint8_t *table, uint64_t count,
                       const struct tt_elf_strings *strings, bool dynamic)
{
    struct tt_elf_symbol *symbols = reallocarray(elf->symbols, elf->symbol_count + count + 1,
                                                 sizeof(*symbols));

    if (!symbols)
        return -ENOMEM;
    elf->symbols = symbols;
    for (uint64_t i = 0; i < count; i++) {
        struct tt_elf_symbol found = {.dynamic = dynamic};
        Elf64_Sym symbol;

        memcpy(&symbol, table + i * sizeof(symbol), sizeof(symbol));
        found.name = string_at(strings, symbol.st_name);
        found.address = symbol.st_value;
        found.size = symbol.st_size;
        if (!found.name || !*found.name)
            continue;
        elf->tango_types |= is_tango_type(found.name);
        if (symbol.st_shndx == SHN_UNDEF || !symbol.st_value)
            continue;
        if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC)
            elf->symbols[elf->symbol_count++] = found;
        else if (is_table(&symbol, found.name) && add_table(elf, &found) < 0)
            return -ENOMEM;
        else if (ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT && dynamic)
            note_object(elf, &found);
    }
    return 0;
}

/* Highest symbol index that a table of relocations uses, plus one. Where nothing is exported, the hash table
 * does not tell of the symbols that are only imported. */
static uint64_t count_relocated(struct tt_elf *elf, uint64_t address, uint64_t size)
{
    const uint8_t *table = address ? tt_elf_at(elf, address, size) : NULL;
    uint64_t count = 0;

    for (uint64_t i = 0; table && i < size / sizeof(Elf64_Rela); i++) {
        Elf64_Rela rela;

        memcpy(&rela, table + i * sizeof(rela), sizeof(rela));
        if (ELF64_R_SYM(rela.r_info) >= count)
            count = ELF64_R_SYM(rela.r_info) + 1;
    }
    return count;
}

static uint64_t count_used(struct tt_elf *elf)
{
    uint64_t plain = count_relocated(elf, elf->dynamic.rela, elf->dynamic.relasz),
             plt = count_relocated(elf, elf->dynamic.jmprel, elf->dynamic.pltrelsz);

    return plain > plt ? plain : plt;
}

static uint64_t count_hashed(struct tt_elf *elf)
{
    return elf->dynamic.gnu_hash ? count_gnu_hash(elf, elf->dynamic.gnu_hash)
                                 : count_hash(elf, elf->dynamic.hash);
}

static int read_dynamic_symbols(struct tt_elf *elf, const char **why)
{
    struct tt_elf_dynamic *dynamic = &elf->dynamic;
    uint64_t count = count_hashed(elf), used = count_used(elf);
    const uint8_t *table;

    elf->strings = make_strings(tt_elf_at(elf, dynamic->strtab, dynamic->strsz), dynamic->strsz);
    if (used > count && tt_elf_at(elf, dynamic->symtab, used * sizeof(Elf64_Sym)))
        count = used;
    table = tt_elf_at(elf, dynamic->symtab, count * sizeof(Elf64_Sym));
    *why = "dynamic symbol table outside the file";
    if (count && !table)
        return -EINVAL;
    dynamic->symbol_count = count;
    *why = "out of memory";
    return count ? add_symbols(elf, table, count, &elf->strings, true) : 0;
}

/* .symtab, for executables that export nothing. Its absence or damage only means that there are none. */
static int read_static_symbols(struct tt_elf *elf, const Elf64_Ehdr *header)
{
    const uint8_t *table = tt_elf_bytes(elf, header->e_shoff, (uint64_t)header->e_shnum * sizeof(Elf64_Shdr));

    if (!header->e_shoff || header->e_shentsize != sizeof(Elf64_Shdr) || !table)
        return 0;
    for (unsigned i = 0; i < header->e_shnum; i++) {
        const uint8_t *symbols, *bytes;
        Elf64_Shdr section, linked;
        struct tt_elf_strings strings;

        memcpy(&section, table + i * sizeof(section), sizeof(section));
        if (section.sh_type != SHT_SYMTAB || section.sh_link >= header->e_shnum)
            continue;
        memcpy(&linked, table + section.sh_link * sizeof(linked), sizeof(linked));
        symbols = tt_elf_bytes(elf, section.sh_offset, section.sh_size);
        bytes = tt_elf_bytes(elf, linked.sh_offset, linked.sh_size);
        if (!symbols || !bytes)
            return 0;
        strings = make_strings(bytes, linked.sh_size);
        return add_symbols(elf, symbols, section.sh_size / sizeof(Elf64_Sym), &strings, false);
    }
    return 0;
}

static int compare_symbols(const void *a, const void *b)
{
    const struct tt_elf_symbol *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->dynamic != y->dynamic)
        return x->dynamic ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int compare_slots(const void *a, const void *b)
{
    const struct tt_elf_slot *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Words that a relocation binds to a symbol: slots of the PLT and the GOT. */
static int add_slots(struct tt_elf *elf, uint64_t address, uint64_t size)
{
    const uint8_t *table = address ? tt_elf_at(elf, address, size) : NULL;
    uint64_t count = size / sizeof(Elf64_Rela), value;
    struct tt_elf_slot *slots;

    if (!table || !elf->dynamic.symbol_count || !count)
        return 0;
    slots = reallocarray(elf->slots, elf->slot_count + count, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    elf->slots = slots;
    for (uint64_t i = 0; i < count; i++) {
        const char *name;
        Elf64_Rela rela;

        memcpy(&rela, table + i * sizeof(rela), sizeof(rela));
        if (ELF64_R_TYPE(rela.r_info) != R_X86_64_JUMP_SLOT && ELF64_R_TYPE(rela.r_info) != R_X86_64_GLOB_DAT)
            continue;
        name = tt_elf_dynamic_symbol(elf, ELF64_R_SYM(rela.r_info), &value);
        if (name)
            slots[elf->slot_count++] = (struct tt_elf_slot){rela.r_offset, name};
    }
    return 0;
}

static int compare_tables(const void *a, const void *b)
{
    const struct tt_elf_symbol *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : (int)y->dynamic - (int)x->dynamic;
}

static void find_tango_library(struct tt_elf *elf, const Elf64_Phdr *phdr)
{
    const uint8_t *table = tt_elf_bytes(elf, phdr->p_offset, phdr->p_filesz);

    for (uint64_t i = 0; table && i + sizeof(Elf64_Dyn) <= phdr->p_filesz; i += sizeof(Elf64_Dyn)) {
        const char *name;
        Elf64_Dyn entry;

        memcpy(&entry, table + i, sizeof(entry));
        if (entry.d_tag == DT_NULL)
            return;
        name = entry.d_tag == DT_NEEDED ? string_at(&elf->strings, entry.d_un.d_val) : NULL;
        if (name && !strncmp(name, "libtango", 8))
            elf->tango_library = name;
    }
}

int tt_elf_read_symbols(struct tt_elf *elf, const Elf64_Ehdr *header, const Elf64_Phdr *phdr,
                        bool symbols_only, const char **why)
{
    int r;

    if (phdr->p_type == PT_DYNAMIC) {
        r = read_dynamic_symbols(elf, why);
        if (r < 0)
            return r;
        find_tango_library(elf, phdr);
        if (elf->dynamic.has_soname)
            elf->soname = string_at(&elf->strings, elf->dynamic.soname);
    }
    *why = "out of memory";
    elf->program |= phdr->p_type != PT_DYNAMIC;
    r = elf->program ? read_static_symbols(elf, header) : 0;
    if (r < 0)
        return r;
    if (elf->symbol_count)
        qsort(elf->symbols, elf->symbol_count, sizeof(*elf->symbols), compare_symbols);
    if (elf->table_count)
        qsort(elf->tables, elf->table_count, sizeof(*elf->tables), compare_tables);
    if (symbols_only)
        return 0;
    r = add_slots(elf, elf->dynamic.jmprel, elf->dynamic.pltrelsz);
    if (r >= 0)
        r = add_slots(elf, elf->dynamic.rela, elf->dynamic.relasz);
    if (r >= 0 && elf->slot_count)
        qsort(elf->slots, elf->slot_count, sizeof(*elf->slots), compare_slots);
    return r;
}

/* ---- look-up -------------------------------------------------------------------------------------- */

const struct tt_elf_symbol *tt_elf_symbol_at(const struct tt_elf *elf, uint64_t address)
{
    for (size_t i = TT_LOWER_BOUND(elf->symbols, elf->symbol_count, address, address);
         i < elf->symbol_count && elf->symbols[i].address == address; i++) {
        if (!strstr(elf->symbols[i].name, ".cold"))
            return &elf->symbols[i];
    }
    return NULL;
}

bool tt_elf_exports(const struct tt_elf *elf, const char *name)
{
    for (size_t i = 0; i < elf->symbol_count; i++) {
        if (!strcmp(elf->symbols[i].name, name))
            return true;
    }
    return false;
}

const char *tt_elf_dynamic_symbol(struct tt_elf *elf, uint64_t index, uint64_t *value)
{
    const uint8_t *bytes;
    Elf64_Sym symbol;

    *value = 0;
    if (index >= elf->dynamic.symbol_count)
        return NULL;
    bytes = tt_elf_at(elf, elf->dynamic.symtab + index * sizeof(symbol), sizeof(symbol));
    if (!bytes)
        return NULL;
    memcpy(&symbol, bytes, sizeof(symbol));
    if (symbol.st_shndx != SHN_UNDEF)
        *value = symbol.st_value;
    return string_at(&elf->strings, symbol.st_name);
}

const char *tt_elf_slot_at(const struct tt_elf *elf, uint64_t address)
{
    size_t i = TT_LOWER_BOUND(elf->slots, elf->slot_count, address, address);

    return i < elf->slot_count && elf->slots[i].address == address ? elf->slots[i].name : NULL;
}
