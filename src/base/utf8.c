/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

size_t tt_utf8_length(const char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte: no overlong forms, no surrogates */
    size_t length;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (size < length || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

bool tt_utf8_ascii(const char *text, size_t size)
{
    uint64_t word, all = 0;

    for (; size >= sizeof(word); text += sizeof(word), size -= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        all |= word;
    }
    while (size--)
        all |= (unsigned char)*text++;
    return !(all & 0x8080808080808080ULL);
}

bool tt_utf8_valid(const char *text, size_t size)
{
    if (tt_utf8_ascii(text, size)) /* nearly all strings */
        return true;
    for (size_t i = 0, length; i < size; i += length) {
        length = tt_utf8_length(text + i, size - i);
        if (!length)
            return false;
    }
    return true;
}

size_t tt_utf8_clean(const char *text, size_t size, char *out)
{
    size_t used = 0;

    for (size_t i = 0, step; i < size; i += step) {
        size_t length = tt_utf8_length(text + i, size - i);
        const char *from = length ? text + i : TT_UTF8_REPLACEMENT;
        size_t bytes = length ? length : strlen(TT_UTF8_REPLACEMENT);

        step = length ? length : 1;
        if (out)
            memcpy(out + used, from, bytes);
        used += bytes;
    }
    return used;
}

bool tt_locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < TT_ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);

        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}
