/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * httpd.h: a small HTTP server (libmicrohttpd): a table of paths, each answered by a function, on threads of
 * its own. GET and HEAD only. Clients, request size and waiting times are bounded. It knows nothing of what
 * is served.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define TT_HTTPD_CLIENTS   32 /* connections at once, unless the config says otherwise; further ones wait */
#define TT_HTTPD_REQUEST   16384 /* bytes for request line and headers of a connection, and for the reply's */
#define TT_HTTPD_BYTES     (64u << 20) /* of replies under way, together */
#define TT_HTTPD_TIMEOUT_S 5           /* without progress, then a connection is closed */
#define TT_HTTPD_HEADERS   4           /* of one reply, besides those that all have */

struct tt_httpd;

struct tt_httpd_request {
    const char *path;
    const char *rest;   /* of the path behind the route's "*", or "" */
    const char *accept; /* header, or NULL */
    void *connection;   /* for the two functions below */
};

/* Value of a header or of an argument ("?q=.."), NULL: there is none. Lives as long as the request. */
const char *tt_httpd_header(const struct tt_httpd_request *request, const char *name);
const char *tt_httpd_argument(const struct tt_httpd_request *request, const char *name);

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
    bool waits;         /* `more` may have nothing to say yet: it is asked again after tt_httpd_wake() */
    const char *cache;  /* Cache-Control; NULL: "no-store" */
    const void *memory; /* instead of `body`: bytes that outlive the server */
    size_t memory_size;
    struct {
        const char *name; /* static; NULL: no more */
        char *value;      /* owned */
    } headers[TT_HTTPD_HEADERS];
};

/* Takes `value` over; NULL (out of memory) and what has no room is left out. */
void tt_httpd_reply_header(struct tt_httpd_reply *reply, const char *name, char *value);

struct tt_httpd_route {
    const char *path; /* exactly, or all that begins so ("/files/" followed by "*"); a table ends with NULL */
    void (*handle)(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply);
};

/* PEM texts, which outlive the server. */
struct tt_httpd_tls {
    const char *certificate; /* with those in between; NULL: no TLS */
    const char *key;
    const char *clients; /* who signs the certificates of those who may ask; NULL: they need none */
};

struct tt_httpd_config {
    const struct tt_httpd_route *routes; /* outlives the server */
    void *context;
    /* Asked before any route: false: `reply` says why not. NULL: all may ask. */
    bool (*admit)(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply);
    const char *const *headers; /* name, value, .. NULL: of every reply; outlive the server */
    unsigned clients;           /* at once; 0 = TT_HTTPD_CLIENTS */
    unsigned threads;           /* 0 = 1 */
    struct tt_httpd_tls tls;
};

/* Refuses an address that makes no sense: "PORT", "ADDRESS:PORT", "[IPv6]:PORT", "*:PORT". 0, or -EINVAL or
 * -ENOMEM with *error. */
int tt_httpd_check(const char *listen, char **error);

/* A listening socket in *fd. Without an address it is 127.0.0.1; port 0: any. 0, or a negative errno with
 * *error (caller frees), which for -EADDRINUSE names who has the port. */
int tt_httpd_listen(const char *listen, int *fd, char **error);

/* The same while `other` listens, which has the same port and is to be closed: at another address of it. */
int tt_httpd_listen_beside(const char *listen, int other, int *fd, char **error);

/* Listens; the thread runs. The routes outlive the server. Errors as of tt_httpd_listen. */
int tt_httpd_new(const char *listen, const struct tt_httpd_route *routes, void *context,
                 struct tt_httpd **httpd, char **error);
/* The same at a socket that listens, which is the server's from here on, also on failure. 0 or negative
 * errno. */
int tt_httpd_serve(int fd, const struct tt_httpd_config *config, struct tt_httpd **httpd);
/* Ends the thread, and connections that are open. Accepts NULL. */
void tt_httpd_free(struct tt_httpd **httpd);

/* Replies that wait are asked for more; on any thread. */
void tt_httpd_wake(struct tt_httpd *httpd);

/* "127.0.0.1:9464", with the port that it has got. */
const char *tt_httpd_address(const struct tt_httpd *httpd);
/* The same of a socket that listens; `size` of 64 is enough. */
void tt_httpd_name(int fd, char *address, size_t size);

/* tls.c: does one belong to the other, and is all of it what it should be? 0, or -EINVAL or -ENOMEM with
 * *error (caller frees). */
int tt_httpd_tls_check(const struct tt_httpd_tls *tls, char **error);

/* owner.c: who listens at that port of this network namespace: "prometheus (pid 4711)"; NULL: not to be seen.
 * Caller frees. */
char *tt_httpd_port_owner(unsigned port);
