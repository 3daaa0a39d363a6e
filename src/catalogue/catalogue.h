/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * catalogue.h: which functions are probed, what kind of span each becomes and what is captured there.
 * Data only: a new Tango operation is a new row in catalogue/rows_*.c.
 *
 * A row names a function by its demangled signature with every std::string written "std::string"
 * (both ABIs), e.g. "Tango::DeviceProxy::read_attribute(std::string const&)". Several signatures
 * cover what differs between versions; all that a library exports are planned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "tangotrace/event.h"

enum tt_library {
    TT_LIBRARY_TANGO,    /* libtango, or an executable that holds it */
    TT_LIBRARY_OMNIORB,  /* libomniORB4 */
    TT_LIBRARY_CXXABI,   /* whatever exports __cxa_begin_catch: libstdc++, an executable */
    TT_LIBRARY_GREENLET, /* greenlet's extension (gevent) */
    TT_LIBRARY_DYNAMIC,  /* libomniDynamic4, which carries out asynchronous calls */
    TT_LIBRARY_PYTHON,   /* libpython, or an executable that holds it */
    TT_LIBRARY_PYTANGO,  /* PyTango's extension */
    TT_LIBRARIES,
    /* What else is asked of a file, and has no rows: */
    TT_HOLDS_TELEMETRY = TT_LIBRARIES, /* its cppTango was built with native telemetry (Tango 10) */
    TT_HOLDS_CLASSES,                  /* classes derived from cppTango's: device servers, plug-ins */
    TT_HOLDS_PROBES,                   /* functions that the user asks for */
    TT_HOLDS,
};

enum tt_role {
    TT_ROLE_CLIENT,  /* calls: one. The outermost such frame is the CLIENT span of its request */
    TT_ROLE_MANY,    /* calls: many. An INTERNAL span with one CLIENT child per request */
    TT_ROLE_SERVER,  /* the outermost such frame under an upcall is the SERVER span */
    TT_ROLE_REQUEST, /* key of a request just sent (client) */
    TT_ROLE_UPCALL,  /* key of a request about to be served (server) */
    TT_ROLE_CATCH,   /* an exception arrives at its handler */
    TT_ROLE_SWITCH,  /* the thread goes on with another stack */
    TT_ROLE_ASYNCH,  /* sends without waiting: a CLIENT span that ends when the reply arrives */
    TT_ROLE_SUBMIT,  /* hands the call descriptor of an asynchronous call to omniORB's pool; entry only */
    TT_ROLE_WORKER,  /* carries out an asynchronous call on a thread of that pool */
    TT_ROLE_REFUSED, /* a user exception came as the reply of an asynchronous call; entry only */
    TT_ROLE_METHOD,  /* runs under a span: an INTERNAL span of its own, child of the innermost open one */
    TT_ROLE_LOG,     /* emits a log message; entry only */
    TT_ROLE_POLL,    /* the polling thread polls one object: INTERNAL, the root of what that does */
    TT_ROLE_PUSH,    /* sends an event: PRODUCER */
    TT_ROLE_TOPIC,   /* called by that: returns the event's topic; exit only */
    TT_ROLE_COUNTER, /* called by that: knows the event's number; entry only */
    TT_ROLE_RECEIVE, /* an event has arrived, and is given to the callbacks: CONSUMER */
    TT_ROLE_BEAT,    /* a heartbeat of a channel of events is sent, or has arrived; entry only, no span */
    TT_ROLE_LIFE,    /* part of a server's start or stop: INTERNAL */
    TT_ROLE_WAIT,    /* waits for a monitor inside whatever is open on its thread: no span */
    TT_ROLE_BIRTH,  /* makes a device: where Python code asked for it, that device's init_device comes next */
    TT_ROLE_CALLER, /* code that calls a client function: no function of the catalogue, no points */
    TT_ROLE_REPLY,  /* hands the reply of an asynchronous call to its caller: INTERNAL, linked to the call */
};

/* How much of a process is traced; each level has all of those before it. */
enum tt_detail {
    TT_DETAIL_RPC,     /* calls only */
    TT_DETAIL_METHODS, /* user methods, Python callers, polling, events, logs */
    TT_DETAIL_FULL,    /* waits and CPU time */
    TT_DETAILS,
};

extern const char *const tt_detail_names[TT_DETAILS]; /* "rpc", .. */

/* Where a field of an object lies; the offsets are in catalogue/layouts.c, one column per build family. */
enum tt_layout_field {
    TT_LAYOUT_NONE = 0,                /* offset 0 */
    TT_LAYOUT_PROXY_NAME,              /* DeviceProxy -> std::string device_name */
    TT_LAYOUT_IMPL_NAME,               /* DeviceImpl -> std::string device_name */
    TT_LAYOUT_IMPL_CLASS,              /* DeviceImpl -> DeviceClass* */
    TT_LAYOUT_CLASS_NAME,              /* DeviceClass -> std::string name */
    TT_LAYOUT_DEVICE_ATTRIBUTE_NAME,   /* DeviceAttribute -> std::string name */
    TT_LAYOUT_DEVICE_ATTRIBUTE_ERRORS, /* DeviceAttribute -> DevErrorList* */
    TT_LAYOUT_DEVICE_ATTRIBUTE_SIZE,   /* sizeof(DeviceAttribute) */
    TT_LAYOUT_VALUE_NAME,              /* AttributeValue_3.._5 -> char* name */
    TT_LAYOUT_VALUE_ERRORS,            /* AttributeValue_3.._5 -> DevErrorList */
    TT_LAYOUT_VALUE_SIZE,              /* sizeof(AttributeValue_3.._5) */
    TT_LAYOUT_VALUE_1_SIZE,   /* sizeof(AttributeValue): its name lies where that of the later ones does */
    TT_LAYOUT_LOG_MESSAGE,    /* LoggingEvent -> std::string message (the logger's name lies at 0) */
    TT_LAYOUT_LOG_LEVEL,      /* LoggingEvent -> int level */
    TT_LAYOUT_LOG_FILE,       /* LoggingEvent -> std::string file_path */
    TT_LAYOUT_LOG_LINE,       /* LoggingEvent -> int line_number */
    TT_LAYOUT_POLL_USEC,      /* WorkItem -> microseconds of wake_up_date (which lies at 16) */
    TT_LAYOUT_POLL_PERIOD,    /* WorkItem -> update, in ns */
    TT_LAYOUT_POLL_PERIOD_MS, /* WorkItem -> update, in ms */
    TT_LAYOUT_FIELDS,
};

#define TT_LAYOUT_ABSENT (-2) /* the build's objects have no such field: not captured, and no loss */

/* What a captured argument is; the planner turns it into tt_capture entries for the build at hand. */
enum tt_value {
    TT_VALUE_PROXY_NAME,      /* this = DeviceProxy (a Connection is its first base): device name */
    TT_VALUE_CONNECTION_NAME, /* the same where `this` may be a Database: what lies there may be no name */
    TT_VALUE_IMPL_NAME,       /* this = DeviceImpl: device name -> TT_FIELD_DEVICE */
    TT_VALUE_IMPL_CLASS,      /* this = DeviceImpl: class name -> TT_FIELD_CLASS */
    TT_VALUE_CSTRING,         /* char const* */
    TT_VALUE_STRING,          /* std::string by reference */
    TT_VALUE_STRING_VEC,      /* std::vector<std::string> by reference */
    TT_VALUE_STRING_SEQ,      /* CORBA sequence of strings by reference (DevVarStringArray) */
    TT_VALUE_VALUE_SEQ,       /* AttributeValueList(_4) by reference: names */
    TT_VALUE_ATTRIBUTE,       /* DeviceAttribute by reference: name */
    TT_VALUE_ATTRIBUTE_VEC,   /* std::vector<DeviceAttribute> by reference: names */
    TT_VALUE_U32,             /* 32-bit scalar in the register (enum, bool) */
    TT_VALUE_CLNT_IDENT,      /* ClntIdent by reference */
    TT_VALUE_PIPE_DATA,       /* DevPipeData by reference: char* name, its first member */
    TT_VALUE_U64,             /* 64-bit scalar in the register (long, pointer) */
    TT_VALUE_REQUEST,         /* CORBA::Request*: address of its call descriptor */
    TT_VALUE_TASK,            /* this = omni::AsyncRequest: address of its call descriptor */
    TT_VALUE_VALUE_1_SEQ,     /* AttributeValueList (of AttributeValue, before IDL 4) by reference: names */
    TT_VALUE_LOG_MESSAGE,     /* LoggingEvent by reference: what its name says */
    TT_VALUE_LOG_LEVEL,
    TT_VALUE_LOG_FILE,
    TT_VALUE_LOG_LINE,
    TT_VALUE_WORK_DEVICE,     /* WorkItem by reference: device name */
    TT_VALUE_WORK_CLASS,      /* its class */
    TT_VALUE_WORK_ATTRIBUTES, /* names of what is polled */
    TT_VALUE_WORK_COMMAND,    /* the first of them */
    TT_VALUE_WORK_DATE,
    TT_VALUE_WORK_USEC,
    TT_VALUE_WORK_PERIOD,
    TT_VALUE_WORK_PERIOD_MS,
    TT_VALUE_EVENT_COUNTER,  /* this = ZmqCallInfo: its ctr */
    TT_VALUE_U32_AT,         /* 32-bit scalar by reference */
    TT_VALUE_EVENT_SIZE,     /* SuppliedEventData by reference: r_dim of its AttributeValue_5 */
    TT_VALUE_PY_TYPE,        /* Python object: its type */
    TT_VALUE_PY_VERSION,     /* Python object: tp_version_tag of its type */
    TT_VALUE_PY_SELF,        /* bound method: the object */
    TT_VALUE_PY_FUNCTION,    /* bound method: the function */
    TT_VALUE_PY_CODE,        /* bound method: the function's code */
    TT_VALUE_PY_CODE_39,     /* the same in Python 3.9 */
    TT_VALUE_ATTR_NAME,      /* Attr: name, of the attribute's description in the class */
    TT_VALUE_ATTRIBUTE_NAME, /* Attribute or WAttribute by reference: name, of the device's own */
    TT_VALUE_COMMAND_NAME,   /* Tango::Command: name */
    TT_VALUE_CLASS_NAME,     /* DeviceClass: name */
    TT_VALUE_MONITOR_NAME,   /* TangoMonitor: name */
    TT_VALUE_MONITOR_HOLDER, /* TangoMonitor: id of the thread that holds it */
    /* Of the value returned, at exit: */
    TT_VALUE_RETURNED_SEQ,           /* AttributeValueList_N*: failed attributes */
    TT_VALUE_RETURNED_ATTRIBUTE,     /* DeviceAttribute (returned in memory): its errors */
    TT_VALUE_RETURNED_ATTRIBUTE_VEC, /* std::vector<DeviceAttribute>*: failed attributes */
    TT_VALUE_RETURNED_U64,           /* 64-bit scalar */
    TT_VALUE_RETURNED_STRING,        /* std::string (returned in memory) */
    TT_VALUE_RETURNED_PY,            /* PyObject*, or NULL and the type of the exception that is set */
};

#define TT_ARGUMENT_RETURNED 15 /* tt_argument.index: the returned value */

struct tt_argument {
    enum tt_field field;
    enum tt_value value;
    int index; /* 0 = this, 1 = first parameter ..; from the 7th on they lie on the stack;
                  TT_ARGUMENT_RETURNED */
};

/* What the cost of tracing is told of: how many traps one of them takes, both sides together. */
enum tt_usual {
    TT_USUAL_READ,    /* DeviceProxy::read_attribute, one attribute, of a device of IDL 5 or later */
    TT_USUAL_COMMAND, /* Connection::command_inout, of a device of IDL 4 or later */
    TT_USUALS,
};

#define TT_ROW_ARGUMENTS   8
#define TT_PROBE_ARGUMENTS 4 /* TT_FIELD_ARGUMENT_1 and so on */
#define TT_ROW_SIGNATURES  6

/* An argument of a function that the user asked for. */
struct tt_row_argument {
    char name[40]; /* "": none */
    char kind[16];
    bool text; /* captured as a string, else as a number */
};

struct tt_row {
    enum tt_library library;
    enum tt_role role;
    enum tt_detail detail; /* the least level at which it is probed; 0: always */
    const char *name; /* of the span: the qualified function, without arguments; "{class}", "{attribute}" and
                         "{command}" stand for names that are read in each call */
    const char
        *verb; /* of tango.operation.name: "read", "write", "write_read", "command", "ping", .. ("command" is
                  replaced by the command's name, the others are followed by the attribute name or count) */
    const char
        *substitute; /* name of the row that has the span where a build leaves this one uncovered, or NULL */
    bool inner;      /* only its substitute calls it: probed only where a build leaves that one uncovered */
    bool seldom;     /* called at connection time or so: points that have to be single-stepped are allowed */
    /* What it calls through pointers before its first direct call sends nothing, runs no code of others and
     * does not fail: where no instruction before is emulated, its entry is seen behind that. */
    bool late;
    bool cleanup; /* what it calls last only tidies up: it may be taken to end before that */
    bool sret; /* returns an object in memory: the result pointer takes the first register, this the second */
    unsigned char usual[TT_USUALS]; /* how often it is called in one of these */
    bool foreign;   /* runs code of others (callbacks, methods): a stack may switch inside it */
    bool overrides; /* not the function itself, but those of user classes that take its place (found by RTTI)
                     */
    const char *arguments; /* names and kinds of TT_FIELD_ARGUMENT_1 and so on: "energy:int,mode:string" */
    /* The same, read: TT_PROBE_ARGUMENTS of them, or NULL. Set by tt_row_make. */
    const struct tt_row_argument *asked;
    /* Not the function itself, which is another file's, but those that call it, each from its call on. The
     * arguments are those of that call. */
    bool callers;
    const char *signature[TT_ROW_SIGNATURES];      /* demangled, NULL-ended */
    struct tt_argument argument[TT_ROW_ARGUMENTS]; /* ended by field TT_FIELD_NONE */
};

/* Does it call a method that is written in Python? */
static inline bool tt_row_is_python(const struct tt_row *row)
{
    return row->role == TT_ROLE_METHOD &&
           (row->library == TT_LIBRARY_PYTHON || row->library == TT_LIBRARY_PYTANGO);
}

#define TT_DATABASE_CLASS "DataBase" /* of the device sys/database/..; fixed by Tango */

/* Is it a function of cppTango's Database, whose connection has no device's name? */
static inline bool tt_row_is_database(const struct tt_row *row)
{
    static const char class[] = "Tango::Database::";

    return !strncmp(row->name, class, sizeof(class) - 1);
}

/* Is such a value captured of it? */
static inline bool tt_row_captures(const struct tt_row *row, enum tt_value value)
{
    for (size_t i = 0; i < TT_ROW_ARGUMENTS && row->argument[i].field != TT_FIELD_NONE; i++)
        if (row->argument[i].value == value)
            return true;
    return false;
}

/* All rows. The index of a row is tt_point.function. */
extern const struct tt_row tt_rows[];
extern const size_t tt_row_count;
/* Of the span of the code that calls; none of tt_rows. */
extern const struct tt_row tt_caller_row;
/* Of the span of a PyTango device's init_device when the device is made; none of tt_rows. */
extern const struct tt_row tt_init_row;

/* A row of a file's own: like another one, with a name of its own. In one piece of memory (free); NULL when
 * out of it. */
struct tt_row *tt_row_make(const struct tt_row *like, const char *name);
/* The same for a method of which no more is known than this (recordings); `arguments` may be NULL. */
struct tt_row *tt_row_make_method(const char *name, const char *arguments);

/* What is known of the nth argument that the user asked for; NULL: nothing. */
static inline const struct tt_row_argument *tt_row_argument(const struct tt_row *row, unsigned index)
{
    return row->asked && row->asked[index].name[0] ? &row->asked[index] : NULL;
}

/* Offsets of one family of builds, recognised by content, never by version number. */
struct tt_layout {
    const char *name;           /* for people: "cppTango 9.3/9.4, new std::string" */
    bool cow;                   /* old std::string ABI */
    const char *const *present; /* symbols that must be exported, NULL-ended */
    const char *const *absent;  /* symbols that must not be */
    int offset[TT_LAYOUT_FIELDS];
};

extern const struct tt_layout tt_layouts[];
extern const size_t tt_layout_count;

/* omniORB layouts, by the suffix of the soname (".2" = 4.2.x, ".3" = 4.3.x). */
struct tt_omni_layout {
    const char *name;
    const char *soname_suffix; /* of the file name or DT_SONAME: "libomniORB4.so.2" */
    struct tt_giop_layout giop;
};

extern const struct tt_omni_layout tt_omni_layouts[];
extern const size_t tt_omni_layout_count;
