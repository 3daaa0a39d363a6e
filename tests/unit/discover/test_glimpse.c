/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel tells of processes, and programs that end before anybody has read all of their /proc. */
#include "bed.h"

/* What the kernel tells of a process stands until /proc is read, and for as long as one that ended is kept.
 */
static void test_glimpse(void **state)
{
    unsigned long long ticks = tt_clock_ns(CLOCK_BOOTTIME) / 10000000;
    static const char words[] = "/usr/bin/python3\0-m\0scan.linear\0--fast"; /* cut: no NUL counts */
    struct tt_glimpse glimpse = {.pid = 9,
                                 .parent = 3,
                                 .uid = 12345,
                                 .start = ticks * 10000000 + 9,
                                 .exe = "python3.11",
                                 .command_line = words,
                                 .size = sizeof(words) - 1};
    struct tt_process *first, *second;
    struct bed bed;

    set_up(&bed);
    assert_int_equal(tt_process_table_glimpse(bed.table, &glimpse), 0);
    first = tt_process_table_find(bed.table, 9, 0);
    assert_non_null(first);
    assert_true(first->tango && first->selected && first->glimpsed);
    assert_int_equal(first->parent, 3);
    assert_int_equal(first->start_ticks, ticks);
    assert_string_equal(first->name, "linear");
    assert_string_equal(first->runtime, "python");
    assert_string_equal(first->user, "12345");
    /* Once more: nothing new. */
    assert_int_equal(tt_process_table_glimpse(bed.table, &glimpse), 0);
    second = tt_process_table_find(bed.table, 9, 0);
    assert_ptr_equal(first, second);
    tt_process_put(&second);
    /* /proc knows better, and says that its files are to be probed; it has been so all the time. */
    start(&bed, 9, ticks, tango_files);
    fake_link(&bed.fake, 9, "exe", "/usr/bin/python3.11");
    second = update(&bed, 9, true);
    assert_false(second->glimpsed);
    tt_process_put(&first);
    first = tt_process_table_find(bed.table, 9, tt_clock_ns(CLOCK_MONOTONIC));
    assert_ptr_equal(first, second);
    tt_process_put(&first);
    /* A glimpse that comes late changes nothing, also when the process has ended. */
    tt_process_table_exit(bed.table, 9);
    assert_int_equal(tt_process_table_glimpse(bed.table, &glimpse), 0);
    assert_null(tt_process_table_find(bed.table, 9, 0));
    tt_process_put(&second);
    tear_down(&bed);
}

/* ---- programs that end before anybody has read all of their /proc ---- */

static const struct tt_glimpse short_one = {
    .pid = 9, .uid = 12345, .start = 5000000000, .exe = "TangoTest", .command_line = "TangoTest", .size = 9};

static void glimpse_it(void *context)
{
    assert_int_equal(tt_process_table_glimpse(((struct bed *)context)->table, &short_one), 0);
}

static void forget_files(void *context)
{
    const struct bed *bed = context;

    fake_remove(fake_path(&bed->fake, 9, "map_files"));
}

static void expect_known(struct bed *bed, bool known)
{
    struct tt_process *found = tt_process_table_find(bed->table, 9, tt_clock_ns(CLOCK_MONOTONIC));

    assert_int_equal(found != NULL, known);
    tt_process_put(&found);
}

/* Its maps are read before its libraries are there; while its files are looked at its probes fire already. */
static void test_glimpsed_while_read(void **state)
{
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, cxx_files);
    on_probe = glimpse_it;
    on_probe_context = &bed;
    process = update(&bed, 9, false);
    assert_true(process->tango);
    tt_process_put(&process);
    expect_known(&bed, true);
    /* What is read of it later, without anything new from the kernel, counts. */
    process = update(&bed, 9, true);
    assert_false(process->tango);
    tt_process_put(&process);
    expect_known(&bed, false);
    tear_down(&bed);
}

/* It has no memory any more, and is no zombie yet; its exit was told, or will be. */
static void test_read_while_ending(void **state)
{
    for (int told = 0; told < 2; told++) {
        struct tt_process *process = NULL;
        struct bed bed;
        bool changed;

        set_up(&bed);
        start(&bed, 9, 500, tango_files);
        if (told) {
            process = update(&bed, 9, true);
            tt_process_put(&process);
            tt_process_table_exit(bed.table, 9);
        } else {
            glimpse_it(&bed);
        }
        fake_process(&bed.fake, 9, 500, "", 0); /* no maps, no command line */
        unlink(fake_path(&bed.fake, 9, "exe"));
        assert_int_equal(tt_process_table_update(bed.table, 9, &process, &changed), -ESRCH);
        expect_known(&bed, true);
        assert_null(tt_process_table_find(bed.table, 9, 0)); /* not as one that runs */
        tear_down(&bed);
    }
}

/* It ends after its maps were read, before its files were opened. */
static void test_ends_while_read(void **state)
{
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    glimpse_it(&bed);
    start(&bed, 9, 500, tango_files);
    fake_text(&bed.fake, 9, "maps", "");
    map(&bed, 9, (const char *const[]){"libstdc++.so.6", "libtango.so.9.3.4", NULL});
    on_probe = forget_files;
    on_probe_context = &bed;
    process = update(&bed, 9, false);
    assert_true(process->tango);
    tt_process_put(&process);
    expect_known(&bed, true);
    tear_down(&bed);
}

/* What the kernel told is read after the exit was. */
static void test_glimpsed_after_exit(void **state)
{
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, cxx_files);
    process = update(&bed, 9, true);
    assert_false(process->tango);
    tt_process_put(&process);
    tt_process_table_exit(bed.table, 9);
    glimpse_it(&bed);
    expect_known(&bed, true);
    assert_null(tt_process_table_find(bed.table, 9, 0));
    tear_down(&bed);
}

static int glimpse_under(const char *rule, bool include)
{
    static const struct tt_glimpse glimpse = {
        .pid = 9, .uid = 12345, .exe = "scan", .command_line = "./scan", .size = 6};
    char *error = NULL;
    struct bed bed;
    int result;

    set_up(&bed);
    assert_int_equal(tt_selection_add(bed.selection, include, rule, &error), 0);
    result = tt_process_table_glimpse(bed.table, &glimpse);
    if (!result) {
        struct tt_process *process = tt_process_table_find(bed.table, 9, 0);

        assert_non_null(process);
        result = process->selected;
        tt_process_put(&process);
    }
    tear_down(&bed);
    return result;
}

/* Rules that ask for what only /proc tells are not guessed at. */
static void test_glimpse_and_rules(void **state)
{
    assert_int_equal(glimpse_under("scan", true), 1);
    assert_int_equal(glimpse_under("exe:scan", false), 0);
    assert_int_equal(glimpse_under("other", true), 0);
    assert_int_equal(glimpse_under("user:12345", false), 0);
    assert_int_equal(glimpse_under("user:operator", false), -EAGAIN);
    assert_int_equal(glimpse_under("exe:/opt/*", false), -EAGAIN);
    assert_int_equal(glimpse_under("cgroup:*", true), -EAGAIN);
    assert_int_equal(glimpse_under("netns:1", true), -EAGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glimpse),
        cmocka_unit_test(test_glimpse_and_rules),
        cmocka_unit_test(test_glimpsed_while_read),
        cmocka_unit_test(test_read_while_ending),
        cmocka_unit_test(test_ends_while_read),
        cmocka_unit_test(test_glimpsed_after_exit),
    };

    return cmocka_run_group_tests_name("glimpse", tests, NULL, NULL);
}
