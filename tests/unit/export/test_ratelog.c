/* SPDX-License-Identifier: GPL-2.0-only */
/* Warnings that come often: the first at once, then one with how many there were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/ratelog.h"

static char said[512];

/* What a warning prints; `logged`: whether it does. */
static void warn(struct tt_ratelog *log, bool logged)
{
    FILE *file = tmpfile();
    int keep = dup(STDERR_FILENO);
    size_t size;

    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    assert_int_equal(tt_ratelog_warn(log, 1000, "the %s is full", "disk"), logged);
    dup2(keep, STDERR_FILENO);
    close(keep);
    rewind(file);
    size = fread(said, 1, sizeof(said) - 1, file);
    said[size] = '\0';
    fclose(file);
}

static void test_counts(void **state)
{
    struct tt_ratelog log = {0};

    warn(&log, true);
    assert_string_equal(said, "tangotrace: warning: the disk is full\n");
    for (int i = 0; i < 3; i++) {
        warn(&log, false);
        assert_string_equal(said, "");
    }
    log.next = 0; /* time has passed */
    warn(&log, true);
    assert_string_equal(
        said, "tangotrace: warning: the disk is full (and 3 times more since the last such line)\n");
    log.next = 0;
    warn(&log, true); /* which told of them */
    assert_string_equal(said, "tangotrace: warning: the disk is full\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
