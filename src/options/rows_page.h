/* SPDX-License-Identifier: GPL-2.0-only */
/* rows_page.h: the built-in page. Part of the array in table.c. */
#define GROUP "The page"

{.name = "view-listen",
 .alias = "listen",
 .type = OPTION_TEXT,
 FIELD(view_listen),
 .value = "ADDRESS:PORT",
 .group = GROUP,
 .affects = TT_AFFECTS_RESTART,
 .commands = EXPORTING,
 .initial = "127.0.0.1:4380",
 .check = check_view,
 .help =
     "Serve the built-in page and its API there (replay: with --serve); none: nowhere. Elsewhere than at loopback, and "
     "as a service, it wants a token. With run -- COMMAND and record it is served only if this is given"},
    {.name = "view-memory",
     .type = OPTION_SIZE,
     FIELD(view_memory),
     .value = "SIZE",
     .group = GROUP,
     .affects = TT_AFFECTS_RESTART,
     .commands = EXPORTING,
     .initial = "48M",
     .min = 1 << 20,
     .max = (uint64_t)16 << 30,
     .help =
         "Memory (K, M, G) for the spans, log records and counts that the page shows; the oldest make room"},
    {.name = "view-age",
     .type = OPTION_DURATION,
     FIELD(view_age),
     .value = "TIME",
     .group = GROUP,
     .affects = TT_AFFECTS_RESTART,
     .commands = TT_COMMAND_RUN,
     .initial = "30m",
     .min = 10000,
     .max = 7 * 86400000u,
     .help = "How long the page remembers them at most"},
    {.name = "view-token",
     .type = OPTION_TEXT,
     FIELD(view_token),
     .value = "TOKEN",
     .group = GROUP,
     .affects = TT_AFFECTS_RESTART,
     .commands = EXPORTING,
     .initial_text = "a new one at each start, where one is wanted",
     .check = check_token,
     .secret = true,
     .help =
         "What the page wants to be shown: a token of at least 16 characters; auto: a new one at each start where it wants "
         "one ('tangotrace status' tells it), none: no token, possible at loopback only"},

#undef GROUP
