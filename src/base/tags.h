/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tags.h: tagged fields one after the other, for files of our own: u16 tag, u16 0, u32 size, bytes. Readers
 * skip tags that they do not know; every byte may be hostile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct tt_tags {
    const uint8_t *at, *end;
};
struct tt_tag {
    unsigned tag;
    const uint8_t *data;
    size_t size;
};

void tt_tags_put(struct tt_text *out, unsigned tag, const void *data, size_t size);
void tt_tags_put_text(struct tt_text *out, unsigned tag, const char *text); /* NULL: nothing */
void tt_tags_put_u64(struct tt_text *out, unsigned tag, uint64_t value);
struct tt_tags tt_tags_of(const void *data, size_t size);
/* False at the end, and where the rest is no field. */
bool tt_tags_next(struct tt_tags *fields, struct tt_tag *field);
/* Numbers of 1 to 8 bytes; 0 for others. */
uint64_t tt_tag_number(const struct tt_tag *field);
/* A copy, cut at the first NUL; NULL when out of memory. */
char *tt_tag_text(const struct tt_tag *field);
