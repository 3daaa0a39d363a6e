/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "control/control.h"
#include "control/socket.h"

static char directory[64], path[96];
static unsigned asked;

/* "GET list": a small reply; "GET large N": N bytes; "GET own": nothing but an error. */
static int handle(void *context, const char *request, struct tt_json *json)
{
    unsigned long size;

    asked++;
    assert_ptr_equal(context, &asked);
    tt_json_object(json, NULL);
    if (!strcmp(request, "GET list") || !strcmp(request, "SET it to that")) {
        tt_json_string(json, "it", "is");
    } else if (sscanf(request, "GET large %lu", &size) == 1) {
        char *text = calloc(1, size + 1);

        memset(text, 'x', size);
        tt_json_string(json, "text", text);
        free(text);
    } else {
        return strcmp(request, "GET memory") ? -EINVAL : -ENOMEM;
    }
    tt_json_object_end(json);
    return 0;
}

/* "GET stream": a word, then another when it ends; "GET refused". */
static atomic_int streams;

static int begin(void *context, const char *request, int fd, void **stream, char **why)
{
    assert_ptr_equal(context, &asked);
    if (!strcmp(request, "GET refused")) {
        *why = strdup("not today");
        return -EBADMSG;
    }
    if (strcmp(request, "GET stream") != 0)
        return -EINVAL;
    streams++; /* before the client can ask for it */
    assert_int_equal(send(fd, TT_CONTROL_GOES_ON "first\n", 9, MSG_NOSIGNAL), 9);
    *stream = (void *)(intptr_t)(fd + 1);
    return 0;
}

static void end(void *context, void *stream)
{
    assert_ptr_equal(context, &asked);
    send((int)(intptr_t)stream - 1, "last\n", 5, MSG_NOSIGNAL);
    streams--;
}

static const struct tt_control_handlers handlers = {
    .handle = handle, .stream = begin, .end_stream = end, .context = &asked};

static struct tt_control_server *start(void)
{
    struct tt_control_server *server = NULL;
    _cleanup_free_ char *error = NULL;

    if (tt_control_server_new(path, NULL, &handlers, &server, &error))
        fail_msg("%s", error);
    return server;
}

static int connected(void)
{
    int fd = -1;

    assert_int_equal(tt_control_connect(path, &fd), 0);
    return fd;
}

/* Everything until the end of the stream, at most `ms`; -1: it does not end. */
static ssize_t drain(int fd, char *buffer, size_t size, int ms)
{
    size_t used = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, ms) <= 0)
            return -1;
        n = recv(fd, buffer + used, size - 1 - used, 0);
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    buffer[used] = '\0';
    return (ssize_t)used;
}

static void ask(const char *request, const char *wanted)
{
    _cleanup_free_ char *reply = NULL, *error = NULL;
    size_t size;

    if (tt_control_ask(path, request, &reply, &size, &error))
        fail_msg("%s", error);
    assert_string_equal(reply, wanted);
    assert_int_equal(size, strlen(wanted));
}

static void test_ask(void **state)
{
    struct tt_control_server *server = start();
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    ask("list", "{\"it\":\"is\"}");
    ask("nonsense", "{\"error\":\"the agent does not know \\\"GET nonsense\\\"\"}");
    ask("memory", "{\"error\":\"Cannot allocate memory\"}");
    ask("list", "{\"it\":\"is\"}");
    tt_control_server_free(&server);
    assert_null(server);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_tell(void **state)
{
    struct tt_control_server *server = start();
    _cleanup_free_ char *reply = NULL, *error = NULL;
    size_t size;

    if (tt_control_tell(path, "it to that", &reply, &size, &error))
        fail_msg("%s", error);
    assert_string_equal(reply, "{\"it\":\"is\"}");
    tt_control_server_free(&server);
}

static void test_large_reply(void **state)
{
    struct tt_control_server *server = start();
    _cleanup_free_ char *reply = NULL, *error = NULL;
    size_t size;

    assert_int_equal(tt_control_ask(path, "large 5000000", &reply, &size, &error), 0);
    assert_int_equal(size, 5000000 + strlen("{\"text\":\"\"}"));
    free(TAKE_PTR(reply));
    assert_int_equal(tt_control_ask(path, "large 20000000", &reply, &size, &error), -EFBIG);
    assert_non_null(strstr(error, "larger than 16 MB"));
    ask("list", "{\"it\":\"is\"}");
    tt_control_server_free(&server);
}

static void test_no_agent(void **state)
{
    _cleanup_free_ char *reply = NULL, *error = NULL;
    size_t size;

    assert_int_equal(tt_control_ask(path, "list", &reply, &size, &error), -ENOENT);
    assert_non_null(strstr(error, "no agent is running at"));
    assert_non_null(strstr(error, "tangotrace run"));
}

static void test_bad_requests(void **state)
{
    struct tt_control_server *server = start();
    char *large = malloc(65536), buffer[256];
    int fd;

    asked = 0;
    /* Longer than a request may be, without an end. What is left unread may reset the connection: both ends
     * are fine. */
    memset(large, 'x', 65536);
    fd = connected();
    send(fd, large, 65536, MSG_NOSIGNAL | MSG_DONTWAIT);
    assert_true(drain(fd, buffer, sizeof(buffer), 1000) >= 0);
    close(fd);
    fd = connected();
    send(fd, large, TT_CONTROL_REQUEST, MSG_NOSIGNAL);
    assert_true(drain(fd, buffer, sizeof(buffer), 1000) >= 0);
    assert_string_equal(buffer, "{\"error\":\"the request is too long\"}");
    close(fd);
    /* Another protocol; a piece of a request and away; nothing and away. */
    fd = connected();
    send(fd, "POST / HTTP/1.1\r\n", 17, MSG_NOSIGNAL);
    assert_true(drain(fd, buffer, sizeof(buffer), 1000) >= 0);
    assert_string_equal(buffer, "{\"error\":\"a request is one line: GET WHAT or SET WHAT\"}");
    close(fd);
    fd = connected();
    send(fd, "GET li", 6, MSG_NOSIGNAL);
    close(fd);
    close(connected());
    assert_int_equal(asked, 0);
    /* In pieces. */
    fd = connected();
    send(fd, "GET li", 6, MSG_NOSIGNAL);
    usleep(20000);
    send(fd, "st\n", 3, MSG_NOSIGNAL);
    assert_true(drain(fd, buffer, sizeof(buffer), 1000) > 0);
    assert_string_equal(buffer, "{\"it\":\"is\"}");
    close(fd);
    free(large);
    tt_control_server_free(&server);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Clients that say nothing, or do not read, hold a place for 2 s and nobody up while there are places. */
static void test_slow_clients(void **state)
{
    struct tt_control_server *server = start();
    int silent[TT_CONTROL_CLIENTS], deaf;
    char buffer[256];
    double begin;

    deaf = connected();
    send(deaf, "GET large 4000000\n", 18, MSG_NOSIGNAL);
    for (int i = 0; i < TT_CONTROL_CLIENTS - 2; i++)
        silent[i] = connected();
    begin = seconds();
    ask("list", "{\"it\":\"is\"}");
    assert_true(seconds() - begin < 1);
    /* Now all places are taken: the next one waits until the silent ones are sent away. */
    silent[TT_CONTROL_CLIENTS - 2] = connected();
    usleep(50000);
    ask("list", "{\"it\":\"is\"}");
    assert_true(seconds() - begin > 1);
    assert_true(seconds() - begin < 4);
    for (int i = 0; i < TT_CONTROL_CLIENTS - 1; i++) {
        assert_int_equal(drain(silent[i], buffer, sizeof(buffer), 3000), 0);
        close(silent[i]);
    }
    close(deaf);
    tt_control_server_free(&server);
}

/* An agent that was killed leaves its file. */
static void test_stale_socket(void **state)
{
    struct tt_control_server *server;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    _cleanup_free_ char *reply = NULL, *error = NULL;
    size_t size;

    strcpy(address.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_int_equal(tt_control_ask(path, "list", &reply, &size, &error), -ECONNREFUSED);
    assert_non_null(strstr(error, "no agent is running"));
    server = start();
    ask("list", "{\"it\":\"is\"}");
    tt_control_server_free(&server);
}

static void test_live_socket(void **state)
{
    struct tt_control_server *server = start(), *second = NULL;
    _cleanup_free_ char *error = NULL, *pid = tt_format("process %d,", getpid());

    assert_int_equal(tt_control_server_new(path, NULL, &handlers, &second, &error), -EADDRINUSE);
    assert_null(second);
    assert_non_null(strstr(error, pid));
    assert_non_null(strstr(error, "--control"));
    ask("list", "{\"it\":\"is\"}"); /* the first one is unharmed */
    tt_control_server_free(&server);
}

static void test_bad_paths(void **state)
{
    struct tt_control_server *server = NULL;
    _cleanup_free_ char *error = NULL, *nowhere = tt_format("%s/no/such", directory), *large = calloc(1, 200);
    FILE *file = fopen(path, "w");

    fputs("precious", file);
    fclose(file);
    assert_int_equal(tt_control_server_new(path, NULL, &handlers, &server, &error), -EEXIST);
    assert_non_null(strstr(error, "is no socket"));
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    free(TAKE_PTR(error));
    memset(large, 'x', 199);
    assert_int_equal(tt_control_server_new(large, NULL, &handlers, &server, &error), -EINVAL);
    assert_non_null(strstr(error, "199 bytes"));
    free(TAKE_PTR(error));
    assert_int_equal(tt_control_server_new(nowhere, NULL, &handlers, &server, &error), -ENOENT);
    assert_non_null(strstr(error, nowhere));
    free(TAKE_PTR(error));
    assert_int_equal(tt_control_server_new(path, "no-such-group", &handlers, &server, &error), -EINVAL);
    assert_non_null(strstr(error, "no group \"no-such-group\""));
    assert_null(server);
}

/* A socket that somebody put in our place is not removed. */
static void test_replaced_file(void **state)
{
    struct tt_control_server *server = start();
    FILE *file;

    unlink(path);
    file = fopen(path, "w");
    fclose(file);
    tt_control_server_free(&server);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
}

/* What a child that has become nobody (in group 12345, or not) gets from the agent. */
static void ask_as_nobody(bool member, bool change, char *buffer, size_t size)
{
    int out[2];
    ssize_t n;
    pid_t child;

    assert_int_equal(pipe(out), 0);
    child = fork();
    if (!child) {
        gid_t groups[] = {12345};
        _cleanup_free_ char *reply = NULL, *error = NULL;
        const char *text;
        int err;

        if (setgroups(member, groups) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
            _exit(1);
        err = change ? tt_control_tell(path, "it to that", &reply, &(size_t){0}, &error)
                     : tt_control_ask(path, "list", &reply, &(size_t){0}, &error);
        text = err ? error : reply;
        _exit(write(out[1], text, strlen(text)) < 0);
    }
    close(out[1]);
    n = read(out[0], buffer, size - 1);
    buffer[n > 0 ? n : 0] = '\0';
    close(out[0]);
    waitpid(child, NULL, 0);
}

static void test_group(void **state)
{
    struct tt_control_server *server = NULL;
    _cleanup_free_ char *error = NULL;
    char buffer[512];
    struct stat st;

    if (geteuid())
        skip();
    assert_int_equal(chmod(directory, 0755), 0);
    if (tt_control_server_new(path, "12345", &handlers, &server, &error))
        fail_msg("%s", error);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(st.st_gid, 12345);
    ask_as_nobody(true, false, buffer, sizeof(buffer));
    assert_string_equal(buffer, "{\"it\":\"is\"}");
    ask_as_nobody(true, true, buffer, sizeof(buffer));
    assert_non_null(strstr(buffer, "only root and the agent's own user"));
    ask_as_nobody(false, false, buffer, sizeof(buffer));
    assert_non_null(strstr(buffer, "does not answer you"));
    /* Even where the file lets everybody in, the agent looks who asks. */
    assert_int_equal(chmod(path, 0666), 0);
    ask_as_nobody(false, false, buffer, sizeof(buffer));
    assert_non_null(strstr(buffer, "does not answer you"));
    tt_control_server_free(&server);
}

static int make_directory(void **state)
{
    strcpy(directory, "/tmp/tt-control-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/agent.sock", directory);
    return 0;
}

static int remove_directory(void **state)
{
    unlink(path);
    return rmdir(directory);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

/* An answer that goes on: outlasts the time-out, other clients are served meanwhile, either side ends it. */
static void test_stream(void **state)
{
    struct tt_control_server *server = start();
    _cleanup_free_ char *error = NULL;
    struct pollfd p = {.events = POLLIN};
    char buffer[64];
    int fd, other;

    assert_int_equal(tt_control_open(path, "stream", &fd, &error), 0);
    assert_int_equal(tt_control_open(path, "stream", &other, &error), 0);
    assert_int_equal(streams, 2);
    assert_int_equal(recv(fd, buffer, sizeof(buffer), 0), 6);
    ask("list", "{\"it\":\"is\"}");
    p.fd = fd;
    assert_int_equal(poll(&p, 1, TT_CONTROL_TIMEOUT_MS + 500), 0);
    close(other);
    for (int i = 0; streams != 1 && i < 2000; i++)
        usleep(1000);
    assert_int_equal(streams, 1);
    tt_control_server_free(&server);
    assert_int_equal(streams, 0);
    assert_int_equal(drain(fd, buffer, sizeof(buffer), 1000), 5);
    assert_string_equal(buffer, "last\n");
    close(fd);
}

static void test_stream_refused(void **state)
{
    struct tt_control_server *server = start();
    _cleanup_free_ char *error = NULL, *other = NULL;
    int fd;

    assert_int_equal(tt_control_open(path, "refused", &fd, &error), -EBADMSG);
    assert_string_equal(error, "not today");
    assert_int_equal(tt_control_open(path, "list", &fd, &other), -EBADMSG); /* not an answer that goes on */
    assert_int_equal(streams, 0);
    tt_control_server_free(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ask),           TEST(test_large_reply),  TEST(test_no_agent),       TEST(test_bad_requests),
        TEST(test_slow_clients),  TEST(test_stale_socket), TEST(test_live_socket),    TEST(test_bad_paths),
        TEST(test_replaced_file), TEST(test_stream),       TEST(test_stream_refused), TEST(test_group),
        TEST(test_tell),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
