/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * method.c: which function PyTango calls. Methods called by name are looked up as Python does it: in the
 * object's own dictionary, then in the classes of its type's method resolution order; tp_version_tag, which
 * changes with every change of a class and is never used twice, proves that they are as they were. What
 * PyTango put around the user's function is taken off: __wrapped__, else the function that it closes over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "python/internal.h"

#define KEEP_NS   5000000000ull /* an object's own dictionary may change unseen */
#define MRO_MAX   64
#define WRAPS_MAX 6
#define CELLS_MAX 16

bool tt_python_is_own(const struct tt_python_process *p, const char *file)
{
    return (p->package && !strncmp(file, p->package, strlen(p->package))) ||
           strstr(file, "-packages/tango/") != NULL;
}

struct function {
    char name[TT_PYTHON_NAME_MAX];
    char file[TT_PYTHON_FILE_MAX];
    unsigned line;
};

static bool read_function(struct tt_pymem *mem, uint64_t object, struct function *f)
{
    const struct tt_python_layout *l = mem->layout;
    uint64_t code = tt_pymem_word(mem, object + l->function_code);

    f->line = tt_pymem_u32(mem, code + l->kernel.line);
    return tt_pymem_str(mem, tt_pymem_word(mem, object + l->function_qualname), f->name, sizeof(f->name)) &&
           tt_pymem_str(mem, tt_pymem_word(mem, code + l->file), f->file, sizeof(f->file));
}

static bool is_user(struct tt_pymem *mem, const struct tt_python_process *p, uint64_t object, unsigned depth,
                    struct function *f);

/* The user's function among those that a wrapper closes over. */
static bool search_cells(struct tt_pymem *mem, const struct tt_python_process *p, uint64_t closure,
                         unsigned depth, struct function *f)
{
    uint64_t cells[CELLS_MAX];
    size_t count = tt_pymem_tuple(mem, closure, cells, CELLS_MAX);

    for (size_t i = 0; i < count && !mem->failed; i++) {
        uint64_t object = tt_pymem_is(mem, cells[i], "cell") ? tt_pymem_word(mem, cells[i] + TT_PY_CELL) : 0;

        if (object && is_user(mem, p, object, depth + 1, f))
            return true;
    }
    return false;
}

static bool is_user(struct tt_pymem *mem, const struct tt_python_process *p, uint64_t object, unsigned depth,
                    struct function *f)
{
    const struct tt_python_layout *l = mem->layout;
    uint64_t dict, closure, wrapped;

    if (depth > WRAPS_MAX)
        return false;
    if (tt_pymem_is(mem, object, "method"))
        object = tt_pymem_word(mem, object + TT_PY_METHOD_FUNCTION);
    if (!tt_pymem_is(mem, object, "function"))
        return false;
    dict = tt_pymem_word(mem, object + l->function_dict);
    wrapped = dict ? tt_pymem_dict_get(mem, dict, "__wrapped__") : 0;
    if (wrapped && is_user(mem, p, wrapped, depth + 1, f))
        return true;
    if (!read_function(mem, object, f))
        return false;
    if (!tt_python_is_own(p, f->file))
        return true;
    closure = tt_pymem_word(mem, object + l->closure);
    return closure && search_cells(mem, p, closure, depth, f);
}

/* The classes of a type, in the order in which Python looks. */
static size_t read_mro(struct tt_pymem *mem, uint64_t type, uint64_t types[MRO_MAX])
{
    uint64_t mro = tt_pymem_word(mem, type + TT_PY_TYPE_MRO);

    return mro ? tt_pymem_tuple(mem, mro, types, MRO_MAX) : 0;
}

/* Is the class derived from PyTango's DeviceImpl? */
static bool is_device(struct tt_pymem *mem, uint64_t type)
{
    uint64_t types[MRO_MAX];
    size_t count = read_mro(mem, type, types);
    char name[64];

    for (size_t i = 0; i < count; i++) {
        struct tt_pymem probe = *mem;
        bool read = tt_pymem_type_name(&probe, types[i], name, sizeof(name));
        const char *last = strrchr(name, '.');

        mem->left = probe.left;
        if (read && !strcmp(last ? last + 1 : name, "DeviceImpl"))
            return true;
    }
    return false;
}

static uint64_t own_attribute(struct tt_pymem *mem, uint64_t object, uint64_t type, const char *name)
{
    int64_t offset = (int64_t)tt_pymem_word(mem, type + TT_PY_TYPE_DICT_OFFSET);
    uint64_t dict;

    if (!offset)
        return 0;
    if (offset < 0 || offset > 4096) { /* none of Boost.Python's objects: kept elsewhere */
        mem->failed = true;
        return 0;
    }
    dict = tt_pymem_word(mem, object + (uint64_t)offset);
    return dict ? tt_pymem_dict_get(mem, dict, name) : 0;
}

static uint64_t find_method(struct tt_pymem *mem, uint64_t object, uint64_t type, const char *name)
{
    uint64_t found = own_attribute(mem, object, type, name), types[MRO_MAX], dict;
    size_t count = found ? 0 : read_mro(mem, type, types);

    for (size_t i = 0; i < count && !found && !mem->failed; i++) {
        dict = tt_pymem_word(mem, types[i] + TT_PY_TYPE_DICT);
        if (dict)
            found = tt_pymem_dict_get(mem, dict, name);
    }
    return found;
}

/* 3.9 leaves the old tag in a class that was changed, and takes back this flag instead; so did those before
 * 3.12. */
static bool has_version(struct tt_pymem *mem, uint64_t type, uint64_t version)
{
    bool valid = mem->layout->minor > 11 || tt_pymem_word(mem, type + TT_PY_TYPE_FLAGS) & TT_PY_VALID_VERSION;

    return valid && version && tt_pymem_u32(mem, type + TT_PY_TYPE_VERSION) == version;
}

/* Of a function, as the event saw it. */
static uint64_t method_code(const struct tt_python_layout *layout, const struct tt_span_python *call)
{
    return layout->function_code == 16 ? call->code_39 : call->code;
}

/* What the event says is called; *changed: it is not any more what it was. */
static uint64_t callee(struct tt_pymem *mem, const struct tt_span_python *call, bool *changed)
{
    uint64_t function = call->function, code, found;

    if (!call->method) {
        code = method_code(mem->layout, call);
        if (!tt_pymem_is(mem, function, "function"))
            return 0;
        *changed = !code || tt_pymem_word(mem, function + mem->layout->function_code) != code;
        return *changed ? 0 : function;
    }
    if (!has_version(mem, call->type, call->version)) {
        *changed = true;
        return 0;
    }
    found = find_method(mem, call->object, call->type, call->method);
    *changed = !has_version(mem, call->type, call->version);
    return *changed ? 0 : found;
}

/* Hooks that BaseDevice has for those who override them (tango/device_server.py). What makes devices is
 * PyTango's own, too, and the frame of init_device: see assemble/birth.c. */
static bool is_dull(struct tt_pymem *mem, uint64_t function)
{
    static const char *const hooks[] = {"always_executed_hook", "read_attr_hardware", "write_attr_hardware"};
    struct function f;
    const char *name;

    if (!read_function(mem, function, &f))
        return false;
    name = strrchr(f.name, '.');
    for (size_t i = 0; name && i < TT_ARRAY_SIZE(hooks); i++)
        if (!strcmp(name + 1, hooks[i]))
            return true;
    return false;
}

static void look_up(struct tt_pythons *pythons, const struct tt_python_process *p,
                    const struct tt_span_python *call, struct tt_python_found *found)
{
    struct tt_pymem mem = {.pid = (pid_t)p->pid, .layout = &p->layout, .left = TT_PYTHON_READS};
    uint64_t type = call->method ? call->type : tt_pymem_word(&mem, call->object + TT_PY_TYPE), function;
    bool changed = false;
    struct function f;

    found->user = found->dull = false;
    pythons->stats.lookups++;
    if (!call->method && !tt_pymem_is(&mem, call->function, "function"))
        return; /* a class, a builtin .. */
    if (!is_device(&mem, type)) {
        pythons->stats.unreadable += mem.failed;
        return;
    }
    function = callee(&mem, call, &changed);
    found->user = function && is_user(&mem, p, function, 0, &f);
    found->dull = function && !found->user && !call->method && is_dull(&mem, function);
    pythons->stats.changed += changed;
    pythons->stats.unreadable += mem.failed;
    if (changed || mem.failed) {
        found->user = found->dull = false;
        found->until = tt_now_ns() + TT_PYTHON_RETRY_NS;
        return;
    }
    if (!found->user)
        return;
    found->name = strdup(f.name);
    found->file = strdup(f.file);
    found->line = f.line;
}

/* Of the cache, or of the process. NULL when out of memory. */
static struct tt_python_found *find(struct tt_pythons *pythons, struct tt_python_process *p,
                                    const struct tt_span_python *call)
{
    struct tt_python_key key = {call->type, call->version, call->object, 0, ""};
    uint64_t now = tt_now_ns();
    struct tt_python_found *found;

    if (call->method)
        strncpy(key.name, call->method, sizeof(key.name) - 1);
    else
        key = (struct tt_python_key){call->function, call->code, call->object, 1, ""};
    found = tt_python_found_get(p, &key);
    if (found && now < found->until)
        return found;
    found = tt_python_found_add(p, &key);
    if (!found)
        return NULL;
    found->until = now + KEEP_NS;
    look_up(pythons, p, call, found);
    return found;
}

bool tt_pythons_dull(struct tt_pythons *pythons, const struct tt_span *span, struct tt_dull_key *key,
                     struct tt_dull *dull)
{
    const struct tt_span_python *call = &span->python;
    const struct tt_python_found *found = NULL;
    struct tt_python_process *p;

    pthread_mutex_lock(&pythons->lock);
    p = tt_pythons_find(pythons, span->tgid);
    if (p && p->readable && !call->method) {
        struct tt_python_key of = {call->function, call->code, call->object, 1, ""};

        found = tt_python_found_get(p, &of);
    }
    if (found && found->dull) {
        *key = (struct tt_dull_key){.function = call->function, .object = call->object, .tgid = span->tgid};
        *dull = (struct tt_dull){.code = method_code(&p->layout, call),
                                 .code_at = call->function + p->layout.function_code,
                                 .until = found->until};
    }
    pthread_mutex_unlock(&pythons->lock);
    return found && found->dull;
}

bool tt_pythons_method(struct tt_pythons *pythons, struct tt_span *span)
{
    struct tt_python_found *found = NULL;
    struct tt_python_process *p;

    pthread_mutex_lock(&pythons->lock);
    p = tt_pythons_find(pythons, span->tgid);
    if (p && p->readable)
        found = find(pythons, p, &span->python);
    if (found && found->user && found->name && found->file) {
        span->code.name = tt_arena_copy(&span->arena, found->name, strlen(found->name));
        span->code.file = tt_arena_copy(&span->arena, found->file, strlen(found->file));
        span->code.line = found->line;
    }
    pthread_mutex_unlock(&pythons->lock);
    return span->code.name != NULL;
}
