/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cache.h: plans on disk, so that a known library is probed without being planned again. A wrong point kills
 * its target, so nothing here is believed for its name:
 *  - An entry is found by the file's build id and size, and used only if the file has, byte for byte, all
 * that the plan was made from (struct tt_plan_source). Two files with one build id (patchelf, strip, a
 * forgery) never get each other's plan: that would take a collision of BLAKE2b.
 *  - It is used only by the very program that made it: another build, with another catalogue or planner, has
 *    another build id. A program without a build id has no cache.
 *  - It is believed only if none but the agent's user (root, as a rule) could have written it and the
 *    directory: who can do that, can do all that an entry could. An entry that is stale, damaged or of other
 *    hands is not used; it costs the time to plan anew, and is replaced.
 *  - attach/ compares the bytes of every point with the file's each time, under the lease, as for a plan that
 *    was just made.
 * Plans of libraries and the like (tt_plan_file) only, not those of device classes (tt_plan_methods).
 * Bounded in number and bytes: what was not used for the longest time goes first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "plan/plan.h"

#define TT_PLAN_CACHE_ENTRIES 128
#define TT_PLAN_CACHE_BYTES   (64u << 20)

struct tt_plan_cache;

/* Opens the directory, or makes it and its parent. 0 or negative errno with *error (caller
 * frees): -EPERM where others could write to it. */
int tt_plan_cache_open(const char *directory, struct tt_plan_cache **cache, char **error);
void tt_plan_cache_free(struct tt_plan_cache **cache);

/* The plan of the file behind `fd`, if it is there: 0; -ENOENT: not there, or made by another agent or for
 * another file; -EPERM: others could have written it; -EINVAL: damaged; other negative errno. `path` as for
 * tt_plan_file. */
int tt_plan_cache_load(struct tt_plan_cache *cache, int fd, const char *path, struct tt_plan **plan);

/* Keeps it, in place of what is there: written beside it, synced, renamed. 0; -ENODATA: its file has no build
 * id; -EBUSY: another agent is writing to the cache; other negative errno. */
int tt_plan_cache_store(struct tt_plan_cache *cache, const struct tt_plan *plan);

/* ---- cache_format.c: the content; the same plan gives the same bytes ---- */

/* All but what the file's name says. */
void tt_plan_encode(const struct tt_plan *plan, struct tt_text *out);
/* Any bytes; 0, -EINVAL or -ENOMEM. Nothing of the plan points outside of itself; path and version are NULL.
 */
int tt_plan_decode(const void *data, size_t size, struct tt_plan **plan);
