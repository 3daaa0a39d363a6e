/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * disasm.c: x86-64 instructions by Zydis. All that the planner knows about the architecture is here.
 */
#include "plan/insn.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tangotrace/event.h"

#define BIT(reg) ((uint16_t)(1u << (reg)))

/* System V ABI, x86-64, section 3.2.3. */
static const uint8_t argument_regs[] = {TT_REG_RDI, TT_REG_RSI, TT_REG_RDX, TT_REG_RCX, TT_REG_R8, TT_REG_R9};

unsigned tt_insn_argument_reg(unsigned index)
{
    return index < TT_ARRAY_SIZE(argument_regs) ? argument_regs[index] : TT_REG_NONE;
}

uint16_t tt_insn_call_clobbers(void)
{
    return BIT(TT_REG_RAX) | BIT(TT_REG_RCX) | BIT(TT_REG_RDX) | BIT(TT_REG_RSI) | BIT(TT_REG_RDI) |
           BIT(TT_REG_R8) | BIT(TT_REG_R9) | BIT(TT_REG_R10) | BIT(TT_REG_R11);
}

const char *tt_insn_reg_name(unsigned reg)
{
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

    return reg < TT_ARRAY_SIZE(names) ? names[reg] : "?";
}

const char *tt_insn_condition_name(unsigned condition)
{
    static const char *const names[] = {"O", "NO", "B", "AE", "Z", "NZ", "BE", "A",
                                        "S", "NS", "P", "NP", "L", "GE", "LE", "G"};

    return condition < TT_ARRAY_SIZE(names) ? names[condition] : "always";
}

/* The 64-bit general register that holds `reg`, whatever part of it is named; TT_REG_NONE for others. */
static uint8_t general(ZydisRegister reg)
{
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

    if (whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15)
        return (uint8_t)(whole - ZYDIS_REGISTER_RAX);
    return TT_REG_NONE;
}

/* A 64-bit general register named whole, else TT_REG_NONE. */
static uint8_t whole(const ZydisDecodedOperand *operand)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER || operand->size != 64)
        return TT_REG_NONE;
    return general(operand->reg.value);
}

/*
 * Instructions the kernel emulates instead of stepping them: arch/x86/kernel/uprobes.c, branch_setup_xol_ops
 * (jmp, call, jcc with relative targets, nop) and push_setup_xol_ops (push of a register, alone or with REX
 * 41). Judged by bytes as the kernel does. It takes some prefixed forms too (bnd, notrack), newer ones
 * multi-byte nops: left out, since not all versions do, and a 5-byte nop is rewritten into a call by 6.18.
 */
static bool is_emulated(const uint8_t *b, size_t length)
{
    if (length == 1)
        return (b[0] >= 0x50 && b[0] <= 0x57) || b[0] == 0x90;
    if (length == 2)
        return (b[0] == 0x41 && b[1] >= 0x50 && b[1] <= 0x57) || b[0] == 0xeb ||
               (b[0] >= 0x70 && b[0] <= 0x7f);
    if (length == 5)
        return b[0] == 0xe8 || b[0] == 0xe9;
    return length == 6 && b[0] == 0x0f && b[1] >= 0x80 && b[1] <= 0x8f;
}

static int branch_target(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
                         struct tt_insn *insn)
{
    ZyanU64 target;

    if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(zi, op, insn->address, &target)))
        return -EINVAL;
    insn->target = target;
    return 0;
}

/* Base register of a plain [base + disp] operand, else TT_REG_NONE. */
static uint8_t plain_base(const ZydisDecodedOperand *operand)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->mem.index != ZYDIS_REGISTER_NONE ||
        operand->mem.segment == ZYDIS_REGISTER_FS || operand->mem.segment == ZYDIS_REGISTER_GS ||
        operand->mem.base < ZYDIS_REGISTER_RAX || operand->mem.base > ZYDIS_REGISTER_R15)
        return TT_REG_NONE;
    return general(operand->mem.base);
}

/* The one place in memory that it writes, if that is told by a register and a number. What strings, calls and
 * other instructions write without naming it can be anywhere. */
static void note_store(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op, struct tt_insn *insn)
{
    insn->store = (struct tt_store){.base = TT_REG_NONE, .source = TT_REG_NONE};
    if (!zi->operand_count_visible || op[0].type != ZYDIS_OPERAND_TYPE_MEMORY ||
        op[0].visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT ||
        op[0].mem.disp.value != (int32_t)op[0].mem.disp.value)
        return;
    for (unsigned i = 1; i < zi->operand_count; i++) {
        if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            return;
    }
    insn->store.base = plain_base(&op[0]);
    insn->store.disp = (int32_t)op[0].mem.disp.value;
    insn->store.size = op[0].size / 8;
    if (zi->mnemonic == ZYDIS_MNEMONIC_MOV && op[1].type == ZYDIS_OPERAND_TYPE_REGISTER && op[0].size >= 32)
        insn->store.source = general(op[1].reg.value);
}

static void note_writes(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
                        struct tt_insn *insn)
{
    for (unsigned i = 0; i < zi->operand_count; i++) {
        if (op[i].type == ZYDIS_OPERAND_TYPE_REGISTER && (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) {
            uint8_t reg = general(op[i].reg.value);

            if (reg != TT_REG_NONE)
                insn->writes |= BIT(reg);
        }
        if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            insn->stores = true;
        if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && op[i].mem.base == ZYDIS_REGISTER_RIP) {
            ZyanU64 address;

            if (ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(zi, &op[i], insn->address, &address)))
                insn->memory = address;
        }
    }
}

static void set_effect(struct tt_insn *insn, enum tt_effect effect, uint8_t dst, uint8_t src, int64_t disp)
{
    if (disp != (int32_t)disp)
        return;
    insn->effect = effect;
    insn->dst = dst;
    insn->src = src;
    insn->disp = (int32_t)disp;
}

static void note_lea(const ZydisDecodedOperand *op, uint8_t dst, struct tt_insn *insn)
{
    if (op[1].mem.base == ZYDIS_REGISTER_RIP && op[1].mem.index == ZYDIS_REGISTER_NONE)
        set_effect(insn, TT_EFFECT_ADDRESS, dst, TT_REG_NONE, 0);
    else if (plain_base(&op[1]) != TT_REG_NONE)
        set_effect(insn, TT_EFFECT_LEA, dst, plain_base(&op[1]), op[1].mem.disp.value);
}

static void note_add(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op, uint8_t dst,
                     struct tt_insn *insn)
{
    if (op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        set_effect(insn, TT_EFFECT_LEA, dst, dst,
                   zi->mnemonic == ZYDIS_MNEMONIC_ADD ? op[1].imm.value.s : -op[1].imm.value.s);
    else if (zi->mnemonic == ZYDIS_MNEMONIC_ADD && whole(&op[1]) != TT_REG_NONE)
        set_effect(insn, TT_EFFECT_ADD, dst, whole(&op[1]), 0);
}

static void note_effect(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
                        struct tt_insn *insn)
{
    uint8_t dst = zi->operand_count ? whole(&op[0]) : TT_REG_NONE;

    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
        if (dst == TT_REG_NONE)
            break;
        if (whole(&op[1]) != TT_REG_NONE)
            set_effect(insn, TT_EFFECT_MOVE, dst, whole(&op[1]), 0);
        else if (plain_base(&op[1]) != TT_REG_NONE)
            set_effect(insn, TT_EFFECT_LOAD, dst, plain_base(&op[1]), op[1].mem.disp.value);
        break;
    case ZYDIS_MNEMONIC_LEA:
        if (dst != TT_REG_NONE)
            note_lea(op, dst, insn);
        break;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB:
        if (dst != TT_REG_NONE)
            note_add(zi, op, dst, insn);
        break;
    case ZYDIS_MNEMONIC_MOVSXD:
        if (dst != TT_REG_NONE && op[1].type == ZYDIS_OPERAND_TYPE_MEMORY && op[1].mem.scale == 4 &&
            op[1].mem.index != ZYDIS_REGISTER_NONE && !op[1].mem.disp.value)
            set_effect(insn, TT_EFFECT_TABLE, dst, general(op[1].mem.base), 0);
        break;
    case ZYDIS_MNEMONIC_POP:
        if (dst != TT_REG_NONE)
            set_effect(insn, TT_EFFECT_POP, dst, TT_REG_RSP, 8);
        break;
    case ZYDIS_MNEMONIC_PUSH:
        set_effect(insn, TT_EFFECT_PUSH, TT_REG_NONE, TT_REG_RSP, -8);
        break;
    default:
        break;
    }
}

static int set_kind(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op, const uint8_t *bytes,
                    struct tt_insn *insn)
{
    bool direct = zi->operand_count && op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;

    switch (zi->meta.category) {
    case ZYDIS_CATEGORY_RET:
        insn->kind = TT_INSN_RET;
        return 0;
    case ZYDIS_CATEGORY_UNCOND_BR:
        insn->kind = direct ? TT_INSN_JMP : TT_INSN_JMP_INDIRECT;
        if (direct)
            return branch_target(zi, op, insn);
        /* where the address comes from, though it goes nowhere else */
        if (whole(&op[0]) != TT_REG_NONE)
            set_effect(insn, TT_EFFECT_MOVE, TT_REG_NONE, whole(&op[0]), 0);
        else if (plain_base(&op[0]) != TT_REG_NONE)
            set_effect(insn, TT_EFFECT_LOAD, TT_REG_NONE, plain_base(&op[0]), op[0].mem.disp.value);
        return 0;
    case ZYDIS_CATEGORY_CALL:
        insn->stores = true;
        insn->kind = direct ? TT_INSN_CALL : TT_INSN_CALL_INDIRECT;
        insn->writes |= tt_insn_call_clobbers();
        return direct ? branch_target(zi, op, insn) : 0;
    case ZYDIS_CATEGORY_COND_BR:
        insn->kind = TT_INSN_JCC;
        /* jrcxz and loop have no condition code; they are not emulated, so none is asked for */
        insn->condition = insn->length == 6 ? bytes[1] & 15 : bytes[0] & 15;
        return direct ? branch_target(zi, op, insn) : -EINVAL;
    default:
        if (zi->mnemonic == ZYDIS_MNEMONIC_UD2 || zi->mnemonic == ZYDIS_MNEMONIC_HLT ||
            zi->mnemonic == ZYDIS_MNEMONIC_INT3)
            insn->kind = TT_INSN_STOP;
        return 0;
    }
}

static const ZydisDecoder *decoder(ZydisDecoder *storage)
{
    ZydisDecoderInit(storage, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return storage;
}

int tt_insn_decode(const uint8_t *bytes, size_t size, uint64_t address, struct tt_insn *insn)
{
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction zi;
    ZydisDecoder storage;

    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder(&storage), bytes, size, &zi, op)))
        return -EINVAL;
    *insn = (struct tt_insn){.address = address, .length = zi.length, .dst = TT_REG_NONE, .src = TT_REG_NONE};
    note_writes(&zi, op, insn);
    insn->emulated = is_emulated(bytes, zi.length);
    insn->endbr = zi.mnemonic == ZYDIS_MNEMONIC_ENDBR64;
    note_store(&zi, op, insn);
    note_effect(&zi, op, insn);
    return set_kind(&zi, op, bytes, insn);
}

void tt_insn_text(const uint8_t *bytes, size_t size, uint64_t address, char *text, size_t text_size)
{
    /* As objdump writes it: 0x24b4fa. */
    static const struct {
        ZydisFormatterProperty property;
        ZyanUPointer value;
    } style[] = {
        {ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE},
        {ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, ZYDIS_PADDING_DISABLED},
        {ZYDIS_FORMATTER_PROP_ADDR_PADDING_RELATIVE, ZYDIS_PADDING_DISABLED},
        {ZYDIS_FORMATTER_PROP_DISP_PADDING, ZYDIS_PADDING_DISABLED},
        {ZYDIS_FORMATTER_PROP_IMM_PADDING, ZYDIS_PADDING_DISABLED},
    };
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction zi;
    ZydisFormatter formatter;
    ZydisDecoder storage;

    snprintf(text, text_size, "?");
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder(&storage), bytes, size, &zi, op)) ||
        !ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)))
        return;
    for (size_t i = 0; i < TT_ARRAY_SIZE(style); i++)
        ZydisFormatterSetProperty(&formatter, style[i].property, style[i].value);
    ZydisFormatterFormatInstruction(&formatter, &zi, op, zi.operand_count_visible, text, text_size, address,
                                    NULL);
    text[text_size - 1] = '\0';
}
