/* SPDX-License-Identifier: GPL-2.0-only */
/* The catalogue is data: this is its compiler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "catalogue/catalogue.h"
#include "plan/demangle.h"

static bool has_verb(enum tt_role role)
{
    return role == TT_ROLE_CLIENT || role == TT_ROLE_MANY || role == TT_ROLE_SERVER ||
           role == TT_ROLE_ASYNCH || role == TT_ROLE_REPLY || role == TT_ROLE_POLL || role == TT_ROLE_PUSH ||
           role == TT_ROLE_RECEIVE || role == TT_ROLE_BEAT || role == TT_ROLE_LIFE;
}

static void rows_are_complete(void **state)
{
    for (size_t i = 0; i < tt_row_count; i++) {
        const struct tt_row *row = &tt_rows[i];

        assert_non_null(row->name);
        assert_non_null(row->signature[0]);
        assert_true(row->library < TT_LIBRARIES);
        assert_int_equal(has_verb(row->role), row->verb != NULL);
        /* what stands for the function of cppTango lies in a class of it, and runs a user's code */
        assert_true(!row->overrides || (row->role == TT_ROLE_METHOD && row->foreign && !row->signature[1] &&
                                        !strncmp(row->signature[0], "Tango::", 7)));
        assert_null(strchr(row->name, '('));
    }
}

static void signatures_are_normal_and_stand_once(void **state)
{
    for (size_t i = 0; i < tt_row_count; i++) {
        for (size_t j = 0; j < TT_ROW_SIGNATURES && tt_rows[i].signature[j]; j++) {
            const char *signature = tt_rows[i].signature[j];
            char copy[512], prefix[128];

            assert_true(strlen(signature) < sizeof(copy));
            tt_demangle_normalise(strcpy(copy, signature));
            assert_string_equal(copy, signature);
            assert_true(tt_demangle_prefix(signature, prefix, sizeof(prefix)));
            for (size_t k = 0; k < i; k++) {
                for (size_t l = 0; l < TT_ROW_SIGNATURES && tt_rows[k].signature[l]; l++)
                    assert_string_not_equal(tt_rows[k].signature[l], signature);
            }
        }
    }
}

static unsigned parameters(const char *signature)
{
    const char *at = strchr(signature, '(');
    unsigned count = 1;
    int depth = 0;

    if (!at)
        return 6; /* of C: not told, as many as there are registers */
    if (at[1] == ')')
        return 0;
    for (at++; *at; at++) {
        if (*at == '<')
            depth++;
        if (*at == '>')
            depth--;
        if (*at == ',' && !depth)
            count++;
    }
    return count;
}

static void arguments_exist(void **state)
{
    for (size_t i = 0; i < tt_row_count; i++) {
        const struct tt_row *row = &tt_rows[i];
        unsigned entry = 0;

        for (size_t j = 0; j < TT_ROW_ARGUMENTS && row->argument[j].field != TT_FIELD_NONE; j++) {
            const struct tt_argument *argument = &row->argument[j];

            assert_true(argument->field < TT_FIELDS);
            if (argument->index == TT_ARGUMENT_RETURNED) {
                assert_true(argument->value >= TT_VALUE_RETURNED_SEQ);
                continue;
            }
            assert_true(argument->value < TT_VALUE_RETURNED_SEQ);
            entry += argument->value != TT_VALUE_WORK_PERIOD; /* a build has it or the two others, in ms */
            for (size_t k = 0; k < TT_ROW_SIGNATURES && row->signature[k]; k++)
                assert_true((unsigned)argument->index <= parameters(row->signature[k]));
        }
        assert_true(entry <= TT_MAX_CAPTURES);
    }
}

static void layouts_are_sane(void **state)
{
    for (size_t i = 0; i < tt_layout_count; i++) {
        const struct tt_layout *layout = &tt_layouts[i];

        assert_non_null(layout->name);
        assert_true(layout->present && layout->present[0]);
        for (size_t j = TT_LAYOUT_NONE + 1; j < TT_LAYOUT_FIELDS; j++)
            assert_true(layout->offset[j] == -1 || layout->offset[j] == TT_LAYOUT_ABSENT ||
                        (layout->offset[j] > 0 && layout->offset[j] < 4096));
    }
    for (size_t i = 0; i < tt_omni_layout_count; i++)
        assert_true(tt_omni_layouts[i].giop.stream_id && tt_omni_layouts[i].giop.descriptor_op);
}

/* Arguments of a made row are read once; what makes no sense is none, and harms no other. */
static void made_rows_know_their_arguments(void **state)
{
    struct tt_row *row = tt_row_make_method("f", "energy:int,,mode:string,text:char*,fifth:int"), *plain;

    assert_non_null(row);
    assert_string_equal(row->name, "f");
    assert_string_equal(tt_row_argument(row, 0)->name, "energy");
    assert_string_equal(tt_row_argument(row, 0)->kind, "int");
    assert_false(tt_row_argument(row, 0)->text);
    assert_null(tt_row_argument(row, 1));
    assert_string_equal(tt_row_argument(row, 2)->name, "mode");
    assert_true(tt_row_argument(row, 2)->text && tt_row_argument(row, 3)->text);
    /* Another file's row of the same probe. */
    plain = tt_row_make(row, "g");
    free(row);
    assert_string_equal(plain->name, "g");
    assert_string_equal(tt_row_argument(plain, 3)->kind, "char*");
    free(plain);
    plain = tt_row_make_method("f", NULL);
    assert_null(tt_row_argument(plain, 0));
    free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(signatures_are_normal_and_stand_once),
        cmocka_unit_test(arguments_exist),
        cmocka_unit_test(layouts_are_sane),
        cmocka_unit_test(made_rows_know_their_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
