/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/reply.h"

#include <json-c/json.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "otlp.pb-c.h"

/* protobuf-c allocates for every unknown field, some 30 times the bytes on the wire. */
#define PARSE_MAX  (64 * 1024)
#define JSON_DEPTH 8

static void cleanup_trace_reply(Tt__Otlp__TraceReply **reply)
{
    tt__otlp__trace_reply__free_unpacked(*reply, NULL);
}

static void cleanup_rpc_status(Tt__Otlp__RpcStatus **status)
{
    tt__otlp__rpc_status__free_unpacked(*status, NULL);
}

static bool is_type(const char *content_type, const char *type)
{
    size_t length = strlen(type);

    return content_type && strncasecmp(content_type, type, length) == 0 &&
           strchr("; \t", content_type[length]);
}

/* One line that is safe on a terminal: valid UTF-8, no control characters, cut between characters. */
static void printable(const char *text, size_t size, char message[TT_REPLY_TEXT])
{
    size_t used = 0;

    for (size_t i = 0, length; i < size && text[i]; i += length) {
        unsigned char c = (unsigned char)text[i];
        const char *from = text + i;
        size_t bytes;

        length = bytes = tt_utf8_length(text + i, size - i);
        if (!length || c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0)) {
            length = length ? length : 1;
            from = c == '\n' || c == '\r' || c == '\t' ? " " : "?";
            bytes = 1;
        }
        if (used + bytes >= TT_REPLY_TEXT)
            break;
        memcpy(message + used, from, bytes);
        used += bytes;
    }
    while (used && message[used - 1] == ' ')
        used--;
    message[used] = '\0';
}

bool tt_reply_is_otlp(size_t size, const char *content_type)
{
    return !size || !content_type || is_type(content_type, "application/x-protobuf") ||
           is_type(content_type, "application/json");
}

static void set_partial(struct tt_reply_partial *partial, int64_t rejected, uint64_t sent,
                        const char *message)
{
    if (rejected > 0)
        partial->rejected = (uint64_t)rejected < sent ? (uint64_t)rejected : sent;
    printable(message, strlen(message), partial->message);
}

/* {"partialSuccess": {"rejectedSpans": "3", "errorMessage": ".."}} */
static void read_json(const char *body, size_t size, uint64_t sent, struct tt_reply_partial *partial)
{
    static const char *const counts[] = {"rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"};
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
    struct json_object *root = tokener ? json_tokener_parse_ex(tokener, body, (int)size) : NULL, *p, *value;
    int64_t rejected = 0;

    if (json_object_object_get_ex(root, "partialSuccess", &p) && json_object_is_type(p, json_type_object)) {
        for (size_t i = 0; i < TT_ARRAY_SIZE(counts); i++)
            if (json_object_object_get_ex(p, counts[i], &value))
                rejected = json_object_get_int64(value);
        set_partial(partial, rejected, sent,
                    json_object_object_get_ex(p, "errorMessage", &value) && value
                        ? json_object_get_string(value)
                        : "");
    }
    json_object_put(root);
    if (tokener)
        json_tokener_free(tokener);
}

void tt_reply_partial(const uint8_t *body, size_t size, const char *content_type, uint64_t sent,
                      struct tt_reply_partial *partial)
{
    _cleanup_(cleanup_trace_reply) Tt__Otlp__TraceReply *reply = NULL;
    const Tt__Otlp__TracePartialSuccess *p;

    *partial = (struct tt_reply_partial){0};
    if (!size || size > PARSE_MAX)
        return;
    if (is_type(content_type, "application/json")) {
        read_json((const char *)body, size, sent, partial);
        return;
    }
    if (!is_type(content_type, "application/x-protobuf"))
        return;
    reply = tt__otlp__trace_reply__unpack(NULL, size, body);
    p = reply ? reply->partial_success : NULL;
    if (p)
        set_partial(partial, p->rejected_spans, sent, p->error_message);
}

void tt_reply_message(const uint8_t *body, size_t size, const char *content_type, char message[TT_REPLY_TEXT])
{
    _cleanup_(cleanup_rpc_status) Tt__Otlp__RpcStatus *status = NULL;
    bool protobuf = is_type(content_type, "application/x-protobuf") ||
                    is_type(content_type, "application/octet-stream");

    message[0] = '\0';
    if (!size)
        return;
    if (protobuf) {
        if (size <= PARSE_MAX)
            status = tt__otlp__rpc_status__unpack(NULL, size, body);
        if (status)
            printable(status->message, strlen(status->message), message);
        return;
    }
    printable((const char *)body, size, message);
}
