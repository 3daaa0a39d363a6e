/* SPDX-License-Identifier: GPL-2.0-only */
/* Answers of OTLP receivers, and the two configuration strings that become URLs and headers. First byte:
 * which. */
#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "export/reply.h"
#include "export/url.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reply(const uint8_t *body, size_t size, const char *type)
{
    struct tt_reply_partial partial;
    char message[TT_REPLY_TEXT];

    tt_reply_partial(body, size, type, 100, &partial);
    if (partial.rejected > 100 || !tt_utf8_valid(partial.message, strlen(partial.message)))
        abort();
    tt_reply_message(body, size, type, message);
    if (!tt_utf8_valid(message, strlen(message)) || strpbrk(message, "\n\r\x1b"))
        abort();
}

static void check_url(const char *text)
{
    struct tt_url url = {0};
    char *error = NULL;

    if (tt_url_parse(text, "/v1/traces", &url, &error) == 0 && strncmp(url.url, "http", 4) != 0)
        abort();
    tt_url_free(&url);
    free(error);
}

static void check_headers(const char *text)
{
    struct curl_slist *list = NULL;
    char *error = NULL;

    tt_url_headers(text, &list, &error);
    for (const struct curl_slist *line = list; line; line = line->next) {
        if (strpbrk(line->data, "\r\n"))
            abort();
    }
    curl_slist_free_all(list);
    free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"application/x-protobuf", "application/octet-stream", "text/plain",
                                        NULL};
    unsigned which = size ? data[0] % 6 : 0;
    char *text;

    if (!size)
        return 0;
    if (which < 4) {
        check_reply(data + 1, size - 1, types[which]);
        return 0;
    }
    text = strndup((const char *)data + 1, size - 1);
    if (text && which == 4)
        check_url(text);
    else if (text)
        check_headers(text);
    free(text);
    return 0;
}
