/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/utf8.h"

void tt_text_free(struct tt_text *text)
{
    free(text->data);
    memset(text, 0, sizeof(*text));
}

/* Makes room for `size` more bytes and the NUL. */
static bool grow(struct tt_text *text, size_t size)
{
    size_t capacity = text->capacity ? text->capacity : 64;
    char *data;

    if (text->failed)
        return false;
    if (size < text->capacity - text->size && text->capacity)
        return true;
    while (capacity - text->size <= size) {
        if (capacity > SIZE_MAX / 2) {
            text->failed = true;
            return false;
        }
        capacity *= 2;
    }
    data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void tt_text_add(struct tt_text *text, const char *bytes, size_t size)
{
    if (!grow(text, size))
        return;
    if (size)
        memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void tt_text_puts(struct tt_text *text, const char *string)
{
    tt_text_add(text, string, strlen(string));
}

static void add_format(struct tt_text *text, const char *format, va_list args)
{
    va_list again;
    int size;

    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size < 0) {
        text->failed = true;
        return;
    }
    if (!grow(text, (size_t)size))
        return;
    vsnprintf(text->data + text->size, (size_t)size + 1, format, args);
    text->size += (size_t)size;
}

void tt_text_printf(struct tt_text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_format(text, format, args);
    va_end(args);
}

char *tt_text_take(struct tt_text *text)
{
    char *data;

    tt_text_add(text, "", 0);
    data = text->failed ? NULL : TAKE_PTR(text->data);
    tt_text_free(text);
    return data;
}

void tt_text_safe(struct tt_text *text, const char *bytes)
{
    const unsigned char *s = (const unsigned char *)bytes;

    while (*s) {
        size_t n = tt_utf8_length((const char *)s, SIZE_MAX);
        /* C1 controls are U+0080..9F, two bytes in UTF-8. */
        bool control = n == 1 ? *s < 0x20 || *s == 0x7f : n == 2 && s[0] == 0xc2 && s[1] < 0xa0;

        if (!n || control)
            tt_text_add(text, "?", 1);
        else
            tt_text_add(text, (const char *)s, n);
        s += n ? n : 1;
    }
}

char *tt_format(const char *format, ...)
{
    struct tt_text text = {0};
    va_list args;

    va_start(args, format);
    add_format(&text, format, args);
    va_end(args);
    return tt_text_take(&text);
}

const char *tt_basename(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool tt_glob(const char *glob, const char *text, bool ignore_case)
{
    return text && fnmatch(glob, text, ignore_case ? FNM_CASEFOLD : 0) == 0;
}

/* Without the blanks around it. */
static char *trimmed(const char *text, size_t length)
{
    while (length && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    return strndup(text, length);
}

int tt_pair_next(const char **text, char **key, char **value)
{
    while (**text == ';' || isspace((unsigned char)**text)) /* "a=b;" */
        (*text)++;
    if (!**text)
        return 0;
    size_t length = strcspn(*text, ";"), before = strcspn(*text, ";=");

    *key = trimmed(*text, before);
    *value = before < length ? trimmed(*text + before + 1, length - before - 1) : NULL;
    *text += length;
    if (!*key || (before < length && !*value))
        return -ENOMEM;
    return *value && **value ? 1 : -EINVAL;
}

/* Leading digits of `text`; *rest is what follows. */
static int parse_digits(const char *text, uint64_t *value, const char **rest)
{
    uint64_t v = 0;
    const char *s = text;

    for (; isdigit((unsigned char)*s); s++)
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return -ERANGE;
    if (s == text)
        return -EINVAL;
    *value = v;
    *rest = s;
    return 0;
}

int tt_parse_u64(const char *text, uint64_t *value)
{
    const char *rest;
    uint64_t v;
    int err = parse_digits(text, &v, &rest);

    if (err)
        return err;
    if (*rest)
        return -EINVAL;
    *value = v;
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static int parse_unit(const char *text, const struct unit *units, uint64_t *value)
{
    const char *rest;
    uint64_t v;
    int err = parse_digits(text, &v, &rest);

    if (err)
        return err;
    while (*rest == ' ')
        rest++;
    for (; units->name; units++) {
        if (strcasecmp(rest, units->name) != 0)
            continue;
        if (__builtin_mul_overflow(v, units->factor, &v))
            return -ERANGE;
        *value = v;
        return 0;
    }
    return -EINVAL;
}

int tt_parse_size(const char *text, uint64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},         {"B", 1},         {"K", 1 << 10}, {"KB", 1 << 10}, {"KiB", 1 << 10}, {"M", 1 << 20},
        {"MB", 1 << 20}, {"MiB", 1 << 20}, {"G", 1 << 30}, {"GB", 1 << 30}, {"GiB", 1 << 30}, {NULL, 0},
    };

    return parse_unit(text, units, bytes);
}

int tt_parse_duration(const char *text, uint64_t *ms)
{
    static const struct unit units[] = {{"", 1},        {"ms", 1},      {"s", 1000}, {"m", 60000},
                                        {"min", 60000}, {"h", 3600000}, {NULL, 0}};

    return parse_unit(text, units, ms);
}

int tt_parse_bool(const char *text, bool *value)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0"};

    for (size_t i = 0; i < TT_ARRAY_SIZE(yes); i++) {
        if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
            *value = !strcasecmp(text, yes[i]);
            return 0;
        }
    }
    return -EINVAL;
}

int tt_read_file_at(int dirfd, const char *name, size_t limit, char **data, size_t *size, bool *cut)
{
    _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    _cleanup_free_ char *buffer = NULL;
    size_t used = 0, capacity = 0;

    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t n;

        /* One byte over the limit is asked for, to learn whether there is more. */
        if (used == capacity) {
            size_t wanted = capacity ? capacity * 2 : 4096;
            char *bigger;

            if (wanted > limit + 1)
                wanted = limit + 1;
            bigger = realloc(buffer, wanted + 1);
            if (!bigger)
                return -ENOMEM;
            buffer = bigger;
            capacity = wanted;
        }
        n = read(fd, buffer + used, capacity - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        used += (size_t)n;
        if (n == 0 || used > limit)
            break;
    }
    if (cut)
        *cut = used > limit;
    if (used > limit)
        used = limit;
    buffer[used] = '\0';
    *data = TAKE_PTR(buffer);
    *size = used;
    return 0;
}

int tt_write_all(int fd, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)data + done, size - done);

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

#define WORD_MAX 32

/* Edit distance (insert, delete, replace, swap of neighbours) of words of at most WORD_MAX letters. */
static size_t distance(const char *a, const char *b)
{
    size_t d[WORD_MAX + 1][WORD_MAX + 1], na = strlen(a), nb = strlen(b);

    if (na > WORD_MAX || nb > WORD_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i <= na; i++) {
        for (size_t j = 0; j <= nb; j++) {
            size_t best;

            if (!i || !j) {
                d[i][j] = i + j;
                continue;
            }
            best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[na][nb];
}

const char *tt_suggest(const char *word, const char *const *names, size_t count, size_t stride)
{
    const char *found = NULL;
    size_t best = strlen(word) / 3 + 1;

    for (size_t i = 0; i < count; i++) {
        const char *name = *(const char *const *)((const char *)names + i * stride);
        size_t d = name ? distance(word, name) : SIZE_MAX;

        if (d <= best && d < strlen(word)) {
            best = d - (d > 0);
            found = name;
        }
    }
    return found;
}
