/* SPDX-License-Identifier: GPL-2.0-only */
/* describe.h: one Tango process as `list --json` and the agent's reply to "GET list" show it. */
#pragma once

#include "base/json.h"
#include "discover/process.h"

/* Writes the fields that discovery knows. The object is left open for the caller's own (points, hits,
 * last_event_seconds), who ends it. */
void tt_process_json(struct tt_json *json, const struct tt_process *process);
