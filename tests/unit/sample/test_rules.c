/* SPDX-License-Identifier: GPL-2.0-only */
#include "../export/fixture.h"

#include <errno.h>

#include "sample/rules.h"

struct scene {
    struct tt_otel_resource *client, *server;
    struct tt_otel_span *spans[2]; /* a read: the client's side, the server's */
};

static const char *const names[] = {"State", "Position"};

static int make_scene(void **state)
{
    static struct scene s;

    s = (struct scene){.client = fixture_resource("scan.py", "ws1:4711", NULL, 4711),
                       .server = fixture_resource("Motor", "b107a/mot/1", "MotorServer/b107a", 815)};
    s.spans[0] = fixture_span(s.client, 1, 1, 0, 3, "read 2 attributes", "b107a/mot/1", 0, 10);
    s.spans[1] = fixture_span(s.server, 1, 2, 1, 2, "read 2 attributes", "b107a/mot/1", 1, 9);
    add_attribute(s.spans[0], string_attribute("peer.service", "Motor"));
    for (int i = 0; i < 2; i++) {
        add_attribute(s.spans[i], strings_attribute("tango.attribute.names", names, 2));
        s.spans[i]->trigger = "client";
    }
    *state = &s;
    return 0;
}

static int free_scene(void **state)
{
    struct scene *s = *state;

    put_spans(s->spans, 2);
    tt_otel_resource_put(&s->client);
    tt_otel_resource_put(&s->server);
    return 0;
}

static void test_matches(void **state)
{
    const struct scene *s = *state;
    static const struct {
        const char *rule;
        bool client, server; /* does the span match? */
    } cases[] = {
        {"ratio=1", true, true},
        {"device=b107a/mot/1; ratio=1", true, true},
        {"device=B107A*; ratio=1", true, true},
        {"device=b107b*; ratio=1", false, false},
        {"device=ws1:*; ratio=1", false, false}, /* that is no device */
        {"class=Motor; ratio=1", true, true},
        {"class=scan*; ratio=1", false, false},
        {"server=MotorServer/*; ratio=1", false, true},
        {"server=motorserver; ratio=1", false, true},
        {"server=b107a; ratio=1", false, false},
        {"operation=read *; ratio=1", true, true},
        {"operation=Tango::DeviceProxy::*; ratio=1", true, false},
        {"client=scan.py; ratio=1", true, false},
        {"client=ws1:*; ratio=1", true, false},
        {"client=Motor; ratio=1", false, false},
        {"attribute=State; ratio=1", true, true},
        {"attribute=pos*; ratio=1", true, true},
        {"attribute=Speed; ratio=1", false, false},
        {"trigger=client; ratio=1", true, true},
        {"trigger=polling; ratio=1", false, false},
        {"device=b107a*; attribute=State; client=scan*; ratio=1", true, false},
        {"device=b107a*; attribute=Speed; ratio=1", false, false},
        {" device = b107a* ;; exclude = yes ; ", true, true},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        struct tt_rule rule;
        char *error = NULL;

        if (tt_rule_parse(cases[i].rule, &rule, &error))
            fail_msg("%s: %s", cases[i].rule, error);
        if (tt_rule_match(&rule, s->spans[0]) != cases[i].client ||
            tt_rule_match(&rule, s->spans[1]) != cases[i].server)
            fail_msg("%s", cases[i].rule);
        assert_int_equal(tt_rule_match_any(&rule, s->spans, 2), cases[i].client || cases[i].server);
        tt_rule_free(&rule);
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *rule, *message;
    } cases[] = {
        {"", "does not say what becomes"},
        {"device=x", "does not say what becomes"},
        {"device=x; exclude=no", "does not say what becomes"},
        {"divice=x; ratio=1", "not \"divice\""},
        {"device; ratio=1", "\"device\" has no value"},
        {"device=; ratio=1", "\"device\" has no value"},
        {"=x; ratio=1", "not \"\""},
        {"ratio=1.5", "no number from 0 to 1"},
        {"ratio=-0.1", "no number from 0 to 1"},
        {"ratio=1%", "no number from 0 to 1"},
        {"ratio=nan", "no number from 0 to 1"},
        {"exclude=maybe", "is to be yes or no"},
        {"device=a; device=b; ratio=1", "stands twice"},
        {"device=a; ratio=0.5; exclude=yes", "either that or a ratio"},
        {"exclude=yes; ratio=0", "either that or a ratio"},
        {"trigger=poll; ratio=1", "trigger \"poll\" is none of"},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *error = NULL;
        struct tt_rule rule = {0};

        assert_int_equal(tt_rule_parse(cases[i].rule, &rule, &error), -EINVAL);
        if (!strstr(error, cases[i].message))
            fail_msg("%s: %s", cases[i].rule, error);
        assert_null(rule.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_matches, make_scene, free_scene),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
