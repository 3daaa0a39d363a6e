/* SPDX-License-Identifier: GPL-2.0-only */
/* replay.c: `tangotrace replay FILE`: a recording through the pipeline and the exporters, without any rights.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>

#include "agent/replay.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/commands.h"

static volatile bool stop;

static void on_signal(int number)
{
    stop = true;
}

static int parse_speed(const char *text, double *speed)
{
    char *end;

    if (!strcmp(text, "max")) {
        *speed = 0;
        return 0;
    }
    *speed = strtod(text, &end);
    if (end == text || *end || !(*speed > 0) || *speed > 1e9)
        return tt_err(-EINVAL, "option --speed: \"%s\" is neither max nor a factor above 0", text);
    return 0;
}

static int open_recording(const struct tt_options *options, struct tt_recording_reader **reader)
{
    _cleanup_free_ char *why = NULL;
    int error = tt_recording_open(options->arguments[0], reader, &why);

    return error ? tt_err(error, "%s", why ? why : strerror(-error)) : 0;
}

/* All passes. 0 or negative errno. */
static int run(const struct tt_options *options, struct tt_replay *replay)
{
    struct tt_recording_reader *reader = NULL;
    int error = 0;

    tt_replay_run(replay, &stop);
    for (unsigned pass = 1; pass < options->repeat && !stop && !error; pass++) {
        error = open_recording(options, &reader);
        if (!error)
            error = tt_replay_again(replay, reader);
        if (!error)
            tt_replay_run(replay, &stop);
    }
    return error;
}

#define LOOK_MS 1000

/* Until somebody has seen enough. */
static void serve(struct tt_replay *replay)
{
    tt_say("page at %s until Ctrl-C", tt_replay_page(replay));
    while (!stop && tt_replay_is_served(replay))
        poll(NULL, 0, LOOK_MS);
    if (!stop)
        tt_warn("the page ended, and with it all that it had");
}

int tt_cmd_replay(const struct tt_options *options)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct tt_recording_reader *reader = NULL;
    struct tt_replay *replay = NULL;
    double speed = 0;
    int error;

    if (!options->arguments[0])
        return tt_err(TT_EXIT_USAGE, "which recording? usage: tangotrace replay FILE [OPTION...]");
    if (parse_speed(options->speed, &speed))
        return TT_EXIT_USAGE;
    error = open_recording(options, &reader);
    if (error)
        return TT_EXIT_FAILURE;
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGINT, &action, NULL); /* without SA_RESTART: a wait ends */
    sigaction(SIGTERM, &action, NULL);
    error = tt_replay_new(options, reader, speed, &replay);
    if (error)
        return error == -E2BIG ? TT_EXIT_USAGE : TT_EXIT_FAILURE;
    error = run(options, replay);
    tt_replay_stop(replay);
    tt_replay_report(replay);
    if (!error && tt_replay_page(replay))
        serve(replay);
    tt_replay_free(&replay);
    return error ? TT_EXIT_FAILURE : TT_EXIT_OK;
}
