/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames and lines of running interpreters, by the table of layouts and without the kernel's help: what the
 * BPF program does is done here by reads of the process's memory. TT_PYTHONS names further interpreters,
 * separated by blanks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "host/host.h"
#include "python/python.h"

/* Lines 5, 8, 8 and 9: the innermost function, what calls it, what has C code call that, and the module. */
static const char script[] = "import sys\n"
                             "\n"
                             "class Scan:\n"
                             "    def step(self):\n"
                             "        sys.stdin.buffer.raw.read(1)\n"
                             "\n"
                             "def outer(f):\n"
                             "    return list(map(lambda g: g(), [f]))\n"
                             "outer(Scan().step)\n";

struct child {
    pid_t pid;
    int in, out;
};

static uint64_t word(pid_t pid, uint64_t address)
{
    uint64_t value = 0;

    assert_int_equal(tt_host_read_memory(pid, address, &value, sizeof(value)), sizeof(value));
    return value;
}

static bool start(const char *python, const char *file, struct child *child)
{
    int in[2], out[2];
    char byte;

    assert_true(!pipe(in) && !pipe(out));
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (!child->pid) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execl(python, python, "-S", "-c",
              "import sys; print(flush=True); exec(compile(open(sys.argv[1]).read(), sys.argv[1], 'exec'))",
              file, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    child->in = in[1];
    child->out = out[0];
    return read(child->out, &byte, 1) == 1;
}

static void stop(struct child *child)
{
    int status;

    close(child->in);
    close(child->out);
    waitpid(child->pid, &status, 0);
}

/* The executable mappings that may hold the interpreter. */
static void read_maps(struct tt_process *process, struct tt_mapped_file files[8])
{
    char path[64], line[512], rights[8], name[256];
    FILE *maps;

    snprintf(path, sizeof(path), "/proc/%d/maps", process->pid);
    maps = fopen(path, "re");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) && process->file_count < 8) {
        unsigned long start, end, offset;

        if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255s", &start, &end, rights, &offset, name) != 5 ||
            rights[2] != 'x' || !strstr(name, "python3"))
            continue;
        files[process->file_count] = (struct tt_mapped_file){
            .start = start, .end = end, .offset = offset, .path = strdup(name)};
        files[process->file_count++].library[TT_LIBRARY_PYTHON] = true;
    }
    fclose(maps);
    process->files = files;
}

/* As bpf/python.bpf.h does, of the only thread. */
static void read_frames(pid_t pid, const struct tt_python *k, struct tt_span_python *python)
{
    uint64_t state = word(pid, word(pid, k->interpreters) + k->threads), at = word(pid, state + k->frame);

    if (k->c_frame)
        at = word(pid, at + k->frame_of_c);
    while (at && python->frame_count < TT_PYTHON_FRAMES) {
        struct tt_python_frame *f = &python->frames[python->frame_count++];

        f->code = word(pid, at + k->code) & ~7ull;
        f->ip = k->ip_size == 8 ? word(pid, at + k->ip) : (uint32_t)word(pid, at + k->ip);
        f->name = word(pid, f->code + k->name);
        f->line = (uint32_t)word(pid, f->code + k->line);
        at = word(pid, at + k->back);
    }
}

/* The file, or where the read does not follow at once, another try. */
static bool is_waiting(pid_t pid, const struct tt_python *k)
{
    struct tt_span_python python = {0};

    read_frames(pid, k, &python);
    return python.frame_count >= 4;
}

static void check_caller(struct tt_pythons *pythons, const struct tt_span_python *python, unsigned skip,
                         pid_t pid, const char *name, unsigned line)
{
    struct tt_span *span = tt_span_new();

    assert_non_null(span);
    span->tgid = (uint32_t)pid;
    span->python.frame_count = python->frame_count - skip;
    memcpy(span->python.frames, python->frames + skip, span->python.frame_count * sizeof(python->frames[0]));
    assert_true(tt_pythons_caller(pythons, span));
    if (strcmp(span->code.name, name) != 0 || span->code.line != line)
        fail_msg("%s:%u, not %s:%u", span->code.name, span->code.line, name, line);
    tt_span_free(&span);
}

static void check_interpreter(const char *interpreter)
{
    struct tt_pythons *pythons = tt_pythons_new();
    struct tt_mapped_file files[8] = {0};
    struct tt_process process = {.tango = true, .name = (char *)"test"};
    struct tt_span_python python = {0};
    char file[] = "/tmp/tt-python-XXXXXX";
    struct tt_python k;
    struct child child;
    int fd = mkstemp(file);
    bool new_names;
    unsigned minor = 0;

    assert_true(fd >= 0 && write(fd, script, strlen(script)) == (ssize_t)strlen(script));
    close(fd);
    assert_true(start(interpreter, file, &child));
    process.pid = child.pid;
    read_maps(&process, files);
    assert_true(tt_pythons_add(pythons, &process, &k));
    for (size_t i = 0; i < process.file_count && !minor; i++)
        tt_python_minor(&process, &files[i], &minor);
    printf("%s: 3.%u\n", interpreter, minor);
    assert_true(k.interpreters);
    for (int i = 0; i < 5000 && !is_waiting(child.pid, &k); i++)
        usleep(1000);
    read_frames(child.pid, &k, &python);
    new_names = minor >= 11; /* qualified ones */
    check_caller(pythons, &python, 0, child.pid, new_names ? "Scan.step" : "step", 5);
    check_caller(pythons, &python, 1, child.pid, new_names ? "outer.<locals>.<lambda>" : "<lambda>", 8);
    /* from 3.12 on there is a frame of the call out of C in between */
    check_caller(pythons, &python, 2, child.pid, "outer", 8);
    check_caller(pythons, &python, minor >= 12 ? 4 : 3, child.pid, "<module>", 9);
    stop(&child);
    unlink(file);
    tt_pythons_remove(pythons, child.pid);
    tt_pythons_free(&pythons);
    for (size_t i = 0; i < process.file_count; i++)
        free(files[i].path);
}

static void frames_of_interpreters(void **state)
{
    const char *more = getenv("TT_PYTHONS");
    _cleanup_free_ char *list = strdup(more ? more : "");

    check_interpreter("/usr/bin/python3");
    for (char *save, *name = strtok_r(list, " ", &save); name; name = strtok_r(NULL, " ", &save))
        check_interpreter(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(frames_of_interpreters)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
