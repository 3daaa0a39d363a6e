/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor_process.c: why a process is seen, or not. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/doctor.h"
#include "cli/reply.h"
#include "control/control.h"
#include "discover/read.h"
#include "plan/plan.h"
#include "python/python.h"

static void count_selected(void *context, struct tt_process *process)
{
    (void)process;
    ++*(unsigned *)context;
}

void tt_doctor_processes(struct tt_doctor *doctor)
{
    _cleanup_(tt_process_table_free) struct tt_process_table *table = tt_process_table_new("/proc", NULL,
                                                                                           NULL);
    unsigned tango = 0;
    int count = table ? tt_process_table_scan(table, NULL, NULL) : -ENOMEM;

    if (count < 0) {
        tt_doctor_say(doctor, TT_WARN, "processes", "mount /proc", "cannot be listed: %s", strerror(-count));
        return;
    }
    tt_process_table_each(table, count_selected, &tango);
    tt_doctor_say(
        doctor, tango ? TT_OK : TT_WARN, "Tango processes",
        "nothing if none runs yet: they are found when they start. Else 'tangotrace doctor PID' tells about one",
        "%u of %d processes", tango, count);
}

static void say_gone(struct tt_doctor *doctor, pid_t pid, int err)
{
    if (err == -ESRCH)
        tt_doctor_say(doctor, TT_FAIL, "process",
                      "is it a pid of a container? The host's pid is needed: see ps on the host",
                      "there is no process %d, or it has ended", (int)pid);
    else
        tt_doctor_say(
            doctor, TT_FAIL, "process",
            tt_doctor_holds(CAP_SYS_PTRACE)
                ? "CAP_SYS_PTRACE is held, so a security module (AppArmor, SELinux, a sandbox) guards that process: it "
                  "cannot be traced"
                : "run as root (sudo tangotrace doctor PID), or with CAP_SYS_PTRACE",
            "%d cannot be looked at: %s", (int)pid, strerror(-err));
}

/* Files that could not be opened, and files named like libtango that do not export what is looked for. */
static void say_files(struct tt_doctor *doctor, struct tt_reader *reader, int dir,
                      const struct tt_glance *glance)
{
    size_t unreadable = 0;

    for (size_t i = 0; i < glance->maps.count; i++) {
        const struct tt_mapping *m = &glance->maps.items[i];
        struct tt_file_facts facts;
        int err = tt_file_cache_get(reader->files, dir, m, &facts);

        if (err && !unreadable++)
            tt_doctor_say(doctor, TT_WARN, "mapped files",
                          "run as root in the initial user namespace (map_files)", "%s cannot be opened: %s",
                          m->path, strerror(-err));
        if (err || !strstr(tt_basename(m->path), "libtango") || facts.library[TT_LIBRARY_TANGO])
            continue;
        tt_doctor_say(doctor, TT_WARN, "mapped files",
                      "a 32-bit or damaged library, or another one of that name; "
                      "'tangotrace plan FILE' says more",
                      "%s does not export cppTango", m->path);
    }
    if (unreadable > 1)
        tt_doctor_say(doctor, TT_WARN, "mapped files", NULL, "%zu more cannot be opened", unreadable - 1);
    if (!glance->maps.count)
        tt_doctor_say(doctor, TT_WARN, "mapped files", NULL,
                      "none: a kernel thread, or a process that is ending");
    if (glance->maps.cut)
        tt_doctor_say(doctor, TT_WARN, "mapped files", NULL, "too many: only the first %d are looked at",
                      TT_PROC_MAPPINGS_MAX);
}

static void say_libraries(struct tt_doctor *doctor, const struct tt_process *process)
{
    static const char *const names[TT_LIBRARIES] = {
        [TT_LIBRARY_TANGO] = "cppTango",
        [TT_LIBRARY_OMNIORB] = "omniORB",
        [TT_LIBRARY_CXXABI] = "C++ exceptions",
        [TT_LIBRARY_DYNAMIC] = "omniORB dynamic",
    };
    static const char *const advice[TT_LIBRARIES] = {
        [TT_LIBRARY_TANGO] =
            "it has not loaded libtango (yet), or is no Tango program: Java and Rust servers are not",
        [TT_LIBRARY_OMNIORB] = "without omniORB's symbols the two sides of a call cannot be joined",
        [TT_LIBRARY_CXXABI] = "errors are not seen as such",
        [TT_LIBRARY_DYNAMIC] = "errors of asynchronous calls are seen only when their reply is asked for",
    };

    for (int library = 0; library < TT_LIBRARIES; library++) {
        size_t found = 0;

        if (!names[library])
            continue;

        for (size_t i = 0; i < process->file_count; i++) {
            const struct tt_mapped_file *file = &process->files[i];

            if (!file->library[library])
                continue;
            found++;
            tt_doctor_say(doctor, TT_OK, names[library], NULL, "%s%s%s", file->path,
                          file->version ? ", version " : "", file->version ? file->version : "");
        }
        if (!found && (process->tango || library == TT_LIBRARY_TANGO))
            tt_doctor_say(doctor, library == TT_LIBRARY_TANGO ? TT_FAIL : TT_WARN, names[library],
                          advice[library], "no mapped file exports it");
    }
}

/* Methods and callers get their names from the interpreter's memory: only where it is known how that looks.
 */
static void say_python(struct tt_doctor *doctor, const struct tt_process *process)
{
    for (size_t i = 0; i < process->file_count; i++) {
        const struct tt_mapped_file *file = &process->files[i];
        unsigned minor = 0;

        if (!file->library[TT_LIBRARY_PYTHON])
            continue;
        if (tt_python_minor(process, file, &minor))
            tt_doctor_say(doctor, TT_OK, "Python", NULL, "3.%u, %s", minor, file->path);
        else if (minor)
            tt_doctor_say(doctor, TT_WARN, "Python",
                          "methods and callers have no names; a newer tangotrace may know it",
                          "3.%u (or a free-threaded build): not read, %s", minor, file->path);
        else
            tt_doctor_say(doctor, TT_WARN, "Python", "methods and callers have no names",
                          "its version is not known, %s", file->path);
    }
}

static void say_name(struct tt_doctor *doctor, const struct tt_process *process)
{
    const struct passwd *user = getpwuid(process->uid); /* the process has its name only where it is Tango */
    char number[16];

    snprintf(number, sizeof(number), "%u", process->uid);
    tt_doctor_say(doctor, TT_OK, "process", NULL, "%s, user %s, %s", process->name,
                  user ? user->pw_name : number, process->exe ? process->exe : "no executable");
    if (!process->tango)
        return;
    if (process->server)
        tt_doctor_say(doctor, TT_OK, "kind", NULL,
                      "server %s: it listens, and its command line names an instance", process->server);
    else
        tt_doctor_say(doctor, TT_OK, "kind", NULL,
                      "client: it does not listen, or its command line names no instance");
}

/* The kernel's emulation of a `call` writes only the data stack; with a user shadow stack the return then
 * faults. */
static void say_shadow_stack(struct tt_doctor *doctor, int dir)
{
    _cleanup_free_ char *text = NULL;
    const char *line;
    size_t size;

    if (tt_read_file_at(dir, "status", 16384, &text, &size, NULL))
        return;
    line = strstr(text, "x86_Thread_features:");
    if (line && memmem(line, strcspn(line, "\n"), "shstk", 5))
        tt_doctor_say(doctor, TT_WARN, "shadow stack", "nothing: points on call instructions are left out",
                      "in use");
}

/* ---- is it selected? ---- */

static const char *rule_of(struct json_object *process)
{
    const char *rule = tt_reply_text(process, "rule");

    return *rule ? rule : "?";
}

static unsigned long long number_of(struct json_object *process, const char *key)
{
    return (unsigned long long)json_object_get_int64(tt_reply_member(process, key));
}

static struct json_object *find_pid(struct json_object *processes, pid_t pid)
{
    for (size_t i = 0; i < json_object_array_length(processes); i++) {
        struct json_object *process = json_object_array_get_idx(processes, i);

        if (json_object_is_type(process, json_type_object) && number_of(process, "pid") == (uint64_t)pid)
            return process;
    }
    return NULL;
}

/* What the running agent says of it; false: it does not know the process. */
static bool say_as_agent(struct tt_doctor *doctor, struct json_object *root, pid_t pid)
{
    struct json_object *processes = tt_reply_member(root, "processes"), *process;
    unsigned long long points;

    if (!json_object_is_type(processes, json_type_array)) {
        tt_doctor_say(doctor, TT_WARN, "running agent", "stop it and start this version",
                      "its reply is not understood; it is of another version");
        return false;
    }
    process = find_pid(processes, pid);
    if (!process) {
        tt_doctor_say(doctor, TT_WARN, "running agent",
                      "ask again in 30 s: by then it has looked at all processes anew",
                      "does not know it (yet)");
        return false;
    }
    if (!json_object_get_boolean(tt_reply_member(process, "selected"))) {
        tt_doctor_say(
            doctor, TT_FAIL, "selection",
            "start the agent with other --select and --exclude; 'tangotrace list --select ..' tries them out",
            "not selected by the running agent: %s", rule_of(process));
        return true;
    }
    tt_doctor_say(doctor, TT_OK, "selection", NULL, "selected by the running agent: %s", rule_of(process));
    points = number_of(process, "points");
    tt_doctor_say(doctor, points ? TT_OK : TT_FAIL, "running agent",
                  "its warnings (journalctl -u tangotrace) say why nothing could be attached",
                  "%llu point%s in it, %llu hits", points, points == 1 ? "" : "s",
                  number_of(process, "hits"));
    return true;
}

static bool ask_agent(struct tt_doctor *doctor, const struct tt_options *options, pid_t pid)
{
    _cleanup_free_ char *reply = NULL, *error = NULL;
    struct json_object *root;
    size_t size;
    int err = tt_control_ask(options->control, "list", &reply, &size, &error);
    bool known;

    if (err == -ENOENT || err == -ECONNREFUSED)
        return false;
    if (err) {
        tt_doctor_say(doctor, TT_WARN, "running agent", NULL, "%s", error ? error : strerror(-err));
        return false;
    }
    root = json_tokener_parse(reply);
    known = root && say_as_agent(doctor, root, pid);
    json_object_put(root);
    return known;
}

/* Rules that are given are to be tried out; else the agent's count, and without one what it would do. */
static void say_selection(struct tt_doctor *doctor, const struct tt_options *options,
                          const struct tt_process *process)
{
    bool preview = tt_selection_count(options->selection) > 0;

    if (!preview && ask_agent(doctor, options, process->pid))
        return;
    tt_doctor_say(doctor, process->selected ? TT_OK : TT_FAIL, "selection",
                  "other --select and --exclude: the first rule that matches decides", "%s, %s: %s",
                  process->selected ? "selected" : "not selected",
                  preview ? "by the rules given" : "no agent was asked", process->rule);
}

static int read_process(struct tt_doctor *doctor, struct tt_reader *reader, int dir, pid_t pid,
                        const struct tt_selection *selection, struct tt_process **process)
{
    _cleanup_(tt_glance_free) struct tt_glance glance = {0};
    int err = tt_glance_read(dir, &glance);

    if (err)
        return err;
    say_files(doctor, reader, dir, &glance);
    err = tt_process_read(reader, dir, pid, &glance, true, process);
    return err ? err : tt_selection_apply(selection, *process);
}

void tt_doctor_process(struct tt_doctor *doctor, const struct tt_options *options, pid_t pid)
{
    _cleanup_(tt_process_put) struct tt_process *process = NULL;
    _cleanup_(tt_reader_free) struct tt_reader reader = {0};
    _cleanup_close_ int dir = tt_proc_open("/proc", pid);
    int err = dir < 0 ? dir : tt_reader_init(&reader, "/proc", tt_plan_probe, NULL);

    if (!err)
        err = read_process(doctor, &reader, dir, pid, options->selection, &process);
    if (err) {
        say_gone(doctor, pid, err);
        return;
    }
    say_name(doctor, process);
    say_libraries(doctor, process);
    say_python(doctor, process);
    if (!process->tango)
        return;
    say_shadow_stack(doctor, dir);
    say_selection(doctor, options, process);
}
