/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * naming.h: what a process is called, from its command line: servers as Starter calls them (exec/instance, by
 * CheckProcessUtil of Tango's Starter), clients by their script or program.
 */
#pragma once

#include <stdbool.h>

struct tt_names {
    const char *runtime; /* "python", "java" or NULL; static */
    char *script;   /* what runs: "Basler", "jupyter", "python -c"; for C++ the program; never NULL, owned */
    char *instance; /* of the server, if this can be one: the argument behind the script; or NULL, owned */
};

/* `argv` NULL-ended, may be empty; `exe` may be NULL. 0 or -ENOMEM. */
int tt_names_read(char *const argv[], const char *exe, struct tt_names *names);
void tt_names_free(struct tt_names *names);
