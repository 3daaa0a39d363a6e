/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * convert.h (private to enrich): makes strings of traced processes fit to leave the host: valid UTF-8
 * (protobuf demands it), bounded, readable type names, command lines without secrets. Everything here is
 * given untrusted bytes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "assemble/span.h"
#include "base/arena.h"

/* Copies at most `limit` bytes of valid UTF-8: each invalid byte becomes U+FFFD, a cut falls between
 * characters. NULL when out of memory. */
const char *tt_convert_copy(struct tt_arena *arena, const char *text, size_t limit);

/* The C++ name of a type from type_info::name() ("N5Tango9DevFailedE" gives "Tango::DevFailed"), the name
 * itself when it is none or would grow beyond measure. NULL when out of memory. */
const char *tt_convert_type(struct tt_arena *arena, const char *mangled);

/* IP address of `bytes` (family 2: 4 bytes, 10: 16 bytes) in text; NULL for other families or out of memory.
 */
const char *tt_convert_address(struct tt_arena *arena, unsigned family, const void *bytes);

/* Unix nanoseconds as ISO 8601 in UTC with milliseconds. */
const char *tt_convert_time(struct tt_arena *arena, uint64_t unix_ns);

/* One word of a command line with its secrets masked; `previous` is the word before it, or NULL. */
const char *tt_convert_masked(struct tt_arena *arena, const char *word, const char *previous, size_t limit);

/* "energy=7": an argument that the user asked for, as its kind is written in C++. */
void tt_convert_argument(const struct tt_row_argument *what, const struct tt_span_argument *argument,
                         char *text, size_t size);
