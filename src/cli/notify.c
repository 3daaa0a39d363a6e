/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

/* One datagram. */
void tt_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_close_ int fd = -1;
    size_t length;

    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
        return;
    length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = 0;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        tt_debug("cannot notify %s: %s", path, strerror(errno));
}

void tt_notify_reloading(void)
{
    char state[64];

    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, tt_now_ns() / 1000);
    tt_notify(state);
}

struct tt_watchdog tt_watchdog(void)
{
    const char *pid = getenv("WATCHDOG_PID"), *usec = getenv("WATCHDOG_USEC");
    uint64_t us, whose;
    bool ours = usec && !tt_parse_u64(usec, &us) &&
                (!pid || (!tt_parse_u64(pid, &whose) && whose == (uint64_t)getpid()));

    return (struct tt_watchdog){.every = ours ? us * 1000 / 2 : 0};
}

static void nothing(void *context)
{
}

void tt_notify_alive(struct tt_watchdog *watchdog, struct tt_agent *agent)
{
    if (!watchdog->every || tt_now_ns() < watchdog->next)
        return;
    watchdog->next = tt_now_ns() + watchdog->every;
    tt_collector_call(agent->collector, nothing, NULL); /* returns only if that thread runs */
    tt_notify("WATCHDOG=1");
}
