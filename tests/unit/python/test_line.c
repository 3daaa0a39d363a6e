/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines of instructions, against what each CPython says itself (co_lines, dis.findlinestarts) of one source.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "python/line.h"

#define LINES_MAX  256
#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

struct sample {
    const char *what;
    enum tt_python_lines kind;
    unsigned first;
    const uint8_t *table;
    size_t size;
    unsigned lines[LINES_MAX]; /* one per unit of two bytes; 0: none */
};

/* clang-format off: made by the interpreters */
static const struct sample samples[] = {
    {"3.9 scan",
     TT_PYTHON_LNOTAB,
     2,
     BYTES(0, 2, 4, 1, 8, 1, 2, 1, 6, 1, 2, 1, 6, 254, 10, 3, 4, 1, 2, 255, 10, 2, 12, 5, 10, 2, 6, 254),
     {4,  4,  5,  5,  5,  5,  6,  7,  7,  7,  8,  9,  9,  9,  7,  7,  7,  7,  7,  10, 10, 11,
      10, 10, 10, 10, 10, 12, 12, 12, 12, 12, 12, 17, 17, 17, 17, 17, 19, 19, 19, 17, 17, 17}},
    {"3.9 far",
     TT_PYTHON_LNOTAB,
     23,
     BYTES(0, 127, 0, 127, 0, 47, 6, 1, 2, 1, 4, 255),
     {324, 324, 324, 325, 326, 326, 325, 325, 325, 325}},
    {"3.10 scan",
     TT_PYTHON_LINETABLE,
     2,
     BYTES(4, 2, 8, 1, 2, 1, 6, 1, 2, 1, 6, 1, 10, 254, 4, 3, 2, 1, 10, 255, 4, 2, 2, 254, 10, 7, 6, 2, 6,
           254),
     {4,  4,  5,  5,  5,  5,  6,  7,  7,  7,  8,  9,  9,  9,  7,  7,  7,  7,  7,  10, 10,
      11, 10, 10, 10, 10, 10, 12, 12, 10, 17, 17, 17, 17, 17, 19, 19, 19, 17, 17, 17}},
    {"3.10 far",
     TT_PYTHON_LINETABLE,
     23,
     BYTES(0, 127, 0, 127, 6, 47, 2, 1, 4, 1, 8, 255),
     {324, 324, 324, 325, 326, 326, 325, 325, 325, 325}},
    {"3.11 scan",
     TT_PYTHON_LOCATIONS,
     2,
     BYTES(248, 128, 0, 224, 12, 13, 128, 69, 216, 16, 21, 240, 0, 7, 5, 21, 240, 0, 7, 5, 21, 136, 4, 240, 2,
           6, 9, 21, 216, 12, 17, 144, 85, 151, 90, 146, 90, 216, 16, 20, 221, 16, 19, 144, 69, 145, 10, 148,
           10, 241, 5, 2, 22, 28, 244, 0, 2, 22, 28, 241, 0, 2, 13, 28, 136, 69, 136, 69, 248, 245, 6, 0, 17,
           27, 221, 16, 24, 240, 3, 1, 16, 26, 240, 0, 2, 9, 21, 240, 0, 2, 9, 21, 240, 0, 2, 9, 21, 224, 12,
           20, 136, 72, 240, 5, 2, 9, 21, 248, 248, 248, 240, 14, 3, 12, 6, 240, 0, 3, 12, 6, 240, 0, 3, 12,
           6, 240, 0, 3, 12, 6, 229, 17, 22, 144, 113, 145, 24, 148, 24, 240, 5, 3, 12, 6, 241, 0, 3, 12, 6,
           244, 0, 3, 12, 6, 240, 0, 3, 5, 6),
     {0,  2,  4,  4,  5,  5,  5,  5,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  9,  9,
      9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  0,  10,
      10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 11, 10, 10, 10, 10, 12, 12, 10, 0,  0,  0,  17, 17, 17, 17,
      19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 17, 17, 17, 17, 17, 17, 17, 17, 17}},
    {"3.11 far",
     TT_PYTHON_LOCATIONS,
     23,
     BYTES(128, 0, 245, 90, 9, 0, 5, 8, 129, 69, 132, 69, 128, 69, 221, 4, 7, 221, 8, 13, 137, 7, 140, 7, 241,
           3, 1, 5, 17, 244, 0, 1, 5, 17, 240, 0, 1, 5, 17, 240, 0, 1, 5, 17, 240, 0, 1, 5, 17),
     {23,  324, 324, 324, 324, 324, 324, 324, 324, 324, 324, 324, 324, 324, 324,
      325, 325, 325, 325, 325, 325, 326, 326, 326, 326, 326, 326, 326, 326, 326,
      326, 326, 326, 326, 325, 325, 325, 325, 325, 325, 325, 325, 325, 325}},
    {"3.12 scan",
     TT_PYTHON_LOCATIONS,
     2,
     BYTES(128, 0, 224, 12, 13, 128, 69, 216, 16, 21, 242, 0, 7, 5, 21, 136, 4, 240, 2, 6, 9, 21, 216, 12, 17,
           144, 85, 151, 90, 145, 90, 216, 16, 20, 220, 16, 19, 144, 69, 147, 10, 243, 5, 2, 22, 28, 241, 0,
           2, 13, 28, 137, 69, 240, 5, 7, 5, 21, 244, 28, 0, 18, 23, 144, 113, 147, 24, 246, 5, 3, 12, 6, 224,
           12, 13, 242, 3, 0, 9, 14, 242, 3, 3, 12, 6, 240, 0, 3, 5, 6, 248, 244, 15, 0, 17, 27, 220, 16, 24,
           240, 3, 1, 16, 26, 242, 0, 2, 9, 21, 225, 12, 20, 240, 5, 2, 9, 21, 252, 242, 14, 3, 12, 6),
     {2,  4,  4,  5,  5,  5,  5,  5,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  9,
      9,  9,  9,  9,  9,  9,  9,  9,  9,  7,  7,  7,  7,  7,  7,  7,  7,  5,  19, 19, 19, 19, 19,
      19, 19, 19, 19, 19, 17, 17, 17, 17, 17, 17, 17, 19, 18, 18, 18, 17, 17, 17, 17, 0,  10, 10,
      10, 10, 10, 11, 11, 11, 11, 11, 10, 10, 10, 10, 12, 12, 10, 0,  0,  0,  0,  0,  17, 17, 17}},
    {"3.12 far",
     TT_PYTHON_LOCATIONS,
     23,
     BYTES(128, 0, 244, 90, 9, 0, 5, 8, 132, 69, 220, 4, 7, 220, 8, 13, 139, 7, 245, 3, 1, 5, 17),
     {23,  324, 324, 324, 324, 324, 324, 324, 324, 324, 324, 325, 325, 325, 325, 325,
      326, 326, 326, 326, 326, 326, 326, 326, 326, 325, 325, 325, 325, 325, 325}},
    {"3.13 scan",
     TT_PYTHON_LOCATIONS,
     2,
     BYTES(128, 0, 224, 12, 13, 128, 69, 219, 16, 21, 136, 4, 240, 2, 6, 9, 21, 216, 12, 17, 151, 90, 145, 90,
           216, 16, 20, 220, 16, 19, 144, 69, 147, 10, 243, 5, 2, 22, 28, 241, 0, 2, 13, 28, 138, 69, 241, 5,
           0, 17, 22, 244, 28, 0, 18, 23, 144, 113, 148, 24, 243, 5, 3, 12, 6, 225, 17, 25, 136, 65, 243, 3,
           0, 9, 14, 217, 17, 25, 241, 5, 3, 12, 6, 240, 0, 3, 5, 6, 248, 244, 15, 0, 17, 27, 220, 16, 24,
           240, 3, 1, 16, 26, 243, 0, 2, 9, 21, 226, 12, 20, 240, 5, 2, 9, 21, 252, 242, 14, 3, 12, 6),
     {2,  4,  4,  5,  5,  5,  5,  5,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  9,  9,  9,  9,
      9,  9,  9,  9,  9,  9,  7,  7,  7,  7,  7,  7,  7,  7,  7,  5,  5,  19, 19, 19, 19, 19, 19, 19, 19,
      19, 19, 19, 17, 17, 17, 17, 19, 19, 19, 18, 18, 18, 18, 19, 19, 17, 17, 17, 0,  10, 10, 10, 10, 10,
      11, 11, 11, 11, 11, 10, 10, 10, 10, 10, 12, 12, 12, 10, 0,  0,  0,  0,  0,  17, 17, 17}},
    {"3.13 far",
     TT_PYTHON_LOCATIONS,
     23,
     BYTES(128, 0, 244, 90, 9, 0, 5, 8, 132, 69, 220, 4, 7, 220, 8, 13, 139, 7, 245, 3, 1, 5, 17),
     {23,  324, 324, 324, 324, 324, 324, 324, 324, 324, 324, 325, 325, 325, 325, 325,
      326, 326, 326, 326, 326, 326, 326, 326, 326, 325, 325, 325, 325, 325, 325}},
};
/* clang-format on */

static void every_instruction_has_its_line(void **state)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(samples); i++) {
        const struct sample *s = &samples[i];
        size_t count = LINES_MAX;

        while (!s->lines[count - 1])
            count--;
        for (size_t unit = 0; unit < count; unit++) {
            unsigned line = tt_python_line(s->kind, s->table, s->size, s->first, 2 * unit);

            if (line != s->lines[unit])
                fail_msg("%s: unit %zu is in line %u, not %u", s->what, unit, s->lines[unit], line);
        }
    }
}

static void what_the_table_does_not_tell_is_nothing(void **state)
{
    static const uint8_t none[] = {15 << 3 | 128 | 3}, bad[] = {3, 1, 2};

    assert_int_equal(tt_python_line(TT_PYTHON_LOCATIONS, none, sizeof(none), 10, 2), 0);
    assert_int_equal(tt_python_line(TT_PYTHON_LOCATIONS, none, sizeof(none), 10, 8), 0); /* behind its end */
    assert_int_equal(tt_python_line(TT_PYTHON_LOCATIONS, bad, sizeof(bad), 10, 0), 0);
    assert_int_equal(tt_python_line(TT_PYTHON_LINETABLE, (const uint8_t[]){4, 128, 4, 1}, 4, 10, 0), 0);
    assert_int_equal(tt_python_line(TT_PYTHON_LINETABLE, (const uint8_t[]){4, 128, 4, 1}, 4, 10, 4), 11);
    assert_int_equal(tt_python_line(TT_PYTHON_LINETABLE, bad, 0, 10, 0), 0);
    /* 3.9's has no entry for the first line */
    assert_int_equal(tt_python_line(TT_PYTHON_LNOTAB, bad, 0, 10, 0), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instruction_has_its_line),
        cmocka_unit_test(what_the_table_does_not_tell_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
