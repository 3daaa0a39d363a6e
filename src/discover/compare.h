/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compare.h: two readings of a process. What the kernel alone has told (`glimpsed`) is less than what /proc
 * says of the same program, and must not pass for another one.
 */
#pragma once

#include <stdbool.h>

#include "discover/process.h"

/* Does the difference matter to who traces? */
bool tt_process_differs(const struct tt_process *a, const struct tt_process *b);

/* Is it the same command line? The kernel may tell the first words of `known` only, and the last of these
 * cut. */
bool tt_process_same_words(const struct tt_process *known, const struct tt_process *process);

/* Is it the same executable? The kernel tells the name of it only. */
bool tt_process_same_exe(const struct tt_process *known, const struct tt_process *process);
