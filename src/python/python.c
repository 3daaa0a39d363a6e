/* SPDX-License-Identifier: GPL-2.0-only */
/* python.c: the processes, and what was found in them. */
#include "python/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/host.h"
#include "plan/plan.h"

#define ENDED_NS 10000000000ull /* a process that has ended is known for so long */

struct tt_pythons *tt_pythons_new(void)
{
    struct tt_pythons *pythons = calloc(1, sizeof(*pythons));

    if (pythons)
        pthread_mutex_init(&pythons->lock, NULL);
    return pythons;
}

static void forget_found(struct tt_python_process *p)
{
    struct tt_python_found *found, *next;

    HASH_ITER(hh, p->found, found, next)
    {
        HASH_DEL(p->found, found);
        free(found->name);
        free(found->file);
        free(found);
    }
}

static void remove_process(struct tt_pythons *pythons, struct tt_python_process *p)
{
    HASH_DEL(pythons->processes, p);
    forget_found(p);
    free(p->package);
    free(p);
}

void tt_pythons_free(struct tt_pythons **pythons)
{
    struct tt_python_process *p, *next;

    if (!*pythons)
        return;
    HASH_ITER(hh, (*pythons)->processes, p, next)
    remove_process(*pythons, p);
    free(*pythons);
    *pythons = NULL;
}

struct tt_python_process *tt_pythons_find(struct tt_pythons *pythons, uint32_t pid)
{
    struct tt_python_process *p;

    HASH_FIND(hh, pythons->processes, &pid, sizeof(pid), p);
    return p;
}

/* ---- what a process is ---- */

static const struct tt_python_layout *layout_of(unsigned minor)
{
    for (size_t i = 0; i < tt_python_layout_count; i++) {
        if (tt_python_layouts[i].minor == minor)
            return &tt_python_layouts[i];
    }
    return NULL;
}

/* Can the kernel read frames so? */
static bool fits(const struct tt_python *k)
{
    return (k->back | k->code | k->name) % 8 == 0 && (k->ip | k->line) % 4 == 0 && k->ip % k->ip_size == 0 &&
           k->back <= TT_PYTHON_WINDOW && k->code <= TT_PYTHON_WINDOW && k->ip <= TT_PYTHON_WINDOW &&
           k->line < k->name && k->name - (k->line & ~7) <= TT_PYTHON_WINDOW;
}

/* What the interpreter tells of itself goes over what the table says. False: it is of a kind that is not
 * read. */
static bool ask_interpreter(pid_t pid, uint64_t runtime, struct tt_python_layout *layout)
{
    uint64_t words[52];
    const struct tt_python_debug_words *w = NULL;
    struct tt_python *k = &layout->kernel;

    for (size_t i = 0; i < tt_python_debug_count; i++) {
        if (tt_python_debug_words[i].minor == layout->minor)
            w = &tt_python_debug_words[i];
    }
    if (!w)
        return true;
    if (tt_host_read_memory(pid, runtime, words, sizeof(words)) != (ssize_t)sizeof(words) ||
        memcmp(words, "xdebugpy", 8) != 0 || (words[1] >> 16 & 0xff) != layout->minor || words[2])
        return false; /* free-threaded builds have another object header */
    layout->runtime = (unsigned)words[w->interpreters];
    k->threads = (uint16_t)words[w->threads];
    k->prev = (uint16_t)words[w->prev];
    k->next = (uint16_t)words[w->next];
    k->thread = (uint16_t)words[w->thread];
    k->frame = (uint16_t)words[w->frame];
    k->back = (uint16_t)words[w->back];
    k->code = (uint16_t)words[w->executable];
    k->ip = (uint16_t)words[w->ip];
    k->name = (uint16_t)words[w->name];
    k->line = (uint16_t)words[w->line];
    layout->file = (uint16_t)words[w->file];
    layout->qualname = (uint16_t)words[w->qualname];
    layout->lines = (uint16_t)words[w->lines];
    layout->bytecode = (uint16_t)words[w->bytecode];
    return fits(k);
}

/* The interpreter in one mapped file. */
static bool look_at_file(const struct tt_process *process, const struct tt_mapped_file *file,
                         struct tt_python_process *p)
{
    _cleanup_close_ int fd = tt_host_open_mapped(process->pid, file->start, file->end);
    const struct tt_python_layout *known;
    struct tt_plan_python place = {0};

    if (fd < 0 || tt_plan_python(fd, file->offset, &place) < 0)
        return false;
    p->minor = place.minor;
    known = layout_of(place.minor);
    if (!known)
        return false;
    p->layout = *known;
    p->runtime = file->start + (uint64_t)place.runtime;
    if (place.method)
        p->layout.kernel.method = file->start + (uint64_t)place.method;
    p->readable = ask_interpreter(process->pid, p->runtime, &p->layout);
    return p->readable;
}

bool tt_python_minor(const struct tt_process *process, const struct tt_mapped_file *file, unsigned *minor)
{
    struct tt_python_process p = {0};

    look_at_file(process, file, &p);
    *minor = p.minor;
    return p.readable;
}

/* The folder of PyTango's package, by its extension's path. */
static char *package_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;
}

bool tt_pythons_add(struct tt_pythons *pythons, const struct tt_process *process, struct tt_python *kernel)
{
    struct tt_python_process *made = NULL, *old;
    bool python = false;

    for (size_t i = 0; i < process->file_count; i++)
        python |= process->files[i].library[TT_LIBRARY_PYTHON] ||
                  process->files[i].library[TT_LIBRARY_PYTANGO];
    if (!python || !process->tango)
        return false;
    made = calloc(1, sizeof(*made));
    if (!made)
        return false;
    made->pid = (uint32_t)process->pid;
    made->start_ticks = process->start_ticks;
    for (size_t i = 0; i < process->file_count; i++) {
        const struct tt_mapped_file *file = &process->files[i];

        if (file->library[TT_LIBRARY_PYTHON] && !made->readable)
            look_at_file(process, file, made);
        if (file->library[TT_LIBRARY_PYTANGO] && !made->package) {
            made->extension = file->start;
            made->extension_end = file->end;
            made->package = package_of(file->path);
        }
    }
    memset(kernel, 0, sizeof(*kernel));
    if (made->readable) {
        *kernel = made->layout.kernel;
        kernel->interpreters = made->runtime + made->layout.runtime;
    }
    kernel->extension = made->extension;
    kernel->extension_end = made->extension_end;
    pthread_mutex_lock(&pythons->lock);
    old = tt_pythons_find(pythons, made->pid);
    if (old)
        remove_process(pythons, old);
    else if (!made->readable)
        pythons->stats.unknown++;
    HASH_ADD(hh, pythons->processes, pid, sizeof(made->pid), made);
    pthread_mutex_unlock(&pythons->lock);
    if (!made->readable && !old)
        tt_warn("%s (pid %d): its version of Python is not known: methods and callers have no names there",
                process->name, process->pid);
    return true;
}

/* Events of the process are still on their way: what is known of it serves them. */
void tt_pythons_remove(struct tt_pythons *pythons, pid_t pid)
{
    struct tt_python_process *p, *next;
    uint64_t now = tt_now_ns();

    pthread_mutex_lock(&pythons->lock);
    HASH_ITER(hh, pythons->processes, p, next)
    {
        if (p->pid == (uint32_t)pid && !p->ended)
            p->ended = now;
        else if (p->ended && now - p->ended > ENDED_NS)
            remove_process(pythons, p);
    }
    pthread_mutex_unlock(&pythons->lock);
}

void tt_pythons_get_stats(struct tt_pythons *pythons, struct tt_python_stats *stats)
{
    pthread_mutex_lock(&pythons->lock);
    *stats = pythons->stats;
    stats->processes = 0;
    for (const struct tt_python_process *p = pythons->processes; p; p = p->hh.next)
        stats->processes += !p->ended;
    pthread_mutex_unlock(&pythons->lock);
}

/* ---- what was found ---- */

static unsigned size_of(const struct tt_python_key *key)
{
    return (unsigned)(offsetof(struct tt_python_key, name) + strnlen(key->name, sizeof(key->name) - 1) + 1);
}

struct tt_python_found *tt_python_found_get(struct tt_python_process *p, const struct tt_python_key *key)
{
    struct tt_python_found *found;

    HASH_FIND(hh, p->found, key, size_of(key), found);
    return found;
}

struct tt_python_found *tt_python_found_add(struct tt_python_process *p, const struct tt_python_key *key)
{
    struct tt_python_found *found = tt_python_found_get(p, key);

    if (!found) {
        if (HASH_COUNT(p->found) >= TT_PYTHON_FOUND_MAX)
            forget_found(p);
        found = calloc(1, sizeof(*found));
        if (!found)
            return NULL;
        found->key = *key;
        HASH_ADD(hh, p->found, key, size_of(key), found);
        if (!found->hh.tbl) {
            free(found);
            return NULL;
        }
    }
    free(found->name);
    free(found->file);
    found->name = found->file = NULL;
    found->line = 0;
    return found;
}
