/* SPDX-License-Identifier: GPL-2.0-only */
/* output.h: writes to files, pipes and terminals that ends by a deadline, also when a pipe's reader has
 * stopped reading. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct tt_output {
    int fd;
    _Atomic uint64_t deadline; /* monotonic ns; set by another thread at stop */
};

/* 0; -ETIMEDOUT after the deadline; the negative errno of write. *written tells how much went out in every
 * case. */
int tt_output_write(struct tt_output *output, const char *data, size_t size, size_t *written);
