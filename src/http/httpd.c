/* SPDX-License-Identifier: GPL-2.0-only */
#include "http/httpd.h"
#include "http/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define ADDRESS_SIZE (INET6_ADDRSTRLEN + 16)

struct body;

struct tt_httpd {
    struct MHD_Daemon *daemon;
    struct tt_httpd_config config;
    char address[ADDRESS_SIZE];
    pthread_mutex_t lock;
    atomic_size_t bytes;  /* of replies that are under way */
    struct body *waiting; /* replies that may wait; under the lock */
    bool ending;
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

static int open_socket(const struct addrinfo *address, bool beside)
{
    _cleanup_close_ int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (beside)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    if (bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, SOMAXCONN))
        return -errno;
    return TAKE_FD(fd);
}

void tt_httpd_name(int fd, char *address_text, size_t text_size)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    char host[INET6_ADDRSTRLEN], port[8];

    if (getsockname(fd, (struct sockaddr *)&address, &size) ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(address_text, text_size, "?");
    else
        snprintf(address_text, text_size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
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

static int listen_at(const char *listen, bool beside, int *fd, char **error)
{
    struct addrinfo *list = NULL;
    const char *port;
    char host[256];
    int result;

    *error = NULL;
    result = split(listen, host, &port, error);
    if (result)
        return result;
    result = resolve(host, port, &list);
    if (result) {
        *error = tt_format("%s: %s", listen, gai_strerror(result));
        return -EINVAL;
    }
    result = open_socket(list, beside);
    freeaddrinfo(list);
    if (result < 0) {
        *error = explain(listen, port, result);
        return result;
    }
    *fd = result;
    return 0;
}

int tt_httpd_listen(const char *listen, int *fd, char **error)
{
    return listen_at(listen, false, fd, error);
}

/* Both allow it; to others of another user, or that do not ask for it, the port stays in use. */
int tt_httpd_listen_beside(const char *listen, int other, int *fd, char **error)
{
    int on = 1, off = 0, result;

    setsockopt(other, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    result = listen_at(listen, true, fd, error);
    setsockopt(other, SOL_SOCKET, SO_REUSEPORT, &off, sizeof(off));
    if (!result)
        setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &off, sizeof(off));
    return result;
}

/* ---- requests ---- */

const char *tt_httpd_header(const struct tt_httpd_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *tt_httpd_argument(const struct tt_httpd_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* ---- replies ---- */

void tt_httpd_reply_header(struct tt_httpd_reply *reply, const char *name, char *value)
{
    for (size_t i = 0; value && i < TT_HTTPD_HEADERS; i++) {
        if (reply->headers[i].name)
            continue;
        reply->headers[i].name = name;
        reply->headers[i].value = value;
        return;
    }
    free(value);
}

struct body {
    struct tt_httpd_reply reply;
    size_t sent; /* of reply.body */
    bool ended;
    struct tt_httpd *httpd;
    size_t held; /* of its bytes */
    /* One that waits: */
    struct MHD_Connection *connection;
    bool suspended, woken; /* under the lock; `woken`: there may be more since it was asked */
    struct body *next;
};

static void free_reply(struct tt_httpd_reply *reply)
{
    for (size_t i = 0; i < TT_HTTPD_HEADERS; i++)
        free(reply->headers[i].value);
    if (reply->done)
        reply->done(reply->state);
    tt_text_free(&reply->body);
}

static void free_body(void *context)
{
    struct body *body = context;

    if (body->reply.waits) {
        pthread_mutex_lock(&body->httpd->lock);
        for (struct body **b = &body->httpd->waiting; *b; b = &(*b)->next) {
            if (*b != body)
                continue;
            *b = body->next;
            break;
        }
        pthread_mutex_unlock(&body->httpd->lock);
    }
    atomic_fetch_sub(&body->httpd->bytes, body->held);
    free_reply(&body->reply);
    free(body);
}

/* Nothing to send: until somebody wakes it. True: it sleeps; false: there may be more already. */
static bool fall_asleep(struct body *body)
{
    struct tt_httpd *httpd = body->httpd;
    bool asleep;

    pthread_mutex_lock(&httpd->lock);
    asleep = !body->woken && !httpd->ending;
    if (asleep)
        MHD_suspend_connection(body->connection);
    body->suspended = asleep;
    body->ended |= httpd->ending;
    body->woken = false;
    pthread_mutex_unlock(&httpd->lock);
    return asleep;
}

static ssize_t read_body(void *context, uint64_t position, char *buffer, size_t size)
{
    struct body *body = context;
    struct tt_text *text = &body->reply.body;
    size_t n;

    while (body->sent == text->size && !body->ended) {
        text->size = body->sent = 0;
        body->ended = !body->reply.more(body->reply.state, text);
        if (!text->size && !body->ended && body->reply.waits && fall_asleep(body))
            return 0;
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

void tt_httpd_wake(struct tt_httpd *httpd)
{
    pthread_mutex_lock(&httpd->lock);
    for (struct body *body = httpd->waiting; body; body = body->next) {
        body->woken = true;
        if (body->suspended)
            MHD_resume_connection(body->connection);
        body->suspended = false;
    }
    pthread_mutex_unlock(&httpd->lock);
}

#define BLOCK 32768

/* Takes the reply's body over. */
static struct MHD_Response *make_response(struct tt_httpd *httpd, struct MHD_Connection *connection,
                                          struct tt_httpd_reply *reply)
{
    struct body *body = calloc(1, sizeof(*body));
    struct MHD_Response *response;

    if (!body) {
        free_reply(reply);
        return NULL;
    }
    body->reply = *reply;
    body->ended = !reply->more;
    body->httpd = httpd;
    body->held = reply->body.capacity;
    atomic_fetch_add(&httpd->bytes, body->held);
    if (reply->waits) {
        body->connection = connection;
        pthread_mutex_lock(&httpd->lock);
        body->next = httpd->waiting;
        httpd->waiting = body;
        pthread_mutex_unlock(&httpd->lock);
    }
    if (reply->memory) {
        response = MHD_create_response_from_buffer(reply->memory_size, (void *)reply->memory,
                                                   MHD_RESPMEM_PERSISTENT);
        free_body(body);
        return response;
    }
    response = MHD_create_response_from_callback(reply->more ? MHD_SIZE_UNKNOWN : reply->body.size, BLOCK,
                                                 read_body, body, free_body);
    if (!response)
        free_body(body);
    return response;
}

static enum MHD_Result send_reply(struct tt_httpd *httpd, struct MHD_Connection *connection,
                                  struct tt_httpd_reply *reply)
{
    unsigned status = reply->status ? reply->status : MHD_HTTP_OK;
    struct tt_httpd_reply shown;
    struct MHD_Response *response;
    enum MHD_Result result;
    size_t others;

    if (reply->body.failed) {
        tt_text_free(&reply->body);
        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    /* Who reads slowly holds what was made for them. */
    others = atomic_load(&httpd->bytes);
    if (!reply->more && others && reply->body.size > BLOCK && others + reply->body.size > TT_HTTPD_BYTES) {
        tt_text_free(&reply->body);
        tt_text_puts(&reply->body, "too much is under way to others\n");
        reply->content_type = NULL;
        status = MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    shown = *reply;
    memset(reply->headers, 0, sizeof(reply->headers)); /* ours from here on */
    response = make_response(httpd, connection, reply);
    if (response) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                shown.content_type ? shown.content_type : "text/plain; charset=utf-8");
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                shown.cache ? shown.cache : "no-store");
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    }
    if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    for (const char *const *h = httpd->config.headers; response && h && *h; h += 2)
        MHD_add_response_header(response, h[0], h[1]);
    for (size_t i = 0; i < TT_HTTPD_HEADERS; i++) {
        if (response && shown.headers[i].name)
            MHD_add_response_header(response, shown.headers[i].name, shown.headers[i].value);
        free(shown.headers[i].value);
    }
    if (!response)
        return MHD_NO;
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Does the route answer that path? Then *rest is what is behind its "*". */
static bool is_route(const struct tt_httpd_route *route, const char *path, const char **rest)
{
    size_t length = strlen(route->path);

    *rest = "";
    if (!length || route->path[length - 1] != '*')
        return !strcmp(route->path, path);
    *rest = path + length - 1;
    return !strncmp(route->path, path, length - 1);
}

static void list_routes(const struct tt_httpd *httpd, struct tt_httpd_reply *reply)
{
    reply->status = MHD_HTTP_NOT_FOUND;
    tt_text_puts(&reply->body, "there is:");
    for (const struct tt_httpd_route *route = httpd->config.routes; route->path; route++)
        tt_text_printf(&reply->body, " %s", route->path);
    tt_text_puts(&reply->body, "\n");
}

static void answer(const struct tt_httpd *httpd, struct tt_httpd_request *request, const char *method,
                   struct tt_httpd_reply *reply)
{
    const struct tt_httpd_route *route = httpd->config.routes;

    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        reply->status = MHD_HTTP_METHOD_NOT_ALLOWED;
        tt_text_puts(&reply->body, "only GET and HEAD\n");
        return;
    }
    if (httpd->config.admit && !httpd->config.admit(httpd->config.context, request, reply))
        return;
    while (route->path && !is_route(route, request->path, &request->rest))
        route++;
    if (route->path)
        route->handle(httpd->config.context, request, reply);
    else
        list_routes(httpd, reply);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    static int begun;
    const struct tt_httpd *httpd = context;
    struct tt_httpd_request request = {
        .path = url,
        .rest = "",
        .accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT),
        .connection = connection};
    struct tt_httpd_reply reply = {0};

    if (*data_size) { /* a body, which nothing here takes */
        *data_size = 0;
        return MHD_YES;
    }
    if (!*state) { /* the headers are there; an answer now would end the connection */
        *state = &begun;
        return MHD_YES;
    }
    if (httpd->config.tls.clients && !tt_tls_is_known(connection))
        return MHD_NO; /* cannot be: the handshake has failed, then */
    answer(context, &request, method, &reply);
    return send_reply(context, connection, &reply);
}

/* What libmicrohttpd would say of its clients' mistakes is nothing for the agent's log. */
static void be_quiet(void *context, const char *format, va_list args)
{
}

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        tt_tls_demand(connection);
}

/* What a server with TLS is made with besides. */
static void put_tls(const struct tt_httpd_tls *tls, struct MHD_OptionItem options[static 5])
{
    size_t count = 0;

    if (tls->certificate) {
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0,
                                                   (void *)(uintptr_t)tls->certificate};
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)tls->key};
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                                   (void *)(uintptr_t)TT_TLS_PRIORITIES};
    }
    if (tls->certificate && tls->clients) {
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0,
                                                   (void *)(uintptr_t)tls->clients};
    }
    options[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

int tt_httpd_serve(int fd, const struct tt_httpd_config *config, struct tt_httpd **httpd)
{
    _cleanup_free_ struct tt_httpd *made = calloc(1, sizeof(*made));
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                     MHD_ALLOW_SUSPEND_RESUME;
    unsigned threads = config->threads > 1 ? config->threads : 0;
    struct MHD_OptionItem tls[5];

    if (!made) {
        close(fd);
        return -ENOMEM;
    }
    made->config = *config;
    put_tls(&config->tls, tls);
    if (config->tls.certificate)
        flags |= MHD_USE_TLS;
    tt_httpd_name(fd, made->address, sizeof(made->address));
    pthread_mutex_init(&made->lock, NULL);
    made->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, made, MHD_OPTION_EXTERNAL_LOGGER, be_quiet, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        config->clients ? config->clients : (unsigned)TT_HTTPD_CLIENTS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)TT_HTTPD_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)TT_HTTPD_REQUEST,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_NOTIFY_CONNECTION,
        config->tls.certificate && config->tls.clients ? on_connection : NULL, NULL, MHD_OPTION_ARRAY, tls,
        MHD_OPTION_END);
    if (!made->daemon) {
        close(fd);
        pthread_mutex_destroy(&made->lock);
        return -EIO;
    }
    *httpd = TAKE_PTR(made);
    return 0;
}

int tt_httpd_new(const char *listen, const struct tt_httpd_route *routes, void *context,
                 struct tt_httpd **httpd, char **error)
{
    const struct tt_httpd_config config = {.routes = routes, .context = context};
    int fd = -1, result = tt_httpd_listen(listen, &fd, error);

    if (result)
        return result;
    result = tt_httpd_serve(fd, &config, httpd);
    if (result == -EIO)
        *error = tt_format("%s: libmicrohttpd does not start", listen);
    return result;
}

void tt_httpd_free(struct tt_httpd **httpd)
{
    struct tt_httpd *h = TAKE_PTR(*httpd);
    int listener;

    if (!h)
        return;
    /* MHD_stop_daemon would shut the socket down, which others may listen at, too. */
    listener = MHD_quiesce_daemon(h->daemon);
    pthread_mutex_lock(&h->lock);
    h->ending = true; /* libmicrohttpd does not end while a connection sleeps */
    pthread_mutex_unlock(&h->lock);
    tt_httpd_wake(h);
    MHD_stop_daemon(h->daemon);
    if (listener >= 0)
        close(listener);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

const char *tt_httpd_address(const struct tt_httpd *httpd)
{
    return httpd->address;
}
