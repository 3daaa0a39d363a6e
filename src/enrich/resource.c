/* SPDX-License-Identifier: GPL-2.0-only */
#include "enrich/resource.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "enrich/build.h"
#include "enrich/convert.h"

#define ARGUMENTS_MAX  64  /* words of a command line that leave the host, when asked for */
#define EXTRA_MAX      32  /* resource attributes of the user */
#define NAME_MAX_BYTES 256 /* of a device or class, to tell one from another */

struct extra {
    const char *key, *value; /* in tt_resources.arena */
};

struct entry {
    UT_hash_handle hh;
    struct tt_process *process; /* a reference, so that the address in the key stays its own; may be NULL */
    struct tt_otel_resource *resource; /* a reference */
    char *class_name; /* as it came, that is before it was made valid UTF-8; NULL = not known */
    uint64_t used;
    char key[]; /* struct key */
};

/* Hash key: only the used part of `device` counts. */
struct key {
    struct tt_process *process;
    uint32_t pid;
    char device[NAME_MAX_BYTES];
};

struct tt_resources {
    struct entry *entries; /* oldest first */
    uint64_t swept;
    const char *host;
    const char *arch;
    bool command_lines;
    struct extra extra[EXTRA_MAX];
    size_t extra_count;
    struct tt_arena arena;
};

/* ---- what is the same for all ------------------------------------------------------------------ */

/* In place. False for a bad escape. */
static bool percent_decode(char *text)
{
    char *out = text;

    for (; *text; text++) {
        if (*text == '%') {
            char hex[3] = {text[1], text[1] ? text[2] : '\0', '\0'};

            if (!isxdigit((unsigned char)hex[0]) || !isxdigit((unsigned char)hex[1]))
                return false;
            *out = (char)strtol(hex, NULL, 16);
            if (!*out++)
                return false;
            text += 2;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
    return true;
}

/* Is the key ours to set, whether or not it is set for a given process? */
static bool is_reserved(const char *key)
{
    static const char *const prefixes[] = {"service.", "tango.", "tangotrace.", "process.", "telemetry."};

    for (size_t i = 0; i < TT_ARRAY_SIZE(prefixes); i++) {
        if (!strncmp(key, prefixes[i], strlen(prefixes[i])))
            return true;
    }
    for (size_t i = 0; i < TT_ATTRS; i++) {
        if (tt_attr_rows[i].level == TT_ATTR_OF_RESOURCE && !strcmp(key, tt_attr_rows[i].key))
            return true;
    }
    return false;
}

static char *trim(char *text)
{
    char *end;

    while (isspace((unsigned char)*text))
        text++;
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text;
}

static void add_extra(struct tt_resources *resources, char *pair)
{
    char *value = strchr(pair, '='), *key;
    struct extra extra;

    if (value)
        *value++ = '\0';
    key = trim(pair);
    if (!value || !*key || !percent_decode(key) || !percent_decode(value = trim(value))) {
        tt_warn("resource attribute \"%s\" is not key=value (percent-encoded): left out", key);
        return;
    }
    if (is_reserved(key)) {
        tt_warn("resource attribute %s is tangotrace's own to set: left out", key);
        return;
    }
    for (size_t i = 0; i < resources->extra_count; i++) {
        if (!strcmp(resources->extra[i].key, key)) {
            tt_warn("resource attribute %s is given twice: the first counts", key);
            return;
        }
    }
    if (resources->extra_count == EXTRA_MAX) {
        tt_warn("more than %d resource attributes: %s is left out", EXTRA_MAX, key);
        return;
    }
    extra.key = tt_convert_copy(&resources->arena, key, TT_ATTR_LENGTH);
    extra.value = tt_convert_copy(&resources->arena, value, TT_ATTR_LENGTH);
    if (extra.key && extra.value)
        resources->extra[resources->extra_count++] = extra;
}

static void parse_extra(struct tt_resources *resources, const char *text)
{
    size_t size = text ? strlen(text) + 1 : 0;
    char *rest = size ? tt_arena_alloc(&resources->arena, size) : NULL, *pair;

    if (rest)
        memcpy(rest, text, size);
    while (rest && (pair = strsep(&rest, ","))) {
        if (*trim(pair))
            add_extra(resources, pair);
    }
}

const char *tt_host_arch(void)
{
    struct utsname name;

    if (uname(&name))
        return NULL;
    if (!strcmp(name.machine, "x86_64"))
        return "amd64";
    return !strcmp(name.machine, "aarch64") ? "arm64" : NULL;
}

struct tt_resources *tt_resources_new(const struct tt_enrich_config *config)
{
    struct tt_resources *resources = calloc(1, sizeof(*resources));
    char host[HOST_NAME_MAX + 1] = "";

    if (!resources)
        return NULL;
    if (config->host_name)
        snprintf(host, sizeof(host), "%s", config->host_name);
    else if (gethostname(host, sizeof(host) - 1))
        host[0] = '\0';
    resources->host = tt_convert_copy(&resources->arena, *host ? host : "localhost", TT_ATTR_LENGTH);
    resources->arch = config->host_arch
                          ? tt_convert_copy(&resources->arena, config->host_arch, TT_ATTR_LENGTH)
                          : tt_host_arch();
    resources->command_lines = config->command_lines;
    parse_extra(resources, config->resource_attributes);
    if (!resources->host)
        tt_resources_free(&resources);
    return resources;
}

/* ---- one resource ---------------------------------------------------------------------------- */

static const char *language(const struct tt_process *process)
{
    if (process && process->runtime && !strcmp(process->runtime, "python"))
        return "python";
    return process && process->runtime && !strcmp(process->runtime, "java") ? "java" : "cpp";
}

/* A span of a device proves that the process serves, even before discovery has seen it listen. */
static const char *server_name(const struct tt_process *process, const char *device)
{
    return !process || process->server || !device ? (process ? process->server : NULL) : process->serves_as;
}

const char *tt_resource_program(struct tt_arena *arena, const struct tt_process *process)
{
    if (process && process->server) {
        const char *slash = strchr(process->server, '/');

        return tt_arena_printf(arena, "%.*s", slash ? (int)(slash - process->server) : TT_ATTR_LENGTH,
                               process->server);
    }
    if (process && process->script)
        return process->script;
    if (process && process->name)
        return process->name;
    return process && process->exe ? tt_basename(process->exe) : "unknown_service";
}

static void build_service(const struct tt_resources *resources, struct tt_build *build,
                          struct tt_otel_resource *resource, const struct tt_process *process, uint32_t pid,
                          const char *device, const char *class_name)
{
    const char *name = class_name ? class_name : tt_resource_program(build->arena, process);
    struct tt_arena *arena = build->arena;

    resource->service_name = name ? tt_convert_copy(arena, name, TT_ATTR_LENGTH) : NULL;
    if (device)
        resource->instance = tt_convert_copy(arena, device, TT_ATTR_LENGTH);
    else
        resource->instance = tt_arena_printf(arena, "%s:%u", resources->host, pid);
    resource->class_name = class_name ? resource->service_name : NULL;
    resource->is_client = !device && !(process && process->server);
    if (!resource->service_name || !resource->instance) {
        build->failed = true;
        return;
    }
    tt_build_ready(build, TT_ATTR_SERVICE_NAMESPACE, "tango");
    tt_build_ready(build, TT_ATTR_SERVICE_NAME, resource->service_name);
    tt_build_ready(build, TT_ATTR_SERVICE_INSTANCE, resource->instance);
}

/* Programs may write what they like into their own argv[0] (setproctitle): no more than its first word. */
static void build_command(const struct tt_resources *resources, struct tt_build *build,
                          const struct tt_process *process)
{
    const char *words[ARGUMENTS_MAX], *first = process->argv ? process->argv[0] : NULL;
    size_t count = 0;

    if (!first)
        return;
    if (process->exe && !strcmp(first, process->exe))
        tt_build_string(build, TT_ATTR_PROCESS_COMMAND, first);
    else
        tt_build_ready(build, TT_ATTR_PROCESS_COMMAND,
                       tt_convert_copy(build->arena, first, strcspn(first, " \t\r\n")));
    if (!resources->command_lines)
        return;
    for (; process->argv[count] && count < ARGUMENTS_MAX; count++)
        words[count] = tt_convert_masked(build->arena, process->argv[count],
                                         count ? process->argv[count - 1] : NULL, TT_ATTR_LENGTH);
    tt_build_strings(build, TT_ATTR_PROCESS_COMMAND_ARGS, words, count);
}

static void build_process(const struct tt_resources *resources, struct tt_build *build,
                          const struct tt_process *process, const char *device)
{
    const char *server = server_name(process, device);

    tt_build_string(build, TT_ATTR_SERVER_NAME, server);
    tt_build_ready(build, TT_ATTR_TANGO_PROCESS_KIND, server ? "server" : "client");
    tt_build_string(build, TT_ATTR_TANGO_HOST, process->tango_host);
    tt_build_int(build, TT_ATTR_PROCESS_PARENT, process->parent);
    if (process->start_unix_ns)
        tt_build_ready(build, TT_ATTR_PROCESS_CREATION,
                       tt_convert_time(build->arena, process->start_unix_ns));
    tt_build_string(build, TT_ATTR_PROCESS_EXE_NAME, process->exe ? tt_basename(process->exe) : NULL);
    tt_build_string(build, TT_ATTR_PROCESS_EXE_PATH, process->exe);
    tt_build_string(build, TT_ATTR_PROCESS_OWNER, process->user);
    build_command(resources, build, process);
    tt_build_string(build, TT_ATTR_PROCESS_RUNTIME, process->python ? "cpython" : process->runtime);
    tt_build_string(build, TT_ATTR_PROCESS_RUNTIME_VERSION, process->python);
    tt_build_string(build, TT_ATTR_PROCESS_RUNTIME_TEXT, process->python_all);
    tt_build_string(build, TT_ATTR_PROCESS_CGROUP, process->cgroup);
}

/* What all resources of this host have. */
static void build_host(const struct tt_resources *resources, struct tt_build *build, const char *sdk_language)
{
    tt_build_string(build, TT_ATTR_HOST_NAME, resources->host);
    tt_build_string(build, TT_ATTR_HOST_ARCH, resources->arch); /* copied: a resource may outlive it */
    tt_build_ready(build, TT_ATTR_OS_TYPE, "linux");
    tt_build_ready(build, TT_ATTR_SDK_NAME, "tangotrace");
    tt_build_ready(build, TT_ATTR_SDK_LANGUAGE, sdk_language);
    tt_build_ready(build, TT_ATTR_SDK_VERSION, TT_VERSION);
    tt_build_ready(build, TT_ATTR_DISTRO_NAME, "tangotrace");
    tt_build_ready(build, TT_ATTR_DISTRO_VERSION, TT_VERSION);
    for (size_t i = 0; i < resources->extra_count; i++) { /* copied: a resource may outlive the enricher */
        const char *key = tt_convert_copy(build->arena, resources->extra[i].key, TT_ATTR_LENGTH);
        const char *value = tt_convert_copy(build->arena, resources->extra[i].value, TT_ATTR_LENGTH);

        if (key && value)
            tt_build_extra(build, key, value);
        else
            build->failed = true;
    }
}

static void build_rest(const struct tt_resources *resources, struct tt_build *build,
                       const struct tt_process *process, uint32_t pid, const char *device)
{
    tt_build_int(build, TT_ATTR_TANGO_PROCESS_ID, pid);
    tt_build_int(build, TT_ATTR_PROCESS_PID, pid);
    if (process)
        build_process(resources, build, process, device);
    build_host(resources, build, language(process));
}

/* No pid: it is the same after a restart. */
struct tt_otel_resource *tt_resources_own(const struct tt_resources *resources, const char *name)
{
    struct tt_otel_resource *resource = tt_otel_resource_new();
    struct tt_build build;

    if (!resource)
        return NULL;
    tt_build_start(&build, &resource->arena);
    resource->service_name = tt_convert_copy(&resource->arena, name, TT_ATTR_LENGTH);
    resource->instance = tt_convert_copy(&resource->arena, resources->host, TT_ATTR_LENGTH);
    tt_build_ready(&build, TT_ATTR_SERVICE_NAMESPACE, "tango");
    tt_build_ready(&build, TT_ATTR_SERVICE_NAME, resource->service_name);
    tt_build_ready(&build, TT_ATTR_SERVICE_INSTANCE, resource->instance);
    build_host(resources, &build, "cpp");
    resource->attributes = tt_build_finish(&build);
    resource->attribute_count = build.count;
    if (build.failed || !resource->service_name || !resource->instance)
        tt_otel_resource_put(&resource);
    return resource;
}

static struct tt_otel_resource *make(const struct tt_resources *resources, const struct tt_process *process,
                                     uint32_t pid, const char *device, const char *class_name)
{
    struct tt_otel_resource *resource = tt_otel_resource_new();
    struct tt_build build;

    if (!resource)
        return NULL;
    tt_build_start(&build, &resource->arena);
    build_service(resources, &build, resource, process, pid, device, class_name);
    build_rest(resources, &build, process, pid, device);
    resource->attributes = tt_build_finish(&build);
    resource->attribute_count = build.count;
    if (build.failed)
        tt_otel_resource_put(&resource);
    return resource;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void drop(struct tt_resources *resources, struct entry *entry)
{
    /* The analyzer cannot know that uthash frees its table with the last entry only. */
    HASH_DEL(resources->entries, entry); /* NOLINT(clang-analyzer-unix.Malloc) */
    tt_otel_resource_put(&entry->resource);
    tt_process_put(&entry->process);
    free(entry->class_name);
    free(entry);
}

static size_t make_key(struct key *key, struct tt_process *process, uint32_t pid, const char *device)
{
    size_t length = device ? strnlen(device, NAME_MAX_BYTES) : 0;

    key->process = process;
    key->pid = pid;
    if (length)
        memcpy(key->device, device, length);
    return offsetof(struct key, device) + length;
}

static struct entry *lookup(const struct tt_resources *resources, const struct key *key, size_t size)
{
    struct entry *entry;

    /* The analyzer does not see that the first `size` bytes are set. */
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
    HASH_FIND(hh, resources->entries, key, size, entry);
    return entry;
}

static struct entry *insert(struct tt_resources *resources, const struct key *key, size_t size)
{
    struct entry *entry = calloc(1, sizeof(*entry) + size);

    if (!entry)
        return NULL;
    if (HASH_COUNT(resources->entries) >= TT_RESOURCES_MAX)
        drop(resources, resources->entries);
    memcpy(entry->key, key, size);
    entry->process = key->process ? tt_process_get(key->process) : NULL;
    HASH_ADD(hh, resources->entries, key, size, entry);
    return entry;
}

/* Makes the entry's resource if there is none, or a class became known. */
static int refresh(struct tt_resources *resources, struct entry *entry, uint32_t pid, const char *device,
                   const char *class_name)
{
    struct tt_otel_resource *made;
    char *copy = NULL;

    if (entry->resource &&
        (!class_name || (entry->class_name && !strncmp(entry->class_name, class_name, NAME_MAX_BYTES))))
        return 0;
    if (class_name && !(copy = strndup(class_name, NAME_MAX_BYTES)))
        return -1;
    made = make(resources, entry->process, pid, device, class_name);
    if (!made) {
        free(copy);
        return -1;
    }
    tt_otel_resource_put(&entry->resource);
    free(entry->class_name);
    entry->resource = made;
    entry->class_name = copy;
    return 0;
}

struct tt_otel_resource *tt_resources_get(struct tt_resources *resources, struct tt_process *process,
                                          uint32_t pid, const char *device, const char *class_name,
                                          uint64_t now)
{
    struct entry *entry;
    struct key key;
    size_t size;

    device = device && *device ? device : NULL;
    class_name = device && class_name && *class_name ? class_name : NULL;
    size = make_key(&key, process, pid, device);
    entry = lookup(resources, &key, size);
    if (!entry)
        entry = insert(resources, &key, size);
    if (!entry)
        return NULL;
    entry->used = now;
    if (refresh(resources, entry, pid, device, class_name)) {
        if (!entry->resource)
            drop(resources, entry);
        return NULL;
    }
    return tt_otel_resource_get(entry->resource);
}

void tt_resources_tick(struct tt_resources *resources, uint64_t now)
{
    struct entry *entry, *next;

    if (now < resources->swept + TT_RESOURCES_UNUSED / 10)
        return;
    resources->swept = now;
    HASH_ITER(hh, resources->entries, entry, next)
    {
        if (entry->used + TT_RESOURCES_UNUSED < now)
            drop(resources, entry);
    }
}

size_t tt_resources_count(const struct tt_resources *resources)
{
    return HASH_COUNT(resources->entries);
}

void tt_resources_free(struct tt_resources **resources)
{
    struct entry *entry, *next;

    if (!*resources)
        return;
    HASH_ITER(hh, (*resources)->entries, entry, next)
    drop(*resources, entry);
    tt_arena_free(&(*resources)->arena);
    free(*resources);
    *resources = NULL;
}
