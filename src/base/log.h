/* SPDX-License-Identifier: GPL-2.0-only */
/* log.h: the agent's own messages, on standard error, each with a level. The level is the one global. */
#pragma once

enum tt_log_level { TT_LOG_ALWAYS = -1, TT_LOG_ERROR, TT_LOG_WARN, TT_LOG_INFO, TT_LOG_DEBUG };

/* Sets the highest level that is printed; INFO at start. */
void tt_log_set_level(enum tt_log_level level);

/* Prints "tangotrace: message" (with "warning: ", "error: " for those levels) and a newline, in one write. */
void tt_log(enum tt_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What scripts rely on ("ready", the last line): printed whatever the level. */
#define tt_say(...)   tt_log(TT_LOG_ALWAYS, __VA_ARGS__)
#define tt_error(...) tt_log(TT_LOG_ERROR, __VA_ARGS__)
#define tt_warn(...)  tt_log(TT_LOG_WARN, __VA_ARGS__)
#define tt_info(...)  tt_log(TT_LOG_INFO, __VA_ARGS__)
#define tt_debug(...) tt_log(TT_LOG_DEBUG, __VA_ARGS__)

/* Logs an error and gives back `code` (a negative errno), for `return tt_err(-EINVAL, "..")`. */
#define tt_err(code, ...) (tt_log(TT_LOG_ERROR, __VA_ARGS__), (code))
