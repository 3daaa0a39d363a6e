/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * httpd.h: the agent's small HTTP server (libmicrohttpd): a table of paths, each answered by a function, on
 * one thread of its own. GET and HEAD only. Clients, request size and waiting times are bounded. It knows
 * nothing of what is served.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define TT_HTTPD_CLIENTS   32    /* connections at once; further ones wait */
#define TT_HTTPD_REQUEST   16384 /* bytes for request line and headers of a connection, and for the reply's */
#define TT_HTTPD_TIMEOUT_S 5     /* without progress, then a connection is closed */

struct tt_httpd;

struct tt_httpd_request {
    const char *path;
    const char *accept; /* header, or NULL */
};

/* Zeroed before the handler is called, which fills it. */
struct tt_httpd_reply {
    unsigned status;          /* 0 = 200 */
    const char *content_type; /* static */
    struct tt_text body;      /* all of it, or its beginning where there is `more` */
    /* Appends the next piece of a body that is made while it is sent; false: that was the last. NULL: `body`
     * is all. `done` is called once, sent or not. */
    bool (*more)(void *state, struct tt_text *piece);
    void (*done)(void *state);
    void *state;
};

struct tt_httpd_route {
    const char *path; /* exactly; a table ends with NULL */
    void (*handle)(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply);
};

/* Refuses an address that makes no sense: "PORT", "ADDRESS:PORT", "[IPv6]:PORT", "*:PORT". 0, or -EINVAL or
 * -ENOMEM with *error. */
int tt_httpd_check(const char *listen, char **error);

/* Listens; the thread runs. The routes outlive the server. Without an address it is 127.0.0.1; port 0: any.
 * 0, or a negative errno with *error (caller frees), which for -EADDRINUSE names who has the port. */
int tt_httpd_new(const char *listen, const struct tt_httpd_route *routes, void *context,
                 struct tt_httpd **httpd, char **error);
/* Ends the thread, and connections that are open. Accepts NULL. */
void tt_httpd_free(struct tt_httpd **httpd);

/* "127.0.0.1:9464", with the port that it has got. */
const char *tt_httpd_address(const struct tt_httpd *httpd);

/* owner.c: who listens at that port of this network namespace: "prometheus (pid 4711)"; NULL: not to be seen.
 * Caller frees. */
char *tt_httpd_port_owner(unsigned port);
