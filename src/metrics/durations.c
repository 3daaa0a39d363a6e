/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/durations.h"

#define MS 1000000u

const uint64_t tt_duration_bounds[TT_DURATION_BOUNDS] = {
    5 * MS,      10 * MS,     25 * MS,      50 * MS,      75 * MS,      100ull * MS,  250ull * MS,
    500ull * MS, 750ull * MS, 1000ull * MS, 2500ull * MS, 5000ull * MS, 7500ull * MS, 10000ull * MS,
};

static void add(struct tt_durations *durations, unsigned slot, uint64_t n)
{
    atomic_fetch_add_explicit(&durations->slots[slot], n, memory_order_relaxed);
}

void tt_durations_add(struct tt_durations *durations, uint64_t ns)
{
    unsigned bucket = 0;

    while (bucket < TT_DURATION_BOUNDS && ns > tt_duration_bounds[bucket])
        bucket++;
    add(durations, TT_SLOT_SUM, ns);
    add(durations, TT_SLOT_BUCKETS + bucket, 1);
}

void tt_durations_get(const struct tt_durations *durations, struct tt_duration_counts *counts)
{
    counts->slots[TT_SLOT_COUNT] = 0;
    counts->slots[TT_SLOT_SUM] = atomic_load_explicit(&durations->slots[TT_SLOT_SUM], memory_order_relaxed);
    for (unsigned i = TT_SLOT_BUCKETS; i < TT_DURATION_SLOTS; i++) {
        counts->slots[i] = atomic_load_explicit(&durations->slots[i], memory_order_relaxed);
        counts->slots[TT_SLOT_COUNT] += counts->slots[i];
    }
}
