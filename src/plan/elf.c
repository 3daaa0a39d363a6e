/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plan/bound.h"

#define CHUNK     (16u << 10)
#define SIZE_MAX_ (4ull << 30) /* larger files are refused */
#define LOADS_MAX 64

/* ---- bytes ---------------------------------------------------------------------------------------- */

static int load_chunk(struct tt_elf *elf, uint64_t chunk)
{
    uint64_t offset = chunk * CHUNK, end = offset + CHUNK;

    if (end > elf->size)
        end = elf->size;
    while (offset < end) {
        ssize_t n = pread(elf->fd, elf->data + offset, end - offset, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            elf->unreadable = true; /* shorter than it was, or a bad disk */
            return -EIO;
        }
        offset += (uint64_t)n;
    }
    elf->loaded[chunk] = 1;
    return 0;
}

const uint8_t *tt_elf_bytes(struct tt_elf *elf, uint64_t offset, uint64_t size)
{
    if (offset > elf->size || size > elf->size - offset)
        return NULL;
    for (uint64_t chunk = offset / CHUNK; chunk * CHUNK < offset + size; chunk++) {
        if (!elf->loaded[chunk] && load_chunk(elf, chunk) < 0)
            return NULL;
    }
    return elf->data + offset;
}

bool tt_elf_next_loaded(const struct tt_elf *elf, uint64_t *offset, uint64_t *size)
{
    uint64_t chunks = (elf->size + CHUNK - 1) / CHUNK, first = (*offset + CHUNK - 1) / CHUNK, end;

    while (first < chunks && !elf->loaded[first])
        first++;
    for (end = first; end < chunks && elf->loaded[end]; end++)
        ;
    if (first >= chunks)
        return false;
    *offset = first * CHUNK;
    *size = (end * CHUNK < elf->size ? end * CHUNK : elf->size) - *offset;
    return true;
}

const struct tt_elf_load *tt_elf_load(const struct tt_elf *elf, uint64_t address)
{
    for (size_t i = 0; i < elf->load_count; i++) {
        const struct tt_elf_load *load = &elf->loads[i];

        if (address >= load->address && address - load->address < load->size)
            return load;
    }
    return NULL;
}

uint64_t tt_elf_rest(const struct tt_elf *elf, uint64_t address)
{
    const struct tt_elf_load *load = tt_elf_load(elf, address);

    return load ? load->size - (address - load->address) : 0;
}

const uint8_t *tt_elf_at(struct tt_elf *elf, uint64_t address, uint64_t size)
{
    const struct tt_elf_load *load = tt_elf_load(elf, address);

    if (!load || size > load->size - (address - load->address))
        return NULL;
    return tt_elf_bytes(elf, load->offset + (address - load->address), size);
}

/* ---- headers -------------------------------------------------------------------------------------- */

static int read_file(struct tt_elf *elf, int fd, const char **why)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        *why = "cannot be examined";
        return -errno;
    }
    *why = "not a regular file";
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    *why = "shorter than an ELF header";
    if (st.st_size < (off_t)sizeof(Elf64_Ehdr))
        return -EINVAL;
    *why = "larger than 4 GiB";
    if ((uint64_t)st.st_size > SIZE_MAX_)
        return -EFBIG;
    elf->fd = fd;
    elf->size = (uint64_t)st.st_size;
    *why = "out of memory";
    elf->data = malloc(elf->size);
    elf->loaded = calloc(elf->size / CHUNK + 1, 1);
    return elf->data && elf->loaded ? 0 : -ENOMEM;
}

static int read_header(struct tt_elf *elf, Elf64_Ehdr *header, const char **why)
{
    const uint8_t *bytes = tt_elf_bytes(elf, 0, sizeof(*header));

    *why = "cannot be read";
    if (!bytes)
        return -EIO;
    memcpy(header, bytes, sizeof(*header));
    *why = "not an ELF file";
    if (memcmp(header->e_ident, ELFMAG, SELFMAG))
        return -EINVAL;
    *why = "not a 64-bit little-endian ELF file";
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
        return -EINVAL;
    *why = "not for x86-64";
    if (header->e_machine != EM_X86_64)
        return -EINVAL;
    *why = "neither a program nor a shared library";
    if (header->e_type != ET_DYN && header->e_type != ET_EXEC)
        return -EINVAL;
    *why = "program header entries of an unknown size";
    if (header->e_phentsize != sizeof(Elf64_Phdr))
        return -EINVAL;
    elf->fixed = header->e_type == ET_EXEC;
    return 0;
}

/* Adds a PT_LOAD; ranges that reach out of the file or over the end of the address space are refused. */
static int add_load(struct tt_elf *elf, const Elf64_Phdr *phdr, const char **why)
{
    uint64_t end;

    *why = "a segment that reaches beyond the end of the file (truncated?)";
    if (phdr->p_offset > elf->size || phdr->p_filesz > elf->size - phdr->p_offset)
        return -EINVAL;
    *why = "a segment that reaches beyond the address space";
    if (__builtin_add_overflow(phdr->p_vaddr, phdr->p_filesz, &end) ||
        __builtin_add_overflow(phdr->p_vaddr, phdr->p_memsz, &end))
        return -EINVAL;
    if (end > elf->highest)
        elf->highest = end;
    if (phdr->p_filesz)
        elf->loads[elf->load_count++] = (struct tt_elf_load){
            .offset = phdr->p_offset,
            .address = phdr->p_vaddr,
            .size = phdr->p_filesz,
            .executable = phdr->p_flags & PF_X,
        };
    return 0;
}

/* NT_GNU_BUILD_ID of a PT_NOTE. A damaged note is no reason to refuse the file: it has no build id then. */
static void read_build_id(struct tt_elf *elf, uint64_t offset, uint64_t size)
{
    while (size >= sizeof(Elf64_Nhdr)) {
        const uint8_t *bytes = tt_elf_bytes(elf, offset, sizeof(Elf64_Nhdr));
        uint64_t name, total;
        Elf64_Nhdr note;

        if (!bytes)
            return;
        memcpy(&note, bytes, sizeof(note));
        name = ((uint64_t)note.n_namesz + 3) & ~3ull;
        total = sizeof(note) + name + (((uint64_t)note.n_descsz + 3) & ~3ull);
        bytes = total <= size ? tt_elf_bytes(elf, offset, total) : NULL;
        if (!bytes)
            return;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && !memcmp(bytes + sizeof(note), "GNU", 4) &&
            note.n_descsz && note.n_descsz <= sizeof(elf->build_id)) {
            memcpy(elf->build_id, bytes + sizeof(note) + name, note.n_descsz);
            elf->build_id_size = note.n_descsz;
            return;
        }
        offset += total;
        size -= total;
    }
}

static int read_segments(struct tt_elf *elf, const Elf64_Ehdr *header, Elf64_Phdr *dynamic, const char **why)
{
    const uint8_t *table = tt_elf_bytes(elf, header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr));
    int r;

    *why = "program headers outside the file";
    if (!table)
        return -EINVAL;
    *why = "out of memory";
    elf->loads = calloc(LOADS_MAX, sizeof(*elf->loads));
    if (!elf->loads)
        return -ENOMEM;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr phdr;

        memcpy(&phdr, table + i * sizeof(phdr), sizeof(phdr));
        *why = "more than 64 segments";
        if (phdr.p_type == PT_LOAD && elf->load_count == LOADS_MAX)
            return -EINVAL;
        if (phdr.p_type == PT_LOAD && (r = add_load(elf, &phdr, why)) < 0)
            return r;
        if (phdr.p_type == PT_DYNAMIC)
            *dynamic = phdr;
        if (phdr.p_type == PT_INTERP)
            elf->program = true;
        if (phdr.p_type == PT_NOTE && !elf->build_id_size)
            read_build_id(elf, phdr.p_offset, phdr.p_filesz);
        if (phdr.p_type == PT_GNU_EH_FRAME) {
            elf->eh_frame_hdr = phdr.p_vaddr;
            elf->eh_frame_hdr_size = phdr.p_filesz;
        }
    }
    *why = "no segments";
    return elf->load_count ? 0 : -EINVAL;
}

static int read_dynamic(struct tt_elf *elf, const Elf64_Phdr *phdr, const char **why)
{
    struct tt_elf_dynamic *dynamic = &elf->dynamic;
    struct {
        int64_t tag;
        uint64_t *value;
    } wanted[] = {
        {DT_SYMTAB, &dynamic->symtab},     {DT_STRTAB, &dynamic->strtab}, {DT_STRSZ, &dynamic->strsz},
        {DT_HASH, &dynamic->hash},         {DT_RELA, &dynamic->rela},     {DT_RELASZ, &dynamic->relasz},
        {DT_GNU_HASH, &dynamic->gnu_hash}, {DT_JMPREL, &dynamic->jmprel}, {DT_PLTRELSZ, &dynamic->pltrelsz},
        {DT_SONAME, &dynamic->soname},     {DT_RELR, &dynamic->relr},     {DT_RELRSZ, &dynamic->relrsz},
    };
    const uint8_t *table = tt_elf_bytes(elf, phdr->p_offset, phdr->p_filesz);

    *why = "dynamic section outside the file";
    if (!table)
        return -EINVAL;
    for (uint64_t i = 0; i + sizeof(Elf64_Dyn) <= phdr->p_filesz; i += sizeof(Elf64_Dyn)) {
        Elf64_Dyn entry;

        memcpy(&entry, table + i, sizeof(entry));
        if (entry.d_tag == DT_NULL)
            break;
        for (size_t j = 0; j < TT_ARRAY_SIZE(wanted); j++) {
            if (entry.d_tag == wanted[j].tag)
                *wanted[j].value = entry.d_un.d_val;
        }
        if (entry.d_tag == DT_SONAME)
            dynamic->has_soname = true;
    }
    return 0;
}

/* ---- symbols -------------------------------------------------------------------------------------- */

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

static int read_tables(struct tt_elf *elf, const Elf64_Ehdr *header, const Elf64_Phdr *phdr,
                       bool symbols_only, const char **why)
{
    int r;

    if (phdr->p_type == PT_DYNAMIC) {
        r = read_dynamic(elf, phdr, why);
        if (r >= 0)
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

int tt_elf_open(struct tt_elf *elf, int fd, bool symbols_only, const char **why)
{
    Elf64_Phdr dynamic = {0};
    Elf64_Ehdr header;
    int r;

    *elf = (struct tt_elf){.fd = -1};
    r = read_file(elf, fd, why);
    if (r >= 0)
        r = read_header(elf, &header, why);
    if (r >= 0)
        r = read_segments(elf, &header, &dynamic, why);
    if (r >= 0)
        r = read_tables(elf, &header, &dynamic, symbols_only, why);
    if (r < 0) {
        tt_elf_close(elf);
        return r;
    }
    return 0;
}

void tt_elf_close(struct tt_elf *elf)
{
    free(elf->data);
    free(elf->loaded);
    free(elf->loads);
    free(elf->symbols);
    free(elf->tables);
    free(elf->slots);
    *elf = (struct tt_elf){.fd = -1};
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
