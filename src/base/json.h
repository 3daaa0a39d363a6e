/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * json.h: writes JSON into a growing buffer. Keys and separators are placed by the writer; invalid UTF-8 in
 * strings is replaced by U+FFFD, so that the output is always valid.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tt_json {
    char *data;  /* NUL-terminated; owned */
    size_t size; /* bytes without the NUL */
    size_t capacity;
    bool comma;  /* a separator is due */
    bool failed; /* out of memory: the content is not to be used */
};

void tt_json_free(struct tt_json *json);  /* frees the buffer, zeroes the struct */
void tt_json_reset(struct tt_json *json); /* empties it, keeps the buffer */

/* `key` is NULL inside arrays and at the top. */
void tt_json_object(struct tt_json *json, const char *key);
void tt_json_object_end(struct tt_json *json);
void tt_json_array(struct tt_json *json, const char *key);
void tt_json_array_end(struct tt_json *json);
void tt_json_string(struct tt_json *json, const char *key, const char *value); /* NULL gives null */
void tt_json_bytes(struct tt_json *json, const char *key, const char *value, size_t size);
void tt_json_hex(struct tt_json *json, const char *key, const uint8_t *value, size_t size);
void tt_json_int(struct tt_json *json, const char *key, int64_t value);
void tt_json_uint(struct tt_json *json, const char *key, uint64_t value);
void tt_json_uint_string(struct tt_json *json, const char *key,
                         uint64_t value); /* "123": 64 bits in OTLP JSON */
void tt_json_int_string(struct tt_json *json, const char *key, int64_t value);
void tt_json_double(struct tt_json *json, const char *key, double value); /* not finite gives null */
void tt_json_bool(struct tt_json *json, const char *key, bool value);
void tt_json_newline(struct tt_json *json); /* ends a line of JSON lines */
