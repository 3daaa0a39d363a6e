/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * utf8.h: strings of target processes come in any encoding (Latin-1 units are common); OTLP wants UTF-8, and
 * receivers refuse a whole batch for one bad byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* U+FFFD: each byte that is not part of a valid sequence becomes one. */
#define TT_UTF8_REPLACEMENT "\xef\xbf\xbd"

/* Length of the valid sequence (RFC 3629) at `text`, which has `size` > 0 bytes left; 0 if there is none. Of
 * a text that ends in NUL, SIZE_MAX may be given: NUL is no continuation byte, so nothing is read behind it.
 */
size_t tt_utf8_length(const char *text, size_t size);

bool tt_utf8_ascii(const char *text, size_t size);
bool tt_utf8_valid(const char *text, size_t size);

/* Bytes of the cleaned copy of `text`; with `out` not NULL also writes it there (no NUL). */
size_t tt_utf8_clean(const char *text, size_t size, char *out);

/* What the locale says, as setlocale(3) would find it. */
bool tt_locale_is_utf8(void);
