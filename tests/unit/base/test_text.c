/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"

static void test_grow(void **state)
{
    struct tt_text text = {0};
    _cleanup_free_ char *taken = NULL;

    for (int i = 0; i < 1000; i++)
        tt_text_printf(&text, "%d,", i % 10);
    tt_text_add(&text, "\0x", 2);
    assert_int_equal(text.size, 2002);
    assert_int_equal(text.data[2002], '\0');
    taken = tt_text_take(&text);
    assert_int_equal(strlen(taken), 2000);
    assert_null(text.data);
    free(taken);
    taken = tt_text_take(&text); /* nothing was added: an empty string, not NULL */
    assert_string_equal(taken, "");
}

static void safe(const char *bytes, const char *wanted)
{
    _cleanup_(tt_text_free) struct tt_text text = {0};

    tt_text_safe(&text, bytes);
    assert_string_equal(text.data ? text.data : "", wanted);
}

static void test_safe(void **state)
{
    safe("", "");
    safe("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
    safe("\033[2J\r\n\t\x7f", "?[2J????");
    safe("\xc2\x9b"
         "2J",
         "?2J");                           /* CSI as a C1 control */
    safe("\xff\xc3", "??");                /* no UTF-8; cut in the middle */
    safe("\xc0\xaf\xe0\x80\xaf", "?????"); /* overlong */
    safe("\xed\xa0\x80", "???");           /* a surrogate */
    safe("\xf4\x90\x80\x80", "????");      /* beyond U+10FFFF */
}

static void test_numbers(void **state)
{
    uint64_t v = 1;
    bool b;

    assert_int_equal(tt_parse_u64("18446744073709551615", &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(tt_parse_u64("18446744073709551616", &v), -ERANGE);
    assert_int_equal(tt_parse_u64("", &v), -EINVAL);
    assert_int_equal(tt_parse_u64("-1", &v), -EINVAL);
    assert_int_equal(tt_parse_u64(" 1", &v), -EINVAL);
    assert_int_equal(tt_parse_u64("0x10", &v), -EINVAL);
    assert_int_equal(tt_parse_size("16M", &v), 0);
    assert_int_equal(v, 16 << 20);
    assert_int_equal(tt_parse_size("2 KiB", &v), 0);
    assert_int_equal(v, 2048);
    assert_int_equal(tt_parse_size("1T", &v), -EINVAL);
    assert_int_equal(tt_parse_size("99999999999G", &v), -ERANGE);
    assert_int_equal(tt_parse_duration("2s", &v), 0);
    assert_int_equal(v, 2000);
    assert_int_equal(tt_parse_duration("250", &v), 0);
    assert_int_equal(v, 250);
    assert_int_equal(tt_parse_duration("1.5s", &v), -EINVAL);
    assert_int_equal(tt_parse_bool("On", &b), 0);
    assert_true(b);
    assert_int_equal(tt_parse_bool("0", &b), 0);
    assert_false(b);
    assert_int_equal(tt_parse_bool("y", &b), -EINVAL);
}

static void test_glob(void **state)
{
    assert_true(tt_glob("a/*", "a/b/c", false));
    assert_true(tt_glob("TANGOTEST/*", "TangoTest/test", true));
    assert_false(tt_glob("TANGOTEST/*", "TangoTest/test", false));
    assert_false(tt_glob("*", NULL, false));
    assert_string_equal(tt_basename("/a/b"), "b");
    assert_string_equal(tt_basename("/a/"), "");
    assert_string_equal(tt_basename("a"), "a");
}

static void test_suggest(void **state)
{
    static const char *const names[] = {"run", "list", "status", "doctor", NULL};

    assert_string_equal(tt_suggest("staus", names, 5, sizeof(names[0])), "status");
    assert_string_equal(tt_suggest("lsit", names, 5, sizeof(names[0])), "list");
    assert_string_equal(tt_suggest("rn", names, 5, sizeof(names[0])), "run");
    assert_null(tt_suggest("frobnicate", names, 5, sizeof(names[0])));
    assert_null(tt_suggest("", names, 5, sizeof(names[0])));
    assert_null(tt_suggest("x", names, 5, sizeof(names[0])));
}

static void test_read_file(void **state)
{
    _cleanup_free_ char *data = NULL;
    size_t size;
    bool cut;

    assert_int_equal(tt_read_file_at(AT_FDCWD, "/proc/self/maps", 1 << 20, &data, &size, &cut), 0);
    assert_int_equal(strlen(data), size);
    assert_false(cut);
    free(TAKE_PTR(data));
    assert_int_equal(tt_read_file_at(AT_FDCWD, "/proc/self/maps", 10, &data, &size, &cut), 0);
    assert_int_equal(size, 10);
    assert_true(cut);
    free(TAKE_PTR(data));
    assert_int_equal(tt_read_file_at(AT_FDCWD, "/dev/zero", 100000, &data, &size, &cut), 0);
    assert_int_equal(size, 100000);
    assert_int_equal(tt_read_file_at(AT_FDCWD, "/nonexistent", 10, &data, &size, NULL), -ENOENT);
    assert_int_equal(tt_read_file_at(AT_FDCWD, "/", 10, &data, &size, NULL), -EISDIR);
}

static void test_pairs(void **state)
{
    const char *text = " a = b c ;; key=x=y; ;lonely; =z";
    static const struct {
        int result;
        const char *key, *value;
    } want[] = {{1, "a", "b c"}, {1, "key", "x=y"}, {-EINVAL, "lonely", NULL}, {1, "", "z"}, {0, NULL, NULL}};

    for (size_t i = 0; i < TT_ARRAY_SIZE(want); i++) {
        _cleanup_free_ char *key = NULL, *value = NULL;

        assert_int_equal(tt_pair_next(&text, &key, &value), want[i].result);
        if (want[i].key)
            assert_string_equal(key, want[i].key);
        if (want[i].value)
            assert_string_equal(value, want[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow),  cmocka_unit_test(test_safe),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_glob),  cmocka_unit_test(test_suggest), cmocka_unit_test(test_read_file),
        cmocka_unit_test(test_pairs),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
