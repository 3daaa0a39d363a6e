/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * internal.h (private to correlate): what correlate.c, which places every span that begins or ends, and
 * join.c, which holds the requests that wait, know of each other.
 */
#pragma once

#include "correlate/clock.h"
#include "correlate/correlate.h"
#include "correlate/keys.h"
#include "correlate/native.h"
#include "correlate/random.h"
#include "correlate/starts.h"
#include "correlate/topics.h"
#include "correlate/traces.h"

struct tt_correlator {
    struct tt_unix_clock clock;
    struct tt_correlator_config config;
    void (*emit)(void *context, struct tt_span *span);
    void *context;
    struct random_state random;
    struct tt_keys *keys;
    struct tt_traces traces;
    struct tt_natives *natives;
    struct tt_topics *topics;
    struct tt_starts *starts;
    struct tt_correlator_stats stats;
};

/* The trace id of the span's link is final: takes it over and gives back the trace. */
void tt_correlate_drop_link(struct tt_correlator *correlator, struct tt_span *span);

/* The span has ended. It leaves when its own ids and that of its link are final, and waits with the trace
 * whose is not. */
void tt_correlate_settle(struct tt_correlator *correlator, struct tt_span *span);

/* A log message was written: it leaves when the ids of its trace are final. */
void tt_correlate_log(struct tt_correlator *correlator, struct tt_log *log);

/* The request was sent by the span; until that closes it is told what the other side is. */
void tt_correlate_link_sent(struct tt_request *request, struct tt_span *span);

/* A copy of `filled` waits for its other side, the oldest of its side leaving where there is no room. NULL
 * (counted) when out of memory. */
struct tt_request *tt_correlate_add_request(struct tt_correlator *correlator, struct tt_request *filled,
                                            const struct tt_span *span);

/* A server span stays the root of its trace, with `incomplete` added. A settled one's request is just not
 * waited for any longer. The request is used up. */
void tt_correlate_decide_root(struct tt_correlator *correlator, struct tt_request *server,
                              unsigned incomplete);

/* Nobody will answer the client's request (counted), which is used up. */
void tt_correlate_give_up_client(struct tt_correlator *correlator, struct tt_request *client);

/* A client's request that fits several server spans, or a server span that fits several clients': no parent
 * for any of them. */
void tt_correlate_give_up_servers(struct tt_correlator *correlator, const struct tt_request *client);

/* The client's span becomes the parent of the server's. Both requests are used up. */
void tt_correlate_join(struct tt_correlator *correlator, struct tt_request *client,
                       struct tt_request *server);

/* The span has ended: what its ledger lacks, and what that of the other side gets from it. */
void tt_correlate_close_ledger(struct tt_span *span);

/* Both sides of a request are known: they learn of each other. `client` is NULL once it has ended. */
void tt_correlate_set_peers(struct tt_span *server, uint32_t client_tgid, struct tt_span *client);

/* Whether a span at `depth` of a trace, with `more` spans, would go beyond its caps. */
bool tt_correlate_beyond_caps(const struct tt_correlator *correlator, const struct tt_trace *trace,
                              unsigned depth, unsigned more, uint64_t time);

/* The span begins a trace of its own; what would have been its parent in `from` becomes a link. */
void tt_correlate_set_split(struct tt_correlator *correlator, struct tt_span *span, struct tt_trace *from,
                            const uint8_t parent_id[8]);

/* The span is left to native telemetry (its trace, its span id), unless spans of ours have it as their parent
 * already. */
void tt_correlate_hide(struct tt_correlator *correlator, struct tt_span *span, struct tt_trace *trace,
                       const uint8_t span_id[8]);
