/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/internal.h"
#include "probe.skel.h"

static int libbpf_message(enum libbpf_print_level level, const char *format, va_list args)
{
    char line[1024];
    size_t n;

    if (level > LIBBPF_WARN)
        return 0;
    vsnprintf(line, sizeof(line), format, args);
    n = strlen(line);
    while (n && line[n - 1] == '\n')
        line[--n] = 0;
    tt_debug("%s", line);
    return 0;
}

/* Kernels before 6.4 keep the beginning of the verifier's log; its reason is at the end. */
#define VERIFIER_LOG  (16u << 20)
#define VERIFIER_TELL 800u /* what a line of the log has room for */

static void tell_refusal(const char *log)
{
    size_t size = log ? strlen(log) : 0;

    if (size) /* else it was not the verifier */
        tt_debug("the verifier's last words: %s", size > VERIFIER_TELL ? log + size - VERIFIER_TELL : log);
}

static int share_maps(struct probe_bpf *bpf, const struct probe_bpf *with)
{
    struct bpf_map *map;

    bpf_object__for_each_map(map, bpf->obj)
    {
        const struct bpf_map *other = bpf_object__find_map_by_name(with->obj, bpf_map__name(map));
        int error = bpf_map__is_internal(map) ? 0 : bpf_map__reuse_fd(map, bpf_map__fd(other));

        if (error)
            return error;
    }
    return 0;
}

static int load(size_t ring_size, bool multi, bool typed_loads, bool scheduler, struct probe_bpf *share,
                struct probe_bpf **bpf)
{
    struct probe_bpf *made = probe_bpf__open();
    _cleanup_free_ char *log = NULL;
    int error;

    if (!made)
        return -errno;
    log = calloc(1, VERIFIER_LOG); /* touched only where the verifier says something */
    if (log)
        bpf_program__set_log_buf(made->progs.tt_probe, log, VERIFIER_LOG);
    made->rodata->typed_loads = typed_loads;
    error = share ? share_maps(made, share) : bpf_map__set_max_entries(made->maps.ring, (uint32_t)ring_size);
    if (!error && multi)
        error = bpf_program__set_expected_attach_type(made->progs.tt_probe, ATTACH_UPROBE_MULTI);
    if (!error && share)
        error = bpf_program__set_autoload(made->progs.tt_thread_exit, false);
    if (!error && share)
        error = bpf_program__set_autoload(made->progs.tt_execute, false);
    if (!error)
        error = bpf_program__set_autoload(made->progs.tt_sched_switch, scheduler && !share);
    if (!error)
        error = probe_bpf__load(made);
    if (error) {
        tell_refusal(log);
        probe_bpf__destroy(made);
        return error;
    }
    *bpf = made;
    return 0;
}

int tt_bpf_load(size_t ring_size, bool multi, struct probe_bpf *share, struct probe_bpf **bpf)
{
    int error = -EINVAL, ways = share ? 2 : 4; /* one that shares maps has no scheduler's hook */

    libbpf_set_print(libbpf_message);
    libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
    /* Older kernels lack what typed loads need, some refuse typed tracepoints: found by trying. */
    for (int way = 0; error && way < ways; way++)
        error = load(ring_size, multi, !(way & 1), way < 2, share, bpf);
    return error;
}

static int ring_event(void *context, void *data, size_t size)
{
    struct tt_host *host = context;

    host->event(host->event_context, data, size);
    return 0;
}

int tt_host_consume(struct tt_host *host, tt_host_event_fn event, void *context)
{
    host->event = event;
    host->event_context = context;
    tt_ring_measure(host);
    return ring_buffer__consume(host->ring);
}

/* uprobe_multi if it fires and sees all threads by pid; else single uprobes for links by pid, or for all. */
static int choose_method(struct tt_host *host, const struct tt_host_config *config)
{
    struct tt_host_features *f = &host->features;
    int error;

    if (!config->no_multi && !tt_bpf_load(host->ring_size, true, NULL, &host->bpf)) {
        f->program = true;
        tt_selftest(host, true, &f->uprobe_multi, &f->multi_pid, &f->trap_ns, &f->event_ns);
        host->multi = f->uprobe_multi;
        if (!host->multi) {
            probe_bpf__destroy(host->bpf);
            host->bpf = NULL;
        }
    }
    if (host->multi && f->multi_pid)
        return 0;

    error = host->multi ? tt_bpf_load(host->ring_size, false, host->bpf, &host->single)
                        : tt_bpf_load(host->ring_size, false, NULL, &host->bpf);
    if (error)
        return tt_err(
            error,
            "cannot load the probe program: %s. Run 'tangotrace doctor' as root to see what is missing",
            strerror(-error));
    f->program = true;
    if (host->single)
        host->single_fd = bpf_program__fd(host->single->progs.tt_probe);
    return tt_selftest(host, false, &f->uprobe, &(bool){false}, host->multi ? &(double){0} : &f->trap_ns,
                       host->multi ? &(double){0} : &f->event_ns);
}

/* Single uprobes take a descriptor per point, hundreds for each build of Tango; shells allow 1024. */
static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        tt_debug("open files stay limited: %s", strerror(errno));
}

/* Of the first CPU: arch/x86/kernel/cpu/proc.c shows it where the CPU and the kernel have them. */
static bool has_shadow_stacks(void)
{
    _cleanup_fclose_ FILE *file = fopen("/proc/cpuinfo", "re");
    _cleanup_free_ char *line = NULL;
    size_t size = 0;

    while (file && getline(&line, &size, file) > 0)
        if (!strncmp(line, "flags", 5))
            return strstr(line, " user_shstk");
    return false;
}

static void ignore(void *context, const void *data, size_t size)
{
}

/* The self-test's own events and hits are no news. */
static void forget_selftest(struct tt_host *host)
{
    uint64_t counted[TT_COUNTERS];

    tt_host_consume(host, ignore, NULL);
    if (!tt_host_counters(host, counted))
        memcpy(host->before, counted, sizeof(counted));
    host->ring_used = host->ring_peak = 0;
}

int tt_host_new(const struct tt_host_config *config, struct tt_host **host)
{
    struct tt_host *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->single_fd = made->keeper = -1;
    allow_descriptors();
    made->ring_size = config->ring_size;
    made->cpus = libbpf_num_possible_cpus();
    made->features.btf = !access("/sys/kernel/btf/vmlinux", R_OK);
    made->features.shadow_stacks = has_shadow_stacks();
    error = made->cpus < 0 ? made->cpus : tt_keeper_new(made);
    if (!error)
        error = choose_method(made, config);
    if (!error && !made->multi && !made->features.uprobe)
        error = tt_err(-ENOSYS,
                       "uprobes do not fire on this host. Run 'tangotrace doctor' to see what is missing");
    if (!error) {
        /* Without it a reused thread id is still told apart by its start time; frames of dead threads live
         * longer. */
        made->bpf->links.tt_thread_exit = bpf_program__attach(made->bpf->progs.tt_thread_exit);
        if (!made->bpf->links.tt_thread_exit)
            tt_warn("thread ends cannot be followed (raw tracepoint sched_process_exit: %s)",
                    strerror(errno));
        /* Without it a process keeps what it was called before exec until its /proc is read again. */
        made->bpf->links.tt_execute = bpf_program__attach(made->bpf->progs.tt_execute);
        if (!made->bpf->links.tt_execute)
            tt_warn("exec cannot be followed (raw tracepoint sched_process_exec: %s)", strerror(errno));
        made->ring = ring_buffer__new(bpf_map__fd(made->bpf->maps.ring), ring_event, made, NULL);
        if (!made->ring)
            error = tt_err(-errno, "cannot map the ring buffer: %s", strerror(errno));
        else if (tt_ring_map(made, bpf_map__fd(made->bpf->maps.ring)))
            tt_debug("how full the ring buffer is cannot be told");
    }
    if (!error)
        forget_selftest(made);
    if (error) {
        tt_host_free(&made);
        return error;
    }
    *host = made;
    return 0;
}

void tt_host_free(struct tt_host **host)
{
    struct tt_host *h = *host;

    if (!h)
        return;
    tt_keeper_free(h);
    tt_ring_unmap(h);
    ring_buffer__free(h->ring);
    if (h->single)
        probe_bpf__destroy(h->single);
    if (h->bpf)
        probe_bpf__destroy(h->bpf);
    free(h);
    *host = NULL;
}

const struct tt_host_features *tt_host_features(const struct tt_host *host)
{
    return &host->features;
}

size_t tt_host_ring_size(const struct tt_host *host)
{
    return host->ring_size;
}

int tt_host_set_points(struct tt_host *host, uint32_t first, const struct tt_point *points, size_t count)
{
    int map = bpf_map__fd(host->bpf->maps.points);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = first + i;

        if (bpf_map_update_elem(map, &index, &points[i], BPF_ANY))
            return -errno;
    }
    return 0;
}

int tt_host_set_target(struct tt_host *host, pid_t tgid, enum tt_target_state state, unsigned detail,
                       uint64_t since)
{
    int map = bpf_map__fd(host->bpf->maps.targets);
    struct tt_target value = {0};
    uint32_t key = (uint32_t)tgid;

    if (state == TT_TARGET_UNKNOWN)
        return bpf_map_delete_elem(map, &key) && errno != ENOENT ? -errno : 0;
    /* What it has counted goes on; hits in between are not missed by an estimate. */
    if (bpf_map_lookup_elem(map, &key, &value))
        value.hits = 0;
    value.value = TT_TARGET(state, detail);
    value.since = since;
    return bpf_map_update_elem(map, &key, &value, BPF_ANY) ? -errno : 0;
}

uint64_t tt_host_target_hits(struct tt_host *host, pid_t tgid)
{
    struct tt_target value = {0};
    uint32_t key = (uint32_t)tgid;

    return bpf_map_lookup_elem(bpf_map__fd(host->bpf->maps.targets), &key, &value) ? 0 : value.hits;
}

int tt_host_set_scheduler(struct tt_host *host, bool on)
{
    struct bpf_program *program = host->bpf->progs.tt_sched_switch;
    struct bpf_link **link = &host->bpf->links.tt_sched_switch;

    if (on && !*link) {
        *link = bpf_program__fd(program) < 0 ? NULL : bpf_program__attach(program);
        if (!*link)
            return -(errno ?: ENOSYS);
    } else if (!on && *link) {
        bpf_link__destroy(*link);
        *link = NULL;
    }
    host->bpf->bss->scheduler_since = *link ? tt_now_ns() : 0;
    if (host->single)
        host->single->bss->scheduler_since = host->bpf->bss->scheduler_since;
    return 0;
}

int tt_host_set_python(struct tt_host *host, pid_t tgid, const struct tt_python *python)
{
    int map = bpf_map__fd(host->bpf->maps.pythons);
    uint32_t key = (uint32_t)tgid;

    if (!python)
        return bpf_map_delete_elem(map, &key) && errno != ENOENT ? -errno : 0;
    return bpf_map_update_elem(map, &key, python, BPF_ANY) ? -errno : 0;
}

int tt_host_set_dull(struct tt_host *host, const struct tt_dull_key *key, const struct tt_dull *dull)
{
    return bpf_map_update_elem(bpf_map__fd(host->bpf->maps.dull), key, dull, BPF_ANY) ? -errno : 0;
}

int tt_host_counters(struct tt_host *host, uint64_t counters[TT_COUNTERS])
{
    _cleanup_free_ uint64_t *values = calloc((size_t)host->cpus * TT_COUNTERS, sizeof(*values));
    uint32_t zero = 0;

    if (!values)
        return -ENOMEM;
    if (bpf_map_lookup_elem(bpf_map__fd(host->bpf->maps.counters), &zero, values))
        return -errno;
    memset(counters, 0, TT_COUNTERS * sizeof(*counters));
    for (size_t i = 0; i < (size_t)host->cpus * TT_COUNTERS; i++)
        counters[i % TT_COUNTERS] += values[i];
    for (int i = 0; i < TT_COUNTERS; i++)
        counters[i] -= host->before[i];
    return 0;
}

int tt_host_test_hits(struct tt_host *host, uint64_t *hits)
{
    _cleanup_free_ uint64_t *values = calloc((size_t)host->cpus, sizeof(*values));
    uint32_t zero = 0;

    if (!values)
        return -ENOMEM;
    if (bpf_map_lookup_elem(bpf_map__fd(host->bpf->maps.hits), &zero, values))
        return -errno;
    *hits = 0;
    for (int cpu = 0; cpu < host->cpus; cpu++)
        *hits += values[cpu];
    return 0;
}
