/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * view.h: the process that serves the page and its API: `tangotrace page-server`, started by the agent
 * (agent/page.h), which hands it a socket from which it learns what happens, and the port, open. It gives up
 * all rights before it reads the first byte of either, and has no need of a file, a process or another
 * connection: spans are kept in its own memory (store/store.h), and what a page looks like is in the program.
 * The agent never waits for it. It ends when the agent does.
 */
#pragma once

#define TT_VIEW_FD       3 /* the socket */
#define TT_VIEW_LISTENER 4 /* the port */

/* The whole life of the process: its exit code. */
int tt_view_main(void);
