/* SPDX-License-Identifier: GPL-2.0-only */
/* source.h (private to plan): what of a file a plan was made from (struct tt_plan_source). */
#pragma once

#include "plan/elf.h"
#include "plan/plan.h"

/* Of all that was read so far. 0; -EIO: something could not be read; -ENOMEM. */
int tt_source_take(const struct tt_elf *elf, struct tt_plan_source *source);

/* Has the file the same size, and the same bytes there? */
bool tt_source_matches(int fd, const struct tt_plan_source *source);
