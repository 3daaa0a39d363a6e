/* SPDX-License-Identifier: GPL-2.0-only */
/* CFA expressions, control flow, entries and exits of hand-written functions (functions.S). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assembled.h"
#include "base/cleanup.h"
#include "plan/flow.h"
#include "plan/values.h"
#include "tangotrace/event.h"

static struct tt_elf elf;

static int open_library(void **state)
{
    const char *why = "";
    int fd = assemble("");

    *state = NULL;
    return fd < 0 || tt_elf_open(&elf, fd, false, &why) < 0;
}

static uint64_t address_of(const char *name)
{
    for (size_t i = 0; i < elf.symbol_count; i++) {
        if (!strcmp(elf.symbols[i].name, name))
            return elf.symbols[i].address;
    }
    fail_msg("no symbol %s", name);
    return 0;
}

/* A function's flow and exits. */
struct function {
    struct tt_flow flow;
    struct tt_flow_exit *exits;
    size_t count;
    int result; /* of tt_flow_exits */
};

static void follow(struct function *function, const char *name, bool step)
{
    char why[256];

    *function = (struct function){0};
    assert_int_equal(tt_flow_build(&elf, address_of(name), &function->flow, why, sizeof(why)), 0);
    function->result = tt_flow_exits(&function->flow, step, &function->exits, &function->count);
}

static void drop(struct function *function)
{
    free(function->exits);
    tt_flow_free(&function->flow);
}

static const struct tt_insn *exit_insn(const struct function *function, size_t i)
{
    assert_true(i < function->count);
    return &function->flow.insns[function->exits[i].insn].insn;
}

static void the_stack_check_is_the_exit(void **state)
{
    struct tt_origin value;
    struct function f;
    struct tt_cfa cfa;

    follow(&f, "_ZN5Tango11DeviceProxy4pingEv", false);
    assert_int_equal(f.result, 0);
    assert_int_equal(f.count, 1);
    assert_int_equal(exit_insn(&f, 0)->kind, TT_INSN_JCC);
    assert_int_equal(exit_insn(&f, 0)->condition, 5);
    assert_int_equal(f.exits[0].edges, TT_EDGE_NEXT);
    assert_int_equal(tt_flow_cfa(&f.flow, f.exits[0].insn, &cfa), 0);
    assert_int_equal(cfa.reg, TT_REG_RSP);
    assert_int_equal(cfa.offset, 32);
    value = tt_values_returned(&f.flow, &f.exits[0]);
    assert_int_equal(value.reg, TT_REG_RAX); /* nothing changes it behind the check */
    drop(&f);
}

static void every_edge_out_has_its_condition(void **state)
{
    struct function f;

    follow(&f, "t_edges", false);
    assert_int_equal(f.result, 0);
    assert_int_equal(f.count, 3);
    assert_int_equal(f.exits[0].edges, TT_EDGE_TAKEN);                /* je: falls on into more */
    assert_int_equal(f.exits[1].edges, TT_EDGE_TAKEN);                /* ja */
    assert_int_equal(f.exits[2].edges, TT_EDGE_TAKEN | TT_EDGE_NEXT); /* jle: out on both */
    assert_int_equal(tt_values_returned(&f.flow, &f.exits[2]).reg, TT_REG_NONE);
    drop(&f);
}

static void frames_in_rbp_are_told(void **state)
{
    struct tt_origin value;
    struct function f;
    struct tt_cfa cfa;

    follow(&f, "t_rbp", false);
    assert_int_equal(f.result, 0);
    assert_int_equal(f.count, 1);
    assert_int_equal(tt_flow_cfa(&f.flow, f.exits[0].insn, &cfa), 0);
    assert_int_equal(cfa.reg, TT_REG_RBP);
    assert_int_equal(cfa.offset, 16);
    value = tt_values_returned(&f.flow, &f.exits[0]);
    assert_int_equal(value.reg, TT_REG_RBP);
    assert_int_equal(value.derefs, 1);
    assert_int_equal(value.off[0], -24);
    drop(&f);
}

static void tail_jumps_are_exits(void **state)
{
    struct function f;

    follow(&f, "_ZN5Tango11DeviceProxy5stateEv", false);
    assert_int_equal(f.result, 0);
    assert_int_equal(f.count, 1);
    assert_true(f.exits[0].tail);
    assert_int_equal(f.flow.tail_count, 1);
    assert_string_equal(f.flow.tails[0].name, "helper2");
    assert_int_equal(tt_values_returned(&f.flow, &f.exits[0]).reg, TT_REG_NONE);
    drop(&f);
}

static void indirect_tail_jumps_are_not(void **state)
{
    static const char name[] =
        "_ZN5Tango12Device_4Impl15command_inout_4EPKcRKN5CORBA3AnyENS_9DevSourceERKNS_9ClntIdentE";
    struct function f;

    follow(&f, name, false);
    assert_int_equal(f.result, 1);
    assert_int_equal(f.count, 0);
    assert_non_null(strstr(f.flow.problems, "indirect tail jump"));
    drop(&f);
    follow(&f, name, true);
    assert_int_equal(f.result, 0);
    assert_int_equal(f.count, 1);
    assert_false(exit_insn(&f, 0)->emulated);
    drop(&f);
}

static void code_split_off_is_followed(void **state)
{
    struct function f;

    follow(&f, "_ZN5Tango11DeviceProxy14read_attributeERNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
           false);
    assert_int_equal(f.result, 0);
    assert_int_equal(f.flow.part_count, 2);
    assert_int_equal(f.count, 2);
    assert_int_equal(tt_values_returned(&f.flow, &f.exits[0]).reg, TT_REG_R13);
    drop(&f);
}

static void landing_pads_are_reached(void **state)
{
    unsigned roots = 0;
    struct function f;

    follow(
        &f,
        "_ZN5Tango12Device_5Impl17read_attributes_5ERKNS_17DevVarStringArrayENS_9DevSourceERKNS_9ClntIdentE",
        false);
    assert_int_equal(f.result, 0);
    for (size_t i = 0; i < f.flow.insn_count; i++) {
        assert_true(f.flow.insns[i].live);
        roots += f.flow.insns[i].root;
    }
    assert_int_equal(roots, 2); /* start, landing pad */
    drop(&f);
}

static void cases_of_a_table_are_reached_from_nowhere(void **state)
{
    struct function f;

    follow(&f, "t_table", false);
    assert_int_equal(f.result, 1);
    assert_non_null(strstr(f.flow.problems, "reached by no plain jump"));
    assert_int_equal(f.count, 1); /* the ja; not the rets of the cases */
    drop(&f);
    follow(&f, "t_table", true);
    assert_int_equal(f.result, 0);
    assert_int_equal(f.count, 3);
    drop(&f);
}

static void an_indirect_call_is_no_exit(void **state)
{
    struct function f;

    follow(&f, "t_indirect", false);
    assert_int_equal(f.result, 1);
    assert_int_equal(f.count, 0);
    drop(&f);
    follow(&f, "t_indirect", true);
    assert_int_equal(f.result, 0);
    assert_int_equal(exit_insn(&f, 0)->kind, TT_INSN_RET);
    assert_int_equal(tt_values_returned(&f.flow, &f.exits[0]).reg, TT_REG_RAX);
    drop(&f);
    follow(&f, "t_plain", false);
    assert_int_equal(f.count, 0);
    assert_int_equal(f.result, 1);
    drop(&f);
}

/* Where what comes last only tidies up, its time may be left out. */
static void an_indirect_call_may_be_left_behind(void **state)
{
    struct tt_flow_exit *exits = NULL;
    struct function f;
    size_t count = 0;

    follow(&f, "t_indirect", false);
    f.flow.problems[0] = '\0';
    f.flow.past_calls = true;
    assert_int_equal(tt_flow_exits(&f.flow, false, &exits, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(exits[0].insn, 0); /* the push is the last emulated one before it */
    /* what the call leaves in rax is not what lies there now */
    assert_int_equal(tt_values_returned(&f.flow, &exits[0]).reg, TT_REG_NONE);
    free(exits);
    drop(&f);
}

/* A callee leaves some registers as they were (System V ABI). */
static void what_is_returned_is_known_before_an_indirect_call(void **state)
{
    struct tt_flow_exit *exits = NULL;
    struct function f;
    size_t count = 0;

    follow(&f, "t_aside", false);
    f.flow.problems[0] = '\0';
    f.flow.past_calls = true;
    assert_int_equal(tt_flow_exits(&f.flow, false, &exits, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(exits[0].edges, TT_EDGE_NEXT | TT_EDGE_TAKEN);
    assert_int_equal(tt_values_returned(&f.flow, &exits[0]).reg, TT_REG_RBX);
    free(exits);
    drop(&f);
}

static void calls_that_never_return_lead_nowhere(void **state)
{
    struct function f;

    follow(&f, "t_noreturn", false);
    assert_int_equal(f.result, 0);
    assert_int_equal(f.count, 1);
    assert_int_equal(exit_insn(&f, 0)->kind, TT_INSN_JCC); /* not the call of abort */
    drop(&f);
}

/* Code that is not understood may leave in a way that no point sees: all of the function is in doubt. */
static void ways_that_are_not_understood_are_told(void **state)
{
    static const struct {
        const char *name, *problem;
    } cases[] = {{"t_in_place", "leaves with its frame in place"},
                 {"t_unknown", "is not understood"},
                 {"t_dead", "is not reached"}};
    struct function f;

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        follow(&f, cases[i].name, false);
        assert_int_equal(f.result, 1);
        assert_non_null(strstr(f.flow.problems, cases[i].problem));
        drop(&f);
    }
}

static void loops_and_late_entries_are_seen(void **state)
{
    struct function f;

    follow(&f, "t_loop", false);
    assert_int_equal(tt_flow_other_ways(&f.flow, 0), 1);
    drop(&f);
    follow(&f, "t_late", false);
    assert_int_equal(f.flow.insns[3].insn.kind, TT_INSN_CALL);
    assert_int_equal(tt_values_find(&f.flow, 3, TT_REG_RDI, 8).reg, TT_REG_R10);
    assert_int_equal(tt_values_find(&f.flow, 3, TT_REG_RSI, 8).reg, TT_REG_RSI);
    assert_int_equal(tt_values_find(&f.flow, 3, TT_REG_RSP, 8).reg, TT_REG_NONE);
    drop(&f);
}

/* First call of `function` at or behind instruction `from`. */
static uint32_t find_call(const struct function *function, uint32_t from)
{
    while (from < function->flow.insn_count && function->flow.insns[from].insn.kind != TT_INSN_CALL)
        from++;
    assert_true(from < function->flow.insn_count);
    return from;
}

/* A handler can be come to more than once. */
static void what_a_handler_leads_to_may_repeat(void **state)
{
    struct function f;
    uint32_t once, again;

    follow(
        &f,
        "_ZN5Tango12Device_5Impl17read_attributes_5ERKNS_17DevVarStringArrayENS_9DevSourceERKNS_9ClntIdentE",
        false);
    once = find_call(&f, 0);
    again = find_call(&f, once + 1);
    assert_false(tt_flow_repeats(&f.flow, once));
    assert_true(tt_flow_repeats(&f.flow, again));
    drop(&f);
}

/* Behind a call of what never returns the compiler goes on with something else. */
static void calls_that_come_back_are_told(void **state)
{
    struct function f;
    uint32_t call;

    follow(&f, "t_last", false);
    call = find_call(&f, 0);
    assert_true(tt_flow_comes_back(&f.flow, call)); /* nothing else leads to what follows */
    call = find_call(&f, call + 1);
    assert_true(tt_flow_comes_back(&f.flow, call)); /* the function has a ret */
    call = find_call(&f, call + 1);
    assert_false(tt_flow_comes_back(&f.flow, call));
    drop(&f);
    follow(&f, "t_noreturn", false);
    assert_false(tt_flow_comes_back(&f.flow, find_call(&f, 0))); /* of another file, and not known */
    drop(&f);
}

static void arguments_in_the_frame_are_found(void **state)
{
    struct tt_origin value;
    struct function f;
    uint32_t call;

    follow(&f, "t_frame", false);
    call = find_call(&f, 0);
    value = tt_values_find(&f.flow, call, TT_REG_RDI, 8);
    assert_int_equal(value.reg, TT_REG_RSP);
    assert_int_equal(value.derefs, 1);
    assert_int_equal(value.off[0], 0); /* rsp has come nearer */
    assert_int_equal(value.off[1], 0);
    assert_int_equal(tt_values_find(&f.flow, call, TT_REG_RSI, 8).reg, TT_REG_NONE);
    assert_int_equal(tt_values_find(&f.flow, call, TT_REG_RDX, 8).reg, TT_REG_NONE);
    value = tt_values_find(&f.flow, call, TT_REG_RDX, 4);
    assert_int_equal(value.reg, TT_REG_RSP);
    assert_int_equal(value.off[0], 16);
    assert_int_equal(tt_values_find(&f.flow, call, TT_REG_RCX, 8).reg, TT_REG_NONE);
    assert_int_equal(tt_values_find(&f.flow, call, TT_REG_R8, 8).reg, TT_REG_NONE);
    drop(&f);

    follow(&f, "t_lost", false);
    call = find_call(&f, 0);
    assert_int_equal(tt_values_find(&f.flow, call, TT_REG_RDI, 8).reg, TT_REG_NONE);
    assert_int_equal(tt_values_find(&f.flow, call, TT_REG_RSI, 8).reg, TT_REG_RSP);
    call = find_call(&f, call + 1);
    assert_int_equal(tt_values_find(&f.flow, call, TT_REG_RSI, 8).reg,
                     TT_REG_NONE); /* the first call's to change */
    drop(&f);
}

static void decodes_that_disagree_are_refused(void **state)
{
    struct tt_flow flow;
    char why[256];

    assert_int_equal(tt_flow_build(&elf, address_of("t_overlap"), &flow, why, sizeof(why)), -EINVAL);
    assert_non_null(strstr(why, "into an instruction"));
    assert_int_equal(tt_flow_build(&elf, address_of("t_loop") + 1, &flow, why, sizeof(why)), -EINVAL);
    assert_int_equal(tt_flow_build(&elf, 0x7fffffff, &flow, why, sizeof(why)), -EINVAL);
}

static void emulated_is_what_all_kernels_emulate(void **state)
{
    static const struct {
        uint8_t bytes[8];
        bool emulated;
    } cases[] = {
        {{0x53}, true},                    /* push %rbx */
        {{0x41, 0x57}, true},              /* push %r15 */
        {{0x90}, true},                    /* nop */
        {{0x74, 0x10}, true},              /* je */
        {{0x0f, 0x85, 1, 0, 0, 0}, true},  /* jne */
        {{0xeb, 0x10}, true},              /* jmp */
        {{0xe9, 1, 0, 0, 0}, true},        /* jmp */
        {{0xe8, 1, 0, 0, 0}, true},        /* call */
        {{0x66, 0x90}, false},             /* xchg %ax,%ax */
        {{0x0f, 0x1f, 0x44, 0, 0}, false}, /* 5-byte nop */
        {{0xf3, 0x0f, 0x1e, 0xfa}, false}, /* endbr64 */
        {{0xf2, 0xe9, 1, 0, 0, 0}, false}, /* bnd jmp */
        {{0x2e, 0x74, 0x10}, false},       /* je,pn */
        {{0x48, 0x53}, false},             /* rex.W push %rbx */
        {{0xff, 0x30}, false},             /* push (%rax) */
        {{0x6a, 1}, false},                /* push $1 */
        {{0xff, 0xe0}, false},             /* jmp *%rax */
        {{0xe3, 0x10}, false},             /* jrcxz */
        {{0xc3}, false},                   /* ret */
        {{0xf3, 0x90}, false},             /* pause */
    };
    struct tt_insn insn;

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        assert_int_equal(tt_insn_decode(cases[i].bytes, sizeof(cases[i].bytes), 0x1000, &insn), 0);
        assert_int_equal(insn.emulated, cases[i].emulated);
    }
    assert_int_equal(tt_insn_decode((const uint8_t[]){0x06}, 1, 0, &insn), -EINVAL);
    assert_int_equal(tt_insn_decode((const uint8_t[]){0xe8, 1}, 2, 0, &insn), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stack_check_is_the_exit),
        cmocka_unit_test(every_edge_out_has_its_condition),
        cmocka_unit_test(frames_in_rbp_are_told),
        cmocka_unit_test(tail_jumps_are_exits),
        cmocka_unit_test(indirect_tail_jumps_are_not),
        cmocka_unit_test(code_split_off_is_followed),
        cmocka_unit_test(landing_pads_are_reached),
        cmocka_unit_test(cases_of_a_table_are_reached_from_nowhere),
        cmocka_unit_test(an_indirect_call_is_no_exit),
        cmocka_unit_test(an_indirect_call_may_be_left_behind),
        cmocka_unit_test(what_is_returned_is_known_before_an_indirect_call),
        cmocka_unit_test(calls_that_never_return_lead_nowhere),
        cmocka_unit_test(ways_that_are_not_understood_are_told),
        cmocka_unit_test(loops_and_late_entries_are_seen),
        cmocka_unit_test(what_a_handler_leads_to_may_repeat),
        cmocka_unit_test(calls_that_come_back_are_told),
        cmocka_unit_test(arguments_in_the_frame_are_found),
        cmocka_unit_test(decodes_that_disagree_are_refused),
        cmocka_unit_test(emulated_is_what_all_kernels_emulate),
    };

    return cmocka_run_group_tests(tests, open_library, NULL);
}
