/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel tells of processes, and programs that end before anybody has read all of their /proc. */
#include "bed.h"

/* Of a process that is the program that it began as. */
static int glimpse_of(struct bed *bed, const struct tt_glimpse *glimpse)
{
    bool executed = true;
    int err = tt_process_table_glimpse(bed->table, glimpse, &executed);

    assert_false(executed);
    return err;
}

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
    assert_int_equal(glimpse_of(&bed, &glimpse), 0);
    first = tt_process_table_find(bed.table, 9, 0);
    assert_non_null(first);
    assert_true(first->tango && first->selected && first->glimpsed);
    assert_int_equal(first->parent, 3);
    assert_int_equal(first->start_ticks, ticks);
    assert_string_equal(first->name, "linear");
    assert_string_equal(first->runtime, "python");
    assert_string_equal(first->user, "12345");
    /* Once more: nothing new. */
    assert_int_equal(glimpse_of(&bed, &glimpse), 0);
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
    assert_int_equal(glimpse_of(&bed, &glimpse), 0);
    assert_null(tt_process_table_find(bed.table, 9, 0));
    tt_process_put(&second);
    tear_down(&bed);
}

/* ---- programs that end before anybody has read all of their /proc ---- */

static const struct tt_glimpse short_one = {
    .pid = 9, .uid = 12345, .start = 5000000000, .exe = "TangoTest", .command_line = "TangoTest", .size = 9};

static void glimpse_it(void *context)
{
    assert_int_equal(glimpse_of(context, &short_one), 0);
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

static void expect_update(struct bed *bed, bool changed, bool tango)
{
    struct tt_process *process = update(bed, 9, changed);

    assert_int_equal(process->tango, tango);
    tt_process_put(&process);
}

/* Its maps are read before its libraries are there; while its files are looked at its probes fire already. */
static void test_glimpsed_while_read(void **state)
{
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, cxx_files);
    on_probe = glimpse_it;
    on_probe_context = &bed;
    expect_update(&bed, false, true);
    expect_known(&bed, true);
    /* What is read of it later, without anything new from the kernel, counts. */
    expect_update(&bed, true, false);
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
    struct bed bed;

    set_up(&bed);
    glimpse_it(&bed);
    start(&bed, 9, 500, tango_files);
    fake_text(&bed.fake, 9, "maps", "");
    map(&bed, 9, (const char *const[]){"libstdc++.so.6", "libtango.so.9.3.4", NULL});
    on_probe = forget_files;
    on_probe_context = &bed;
    expect_update(&bed, false, true);
    expect_known(&bed, true);
    tear_down(&bed);
}

/* It ends after its maps were read, before its words and the name of its executable were; its files are
 * known, or not. */
static void test_ends_behind_its_maps(void **state)
{
    for (int known = 0; known < 2; known++) {
        struct tt_process *process;
        struct bed bed;

        set_up(&bed);
        glimpse_it(&bed);
        start(&bed, 9, 500, tango_files);
        fake_text(&bed.fake, 9, "cmdline", "");
        unlink(fake_path(&bed.fake, 9, "exe"));
        if (!known)
            forget_files(&bed);
        process = update(&bed, 9, false);
        assert_true(process->tango);
        assert_string_equal(process->name, "TangoTest");
        tt_process_put(&process);
        expect_known(&bed, true);
        tear_down(&bed);
    }
}

/* What the kernel told is read after the exit was. */
static void test_glimpsed_after_exit(void **state)
{
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, cxx_files);
    expect_update(&bed, true, false);
    tt_process_table_exit(bed.table, 9);
    glimpse_it(&bed);
    expect_known(&bed, true);
    assert_null(tt_process_table_find(bed.table, 9, 0));
    tear_down(&bed);
}

/* ---- programs that become others ---- */

/* The words of `line`, for TangoTest's pid 9 at `executed`. */
static int execute(struct bed *bed, const char *exe, const char *line, size_t size, uint64_t executed)
{
    const struct tt_glimpse glimpse = {.pid = 9,
                                       .uid = 12345,
                                       .start = 5000000000,
                                       .executed = executed,
                                       .exe = exe,
                                       .command_line = line,
                                       .size = size};
    bool is_other = false;
    int err = tt_process_table_glimpse(bed->table, &glimpse, &is_other);

    return err ? err : is_other;
}

static void expect_name(struct bed *bed, uint64_t time, const char *name)
{
    struct tt_process *found = tt_process_table_find(bed->table, 9, time);

    if (!name) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found->name, name);
    tt_process_put(&found);
}

/* The child of a traced program was looked at as that; then it executed another one, and its events come
 * before anybody looks again. */
static void test_executed(void **state)
{
    uint64_t at, now;
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, tango_files);
    process = update(&bed, 9, true);
    assert_string_equal(process->name, "TangoTest");
    tt_process_put(&process);
    usleep(1000);
    at = tt_clock_ns(CLOCK_MONOTONIC);
    usleep(1000);
    assert_int_equal(execute(&bed, "mix", "./mix", 5, at), 1);
    assert_int_equal(execute(&bed, "mix", "./mix", 5, at), 0); /* told by another thread of it */
    now = tt_clock_ns(CLOCK_MONOTONIC);
    expect_name(&bed, at - 1, "TangoTest"); /* to the ns */
    expect_name(&bed, at, "mix");
    expect_name(&bed, now, "mix");
    expect_name(&bed, 0, "mix");

    /* Who reads its /proc has more of it, and it has been so since the exec. */
    fake_process(&bed.fake, 9, 500, "./mix", 6);
    fake_link(&bed.fake, 9, "exe", "/opt/mix");
    map(&bed, 9, tango_files);
    process = update(&bed, 9, true);
    assert_string_equal(process->exe, "/opt/mix");
    tt_process_put(&process);
    expect_name(&bed, at - 1, "TangoTest");
    expect_name(&bed, at, "mix");
    /* What is told of the exec after that is old. */
    assert_int_equal(execute(&bed, "mix", "./mix", 5, at), 0);
    tear_down(&bed);
}

/* The same interpreter, another script. */
static void test_executed_script(void **state)
{
    uint64_t at;
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    fake_process(&bed.fake, 9, 500, "python3\0a.py", 13);
    fake_link(&bed.fake, 9, "exe", "/usr/bin/python3.11");
    map(&bed, 9, tango_files);
    process = update(&bed, 9, true);
    assert_string_equal(process->name, "a");
    tt_process_put(&process);
    usleep(1000);
    at = tt_clock_ns(CLOCK_MONOTONIC);
    assert_int_equal(execute(&bed, "python3.11", "python3\0b.py", 12, at), 1);
    expect_name(&bed, at - 1, "a");
    expect_name(&bed, at, "b");
    usleep(30000); /* Nobody told, and its /proc says it. */
    fake_process(&bed.fake, 9, 500, "python3\0c.py", 13);
    fake_link(&bed.fake, 9, "exe", "/usr/bin/python3.11");
    map(&bed, 9, tango_files);
    process = update(&bed, 9, true);
    expect_name(&bed, at, "b");
    expect_name(&bed, 0, "c");
    tt_process_put(&process);
    tear_down(&bed);
}

/* Rules are asked anew; where they ask for what only /proc tells, it is unknown rather than what it was. */
static void test_executed_and_rules(void **state)
{
    for (int i = 0; i < 2; i++) {
        uint64_t at;
        struct tt_process *process;
        char *error = NULL;
        struct bed bed;

        set_up(&bed);
        assert_int_equal(tt_selection_add(bed.selection, false, i ? "exe:/opt/*" : "exe:mix", &error), 0);
        start(&bed, 9, 500, tango_files);
        process = update(&bed, 9, true);
        assert_true(process->selected);
        tt_process_put(&process);
        usleep(1000);
        at = tt_clock_ns(CLOCK_MONOTONIC);
        assert_int_equal(execute(&bed, "mix", "./mix", 5, at), i ? -EAGAIN : 1);
        expect_name(&bed, at - 1, "TangoTest");
        expect_name(&bed, at, i ? NULL : "mix");
        process = tt_process_table_find(bed.table, 9, 0);
        assert_true(i ? !process : !process->selected);
        tt_process_put(&process);
        tear_down(&bed);
    }
}

/* It executed while its /proc was being read: the reading may be of either. */
static uint64_t executed_at;

static void execute_it(void *context)
{
    executed_at = tt_clock_ns(CLOCK_MONOTONIC);
    assert_int_equal(execute(context, "mix", "./mix", 5, executed_at), 1);
}

static void test_executed_while_read(void **state)
{
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, tango_files);
    process = update(&bed, 9, true);
    tt_process_put(&process);
    fake_text(&bed.fake, 9, "maps", "");
    map(&bed, 9,
        (const char *const[]){"libtango.so.9.3.4", "libtango.so.10.3.3", NULL}); /* news for the cache */
    on_probe = execute_it;
    on_probe_context = &bed;
    process = update(&bed, 9, false);
    assert_string_equal(process->name, "mix");
    tt_process_put(&process);
    expect_name(&bed, 0, "mix");
    tear_down(&bed);
}

/* It has ended by the time that its exec is told of. */
static void test_executed_and_ended(void **state)
{
    uint64_t at;
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, tango_files);
    process = update(&bed, 9, true);
    tt_process_put(&process);
    usleep(1000);
    at = tt_clock_ns(CLOCK_MONOTONIC);
    tt_process_table_exit(bed.table, 9);
    assert_int_equal(execute(&bed, "mix", "./mix", 5, at), 1);
    expect_name(&bed, at - 1, "TangoTest");
    expect_name(&bed, at, "mix");
    expect_name(&bed, 0, NULL);
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
    result = glimpse_of(&bed, &glimpse);
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
        cmocka_unit_test(test_ends_behind_its_maps),
        cmocka_unit_test(test_glimpsed_after_exit),
        cmocka_unit_test(test_executed),
        cmocka_unit_test(test_executed_script),
        cmocka_unit_test(test_executed_and_rules),
        cmocka_unit_test(test_executed_while_read),
        cmocka_unit_test(test_executed_and_ended),
    };

    return cmocka_run_group_tests_name("glimpse", tests, NULL, NULL);
}
