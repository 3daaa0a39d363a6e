/* SPDX-License-Identifier: GPL-2.0-only */
/* maps.c: /proc/PID/maps. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "discover/proc.h"

int tt_maps_parse(char *line, struct tt_mapping *mapping)
{
    uint64_t start, end, offset, inode;
    unsigned major, minor;
    char flags[5];
    int path = 0;

    line[strcspn(line, "\n")] = '\0';
    /* show_map_vma() of fs/proc/task_mmu.c: start-end flags offset major:minor inode, blanks, path. */
    if (sscanf(line, "%16" SCNx64 "-%16" SCNx64 " %4s %16" SCNx64 " %8x:%8x %20" SCNu64 "%n", &start, &end,
               flags, &offset, &major, &minor, &inode, &path) != 7 ||
        strlen(flags) != 4 || start >= end || (line[path] && line[path] != ' '))
        return -EINVAL;
    mapping->start = start;
    mapping->end = end;
    mapping->offset = offset;
    mapping->device = makedev(major, minor);
    mapping->inode = inode;
    mapping->executable = flags[2] == 'x';
    mapping->path = line + path + strspn(line + path, " ");
    return 0;
}

void tt_maps_free(struct tt_maps *maps)
{
    for (size_t i = 0; i < maps->count; i++)
        free(maps->items[i].path);
    free(maps->items);
    memset(maps, 0, sizeof(*maps));
}

static bool known(const struct tt_maps *maps, const struct tt_mapping *mapping)
{
    /* From the end: the mappings of one file are neighbours. */
    for (size_t i = maps->count; i-- > 0;)
        if (maps->items[i].inode == mapping->inode && maps->items[i].device == mapping->device)
            return true;
    return false;
}

static int add(struct tt_maps *maps, const struct tt_mapping *mapping)
{
    struct tt_mapping copy = *mapping;

    /* The list grows by doubling: at 16, 32, 64, .. entries. */
    if (maps->count == 0 || (maps->count >= 16 && (maps->count & (maps->count - 1)) == 0)) {
        size_t capacity = maps->count ? maps->count * 2 : 16;
        struct tt_mapping *items = reallocarray(maps->items, capacity, sizeof(*items));

        if (!items)
            return -ENOMEM;
        maps->items = items;
    }
    copy.path = strdup(mapping->path);
    if (!copy.path)
        return -ENOMEM;
    maps->items[maps->count++] = copy;
    return 0;
}

/* Executable mappings of files; anonymous memory, [vdso] and the like have no inode. */
static int take_line(struct tt_maps *maps, char *line)
{
    struct tt_mapping mapping;

    if (tt_maps_parse(line, &mapping) || !mapping.executable || !mapping.inode || known(maps, &mapping))
        return 0;
    if (maps->count == TT_PROC_MAPPINGS_MAX) {
        maps->cut = true;
        return 0;
    }
    return add(maps, &mapping);
}

int tt_maps_read(int dir, struct tt_maps *maps)
{
    _cleanup_close_ int fd = openat(dir, "maps", O_RDONLY | O_CLOEXEC);
    _cleanup_fclose_ FILE *file = NULL;
    _cleanup_(tt_maps_free) struct tt_maps found = {0};
    char line[8192]; /* PATH_MAX and the numbers */
    bool start_of_line = true;

    if (fd < 0)
        return -errno;
    file = fdopen(fd, "r");
    if (!file)
        return -errno;
    (void)TAKE_FD(fd); /* the stream's now */
    for (unsigned lines = 0; fgets(line, sizeof(line), file); lines++) {
        bool whole = strchr(line, '\n') || feof(file);
        int err;

        if (lines == TT_PROC_LINES_MAX) {
            found.cut = true;
            break;
        }
        /* Of a line that is too long nothing is used, neither its beginning nor the pieces that follow. */
        if (start_of_line && whole) {
            err = take_line(&found, line);
            if (err)
                return err;
        }
        start_of_line = whole;
    }
    if (ferror(file))
        return errno ? -errno : -EIO;
    *maps = found;
    found = (struct tt_maps){0};
    return 0;
}
