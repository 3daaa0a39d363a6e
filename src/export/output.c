/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/output.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

/*
 * A pipe or terminal may have no room for minutes, and O_NONBLOCK would change the open file that other
 * programs share with us. POLLOUT on a pipe means a free page (pipe(7), fs/pipe.c pipe_poll), so a write of
 * that size never sleeps.
 */
#define CHUNK   4096
#define POLL_MS 100

static int wait_room(struct tt_output *output)
{
    for (;;) {
        struct pollfd p = {.fd = output->fd, .events = POLLOUT};
        uint64_t now = tt_now_ns(), deadline = atomic_load(&output->deadline);
        int n = poll(&p, 1, tt_ms_until(now, deadline, POLL_MS));

        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (now >= deadline)
            return -ETIMEDOUT;
    }
}

int tt_output_write(struct tt_output *output, const char *data, size_t size, size_t *written)
{
    struct stat st;
    size_t chunk = fstat(output->fd, &st) == 0 && S_ISREG(st.st_mode) ? size : CHUNK;

    *written = 0;
    while (*written < size) {
        size_t n = size - *written < chunk ? size - *written : chunk;
        ssize_t done;
        int err = chunk == CHUNK ? wait_room(output) : 0;

        if (err < 0)
            return err;
        done = write(output->fd, data + *written, n);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (done > 0)
            *written += (size_t)done;
    }
    return 0;
}
