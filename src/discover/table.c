/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * table.c: the process table. Objects in it do not change once published; what changes is which object is the
 * newest of its pid. Older ones (before an exec, of an earlier process of the same pid) stay findable for 60
 * s, since events of them are still on their way.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "discover/compare.h"
#include "discover/read.h"
#include "discover/table.h"
#include "plan/plan.h"

#define KEEP_NS        (60 * 1000000000ull)
#define GENERATIONS    4            /* kept per pid; a process that execs in a loop must not fill memory */
#define CHECK_MIN_NS   200000000ull /* between two looks whether a process has become a server */
#define CHECK_MAX_NS   30000000000ull
#define START_SLACK_NS 20000000ull /* start_ticks are cut to 10 ms */

/* One object with the time it was true, CLOCK_MONOTONIC. */
struct generation {
    struct tt_process *process; /* NULL: not a Tango process */
    uint64_t start_ticks, fingerprint;
    uint64_t from, until; /* until 0: now */
    uint64_t published;   /* when we learned of it */
    uint64_t looked;      /* .. and when it was seen to be so; 0: not told */
    bool exact;           /* `from` is when it was executed, as the kernel tells */
    bool stale;           /* the rules are others since */
};

struct slot {
    pid_t pid;
    unsigned scan;    /* number of the last scan that saw it */
    bool could_serve; /* has an instance name, did not listen: may become a server */
    uint64_t next_check;
    size_t count;
    struct generation generations[GENERATIONS]; /* newest first */
    UT_hash_handle hh;
};

struct tt_process_table {
    char *proc_root;
    const struct tt_selection *selection;
    pthread_mutex_t updates; /* one reader of /proc at a time: guards `reader`, `scan` */
    struct tt_reader reader;
    unsigned scan;
    pthread_mutex_t lock; /* guards what follows; never held while reading /proc */
    struct slot *slots;
};

struct tt_process_table *tt_process_table_new(const char *proc_root, const struct tt_selection *selection,
                                              const struct tt_probes *probes)
{
    return tt_process_table_new_probe(proc_root, selection, tt_plan_probe, probes);
}

struct tt_process_table *tt_process_table_new_probe(const char *proc_root,
                                                    const struct tt_selection *selection, tt_file_probe probe,
                                                    const struct tt_probes *probes)
{
    struct tt_process_table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->proc_root = strdup(proc_root);
    table->selection = selection;
    if (!table->proc_root || tt_reader_init(&table->reader, table->proc_root, probe, probes)) {
        free(table->proc_root);
        free(table);
        return NULL;
    }
    pthread_mutex_init(&table->updates, NULL);
    pthread_mutex_init(&table->lock, NULL);
    return table;
}

static void free_slot(struct tt_process_table *table, struct slot *slot)
{
    HASH_DEL(table->slots, slot);
    for (size_t i = 0; i < slot->count; i++)
        tt_process_put(&slot->generations[i].process);
    free(slot);
}

void tt_process_table_free(struct tt_process_table **table)
{
    struct tt_process_table *t = TAKE_PTR(*table);
    struct slot *slot, *next;

    if (!t)
        return;
    HASH_ITER(hh, t->slots, slot, next)
    free_slot(t, slot);
    tt_reader_free(&t->reader);
    pthread_mutex_destroy(&t->updates);
    pthread_mutex_destroy(&t->lock);
    free(t->proc_root);
    free(t);
}

/* Ticks since boot as CLOCK_MONOTONIC, which does not count the time spent suspended. */
static uint64_t start_monotonic(uint64_t ticks)
{
    uint64_t start = ticks * tt_tick_ns();
    uint64_t monotonic = tt_clock_ns(CLOCK_MONOTONIC);
    uint64_t suspended = tt_clock_ns(CLOCK_BOOTTIME) -
                         monotonic; /* read in this order it cannot be negative */

    return start > suspended ? start - suspended : 0;
}

static struct slot *find_slot(const struct tt_process_table *table, pid_t pid)
{
    struct slot *slot;

    HASH_FIND_INT(table->slots, &pid, slot);
    return slot;
}

/* The object that is true now, or NULL. */
static struct generation *live(struct slot *slot)
{
    return slot && slot->count && !slot->generations[0].until ? &slot->generations[0] : NULL;
}

static void end(struct generation *generation, uint64_t now, bool exited)
{
    generation->until = now;
    if (generation->process && exited)
        __atomic_store_n(&generation->process->exited, true, __ATOMIC_RELAXED);
}

static void drop_oldest(struct slot *slot)
{
    tt_process_put(&slot->generations[--slot->count].process);
}

static void forget_old(struct tt_process_table *table, uint64_t now)
{
    struct slot *slot, *next;

    HASH_ITER(hh, table->slots, slot, next)
    {
        while (slot->count && slot->generations[slot->count - 1].until &&
               slot->generations[slot->count - 1].until + KEEP_NS < now)
            drop_oldest(slot);
        if (!slot->count)
            free_slot(table, slot);
    }
}

static struct slot *slot_of(struct tt_process_table *table, pid_t pid)
{
    struct slot *slot = find_slot(table, pid);

    if (slot)
        return slot;
    slot = calloc(1, sizeof(*slot));
    if (!slot)
        return NULL;
    slot->pid = pid;
    HASH_ADD_INT(table->slots, pid, slot);
    return slot;
}

/* What is known of a process that started then, running or ended; the newest if it is known by several
 * programs. */
static struct generation *known_since(const struct slot *slot, uint64_t start_ticks)
{
    for (size_t i = 0; slot && i < slot->count; i++)
        if (slot->generations[i].start_ticks == start_ticks)
            return (struct generation *)&slot->generations[i];
    return NULL;
}

/*
 * Was less found than there is? /proc is read in many steps, and a short program does not wait: its probes
 * fire after its maps were read and before its libraries were there, or it ends before its files are opened,
 * or it has become another program by then. What its probes or an earlier reading told of it stands.
 */
static bool falls_short(const struct generation *known, const struct tt_process *process)
{
    if (!known || !known->process)
        return false;
    if (known->process->exe && !process->exe) /* it has ended since its maps were read */
        return true;
    return known->looked > process->looked ||
           (!process->tango && (known->published >= process->looked ||
                                (process->unreadable && tt_process_same_exe(known->process, process))));
}

/* Makes `process` the newest of its pid; with the lock held. `executed`: it is another program than before
 * since then, CLOCK_MONOTONIC; 0: if it is, from now on. */
static int publish(struct tt_process_table *table, struct tt_process *process, uint64_t fingerprint,
                   uint64_t executed, bool *changed)
{
    struct slot *slot = slot_of(table, process->pid);
    struct generation *old = live(slot), *same = known_since(slot, process->start_ticks), fresh = {0};
    uint64_t now = tt_clock_ns(CLOCK_MONOTONIC);
    bool exec;

    if (!slot)
        return -ENOMEM;
    fresh.process = process->tango ? tt_process_get(process) : NULL;
    fresh.start_ticks = process->start_ticks;
    fresh.fingerprint = fingerprint;
    fresh.from = start_monotonic(process->start_ticks);
    fresh.published = now;
    fresh.looked = process->looked;
    *changed = old && old->process ? tt_process_differs(old->process, process)
                                   : process->tango || process->corba || !old;
    if (!same || same == slot->generations)
        slot->could_serve = process->serves_as && !process->server;
    if (same) {
        /* Of a script the executable is its interpreter. */
        exec = executed || (same->process && (!tt_process_same_exe(same->process, process) ||
                                              !tt_process_same_words(same->process, process)));
        if (!exec) { /* more libraries, a server now, ..: the new object is true for all of its time */
            fresh.from = same->from;
            fresh.exact = same->exact;
            if (same->until && process->glimpsed) /* its events come after its end */
                end(&fresh, same->until, true);
            tt_process_put(&same->process);
            *same = fresh;
            return 0;
        }
        fresh.from = executed ? executed : now;
        fresh.exact = executed != 0;
        if (same->until && process->glimpsed) {
            end(&fresh, same->until, true);
            same->until = executed;
        }
    }
    if (old)
        end(old, fresh.exact ? executed : now, old->start_ticks != process->start_ticks);
    if (slot->count == GENERATIONS)
        drop_oldest(slot);
    memmove(slot->generations + 1, slot->generations, slot->count * sizeof(fresh));
    slot->generations[0] = fresh;
    slot->count++;
    return 0;
}

/* Publishes what was read of a process, or puts what is known in place of it. */
static int take(struct tt_process_table *table, struct tt_process **process, uint64_t fingerprint,
                bool *changed)
{
    const struct generation *known = known_since(find_slot(table, (*process)->pid), (*process)->start_ticks);

    if (!falls_short(known, *process))
        return publish(table, *process, fingerprint, 0, changed);
    tt_process_put(process);
    *process = tt_process_get(known->process);
    return 0;
}

/* What is known of the pid, if nothing has changed since: true, with a reference in *process (NULL: not
 * Tango). */
static bool unchanged(struct tt_process_table *table, int dir, pid_t pid, const struct tt_glance *glance,
                      struct tt_process **process)
{
    const struct generation *known;
    bool same, could_serve;

    pthread_mutex_lock(&table->lock);
    known = live(find_slot(table, pid));
    same = known && known->start_ticks == glance->stat.start_ticks &&
           known->fingerprint == glance->fingerprint && !known->stale;
    could_serve = same && find_slot(table, pid)->could_serve;
    *process = same ? tt_process_get(known->process) : NULL;
    pthread_mutex_unlock(&table->lock);

    if (same && could_serve && tt_process_serves(dir)) {
        tt_process_put(process);
        return false;
    }
    /* A file that could not be reached may be reachable now. */
    if (same && *process && (*process)->unreadable) {
        tt_process_put(process);
        return false;
    }
    return same;
}

/* With the updates mutex held. `plain`: an object is wanted for processes that are not Tango, too. */
static int update(struct tt_process_table *table, pid_t pid, bool plain, struct tt_process **process,
                  bool *changed)
{
    _cleanup_close_ int dir = tt_proc_open(table->proc_root, pid);
    _cleanup_(tt_glance_free) struct tt_glance glance = {0};
    _cleanup_(tt_process_put) struct tt_process *fresh = NULL;
    uint64_t began = tt_clock_ns(CLOCK_MONOTONIC);
    struct slot *slot;
    bool known;
    int err = dir < 0 ? dir : tt_glance_read(dir, &glance);

    *process = NULL;
    *changed = false;
    if (err)
        return err;
    /* Without memory: it ends, though it is no zombie yet (the kernel's do_exit() drops that first), or is a
     * kernel thread. It would look like a program that is not Tango. */
    if (!glance.exe && !glance.maps.count)
        return -ESRCH;
    known = unchanged(table, dir, pid, &glance, &fresh);
    if (!known || (!fresh && plain)) {
        uint64_t fingerprint = glance.fingerprint;

        err = tt_process_read(&table->reader, dir, pid, &glance, !known, &fresh);
        if (!err)
            err = tt_selection_apply(table->selection, fresh);
        if (err)
            return err;
        fresh->looked = began;
        if (!known) {
            pthread_mutex_lock(&table->lock);
            err = take(table, &fresh, fingerprint, changed);
            pthread_mutex_unlock(&table->lock);
        }
    }
    pthread_mutex_lock(&table->lock);
    slot = find_slot(table, pid);
    if (slot)
        slot->scan = table->scan;
    pthread_mutex_unlock(&table->lock);
    if (!err)
        *process = TAKE_PTR(fresh);
    return err;
}

int tt_process_table_update(struct tt_process_table *table, pid_t pid, struct tt_process **process,
                            bool *changed)
{
    struct tt_process *found = NULL;
    bool differs_now = false;
    int err;

    pthread_mutex_lock(&table->updates);
    err = update(table, pid, true, &found, &differs_now);
    pthread_mutex_unlock(&table->updates);
    if (err == -ESRCH)
        tt_process_table_exit(table, pid);
    *process = found;
    *changed = differs_now;
    return err;
}

/* Has it become another program since it was looked at? One that was known only by the kernel's word of the
 * program it began as was not looked at. */
static bool has_executed(const struct generation *known, const struct tt_glimpse *glimpse)
{
    return known && glimpse->executed > known->looked && glimpse->executed > known->from;
}

int tt_process_table_glimpse(struct tt_process_table *table, const struct tt_glimpse *glimpse, bool *executed)
{
    _cleanup_(tt_process_put) struct tt_process *process = NULL;
    bool free_reader = pthread_mutex_trylock(&table->updates) == 0, changed;
    const struct generation *known;
    int err = tt_process_from_glimpse(free_reader ? &table->reader : NULL, glimpse, &process);

    if (free_reader)
        pthread_mutex_unlock(&table->updates);
    if (!err)
        err = tt_selection_apply(table->selection, process);
    *executed = false;
    if (err && err != -EAGAIN)
        return err;
    process->tango = !err; /* else nothing of it is published but that it is not what it was */
    pthread_mutex_lock(&table->lock);
    known = known_since(find_slot(table, process->pid), process->start_ticks);
    *executed = has_executed(known, glimpse);
    if (*executed || (!err && (!known || !known->process))) {
        int failed = publish(table, process, 0, *executed ? glimpse->executed : 0, &changed);

        err = failed ? failed : err;
    }
    pthread_mutex_unlock(&table->lock);
    return err;
}

void tt_process_table_exit(struct tt_process_table *table, pid_t pid)
{
    uint64_t now = tt_clock_ns(CLOCK_MONOTONIC);
    struct generation *generation;

    pthread_mutex_lock(&table->lock);
    generation = live(find_slot(table, pid));
    if (generation)
        end(generation, now, true);
    pthread_mutex_unlock(&table->lock);
}

void tt_process_table_select(struct tt_process_table *table, const struct tt_selection *selection)
{
    struct slot *slot, *next;

    pthread_mutex_lock(&table->updates);
    table->selection = selection;
    pthread_mutex_lock(&table->lock);
    HASH_ITER(hh, table->slots, slot, next)
    if (slot->count)
        slot->generations[0].stale = true;
    pthread_mutex_unlock(&table->lock);
    pthread_mutex_unlock(&table->updates);
}

/* ---- scan ---- */

static int read_pids(const char *proc_root, pid_t **pids, size_t *count)
{
    _cleanup_closedir_ DIR *dir = opendir(proc_root);
    _cleanup_free_ pid_t *list = NULL;
    size_t used = 0, capacity = 0;

    if (!dir)
        return -errno;
    for (struct dirent *entry; (entry = readdir(dir));) {
        uint64_t pid;

        if (!isdigit((unsigned char)entry->d_name[0]) || tt_parse_u64(entry->d_name, &pid) || !pid ||
            pid > INT_MAX)
            continue;
        if (used == capacity) {
            pid_t *bigger;

            capacity = capacity ? capacity * 2 : 256;
            bigger = reallocarray(list, capacity, sizeof(*list));
            if (!bigger)
                return -ENOMEM;
            list = bigger;
        }
        list[used++] = (pid_t)pid;
    }
    *pids = TAKE_PTR(list);
    *count = used;
    return 0;
}

/* Ends what the scan did not meet any more. */
static void end_vanished(struct tt_process_table *table)
{
    uint64_t now = tt_clock_ns(CLOCK_MONOTONIC);
    struct slot *slot, *next;

    pthread_mutex_lock(&table->lock);
    HASH_ITER(hh, table->slots, slot, next)
    {
        struct generation *generation = live(slot);
        int dir;

        if (!generation || slot->scan == table->scan)
            continue;
        dir = tt_proc_open(table->proc_root, slot->pid);
        if (dir >= 0)
            close(dir);
        else if (dir == -ESRCH)
            end(generation, now, true);
    }
    forget_old(table, now);
    pthread_mutex_unlock(&table->lock);
}

struct found {
    struct tt_process *process;
    bool changed;
};

int tt_process_table_scan(struct tt_process_table *table,
                          void (*seen)(void *context, struct tt_process *process, bool changed),
                          void *context)
{
    _cleanup_free_ pid_t *pids = NULL;
    _cleanup_free_ struct found *found = NULL;
    size_t count = 0, used = 0;
    int err = read_pids(table->proc_root, &pids, &count);

    if (err)
        return err;
    pthread_mutex_lock(&table->updates);
    pthread_mutex_lock(&table->lock);
    table->scan++;
    pthread_mutex_unlock(&table->lock);
    pthread_mutex_unlock(&table->updates);
    found = calloc(count + 1, sizeof(*found));
    if (!found)
        return -ENOMEM;
    /* All are in the table before the first is told of: a probe on a library fires in every process that maps
     * it, and an event of one that is not known yet has neither a name nor a verdict of the selection. */
    for (size_t i = 0; i < count; i++) {
        struct found *f = &found[used];

        pthread_mutex_lock(&table->updates);
        err = update(table, pids[i], false, &f->process, &f->changed);
        pthread_mutex_unlock(&table->updates);
        if (err == -ESRCH)
            tt_process_table_exit(table, pids[i]);
        if (!err && f->process && (f->process->tango || f->process->corba) && seen)
            used++;
        else
            tt_process_put(&f->process);
    }
    for (size_t i = 0; i < used; i++) {
        seen(context, found[i].process, found[i].changed);
        tt_process_put(&found[i].process);
    }
    end_vanished(table);
    return (int)count;
}

/* ---- servers to be ---- */

/* Is it time to look at it again? The time between two looks grows with the age of the process. */
static bool due(struct slot *slot, uint64_t now)
{
    const struct generation *generation = live(slot);
    uint64_t wait;

    if (!generation || !slot->could_serve || now < slot->next_check)
        return false;
    wait = now > generation->from ? (now - generation->from) / 4 : 0;
    slot->next_check = now + (wait < CHECK_MIN_NS ? CHECK_MIN_NS : wait > CHECK_MAX_NS ? CHECK_MAX_NS : wait);
    return true;
}

void tt_process_table_recheck(struct tt_process_table *table,
                              void (*seen)(void *context, struct tt_process *process, bool changed),
                              void *context)
{
    _cleanup_free_ pid_t *pids = NULL;
    uint64_t now = tt_clock_ns(CLOCK_MONOTONIC);
    struct slot *slot, *next;
    size_t count = 0;

    pthread_mutex_lock(&table->lock);
    pids = calloc(HASH_COUNT(table->slots) + 1, sizeof(*pids));
    HASH_ITER(hh, table->slots, slot, next)
    if (pids && due(slot, now))
        pids[count++] = slot->pid;
    pthread_mutex_unlock(&table->lock);
    for (size_t i = 0; i < count; i++) {
        _cleanup_(tt_process_put) struct tt_process *process = NULL;
        bool changed;

        if (!tt_process_table_update(table, pids[i], &process, &changed) && changed && process->tango)
            seen(context, process, changed);
    }
}

/* ---- questions ---- */

struct tt_process *tt_process_table_find(struct tt_process_table *table, pid_t pid, uint64_t time_ns)
{
    struct tt_process *found = NULL;
    const struct slot *slot;

    pthread_mutex_lock(&table->lock);
    slot = find_slot(table, pid);
    for (size_t i = 0; slot && i < slot->count; i++) {
        const struct generation *generation = &slot->generations[i];
        bool begun = !time_ns || generation->from <= time_ns + (generation->exact ? 0 : START_SLACK_NS);

        if (!begun)
            continue;
        /* Ended before that time: another process has the pid since, of which we know nothing. An event's way
         * to us takes less than the slack only if nobody is busy, so a little more is allowed. */
        if (generation->until && (!time_ns || generation->until + 10 * START_SLACK_NS < time_ns))
            break;
        found = tt_process_get(generation->process);
        break;
    }
    pthread_mutex_unlock(&table->lock);
    return found;
}

static int by_pid(const void *a, const void *b)
{
    const struct tt_process *x = *(struct tt_process *const *)a, *y = *(struct tt_process *const *)b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

void tt_process_table_each(struct tt_process_table *table,
                           void (*visit)(void *context, struct tt_process *process), void *context)
{
    _cleanup_free_ struct tt_process **list = NULL;
    struct slot *slot, *next;
    size_t count = 0;

    pthread_mutex_lock(&table->lock);
    list = calloc(HASH_COUNT(table->slots) + 1, sizeof(struct tt_process *));
    HASH_ITER(hh, table->slots, slot, next)
    {
        struct generation *generation = live(slot);

        if (list && generation && generation->process)
            list[count++] = tt_process_get(generation->process);
    }
    pthread_mutex_unlock(&table->lock);
    if (!list)
        return;
    qsort(list, count, sizeof(struct tt_process *), by_pid);
    for (size_t i = 0; i < count; i++) {
        visit(context, list[i]);
        tt_process_put(&list[i]);
    }
}
