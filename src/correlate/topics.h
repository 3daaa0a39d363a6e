/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * topics.h: events on their way. Each one sent is remembered by topic and number until its receivers, in
 * whatever process, have had time to get it; of each receiver the last number per topic, so that a gap is
 * seen.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "correlate/traces.h"

#define TT_PUSHES_MAX 16384           /* events remembered; the oldest make room */
#define TT_LASTS_MAX  8192            /* (process, topic) pairs of receivers */
#define TT_PUSH_NS    600000000000ull /* events are remembered for so long */

struct tt_topics;

/* An event that was sent. */
struct tt_push {
    struct tt_trace *trace; /* holds a reference */
    uint8_t span_id[8];
    unsigned depth;
    uint32_t tgid;
    uint64_t time;
};

struct tt_topics *tt_topics_new(struct tt_traces *traces); /* NULL when out of memory */
void tt_topics_free(struct tt_topics **topics);

/* The span sends the event. Two of the same topic and number (a server that was started again counts from the
 * beginning) cannot be told apart by their receivers. */
void tt_topics_push(struct tt_topics *topics, const struct tt_span *span, uint64_t time);

/* Processes that have received events of the topic and were not forgotten since. */
unsigned tt_topics_audience(const struct tt_topics *topics, const char *topic);

/* The event with that topic and number; NULL: none, or several (*ambiguous). */
const struct tt_push *tt_topics_find(const struct tt_topics *topics, const char *topic, uint32_t counter,
                                     bool *ambiguous);

/* The span's process has received its event. How many of the topic it has missed since the last one that it
 * received; 0 where events may have come that were not seen. *again: it is that one once more. */
uint32_t tt_topics_receive(struct tt_topics *topics, const struct tt_span *span, bool *again);

/* What the process has received is no measure any more: it has subscribed anew, or was not looked at. */
void tt_topics_forget(struct tt_topics *topics, uint32_t tgid);

void tt_topics_expire(struct tt_topics *topics, uint64_t now);
