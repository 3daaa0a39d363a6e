/* SPDX-License-Identifier: GPL-2.0-only */
/* list.c: `tangotrace list`: asks the running agent, or looks itself where there is none. */
#include "cli/list.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/commands.h"
#include "control/control.h"

/* ---- as JSON ---- */

static void library_json(struct tt_json *json, const struct tt_process *process, enum tt_library library,
                         const char *version_key, const char *build_id_key)
{
    for (size_t i = 0; i < process->file_count; i++) {
        const struct tt_mapped_file *file = &process->files[i];

        if (!file->library[library])
            continue;
        tt_json_string(json, version_key, file->version);
        if (file->build_id_size)
            tt_json_hex(json, build_id_key, file->build_id, file->build_id_size);
        else
            tt_json_string(json, build_id_key, NULL);
        return;
    }
}

void tt_list_process_json(struct tt_json *json, const struct tt_process *process)
{
    tt_json_object(json, NULL);
    tt_json_int(json, "pid", process->pid);
    tt_json_string(json, "name", process->name);
    tt_json_string(json, "server", process->server);
    tt_json_string(json, "script", process->script);
    tt_json_string(json, "runtime", process->runtime);
    tt_json_string(json, "user", process->user);
    tt_json_string(json, "exe", process->exe);
    tt_json_string(json, "tango_host", process->tango_host);
    tt_json_string(json, "cgroup", process->cgroup);
    tt_json_uint(json, "netns", process->netns);
    tt_json_bool(json, "selected", process->selected);
    tt_json_string(json, "rule", process->rule);
    tt_json_string(json, "detail", tt_detail_names[__atomic_load_n(&process->detail, __ATOMIC_RELAXED)]);
    library_json(json, process, TT_LIBRARY_TANGO, "tango_version", "tango_build_id");
    library_json(json, process, TT_LIBRARY_OMNIORB, "omniorb_version", "omniorb_build_id");
}

static void add_seen(void *context, struct tt_process *process)
{
    tt_list_process_json(context, process);
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

enum { PID, NAME, USER, TANGO, OMNIORB, SELECTED, DETAIL, POINTS, HITS, LAST, COLUMNS };

static const char *const titles[COLUMNS] = {"PID",      "SERVER OR SCRIPT", "USER",   "TANGO", "OMNIORB",
                                            "SELECTED", "DETAIL",           "POINTS", "HITS",  "LAST EVENT"};

struct row {
    struct tt_text cell[COLUMNS];
};

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_string))
        return NULL;
    return json_object_get_string(value);
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

static void add_ago(struct tt_text *cell, struct json_object *process, bool selected)
{
    struct json_object *value;
    double seconds;

    if (!json_object_object_get_ex(process, "last_event_seconds", &value) ||
        json_object_is_type(value, json_type_null)) {
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

/* "methods, 12 traps a read" */
static void add_detail(struct tt_text *cell, struct json_object *process)
{
    const char *level = text_of(process, "detail");
    struct json_object *traps, *count;

    add_text(cell, level);
    if (level && json_object_object_get_ex(process, "traps_of_a_read", &traps) &&
        json_object_object_get_ex(traps, level, &count) && json_object_get_int64(count) > 0)
        tt_text_printf(cell, ", %lld traps a read", (long long)json_object_get_int64(count));
}

static void fill_row(struct row *row, struct json_object *process)
{
    struct json_object *selected;
    bool yes = json_object_object_get_ex(process, "selected", &selected) && json_object_get_boolean(selected);

    add_number(&row->cell[PID], process, "pid");
    add_text(&row->cell[NAME], text_of(process, "name"));
    add_text(&row->cell[USER], text_of(process, "user"));
    add_library(&row->cell[TANGO], process, "tango_version", "tango_build_id");
    add_library(&row->cell[OMNIORB], process, "omniorb_version", "omniorb_build_id");
    tt_text_puts(&row->cell[SELECTED], yes ? "yes, " : "no, ");
    add_text(&row->cell[SELECTED], text_of(process, "rule"));
    if (yes)
        add_detail(&row->cell[DETAIL], process);
    else
        tt_text_puts(&row->cell[DETAIL], "-");
    add_number(&row->cell[POINTS], process, "points");
    add_number(&row->cell[HITS], process, "hits");
    add_ago(&row->cell[LAST], process, yes);
}

/* Characters, not bytes. */
static int width_of(const char *text)
{
    int width = 0;

    for (; text && *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_row(const struct row *row, const int *width, int columns)
{
    for (int c = 0; c < columns; c++) {
        const char *text = row->cell[c].data ? row->cell[c].data : "";
        int pad = width[c] - width_of(text);

        if (c == PID || c == POINTS || c == HITS)
            printf("%*s%s", pad, "", text);
        else
            printf("%s%*s", text, c + 1 < columns ? pad : 0, "");
        fputs(c + 1 < columns ? "  " : "\n", stdout);
    }
}

static void free_rows(struct row **rows, size_t count)
{
    for (size_t i = 0; *rows && i < count; i++)
        for (int c = 0; c < COLUMNS; c++)
            tt_text_free(&(*rows)[i].cell[c]);
    free(*rows);
    *rows = NULL;
}

static int print_table(struct json_object *processes, bool agent)
{
    size_t count = json_object_array_length(processes) + 1, selected = 0;
    struct row *rows = calloc(count, sizeof(*rows));
    int width[COLUMNS] = {0}, columns = agent ? COLUMNS : POINTS;

    if (!rows)
        return -ENOMEM;
    for (int c = 0; c < COLUMNS; c++)
        tt_text_puts(&rows[0].cell[c], titles[c]);
    for (size_t i = 1; i < count; i++) {
        fill_row(&rows[i], json_object_array_get_idx(processes, i - 1));
        selected += rows[i].cell[SELECTED].data && rows[i].cell[SELECTED].data[0] == 'y';
    }
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < COLUMNS; c++)
            if (width_of(rows[i].cell[c].data) > width[c])
                width[c] = width_of(rows[i].cell[c].data);
    for (size_t i = 0; count > 1 && i < count; i++)
        print_row(&rows[i], width, columns);
    printf("%s%zu Tango process%s, %zu selected; %s\n", count > 1 ? "\n" : "", count - 1,
           count == 2 ? "" : "es", selected, agent ? "as the running agent sees them" : "no agent was asked");
    free_rows(&rows, count);
    return 0;
}

static int print_reply(const char *reply, bool agent)
{
    struct json_object *root = json_tokener_parse(reply), *processes = NULL;
    const char *refusal = root ? text_of(root, "error") : NULL;
    int code = TT_EXIT_FAILURE;

    if (refusal)
        tt_error("the agent says: %s", refusal);
    else if (!root || !json_object_object_get_ex(root, "processes", &processes) ||
             !json_object_is_type(processes, json_type_array))
        tt_error("the reply is not understood; is the agent of another version?");
    else
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
