/* SPDX-License-Identifier: GPL-2.0-only */
/* usage.c: "GET top devices|clients|operations" and "GET clients DEVICE" of the control socket. */
#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/clock.h"

struct taking {
    struct tt_agent *agent;
    struct tt_usage_copy *copy;
};

static void add_open(void *context, const struct tt_open *open)
{
    struct taking *taking = context;
    const struct tt_span *span = open->span;
    struct tt_otel_span *out;

    if (span->kind != TT_SPAN_CLIENT && span->kind != TT_SPAN_SERVER)
        return;
    if (!taking->copy)
        return;
    out = tt_enrich_open(taking->agent->pipeline->enricher, span);
    if (out && tt_usage_add_open(taking->copy, out))
        tt_usage_copy_free(&taking->copy);
    tt_otel_span_put(&out);
}

/* On the collecting thread. */
static void take(void *context)
{
    struct taking *taking = context;
    struct tt_pipeline *pipeline = taking->agent->pipeline;

    taking->copy = tt_usage_copy(pipeline->usage, tt_clock_ns(CLOCK_REALTIME));
    if (taking->copy)
        tt_assembler_each_open(pipeline->assembler, add_open, taking);
}

static const char *argument(const char *request, const char *name)
{
    size_t length = strlen(name);

    return !strncmp(request, name, length) && request[length] ? request + length : NULL;
}

int tt_agent_answer_usage(struct tt_agent *agent, const char *request, struct tt_json *json)
{
    const char *device = argument(request, "GET clients "), *name = argument(request, "GET top ");
    _cleanup_(tt_usage_copy_free) struct tt_usage_copy *copy = NULL;
    struct taking taking = {.agent = agent};
    enum tt_usage_view view = 0;

    while (name && view < TT_USAGE_VIEWS && strcmp(name, tt_usage_views[view]) != 0)
        view++;
    if (!device && (!name || view == TT_USAGE_VIEWS))
        return -EINVAL;
    tt_collector_call(agent->collector, take, &taking);
    copy = taking.copy;
    if (!copy)
        return -ENOMEM;
    if (device)
        tt_usage_clients_json(json, copy, device);
    else
        tt_usage_json(json, copy, view);
    return 0;
}
