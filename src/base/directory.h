/* SPDX-License-Identifier: GPL-2.0-only */
/* directory.h: directories of the agent's own, in which nobody else can write. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Makes the directory and its parent where they are missing, and opens it. The directory is held, not its
 * name: who could put another in its place further up gains nothing, since that one has to be ours as well.
 * 0 and *fd; -EPERM: others could write to it; another negative errno. */
int tt_directory_open(const char *path, mode_t mode, int *fd);
/* The same for one in the directory `parent`, which is ours. */
int tt_directory_open_at(int parent, const char *name, mode_t mode, int *fd);

/* A file of that name with these parts one behind the other, in place of what was there: whole or not at all,
 * also when the agent is killed or the host crashes meanwhile. It is written beside it, synced and renamed. 0
 * or negative errno. One at a time in a directory. */
int tt_directory_put(int dir, const char *name, mode_t mode, const struct iovec *parts, size_t count);
/* Removes what such a write left that was killed. */
void tt_directory_tidy(int dir);

/* Could none but this user have written it? */
bool tt_is_ours(const struct stat *st);

/* Why that did not work, for people. */
const char *tt_directory_reason(int error);
