/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>
#include <uthash.h>

#include "agent/pipeline.h"

#define ENTRIES_MAX 8192

struct entry {
    uint32_t pid;
    uint64_t events, last;
    uint64_t checked; /* round in which `traits` were looked up */
    unsigned traits;
    bool native;     /* seen to send trace contexts */
    uint64_t second; /* in which `allowed` counts */
    unsigned allowed;
    UT_hash_handle hh;
};

struct tt_activity {
    uint64_t round;
    struct entry *entries;
    struct entry *recent; /* of the last event: most come in runs */
};

struct tt_activity *tt_activity_new(void)
{
    return calloc(1, sizeof(struct tt_activity));
}

void tt_activity_free(struct tt_activity **activity)
{
    struct entry *e, *next;

    if (!*activity)
        return;
    HASH_ITER(hh, (*activity)->entries, e, next)
    {
        HASH_DEL((*activity)->entries, e);
        free(e);
    }
    free(*activity);
    *activity = NULL;
}

static struct entry *find(const struct tt_activity *activity, uint32_t pid)
{
    struct entry *e;

    if (activity->recent && activity->recent->pid == pid)
        return activity->recent;
    HASH_FIND(hh, activity->entries, &pid, sizeof(pid), e);
    return e;
}

void tt_activity_count(struct tt_activity *activity, uint32_t pid, uint64_t time)
{
    struct entry *e = find(activity, pid);

    if (!e) {
        if (HASH_COUNT(activity->entries) >= ENTRIES_MAX) /* in order of age: its process is long gone */
            tt_activity_forget(activity, activity->entries->pid);
        e = calloc(1, sizeof(*e));
        if (!e)
            return;
        e->pid = pid;
        HASH_ADD(hh, activity->entries, pid, sizeof(e->pid), e);
    }
    activity->recent = e;
    e->events++;
    e->last = time;
}

void tt_activity_tick(struct tt_activity *activity)
{
    activity->round++;
}

unsigned tt_activity_traits(struct tt_activity *activity, uint32_t pid,
                            unsigned (*look)(void *context, uint32_t pid), void *context)
{
    struct entry *e = find(activity, pid);

    if (!e)
        return look(context, pid);
    if (e->checked != activity->round + 1) {
        e->traits = look(context, pid);
        e->checked = activity->round + 1;
    }
    return e->traits;
}

bool tt_activity_allows(struct tt_activity *activity, uint32_t pid, uint64_t time, unsigned rate)
{
    struct entry *e = find(activity, pid);

    if (!e)
        return true;
    if (time / 1000000000u > e->second) {
        e->second = time / 1000000000u;
        e->allowed = 0;
    }
    return e->allowed++ < rate;
}

bool tt_activity_native_seen(struct tt_activity *activity, uint32_t pid)
{
    struct entry *e = find(activity, pid);
    bool first = e && !e->native;

    if (e)
        e->native = true;
    return first;
}

bool tt_activity_is_native(const struct tt_activity *activity, uint32_t pid)
{
    const struct entry *e = find(activity, pid);

    return e && e->native;
}

bool tt_activity_get(const struct tt_activity *activity, uint32_t pid, uint64_t *events, uint64_t *last)
{
    const struct entry *e = find(activity, pid);

    if (!e)
        return false;
    *events = e->events;
    *last = e->last;
    return true;
}

void tt_activity_forget(struct tt_activity *activity, uint32_t pid)
{
    struct entry *e = find(activity, pid);

    if (!e)
        return;
    if (activity->recent == e)
        activity->recent = NULL;
    HASH_DEL(activity->entries, e);
    free(e);
}
