/* SPDX-License-Identifier: GPL-2.0-only */
#include "http/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

struct tt_httpd {
    struct MHD_Daemon *daemon;
    const struct tt_httpd_route *routes;
    void *context;
    char address[INET6_ADDRSTRLEN + 16];
};

/* ---- addresses ---- */

/* Splits "HOST:PORT" and its short forms; *host is "" for every address. The host is copied. */
static int split(const char *listen, char host[256], const char **port, char **error)
{
    static const char loopback[] = "127.0.0.1";
    const char *colon = strrchr(listen, ':'), *start = listen, *end = colon;
    uint64_t number;

    *port = colon ? colon + 1 : listen;
    if (!colon || colon == listen) {
        start = loopback;
        end = start + strlen(start);
    } else if (*start == '[' && end > start + 1 && end[-1] == ']') {
        start++;
        end--;
    } else if (memchr(start, ':', (size_t)(end - start))) {
        *error = tt_format("\"%s\": an IPv6 address stands in brackets: [::1]:9464", listen);
        return *error ? -EINVAL : -ENOMEM;
    } else if (end == start + 1 && *start == '*') {
        end = start;
    }
    if (tt_parse_u64(*port, &number) || number > 65535 || (size_t)(end - start) >= 256) {
        *error = tt_format("\"%s\" is not ADDRESS:PORT, as in 127.0.0.1:9464", listen);
        return *error ? -EINVAL : -ENOMEM;
    }
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    return 0;
}

int tt_httpd_check(const char *listen, char **error)
{
    const char *port;
    char host[256];

    return split(listen, host, &port, error);
}

/* IPv4 where a name has both: what the others of localhost mean. */
static int resolve(const char *host, const char *port, struct addrinfo **list)
{
    struct addrinfo hints = {
        .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int error = EAI_NONAME;

    if (*host) /* "*" is the one of IPv6, which takes IPv4 as well */
        error = getaddrinfo(host, port, &hints, list);
    hints.ai_family = *host ? AF_UNSPEC : AF_INET6;
    if (error)
        error = getaddrinfo(*host ? host : NULL, port, &hints, list);
    hints.ai_family = AF_INET;
    if (error && !*host)
        error = getaddrinfo(NULL, port, &hints, list);
    return error;
}

static int open_socket(const struct addrinfo *address)
{
    _cleanup_close_ int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, SOMAXCONN))
        return -errno;
    return TAKE_FD(fd);
}

static void name_address(struct tt_httpd *httpd, int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    char host[INET6_ADDRSTRLEN], port[8];

    if (getsockname(fd, (struct sockaddr *)&address, &size) ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    snprintf(httpd->address, sizeof(httpd->address), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static char *explain(const char *listen, const char *port, int error)
{
    _cleanup_free_ char *owner = error == -EADDRINUSE ? tt_httpd_port_owner((unsigned)strtoul(port, NULL, 10))
                                                      : NULL;

    if (error == -EADDRINUSE)
        return tt_format("%s: the port is in use by %s", listen, owner ? owner : "another program");
    if (error == -EADDRNOTAVAIL)
        return tt_format("%s: this host does not have that address", listen);
    return tt_format("%s: %s", listen, strerror(-error));
}

static int listen_at(struct tt_httpd *httpd, const char *listen, char **error)
{
    struct addrinfo *list = NULL;
    const char *port;
    char host[256];
    int fd = split(listen, host, &port, error);

    if (fd)
        return fd;
    fd = resolve(host, port, &list);
    if (fd) {
        *error = tt_format("%s: %s", listen, gai_strerror(fd));
        return -EINVAL;
    }
    fd = open_socket(list);
    freeaddrinfo(list);
    if (fd < 0)
        *error = explain(listen, port, fd);
    else
        name_address(httpd, fd);
    return fd;
}

/* ---- replies ---- */

struct body {
    struct tt_httpd_reply reply;
    size_t sent; /* of reply.body */
    bool ended;
};

static void free_body(void *context)
{
    struct body *body = context;

    if (body->reply.done)
        body->reply.done(body->reply.state);
    tt_text_free(&body->reply.body);
    free(body);
}

static ssize_t read_body(void *context, uint64_t position, char *buffer, size_t size)
{
    struct body *body = context;
    struct tt_text *text = &body->reply.body;
    size_t n;

    while (body->sent == text->size && !body->ended) {
        text->size = body->sent = 0;
        body->ended = !body->reply.more(body->reply.state, text);
    }
    if (text->failed)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    n = text->size - body->sent < size ? text->size - body->sent : size;
    if (!n)
        return MHD_CONTENT_READER_END_OF_STREAM;
    memcpy(buffer, text->data + body->sent, n);
    body->sent += n;
    return (ssize_t)n;
}

#define BLOCK 32768

/* Takes the reply's body over. */
static struct MHD_Response *make_response(struct tt_httpd_reply *reply)
{
    struct body *body = calloc(1, sizeof(*body));
    struct MHD_Response *response;

    if (!body) {
        if (reply->done)
            reply->done(reply->state);
        tt_text_free(&reply->body);
        return NULL;
    }
    body->reply = *reply;
    body->ended = !reply->more;
    response = MHD_create_response_from_callback(reply->more ? MHD_SIZE_UNKNOWN : reply->body.size, BLOCK,
                                                 read_body, body, free_body);
    if (!response)
        free_body(body);
    return response;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct tt_httpd_reply *reply)
{
    struct MHD_Response *response;
    enum MHD_Result result;

    if (reply->body.failed) {
        tt_text_free(&reply->body);
        reply->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    response = make_response(reply);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            reply->content_type ? reply->content_type : "text/plain; charset=utf-8");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(connection, reply->status ? reply->status : MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    static int begun;
    const struct tt_httpd *httpd = context;
    const struct tt_httpd_route *route = httpd->routes;
    struct tt_httpd_request request = {
        .path = url,
        .accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT)};
    struct tt_httpd_reply reply = {0};

    if (*data_size) { /* a body, which nothing here takes */
        *data_size = 0;
        return MHD_YES;
    }
    if (!*state) { /* the headers are there; an answer now would end the connection */
        *state = &begun;
        return MHD_YES;
    }
    while (route->path && strcmp(route->path, url) != 0)
        route++;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        reply.status = MHD_HTTP_METHOD_NOT_ALLOWED;
        tt_text_puts(&reply.body, "only GET and HEAD\n");
    } else if (!route->path) {
        reply.status = MHD_HTTP_NOT_FOUND;
        tt_text_puts(&reply.body, "there is:");
        for (route = httpd->routes; route->path; route++)
            tt_text_printf(&reply.body, " %s", route->path);
        tt_text_puts(&reply.body, "\n");
    } else {
        route->handle(httpd->context, &request, &reply);
    }
    return send_reply(connection, &reply);
}

/* What libmicrohttpd would say of its clients' mistakes is nothing for the agent's log. */
static void be_quiet(void *context, const char *format, va_list args)
{
}

int tt_httpd_new(const char *listen, const struct tt_httpd_route *routes, void *context,
                 struct tt_httpd **httpd, char **error)
{
    _cleanup_free_ struct tt_httpd *made = calloc(1, sizeof(*made));
    int fd;

    *error = NULL;
    if (!made)
        return -ENOMEM;
    made->routes = routes;
    made->context = context;
    fd = listen_at(made, listen, error);
    if (fd < 0)
        return fd;
    made->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, made, MHD_OPTION_EXTERNAL_LOGGER, be_quiet, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)TT_HTTPD_CLIENTS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)TT_HTTPD_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)TT_HTTPD_REQUEST,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!made->daemon) {
        close(fd);
        *error = tt_format("%s: libmicrohttpd does not start", listen);
        return -EIO;
    }
    *httpd = TAKE_PTR(made);
    return 0;
}

void tt_httpd_free(struct tt_httpd **httpd)
{
    struct tt_httpd *h = TAKE_PTR(*httpd);

    if (!h)
        return;
    MHD_stop_daemon(h->daemon); /* closes the socket, too */
    free(h);
}

const char *tt_httpd_address(const struct tt_httpd *httpd)
{
    return httpd->address;
}
