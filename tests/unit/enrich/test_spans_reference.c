/* SPDX-License-Identifier: GPL-2.0-only */
/* docs/spans.md is what the tables say, and the attribute table is sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "catalogue/attributes.h"
#include "catalogue/catalogue.h"
#include "cli/spans_reference.h"

static void test_agrees(void **state)
{
    _cleanup_fclose_ FILE *file = fopen("docs/spans.md", "r");
    _cleanup_free_ char *text = calloc(1, 1 << 20);
    struct tt_text made = {0};

    assert_non_null(text);
    if (!file)
        fail_msg("docs/spans.md is missing (tests run in the top directory)");
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    tt_spans_reference(&made);
    assert_false(made.failed);
    if (strcmp(text, made.data))
        print_message("docs/spans.md is old: build/tangotrace spans-reference > docs/spans.md\n");
    assert_string_equal(text, made.data);
    tt_text_free(&made);
}

/* Every key has a row; keys are unique in their level and of OpenTelemetry's form. */
static void test_table(void **state)
{
    for (size_t i = 0; i < TT_ATTRS; i++) {
        const struct tt_attr_row *row = &tt_attr_rows[i];

        assert_non_null(row->key);
        assert_true(*row->when && *row->meaning && row->kinds);
        assert_true(row->limit <= TT_ATTR_LENGTH);
        for (const char *c = row->key; *c; c++)
            assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '.' || *c == '_');
        for (size_t k = 0; k < i; k++)
            assert_true(tt_attr_rows[k].level != row->level || strcmp(tt_attr_rows[k].key, row->key));
    }
}

/* A title and a name can be made of every row that becomes a span. */
static void test_rows(void **state)
{
    for (size_t i = 0; i < tt_row_count; i++) {
        assert_non_null(tt_rows[i].name);
        if (tt_rows[i].role == TT_ROLE_CLIENT || tt_rows[i].role == TT_ROLE_SERVER ||
            tt_rows[i].role == TT_ROLE_MANY)
            assert_true(tt_rows[i].verb && *tt_rows[i].verb);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
