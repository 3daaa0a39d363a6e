/* SPDX-License-Identifier: GPL-2.0-only */
/* ring.c: how full the ring buffer is. Its first page holds the consumer's position, the second the
 * producer's (kernel/bpf/ringbuf.c: struct bpf_ringbuf). */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/internal.h"

int tt_ring_map(struct tt_host *host, int fd)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *consumer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0), *producer;

    if (consumer == MAP_FAILED)
        return -errno;
    producer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)page);
    if (producer == MAP_FAILED) {
        munmap(consumer, page);
        return -errno;
    }
    host->ring_consumer = consumer;
    host->ring_producer = producer;
    return 0;
}

void tt_ring_unmap(struct tt_host *host)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (!host->ring_consumer)
        return;
    munmap((void *)host->ring_consumer, page);
    munmap((void *)host->ring_producer, page);
}

void tt_ring_measure(struct tt_host *host)
{
    uint64_t consumed, produced, used;

    if (!host->ring_consumer)
        return;
    consumed = __atomic_load_n(host->ring_consumer, __ATOMIC_ACQUIRE);
    produced = __atomic_load_n(host->ring_producer, __ATOMIC_ACQUIRE);
    used = produced - consumed;
    __atomic_store_n(&host->ring_used, used, __ATOMIC_RELAXED);
    if (used > host->ring_peak)
        __atomic_store_n(&host->ring_peak, used, __ATOMIC_RELAXED);
}

void tt_host_ring_use(const struct tt_host *host, uint64_t *used, uint64_t *peak)
{
    *used = __atomic_load_n(&host->ring_used, __ATOMIC_RELAXED);
    *peak = __atomic_load_n(&host->ring_peak, __ATOMIC_RELAXED);
}
