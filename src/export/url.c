/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/url.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static void cleanup_curlu(CURLU **u)
{
    curl_url_cleanup(*u);
}

static void cleanup_curl(char **p)
{
    curl_free(*p);
}

static int fail(char **error, const char *text, const char *why)
{
    if (asprintf(error, "'%s' is not an OTLP/HTTP URL: %s", text, why) < 0)
        *error = NULL;
    return -EINVAL;
}

void tt_url_free(struct tt_url *url)
{
    free(url->url);
    free(url->display);
    *url = (struct tt_url){0};
}

static const char *check_scheme(const char *text)
{
    static const struct {
        const char *prefix, *advice;
    } known[] = {
        {"http://", NULL},
        {"https://", NULL},
        {"grpc://", "gRPC is not spoken; use http:// and the HTTP port (usually 4318)"},
        {"grpcs://", "gRPC is not spoken; use https:// and the HTTP port (usually 4318)"},
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(known); i++) {
        if (strncasecmp(text, known[i].prefix, strlen(known[i].prefix)) == 0)
            return known[i].advice;
    }
    return strstr(text, "://") ? "the scheme must be http or https"
                               : "it must begin with http:// or https://";
}

static const char *describe(CURLUcode code)
{
    switch (code) {
    case CURLUE_BAD_PORT_NUMBER:
        return "the port must be a number from 1 to 65535";
    case CURLUE_NO_HOST:
        return "the host is missing";
    default:
        return curl_url_strerror(code);
    }
}

/* Appends `path` to the URL's own path, unless that ends in it. */
static CURLUcode append_path(CURLU *u, const char *path)
{
    _cleanup_(cleanup_curl) char *own = NULL;
    _cleanup_free_ char *joined = NULL;
    CURLUcode code = curl_url_get(u, CURLUPART_PATH, &own, 0);
    size_t length, tail = strlen(path);

    if (code != CURLUE_OK)
        return code;
    length = strlen(own);
    while (length && own[length - 1] == '/')
        length--;
    if (length >= tail && strncmp(own + length - tail, path, tail) == 0)
        path = "";
    if (asprintf(&joined, "%.*s%s", (int)length, own, path) < 0)
        return CURLUE_OUT_OF_MEMORY;
    return curl_url_set(u, CURLUPART_PATH, joined, 0);
}

static char *get_url(CURLU *u)
{
    _cleanup_(cleanup_curl) char *text = NULL;

    return curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK ? strdup(text) : NULL;
}

static bool is_local(CURLU *u)
{
    _cleanup_(cleanup_curl) char *host = NULL;

    if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return false;
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0;
}

int tt_url_parse(const char *text, const char *path, struct tt_url *url, char **error)
{
    static const CURLUPart secrets[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY};
    _cleanup_(cleanup_curlu) CURLU *u = curl_url();
    const char *wrong = check_scheme(text);
    struct tt_url new = {0};
    CURLUcode code;

    if (wrong)
        return fail(error, text, wrong);
    code = u ? curl_url_set(u, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK && path)
        code = append_path(u, path);
    /* A fragment is never sent. */
    if (code == CURLUE_OK)
        code = curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    if (code != CURLUE_OK)
        return fail(error, text, describe(code));
    new.local = is_local(u);
    new.url = get_url(u);
    for (size_t i = 0; i < TT_ARRAY_SIZE(secrets); i++)
        curl_url_set(u, secrets[i], NULL, 0);
    new.display = get_url(u);
    if (!new.url || !new.display) {
        tt_url_free(&new);
        *error = strdup("out of memory");
        return -ENOMEM;
    }
    *url = new;
    return 0;
}

/* ---- headers ----------------------------------------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX in place; what is no escape stays. */
static void percent_decode(char *text)
{
    char *out = text;

    for (const char *in = text; *in; in++) {
        int high = *in == '%' ? hex(in[1]) : -1, low = high >= 0 ? hex(in[2]) : -1;

        *out++ = low >= 0 ? (char)(high << 4 | low) : *in;
        if (low >= 0)
            in += 2;
    }
    *out = '\0';
}

static char *trim(char *text)
{
    char *end;

    text += strspn(text, " \t");
    end = text + strlen(text);
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return text;
}

/* What a name is made of (RFC 9110, 5.6.2). */
static bool is_token(const char *name)
{
    return *name && name[strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* A line break would begin a header of its own. */
static bool is_value(const char *value)
{
    for (; *value; value++) {
        if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
            return false;
    }
    return true;
}

/* NULL, or what is wrong. */
static const char *check_header(const char *name, const char *value)
{
    static const char *const ours[] = {"content-type", "content-encoding", "content-length",
                                       "transfer-encoding"};

    if (!is_token(name))
        return "its name is empty or has characters that headers cannot have";
    if (!is_value(value))
        return "its value has control characters";
    for (size_t i = 0; i < TT_ARRAY_SIZE(ours); i++) {
        if (strcasecmp(name, ours[i]) == 0)
            return "this header is set by the exporter itself";
    }
    return NULL;
}

static int append_header(char *pair, struct curl_slist **list, char **error)
{
    char *value = strchr(pair, '='), *name = pair;
    _cleanup_free_ char *line = NULL;
    struct curl_slist *longer;
    const char *wrong = "it must be name=value";

    if (value) {
        *value++ = '\0';
        name = trim(name);
        value = trim(value);
        percent_decode(value);
        wrong = check_header(name, value);
    }
    if (wrong) {
        /* Only the name: values are often secrets. */
        if (asprintf(error, "OTLP header '%s': %s", value ? name : "(without =)", wrong) < 0)
            *error = NULL;
        return -EINVAL;
    }
    /* "Name;" is libcurl's way to send an empty header; "Name:" would remove it. */
    if (asprintf(&line, *value ? "%s: %s" : "%s;", name, value) < 0)
        return -ENOMEM;
    longer = curl_slist_append(*list, line);
    if (!longer)
        return -ENOMEM;
    *list = longer;
    return 0;
}

int tt_url_headers(const char *text, struct curl_slist **list, char **error)
{
    _cleanup_free_ char *copy = text ? strdup(text) : NULL;
    char *rest = copy, *pair;

    if (text && !copy)
        return -ENOMEM;
    while ((pair = strsep(&rest, ","))) {
        int err;

        pair = trim(pair);
        err = *pair ? append_header(pair, list, error) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}
