/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * delivery.h: what becomes of one signal's batches on their way to one destination. Without a spool a batch
 * is tried until it is taken, or its time is over. With one it is tried once; while the destination is away
 * batches go to the disk at once, and from there, the oldest first and at a bounded rate, once it is back.
 * What is new is sent beside that, but for log records, which back ends want in their order. One thread, but
 * for tt_delivery_stop.
 */
#pragma once

#include "export/encode.h"
#include "export/sink.h"
#include "export/url.h"

struct tt_delivery;

/* `url` is moved, also on failure; `counters` and the config's strings outlive the delivery. A spool that
 * cannot be used is warned of, and all else goes on. 0, or a negative errno with *error. */
int tt_delivery_new(enum tt_signal signal, struct tt_url *url, const struct tt_export_config *config,
                    struct tt_sink_counters *counters, struct tt_delivery **delivery, char **error);
void tt_delivery_free(struct tt_delivery **delivery);
const char *tt_delivery_name(const struct tt_delivery *delivery); /* no secrets */

/* Sends, stores or drops an uncompressed body with so many items, and counts them. */
void tt_delivery_send(struct tt_delivery *delivery, const struct tt_bytes *body, size_t items);
/* Counts items that could not be encoded. */
void tt_delivery_fail(struct tt_delivery *delivery, size_t items, const char *why);

/* Some times a second: sends what is stored, as its turn comes. What came before `oldest` (unix ns) was given
 * to tt_delivery_send. */
void tt_delivery_tick(struct tt_delivery *delivery, uint64_t oldest);
/* From any thread: everything ends by then (monotonic ns). */
void tt_delivery_stop(struct tt_delivery *delivery, uint64_t deadline);
