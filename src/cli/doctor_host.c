/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor_host.c: what this host has and lacks. Features are found by trying, never by the kernel's version.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/doctor.h"
#include "discover/proc.h"
#include "host/host.h"

/* Inodes of the initial namespaces: include/linux/proc_ns.h. */
#define INITIAL_USER_NS 0xEFFFFFFDu
#define INITIAL_PID_NS  0xEFFFFFFCu

/* First line of a small file, or NULL. Caller frees. */
static char *first_line(const char *path)
{
    char *text = NULL;
    size_t size;

    if (tt_read_file_at(AT_FDCWD, path, 4096, &text, &size, NULL))
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void check_kernel(struct tt_doctor *doctor)
{
    struct utsname name;

    if (uname(&name))
        return;
    tt_doctor_say(doctor, strcmp(name.machine, "x86_64") ? TT_FAIL : TT_OK, "kernel",
                  "tangotrace runs on x86_64 so far", "%s %s, %s", name.sysname, name.release, name.machine);
}

/* ---- rights ---- */

static uint64_t effective_capabilities(void)
{
    _cleanup_free_ char *text = NULL;
    const char *line;
    uint64_t value = 0;
    size_t size;

    if (tt_read_file_at(AT_FDCWD, "/proc/self/status", 65536, &text, &size, NULL))
        return 0;
    line = strstr(text, "\nCapEff:");
    if (!line || sscanf(line + 8, "%" SCNx64, &value) != 1)
        return 0;
    return value;
}

bool tt_doctor_holds(int capability)
{
    return effective_capabilities() >> capability & 1;
}

/* What a right is needed for, tried. */

static bool loads_program(const struct tt_host_features *f)
{
    return f->program;
}

static bool attaches(const struct tt_host_features *f)
{
    return f->uprobe || f->uprobe_multi;
}

static bool takes_leases(const struct tt_host_features *f)
{
    /* Tried on a file of our own; libraries are root's. */
    return f->lease && !geteuid();
}

static bool opens_mapped(const struct tt_host_features *f)
{
    _cleanup_close_ int dir = tt_proc_open("/proc", getpid()), fd = -1;
    struct tt_maps maps = {0};

    if (dir < 0 || tt_maps_read(dir, &maps))
        return false;
    if (maps.count)
        fd = tt_host_open_mapped(getpid(), maps.items[0].start, maps.items[0].end);
    tt_maps_free(&maps);
    return fd >= 0;
}

/* The first process is another user's, or root's with all rights. */
static bool reads_others(const struct tt_host_features *f)
{
    _cleanup_close_ int dir = tt_proc_open("/proc", 1);
    struct tt_maps maps = {0};
    bool reads = dir >= 0 && !tt_maps_read(dir, &maps);

    tt_maps_free(&maps);
    return reads;
}

static bool never_tried(const struct tt_host_features *f)
{
    return false;
}

/* A right that is not held matters only where what it is for does not work without: services are given few.
 * `instead`: CAP_SYS_ADMIN holds this one, too. */
static const struct {
    const char *name;
    const char *why;
    bool (*works)(const struct tt_host_features *features);
    int bit;
    bool instead;
    bool essential;
} capabilities[] = {
    {"CAP_BPF", "to load the probe program", loads_program, CAP_BPF, true, true},
    {"CAP_PERFMON", "to attach probes and to follow processes", attaches, CAP_PERFMON, true, true},
    {"CAP_SYS_ADMIN", "to attach single uprobes on some kernels", attaches, CAP_SYS_ADMIN, false, false},
    {"CAP_CHECKPOINT_RESTORE", "to open the files that processes map", opens_mapped, CAP_CHECKPOINT_RESTORE,
     true, true},
    {"CAP_SYS_PTRACE", "to read /proc/PID/maps and memory of other users' programs", reads_others,
     CAP_SYS_PTRACE, false, true},
    {"CAP_DAC_READ_SEARCH", "to read programs that only their owner can read", never_tried,
     CAP_DAC_READ_SEARCH, false, false},
    {"CAP_LEASE", "for read leases on libraries, which make shared probes safe", takes_leases, CAP_LEASE,
     false, false},
};

static void check_rights(struct tt_doctor *doctor, const struct tt_host_features *features)
{
    uint64_t held = effective_capabilities();
    unsigned missing = 0, without = 0;

    for (size_t i = 0; i < TT_ARRAY_SIZE(capabilities); i++) {
        bool have = held >> capabilities[i].bit & 1;

        have |= capabilities[i].instead && (held >> CAP_SYS_ADMIN & 1);
        if (have)
            continue;
        if (capabilities[i].works(features)) {
            without++;
            continue;
        }
        missing++;
        tt_doctor_say(doctor, capabilities[i].essential ? TT_FAIL : TT_WARN, capabilities[i].name,
                      "run as root (sudo), or give the service this capability", "not held; it is needed %s",
                      capabilities[i].why);
    }
    if (!missing)
        tt_doctor_say(doctor, TT_OK, "rights", NULL, "%s, %s", geteuid() ? "not root" : "root",
                      without ? "not all capabilities, but what they are for works"
                              : "all capabilities needed");
}

static void check_namespace(struct tt_doctor *doctor, const char *name, const char *what, uint64_t initial,
                            const char *advice)
{
    int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t inode = 0;
    int err = self < 0 ? -errno : tt_proc_namespace(self, name, &inode);

    if (self >= 0)
        close(self);
    if (err)
        tt_doctor_say(doctor, TT_WARN, what, "mount /proc", "unknown: %s", strerror(-err));
    else if (inode == initial)
        tt_doctor_say(doctor, TT_OK, what, NULL, "the host's");
    else
        tt_doctor_say(doctor, TT_FAIL, what, advice, "not the host's (%" PRIu64 ")", inode);
}

static void check_lockdown(struct tt_doctor *doctor)
{
    _cleanup_free_ char *text = first_line("/sys/kernel/security/lockdown");

    if (text && strstr(text, "[confidentiality]"))
        tt_doctor_say(doctor, TT_FAIL, "lockdown",
                      "boot with lockdown=integrity or none: the kernel forbids BPF to read memory",
                      "confidentiality");
    else
        tt_doctor_say(doctor, TT_OK, "lockdown", NULL, "%s",
                      text && strstr(text, "[integrity]") ? "integrity" : "none");
}

static void check_sysctls(struct tt_doctor *doctor)
{
    _cleanup_free_ char *paranoid = first_line("/proc/sys/kernel/perf_event_paranoid");
    _cleanup_free_ char *ptrace = first_line("/proc/sys/kernel/yama/ptrace_scope");
    bool perfmon = effective_capabilities() & (1ull << CAP_PERFMON | 1ull << CAP_SYS_ADMIN);

    if (paranoid)
        tt_doctor_say(doctor, perfmon || atoi(paranoid) < 2 ? TT_OK : TT_WARN, "perf_event_paranoid",
                      "run as root: CAP_PERFMON is above this setting", "%s%s", paranoid,
                      perfmon ? ", no limit with the rights held" : "");
    if (ptrace)
        tt_doctor_say(
            doctor, !strcmp(ptrace, "3") ? TT_WARN : TT_OK, "yama ptrace_scope",
            "sysctl kernel.yama.ptrace_scope cannot be lowered from 3 without a reboot; until then probes cannot be "
            "verified in memory",
            "%s", ptrace);
}

/* Counted for BPF by kernels before 5.11 only: where the program loads the limit does not matter. */
static void check_memlock(struct tt_doctor *doctor, const struct tt_host_features *f)
{
    struct rlimit limit;

    if (f->program || getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY)
        tt_doctor_say(doctor, TT_OK, "locked memory", NULL, "high enough");
    else
        tt_doctor_say(doctor, TT_WARN, "locked memory",
                      "raise it (ulimit -l unlimited, LimitMEMLOCK=infinity)", "limited to %llu KiB",
                      (unsigned long long)limit.rlim_cur / 1024);
}

/* ---- features ---- */

static void say_features(struct tt_doctor *doctor, const struct tt_host_features *f)
{
    tt_doctor_say(doctor, f->btf ? TT_OK : TT_FAIL, "BTF",
                  "a kernel with CONFIG_DEBUG_INFO_BTF (Debian 11, RHEL 8.2, "
                  "Ubuntu 20.10 and later have it)",
                  f->btf ? "/sys/kernel/btf/vmlinux" : "/sys/kernel/btf/vmlinux is missing");
    tt_doctor_say(doctor, f->program ? TT_OK : TT_FAIL, "BPF program",
                  "see the first failure; else report this with "
                  "the kernel's version",
                  f->program ? "loads" : "does not load: %s", f->error);
    tt_doctor_say(doctor, f->uprobe || f->uprobe_multi ? TT_OK : TT_FAIL, "uprobes",
                  "a kernel with CONFIG_UPROBES and "
                  "CONFIG_BPF_EVENTS, 5.15 or later",
                  f->uprobe || f->uprobe_multi ? "fire in a child process" : "do not fire: %s", f->error);
    tt_doctor_say(doctor, f->uprobe_multi ? TT_OK : TT_WARN, "uprobe_multi",
                  "nothing: single uprobes are used; attaching "
                  "takes longer. Kernels from 6.6 on have it",
                  f->uprobe_multi ? "works" : "not here");
    if (f->uprobe_multi)
        tt_doctor_say(doctor, f->multi_pid ? TT_OK : TT_WARN, "uprobe_multi by pid",
                      "nothing: another kind of link is used. "
                      "Kernels from 6.10 on have the repair",
                      f->multi_pid ? "sees all threads" : "sees one thread only");
    tt_doctor_say(doctor, f->lease ? TT_OK : TT_WARN, "read leases",
                  "enable fs.leases-enable; without leases probes are "
                  "attached process by process",
                  f->lease ? "work" : "cannot be taken");
    tt_doctor_say(doctor, f->sideband ? TT_OK : TT_WARN, "process events",
                  "perf_event_open must be allowed; until then new "
                  "processes are found by a slow scan",
                  f->sideband ? "arrive" : "do not arrive");
    if (f->trap_ns > 0)
        tt_doctor_say(doctor, f->trap_ns > 5000 ? TT_WARN : TT_OK, "cost of a probe",
                      "a virtual machine that traps on "
                      "breakpoints: expect a slowdown of traced calls",
                      "%.0f ns per hit, %.0f ns with an event", f->trap_ns, f->event_ns);
}

void tt_doctor_host(struct tt_doctor *doctor)
{
    struct tt_host_features features = {0};
    int err;

    err = tt_host_probe_features(&features);
    if (err && !features.error[0])
        snprintf(features.error, sizeof(features.error), "%s", strerror(-err));
    check_kernel(doctor);
    check_rights(doctor, &features);
    check_namespace(
        doctor, "pid", "pid namespace", INITIAL_PID_NS,
        "run on the host, or the container with the host's pid namespace (docker --pid=host, hostPID: true)");
    check_namespace(doctor, "user", "user namespace", INITIAL_USER_NS,
                    "run outside of user namespaces (rootless containers): BPF needs the host's root");
    check_lockdown(doctor);
    check_sysctls(doctor);
    check_memlock(doctor, &features);
    say_features(doctor, &features);
}
