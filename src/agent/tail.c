/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tail.c: "GET tail [json] [utf8] [color] [all-roots] [rate=N] [{QUERY}]": a console of its own for each
 * client, with a queue and a thread as every exporter has: a client that does not read loses spans, counted,
 * and holds up nobody.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/options.h"
#include "control/control.h"
#include "export/console.h"

#define TAIL_QUEUE   8192 /* spans */
#define TAIL_RATE    20
#define TAIL_STOP_MS 100 /* for what is being written when the client is gone */

static const char request_name[] = "GET tail";

/* Does the list of words that begins at `text` start with this one? */
static bool is_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    return !strncmp(text, word, length) && (!text[length] || text[length] == ' ');
}

static void read_word(const char *word, struct tt_console_options *options)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"json", &options->json},
        {"utf8", &options->style.utf8},
        {"color", &options->style.color},
        {"all-roots", &options->all_roots},
    };
    uint64_t rate;

    for (size_t i = 0; i < TT_ARRAY_SIZE(flags); i++)
        *flags[i].flag |= is_word(word, flags[i].name);
    if (!strncmp(word, "rate=", 5)) {
        _cleanup_free_ char *number = strndup(word + 5, strcspn(word + 5, " "));

        if (number && !tt_parse_u64(number, &rate) && rate && rate <= UINT32_MAX)
            options->rate = (unsigned)rate;
    }
}

/* 0; -EINVAL: another request; -EBADMSG with *why. Words that are not known are of a newer version, and left
 * alone. */
static int read_request(const char *request, struct tt_console_options *options, char **why)
{
    const char *word = request + strlen(request_name);
    int err;

    if (!is_word(request + 4, "tail"))
        return -EINVAL;
    while (*word) {
        word += strspn(word, " ");
        if (*word == '{') {
            err = tt_query_compile(word, &options->filter, why);
            return err == -EINVAL ? -EBADMSG : err;
        }
        read_word(word, options);
        word += strcspn(word, " ");
    }
    return 0;
}

struct change {
    struct tt_agent *agent;
    struct tt_exporter *tail;
    int err;
};

static void add(void *context)
{
    struct change *change = context;

    change->err = tt_pipeline_add_tail(change->agent->pipeline, change->tail);
}

static void take_away(void *context)
{
    struct change *change = context;

    tt_pipeline_remove_tail(change->agent->pipeline, change->tail);
}

int tt_agent_stream(void *context, const char *request, int fd, void **stream, char **why)
{
    struct tt_agent *agent = context;
    const struct tt_export_config config = {.queues = {{.queue = TAIL_QUEUE}, {.queue = TAIL_QUEUE}},
                                            .logs = agent->options->logs};
    struct tt_console_options options = {
        .fd = fd, .rate = TAIL_RATE, .silence = tt_agent_silence, .silence_context = agent, .now = tt_now_ns};
    struct change change = {.agent = agent};
    int err = read_request(request, &options, why);

    if (err)
        return err;
    if (agent->pipeline->tail_count == TT_TAILS_MAX) { /* which changes for this thread only */
        tt_query_free(&options.filter);
        *why = tt_format("%d others watch already", TT_TAILS_MAX);
        return -EBUSY;
    }
    err = tt_exporter_console(&options, &config, &change.tail);
    if (err)
        return err;
    if (send(fd, TT_CONTROL_GOES_ON, strlen(TT_CONTROL_GOES_ON), MSG_NOSIGNAL) < 0)
        change.err = -errno;
    else
        tt_collector_call(agent->collector, add, &change);
    if (change.err) {
        tt_exporter_free(&change.tail);
        return change.err;
    }
    *stream = change.tail;
    return 0;
}

void tt_agent_end_stream(void *context, void *stream)
{
    struct change change = {.agent = context, .tail = stream};

    tt_collector_call(change.agent->collector, take_away, &change);
    tt_exporter_stop(change.tail, TAIL_STOP_MS);
    tt_exporter_free(&change.tail);
}
