/* SPDX-License-Identifier: GPL-2.0-only */
/* identity.h (plan, and discover for versions): what a file is: names, version, build id, and the layouts
 * that fit it. */
#pragma once

#include "plan/elf.h"
#include "plan/plan.h"

/* Fills the descriptive fields of a plan. 0 or -ENOMEM. */
int tt_identify(struct tt_plan *plan, const struct tt_elf *elf, const char *path);

/* Of these what depends on the file's names: path, version, omni; plan->soname is set. 0 or -ENOMEM. */
int tt_identify_by_name(struct tt_plan *plan, int fd, const char *path);

/* Layout of cppTango's objects that fits the file, or NULL. */
const struct tt_layout *tt_identity_layout(const struct tt_elf *elf);

/* Version for people from a library's file name ("libtango-ddde0d83.so.10.3.3" -> "10.3.3"); NULL: none in
 * it. */
char *tt_identity_version(const char *name);
