/* SPDX-License-Identifier: GPL-2.0-only */
/* Python objects, whole, freed and nonsense. */
#include "python/objects.h"

static const unsigned minors[] = {9, 10, 11, 12, 13, 14};

static void texts_are_utf8(void **state)
{
    static const uint8_t latin[] = {'t', 0xe9};
    static const uint16_t two[] = {0x7e, 0x7ff, 0x20ac};
    static const uint32_t four[] = {'x', 0x1f600};

    for (size_t i = 0; i < TT_ARRAY_SIZE(minors); i++) {
        char text[64];

        heap_start(minors[i]);
        const struct {
            uint64_t str;
            const char *want;
        } cases[] = {{make_str("read_Gain"), "read_Gain"},
                     {make_str(""), ""},
                     {make_wide(latin, 2, 1, false), "t\u00e9"},
                     {make_wide(two, 3, 2, false), "~\u07ff\u20ac"},
                     {make_wide(four, 2, 4, false), "x\U0001f600"}};
        for (size_t k = 0; k < TT_ARRAY_SIZE(cases); k++) {
            struct tt_pymem mem = reader();

            assert_true(tt_pymem_str(&mem, cases[k].str, text, sizeof(text)));
            assert_string_equal(text, cases[k].want);
            assert_false(mem.failed);
        }
    }
    heap_end();
}

static void what_is_no_text_is_refused(void **state)
{
    char text[16];
    uint64_t strs[8];
    size_t count = 0;

    heap_start(11);
    strs[count++] = make_str("freed"); /* where its count was lies the next free piece .. */
    put_word(strs[0], (uint64_t)(uintptr_t)heap);
    strs[count++] = make_str("freed"); /* .. or nothing */
    put_word(strs[1], 0);
    strs[count++] = make_wide("a\0b", 3, 1, true); /* would be read as "a" */
    strs[count++] = make_str("does not fit in there");
    strs[count++] = make_str("odd");
    put_u32(strs[4] + TT_PY_STR_STATE, 3 << 2 | 32); /* no such width */
    strs[count++] = make_str("elsewhere");
    put_u32(strs[5] + TT_PY_STR_STATE, 1 << 2 | 64); /* not compact: its characters lie anywhere */
    strs[count++] = make_str("long");
    put_word(strs[6] + TT_PY_SIZE, UINT64_MAX);
    strs[count++] = 8; /* no memory */
    for (size_t i = 0; i < count; i++) {
        struct tt_pymem mem = reader();

        assert_false(tt_pymem_str(&mem, strs[i], text, sizeof(text)));
        assert_true(mem.failed);
        /* what comes then is not believed */
        assert_false(tt_pymem_str(&mem, make_str("fine"), text, sizeof(text)));
    }
    struct tt_pymem mem = reader();
    assert_true(tt_pymem_alive(&mem, make_str("fine")));
    assert_false(tt_pymem_alive(&mem, strs[0]));
    heap_end();
}

static void types_have_names(void **state)
{
    struct tt_pymem mem;

    heap_start(12);
    mem = reader();
    assert_true(tt_pymem_is(&mem, make_object("function", 64), "function"));
    assert_false(tt_pymem_is(&mem, make_object("functions", 64), "function"));
    assert_false(tt_pymem_is(
        &mem, make_object("a.name.so.long.that.it.does.not.fit.where.names.are.compared.with.each.other", 64),
        "function"));
    assert_false(mem.failed); /* it is another type, and that is an answer */
    heap_end();
}

static void tuples_are_bounded(void **state)
{
    const uint64_t items[] = {11, 22, 33};
    uint64_t found[2] = {0};
    struct tt_pymem mem;

    heap_start(12);
    mem = reader();
    assert_int_equal(tt_pymem_tuple(&mem, make_tuple(items, 1), found, 2), 1);
    assert_int_equal(found[0], 11);
    assert_int_equal(tt_pymem_tuple(&mem, make_tuple(items, 3), found, 2), 2);
    assert_int_equal(found[1], 22);
    assert_int_equal(tt_pymem_tuple(&mem, make_tuple(items, 0), found, 2), 0);
    assert_false(mem.failed);
    assert_int_equal(tt_pymem_tuple(&mem, 8, found, 2), 0);
    assert_true(mem.failed);
    heap_end();
}

static void dictionaries_are_searched(void **state)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(minors); i++) {
        for (int shared = 0; shared < 2; shared++) {
            struct tt_pymem mem;
            uint64_t dict;

            heap_start(minors[i]);
            const uint64_t keys[] = {0, 8, make_str("read_Gaim"), make_str("read_Gain"), make_str("x")};
            const uint64_t values[] = {1, 2, 3, 4, 5};

            dict = make_dict(keys, values, TT_ARRAY_SIZE(keys), shared);
            mem = reader();
            assert_int_equal(tt_pymem_dict_get(&mem, dict, "read_Gain"), 4);
            assert_int_equal(tt_pymem_dict_get(&mem, dict, "x"), 5);
            assert_int_equal(tt_pymem_dict_get(&mem, dict, "read"), 0);
            assert_false(mem.failed); /* a key that cannot be read is none, and no failure */
            put_word(*(uint64_t *)(uintptr_t)(dict + TT_PY_DICT_KEYS) +
                         (layout->keys == TT_PYTHON_KEYS_39 ? 32 : 24),
                     1u << 20);
            assert_int_equal(tt_pymem_dict_get(&mem, dict, "x"), 0);
            assert_true(mem.failed); /* so many that it makes no sense */
        }
    }
    heap_end();
}

static void reads_are_bounded(void **state)
{
    struct tt_pymem mem;

    heap_start(12);
    mem = reader();
    mem.left = 2;
    assert_int_equal(tt_pymem_word(&mem, make_str("x")), 3);
    assert_int_equal(tt_pymem_word(&mem, make_str("x")), 3);
    assert_false(mem.failed);
    assert_int_equal(tt_pymem_word(&mem, make_str("x")), 0);
    assert_true(mem.failed);
    heap_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_utf8),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(types_have_names),
        cmocka_unit_test(tuples_are_bounded),
        cmocka_unit_test(dictionaries_are_searched),
        cmocka_unit_test(reads_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
