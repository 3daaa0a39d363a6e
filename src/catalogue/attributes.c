/* SPDX-License-Identifier: GPL-2.0-only */
#include "catalogue/attributes.h"

#define ANY    ""
#define RPC    "CLIENT, SERVER"
#define CLIENT "CLIENT"
#define SERVER "SERVER"
#define EVENTS "PRODUCER, CONSUMER"
/* Of records that tangotrace writes itself. */
#define OF_CALL "`tango.call.open`, `tango.monitor.wait`"
#define OF_WAIT "a wait for a monitor"

#define SPAN(_key, _type, _source, _stability, _kinds, _when, _meaning, ...)                                 \
    {                                                                                                        \
        .key = _key, .type = TT_ATTR_##_type, .level = TT_ATTR_OF_SPAN, .source = TT_ATTR_##_source,         \
        .stability = TT_ATTR_##_stability, .kinds = _kinds, .when = _when, .meaning = _meaning,              \
        ##__VA_ARGS__                                                                                        \
    }
#define EVENT(_key, _type, _source, _stability, _when, _meaning, ...)                                        \
    {                                                                                                        \
        .key = _key, .type = TT_ATTR_##_type, .level = TT_ATTR_OF_EVENT, .source = TT_ATTR_##_source,        \
        .stability = TT_ATTR_##_stability, .kinds = ANY, .when = _when, .meaning = _meaning, ##__VA_ARGS__   \
    }
#define RESOURCE(_key, _type, _source, _stability, _when, _meaning, ...)                                     \
    {                                                                                                        \
        .key = _key, .type = TT_ATTR_##_type, .level = TT_ATTR_OF_RESOURCE, .source = TT_ATTR_##_source,     \
        .stability = TT_ATTR_##_stability, .kinds = ANY, .when = _when, .meaning = _meaning, ##__VA_ARGS__   \
    }

#define LOG(_key, _type, _source, _stability, _when, _meaning, ...)                                          \
    {                                                                                                        \
        .key = _key, .type = TT_ATTR_##_type, .level = TT_ATTR_OF_LOG, .source = TT_ATTR_##_source,          \
        .stability = TT_ATTR_##_stability, .kinds = ANY, .when = _when, .meaning = _meaning, ##__VA_ARGS__   \
    }

#define TIME(_key, _kinds, _meaning)                                                                         \
    SPAN("tango.time." _key, INT, OURS, DEVELOPMENT, _kinds, "at `full`, and not 0", _meaning)

const struct tt_attr_row tt_attr_rows[TT_ATTRS] = {
    [TT_ATTR_OPERATION_NAME] = SPAN(
        "tango.operation.name", STRING, OURS, STABLE, ANY, "always",
        "what was done, for people and for labels: the command's name, `read ExposureTime`, `read 12 attributes`, "
        "`ping`; the GIOP operation where nothing better is known"),
    [TT_ATTR_OPERATION_TARGET] = SPAN("tango.operation.target", STRING, NATIVE, STABLE, ANY,
                                      "the device is known",
                                      "name of the device that is asked (CLIENT) or that answers (SERVER)"),
    [TT_ATTR_OPERATION_ARGUMENT] = SPAN(
        "tango.operation.argument", STRING, NATIVE, STABLE, ANY,
        "a command, or exactly one attribute; construction of a proxy",
        "name of the command or attribute; the device name as given to the constructor. Never a value"),
    [TT_ATTR_COMMAND_NAME] = SPAN("tango.command.name", STRING, OURS, STABLE, ANY, "a command", "its name"),
    [TT_ATTR_ATTRIBUTE_NAMES] = SPAN(
        "tango.attribute.names", STRING_LIST, OURS, STABLE, ANY,
        "attributes are read or written, or an event is of one",
        "their names, at most the first 8; `tango.attribute.count` tells how many. Of an event received (CONSUMER) "
        "in small letters, as its topic has it"),
    [TT_ATTR_ATTRIBUTE_COUNT] = SPAN("tango.attribute.count", INT, OURS, STABLE, ANY,
                                     "attributes are read or written, or an event is of one",
                                     "number of attributes in the call"),
    [TT_ATTR_SOURCE] = SPAN("tango.source", STRING, OURS, STABLE, ANY, "the call says where to read from",
                            "`DEV`, `CACHE` or `CACHE_DEV`"),
    [TT_ATTR_TRIGGER] = SPAN("tango.trigger", STRING, OURS, DEVELOPMENT, ANY, "it is known",
                             "what set it off: `client`, `polling`, `event`, `startup`, `shutdown`"),

    [TT_ATTR_CLIENT_LOCATION] = SPAN(
        "tango.client_ident.location", STRING, NATIVE, STABLE, SERVER,
        "the connection is known, or the call is collocated",
        "the client's end as omniORB writes it: `giop:tcp:127.0.0.1:53610`, `giop:ssl:127.0.0.1:53612`, "
        "`giop:unix:`, `collocated client`"),
    [TT_ATTR_CLIENT_PID] = SPAN(
        "tango.client_ident.pid", INT, NATIVE, STABLE, SERVER,
        "the request carries a C++ client's identity (reads, writes and commands of IDL 4 and later)",
        "process id the client says it has, in its own pid namespace"),
    [TT_ATTR_CLIENT_LANG] = SPAN("tango.client_ident.lang", STRING, NATIVE, STABLE, SERVER,
                                 "the request carries the client's identity", "`CPP` (Python too) or `JAVA`"),
    [TT_ATTR_THREAD_ID] = SPAN(
        "thread.id", INT, NATIVE, STABLE, ANY, "always",
        "kernel's id of the thread, as `top -H` shows it. Native writes the address of the pthread, as a string"),
    [TT_ATTR_THREAD_NAME] = SPAN(
        "thread.name", STRING, NATIVE, STABLE, ANY, "the thread has a name",
        "the kernel's name of the thread when the span began, at most 15 bytes, as `top -H` shows it: that of the "
        "program where nobody gave another one. Native, which has it for Python only, writes Python's own: "
        "`MainThread`, `Dummy-6`; Python before 3.14 does not tell these to the kernel"),
    [TT_ATTR_CODE_FUNCTION] = SPAN(
        "code.function.name", STRING, SEMCONV, STABLE, ANY, "Python code whose place is known",
        "qualified name of the function: of the method that runs; in calls, of the caller outside PyTango"),
    [TT_ATTR_CODE_PATH] = SPAN("code.file.path", STRING, SEMCONV, STABLE, ANY, "as `code.function.name`",
                               "its file, as Python was given it"),
    [TT_ATTR_CODE_LINE] = SPAN(
        "code.line.number", INT, SEMCONV, STABLE, ANY, "the line is known",
        "methods: where the function begins, decorators included; calls: the line that calls"),
    [TT_ATTR_CODE_FILEPATH] = SPAN("code.filepath", STRING, NATIVE, DEPRECATED, ANY,
                                   "as `code.function.name`", "as `code.file.path`"),
    [TT_ATTR_CODE_LINENO] = SPAN("code.lineno", INT, NATIVE, DEPRECATED, ANY, "the line is known",
                                 "as `code.line.number`"),
    [TT_ATTR_ARGUMENTS] = SPAN("tangotrace.arguments", STRING_LIST, OURS, DEVELOPMENT, ANY,
                               "a function that `probes` names, with `arguments`",
                               "what `probes` asks for, as `name=value`; no other argument is read"),

    [TT_ATTR_RPC_SYSTEM] = SPAN("rpc.system.name", STRING, SEMCONV, STABLE, RPC, "not collocated", "`tango`"),
    [TT_ATTR_RPC_METHOD] = SPAN(
        "rpc.method", STRING, SEMCONV, STABLE, RPC, "not collocated",
        "`Tango/` and the GIOP operation (`Tango/read_attributes_5`, `Tango/_get_state`); where no request was seen, "
        "class and function instead (`DeviceProxy/read_attribute`)"),
    [TT_ATTR_PEER_SERVICE] = SPAN(
        "peer.service", STRING, SEMCONV, DEPRECATED, CLIENT,
        "the device class that answered is known from its own side of the call, or it is the database",
        "class of the device that answered. Deprecated by OpenTelemetry, and what Tempo's service graph reads"),
    [TT_ATTR_GIOP_REQUEST_ID] = SPAN("giop.request_id", INT, OURS, STABLE, RPC, "a request was seen",
                                     "request id on its connection, the same on both sides"),
    [TT_ATTR_GIOP_VERSION] = SPAN("giop.version", STRING, OURS, STABLE, RPC, "a request was seen",
                                  "`1.0` or `1.2`"),
    [TT_ATTR_GIOP_ONEWAY] = SPAN("giop.oneway", BOOL, OURS, STABLE, SERVER, "the client wants no answer",
                                 "`true`"),
    [TT_ATTR_NETWORK_TRANSPORT] = SPAN("network.transport", STRING, SEMCONV, STABLE, RPC,
                                       "the connection is known", "`tcp` or `unix`"),
    [TT_ATTR_NETWORK_TYPE] = SPAN("network.type", STRING, SEMCONV, STABLE, RPC, "`tcp`",
                                  "`ipv4` (IPv4-mapped addresses too) or `ipv6`"),
    [TT_ATTR_NETWORK_PROTOCOL] = SPAN("network.protocol.name", STRING, SEMCONV, STABLE, RPC,
                                      "a request was seen", "`giop`"),
    [TT_ATTR_NETWORK_PROTOCOL_VERSION] = SPAN("network.protocol.version", STRING, SEMCONV, STABLE, RPC,
                                              "a request was seen", "as `giop.version`"),
    [TT_ATTR_NETWORK_PEER_ADDRESS] = SPAN("network.peer.address", STRING, SEMCONV, STABLE, RPC, "`tcp`",
                                          "address of the other end"),
    [TT_ATTR_NETWORK_PEER_PORT] = SPAN("network.peer.port", INT, SEMCONV, STABLE, RPC, "`tcp`",
                                       "port of the other end"),
    [TT_ATTR_NETWORK_LOCAL_ADDRESS] = SPAN("network.local.address", STRING, SEMCONV, STABLE, RPC, "`tcp`",
                                           "address of this end"),
    [TT_ATTR_NETWORK_LOCAL_PORT] = SPAN("network.local.port", INT, SEMCONV, STABLE, RPC, "`tcp`",
                                        "port of this end"),
    [TT_ATTR_TLS] = SPAN("tls.established", BOOL, SEMCONV, DEVELOPMENT, RPC,
                         "the connection is omniORB's over TLS (`giop:ssl`)", "`true`"),
    [TT_ATTR_SERVER_ADDRESS] = SPAN("server.address", STRING, SEMCONV, STABLE, CLIENT, "`tcp`",
                                    "address of the server"),
    [TT_ATTR_SERVER_PORT] = SPAN("server.port", INT, SEMCONV, STABLE, CLIENT, "`tcp`", "port of the server"),
    [TT_ATTR_CLIENT_ADDRESS] = SPAN("client.address", STRING, SEMCONV, STABLE, SERVER, "`tcp`",
                                    "address of the client"),
    [TT_ATTR_CLIENT_PORT] = SPAN("client.port", INT, SEMCONV, STABLE, SERVER, "`tcp`", "port of the client"),

    [TT_ATTR_TIME_MARSHAL] = TIME(
        "marshal_ns", RPC,
        "CLIENT: from its start to the sending of the request, which is marshalling, and connecting where that is "
        "needed; and in the server from the arrival of the request to its function"),
    [TT_ATTR_TIME_REQUEST] = TIME(
        "request_ns", CLIENT, "the request on the wire: from the client's sending to the server's upcall"),
    [TT_ATTR_TIME_MONITOR] = TIME("monitor_ns", RPC, "waits for the serialization monitor, in the server"),
    [TT_ATTR_TIME_USER_CPU] = TIME("user_cpu_ns", RPC, "the device's own methods, on a CPU"),
    [TT_ATTR_TIME_USER_OFF_CPU] = TIME(
        "user_off_cpu_ns", RPC,
        "the device's own methods, not on a CPU: asleep, waiting for others, or for a CPU"),
    [TT_ATTR_TIME_REPLY] = TIME(
        "reply_ns", CLIENT,
        "from the end of the server's function to the client's: marshalling of the reply, the wire, unmarshalling"),
    [TT_ATTR_TIME_REST] = SPAN(
        "tango.time.rest_ns", INT, OURS, DEVELOPMENT, RPC, "at `full`",
        "the rest: cppTango in the server, and methods for which there is no span; CLIENT whose server is not traced: "
        "all that comes after the sending"),
    [TT_ATTR_MONITOR_NAME] = SPAN("tango.monitor.name", STRING, OURS, DEVELOPMENT, ANY,
                                  "it waited for a monitor that another thread held, at `full`",
                                  "name of the first such monitor: of its device, class or process"),
    [TT_ATTR_MONITOR_HOLDER] = SPAN(
        "tango.monitor.holder.thread_id", INT, OURS, DEVELOPMENT, ANY, "as `tango.monitor.name`",
        "the thread that held it, as that is called in the process's own pid namespace; a link leads to the span that "
        "was open there"),

    [TT_ATTR_POLLING_PERIOD] = SPAN("tango.polling.period_ms", INT, OURS, STABLE, "INTERNAL",
                                    "an object is polled", "polling period"),
    [TT_ATTR_POLLING_LATE] = SPAN(
        "tango.polling.late_us", INT, OURS, STABLE, "INTERNAL", "an object is polled",
        "how much later than planned; negative: earlier (cppTango polls what is due within 20 ms together)"),
    [TT_ATTR_MESSAGING_SYSTEM] = SPAN("messaging.system", STRING, SEMCONV, DEVELOPMENT, EVENTS, "always",
                                      "`tango`"),
    [TT_ATTR_MESSAGING_TYPE] = SPAN("messaging.operation.type", STRING, SEMCONV, DEVELOPMENT, EVENTS,
                                    "always", "`send` or `process`"),
    [TT_ATTR_MESSAGING_OPERATION] = SPAN("messaging.operation.name", STRING, SEMCONV, DEVELOPMENT, EVENTS,
                                         "always", "`push` or `receive`"),
    [TT_ATTR_MESSAGING_DESTINATION] = SPAN(
        "messaging.destination.name", STRING, SEMCONV, DEVELOPMENT, EVENTS, "it could be read",
        "topic, as it is on the wire: `tango://host:10000/sys/tg_test/1/ampli.idl5_change`"),
    [TT_ATTR_MESSAGING_ID] = SPAN("messaging.message.id", STRING, SEMCONV, DEVELOPMENT, EVENTS,
                                  "it could be read", "as `tango.event.counter`"),
    [TT_ATTR_EVENT_TYPE] = SPAN("tango.event.type", STRING, OURS, STABLE, EVENTS, "it is known",
                                "`change`, `periodic`, `archive`, `user_event`, `attr_conf`, .."),
    [TT_ATTR_EVENT_COUNTER] = SPAN("tango.event.counter", INT, OURS, STABLE, EVENTS, "it could be read",
                                   "number of the event in its topic"),
    [TT_ATTR_EVENT_ERROR] = SPAN("tango.event.error", BOOL, OURS, STABLE, EVENTS,
                                 "the event carries an error instead of a value", "`true`"),
    [TT_ATTR_EVENT_SIZE] = SPAN(
        "tango.event.size", INT, OURS, STABLE, "PRODUCER", "it carries the value of an attribute, by IDL 5",
        "number of elements of the value that is read: 1 for a scalar, x times y for an image"),
    [TT_ATTR_EVENT_SUBSCRIBERS] = SPAN(
        "tango.event.subscribers", INT, OURS, STABLE, "PRODUCER", "at least one is known",
        "processes seen to receive events of the topic before: those that are traced here. "
        "cppTango itself does not count its subscribers"),
    [TT_ATTR_EVENT_LATENCY] = SPAN("tango.event.latency_us", INT, OURS, STABLE, "CONSUMER",
                                   "its sending was seen", "from sending to the receiver's function"),
    [TT_ATTR_EVENT_LOST] = SPAN("tango.event.lost", INT, OURS, STABLE, "CONSUMER",
                                "numbers are missing since the last one that this process received",
                                "how many events the process has missed before this one"),
    [TT_ATTR_EVENT_AGAIN] = SPAN(
        "tango.event.again", BOOL, OURS, STABLE, "CONSUMER", "the process has received the event already",
        "`true`: cppTango sends one twice after a subscription, and gives it to no callback the second time"),

    [TT_ATTR_ERROR_TYPE] = SPAN(
        "error.type", STRING, SEMCONV, STABLE, ANY, "status is Error",
        "reason of the first DevError (`API_AttrNotFound`), else type of the exception (`std::runtime_error`, "
        "`ValueError`), `_OTHER` where neither is known",
        .limit = 256),
    [TT_ATTR_CORBA_MINOR] = SPAN("corba.exception.minor", INT, OURS, STABLE, ANY,
                                 "a CORBA system exception with one",
                                 "its minor code; the status names the common ones"),
    [TT_ATTR_PARENT_PROOF] = SPAN(
        "tangotrace.parent.proof", STRING, OURS, STABLE, ANY, "always",
        "how the parent is known: `nesting` (same thread, enclosing call), `request` (same connection and request "
        "id), `native` (the caller's native telemetry sent its span with the request), `event` (same topic and "
        "number), `process` (a later part of a server's start or end, on the same thread), `none` (no parent)"),
    [TT_ATTR_PARENT_REASON] = SPAN(
        "tangotrace.parent.reason", STRING, OURS, DEVELOPMENT, ANY,
        "no parent, although there is or may be one",
        "`client_unseen` (SERVER: the caller is not traced here), `publisher_unseen` (CONSUMER: the same of the "
        "sender, or several fit), `trace_split` (see `tangotrace.split`), "
        "`stack_switched` (nesting proves nothing: "
        "the stack was switched, or a frame was lost), `other_thread` (a thread of Python's or gevent's pool makes "
        "the call for another one, as in PyTango's green modes: nothing on its stack tells for which)"),
    [TT_ATTR_SPLIT] = SPAN("tangotrace.split", STRING, OURS, STABLE, ANY,
                           "a new trace began here because the one before reached a cap (age, depth, spans)",
                           "trace id and span id of what would have been the parent, in hex, joined by `-`"),
    [TT_ATTR_INCOMPLETE] = SPAN(
        "tangotrace.incomplete", STRING_LIST, OURS, STABLE, ANY, "something is uncertain",
        "`end_unknown` (the end was not seen: the time is a bound, and no success is claimed), `start_unknown`, "
        "`events_lost`, `field_unreadable`, `field_cut`, `parent_unproven`, `process_unknown` (it ended before it could be looked at)"),
    [TT_ATTR_COLLOCATED] = SPAN("tangotrace.collocated", BOOL, OURS, STABLE, ANY,
                                "client and device live in one process: there is no request on the wire",
                                "`true`"),
    [TT_ATTR_REQUESTS] = SPAN("tangotrace.requests", INT, OURS, DEVELOPMENT, "CLIENT, INTERNAL",
                              "the call sent more than one request itself", "how many"),
    [TT_ATTR_RETRY] = SPAN(
        "tangotrace.retry", INT, OURS, DEVELOPMENT, "CLIENT",
        "the parent's call was sent before: the connection was lost, or the ORB tried again",
        "how often before"),

    [TT_ATTR_EXCEPTION_TYPE] = EVENT("exception.type", STRING, NATIVE, STABLE, "it is known",
                                     "C++ type, `Tango::DevFailed` also for attributes that failed"),
    [TT_ATTR_EXCEPTION_MESSAGE] = EVENT("exception.message", STRING, NATIVE, STABLE, "a DevError",
                                        "`REASON:..;DESC:..;ORIGIN:..`, what is not known left out"),
    [TT_ATTR_EXCEPTION_REASON] = EVENT("tango.error.reason", STRING, OURS, STABLE, "a DevError", "reason"),
    [TT_ATTR_EXCEPTION_DESC] = EVENT("tango.error.desc", STRING, OURS, STABLE, "a DevError", "description"),
    [TT_ATTR_EXCEPTION_ORIGIN] = EVENT("tango.error.origin", STRING, OURS, STABLE, "a DevError", "origin"),
    [TT_ATTR_EXCEPTION_SEVERITY] = EVENT("tango.error.severity", STRING, OURS, STABLE, "a DevError",
                                         "`WARN`, `ERR` or `PANIC`"),
    [TT_ATTR_EXCEPTION_ATTRIBUTE] = EVENT("tango.attribute.name", STRING, OURS, STABLE,
                                          "one attribute of a read or write failed", "the attribute"),

    [TT_ATTR_LOG_LOGGER] = LOG("tango.logger.name", STRING, OURS, STABLE, "always",
                               "the logger: the device's name, or the server's for messages of the library"),
    [TT_ATTR_LOG_THREAD] = LOG("thread.id", INT, SEMCONV, STABLE, "always", "kernel's id of the thread"),
    [TT_ATTR_LOG_THREAD_NAME] = LOG("thread.name", STRING, SEMCONV, STABLE, "the thread has a name",
                                    "the kernel's name of the thread"),
    [TT_ATTR_LOG_FILE] = LOG("code.file.path", STRING, SEMCONV, STABLE, "cppTango 9.4 and later",
                             "source file, as the compiler was given it"),
    [TT_ATTR_LOG_LINE] = LOG("code.line.number", INT, SEMCONV, STABLE, "cppTango 9.4 and later",
                             "line in it"),
    [TT_ATTR_LOG_FILE_NATIVE] = LOG("code.filepath", STRING, NATIVE, DEPRECATED, "cppTango 9.4 and later",
                                    "as `code.file.path`"),
    [TT_ATTR_LOG_LINE_NATIVE] = LOG("code.lineno", INT, NATIVE, DEPRECATED, "cppTango 9.4 and later",
                                    "as `code.line.number`"),
    [TT_ATTR_LOG_LENGTH] = LOG("tangotrace.log.length", INT, OURS, STABLE, "the message was cut",
                               "its length in bytes, 65535 for more"),
    [TT_ATTR_LOG_INCOMPLETE] = LOG("tangotrace.incomplete", STRING_LIST, OURS, STABLE, "something is missing",
                                   "`field_cut`, `field_unreadable`, `process_unknown`"),

    [TT_ATTR_LOG_OPERATION] = LOG("tango.operation.name", STRING, OURS, DEVELOPMENT, OF_CALL, "what it does"),
    [TT_ATTR_LOG_TARGET] = LOG("tango.operation.target", STRING, OURS, DEVELOPMENT, OF_CALL,
                               "the device that is asked"),
    [TT_ATTR_LOG_CLIENT] = LOG("tango.client.name", STRING, OURS, DEVELOPMENT, OF_CALL,
                               "who asks: a device, or a program and its pid"),
    [TT_ATTR_LOG_AGE] = LOG("tango.call.age_ns", INT, OURS, DEVELOPMENT, "`tango.call.open`",
                            "how long the call is open by now"),
    [TT_ATTR_LOG_WAITS_FOR] = LOG("tango.call.waits_for", STRING, OURS, DEVELOPMENT, "`tango.call.open`",
                                  "what it is at, for people"),
    [TT_ATTR_LOG_WAIT] = LOG("tango.monitor.wait_ns", INT, OURS, DEVELOPMENT, OF_WAIT,
                             "how long it waited; `tango.call.open`: how long it does by now"),
    [TT_ATTR_LOG_MONITOR] = LOG("tango.monitor.name", STRING, OURS, DEVELOPMENT, OF_WAIT,
                                "the monitor: of a device, class or process"),
    [TT_ATTR_LOG_HOLDER] = LOG("tango.monitor.holder.thread_id", INT, OURS, DEVELOPMENT, OF_WAIT,
                               "the thread that held it, in its own pid namespace"),
    [TT_ATTR_LOG_HOLDER_OPERATION] = LOG("tango.monitor.holder.operation", STRING, OURS, DEVELOPMENT, OF_WAIT,
                                         "what that did"),
    [TT_ATTR_LOG_HOLDER_TARGET] = LOG("tango.monitor.holder.target", STRING, OURS, DEVELOPMENT, OF_WAIT,
                                      "of which device"),
    [TT_ATTR_LOG_HOLDER_CLIENT] = LOG("tango.monitor.holder.client", STRING, OURS, DEVELOPMENT, OF_WAIT,
                                      "for whom"),

    [TT_ATTR_SERVICE_NAMESPACE] = RESOURCE("service.namespace", STRING, NATIVE, STABLE, "always", "`tango`"),
    [TT_ATTR_SERVICE_NAME] = RESOURCE(
        "service.name", STRING, NATIVE, STABLE, "always",
        "device: its class; client: its script or program; a server's threads outside any request: the executable "
        "of the server"),
    [TT_ATTR_SERVICE_INSTANCE] = RESOURCE("service.instance.id", STRING, NATIVE, STABLE, "always",
                                          "device: its name; else `host:pid`"),
    [TT_ATTR_SERVER_NAME] = RESOURCE("tango.server.name", STRING, NATIVE, STABLE,
                                     "the process is a device server", "`executable/instance`"),
    [TT_ATTR_TANGO_PROCESS_ID] = RESOURCE("tango.process.id", INT, NATIVE, STABLE, "always", "process id"),
    [TT_ATTR_TANGO_PROCESS_KIND] = RESOURCE("tango.process.kind", STRING, NATIVE, STABLE,
                                            "the process is known", "`server` or `client`"),
    [TT_ATTR_TANGO_HOST] = RESOURCE("tango.host", STRING, NATIVE, STABLE,
                                    "it is in the process's environment", "TANGO_HOST"),
    [TT_ATTR_HOST_NAME] = RESOURCE("host.name", STRING, SEMCONV, STABLE, "always",
                                   "name of the agent's host"),
    [TT_ATTR_HOST_ARCH] = RESOURCE("host.arch", STRING, SEMCONV, STABLE, "always", "`amd64`"),
    [TT_ATTR_OS_TYPE] = RESOURCE("os.type", STRING, SEMCONV, STABLE, "always", "`linux`"),
    [TT_ATTR_PROCESS_PID] = RESOURCE("process.pid", INT, SEMCONV, STABLE, "always",
                                     "process id, in the host's pid namespace"),
    [TT_ATTR_PROCESS_PARENT] = RESOURCE("process.parent_pid", INT, SEMCONV, STABLE, "the process is known",
                                        "process id of its parent when it was found"),
    [TT_ATTR_PROCESS_CREATION] = RESOURCE("process.creation.time", STRING, SEMCONV, STABLE,
                                          "the process is known", "its start, ISO 8601"),
    [TT_ATTR_PROCESS_EXE_NAME] = RESOURCE("process.executable.name", STRING, SEMCONV, STABLE,
                                          "its executable is known", "file name of the executable"),
    [TT_ATTR_PROCESS_EXE_PATH] = RESOURCE("process.executable.path", STRING, SEMCONV, STABLE,
                                          "its executable is known",
                                          "path of the executable, as the process sees it"),
    [TT_ATTR_PROCESS_OWNER] = RESOURCE("process.owner", STRING, SEMCONV, STABLE, "the process is known",
                                       "user name, or the number"),
    [TT_ATTR_PROCESS_COMMAND] = RESOURCE("process.command", STRING, SEMCONV, STABLE,
                                         "its command line is known",
                                         "the first word of the command line, nothing more"),
    [TT_ATTR_PROCESS_COMMAND_ARGS] = RESOURCE("process.command_args", STRING_LIST, SEMCONV, STABLE,
                                              "full command lines were asked for",
                                              "the command line, passwords and tokens masked"),
    [TT_ATTR_PROCESS_RUNTIME] = RESOURCE("process.runtime.name", STRING, SEMCONV, STABLE,
                                         "an interpreter or virtual machine runs the program",
                                         "`cpython`; `python` where its build is not known; `java`"),
    [TT_ATTR_PROCESS_RUNTIME_VERSION] = RESOURCE("process.runtime.version", STRING, SEMCONV, STABLE,
                                                 "it is CPython", "`3.11.2`"),
    [TT_ATTR_PROCESS_RUNTIME_TEXT] = RESOURCE("process.runtime.description", STRING, SEMCONV, STABLE,
                                              "it is CPython, and had started when it was looked at",
                                              "Python's `sys.version`: with build and compiler"),
    [TT_ATTR_PROCESS_CGROUP] = RESOURCE("process.linux.cgroup", STRING, SEMCONV, DEVELOPMENT, "it is known",
                                        "path in the unified hierarchy: names the systemd unit or container"),
    [TT_ATTR_SDK_NAME] = RESOURCE("telemetry.sdk.name", STRING, SEMCONV, STABLE, "always", "`tangotrace`"),
    [TT_ATTR_SDK_LANGUAGE] = RESOURCE("telemetry.sdk.language", STRING, SEMCONV, STABLE, "always",
                                      "language of the traced program: `cpp`, `python`, `java`"),
    [TT_ATTR_SDK_VERSION] = RESOURCE("telemetry.sdk.version", STRING, SEMCONV, STABLE, "always",
                                     "version of tangotrace"),
    [TT_ATTR_DISTRO_NAME] = RESOURCE("telemetry.distro.name", STRING, SEMCONV, STABLE, "always",
                                     "`tangotrace`"),
    [TT_ATTR_DISTRO_VERSION] = RESOURCE("telemetry.distro.version", STRING, SEMCONV, STABLE, "always",
                                        "version of tangotrace"),
};

const char *tt_attr_type_name(enum tt_attr_type type)
{
    static const char *const names[] = {[TT_ATTR_STRING] = "string",
                                        [TT_ATTR_INT] = "int",
                                        [TT_ATTR_BOOL] = "bool",
                                        [TT_ATTR_STRING_LIST] = "string[]"};

    return names[type];
}

const char *tt_attr_source_name(enum tt_attr_source source)
{
    static const char *const names[] = {
        [TT_ATTR_NATIVE] = "native", [TT_ATTR_SEMCONV] = "OpenTelemetry", [TT_ATTR_OURS] = "tangotrace"};

    return names[source];
}

const char *tt_attr_stability_name(enum tt_attr_stability stability)
{
    static const char *const names[] = {[TT_ATTR_STABLE] = "stable",
                                        [TT_ATTR_DEVELOPMENT] = "development",
                                        [TT_ATTR_DEPRECATED] = "deprecated"};

    return names[stability];
}
