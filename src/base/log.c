/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum tt_log_level log_level = TT_LOG_INFO;

void tt_log_set_level(enum tt_log_level level)
{
    log_level = level;
}

void tt_log(enum tt_log_level level, const char *format, ...)
{
    static const char *const prefix[] = {"error: ", "warning: ", "", "debug: "};
    char line[2048];
    va_list args;
    int used, more;

    if (level > log_level)
        return;

    used = snprintf(line, sizeof(line), "tangotrace: %s", level < 0 ? "" : prefix[level]);
    va_start(args, format);
    more = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, args);
    va_end(args);
    if (more < 0)
        return;

    used += more;
    if (used > (int)sizeof(line) - 2)
        used = (int)sizeof(line) - 2;
    line[used++] = '\n';
    /* One write, so that lines of several threads do not mix; nothing can be done if it fails. */
    if (write(STDERR_FILENO, line, (size_t)used) < 0)
        return;
}
