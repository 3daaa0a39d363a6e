/* SPDX-License-Identifier: GPL-2.0-only */
/* admit.c: who may ask: the right host, the token where there is one, not too often. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "view/internal.h"

#define HOST_SIZE 256
#define LOOK_NS   1000000000u

void tt_view_look(struct tt_view *view)
{
    uint64_t now = tt_now_ns();

    if (now - view->told < LOOK_NS)
        return;
    view->told = now;
    if (send(view->fd, "l", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return; /* the agent reads late: it was told before */
}

/* ---- host ---- */

/* Without port and brackets. False: none. */
static bool host_of(const char *header, char host[HOST_SIZE])
{
    const char *begin = *header == '[' ? header + 1 : header;
    const char *end = *header == '[' ? strchr(header, ']') : strchr(header, ':');
    size_t size = end ? (size_t)(end - begin) : strlen(begin);

    if (!size || size >= HOST_SIZE)
        return false;
    memcpy(host, begin, size);
    host[size] = '\0';
    return true;
}

/* A page of somebody else whose name is made to lead here (DNS rebinding) has that name; an address, or this
 * host's own name, nobody else can have. "ws1.evil.example" anybody can: a longer name is believed only where
 * a token or a certificate is wanted besides, which a browser shows to the name that it has it from. */
static bool is_our_host(const struct tt_view *view, const char *header)
{
    unsigned char address[sizeof(struct in6_addr)];
    char host[HOST_SIZE];
    size_t own = view->host ? strlen(view->host) : 0;

    if (!header || !host_of(header, host))
        return false;
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1 ||
        !strcasecmp(host, "localhost"))
        return true;
    /* "ws1", or "ws1.example.org" where that is what it calls itself. */
    return own &&
           (!strcasecmp(host, view->host) || ((view->token || view->clients) && strcspn(host, ".") == own &&
                                              !strncasecmp(host, view->host, own) && host[own] == '.'));
}

/* ---- token ---- */

/* In a time that tells nothing of how much is right. */
static bool is_token(const struct tt_view *view, const char *text, size_t size)
{
    size_t length = strlen(view->token);
    unsigned char different = length != size;

    for (size_t i = 0; i < size; i++)
        different |= (unsigned char)(text[i] ^ view->token[length ? i % length : 0]);
    return !different;
}

/* Cookies know no ports: each server has one of its own name. */
static void cookie_name(const struct tt_view *view, char name[64])
{
    const char *port = strrchr(view->address, ':');

    snprintf(name, 64, "tangotrace-%.5s=", port ? port + 1 : "");
}

static bool has_cookie(const struct tt_view *view, const struct tt_httpd_request *request)
{
    const char *cookies = tt_httpd_header(request, "Cookie");
    char name[64];
    size_t length;

    cookie_name(view, name);
    length = strlen(name);
    while (cookies && *cookies) {
        cookies += strspn(cookies, "; ");
        if (!strncmp(cookies, name, length) &&
            is_token(view, cookies + length, strcspn(cookies + length, ";")))
            return true;
        cookies += strcspn(cookies, ";");
    }
    return false;
}

static bool has_header(const struct tt_view *view, const struct tt_httpd_request *request)
{
    static const char bearer[] = "Bearer ";
    const char *header = tt_httpd_header(request, "Authorization");

    return header && !strncasecmp(header, bearer, strlen(bearer)) &&
           is_token(view, header + strlen(bearer), strlen(header + strlen(bearer)));
}

static bool has_token(const struct tt_view *view, const struct tt_httpd_request *request,
                      struct tt_httpd_reply *reply)
{
    const char *argument = tt_httpd_argument(request, "token");
    char name[64];

    if (!view->token || has_cookie(view, request) || has_header(view, request))
        return true;
    if (argument && !strcmp(request->path, "/") && is_token(view, argument, strlen(argument))) {
        /* The address bar and the history do not keep it. */
        cookie_name(view, name);
        reply->status = 303;
        tt_httpd_reply_header(reply, "Location", strdup("/"));
        tt_httpd_reply_header(reply, "Set-Cookie",
                              tt_format("%s%s; Path=/; HttpOnly; SameSite=Lax%s", name, view->token,
                                        view->certificate ? "; Secure" : ""));
        return false;
    }
    reply->status = 401;
    tt_httpd_reply_header(reply, "WWW-Authenticate", strdup("Bearer"));
    tt_text_puts(&reply->body,
                 "This page wants its token: 'sudo tangotrace status' shows the address with it;\n"
                 "programs send it as 'Authorization: Bearer TOKEN'.\n");
    return false;
}

/* ---- rate ---- */

static bool is_in_time(struct tt_view *view)
{
    uint64_t now = tt_now_ns();
    bool good;

    pthread_mutex_lock(&view->lock);
    view->credit += (double)(now - view->credit_time) / 1e9 * TT_VIEW_RATE;
    if (!view->credit_time || view->credit > 2 * TT_VIEW_RATE)
        view->credit = 2 * TT_VIEW_RATE;
    view->credit_time = now;
    good = view->credit >= 1;
    if (good)
        view->credit -= 1;
    else
        view->refused++;
    pthread_mutex_unlock(&view->lock);
    return good;
}

bool tt_view_admit(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    struct tt_view *view = context;

    if (!is_our_host(view, tt_httpd_header(request, "Host"))) {
        reply->status = 421;
        tt_text_puts(&reply->body, "that is not a name of this host: ask by its address, or as localhost\n");
        return false;
    }
    /* First: who has no token takes nothing away from those who have one. */
    if (!has_token(view, request, reply))
        return false;
    if (!is_in_time(view)) {
        reply->status = 429;
        tt_httpd_reply_header(reply, "Retry-After", strdup("1"));
        tt_text_puts(&reply->body, "too many requests\n");
        return false;
    }
    return true;
}
