/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/ratelog.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/clock.h"

bool tt_ratelog_warn(struct tt_ratelog *log, unsigned interval_s, const char *format, ...)
{
    uint64_t now = tt_now_ns();
    char message[1536];
    va_list args;

    if (now < log->next) {
        log->silent++;
        return false;
    }
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (log->silent)
        tt_warn("%s (and %llu times more since the last such line)", message,
                (unsigned long long)log->silent);
    else
        tt_warn("%s", message);
    log->next = now + interval_s * TT_NS_PER_S;
    log->silent = 0;
    return true;
}
