/* SPDX-License-Identifier: GPL-2.0-only */
/* The process table over a fake /proc; the probe of files is the test's, and tells by a letter in the file.
 */
#include "fake.h"

#include <time.h>

#include "base/cleanup.h"
#include "discover/table.h"

static unsigned probes;
static void (*on_probe)(void *context); /* called once, when a file is looked at */
static void *on_probe_context;

/* "\177ELFT": cppTango, N: with native telemetry, O: omniORB, C: C++ exceptions, G: greenlet's switch. */
static int probe(const struct tt_probes *user, int fd, const char *path, bool holds[TT_HOLDS])
{
    void (*meanwhile)(void *context) = on_probe;
    char text[8] = "";

    probes++;
    on_probe = NULL;
    if (meanwhile)
        meanwhile(on_probe_context);
    if (pread(fd, text, 7, 0) < 4)
        return -EINVAL;
    holds[TT_LIBRARY_TANGO] = strchr(text + 4, 'T') != NULL;
    holds[TT_HOLDS_TELEMETRY] = strchr(text + 4, 'N') != NULL;
    holds[TT_LIBRARY_OMNIORB] = strchr(text + 4, 'O') != NULL;
    holds[TT_LIBRARY_CXXABI] = strchr(text + 4, 'C') != NULL;
    holds[TT_LIBRARY_GREENLET] = strchr(text + 4, 'G') != NULL;
    return 0;
}

struct bed {
    struct fake fake;
    char files[64];
    struct tt_selection *selection;
    struct tt_process_table *table;
};

static void make_file(const struct bed *bed, const char *name, const char *content)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", bed->files, name);
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static void set_up(struct bed *bed)
{
    fake_new(&bed->fake);
    strcpy(bed->files, "/tmp/tt-files-XXXXXX");
    assert_non_null(mkdtemp(bed->files));
    make_file(bed, "libtango.so.9.3.4", "\177ELFT");
    make_file(bed, "libtango.so.10.3.3", "\177ELFTN");
    make_file(bed, "libomniORB4.so.2.5", "\177ELFO");
    make_file(bed, "libstdc++.so.6", "\177ELFC");
    make_file(bed, "libc.so.6", "\177ELF-");
    make_file(bed, "data", "no ELF: T");
    make_file(bed, "_greenlet.cpython-311.so", "\177ELFG");
    make_file(bed, "greenlet.so", "\177ELF-"); /* exports nothing */
    bed->selection = tt_selection_new();
    bed->table = tt_process_table_new_probe(bed->fake.root, bed->selection, probe, NULL);
    assert_non_null(bed->table);
    probes = 0;
}

static void tear_down(struct bed *bed)
{
    tt_process_table_free(&bed->table);
    tt_selection_free(&bed->selection);
    fake_remove(bed->fake.root);
    fake_remove(bed->files);
}

/* Maps the named files, executable, one after the other. */
static void map(const struct bed *bed, int pid, const char *const *names)
{
    char text[4096] = "";

    for (unsigned i = 0; names[i]; i++) {
        char path[256], link[64];
        struct stat st;

        snprintf(path, sizeof(path), "%s/%s", bed->files, names[i]);
        assert_int_equal(stat(path, &st), 0);
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "%x000-%x000 r-xp 00001000 fd:01 %llu %s\n", i + 1, i + 2, (unsigned long long)st.st_ino,
                 path);
        snprintf(link, sizeof(link), "map_files/%x000-%x000", i + 1, i + 2);
        fake_link(&bed->fake, pid, link, path);
    }
    fake_text(&bed->fake, pid, "maps", text);
}

static const char *const tango_files[] = {
    "libtango.so.9.3.4", "libomniORB4.so.2.5", "libstdc++.so.6", "libc.so.6", "data", NULL};
static const char *const cxx_files[] = {"libstdc++.so.6", "libc.so.6", NULL};

static void start(const struct bed *bed, int pid, unsigned long long ticks, const char *const *files)
{
    fake_process(&bed->fake, pid, ticks, "TangoTest\0test", 15);
    map(bed, pid, files);
}

/* The listening socket that makes it a server. */
static void listen_now(const struct bed *bed, int pid)
{
    fake_link(&bed->fake, pid, "fd/3", "socket:[501]");
    fake_text(&bed->fake, pid, "net/unix",
              "0000000000000000: 00000002 00000000 00010000 0001 01 501 /tmp/omni\n");
}

static struct tt_process *update(struct bed *bed, int pid, bool wanted_change)
{
    struct tt_process *process = NULL;
    bool changed = !wanted_change;

    assert_int_equal(tt_process_table_update(bed->table, pid, &process, &changed), 0);
    assert_non_null(process);
    assert_int_equal(changed, wanted_change);
    return process;
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

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void test_exit_and_reuse(void **state)
{
    struct tt_process *first, *second, *found;
    unsigned long long ticks = clock_ns(CLOCK_BOOTTIME) / 10000000;
    uint64_t before;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, ticks - 1000, tango_files);
    first = update(&bed, 9, true);
    before = clock_ns(CLOCK_MONOTONIC);
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
    unsigned long long ticks = clock_ns(CLOCK_BOOTTIME) / 10000000;
    uint64_t before;
    struct bed bed;

    set_up(&bed);
    start(&bed, 9, ticks - 1000, tango_files);
    first = update(&bed, 9, true);
    before = clock_ns(CLOCK_MONOTONIC);
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
    start(&bed, 9, clock_ns(CLOCK_BOOTTIME) / 10000000, tango_files);
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

/* What the kernel tells of a process stands until /proc is read, and for as long as one that ended is kept.
 */
static void test_glimpse(void **state)
{
    unsigned long long ticks = clock_ns(CLOCK_BOOTTIME) / 10000000;
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
    first = tt_process_table_find(bed.table, 9, clock_ns(CLOCK_MONOTONIC));
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
    struct tt_process *found = tt_process_table_find(bed->table, 9, clock_ns(CLOCK_MONOTONIC));

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
        cmocka_unit_test(test_tango_process),
        cmocka_unit_test(test_plain_process),
        cmocka_unit_test(test_becomes_server),
        cmocka_unit_test(test_overwritten_file),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_by_path),
        cmocka_unit_test(test_exit_and_reuse),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_greenlet),
        cmocka_unit_test(test_recheck),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_glimpse),
        cmocka_unit_test(test_glimpse_and_rules),
        cmocka_unit_test(test_glimpsed_while_read),
        cmocka_unit_test(test_read_while_ending),
        cmocka_unit_test(test_ends_while_read),
        cmocka_unit_test(test_glimpsed_after_exit),
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
