/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * page.h: the agent's side of the built-in page. A process of its own serves it (view/view.h), without any
 * right: this one opens the port, starts it, and tells it over a socket what happens; nothing comes back but
 * the sign that somebody looks. What it does not take in time is dropped and counted, by an exporter's queue
 * as for every other receiver; its end is a warning, and tracing goes on.
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

/* `recording`: the file that is replayed; NULL: what runs now. `wait`: nothing is dropped, who hands over
 * waits. 0 and *page, or a negative errno, said. */
int tt_page_new(const struct tt_options *options, const char *recording, bool wait, struct tt_page **page);
/* Ends the process. Accepts NULL. */
void tt_page_free(struct tt_page **page);

/* Takes spans and log records; the page's. */
struct tt_exporter *tt_page_exporter(const struct tt_page *page);
/* "http://127.0.0.1:4380/", with its token if it wants one. */
const char *tt_page_url(const struct tt_page *page);
/* The process that serves is gone. */
bool tt_page_is_gone(struct tt_page *page);

/* What was counted; those combinations that were used since the last time. */
void tt_page_usage(struct tt_page *page, const struct tt_usage_copy *copy);
/* What is known by that name now. */
void tt_page_state(struct tt_page *page, const char *name, const struct tt_json *json);
/* Somebody looked within the last seconds. */
bool tt_page_is_watched(struct tt_page *page);
/* Member "page" of an open object. */
void tt_page_json(struct tt_json *json, struct tt_page *page);

/* page_feed.c: a thread that tells the page what the running agent says of itself. */
struct tt_page_feed;
int tt_page_feed_new(struct tt_agent *agent, struct tt_page *page, struct tt_page_feed **feed);
void tt_page_feed_free(struct tt_page_feed **feed);
