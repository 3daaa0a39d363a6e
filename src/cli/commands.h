/* SPDX-License-Identifier: GPL-2.0-only */
/* commands.h: the commands of `tangotrace`. Each returns the exit code of the program. */
#pragma once

#include "options/options.h"

enum tt_exit {
    TT_EXIT_OK = 0,
    TT_EXIT_FAILURE = 1,
    TT_EXIT_USAGE = 2,
    TT_EXIT_MISSING = 77, /* the host lacks a right or a kernel feature */
};

/* `command` NULL-ended, or NULL: not in strace mode. */
int tt_cmd_run(const struct tt_options *options, char **command);
/* The same, with the events written to arguments[0] and nothing exported unless asked for. */
int tt_cmd_record(const struct tt_options *options);
int tt_cmd_replay(const struct tt_options *options);
int tt_cmd_list(const struct tt_options *options);
int tt_cmd_status(const struct tt_options *options);
int tt_cmd_top(const struct tt_options *options);
int tt_cmd_clients(const struct tt_options *options);
int tt_cmd_calls(const struct tt_options *options);
int tt_cmd_tail(const struct tt_options *options);
int tt_cmd_dump(const struct tt_options *options);
int tt_cmd_detail(const struct tt_options *options);
int tt_cmd_doctor(const struct tt_options *options);
int tt_cmd_plan(const struct tt_options *options);
int tt_cmd_config(const struct tt_options *options);
