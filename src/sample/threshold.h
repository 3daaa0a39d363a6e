/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * threshold.h: consistent probability sampling, as OpenTelemetry has it (specification,
 * trace/tracestate-probability- sampling and tracestate-handling): the last 56 bits of a trace id are random;
 * a trace is kept when they are not below a rejection threshold, which is written into the tracestate
 * (`ot=th:..`), so that who counts spans knows for how many calls each of them stands.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TT_TH_ALL   0            /* keeps all */
#define TT_TH_NONE  (1ull << 56) /* keeps none */
#define TT_TH_TEXT  15           /* hexadecimal digits and NUL */
#define TT_TH_STATE 512          /* longest tracestate (W3C Trace Context, 3.3.1.5) */

/* The threshold that keeps a share of `ratio` (0 to 1), of as few digits as serve (a relative error of 1e-4).
 */
uint64_t tt_threshold_of_ratio(double ratio);

/* The next threshold that is not below `threshold` and has few digits. */
uint64_t tt_threshold_round(uint64_t threshold);

/* The random bits of a trace id. */
uint64_t tt_threshold_random(const uint8_t trace_id[16]);

/* `th`'s value: "0", "c", "fd70a"; trailing zeros left out. */
const char *tt_threshold_text(uint64_t threshold, char text[TT_TH_TEXT]);

/* The threshold of a tracestate; TT_TH_ALL where it has none. */
uint64_t tt_threshold_of_state(const char *state);

/* Writes `state` (NULL: none) with the threshold in it, in front, as who changes an entry has to; other
 * entries stay as far as there is room. */
void tt_threshold_put(const char *state, uint64_t threshold, char out[TT_TH_STATE + 1]);
