/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * insn.h (private to plan): one decoded instruction, as far as planning needs it. disasm.c fills it and is
 * the only file of the planner that knows the architecture's instructions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tt_insn_kind {
    TT_INSN_OTHER,
    TT_INSN_RET,
    TT_INSN_JMP,           /* to `target` */
    TT_INSN_JMP_INDIRECT,  /* through `memory` (rip-relative), a register or other memory (told as effect MOVE
                              or  LOAD, without dst) */
    TT_INSN_JCC,           /* to `target` where `condition` holds, else on */
    TT_INSN_CALL,          /* of `target` */
    TT_INSN_CALL_INDIRECT, /* through `memory`, a register or other memory */
    TT_INSN_STOP,          /* ud2, hlt, int3: never goes on */
};

/* What it does to general registers, for following values; anything not told here only `writes`. */
enum tt_effect {
    TT_EFFECT_NONE,
    TT_EFFECT_MOVE,    /* dst = src */
    TT_EFFECT_LOAD,    /* dst = *(u64 *)(src + disp) */
    TT_EFFECT_LEA,     /* dst = src + disp (add and sub of a constant too) */
    TT_EFFECT_ADDRESS, /* dst = memory (lea of a rip-relative address) */
    TT_EFFECT_TABLE,   /* dst = *(s32 *)(src + 4 * index), sign-extended: jump table */
    TT_EFFECT_ADD,     /* dst += src */
    TT_EFFECT_POP,     /* dst = *(u64 *)rsp, rsp += 8 */
    TT_EFFECT_PUSH,    /* rsp -= 8 */
};

struct tt_insn {
    uint64_t address;
    uint64_t target; /* JMP, JCC, CALL */
    uint64_t memory; /* address of a rip-relative operand, 0 = none */
    uint16_t writes; /* general registers it changes, by bit 1 << enum tt_reg */
    uint8_t length;
    uint8_t kind;      /* enum tt_insn_kind */
    uint8_t condition; /* JCC: condition code */
    bool emulated;     /* the kernel emulates it under a uprobe on every version */
    bool endbr;
    bool stores;      /* may write memory */
    uint8_t effect;   /* enum tt_effect */
    uint8_t dst, src; /* enum tt_reg */
    int32_t disp;
    struct tt_store {
        uint8_t base;   /* writes `size` bytes at base + disp, nothing else; TT_REG_NONE: anywhere */
        uint8_t source; /* register they are the first bytes of, or TT_REG_NONE */
        uint16_t size;
        int32_t disp;
    } store; /* if `stores` */
};

/* Decodes the instruction at `bytes`. -EINVAL: there is none. */
int tt_insn_decode(const uint8_t *bytes, size_t size, uint64_t address, struct tt_insn *insn);

/* Its text, for people. */
void tt_insn_text(const uint8_t *bytes, size_t size, uint64_t address, char *text, size_t text_size);

/* Name of a register (enum tt_reg) and of a condition code ("Z", "NZ", ..). */
const char *tt_insn_reg_name(unsigned reg);
const char *tt_insn_condition_name(unsigned condition);

/* enum tt_reg of the nth integer argument (0 = first), TT_REG_NONE from the seventh on. */
unsigned tt_insn_argument_reg(unsigned index);
/* Registers a call may change (bits as in tt_insn.writes). */
uint16_t tt_insn_call_clobbers(void);
