/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose heartbeat it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/measure.h"
#include "base/cleanup.h"

static void test_server(void **state)
{
    static const struct {
        const char *channel, *name, *want;
    } samples[] = {
        {"tango://host:10000/dserver/pusher/p.heartbeat", NULL, "pusher/p"},
        {"tango://host:10000/dserver/pusher/p.heartbeat", "Other/1", "pusher/p"},
        {"tango://host:4711/dserver/pusher/p.1#dbase=no.heartbeat", NULL, "pusher/p.1"},
        {"tango://host:4711/dserver/pusher/p.heartbeat#dbase=no", NULL, "pusher/p"},
        {"dserver", "Pusher/P", "pusher/p"},
        {"", "Pusher/P", "pusher/p"},
        {"", NULL, NULL},
        {"tango://host/dserver/", "Pusher/P", NULL},
        {"tango://host/dserver/a/0123456789012345678901234567890.heartbeat", NULL, NULL},
    };
    char server[32];

    for (size_t i = 0; i < TT_ARRAY_SIZE(samples); i++) {
        bool known = tt_beat_server(samples[i].channel, samples[i].name, server, sizeof(server));

        assert_int_equal(known, samples[i].want != NULL);
        if (known)
            assert_string_equal(server, samples[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server),
    };

    return cmocka_run_group_tests_name("beats", tests, NULL, NULL);
}
