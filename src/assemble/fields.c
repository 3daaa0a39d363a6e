/* SPDX-License-Identifier: GPL-2.0-only */
#include "assemble/fields.h"

#include <string.h>

/* "GNUCC++\0"; the low byte is 1 for std::rethrow_exception (Itanium C++ ABI, libsupc++ unwind-cxx.h). */
#define GNU_CXX_CLASS 0x474e5543432b2b00ull

#define PADDED(size) (((size_t)(size) + 7) & ~(size_t)7)

/* Where plain string fields of enter events go. */
static const size_t string_member[TT_FIELDS] = {
    [TT_FIELD_DEVICE] = offsetof(struct tt_span, device),
    [TT_FIELD_CLASS] = offsetof(struct tt_span, class_name),
    [TT_FIELD_COMMAND] = offsetof(struct tt_span, command),
    [TT_FIELD_OPERATION] = offsetof(struct tt_span, operation),
    [TT_FIELD_TEXT] = offsetof(struct tt_span, text),
    [TT_FIELD_EVENT_TYPE] = offsetof(struct tt_span, event_type),
    [TT_FIELD_TOPIC] = offsetof(struct tt_span, topic),
    [TT_FIELD_PY_METHOD] = offsetof(struct tt_span, python.method),
};

/* Where addresses of Python objects go. */
static const size_t python_member[TT_FIELDS] = {
    [TT_FIELD_PY_OBJECT] = offsetof(struct tt_span, python.object),
    [TT_FIELD_PY_TYPE] = offsetof(struct tt_span, python.type),
    [TT_FIELD_PY_VERSION] = offsetof(struct tt_span, python.version),
    [TT_FIELD_PY_CALLABLE] = offsetof(struct tt_span, python.callable),
    [TT_FIELD_PY_FUNCTION] = offsetof(struct tt_span, python.function),
    [TT_FIELD_PY_CODE] = offsetof(struct tt_span, python.code),
    [TT_FIELD_PY_CODE_39] = offsetof(struct tt_span, python.code_39),
};

/* Where strings of an error go; the field's index is the error's. */
static const size_t error_member[TT_FIELDS] = {
    [TT_FIELD_FAILED_NAME] = offsetof(struct tt_span_error, attribute) + 1,
    [TT_FIELD_REASON] = offsetof(struct tt_span_error, reason) + 1,
    [TT_FIELD_DESC] = offsetof(struct tt_span_error, desc) + 1,
    [TT_FIELD_ORIGIN] = offsetof(struct tt_span_error, origin) + 1,
};

struct cursor {
    const unsigned char *at;
    unsigned left;
};

/* The next field of a checked view; false at the end. */
static bool next_field(struct cursor *cursor, struct tt_field_header *header, const unsigned char **data)
{
    if (!cursor->left)
        return false;
    cursor->left--;
    memcpy(header, cursor->at, sizeof(*header));
    *data = cursor->at + sizeof(*header);
    cursor->at = *data + PADDED(header->size);
    return true;
}

static struct cursor first_field(const struct tt_event_view *view)
{
    return (struct cursor){.at = view->fields, .left = view->header.fields};
}

static bool readable(const struct tt_field_header *header)
{
    return header->status == TT_STATUS_OK || header->status == TT_STATUS_CUT;
}

enum tt_event_check tt_event_view(struct tt_event_view *view, const void *data, size_t size)
{
    if (size < sizeof(view->header))
        return TT_EVENT_BAD_HEADER;
    memcpy(&view->header, data, sizeof(view->header));
    const struct tt_event *header = &view->header;
    if (header->size < sizeof(*header) || header->size > size || header->size > TT_EVENT_MAX)
        return TT_EVENT_BAD_HEADER;
    if (header->type == TT_EVENT_NONE || header->type >= TT_EVENT_TYPES)
        return TT_EVENT_BAD_HEADER;

    view->fields = (const unsigned char *)data + sizeof(*header);
    view->end = (const unsigned char *)data + header->size;
    const unsigned char *at = view->fields;
    for (unsigned i = 0; i < header->fields; i++) {
        struct tt_field_header field;
        if ((size_t)(view->end - at) < sizeof(field))
            return TT_EVENT_BAD_FIELDS;
        memcpy(&field, at, sizeof(field));
        at += sizeof(field);
        /* The padding of the last field may be cut off. */
        size_t left = (size_t)(view->end - at);
        if (field.size > left)
            return TT_EVENT_BAD_FIELDS;
        at += PADDED(field.size) > left ? left : PADDED(field.size);
    }
    return TT_EVENT_GOOD;
}

static const char *copy_string(struct tt_span *span, const struct tt_field_header *header,
                               const unsigned char *data)
{
    const char *copy = tt_arena_copy(&span->arena, (const char *)data, header->size);
    if (!copy)
        span->incomplete |= TT_INCOMPLETE_FAULT;
    return copy;
}

static bool read_scalar(const struct tt_field_header *header, const unsigned char *data, uint64_t *value)
{
    uint32_t narrow;
    if (header->size == sizeof(*value)) {
        memcpy(value, data, sizeof(*value));
        return true;
    }
    if (header->size != sizeof(narrow))
        return false;
    memcpy(&narrow, data, sizeof(narrow));
    *value = narrow;
    return true;
}

static void decode_error_string(struct tt_span *span, const struct tt_field_header *header,
                                const unsigned char *data)
{
    if (header->index >= TT_ERRORS_MAX)
        return;
    struct tt_span_error *error = &span->errors[header->index];
    const char *copy = copy_string(span, header, data);
    if (!copy)
        return;
    memcpy((char *)error + error_member[header->field] - 1, &copy, sizeof(copy));
    if (header->field == TT_FIELD_REASON)
        error->severity = header->aux;
    if (header->index >= span->error_count)
        span->error_count = header->index + 1u;
    if (span->error_total < span->error_count)
        span->error_total = span->error_count;
}

static void decode_scalar(struct tt_span *span, const struct tt_field_header *header,
                          const unsigned char *data)
{
    uint64_t value;
    if (!read_scalar(header, data, &value)) {
        span->incomplete |= TT_INCOMPLETE_FAULT;
    } else if (header->field == TT_FIELD_COUNT) {
        span->attribute_total = value;
    } else if (header->field == TT_FIELD_SOURCE) {
        span->source = (int32_t)(uint32_t)value;
    } else if (value) {
        span->failed = true;
        if (span->error_total < value)
            span->error_total = value;
    }
}

/* Of cppTango 9.3's dates, to keep them small (tango_const.h). */
#define DELTA_T_S 1002000000ull
#define NS_PER_S  1000000000ull

/* Numbers of polling and events. */
static void decode_number(struct tt_span *span, const struct tt_field_header *header,
                          const unsigned char *data)
{
    uint64_t value;
    if (!read_scalar(header, data, &value)) {
        span->incomplete |= TT_INCOMPLETE_FAULT;
        return;
    }
    switch (header->field) {
    case TT_FIELD_PLANNED:
        span->planned = value;
        break;
    case TT_FIELD_PLANNED_USEC: /* behind the seconds */
        if (span->planned < UINT32_MAX && value < 1000000)
            span->planned_unix = (span->planned + DELTA_T_S) * NS_PER_S + value * 1000;
        span->planned = 0;
        break;
    case TT_FIELD_PERIOD:
        span->period = value;
        break;
    case TT_FIELD_PERIOD_MS:
        span->period = value * 1000000;
        break;
    case TT_FIELD_EVENT_ERROR: /* a bool is only the lowest byte of its register */
        span->event_error = span->row->role == TT_ROLE_RECEIVE ? (value & 0xff) != 0 : value != 0;
        break;
    case TT_FIELD_COUNTER:
        span->counter = (uint32_t)value;
        span->has_counter = span->counter != 0; /* cppTango 9.3 without a database numbers no events */
        break;
    case TT_FIELD_DIMENSIONS: /* dim_y is 0 where there is only one */
        span->elements = (value & INT32_MAX) * ((value >> 32 & INT32_MAX) ?: 1);
        break;
    }
}

static void decode_attribute(struct tt_span *span, const struct tt_field_header *header,
                             const unsigned char *data)
{
    /* By order, not by index: an unreadable name leaves no hole. */
    if (span->attribute_count >= TT_LIST_MAX)
        return;
    const char *copy = copy_string(span, header, data);
    if (copy)
        span->attributes[span->attribute_count++] = copy;
}

/*
 * domain/family/member, with whatever names the host before it. The name is read where a DeviceProxy has it;
 * a Connection that is none (a Database) holds other things there, which must not become a name.
 */
static bool plausible_device(const unsigned char *data, size_t size)
{
    size_t slashes = 0;
    for (size_t i = 0; i < size; i++) {
        if (data[i] <= ' ' || data[i] == 0x7f)
            return false;
        slashes += data[i] == '/';
    }
    return slashes >= 2;
}

/* Bytes that are no context are counted (by correlate), not used. */
static void decode_context(struct tt_span *span, const struct tt_field_header *header,
                           const unsigned char *data)
{
    span->has_context = header->status == TT_STATUS_OK &&
                        tt_w3c_parse((const char *)data, header->size, &span->context);
    span->bad_context |= !span->has_context;
}

static void decode_trace_state(struct tt_span *span, const struct tt_field_header *header,
                               const unsigned char *data)
{
    span->trace_state = header->status == TT_STATUS_OK && tt_w3c_state((const char *)data, header->size)
                            ? copy_string(span, header, data)
                            : NULL;
}

/* An argument that the user asked for. */
static void decode_argument(struct tt_span *span, const struct tt_field_header *header,
                            const unsigned char *data)
{
    unsigned index = header->field - TT_FIELD_ARGUMENT_1;
    struct tt_span_argument *argument = &span->arguments[index];
    const struct tt_row_argument *what = tt_row_argument(span->row, index);

    if (!what)
        return;
    if (what->text)
        argument->text = copy_string(span, header, data);
    argument->known = what->text ? argument->text != NULL : read_scalar(header, data, &argument->number);
}

static void decode_field(struct tt_span *span, const struct tt_field_header *header,
                         const unsigned char *data)
{
    switch (header->field) {
    case TT_FIELD_DEVICE:
        if (!plausible_device(data, header->size)) {
            span->incomplete |= TT_INCOMPLETE_FAULT;
            return;
        }
        break;
    case TT_FIELD_ATTRIBUTE:
        decode_attribute(span, header, data);
        return;
    case TT_FIELD_COUNT:
    case TT_FIELD_SOURCE:
    case TT_FIELD_FAILED:
        decode_scalar(span, header, data);
        return;
    case TT_FIELD_CLIENT:
        if (header->size == sizeof(span->client)) {
            memcpy(&span->client, data, sizeof(span->client));
            span->has_client = true;
        } else {
            span->incomplete |= TT_INCOMPLETE_FAULT;
        }
        return;
    case TT_FIELD_PLANNED:
    case TT_FIELD_PLANNED_USEC:
    case TT_FIELD_PERIOD:
    case TT_FIELD_PERIOD_MS:
    case TT_FIELD_EVENT_ERROR:
    case TT_FIELD_COUNTER:
    case TT_FIELD_DIMENSIONS:
        decode_number(span, header, data);
        return;
    case TT_FIELD_TRACE_PARENT:
        decode_context(span, header, data);
        return;
    case TT_FIELD_TRACE_STATE:
        decode_trace_state(span, header, data);
        return;
    case TT_FIELD_ARGUMENT_1:
    case TT_FIELD_ARGUMENT_2:
    case TT_FIELD_ARGUMENT_3:
    case TT_FIELD_ARGUMENT_4:
        decode_argument(span, header, data);
        return;
    case TT_FIELD_FAILED_NAME:
        span->failed = true;
        decode_error_string(span, header, data);
        return;
    case TT_FIELD_TYPE:
        if (span->failed) /* Python has said so just before */
            span->exception_type = copy_string(span, header, data);
        return;
    case TT_FIELD_REASON:
    case TT_FIELD_DESC:
    case TT_FIELD_ORIGIN:
        decode_error_string(span, header, data);
        return;
    }
    if (header->field < TT_FIELDS && string_member[header->field]) {
        const char *copy = copy_string(span, header, data);
        if (copy)
            memcpy((char *)span + string_member[header->field], &copy, sizeof(copy));
    }
}

/* Objects of Python are looked at before it is known what they are: what cannot be read is nothing amiss. */
static bool is_python(const struct tt_field_header *header)
{
    return header->field >= TT_FIELD_PY_METHOD && header->field <= TT_FIELD_PY_FRAME;
}

static void decode_python(struct tt_span *span, const struct tt_field_header *header,
                          const unsigned char *data)
{
    struct tt_span_python *python = &span->python;
    uint64_t value;

    if (header->field == TT_FIELD_PY_FRAME) {
        if (header->size == sizeof(python->frames[0]) && python->frame_count < TT_PYTHON_FRAMES)
            memcpy(&python->frames[python->frame_count++], data, sizeof(python->frames[0]));
    } else if (read_scalar(header, data, &value)) {
        if (header->field == TT_FIELD_PY_RESULT)
            span->failed |= !value;
        else
            memcpy((char *)span + python_member[header->field], &value, sizeof(value));
    }
}

/* Was the device's name looked for in an object that may have none? */
static bool may_have_no_name(const struct tt_row *row)
{
    return row && tt_row_captures(row, TT_VALUE_CONNECTION_NAME);
}

void tt_fields_decode(const struct tt_event_view *view, struct tt_span *span)
{
    struct tt_field_header header;
    const unsigned char *data;
    for (struct cursor cursor = first_field(view); next_field(&cursor, &header, &data);) {
        if (header.field == TT_FIELD_DEVICE && may_have_no_name(span->row) &&
            (!readable(&header) || !plausible_device(data, header.size)))
            continue;
        if (header.status != TT_STATUS_OK && !is_python(&header))
            span->incomplete |= header.status == TT_STATUS_CUT ? TT_INCOMPLETE_CUT : TT_INCOMPLETE_FAULT;
        if (readable(&header) && is_python(&header) && header.field != TT_FIELD_PY_METHOD)
            decode_python(span, &header, data);
        else if (readable(&header))
            decode_field(span, &header, data);
    }
    if (view->header.flags & TT_EVENT_FULL)
        span->incomplete |= TT_INCOMPLETE_CUT;
    if (span->attribute_total < span->attribute_count)
        span->attribute_total = span->attribute_count;
}

void tt_fields_complete(const struct tt_event_view *view, struct tt_span *span)
{
    struct tt_field_header header;
    const unsigned char *data;
    bool attributes = span->attribute_count || span->attribute_total;
    for (struct cursor cursor = first_field(view); next_field(&cursor, &header, &data);) {
        if (!readable(&header) || header.field >= TT_FIELDS)
            continue;
        const char *known = NULL;
        if (string_member[header.field])
            memcpy(&known, (const char *)span + string_member[header.field], sizeof(known));
        bool list = header.field == TT_FIELD_ATTRIBUTE || header.field == TT_FIELD_COUNT;
        if ((string_member[header.field] && !known) || (list && !attributes))
            decode_field(span, &header, data);
    }
    if (span->attribute_total < span->attribute_count)
        span->attribute_total = span->attribute_count;
}

/* Where the strings of a log message go. */
static const size_t log_member[TT_FIELDS] = {
    [TT_FIELD_LOGGER] = offsetof(struct tt_log, logger) + 1,
    [TT_FIELD_FILE] = offsetof(struct tt_log, file) + 1,
    [TT_FIELD_MESSAGE] = offsetof(struct tt_log, message) + 1,
};

static void decode_log(struct tt_log *log, const struct tt_field_header *header, const unsigned char *data)
{
    const char *copy;
    if (header->field == TT_FIELD_LEVEL) {
        log->has_level = read_scalar(header, data, &log->level);
    } else if (header->field == TT_FIELD_LINE) {
        log->has_line = read_scalar(header, data, &log->line);
    } else if (header->field < TT_FIELDS && log_member[header->field]) {
        copy = tt_arena_copy(&log->arena, (const char *)data, header->size);
        if (copy)
            memcpy((char *)log + log_member[header->field] - 1, &copy, sizeof(copy));
        else
            log->incomplete |= TT_INCOMPLETE_FAULT;
        if (header->field == TT_FIELD_MESSAGE && header->status == TT_STATUS_CUT)
            log->full = header->full;
    }
}

void tt_fields_log(const struct tt_event_view *view, struct tt_log *log)
{
    struct tt_field_header header;
    const unsigned char *data;
    for (struct cursor cursor = first_field(view); next_field(&cursor, &header, &data);) {
        if (header.status != TT_STATUS_OK)
            log->incomplete |= header.status == TT_STATUS_CUT ? TT_INCOMPLETE_CUT : TT_INCOMPLETE_FAULT;
        if (readable(&header))
            decode_log(log, &header, data);
    }
    if (view->header.flags & TT_EVENT_FULL)
        log->incomplete |= TT_INCOMPLETE_CUT;
}

bool tt_fields_off_cpu(const struct tt_event_view *view, uint64_t *value)
{
    struct tt_field_header header;
    const unsigned char *data;
    struct cursor cursor = first_field(view);

    return next_field(&cursor, &header, &data) && header.field == TT_FIELD_OFF_CPU &&
           read_scalar(&header, data, value);
}

void tt_fields_thread_name(const struct tt_event_view *view, char *name)
{
    struct tt_field_header header;
    const unsigned char *data;
    if (!(view->header.flags & TT_EVENT_NAMED))
        return;
    for (struct cursor cursor = first_field(view); next_field(&cursor, &header, &data);)
        if (header.field == TT_FIELD_THREAD && header.size == TT_THREAD_NAME) {
            memcpy(name, data, TT_THREAD_NAME - 1); /* the last byte stays NUL */
            return;
        }
}

bool tt_fields_number(const struct tt_event_view *view, enum tt_field field, uint64_t *value)
{
    struct tt_field_header header;
    const unsigned char *data;
    for (struct cursor cursor = first_field(view); next_field(&cursor, &header, &data);)
        if (header.field == field && header.status == TT_STATUS_OK)
            return read_scalar(&header, data, value);
    return false;
}

static void copy_text(const struct tt_field_header *header, const unsigned char *data, char *text,
                      size_t capacity)
{
    size_t size = header->size < capacity ? header->size : capacity - 1;
    memcpy(text, data, size);
    text[size] = '\0';
}

void tt_fields_text(const struct tt_event_view *view, enum tt_field field, char *text, size_t capacity)
{
    struct tt_field_header header;
    const unsigned char *data;
    text[0] = '\0';
    for (struct cursor cursor = first_field(view); next_field(&cursor, &header, &data);)
        if (header.field == field && readable(&header))
            copy_text(&header, data, text, capacity);
}

bool tt_fields_process(const struct tt_event_view *view, struct tt_process_facts *facts, char *command_line,
                       size_t capacity, size_t *size)
{
    struct tt_field_header header;
    const unsigned char *data;
    bool found = false;
    *size = 0;
    for (struct cursor cursor = first_field(view); next_field(&cursor, &header, &data);) {
        if (header.field == TT_FIELD_PROCESS && header.size == sizeof(*facts)) {
            memcpy(facts, data, sizeof(*facts));
            found = true;
        } else if (header.field == TT_FIELD_COMMAND_LINE && readable(&header) &&
                   header.size < capacity - *size) {
            memcpy(command_line + *size, data, header.size);
            *size += header.size;
        }
    }
    command_line[*size] = '\0';
    return found;
}

static bool is_cxx(const struct tt_exception *exception)
{
    return (exception->exception_class & ~0xffull) == GNU_CXX_CLASS;
}

void tt_fields_no_exception(struct tt_span *span)
{
    span->failed = false;
    span->exception_type = NULL;
    span->exception_minor = 0;
    span->error_count = 0;
    span->error_total = 0;
    memset(span->errors, 0, sizeof(span->errors));
}

void tt_fields_exception(const struct tt_event_view *view, struct tt_span *span)
{
    struct tt_field_header header;
    const unsigned char *data;
    tt_fields_no_exception(span);
    span->failed = true;

    struct tt_exception exception = {0};
    bool cxx = false;
    for (struct cursor cursor = first_field(view); next_field(&cursor, &header, &data);) {
        if (header.status != TT_STATUS_OK)
            span->incomplete |= header.status == TT_STATUS_CUT ? TT_INCOMPLETE_CUT : TT_INCOMPLETE_FAULT;
        if (!readable(&header))
            continue;
        if (header.field == TT_FIELD_EXCEPTION && header.size == sizeof(exception)) {
            memcpy(&exception, data, sizeof(exception));
            cxx = is_cxx(&exception);
        } else if (cxx && header.field == TT_FIELD_TYPE) {
            span->exception_type = copy_string(span, &header, data);
        } else if (cxx && header.field < TT_FIELDS && error_member[header.field]) {
            decode_error_string(span, &header, data);
        }
    }
    if (cxx) {
        bool system = !span->exception_type ||
                      strcmp(span->exception_type, "N5CORBA20UnknownUserExceptionE") != 0;
        span->exception_minor = system ? exception.minor : 0;
        if (span->error_total < exception.errors)
            span->error_total = exception.errors;
    }
    if (view->header.flags & TT_EVENT_FULL)
        span->incomplete |= TT_INCOMPLETE_CUT;
}

bool tt_fields_key(const struct tt_event_view *view, struct tt_key *key, char *operation, size_t capacity)
{
    struct tt_field_header header;
    const unsigned char *data;
    bool found = false;
    operation[0] = '\0';
    for (struct cursor cursor = first_field(view); next_field(&cursor, &header, &data);) {
        if (!readable(&header))
            continue;
        if (header.field == TT_FIELD_KEY && header.size == sizeof(*key)) {
            memcpy(key, data, sizeof(*key));
            found = true;
        } else if (header.field == TT_FIELD_OPERATION) {
            copy_text(&header, data, operation, capacity);
        }
    }
    return found;
}

void tt_fields_context(const struct tt_event_view *view, struct tt_span *span)
{
    struct tt_field_header header;
    const unsigned char *data;
    span->has_context = false;
    for (struct cursor cursor = first_field(view); next_field(&cursor, &header, &data);)
        if (readable(&header) && header.field == TT_FIELD_TRACE_PARENT)
            decode_context(span, &header, data);
}
