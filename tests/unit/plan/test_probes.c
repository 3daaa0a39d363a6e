/* SPDX-License-Identifier: GPL-2.0-only */
/* The user's probes: what their texts may say, which functions they name (probes.cpp), what is planned of
 * them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assembled.h"
#include "base/cleanup.h"
#include "plan/plan.h"

static void texts_are_checked(void **state)
{
    static const struct {
        const char *text, *word; /* NULL: right */
    } cases[] = {
        {"function=MyDevice::compute*", NULL},
        {" function = MyDevice::compute* ; file=libmono*;", NULL},
        {"function=(anonymous namespace)::hidden", NULL},
        {"function=0x4a10; file=MyServer", NULL},
        {"function=f; arguments=0 device, 1 int a, 2 string b, return long c", NULL},
        {"function=f; arguments=1 attribute, 2 command, 3 bool a, 4 char* b, 9 pointer c, 6 unsigned d",
         NULL},
        {"", "names no function"},
        {"file=x", "names no function"},
        {"function", "has no value"},
        {"function=", "has no value"},
        {"function=f; function=g", "stands twice"},
        {"function=f; files=x", "not \"files\""},
        {"function=*", "any function"},
        {"function=[abc]*", "any function"},
        {"function=(anonymous namespace)::*", "any function"},
        {"function=0x4a10", "needs the file"},
        {"function=0xzz; file=x", "no address"},
        {"function=0x0; file=x", "no address"},
        {"function=f; arguments=1", "are expected"},
        {"function=f; arguments=1 int a b", "are expected"},
        {"function=f; arguments=10 int a", "the place"},
        {"function=f; arguments=-1 int a", "the place"},
        {"function=f; arguments=1 float a", "the kind"},
        {"function=f; arguments=1 int", "a name"},
        {"function=f; arguments=1 int 9a", "a name"},
        {"function=f; arguments=1 int a:b", "a name"},
        {"function=f; arguments=1 device a", "no name of its own"},
        {"function=f; arguments=return string a", "when it is returned"},
        {"function=f; arguments=1 int a,2 int b,3 int c,4 int d,5 int e", "more than 4"},
        {"function=f; arguments=0 device,1 int a,2 int b,3 int c,4 int d,5 command", "more than 6"},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *error = NULL;
        int r = tt_probe_check(cases[i].text, &error);

        if (r != (cases[i].word ? -EINVAL : 0) || (cases[i].word && !strstr(error, cases[i].word)))
            fail_msg("%s: %d %s", cases[i].text, r, error ? error : "");
    }
}

/* The functions that the probe names, as "name name ..". */
static void expect(int fd, const char *text, const char *names)
{
    _cleanup_(tt_probes_free) struct tt_probes *probes = NULL;
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    _cleanup_free_ char *error = NULL;
    struct tt_probes_context context = {0};
    bool holds[TT_HOLDS] = {false};
    char found[512] = "";
    size_t next = 0;
    int r;

    assert_int_equal(tt_probes_new(&text, 1, &probes), 0);
    assert_int_equal(tt_plan_probe(probes, fd, "/lib/libmono.so", holds), 0);
    context.probes = probes;
    r = tt_plan_probes(fd, "/lib/libmono.so", &context, &plan, &error);
    assert_int_equal(r, *names ? 0 : -ENOENT);
    assert_int_equal(holds[TT_HOLDS_PROBES], *names != '\0');
    for (size_t i = 0; plan && i < plan->function_count; i++)
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s", i ? " | " : "",
                 tt_plan_row(plan, plan->functions[i].row)->name);
    assert_string_equal(found, names);
    assert_int_equal(tt_probes_missed(probes, &next) != NULL, !*names);
}

static int compile(void)
{
    return assemble_source("probes.cpp",
                           "-x c++ -O2 -fPIC -fno-exceptions -Wl,--unresolved-symbols=ignore-all");
}

static void names_are_those_of_the_source(void **state)
{
    _cleanup_close_ int fd = compile();

    assert_true(fd >= 0);
    expect(fd, "function=MyDevice::compute", "MyDevice::compute");
    expect(fd, "function=MyDevice::compute*", "MyDevice::compute | MyDevice::compute_all");
    expect(fd, "function=*::compute_[a-z]*", "MyDevice::compute_all");
    expect(fd, "function=MyDevice::compute(int, std::string const&)", "MyDevice::compute");
    expect(fd, "function=MyDevice::compute*(*) const", "MyDevice::compute_all");
    expect(fd, "function=MyDevice::compute(int)", "");
    expect(fd, "function=MyDevice::scaled<int>", "MyDevice::scaled<int>");
    expect(fd, "function=MyDevice::operator()*", "MyDevice::operator()");
    expect(fd, "function=MyDevice::operator()(int)", "MyDevice::operator()");
    expect(fd, "function=plain_c", "plain_c");
    expect(fd, "function=compute", "");
    expect(fd, "function=MyDevice::compute; file=libmono*", "MyDevice::compute");
    expect(fd, "function=MyDevice::compute; file=/lib/*", "MyDevice::compute");
    expect(fd, "function=MyDevice::compute; file=libother*", "");
}

static const struct tt_plan_function *only_function(const struct tt_plan *plan)
{
    assert_int_equal(plan->function_count, 1);
    return plan->functions;
}

static void arguments_are_captured(void **state)
{
    const char *text = "function=MyDevice::compute; arguments=1 int energy, 2 char* mode";
    _cleanup_(tt_probes_free) struct tt_probes *probes = NULL;
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL, *again = NULL;
    struct tt_probes_context context = {0};
    _cleanup_free_ char *error = NULL;
    _cleanup_close_ int fd = compile();
    const struct tt_plan *others[1];
    const struct tt_point *enter;

    assert_int_equal(tt_probes_new(&text, 1, &probes), 0);
    context.probes = probes;
    assert_int_equal(tt_plan_probes(fd, "/lib/libmono.so", &context, &plan, &error), 0);
    assert_null(only_function(plan)->refused);
    assert_true(only_function(plan)->count >= 2);
    enter = &plan->points[0].point;
    assert_int_equal(enter->detail, TT_DETAIL_METHODS);
    assert_int_equal(enter->captures, 2);
    assert_int_equal(enter->capture[0].field, TT_FIELD_ARGUMENT_1);
    assert_int_equal(enter->capture[0].reg, TT_REG_RSI);
    assert_int_equal(enter->capture[1].kind, TT_CAPTURE_CSTRING);
    assert_string_equal(tt_plan_row(plan, plan->functions->row)->arguments, "energy:int,mode:char*");
    /* what is traced there already stays what it is */
    others[0] = plan;
    context.others = others;
    context.other_count = 1;
    assert_int_equal(tt_plan_probes(fd, "/lib/libmono.so", &context, &again, &error), 0);
    assert_int_equal(again->point_count, 0);
    assert_string_equal(only_function(again)->refused, "traced already, as MyDevice::compute");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_checked),
        cmocka_unit_test(names_are_those_of_the_source),
        cmocka_unit_test(arguments_are_captured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
