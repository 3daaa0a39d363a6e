/* SPDX-License-Identifier: GPL-2.0-only */
/* probes.h (private to plan): what a user's probe asks for. */
#pragma once

#include "plan/elf.h"
#include "plan/plan.h"

struct tt_probe {
    char *function;    /* glob over demangled names, as given */
    char *file;        /* glob over the file's name, with a '/' its path; NULL: any */
    uint64_t address;  /* in the file; 0: by name */
    bool signature;    /* the glob is about the whole signature, not only the name */
    char hint[64];     /* stands in the symbol of every function that matches */
    char *labels;      /* of the row */
    struct tt_row row; /* of its functions, but for the name */
    uint64_t found;    /* functions that match, of all files */
};

struct tt_probes {
    struct tt_probe *array;
    size_t count;
};

/* "function=MyDevice::compute*; file=libmono*; arguments=1 int energy". 0; -EINVAL with *error (caller
 * frees); -ENOMEM. */
int tt_probe_parse(const char *text, struct tt_probe *probe, char **error);
void tt_probe_free(struct tt_probe *probe);

/* Does one of them name a function of the file? NULL: there are none. */
bool tt_probes_want(const struct tt_probes *probes, const struct tt_elf *elf, const char *path);
