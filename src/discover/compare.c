/* SPDX-License-Identifier: GPL-2.0-only */
#include "discover/compare.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static bool same_files(const struct tt_process *a, const struct tt_process *b)
{
    if (a->file_count != b->file_count)
        return false;
    for (size_t i = 0; i < a->file_count; i++) {
        const struct tt_mapped_file *x = &a->files[i], *y = &b->files[i];

        if (x->start != y->start || x->end != y->end || x->offset != y->offset || x->device != y->device ||
            x->inode != y->inode || memcmp(x->library, y->library, sizeof(x->library)) != 0 ||
            x->build_id_size != y->build_id_size ||
            memcmp(x->build_id, y->build_id, sizeof(x->build_id)) != 0)
            return false;
    }
    return true;
}

bool tt_process_differs(const struct tt_process *a, const struct tt_process *b)
{
    return a->start_ticks != b->start_ticks || a->tango != b->tango || a->corba != b->corba ||
           a->switches_stacks != b->switches_stacks || a->selected != b->selected ||
           __atomic_load_n(&a->detail, __ATOMIC_RELAXED) != b->detail || !same_text(a->exe, b->exe) ||
           !same_text(a->name, b->name) || !same_text(a->server, b->server) || !same_files(a, b);
}

bool tt_process_same_words(const struct tt_process *known, const struct tt_process *process)
{
    for (size_t i = 0; known->argv[i]; i++) {
        bool cut = known->glimpsed && !known->argv[i + 1];

        if (!process->argv[i] ||
            strncmp(known->argv[i], process->argv[i], cut ? strlen(known->argv[i]) : SIZE_MAX) != 0)
            return false;
        if (!known->argv[i + 1])
            return known->glimpsed || !process->argv[i + 1];
    }
    return known->glimpsed || !process->argv[0];
}

bool tt_process_same_exe(const struct tt_process *known, const struct tt_process *process)
{
    return same_text(known->exe, known->glimpsed && process->exe ? tt_basename(process->exe) : process->exe);
}
