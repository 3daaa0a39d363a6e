/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/cfi.h"

#include <errno.h>

#include "plan/dwarf.h"
#include "tangotrace/event.h"

#define PE_FORMAT 0x0f /* of a DW_EH_PE_* encoding: how it is stored */
#define PE_BASE   0x70 /* what it is relative to */
#define STATES    8    /* depth of DW_CFA_remember_state */

/* DWARF's numbers of the general registers (System V ABI, x86-64, figure 3.36) to the processor's. */
static const uint8_t dwarf_regs[16] = {
    TT_REG_RAX, TT_REG_RDX, TT_REG_RCX, TT_REG_RBX, TT_REG_RSI, TT_REG_RDI, TT_REG_RBP, TT_REG_RSP,
    TT_REG_R8,  TT_REG_R9,  TT_REG_R10, TT_REG_R11, TT_REG_R12, TT_REG_R13, TT_REG_R14, TT_REG_R15,
};

/* Reader over what the file holds from `address` on, at most `size` bytes. */
static bool open_reader(struct tt_elf *elf, struct tt_reader *reader, uint64_t address, uint64_t size)
{
    uint64_t rest = tt_elf_rest(elf, address);
    const uint8_t *bytes;

    if (size > rest)
        size = rest;
    bytes = size ? tt_elf_at(elf, address, size) : NULL;
    *reader = tt_reader_over(bytes, size, address);
    return bytes;
}

/* Reads a pointer of encoding `encoding`; DW_EH_PE_indirect is not followed (it stands at personalities
 * only). */
static uint64_t read_encoded(struct tt_reader *reader, uint8_t encoding, uint64_t data_base)
{
    uint64_t base = 0, value;

    if (encoding == DW_EH_PE_omit)
        return 0;
    switch (encoding & PE_BASE) {
    case DW_EH_PE_absptr:
        break;
    case DW_EH_PE_pcrel:
        base = reader->address;
        break;
    case DW_EH_PE_datarel:
        base = data_base;
        break;
    default:
        reader->failed = true;
    }
    switch (encoding & PE_FORMAT) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
        value = tt_reader_uint(reader, 8);
        break;
    case DW_EH_PE_uleb128:
        value = tt_reader_uleb(reader);
        break;
    case DW_EH_PE_sleb128:
        value = (uint64_t)tt_reader_sleb(reader);
        break;
    case DW_EH_PE_udata2:
        value = tt_reader_uint(reader, 2);
        break;
    case DW_EH_PE_udata4:
        value = tt_reader_uint(reader, 4);
        break;
    case DW_EH_PE_sdata2:
        value = (uint64_t)tt_reader_int(reader, 2);
        break;
    case DW_EH_PE_sdata4:
        value = (uint64_t)tt_reader_int(reader, 4);
        break;
    default:
        reader->failed = true;
        value = 0;
    }
    return value ? base + value : 0; /* 0 means "none" before it is made absolute */
}

/* ---- finding the entry ---------------------------------------------------------------------------- */

struct cie {
    uint64_t code_align;
    int64_t data_align;
    uint8_t pointer, lsda; /* encodings */
    bool augmented;        /* FDEs have augmentation data */
    struct tt_reader initial;
};

/* Reader over one entry of .eh_frame, from behind its length. */
static int open_entry(struct tt_elf *elf, uint64_t address, struct tt_reader *entry)
{
    struct tt_reader reader;
    uint64_t length;

    if (!open_reader(elf, &reader, address, 4))
        return -EINVAL;
    length = tt_reader_uint(&reader, 4);
    /* 0 ends the section, 0xffffffff announces a 64-bit length, which no linker writes here. */
    if (reader.failed || !length || length == 0xffffffff || length > tt_elf_rest(elf, address + 4))
        return -EINVAL;
    return open_reader(elf, entry, address + 4, length) ? 0 : -EINVAL;
}

static int read_augmentation(struct tt_reader *reader, const char *letters, struct cie *cie)
{
    uint64_t size = tt_reader_uleb(reader);
    const uint8_t *data = tt_reader_skip(reader, size);
    struct tt_reader extra = tt_reader_over(data, size, reader->address - size);

    cie->augmented = true;
    for (const char *letter = letters; *letter; letter++) {
        if (*letter == 'R')
            cie->pointer = (uint8_t)tt_reader_uint(&extra, 1);
        else if (*letter == 'L')
            cie->lsda = (uint8_t)tt_reader_uint(&extra, 1);
        else if (*letter == 'P')
            read_encoded(&extra, (uint8_t)tt_reader_uint(&extra, 1) & 0x7f, 0);
        else if (*letter != 'S' && *letter != 'B')
            return -EINVAL;
    }
    return extra.failed ? -EINVAL : 0;
}

static int read_cie(struct tt_elf *elf, uint64_t address, struct cie *cie)
{
    struct tt_reader reader;
    const char *letters;
    uint8_t version;
    int r = open_entry(elf, address, &reader);

    if (r < 0)
        return r;
    *cie = (struct cie){.pointer = DW_EH_PE_absptr, .lsda = DW_EH_PE_omit};
    if (tt_reader_uint(&reader, 4) != 0) /* a CIE has id 0 */
        return -EINVAL;
    version = (uint8_t)tt_reader_uint(&reader, 1);
    if (version != 1 && version != 3)
        return -EINVAL;
    letters = (const char *)reader.p;
    while (tt_reader_uint(&reader, 1) && !reader.failed)
        ;
    if (reader.failed)
        return -EINVAL;
    cie->code_align = tt_reader_uleb(&reader);
    cie->data_align = tt_reader_sleb(&reader);
    if (version == 1)
        tt_reader_uint(&reader, 1);
    else
        tt_reader_uleb(&reader);
    if (*letters && *letters != 'z')
        return -EINVAL;
    if (*letters && read_augmentation(&reader, letters + 1, cie) < 0)
        return -EINVAL;
    cie->initial = reader;
    return reader.failed ? -EINVAL : 0;
}

static int read_fde(struct tt_elf *elf, uint64_t address, struct tt_fde *fde)
{
    struct tt_reader reader, augmentation;
    uint64_t at, back, size = 0;
    const uint8_t *data = NULL;
    struct cie cie;
    int r = open_entry(elf, address, &reader);

    if (r < 0)
        return r;
    at = reader.address;
    back = tt_reader_uint(&reader, 4);
    if (!back || back > at || read_cie(elf, at - back, &cie) < 0)
        return -EINVAL;
    *fde = (struct tt_fde){.code_align = cie.code_align, .data_align = cie.data_align};
    fde->begin = read_encoded(&reader, cie.pointer, elf->eh_frame_hdr);
    fde->end = read_encoded(&reader, cie.pointer & PE_FORMAT, 0);
    if (__builtin_add_overflow(fde->begin, fde->end, &fde->end))
        return -EINVAL;
    if (cie.augmented) {
        size = tt_reader_uleb(&reader);
        data = tt_reader_skip(&reader, size);
        augmentation = tt_reader_over(data, size, reader.address - size);
        if (size)
            fde->lsda = read_encoded(&augmentation, cie.lsda, elf->eh_frame_hdr);
        if (augmentation.failed)
            return -EINVAL;
    }
    fde->initial = cie.initial;
    fde->program = reader;
    return reader.failed || fde->begin >= fde->end ? -EINVAL : 0;
}

int tt_cfi_find(struct tt_elf *elf, uint64_t address, struct tt_fde *fde)
{
    uint64_t base = elf->eh_frame_hdr, count, low = 0, high;
    struct tt_reader header;
    const uint8_t *table;
    uint8_t encoding[4];
    int32_t pair[2];

    if (!base)
        return -ENOENT;
    if (!open_reader(elf, &header, base, elf->eh_frame_hdr_size))
        return -EINVAL;
    for (size_t i = 0; i < 4; i++)
        encoding[i] = (uint8_t)tt_reader_uint(&header, 1); /* version, and of pointer, count, table */
    read_encoded(&header, encoding[1], base);
    count = read_encoded(&header, encoding[2], base);
    if (header.failed || encoding[0] != 1 || encoding[3] != (DW_EH_PE_datarel | DW_EH_PE_sdata4) ||
        count > tt_reader_left(&header) / sizeof(pair))
        return -EINVAL;
    table = header.p;
    high = count;
    while (low < high) { /* first entry that begins behind the address */
        uint64_t middle = low + (high - low) / 2;

        memcpy(pair, table + middle * sizeof(pair), sizeof(pair));
        if (base + (uint64_t)(int64_t)pair[0] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return -ENOENT;
    memcpy(pair, table + (low - 1) * sizeof(pair), sizeof(pair));
    if (read_fde(elf, base + (uint64_t)(int64_t)pair[1], fde) < 0)
        return -EINVAL;
    return address >= fde->begin && address < fde->end ? 0 : -ENOENT;
}

/* ---- call frame instructions ---------------------------------------------------------------------- */

struct state {
    uint64_t reg; /* DWARF's number */
    int64_t offset;
    bool expression;
};

struct machine {
    const struct tt_fde *fde;
    uint64_t target;   /* the address asked for */
    uint64_t location; /* where the next rules hold */
    struct state now, stack[STATES];
    size_t depth;
    bool failed;
};

static void skip_block(struct tt_reader *reader)
{
    tt_reader_skip(reader, tt_reader_uleb(reader));
}

/* Instructions that set the CFA. False: not one of them. */
static bool step_cfa(struct machine *m, struct tt_reader *reader, uint8_t opcode)
{
    switch (opcode) {
    case DW_CFA_def_cfa:
        m->now = (struct state){.reg = tt_reader_uleb(reader)};
        m->now.offset = (int64_t)tt_reader_uleb(reader);
        return true;
    case DW_CFA_def_cfa_sf:
        m->now = (struct state){.reg = tt_reader_uleb(reader)};
        if (__builtin_mul_overflow(tt_reader_sleb(reader), m->fde->data_align, &m->now.offset))
            m->failed = true;
        return true;
    case DW_CFA_def_cfa_register:
        m->now.reg = tt_reader_uleb(reader);
        return true;
    case DW_CFA_def_cfa_offset:
        m->now.offset = (int64_t)tt_reader_uleb(reader);
        return true;
    case DW_CFA_def_cfa_offset_sf:
        if (__builtin_mul_overflow(tt_reader_sleb(reader), m->fde->data_align, &m->now.offset))
            m->failed = true;
        return true;
    case DW_CFA_def_cfa_expression:
        skip_block(reader);
        m->now.expression = true;
        return true;
    case DW_CFA_remember_state:
        if (m->depth == STATES)
            m->failed = true;
        else
            m->stack[m->depth++] = m->now;
        return true;
    case DW_CFA_restore_state:
        if (!m->depth)
            m->failed = true;
        else
            m->now = m->stack[--m->depth];
        return true;
    default:
        return false;
    }
}

/* Instructions that tell where registers were saved: skipped. */
static void step_registers(struct machine *m, struct tt_reader *reader, uint8_t opcode)
{
    switch (opcode) {
    case DW_CFA_nop:
        break;
    case DW_CFA_restore_extended:
    case DW_CFA_undefined:
    case DW_CFA_same_value:
    case DW_CFA_GNU_args_size:
        tt_reader_uleb(reader);
        break;
    case DW_CFA_offset_extended:
    case DW_CFA_register:
    case DW_CFA_offset_extended_sf:
    case DW_CFA_val_offset:
    case DW_CFA_val_offset_sf:
    case DW_CFA_GNU_negative_offset_extended:
        tt_reader_uleb(reader);
        tt_reader_uleb(reader);
        break;
    case DW_CFA_expression:
    case DW_CFA_val_expression:
        tt_reader_uleb(reader);
        skip_block(reader);
        break;
    default:
        m->failed = true;
    }
}

/* Bytes by which an advance instruction moves on, before scaling; -1: it is none. */
static int64_t advance(struct tt_reader *reader, uint8_t opcode)
{
    if ((opcode & 0xc0) == DW_CFA_advance_loc)
        return opcode & 0x3f;
    if (opcode == DW_CFA_advance_loc1)
        return (int64_t)tt_reader_uint(reader, 1);
    if (opcode == DW_CFA_advance_loc2)
        return (int64_t)tt_reader_uint(reader, 2);
    if (opcode == DW_CFA_advance_loc4)
        return (int64_t)tt_reader_uint(reader, 4);
    return -1;
}

/* Runs a program until its rules hold for an address behind the target. */
static void run(struct machine *m, struct tt_reader reader)
{
    while (!m->failed && !reader.failed && tt_reader_left(&reader)) {
        uint8_t opcode = (uint8_t)tt_reader_uint(&reader, 1);
        int64_t delta = advance(&reader, opcode);
        uint64_t move;

        if (delta >= 0) {
            if (__builtin_mul_overflow((uint64_t)delta, m->fde->code_align, &move) ||
                __builtin_add_overflow(m->location, move, &m->location))
                m->failed = true;
            if (m->location > m->target)
                return;
        } else if ((opcode & 0xc0) == DW_CFA_offset) {
            tt_reader_uleb(&reader);
        } else if ((opcode & 0xc0) != DW_CFA_restore && !step_cfa(m, &reader, opcode)) {
            step_registers(m, &reader, opcode);
        }
    }
    m->failed |= reader.failed;
}

int tt_cfi_cfa(const struct tt_fde *fde, uint64_t address, struct tt_cfa *cfa)
{
    struct machine m = {.fde = fde, .target = address, .location = fde->begin};

    if (address < fde->begin || address >= fde->end)
        return -EINVAL;
    m.now.expression = true; /* until a rule says otherwise */
    run(&m, fde->initial);
    m.location = fde->begin;
    run(&m, fde->program);
    if (m.failed)
        return -EINVAL;
    if (m.now.expression || m.now.reg >= 16 || m.now.offset != (int32_t)m.now.offset)
        return -ENOENT;
    *cfa = (struct tt_cfa){dwarf_regs[m.now.reg], (int32_t)m.now.offset};
    return 0;
}

/* ---- landing pads --------------------------------------------------------------------------------- */

int tt_cfi_landing_pads(struct tt_elf *elf, const struct tt_fde *fde, uint64_t *pads, size_t max)
{
    uint64_t start = fde->begin, size;
    struct tt_reader reader, sites;
    uint8_t encoding;
    const uint8_t *p;
    size_t count = 0;

    if (!fde->lsda)
        return 0;
    if (!open_reader(elf, &reader, fde->lsda, UINT64_MAX))
        return -EINVAL;
    encoding = (uint8_t)tt_reader_uint(&reader, 1);
    if (encoding != DW_EH_PE_omit)
        start = read_encoded(&reader, encoding, elf->eh_frame_hdr);
    if ((uint8_t)tt_reader_uint(&reader, 1) != DW_EH_PE_omit)
        tt_reader_uleb(&reader); /* where the type table is */
    encoding = (uint8_t)tt_reader_uint(&reader, 1);
    size = tt_reader_uleb(&reader);
    p = tt_reader_skip(&reader, size);
    if (reader.failed || (encoding & PE_BASE) || encoding == DW_EH_PE_omit)
        return -EINVAL;
    sites = tt_reader_over(p, size, reader.address - size);
    while (tt_reader_left(&sites)) {
        uint64_t pad;

        read_encoded(&sites, encoding, 0);
        read_encoded(&sites, encoding, 0);
        pad = read_encoded(&sites, encoding, 0);
        tt_reader_uleb(&sites); /* action */
        if (sites.failed)
            return -EINVAL;
        if (pad && count == max)
            return -E2BIG;
        if (pad)
            pads[count++] = start + pad;
    }
    return (int)count;
}
