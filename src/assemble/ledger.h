/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ledger.h: where the time of a call went. The parts of a ledger add up to the duration of its span, always:
 * what none of the clocks accounts for is the rest, and what they say beyond the duration is not believed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum tt_part {
    TT_PART_MARSHAL,      /* CLIENT: until the request is sent; then from its upcall to the server's method */
    TT_PART_REQUEST,      /* CLIENT: from the client's sending to the server's upcall */
    TT_PART_MONITOR,      /* waits for the serialization monitor */
    TT_PART_USER_CPU,     /* the user's methods, on a CPU .. */
    TT_PART_USER_OFF_CPU, /* .. and not */
    TT_PART_REPLY,        /* CLIENT: from the end of the server's method to the client's */
    TT_PART_REST, /* cppTango in the server, and methods without a span; CLIENT whose server is not seen: all
                     after the sending */
    TT_PARTS,
};

struct tt_ledger {
    bool known;
    uint64_t ns[TT_PARTS];
};

/* What a thread has spent since some moment, ns. They never go backwards. */
struct tt_clocks {
    uint64_t time;    /* CLOCK_MONOTONIC */
    uint64_t off_cpu; /* .. not on a CPU */
    uint64_t monitor; /* .. in waits for monitors */
    uint64_t idle;    /* .. of these, not on a CPU */
};

/* The moments of a call, CLOCK_MONOTONIC ns; 0: not known. */
struct tt_moments {
    uint64_t start, sent, end;      /* of the client's span; when its request was sent */
    uint64_t received, begun, done; /* the upcall, and the span, of the server */
};

/* Between the two a method of the user's ran. */
void tt_ledger_add_user(struct tt_ledger *ledger, const struct tt_clocks *from, const struct tt_clocks *to);
/* The server's span lasted from the one to the other. */
void tt_ledger_close_server(struct tt_ledger *ledger, const struct tt_clocks *from,
                            const struct tt_clocks *to);
/* The client's; `server` NULL: not known. */
void tt_ledger_close_client(struct tt_ledger *ledger, const struct tt_moments *moments,
                            const struct tt_ledger *server);
