/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows_python.h: by what PyTango calls the methods of devices that are written in Python. Part of the array
 * in rows.c. Its builds with Boost.Python (up to 10.0) call attribute and command methods by name, and hooks
 * that the class overrides as bound methods; boost/python/call_method.hpp and override.hpp, by the functions
 * of Python's C API below (PyEval_.. before Boost 1.76). Only calls out of PyTango's extension count.
 *
 * Its builds with pybind11 (from 10.1 on) bind every method first, and call that by functions which the
 * interpreter itself calls all the time: these are not probed there, but the few places in the extension from
 * which they are called (pybind11/cast.h: simple_collector::call, made into the functions that use it).
 */
#define PYTHON(function)                                                                                     \
    .library = TT_LIBRARY_PYTHON, .role = TT_ROLE_METHOD, .detail = TT_DETAIL_METHODS, .name = function,     \
    .cleanup = true, .signature = {function}
#define CALL_METHOD                                                                                          \
    {                                                                                                        \
        {TT_FIELD_PY_METHOD, TT_VALUE_CSTRING, 1}, {TT_FIELD_PY_OBJECT, TT_VALUE_U64, 0},                    \
            {TT_FIELD_PY_TYPE, TT_VALUE_PY_TYPE, 0}, {TT_FIELD_PY_VERSION, TT_VALUE_PY_VERSION, 0},          \
        {                                                                                                    \
            TT_FIELD_PY_RESULT, TT_VALUE_RETURNED_PY, TT_ARGUMENT_RETURNED                                   \
        }                                                                                                    \
    }
#define BOUND                                                                                                \
    {TT_FIELD_PY_CALLABLE, TT_VALUE_U64, 0}, {TT_FIELD_PY_OBJECT, TT_VALUE_PY_SELF, 0},                      \
        {TT_FIELD_PY_FUNCTION, TT_VALUE_PY_FUNCTION, 0}, {TT_FIELD_PY_CODE, TT_VALUE_PY_CODE, 0},            \
    {                                                                                                        \
        TT_FIELD_PY_CODE_39, TT_VALUE_PY_CODE_39, 0                                                          \
    }
#define CALL_FUNCTION                                                                                        \
    {                                                                                                        \
        BOUND,                                                                                               \
        {                                                                                                    \
            TT_FIELD_PY_RESULT, TT_VALUE_RETURNED_PY, TT_ARGUMENT_RETURNED                                   \
        }                                                                                                    \
    }

{
    PYTHON("PyObject_CallMethod"),
    .argument = CALL_METHOD,
},
    {
        PYTHON("PyEval_CallMethod"),
        .argument = CALL_METHOD,
    },
    {
        PYTHON("PyObject_CallFunction"),
        .argument = CALL_FUNCTION,
    },
    {
        PYTHON("PyEval_CallFunction"),
        .argument = CALL_FUNCTION,
    },
    {
        .library = TT_LIBRARY_PYTANGO,
        .role = TT_ROLE_METHOD,
        .detail = TT_DETAIL_METHODS,
        .name = "PyObject_Vectorcall",
        .callers = true,
        .cleanup = true,
        /* the last one where the first is an inline function: src/plan/calls.c */
        .signature = {"PyObject_Vectorcall", "_PyObject_Vectorcall", "PyObject_CallObject",
                      "PyThreadState_Get"},
        .argument = {BOUND},
    },

#undef PYTHON
#undef CALL_METHOD
#undef BOUND
#undef CALL_FUNCTION
