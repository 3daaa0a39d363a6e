/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static bool grow(struct tt_json *json, size_t size)
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

/* Makes room for `size` more bytes and the NUL. */
static inline bool reserve(struct tt_json *json, size_t size)
{
    if (!json->failed && size < json->capacity && json->size < json->capacity - size)
        return true;
    return grow(json, size);
}

static inline void put(struct tt_json *json, const char *bytes, size_t size)
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

/* May the byte stand in a string as it is, whatever is around it? */
static inline bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Are all eight bytes plain? Bit tricks on bytes: "Bit Twiddling Hacks", Anderson. */
static inline bool all_plain(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101u, high = ones << 7;
    uint64_t quote = x ^ (ones * '"'), slash = x ^ (ones * '\\'), del = x ^ (ones * 0x7f);

    return !((x | (x - ones * 0x20) | (quote - ones) | (slash - ones) | (del - ones)) & high);
}

/* From the first byte that is not plain; without the quotes. */
static void put_escaped(struct tt_json *json, const char *value, size_t size)
{
    const unsigned char *s = (const unsigned char *)value;
    size_t i = 0, done = 0;
    char buffer[8];

    while (i < size) {
        size_t length = is_plain(s[i]) ? 1 : tt_utf8_length(value + i, size - i);
        const char *replacement = length ? NULL : TT_UTF8_REPLACEMENT;

        if (length == 1 && !is_plain(s[i]))
            replacement = escape(s[i], buffer);
        if (replacement) {
            put(json, value + done, i - done);
            put(json, replacement, strlen(replacement));
            done = i + 1;
        }
        i += length ? length : 1;
    }
    put(json, value + done, size - done);
}

/* Nearly all strings are plain: those are copied while they are looked at. */
static void put_quoted(struct tt_json *json, const char *value, size_t size)
{
    size_t plain = 0;
    char *out;

    if (size > SIZE_MAX / 2 || !reserve(json, size + 2)) {
        json->failed = true;
        return;
    }
    out = json->data + json->size;
    *out++ = '"';
    for (uint64_t word; size - plain >= sizeof(word); plain += sizeof(word)) {
        memcpy(&word, value + plain, sizeof(word));
        if (!all_plain(word))
            break;
        memcpy(out + plain, &word, sizeof(word));
    }
    for (; plain < size && is_plain((unsigned char)value[plain]); plain++)
        out[plain] = value[plain];
    json->size += 1 + plain;
    if (plain < size)
        put_escaped(json, value + plain, size - plain);
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
    char *out;

    begin(json, key, false);
    if (size > SIZE_MAX / 4 || !reserve(json, 2 * size + 2)) {
        json->failed = true;
        return;
    }
    out = json->data + json->size;
    *out++ = '"';
    for (size_t i = 0; i < size; i++) {
        *out++ = digits[value[i] >> 4];
        *out++ = digits[value[i] & 15];
    }
    *out++ = '"';
    *out = '\0';
    json->size += 2 * size + 2;
}

/* Decimal digits, and `quote` around them. printf would take longer than all the rest of a number. */
static void put_number(struct tt_json *json, const char *key, uint64_t value, bool negative, bool quote)
{
    char text[24], *at = text + sizeof(text);

    if (quote)
        *--at = '"';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    if (negative)
        *--at = '-';
    if (quote)
        *--at = '"';
    begin(json, key, false);
    put(json, at, (size_t)(text + sizeof(text) - at));
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

void tt_json_int(struct tt_json *json, const char *key, int64_t value)
{
    put_number(json, key, magnitude(value), value < 0, false);
}

void tt_json_uint(struct tt_json *json, const char *key, uint64_t value)
{
    put_number(json, key, value, false, false);
}

void tt_json_uint_string(struct tt_json *json, const char *key, uint64_t value)
{
    put_number(json, key, value, false, true);
}

void tt_json_int_string(struct tt_json *json, const char *key, int64_t value)
{
    put_number(json, key, magnitude(value), value < 0, true);
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
