/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"

static void copies_and_terminates(void **state)
{
    struct tt_arena arena = {0};
    const char *a = tt_arena_copy(&arena, "hello world", 5), *b = tt_arena_copy(&arena, NULL, 0);
    assert_string_equal(a, "hello");
    assert_string_equal(b, "");
    assert_true(a >= arena.first && a < arena.first + sizeof(arena.first));
    assert_null(arena.blocks);
    assert_null(tt_arena_copy(&arena, "", SIZE_MAX));
    tt_arena_free(&arena);
}

static void grows_beyond_the_first_block(void **state)
{
    struct tt_arena arena = {0};
    const char *kept[200];
    char text[64];
    for (int i = 0; i < 200; i++) {
        int n = snprintf(text, sizeof(text), "string number %d of a few", i);
        kept[i] = tt_arena_copy(&arena, text, (size_t)n);
    }
    char *large = tt_arena_alloc(&arena, 100000);
    large[99999] = 1;
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "string number %d of a few", i);
        assert_string_equal(kept[i], text);
    }
    assert_non_null(arena.blocks);
    tt_arena_free(&arena);
    assert_null(arena.blocks);
}

static void aligns_and_zeroes(void **state)
{
    struct tt_arena arena = {0};
    tt_arena_copy(&arena, "abc", 3);
    for (int i = 0; i < 100; i++) {
        unsigned char *memory = tt_arena_alloc(&arena, 13);
        assert_int_equal((uintptr_t)memory % 8, 0);
        for (int k = 0; k < 13; k++)
            assert_int_equal(memory[k], 0);
        memset(memory, 0xff, 13);
    }
    tt_arena_free(&arena);
}

static void prints(void **state)
{
    struct tt_arena arena = {0};
    assert_string_equal(tt_arena_printf(&arena, "%s %d", "read", 12), "read 12");
    const char *long_text = tt_arena_printf(&arena, "%0600d", 7);
    assert_int_equal(strlen(long_text), 600);
    tt_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_and_terminates),
        cmocka_unit_test(grows_beyond_the_first_block),
        cmocka_unit_test(aligns_and_zeroes),
        cmocka_unit_test(prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
