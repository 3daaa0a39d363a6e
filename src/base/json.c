/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* Makes room for `size` more bytes and the NUL. */
static bool reserve(struct tt_json *json, size_t size)
{
    size_t need, capacity;
    char *data;

    if (json->failed)
        return false;
    if (__builtin_add_overflow(json->size, size, &need) || __builtin_add_overflow(need, 1, &need)) {
        json->failed = true;
        return false;
    }
    if (need <= json->capacity)
        return true;
    capacity = json->capacity ? json->capacity : 256;
    while (capacity < need) {
        if (__builtin_mul_overflow(capacity, 2, &capacity))
            capacity = need;
    }
    data = realloc(json->data, capacity);
    if (!data) {
        json->failed = true;
        return false;
    }
    json->data = data;
    json->capacity = capacity;
    return true;
}

static void put(struct tt_json *json, const char *bytes, size_t size)
{
    if (!reserve(json, size))
        return;
    memcpy(json->data + json->size, bytes, size);
    json->size += size;
    json->data[json->size] = '\0';
}

/* Escape of an ASCII byte that may not stand in a string as it is; NULL if it may. */
static const char *escape(unsigned char c, char buffer[8])
{
    static const char letters[] = "\"\\\b\f\n\r\t", escaped[] = "\"\\bfnrt";
    const char *letter = c ? strchr(letters, c) : NULL;

    if (letter)
        snprintf(buffer, 8, "\\%c", escaped[letter - letters]);
    else if (c < 0x20 || c == 0x7f)
        snprintf(buffer, 8, "\\u%04x", c);
    else
        return NULL;
    return buffer;
}

static void put_quoted(struct tt_json *json, const char *value, size_t size)
{
    size_t i = 0, done = 0;
    char buffer[8];

    put(json, "\"", 1);
    while (i < size) {
        size_t length = tt_utf8_length(value + i, size - i);
        const char *replacement = length ? NULL : TT_UTF8_REPLACEMENT;

        if (length == 1)
            replacement = escape((unsigned char)value[i], buffer);
        if (replacement) {
            put(json, value + done, i - done);
            put(json, replacement, strlen(replacement));
            done = i + 1;
        }
        i += length ? length : 1;
    }
    put(json, value + done, size - done);
    put(json, "\"", 1);
}

/* Separator and key of the next value; `open` tells that no comma is due after it. */
static void begin(struct tt_json *json, const char *key, bool open)
{
    if (json->comma)
        put(json, ",", 1);
    if (key) {
        put_quoted(json, key, strlen(key));
        put(json, ":", 1);
    }
    json->comma = !open;
}

static void put_value(struct tt_json *json, const char *key, const char *text)
{
    begin(json, key, false);
    put(json, text, strlen(text));
}

void tt_json_free(struct tt_json *json)
{
    if (!json)
        return;
    free(json->data);
    *json = (struct tt_json){0};
}

void tt_json_reset(struct tt_json *json)
{
    json->size = 0;
    json->comma = false;
    json->failed = false;
    if (json->data)
        json->data[0] = '\0';
}

void tt_json_object(struct tt_json *json, const char *key)
{
    begin(json, key, true);
    put(json, "{", 1);
}

void tt_json_object_end(struct tt_json *json)
{
    put(json, "}", 1);
    json->comma = true;
}

void tt_json_array(struct tt_json *json, const char *key)
{
    begin(json, key, true);
    put(json, "[", 1);
}

void tt_json_array_end(struct tt_json *json)
{
    put(json, "]", 1);
    json->comma = true;
}

void tt_json_string(struct tt_json *json, const char *key, const char *value)
{
    if (value)
        tt_json_bytes(json, key, value, strlen(value));
    else
        put_value(json, key, "null");
}

void tt_json_bytes(struct tt_json *json, const char *key, const char *value, size_t size)
{
    begin(json, key, false);
    put_quoted(json, value, size);
}

void tt_json_hex(struct tt_json *json, const char *key, const uint8_t *value, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    begin(json, key, false);
    put(json, "\"", 1);
    for (size_t i = 0; i < size; i++)
        put(json, (const char[]){digits[value[i] >> 4], digits[value[i] & 15]}, 2);
    put(json, "\"", 1);
}

void tt_json_int(struct tt_json *json, const char *key, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    put_value(json, key, text);
}

void tt_json_uint(struct tt_json *json, const char *key, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    put_value(json, key, text);
}

void tt_json_uint_string(struct tt_json *json, const char *key, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "\"%llu\"", (unsigned long long)value);
    put_value(json, key, text);
}

void tt_json_int_string(struct tt_json *json, const char *key, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "\"%lld\"", (long long)value);
    put_value(json, key, text);
}

void tt_json_double(struct tt_json *json, const char *key, double value)
{
    char text[40];

    if (!isfinite(value)) {
        put_value(json, key, "null");
        return;
    }
    /* The shortest of the two that reads back as the same number. */
    snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof(text), "%.17g", value);
    /* A locale may have made the point a comma. */
    for (char *c = text; *c; c++) {
        if (*c == ',')
            *c = '.';
    }
    put_value(json, key, text);
}

void tt_json_bool(struct tt_json *json, const char *key, bool value)
{
    put_value(json, key, value ? "true" : "false");
}

void tt_json_newline(struct tt_json *json)
{
    put(json, "\n", 1);
    json->comma = false;
}
