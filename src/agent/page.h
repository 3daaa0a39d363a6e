/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * page.h: the agent's side of the built-in page. A process of its own serves it (view/view.h), without any
 * right: this one opens the port, reads its certificates, starts it, and tells it over a socket what happens;
 * nothing comes back but the sign that somebody looks. What it does not take in time is dropped and counted,
 * by an exporter's queue as for every other receiver. Its end is a warning and is counted; it is started
 * again, at the same address with the same token, and tracing goes on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "export/export.h"
#include "metrics/usage.h"

struct tt_agent;
struct tt_options;
struct tt_page;
struct tt_page_setup;

/* Do these options ask for one? Whoever traces one command, or records, looks elsewhere, unless it is said.
 */
bool tt_page_is_wanted(const struct tt_options *options);

/* One that serves nothing yet. `wait`: nothing is dropped, who hands over waits. 0 or -ENOMEM. */
int tt_page_new(bool wait, struct tt_page **page);
/* How it is to be served from now on; all that can fail. `recording`: the file that is replayed; NULL: what
 * runs now. 0; -EBUSY: what was configured before is not in place yet; another negative errno, said. */
int tt_page_prepare(struct tt_page *page, const struct tt_options *options, const char *recording,
                    struct tt_page_setup **setup);
/* The next tt_page_tend() does so. Takes `setup` over; NULL: nowhere. */
void tt_page_configure(struct tt_page *page, struct tt_page_setup *setup);
/* Starts, ends, starts again what serves it, on one thread at a time. When that is to be called again
 * (CLOCK_MONOTONIC ns): UINT64_MAX: when it is configured; 0: it runs, every second. */
uint64_t tt_page_tend(struct tt_page *page);
/* How many processes served it, one after the other; each begins with nothing. For the thread that tends it.
 */
unsigned tt_page_starts(const struct tt_page *page);
/* Ends the process. Accepts NULL. */
void tt_page_free(struct tt_page **page);

/* Takes spans and log records; the page's; NULL before the first tt_page_prepare(). */
struct tt_exporter *tt_page_exporter(const struct tt_page *page);
/* "http://127.0.0.1:4380/", with its token if it wants one; NULL: it is not served. For the thread that tends
 * it. */
const char *tt_page_url(const struct tt_page *page);
/* It is, or it will be once its process runs again. */
bool tt_page_is_served(struct tt_page *page);
/* It is served with what is in the certificates' files now. */
bool tt_page_is_current(struct tt_page *page, const struct tt_options *options);
/* The process that serves is gone. */
bool tt_page_is_gone(struct tt_page *page);

/* What was counted; those combinations that were used since the last time. */
void tt_page_usage(struct tt_page *page, const struct tt_usage_copy *copy);
/* What is known by that name now. */
void tt_page_state(struct tt_page *page, const char *name, const struct tt_json *json);
/* Somebody looked within the last seconds. */
bool tt_page_is_watched(struct tt_page *page);
/* Member "page" of an open object, if it is served. */
void tt_page_json(struct tt_json *json, struct tt_page *page);

/* page_feed.c: a thread that tells the page what the running agent says of itself. */
struct tt_page_feed;
int tt_page_feed_new(struct tt_agent *agent, struct tt_page *page, struct tt_page_feed **feed);
void tt_page_feed_free(struct tt_page_feed **feed);
/* The page was configured. */
void tt_page_feed_wake(struct tt_page_feed *feed);
