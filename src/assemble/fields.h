/* SPDX-License-Identifier: GPL-2.0-only */
/* fields.h: the untrusted part of an event: its list of fields, checked once, then decoded into a span. */
#pragma once

#include "assemble/log.h"
#include "assemble/span.h"

/* One event as it came: `header` is a copy, the fields stay in the caller's memory. */
struct tt_event_view {
    struct tt_event header;
    const unsigned char *fields, *end;
};

enum tt_event_check { TT_EVENT_GOOD, TT_EVENT_BAD_FIELDS, TT_EVENT_BAD_HEADER };

/* Checks sizes and counts. BAD_FIELDS: the header may be used, the fields must not. */
enum tt_event_check tt_event_view(struct tt_event_view *view, const void *data, size_t size);

/* What the program captured at entry or exit goes into the span: strings into its arena, doubts into
 * `incomplete`, failed attributes of a reply into failed and errors[]. */
void tt_fields_decode(const struct tt_event_view *view, struct tt_span *span);

/* What a function called to do the span's work tells of names that the span does not have yet. */
void tt_fields_complete(const struct tt_event_view *view, struct tt_span *span);

/* What an event of role LOG says. */
void tt_fields_log(const struct tt_event_view *view, struct tt_log *log);

/* A number that the event carries; false if it does not. */
bool tt_fields_number(const struct tt_event_view *view, enum tt_field field, uint64_t *value);

/* How long its thread has been off the CPU (TT_FIELD_OFF_CPU); false: the event does not tell. Looks at one
 * field only: it is asked of every event. */
bool tt_fields_off_cpu(const struct tt_event_view *view, uint64_t *value);

/* The name of its thread from this event on (TT_FIELD_THREAD), into TT_THREAD_NAME bytes, NUL-filled;
 * untouched if the event does not tell. Nearly none does: asked of every event, it looks at a flag only. */
void tt_fields_thread_name(const struct tt_event_view *view, char *name);

/* A text that the event carries, NUL-ended ("" if it does not); capacity at least 1. */
void tt_fields_text(const struct tt_event_view *view, enum tt_field field, char *text, size_t capacity);

/* What a TT_EVENT_PROCESS tells: the facts, and of the command line *size bytes (its words end with NUL; one
 * more NUL follows). False if the facts are not there. `capacity` at least 1. */
bool tt_fields_process(const struct tt_event_view *view, struct tt_process_facts *facts, char *command_line,
                       size_t capacity, size_t *size);

/* The exception that ended the span: sets failed, the type (C++ exceptions only) and the error stack. */
void tt_fields_exception(const struct tt_event_view *view, struct tt_span *span);
/* Takes that back. */
void tt_fields_no_exception(struct tt_span *span);

/* The key of a request or upcall; false if it could not be read. `operation` gets the GIOP operation, copied
 * and NUL-ended ("" if unknown); capacity at least 1. */
bool tt_fields_key(const struct tt_event_view *view, struct tt_key *key, char *operation, size_t capacity);

/* Takes over the trace context of the request just sent, if the event has one. */
void tt_fields_context(const struct tt_event_view *view, struct tt_span *span);
