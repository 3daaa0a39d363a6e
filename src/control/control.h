/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * control.h: the running agent's socket, and the way to ask it. A client sends one line "GET WHAT\n" and gets
 * JSON until the end of the stream; "SET WHAT\n" changes something first. Root, the agent's own user and the
 * members of one group may ask, only the first two may change; everything is bounded.
 */
#pragma once

#include <stddef.h>

#include "base/json.h"

#define TT_CONTROL_CLIENTS    8    /* at once; others wait */
#define TT_CONTROL_REQUEST    6144 /* bytes of a request: a filter fits */
#define TT_CONTROL_TIMEOUT_MS 2000 /* for a client to send its request, and between reads of the reply */
#define TT_CONTROL_REPLY      (16 << 20) /* bytes of a reply */

struct tt_control_handlers {
    /* Writes the reply to `request` (the line: "GET list", "SET detail rpc") as one JSON value. Called on the
     * control thread. 0, or a negative errno, which the client is told (-EINVAL: there is no such question);
     * what was written is dropped then. */
    int (*handle)(void *context, const char *request, struct tt_json *json);
    /* Asked first (may be NULL): a request whose answer goes on until the client hangs up. 0 and *stream: the
     * handler writes to `fd` (non-blocking, the server's) from now on, until end_stream; -EINVAL: no such
     * request; -EBADMSG with *why (caller frees), or another negative errno: refused. */
    int (*stream)(void *context, const char *request, int fd, void **stream, char **why);
    /* The client hung up, or the server ends. Nothing writes to the descriptor after it. */
    void (*end_stream)(void *context, void *stream);
    void *context;
};

struct tt_control_server;

/* Listens at `path`, mode 0600, or 0660 with `group` (name or number; NULL: none), on a thread of its own. A
 * socket that a dead agent left is replaced. 0; or with *error (caller frees): -EADDRINUSE (another agent
 * listens, the text names its pid), -EEXIST (something else is at that path), -EINVAL (group, path) or
 * another negative errno. The handlers are copied. */
int tt_control_server_new(const char *path, const char *group, const struct tt_control_handlers *handlers,
                          struct tt_control_server **server, char **error);
/* Ends the thread (waits for a handler that runs) and removes the socket, if it is still ours. Accepts NULL.
 */
void tt_control_server_free(struct tt_control_server **server);

/* First line of an answer that goes on. */
#define TT_CONTROL_GOES_ON "OK\n"

/* Sends "GET `request`"; *fd is a blocking socket whose answer goes on until one of both hangs up (the line
 * TT_CONTROL_GOES_ON is taken off). 0; or with *error: as below, or -EBADMSG: refused. */
int tt_control_open(const char *path, const char *request, int *fd, char **error);

/* Asks the agent at `path`, "list" is sent as "GET list". *reply (NUL-terminated, caller frees) is the JSON.
 * 0; or with *error: -ENOENT or -ECONNREFUSED: no agent runs there; -EACCES; -EFBIG, -ETIMEDOUT or another
 * negative errno. */
int tt_control_ask(const char *path, const char *request, char **reply, size_t *size, char **error);
/* The same with "SET ". */
int tt_control_tell(const char *path, const char *request, char **reply, size_t *size, char **error);
