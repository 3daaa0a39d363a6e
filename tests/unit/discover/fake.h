/* SPDX-License-Identifier: GPL-2.0-only */
/* fake.h: a /proc tree made of plain files, in a directory of its own. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct fake {
    char root[64];
};

static inline void fake_new(struct fake *fake)
{
    strcpy(fake->root, "/tmp/tt-proc-XXXXXX");
    assert_non_null(mkdtemp(fake->root));
}

static inline int fake_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static inline void fake_remove(const char *path)
{
    nftw(path, fake_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *fake_path(const struct fake *fake, int pid, const char *name)
{
    static char path[4][512];
    static unsigned next;
    char *p = path[next++ % 4];

    snprintf(p, 512, "%s/%d/%s", fake->root, pid, name);
    return p;
}

static inline void fake_write(const struct fake *fake, int pid, const char *name, const void *data,
                              size_t size)
{
    int fd = open(fake_path(fake, pid, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

static inline void fake_text(const struct fake *fake, int pid, const char *name, const char *text)
{
    fake_write(fake, pid, name, text, strlen(text));
}

static inline void fake_link(const struct fake *fake, int pid, const char *name, const char *target)
{
    unlink(fake_path(fake, pid, name));
    assert_int_equal(symlink(target, fake_path(fake, pid, name)), 0);
}

/* A process without files; `command` holds NULs between its arguments ("a\0b"). */
static inline void fake_process(const struct fake *fake, int pid, unsigned long long ticks,
                                const char *command, size_t size)
{
    static const char *const dirs[] = {"", "ns", "net", "fd", "map_files", "root"};
    char text[512];

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        assert_true(!mkdir(fake_path(fake, pid, dirs[i]), 0755) || errno == EEXIST);
    snprintf(
        text, sizeof(text),
        "%d (a) S (b)) S 1 %d %d 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 1 0 %llu 1000 100 18446744073709551615\n",
        pid, pid, pid, ticks);
    fake_text(fake, pid, "stat", text);
    fake_write(fake, pid, "cmdline", command, size);
    fake_write(fake, pid, "environ", "HOME=/\0XTANGO_HOST=no\0TANGO_HOST=db:10000\0SECRET=1", 50);
    fake_text(fake, pid, "status", "Name:\ta\nUid:\t12345\t0\t0\t0\nNSpid:\t77\t5\n");
    fake_text(fake, pid, "cgroup", "1:name=systemd:/old\n0::/system.slice/x.service\n");
    fake_text(fake, pid, "maps", "");
    fake_link(fake, pid, "ns/net", "net:[4026531840]");
    fake_link(fake, pid, "exe", "/usr/lib/tango/TangoTest");
    fake_text(fake, pid, "net/tcp", "");
    fake_text(fake, pid, "net/tcp6", "");
    fake_text(fake, pid, "net/unix", "");
}
