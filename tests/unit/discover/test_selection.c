/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "discover/process.h"

static char *test_argv[] = {"/usr/bin/python3", "/opt/Basler.py", "B107A-aa01", NULL};

/* A server and a client to select from. */
static struct tt_process server_process(void)
{
    return (struct tt_process){.pid = 42,
                               .uid = 1000,
                               .user = "vacuum",
                               .exe = "/usr/bin/python3.11",
                               .argv = test_argv,
                               .script = "Basler",
                               .server = "Basler/B107A-aa01",
                               .name = "Basler/B107A-aa01",
                               .runtime = "python",
                               .cgroup = "/system.slice/tango.service",
                               .netns = 4026531840,
                               .tango = true};
}

static struct tt_process client_process(void)
{
    static char *argv[] = {"/opt/scan", "--fast", NULL};

    return (struct tt_process){.pid = 7,
                               .uid = 0,
                               .user = "root",
                               .exe = "/opt/scan",
                               .argv = argv,
                               .script = "scan",
                               .name = "scan",
                               .netns = 4026532000,
                               .tango = true};
}

struct sample {
    const char *rules[5]; /* "+PATTERN" or "-PATTERN" */
    bool server, client;  /* selected? */
    const char *server_rule;
};

static const struct sample samples[] = {
    {{NULL}, true, true, "default: every Tango process"},
    {{"+Basler/*"}, true, false, "include Basler/*"},
    {{"+basler/b107a-AA01"}, true, false, "include basler/b107a-AA01"},
    {{"+basler"}, true, false, "include basler"}, /* the exec part, whatever the instance */
    {{"+server:basler"}, true, false, "include server:basler"},
    {{"+SERVER:Basler/*"}, true, false, "include SERVER:Basler/*"}, /* kinds in any letter case */
    {{"+server:*"}, true, false, "include server:*"},
    {{"+server:scan"}, false, false, "default: no include matches"},
    {{"+python3.11"}, true, false, "include python3.11"},
    {{"+exe:/usr/bin/*"}, true, false, "include exe:/usr/bin/*"},
    {{"+exe:scan"}, false, true, "default: no include matches"},
    {{"+Basler.py"}, true, false, "include Basler.py"},
    {{"+script:BASLER"}, false, false, "default: no include matches"}, /* only server names ignore case */
    {{"+script:s?an"}, false, true, "default: no include matches"},
    {{"+cmd:*Basler.py B107A*"}, true, false, "include cmd:*Basler.py B107A*"},
    {{"+cmd:Basler"}, false, false, "default: no include matches"},
    {{"+user:vac*"}, true, false, "include user:vac*"},
    {{"+user:1000"}, true, false, "include user:1000"},
    {{"+cgroup:/system.slice/*"}, true, false, "include cgroup:/system.slice/*"},
    {{"+netns:4026532000"}, false, true, "default: no include matches"},
    {{"+pid:42"}, true, false, "include pid:42"},
    {{"-user:root"}, true, false, "default: every Tango process"}, /* only excludes: the rest is in */
    {{"-Basler"}, false, true, "exclude Basler"},
    {{"-Basler/b107a-*", "+Basler"}, false, false, "exclude Basler/b107a-*"}, /* first match wins */
    {{"+Basler", "-Basler/b107a-*"}, true, false, "include Basler"},
    {{"-user:root", "+*"}, true, false, "include *"},
    {{"-pid:7", "+pid:7", "+user:*"}, true, false, "include user:*"},
    {{"+[[:upper:]]asler"}, true, false, "include [[:upper:]]asler"},
};

static bool decide(const struct sample *sample, struct tt_process process, char **rule)
{
    struct tt_selection *selection = tt_selection_new();
    char *error = NULL;

    for (size_t i = 0; sample->rules[i]; i++)
        assert_int_equal(
            tt_selection_add(selection, sample->rules[i][0] == '+', sample->rules[i] + 1, &error), 0);
    assert_int_equal(tt_selection_apply(selection, &process), 0);
    tt_selection_free(&selection);
    *rule = process.rule;
    return process.selected;
}

static void test_rules(void **state)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(samples); i++) {
        _cleanup_free_ char *server_rule = NULL, *client_rule = NULL;

        if (decide(&samples[i], server_process(), &server_rule) != samples[i].server ||
            strcmp(server_rule, samples[i].server_rule))
            fail_msg("sample %zu (%s): server: %s", i, samples[i].rules[0], server_rule);
        if (decide(&samples[i], client_process(), &client_rule) != samples[i].client)
            fail_msg("sample %zu (%s): client: %s", i, samples[i].rules[0], client_rule);
    }
}

static void test_not_tango(void **state)
{
    struct tt_process process = client_process();

    process.tango = false;
    assert_int_equal(tt_selection_apply(NULL, &process), 0);
    assert_false(process.selected);
    assert_string_equal(process.rule, "not a Tango process");
    free(process.rule);
}

static void refused(const char *text, const char *part)
{
    struct tt_selection *selection = tt_selection_new();
    _cleanup_free_ char *error = NULL;

    assert_int_equal(tt_selection_add(selection, true, text, &error), -EINVAL);
    assert_non_null(error);
    if (!strstr(error, part))
        fail_msg("\"%s\": %s", text, error);
    assert_int_equal(tt_selection_count(selection), 0);
    tt_selection_free(&selection);
}

/* --native skip goes before every rule. */
static void test_native(void **state)
{
    struct tt_selection *selection = tt_selection_new();
    struct tt_process process = server_process();
    char *error = NULL;

    process.native = true;
    assert_int_equal(tt_selection_add(selection, true, "Basler", &error), 0);
    assert_int_equal(tt_selection_apply(selection, &process), 0);
    assert_true(process.selected);
    tt_selection_skip_native(selection, true);
    assert_int_equal(tt_selection_apply(selection, &process), 0);
    assert_false(process.selected);
    assert_non_null(strstr(process.rule, "--native skip"));
    process.native = false;
    assert_int_equal(tt_selection_apply(selection, &process), 0);
    assert_true(process.selected);
    free(process.rule);
    tt_selection_free(&selection);
}

static void test_errors(void **state)
{
    char *large = calloc(1, 4001);

    memset(large, 'x', 4000);
    refused("sever:TangoTest", "server exe script cmd user cgroup netns pid");
    refused("sever:TangoTest", "no kind \"sever\"");
    refused("Sever:TangoTest", "no kind \"Sever\"");
    refused("device:sys/tg_test/1", "no kind \"device\"");
    refused("pid:abc", "decimal number");
    refused("pid:-1", "decimal number");
    refused("netns:", "decimal number");
    refused("", "empty");
    refused("server:", "empty");
    refused(large, "limit is 1024");
    free(large);
}

struct detail_sample {
    const char *rules[5];
    enum tt_detail server, client;
};

static const struct detail_sample detail_samples[] = {
    {{NULL}, TT_DETAIL_METHODS, TT_DETAIL_METHODS},
    {{"rpc"}, TT_DETAIL_RPC, TT_DETAIL_RPC},
    {{"Full"}, TT_DETAIL_FULL, TT_DETAIL_FULL},
    {{"rpc", "full:Basler/*"}, TT_DETAIL_FULL, TT_DETAIL_RPC}, /* the rest, wherever it stands */
    {{"full:Basler/*", "rpc"}, TT_DETAIL_FULL, TT_DETAIL_RPC},
    {{"rpc", "full"}, TT_DETAIL_FULL, TT_DETAIL_FULL},
    {{"full:server:basler", "rpc:*"}, TT_DETAIL_FULL, TT_DETAIL_RPC}, /* the first that matches */
    {{"rpc:*", "full:server:basler"}, TT_DETAIL_RPC, TT_DETAIL_RPC},
    {{"rpc:pid:7"}, TT_DETAIL_METHODS, TT_DETAIL_RPC},
};

static struct tt_selection *with_details(const char *const rules[5])
{
    struct tt_selection *selection = tt_selection_new();
    char *error = NULL;

    for (size_t i = 0; i < 5 && rules[i]; i++)
        if (tt_selection_add_detail(selection, false, rules[i], &error))
            fail_msg("%s", error);
    return selection;
}

static void test_details(void **state)
{
    struct tt_process server = server_process(), client = client_process();

    for (size_t i = 0; i < TT_ARRAY_SIZE(detail_samples); i++) {
        struct tt_selection *selection = with_details(detail_samples[i].rules);

        assert_int_equal(tt_selection_detail(selection, &server), detail_samples[i].server);
        assert_int_equal(tt_selection_detail(selection, &client), detail_samples[i].client);
        tt_selection_free(&selection);
    }
}

static void rule_is(const struct tt_selection *selection, size_t index, const char *wanted)
{
    _cleanup_free_ char *rule = tt_selection_detail_rule(selection, index);

    if (wanted)
        assert_string_equal(rule, wanted);
    else
        assert_null(rule);
}

/* While the agent runs: the latest word counts, and the same pattern is there once. */
static void test_details_change(void **state)
{
    static const char *const rules[5] = {"full:Basler/*", "rpc:scan"};
    struct tt_selection *selection = with_details(rules);
    struct tt_process server = server_process();
    char *error = NULL;

    assert_int_equal(tt_selection_add_detail(selection, true, "rpc:*", &error), 0);
    assert_int_equal(tt_selection_detail(selection, &server), TT_DETAIL_RPC);
    assert_int_equal(tt_selection_add_detail(selection, true, "methods:Basler/*", &error), 0);
    assert_int_equal(tt_selection_detail(selection, &server), TT_DETAIL_METHODS);
    assert_int_equal(tt_selection_add_detail(selection, true, "full", &error), 0);
    rule_is(selection, 0, "methods:Basler/*");
    rule_is(selection, 1, "rpc:*");
    rule_is(selection, 2, "rpc:scan");
    rule_is(selection, 3, "full");
    rule_is(selection, 4, NULL);
    tt_selection_free(&selection);
}

static void detail_refused(const char *text, const char *part)
{
    struct tt_selection *selection = tt_selection_new();
    char *error = NULL;

    assert_int_equal(tt_selection_add_detail(selection, false, text, &error), -EINVAL);
    if (!strstr(error, part))
        fail_msg("%s", error);
    free(error);
    rule_is(selection, 0, "methods");
    tt_selection_free(&selection);
}

static void test_detail_errors(void **state)
{
    struct tt_selection *selection = tt_selection_new();
    char text[32], *error = NULL;

    detail_refused("all", "\"all\" is no level");
    detail_refused("", "no level");
    detail_refused("rpc:", "empty");
    detail_refused("Basler/*:rpc", "no level");
    detail_refused("rpc:pid:x", "decimal number");
    for (int i = 0; i < 256; i++) {
        snprintf(text, sizeof(text), "rpc:pid:%d", i + 1);
        assert_int_equal(tt_selection_add_detail(selection, true, text, &error), 0);
    }
    assert_int_equal(tt_selection_add_detail(selection, true, "rpc:pid:5", &error), 0);
    assert_int_equal(tt_selection_add_detail(selection, true, "rpc:pid:500", &error), -E2BIG);
    free(error);
    tt_selection_free(&selection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),         cmocka_unit_test(test_not_tango),
        cmocka_unit_test(test_native),        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_details),       cmocka_unit_test(test_details_change),
        cmocka_unit_test(test_detail_errors),
    };

    return cmocka_run_group_tests_name("selection", tests, NULL, NULL);
}
