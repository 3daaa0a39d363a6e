/* SPDX-License-Identifier: GPL-2.0-only */
#include "correlate/native.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct entry {
    uint8_t id[16];
    struct tt_trace *trace; /* holds a reference */
    UT_hash_handle hh;      /* in the order of their beginning */
};

struct tt_natives {
    struct tt_traces *traces;
    struct entry *entries;
};

struct tt_natives *tt_natives_new(struct tt_traces *traces)
{
    struct tt_natives *natives = calloc(1, sizeof(*natives));
    if (natives)
        natives->traces = traces;
    return natives;
}

static void drop(struct tt_natives *natives, struct entry *entry)
{
    HASH_DEL(natives->entries, entry);
    tt_trace_put(natives->traces, entry->trace);
    free(entry);
}

void tt_natives_free(struct tt_natives **natives)
{
    struct tt_natives *old = *natives;
    if (!old)
        return;
    while (old->entries)
        drop(old, old->entries);
    free(old);
    *natives = NULL;
}

static struct entry *find(const struct tt_natives *natives, const uint8_t id[16])
{
    struct entry *entry;
    HASH_FIND(hh, natives->entries, id, sizeof(entry->id), entry);
    return entry;
}

struct tt_trace *tt_natives_find(const struct tt_natives *natives, const uint8_t id[16])
{
    const struct entry *entry = find(natives, id);
    return entry ? entry->trace : NULL;
}

struct tt_trace *tt_natives_begin(struct tt_natives *natives, const uint8_t id[16])
{
    struct entry *entry = find(natives, id);
    if (entry)
        drop(natives, entry);
    else if (HASH_COUNT(natives->entries) >= TT_NATIVES_MAX)
        drop(natives, natives->entries);
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    memcpy(entry->id, id, sizeof(entry->id));
    entry->trace = tt_trace_new(natives->traces);
    if (entry->trace)
        HASH_ADD(hh, natives->entries, id, sizeof(entry->id), entry);
    if (!entry->trace || !entry->hh.tbl) { /* uthash's sign of being out of memory */
        tt_trace_put(natives->traces, entry->trace);
        free(entry);
        return NULL;
    }
    memcpy(entry->trace->id, id, sizeof(entry->trace->id));
    return entry->trace;
}

bool tt_native_usable(const struct tt_span *span)
{
    /* Not sampled: native itself drops the span, and nothing of it would be there to belong to. */
    return span->has_context && (span->context.flags & TT_W3C_SAMPLED);
}

void tt_native_hide(struct tt_natives *natives, struct tt_span *span, struct tt_trace *trace,
                    const uint8_t span_id[8])
{
    struct tt_trace *before = span->trace;
    span->trace = tt_trace_get(trace);
    tt_trace_put(natives->traces, before);
    memcpy(span->span_id, span_id, sizeof(span->span_id));
    span->hidden = true;
}

void tt_natives_expire(struct tt_natives *natives, uint64_t before)
{
    while (natives->entries && natives->entries->trace->begin < before)
        drop(natives, natives->entries);
}
