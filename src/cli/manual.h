/* SPDX-License-Identifier: GPL-2.0-only */
/* manual.h: the man pages, tangotrace(1) and tangotrace.yaml(5). */
#pragma once

#include "base/text.h"

/* One command in the list of the first. */
struct tt_manual_command {
    const char *usage, *help;
};

void tt_manual(struct tt_text *out, const struct tt_manual_command *commands, size_t count);
void tt_manual_file(struct tt_text *out);
