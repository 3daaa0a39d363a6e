/* SPDX-License-Identifier: GPL-2.0-only */
#include "fake.h"

#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "discover/files.h"
#include "discover/proc.h"

/* ---- maps ---- */

static void test_line(void **state)
{
    char line[] = "7f01a000-7f01c000 r-xp 00028000 fd:01 131       /usr/lib/a b.so (deleted)\n";
    struct tt_mapping m;

    assert_int_equal(tt_maps_parse(line, &m), 0);
    assert_int_equal(m.start, 0x7f01a000);
    assert_int_equal(m.end, 0x7f01c000);
    assert_int_equal(m.offset, 0x28000);
    assert_int_equal(m.device, makedev(0xfd, 1));
    assert_int_equal(m.inode, 131);
    assert_true(m.executable);
    assert_string_equal(m.path, "/usr/lib/a b.so (deleted)");
}

static void test_lines_without_path(void **state)
{
    char anonymous[] = "7f01a000-7f01c000 rw-p 00000000 00:00 0 \n", bare[] = "1000-2000 r-xp 0 0:0 0";
    struct tt_mapping m;

    assert_int_equal(tt_maps_parse(anonymous, &m), 0);
    assert_string_equal(m.path, "");
    assert_false(m.executable);
    assert_int_equal(tt_maps_parse(bare, &m), 0);
    assert_string_equal(m.path, "");
}

static void test_bad_lines(void **state)
{
    static const char *const lines[] = {
        "",
        "\n",
        "x",
        "7f01a000",
        "7f01a000-7f01c000",
        "7f01c000-7f01a000 r-xp 0 fd:01 131 /a",
        "1000-1000 r-xp 0 fd:01 131 /a",
        "1000-2000 r-x 0 fd:01 131 /a",
        "1000-2000 r-xpp 0 fd:01 131 /a",
        "1000-2000 r-xp 0 fd01 131 /a",
        "1000-2000 r-xp 0 fd:01 x /a",
        "1000-2000 r-xp 0 fd:01 131/a",
        "-1000-2000-3000 r-xp",
        "1000-2000 r-xp 0 fd:01",
        "/lib 1000-2000 r-xp 0 fd:01 131",
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(lines); i++) {
        char copy[128];
        struct tt_mapping m;

        strcpy(copy, lines[i]);
        if (!tt_maps_parse(copy, &m))
            fail_msg("accepted: \"%s\"", lines[i]);
    }
}

static void test_maps(void **state)
{
    struct tt_maps maps = {0};
    struct fake fake;
    size_t size = 20000;
    char *text = malloc(size + 1024);
    int dir;

    fake_new(&fake);
    fake_process(&fake, 9, 1, "", 0);
    /* A line longer than any the kernel writes, with a plausible end; then good ones. */
    memset(text, 'x', size);
    strcpy(text + size, "1000-2000 r-xp 0 fd:01 99 /hidden\n"
                        "1000-2000 r-xp 00000000 fd:01 5 /a\n"
                        "2000-3000 r-xp 00001000 fd:01 5 /a\n" /* the same file */
                        "3000-4000 rw-p 00001000 fd:01 6 /data\n"
                        "4000-5000 r-xp 00000000 00:00 0 [vdso]\n"
                        "garbage\n"
                        "5000-6000 r-xp 00000000 fd:02 5 /other\n"
                        "6000-7000 r-xp 00000000 fd:02 8 /no newline at the end");
    fake_text(&fake, 9, "maps", text);
    dir = tt_proc_open(fake.root, 9);
    assert_int_equal(tt_maps_read(dir, &maps), 0);
    assert_int_equal(maps.count, 3);
    assert_string_equal(maps.items[0].path, "/a");
    assert_int_equal(maps.items[0].start, 0x1000);
    assert_string_equal(maps.items[1].path, "/other");
    assert_string_equal(maps.items[2].path, "/no newline at the end");
    assert_false(maps.cut);
    tt_maps_free(&maps);
    free(text);
    close(dir);
    fake_remove(fake.root);
}

static void test_many_maps(void **state)
{
    struct tt_maps maps = {0};
    struct fake fake;
    FILE *file;
    int dir;

    fake_new(&fake);
    fake_process(&fake, 9, 1, "", 0);
    file = fopen(fake_path(&fake, 9, "maps"), "w");
    for (unsigned i = 1; i <= TT_PROC_MAPPINGS_MAX + 100; i++)
        fprintf(file, "%x000-%x000 r-xp 00000000 fd:01 %u /f%u\n", i, i + 1, i, i);
    fclose(file);
    dir = tt_proc_open(fake.root, 9);
    assert_int_equal(tt_maps_read(dir, &maps), 0);
    assert_int_equal(maps.count, TT_PROC_MAPPINGS_MAX);
    assert_true(maps.cut);
    tt_maps_free(&maps);
    close(dir);
    fake_remove(fake.root);
}

/* ---- the other files ---- */

static void test_stat(void **state)
{
    static const char *const bad[] = {
        "",
        "1",
        "1 (x",
        "1 (x) S",
        "1 (x) S 1 2 3",
        "(",
        ")",
        "1 (x) S -5 1 1 0 -1 1 1 0 0 0 1 2 0 0 20 0 1 0 5 1",
        "1 (x) S 99999999999999999999 1 1 0 -1 1 1 0 0 0 1 2 0 0 20 0 1 0 5 1",
    };
    struct tt_proc_stat stat = {0};

    assert_int_equal(
        tt_proc_parse_stat("7 (a) Z 9) R 3 4 5 0 -1 1 2 3 4 5 6 7 8 9 20 0 1 0 123456789012 1 1", &stat), 0);
    assert_int_equal(stat.state, 'R');
    assert_int_equal(stat.parent, 3);
    assert_int_equal(stat.start_ticks, 123456789012);
    for (size_t i = 0; i < TT_ARRAY_SIZE(bad); i++)
        if (!tt_proc_parse_stat(bad[i], &stat))
            fail_msg("accepted: \"%s\"", bad[i]);
    assert_int_equal(stat.start_ticks, 123456789012); /* untouched on failure */
}

static void test_files(void **state)
{
    _cleanup_free_ char *host = NULL, *cgroup = NULL, *exe = NULL;
    _cleanup_free_ char **argv = NULL;
    struct fake fake;
    uint64_t netns;
    uid_t uid;
    pid_t pid;
    int dir;

    fake_new(&fake);
    fake_process(&fake, 9, 1, "TangoTest\0\0-v4", 14);
    fake_link(&fake, 9, "exe", "/x/y (deleted)");
    dir = tt_proc_open(fake.root, 9);
    assert_int_equal(tt_proc_argv(dir, &argv), 0);
    assert_string_equal(argv[0], "TangoTest");
    assert_string_equal(argv[1], "");
    assert_string_equal(argv[2], "-v4");
    assert_null(argv[3]);
    assert_int_equal(tt_proc_environ(dir, "TANGO_HOST", &host), 0);
    assert_string_equal(host, "db:10000");
    assert_int_equal(tt_proc_environ(dir, "TANGO", &host), -ENOENT);
    assert_int_equal(tt_proc_uid(dir, &uid), 0);
    assert_int_equal(uid, 12345);
    assert_int_equal(tt_proc_pid_in_namespace(dir, &pid), 0);
    assert_int_equal(pid, 5);
    assert_int_equal(tt_proc_cgroup(dir, &cgroup), 0);
    assert_string_equal(cgroup, "/system.slice/x.service");
    assert_int_equal(tt_proc_exe(dir, &exe), 0);
    assert_string_equal(exe, "/x/y");
    assert_int_equal(tt_proc_namespace(dir, "net", &netns), 0);
    assert_int_equal(netns, 4026531840);
    assert_int_equal(tt_proc_open(fake.root, 10), -ESRCH);
    close(dir);
    fake_remove(fake.root);
}

static void test_long_command_line(void **state)
{
    _cleanup_free_ char **argv = NULL;
    char *large = malloc(1 << 20);
    struct fake fake;
    size_t count = 0;
    int dir;

    for (size_t i = 0; i < 1 << 20; i++)
        large[i] = i % 2 ? '\0' : 'x';
    fake_new(&fake);
    fake_process(&fake, 9, 1, large, 1 << 20);
    dir = tt_proc_open(fake.root, 9);
    assert_int_equal(tt_proc_argv(dir, &argv), 0);
    while (argv[count])
        count++;
    assert_int_equal(count, TT_PROC_ARGS_MAX);
    /* One argument of a megabyte, without an end. */
    memset(large, 'y', 1 << 20);
    fake_write(&fake, 9, "cmdline", large, 1 << 20);
    free(TAKE_PTR(argv));
    assert_int_equal(tt_proc_argv(dir, &argv), 0);
    assert_int_equal(strlen(argv[0]), TT_PROC_CMDLINE_MAX);
    assert_null(argv[1]);
    free(large);
    close(dir);
    fake_remove(fake.root);
}

static void test_garbage(void **state)
{
    static const char garbage[] = "\xff\x00\n\xfe) \x01:::\n\n%s%n\n(((";
    static const char *const names[] = {"stat",    "status", "cgroup",   "cmdline",
                                        "environ", "maps",   "net/unix", "net/tcp"};
    _cleanup_free_ char *text = NULL;
    _cleanup_free_ char **argv = NULL;
    struct tt_proc_stat stat;
    struct tt_maps maps = {0};
    struct fake fake;
    bool listens;
    uid_t uid;
    pid_t pid;
    int dir;

    fake_new(&fake);
    fake_process(&fake, 9, 1, "", 0);
    fake_link(&fake, 9, "fd/3", "socket:[1234]");
    fake_link(&fake, 9, "ns/net", "net:4026");
    for (size_t i = 0; i < TT_ARRAY_SIZE(names); i++)
        fake_write(&fake, 9, names[i], garbage, sizeof(garbage) - 1);
    dir = tt_proc_open(fake.root, 9);
    assert_int_not_equal(tt_proc_stat(dir, &stat), 0);
    assert_int_not_equal(tt_proc_uid(dir, &uid), 0);
    assert_int_not_equal(tt_proc_pid_in_namespace(dir, &pid), 0);
    assert_int_not_equal(tt_proc_cgroup(dir, &text), 0);
    assert_int_not_equal(tt_proc_environ(dir, "TANGO_HOST", &text), 0);
    assert_int_not_equal(tt_proc_namespace(dir, "net", &(uint64_t){0}), 0);
    assert_int_equal(tt_proc_argv(dir, &argv), 0);
    assert_int_equal(tt_maps_read(dir, &maps), 0);
    assert_int_equal(maps.count, 0);
    tt_maps_free(&maps);
    assert_int_equal(tt_proc_listens(dir, &listens), 0);
    assert_false(listens);
    close(dir);
    fake_remove(fake.root);
}

static void test_listens(void **state)
{
    struct fake fake;
    bool listens;
    int dir;

    fake_new(&fake);
    fake_process(&fake, 9, 1, "", 0);
    dir = tt_proc_open(fake.root, 9);
    assert_int_equal(tt_proc_listens(dir, &listens), 0);
    assert_false(listens);
    fake_link(&fake, 9, "fd/0", "/dev/null");
    fake_link(&fake, 9, "fd/3", "socket:[501]");
    fake_link(&fake, 9, "fd/4", "socket:[502]");
    /* Established connections, and another process' listener. */
    fake_text(
        &fake, 9, "net/tcp",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 501 1 0 0\n"
        "   1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 900 1 0 0\n");
    fake_text(&fake, 9, "net/unix",
              "Num       RefCount Protocol Flags    Type St Inode Path\n"
              "0000000000000000: 00000003 00000000 00000000 0001 03   502\n"
              "0000000000000000: 00000002 00000000 00010000 0001 01   901 /tmp/omni-x\n");
    assert_int_equal(tt_proc_listens(dir, &listens), 0);
    assert_false(listens);
    fake_text(
        &fake, 9, "net/tcp6",
        "   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 "
        "00:00000000 00000000     0        0 502 1 0 0\n");
    assert_int_equal(tt_proc_listens(dir, &listens), 0);
    assert_true(listens);
    fake_text(&fake, 9, "net/tcp6", "");
    fake_text(&fake, 9, "net/unix",
              "0000000000000000: 00000002 00000000 00010000 0001 01   502 /tmp/omni-x\n");
    assert_int_equal(tt_proc_listens(dir, &listens), 0);
    assert_true(listens);
    close(dir);
    fake_remove(fake.root);
}

/* This very process: whatever the kernel writes is understood. */
static void test_own(void **state)
{
    _cleanup_free_ char **argv = NULL;
    _cleanup_free_ char *exe = NULL;
    struct tt_maps maps = {0};
    struct tt_proc_stat stat;
    uint64_t inode;
    uid_t uid;
    int dir = tt_proc_open("/proc", getpid());

    assert_int_equal(tt_proc_stat(dir, &stat), 0);
    assert_int_equal(stat.parent, getppid());
    assert_int_equal(tt_proc_uid(dir, &uid), 0);
    assert_int_equal(uid, getuid());
    assert_int_equal(tt_proc_argv(dir, &argv), 0);
    assert_int_equal(tt_proc_exe(dir, &exe), 0);
    assert_int_equal(tt_proc_namespace(dir, "net", &inode), 0);
    assert_int_equal(tt_maps_read(dir, &maps), 0);
    assert_true(maps.count >= 2); /* itself and libc */
    tt_maps_free(&maps);
    close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),      cmocka_unit_test(test_lines_without_path),
        cmocka_unit_test(test_bad_lines), cmocka_unit_test(test_maps),
        cmocka_unit_test(test_many_maps), cmocka_unit_test(test_stat),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_long_command_line),
        cmocka_unit_test(test_garbage),   cmocka_unit_test(test_listens),
        cmocka_unit_test(test_own),
    };

    return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
