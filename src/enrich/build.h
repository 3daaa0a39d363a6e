/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * build.h (private to enrich): collects attributes under the rules of the attribute table: key, type, limit;
 * unknown values (NULL, "") are left out, never written as empty.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "catalogue/attributes.h"
#include "enrich/otel.h"

struct tt_build {
    struct tt_arena *arena; /* takes the strings */
    size_t count;
    uint32_t dropped; /* did not fit: TT_ATTR_COUNT */
    bool failed;      /* out of memory: the result is not to be used */
    struct tt_otel_attribute items[TT_ATTR_COUNT];
};

/* Starts empty; `items` is left alone, it is large. */
static inline void tt_build_start(struct tt_build *build, struct tt_arena *arena)
{
    build->arena = arena;
    build->count = 0;
    build->dropped = 0;
    build->failed = false;
}

/* Copies and repairs untrusted text. NULL and "" add nothing. */
void tt_build_string(struct tt_build *build, enum tt_attr attr, const char *value);
/* A string that is valid, within its limit and lives as long as the arena (or is static). NULL and "" add
 * nothing. */
void tt_build_ready(struct tt_build *build, enum tt_attr attr, const char *value);
void tt_build_int(struct tt_build *build, enum tt_attr attr, int64_t value);
void tt_build_true(struct tt_build *build, enum tt_attr attr);
/* Entries that are NULL or "" are left out; no entry adds nothing. */
void tt_build_strings(struct tt_build *build, enum tt_attr attr, const char *const *values, size_t count);
/* A key that is not in the table; both strings live as long as the arena. */
void tt_build_extra(struct tt_build *build, const char *key, const char *value);

/* The attributes in the arena; NULL when there are none, or out of memory (then build->failed). */
struct tt_otel_attribute *tt_build_finish(struct tt_build *build);
