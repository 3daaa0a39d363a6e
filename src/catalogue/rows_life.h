/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows_life.h: what goes on in a server without being asked for: log messages, polling, events, start and
 * stop. Part of the array in rows.c.
 */
#define METHODS(kind) .library = TT_LIBRARY_TANGO, .role = TT_ROLE_##kind, .detail = TT_DETAIL_METHODS

/* Every message that passes its logger's level, once; disabled levels never get here. The message comes last:
 * it takes what room is left. The thread's name in a LoggingEvent is always empty. */
{
    METHODS(LOG),
    .name = "log4tango::Logger::call_appenders",
    .signature = {"log4tango::Logger::call_appenders(log4tango::LoggingEvent const&)"},
    .argument = {{TT_FIELD_LOGGER, TT_VALUE_STRING, 1},
                 {TT_FIELD_LEVEL, TT_VALUE_LOG_LEVEL, 1},
                 {TT_FIELD_FILE, TT_VALUE_LOG_FILE, 1},
                 {TT_FIELD_LINE, TT_VALUE_LOG_LINE, 1},
                 {TT_FIELD_MESSAGE, TT_VALUE_LOG_MESSAGE, 1}},
},

#undef METHODS
