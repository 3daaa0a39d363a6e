/* SPDX-License-Identifier: GPL-2.0-only */
/* parse.h: options as `run` has them, by a command line and an environment. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "options/options.h"

#define ARGS(...) ((char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define NO_ENV    ARGS()

static inline struct tt_options parse(char **argv, char **environment)
{
    struct tt_options options;
    _cleanup_free_ char *error = NULL;

    if (tt_options_parse(&options, TT_COMMAND_RUN, argv, environment, &error))
        fail_msg("%s", error);
    return options;
}

static inline void refused(enum tt_command command, char **argv, char **environment, const char *wanted)
{
    struct tt_options options;
    _cleanup_free_ char *error = NULL;

    assert_int_equal(tt_options_parse(&options, command, argv, environment, &error), -EINVAL);
    if (!error || strcmp(error, wanted))
        fail_msg("error is: %s\nnot:      %s", error ? error : "NULL", wanted);
}

static inline void rule_is(const struct tt_options *options, size_t index, bool include, const char *text)
{
    bool sense;

    assert_true(index < tt_selection_count(options->selection));
    assert_string_equal(tt_selection_rule(options->selection, index, &sense), text);
    assert_int_equal(sense, include);
}
