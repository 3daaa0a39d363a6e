/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * selftest.c: does a probe fire here, in every thread of a process, and what does it cost? Tried on a child
 * of the agent before any target is touched.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/internal.h"

#define CALLS 2000

/* The point: a one-byte nop, which every kernel emulates (arch/x86/kernel/uprobes.c). */
void tt_selftest_point(const char *text);
__asm__(".text\n.globl tt_selftest_point\n.type tt_selftest_point, @function\n"
        "tt_selftest_point:\n\tnop\n\tret\n.size tt_selftest_point, .-tt_selftest_point\n");

struct mapping {
    uint64_t address, offset;
    bool found;
};

/* Finds the file offset of an address of this program's own. */
static int own_offset(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct mapping *m = argument;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + p->p_vaddr;

        if (p->p_type == PT_LOAD && m->address >= start && m->address < start + p->p_filesz) {
            m->offset = m->address - start + p->p_offset;
            m->found = true;
            return 1;
        }
    }
    return 0;
}

static void *call_point(void *argument)
{
    uint64_t start = tt_now_ns();

    for (int i = 0; i < CALLS; i++)
        tt_selftest_point("sys/tg_test/1"); /* as long as what is captured usually */
    *(uint64_t *)argument = tt_now_ns() - start;
    return NULL;
}

/* In the child: wait for the word to go, then call the point in the first and in a second thread; and again,
 * when its hits are written as events. */
static void child(int start[2], int result[2])
{
    uint64_t ns[2] = {0, 0};
    pthread_t thread;
    char go;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(
        start[1]); /* with a copy of its own it would never see the end of file that tells of a failed link */
    close(result[0]);
    if (read(start[0], &go, 1) != 1)
        _exit(1);
    call_point(&ns[0]);
    if (!pthread_create(&thread, NULL, call_point, &ns[1]))
        pthread_join(thread, NULL);
    if (write(result[1], ns, sizeof(ns)) != sizeof(ns) || read(start[0], &go, 1) != 1)
        _exit(1);
    call_point(&ns[0]);
    _exit(write(result[1], ns, sizeof(ns[0])) != sizeof(ns[0]));
}

static int try_link(struct tt_host *host, bool multi, pid_t pid, uint64_t offset, struct tt_link **link)
{
    _cleanup_close_ int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct tt_point point = {.kind = TT_POINT_TEST, .condition = TT_COND_ALWAYS};
    uint64_t cookie = TT_SELFTEST_POINT;
    bool was_multi = host->multi;
    int error;

    if (exe < 0)
        return -errno;
    error = tt_host_set_points(host, TT_SELFTEST_POINT, &point, 1);
    if (error)
        return error;
    host->multi = multi;
    error = tt_host_link(host, exe, &offset, &cookie, 1, pid, link);
    host->multi = was_multi;
    return error;
}

/* What a hit costs that reads a text and writes an event. These events are nobody's: see tt_host_new. */
static double measure_events(struct tt_host *host, const int start[2], const int result[2])
{
    const struct tt_point point = {
        .kind = TT_POINT_ENTER,
        .condition = TT_COND_MOMENT,
        .captures = 1,
        .capture = {{.field = TT_FIELD_DEVICE, .kind = TT_CAPTURE_CSTRING, .reg = TT_REG_RDI}},
    };
    uint64_t ns;

    if (tt_host_set_points(host, TT_SELFTEST_POINT, &point, 1) || write(start[1], "g", 1) != 1 ||
        read(result[0], &ns, sizeof(ns)) != sizeof(ns))
        return 0;
    return (double)ns / CALLS;
}

int tt_selftest(struct tt_host *host, bool multi, bool *fires, bool *threads, double *trap_ns,
                double *event_ns)
{
    struct mapping point = {.address = (uintptr_t)tt_selftest_point};
    int start[2] = {-1, -1}, result[2] = {-1, -1}, error, status;
    uint64_t before = 0, after = 0, ns[2] = {0, 0};
    struct tt_link *link = NULL;
    pid_t pid;

    *fires = *threads = false;
    if (!dl_iterate_phdr(own_offset, &point) || !point.found)
        return -ENOENT;
    if (pipe2(start, O_CLOEXEC) || pipe2(result, O_CLOEXEC))
        return -errno;
    pid = fork();
    if (pid == 0)
        child(start, result);
    error = pid < 0 ? -errno : try_link(host, multi, pid, point.offset, &link);
    if (!error)
        error = tt_host_test_hits(host, &before);
    close(result[1]);
    if (!error && (write(start[1], "g", 1) != 1 || read(result[0], ns, sizeof(ns)) != sizeof(ns)))
        error = -EIO;
    if (!error)
        error = tt_host_test_hits(host, &after);
    if (!error)
        *event_ns = measure_events(host, start, result);
    close(start[1]);
    close(start[0]);
    close(result[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    if (link)
        tt_host_unlink(&link, 1);
    if (error) {
        tt_debug("self-test (%s): %s", multi ? "uprobe_multi" : "single uprobe", strerror(-error));
        return error;
    }
    *fires = after - before >= CALLS;
    *threads = after - before == 2 * CALLS;
    *trap_ns = (double)ns[0] / CALLS;
    return *fires ? 0 : -ENOSYS;
}

int tt_host_probe_features(struct tt_host_features *features)
{
    struct tt_host_config config = {.ring_size = 1 << 16};
    struct tt_sideband *sideband = NULL;
    struct tt_host *host = NULL;
    int error = tt_host_new(&config, &host);

    memset(features, 0, sizeof(*features));
    features->btf = !access("/sys/kernel/btf/vmlinux", R_OK);
    if (!error) {
        *features = host->features;
        if (!features->uprobe && !host->single) {
            struct tt_host *other = NULL;
            struct tt_host_config no_multi = {.ring_size = 1 << 16, .no_multi = true};

            if (!tt_host_new(&no_multi, &other))
                features->uprobe = other->features.uprobe; /* tried as it was made */
            tt_host_free(&other);
        }
    } else {
        snprintf(features->error, sizeof(features->error), "%s", strerror(-error));
    }
    tt_host_free(&host);
    if (!tt_sideband_new(&sideband))
        features->sideband = true;
    tt_sideband_free(&sideband);
    {
        _cleanup_close_ int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        features->lease = exe >= 0 && !fcntl(exe, F_SETLEASE, F_RDLCK);
        if (features->lease)
            fcntl(exe, F_SETLEASE, F_UNLCK);
    }
    return error;
}
