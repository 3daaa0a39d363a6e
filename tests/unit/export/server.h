/* SPDX-License-Identifier: GPL-2.0-only */
/* server.h: a small HTTP server in a thread, which answers as a script says and decodes what it is sent. */
#pragma once

#include "fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "otlp.pb-c.h"

/* One answer; the last of a script is repeated. */
struct step {
    const char *answer; /* NULL: none */
    size_t size;        /* of the answer; 0 = strlen */
    size_t fill;        /* so many 'x' follow */
    bool hold;          /* keeps the connection open and silent until the client closes it */
    bool hang_up;       /* closes the connection afterwards */
};

#define ANSWER(text)                                                                                         \
    {                                                                                                        \
        .answer = (text)                                                                                     \
    }
#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define OK_PROTOBUF                                                                                          \
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n\r\n\x0a\0"
#define STATUS(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"

struct server {
    int fd, stop[2];
    unsigned port;
    pthread_t thread;
    const struct step *steps;
    size_t step_count;
    _Atomic unsigned connections, requests, spans, logs;
    char head[4096];            /* of the last request */
    _Atomic uint64_t times[64]; /* of the requests, monotonic ms */
    size_t body_size;           /* of the last request, as sent */
};

static inline uint64_t server_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* False when the test ends. */
static inline bool server_wait(struct server *server, int fd)
{
    struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = server->stop[0], .events = POLLIN}};

    return poll(p, 2, -1) > 0 && !p[1].revents;
}

static inline void server_decode(struct server *server, const uint8_t *body, size_t size)
{
    static uint8_t plain[16 << 20];
    Tt__Otlp__TraceRequest *request;

    server->body_size = size;
    if (strstr(server->head, "Content-Encoding: gzip")) {
        z_stream zip = {.next_in = (uint8_t *)body,
                        .avail_in = (uInt)size,
                        .next_out = plain,
                        .avail_out = sizeof(plain)};

        inflateInit2(&zip, 15 + 16);
        if (inflate(&zip, Z_FINISH) != Z_STREAM_END)
            fprintf(stderr, "server: bad gzip\n");
        size = zip.total_out;
        inflateEnd(&zip);
        body = plain;
    }
    if (strstr(server->head, " /v1/logs ")) {
        Tt__Otlp__LogsRequest *logs = tt__otlp__logs_request__unpack(NULL, size, body);

        for (size_t r = 0; logs && r < logs->n_resource_logs; r++)
            for (size_t s = 0; s < logs->resource_logs[r]->n_scope_logs; s++)
                server->logs += (unsigned)logs->resource_logs[r]->scope_logs[s]->n_log_records;
        tt__otlp__logs_request__free_unpacked(logs, NULL);
        return;
    }
    if (strstr(server->head, " /v1/metrics ") || strstr(server->head, "application/json"))
        return;
    request = tt__otlp__trace_request__unpack(NULL, size, body);
    if (!request) {
        fprintf(stderr, "server: bad protobuf\n");
        return;
    }
    for (size_t r = 0; r < request->n_resource_spans; r++) {
        for (size_t s = 0; s < request->resource_spans[r]->n_scope_spans; s++)
            server->spans += (unsigned)request->resource_spans[r]->scope_spans[s]->n_spans;
    }
    tt__otlp__trace_request__free_unpacked(request, NULL);
}

/* Reads one request; false at the end of the connection. */
static inline bool server_read(struct server *server, int fd)
{
    static uint8_t buffer[8 << 20];
    size_t have = 0, need = 0;

    while (!need || have < need) {
        ssize_t n = server_wait(server, fd) ? read(fd, buffer + have, sizeof(buffer) - 1 - have) : 0;
        const char *end, *length;

        if (n <= 0)
            return false;
        have += (size_t)n;
        buffer[have] = '\0';
        end = need ? NULL : strstr((char *)buffer, "\r\n\r\n");
        if (!end)
            continue;
        snprintf(server->head, sizeof(server->head), "%.*s", (int)(end - (char *)buffer), (char *)buffer);
        length = strcasestr(server->head, "Content-Length:");
        need = (size_t)(end + 4 - (char *)buffer) + (length ? strtoul(length + 15, NULL, 10) : 0);
    }
    if (server->requests < TT_ARRAY_SIZE(server->times))
        server->times[server->requests] = server_ms();
    server_decode(server, buffer + (strstr((char *)buffer, "\r\n\r\n") + 4 - (char *)buffer),
                  need - (size_t)(strstr((char *)buffer, "\r\n\r\n") + 4 - (char *)buffer));
    return true;
}

/* False when the connection is to be closed. */
static inline bool server_answer(struct server *server, int fd)
{
    size_t i = server->requests < server->step_count ? server->requests : server->step_count - 1;
    const struct step *step = &server->steps[i];
    static char fill[65536];

    server->requests++;
    memset(fill, 'x', sizeof(fill));
    if (step->answer)
        send(fd, step->answer, step->size ? step->size : strlen(step->answer), MSG_NOSIGNAL);
    for (size_t left = step->fill; left;) {
        ssize_t n = send(fd, fill, left < sizeof(fill) ? left : sizeof(fill), MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        left -= (size_t)n;
    }
    if (step->hold) {
        char byte;

        while (server_wait(server, fd) && read(fd, &byte, 1) > 0)
            ;
        return false;
    }
    return !step->hang_up;
}

static inline void *server_run(void *arg)
{
    struct server *server = arg;

    while (server_wait(server, server->fd)) {
        int fd = accept(server->fd, NULL, NULL);

        server->connections++;
        while (server_read(server, fd) && server_answer(server, fd))
            ;
        close(fd);
    }
    return NULL;
}

/* Port 0: any. */
static inline void server_start_at(struct server *server, const struct step *steps, size_t count,
                                   unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof(address);
    int on = 1;

    *server = (struct server){.steps = steps, .step_count = count};
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pipe(server->stop), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
}

static inline void server_start(struct server *server, const struct step *steps, size_t count)
{
    server_start_at(server, steps, count, 0);
}

static inline void server_end(struct server *server)
{
    close(server->stop[1]);
    pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close(server->fd);
}
