/* SPDX-License-Identifier: GPL-2.0-only */
/* errors.c: how a span ended: status, its text, and an `exception` event for every DevError. */
#include "enrich/fill.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "enrich/convert.h"

#define UNKNOWN_TYPE "_OTHER" /* OpenTelemetry's value of error.type for what has no name */

/* omniORB 4 minor codes that clients of Tango meet (omniORB4/minorCode.h). */
static const struct {
    const char *type;
    uint32_t code;
    const char *name;
} minors[] = {
    {"CORBA::TRANSIENT", 0x41540001, "FailedOnForwarded"},
    {"CORBA::TRANSIENT", 0x41540002, "ConnectFailed"},
    {"CORBA::TRANSIENT", 0x41540008, "CallTimedout"},
    {"CORBA::TRANSIENT", 0x41540011, "ConnectionClosed"},
    {"CORBA::TRANSIENT", 0x4f4d0001, "POANoResource"},
    {"CORBA::TRANSIENT", 0x4f4d0002, "NoUsableProfile"},
    {"CORBA::TRANSIENT", 0x4f4d0004, "POADestroyed"},
    {"CORBA::COMM_FAILURE", 0x41540003, "MarshalArguments"},
    {"CORBA::COMM_FAILURE", 0x41540004, "UnMarshalArguments"},
    {"CORBA::COMM_FAILURE", 0x41540005, "MarshalResults"},
    {"CORBA::COMM_FAILURE", 0x41540006, "UnMarshalResults"},
    {"CORBA::COMM_FAILURE", 0x41540007, "WaitingForReply"},
    {"CORBA::OBJECT_NOT_EXIST", 0x4f4d0001, "NoMatch"},
    {"CORBA::OBJECT_NOT_EXIST", 0x4154003a, "POANotInitialised"},
    {"CORBA::TIMEOUT", 0x41540008, "CallTimedOutOnClient"},
    {"CORBA::TIMEOUT", 0x4154007c, "CallTimedOutOnServer"},
    {"CORBA::IMP_LIMIT", 0x4f4d0001, "NoUsableProfile"},
};

/* What is told of a failed span. */
struct outcome {
    const char *type;  /* of the exception, readable; NULL = not known */
    const char *alone; /* attribute that failed where the reply names none: the only one of the call */
    bool attributes;   /* attributes failed; no exception was thrown */
};

static struct outcome judge(struct tt_arena *arena, const struct tt_span *span)
{
    struct outcome outcome = {0};

    if (span->exception_type && *span->exception_type) {
        outcome.type = tt_convert_type(arena, span->exception_type);
        return outcome;
    }
    if (!span->error_count && !span->error_total)
        return outcome; /* an exception of which nothing could be read */
    outcome.type = "Tango::DevFailed";
    /* A reply tells how many attributes failed even where none of their errors could be read. */
    /* Errors of a single DeviceAttribute come without the attribute's name. */
    outcome.attributes = !span->error_count || span->errors[0].attribute ||
                         tt_row_captures(span->row, TT_VALUE_RETURNED_ATTRIBUTE);
    if (outcome.attributes && span->attribute_count == 1 && span->attribute_total <= 1)
        outcome.alone = span->attributes[0];
    return outcome;
}

static const char *attribute_of(const struct outcome *outcome, const struct tt_span_error *error)
{
    return error->attribute ? error->attribute : outcome->alone;
}

/* Appends to a buffer that never overflows; what does not fit is cut. */
static void append(char *out, size_t size, size_t *used, const char *text)
{
    size_t length = strnlen(text, size - 1 - *used);

    memcpy(out + *used, text, length);
    *used += length;
    out[*used] = '\0';
}

/* "REASON:..;DESC:..;ORIGIN:.." as native writes it. */
static void fill_message(struct tt_build *build, const struct tt_span_error *error)
{
    const struct {
        const char *label, *text;
    } parts[] = {{"REASON:", error->reason}, {";DESC:", error->desc}, {";ORIGIN:", error->origin}};
    char text[TT_ATTR_LENGTH + 1] = "";
    size_t used = 0;

    for (size_t i = 0; i < TT_ARRAY_SIZE(parts); i++) {
        if (!parts[i].text)
            continue;
        append(text, sizeof(text), &used, parts[i].label + (used == 0 && *parts[i].label == ';'));
        append(text, sizeof(text), &used, parts[i].text);
    }
    tt_build_string(build, TT_ATTR_EXCEPTION_MESSAGE, text);
}

static void fill_event(struct tt_build *build, const struct tt_span *span, const struct outcome *outcome,
                       const struct tt_span_error *error)
{
    static const char *const severities[] = {"WARN", "ERR", "PANIC"}; /* Tango::ErrSeverity */

    tt_build_ready(build, TT_ATTR_EXCEPTION_TYPE, outcome->type);
    if (!error)
        return;
    fill_message(build, error);
    tt_build_string(build, TT_ATTR_EXCEPTION_REASON, error->reason);
    tt_build_string(build, TT_ATTR_EXCEPTION_DESC, error->desc);
    tt_build_string(build, TT_ATTR_EXCEPTION_ORIGIN, error->origin);
    if (error->reason && error->severity < TT_ARRAY_SIZE(severities))
        tt_build_ready(build, TT_ATTR_EXCEPTION_SEVERITY, severities[error->severity]);
    if (outcome->attributes)
        tt_build_string(build, TT_ATTR_EXCEPTION_ATTRIBUTE, attribute_of(outcome, error));
}

/* One event per DevError, else one for the exception, else (nothing is known of it) none. */
static int fill_events(struct tt_otel_span *out, const struct tt_span *span, const struct outcome *outcome)
{
    size_t known = span->error_count < TT_ERRORS_MAX ? span->error_count : TT_ERRORS_MAX;
    size_t count = known ? known : outcome->type ? 1 : 0;
    struct tt_build build;

    if (span->error_total > known && known)
        out->dropped_events = span->error_total - known < UINT32_MAX ? (uint32_t)(span->error_total - known)
                                                                     : UINT32_MAX;
    if (!count)
        return 0;
    out->events = tt_arena_alloc(&out->arena, count * sizeof(out->events[0]));
    if (!out->events)
        return -1;
    for (size_t i = 0; i < count; i++) {
        tt_build_start(&build, &out->arena);
        fill_event(&build, span, outcome, known ? &span->errors[i] : NULL);
        out->events[i].time = out->end;
        out->events[i].name = "exception";
        out->events[i].attributes = tt_build_finish(&build);
        out->events[i].attribute_count = build.count;
        if (build.failed)
            return -1;
    }
    out->event_count = count;
    return 0;
}

/* "failed to read the following attribute(s): a, b and 3 more (API_AttrNotFound: ..)" */
static void describe_attributes(const struct tt_span *span, const struct outcome *outcome, char *out,
                                size_t size)
{
    bool write = span->row->verb && !strncmp(span->row->verb, "write", 5);
    uint64_t total = span->error_total > span->error_count ? span->error_total : span->error_count;
    size_t used = 0, named = 0;
    char more[48];

    for (unsigned i = 0; i < span->error_count && i < TT_ERRORS_MAX; i++) {
        const char *name = attribute_of(outcome, &span->errors[i]);

        if (!name)
            continue;
        if (!named++)
            append(out, size, &used,
                   write ? "failed to write the following attribute(s): "
                         : "failed to read the following attribute(s): ");
        else
            append(out, size, &used, ", ");
        append(out, size, &used, name);
    }
    if (total > named) {
        snprintf(more, sizeof(more), named ? " and %llu more" : "%llu attribute(s) failed",
                 (unsigned long long)(total - named));
        append(out, size, &used, more);
    }
    if (span->errors[0].reason) {
        append(out, size, &used, " (");
        append(out, size, &used, span->errors[0].reason);
        if (span->errors[0].desc) {
            append(out, size, &used, ": ");
            append(out, size, &used, span->errors[0].desc);
        }
        append(out, size, &used, ")");
    }
}

static void describe_exception(const struct tt_span *span, const struct outcome *outcome, char *out,
                               size_t size)
{
    const char *type = outcome->type;

    if (!type) /* of a method in Python: the request has its text */
        type = tt_row_is_python(span->row) ? "Python exception" : "exception of unknown type";
    for (size_t i = 0; i < TT_ARRAY_SIZE(minors); i++) {
        if (minors[i].code == span->exception_minor && !strcmp(minors[i].type, type)) {
            snprintf(out, size, "%s: %s", type, minors[i].name);
            return;
        }
    }
    if (span->exception_minor)
        snprintf(out, size, "%s: minor code 0x%08x", type, span->exception_minor);
    else
        snprintf(out, size, "%s", type);
}

static void describe(const struct tt_span *span, const struct outcome *outcome, char *out, size_t size)
{
    const struct tt_span_error *first = &span->errors[0];
    size_t used = 0;

    if (outcome->attributes) {
        describe_attributes(span, outcome, out, size);
    } else if (span->error_count && (first->reason || first->desc)) {
        append(out, size, &used, first->reason ? first->reason : "exception");
        if (first->desc && *first->desc) {
            append(out, size, &used, ": ");
            append(out, size, &used, first->desc);
        }
    } else {
        describe_exception(span, outcome, out, size);
    }
}

void tt_fill_outcome(struct tt_build *build, const struct tt_span *span, struct tt_otel_span *out)
{
    struct outcome outcome;
    char text[TT_ATTR_LENGTH + 1] = "";
    const char *reason;

    if (!span->failed)
        return; /* also when the end is unknown: Unset claims nothing, tangotrace.incomplete says why */
    outcome = judge(&out->arena, span);
    reason = span->error_count ? span->errors[0].reason : NULL;
    if (reason && *reason)
        tt_build_string(build, TT_ATTR_ERROR_TYPE, reason);
    else
        tt_build_ready(build, TT_ATTR_ERROR_TYPE, outcome.type ? outcome.type : UNKNOWN_TYPE);
    if (span->exception_minor)
        tt_build_int(build, TT_ATTR_CORBA_MINOR, span->exception_minor);

    describe(span, &outcome, text, sizeof(text));
    out->status = TT_OTEL_ERROR;
    out->status_message = tt_convert_copy(&out->arena, text, TT_ATTR_LENGTH);
    if (!out->status_message || fill_events(out, span, &outcome))
        build->failed = true;
}
