/* SPDX-License-Identifier: GPL-2.0-only */
/* log.h: a log message as assemble and correlate make it: what was captured, and in which span it was
 * written. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "catalogue/attributes.h"
#include "tangotrace/event.h"

struct tt_span;
struct tt_trace; /* correlate's */

#define TT_LOG_FACTS 16

/* An attribute of a record of ours. */
struct tt_log_fact {
    enum tt_attr attr;
    const char *text; /* in the arena; NULL: it is a number */
    int64_t number;
};

struct tt_log {
    /* set by assemble */
    uint32_t tgid, tid;
    char thread_name[TT_THREAD_NAME]; /* NUL-ended; "" = not known */
    uint64_t time;                    /* CLOCK_MONOTONIC, ns */
    struct tt_span *span;  /* innermost open span of the thread, NULL: none, or not proven; valid only during
                              the  `log` call */
    struct tt_arena arena; /* owns all strings below; NULL = not known */
    const char *logger, *message, *file;
    uint64_t level; /* log4tango::Level */
    uint64_t line;
    bool has_level, has_line;
    uint32_t full;                   /* bytes of the message as it was, if it was cut, else 0 */
    unsigned incomplete;             /* enum tt_incomplete, or-ed */
    const char *device, *class_name; /* the request during which it was written: whose device answers it */

    const char *event; /* static: what is recorded, if that is no message of the program's: NULL */
    struct tt_log_fact facts[TT_LOG_FACTS];
    unsigned fact_count;

    /* set by correlate */
    struct tt_trace *trace;
    bool in_span;
    uint8_t trace_id[16], span_id[8];
    int64_t unix_offset;
    uint32_t root_tgid; /* process of the root of its trace, or its own */
    struct tt_log *next;
};

/* The record is one of the device whose request the span is, or is part of. */
void tt_log_set_owner(struct tt_log *log, const struct tt_span *span);

/* Zeroed; NULL when out of memory. Free also frees the arena. */
struct tt_log *tt_log_new(void);
void tt_log_free(struct tt_log **log);
