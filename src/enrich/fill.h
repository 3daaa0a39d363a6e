/* SPDX-License-Identifier: GPL-2.0-only */
/* fill.h (private to enrich): what a span says: its name and title, its attributes, how it ended. */
#pragma once

#include <stdbool.h>

#include "assemble/log.h"
#include "assemble/span.h"
#include "enrich/build.h"
#include "enrich/otel.h"

/* A request that no catalogued function of its own stands for (a request of a `calls: many` function, an
 * upcall without a known method): it is named by its GIOP operation. */
bool tt_fill_is_bare(const struct tt_span *span);

/* Does it stand for code that is no function of the catalogue: a method, a caller? */
bool tt_fill_is_code(const struct tt_span *span);

/* The span's name: the row's, with what stands in braces filled in. As the title below. */
const char *tt_fill_name(struct tt_arena *arena, const struct tt_span *span);

/* tango.operation.name, in the arena or static; NULL when out of memory. */
const char *tt_fill_title(struct tt_arena *arena, const struct tt_span *span);

/* What is unknown of its end or else its start, as tangotrace.incomplete says it (static): its duration is a
 * bound then. NULL: both were seen. */
const char *tt_fill_unmeasured(const struct tt_span *span);

/* As tango.trigger says it; NULL: not known. */
const char *tt_fill_trigger(enum tt_trigger trigger);

/* All attributes but those of the outcome. `title` as above. */
void tt_fill_attributes(struct tt_build *build, const struct tt_span *span, const char *title);

/* Is it the name of a device, domain/family/member? NULL is none. */
bool tt_fill_is_device(const char *name);

/* Severity and attributes of a log record. */
void tt_fill_log(struct tt_build *build, const struct tt_log *log, struct tt_otel_log *out);

/* fill_cause.c: what goes on of its own accord. Title, and the device that a topic names, in the arena. */
const char *tt_fill_event_title(struct tt_arena *arena, const struct tt_span *span);
const char *tt_fill_event_device(struct tt_arena *arena, const struct tt_span *span);
void tt_fill_event(struct tt_build *build, const struct tt_span *span);
void tt_fill_polling(struct tt_build *build, const struct tt_span *span);

/* Status and exception events of `out`, the error attributes into `build` (those of the span, whose arena is
 * out->arena). */
void tt_fill_outcome(struct tt_build *build, const struct tt_span *span, struct tt_otel_span *out);
