/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * status.c: `tangotrace status`: the running agent's own figures. For people the few that matter, without
 * zeros; --json is the agent's reply as it came (docs/status.md).
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/reply.h"

#define NAME_WIDTH 10

/* The value at a path like "attach.points", or NULL. */
static struct json_object *value_at(struct json_object *root, const char *path)
{
    char key[64];

    while (root && *path) {
        size_t length = strcspn(path, ".");

        snprintf(key, sizeof(key), "%.*s", (int)length, path);
        root = tt_reply_member(root, key);
        path += length + (path[length] == '.');
    }
    return root;
}

static uint64_t count_at(struct json_object *root, const char *path)
{
    return json_object_get_uint64(value_at(root, path));
}

static double number_at(struct json_object *root, const char *path)
{
    return json_object_get_double(value_at(root, path));
}

/* ---- lines of counts, as data: only what is not zero appears ---- */

struct figure {
    const char *path;
    const char *one, *many; /* behind the number; `many` NULL: the same */
};

static const struct figure traced[] = {
    {"attach.processes", "process", "processes"},
    {"attach.points", "probe point", "probe points"},
    {"attach.files", "file", "files"},
    {0},
};

static const struct figure seen[] = {
    {"spans.made", "span", "spans"},
    {"spans.hidden", "of them not shown (not of COMMAND)", NULL},
    {"logs.made", "log record", "log records"},
    {"correlate.events_joined", "Tango event with its sender", "Tango events with their senders"},
    {"correlate.events_lost", "Tango event missed by a receiver", "Tango events missed by receivers"},
    {"events.total", "event", "events"},
    {0},
};

static const struct figure joined[] = {
    {"correlate.joined", "call with both sides", "calls with both sides"},
    {"correlate.client_unmatched", "client side alone", "client sides alone"},
    {"correlate.server_unmatched", "server side alone", "server sides alone"},
    {"correlate.ambiguous", "in doubt", NULL},
    {"correlate.late", "too late for its other side", "too late for their other side"},
    {"correlate.split", "trace split", "traces split"},
    {0},
};

/* As the last line of `run` names them. */
static const struct figure losses[] = {
    {"drops.total", "ring buffer full", NULL},
    {"kernel.no_thread", "no thread storage", NULL},
    {"kernel.no_point", "no point", NULL},
    {"assemble.malformed", "malformed events", NULL},
    {"assemble.dropped_frames", "frames not kept", NULL},
    {"spans.enrich_failures", "spans not made", NULL},
    {"logs.limited", "logs beyond their rate", NULL},
    {0},
};

/* Of functions: what has no entry or no exit, and so no duration. */
static const struct figure unpaired[] = {
    {"assemble.early_exits", "exit of what was open before the probes",
     "exits of what was open before the probes"},
    {"assemble.orphan_exits", "exit without entry", "exits without entry"},
    {"assemble.mismatched_exits", "exit that fits nothing open", "exits that fit nothing open"},
    {"assemble.buried", "end unknown", "ends unknown"},
    {0},
};

static const struct figure troubles[] = {
    {"attach.failures", "failure to attach", "failures to attach"},
    {"attach.unverified", "point not verified", "points not verified"},
    {"attach.foreign", "point with another's breakpoint", "points with another's breakpoint"},
    {"attach.lease_breaks", "file overwritten under its probes", "files overwritten under their probes"},
    {"attach.stale", "file changed since it was planned", "files changed since they were planned"},
    {"attach.waiting", "file open for writing, tried again", "files open for writing, tried again"},
    {"follow.lost", "process event lost (a scan makes up for it)",
     "process events lost (a scan makes up for them)"},
    {0},
};

static const struct figure exported[] = {
    {"figures.exported", "span exported", "spans exported"},
    {"figures.waiting", "waiting", NULL},
    {"figures.spooled", "in the spool", NULL},
    {"logs.exported", "log record", "log records"},
    {"logs.waiting", "of them waiting", NULL},
    {"logs.spooled", "log record in the spool", "log records in the spool"},
    {"figures.spool_bytes", "bytes of spans there", NULL},
    {"logs.spool_bytes", "bytes of log records there", NULL},
    {"figures.retries", "retry", "retries"},
    {"figures.dropped_queue", "lost: queue full", NULL},
    {"logs.dropped_debug", "lost: debug log", "lost: debug logs"},
    {"figures.dropped_rootless", "lost: without root, for want of memory", NULL},
    {"figures.dropped_refused", "lost: refused by the receiver", NULL},
    {"figures.dropped_timeout", "lost: not delivered in time", NULL},
    {"figures.dropped_error", "lost: not written", NULL},
    {"figures.dropped_spool", "lost: spool full", NULL},
    {"figures.dropped_age", "lost: too old in the spool", NULL},
    {"figures.dropped_damaged", "lost: damaged in the spool", NULL},
    {"logs.dropped_queue", "log records lost: queue full", NULL},
    {"logs.dropped_refused", "log records lost: refused by the receiver", NULL},
    {"logs.dropped_timeout", "log records lost: not delivered in time", NULL},
    {"logs.dropped_error", "log records lost: not written", NULL},
    {"logs.dropped_spool", "log records lost: spool full", NULL},
    {"logs.dropped_age", "log records lost: too old in the spool", NULL},
    {"logs.dropped_damaged", "log records lost: damaged in the spool", NULL},
    {"figures.gap_ms", "ms missing before the start", NULL},
    {0},
};

static void put_name(struct tt_text *out, const char *name)
{
    tt_text_printf(out, "%-*s ", NAME_WIDTH, name);
}

/* "3 processes, 118 probe points"; `none` where all are zero. */
static void put_figures(struct tt_text *out, struct json_object *root, const struct figure *figures,
                        const char *none)
{
    bool any = false;

    for (; figures->path; figures++) {
        uint64_t count = count_at(root, figures->path);

        if (!count)
            continue;
        tt_text_printf(out, "%s%" PRIu64 " %s", any ? ", " : "", count,
                       count != 1 && figures->many ? figures->many : figures->one);
        any = true;
    }
    tt_text_printf(out, "%s\n", any ? "" : none);
}

static bool any_of(struct json_object *root, const struct figure *figures)
{
    for (; figures->path; figures++)
        if (count_at(root, figures->path))
            return true;
    return false;
}

/* ---- the lines ---- */

static void put_span_of_time(struct tt_text *out, double seconds)
{
    if (seconds < 120)
        tt_text_printf(out, "%.0f s", seconds);
    else if (seconds < 7200)
        tt_text_printf(out, "%.0f min", seconds / 60);
    else if (seconds < 172800)
        tt_text_printf(out, "%.0f h", seconds / 3600);
    else
        tt_text_printf(out, "%.0f days", seconds / 86400);
}

static void put_head(struct tt_text *out, struct json_object *root)
{
    const char *version = json_object_get_string(value_at(root, "version"));

    put_name(out, "agent");
    tt_text_puts(out, "tangotrace ");
    tt_text_safe(out, version ? version : "?");
    tt_text_printf(out, ", pid %" PRIu64 ", runs for ", count_at(root, "pid"));
    put_span_of_time(out, number_at(root, "uptime_seconds"));
    tt_text_printf(out, ", ready after %.1f s\n", number_at(root, "ready_seconds"));
}

/* What the agent itself takes. */
static void put_itself(struct tt_text *out, struct json_object *root)
{
    double cpu = number_at(root, "cpu_seconds"), uptime = number_at(root, "uptime_seconds");
    double ring = number_at(root, "ring_bytes");

    put_name(out, "itself");
    tt_text_printf(out, "%.1f %% of one CPU since start, %.0f MB of memory",
                   uptime > 0 ? cpu * 100 / uptime : 0, number_at(root, "memory_bytes") / 1e6);
    if (ring > 0)
        tt_text_printf(out, ", ring buffer %.1f %% full, at most %.1f %%",
                       number_at(root, "ring_used_bytes") * 100 / ring,
                       number_at(root, "ring_peak_bytes") * 100 / ring);
    tt_text_puts(out, "\n");
}

/* What all hits together took from the traced programs. */
static void put_cost(struct tt_text *out, struct json_object *root)
{
    uint64_t traps = count_at(root, "kernel.traps");
    double bare = number_at(root, "trap_ns"), event = number_at(root, "event_ns");
    double cost = number_at(root, "kernel.cost_seconds"), uptime = number_at(root, "uptime_seconds");

    put_name(out, "cost");
    tt_text_printf(out, "%" PRIu64 " trap%s of the traced programs", traps, traps == 1 ? "" : "s");
    if ((double)traps > uptime)
        tt_text_printf(out, ", %.0f a second", (double)traps / uptime);
    if (bare > 0)
        tt_text_printf(out, ", %.2f us each, %.2f us with an event (%.2g %% of one CPU since start)",
                       bare / 1e3, event / 1e3, uptime > 0 ? cost * 100 / uptime : 0);
    tt_text_puts(out, "\n");
}

static const struct figure recorded[] = {
    {"recording.events", "event", "events"},
    {"recording.bytes", "bytes", NULL},
    {"recording.dropped", "records lost", NULL},
    {0},
};

static void put_recording(struct tt_text *out, struct json_object *root)
{
    const char *file = json_object_get_string(value_at(root, "recording.file"));
    const char *error = json_object_get_string(value_at(root, "recording.error"));

    if (!file)
        return;
    put_name(out, "recording");
    tt_text_safe(out, file);
    tt_text_puts(out, ": ");
    if (error && *error) {
        tt_text_safe(out, error);
        tt_text_puts(out, "; ");
    }
    put_figures(out, root, recorded, "nothing yet");
}

static const struct figure sampled[] = {
    {"sampling.kept", "span kept", "spans kept"},
    {"sampling.dropped", "dropped", NULL},
    {"sampling.held", "held", NULL},
    {"sampling.kept_failed", "trace kept as failed", "traces kept as failed"},
    {"sampling.kept_late", "as late", NULL},
    {"sampling.kept_slow", "as slow", NULL},
    {"sampling.early", "judged early", NULL},
    {"sampling.recorder", "in the flight recorder", NULL},
    {0},
};

static const struct figure rule[] = {
    {"kept_traces", "trace kept", "traces kept"},
    {"dropped_traces", "dropped", NULL},
    {0},
};

/* Of what passed without being held there is nothing to say. */
static void put_sampling(struct tt_text *out, struct json_object *root)
{
    struct json_object *rules = value_at(root, "sampling.rules");
    size_t count = json_object_is_type(rules, json_type_array) ? json_object_array_length(rules) : 0;

    if (!any_of(root, sampled))
        return;
    put_name(out, "sampling");
    put_figures(out, root, sampled, "");
    for (size_t i = 0; i < count; i++) {
        struct json_object *one = json_object_array_get_idx(rules, i);
        const char *name = json_object_get_string(value_at(one, "rule"));

        if (!any_of(one, rule))
            continue;
        put_name(out, "  rule");
        tt_text_safe(out, name ? name : "?");
        tt_text_puts(out, ": ");
        put_figures(out, one, rule, "");
    }
}

/* How long an export takes, by the mean. */
static void put_latency(struct tt_text *out, struct json_object *exporter)
{
    double operations = number_at(exporter, "figures.operations") + number_at(exporter, "logs.operations");
    double us = number_at(exporter, "figures.operation_us") + number_at(exporter, "logs.operation_us");

    if (operations > 0)
        tt_text_printf(out, "%.1f ms a batch; ", us / operations / 1e3);
}

static void put_exporters(struct tt_text *out, struct json_object *root)
{
    struct json_object *exporters = value_at(root, "exporters");
    size_t count = json_object_is_type(exporters, json_type_array) ? json_object_array_length(exporters) : 0;

    for (size_t i = 0; i < count; i++) {
        struct json_object *exporter = json_object_array_get_idx(exporters, i);
        const char *name = json_object_get_string(value_at(exporter, "name"));

        put_name(out, "exporter");
        tt_text_safe(out, name ? name : "?");
        tt_text_puts(out, ": ");
        put_latency(out, exporter);
        put_figures(out, exporter, exported, "nothing yet");
    }
}

static void put_page(struct tt_text *out, struct json_object *root)
{
    static const struct figure figures[] = {
        {"page.spans", "span", "spans"},
        {"page.dropped", "dropped", NULL},
        {"page.dropped_logs", "log record dropped", "log records dropped"},
        {"page.ended", "end of its process", "ends of its process"},
        {0},
    };
    const char *url = json_object_get_string(value_at(root, "page.url"));
    const char *why = json_object_get_string(value_at(root, "page.why"));

    if (!url)
        return;
    put_name(out, "page");
    tt_text_safe(out, url);
    if (!json_object_get_boolean(value_at(root, "page.running"))) {
        tt_text_puts(out, " (it has ended: ");
        tt_text_safe(out, why ? why : "?");
        tt_text_puts(out, "; it starts again within a minute)");
    }
    tt_text_puts(out, ": ");
    put_figures(out, root, figures, "nothing yet");
}

static void put_status(struct tt_text *out, struct json_object *root)
{
    put_head(out, root);
    put_itself(out, root);
    put_name(out, "traced");
    put_figures(out, root, traced, "nothing yet: 'tangotrace list' shows the processes");
    put_name(out, "seen");
    put_figures(out, root, seen, "no calls yet");
    put_name(out, "joined");
    put_figures(out, root, joined, "nothing yet");
    put_cost(out, root);
    put_name(out, "lost");
    put_figures(out, root, losses, "nothing");
    if (any_of(root, unpaired)) {
        put_name(out, "unpaired");
        put_figures(out, root, unpaired, "");
    }
    if (any_of(root, troubles)) {
        put_name(out, "trouble");
        put_figures(out, root, troubles, "");
    }
    put_sampling(out, root);
    put_exporters(out, root);
    put_page(out, root);
    put_recording(out, root);
}

static int print_status(struct json_object *root)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};

    put_status(&out, root);
    if (!out.failed && out.data)
        fputs(out.data, stdout);
    return out.failed ? TT_EXIT_FAILURE : TT_EXIT_OK;
}

int tt_cmd_status(const struct tt_options *options)
{
    return tt_reply_show(options, "status", false, print_status);
}
