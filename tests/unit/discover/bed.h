/* SPDX-License-Identifier: GPL-2.0-only */
/* bed.h: the process table over a fake /proc; the probe of files is the test's, and tells by a letter in the
 * file. */
#pragma once

#include "fake.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "discover/table.h"

static unsigned probes;
static void (*on_probe)(void *context); /* called once, when a file is looked at */
static void *on_probe_context;

/* "\177ELFT": cppTango, N: with native telemetry, O: omniORB, C: C++ exceptions, G: greenlet's switch. */
static inline int probe(const struct tt_probes *user, int fd, const char *path, bool holds[TT_HOLDS])
{
    void (*meanwhile)(void *context) = on_probe;
    char text[8] = "";

    probes++;
    on_probe = NULL;
    if (meanwhile)
        meanwhile(on_probe_context);
    if (pread(fd, text, 7, 0) < 4)
        return -EINVAL;
    holds[TT_LIBRARY_TANGO] = strchr(text + 4, 'T') != NULL;
    holds[TT_HOLDS_TELEMETRY] = strchr(text + 4, 'N') != NULL;
    holds[TT_LIBRARY_OMNIORB] = strchr(text + 4, 'O') != NULL;
    holds[TT_LIBRARY_CXXABI] = strchr(text + 4, 'C') != NULL;
    holds[TT_LIBRARY_GREENLET] = strchr(text + 4, 'G') != NULL;
    return 0;
}

struct bed {
    struct fake fake;
    char files[64];
    struct tt_selection *selection;
    struct tt_process_table *table;
};

static inline void make_file(const struct bed *bed, const char *name, const char *content)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", bed->files, name);
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static inline void set_up(struct bed *bed)
{
    fake_new(&bed->fake);
    strcpy(bed->files, "/tmp/tt-files-XXXXXX");
    assert_non_null(mkdtemp(bed->files));
    make_file(bed, "libtango.so.9.3.4", "\177ELFT");
    make_file(bed, "libtango.so.10.3.3", "\177ELFTN");
    make_file(bed, "libomniORB4.so.2.5", "\177ELFO");
    make_file(bed, "libstdc++.so.6", "\177ELFC");
    make_file(bed, "libc.so.6", "\177ELF-");
    make_file(bed, "data", "no ELF: T");
    make_file(bed, "_greenlet.cpython-311.so", "\177ELFG");
    make_file(bed, "greenlet.so", "\177ELF-"); /* exports nothing */
    bed->selection = tt_selection_new();
    bed->table = tt_process_table_new_probe(bed->fake.root, bed->selection, probe, NULL);
    assert_non_null(bed->table);
    probes = 0;
}

static inline void tear_down(struct bed *bed)
{
    tt_process_table_free(&bed->table);
    tt_selection_free(&bed->selection);
    fake_remove(bed->fake.root);
    fake_remove(bed->files);
}

/* Maps the named files, executable, one after the other. */
static inline void map(const struct bed *bed, int pid, const char *const *names)
{
    char text[4096] = "";

    for (unsigned i = 0; names[i]; i++) {
        char path[256], link[64];
        struct stat st;

        snprintf(path, sizeof(path), "%s/%s", bed->files, names[i]);
        assert_int_equal(stat(path, &st), 0);
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "%x000-%x000 r-xp 00001000 fd:01 %llu %s\n", i + 1, i + 2, (unsigned long long)st.st_ino,
                 path);
        snprintf(link, sizeof(link), "map_files/%x000-%x000", i + 1, i + 2);
        fake_link(&bed->fake, pid, link, path);
    }
    fake_text(&bed->fake, pid, "maps", text);
}

static const char *const tango_files[] = {
    "libtango.so.9.3.4", "libomniORB4.so.2.5", "libstdc++.so.6", "libc.so.6", "data", NULL};
static const char *const cxx_files[] = {"libstdc++.so.6", "libc.so.6", NULL};

static inline void start(const struct bed *bed, int pid, unsigned long long ticks, const char *const *files)
{
    fake_process(&bed->fake, pid, ticks, "TangoTest\0test", 15);
    map(bed, pid, files);
}

static inline struct tt_process *update(struct bed *bed, int pid, bool wanted_change)
{
    struct tt_process *process = NULL;
    bool changed = !wanted_change;

    assert_int_equal(tt_process_table_update(bed->table, pid, &process, &changed), 0);
    assert_non_null(process);
    assert_int_equal(changed, wanted_change);
    return process;
}
