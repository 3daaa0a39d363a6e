/* SPDX-License-Identifier: GPL-2.0-only */
/* info.c: what is here: "GET /api/info", "GET /api/state/NAME"; and that there is something new: "GET
 * /api/stream". */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "view/internal.h"

static void put_us(struct tt_json *json, const char *key, uint64_t ns)
{
    tt_json_double(json, key, (double)ns / 1e3);
}

static void put_figures(struct tt_json *json, const struct tt_store_stats *s)
{
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"spans", s->spans},
        {"logs", s->logs},
        {"traces", s->traces},
        {"series", s->series},
        {"points", s->points},
        {"resources", s->resources},
        {"taken_spans", s->taken_spans},
        {"taken_logs", s->taken_logs},
        {"taken_points", s->taken_points},
        {"left_spans", s->left_spans},
        {"left_logs", s->left_logs},
        {"left_points", s->left_points},
        {"refused", s->refused},
        {"bytes", s->bytes},
        {"size", s->size},
    };

    tt_json_object(json, "store");
    for (size_t i = 0; i < TT_ARRAY_SIZE(figures); i++)
        tt_json_uint(json, figures[i].name, figures[i].value);
    tt_json_object_end(json);
}

void tt_view_info(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    struct tt_view *view = context;
    struct tt_store_stats stats;
    struct tt_json json = {0};

    tt_view_look(view);
    tt_store_get_stats(view->store, &stats);
    tt_json_object(&json, NULL);
    tt_json_string(&json, "version", TT_VERSION);
    tt_json_string(&json, "host", view->host);
    tt_json_string(&json, "recording", view->recording);
    put_us(&json, "now_us", tt_clock_ns(CLOCK_REALTIME));
    put_us(&json, "oldest_us", stats.oldest);
    put_us(&json, "counted_us", stats.counted_since > stats.oldest ? stats.counted_since : stats.oldest);
    put_us(&json, "newest_us", stats.newest);
    tt_json_double(&json, "age_seconds", (double)view->age_ns / 1e9);
    tt_json_uint(&json, "refused_requests", view->refused);
    put_figures(&json, &stats);
    tt_json_object_end(&json);
    tt_view_json(reply, &json);
}

/* What the agent tells; "null" until it does, and of a recording. */
static bool is_state(const char *name)
{
    static const char *const names[] = {"status", "calls", "processes"};

    for (size_t i = 0; i < TT_ARRAY_SIZE(names); i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

void tt_view_state(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    struct tt_view *view = context;
    char *state = tt_store_state(view->store, request->rest, NULL);

    tt_view_look(view);
    if (!state && is_state(request->rest))
        state = strdup("null");
    if (!state) {
        tt_view_refuse(reply, 404, "there is status, calls and processes", -1);
        return;
    }
    reply->content_type = "application/json";
    reply->body = (struct tt_text){.data = state, .size = strlen(state), .capacity = strlen(state) + 1};
}

/* ---- events ---- */

#define TICK_NS 1000000000u /* between two events of a client */

struct stream {
    struct tt_view *view;
    uint64_t version, sent;
};

/* At most one a second, and one at least every few: whoever has gone is noticed. */
static bool more(void *state, struct tt_text *piece)
{
    struct stream *stream = state;
    uint64_t now = tt_now_ns();
    struct tt_store_stats stats;
    struct tt_json json = {0};

    if (stream->sent && now - stream->sent < TICK_NS * 9 / 10)
        return true;
    tt_store_get_stats(stream->view->store, &stats);
    if (stats.version == stream->version && now - stream->sent < 10 * (uint64_t)TICK_NS)
        return true;
    stream->version = stats.version;
    stream->sent = now;
    tt_view_look(stream->view);
    tt_json_object(&json, NULL);
    tt_json_uint(&json, "version", stats.version);
    tt_json_uint(&json, "spans", stats.taken_spans);
    tt_json_uint(&json, "traces", stats.traces);
    put_us(&json, "newest_us", stats.newest);
    tt_json_object_end(&json);
    if (!json.failed)
        tt_text_printf(piece, "event: tick\ndata: %s\n\n", json.data);
    tt_json_free(&json);
    return true;
}

static void end(void *state)
{
    struct stream *stream = state;

    atomic_fetch_sub(&stream->view->streams, 1);
    free(stream);
}

void tt_view_stream(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    struct tt_view *view = context;
    struct stream *stream = NULL;

    if (atomic_fetch_add(&view->streams, 1) < TT_VIEW_STREAMS)
        stream = calloc(1, sizeof(*stream));
    if (!stream) {
        atomic_fetch_sub(&view->streams, 1);
        tt_view_refuse(reply, 503, "too many others listen", -1);
        return;
    }
    stream->view = view;
    reply->content_type = "text/event-stream";
    reply->more = more;
    reply->done = end;
    reply->state = stream;
    reply->waits = true;
    tt_text_puts(&reply->body, "retry: 2000\n\n");
}
