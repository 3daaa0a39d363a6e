/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * publish.h: the ways on which metrics leave: the HTTP server's /metrics, a text file, OTLP, as the options
 * say; and the health pages. Has threads of its own; whoever has the numbers is asked for a snapshot.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "export/points.h"
#include "metrics/snapshot.h"

struct tt_options;
struct tt_publisher;

struct tt_publisher_ops {
    /* A snapshot, from any thread; NULL: out of memory. */
    struct tt_snapshot *(*take)(void *context);
    /* Is all that is needed for work there? Says why, one line each. NULL: there are no health pages. */
    bool (*ready)(void *context, struct tt_text *why);
    void *context;
};

/* Replies of /metrics that may be on their way at once: each holds a snapshot. */
#define TT_PUBLISH_SCRAPES 2

/* `live`: serves, and writes at intervals; else only at the end. A port that is not to be had is warned of,
 * and all else goes on. 0 and *publisher (NULL: nothing is asked for, and it is not live); -EINVAL, -E2BIG: a
 * --metrics-export that makes no sense (logged); -ENOMEM. */
int tt_publisher_new(const struct tt_options *options, const struct tt_publisher_ops *ops, bool live,
                     struct tt_publisher **publisher);
/* Ends the threads: nothing asks for snapshots any more, but tt_publisher_finish. Accepts NULL. */
void tt_publisher_stop(struct tt_publisher *publisher);
/* Writes the last numbers. Accepts NULL. */
void tt_publisher_finish(struct tt_publisher *publisher);
void tt_publisher_free(struct tt_publisher **publisher);

/* What ways of metrics are made with; points into the options. */
struct tt_points_config tt_publisher_points_config(const struct tt_options *options);

/* Other options, while it is live. First what is new is made, which may fail as tt_publisher_new; then it is
 * put in place, which takes as long as receivers take, so not on a thread that is needed. What stays the same
 * is not touched: a port stays open, a destination knows what it was sent. */
struct tt_publisher_change;
int tt_publisher_change_new(struct tt_publisher *publisher, const struct tt_options *options,
                            struct tt_publisher_change **change);
void tt_publisher_change_apply(struct tt_publisher *publisher, struct tt_publisher_change **change);
void tt_publisher_change_free(struct tt_publisher_change **change);
