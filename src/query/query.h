/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * query.h: the filter language: one spanset filter of TraceQL, `{resource.service.name = "Basler" && duration
 * > 10ms}`, compiled once and evaluated on finished spans without allocating (docs/query.md has the
 * language). What a query may cost is bounded: its length and nesting, and the steps of a regular expression
 * on one text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enrich/otel.h"

#define TT_QUERY_MAX 4096 /* bytes of a query */

/* One thread at a time uses it. */
struct tt_query;

/* 0; -EINVAL with *error (caller frees): what is wrong, and below it the query with a caret at the place;
 * -ENOMEM. */
int tt_query_compile(const char *text, struct tt_query **query, char **error);
/* The same for who shows the query itself: *message (caller frees) without it, and where: *at bytes into it.
 */
int tt_query_compile_at(const char *text, struct tt_query **query, char **message, size_t *at);
void tt_query_free(struct tt_query **query);

/* What a span does not tell of its trace. */
struct tt_query_trace {
    const struct tt_otel_span *root; /* NULL: not there; then rootName and rootServiceName are nil */
    uint64_t duration;               /* ns, from the first start to the last end */
};

/* `trace` NULL: nothing is known of it, its fields are nil. */
bool tt_query_match(struct tt_query *query, const struct tt_otel_span *span,
                    const struct tt_query_trace *trace);

/* Does one of the spans match? They are those of one trace, as far as they are there. */
bool tt_query_match_trace(struct tt_query *query, struct tt_otel_span *const *spans, size_t count);

/* Texts on which a regular expression took too many steps: they count as "does not match". */
uint64_t tt_query_given_up(const struct tt_query *query);
