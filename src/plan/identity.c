/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define MARKS_MAX 16 /* symbols asked for by all layouts together */

char *tt_identity_version(const char *name)
{
    const char *so = strstr(tt_basename(name), ".so."), *version = so ? so + 4 : NULL;
    char *text;

    if (!version || !*version || strspn(version, "0123456789.") != strlen(version))
        return NULL;
    /* omniORB's major version is part of its name: libomniORB4.so.2.5 is 4.2.5 */
    if (strncmp(tt_basename(name), "libomniORB4", 11))
        return strdup(version);
    return asprintf(&text, "4.%s", version) < 0 ? NULL : text;
}

/* The longest version that the real file's name, the path or the soname tell. */
static char *find_version(int fd, const char *soname, const char *path)
{
    char link[64], real[4096];
    const char *names[3] = {path, soname, NULL};
    char *best = NULL;
    ssize_t size;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, real, sizeof(real) - 1);
    if (size > 0) {
        real[size] = '\0';
        names[2] = real;
    }
    for (size_t i = 0; i < TT_ARRAY_SIZE(names); i++) {
        char *version = names[i] ? tt_identity_version(names[i]) : NULL;

        if (version && (!best || strlen(version) > strlen(best))) {
            free(best);
            best = version;
        } else {
            free(version);
        }
    }
    return best;
}

/* Symbols the layouts ask for, and whether the file has them; one pass over the file's symbols. */
struct marks {
    const char *name[MARKS_MAX];
    bool seen[MARKS_MAX];
    size_t count;
};

static void add_marks(struct marks *marks, const char *const *names)
{
    for (; names && *names && marks->count < MARKS_MAX; names++)
        marks->name[marks->count++] = *names;
}

static bool has_mark(const struct marks *marks, const char *name)
{
    for (size_t i = 0; i < marks->count; i++) {
        if (!strcmp(marks->name[i], name))
            return marks->seen[i];
    }
    return false;
}

static bool fits(const struct marks *marks, const struct tt_layout *layout)
{
    for (const char *const *name = layout->present; name && *name; name++) {
        if (!has_mark(marks, *name))
            return false;
    }
    for (const char *const *name = layout->absent; name && *name; name++) {
        if (has_mark(marks, *name))
            return false;
    }
    return true;
}

const struct tt_layout *tt_identity_layout(const struct tt_elf *elf)
{
    struct marks marks = {0};

    for (size_t i = 0; i < tt_layout_count; i++) {
        add_marks(&marks, tt_layouts[i].present);
        add_marks(&marks, tt_layouts[i].absent);
    }
    for (size_t i = 0; i < elf->symbol_count; i++) {
        for (size_t j = 0; j < marks.count; j++) {
            if (!marks.seen[j] && !strcmp(elf->symbols[i].name, marks.name[j]))
                marks.seen[j] = true;
        }
    }
    for (size_t i = 0; i < tt_layout_count; i++) {
        if (fits(&marks, &tt_layouts[i]))
            return &tt_layouts[i];
    }
    return NULL;
}

static const struct tt_omni_layout *find_omni(const char *name)
{
    name = name ? tt_basename(name) : "";
    for (size_t i = 0; i < tt_omni_layout_count; i++) {
        const char *suffix = tt_omni_layouts[i].soname_suffix, *at = strstr(name, suffix);

        if (!strncmp(name, "libomniORB4", 11) && at && (!at[strlen(suffix)] || at[strlen(suffix)] == '.'))
            return &tt_omni_layouts[i];
    }
    return NULL;
}

int tt_identify_by_name(struct tt_plan *plan, int fd, const char *path)
{
    plan->path = strdup(path);
    if (!plan->path)
        return -ENOMEM;
    plan->version = find_version(fd, plan->soname, path);
    plan->omni = find_omni(plan->soname);
    if (!plan->omni)
        plan->omni = find_omni(path);
    return 0;
}

int tt_identify(struct tt_plan *plan, const struct tt_elf *elf, const char *path)
{
    plan->soname = elf->soname ? strdup(elf->soname) : NULL;
    if (elf->soname && !plan->soname)
        return -ENOMEM;
    memcpy(plan->build_id, elf->build_id, elf->build_id_size);
    plan->build_id_size = elf->build_id_size;
    plan->layout = tt_identity_layout(elf);
    return tt_identify_by_name(plan, elf->fd, path);
}
