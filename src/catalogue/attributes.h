/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * attributes.h: the attribute table: every key that a span, an event of a span, a log or a resource can
 * carry, with its type, when it is set, its limit, where the name comes from and how stable it is. Data only:
 * enrich/ takes keys, types and limits from here, docs/spans.md is made from it.
 */
#pragma once

#include <stddef.h>

enum tt_attr {
    /* spans: what was done */
    TT_ATTR_OPERATION_NAME,
    TT_ATTR_OPERATION_TARGET,
    TT_ATTR_OPERATION_ARGUMENT,
    TT_ATTR_COMMAND_NAME,
    TT_ATTR_ATTRIBUTE_NAMES,
    TT_ATTR_ATTRIBUTE_COUNT,
    TT_ATTR_SOURCE,
    TT_ATTR_TRIGGER,
    /* who asked */
    TT_ATTR_CLIENT_LOCATION,
    TT_ATTR_CLIENT_PID,
    TT_ATTR_CLIENT_LANG,
    TT_ATTR_THREAD_ID,
    TT_ATTR_THREAD_NAME,
    /* where in the source */
    TT_ATTR_CODE_FUNCTION,
    TT_ATTR_CODE_PATH,
    TT_ATTR_CODE_LINE,
    TT_ATTR_CODE_FILEPATH,
    TT_ATTR_CODE_LINENO,
    TT_ATTR_ARGUMENTS,
    /* the request */
    TT_ATTR_RPC_SYSTEM,
    TT_ATTR_RPC_METHOD,
    TT_ATTR_PEER_SERVICE,
    TT_ATTR_GIOP_REQUEST_ID,
    TT_ATTR_GIOP_VERSION,
    TT_ATTR_GIOP_ONEWAY,
    TT_ATTR_NETWORK_TRANSPORT,
    TT_ATTR_NETWORK_TYPE,
    TT_ATTR_NETWORK_PROTOCOL,
    TT_ATTR_NETWORK_PROTOCOL_VERSION,
    TT_ATTR_NETWORK_PEER_ADDRESS,
    TT_ATTR_NETWORK_PEER_PORT,
    TT_ATTR_NETWORK_LOCAL_ADDRESS,
    TT_ATTR_NETWORK_LOCAL_PORT,
    TT_ATTR_TLS,
    TT_ATTR_SERVER_ADDRESS,
    TT_ATTR_SERVER_PORT,
    TT_ATTR_CLIENT_ADDRESS,
    TT_ATTR_CLIENT_PORT,
    /* where the time went: in the order of enum tt_part */
    TT_ATTR_TIME_MARSHAL,
    TT_ATTR_TIME_REQUEST,
    TT_ATTR_TIME_MONITOR,
    TT_ATTR_TIME_USER_CPU,
    TT_ATTR_TIME_USER_OFF_CPU,
    TT_ATTR_TIME_REPLY,
    TT_ATTR_TIME_REST,
    TT_ATTR_MONITOR_NAME,
    TT_ATTR_MONITOR_HOLDER,
    /* polling, events */
    TT_ATTR_POLLING_PERIOD,
    TT_ATTR_POLLING_LATE,
    TT_ATTR_MESSAGING_SYSTEM,
    TT_ATTR_MESSAGING_TYPE,
    TT_ATTR_MESSAGING_OPERATION,
    TT_ATTR_MESSAGING_DESTINATION,
    TT_ATTR_MESSAGING_ID,
    TT_ATTR_EVENT_TYPE,
    TT_ATTR_EVENT_COUNTER,
    TT_ATTR_EVENT_ERROR,
    TT_ATTR_EVENT_SIZE,
    TT_ATTR_EVENT_SUBSCRIBERS,
    TT_ATTR_EVENT_LATENCY,
    TT_ATTR_EVENT_LOST,
    TT_ATTR_EVENT_AGAIN,
    /* how it ended, how sure we are */
    TT_ATTR_ERROR_TYPE,
    TT_ATTR_CORBA_MINOR,
    TT_ATTR_PARENT_PROOF,
    TT_ATTR_PARENT_REASON,
    TT_ATTR_SPLIT,
    TT_ATTR_INCOMPLETE,
    TT_ATTR_COLLOCATED,
    TT_ATTR_REQUESTS,
    TT_ATTR_RETRY,
    /* event `exception` */
    TT_ATTR_EXCEPTION_TYPE,
    TT_ATTR_EXCEPTION_MESSAGE,
    TT_ATTR_EXCEPTION_REASON,
    TT_ATTR_EXCEPTION_DESC,
    TT_ATTR_EXCEPTION_ORIGIN,
    TT_ATTR_EXCEPTION_SEVERITY,
    TT_ATTR_EXCEPTION_ATTRIBUTE,
    /* log records */
    TT_ATTR_LOG_LOGGER,
    TT_ATTR_LOG_THREAD,
    TT_ATTR_LOG_THREAD_NAME,
    TT_ATTR_LOG_FILE,
    TT_ATTR_LOG_LINE,
    TT_ATTR_LOG_FILE_NATIVE,
    TT_ATTR_LOG_LINE_NATIVE,
    TT_ATTR_LOG_LENGTH,
    TT_ATTR_LOG_INCOMPLETE,
    /* log records of ours */
    TT_ATTR_LOG_OPERATION,
    TT_ATTR_LOG_TARGET,
    TT_ATTR_LOG_CLIENT,
    TT_ATTR_LOG_AGE,
    TT_ATTR_LOG_WAITS_FOR,
    TT_ATTR_LOG_WAIT,
    TT_ATTR_LOG_MONITOR,
    TT_ATTR_LOG_HOLDER,
    TT_ATTR_LOG_HOLDER_OPERATION,
    TT_ATTR_LOG_HOLDER_TARGET,
    TT_ATTR_LOG_HOLDER_CLIENT,
    /* resources */
    TT_ATTR_SERVICE_NAMESPACE,
    TT_ATTR_SERVICE_NAME,
    TT_ATTR_SERVICE_INSTANCE,
    TT_ATTR_SERVER_NAME,
    TT_ATTR_TANGO_PROCESS_ID,
    TT_ATTR_TANGO_PROCESS_KIND,
    TT_ATTR_TANGO_HOST,
    TT_ATTR_HOST_NAME,
    TT_ATTR_HOST_ARCH,
    TT_ATTR_OS_TYPE,
    TT_ATTR_PROCESS_PID,
    TT_ATTR_PROCESS_PARENT,
    TT_ATTR_PROCESS_CREATION,
    TT_ATTR_PROCESS_EXE_NAME,
    TT_ATTR_PROCESS_EXE_PATH,
    TT_ATTR_PROCESS_OWNER,
    TT_ATTR_PROCESS_COMMAND,
    TT_ATTR_PROCESS_COMMAND_ARGS,
    TT_ATTR_PROCESS_RUNTIME,
    TT_ATTR_PROCESS_RUNTIME_VERSION,
    TT_ATTR_PROCESS_RUNTIME_TEXT,
    TT_ATTR_PROCESS_CGROUP,
    TT_ATTR_SDK_NAME,
    TT_ATTR_SDK_LANGUAGE,
    TT_ATTR_SDK_VERSION,
    TT_ATTR_DISTRO_NAME,
    TT_ATTR_DISTRO_VERSION,
    TT_ATTRS,
};

/* The types of OpenTelemetry's attribute values that are used. */
enum tt_attr_type { TT_ATTR_STRING, TT_ATTR_INT, TT_ATTR_BOOL, TT_ATTR_STRING_LIST };

enum tt_attr_level { TT_ATTR_OF_SPAN, TT_ATTR_OF_EVENT, TT_ATTR_OF_RESOURCE, TT_ATTR_OF_LOG };

/* Where the name comes from. */
enum tt_attr_source {
    TT_ATTR_NATIVE,  /* cppTango and PyTango 10 write it themselves */
    TT_ATTR_SEMCONV, /* OpenTelemetry's semantic conventions */
    TT_ATTR_OURS,
};

enum tt_attr_stability {
    TT_ATTR_STABLE,      /* key, type and meaning stay */
    TT_ATTR_DEVELOPMENT, /* may change with a note in the release */
    TT_ATTR_DEPRECATED,  /* its source has deprecated it; written because back ends still read it */
};

#define TT_ATTR_LENGTH 1024 /* bytes of one string value, unless the table says less */
#define TT_ATTR_COUNT  128  /* attributes of one span, event or resource */

struct tt_attr_row {
    const char *key;
    enum tt_attr_type type;
    enum tt_attr_level level;
    enum tt_attr_source source;
    enum tt_attr_stability stability;
    unsigned limit;    /* bytes of one string; 0 = TT_ATTR_LENGTH */
    const char *kinds; /* span kinds that can carry it, for people; "" = all, and for events and resources */
    const char *when;  /* when it is set */
    const char *meaning; /* value */
};

extern const struct tt_attr_row tt_attr_rows[TT_ATTRS];

/* For people: "string", "int", ..; "native", ..; "stable", .. */
const char *tt_attr_type_name(enum tt_attr_type type);
const char *tt_attr_source_name(enum tt_attr_source source);
const char *tt_attr_stability_name(enum tt_attr_stability stability);
