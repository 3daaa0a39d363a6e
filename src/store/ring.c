/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/ring.h"

#include <errno.h>
#include <sys/mman.h>

/* In front of each record. One without `used` fills up the end of the memory. */
struct head {
    uint32_t whole; /* bytes, with this and what aligns the next */
    uint32_t size;
    uint64_t used;
};

static struct head *head_at(const struct tt_ring *ring, uint64_t position)
{
    return (struct head *)(ring->data + position % ring->size);
}

int tt_ring_init(struct tt_ring *ring, uint64_t size)
{
    void *data;

    size &= ~(uint64_t)(sizeof(struct head) - 1);
    data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
        return -ENOMEM;
    *ring = (struct tt_ring){.data = data, .size = size};
    return 0;
}

void tt_ring_end(struct tt_ring *ring)
{
    if (ring->data)
        munmap(ring->data, ring->size);
    *ring = (struct tt_ring){0};
}

bool tt_ring_drop(struct tt_ring *ring, void (*leave)(void *context, void *record), void *context)
{
    while (ring->tail < ring->head) {
        struct head *head = head_at(ring, ring->tail);

        if (head->used)
            leave(context, head + 1);
        ring->tail += head->whole;
        if (head->used)
            return true;
    }
    return false;
}

static void make_room(struct tt_ring *ring, uint64_t size, void (*leave)(void *context, void *record),
                      void *context)
{
    while (ring->head + size - ring->tail > ring->size)
        tt_ring_drop(ring, leave, context);
}

uint64_t tt_ring_add(struct tt_ring *ring, size_t size, void (*leave)(void *context, void *record),
                     void *context)
{
    const uint64_t unit = sizeof(struct head);
    uint64_t whole = (unit + size + unit - 1) / unit * unit, rest = ring->size - ring->head % ring->size;
    uint64_t position;

    if (whole > ring->size / 4)
        return TT_RING_NONE;
    if (rest < whole) {
        make_room(ring, rest, leave, context);
        *head_at(ring, ring->head) = (struct head){.whole = (uint32_t)rest};
        ring->head += rest;
    }
    make_room(ring, whole, leave, context);
    position = ring->head;
    *head_at(ring, position) = (struct head){(uint32_t)whole, (uint32_t)size, 1};
    ring->head += whole;
    return position;
}

bool tt_ring_has(const struct tt_ring *ring, uint64_t position)
{
    return position >= ring->tail && position < ring->head;
}

void *tt_ring_at(const struct tt_ring *ring, uint64_t position, size_t *size)
{
    struct head *head = head_at(ring, position);

    if (size)
        *size = head->size;
    return head + 1;
}

static uint64_t skip_filling(const struct tt_ring *ring, uint64_t position)
{
    while (position < ring->head && !head_at(ring, position)->used)
        position += head_at(ring, position)->whole;
    return position < ring->head ? position : TT_RING_NONE;
}

uint64_t tt_ring_first(const struct tt_ring *ring)
{
    return skip_filling(ring, ring->tail);
}

uint64_t tt_ring_next(const struct tt_ring *ring, uint64_t position)
{
    return skip_filling(ring, position + head_at(ring, position)->whole);
}
