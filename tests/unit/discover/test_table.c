/* SPDX-License-Identifier: GPL-2.0-only */
/* What is read of processes, as they come, change and go. */
#include "bed.h"

/* The listening socket that makes it a server. */
static void listen_now(const struct bed *bed, int pid)
{
    fake_link(&bed->fake, pid, "fd/3", "socket:[501]");
    fake_text(&bed->fake, pid, "net/unix",
              "0000000000000000: 00000002 00000000 00010000 0001 01 501 /tmp/omni\n");
}

static void test_tango_process(void **state)
{
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, tango_files);
    process = update(&bed, 9, true);
    assert_true(process->tango);
    assert_true(process->selected);
    assert_string_equal(process->rule, "default: every Tango process");
    assert_int_equal(process->pid, 9);
    assert_int_equal(process->parent, 1);
    assert_int_equal(process->start_ticks, 500);
    assert_int_equal(process->uid, 12345);
    assert_string_equal(process->user, "12345");
    assert_string_equal(process->exe, "/usr/lib/tango/TangoTest");
    assert_string_equal(process->tango_host, "db:10000");
    assert_string_equal(process->cgroup, "/system.slice/x.service");
    assert_int_equal(process->netns, 4026531840);
    assert_null(process->server);
    assert_string_equal(process->name, "TangoTest");
    assert_int_equal(process->file_count, 3); /* libc and data hold nothing of ours */
    assert_true(process->files[0].library[TT_LIBRARY_TANGO]);
    assert_string_equal(process->files[0].version, "9.3.4");
    assert_int_equal(process->files[0].start, 0x1000);
    assert_string_equal(process->files[1].version, "4.2.5");
    assert_true(process->files[2].library[TT_LIBRARY_CXXABI]);
    assert_int_equal(probes, 4); /* data is no ELF file */
    tt_process_put(&process);

    /* Nothing new: the same object, nothing probed again. */
    process = update(&bed, 9, false);
    tt_process_put(&process);
    start(&bed, 10, 501, tango_files);
    process = update(&bed, 10, true);
    tt_process_put(&process);
    assert_int_equal(probes, 4);
    tear_down(&bed);
}

/* A greenlet whose switching can be seen says nothing about any thread; another makes all suspect. */
static void test_greenlet(void **state)
{
    static const char *const seen[] = {"libtango.so.9.3.4", "_greenlet.cpython-311.so", NULL};
    static const char *const unseen[] = {"libtango.so.9.3.4", "greenlet.so", NULL};
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, seen);
    process = update(&bed, 9, true);
    assert_false(process->switches_stacks);
    assert_int_equal(process->file_count, 2);
    assert_true(process->files[1].library[TT_LIBRARY_GREENLET]);
    tt_process_put(&process);
    start(&bed, 10, 501, unseen);
    process = update(&bed, 10, true);
    assert_true(process->switches_stacks);
    assert_int_equal(process->file_count, 1);
    tt_process_put(&process);
    tear_down(&bed);
}

static void test_plain_process(void **state)
{
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, cxx_files);
    process = update(&bed, 9, true);
    assert_false(process->tango);
    assert_false(process->selected);
    assert_int_equal(process->file_count, 0); /* libstdc++ of a program that is not Tango */
    assert_string_equal(process->rule, "not a Tango process");
    tt_process_put(&process);
    process = update(&bed, 9, false);
    tt_process_put(&process);
    assert_null(tt_process_table_find(bed.table, 9, 0));
    /* It loads libtango: `import tango`. */
    map(&bed, 9, tango_files);
    process = update(&bed, 9, true);
    assert_true(process->tango);
    tt_process_put(&process);
    process = tt_process_table_find(bed.table, 9, 0);
    assert_non_null(process);
    tt_process_put(&process);
    tear_down(&bed);
}

static void test_becomes_server(void **state)
{
    struct tt_process *process, *old;
    struct bed bed;

    set_up(&bed);
    assert_int_equal(tt_selection_add(bed.selection, true, "server:tangotest/*", NULL), 0);
    start(&bed, 9, 500, tango_files);
    old = update(&bed, 9, true);
    assert_true(old->selected); /* by its command line: traced from its first call */
    assert_null(old->server);
    listen_now(&bed, 9);
    process = update(&bed, 9, true);
    assert_string_equal(process->server, "TangoTest/test");
    assert_string_equal(process->name, "TangoTest/test");
    assert_true(process->selected);
    assert_string_equal(process->rule, "include server:tangotest/*");
    assert_string_equal(old->serves_as, "TangoTest/test");
    assert_null(old->server); /* published objects do not change */
    assert_false(old->exited);
    tt_process_put(&old);
    tt_process_put(&process);
    process = update(&bed, 9, false);
    tt_process_put(&process);
    tear_down(&bed);
}

static void test_overwritten_file(void **state)
{
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, cxx_files);
    process = update(&bed, 9, true);
    tt_process_put(&process);
    assert_int_equal(probes, 2);
    /* Another content of the same name is another identity. */
    make_file(&bed, "libc.so.6", "\177ELFTT");
    start(&bed, 10, 501, cxx_files);
    process = update(&bed, 10, true);
    assert_true(process->tango);
    assert_int_equal(probes, 3);
    tt_process_put(&process);
    tear_down(&bed);
}

static void test_unreadable(void **state)
{
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, tango_files);
    unlink(fake_path(&bed.fake, 9, "map_files/1000-2000"));
    process = update(&bed, 9, true);
    assert_false(process->tango);
    assert_int_equal(process->unreadable, 1);
    tt_process_put(&process);
    tear_down(&bed);
}

/* Without map_files the path inside the process' root must show the same inode. */
static void test_by_path(void **state)
{
    char library[256], copy[256];
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, 500, tango_files);
    unlink(fake_path(&bed.fake, 9, "map_files/1000-2000"));
    rmdir(fake_path(&bed.fake, 9, "root"));
    fake_link(&bed.fake, 9, "root", "/");
    process = update(&bed, 9, true);
    assert_true(process->tango);
    assert_int_equal(process->unreadable, 0);
    tt_process_put(&process);
    snprintf(library, sizeof(library), "%s/libtango.so.9.3.4", bed.files);
    snprintf(copy, sizeof(copy), "%s/kept", bed.files);
    assert_int_equal(rename(library, copy), 0);
    make_file(&bed, "libtango.so.9.3.4", "\177ELFT-new");
    fake_text(&bed.fake, 9, "cmdline", "Other"); /* something else changes: it is read anew */
    process = update(&bed, 9, false);
    assert_true(process->tango); /* for all we know */
    tt_process_put(&process);
    fake_link(&bed.fake, 9, "exe", "/opt/other"); /* another program: it is not known to be Tango */
    process = update(&bed, 9, true);
    assert_false(process->tango);
    assert_int_equal(process->unreadable, 1);
    tt_process_put(&process);
    tear_down(&bed);
}

static void test_exit_and_reuse(void **state)
{
    struct tt_process *first, *second, *found;
    unsigned long long ticks = tt_clock_ns(CLOCK_BOOTTIME) / 10000000;
    uint64_t before;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, ticks - 1000, tango_files);
    first = update(&bed, 9, true);
    before = tt_clock_ns(CLOCK_MONOTONIC);
    tt_process_table_exit(bed.table, 9);
    assert_true(first->exited);
    assert_null(tt_process_table_find(bed.table, 9, 0));
    found = tt_process_table_find(bed.table, 9, before); /* events of it are still on their way */
    assert_ptr_equal(found, first);
    tt_process_put(&found);
    assert_null(tt_process_table_find(bed.table, 9, before + 3000000000u));
    /* The pid again, 5 s later. */
    start(&bed, 9, ticks + 500, tango_files);
    second = update(&bed, 9, true);
    assert_ptr_not_equal(first, second);
    found = tt_process_table_find(bed.table, 9, before + 6000000000u);
    assert_ptr_equal(found, second);
    tt_process_put(&found);
    found = tt_process_table_find(bed.table, 9, before);
    assert_ptr_equal(found, first);
    tt_process_put(&found);
    tt_process_put(&first);
    tt_process_put(&second);
    tear_down(&bed);
}

static void test_exec(void **state)
{
    struct tt_process *first, *second, *found;
    unsigned long long ticks = tt_clock_ns(CLOCK_BOOTTIME) / 10000000;
    uint64_t before;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, ticks - 1000, tango_files);
    first = update(&bed, 9, true);
    before = tt_clock_ns(CLOCK_MONOTONIC);
    usleep(50000);
    fake_link(&bed.fake, 9, "exe", "/opt/other");
    second = update(&bed, 9, true);
    assert_string_equal(second->exe, "/opt/other");
    assert_false(first->exited);
    found = tt_process_table_find(bed.table, 9, 0);
    assert_ptr_equal(found, second);
    tt_process_put(&found);
    found = tt_process_table_find(bed.table, 9, before);
    assert_ptr_equal(found, first);
    tt_process_put(&found);
    tt_process_put(&first);
    tt_process_put(&second);
    tear_down(&bed);
}

struct seen {
    unsigned count, changed;
    pid_t last;
    bool ordered;
};

static void see(void *context, struct tt_process *process, bool changed)
{
    struct seen *seen = context;

    assert_true(process->tango);
    seen->count++;
    seen->changed += changed;
}

static void visit(void *context, struct tt_process *process)
{
    struct seen *seen = context;

    seen->ordered &= process->pid > seen->last;
    seen->last = process->pid;
    seen->count++;
}

static void test_scan(void **state)
{
    struct seen seen = {0}, again = {0}, visited = {.ordered = true}, left = {.ordered = true};
    struct bed bed;

    set_up(&bed);
    for (int pid = 300; pid > 200; pid--)
        start(&bed, pid, 500, pid % 2 ? cxx_files : tango_files);
    fake_process(&bed.fake, 50, 1, "", 0); /* a kernel thread */
    fake_process(&bed.fake, 51, 1, "x", 1);
    fake_text(&bed.fake, 51, "stat", ""); /* nothing of it can be read */
    assert_int_equal(tt_process_table_scan(bed.table, see, &seen), 102);
    assert_int_equal(seen.count, 50);
    assert_int_equal(seen.changed, 50);
    tt_process_table_each(bed.table, visit, &visited);
    assert_int_equal(visited.count, 50);
    assert_true(visited.ordered);
    /* One vanishes, one is a zombie now. */
    fake_remove(fake_path(&bed.fake, 202, ""));
    fake_text(&bed.fake, 204, "stat", "204 (x) Z 1 1 1 0 -1 1 1 0 0 0 1 2 0 0 20 0 1 0 500 1 1");
    assert_int_equal(tt_process_table_scan(bed.table, see, &again), 101);
    assert_int_equal(again.count, 48);
    assert_int_equal(again.changed, 0);
    tt_process_table_each(bed.table, visit, &left);
    assert_int_equal(left.count, 48);
    tear_down(&bed);
}

/* Other rules: the next scan decides anew, also for what has not changed otherwise. */
static void test_select(void **state)
{
    struct tt_selection *rules = tt_selection_new();
    _cleanup_free_ char *error = NULL;
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 100, 500, tango_files);
    process = update(&bed, 100, true);
    assert_true(process->selected);
    tt_process_put(&process);
    process = update(&bed, 100, false);
    tt_process_put(&process);

    assert_int_equal(tt_selection_add_detail(rules, false, "full", &error), 0);
    tt_process_table_select(bed.table, rules);
    process = update(&bed, 100, true);
    assert_true(process->selected);
    assert_int_equal(process->detail, TT_DETAIL_FULL);
    tt_process_put(&process);

    assert_int_equal(tt_selection_add(rules, false, "pid:100", &error), 0);
    tt_process_table_select(bed.table, rules);
    process = update(&bed, 100, true);
    assert_false(process->selected);
    tt_process_put(&process);
    process = update(&bed, 100, false);
    tt_process_put(&process);
    tear_down(&bed);
    tt_selection_free(&rules);
}

/* A process that listens some time after it has loaded libtango. */
static void test_recheck(void **state)
{
    struct seen seen = {0};
    struct tt_process *process;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, tt_clock_ns(CLOCK_BOOTTIME) / 10000000, tango_files);
    start(&bed, 10, 1, cxx_files);
    fake_process(&bed.fake, 11, 1, "./client\0sys/tg_test/1", 23); /* its argument is no instance */
    map(&bed, 11, tango_files);
    tt_process_table_scan(bed.table, NULL, NULL);
    tt_process_table_recheck(bed.table, see, &seen);
    assert_int_equal(seen.count, 0);
    listen_now(&bed, 9);
    listen_now(&bed, 10);
    listen_now(&bed, 11);
    tt_process_table_recheck(bed.table, see, &seen);
    assert_int_equal(seen.count, 0); /* too early to look again */
    usleep(250000);
    tt_process_table_recheck(bed.table, see, &seen);
    assert_int_equal(seen.count, 1);
    process = tt_process_table_find(bed.table, 9, 0);
    assert_string_equal(process->server, "TangoTest/test");
    tt_process_put(&process);
    process = tt_process_table_find(bed.table, 11, 0);
    assert_null(process->server);
    assert_null(process->serves_as);
    tt_process_put(&process);
    usleep(250000);
    tt_process_table_recheck(bed.table, see, &seen);
    assert_int_equal(seen.count, 1);
    tear_down(&bed);
}

static bool is_native(struct bed *bed, int pid, const char *environment, size_t size, bool with)
{
    static const char *const new_files[] = {"libtango.so.10.3.3", NULL};
    struct tt_process *process;
    bool native;

    start(bed, pid, 500, with ? new_files : tango_files);
    fake_write(&bed->fake, pid, "environ", environment, size);
    process = update(bed, pid, true);
    assert_true(process->tango);
    native = process->native;
    tt_process_put(&process);
    return native;
}

/* Native telemetry: built in, and switched on. */
static void test_native(void **state)
{
    struct bed bed;

    set_up(&bed);
    assert_true(is_native(&bed, 9, "TANGO_TELEMETRY_ENABLE=on", 26, true));
    assert_true(is_native(&bed, 10, "A=\0TANGO_TELEMETRY_ENABLE=TRUE", 31, true));
    assert_false(is_native(&bed, 11, "TANGO_TELEMETRY_ENABLE=off", 27, true));
    assert_false(is_native(&bed, 12, "XTANGO_TELEMETRY_ENABLE=on", 27, true));
    assert_false(is_native(&bed, 13, "TANGO_TELEMETRY_ENABLE=on", 26, false)); /* 9.3.4: no effect */
    tear_down(&bed);
}

static void test_gone(void **state)
{
    struct tt_process *process = NULL;
    struct bed bed;
    bool changed;

    set_up(&bed);
    assert_int_equal(tt_process_table_update(bed.table, 9, &process, &changed), -ESRCH);
    assert_null(process);
    assert_false(changed);
    assert_null(tt_process_table_find(bed.table, 9, 0));
    tt_process_table_exit(bed.table, 9); /* unknown: nothing happens */
    tear_down(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tango_process),  cmocka_unit_test(test_plain_process),
        cmocka_unit_test(test_becomes_server), cmocka_unit_test(test_overwritten_file),
        cmocka_unit_test(test_unreadable),     cmocka_unit_test(test_by_path),
        cmocka_unit_test(test_exit_and_reuse), cmocka_unit_test(test_exec),
        cmocka_unit_test(test_scan),           cmocka_unit_test(test_select),
        cmocka_unit_test(test_gone),           cmocka_unit_test(test_greenlet),
        cmocka_unit_test(test_recheck),        cmocka_unit_test(test_native),
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
