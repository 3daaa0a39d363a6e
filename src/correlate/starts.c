/* SPDX-License-Identifier: GPL-2.0-only */
#include "correlate/starts.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct entry {
    uint32_t tgid;
    struct tt_start it;
    UT_hash_handle hh;
};

struct tt_starts {
    struct tt_traces *traces;
    struct entry *entries;
};

struct tt_starts *tt_starts_new(struct tt_traces *traces)
{
    struct tt_starts *starts = calloc(1, sizeof(*starts));
    if (starts)
        starts->traces = traces;
    return starts;
}

static void drop(struct tt_starts *starts, struct entry *entry)
{
    HASH_DEL(starts->entries, entry);
    tt_trace_put(starts->traces, entry->it.trace);
    free(entry);
}

void tt_starts_free(struct tt_starts **starts)
{
    struct tt_starts *old = *starts;
    if (!old)
        return;
    while (old->entries)
        drop(old, old->entries);
    free(old);
    *starts = NULL;
}

static struct entry *find(const struct tt_starts *starts, uint32_t tgid)
{
    struct entry *entry;
    HASH_FIND(hh, starts->entries, &tgid, sizeof(tgid), entry);
    return entry;
}

const struct tt_start *tt_starts_find(const struct tt_starts *starts, uint32_t tgid)
{
    const struct entry *entry = find(starts, tgid);
    return entry ? &entry->it : NULL;
}

void tt_starts_add(struct tt_starts *starts, const struct tt_span *span)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return;
    tt_starts_forget(starts, span->tgid);
    if (HASH_COUNT(starts->entries) >= TT_STARTS_MAX)
        drop(starts, starts->entries);
    entry->tgid = span->tgid;
    entry->it.tid = span->tid;
    entry->it.thread_start = span->thread_start;
    entry->it.trigger = span->trigger;
    entry->it.trace = tt_trace_get(span->trace);
    memcpy(entry->it.span_id, span->span_id, sizeof(entry->it.span_id));
    entry->it.depth = span->depth;
    HASH_ADD(hh, starts->entries, tgid, sizeof(entry->tgid), entry);
    if (!entry->hh.tbl) { /* uthash's sign of being out of memory */
        tt_trace_put(starts->traces, entry->it.trace);
        free(entry);
    }
}

void tt_starts_forget(struct tt_starts *starts, uint32_t tgid)
{
    struct entry *entry = find(starts, tgid);
    if (entry)
        drop(starts, entry);
}
