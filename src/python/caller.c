/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * caller.c: whose code calls: the innermost Python frame that is not PyTango's own. The kernel gives code
 * objects and where in them; with each the address of its name and its first line, which tell an object that
 * has taken the place of another.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "python/internal.h"
#include "python/line.h"

#define KEEP_NS 60000000000ull

#define SHIM "<shim>"

/* 3.12 and later have a frame of their own below each call out of C: with code of this name, or from 3.13 on
 * with none (None). */
static bool is_shim(const struct tt_python_found *found)
{
    return !strcmp(found->file, SHIM);
}

/* By what PyTango's green modes hand a call to another thread: whoever made it is not on this one's stack. */
static bool is_executor(const struct tt_python_found *found)
{
    static const char *const files[] = {"/concurrent/futures/thread.py", "/gevent/threadpool.py"};
    size_t length = strlen(found->file);

    for (size_t i = 0; i < TT_ARRAY_SIZE(files); i++) {
        size_t size = strlen(files[i]);

        if (length > size && !strcmp(found->file + length - size, files[i]))
            return true;
    }
    return false;
}

/* Is it still the code object that the event saw? */
static bool is_same(struct tt_pymem *mem, const struct tt_python_frame *frame)
{
    const struct tt_python *k = &mem->layout->kernel;

    return tt_pymem_alive(mem, frame->code) && tt_pymem_word(mem, frame->code + k->name) == frame->name &&
           tt_pymem_u32(mem, frame->code + k->line) == (uint32_t)frame->line && !mem->failed;
}

static unsigned read_line(struct tt_pymem *mem, const struct tt_python_frame *frame)
{
    const struct tt_python_layout *l = mem->layout;
    uint64_t table = tt_pymem_word(mem, frame->code + l->lines),
             size = tt_pymem_word(mem, table + TT_PY_SIZE);
    uint64_t offset = l->bytecode ? frame->ip - (frame->code + l->bytecode)
                                  : (uint32_t)frame->ip * l->ip_unit;
    unsigned line = 0;
    uint8_t *bytes;

    if (!tt_pymem_alive(mem, table) || size > TT_PYTHON_TABLE_MAX)
        return 0;
    bytes = malloc(size ? size : 1);
    if (bytes && size && !tt_pymem_read(mem, table + TT_PY_BYTES_DATA, bytes, size))
        size = 0;
    if (bytes && !mem->failed)
        line = tt_python_line(l->line_kind, bytes, size, (unsigned)frame->line, offset);
    free(bytes);
    return line;
}

static void look_up(struct tt_pythons *pythons, const struct tt_python_process *p,
                    const struct tt_python_frame *frame, struct tt_python_found *found)
{
    struct tt_pymem mem = {.pid = (pid_t)p->pid, .layout = &p->layout, .left = TT_PYTHON_READS};
    char name[TT_PYTHON_NAME_MAX], file[TT_PYTHON_FILE_MAX];
    uint64_t where;

    pythons->stats.lookups++;
    found->known = false;
    if (p->layout.minor >= 13 && tt_pymem_is(&mem, frame->code, "NoneType")) {
        found->known = true;
        found->name = strdup(SHIM);
        found->file = strdup(SHIM);
        return;
    }
    where = p->layout.qualname ? tt_pymem_word(&mem, frame->code + p->layout.qualname) : frame->name;
    if (!tt_pymem_is(&mem, frame->code, "code") || !tt_pymem_str(&mem, where, name, sizeof(name)) ||
        !tt_pymem_str(&mem, tt_pymem_word(&mem, frame->code + p->layout.file), file, sizeof(file))) {
        pythons->stats.unreadable++;
        return;
    }
    found->line = read_line(&mem, frame);
    if (!is_same(&mem, frame)) {
        pythons->stats.changed++;
        return;
    }
    found->known = true;
    found->user = !tt_python_is_own(p, file);
    found->name = strdup(name);
    found->file = strdup(file);
}

static struct tt_python_found *find(struct tt_pythons *pythons, struct tt_python_process *p,
                                    const struct tt_python_frame *frame, uint64_t now)
{
    struct tt_python_key key = {frame->code, frame->name, frame->ip, frame->line, ""};
    struct tt_python_found *found;

    found = tt_python_found_get(p, &key);
    if (found && now < found->until)
        return found->known ? found : NULL;
    found = tt_python_found_add(p, &key);
    if (!found)
        return NULL;
    look_up(pythons, p, frame, found);
    found->until = now + (found->known ? KEEP_NS : TT_PYTHON_RETRY_NS);
    return found->known ? found : NULL;
}

/* What `python script.py`, `-c` and `-m` run is called __main__ there, and <module> by its code: nothing
 * calls it but runpy. */
static bool is_main(struct tt_pythons *pythons, struct tt_python_process *p,
                    const struct tt_span_python *python, unsigned index, uint64_t now)
{
    const struct tt_python_found *last = NULL;
    unsigned above = 0;

    for (unsigned i = index + 1; i < python->frame_count; i++) {
        const struct tt_python_found *found = find(pythons, p, &python->frames[i], now);

        if (!found || !found->name || !found->file)
            return false;
        if (is_shim(found))
            continue;
        last = found;
        above++;
    }
    return python->frame_count < TT_PYTHON_FRAMES &&
           (!above || (above == 2 && !strcmp(last->name, "_run_module_as_main")));
}

static void set_code(struct tt_span *span, const char *name, const char *file, unsigned line)
{
    span->code.name = tt_arena_copy(&span->arena, name, strlen(name));
    span->code.file = tt_arena_copy(&span->arena, file, strlen(file));
    span->code.line = line;
}

/* The name's last part, behind class and dot. */
static bool is_called(const char *name, const char *what)
{
    const char *dot = strrchr(name, '.');

    return dot && !strcmp(dot + 1, what);
}

/* A call that an init_device makes tells where that stands, the outermost if it calls that of its base class.
 */
static void find_init(struct tt_pythons *pythons, struct tt_python_process *p,
                      const struct tt_span_python *python, struct tt_span *init, uint64_t now)
{
    for (unsigned i = python->frame_count; i-- > 0 && !init->code.name;) {
        const struct tt_python_found *found = find(pythons, p, &python->frames[i], now);

        if (found && found->user && found->name && found->file && is_called(found->name, "init_device"))
            set_code(init, found->name, found->file, (unsigned)python->frames[i].line);
    }
}

bool tt_pythons_caller(struct tt_pythons *pythons, struct tt_span *span)
{
    const struct tt_span_python *python = &span->python;
    struct tt_python_process *p;
    uint64_t now;

    if (!python->frame_count)
        return false;
    now = tt_now_ns();
    pthread_mutex_lock(&pythons->lock);
    p = tt_pythons_find(pythons, span->tgid);
    if (p && p->readable && span->parent && span->parent->row == &tt_init_row && !span->parent->code.name)
        find_init(pythons, p, python, span->parent, now);
    for (unsigned i = 0; p && p->readable && i < python->frame_count; i++) {
        struct tt_python_found *found = find(pythons, p, &python->frames[i], now);

        if (!found || !found->name || !found->file)
            break; /* what is beyond may not be the innermost */
        if (!found->user || is_shim(found))
            continue;
        span->handed_over = is_executor(found);
        if (span->handed_over)
            break;
        set_code(span,
                 !strcmp(found->name, "<module>") && is_main(pythons, p, python, i, now) ? "__main__"
                                                                                         : found->name,
                 found->file, found->line);
        break;
    }
    pthread_mutex_unlock(&pythons->lock);
    return span->code.name != NULL;
}
