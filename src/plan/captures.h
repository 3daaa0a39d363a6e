/* SPDX-License-Identifier: GPL-2.0-only */
/* captures.h (private to plan): a row's arguments as the kernel is told to read them in the build at hand. */
#pragma once

#include <stdbool.h>

#include "catalogue/catalogue.h"
#include "plan/values.h"

/*
 * Where `value` is to be read when it (or the object it is in) lies at `origin`. Returns false, and *why says
 * what is missing, if the layout does not tell.
 */
bool tt_capture_make(const struct tt_argument *argument, const struct tt_origin *origin,
                     const struct tt_layout *layout, struct tt_capture *capture, const char **why);

/* Name of a field, for people ("device", "attribute names"). */
const char *tt_capture_field_name(unsigned field);
