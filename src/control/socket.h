/* SPDX-License-Identifier: GPL-2.0-only */
/* socket.h: the socket's file: making it with the right owner and mode, and connecting to it. */
#pragma once

#include <sys/types.h>

/* Name or number of a group; NULL gives (gid_t)-1. 0, or -EINVAL with *error. */
int tt_control_group(const char *text, gid_t *group, char **error);

/* A listening socket in *fd; errors as of tt_control_server_new(). */
int tt_control_listen(const char *path, gid_t group, int *fd, char **error);

/* A connected socket in *fd; negative errno without text. */
int tt_control_connect(const char *path, int *fd);
