/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * files.h: what the files hold that processes map. Each file is opened and probed once per identity (device,
 * inode, size, ctime); the answers are kept, bounded. Not thread-safe: the process table serialises its use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/build_id.h"
#include "catalogue/catalogue.h"
#include "discover/proc.h"
#include "plan/plan.h"

#define TT_FILE_CACHE_MAX 8192

struct tt_file_facts {
    bool library[TT_HOLDS];
    uint8_t build_id[TT_BUILD_ID_MAX];
    size_t build_id_size;         /* 0: none */
    struct tt_plan_python python; /* TT_LIBRARY_PYTHON: counted from the start of its executable mapping */
};

struct tt_probes;

/* tt_plan_probe(), or a test's. */
typedef int (*tt_file_probe)(const struct tt_probes *probes, int fd, const char *path, bool holds[TT_HOLDS]);

struct tt_file_cache;

/* `probes` of the user go to the probe of files: not owned, or NULL. */
struct tt_file_cache *tt_file_cache_new(tt_file_probe probe, const struct tt_probes *probes);
void tt_file_cache_free(struct tt_file_cache **cache);

/* The facts of the file behind a mapping of the process of which `dir` is /proc/PID. A file that is no ELF
 * file holds nothing. 0, or a negative errno if it cannot be reached (-EACCES, -ENOENT, -ESTALE: another file
 * took its place). */
int tt_file_cache_get(struct tt_file_cache *cache, int dir, const struct tt_mapping *mapping,
                      struct tt_file_facts *facts);
