/* SPDX-License-Identifier: GPL-2.0-only */
/* fill_log.c: what a log record says. */
#include <string.h>

#include "base/cleanup.h"
#include "enrich/fill.h"

bool tt_fill_is_device(const char *name)
{
    unsigned slashes = 0;

    for (; name && *name; name++)
        slashes += *name == '/';
    return slashes == 2;
}

/* log4tango::Level to OpenTelemetry's numbers, as native telemetry maps them. */
static const struct {
    uint64_t level;
    int severity;
    const char *text;
} severities[] = {
    {200, 21, "FATAL"}, {300, 17, "ERROR"}, {400, 13, "WARN"}, {500, 9, "INFO"}, {600, 5, "DEBUG"},
};

void tt_fill_log(struct tt_build *build, const struct tt_log *log, struct tt_otel_log *out)
{
    static const struct {
        enum tt_incomplete bit;
        const char *name;
    } doubts[] = {
        {TT_INCOMPLETE_CUT, "field_cut"},
        {TT_INCOMPLETE_FAULT, "field_unreadable"},
        {TT_INCOMPLETE_PROCESS, "process_unknown"},
    };
    const char *names[TT_ARRAY_SIZE(doubts)];
    size_t count = 0;

    out->severity_text = "";
    for (size_t i = 0; i < TT_ARRAY_SIZE(severities); i++) {
        if (!log->has_level || log->level != severities[i].level)
            continue;
        out->severity = severities[i].severity;
        out->severity_text = severities[i].text;
    }
    for (unsigned i = 0; i < log->fact_count; i++) {
        const struct tt_log_fact *fact = &log->facts[i];

        if (fact->text)
            tt_build_string(build, fact->attr, fact->text);
        else
            tt_build_int(build, fact->attr, fact->number);
    }
    tt_build_ready(build, TT_ATTR_LOG_LOGGER, out->logger);
    tt_build_int(build, TT_ATTR_LOG_THREAD, log->tid);
    if (*log->thread_name)
        tt_build_string(build, TT_ATTR_LOG_THREAD_NAME, log->thread_name);
    if (log->file && *log->file) {
        tt_build_string(build, TT_ATTR_LOG_FILE, log->file);
        tt_build_string(build, TT_ATTR_LOG_FILE_NATIVE, log->file);
        if (log->has_line) {
            tt_build_int(build, TT_ATTR_LOG_LINE, (int64_t)log->line);
            tt_build_int(build, TT_ATTR_LOG_LINE_NATIVE, (int64_t)log->line);
        }
    }
    if (log->full)
        tt_build_int(build, TT_ATTR_LOG_LENGTH, log->full);
    for (size_t i = 0; i < TT_ARRAY_SIZE(doubts); i++) {
        if (log->incomplete & doubts[i].bit)
            names[count++] = doubts[i].name;
    }
    tt_build_strings(build, TT_ATTR_LOG_INCOMPLETE, names, count);
}
