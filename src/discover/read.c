/* SPDX-License-Identifier: GPL-2.0-only */
#include "discover/read.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "discover/interpreter.h"
#include "discover/naming.h"
#include "plan/identity.h"

struct tt_process *tt_process_get(struct tt_process *process)
{
    if (process)
        __atomic_add_fetch(&process->refs, 1, __ATOMIC_RELAXED);
    return process;
}

void tt_process_put(struct tt_process **process)
{
    struct tt_process *p = TAKE_PTR(*process);

    if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < p->file_count; i++) {
        free(p->files[i].path);
        free(p->files[i].version);
    }
    free(p->files);
    free(p->user);
    free(p->exe);
    free(p->argv);
    free(p->script);
    free(p->server);
    free(p->serves_as);
    free(p->name);
    free(p->runtime);
    free(p->python);
    free(p->python_all);
    free(p->tango_host);
    free(p->cgroup);
    free(p->rule);
    free(p);
}

int tt_reader_init(struct tt_reader *reader, const char *proc_root, tt_file_probe probe,
                   const struct tt_probes *probes)
{
    memset(reader, 0, sizeof(*reader));
    reader->proc_root = proc_root;
    reader->files = tt_file_cache_new(probe, probes);
    return reader->files ? 0 : -ENOMEM;
}

void tt_reader_free(struct tt_reader *reader)
{
    tt_file_cache_free(&reader->files);
    for (size_t i = 0; i < reader->user_count; i++)
        free(reader->users[i].name);
    memset(reader, 0, sizeof(*reader));
}

/* ---- glance ---- */

/* FNV-1a, 64 bits. */
static void mix(uint64_t *hash, const void *bytes, size_t size)
{
    for (const uint8_t *byte = bytes; size--; byte++)
        *hash = (*hash ^ *byte) * 0x100000001b3;
}

static uint64_t fingerprint(const struct tt_glance *glance)
{
    uint64_t hash = 0xcbf29ce484222325;

    mix(&hash, &glance->stat.start_ticks, sizeof(glance->stat.start_ticks));
    for (size_t i = 0; i < glance->maps.count; i++) {
        const struct tt_mapping *m = &glance->maps.items[i];
        uint64_t numbers[] = {m->start, m->end, m->offset, m->device, m->inode};

        mix(&hash, numbers, sizeof(numbers));
        mix(&hash, m->path, strlen(m->path) + 1);
    }
    for (size_t i = 0; glance->argv[i]; i++)
        mix(&hash, glance->argv[i], strlen(glance->argv[i]) + 1);
    if (glance->exe)
        mix(&hash, glance->exe, strlen(glance->exe));
    return hash;
}

int tt_glance_read(int dir, struct tt_glance *glance)
{
    _cleanup_(tt_glance_free) struct tt_glance found = {0};
    int err = tt_proc_stat(dir, &found.stat);

    if (err)
        return err == -ENOENT ? -ESRCH : err;
    if (strchr("ZXx", found.stat.state))
        return -ESRCH;
    err = tt_maps_read(dir, &found.maps);
    if (!err)
        err = tt_proc_argv(dir, &found.argv);
    if (err)
        return err == -ENOENT ? -ESRCH : err;
    /* Kernel threads have none. */
    if (tt_proc_exe(dir, &found.exe))
        found.exe = NULL;
    found.fingerprint = fingerprint(&found);
    *glance = found;
    found = (struct tt_glance){0};
    return 0;
}

void tt_glance_free(struct tt_glance *glance)
{
    tt_maps_free(&glance->maps);
    free(glance->argv);
    free(glance->exe);
    memset(glance, 0, sizeof(*glance));
}

/* ---- the parts of a process ---- */

/* NULL: not asked for yet. */
static const char *known_user(const struct tt_reader *reader, uid_t uid)
{
    for (size_t i = 0; reader && i < reader->user_count; i++)
        if (reader->users[i].uid == uid)
            return reader->users[i].name;
    return NULL;
}

static char *user_name(struct tt_reader *reader, uid_t uid)
{
    struct passwd entry, *found = NULL;
    const char *known = known_user(reader, uid);
    char buffer[4096];
    char *name;

    if (known)
        return strdup(known);
    if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
        name = strdup(found->pw_name);
    else
        name = tt_format("%u", uid);
    if (name && reader->user_count < TT_READ_USERS) {
        char *copy = strdup(name);

        if (copy) {
            reader->users[reader->user_count].uid = uid;
            reader->users[reader->user_count++].name = copy;
        }
    }
    return name;
}

uint64_t tt_tick_ns(void)
{
    long hz = sysconf(_SC_CLK_TCK);

    return 1000000000 / (uint64_t)(hz > 0 ? hz : 100);
}

/* start_ticks counts from boot, with the time spent suspended (CLOCK_BOOTTIME). */
static uint64_t start_unix(uint64_t ticks)
{
    uint64_t boot = tt_clock_ns(CLOCK_REALTIME) - tt_clock_ns(CLOCK_BOOTTIME);

    return boot + ticks * tt_tick_ns();
}

/* By the file's name; a file that was replaced since has " (deleted)" behind it in maps. */
static char *library_version(const char *path)
{
    const char *end = strstr(path, " (deleted)");
    _cleanup_free_ char *name = strndup(path, end ? (size_t)(end - path) : strlen(path));

    return name ? tt_identity_version(name) : NULL;
}

static int add_file(struct tt_process *process, struct tt_mapping *mapping, const struct tt_file_facts *facts)
{
    struct tt_mapped_file *files = reallocarray(process->files, process->file_count + 1, sizeof(*files)),
                          *file;

    if (!files)
        return -ENOMEM;
    process->files = files;
    file = &files[process->file_count++];
    *file = (struct tt_mapped_file){
        .start = mapping->start,
        .end = mapping->end,
        .offset = mapping->offset,
        .device = mapping->device,
        .inode = mapping->inode,
        .path = TAKE_PTR(mapping->path),
        .build_id_size = facts->build_id_size,
    };
    memcpy(file->library, facts->library, sizeof(file->library));
    memcpy(file->build_id, facts->build_id, sizeof(file->build_id));
    if (facts->library[TT_LIBRARY_TANGO] || facts->library[TT_LIBRARY_OMNIORB] ||
        facts->library[TT_LIBRARY_DYNAMIC])
        file->version = library_version(file->path);
    process->tango |= facts->library[TT_LIBRARY_TANGO];
    process->native |= facts->library[TT_HOLDS_TELEMETRY]; /* until its environment says no */
    return 0;
}

static bool holds_any(const struct tt_file_facts *facts)
{
    for (int i = 0; i < TT_LIBRARIES; i++)
        if (facts->library[i])
            return true;
    return facts->library[TT_HOLDS_CLASSES] || facts->library[TT_HOLDS_PROBES];
}

static void drop_files(struct tt_process *process)
{
    for (size_t i = 0; i < process->file_count; i++) {
        free(process->files[i].path);
        free(process->files[i].version);
    }
    free(process->files);
    process->files = NULL;
    process->file_count = 0;
}

/* greenlet (gevent) moves stacks about within a thread: then nesting proves little. Its extension is called
 * so; one that exports the function which switches is probed there, and tells for which threads. */
static bool is_greenlet(const struct tt_mapping *mapping)
{
    const char *slash = strrchr(mapping->path, '/');

    return slash && (!strncmp(slash, "/_greenlet.", 11) || !strncmp(slash, "/greenlet.", 10));
}

static int read_files(struct tt_reader *reader, int dir, struct tt_glance *glance, struct tt_process *process)
{
    struct tt_plan_python python = {0};
    uint64_t base = 0;

    for (size_t i = 0; i < glance->maps.count; i++) {
        struct tt_file_facts facts;
        int err = tt_file_cache_get(reader->files, dir, &glance->maps.items[i], &facts);

        if (is_greenlet(&glance->maps.items[i]))
            process->switches_stacks |= err || !facts.library[TT_LIBRARY_GREENLET];
        if (err == -ENOMEM)
            return err;
        if (err)
            process->unreadable++;
        else if (holds_any(&facts))
            err = add_file(process, &glance->maps.items[i], &facts);
        if (!err && facts.library[TT_LIBRARY_PYTHON]) {
            python = facts.python;
            base = glance->maps.items[i].start;
        }
        if (err == -ENOMEM)
            return err;
    }
    /* C++ and CORBA programs that are not Tango are none of our business. */
    for (size_t i = 0; i < process->file_count && !process->tango; i++)
        process->corba |= process->files[i].library[TT_LIBRARY_OMNIORB];
    if (!process->tango)
        drop_files(process);
    return process->tango && base ? tt_python_read_version(process, base, &python) : 0;
}

/* `dir` -1: whether it serves is not known. */
static int read_names(int dir, struct tt_process *process)
{
    _cleanup_(tt_names_free) struct tt_names names = {0};
    bool serves = false;
    int err = tt_names_read(process->argv, process->exe, &names);

    if (err)
        return err;
    process->script = TAKE_PTR(names.script);
    if (names.runtime && !(process->runtime = strdup(names.runtime)))
        return -ENOMEM;
    if (process->tango && names.instance) {
        process->serves_as = tt_format("%s/%s", process->script, names.instance);
        if (!process->serves_as)
            return -ENOMEM;
        if (dir >= 0 && !tt_proc_listens(dir, &serves) && serves &&
            !(process->server = strdup(process->serves_as)))
            return -ENOMEM;
    }
    process->name = strdup(process->server ? process->server : process->script);
    return process->name ? 0 : -ENOMEM;
}

/* TANGO_TELEMETRY_ENABLE as cppTango 10 reads it. Nothing else of telemetry's environment is looked at. */
static bool telemetry_is_on(int dir)
{
    static const char *const words[] = {"on", "1", "true", "yes"};
    _cleanup_free_ char *value = NULL;

    if (tt_proc_environ(dir, "TANGO_TELEMETRY_ENABLE", &value))
        return false;
    for (size_t i = 0; i < TT_ARRAY_SIZE(words); i++)
        if (!strcasecmp(value, words[i]))
            return true;
    return false;
}

/* What only a Tango process needs; what cannot be read stays empty. */
static int read_details(struct tt_reader *reader, int dir, struct tt_process *process)
{
    process->user = user_name(reader, process->uid);
    if (!process->user)
        return -ENOMEM;
    if (tt_proc_environ(dir, "TANGO_HOST", &process->tango_host))
        process->tango_host = NULL;
    process->native = process->native && telemetry_is_on(dir);
    if (tt_proc_cgroup(dir, &process->cgroup))
        process->cgroup = NULL;
    if (tt_proc_namespace(dir, "net", &process->netns))
        process->netns = 0;
    return 0;
}

int tt_process_read(struct tt_reader *reader, int dir, pid_t pid, struct tt_glance *glance, bool probe,
                    struct tt_process **process)
{
    _cleanup_(tt_process_put) struct tt_process *p = calloc(1, sizeof(*p));
    int err;

    if (!p)
        return -ENOMEM;
    p->refs = 1;
    p->pid = pid;
    p->parent = glance->stat.parent;
    p->start_ticks = glance->stat.start_ticks;
    p->start_unix_ns = start_unix(p->start_ticks);
    p->argv = TAKE_PTR(glance->argv);
    p->exe = TAKE_PTR(glance->exe);
    err = tt_proc_uid(dir, &p->uid);
    if (!err && probe)
        err = read_files(reader, dir, glance, p);
    if (!err)
        err = read_names(dir, p);
    if (!err && p->tango)
        err = read_details(reader, dir, p);
    if (err)
        return err == -ENOENT ? -ESRCH : err;
    *process = TAKE_PTR(p);
    return 0;
}

int tt_process_from_glimpse(const struct tt_reader *reader, const struct tt_glimpse *glimpse,
                            struct tt_process **process)
{
    _cleanup_(tt_process_put) struct tt_process *p = calloc(1, sizeof(*p));
    const char *user = known_user(reader, glimpse->uid);
    int err;

    if (!p)
        return -ENOMEM;
    p->refs = 1;
    p->pid = glimpse->pid;
    p->parent = glimpse->parent;
    p->uid = glimpse->uid;
    p->start_ticks = glimpse->start / tt_tick_ns(); /* as /proc/PID/stat has it */
    p->start_unix_ns = start_unix(p->start_ticks);
    p->tango = p->glimpsed = true;
    p->looked = glimpse->executed;
    p->user = user ? strdup(user) : tt_format("%u", glimpse->uid);
    p->exe = glimpse->exe ? strdup(glimpse->exe) : NULL;
    err = tt_proc_split(glimpse->command_line, glimpse->size, &p->argv);
    if (!err)
        err = read_names(-1, p);
    if (err || !p->user || (glimpse->exe && !p->exe))
        return err ? err : -ENOMEM;
    *process = TAKE_PTR(p);
    return 0;
}

bool tt_process_serves(int dir)
{
    bool serves = false;

    return !tt_proc_listens(dir, &serves) && serves;
}
