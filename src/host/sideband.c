/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sideband.c: exec, fork, exit and executable maps of all processes, from perf_event_open's side-band records
 * (include/uapi/linux/perf_event.h): the only source that reports maps.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "host/host.h"

#define DATA_PAGES 64 /* per CPU, a power of two */

struct cpu_buffer {
    int fd;
    struct perf_event_mmap_page *page;
};

struct tt_sideband {
    int epoll;
    size_t page_size, count;
    struct cpu_buffer cpus[];
};

struct mmap2_record {
    struct perf_event_header header;
    uint32_t pid, tid;
    uint64_t addr, len, pgoff;
    uint32_t maj, min;
    uint64_t ino, generation;
    uint32_t prot, flags;
    char filename[];
};

struct comm_record {
    struct perf_event_header header;
    uint32_t pid, tid;
    char comm[];
};

struct task_record {
    struct perf_event_header header;
    uint32_t pid, ppid, tid, ptid;
    uint64_t time;
};

struct lost_record {
    struct perf_event_header header;
    uint64_t id, lost;
};

static int open_cpu(struct tt_sideband *sideband, int cpu)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof(attr),
        .config = PERF_COUNT_SW_DUMMY,
        .mmap = 1, /* executable maps */
        .mmap2 = 1,
        .comm = 1,
        .comm_exec = 1,
        .task = 1,
        .watermark = 1,
        .wakeup_watermark = 1,
    };
    struct cpu_buffer *buffer = &sideband->cpus[sideband->count];
    struct epoll_event event = {.events = EPOLLIN};
    void *page;

    buffer->fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (buffer->fd < 0)
        return -errno;
    page = mmap(NULL, (DATA_PAGES + 1) * sideband->page_size, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->fd,
                0);
    if (page == MAP_FAILED || epoll_ctl(sideband->epoll, EPOLL_CTL_ADD, buffer->fd, &event)) {
        int error = -errno;

        if (page != MAP_FAILED)
            munmap(page, (DATA_PAGES + 1) * sideband->page_size);
        close(buffer->fd);
        return error;
    }
    buffer->page = page;
    sideband->count++;
    return 0;
}

int tt_sideband_new(struct tt_sideband **sideband)
{
    int cpus = get_nprocs_conf(), error = 0;
    struct tt_sideband *made = calloc(1, sizeof(*made) + (size_t)cpus * sizeof(made->cpus[0]));

    if (!made)
        return -ENOMEM;
    made->page_size = (size_t)sysconf(_SC_PAGESIZE);
    made->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (made->epoll < 0)
        error = -errno;
    for (int cpu = 0; cpu < cpus && !error; cpu++) {
        error = open_cpu(made, cpu);
        if (error == -ENODEV) /* offline */
            error = 0;
    }
    if (error) {
        tt_sideband_free(&made);
        return error;
    }
    *sideband = made;
    return 0;
}

void tt_sideband_free(struct tt_sideband **sideband)
{
    struct tt_sideband *s = *sideband;

    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++) {
        munmap(s->cpus[i].page, (DATA_PAGES + 1) * s->page_size);
        close(s->cpus[i].fd);
    }
    tt_cleanup_close(&s->epoll);
    free(s);
    *sideband = NULL;
}

int tt_sideband_fd(const struct tt_sideband *sideband)
{
    return sideband->epoll;
}

typedef void (*sideband_fn)(void *context, const struct tt_sideband_event *event);

static void deliver(const struct perf_event_header *header, sideband_fn event, void *context)
{
    struct tt_sideband_event out = {0};

    if (header->type == PERF_RECORD_MMAP2) {
        const struct mmap2_record *r = (const void *)header;

        out.type = TT_SIDEBAND_MAP;
        out.pid = (pid_t)r->pid;
        out.start = r->addr;
        out.size = r->len;
        out.device = makedev(r->maj, r->min);
        out.inode = r->ino;
        out.path = r->filename;
    } else if (header->type == PERF_RECORD_COMM && (header->misc & PERF_RECORD_MISC_COMM_EXEC)) {
        out.type = TT_SIDEBAND_EXEC;
        out.pid = (pid_t)((const struct comm_record *)(const void *)header)->pid;
    } else if (header->type == PERF_RECORD_FORK || header->type == PERF_RECORD_EXIT) {
        const struct task_record *r = (const void *)header;

        if (r->pid != r->tid) /* a thread */
            return;
        out.type = header->type == PERF_RECORD_FORK ? TT_SIDEBAND_FORK : TT_SIDEBAND_EXIT;
        out.pid = (pid_t)r->pid;
        out.parent = (pid_t)r->ppid;
    } else if (header->type == PERF_RECORD_LOST) {
        out.type = TT_SIDEBAND_LOST;
        out.lost = ((const struct lost_record *)(const void *)header)->lost;
    } else {
        return;
    }
    event(context, &out);
}

static void read_cpu(struct tt_sideband *s, struct cpu_buffer *cpu, sideband_fn event, void *context)
{
    uint64_t head = __atomic_load_n(&cpu->page->data_head, __ATOMIC_ACQUIRE), tail = cpu->page->data_tail;
    const char *data = (const char *)cpu->page + s->page_size;
    size_t size = DATA_PAGES * s->page_size;
    _Alignas(8) char copy[8192];

    while (tail < head) {
        const struct perf_event_header *header = (const void *)(data + tail % size);
        size_t length = header->size, first = size - tail % size;

        if (length < sizeof(*header) || length > sizeof(copy) - 1)
            break; /* not possible: records are at most 64 KiB, these at most PATH_MAX; the tail is set to the
                      head */
        if (first > length)
            first = length;
        memcpy(copy, header, first);
        memcpy(copy + first, data, length - first);
        copy[length] = 0;
        deliver((const void *)copy, event, context);
        tail += length;
    }
    __atomic_store_n(&cpu->page->data_tail, head, __ATOMIC_RELEASE);
}

void tt_sideband_read(struct tt_sideband *sideband, sideband_fn event, void *context)
{
    for (size_t i = 0; i < sideband->count; i++)
        read_cpu(sideband, &sideband->cpus[i], event, context);
}
