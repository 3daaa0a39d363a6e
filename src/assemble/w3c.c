/* SPDX-License-Identifier: GPL-2.0-only */
#include "assemble/w3c.h"

#include <string.h>

/* Upper case is not allowed (section 2.2.2). */
static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `size` bytes from twice as many digits; false also for all zero, where `nonzero` is demanded. */
static bool read_hex(const char *text, uint8_t *bytes, size_t size, bool nonzero)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
        any |= bytes[i];
    }
    return any || !nonzero;
}

bool tt_w3c_parse(const char *text, size_t size, struct tt_w3c *context)
{
    struct tt_w3c found;
    if (size != TT_W3C_SIZE || memcmp(text, "00-", 3) != 0 || text[35] != '-' || text[52] != '-')
        return false;
    if (!read_hex(text + 3, found.trace_id, sizeof(found.trace_id), true) ||
        !read_hex(text + 36, found.span_id, sizeof(found.span_id), true) ||
        !read_hex(text + 53, &found.flags, 1, false))
        return false;
    *context = found;
    return true;
}

bool tt_w3c_state(const char *text, size_t size)
{
    if (!size || size > TT_W3C_STATE_MAX || !memchr(text, '=', size))
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}
