/* SPDX-License-Identifier: GPL-2.0-only */
/* main.c: the table of commands. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/manual.h"
#include "cli/spans_reference.h"
#include "view/view.h"

static int run(const struct tt_options *options)
{
    return tt_cmd_run(options, options->command);
}

struct command {
    const char *name;
    const char *usage; /* behind "tangotrace" */
    const char *help;
    enum tt_command options; /* which options it takes; 0: it reads its own arguments */
    int (*with_options)(const struct tt_options *options); /* one of these two */
    int (*with_arguments)(int argc, char **argv);
    int arguments_max; /* with_options: arguments behind the options */
    bool hidden;
};

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);
static int cmd_reference(int argc, char **argv);
static int cmd_manual(int argc, char **argv);

static int cmd_spans_reference(int argc, char **argv)
{
    return tt_cmd_spans_reference();
}

static int cmd_page_server(int argc, char **argv)
{
    return tt_view_main();
}

static const struct command commands[] = {
    {"run", "run [OPTION...] [-- COMMAND [ARGUMENT...]]",
     "Traces the Tango programs of this host; with COMMAND until it ends, and shows the traces that begin in it.",
     TT_COMMAND_RUN, run, NULL, 0, false},
    {"record", "record FILE [OPTION...] [-- COMMAND [ARGUMENT...]]",
     "Traces like run and writes the raw events to FILE; exports nothing unless --export is given.",
     TT_COMMAND_RUN, tt_cmd_record, NULL, 1, false},
    {"replay", "replay FILE [OPTION...]",
     "Makes spans of a recording, anywhere and without rights: the same in every run.", TT_COMMAND_REPLAY,
     tt_cmd_replay, NULL, 1, false},
    {"list", "list [OPTION...]",
     "Tango processes: versions of their libraries, selected or not and why; with a running agent what it sees of them.",
     TT_COMMAND_LIST, tt_cmd_list, NULL, 0, false},
    {"plan", "plan FILE [OPTION...]",
     "Where a library or program would be probed: every function with its points, and what cannot be covered, and why.",
     TT_COMMAND_PLAN, tt_cmd_plan, NULL, 1, false},
    {"status", "status [OPTION...]", "The running agent: events, spans, losses, exporters.",
     TT_COMMAND_STATUS, tt_cmd_status, NULL, 0, false},
    {"top", "top [devices|clients|operations] [OPTION...]",
     "The busiest devices, clients or operations: calls and errors per second, p50, p99, open calls; refreshed.",
     TT_COMMAND_TOP, tt_cmd_top, NULL, 1, false},
    {"clients", "clients DEVICE [OPTION...]",
     "Who asks this device (or those that match a glob) for what, how often, how long it takes, what fails.",
     TT_COMMAND_STATUS, tt_cmd_clients, NULL, 1, false},
    {"calls", "calls [OPTION...]",
     "Calls of the running agent's programs that have not ended, what each waits for, and who holds up whom.",
     TT_COMMAND_STATUS, tt_cmd_calls, NULL, 0, false},
    {"tail", "tail [OPTION...]",
     "Live traces of the running agent, as its console shows them; --filter picks, --json: OTLP, a trace per line.",
     TT_COMMAND_TAIL, tt_cmd_tail, NULL, 0, false},
    {"dump", "dump [OPTION...]",
     "The running agent exports what its flight recorder has: the last traces that sampling dropped.",
     TT_COMMAND_STATUS, tt_cmd_dump, NULL, 0, false},
    {"detail", "detail [LEVEL [PATTERN]] [OPTION...]",
     "Changes how much the running agent traces, of all programs or of those that match PATTERN; without LEVEL says it.",
     TT_COMMAND_STATUS, tt_cmd_detail, NULL, 2, false},
    {"doctor", "doctor [OPTION...] [PID]",
     "What this host lacks for tracing, and what to do about it; with PID: is that process seen, and why (not)?",
     TT_COMMAND_DOCTOR, tt_cmd_doctor, NULL, 1, false},
    {"config", "config check FILE | config schema",
     "Checks a configuration file: everything that 'run --config FILE' would refuse, with its line; prints its JSON schema.",
     TT_COMMAND_CONFIG, tt_cmd_config, NULL, 2, false},
    {"help", "help [COMMAND]", "This list, or the options of a command.", 0, NULL, cmd_help, 0, false},
    {"version", "version", "The version.", 0, NULL, cmd_version, 0, false},
    {"help-reference", "help-reference", "Prints docs/options.md.", 0, NULL, cmd_reference, 0, true},
    {"help-manual", "help-manual [file]", "Prints docs/man/tangotrace.1, or tangotrace.yaml.5.", 0, NULL,
     cmd_manual, 0, true},
    {"page-server", "page-server", "Serves the page; started by run and replay.", 0, NULL, cmd_page_server, 0,
     true},
    {"spans-reference", "spans-reference", "Prints docs/spans.md.", 0, NULL, cmd_spans_reference, 0, true},
};

/* Standard output may be a full disk or a closed pipe. */
static int put(const struct tt_text *text)
{
    if (text->failed)
        return TT_EXIT_FAILURE;
    return fwrite(text->data ? text->data : "", 1, text->size, stdout) == text->size && !fflush(stdout)
               ? TT_EXIT_OK
               : TT_EXIT_FAILURE;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(commands); i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *meant = tt_suggest(name, &commands[0].name, TT_ARRAY_SIZE(commands), sizeof(commands[0]));

    if (meant)
        tt_error("there is no command \"%s\"; did you mean \"%s\"?", name, meant);
    else
        tt_error("there is no command \"%s\"; 'tangotrace help' lists the commands", name);
    return TT_EXIT_USAGE;
}

static int help_command(const struct command *command)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};

    tt_text_printf(&out, "Usage: tangotrace %s\n%s\n", command->usage, command->help);
    if (command->options) {
        tt_text_puts(&out, "\n");
        tt_options_help(command->options, &out);
    }
    if (command->options == TT_COMMAND_RUN)
        tt_text_puts(
            &out,
            "\nExit codes: 0 after SIGINT or SIGTERM, the code of COMMAND, 1 failure, 2 wrong command line,\n"
            "77 the host lacks a right or a kernel feature ('tangotrace doctor' tells which).\n");
    return put(&out);
}

static int cmd_help(int argc, char **argv)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};
    const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;

    if (argc > 1)
        return command ? help_command(command) : unknown_command(argv[1]);
    tt_text_puts(&out, "Usage: tangotrace COMMAND [OPTION...]\n"
                       "Distributed tracing of running, unmodified Tango Controls programs.\n\n");
    for (size_t i = 0; i < TT_ARRAY_SIZE(commands); i++)
        if (!commands[i].hidden)
            tt_text_printf(&out, "  %-8s  %s\n", commands[i].name, commands[i].help);
    tt_text_puts(&out, "\n'tangotrace help COMMAND' shows the options of a command.\n");
    return put(&out);
}

static int cmd_version(int argc, char **argv)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};

    tt_text_puts(&out, "tangotrace " TT_VERSION "\n");
    return put(&out);
}

static int cmd_reference(int argc, char **argv)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};

    tt_options_reference(&out);
    return put(&out);
}

static int cmd_manual(int argc, char **argv)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};
    struct tt_manual_command list[TT_ARRAY_SIZE(commands)];
    size_t count = 0;

    if (argc > 1) {
        tt_manual_file(&out);
        return put(&out);
    }
    for (size_t i = 0; i < TT_ARRAY_SIZE(commands); i++)
        if (!commands[i].hidden)
            list[count++] = (struct tt_manual_command){commands[i].usage, commands[i].help};
    tt_manual(&out, list, count);
    return put(&out);
}

static int print_config(const struct tt_options *options)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};

    tt_options_print_config(options, &out);
    return put(&out);
}

static int check_arguments(const struct command *command, const struct tt_options *options)
{
    int count = 0;

    while (options->arguments[count])
        count++;
    if (count <= command->arguments_max)
        return TT_EXIT_OK;
    if (command->options == TT_COMMAND_RUN && !command->arguments_max)
        tt_error("unexpected argument \"%s\"; a command to run stands behind \"--\": tangotrace run -- %s",
                 options->arguments[0], options->arguments[0]);
    else
        tt_error("unexpected argument \"%s\"; usage: tangotrace %s",
                 options->arguments[command->arguments_max], command->usage);
    return TT_EXIT_USAGE;
}

static int with_options(const struct command *command, char **argv)
{
    _cleanup_(tt_options_free) struct tt_options options = {0};
    _cleanup_free_ char *error = NULL;
    int err = tt_options_parse(&options, command->options, argv, environ, &error);

    if (err) {
        tt_error("%s", error ? error : strerror(-err));
        return err == -EINVAL ? TT_EXIT_USAGE : TT_EXIT_FAILURE;
    }
    if (options.help)
        return help_command(command);
    if (check_arguments(command, &options))
        return TT_EXIT_USAGE;
    if (options.print_config)
        return print_config(&options);
    tt_log_set_level(options.log_level);
    return command->with_options(&options);
}

int main(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        tt_error("which command? 'tangotrace help' lists them; 'tangotrace run' traces");
        return TT_EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return cmd_help(argc - 1, argv + 1);
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
        return cmd_version(argc - 1, argv + 1);
    command = find_command(argv[1]);
    if (!command)
        return unknown_command(argv[1]);
    if (command->with_options)
        return with_options(command, argv + 2);
    if (argc > 2 && !strcmp(argv[2], "--help"))
        return help_command(command);
    return command->with_arguments(argc - 1, argv + 1);
}
