/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * regex.h: regular expressions of bounded cost, by PCRE2. Matched against a whole text, as TraceQL does. The
 * syntax that RE2 (TraceQL's) and PCRE2 share is the one to use; back references are refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One thread at a time uses it. */
struct tt_regex;

/* 0; -EINVAL with *error (caller frees) and the byte of the pattern that it is about; -ENOMEM. */
int tt_regex_compile(const char *pattern, struct tt_regex **regex, char **error, size_t *at);
void tt_regex_free(struct tt_regex **regex);

/* False also where matching took too many steps, counted. */
bool tt_regex_match(struct tt_regex *regex, const char *text);
uint64_t tt_regex_given_up(const struct tt_regex *regex);
