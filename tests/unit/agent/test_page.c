/* SPDX-License-Identifier: GPL-2.0-only */
/* The agent's side of the page: its process ends and begins again, and is configured anew. This program is
 * that process, too: it is started as "page-server". */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/page.h"
#include "agent/page_setup.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "options/options.h"
#include "view/view.h"

#define ANY "127.0.0.1:0"

static struct tt_options parse(const char *listen, const char *more, const char *value)
{
    char *const argv[] = {"--view-listen", (char *)listen, (char *)more, (char *)value, NULL},
                *none[] = {NULL};
    struct tt_options options;
    char *error = NULL;

    if (tt_options_parse(&options, TT_COMMAND_RUN, argv, none, &error))
        fail_msg("%s", error);
    return options;
}

/* 0, or why it is refused; then it is served. */
static int configure(struct tt_page *page, const char *listen, const char *more, const char *value)
{
    struct tt_options options = parse(listen, more, value);
    struct tt_page_setup *setup = NULL;
    int error = 0;

    if (tt_page_is_wanted(&options))
        error = tt_page_prepare(page, &options, NULL, &setup);
    if (!error)
        tt_page_configure(page, setup);
    tt_options_free(&options);
    return error;
}

/* A number of what `status` says of it; -1: it says nothing. */
static long said(struct tt_page *page, const char *key)
{
    _cleanup_free_ char *start = tt_format("\"%s\":", key);
    struct tt_json json = {0};
    const char *at;
    long value = -1;

    tt_json_object(&json, NULL);
    tt_page_json(&json, page);
    tt_json_object_end(&json);
    at = strstr(json.data, start);
    if (at)
        value = strtol(at + strlen(start), NULL, 10);
    tt_json_free(&json);
    return value;
}

static unsigned port_of(struct tt_page *page)
{
    return (unsigned)strtoul(strrchr(tt_page_url(page), ':') + 1, NULL, 10);
}

/* What /api/info answers, of which `size` bytes; the status, or a negative errno. */
static int ask(unsigned port, char *answer, size_t size)
{
    static const char request[] = "GET /api/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t used = 0;
    ssize_t n;
    int status = -EPROTO;

    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
        return -errno;
    assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
    while (used + 1 < size && (n = read(fd, answer + used, size - used - 1)) > 0)
        used += (size_t)n;
    answer[used] = '\0';
    sscanf(answer, "HTTP/1.1 %d", &status);
    return status;
}

static void wait_gone(struct tt_page *page)
{
    for (unsigned ms = 0; !tt_page_is_gone(page) && ms < 10000; ms++)
        poll(NULL, 0, 1);
    assert_true(tt_page_is_gone(page));
}

/* Killed: counted, and another one at the same address, later each time. */
static void test_again(void **state)
{
    struct tt_page *page = NULL;
    char answer[4096];
    unsigned port;

    assert_int_equal(tt_page_new(false, &page), 0);
    assert_true(tt_page_tend(page) == UINT64_MAX);
    assert_int_equal(said(page, "pid"), -1);
    assert_int_equal(configure(page, ANY, NULL, NULL), 0);
    assert_int_equal(tt_page_tend(page), 0);
    port = port_of(page);
    assert_int_equal(ask(port, answer, sizeof(answer)), 200);
    assert_int_equal(said(page, "ended"), 0);
    for (int i = 0; i < 2; i++) {
        long pid = said(page, "pid");
        uint64_t now = tt_now_ns(), due;

        assert_int_equal(kill((pid_t)pid, i ? SIGSEGV : SIGKILL), 0);
        wait_gone(page);
        due = tt_page_tend(page);
        assert_true(due > now + TT_NS_PER_S * (i ? 2 : 1) - 1 && due < now + 20 * TT_NS_PER_S);
        assert_int_equal(said(page, "ended"), i + 1);
        assert_int_equal(said(page, "pid"), 0);
        assert_true(tt_page_tend(page) == due);
        while (tt_now_ns() < due)
            poll(NULL, 0, 10);
        assert_int_equal(tt_page_tend(page), 0);
        assert_true(said(page, "pid") > 0 && said(page, "pid") != pid);
        assert_int_equal(tt_page_starts(page), i + 2);
        assert_int_equal(ask(port, answer, sizeof(answer)), 200);
    }
    tt_page_free(&page);
    assert_int_equal(ask(port, answer, sizeof(answer)), -ECONNREFUSED);
}

/* Other options; those that make no sense change nothing. */
static void test_configure(void **state)
{
    _cleanup_free_ char *here = NULL, *everywhere = NULL;
    struct tt_page *page = NULL;
    char answer[4096];
    unsigned port;
    long pid;

    assert_int_equal(tt_page_new(false, &page), 0);
    assert_int_equal(configure(page, ANY, "--view-age", "1m"), 0);
    assert_int_equal(configure(page, ANY, "--view-age", "1m"), -EBUSY); /* the one before is not in place */
    assert_int_equal(tt_page_tend(page), 0);
    port = port_of(page);
    here = tt_format("127.0.0.1:%u", port);
    everywhere = tt_format("0.0.0.0:%u", port);
    assert_int_equal(ask(port, answer, sizeof(answer)), 200);
    assert_non_null(strstr(answer, "\"age_seconds\":60"));
    pid = said(page, "pid");
    assert_int_equal(configure(page, here, "--view-certificate", "/dev/null"), -EINVAL);
    assert_int_equal(configure(page, here, "--view-client-ca", "/dev/null"), -EINVAL);
    assert_int_equal(configure(page, everywhere, "--view-token", "none"), -EPERM);
    assert_int_equal(configure(page, "192.0.2.1:0", NULL, NULL), -EADDRNOTAVAIL);
    assert_int_equal(tt_page_tend(page), 0);
    assert_int_equal(said(page, "pid"), pid);
    assert_int_equal(configure(page, here, "--view-age", "2m"), 0);
    assert_int_equal(tt_page_tend(page), 0);
    assert_true(said(page, "pid") != pid);
    assert_int_equal(ask(port, answer, sizeof(answer)), 200);
    assert_non_null(strstr(answer, "\"age_seconds\":120"));
    assert_int_equal(configure(page, everywhere, NULL, NULL), 0); /* it wants a token there */
    assert_int_equal(tt_page_tend(page), 0);
    assert_int_equal(ask(port, answer, sizeof(answer)), 401);
    assert_int_equal(configure(page, "none", NULL, NULL), 0);
    assert_true(tt_page_tend(page) == UINT64_MAX);
    assert_int_equal(ask(port, answer, sizeof(answer)), -ECONNREFUSED);
    assert_int_equal(said(page, "pid"), -1);
    assert_int_equal(configure(page, here, NULL, NULL), 0);
    assert_int_equal(tt_page_tend(page), 0);
    assert_int_equal(ask(port, answer, sizeof(answer)), 200);
    assert_int_equal(said(page, "ended"), 0);
    tt_page_free(&page);
}

/* One that does not move any more does not keep the agent from ending. */
static void test_frozen(void **state)
{
    struct tt_page *page = NULL;
    uint64_t begin = tt_now_ns();
    pid_t pid;

    assert_int_equal(tt_page_new(false, &page), 0);
    assert_int_equal(configure(page, ANY, NULL, NULL), 0);
    assert_int_equal(tt_page_tend(page), 0);
    pid = (pid_t)said(page, "pid");
    assert_int_equal(kill(pid, SIGSTOP), 0);
    tt_page_free(&page);
    assert_true(tt_now_ns() - begin < 8 * TT_NS_PER_S);
    assert_int_equal(kill(pid, 0), -1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_configure),
        cmocka_unit_test(test_frozen),
    };

    if (argc > 1 && !strcmp(argv[1], "page-server"))
        return tt_view_main();
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
