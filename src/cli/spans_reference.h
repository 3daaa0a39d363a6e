/* SPDX-License-Identifier: GPL-2.0-only */
/* spans_reference.h: docs/spans.md, made from the catalogue's rows and the attribute table. */
#pragma once

#include "base/text.h"

/* docs/spans.md. */
void tt_spans_reference(struct tt_text *out);

/* The hidden command `tangotrace spans-reference`: prints it. Returns the exit code. */
int tt_cmd_spans_reference(void);
