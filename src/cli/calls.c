/* SPDX-License-Identifier: GPL-2.0-only */
/* calls.c: `tangotrace calls`: what of the running agent's programs has not ended yet, and who holds up whom.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/reply.h"

static double number(struct json_object *object, const char *key)
{
    return json_object_get_double(tt_reply_member(object, key));
}

static int by_age(const void *a, const void *b)
{
    double x = number(*(struct json_object *const *)a, "age_seconds"),
           y = number(*(struct json_object *const *)b, "age_seconds");

    return (x < y) - (x > y);
}

static int by_total(const void *a, const void *b)
{
    double x = number(*(struct json_object *const *)a, "total_seconds"),
           y = number(*(struct json_object *const *)b, "total_seconds");

    return (x < y) - (x > y);
}

/* "3.20 s" */
static void put_seconds(struct tt_text *out, double seconds)
{
    if (seconds < 1)
        tt_text_printf(out, "%.0f ms", seconds * 1e3);
    else
        tt_text_printf(out, seconds < 100 ? "%.2f s" : "%.0f s", seconds);
}

/* "read State of a/b/c for gui.py (pid 7)" */
static void put_party(struct tt_text *out, struct json_object *party)
{
    const char *operation = tt_reply_text(party, "operation"), *device = tt_reply_text(party, "device"),
               *client = tt_reply_text(party, "client");

    tt_text_safe(out, *operation ? operation : "something unseen");
    if (*device) {
        tt_text_puts(out, " of ");
        tt_text_safe(out, device);
    }
    if (*client) {
        tt_text_puts(out, " for ");
        tt_text_safe(out, client);
    }
}

static void put_call(struct tt_text *out, struct json_object *call)
{
    _cleanup_(tt_text_free) struct tt_text age = {0};
    const char *state = tt_reply_text(call, "waits_for");

    put_seconds(&age, number(call, "age_seconds"));
    tt_text_printf(out, "%9s  %s  ", age.data ? age.data : "", tt_reply_text(call, "side"));
    put_party(out, call);
    if (!strcmp(tt_reply_text(call, "side"), "server")) {
        tt_text_puts(out, " in ");
        tt_text_safe(out, tt_reply_text(call, "process"));
    }
    if (*state) {
        tt_text_puts(out, "; waits for ");
        tt_text_safe(out, state);
    }
    tt_text_puts(out, "\n");
}

static void put_block(struct tt_text *out, struct json_object *block)
{
    _cleanup_(tt_text_free) struct tt_text total = {0};
    double waits = number(block, "waits"), waiting = number(block, "waiting");

    put_seconds(&total, number(block, "total_seconds"));
    tt_text_printf(out, "%9s  ", total.data ? total.data : "");
    put_party(out, tt_reply_member(block, "waiter"));
    tt_text_puts(out, "  WAITS FOR  ");
    put_party(out, tt_reply_member(block, "holder"));
    tt_text_printf(out, ": %.0f time%s", waits, waits == 1 ? "" : "s");
    if (waits) {
        tt_text_puts(out, ", longest ");
        put_seconds(out, number(block, "longest_seconds"));
    }
    if (waiting)
        tt_text_printf(out, ", %.0f now", waiting);
    tt_text_puts(out, " (monitor of ");
    tt_text_safe(out, tt_reply_text(block, "monitor"));
    tt_text_puts(out, ", ");
    tt_text_safe(out, tt_reply_text(block, "process"));
    tt_text_puts(out, ")\n");
}

static void put_list(struct tt_text *out, struct json_object *list,
                     int (*order)(const void *a, const void *b),
                     void (*put)(struct tt_text *out, struct json_object *item))
{
    size_t count = json_object_array_length(list);

    json_object_array_sort(list, order);
    for (size_t i = 0; i < count; i++)
        put(out, json_object_array_get_idx(list, i));
}

static int print_calls(struct json_object *root)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};
    struct json_object *calls = tt_reply_member(root, "calls"), *blocks = tt_reply_member(root, "blocks");

    if (!json_object_is_type(calls, json_type_array) || !json_object_is_type(blocks, json_type_array)) {
        tt_reply_strange();
        return TT_EXIT_FAILURE;
    }
    put_list(&out, calls, by_age, put_call);
    tt_text_printf(&out, "%zu open, both sides of a call counted\n", json_object_array_length(calls));
    if (json_object_array_length(blocks))
        tt_text_puts(&out, "\nWho held up whom since the agent runs, by the time that was waited:\n");
    put_list(&out, blocks, by_total, put_block);
    if (!out.failed && out.data)
        fputs(out.data, stdout);
    return out.failed ? TT_EXIT_FAILURE : TT_EXIT_OK;
}

int tt_cmd_calls(const struct tt_options *options)
{
    return tt_reply_show(options, "calls", false, print_calls);
}
