/* SPDX-License-Identifier: GPL-2.0-only */
/* seed.h: seeds that a target makes itself, since their format is that of one build: tests/fuzz/run names the
 * directory for them in TT_SEEDS. */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

/* Into that directory, which there must be. */
static inline void write_seed(const char *name, const struct tt_text *content)
{
    _cleanup_free_ char *path = tt_format("%s/%s", getenv("TT_SEEDS"), name);
    _cleanup_close_ int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;

    if (fd < 0 || content->failed || tt_write_all(fd, content->data, content->size))
        abort();
}
