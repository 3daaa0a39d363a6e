/* SPDX-License-Identifier: GPL-2.0-only */
#include "assemble/state.h"

#include <stdlib.h>
#include <string.h>

void tt_ghost_add(struct thread *thread, const struct frame *frame, uint64_t now)
{
    if (!thread->ghosts && !(thread->ghosts = calloc(TT_GHOSTS_MAX, sizeof(struct ghost))))
        return;
    struct ghost *place = &thread->ghosts[0];
    for (struct ghost *ghost = place; ghost < thread->ghosts + TT_GHOSTS_MAX && place->row; ghost++)
        if (!ghost->row || ghost->until < place->until)
            place = ghost;
    *place = (struct ghost){.address = frame->address,
                            .upcall = frame->upcall,
                            .until = now + TT_SUSPENDED_NS,
                            .row = frame->row};
}

static struct ghost *find(const struct thread *thread, uint64_t address, const struct tt_row *row)
{
    for (size_t i = 0; thread->ghosts && i < TT_GHOSTS_MAX; i++)
        if (thread->ghosts[i].row == row && thread->ghosts[i].address == address)
            return &thread->ghosts[i];
    return NULL;
}

bool tt_ghost_fits(const struct thread *thread, uint64_t address, const struct tt_row *row, uint64_t now)
{
    struct ghost *ghost = find(thread, address, row);
    if (ghost && ghost->until < now)
        ghost->row = NULL;
    return ghost && ghost->row;
}

void tt_ghost_lay(struct thread *thread, uint64_t address, const struct tt_row *row)
{
    struct ghost *ghost = find(thread, address, row);
    if (ghost)
        ghost->row = NULL;
}

void tt_ghost_lay_methods(struct thread *thread, uint64_t upcall)
{
    for (size_t i = 0; thread->ghosts && i < TT_GHOSTS_MAX; i++)
        if (thread->ghosts[i].upcall == upcall)
            thread->ghosts[i].row = NULL;
}
