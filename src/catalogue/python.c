/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Source: offsetof in the headers of CPython 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0 (x86-64, default
 * build), compared with running Debian 3.11.2; the interpreter tells 3.13's and 3.14's own. Structures that
 * are read do not change within a minor version.
 */
#include "catalogue/python.h"

#include "base/cleanup.h"

/* 3.13 and 3.14 but for what is below: Include/internal/pycore_frame.h, cpython/code.h, cpython/funcobject.h
 */
#define NEWEST                                                                                               \
    .kernel = {.prev = 0,                                                                                    \
               .next = 8,                                                                                    \
               .thread = 152,                                                                                \
               .frame = 72,                                                                                  \
               .code = 0,                                                                                    \
               .back = 8,                                                                                    \
               .ip = 56,                                                                                     \
               .ip_size = 8,                                                                                 \
               .name = 120,                                                                                  \
               .line = 68,                                                                                   \
               .raised = 112,                                                                                \
               .raised_object = 1},                                                                          \
    .file = 112, .qualname = 128, .lines = 136, .line_kind = TT_PYTHON_LOCATIONS, .ip_unit = 1,              \
    .function_code = 48, .function_qualname = 40, .closure = 72, .function_dict = 88, .ascii = 40,           \
    .compact = 56, .keys = TT_PYTHON_KEYS_311, .dict_values = 8

const struct tt_python_layout tt_python_layouts[] = {
    {
        .minor = 9,
        .runtime = 32,
        .kernel = {.threads = 8,
                   .prev = 0,
                   .next = 8,
                   .thread = 176,
                   .frame = 24,
                   .back = 24,
                   .code = 32,
                   .ip = 104,
                   .ip_size = 4,
                   .name = 112,
                   .line = 40,
                   .raised = 88},
        .file = 104,
        .lines = 120,
        .line_kind = TT_PYTHON_LNOTAB,
        .ip_unit = 1,
        .function_code = 16,
        .function_qualname = 104,
        .closure = 48,
        .function_dict = 72,
        .ascii = 48,
        .compact = 72,
        .keys = TT_PYTHON_KEYS_39,
    },
    {
        .minor = 10,
        .runtime = 32,
        .kernel = {.threads = 8,
                   .prev = 0,
                   .next = 8,
                   .thread = 176,
                   .frame = 24,
                   .back = 24,
                   .code = 32,
                   .ip = 96,
                   .ip_size = 4,
                   .name = 112,
                   .line = 40,
                   .raised = 88},
        .file = 104,
        .lines = 120,
        .line_kind = TT_PYTHON_LINETABLE,
        .ip_unit = 2,
        .function_code = 48,
        .function_qualname = 40,
        .closure = 72,
        .function_dict = 88,
        .ascii = 48,
        .compact = 72,
        .keys = TT_PYTHON_KEYS_39,
    },
    {
        .minor = 11,
        .runtime = 40,
        .kernel = {.threads = 16,
                   .prev = 0,
                   .next = 8,
                   .thread = 152,
                   .frame = 56,
                   .c_frame = 1,
                   .frame_of_c = 8,
                   .code = 32,
                   .back = 48,
                   .ip = 56,
                   .ip_size = 8,
                   .name = 120,
                   .line = 72,
                   .raised = 96},
        .file = 112,
        .qualname = 128,
        .lines = 136,
        .bytecode = 184,
        .line_kind = TT_PYTHON_LOCATIONS,
        .ip_unit = 1,
        .function_code = 48,
        .function_qualname = 40,
        .closure = 72,
        .function_dict = 88,
        .ascii = 48,
        .compact = 72,
        .keys = TT_PYTHON_KEYS_311,
    },
    {
        .minor = 12,
        .runtime = 40,
        .kernel = {.threads = 72,
                   .prev = 0,
                   .next = 8,
                   .thread = 136,
                   .frame = 56,
                   .c_frame = 1,
                   .frame_of_c = 0,
                   .code = 0,
                   .back = 8,
                   .ip = 56,
                   .ip_size = 8,
                   .name = 120,
                   .line = 68,
                   .raised = 96,
                   .raised_object = 1},
        .file = 112,
        .qualname = 128,
        .lines = 136,
        .bytecode = 192,
        .line_kind = TT_PYTHON_LOCATIONS,
        .ip_unit = 1,
        .function_code = 48,
        .function_qualname = 40,
        .closure = 72,
        .function_dict = 88,
        .ascii = 40,
        .compact = 56,
        .keys = TT_PYTHON_KEYS_311,
    },
    {.minor = 13, NEWEST, .runtime = 632, .bytecode = 200},
    {.minor = 14, NEWEST, .bytecode = 208},
};

const size_t tt_python_layout_count = TT_ARRAY_SIZE(tt_python_layouts);

/* Include/internal/pycore_runtime.h (3.13), pycore_debug_offsets.h (3.14): words from the cookie on; word 1
 * is the version, word 2 says whether it is free-threaded. */
const struct tt_python_debug_words tt_python_debug_words[] = {
    {.minor = 13,
     .interpreters = 5,
     .threads = 9,
     .prev = 20,
     .next = 21,
     .frame = 23,
     .thread = 24,
     .back = 29,
     .executable = 30,
     .ip = 31,
     .file = 35,
     .name = 36,
     .qualname = 37,
     .lines = 38,
     .line = 39,
     .bytecode = 43},
    {.minor = 14,
     .interpreters = 5,
     .threads = 9,
     .prev = 23,
     .next = 24,
     .frame = 26,
     .thread = 27,
     .back = 32,
     .executable = 33,
     .ip = 34,
     .file = 40,
     .name = 41,
     .qualname = 42,
     .lines = 43,
     .line = 44,
     .bytecode = 48},
};

const size_t tt_python_debug_count = TT_ARRAY_SIZE(tt_python_debug_words);
