/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtuals.h: virtual functions that cppTango declares one after the other, in that order: so do their slots
 * follow one another in the virtual table. For builds that keep no names of what is inline in the headers
 * (LTO, as Ubuntu builds): there the names before and after, and how many lie between them, tell what is
 * there.
 */
#pragma once

#include <stddef.h>

#define TT_VIRTUALS     10
#define TT_VIRTUALS_END "" /* the table of the class itself ends here */

struct tt_virtuals {
    const char *class;
    const char *method[TT_VIRTUALS]; /* without the class; the first and the last have names in all builds */
};

extern const struct tt_virtuals tt_virtuals[];
extern const size_t tt_virtuals_count;
