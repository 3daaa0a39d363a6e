/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reload.c: other options for the running agent. Everything that can fail is made first; then it is put in
 * place, on the collecting thread what belongs to that. What takes as long as receivers take (the end of
 * exporters, the way of metrics) goes on behind, on a thread of its own, one reload at a time.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/page.h"
#include "agent/page_setup.h"
#include "agent/publish.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/thread.h"
#include "options/options.h"

#define RETIRE_MS 5000 /* for each exporter that was taken away to send what it has */

struct tt_reload {
    struct tt_agent *agent;
    struct tt_options options; /* the agent's */
    struct tt_reload *previous;
    struct tt_pipeline_config config;
    struct tt_pipeline_change *pipeline;
    struct tt_publisher_change *publisher;
    bool page_changes;
    struct tt_page_setup *page; /* of the page, if it changes; NULL: it is served no more */
    pthread_t thread;
    bool running;
    _Atomic bool done;
};

static void free_reload(struct tt_reload **reload)
{
    struct tt_reload *r = TAKE_PTR(*reload);

    if (!r)
        return;
    tt_pipeline_change_free(&r->pipeline);
    tt_publisher_change_free(&r->publisher);
    tt_page_setup_free(&r->page);
    tt_options_free(&r->options);
    free(r);
}

/* Joins the thread of the last reload; what was before it is of no use any more. */
static void join(struct tt_reload *reload)
{
    struct tt_reload *previous;

    if (!reload)
        return;
    if (reload->running)
        pthread_join(reload->thread, NULL);
    reload->running = false;
    previous = TAKE_PTR(reload->previous);
    free_reload(&previous);
}

void tt_agent_end_reload(struct tt_agent *agent)
{
    join(agent->reload);
}

void tt_agent_free_reload(struct tt_agent *agent)
{
    join(agent->reload);
    free_reload(&agent->reload);
}

static void *retire(void *argument)
{
    struct tt_reload *reload = argument;

    tt_pipeline_retire(reload->agent->pipeline, RETIRE_MS);
    tt_publisher_change_apply(reload->agent->publisher, &reload->publisher);
    reload->done = true;
    return NULL;
}

static void start_retiring(struct tt_reload *reload)
{
    reload->running = !tt_thread_start(&reload->thread, retire, reload);
    if (!reload->running)
        retire(reload); /* the main thread waits, then */
}

static void put_pipeline(void *context)
{
    struct tt_reload *reload = context;
    struct tt_agent *agent = reload->agent;

    tt_pipeline_change_apply(agent->pipeline, reload->pipeline);
    if (reload->page_changes)
        agent->pipeline->page = reload->page ? tt_page_exporter(agent->page) : NULL;
    tt_process_table_select(agent->table, reload->options.selection);
}

static void put_in_place(struct tt_reload *reload)
{
    struct tt_agent *agent = reload->agent;
    const struct tt_options *old = agent->options, *new = &reload->options;

    tt_collector_call(agent->collector, put_pipeline, reload);
    tt_pipeline_change_free(&reload->pipeline);
    pthread_mutex_lock(&agent->lock);
    agent->options = new;
    agent->selection = new->selection;
    tt_attach_set_logs(agent->attach, new->logs);
    if (tt_options_affected(old, new) & TT_AFFECTS_PLANS)
        tt_attach_set_cache(agent->attach, new->plan_cache);
    tt_follow_rescan(agent->follow);
    pthread_mutex_unlock(&agent->lock);
    if (!reload->page_changes)
        return;
    tt_page_configure(agent->page, TAKE_PTR(reload->page));
    if (agent->feed)
        tt_page_feed_wake(agent->feed);
    else
        tt_page_tend(agent->page);
}

/* Its options, or what is in the files that they name; or it could not be served before. */
static int change_page(struct tt_reload *reload, const struct tt_options *old)
{
    struct tt_page *page = reload->agent->page;
    bool wanted = tt_page_is_wanted(&reload->options), served = tt_page_is_served(page);
    bool changed = tt_options_affected(old, &reload->options) & TT_AFFECTS_PAGE;
    int error;

    if (served && wanted && !tt_page_is_current(page, &reload->options))
        changed = true;
    if (!wanted) {
        reload->page_changes = served;
        return 0;
    }
    if (!changed && served)
        return 0;
    error = tt_page_prepare(page, &reload->options, NULL, &reload->page);
    reload->page_changes = !error;
    return changed ? error : 0; /* else it stays as bad as it was, which was said */
}

int tt_agent_reload(struct tt_agent *agent, struct tt_options *options)
{
    _cleanup_(free_reload) struct tt_reload *reload = calloc(1, sizeof(*reload));
    const struct tt_options *old = agent->options;
    int error;

    if (!reload)
        return -ENOMEM;
    if (agent->reload && !agent->reload->done)
        return -EBUSY;
    join(agent->reload);
    reload->agent = agent;
    reload->options = *options;
    tt_agent_pipeline_config(agent, &reload->options, &reload->config);
    error = tt_pipeline_change_new(agent->pipeline, old, &reload->config, &reload->pipeline);
    if (!error)
        error = tt_publisher_change_new(agent->publisher, &reload->options, &reload->publisher);
    if (!error)
        error = change_page(reload, old);
    if (error) {
        reload->options = (struct tt_options){0}; /* the caller's still */
        return error;
    }
    *options = (struct tt_options){0};
    put_in_place(reload);
    reload->previous = agent->reload;
    agent->reload = TAKE_PTR(reload);
    start_retiring(agent->reload);
    return 0;
}
