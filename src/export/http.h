/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * http.h: OTLP's way of posting over HTTP: one destination, one connection kept alive, retries with back-off,
 * all bounded in time. Knows nothing of spans, so every signal can use it. One thread each, but for
 * tt_http_stop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/export.h"
#include "export/url.h"

struct tt_http;

struct tt_http_config {
    struct tt_url url; /* moved into the tt_http, also on failure */
    const char *name;  /* begins the log lines; outlives the tt_http */
    const struct tt_otlp_config
        *otlp; /* but for its URL, encoding and format; its strings outlive the tt_http */
};

struct tt_http_body {
    const void *data;
    size_t size;
    enum tt_encoding encoding;
    bool json;
};

enum tt_http_outcome {
    TT_HTTP_ACCEPTED, /* 2xx */
    TT_HTTP_REFUSED,  /* an answer that must not be retried, or a failure that will not go away */
    TT_HTTP_GAVE_UP,  /* no success within the timeout, or before the end */
};

struct tt_http_reply {
    enum tt_http_outcome outcome;
    const uint8_t *body; /* of the last answer; valid until the next post */
    size_t size;
    const char *content_type; /* may be NULL */
    unsigned requests;        /* that were begun */
    uint64_t sent;            /* bytes of headers and bodies */
    uint64_t retry_at;        /* GAVE_UP: no attempt before that makes sense (monotonic ns) */
    char error[768];          /* what happened and what to do, unless accepted */
};

int tt_http_new(struct tt_http_config *config, struct tt_http **http, char **error);
void tt_http_free(struct tt_http **http);

/* Blocks until the outcome is known. */
void tt_http_post(struct tt_http *http, const struct tt_http_body *body, struct tt_http_reply *reply);

/* One attempt, for who keeps what was not taken: GAVE_UP also for failures of the transport that will not go
 * away by themselves. */
void tt_http_try(struct tt_http *http, const struct tt_http_body *body, struct tt_http_reply *reply);

/* Has the time come that was given to tt_http_stop? */
bool tt_http_stopped(const struct tt_http *http);

/* From any thread: every post, begun or to come, ends by `deadline` (monotonic ns). */
void tt_http_stop(struct tt_http *http, uint64_t deadline);
