/* SPDX-License-Identifier: GPL-2.0-only */
/* routes.c: which path is answered by what; docs/api.md describes them. And what all answers share. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "view/internal.h"

const struct tt_httpd_route tt_view_routes[] = {
    {"/api/info", tt_view_info},
    {"/api/state/*", tt_view_state},
    {"/api/stream", tt_view_stream},
    {"/api/usage", tt_view_usage},
    {"/api/names", tt_view_names},
    {"/api/query", tt_view_query},
    {"/api/traces", tt_view_search},
    {"/api/trace/*", tt_view_trace},
    {"/api/span/*", tt_view_span},
    {"/jaeger/api/*", tt_view_jaeger},
    {"/tempo/api/*", tt_view_tempo},
    {"*", tt_view_asset},
    {0},
};

void tt_view_json(struct tt_httpd_reply *reply, struct tt_json *json)
{
    reply->content_type = "application/json";
    reply->body = (struct tt_text){
        .data = json->data, .size = json->size, .capacity = json->capacity, .failed = json->failed};
    *json = (struct tt_json){0};
}

void tt_view_refuse(struct tt_httpd_reply *reply, unsigned status, const char *why, int64_t position)
{
    struct tt_json json = {0};

    tt_json_object(&json, NULL);
    tt_json_string(&json, "error", why);
    if (position >= 0)
        tt_json_int(&json, "position", position);
    tt_json_object_end(&json);
    tt_view_json(reply, &json);
    reply->status = status;
}

bool tt_view_number(const struct tt_httpd_request *request, const char *name, double *value)
{
    const char *text = tt_httpd_argument(request, name);
    char *end;
    double number;

    if (!text || !*text)
        return true;
    number = strtod(text, &end);
    if (*end || !isfinite(number) || number < 0 || number > 9e15)
        return false;
    *value = number;
    return true;
}

bool tt_view_time(const struct tt_httpd_request *request, const char *name, uint64_t *ns)
{
    double us = -1;

    if (!tt_view_number(request, name, &us))
        return false;
    if (us >= 0)
        *ns = (uint64_t)(us * 1000);
    return true;
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool tt_view_id(const char *text, uint8_t *id, size_t size)
{
    size_t length = strlen(text);

    memset(id, 0, size);
    if (!length || length > 2 * size)
        return false;
    for (size_t i = 0; i < length; i++) {
        size_t place = 2 * size - length + i;
        int value = digit(text[i]);

        if (value < 0)
            return false;
        id[place / 2] |= (uint8_t)(place % 2 ? value : value << 4);
    }
    return true;
}

const char *tt_view_string(const struct tt_otel_span *span, const char *key)
{
    const struct tt_otel_attribute *found = tt_otel_find(span->attributes, span->attribute_count, key);

    return found && found->type == TT_OTEL_STRING ? found->value.string : NULL;
}

void tt_view_attributes(struct tt_json *json, const char *name, const struct tt_otel_attribute *attributes,
                        size_t count)
{
    tt_json_object(json, name);
    for (size_t i = 0; i < count; i++) {
        const struct tt_otel_attribute *a = &attributes[i];

        switch (a->type) {
        case TT_OTEL_STRING:
            tt_json_string(json, a->key, a->value.string);
            break;
        case TT_OTEL_INT:
            tt_json_int(json, a->key, a->value.integer);
            break;
        case TT_OTEL_BOOL:
            tt_json_bool(json, a->key, a->value.boolean);
            break;
        case TT_OTEL_DOUBLE:
            tt_json_double(json, a->key, a->value.real);
            break;
        case TT_OTEL_STRINGS:
            tt_json_array(json, a->key);
            for (size_t j = 0; j < a->value.strings.count; j++)
                tt_json_string(json, NULL, a->value.strings.items[j]);
            tt_json_array_end(json);
            break;
        }
    }
    tt_json_object_end(json);
}
