/* SPDX-License-Identifier: GPL-2.0-only */
/* rows_select.h: which processes are traced, and how much of them. Part of the array in table.c. */
#define GROUP "Which processes"

{.name = "select",
 .letter = 's',
 .type = OPTION_SELECT,
 FIELD(selection),
 .value = "PATTERN",
 .group = GROUP,
 .commands = TT_COMMAND_RUN | TT_COMMAND_LIST | TT_COMMAND_DOCTOR,
 .affects = TT_AFFECTS_VALUE,
 .initial_text = "every Tango process",
 .help =
     "Trace processes that match [KIND:]GLOB; KIND is server, exe, script, cmd, user, cgroup, netns or pid, without "
     "it server (exec/instance, or exec alone), executable and script names are compared. Of all --select and "
     "--exclude the first that matches decides; if none matches, a process is traced only if there is no --select. "
     "In a list, \"!PATTERN\" excludes"},
    {.name = "exclude",
     .letter = 'x',
     .type = OPTION_EXCLUDE,
     FIELD(selection),
     .value = "PATTERN",
     .group = GROUP,
     .commands = TT_COMMAND_RUN | TT_COMMAND_LIST | TT_COMMAND_DOCTOR,
     .affects = TT_AFFECTS_VALUE,
     .help = "Leave processes alone that match PATTERN (see --select)"},
    {.name = "native",
     .type = OPTION_CHOICE,
     FIELD(native),
     .value = "HOW",
     .group = GROUP,
     .commands = TT_COMMAND_RUN | TT_COMMAND_LIST,
     .affects = TT_AFFECTS_VALUE,
     .initial = "join",
     .choices = natives,
     .help =
         "Programs of Tango 10 that are traced by native telemetry as well. join: a request that carries native's trace "
         "context goes into that trace, under native's client span, and what native records itself is not recorded "
         "twice; ignore: as if native were not there; skip: leave such programs alone"},
    {.name = "detail",
     .letter = 'd',
     .type = OPTION_LIST,
     FIELD(details),
     .value = "LEVEL[:PATTERN]",
     .group = GROUP,
     .commands = TT_COMMAND_RUN | TT_COMMAND_LIST,
     .affects = TT_AFFECTS_VALUE,
     .initial = "methods",
     .check = check_detail,
     .help =
         "How much is traced. rpc: calls only; methods: also methods of devices, Python callers, polling, events and "
         "logs; full: also waits and CPU time. With a pattern as of --select for the processes that match: the first "
         "that does decides; LEVEL alone is for the rest. 'tangotrace detail' changes it while the agent runs"},
    {.name = "probes",
     .type = OPTION_LIST,
     .pairs = true,
     FIELD(probes),
     .value = "PROBE",
     .group = GROUP,
     .commands = TT_COMMAND_RUN | TT_COMMAND_PLAN,
     .affects = TT_AFFECTS_RESTART,
     .check = tt_probe_check,
     .initial_text = "none",
     .help =
         "\"function=MyDevice::compute*; arguments=1 int energy\": further functions of traced programs become spans. A "
         "glob over demangled names (with '(': whole signatures), or an address (0x4a10) with file=NAME, which also "
         "limits names to that file. Arguments are a place (0: this, 1 and so on, return), a kind (int, unsigned, bool, "
         "long, pointer, char*, string, device, attribute, command) and a name. May be given several times; in a file as a "
         "list of mappings"},
    {.name = "all",
     .type = OPTION_BOOL,
     .scope = SCOPE_INVOCATION,
     FIELD(all),
     .group = GROUP,
     .commands = EXPORTING,
     .initial = "no",
     .help =
         "With -- COMMAND, or the recording of one: show the traces of the whole host, not only those that begin in COMMAND"},

#undef GROUP
