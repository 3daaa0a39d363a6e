/* SPDX-License-Identifier: GPL-2.0-only */
/* test_host.c: src/host against the running kernel (root): links, leases, process events, each rule of safe
 * probing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host/host.h"

#define POINT 7 /* any free index */

void test_point(void);
__asm__(
    ".text\n.globl test_point\n.type test_point, @function\ntest_point:\n\tnop\n\tret\n.size test_point, .-test_point\n");

/* Many points, so that a link takes long enough to be killed in its making. */
#define FIELD 500

extern const unsigned char test_field[];
__asm__(
    ".globl test_field\n.type test_field, @function\ntest_field:\n\t.rept 500\n\tnop\n\t.endr\n\tret\n.size "
    "test_field, .-test_field\n");

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- a child that calls the point when told, and says what byte it sees there ---- */

struct target {
    pid_t pid;
    int ask, answer;
};

static void serve(int ask, int answer)
{
    char word;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(ask, &word, 1) == 1 && word != 'q') {
        unsigned char byte = *(volatile unsigned char *)(uintptr_t)test_point;

        test_point();
        if (write(answer, &byte, 1) != 1)
            break;
    }
    _exit(0);
}

static struct target target_start(void)
{
    int ask[2], answer[2];
    struct target t;

    assert_int_equal(pipe2(ask, O_CLOEXEC), 0);
    assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
    t.pid = fork();
    assert_true(t.pid >= 0);
    if (!t.pid) {
        close(ask[1]);
        serve(ask[0], answer[1]);
    }
    close(ask[0]);
    close(answer[1]);
    t.ask = ask[1];
    t.answer = answer[0];
    return t;
}

/* Calls the point once; gives back the byte the target saw before. */
static unsigned char target_call(const struct target *t)
{
    unsigned char byte;

    assert_int_equal(write(t->ask, "x", 1), 1);
    assert_int_equal(read(t->answer, &byte, 1), 1);
    return byte;
}

static void target_stop(struct target *t)
{
    int status;

    /* By word, not by end of file: targets started later hold copies of this pipe. */
    assert_int_equal(write(t->ask, "q", 1), 1);
    close(t->ask);
    close(t->answer);
    assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

struct place {
    const void *address;
    uint64_t offset; /* in the file */
};

static int find_offset(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct place *place = argument;
    uint64_t address = (uintptr_t)place->address;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + p->p_vaddr;

        if (p->p_type == PT_LOAD && address >= start && address < start + p->p_filesz) {
            place->offset = address - start + p->p_offset;
            return 1;
        }
    }
    return 0;
}

static uint64_t file_offset(const void *address)
{
    struct place place = {.address = address};

    assert_int_equal(dl_iterate_phdr(find_offset, &place), 1);
    return place.offset;
}

static struct tt_host *open_host(bool no_multi)
{
    struct tt_host_config config = {.ring_size = 1 << 16, .no_multi = no_multi};
    struct tt_point point = {.kind = TT_POINT_TEST, .condition = TT_COND_ALWAYS};
    struct tt_host *host = NULL;

    assert_int_equal(tt_host_new(&config, &host), 0);
    assert_int_equal(tt_host_set_points(host, POINT, &point, 1), 0);
    return host;
}

static int link_own(struct tt_host *host, pid_t pid, struct tt_link **link)
{
    _cleanup_close_ int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    uint64_t offset = file_offset(test_point), cookie = POINT;

    assert_true(exe >= 0);
    return tt_host_link(host, exe, &offset, &cookie, 1, pid, link);
}

/* The selected process traps, its neighbour that runs the same code does not even see the breakpoint, and
 * when the link is closed nothing is left. */
static void check_link(bool no_multi)
{
    struct tt_host *host = open_host(no_multi);
    struct target chosen = target_start(), other = target_start();
    struct tt_link *link = NULL;
    uint64_t before = 0, hits = 0;

    assert_int_equal(target_call(&chosen), 0x90);
    assert_int_equal(tt_host_test_hits(host, &before), 0); /* the self-test's */
    assert_int_equal(link_own(host, chosen.pid, &link), 0);
    assert_int_equal(target_call(&chosen), 0xcc);
    assert_int_equal(target_call(&other), 0x90);
    assert_int_equal(tt_host_test_hits(host, &hits), 0);
    assert_int_equal(hits - before, 1);
    tt_host_unlink(&link, 1);
    assert_null(link);
    assert_int_equal(target_call(&chosen), 0x90);
    target_stop(&chosen);
    target_stop(&other);
    tt_host_free(&host);
}

static void link_multi_leaves_no_trace(void **state)
{
    check_link(false);
}

static void link_single_leaves_no_trace(void **state)
{
    check_link(true);
}

/* ---- levels of detail ---- */

static void count_type(void *context, const void *data, size_t size)
{
    unsigned *counts = context;
    const struct tt_event *event = data;

    assert_true(size >= sizeof(*event) && event->type < TT_EVENT_TYPES);
    counts[event->type]++;
}

/* The point becomes one of that kind, and is hit once. */
static void hit_as(struct tt_host *host, const struct target *t, enum tt_point_kind kind, unsigned detail)
{
    struct tt_point point = {.kind = (__u8)kind,
                             .condition = TT_COND_ALWAYS,
                             .cfa_reg = TT_REG_RSP,
                             .cfa_off = 8,
                             .detail = (__u8)detail};

    assert_int_equal(tt_host_set_points(host, POINT, &point, 1), 0);
    target_call(t);
}

/* Points above the level of a process cost it the filter only, but for the exit of a frame that it entered
 * when its level was higher. */
static void detail_filters_but_open_frames(void **state)
{
    uint64_t before[TT_COUNTERS], after[TT_COUNTERS];
    struct tt_host *host = open_host(false);
    struct target t = target_start();
    unsigned counts[TT_EVENT_TYPES] = {0};
    struct tt_link *link = NULL;

    assert_int_equal(link_own(host, t.pid, &link), 0);
    assert_int_equal(tt_host_set_target(host, t.pid, TT_TARGET_SELECTED, 1, UINT64_MAX), 0);
    hit_as(host, &t, TT_POINT_ENTER, 1);
    assert_int_equal(tt_host_set_target(host, t.pid, TT_TARGET_SELECTED, 0, UINT64_MAX), 0);
    assert_int_equal(tt_host_counters(host, before), 0);
    hit_as(host, &t, TT_POINT_EXIT, 1);  /* of the frame that is open */
    hit_as(host, &t, TT_POINT_EXIT, 1);  /* of none */
    hit_as(host, &t, TT_POINT_ENTER, 1); /* beyond */
    hit_as(host, &t, TT_POINT_ENTER, 0);
    hit_as(host, &t, TT_POINT_EXIT, 0);
    assert_int_equal(tt_host_counters(host, after), 0);
    assert_true(tt_host_consume(host, count_type, counts) >= 0);
    assert_int_equal(counts[TT_EVENT_ENTER], 2);
    assert_int_equal(counts[TT_EVENT_EXIT], 2);
    assert_int_equal(after[TT_COUNTER_DETAIL] - before[TT_COUNTER_DETAIL], 2);
    tt_host_unlink(&link, 1);
    target_stop(&t);
    tt_host_free(&host);
}

/* What the self-test did is in no figure; the hits of a process are counted, whether they are worth an event
 * or not, and through a change of its detail. */
static void hits_of_a_process_are_counted(void **state)
{
    struct tt_host *host = open_host(false);
    const struct tt_host_features *f = tt_host_features(host);
    uint64_t counters[TT_COUNTERS] = {0}, used = 1, peak = 1;
    struct target target = target_start();
    struct tt_link *link = NULL;

    assert_true(f->trap_ns > 0 && f->event_ns > f->trap_ns);
    assert_int_equal(tt_host_counters(host, counters), 0);
    for (int i = 0; i < TT_COUNTERS; i++)
        assert_int_equal(counters[i], 0);
    tt_host_ring_use(host, &used, &peak);
    assert_int_equal(peak, 0);

    assert_int_equal(tt_host_target_hits(host, target.pid), 0);
    assert_int_equal(tt_host_set_target(host, target.pid, TT_TARGET_SELECTED, 0, UINT64_MAX), 0);
    assert_int_equal(link_own(host, target.pid, &link), 0);
    target_call(&target);
    target_call(&target);
    assert_int_equal(tt_host_target_hits(host, target.pid), 2);
    assert_int_equal(tt_host_set_target(host, target.pid, TT_TARGET_IGNORED, 1, UINT64_MAX), 0);
    target_call(&target);
    assert_int_equal(tt_host_target_hits(host, target.pid), 3);
    assert_int_equal(tt_host_set_target(host, target.pid, TT_TARGET_UNKNOWN, 0, 0), 0);
    assert_int_equal(tt_host_target_hits(host, target.pid), 0);
    tt_host_unlink(&link, 1);
    target_stop(&target);
    tt_host_free(&host);
}

struct told {
    unsigned events;
    bool tells;
    uint64_t off_cpu;
};

/* What the last event tells of the time off the CPU. */
static void take_off_cpu(void *context, const void *data, size_t size)
{
    const struct tt_event *event = data;
    struct tt_field_header field = {0};
    struct told *told = context;

    told->events++;
    if (event->fields)
        memcpy(&field, event + 1, sizeof(field));
    told->tells = field.field == TT_FIELD_OFF_CPU;
    if (told->tells)
        memcpy(&told->off_cpu, (const char *)(event + 1) + sizeof(field), sizeof(told->off_cpu));
}

#define SLEEP_MS 30

/* A function is entered, its thread sleeps, and it is left. */
static struct told sleep_inside(struct tt_host *host, const struct target *t)
{
    struct told before = {0}, after = {0};

    hit_as(host, t, TT_POINT_ENTER, 0);
    assert_true(tt_host_consume(host, take_off_cpu, &before) >= 0);
    usleep(SLEEP_MS * 1000);
    hit_as(host, t, TT_POINT_EXIT, 0);
    assert_true(tt_host_consume(host, take_off_cpu, &after) >= 0);
    assert_int_equal(after.events, 1);
    after.off_cpu -= before.off_cpu;
    return after;
}

/* Only at the level that asks for it, and only while the scheduler is followed. */
static void time_off_the_cpu_is_told(void **state)
{
    struct tt_host *host = open_host(false);
    struct target t = target_start();
    struct tt_link *link = NULL;
    struct told told;

    assert_int_equal(link_own(host, t.pid, &link), 0);
    assert_int_equal(tt_host_set_target(host, t.pid, TT_TARGET_SELECTED, TT_CLOCK_DETAIL, UINT64_MAX), 0);
    assert_false(sleep_inside(host, &t).tells);
    assert_int_equal(tt_host_set_scheduler(host, true), 0);
    told = sleep_inside(host, &t);
    assert_true(told.tells);
    assert_in_range(told.off_cpu, SLEEP_MS * 1000000ull, 100ull * SLEEP_MS * 1000000);
    assert_int_equal(tt_host_set_target(host, t.pid, TT_TARGET_SELECTED, TT_CLOCK_DETAIL - 1, UINT64_MAX), 0);
    assert_false(sleep_inside(host, &t).tells);
    assert_int_equal(tt_host_set_scheduler(host, false), 0);
    tt_host_unlink(&link, 1);
    target_stop(&t);
    tt_host_free(&host);
}

static void link_to_a_dead_process_fails(void **state)
{
    struct tt_host *host = open_host(false);
    struct target t = target_start();
    struct tt_link *link = NULL;

    target_stop(&t);
    assert_int_equal(link_own(host, t.pid, &link), -ESRCH);
    assert_null(link);
    tt_host_free(&host);
}

/* One after the other 100 links would take 4 s. */
static void links_close_in_parallel(void **state)
{
    struct tt_host *host = open_host(false);
    struct target t = target_start();
    struct tt_link *links[100] = {0};
    double start;

    for (size_t i = 0; i < TT_ARRAY_SIZE(links); i++)
        assert_int_equal(link_own(host, t.pid, &links[i]), 0);
    start = seconds();
    tt_host_unlink(links, TT_ARRAY_SIZE(links));
    print_message("100 links closed in %.3f s\n", seconds() - start);
    /* Single uprobes end one after the other in the kernel, whoever closes them. */
    assert_true(!tt_host_features(host)->uprobe_multi || seconds() - start < 2.0);
    assert_int_equal(target_call(&t), 0x90);
    target_stop(&t);
    tt_host_free(&host);
}

/* ---- an agent that is killed ---- */

/* Links the field and ends the link, again and again, so that it is always in the middle of one or the other.
 */
static void link_for_ever(pid_t target)
{
    struct tt_host *host = open_host(false);
    uint64_t offsets[FIELD], cookies[FIELD];
    int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < FIELD; i++) {
        offsets[i] = file_offset(test_field) + i;
        cookies[i] = POINT;
    }
    for (;;) {
        struct tt_link *link = NULL;

        if (tt_host_link(host, exe, offsets, cookies, FIELD, target, &link))
            _exit(1);
        tt_host_unlink(&link, 1);
    }
}

static size_t breakpoints_in(pid_t pid)
{
    uint64_t addresses[FIELD];
    uint8_t bytes[FIELD];
    bool read[FIELD];
    size_t count = 0;

    for (size_t i = 0; i < FIELD; i++)
        addresses[i] = (uintptr_t)test_field + i;
    assert_int_equal(tt_host_peek(pid, addresses, bytes, read, FIELD), FIELD);
    for (size_t i = 0; i < FIELD; i++)
        count += bytes[i] == 0xcc;
    return count;
}

/* New lines of the kernel's log about breakpoints that it could not take out for a keeper or for this
 * program. `log` stands where the last call ended. */
static size_t leaks_since(int log)
{
    char line[8192];
    size_t leaks = 0;
    ssize_t n;

    while ((n = read(log, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
        line[n > 0 ? n : 0] = 0;
        leaks += strstr(line, "leaking uprobe") && (strstr(line, "tt-keeper:") || strstr(line, "test_host:"));
    }
    return leaks;
}

/* The eldest child of a process. */
static pid_t child_of(pid_t parent)
{
    _cleanup_fclose_ FILE *children = NULL;
    char path[64];
    int pid = 0;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
    children = fopen(path, "re");
    assert_non_null(children);
    assert_int_equal(fscanf(children, "%d", &pid), 1);
    return pid;
}

#define KILLS 20

static void killed_while_linking_leaves_nothing(void **state)
{
    _cleanup_close_ int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct target t = target_start();
    double slowest = 0;

    assert_true(log >= 0 && lseek(log, 0, SEEK_END) >= 0);
    for (int i = 0; i < KILLS; i++) {
        double start = seconds();
        pid_t agent = fork();
        struct pollfd keeper = {.events = POLLIN};

        if (!agent)
            link_for_ever(t.pid);
        while (!breakpoints_in(t.pid) && seconds() - start < 10)
            assert_int_equal(waitpid(agent, NULL, WNOHANG), 0);
        keeper.fd = (int)syscall(SYS_pidfd_open, child_of(agent), 0);
        assert_true(keeper.fd >= 0);
        usleep((useconds_t)(i * 3000 + 500)); /* any moment of linking or unlinking: nothing to wait for */
        assert_int_equal(kill(agent, SIGKILL), 0);
        assert_int_equal(waitpid(agent, NULL, 0), agent);
        start = seconds();
        assert_int_equal(poll(&keeper, 1, 60000), 1);
        slowest = seconds() - start > slowest ? seconds() - start : slowest;
        close(keeper.fd);
        assert_int_equal(breakpoints_in(t.pid), 0);
    }
    print_message("%d kills: clean after at most %.3f s\n", KILLS, slowest);
    assert_int_equal(leaks_since(log), 0);
    target_stop(&t);
}

/* The other way round: who asks hears of it. */
static void keeper_that_was_killed_is_noticed(void **state)
{
    struct tt_host *host = open_host(false);
    struct pollfd keeper = {.fd = tt_host_keeper(host)};
    struct target t = target_start();
    struct tt_link *link = NULL;

    assert_int_equal(link_own(host, t.pid, &link), 0);
    assert_int_equal(poll(&keeper, 1, 0), 0);
    assert_int_equal(kill(child_of(getpid()), SIGKILL), 0);
    /* It closes its links first, which takes an emulated machine long. */
    assert_int_equal(poll(&keeper, 1, 60000), 1);
    assert_true(keeper.revents & POLLHUP);
    tt_host_unlink(&link, 1);
    assert_int_equal(link_own(host, t.pid, &link), -EPIPE);
    assert_null(link);
    target_call(&t);
    target_stop(&t);
    tt_host_free(&host);
}

/* ---- leases ---- */

struct broken {
    struct tt_leases *leases;
    uint64_t tag;
    int count;
    char content[8]; /* of the file when the lease broke */
    const char *path;
};

static void on_broken(void *context, uint64_t tag)
{
    struct broken *b = context;
    _cleanup_close_ int fd = open(b->path, O_RDONLY | O_CLOEXEC);

    b->tag = tag;
    if (fd >= 0 && read(fd, b->content, sizeof(b->content) - 1) < 0)
        b->content[0] = 0;
    __atomic_add_fetch(&b->count, 1, __ATOMIC_RELEASE);
}

static void writer_waits_until_the_lease_is_given_back(void **state)
{
    char path[] = "/tmp/tangotrace-lease-XXXXXX";
    struct broken b = {.path = path};
    struct tt_leases *leases = NULL;
    _cleanup_close_ int made = mkstemp(path), reader = -1, writer = -1;

    assert_true(made >= 0);
    assert_int_equal(write(made, "old", 3), 3);
    close(TAKE_FD(made));
    reader = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(tt_leases_new(on_broken, &b, &leases), 0);
    assert_int_equal(tt_leases_take(leases, reader, 42), 0);
    /* The open truncates: had the writer not waited, the old content would be gone in on_broken. */
    writer = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(writer >= 0);
    assert_int_equal(__atomic_load_n(&b.count, __ATOMIC_ACQUIRE), 1);
    assert_int_equal(b.tag, 42);
    assert_string_equal(b.content, "old");
    /* While it is open for writing there is no lease to be had, so no link either. */
    assert_int_equal(tt_leases_take(leases, reader, 43), -EAGAIN);
    close(TAKE_FD(writer));
    assert_int_equal(tt_leases_take(leases, reader, 44), 0);
    tt_leases_release(leases, reader);
    writer = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(b.count, 1);
    tt_leases_free(&leases);
    unlink(path);
}

/* ---- process events ---- */

struct seen {
    pid_t pid;
    int exec, fork, exit, map, libc;
};

static void on_sideband(void *context, const struct tt_sideband_event *event)
{
    struct seen *s = context;

    if (event->pid != s->pid)
        return;
    s->exec += event->type == TT_SIDEBAND_EXEC;
    s->fork += event->type == TT_SIDEBAND_FORK && event->parent == getpid();
    s->exit += event->type == TT_SIDEBAND_EXIT;
    if (event->type == TT_SIDEBAND_MAP) {
        s->map++;
        s->libc += strstr(event->path, "libc.so") && event->inode && event->size;
    }
}

static void sideband_reports_a_process_whole(void **state)
{
    struct tt_sideband *sideband = NULL;
    struct seen s = {0};
    struct pollfd fd = {.events = POLLIN};
    double end = seconds() + 5;

    assert_int_equal(tt_sideband_new(&sideband), 0);
    s.pid = fork();
    if (!s.pid) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    waitpid(s.pid, NULL, 0);
    fd.fd = tt_sideband_fd(sideband);
    while (!s.exit && seconds() < end) {
        poll(&fd, 1, 100);
        tt_sideband_read(sideband, on_sideband, &s);
    }
    assert_int_equal(s.fork, 1);
    assert_int_equal(s.exec, 1);
    assert_int_equal(s.exit, 1);
    assert_true(s.map >= 2);
    assert_int_equal(s.libc, 1);
    tt_sideband_free(&sideband);
    assert_null(sideband);
}

/* ---- memory ---- */

static void peek_tells_readable_from_not(void **state)
{
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char known = 0x5a;
    uint64_t addresses[] = {(uintptr_t)&known, (uintptr_t)page + 4096 * 1024 * 1024ull * 64, 0};
    uint8_t bytes[3];
    bool ok[3];

    assert_int_equal(tt_host_peek(getpid(), addresses, bytes, ok, 3), 1);
    assert_true(ok[0] && !ok[1] && !ok[2]);
    assert_int_equal(bytes[0], 0x5a);
    munmap(page, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(link_multi_leaves_no_trace),
        cmocka_unit_test(link_single_leaves_no_trace),
        cmocka_unit_test(detail_filters_but_open_frames),
        cmocka_unit_test(hits_of_a_process_are_counted),
        cmocka_unit_test(time_off_the_cpu_is_told),
        cmocka_unit_test(link_to_a_dead_process_fails),
        cmocka_unit_test(links_close_in_parallel),
        cmocka_unit_test(killed_while_linking_leaves_nothing),
        cmocka_unit_test(keeper_that_was_killed_is_noticed),
        cmocka_unit_test(writer_waits_until_the_lease_is_given_back),
        cmocka_unit_test(sideband_reports_a_process_whole),
        cmocka_unit_test(peek_tells_readable_from_not),
    };

    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
