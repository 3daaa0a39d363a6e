/* SPDX-License-Identifier: GPL-2.0-only */
/* Which Python it is: the number and the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "discover/interpreter.h"

static void test_version(void **state)
{
    static const struct {
        uint32_t hex;
        const char *want;
    } samples[] = {
        {0x030b02f0, "3.11.2"},
        {0x030e00c2, "3.14.0.candidate.2"},
        {0x030d00a1, "3.13.0.alpha.1"},
        {0x030e0021, "3.14.0.unknown.1"},
    };
    for (size_t i = 0; i < TT_ARRAY_SIZE(samples); i++) {
        _cleanup_free_ char *text = tt_python_version_of(samples[i].hex);
        assert_string_equal(text, samples[i].want);
    }
}

#define TEXT "3.11.2 (main, Nov 30 2024, 21:22:50) [GCC 12.2.0]"

static void test_text(void **state)
{
    static const char memory[] = "\0\0\x13\0" TEXT "\0\0";
    static const char old[] = "3.9.2 (default, Feb 28 2021, 17:03:44) \n[GCC 10.2.1 20210110]";
    assert_ptr_equal(tt_python_find_text(memory, sizeof(memory), 11), memory + 4);
    assert_ptr_equal(tt_python_find_text(old, sizeof(old), 9), old);
    assert_null(tt_python_find_text(memory, sizeof(memory), 12));
    /* the text must end inside, begin at a border, and be what it seems */
    assert_null(tt_python_find_text(memory, 4 + strlen(TEXT), 11));
    assert_null(tt_python_find_text("x" TEXT, sizeof("x" TEXT), 11));
    assert_null(tt_python_find_text("\0"
                                    "3.11.2",
                                    8, 11));
    assert_null(tt_python_find_text("3.11.2 (main) [GCC\x01]", 21, 11));
    assert_null(tt_python_find_text("3.11.2 [GCC] (main)", 20, 11));
    assert_null(tt_python_find_text("3.11.", 5, 11));
    assert_null(tt_python_find_text("", 0, 11));
    /* one that is none does not hide the next */
    static const char second[] = "3.11.9\0" TEXT;
    assert_ptr_equal(tt_python_find_text(second, sizeof(second), 11), second + 7);
}

/* Longer than Python's own buffer: not its. */
static void test_long(void **state)
{
    char text[TT_PYTHON_TEXT_MAX + 8];
    memset(text, 'x', sizeof(text));
    memcpy(text, "3.11.2 (main) [", 15);
    strcpy(text + TT_PYTHON_TEXT_MAX - 1, "]");
    assert_null(tt_python_find_text(text, sizeof(text), 11));
    strcpy(text + TT_PYTHON_TEXT_MAX - 2, "]");
    assert_ptr_equal(tt_python_find_text(text, sizeof(text), 11), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests_name("interpreter", tests, NULL, NULL);
}
