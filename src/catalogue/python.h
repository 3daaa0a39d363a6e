/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * python.h: where things lie in the structures of CPython, one row per minor version. From 3.13 on the
 * interpreter tells most of it itself (_Py_DebugOffsets, at the start of _PyRuntime); what it tells is
 * believed before the table. A version without a row is not read at all.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tangotrace/event.h"

/* How the line of an instruction is found. */
enum tt_python_lines {
    TT_PYTHON_LNOTAB,    /* 3.9: co_lnotab (Objects/lnotab_notes.txt of 3.9) */
    TT_PYTHON_LINETABLE, /* 3.10: PEP 626 (Objects/lnotab_notes.txt of 3.10) */
    TT_PYTHON_LOCATIONS, /* 3.11: PEP 657 (Objects/locations.md) */
};

/* How a dictionary holds its keys. */
enum tt_python_keys {
    TT_PYTHON_KEYS_39,  /* 3.9, 3.10: size, not its logarithm */
    TT_PYTHON_KEYS_311, /* 3.11: keys that are all strings have no hash beside them */
};

struct tt_python_layout {
    unsigned minor;   /* 3.minor */
    unsigned runtime; /* _PyRuntime -> interpreter*, the newest */
    /* what the kernel is told; see there */
    struct tt_python kernel;
    /* code object */
    uint16_t file, qualname /* 0: none */, lines, bytecode /* 0: ip is an index already */;
    enum tt_python_lines line_kind;
    unsigned ip_unit; /* bytes of the instruction stream per unit of ip */
    /* function */
    uint16_t function_code, function_qualname, closure, function_dict;
    /* str that is all ASCII, and any other compact one */
    uint16_t ascii, compact;
    enum tt_python_keys keys;
    uint16_t dict_values; /* of a dictionary that shares its keys -> its values */
};

extern const struct tt_python_layout tt_python_layouts[];
extern const size_t tt_python_layout_count;

/* The same in all of these versions: object.h, cpython/object.h, cpython/tupleobject.h, .. */
enum {
    TT_PY_TYPE = 8,
    TT_PY_SIZE = 16, /* of tuples and bytes; length of a str; used entries of a dict */
    TT_PY_TYPE_NAME = 24,
    TT_PY_TYPE_FLAGS = 168,
    TT_PY_TYPE_DICT = 264,
    TT_PY_TYPE_DICT_OFFSET = 288,
    TT_PY_TYPE_MRO = 344,
    TT_PY_TYPE_VERSION = 384,
    TT_PY_TUPLE_ITEMS = 24,
    TT_PY_BYTES_DATA = 32,
    TT_PY_STR_STATE = 32,
    TT_PY_DICT_KEYS = 32,
    TT_PY_DICT_VALUES = 40,
    TT_PY_METHOD_FUNCTION = 16,
    TT_PY_METHOD_SELF = 24,
    TT_PY_CELL = 16,
    TT_PY_VALID_VERSION = 1 << 19, /* of TT_PY_TYPE_FLAGS */
};

/* Version 1 of _Py_DebugOffsets: the 64-bit words of interest, as of 3.13 and 3.14. */
struct tt_python_debug_words {
    unsigned minor;
    uint8_t interpreters, threads, prev, next, frame, thread, back, executable, ip, file, name, qualname,
        lines, line, bytecode;
};
extern const struct tt_python_debug_words tt_python_debug_words[];
extern const size_t tt_python_debug_count;
