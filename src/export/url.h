/* SPDX-License-Identifier: GPL-2.0-only */
/* url.h: OTLP destinations as people write them: checked once, at start, with errors that say what to write
 * instead. */
#pragma once

#include <stdbool.h>

struct curl_slist;

struct tt_url {
    char *url;     /* to be requested; may hold a password */
    char *display; /* without user, password and query: for logs */
    bool local;    /* loopback: never by way of a proxy */
};

void tt_url_free(struct tt_url *url);

/* `text` is an http(s) URL; with `path`, that is appended unless the URL's path ends in it. 0, or
 * -EINVAL/-ENOMEM and *error. */
int tt_url_parse(const char *text, const char *path, struct tt_url *url, char **error);

/* OTEL_EXPORTER_OTLP_HEADERS: "name=value,name=value", values percent-encoded. Appends "Name: value" lines to
 * *list. */
int tt_url_headers(const char *text, struct curl_slist **list, char **error);
