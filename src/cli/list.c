/* SPDX-License-Identifier: GPL-2.0-only */
/* list.c: `tangotrace list`: asks the running agent, or looks itself where there is none. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/grid.h"
#include "cli/reply.h"
#include "control/control.h"
#include "discover/describe.h"

/* ---- looking ---- */

static void add_seen(void *context, struct tt_process *process)
{
    tt_process_json(context, process);
    tt_json_object_end(context);
}

/* The same reply as an agent's, made by looking. */
static int look(const struct tt_options *options, struct tt_json *json)
{
    _cleanup_(tt_process_table_free) struct tt_process_table *table = tt_process_table_new(
        "/proc", options->selection, NULL);
    int count = table ? tt_process_table_scan(table, NULL, NULL) : -ENOMEM;

    if (count < 0)
        return count;
    tt_json_object(json, NULL);
    tt_json_array(json, "processes");
    tt_process_table_each(table, add_seen, json);
    tt_json_array_end(json);
    tt_json_object_end(json);
    return json->failed ? -ENOMEM : 0;
}

/* ---- for people ---- */

enum { PID, NAME, USER, TANGO, OMNIORB, SELECTED, DETAIL, POINTS, HITS, COST, LAST, COLUMNS };

static const char *const titles[COLUMNS] = {"PID",       "SERVER OR SCRIPT", "USER",   "TANGO", "OMNIORB",
                                            "SELECTED",  "DETAIL",           "POINTS", "HITS",  "COST",
                                            "LAST EVENT"};

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = tt_reply_member(object, key);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static void add_text(struct tt_text *cell, const char *text)
{
    tt_text_safe(cell, text && *text ? text : "-");
}

/* "9.3.4 1a2b3c4d": what people know, and what tells two builds of it apart. */
static void add_library(struct tt_text *cell, struct json_object *process, const char *version,
                        const char *build_id)
{
    const char *id = text_of(process, build_id);

    add_text(cell, text_of(process, version) ? text_of(process, version) : id ? "unknown" : NULL);
    if (id)
        tt_text_printf(cell, " %.8s", id);
}

static void add_number(struct tt_text *cell, struct json_object *process, const char *key)
{
    struct json_object *value;

    if (json_object_object_get_ex(process, key, &value))
        tt_text_printf(cell, "%lld", (long long)json_object_get_int64(value));
}

/* Of one CPU, since it is traced. */
static void add_cost(struct tt_text *cell, struct json_object *process)
{
    struct json_object *value = tt_reply_member(process, "cost_share");

    if (value)
        tt_text_printf(cell, "%.2f %%", json_object_get_double(value) * 100);
}

static void add_ago(struct tt_text *cell, struct json_object *process, bool selected)
{
    struct json_object *value = tt_reply_member(process, "last_event_seconds");
    double seconds;

    if (!value) {
        tt_text_puts(cell, selected ? "never" : "-");
        return;
    }
    seconds = json_object_get_double(value);
    if (seconds < 120)
        tt_text_printf(cell, "%.1f s ago", seconds);
    else if (seconds < 7200)
        tt_text_printf(cell, "%.0f min ago", seconds / 60);
    else
        tt_text_printf(cell, "%.0f h ago", seconds / 3600);
}

/* "methods, 12 traps a read + its methods": how many of these run, each with at least two, is the device's
 * business. */
static void add_detail(struct tt_text *cell, struct json_object *process)
{
    const char *level = text_of(process, "detail");
    int64_t traps = level ? json_object_get_int64(
                                tt_reply_member(tt_reply_member(process, "traps_of_a_read"), level))
                          : 0;

    add_text(cell, level);
    if (traps > 0)
        tt_text_printf(cell, ", %lld traps a read%s", (long long)traps,
                       strcmp(level, tt_detail_names[TT_DETAIL_RPC]) != 0 ? " + its methods" : "");
}

static void fill_row(struct tt_text *row, struct json_object *process)
{
    bool yes = json_object_get_boolean(tt_reply_member(process, "selected"));

    add_number(&row[PID], process, "pid");
    add_text(&row[NAME], text_of(process, "name"));
    add_text(&row[USER], text_of(process, "user"));
    add_library(&row[TANGO], process, "tango_version", "tango_build_id");
    add_library(&row[OMNIORB], process, "omniorb_version", "omniorb_build_id");
    tt_text_puts(&row[SELECTED], yes ? "yes, " : "no, ");
    add_text(&row[SELECTED], text_of(process, "rule"));
    if (yes)
        add_detail(&row[DETAIL], process);
    else
        tt_text_puts(&row[DETAIL], "-");
    add_number(&row[POINTS], process, "points");
    add_number(&row[HITS], process, "hits");
    add_cost(&row[COST], process);
    add_ago(&row[LAST], process, yes);
}

static int print_table(struct json_object *processes, bool agent)
{
    _cleanup_(tt_grid_free) struct tt_grid grid = {
        .titles = titles, .columns = COLUMNS, .right = 1u << PID | 1u << POINTS | 1u << HITS | 1u << COST};
    _cleanup_(tt_text_free) struct tt_text out = {0};
    size_t count = json_object_array_length(processes), selected = 0;

    for (size_t i = 0; i < count; i++) {
        struct tt_text *row = tt_grid_row(&grid);

        if (!row)
            return -ENOMEM;
        fill_row(row, json_object_array_get_idx(processes, i));
        selected += row[SELECTED].data && row[SELECTED].data[0] == 'y';
    }
    tt_grid_print(&grid, agent ? COLUMNS : POINTS, count, 0, &out);
    tt_text_printf(&out, "%s%zu Tango process%s, %zu selected; %s\n", count ? "\n" : "", count,
                   count == 1 ? "" : "es", selected,
                   agent ? "as the running agent sees them" : "no agent was asked");
    if (out.failed)
        return -ENOMEM;
    fputs(out.data, stdout);
    return 0;
}

static int print_reply(const char *reply, bool agent)
{
    struct json_object *root = tt_reply_parse(reply), *processes = tt_reply_member(root, "processes");
    int code = TT_EXIT_FAILURE;

    if (root && (json_object_is_type(processes, json_type_array) || tt_reply_strange()))
        code = print_table(processes, agent) ? TT_EXIT_FAILURE : TT_EXIT_OK;
    json_object_put(root);
    return code;
}

int tt_cmd_list(const struct tt_options *options)
{
    /* Rules on the command line are to be tried out: the agent has its own. */
    bool preview = tt_selection_count(options->selection) > 0 || options->native == TT_NATIVE_SKIP,
         agent = false;
    _cleanup_(tt_json_free) struct tt_json json = {0};
    _cleanup_free_ char *reply = NULL, *error = NULL;
    size_t size;
    int err = preview ? -ENOENT : tt_control_ask(options->control, "list", &reply, &size, &error);

    if (!err) {
        agent = true;
    } else if (err != -ENOENT && err != -ECONNREFUSED) {
        tt_warn("%s", error ? error : strerror(-err));
    }
    if (!agent) {
        if (geteuid() && !options->json)
            tt_warn("not root: only processes of this user are seen; for all users: sudo tangotrace list");
        err = look(options, &json);
        if (err)
            return tt_err(TT_EXIT_FAILURE, "cannot look at the processes: %s", strerror(-err));
    }
    if (options->json) {
        puts(agent ? reply : json.data);
        return TT_EXIT_OK;
    }
    return print_reply(agent ? reply : json.data, agent);
}
