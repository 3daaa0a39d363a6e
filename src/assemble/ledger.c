/* SPDX-License-Identifier: GPL-2.0-only */
#include "assemble/ledger.h"

static uint64_t between(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

void tt_ledger_add_user(struct tt_ledger *ledger, const struct tt_clocks *from, const struct tt_clocks *to)
{
    uint64_t left = between(from->time, to->time);
    uint64_t off = between(between(from->idle, to->idle), between(from->off_cpu, to->off_cpu));

    left -= at_most(between(from->monitor, to->monitor), left);
    off = at_most(off, left);
    ledger->ns[TT_PART_USER_OFF_CPU] += off;
    ledger->ns[TT_PART_USER_CPU] += left - off;
}

/* Gives every part what is left for it, and the rest what is left in the end. */
static void settle(struct tt_ledger *ledger, uint64_t duration)
{
    for (int part = 0; part < TT_PART_REST; part++) {
        ledger->ns[part] = at_most(ledger->ns[part], duration);
        duration -= ledger->ns[part];
    }
    ledger->ns[TT_PART_REST] = duration;
}

void tt_ledger_close_server(struct tt_ledger *ledger, const struct tt_clocks *from,
                            const struct tt_clocks *to)
{
    ledger->ns[TT_PART_MONITOR] = between(from->monitor, to->monitor);
    settle(ledger, between(from->time, to->time));
}

void tt_ledger_close_client(struct tt_ledger *ledger, const struct tt_moments *m,
                            const struct tt_ledger *server)
{
    bool answered = m->received && m->begun && m->done;
    uint64_t sent = at_most(m->sent ?: m->received ?: m->end, m->end);

    /* That it has sent, the client is seen to do after it has: the server may be faster. */
    if (m->received)
        sent = at_most(sent, m->received);
    ledger->ns[TT_PART_MARSHAL] = between(m->start, sent);
    if (m->received)
        ledger->ns[TT_PART_REQUEST] = between(sent, m->received);
    if (answered) {
        ledger->ns[TT_PART_MARSHAL] += between(m->received, m->begun);
        ledger->ns[TT_PART_REPLY] = between(m->done, m->end);
    }
    for (int part = TT_PART_MONITOR; server && part <= TT_PART_USER_OFF_CPU; part++)
        ledger->ns[part] = server->ns[part];
    settle(ledger, between(m->start, m->end));
}
