/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * follow.c: exec, fork, exit and maps of every process, so that a Tango program is probed before its first
 * call. A map of a file that was seen before and holds nothing of ours costs one hash look-up.
 */
#include <errno.h>
#include <string.h>
#include <uthash.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "base/log.h"

#define SCAN_SECONDS 30    /* the safety net */
#define PLAIN_MAX    16384 /* files known to hold nothing: forgotten all at once beyond */
#define DIRTY_MAX    4096

struct plain_file {
    struct {
        uint64_t device, inode;
    } key;
    UT_hash_handle hh;
};

/* A process that mapped something new since it was last looked at. */
struct dirty {
    uint32_t pid;
    uint64_t since;
    bool executed; /* another program: the kernel has forgotten what it was told of the process */
    size_t maps;   /* entries of candidates[] */
    struct {
        uint64_t device, inode;
    } candidates[64];
    UT_hash_handle hh;
};

struct tt_follow {
    struct tt_agent *agent;
    struct tt_sideband *sideband;
    struct plain_file *plain;
    struct dirty *dirty;
    bool rescan, running;
    unsigned ticks;
    struct tt_follow_stats stats;
};

int tt_follow_new(struct tt_agent *agent, struct tt_follow **follow)
{
    struct tt_follow *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->agent = agent;
    error = tt_sideband_new(&made->sideband);
    if (error)
        tt_warn(
            "process events cannot be followed (perf_event_open: %s): new processes are found by a scan every second",
            strerror(-error));
    *follow = made;
    return 0;
}

static void forget_plain(struct tt_follow *follow)
{
    struct plain_file *p, *next;

    HASH_ITER(hh, follow->plain, p, next)
    {
        HASH_DEL(follow->plain, p);
        free(p);
    }
}

static void drop_dirty(struct tt_follow *follow, struct dirty *d)
{
    HASH_DEL(follow->dirty, d);
    free(d);
}

void tt_follow_free(struct tt_follow **follow)
{
    struct tt_follow *f = *follow;
    struct dirty *d, *next;

    if (!f)
        return;
    tt_sideband_free(&f->sideband);
    forget_plain(f);
    HASH_ITER(hh, f->dirty, d, next)
    drop_dirty(f, d);
    free(f);
    *follow = NULL;
}

int tt_follow_fd(const struct tt_follow *follow)
{
    return follow->sideband ? tt_sideband_fd(follow->sideband) : -1;
}

static bool is_plain(const struct tt_follow *follow, uint64_t device, uint64_t inode)
{
    struct {
        uint64_t device, inode;
    } key = {device, inode};
    struct plain_file *found;

    HASH_FIND(hh, follow->plain, &key, sizeof(key), found);
    return found != NULL;
}

static void remember_plain(struct tt_follow *follow, uint64_t device, uint64_t inode)
{
    struct plain_file *p;

    if (is_plain(follow, device, inode))
        return;
    if (HASH_COUNT(follow->plain) >= PLAIN_MAX)
        forget_plain(follow);
    p = calloc(1, sizeof(*p));
    if (!p)
        return;
    p->key.device = device;
    p->key.inode = inode;
    HASH_ADD(hh, follow->plain, key, sizeof(p->key), p);
}

/* Brings table and probes in line with /proc; the process may be gone. */
static void look_at(struct tt_follow *follow, pid_t pid, struct dirty *d)
{
    struct tt_agent *agent = follow->agent;
    struct tt_process *process = NULL;
    bool changed = false;

    follow->stats.updates++;
    if (tt_process_table_update(agent->table, pid, &process, &changed) || !process)
        return;
    changed |= d && d->executed;
    if (changed && !process->tango)
        tt_agent_attach(agent, process); /* a Tango program that has become another one by exec */
    if (process->tango && changed) {
        tt_agent_attach(agent, process);
        if (!process->selected)
            tt_agent_forget(agent, (uint32_t)pid);
        if (follow->running) {
            uint64_t blind = d ? tt_now_ns() - d->since : 0;

            follow->stats.attached++;
            if (blind > follow->stats.blind_ns)
                follow->stats.blind_ns = blind;
        }
    } else if (!process->tango && !process->corba && !process->unreadable && d) {
        for (size_t i = 0; i < d->maps; i++)
            remember_plain(follow, d->candidates[i].device, d->candidates[i].inode);
    }
    tt_process_put(&process);
}

static struct dirty *mark_dirty(struct tt_follow *follow, pid_t pid)
{
    uint32_t key = (uint32_t)pid;
    struct dirty *d;

    HASH_FIND(hh, follow->dirty, &key, sizeof(key), d);
    if (d)
        return d;
    if (HASH_COUNT(follow->dirty) >= DIRTY_MAX) {
        follow->rescan = true;
        return NULL;
    }
    d = calloc(1, sizeof(*d));
    if (!d) {
        follow->rescan = true;
        return NULL;
    }
    d->pid = key;
    d->since = tt_now_ns();
    HASH_ADD(hh, follow->dirty, pid, sizeof(d->pid), d);
    return d;
}

static void mapped(struct tt_follow *follow, const struct tt_sideband_event *event)
{
    struct tt_process *known;
    struct dirty *d;
    bool tango;

    if (!event->inode || event->path[0] != '/')
        return;
    if (is_plain(follow, event->device, event->inode)) {
        /* Nothing of ours, unless the process is one of ours: its libstdc++ is such a file. */
        known = tt_process_table_find(follow->agent->table, event->pid, 0);
        tango = known && known->tango;
        tt_process_put(&known);
        if (!tango)
            return;
    }
    d = mark_dirty(follow, event->pid);
    if (d && d->maps < sizeof(d->candidates) / sizeof(d->candidates[0])) {
        d->candidates[d->maps].device = event->device;
        d->candidates[d->maps++].inode = event->inode;
    }
}

static void forked(struct tt_follow *follow, const struct tt_sideband_event *event)
{
    struct tt_process *parent;

    if (follow->agent->tree)
        tt_tree_fork(follow->agent->tree, (uint32_t)event->parent, (uint32_t)event->pid);
    /* The child of a traced process maps the same files: it needs links of its own where links are by pid. */
    parent = tt_process_table_find(follow->agent->table, event->parent, 0);
    if (parent && parent->tango)
        mark_dirty(follow, event->pid);
    tt_process_put(&parent);
}

static void executed(struct tt_follow *follow, pid_t pid)
{
    struct tt_process *before = tt_process_table_find(follow->agent->table, pid, 0);
    struct dirty *d;

    /* One that is known by the kernel's word is the new one already, and what it does is not to be forgotten.
     */
    if (before && before->tango && !before->glimpsed)
        tt_agent_forget(follow->agent, (uint32_t)pid);
    tt_process_put(&before);
    d = mark_dirty(follow, pid);
    if (d) {
        d->executed = true;
        d->maps = 0; /* of the program before: nobody looks at them any more */
    }
}

static void exited(struct tt_follow *follow, pid_t pid)
{
    uint32_t key = (uint32_t)pid;
    struct dirty *d;

    HASH_FIND(hh, follow->dirty, &key, sizeof(key), d);
    if (d)
        drop_dirty(follow, d);
    tt_process_table_exit(follow->agent->table, pid);
    tt_attach_exit(follow->agent->attach, pid);
    tt_agent_forget_python(follow->agent, pid);
}

static void sideband_event(void *context, const struct tt_sideband_event *event)
{
    struct tt_follow *follow = context;

    switch (event->type) {
    case TT_SIDEBAND_MAP:
        mapped(follow, event);
        break;
    case TT_SIDEBAND_EXEC:
        executed(follow, event->pid);
        break;
    case TT_SIDEBAND_FORK:
        forked(follow, event);
        break;
    case TT_SIDEBAND_EXIT:
        exited(follow, event->pid);
        break;
    case TT_SIDEBAND_LOST:
        follow->stats.lost += event->lost;
        follow->rescan = true;
        break;
    }
}

void tt_follow_read(struct tt_follow *follow)
{
    struct dirty *d, *next;

    if (!follow->sideband)
        return;
    tt_sideband_read(follow->sideband, sideband_event, follow);
    HASH_ITER(hh, follow->dirty, d, next)
    {
        look_at(follow, (pid_t)d->pid, d);
        drop_dirty(follow, d);
    }
}

static void seen(void *context, struct tt_process *process, bool changed)
{
    struct tt_follow *follow = context;

    if (changed)
        tt_agent_attach(follow->agent, process);
}

static void seen_again(void *context, struct tt_process *process, bool changed)
{
    struct tt_follow *follow = context;

    tt_agent_attach(follow->agent, process); /* also for what is wanted in every process: log messages */
    if (changed)
        tt_agent_forget_events(follow->agent, process);
}

void tt_follow_rescan(struct tt_follow *follow)
{
    tt_process_table_scan(follow->agent->table, seen_again, follow);
}

void tt_follow_scan(struct tt_follow *follow)
{
    follow->rescan = false;
    tt_process_table_scan(follow->agent->table, seen, follow);
    follow->running = true;
}

static void again(void *context, pid_t pid)
{
    struct tt_follow *follow = context;
    struct tt_process *process = NULL;
    bool changed;

    if (!tt_process_table_update(follow->agent->table, pid, &process, &changed) && process)
        tt_agent_attach(follow->agent, process);
    tt_process_put(&process);
}

void tt_follow_tick(struct tt_follow *follow)
{
    tt_attach_retry(follow->agent->attach, again, follow);
    tt_process_table_recheck(follow->agent->table, seen, follow);
    tt_attach_keep_plans(follow->agent->attach);
    follow->ticks++;
    if (follow->rescan || !follow->sideband || follow->ticks % SCAN_SECONDS == 0)
        tt_follow_scan(follow);
}

void tt_follow_get_stats(const struct tt_follow *follow, struct tt_follow_stats *stats)
{
    *stats = follow->stats;
}
