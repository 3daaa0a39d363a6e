/* SPDX-License-Identifier: GPL-2.0-only */
/* Strings of strangers: UTF-8, C++ type names, addresses, times, secrets. */
#include "enrich/fixture.h"

#include "enrich/convert.h"

#define BAD "\xef\xbf\xbd"

static void test_utf8(void **state)
{
    static const struct {
        const char *in, *out;
        size_t limit;
    } cases[] = {
        {"", "", 10},
        {"sys/tg_test/1", "sys/tg_test/1", 100},
        {"abcdef", "abc", 3},
        {"temp\xc3\xa9rature", "temp\xc3\xa9rature", 100},
        {"\xb5m", BAD "m", 100}, /* Latin-1 */
        {"\xc3", BAD, 100},      /* cut in the middle */
        {"a\xe2\x82", "a" BAD BAD, 100},
        {"\xc0\xaf", BAD BAD, 100}, /* overlong */
        {"\xe0\x80\x80", BAD BAD BAD, 100},
        {"\xed\xa0\x80", BAD BAD BAD, 100}, /* surrogate */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 100},
        {"\xf0\x80\x80\x80", BAD BAD BAD BAD, 100},
        {"\xf4\x90\x80\x80", BAD BAD BAD BAD, 100}, /* beyond U+10FFFF */
        {"\xff\xfe", BAD BAD, 100},
        {"ab\xe2\x82\xac", "ab", 4}, /* a cut falls between characters */
        {"ab\xe2\x82\xac", "ab\xe2\x82\xac", 5},
        {"\xff\xff", BAD, 5},
        {"\xff", "", 2},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tt_arena arena = {0};

        assert_string_equal(tt_convert_copy(&arena, cases[i].in, cases[i].limit), cases[i].out);
        tt_arena_free(&arena);
    }
}

static void test_types(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"N5Tango9DevFailedE", "Tango::DevFailed"},
        {"*N5Tango9DevFailedE", "Tango::DevFailed"},
        {"N5CORBA9TRANSIENTE", "CORBA::TRANSIENT"},
        {"St13runtime_error", "std::runtime_error"},
        {"NSt8ios_base7failureB5cxx11E", "std::ios_base::failure[abi:cxx11]"},
        {"N12_GLOBAL__N_17MyErrorE", "(anonymous namespace)::MyError"},
        {"7MyError", "MyError"},
        {"i", "int"},
        {"PKc", "char const*"},
        {"St6vectorIiSaIiEE", "std::vector<int, std::allocator<int> >"},
        {"NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", "std::string"},
        {"Ss", "std::string"},
        {"St4pairINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEES5_E",
         "std::pair<std::string, std::string>"},
        {"", ""},
        {"*", ""},
        {"N", "N"},
        {"NE", "NE"},
        {"N9999999999999999999999E", "N9999999999999999999999E"},
        {"N5TangoE9", "N5TangoE9"},
        {"99MyError", "99MyError"},
        {"not mangled", "not mangled"},
        {"7MyErr\xffr", "MyErr" BAD "r"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tt_arena arena = {0};

        assert_string_equal(tt_convert_type(&arena, cases[i].in), cases[i].out);
        tt_arena_free(&arena);
    }
}

/* A pair of pairs of pairs .., each of twice what is in it: `levels` of them. */
static void write_bomb(char *text, size_t size, int levels)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t used = 0;

    for (int i = 0; i < levels; i++)
        used += (size_t)snprintf(text + used, size - used, "St4pairI");
    used += (size_t)snprintf(text + used, size - used, "St4pairIiiE");
    for (int number = levels; number < 2 * levels; number++) /* of the pair just closed */
        used += (size_t)snprintf(text + used, size - used, "S%.*s%c_E", number >= 36, "1",
                                 digits[number % 36]);
    assert_true(used < size);
}

/* Substitutions that double the name each time: 35 MB of 20, which are told as they are; and no name is long.
 */
static void test_type_bomb(void **state)
{
    struct tt_arena arena = {0};
    char bomb[512];
    const char *text;

    write_bomb(bomb, sizeof(bomb), 2);
    assert_string_equal(tt_convert_type(&arena, bomb),
                        "std::pair<std::pair<std::pair<int, int>, std::pair<int, int> >, "
                        "std::pair<std::pair<int, int>, std::pair<int, int> > >");
    write_bomb(bomb, sizeof(bomb), 20);
    assert_true(strlen(bomb) <= 256);
    assert_string_equal(tt_convert_type(&arena, bomb), bomb);
    memset(bomb, 'P', sizeof(bomb)); /* int***.. */
    memcpy(bomb + 300, "i", 2);
    text = tt_convert_type(&arena, bomb);
    assert_int_equal(strlen(text), 256);
    assert_memory_equal(text, bomb, 256);
    tt_arena_free(&arena);
}

static void test_addresses(void **state)
{
    static const unsigned char v4[] = {192, 168, 1, 0}, v6[16] = {0xfd, [15] = 9};
    static const unsigned char ends[] = {255, 0, 10, 100};
    struct tt_arena arena = {0};

    assert_string_equal(tt_convert_address(&arena, 2, v4), "192.168.1.0");
    assert_string_equal(tt_convert_address(&arena, 2, ends), "255.0.10.100");
    assert_string_equal(tt_convert_address(&arena, 10, v6), "fd00::9");
    assert_null(tt_convert_address(&arena, 1, v6));
    tt_arena_free(&arena);
}

static void test_times(void **state)
{
    struct tt_arena arena = {0};

    assert_string_equal(tt_convert_time(&arena, 0), "1970-01-01T00:00:00.000Z");
    assert_string_equal(tt_convert_time(&arena, 1700000000123456789u), "2023-11-14T22:13:20.123Z");
    tt_convert_time(&arena, UINT64_MAX); /* whatever it says */
    tt_arena_free(&arena);
}

static void test_secrets(void **state)
{
    static const struct {
        const char *previous, *word, *out;
    } cases[] = {
        {NULL, "TangoTest", "TangoTest"},
        {"TangoTest", "test", "test"},
        {"test", "-v4", "-v4"},
        {"x", "--password=hunter2", "--password=***"},
        {"x", "--PASSWORD=hunter2", "--PASSWORD=***"},
        {"--token", "hunter2", "***"},
        {"--token", "--verbose", "--verbose"},
        {"--token=x", "y", "y"},
        {"-H", "Authorization: Bearer hunter2", "Authorization:***"},
        {"x", "-Dapi.key.secret=hunter2", "-Dapi.key.secret=***"},
        {"x", "PGPASSWORD=hunter2", "PGPASSWORD=***"},
        {"x", "http://operator:hunter2@archiver/db", "http://operator:***@archiver/db"},
        {"x", "http://archiver/db?token=hunter2", "http://archiver/db?token=***"},
        {"x", "http://archiver/db?mail=ops:desk@site", "http://archiver/db?mail=ops:desk@site"},
        {"x", "tango://host:10000/sys/tg_test/1", "tango://host:10000/sys/tg_test/1"},
        {"-c", "connect(user='a', password = 'hunter2')", "connect(user='a', password =***"},
        {"-c", "{\"password\": \"hunter2\"}", "{\"password\":***"},
        {"x", "password=", "password="},
        {"--token", "", "***"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tt_arena arena = {0};

        assert_string_equal(tt_convert_masked(&arena, cases[i].word, cases[i].previous, 1000), cases[i].out);
        tt_arena_free(&arena);
    }
}

static void test_arguments(void **state)
{
    static const struct {
        const char *kind;
        struct tt_span_argument argument;
        const char *out;
    } cases[] = {
        {"int", {true, NULL, 0xfffffffffffffff9}, "n=-7"},
        {"int", {true, NULL, 0xdead00000007}, "n=7"}, /* the register's upper half is not the argument's */
        {"unsigned", {true, NULL, 0xfffffffffffffff9}, "n=4294967289"},
        {"bool", {true, NULL, 0x1100}, "n=false"},
        {"bool", {true, NULL, 1}, "n=true"},
        {"long", {true, NULL, 0xfffffffffffffff9}, "n=-7"},
        {"pointer", {true, NULL, 0x7f00}, "n=0x7f00"},
        {"string", {true, "a=b", 0}, "n=a=b"},
    };
    char text[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tt_row_argument what = {.name = "n"};

        snprintf(what.kind, sizeof(what.kind), "%s", cases[i].kind);
        tt_convert_argument(&what, &cases[i].argument, text, sizeof(text));
        assert_string_equal(text, cases[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),      cmocka_unit_test(test_types), cmocka_unit_test(test_type_bomb),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_times), cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
