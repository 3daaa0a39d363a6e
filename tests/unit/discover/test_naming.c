/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "discover/naming.h"

struct sample {
    const char *exe;
    const char *argv[12];
    const char *runtime, *script, *instance;
};

#define PY "/usr/bin/python3.11"

static const struct sample samples[] = {
    /* C++ servers and clients. */
    {"/usr/lib/tango/TangoTest", {"/usr/lib/tango/TangoTest", "test"}, NULL, "TangoTest", "test"},
    {"/usr/lib/tango/TangoTest", {"TangoTest", "Test", "-v4", "-nodb"}, NULL, "TangoTest", "Test"},
    {"/usr/lib/tango/TangoTest", {"TangoTest", "-?"}, NULL, "TangoTest", NULL},
    {"/opt/x/client", {"./client", "sys/tg_test/1", "100"}, NULL, "client", NULL},
    {"/opt/x/client", {"./client"}, NULL, "client", NULL},
    /* Python scripts: options of the interpreter, their values, with and without ending. */
    {PY, {"python", "/opt/conda/envs/Basler/bin/Basler", "b107a-aa01"}, "python", "Basler", "b107a-aa01"},
    {PY, {"python3", "Basler.py", "test", "-v4"}, "python", "Basler", "test"},
    {PY,
     {"/usr/bin/python3", "-u", "-W", "ignore", "-X", "dev", "/x/Leader.py", "one"},
     "python",
     "Leader",
     "one"},
    {PY, {"python3", "-Wignore", "-OO", "-Xdev", "Leader.py", "one"}, "python", "Leader", "one"},
    {PY, {"python3", "--check-hash-based-pycs", "always", "Leader.py", "one"}, "python", "Leader", "one"},
    {PY, {"python3", "--", "Leader.py", "one"}, "python", "Leader", "one"},
    {PY, {"python3", "scan.py", "--from", "1"}, "python", "scan", NULL},
    {PY, {"python3", "/opt/basler/__main__.py", "x"}, "python", "basler", "x"},
    {PY, {"python3", "/opt/basler/", "x"}, "python", "basler", "x"},
    {PY, {"python3", "/opt/tool.pyz"}, "python", "tool", NULL},
    {PY, {"pypy3", "scan.py"}, "python", "scan", NULL},
    /* Modules. */
    {PY, {"python3", "-m", "basler", "b107a-aa01"}, "python", "basler", "b107a-aa01"},
    {PY, {"python3", "-m", "maxiv.devices.Basler", "a"}, "python", "Basler", "a"},
    {PY, {"python3", "-m", "basler.__main__", "a"}, "python", "basler", "a"},
    {PY, {"python3", "-Bumbasler", "a"}, "python", "basler", "a"},
    {PY, {"python3", "-um", "tango.databaseds.database", "2"}, "python", "database", "2"},
    {PY, {"python3", "-m"}, "python", "python", NULL},
    /* No file at all. */
    {PY, {"python3", "-c", "import tango"}, "python", "python -c", NULL},
    {PY, {"python3", "-ucimport tango"}, "python", "python -c", NULL},
    {PY,
     {"python3", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()",
      "--multiprocessing-fork"},
     "python",
     "multiprocessing",
     NULL},
    {PY, {"python3", "-", "x"}, "python", "python", NULL},
    {PY, {"python3"}, "python", "python", NULL},
    {PY, {"python3", "-i"}, "python", "python", NULL},
    {PY, {"python3", ""}, "python", "python3", NULL},
    /* Tools that tell more than their script. */
    {PY, {"python3", "-m", "ipykernel_launcher", "-f", "/run/kernel-1.json"}, "python", "jupyter", NULL},
    {PY, {"python3", "-m", "ipykernel", "-f", "/run/kernel-1.json"}, "python", "jupyter", NULL},
    {PY, {"/usr/bin/python3", "/usr/bin/jupyter-lab", "notebook"}, "python", "jupyter", NULL},
    {PY, {"/usr/bin/python3", "/usr/bin/itango3"}, "python", "itango", NULL},
    {PY, {"/usr/bin/python3", "/usr/bin/spock", "door"}, "python", "spock", NULL},
    {PY, {"python3", "-m", "pytest", "tests"}, "python", "pytest", NULL},
    {PY, {"python3", "/usr/bin/pytest-3", "tests"}, "python", "pytest", NULL},
    {PY, {"python3", "-m", "spyder_kernels.console", "x"}, "python", "spyder", NULL},
    /* Modules that run another program. */
    {PY, {"python3", "-m", "cProfile", "-o", "out", "Basler.py", "a"}, "python", "Basler", "a"},
    {PY, {"python3", "-m", "coverage", "run", "-m", "basler", "a"}, "python", "basler", "a"},
    {PY, {"python3", "-m", "pdb"}, "python", "pdb", NULL},
    /* The interpreter under another name; titles written over the command line. */
    {PY, {"/env/bin/py", "Basler.py", "a"}, "python", "Basler", "a"},
    {PY, {"Basler: idle"}, "python", "Basler", NULL},
    {"/bin/bash", {"-bash"}, NULL, "bash", NULL},
    /* Java. */
    {"/usr/bin/java",
     {"java", "-Xmx1g", "-cp", "a.jar:b.jar", "org.tango.JServer", "one"},
     "java",
     "JServer",
     "one"},
    {"/usr/bin/java",
     {"java", "-DTANGO_HOST=h:1", "-jar", "/opt/Archiver.jar", "02"},
     "java",
     "Archiver",
     "02"},
    {"/usr/bin/java", {"java", "-m", "mod/org.tango.Jive"}, "java", "Jive", NULL},
    {"/usr/bin/java", {"java"}, "java", "java", NULL},
    /* Nothing to go by. */
    {"/opt/x/gone", {NULL}, NULL, "gone", NULL},
    {NULL, {NULL}, NULL, "unknown", NULL},
    {NULL, {"", ""}, NULL, "unknown", NULL},
    {NULL, {"/"}, NULL, "unknown", NULL},
};

static void check_text(size_t index, const char *what, const char *got, const char *wanted)
{
    if (!got || !wanted ? got != wanted : strcmp(got, wanted))
        fail_msg("sample %zu: %s is %s, not %s", index, what, got ? got : "NULL", wanted ? wanted : "NULL");
}

static void test_names(void **state)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(samples); i++) {
        const struct sample *s = &samples[i];
        struct tt_names names;

        assert_int_equal(tt_names_read((char *const *)s->argv, s->exe, &names), 0);
        check_text(i, "runtime", names.runtime, s->runtime);
        check_text(i, "script", names.script, s->script);
        check_text(i, "instance", names.instance, s->instance);
        tt_names_free(&names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};

    return cmocka_run_group_tests_name("naming", tests, NULL, NULL);
}
