/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/captures.h"

#include "base/cleanup.h"

/* How one kind of value is read. Layout fields: TT_LAYOUT_NONE = not needed. */
struct recipe {
    enum tt_capture_kind kind, kind_cow; /* NONE: cannot be read under that ABI of std::string */
    bool strings;                        /* depends on the ABI of std::string: needs a layout */
    enum tt_layout_field at;             /* of the value in the object */
    enum tt_layout_field then;           /* `at` holds a pointer; the value lies there */
    enum tt_layout_field aux, aux2, aux3;
    bool pointer; /* the place holds a pointer to the value */
    int plus;     /* fixed offset of the value */
    bool behind;  /* the object begins with a pointer to the one that `at` is in */
    int after;    /* .. and of what that pointer leads to */
    int beyond;   /* which is a pointer, too: .. and of what that leads to; 0: it is not */
};

static const struct recipe recipes[] = {
    [TT_VALUE_PROXY_NAME] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, TT_LAYOUT_PROXY_NAME},
    [TT_VALUE_CONNECTION_NAME] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, TT_LAYOUT_PROXY_NAME},
    [TT_VALUE_IMPL_NAME] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, TT_LAYOUT_IMPL_NAME},
    [TT_VALUE_IMPL_CLASS] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, TT_LAYOUT_IMPL_CLASS,
                             TT_LAYOUT_CLASS_NAME},
    [TT_VALUE_CSTRING] = {TT_CAPTURE_CSTRING, TT_CAPTURE_CSTRING},
    [TT_VALUE_STRING] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true},
    [TT_VALUE_STRING_VEC] = {TT_CAPTURE_STRING_VEC, TT_CAPTURE_STRING_VEC_COW, true},
    [TT_VALUE_STRING_SEQ] = {TT_CAPTURE_STRING_SEQ, TT_CAPTURE_STRING_SEQ},
    [TT_VALUE_VALUE_SEQ] = {TT_CAPTURE_NAMED_SEQ, TT_CAPTURE_NAMED_SEQ, .aux = TT_LAYOUT_VALUE_NAME,
                            .aux2 = TT_LAYOUT_VALUE_SIZE},
    [TT_VALUE_VALUE_1_SEQ] = {TT_CAPTURE_NAMED_SEQ, TT_CAPTURE_NAMED_SEQ, .aux = TT_LAYOUT_VALUE_NAME,
                              .aux2 = TT_LAYOUT_VALUE_1_SIZE},
    [TT_VALUE_ATTRIBUTE] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, TT_LAYOUT_DEVICE_ATTRIBUTE_NAME},
    [TT_VALUE_ATTRIBUTE_VEC] = {TT_CAPTURE_NAMED_VEC, TT_CAPTURE_NAMED_VEC_COW, true,
                                .aux = TT_LAYOUT_DEVICE_ATTRIBUTE_NAME,
                                .aux2 = TT_LAYOUT_DEVICE_ATTRIBUTE_SIZE},
    /* offsetof over the headers of 9.3.4, 10.0.2 and 10.3.3, both ABIs of std::string */
    [TT_VALUE_ATTR_NAME] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, .plus = 8},
    [TT_VALUE_ATTRIBUTE_NAME] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, .plus = 32},
    [TT_VALUE_COMMAND_NAME] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, .plus = 8},
    [TT_VALUE_CLASS_NAME] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, TT_LAYOUT_CLASS_NAME},
    /* TangoMonitor {omni_mutex; long; omni_condition; omni_thread *locking_thread; long; string}: the same in
       the code of all builds from 9.3.4 to 10.3.3. omni_thread::posix_thread, omniORB 4.2 and 4.3. struct
       pthread's tid: what glibc tells debuggers by _thread_db_pthread_tid; checked where it is used. */
    [TT_VALUE_MONITOR_NAME] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, .plus = 120},
    [TT_VALUE_MONITOR_HOLDER] = {TT_CAPTURE_U32, TT_CAPTURE_U32, .plus = 104, .pointer = true, .after = 112,
                                 .beyond = 720},
    [TT_VALUE_U32] = {TT_CAPTURE_VALUE, TT_CAPTURE_VALUE},
    [TT_VALUE_CLNT_IDENT] = {TT_CAPTURE_CLNT_IDENT, TT_CAPTURE_CLNT_IDENT},
    [TT_VALUE_U64] = {TT_CAPTURE_VALUE, TT_CAPTURE_VALUE},
    /* omniORB 4.2.5 to 4.3.4, from the code of RequestImpl::send_deferred (lea 0x38(this)) and of
       AsyncRequest::execute (mov 0x30(this)) */
    [TT_VALUE_REQUEST] = {TT_CAPTURE_VALUE, TT_CAPTURE_VALUE, .plus = 0x38},
    [TT_VALUE_TASK] = {TT_CAPTURE_U64, TT_CAPTURE_U64, .plus = 0x30},
    [TT_VALUE_PIPE_DATA] = {TT_CAPTURE_CSTRING, TT_CAPTURE_CSTRING, .pointer = true},
    /* CPython 3.9 to 3.14, not free-threaded: object.h, cpython/object.h, cpython/classobject.h,
       cpython/funcobject.h */
    [TT_VALUE_PY_TYPE] = {TT_CAPTURE_U64, TT_CAPTURE_U64, .plus = 8},
    [TT_VALUE_PY_VERSION] = {TT_CAPTURE_U32, TT_CAPTURE_U32, .plus = 8, .pointer = true, .after = 384},
    [TT_VALUE_PY_FUNCTION] = {TT_CAPTURE_U64, TT_CAPTURE_U64, .plus = 16},
    [TT_VALUE_PY_SELF] = {TT_CAPTURE_U64, TT_CAPTURE_U64, .plus = 24},
    [TT_VALUE_PY_CODE] = {TT_CAPTURE_U64, TT_CAPTURE_U64, .plus = 16, .pointer = true, .after = 48},
    [TT_VALUE_PY_CODE_39] = {TT_CAPTURE_U64, TT_CAPTURE_U64, .plus = 16, .pointer = true, .after = 16},
    [TT_VALUE_RETURNED_SEQ] = {TT_CAPTURE_ATTR_ERRORS_SEQ, TT_CAPTURE_ATTR_ERRORS_SEQ,
                               .aux = TT_LAYOUT_VALUE_ERRORS, .aux2 = TT_LAYOUT_VALUE_SIZE,
                               .aux3 = TT_LAYOUT_VALUE_NAME},
    [TT_VALUE_RETURNED_ATTRIBUTE] = {TT_CAPTURE_ATTR_ERRORS_ONE, TT_CAPTURE_ATTR_ERRORS_ONE,
                                     .aux = TT_LAYOUT_DEVICE_ATTRIBUTE_ERRORS},
    [TT_VALUE_LOG_MESSAGE] = {TT_CAPTURE_STRING_LONG, TT_CAPTURE_STRING_LONG_COW, true,
                              TT_LAYOUT_LOG_MESSAGE},
    [TT_VALUE_LOG_LEVEL] = {TT_CAPTURE_U32, TT_CAPTURE_U32, .at = TT_LAYOUT_LOG_LEVEL},
    [TT_VALUE_LOG_FILE] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, TT_LAYOUT_LOG_FILE},
    [TT_VALUE_LOG_LINE] = {TT_CAPTURE_U32, TT_CAPTURE_U32, .at = TT_LAYOUT_LOG_LINE},
    [TT_VALUE_WORK_DEVICE] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, TT_LAYOUT_IMPL_NAME,
                              .behind = true},
    [TT_VALUE_WORK_CLASS] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, TT_LAYOUT_IMPL_CLASS,
                             TT_LAYOUT_CLASS_NAME, .behind = true},
    [TT_VALUE_WORK_ATTRIBUTES] = {TT_CAPTURE_STRING_VEC, TT_CAPTURE_STRING_VEC_COW, true, .plus = 40},
    [TT_VALUE_WORK_COMMAND] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true, .plus = 40, .pointer = true},
    [TT_VALUE_WORK_DATE] = {TT_CAPTURE_U64, TT_CAPTURE_U64, .plus = 16},
    [TT_VALUE_WORK_USEC] = {TT_CAPTURE_U64, TT_CAPTURE_U64, .at = TT_LAYOUT_POLL_USEC},
    [TT_VALUE_WORK_PERIOD] = {TT_CAPTURE_U64, TT_CAPTURE_U64, .at = TT_LAYOUT_POLL_PERIOD},
    [TT_VALUE_WORK_PERIOD_MS] = {TT_CAPTURE_U32, TT_CAPTURE_U32, .at = TT_LAYOUT_POLL_PERIOD_MS},
    [TT_VALUE_EVENT_COUNTER] = {TT_CAPTURE_U32, TT_CAPTURE_U32, .plus = 4},
    [TT_VALUE_U32_AT] = {TT_CAPTURE_U32, TT_CAPTURE_U32},
    /* SuppliedEventData {AttributeValue *; AttributeValue_3 *; _4 *; _5 *; ..}: eventsupplier.h of 9.3.4
       to 10.3.3; AttributeValue_5 {..; char *name @56; AttributeDim r_dim; ..}: tango.idl */
    [TT_VALUE_EVENT_SIZE] = {TT_CAPTURE_U64_IF, TT_CAPTURE_U64_IF, .plus = 24, .pointer = true, .after = 64},
    [TT_VALUE_RETURNED_STRING] = {TT_CAPTURE_STRING, TT_CAPTURE_STRING_COW, true},
    [TT_VALUE_RETURNED_U64] = {TT_CAPTURE_VALUE, TT_CAPTURE_VALUE},
    [TT_VALUE_RETURNED_PY] = {TT_CAPTURE_PY_RESULT, TT_CAPTURE_PY_RESULT},
    [TT_VALUE_RETURNED_ATTRIBUTE_VEC] = {TT_CAPTURE_ATTR_ERRORS_VEC, TT_CAPTURE_ATTR_ERRORS_VEC_COW, true,
                                         .aux = TT_LAYOUT_DEVICE_ATTRIBUTE_ERRORS,
                                         .aux2 = TT_LAYOUT_DEVICE_ATTRIBUTE_SIZE,
                                         .aux3 = TT_LAYOUT_DEVICE_ATTRIBUTE_NAME},
};

const char *tt_capture_field_name(unsigned field)
{
    static const char *const names[TT_FIELDS] = {
        [TT_FIELD_DEVICE] = "device",
        [TT_FIELD_CLASS] = "class",
        [TT_FIELD_COMMAND] = "command",
        [TT_FIELD_ATTRIBUTE] = "attribute",
        [TT_FIELD_SOURCE] = "source",
        [TT_FIELD_CLIENT] = "client",
        [TT_FIELD_FAILED] = "failed",
        [TT_FIELD_TEXT] = "text",
        [TT_FIELD_DESCRIPTOR] = "call",
        [TT_FIELD_ASYNCH_ID] = "number",
        [TT_FIELD_LOGGER] = "logger",
        [TT_FIELD_LEVEL] = "level",
        [TT_FIELD_FILE] = "file",
        [TT_FIELD_LINE] = "line",
        [TT_FIELD_MESSAGE] = "message",
        [TT_FIELD_PLANNED] = "date",
        [TT_FIELD_PLANNED_USEC] = "usec",
        [TT_FIELD_PERIOD] = "period",
        [TT_FIELD_PERIOD_MS] = "period",
        [TT_FIELD_EVENT_TYPE] = "event",
        [TT_FIELD_EVENT_ERROR] = "error",
        [TT_FIELD_TOPIC] = "topic",
        [TT_FIELD_COUNTER] = "counter",
        [TT_FIELD_PY_METHOD] = "method",
        [TT_FIELD_PY_OBJECT] = "object",
        [TT_FIELD_PY_TYPE] = "type",
        [TT_FIELD_PY_VERSION] = "type version",
        [TT_FIELD_PY_CALLABLE] = "callable",
        [TT_FIELD_PY_FUNCTION] = "function",
        [TT_FIELD_PY_CODE] = "code",
        [TT_FIELD_PY_CODE_39] = "code (3.9)",
        [TT_FIELD_PY_RESULT] = "result",
        [TT_FIELD_HOLDER] = "holder",
        [TT_FIELD_ARGUMENT_1] = "argument 1",
        [TT_FIELD_ARGUMENT_2] = "argument 2",
        [TT_FIELD_ARGUMENT_3] = "argument 3",
        [TT_FIELD_ARGUMENT_4] = "argument 4",
        [TT_FIELD_DIMENSIONS] = "dimensions",
    };

    return field < TT_FIELDS && names[field] ? names[field] : "?";
}

/* Offset of a layout field, -1 = unknown. */
static int offset_of(const struct tt_layout *layout, enum tt_layout_field field)
{
    if (field == TT_LAYOUT_NONE)
        return 0;
    return layout ? layout->offset[field] : -1;
}

/* Adds `disp` to what the last dereference gave. */
static bool shift(struct tt_capture *capture, int disp)
{
    return disp >= 0 &&
           !__builtin_add_overflow(capture->off[capture->derefs], disp, &capture->off[capture->derefs]);
}

static bool dereference(struct tt_capture *capture)
{
    if (capture->derefs >= 2)
        return false;
    capture->off[++capture->derefs] = 0;
    return true;
}

bool tt_capture_make(const struct tt_argument *argument, const struct tt_origin *origin,
                     const struct tt_layout *layout, struct tt_capture *capture, const char **why)
{
    const struct recipe *recipe = &recipes[argument->value];
    int aux = offset_of(layout, recipe->aux), aux2 = offset_of(layout, recipe->aux2),
        aux3 = offset_of(layout, recipe->aux3);
    struct tt_capture made = {.field = (__u8)argument->field, .reg = origin->reg, .derefs = origin->derefs};

    *why = NULL;
    if (offset_of(layout, recipe->at) == TT_LAYOUT_ABSENT)
        return false;
    made.off[0] = origin->off[0];
    made.off[1] = origin->derefs ? origin->off[1] : 0;
    *why = "layout not known";
    if (recipe->strings && !layout)
        return false;
    made.kind = (__u8)(recipe->strings && layout->cow ? recipe->kind_cow : recipe->kind);
    *why = "not readable with the old std::string";
    if (made.kind == TT_CAPTURE_NONE)
        return false;
    *why = "place in the object not known";
    if (recipe->behind && !dereference(&made))
        return false;
    if (!shift(&made, offset_of(layout, recipe->at)) || !shift(&made, recipe->plus) || aux < 0 || aux2 < 0 ||
        aux3 < 0)
        return false;
    if (recipe->then != TT_LAYOUT_NONE &&
        (!dereference(&made) || !shift(&made, offset_of(layout, recipe->then))))
        return false;
    if (recipe->pointer && (!dereference(&made) || !shift(&made, recipe->after)))
        return false;
    if (recipe->beyond && (!dereference(&made) || !shift(&made, recipe->beyond)))
        return false;
    made.aux = (__u16)aux;
    made.aux2 = (__u16)aux2;
    made.aux3 = (__u16)aux3;
    *capture = made;
    return true;
}
