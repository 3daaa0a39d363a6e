/* SPDX-License-Identifier: GPL-2.0-only */
/* directory.h: directories of the agent's own, in which nobody else can write. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Makes the directory and its parent where they are missing, and opens it. The directory is held, not its
 * name: who could put another in its place further up gains nothing, since that one has to be ours as well.
 * 0 and *fd; -EPERM: others could write to it; another negative errno. */
int tt_directory_open(const char *path, mode_t mode, int *fd);
/* The same for one in the directory `parent`, which is ours. */
int tt_directory_open_at(int parent, const char *name, mode_t mode, int *fd);

/* Could none but this user have written it? */
bool tt_is_ours(const struct stat *st);

/* Why that did not work, for people. */
const char *tt_directory_reason(int error);
