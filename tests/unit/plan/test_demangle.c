/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "plan/demangle.h"
#include "plan/identity.h"

static void becomes(const char *symbol, const char *signature)
{
    _cleanup_free_ char *text = tt_demangle(symbol);

    assert_non_null(text);
    assert_string_equal(text, signature);
}

static void both_string_abis_read_the_same(void **state)
{
    static const char signature[] = "Tango::DeviceProxy::read_attribute(std::string const&)";
    static const char vector[] = "Tango::DeviceProxy::read_attributes(std::vector<std::string> const&)";

    becomes("_ZN5Tango11DeviceProxy14read_attributeERKSs", signature);
    becomes("_ZN5Tango11DeviceProxy14read_attributeERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
            signature);
    becomes("_ZN5Tango11DeviceProxy15read_attributesERKSt6vectorISsSaISsEE", vector);
    becomes(
        "_ZN5Tango11DeviceProxy15read_attributesERKSt6vectorINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
        "SaIS7_EE",
        vector);
}

static void tags_and_plain_names(void **state)
{
    becomes("_ZN5Tango11DeviceProxy6statusB5cxx11Ev", "Tango::DeviceProxy::status()");
    becomes("__cxa_begin_catch", "__cxa_begin_catch");
    assert_null(tt_demangle("_Znonsense("));
}

static void long_names_are_left_alone(void **state)
{
    char name[8192];

    memset(name, 'N', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_null(tt_demangle(name));
}

static void prefixes(void **state)
{
    char prefix[64];

    assert_true(tt_demangle_prefix("Tango::DeviceProxy::ping()", prefix, sizeof(prefix)));
    assert_string_equal(prefix, "_ZN5Tango11DeviceProxy4ping");
    assert_true(tt_demangle_prefix("__cxa_begin_catch", prefix, sizeof(prefix)));
    assert_string_equal(prefix, "__cxa_begin_catch");
    assert_false(tt_demangle_prefix("Tango::DeviceProxy::ping()", prefix, 8));
}

static void versions_come_from_names(void **state)
{
    static const char *const cases[][2] = {
        {"/usr/lib/libtango.so.9.3.4", "9.3.4"},
        {"libtango-ddde0d83.so.10.3.3", "10.3.3"},
        {"libomniORB4.so.2.5", "4.2.5"},
        {"libomniORB4-1b55eb7f.so.3.4", "4.3.4"},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *version = tt_identity_version(cases[i][0]);

        assert_non_null(version);
        assert_string_equal(version, cases[i][1]);
    }
    assert_null(tt_identity_version("/usr/bin/TangoTest"));
    assert_null(tt_identity_version("libx.so."));
    assert_null(tt_identity_version("libx.so.1 (deleted)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_string_abis_read_the_same), cmocka_unit_test(tags_and_plain_names),
        cmocka_unit_test(long_names_are_left_alone),      cmocka_unit_test(prefixes),
        cmocka_unit_test(versions_come_from_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
