/* SPDX-License-Identifier: GPL-2.0-only */
/* The HTTP server against clients as they come: good ones, bad ones, silent ones, many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "http/httpd.h"

#define PIECES  5000
#define WAIT_MS 5000

static int handled, ended;

static void serve_text(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    handled++;
    assert_string_equal(request->path, "/text");
    reply->content_type = "text/plain";
    tt_text_printf(&reply->body, "hello %s, you accept %s", (const char *)context,
                   request->accept ? request->accept : "nothing");
}

static bool more(void *state, struct tt_text *piece)
{
    int *left = state;

    tt_text_printf(piece, "piece %d\n", --*left);
    return *left > 0;
}

static void done(void *state)
{
    ended++;
    free(state);
}

static void serve_pieces(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    int *left = malloc(sizeof(*left));

    assert_non_null(left);
    *left = PIECES;
    reply->more = more;
    reply->done = done;
    reply->state = left;
}

static const struct tt_httpd_route routes[] = {{"/text", serve_text}, {"/pieces", serve_pieces}, {0}};

static int start(void **state)
{
    static char name[] = "tester";
    struct tt_httpd *httpd = NULL;
    _cleanup_free_ char *error = NULL;

    handled = ended = 0;
    if (tt_httpd_new("0", routes, name, &httpd, &error))
        return -1;
    *state = httpd;
    return 0;
}

static int stop(void **state)
{
    tt_httpd_free((struct tt_httpd **)state);
    return 0;
}

static unsigned port_of(void **state)
{
    const char *address = tt_httpd_address(*state);

    assert_memory_equal(address, "127.0.0.1:", 10);
    return (unsigned)strtoul(address + 10, NULL, 10);
}

static int dial(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(state))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Sends, reads until the end; NUL-terminated, owned by the caller. */
static char *ask(void **state, const char *request, size_t size)
{
    _cleanup_close_ int fd = dial(state);
    struct tt_text answer = {0};
    uint64_t until = tt_now_ns() + WAIT_MS * TT_NS_PER_MS;
    char buffer[4096];

    while (size) { /* the server may have had enough before all is sent */
        ssize_t n = send(fd, request, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            break;
        request += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
        if (n < 0) {
            struct pollfd p = {.fd = fd, .events = POLLOUT | POLLIN};

            if (poll(&p, 1, 1000) != 1 || p.revents & POLLIN)
                break;
        }
    }
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        assert_true(tt_now_ns() < until);
        if (poll(&p, 1, 100) != 1)
            continue;
        n = recv(fd, buffer, sizeof(buffer), 0);
        if (n <= 0)
            break;
        tt_text_add(&answer, buffer, (size_t)n);
    }
    return tt_text_take(&answer);
}

static char *get(void **state, const char *line)
{
    _cleanup_free_ char *request = tt_format(
        "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: tea\r\n\r\n", line);

    return ask(state, request, strlen(request));
}

static void test_pages(void **state)
{
    _cleanup_free_ char *text = get(state, "GET /text"), *head = get(state, "HEAD /text");
    _cleanup_free_ char *none = get(state, "GET /other"), *post = get(state, "POST /text");
    _cleanup_free_ char *dots = get(state, "GET /text/../text");

    assert_non_null(strstr(text, "HTTP/1.1 200"));
    assert_non_null(strstr(text, "Content-Type: text/plain"));
    assert_non_null(strstr(text, "\r\n\r\nhello tester, you accept tea"));
    assert_non_null(strstr(head, "HTTP/1.1 200"));
    assert_null(strstr(head, "hello"));
    assert_non_null(strstr(none, "HTTP/1.1 404"));
    assert_non_null(strstr(none, "/text /pieces"));
    assert_non_null(strstr(post, "HTTP/1.1 405"));
    assert_non_null(strstr(post, "Allow: GET, HEAD"));
    assert_non_null(strstr(dots, "HTTP/1.1 404"));
    assert_int_equal(handled, 2);
}

/* A body with a length that nobody wants, and one that never comes. */
static void test_bodies(void **state)
{
    static const char with[] =
        "POST /text HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345";
    static const char get_with[] =
        "GET /text HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345";
    _cleanup_free_ char *post = ask(state, with, strlen(with)), *get = ask(state, get_with, strlen(get_with));

    assert_non_null(strstr(post, "HTTP/1.1 405"));
    assert_non_null(strstr(get, "HTTP/1.1 200"));
}

static void test_pieces(void **state)
{
    _cleanup_free_ char *whole = get(state, "GET /pieces"), *old;
    static const char http10[] = "GET /pieces HTTP/1.0\r\n\r\n";

    assert_non_null(strstr(whole, "piece 4999\n"));
    assert_non_null(strstr(whole, "piece 0\n"));
    old = ask(state, http10, strlen(http10));
    assert_non_null(strstr(old, "piece 0\n"));
    assert_null(strstr(old, "chunked"));
    tt_httpd_free((struct tt_httpd **)state);
    assert_int_equal(ended, 2);
}

/* Whoever leaves in the middle of a reply, or never reads it, holds nothing. */
static void test_leavers(void **state)
{
    static const char request[] = "GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n";
    int silent;

    for (int i = 0; i < 20; i++) {
        _cleanup_close_ int fd = dial(state);

        assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    }
    silent = dial(state);
    assert_int_equal(send(silent, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    tt_httpd_free((struct tt_httpd **)state); /* does not wait for the silent one */
    close(silent);
    assert_true(ended <= 21);
}

static void test_long_request(void **state)
{
    size_t size = 200000;
    _cleanup_free_ char *request = malloc(size);
    _cleanup_free_ char *answer = NULL, *after = NULL;

    assert_non_null(request);
    memset(request, 'a', size);
    memcpy(request, "GET /", 5);
    answer = ask(state, request, size);
    assert_true(!*answer || !strncmp(answer, "HTTP/1.1 4", 10));
    after = get(state, "GET /text");
    assert_non_null(strstr(after, "hello"));
    assert_int_equal(handled, 1);
}

/* What is no request is waited for to become one, for a while; others are served meanwhile. */
static void test_garbage(void **state)
{
    static const char garbage[] = "\0\1\2\xff\xfe HTTP\r\n\r\n\r\n";
    _cleanup_close_ int fd = dial(state);
    _cleanup_free_ char *after = NULL;
    char byte;

    assert_int_equal(send(fd, garbage, sizeof(garbage) - 1, MSG_NOSIGNAL), sizeof(garbage) - 1);
    after = get(state, "GET /text");
    assert_non_null(strstr(after, "hello"));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(recv(fd, &byte, 1, 0) <= 0 || byte == 'H');
    assert_int_equal(handled, 1);
}

/* More connections than there is room for: those above are closed, and there is service once others leave. */
static void test_many(void **state)
{
    int fds[2 * TT_HTTPD_CLIENTS];
    uint64_t until = tt_now_ns() + WAIT_MS * TT_NS_PER_MS;
    bool served = false;

    for (size_t i = 0; i < TT_ARRAY_SIZE(fds); i++)
        fds[i] = dial(state);
    for (size_t i = 0; i < TT_ARRAY_SIZE(fds); i++)
        close(fds[i]);
    while (!served && tt_now_ns() < until) {
        _cleanup_free_ char *answer = get(state, "GET /text");

        served = strstr(answer, "hello") != NULL;
    }
    assert_true(served);
}

static void test_addresses(void **state)
{
    static const char *const good[] = {"9464", ":9464", "127.0.0.1:0", "[::1]:9464", "*:9464", "localhost:1"};
    static const char *const bad[] = {"",         "x",   "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                                      "::1:9464", "a:-1"};

    for (size_t i = 0; i < TT_ARRAY_SIZE(good); i++) {
        char *error = NULL;

        assert_int_equal(tt_httpd_check(good[i], &error), 0);
    }
    for (size_t i = 0; i < TT_ARRAY_SIZE(bad); i++) {
        _cleanup_free_ char *error = NULL;

        assert_int_equal(tt_httpd_check(bad[i], &error), -EINVAL);
        assert_non_null(error);
    }
}

/* The port is taken by this very process, which is named. */
static void test_busy(void **state)
{
    _cleanup_free_ char *error = NULL, *owner = NULL, *name = tt_format("(pid %d)", getpid());
    struct tt_httpd *second = NULL;

    assert_int_equal(tt_httpd_new(tt_httpd_address(*state), routes, NULL, &second, &error), -EADDRINUSE);
    assert_null(second);
    assert_non_null(strstr(error, "in use by test_httpd"));
    assert_non_null(strstr(error, name));
    owner = tt_httpd_port_owner(1); /* nobody */
    assert_null(owner);
}

static void test_not_ours(void **state)
{
    _cleanup_free_ char *error = NULL;
    struct tt_httpd *httpd = NULL;

    assert_int_equal(tt_httpd_new("192.0.2.1:9464", routes, NULL, &httpd, &error), -EADDRNOTAVAIL);
    assert_non_null(strstr(error, "does not have that address"));
}

/* The same port of every address, while it is served at one; to others it stays in use. */
static void test_beside(void **state)
{
    _cleanup_free_ char *error = NULL, *refused = NULL, *all = NULL;
    _cleanup_close_ int first = -1, second = -1, third = -1;
    char address[64];

    assert_int_equal(tt_httpd_listen("127.0.0.1:0", &first, &error), 0);
    tt_httpd_name(first, address, sizeof(address));
    all = tt_format("0.0.0.0%s", strrchr(address, ':'));
    assert_int_equal(tt_httpd_listen(all, &third, &refused), -EADDRINUSE);
    assert_int_equal(tt_httpd_listen_beside(all, first, &second, &error), 0);
    free(TAKE_PTR(refused));
    assert_int_equal(tt_httpd_listen(all, &third, &refused), -EADDRINUSE);
    close(TAKE_FD(first));
    tt_httpd_name(second, address, sizeof(address));
    assert_string_equal(address, all);
}

/* The socket is shared with another process, as it were: one server ends, the other one goes on. */
static void test_shared(void **state)
{
    const struct tt_httpd_config config = {.routes = routes, .threads = 2};
    _cleanup_free_ char *error = NULL;
    struct tt_httpd *first = NULL, *second = NULL;
    int fd = -1, same, is = 0;
    socklen_t size = sizeof(is);

    assert_int_equal(tt_httpd_listen("127.0.0.1:0", &fd, &error), 0);
    same = dup(fd);
    assert_int_equal(tt_httpd_serve(fd, &config, &first), 0);
    tt_httpd_free(&first);
    assert_int_equal(getsockopt(same, SOL_SOCKET, SO_ACCEPTCONN, &is, &size), 0);
    assert_true(is);
    assert_int_equal(tt_httpd_serve(same, &config, &second), 0);
    tt_httpd_free(&second);
}

static void test_no_certificate(void **state)
{
    const struct tt_httpd_tls nonsense = {.certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n", .key = "x"};
    _cleanup_free_ char *error = NULL;

    assert_int_equal(tt_httpd_tls_check(&nonsense, &error), -EINVAL);
    assert_non_null(strstr(error, "certificate and key: "));
}

/* ---- what a page needs: a path's rest, arguments, who may ask, answers that wait ---- */

static int news; /* how often there was something to say */

static bool admit(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    const char *host = tt_httpd_header(request, "Host");

    if (host && !strcmp(host, "x"))
        return true;
    reply->status = 421;
    tt_text_puts(&reply->body, "not here\n");
    return false;
}

static void serve_rest(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    const char *q = tt_httpd_argument(request, "q"), *none = tt_httpd_argument(request, "none");

    tt_httpd_reply_header(reply, "X-One", strdup("1"));
    for (int i = 0; i < TT_HTTPD_HEADERS; i++) /* the last one has no room */
        tt_httpd_reply_header(reply, "X-More", tt_format("%d", i));
    reply->cache = "no-cache";
    tt_text_printf(&reply->body, "rest <%s> q <%s> none <%s>", request->rest, q ? q : "", none ? none : "-");
}

static void serve_memory(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    static const char memory[] = "always the same";

    reply->memory = memory;
    reply->memory_size = strlen(memory);
}

static bool tell(void *state, struct tt_text *piece)
{
    int *told = state, now = __atomic_load_n(&news, __ATOMIC_RELAXED);

    while (*told < now)
        tt_text_printf(piece, "news %d\n", ++*told);
    return *told < 3;
}

static void serve_news(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    reply->more = tell;
    reply->done = done;
    reply->state = calloc(1, sizeof(int));
    reply->waits = true;
    assert_non_null(reply->state);
}

static const struct tt_httpd_route page_routes[] = {
    {"/news", serve_news}, {"/memory", serve_memory}, {"/rest/*", serve_rest}, {0}};

static int start_page(void **state)
{
    static const char *const headers[] = {"Content-Security-Policy", "default-src 'none'", NULL};
    const struct tt_httpd_config config = {
        .routes = page_routes, .admit = admit, .headers = headers, .clients = 20, .threads = 2};
    _cleanup_free_ char *error = NULL;
    struct tt_httpd *httpd = NULL;
    int fd = -1;

    news = ended = 0;
    if (tt_httpd_listen("0", &fd, &error) || tt_httpd_serve(fd, &config, &httpd))
        return -1;
    *state = httpd;
    return 0;
}

static void test_page(void **state)
{
    static const char elsewhere[] = "GET /rest/a HTTP/1.1\r\nHost: y\r\nConnection: close\r\n\r\n";
    _cleanup_free_ char *rest = get(state, "GET /rest/a/b%20c?q=%7Bx%7D&y=1"),
                        *bare = get(state, "GET /rest/");
    _cleanup_free_ char *other = get(state, "GET /res"), *memory = get(state, "GET /memory");
    _cleanup_free_ char *not_here = ask(state, elsewhere, strlen(elsewhere));

    assert_non_null(strstr(rest, "rest <a/b c> q <{x}> none <->"));
    assert_non_null(strstr(rest, "X-One: 1\r\n"));
    assert_non_null(strstr(rest, "X-More: 2\r\n"));
    assert_null(strstr(rest, "X-More: 3\r\n"));
    assert_non_null(strstr(rest, "Cache-Control: no-cache\r\n"));
    assert_non_null(strstr(rest, "Content-Security-Policy: default-src 'none'\r\n"));
    assert_non_null(strstr(bare, "rest <>"));
    assert_non_null(strstr(other, "HTTP/1.1 404"));
    assert_non_null(strstr(memory, "\r\n\r\nalways the same"));
    assert_non_null(strstr(not_here, "HTTP/1.1 421"));
}

static void *say_news(void *argument)
{
    for (int i = 0; i < 3; i++) {
        poll(NULL, 0, 30);
        __atomic_add_fetch(&news, 1, __ATOMIC_RELAXED);
        tt_httpd_wake(argument);
    }
    return NULL;
}

/* It sleeps until it is woken, and ends when it says so; who still waits at the server's end holds nothing.
 */
static void test_waiting(void **state)
{
    static const char request[] = "GET /news HTTP/1.1\r\nHost: x\r\n\r\n";
    _cleanup_free_ char *answer = NULL;
    _cleanup_close_ int waiting = -1;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, say_news, *state), 0);
    answer = get(state, "GET /news");
    pthread_join(thread, NULL);
    assert_non_null(strstr(answer, "news 1\n"));
    assert_non_null(strstr(answer, "news 3\n"));
    __atomic_store_n(&news, 1, __ATOMIC_RELAXED);
    waiting = dial(state);
    assert_int_equal(send(waiting, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    for (char c = 0; c != 'n';) /* "news" has come: it sleeps now, or is about to */
        assert_int_equal(recv(waiting, &c, 1, 0), 1);
    tt_httpd_free((struct tt_httpd **)state);
    assert_int_equal(ended, 2);
}

#define PAGE(f) cmocka_unit_test_setup_teardown(f, start_page, stop)

#define SERVED(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(test_pages),
        SERVED(test_bodies),
        SERVED(test_pieces),
        SERVED(test_leavers),
        SERVED(test_long_request),
        SERVED(test_garbage),
        SERVED(test_many),
        cmocka_unit_test(test_addresses),
        SERVED(test_busy),
        cmocka_unit_test(test_not_ours),
        cmocka_unit_test(test_beside),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_no_certificate),
        PAGE(test_page),
        PAGE(test_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
