/* SPDX-License-Identifier: GPL-2.0-only */
/* text.h: a growing text buffer, globs, numbers with units, bounded files, and "did you mean". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed struct is an empty text. */
struct tt_text {
    char *data; /* NUL-terminated once something was added; owned */
    size_t size;
    size_t capacity;
    bool failed; /* out of memory: the content is not to be used */
};

void tt_text_free(struct tt_text *text);
void tt_text_add(struct tt_text *text, const char *bytes, size_t size);
void tt_text_puts(struct tt_text *text, const char *string);
void tt_text_printf(struct tt_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Hands the string over (caller frees; "" when nothing was added) and empties the text. NULL when out of
 * memory. */
char *tt_text_take(struct tt_text *text);

/* Adds `bytes` for a terminal or a log: control characters and invalid UTF-8 appear as "?". What a traced
 * process calls itself must not be able to move the reader's cursor. */
void tt_text_safe(struct tt_text *text, const char *bytes);

/* printf into a fresh string, caller frees; NULL when out of memory. */
char *tt_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Part of `path` behind the last '/'; never NULL for a path that is not. */
const char *tt_basename(const char *path);

/* Does `text` match the glob (?, *, [])? '*' also matches '/'. NULL text never matches. */
bool tt_glob(const char *glob, const char *text, bool ignore_case);

/* Takes the first off a text "key=value; key=value", without the blanks around. 1; 0: nothing is left;
 * -EINVAL: *key has no value; -ENOMEM. Key and value are the caller's (free). */
int tt_pair_next(const char **text, char **key, char **value);

/* Whole strings of decimal digits, with a unit. 0, -EINVAL or -ERANGE; *value untouched on failure.
 * Sizes: bytes, or K, M, G (1024; "KiB", "kB" are taken as K). Durations: ms (also the default), s, m, h;
 * result in ms. */
int tt_parse_u64(const char *text, uint64_t *value);
int tt_parse_size(const char *text, uint64_t *bytes);
int tt_parse_duration(const char *text, uint64_t *ms);
/* yes, true, on, 1 and no, false, off, 0, without regard to case. */
int tt_parse_bool(const char *text, bool *value);

/* Reads at most `limit` bytes of a file below `dirfd` (NUL-terminated, caller frees); also what /proc gives,
 * whose size is not known before. More than `limit`: the first `limit` bytes and *cut (may be NULL) true. 0
 * or negative errno. */
int tt_read_file_at(int dirfd, const char *name, size_t limit, char **data, size_t *size, bool *cut);

/* Writes all of it, whatever write(2) takes at once. 0 or negative errno. */
int tt_write_all(int fd, const void *data, size_t size);

/* The name of the list (`count` pointers, `stride` bytes apart) that `word` was probably meant to be, or
 * NULL. */
const char *tt_suggest(const char *word, const char *const *names, size_t count, size_t stride);
