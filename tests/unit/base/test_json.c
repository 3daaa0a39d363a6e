/* SPDX-License-Identifier: GPL-2.0-only */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"

static void separators_and_keys(void **state)
{
    _cleanup_(tt_json_free) struct tt_json json = {0};

    tt_json_object(&json, NULL);
    tt_json_array(&json, "a");
    tt_json_uint(&json, NULL, 1);
    tt_json_object(&json, NULL);
    tt_json_object_end(&json);
    tt_json_array(&json, NULL);
    tt_json_array_end(&json);
    tt_json_array_end(&json);
    tt_json_bool(&json, "b", false);
    tt_json_string(&json, "n", NULL);
    tt_json_object_end(&json);
    tt_json_newline(&json);
    tt_json_bool(&json, NULL, true);
    assert_string_equal(json.data, "{\"a\":[1,{},[]],\"b\":false,\"n\":null}\ntrue");
    assert_int_equal(json.size, strlen(json.data));
    tt_json_reset(&json);
    tt_json_array(&json, NULL);
    tt_json_array_end(&json);
    assert_string_equal(json.data, "[]");
}

static void numbers(void **state)
{
    _cleanup_(tt_json_free) struct tt_json json = {0};

    tt_json_array(&json, NULL);
    tt_json_int(&json, NULL, INT64_MIN);
    tt_json_uint(&json, NULL, UINT64_MAX);
    tt_json_int_string(&json, NULL, -1);
    tt_json_uint_string(&json, NULL, UINT64_MAX);
    tt_json_double(&json, NULL, 0.1);
    tt_json_double(&json, NULL, 1.0 / 3);
    tt_json_double(&json, NULL, INFINITY);
    tt_json_double(&json, NULL, NAN);
    tt_json_hex(&json, NULL, (const uint8_t[]){0x00, 0x1f, 0xff}, 3);
    tt_json_array_end(&json);
    assert_string_equal(json.data,
                        "[-9223372036854775808,18446744073709551615,\"-1\",\"18446744073709551615\",0.1,"
                        "0.33333333333333331,null,null,\"001fff\"]");
}

/* Every byte at every place of two machine words, against what a reader of single bytes makes of it. */
static void every_byte_everywhere(void **state)
{
    for (unsigned c = 1; c < 256; c++) {
        for (size_t at = 0; at < 17; at++) {
            _cleanup_(tt_json_free) struct tt_json json = {0};
            char value[18] = "aaaaaaaaaaaaaaaaa", one[2] = {(char)c}, wanted[64];
            _cleanup_(tt_json_free) struct tt_json single = {0};

            value[at] = (char)c;
            tt_json_string(&json, NULL, value);
            tt_json_string(&single, NULL, one);
            snprintf(wanted, sizeof(wanted), "\"%.*s%.*s%s\"", (int)at, "aaaaaaaaaaaaaaaaa",
                     (int)strlen(single.data) - 2, single.data + 1, value + at + 1);
            assert_string_equal(json.data, wanted);
        }
    }
}

static void becomes(const char *value, size_t size, const char *text)
{
    _cleanup_(tt_json_free) struct tt_json json = {0};

    tt_json_bytes(&json, NULL, value, size);
    assert_string_equal(json.data, text);
}

static void strings_are_always_valid(void **state)
{
    becomes("", 0, "\"\"");
    becomes("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    becomes("\b\f\n\r\t\x01\x7f", 7, "\"\\b\\f\\n\\r\\t\\u0001\\u007f\"");
    becomes("a\0b", 3, "\"a\\u0000b\"");
    becomes("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    becomes("a\xff"
            "b",
            3,
            "\"a\xef\xbf\xbd"
            "b\"");
    becomes("\xc3", 1, "\"\xef\xbf\xbd\"");                                 /* cut */
    becomes("\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");                 /* overlong */
    becomes("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* surrogate */
    becomes("\xf4\x90\x80\x80", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void it_grows(void **state)
{
    _cleanup_(tt_json_free) struct tt_json json = {0};

    tt_json_array(&json, NULL);
    for (unsigned i = 0; i < 100000; i++)
        tt_json_string(&json, NULL, "abc");
    tt_json_array_end(&json);
    assert_false(json.failed);
    assert_int_equal(json.size, 2 + 100000 * 6 - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separators_and_keys),
        cmocka_unit_test(every_byte_everywhere),
        cmocka_unit_test(numbers),
        cmocka_unit_test(strings_are_always_valid),
        cmocka_unit_test(it_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
