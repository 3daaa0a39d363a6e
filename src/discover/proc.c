/* SPDX-License-Identifier: GPL-2.0-only */
#include "discover/proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

int tt_proc_open(const char *proc_root, pid_t pid)
{
    char path[PATH_MAX];
    int fd;

    if (snprintf(path, sizeof(path), "%s/%d", proc_root, (int)pid) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    return fd;
}

int tt_proc_parse_stat(const char *text, struct tt_proc_stat *stat)
{
    /* The name in field 2 may hold spaces, parentheses and newlines: the last ')' ends it. */
    const char *rest = strrchr(text, ')');
    long long parent;
    unsigned long long start;
    char state;

    if (!rest ||
        sscanf(rest + 1, " %c %lld %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &state, &parent, &start) != 3)
        return -EINVAL;
    if (parent < 0 || parent > INT_MAX)
        return -EINVAL;
    stat->state = state;
    stat->parent = (pid_t)parent;
    stat->start_ticks = start;
    return 0;
}

int tt_proc_stat(int dir, struct tt_proc_stat *stat)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    int err = tt_read_file_at(dir, "stat", 4096, &text, &size, NULL);

    return err ? err : tt_proc_parse_stat(text, stat);
}

int tt_proc_argv(int dir, char ***argv)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    int err = tt_read_file_at(dir, "cmdline", TT_PROC_CMDLINE_MAX, &text, &size, NULL);

    return err ? err : tt_proc_split(text, size, argv);
}

int tt_proc_split(const char *text, size_t size, char ***argv)
{
    size_t count = 0;
    char **list, *bytes;

    for (size_t i = 0; i < size && count < TT_PROC_ARGS_MAX; i += strlen(text + i) + 1)
        count++;
    list = malloc((count + 1) * sizeof(*list) + size + 1);
    if (!list)
        return -ENOMEM;
    bytes = (char *)(list + count + 1);
    memcpy(bytes, text, size + 1);
    for (size_t i = 0; i < count; i++) {
        list[i] = bytes;
        bytes += strlen(bytes) + 1;
    }
    list[count] = NULL;
    *argv = list;
    return 0;
}

int tt_proc_environ(int dir, const char *name, char **value)
{
    _cleanup_free_ char *text = NULL;
    char *copy = NULL;
    size_t size, length = strlen(name);
    int err = tt_read_file_at(dir, "environ", TT_PROC_ENVIRON_MAX, &text, &size, NULL);

    if (err)
        return err;
    err = -ENOENT;
    for (size_t i = 0; i < size; i += strlen(text + i) + 1) {
        if (strncmp(text + i, name, length) != 0 || text[i + length] != '=')
            continue;
        copy = strdup(text + i + length + 1);
        err = copy ? 0 : -ENOMEM;
        break;
    }
    /* Environments hold passwords. */
    explicit_bzero(text, size);
    if (!err)
        *value = copy;
    return err;
}

/* The text behind "NAME:" of /proc/PID/status, in `text`; NULL if there is none. */
static const char *status_line(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, name, length) && line[length] == ':')
            return line + length + 1;
    }
    return NULL;
}

int tt_proc_uid(int dir, uid_t *uid)
{
    _cleanup_free_ char *text = NULL;
    const char *line;
    unsigned long value;
    size_t size;
    int err = tt_read_file_at(dir, "status", 16384, &text, &size, NULL);

    if (err)
        return err;
    line = status_line(text, "Uid");
    if (!line || sscanf(line, "%lu", &value) != 1)
        return -EINVAL;
    *uid = (uid_t)value;
    return 0;
}

int tt_proc_pid_in_namespace(int dir, pid_t *pid)
{
    _cleanup_free_ char *text = NULL;
    const char *line;
    size_t size;
    long last = -1;
    int err = tt_read_file_at(dir, "status", 16384, &text, &size, NULL);

    if (err)
        return err;
    line = status_line(text, "NSpid");
    if (!line)
        return -ENOENT;
    for (char *end; *line && *line != '\n'; line = end) {
        long value = strtol(line, &end, 10);

        if (end == line)
            break;
        last = value;
    }
    if (last < 0 || last > INT_MAX)
        return -EINVAL;
    *pid = (pid_t)last;
    return 0;
}

int tt_proc_cgroup(int dir, char **path)
{
    static const char v1[] = ":name=systemd:";
    _cleanup_free_ char *text = NULL;
    const char *unified = NULL, *systemd = NULL, *found;
    char *save = NULL;
    size_t size;
    int err = tt_read_file_at(dir, "cgroup", 65536, &text, &size, NULL);

    if (err)
        return err;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *name = strstr(line, v1);

        if (!strncmp(line, "0::", 3))
            unified = line + 3;
        else if (name)
            systemd = name + sizeof(v1) - 1;
    }
    /* On hosts with both hierarchies the unified one may be empty: everything is in its root. */
    found = systemd && (!unified || !strcmp(unified, "/")) ? systemd : unified;
    if (!found)
        return -ENOENT;
    *path = strdup(found);
    return *path ? 0 : -ENOMEM;
}

int tt_proc_exe(int dir, char **path)
{
    static const char deleted[] = " (deleted)";
    char link[PATH_MAX];
    ssize_t n = readlinkat(dir, "exe", link, sizeof(link) - 1);

    if (n < 0)
        return -errno;
    link[n] = '\0';
    if ((size_t)n >= sizeof(deleted) && !strcmp(link + n - (sizeof(deleted) - 1), deleted))
        link[n - (ssize_t)(sizeof(deleted) - 1)] = '\0';
    *path = strdup(link);
    return *path ? 0 : -ENOMEM;
}

int tt_proc_namespace(int dir, const char *name, uint64_t *inode)
{
    char file[32], link[64];
    const char *bracket;
    uint64_t value;
    ssize_t n;

    snprintf(file, sizeof(file), "ns/%s", name);
    n = readlinkat(dir, file, link, sizeof(link) - 1);
    if (n < 0)
        return -errno;
    link[n] = '\0'; /* "net:[4026531840]" */
    bracket = strchr(link, '[');
    if (!bracket || sscanf(bracket + 1, "%" SCNu64, &value) != 1)
        return -EINVAL;
    *inode = value;
    return 0;
}
