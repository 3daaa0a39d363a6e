/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plan/symbols.h"

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

/* ---- the file -------------------------------------------------------------------------------------- */

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
    if (r >= 0 && dynamic.p_type == PT_DYNAMIC)
        r = read_dynamic(elf, &dynamic, why);
    if (r >= 0)
        r = tt_elf_read_symbols(elf, &header, &dynamic, symbols_only, why);
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
