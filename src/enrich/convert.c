/* SPDX-License-Identifier: GPL-2.0-only */
#include "enrich/convert.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* The Itanium C++ ABI's, in libstdc++; its header is for C++ only. */
char *__cxa_demangle(const char *mangled, char *buffer, size_t *size, int *status);

#define MASK "***"

/* Copies into `out` (of `limit` bytes) and returns the bytes written. */
static size_t repair(const char *text, char *out, size_t limit)
{
    size_t used = 0;

    while (*text) {
        size_t length = tt_utf8_length(text, SIZE_MAX), add = length ? length : strlen(TT_UTF8_REPLACEMENT);

        if (used + add > limit)
            break;
        memcpy(out + used, length ? text : TT_UTF8_REPLACEMENT, add);
        used += add;
        text += length ? length : 1;
    }
    return used;
}

const char *tt_convert_copy(struct tt_arena *arena, const char *text, size_t limit)
{
    size_t size = strnlen(text, limit);
    char *out;

    if (tt_utf8_ascii(text, size)) /* nearly every name */
        return tt_arena_copy(arena, text, size);

    out = tt_arena_alloc(arena, limit + 1);
    if (out)
        out[repair(text, out, limit)] = '\0';
    return out;
}

/* Writes the parts of N<length><name>..E, or of a single <length><name>, joined by "::". False: something
 * else. */
static bool join_names(const char *s, char *out, size_t size)
{
    bool nested = *s == 'N', std = false;
    size_t used = 0;

    s += nested;
    if (!strncmp(s, "St", 2)) {
        std = true;
        s += 2;
    }
    if (std) {
        memcpy(out, "std", 3);
        used = 3;
    }
    do {
        size_t length = 0;

        while (isdigit((unsigned char)*s) && length < size)
            length = length * 10 + (size_t)(*s++ - '0');
        if (!length || strnlen(s, length) < length || used + length + 3 > size || !strncmp(s, "_GLOBAL_", 8))
            return false;
        if (used) {
            memcpy(out + used, "::", 2);
            used += 2;
        }
        memcpy(out + used, s, length);
        used += length;
        s += length;
    } while (nested && *s != 'E');
    out[used] = '\0';
    return s[nested] == '\0';
}

/* Every substitution (S_, S0_, T_ ..) can repeat all that stands before it: a short hostile name could grow
 * to gigabytes. With this few it cannot. */
static bool grows(const char *s)
{
    size_t length = strlen(s), count = 0;

    for (size_t i = 0; i + 1 < length; i++)
        count += (s[i] == 'S' || s[i] == 'T') &&
                 (s[i + 1] == '_' || isdigit((unsigned char)s[i + 1]) || isupper((unsigned char)s[i + 1]));
    return length > 256 || count > 16;
}

/* What people write std::string, in place. */
static void fold_strings(char *text)
{
    static const char *const forms[] = {
        "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
        "std::basic_string<char, std::char_traits<char>, std::allocator<char> >",
    };
    static const char name[] = "std::string";

    for (size_t i = 0; i < TT_ARRAY_SIZE(forms); i++) {
        for (char *at = text; (at = strstr(at, forms[i])); at += sizeof(name) - 1) {
            const char *rest = at + strlen(forms[i]);

            /* The blank between two closing brackets is not needed any more. */
            rest += !strncmp(rest, " >", 2);
            memcpy(at, name, sizeof(name) - 1);
            memmove(at + sizeof(name) - 1, rest, strlen(rest) + 1);
        }
    }
}

const char *tt_convert_type(struct tt_arena *arena, const char *mangled)
{
    char joined[256];
    _cleanup_free_ char *demangled = NULL;
    int status;

    if (*mangled == '*') /* libstdc++ marks names that are compared by address */
        mangled++;
    if (join_names(mangled, joined, sizeof(joined)))
        return tt_convert_copy(arena, joined, sizeof(joined));
    if (!grows(mangled))
        demangled = __cxa_demangle(mangled, NULL, NULL, &status);
    if (demangled)
        fold_strings(demangled);
    return tt_convert_copy(arena, demangled ? demangled : mangled, 256);
}

static char *put_octet(char *out, unsigned value)
{
    if (value >= 100)
        *out++ = (char)('0' + value / 100);
    if (value >= 10)
        *out++ = (char)('0' + value / 10 % 10);
    *out++ = (char)('0' + value % 10);
    return out;
}

const char *tt_convert_address(struct tt_arena *arena, unsigned family, const void *bytes)
{
    const unsigned char *b = bytes;
    char text[INET6_ADDRSTRLEN], *end = text;

    if (family == AF_INET) { /* inet_ntop goes through printf, and this runs twice per span */
        for (int i = 0; i < 4; i++) {
            if (i)
                *end++ = '.';
            end = put_octet(end, b[i]);
        }
        return tt_arena_copy(arena, text, (size_t)(end - text));
    }
    if (family != AF_INET6 || !inet_ntop(AF_INET6, bytes, text, sizeof(text)))
        return NULL;
    return tt_arena_copy(arena, text, strlen(text));
}

const char *tt_convert_time(struct tt_arena *arena, uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / 1000000000u);
    struct tm tm;
    char text[64];

    if (!gmtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
        return NULL;
    return tt_arena_printf(arena, "%s.%03uZ", text, (unsigned)(unix_ns / 1000000u % 1000u));
}

/* Does the name of an option or variable say that its value is secret? */
static bool is_secret_name(const char *name, size_t size)
{
    static const char *const words[] = {"passw",       "passphrase", "pwd",     "secret",     "token",
                                        "apikey",      "api-key",    "api_key", "credential", "private-key",
                                        "private_key", "auth",       "cookie"};

    for (size_t i = 0; i < TT_ARRAY_SIZE(words); i++) {
        size_t length = strlen(words[i]);

        for (size_t at = 0; at + length <= size; at++) {
            if (!strncasecmp(name + at, words[i], length))
                return true;
        }
    }
    return false;
}

/* Offset of the value of the first "name=value" or "name:value" in `word` whose name tells a secret; 0 =
 * none. A word can hold a whole program (python -c) or a URL's query, so any place counts. */
static size_t secret_value(const char *word)
{
    size_t name = 0;

    for (size_t i = 0; word[i]; i++) {
        if ((word[i] == '=' || word[i] == ':') && is_secret_name(word + name, i - name))
            return i + 1;
        if (strchr(";,&?([{=", word[i]) || (isspace((unsigned char)word[i]) && !strchr("=: ", word[i + 1])))
            name = i + 1;
    }
    return 0;
}

/* The password of "scheme://user:password@host", as first byte and length; 0 if there is none. */
static size_t url_password(const char *word, size_t *start)
{
    const char *host = strstr(word, "://"), *at, *colon;

    if (!host)
        return 0;
    host += 3;
    at = memchr(host, '@', strcspn(host, "/?#"));
    colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
    if (!colon)
        return 0;
    *start = (size_t)(colon + 1 - word);
    return (size_t)(at - colon - 1);
}

/* Is it an option like --token, whose value is the next word? */
static bool takes_secret(const char *word)
{
    return word[0] == '-' && !strpbrk(word, "=:") && is_secret_name(word, strlen(word));
}

const char *tt_convert_masked(struct tt_arena *arena, const char *word, const char *previous, size_t limit)
{
    size_t start = 0, hidden = strlen(word);
    const char *masked;

    if (!previous || !takes_secret(previous) || word[0] == '-') {
        start = secret_value(word);
        hidden = start ? strlen(word + start) : url_password(word, &start);
        if (!hidden)
            return tt_convert_copy(arena, word, limit);
    }
    masked = tt_arena_printf(arena, "%.*s" MASK "%s", (int)start, word, word + start + hidden);
    return masked ? tt_convert_copy(arena, masked, limit) : NULL;
}

void tt_convert_argument(const struct tt_row_argument *what, const struct tt_span_argument *argument,
                         char *text, size_t size)
{
    uint64_t n = argument->number;

    if (argument->text)
        snprintf(text, size, "%s=%s", what->name, argument->text);
    else if (!strcmp(what->kind, "int"))
        snprintf(text, size, "%s=%" PRId32, what->name, (int32_t)n);
    else if (!strcmp(what->kind, "unsigned"))
        snprintf(text, size, "%s=%" PRIu32, what->name, (uint32_t)n);
    else if (!strcmp(what->kind, "bool")) /* only the lowest byte of its register */
        snprintf(text, size, "%s=%s", what->name, n & 0xff ? "true" : "false");
    else if (!strcmp(what->kind, "long"))
        snprintf(text, size, "%s=%" PRId64, what->name, (int64_t)n);
    else
        snprintf(text, size, "%s=0x%" PRIx64, what->name, n);
}
