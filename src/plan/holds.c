/* SPDX-License-Identifier: GPL-2.0-only */
/* holds.c: what a file holds that could be probed, by its symbols. */
#include <string.h>

#include "plan/calls.h"
#include "plan/match.h"
#include "plan/probes.h"

/* Exported by every cppTango that has native telemetry: 10.0 to 10.3, both ABIs of std::string. */
#define TELEMETRY_SYMBOL "_ZN5Tango9telemetry9Interface21get_default_interfaceEv"

/* cppTango itself has no user's classes, unless it is part of a program. PyTango's extension has some, but
 * what they do is call Python: rows_python.h. */
static bool may_have_classes(const struct tt_elf *elf, const bool holds[TT_HOLDS])
{
    return elf->tango_types && (!holds[TT_LIBRARY_TANGO] || elf->program) && !holds[TT_LIBRARY_PYTANGO];
}

int tt_plan_probe(const struct tt_probes *probes, int fd, const char *path, bool holds[TT_HOLDS])
{
    struct tt_match *matches = NULL;
    size_t count = 0;
    struct tt_elf elf;
    const char *why;
    int r = tt_elf_open(&elf, fd, true, &why);

    if (r < 0)
        return r;
    r = tt_match_symbols(&elf, &matches, &count);
    if (r >= 0) {
        memset(holds, 0, TT_HOLDS * sizeof(*holds));
        for (size_t i = 0; i < count; i++)
            holds[tt_rows[matches[i].row].library] = true;
        holds[TT_HOLDS_TELEMETRY] = holds[TT_LIBRARY_TANGO] && tt_elf_exports(&elf, TELEMETRY_SYMBOL);
        holds[TT_LIBRARY_PYTANGO] = tt_calls_pytango(&elf);
        holds[TT_HOLDS_CLASSES] = may_have_classes(&elf, holds);
        holds[TT_HOLDS_PROBES] = tt_probes_want(probes, &elf, path);
        tt_match_free(&matches, count);
    }
    tt_elf_close(&elf);
    return r;
}
