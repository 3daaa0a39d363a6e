/* SPDX-License-Identifier: GPL-2.0-only */
/* console.h: traces for people: the tree of one trace as text, and the sink that decides when to print it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "export/sink.h"
#include "query/query.h"

struct tt_console_style {
    bool color;
    bool utf8; /* else ASCII only */
};

/* Adds the header line and the tree. All spans and log records are of one trace, spans in any order, `count`
 * > 0, records in that of their time; `hidden` more spans are mentioned. A record stands below its span, if
 * that is there. */
void tt_console_tree(struct tt_text *out, struct tt_otel_span *const *spans, size_t count, size_t hidden,
                     struct tt_otel_log *const *logs, size_t log_count, const struct tt_console_style *style);

/* Its topmost span: without parent, else the earliest whose parent is not there. */
const struct tt_otel_span *tt_console_root(struct tt_otel_span *const *spans, size_t count);

struct tt_console_options {
    int fd;
    struct tt_console_style style;
    bool all_roots;
    unsigned rate;           /* traces per second */
    struct tt_query *filter; /* traces with a span that matches are shown, whatever their root; NULL: all. The
                                sink's from here on, also on failure */
    bool json; /* a line of OTLP JSON for each trace, one more for its log records, instead of its tree;
                  notices too: {"notice":".."} */
    const _Atomic uint64_t *lost; /* counters of spans that did not get here because the sink was too slow */
    unsigned lost_count;
    void (*silence)(void *context, char *buffer, size_t size);
    void *silence_context;
    uint64_t (*now)(void); /* monotonic ns */
};

/* 0 and *out, or -ENOMEM. */
int tt_console_new(const struct tt_console_options *options, struct tt_sink_counters counters[TT_SIGNALS],
                   struct tt_sink **out);
