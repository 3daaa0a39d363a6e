/* SPDX-License-Identifier: GPL-2.0-only */
/* null: spans are made and counted, and go nowhere: for measurements. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/sink.h"

struct null_sink {
    struct tt_sink base;
    struct tt_sink_counters *counters; /* of all signals */
};

static void null_write(struct tt_sink *base, struct tt_otel_span **spans, size_t count)
{
    tt_sink_add(&((struct null_sink *)base)->counters->exported, count);
}

static void null_write_logs(struct tt_sink *base, struct tt_otel_log **logs, size_t count)
{
    tt_sink_add(&((struct null_sink *)base)->counters[TT_SIGNAL_LOGS].exported, count);
}

static void null_stopping(struct tt_sink *base, uint64_t deadline)
{
}

static void null_free(struct tt_sink *base)
{
    free(base->name);
    free(base);
}

static int null_check(const char *target, char **error)
{
    if (!target)
        return 0;
    *error = strdup("null takes no argument");
    return -EINVAL;
}

static int null_open(const char *target, const struct tt_export_config *config,
                     struct tt_sink_counters counters[TT_SIGNALS], struct tt_sink **out, char **error)
{
    struct null_sink *sink = calloc(1, sizeof(*sink));

    if (sink)
        sink->base.name = strdup("null");
    if (!sink || !sink->base.name) {
        free(sink);
        *error = strdup("out of memory");
        return -ENOMEM;
    }
    sink->base.ops = &tt_null_sink;
    sink->counters = counters;
    *out = &sink->base;
    return 0;
}

const struct tt_sink_ops tt_null_sink = {
    .scheme = "null",
    .check = null_check,
    .open = null_open,
    .write = null_write,
    .write_logs = null_write_logs,
    .stopping = null_stopping,
    .free = null_free,
};
