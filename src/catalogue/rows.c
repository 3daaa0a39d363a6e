/* SPDX-License-Identifier: GPL-2.0-only */
/* rows.c: the catalogue's rows, one array out of the files by subject. */
#include "catalogue/catalogue.h"

#include "base/cleanup.h"

const struct tt_row tt_rows[] = {
#include "catalogue/rows_client.h"
#include "catalogue/rows_asynch.h"
#include "catalogue/rows_admin.h"
#include "catalogue/rows_database.h"
#include "catalogue/rows_group.h"
#include "catalogue/rows_server.h"
#include "catalogue/rows_life.h"
#include "catalogue/rows_orb.h"
#include "catalogue/rows_python.h"
#include "catalogue/rows_method.h"
};

const struct tt_row tt_caller_row = {.library = TT_LIBRARY_PYTHON, .role = TT_ROLE_CALLER, .name = "caller"};

const struct tt_row tt_init_row = {
    .library = TT_LIBRARY_PYTANGO,
    .role = TT_ROLE_METHOD,
    .detail = TT_DETAIL_METHODS,
    .foreign = true,
    .name = "{class}.init_device",
};

const size_t tt_row_count = TT_ARRAY_SIZE(tt_rows);

const char *const tt_detail_names[TT_DETAILS] = {
    [TT_DETAIL_RPC] = "rpc",
    [TT_DETAIL_METHODS] = "methods",
    [TT_DETAIL_FULL] = "full",
};

_Static_assert(TT_CALLER_DETAIL == TT_DETAIL_METHODS, "contract with the kernel's side");
