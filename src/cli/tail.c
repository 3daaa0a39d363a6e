/* SPDX-License-Identifier: GPL-2.0-only */
/* tail.c: `tangotrace tail`: live traces of the running agent, until Ctrl-C or the agent's end; `dump`: what
 * its flight recorder has, to its exporters. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "control/control.h"

static char *make_request(const struct tt_options *options)
{
    struct tt_text text = {0};
    bool color = options->color == TT_COLOR_ALWAYS ||
                 (options->color == TT_COLOR_AUTO && isatty(STDOUT_FILENO));

    tt_text_printf(&text, "tail%s%s%s%s", options->json ? " json" : "", tt_locale_is_utf8() ? " utf8" : "",
                   color ? " color" : "", options->all_roots ? " all-roots" : "");
    if (options->console_rate)
        tt_text_printf(&text, " rate=%u", options->console_rate);
    if (options->filter) {
        size_t start = text.size;

        /* A request is one line; between the parts of a filter a newline is a blank. */
        tt_text_printf(&text, " %s", options->filter + strspn(options->filter, " \t\r\n"));
        for (char *c = text.failed ? NULL : text.data + start; c && *c; c++)
            *c = *c == '\n' ? ' ' : *c;
    }
    return tt_text_take(&text);
}

/* What the agent has to say beside its traces: to standard error, so that the output stays OTLP. True: it
 * was. */
static bool is_notice(const char *line)
{
    struct json_object *root, *notice = NULL;
    bool is;

    if (strncmp(line, "{\"notice\"", 9) != 0)
        return false;
    root = json_tokener_parse(line);
    is = root && json_object_object_get_ex(root, "notice", &notice);
    if (is)
        tt_info("%s", json_object_get_string(notice));
    json_object_put(root);
    return is;
}

/* 0: the agent has ended; TT_EXIT_FAILURE: the output cannot be written. */
static int copy_lines(FILE *from)
{
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    ssize_t n;

    while ((n = getline(&line, &size, from)) > 0) {
        if (is_notice(line))
            continue;
        if (fwrite(line, 1, (size_t)n, stdout) != (size_t)n || fflush(stdout))
            return tt_err(TT_EXIT_FAILURE, "cannot write: %s", strerror(errno));
    }
    return TT_EXIT_OK;
}

int tt_cmd_tail(const struct tt_options *options)
{
    _cleanup_free_ char *request = make_request(options), *error = NULL;
    _cleanup_fclose_ FILE *from = NULL;
    int fd, err = request ? tt_control_open(options->control, request, &fd, &error) : -ENOMEM;

    if (err)
        return tt_err(TT_EXIT_FAILURE, "%s", error ? error : strerror(-err));
    from = fdopen(fd, "r");
    if (!from)
        return tt_err(TT_EXIT_FAILURE, "%s", strerror(errno));
    err = copy_lines(from);
    if (!err)
        tt_info("the agent has ended");
    return err;
}

int tt_cmd_dump(const struct tt_options *options)
{
    _cleanup_free_ char *reply = NULL, *error = NULL;
    struct json_object *root, *spans = NULL;
    size_t size;
    int err = tt_control_ask(options->control, "dump", &reply, &size, &error);

    if (err)
        return tt_err(TT_EXIT_FAILURE, "%s", error ? error : strerror(-err));
    root = json_tokener_parse(reply);
    if (!root || !json_object_object_get_ex(root, "spans", &spans)) {
        json_object_put(root);
        return tt_err(TT_EXIT_FAILURE, "the agent does not understand: is it of another version?");
    }
    if (options->json)
        puts(reply);
    else
        printf("%s spans exported\n", json_object_get_string(spans));
    json_object_put(root);
    return TT_EXIT_OK;
}
