/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/demangle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL_MAX 4096 /* longer names are no candidates: demangling takes time that grows with them */

/* libstdc++; its header is C++. Itanium C++ ABI, section 3.4. */
extern char *__cxa_demangle(const char *name, char *buffer, size_t *size, int *status);

/* Removes every occurrence of `what`. */
static void remove_all(char *text, const char *what)
{
    size_t size = strlen(what);

    for (char *at = text; (at = strstr(at, what));)
        memmove(at, at + size, strlen(at + size) + 1);
}

/* Removes ", std::allocator<..>" with its balanced brackets. */
static void remove_allocators(char *text)
{
    static const char start[] = ", std::allocator<";

    for (char *at = text; (at = strstr(at, start));) {
        char *end = at + sizeof(start) - 1;

        for (int depth = 1; *end && depth; end++) {
            if (*end == '<')
                depth++;
            else if (*end == '>')
                depth--;
        }
        memmove(at, end, strlen(end) + 1);
    }
}

/* Replaces every `from` by the shorter `to`. */
static void replace_all(char *text, const char *from, const char *to)
{
    size_t size = strlen(from), short_size = strlen(to);

    for (char *at = text; (at = strstr(at, from)); at += short_size) {
        memcpy(at, to, short_size);
        memmove(at + short_size, at + size, strlen(at + size) + 1);
    }
}

void tt_demangle_normalise(char *text)
{
    remove_all(text, "[abi:cxx11]");
    replace_all(text, " >", ">");
    remove_allocators(text);
    replace_all(text, "std::__cxx11::basic_string<char, std::char_traits<char>>", "std::string");
    replace_all(text, "std::basic_string<char, std::char_traits<char>>", "std::string");
}

char *tt_demangle(const char *symbol)
{
    int status = 0;
    char *text;

    if (strnlen(symbol, SYMBOL_MAX) == SYMBOL_MAX)
        return NULL;
    if (strncmp(symbol, "_Z", 2))
        return strdup(symbol);
    text = __cxa_demangle(symbol, NULL, NULL, &status);
    if (text)
        tt_demangle_normalise(text);
    return text;
}

#define SHIFT_ASSIGN "operator>>="

static bool is_const(const char *signature)
{
    static const char end[] = ") const";
    size_t length = strlen(signature), size = sizeof(end) - 1;

    return length > size && !strcmp(signature + length - size, end);
}

bool tt_demangle_prefix(const char *signature, char *prefix, size_t size)
{
    size_t end = strcspn(signature, "("), used;
    const char *at = signature;

    if (!memmem(signature, end, "::", 2)) {
        used = (size_t)snprintf(prefix, size, "%.*s", (int)end, signature);
        return used < size;
    }
    used = (size_t)snprintf(prefix, size, "_ZN%s", is_const(signature) ? "K" : "");
    while (at < signature + end && used < size) {
        const char *next = memmem(at, (size_t)(signature + end - at), "::", 2);
        size_t length = (size_t)((next ? next : signature + end) - at);

        if (length == strlen(SHIFT_ASSIGN) &&
            !strncmp(at, SHIFT_ASSIGN, length)) /* the only operator so far */
            used += (size_t)snprintf(prefix + used, size - used, "rS");
        else
            used += (size_t)snprintf(prefix + used, size - used, "%zu%.*s", length, (int)length, at);
        at += length + (next ? 2 : 0);
    }
    return used < size;
}
