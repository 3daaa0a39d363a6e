/* SPDX-License-Identifier: GPL-2.0-only */
/* How a value is read: from where it lies at the point, by the layout of the objects it is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "plan/captures.h"

static const struct tt_layout *layout_of(bool cow)
{
    for (size_t i = 0; i < tt_layout_count; i++)
        if (tt_layouts[i].cow == cow)
            return &tt_layouts[i];
    fail();
    return NULL;
}

/* NULL, or why it cannot be read ("": there is nothing to read). */
static const char *make(enum tt_value value, const struct tt_origin *origin, const struct tt_layout *layout,
                        struct tt_capture *capture)
{
    const struct tt_argument argument = {.field = TT_FIELD_TEXT, .value = value};
    const char *why = NULL;

    *capture = (struct tt_capture){0};
    if (tt_capture_make(&argument, origin, layout, capture, &why))
        return NULL;
    assert_int_equal(capture->kind, TT_CAPTURE_NONE); /* untouched */
    return why ? why : "";
}

static void strings_are_of_two_kinds(void **state)
{
    static const struct tt_origin here = {.reg = TT_REG_RSI};
    struct tt_capture capture;

    assert_null(make(TT_VALUE_STRING, &here, layout_of(false), &capture));
    assert_int_equal(capture.kind, TT_CAPTURE_STRING);
    assert_int_equal(capture.reg, TT_REG_RSI);
    assert_null(make(TT_VALUE_STRING, &here, layout_of(true), &capture));
    assert_int_equal(capture.kind, TT_CAPTURE_STRING_COW);
    assert_string_equal(make(TT_VALUE_STRING, &here, NULL, &capture), "layout not known");
    assert_null(make(TT_VALUE_CSTRING, &here, NULL, &capture)); /* which is the same everywhere */
    assert_int_equal(capture.kind, TT_CAPTURE_CSTRING);
}

static void objects_lead_on_to_others(void **state)
{
    const struct tt_layout *layout = layout_of(false);
    const struct tt_origin kept = {.reg = TT_REG_RSP, .derefs = 1, .off = {16, 8}};
    struct tt_capture capture;

    /* the object is 8 behind what a pointer in the frame leads to; its class is an object of its own */
    assert_null(make(TT_VALUE_IMPL_CLASS, &kept, layout, &capture));
    assert_int_equal(capture.derefs, 2);
    assert_int_equal(capture.off[0], 16);
    assert_int_equal(capture.off[1], 8 + layout->offset[TT_LAYOUT_IMPL_CLASS]);
    assert_int_equal(capture.off[2], layout->offset[TT_LAYOUT_CLASS_NAME]);
    /* which is one step too many from the work of a polling thread */
    assert_string_equal(make(TT_VALUE_WORK_CLASS, &kept, layout, &capture), "place in the object not known");
    assert_null(make(TT_VALUE_WORK_DEVICE, &(struct tt_origin){.reg = TT_REG_RDI}, layout, &capture));
    assert_int_equal(capture.derefs, 1);
    assert_int_equal(capture.off[0], 0);
    assert_int_equal(capture.off[1], layout->offset[TT_LAYOUT_IMPL_NAME]);
}

static void what_the_layout_does_not_tell_is_not_read(void **state)
{
    static const struct tt_origin here = {.reg = TT_REG_RDI}, far = {.reg = TT_REG_RDI, .off = {INT32_MAX}};
    struct tt_layout layout = *layout_of(false);
    struct tt_capture capture;

    assert_string_equal(make(TT_VALUE_LOG_LEVEL, &here, NULL, &capture), "place in the object not known");
    assert_string_equal(make(TT_VALUE_LOG_LEVEL, &far, &layout, &capture), "place in the object not known");
    assert_null(make(TT_VALUE_LOG_LEVEL, &here, &layout, &capture));
    layout.offset[TT_LAYOUT_LOG_LEVEL] = TT_LAYOUT_ABSENT; /* no object has it: nothing amiss */
    assert_string_equal(make(TT_VALUE_LOG_LEVEL, &here, &layout, &capture), "");
    layout.offset[TT_LAYOUT_VALUE_SIZE] = -1;
    assert_string_equal(make(TT_VALUE_VALUE_SEQ, &here, &layout, &capture), "place in the object not known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_of_two_kinds),
        cmocka_unit_test(objects_lead_on_to_others),
        cmocka_unit_test(what_the_layout_does_not_tell_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
