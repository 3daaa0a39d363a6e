/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event.h: the one contract between the BPF programs (bpf/) and user space (src/).
 *
 * User space describes each probe point by a `struct tt_point` in the map `points`; the point's
 * index there is the attach cookie. The BPF program follows that description, and writes one
 * event to the ring buffer: a fixed header and a list of fields. There is one event type per
 * point kind, plus thread life.
 *
 * All types have a fixed width; sizes are asserted on both sides. Nothing here is a pointer of
 * the agent: addresses are those of the traced process.
 */
#pragma once

#ifndef __VMLINUX_H__ /* the BPF side has its own __u8.. from vmlinux/ */
#include <linux/types.h>
#endif

/* ---- points -------------------------------------------------------------------------------- */

#define TT_MAX_POINTS   32768 /* entries of the map `points` */
#define TT_MAX_CAPTURES 6     /* captures of one point */
#define TT_EVENT_MAX    2048  /* bytes of one event, header included */
#define TT_STRING_MAX   256   /* bytes of one captured string; longer ones are cut, and say so */
#define TT_LONG_MAX     1024  /* the same of one long string (the text of a log message) */
#define TT_LIST_MAX     8     /* elements read of a list of strings or attribute errors */
#define TT_SCAN_MAX     32    /* attribute values looked at for errors; beyond: status CUT */
#define TT_ERRORS_MAX   8     /* DevErrors read of one DevFailed */

enum tt_point_kind {
    TT_POINT_NONE = 0,
    TT_POINT_ENTER,      /* a catalogued function was entered */
    TT_POINT_EXIT,       /* it is about to return (or to leave by a tail jump) */
    TT_POINT_CATCH,      /* __cxa_begin_catch: frames at or below the user rsp are dead */
    TT_POINT_REQUEST,    /* omni::GIOP_C::ReceiveReply: key of a request just sent */
    TT_POINT_UPCALL,     /* omniCallHandle::upcall: key of a request about to be served */
    TT_POINT_TEST,       /* the agent's self-test: only counted in `hits` */
    TT_POINT_SWITCH = 8, /* greenlet: the thread is about to go on with another stack. An event for the first
                            time only */
};

/* Registers by their x86-64 encoding. */
enum tt_reg {
    TT_REG_RAX = 0,
    TT_REG_RCX,
    TT_REG_RDX,
    TT_REG_RBX,
    TT_REG_RSP,
    TT_REG_RBP,
    TT_REG_RSI,
    TT_REG_RDI,
    TT_REG_R8,
    TT_REG_R9,
    TT_REG_R10,
    TT_REG_R11,
    TT_REG_R12,
    TT_REG_R13,
    TT_REG_R14,
    TT_REG_R15,
    TT_REG_NONE = 255,
};

/* Condition under which an exit point counts: the x86 condition code (low nibble of the jcc
 * opcode, tested on the saved flags), or always. The planner stores the condition that leads to
 * the exit, so the negated one where the fall-through does. */
#define TT_COND_ALWAYS 16
/* An entry point inside a loop of its function (which tries again after an error): it may fire more than once
 * per call, and its events say so by TT_EVENT_AGAIN. */
#define TT_COND_AGAIN 17
/* An entry point whose function is not followed to its end. */
#define TT_COND_MOMENT 18
/* An entry point of a function in which every exception caught is of interest, not only one that leaves it.
 */
#define TT_COND_WATCH 19

/* How a captured value is read. `address` is computed as told at struct tt_capture. */
enum tt_capture_kind {
    TT_CAPTURE_NONE = 0,
    TT_CAPTURE_VALUE,          /* the computed address itself, as u64 (a scalar argument) */
    TT_CAPTURE_U32,            /* u32 at address */
    TT_CAPTURE_U64,            /* u64 at address */
    TT_CAPTURE_CSTRING,        /* NUL-terminated bytes at address */
    TT_CAPTURE_STRING,         /* std::string, new ABI (char* @0, size @8), at address */
    TT_CAPTURE_STRING_COW,     /* std::string, old ABI (char* @0, size at data-24), at address */
    TT_CAPTURE_STRING_SEQ,     /* CORBA sequence<string> at address (length u32 @4, char** @16) */
    TT_CAPTURE_STRING_VEC,     /* std::vector<std::string>, new ABI (32-byte stride) */
    TT_CAPTURE_STRING_VEC_COW, /* the same, old ABI (8-byte stride) */
    TT_CAPTURE_NAMED_SEQ,      /* CORBA sequence of structs at address: char* at element + aux, stride aux2 */
    TT_CAPTURE_NAMED_VEC,  /* std::vector of objects: std::string (new ABI) at element + aux, stride aux2 */
    TT_CAPTURE_CLNT_IDENT, /* Tango::ClntIdent at address: its field, and TRACE_PARENT and TRACE_STATE where
                              it carries a trace context (IDL 6; bpf/ident.bpf.h has the layout) */
    TT_CAPTURE_ATTR_ERRORS_SEQ, /* CORBA sequence of AttributeValue_N: DevErrorList at element + aux, char*
                                   name at element + aux3, stride aux2; the address holds the sequence */
    TT_CAPTURE_ATTR_ERRORS_VEC, /* std::vector<DeviceAttribute>: DevErrorList* at element + aux, std::string
                                   name at element + aux3, stride aux2 */
    TT_CAPTURE_ATTR_ERRORS_ONE, /* one DeviceAttribute at address: DevErrorList* at + aux */
    TT_CAPTURE_NAMED_VEC_COW,   /* NAMED_VEC and ATTR_ERRORS_VEC with the old std::string */
    TT_CAPTURE_ATTR_ERRORS_VEC_COW,
    TT_CAPTURE_STRING_LONG, /* STRING, of up to TT_LONG_MAX bytes */
    TT_CAPTURE_STRING_LONG_COW,
    TT_CAPTURE_U64_IF,    /* u64 at address; no field where the last pointer on the way is NULL */
    TT_CAPTURE_PY_RESULT, /* VALUE, a PyObject*; where it is NULL, also TT_FIELD_TYPE: the exception that
                             Python has set */
    TT_CAPTURE_KINDS,
};

/*
 * One value to read at a point. address = value of `reg`; then `derefs` times
 * address = *(u64 *)(address + off[i]); then address += off[derefs].
 */
struct tt_capture {
    __u8 field;  /* enum tt_field */
    __u8 kind;   /* enum tt_capture_kind */
    __u8 reg;    /* enum tt_reg */
    __u8 derefs; /* 0 to 2 */
    __s32 off[3];
    __u16 aux, aux2, aux3, pad;
};

/* Layout of omniORB's objects as the key points need it; see src/catalogue/ for where from. */
struct tt_giop_layout {
    __u16 stream_strand;        /* giopStream -> giopStrand* */
    __u16 stream_id;            /* giopStream -> u32 request id */
    __u16 strand_connection;    /* giopStrand -> giopConnection* */
    __u16 strand_version;       /* giopStrand -> u8 major, u8 minor */
    __u16 connection_fd;        /* giopConnection -> int */
    __u16 response_expected;    /* GIOP_S -> u8 */
    __u16 call_descriptor;      /* GIOP_C -> call descriptor* */
    __u16 descriptor_op;        /* call descriptor -> char* operation */
    __u16 descriptor_arguments; /* sizeof(omniCallDescriptor): where a stub's own descriptor has its arguments
                                 */
    __u16 pad[3];
};

struct tt_point {
    __u8 kind;      /* enum tt_point_kind */
    __u8 condition; /* x86 condition code, or TT_COND_* */
    __u8 cfa_reg;   /* enum tt_reg: CFA = value of cfa_reg + cfa_off */
    __u8 captures;  /* used entries of capture[] */
    __s32 cfa_off;
    __u32 function;             /* index of the catalogue row; user space only */
    __u32 file;                 /* the agent's number of the probed file; user space only */
    __u32 flags;                /* TT_POINT_* below */
    __u32 detail;               /* least level of detail of a process at which it counts (enum tt_detail) */
    struct tt_giop_layout giop; /* REQUEST and UPCALL */
    struct tt_capture capture[TT_MAX_CAPTURES];
};

#define TT_POINT_FROM_PYTANGO 1u /* counts only where PyTango's extension called the function */
#define TT_POINT_CALLER       2u /* ENTER: the Python frames that led here are of interest */
/* ENTER: at a call of a Python object, which is the first that is captured; counts only where that is a bound
 * method. EXIT: counts only where its ENTER did. */
#define TT_POINT_CALL 4u

#define TT_PYTHON_FRAMES  12 /* Python frames read at one point */
#define TT_PYTHON_THREADS 64 /* thread states looked at to find the thread's own */
/* Least room for what is read at once: words of a frame lie at 0 to this, the name of a code object so far
 * behind its first line. All are at multiples of their size. */
#define TT_PYTHON_WINDOW 112

/*
 * A Python process, in the map `pythons` by tgid: where PyTango's extension lies, and how the interpreter's
 * structures are read (src/catalogue/python.c). Offsets in bytes.
 */
struct tt_python {
    __u64 extension, extension_end; /* addresses of PyTango's code; 0: not known */
    __u64 interpreters;             /* address of the word that leads to the interpreter; 0: not known */
    __u64 method;                   /* address of the type of bound methods; 0: not known */
    __u16 threads;                  /* interpreter -> thread state*, the first */
    __u16 prev, next, thread;       /* thread state -> thread states*, pthread_t */
    __u16 frame, frame_of_c; /* thread state -> frame*, or -> C frame* -> frame* where c_frame is set */
    __u16 back, code, ip;    /* frame -> frame*, code*, instruction pointer or index */
    __u16 name, line;        /* code -> str* name, int first line */
    __u16 raised; /* thread state -> type* of the exception that is set, or -> exception*; 0: not known */
    __u8 raised_object; /* .. the latter */
    __u8 c_frame;
    __u8 ip_size; /* 8: an address; 4: an index */
};

/* A value of the map `dull`: calls of that bound method are of no interest, and give no events, while its
 * function has that code. */
struct tt_dull {
    __u64 code, code_at; /* the code object, and where the function points to it */
    __u64 until;         /* CLOCK_MONOTONIC ns: afterwards it is to be looked at again */
};

struct tt_dull_key {
    __u64 function, object;
    __u32 tgid, pad;
};

/* Data of TT_FIELD_PY_FRAME; the field's index is the distance from the innermost frame. */
struct tt_python_frame {
    __u64 code; /* address of the code object */
    __u64 ip;   /* see ip_size */
    __u64 name; /* the code's: tells an object that was made at the address of another */
    __u64 line;
};

/* ---- events -------------------------------------------------------------------------------- */

enum tt_event_type {
    TT_EVENT_NONE = 0,
    TT_EVENT_ENTER = TT_POINT_ENTER,
    TT_EVENT_EXIT = TT_POINT_EXIT,
    TT_EVENT_CATCH = TT_POINT_CATCH,
    TT_EVENT_REQUEST = TT_POINT_REQUEST,
    TT_EVENT_UPCALL = TT_POINT_UPCALL,
    TT_EVENT_THREAD_EXIT = 7, /* the thread ended; no frame, no point */
    TT_EVENT_SWITCH = TT_POINT_SWITCH,
    TT_EVENT_PROCESS = 15, /* a thread of a process of which user space has said nothing yet, or nothing since
                              it became another program; before its first event, without frame or point, and
                              no part of its sequence */
    TT_EVENT_TYPES,
};

struct tt_event {
    __u64 time; /* CLOCK_MONOTONIC, ns (bpf_ktime_get_ns) */
    __u32 tgid; /* process and thread ids of the initial pid namespace */
    __u32 tid;
    __u32 sequence;     /* of this thread, from 1; a gap is a lost event */
    __u32 thread_start; /* start of the thread, ms since boot: tells reused thread ids apart */
    __u16 type;         /* enum tt_event_type */
    __u16 size;         /* bytes of the event, fields included */
    __u32 point;        /* index into `points` */
    __u64 frame;        /* stack address of the return address: CFA - 8, rsp at function entry */
    __u64 sp;           /* user rsp at the point */
    __u16 fields;       /* number of fields that follow */
    __u16 flags;        /* TT_EVENT_* below */
    __u32 pad;
};

#define TT_EVENT_FULL 1u /* fields were left out: the event reached TT_EVENT_MAX */
#define TT_EVENT_AGAIN                                                                                       \
    2u                    /* ENTER: may be a further round of a call that is known already (TT_COND_AGAIN)   \
                           */
#define TT_EVENT_NAMED 4u /* carries TT_FIELD_THREAD */

#define TT_THREAD_NAME       16   /* bytes of the kernel's name of a thread (TASK_COMM_LEN) */
#define TT_THREAD_NAME_AGAIN 1024 /* every so many events it is told again */

enum tt_field {
    TT_FIELD_NONE = 0,
    TT_FIELD_DEVICE,      /* string: device name */
    TT_FIELD_CLASS,       /* string: device class */
    TT_FIELD_COMMAND,     /* string: command name */
    TT_FIELD_ATTRIBUTE,   /* string(s): attribute names; index = position */
    TT_FIELD_COUNT,       /* u64: length of the list of which TT_FIELD_ATTRIBUTE are the first */
    TT_FIELD_SOURCE,      /* u64: Tango::DevSource (low 32 bits) */
    TT_FIELD_CLIENT,      /* struct tt_client_ident */
    TT_FIELD_KEY,         /* struct tt_key */
    TT_FIELD_OPERATION,   /* string: GIOP operation */
    TT_FIELD_EXCEPTION,   /* struct tt_exception */
    TT_FIELD_TYPE,        /* string: name of the exception's type, mangled, or as Python has it */
    TT_FIELD_REASON,      /* string: DevError.reason; index = position in the error stack, aux = severity */
    TT_FIELD_DESC,        /* string: DevError.desc */
    TT_FIELD_ORIGIN,      /* string: DevError.origin */
    TT_FIELD_FAILED,      /* u64: number of attributes that failed in a reply */
    TT_FIELD_FAILED_NAME, /* string: name of a failed attribute; index = its number among the failed ones; its
                             REASON, DESC, ORIGIN follow with the same index */
    TT_FIELD_TEXT,        /* string: any further text argument (device name given to a constructor, ..) */
    TT_FIELD_TRACE_PARENT, /* string: W3C traceparent that native telemetry sent with the request, as it is.
                              ENTER of a server's method: of the request served; REQUEST: of the request sent
                            */
    TT_FIELD_TRACE_STATE,  /* string: its tracestate; only if not empty */
    TT_FIELD_DESCRIPTOR,   /* u64: address of the omniORB call descriptor of an asynchronous call */
    TT_FIELD_ASYNCH_ID,    /* u64: cppTango's number of an asynchronous call */
    TT_FIELD_PROCESS,      /* struct tt_process_facts */
    TT_FIELD_EXE,          /* string: name of its executable file, without folder */
    TT_FIELD_COMMAND_LINE, /* bytes of the command line, words ended by NUL; pieces in the order of index */
    TT_FIELD_LOGGER,       /* string: name of the logger (that of the device) */
    TT_FIELD_LEVEL,        /* u64: level of a log message (log4tango::Level) */
    TT_FIELD_FILE,         /* string: source file of a log message */
    TT_FIELD_LINE,         /* u64: line in it */
    TT_FIELD_MESSAGE,      /* long string: the log message */
    TT_FIELD_PLANNED,      /* u64: when polling was due: CLOCK_MONOTONIC ns, or with the next one seconds */
    TT_FIELD_PLANNED_USEC, /* u64: .. of unix time less 1002000000 s (cppTango 9.3), microseconds */
    TT_FIELD_PERIOD,       /* u64: polling period in ns */
    TT_FIELD_PERIOD_MS,    /* u64: the same in ms */
    TT_FIELD_EVENT_TYPE,   /* string: kind of event ("change"), with the IDL version before it */
    TT_FIELD_EVENT_ERROR,  /* u64: not 0: the event carries an error */
    TT_FIELD_TOPIC,        /* string: full name of the event, as it is sent */
    TT_FIELD_COUNTER,      /* u64: number of the event in its topic */
    TT_FIELD_PY_METHOD,    /* string: name of the method that is called on PY_OBJECT */
    TT_FIELD_PY_OBJECT,    /* u64: address of the object whose method is called */
    TT_FIELD_PY_TYPE,      /* u64: of its type */
    TT_FIELD_PY_VERSION,   /* u64: tp_version_tag of its type */
    TT_FIELD_PY_CALLABLE,  /* u64: address of what is called .. */
    TT_FIELD_PY_FUNCTION,  /* u64: .. which is a method: its function .. */
    TT_FIELD_PY_CODE,      /* u64: .. and its code object, from Python 3.10 on .. */
    TT_FIELD_PY_CODE_39,   /* u64: .. or in 3.9 */
    TT_FIELD_PY_RESULT,    /* u64: address of the result; 0: an exception was raised */
    TT_FIELD_PY_FRAME,     /* struct tt_python_frame: a frame that led here; index 0 is the innermost */
    TT_FIELD_HOLDER,       /* u64: thread that holds what is waited for, in its own pid namespace */
    TT_FIELD_OFF_CPU,      /* u64: how long the thread was not on a CPU inside of known functions, ns; grows.
                              The first field, at TT_CLOCK_DETAIL */
    TT_FIELD_ARGUMENT_1,   /* u64 or string: an argument that the user asked for */
    TT_FIELD_ARGUMENT_2,
    TT_FIELD_ARGUMENT_3,
    TT_FIELD_ARGUMENT_4,
    TT_FIELD_DIMENSIONS, /* u64: Tango::AttributeDim of the value that an event carries: dim_x, and dim_y
                            above it */
    TT_FIELD_THREAD,     /* TT_THREAD_NAME bytes, NUL-filled: the thread's name from now on */
    TT_FIELDS,
};

enum tt_status {
    TT_STATUS_OK = 0,
    TT_STATUS_CUT,   /* longer than the limit: the first part is there */
    TT_STATUS_FAULT, /* memory could not be read: no data */
    TT_STATUS_BAD,   /* read, but implausible (length, pointer): no data */
};

struct tt_field_header {
    __u8 field;  /* enum tt_field */
    __u8 status; /* enum tt_status */
    __u8 index;  /* position in a list */
    __u8 aux;
    __u16 size; /* bytes of data that follow (strings: without NUL); padded to a multiple of 8 */
    __u16 full; /* strings: original length, saturated at 65535, 0 if unknown */
};

struct tt_client_ident {
    __u32 language; /* discriminator of Tango::ClntIdent: 0 CPP, 1 JAVA, 2 CPP_6, 3 JAVA_6 */
    __u32 pid;      /* languages 0 and 2: in the client's own pid namespace */
};

/* Kernel identity of a connection as one end sees it. Unknown = 0. */
struct tt_connection {
    __u16 family;     /* 1 unix, 2 IPv4, 10 IPv6 (v4-mapped addresses arrive as family 2) */
    __u16 local_port; /* host order */
    __u16 remote_port;
    __u16 pad;
    __u64 netns;     /* cookie of the network namespace */
    __u64 local[2];  /* address bytes (IPv4: first 4); unix: kernel socket, inode */
    __u64 remote[2]; /* the same of the peer */
};

/* omniORB's class of a connection. */
enum tt_carrier {
    TT_CARRIER_UNKNOWN = 0, /* not read, or a transport we do not know */
    TT_CARRIER_TCP,
    TT_CARRIER_UNIX,
    TT_CARRIER_SSL, /* TLS over TCP: libomnisslTP4 */
    TT_CARRIERS,
};

struct tt_key {
    struct tt_connection connection;
    __u32 request_id;
    __s32 fd; /* of the process; -1 unknown */
    __u8 giop_major, giop_minor;
    __u8 response_expected; /* 0 = one-way */
    __u8 carrier;           /* enum tt_carrier */
    __u8 pad[4];
    __u64 descriptor; /* REQUEST: address of the omniORB call descriptor */
};

struct tt_exception {
    __u64 exception_class; /* of the _Unwind_Exception: "GNUCC++\0" or "GNUCC++\1" */
    __u64 object;          /* address of the exception object: the same when rethrown */
    __u64 type_name;       /* address of the mangled type name */
    __u32 minor;           /* CORBA::SystemException: minor code */
    __u32 errors;          /* DevFailed: length of the error stack */
};

struct tt_process_facts {
    __u64 start; /* of its first thread, ns since boot, with the time spent suspended */
    __u32 parent, uid;
    __u64 executed; /* when it became this program, CLOCK_MONOTONIC ns; 0: before the probes were there */
};

/* ---- filter, counters ---------------------------------------------------------------------- */

enum tt_target_state {
    TT_TARGET_UNKNOWN = 0, /* not in the map: traced until user space has decided */
    TT_TARGET_SELECTED,
    TT_TARGET_IGNORED,
    TT_TARGET_SWITCHING, /* selected, and its stacks switch (greenlet): every exception is reported */
};

/* A value of the map `targets`. */
struct tt_target {
    __u32 value; /* TT_TARGET(): the state, and the level of detail of the process */
    __u32 pad;
    __u64 hits;  /* of probes in the process, filtered ones, too: what it pays for */
    __u64 since; /* what user space says of it was so at that time, CLOCK_MONOTONIC ns */
};

#define TT_TARGET(state, detail) ((__u32)(state) | (__u32)(detail) << 8)
#define TT_TARGET_STATE(value)   ((value)&0xff)
#define TT_TARGET_DETAIL(value)  ((value) >> 8)
/* The level from which on callers in Python are looked for (TT_DETAIL_METHODS). */
#define TT_CALLER_DETAIL 1
/* The level at which time on and off the CPU is told apart (TT_DETAIL_FULL). */
#define TT_CLOCK_DETAIL 2

/* Per-CPU array `counters`. */
enum tt_counter {
    TT_COUNTER_EVENTS,       /* + enum tt_event_type: events written */
    TT_COUNTER_DROPS = 16,   /* + enum tt_event_type: events lost because the ring buffer was full */
    TT_COUNTER_IGNORED = 32, /* hits of processes that are not selected */
    TT_COUNTER_CONDITION,    /* exit points passed on the other edge */
    TT_COUNTER_INSIDE,       /* exceptions caught inside all frames: no event */
    TT_COUNTER_NO_THREAD,    /* no per-thread storage: event lost */
    TT_COUNTER_NO_POINT,     /* cookie without description: event lost */
    TT_COUNTER_FAULTS,       /* fields with TT_STATUS_FAULT */
    TT_COUNTER_CUTS,         /* fields with TT_STATUS_CUT */
    TT_COUNTER_BAD,          /* fields with TT_STATUS_BAD */
    TT_COUNTER_FULL,         /* events with TT_EVENT_FULL */
    TT_COUNTER_DETAIL,       /* hits of points above the level of detail of their process */
    TT_COUNTER_ELSEWHERE,    /* hits of TT_POINT_FROM_PYTANGO and TT_POINT_CALL that did not count */
    TT_COUNTER_PY_THREAD,    /* Python threads whose thread state was not found: no frames */
    TT_COUNTERS = 48,
};

_Static_assert(sizeof(struct tt_capture) == 24, "contract");
_Static_assert(sizeof(struct tt_giop_layout) == 24, "contract");
_Static_assert(sizeof(struct tt_point) == 48 + 24 * TT_MAX_CAPTURES, "contract");
_Static_assert(sizeof(struct tt_python) == 64, "contract");
_Static_assert(sizeof(struct tt_python_frame) == 32, "contract");
_Static_assert(sizeof(struct tt_event) == 56, "contract");
_Static_assert(sizeof(struct tt_field_header) == 8, "contract");
_Static_assert(sizeof(struct tt_connection) == 48, "contract");
_Static_assert(sizeof(struct tt_key) == 72, "contract");
_Static_assert(sizeof(struct tt_exception) == 32, "contract");
_Static_assert(sizeof(struct tt_process_facts) == 24, "contract");
