/* SPDX-License-Identifier: GPL-2.0-only */
/* interpreter.h: which Python runs a process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/process.h"
#include "plan/plan.h"

#define TT_PYTHON_TEXT_MAX 250 /* bytes of sys.version with its NUL: Python/getversion.c, 3.9 to 3.14 */

/* Sets process->python and python_all, or leaves them NULL; `base`: where the interpreter's file is mapped.
 * 0 or -ENOMEM. */
int tt_python_read_version(struct tt_process *process, uint64_t base, const struct tt_plan_python *python);

/* "3.11.2", "3.14.0.candidate.2", of PY_VERSION_HEX, as OpenTelemetry's SDK for Python writes it. */
char *tt_python_version_of(uint32_t hex);

/* The text that sys.version is made from, among bytes of the interpreter's memory; NULL: it is not there.
 * What follows the bytes is another part: a text must end inside. */
const char *tt_python_find_text(const char *bytes, size_t size, unsigned minor);
