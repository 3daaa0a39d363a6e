/* SPDX-License-Identifier: GPL-2.0-only */
/* spans_reference.c: docs/spans.md. What is a table there is data here; the text between them is below. */
#include "cli/spans_reference.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "catalogue/attributes.h"
#include "catalogue/catalogue.h"
#include "tangotrace/event.h"

static const char introduction[] =
    "# What a span looks like\n"
    "\n"
    "<!-- Made by `tangotrace spans-reference`; do not edit. `build/tangotrace spans-reference > docs/spans.md` -->\n"
    "\n"
    "One shape for Tango 9 and 10. Names that native telemetry (cppTango and PyTango 10) writes itself are kept, with "
    "its values, so that dashboards and queries made for it go on working.\n"
    "\n"
    "* **Kind.** Exactly one CLIENT span for every request on the wire and one SERVER span for every request received. "
    "Functions that call each other (`command_inout_4` calls `command_inout_2`) are one span, the outermost. A client "
    "function that sends several requests (construction of a proxy, say) is an INTERNAL span with one CLIENT child per "
    "request. A call that never reached the wire, because the server cannot be reached or lives in the same process, is "
    "a CLIENT span too; the latter's other side says `tangotrace.collocated`. What the polling thread does is INTERNAL, "
    "below one root per polled object. An event sent is a PRODUCER, below what caused it, and each process that receives "
    "it has a CONSUMER below that. Heartbeats are no spans.\n"
    "* **Name.** The C++ function, `Tango::DeviceProxy::read_attribute`, as native 10.3 writes it. What was done stands "
    "in `tango.operation.name`: `Arm`, `read ExposureTime`, `read 12 attributes`. A request that none of the functions "
    "below stands for is named by its GIOP operation (`_is_a`). Methods of C++ device classes are called after class and "
    "purpose, with the names that each call shows: `TangoTest.read_double_scalar`, `TangoTest.DevDouble`.\n"
    "* **Python.** The methods of PyTango devices are INTERNAL spans below their request, named by their qualified name "
    "(`Basler.read_ExposureTime`), scope `tango.python.server`. Only functions of the user's, not PyTango's own; of a "
    "decorated one, the function inside. A call of a Python program says by `code.*` which of its functions calls; a call "
    "that would be the root of its trace gets an INTERNAL span of that function as parent, scope `tango.python.client`. "
    "While a server starts, `init_device` is called by Python itself, which no probe sees: its span (`Basler.init_device`, "
    "with a place if it makes calls, of the database, say) lasts from the end of the device's construction to what the server does next, the next device or "
    "the export of all, and says `end_unknown` unless an exception left it.\n"
    "* **Parent.** Only where it is proven, and the span says how (`tangotrace.parent.proof`). No proof, no parent.\n"
    "* **Probes.** A function that the user names (`probes`) is an INTERNAL span of that name (`MyDevice::compute`), below "
    "what called it.\n"
    "* **Unknown is absent.** A value that could not be read has no attribute; the span then lists `field_unreadable` "
    "in `tangotrace.incomplete`. A span whose end was not seen claims no success: status Unset and `end_unknown`.\n"
    "* **Private by default.** Names of devices, attributes and commands leave the host. Values of arguments and "
    "results are not even read, but for those that `probes` ask for; texts of errors leave it as the device wrote them. Command lines leave it only with "
    "`--command-lines`, passwords and tokens masked.\n";

static const char status_text[] =
    "\n## Status\n"
    "\n"
    "Unset on success. Error when an exception leaves the function, and when any attribute of a read or write failed, on "
    "both sides:\n"
    "\n"
    "| what happened | status description |\n"
    "| --- | --- |\n"
    "| `Tango::DevFailed` | `reason: desc` of the first DevError |\n"
    "| attributes failed | `failed to read the following attribute(s): a, b (reason: desc)`, reason of the first; "
    "`write` for writes |\n"
    "| CORBA system exception | `CORBA::TRANSIENT: ConnectFailed`; an unknown minor code as number |\n"
    "| another exception | its type: `std::runtime_error`; of Python: `ValueError` |\n"
    "| an exception whose type could not be read | `exception of unknown type` |\n"
    "| the same of a method in Python | `Python exception`; the span of the request says what it was |\n"
    "\n"
    "Clients of cppTango see most CORBA exceptions as DevFailed, since the library turns one into the other.\n"
    "\n"
    "OTLP has no status for an outcome that is not known: a span with `end_unknown` in `tangotrace.incomplete` is Unset "
    "too, and no success. That comes with programs that call before their exceptions are seen: those are caught in "
    "libstdc++, which any C++ program may map, so that it is probed process by process, once the process has mapped it. "
    "The kernel takes 10 to 20 ms for that, about the time that a program needs from there to its first call; what "
    "starts many programs at once on a busy host is ahead of it. Nothing can be done for a process that is not there "
    "yet: a probe for all that map the file would put breakpoints into programs that are none of ours. Successful "
    "calls, and failed ones on the server's side, are not affected.\n";

static const char event_text[] =
    "\n## Event `exception`\n"
    "\n"
    "One for every DevError of the stack, the first thrown first, or for every attribute that failed; one for any other "
    "exception of known type. At most %d, further ones are counted as dropped events. Its time is the end of the "
    "span.\n\n";

static const char log_text[] =
    "\n## Log records\n"
    "\n"
    "Every message that passes the level of its logger (log4tango: those of devices, and cppTango's own) is a log "
    "record, unless `--no-logs`: severity as native telemetry maps it (FATAL 21, ERROR 17, WARN 13, INFO 9, DEBUG 5), "
    "the message as body, trace id and span id of the innermost span that is open on its thread, where that is proven. "
    "A span that is left to native telemetry has native's id here, too. The resource is the logger's device. A "
    "message has at most %d bytes, longer ones are cut.\n\n";

static const char resource_text[] =
    "\n## Resources\n"
    "\n"
    "Spans of a device's methods have the device as resource; so have the calls a device makes while it serves a "
    "request. Everything else has the process. Attributes of `OTEL_RESOURCE_ATTRIBUTES` are added to all; they cannot "
    "override one of these, nor any other `service.*`, `tango.*`, `process.*` or `telemetry.*`.\n\n";

static const char closing[] =
    "\n## Scope, time, identity\n"
    "\n"
    "* Scope `tango.python.server` and `tango.python.client` for spans of Python code; else `tango.cpp`, version that of the mapped cppTango where its file name tells it (`libtango.so.9.3.4`), else "
    "empty.\n"
    "* Times are taken in the kernel from the monotonic clock and mapped to unix time by one offset per trace.\n"
    "* `flags`: sampled; random (bit 1), unless native telemetry began the trace and does not say so; bit 8 always, bit 9 "
    "when the parent is a span of another process.\n"
    "* `traceState`: for how many calls the span stands (`ot=th`, docs/sampling.md), where it might have been dropped.\n"
    "\n## Limits\n"
    "\n"
    "* Captured strings have at most %d bytes, lists %d elements; what is longer is cut and `field_cut` says so.\n"
    "* String values have at most %d bytes, a span, event or resource at most %d attributes; what does not fit is "
    "counted as dropped.\n"
    "* All strings are valid UTF-8: bytes that are not become U+FFFD.\n"
    "\n## Differences from native telemetry\n"
    "\n"
    "| native 10 | here | why |\n"
    "| --- | --- | --- |\n"
    "| server span of Tango 9 clients: INTERNAL, without attributes | SERVER with all attributes | every request counts |\n"
    "| up to three nested CLIENT spans per PyTango call | one | one request, one span |\n"
    "| client status Unset when an attribute of a read failed | Error, with the attribute's reason | an error is an "
    "error on both sides |\n"
    "| event `exception caught` with the first DevError | `exception`, one for each DevError | OpenTelemetry's name, the "
    "whole stack |\n"
    "| `thread.id` is a string | int, the kernel's id | OpenTelemetry's type; the one that `top` shows |\n"
    "| `thread.name` is what Python calls it: `MainThread` | what the kernel calls it: `python3` | it is there in every "
    "program, and in C++ |\n"
    "| `code.filepath`, `code.lineno` of cppTango's own source | absent | they point into the library |\n"
    "| SERVER spans of Python methods | INTERNAL | they are no requests |\n"
    "| every Python call has a CLIENT span of its caller | INTERNAL, and only as a root | the call itself has `code.*` |\n"
    "| `service.name=pytango.client` for all clients | the script or program | clients can be told apart |\n";

static void put_attributes(struct tt_text *out, enum tt_attr_level level, bool kinds)
{
    tt_text_printf(out, "| attribute | type |%s set when | value | name from | stability |\n",
                   kinds ? " spans |" : "");
    tt_text_printf(out, "| --- | --- |%s --- | --- | --- | --- |\n", kinds ? " --- |" : "");
    for (size_t i = 0; i < TT_ATTRS; i++) {
        const struct tt_attr_row *row = &tt_attr_rows[i];

        if (row->level != level)
            continue;
        tt_text_printf(out, "| `%s` | %s |", row->key, tt_attr_type_name(row->type));
        if (kinds)
            tt_text_printf(out, " %s |", *row->kinds ? row->kinds : "all");
        tt_text_printf(out, " %s | %s", row->when, row->meaning);
        if (row->limit)
            tt_text_printf(out, "; at most %u bytes", row->limit);
        tt_text_printf(out, " | %s | %s |\n", tt_attr_source_name(row->source),
                       tt_attr_stability_name(row->stability));
    }
}

/* How the function's spans come out; NULL for rows that make none of their own. */
static const char *kind_of(const struct tt_row *row)
{
    static const char *const kinds[] = {
        [TT_ROLE_CLIENT] = "CLIENT",
        [TT_ROLE_MANY] = "INTERNAL, one CLIENT child per request",
        [TT_ROLE_SERVER] = "SERVER",
        [TT_ROLE_ASYNCH] = "CLIENT, until the reply arrives",
        [TT_ROLE_REPLY] = "INTERNAL, linked to the call",
        [TT_ROLE_POLL] = "INTERNAL, the root of what is polled",
        [TT_ROLE_PUSH] = "PRODUCER",
        [TT_ROLE_RECEIVE] = "CONSUMER, below its PRODUCER",
        [TT_ROLE_LIFE] = "INTERNAL",
        [TT_ROLE_METHOD] = "INTERNAL",
        [TT_ROLE_CATCH] = NULL,
        [TT_ROLE_SWITCH] = NULL,
    };

    if (tt_row_is_python(row)) /* the spans are of what is called */
        return NULL;
    return (size_t)row->role < TT_ARRAY_SIZE(kinds) ? kinds[row->role] : NULL;
}

static const char *title_of(const struct tt_row *row)
{
    if (row->role == TT_ROLE_METHOD)
        return "the span's name";
    if (!row->verb || !*row->verb)
        return "the GIOP operation";
    return strcmp(row->verb, "command") ? row->verb : "the command's name";
}

/* Several rows can share a name: overloads. */
static bool is_repeated(size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (tt_rows[i].role == tt_rows[index].role && !strcmp(tt_rows[i].name, tt_rows[index].name))
            return true;
    }
    return false;
}

static void put_rows(struct tt_text *out)
{
    tt_text_puts(out,
                 "\n## Functions\n\n| span name | kind | `tango.operation.name` |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < tt_row_count; i++) {
        const struct tt_row *row = &tt_rows[i];

        if (!kind_of(row) || is_repeated(i))
            continue;
        tt_text_printf(out, "| `%s` | %s | %s |\n", row->name, kind_of(row), title_of(row));
    }
    tt_text_puts(
        out,
        "\nReads and writes add the attribute's name, or the number of attributes, where they are known.\n");
}

void tt_spans_reference(struct tt_text *out)
{
    tt_text_puts(out, introduction);
    put_rows(out);
    tt_text_puts(out, "\n## Attributes of spans\n\n");
    put_attributes(out, TT_ATTR_OF_SPAN, true);
    tt_text_puts(out, status_text);
    tt_text_printf(out, event_text, TT_ERRORS_MAX);
    put_attributes(out, TT_ATTR_OF_EVENT, false);
    tt_text_printf(out, log_text, TT_LONG_MAX - 1);
    put_attributes(out, TT_ATTR_OF_LOG, false);
    tt_text_puts(out, resource_text);
    put_attributes(out, TT_ATTR_OF_RESOURCE, false);
    tt_text_printf(out, closing, TT_STRING_MAX, TT_LIST_MAX, TT_ATTR_LENGTH, TT_ATTR_COUNT);
}

int tt_cmd_spans_reference(void)
{
    struct tt_text out = {0};
    int code = 1;

    tt_spans_reference(&out);
    if (!out.failed)
        code = fputs(out.data, stdout) < 0 || fflush(stdout);
    tt_text_free(&out);
    return code;
}
