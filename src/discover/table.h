/* SPDX-License-Identifier: GPL-2.0-only */
/* table.h: the process table with another probe of files, for tests. The interface is process.h. */
#pragma once

#include "discover/files.h"
#include "discover/process.h"

struct tt_process_table *tt_process_table_new_probe(const char *proc_root,
                                                    const struct tt_selection *selection, tt_file_probe probe,
                                                    const struct tt_probes *probes);
