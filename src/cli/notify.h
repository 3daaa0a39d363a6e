/* SPDX-License-Identifier: GPL-2.0-only */
/* notify.h: what systemd is told of the service (sd_notify(3), without its library). Nothing outside of it.
 */
#pragma once

#include <stdint.h>

struct tt_agent;

/* "READY=1", .. */
void tt_notify(const char *state);
/* Between this and READY=1 the configuration is read again. */
void tt_notify_reloading(void);

struct tt_watchdog {
    uint64_t every, next; /* ns; every 0: there is none */
};
struct tt_watchdog tt_watchdog(void);
/* Where the service has a watchdog: tells it in time that this thread and the collecting one still run. Call
 * it about once a second. */
void tt_notify_alive(struct tt_watchdog *watchdog, struct tt_agent *agent);
