/* SPDX-License-Identifier: GPL-2.0-only */
/* tls.h (private to http): whom a server with TLS talks to. */
#pragma once

#include <stdbool.h>

struct MHD_Connection;

/* What both sides must be able to do. */
#define TT_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Before the handshake: who has no certificate that is valid now, made for clients, and signed by whom the
 * server trusts, does not get through it. */
void tt_tls_demand(struct MHD_Connection *connection);
/* After it: that is what happened. */
bool tt_tls_is_known(struct MHD_Connection *connection);
