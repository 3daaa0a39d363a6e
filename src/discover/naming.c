/* SPDX-License-Identifier: GPL-2.0-only */
#include "discover/naming.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/*
 * Programs whose own name tells less than this one. They are started with a script or module as argument, or
 * under several names, and never are device servers named by their arguments (`pytest tests` is not
 * pytest/tests).
 */
struct tool {
    const char *glob; /* of the script's or the module's name */
    const char *name;
};

static const struct tool tools[] = {
    {"ipykernel_launcher", "jupyter"},
    {"ipykernel", "jupyter"},
    {"ipykernel.*", "jupyter"},
    {"jupyter*", "jupyter"},
    {"spyder_kernels.*", "spyder"},
    {"spyder*", "spyder"},
    {"IPython", "ipython"},
    {"ipython", "ipython"},
    {"ipython[0-9]*", "ipython"},
    {"itango", "itango"},
    {"itango[0-9]*", "itango"},
    {"itango-*", "itango"},
    {"spock", "spock"},
    {"spock[0-9]*", "spock"},
    {"pytest", "pytest"},
    {"pytest-[0-9]*", "pytest"},
    {"py.test*", "pytest"},
    {"_pytest", "pytest"},
    {"unittest", "unittest"},
    {"nose*", "nose"},
    {"tox", "tox"},
    {"gunicorn", "gunicorn"},
    {"uvicorn", "uvicorn"},
    {"celery", "celery"},
    {"taurus", "taurus"},
};

/* Modules that run another script or module: what they run gives the name. `options`: those that take a
 * value. */
struct wrapper {
    const char *module;
    const char *options;
    const char *word; /* a subcommand to skip, or NULL */
};

static const struct wrapper wrappers[] = {
    {"cProfile", "os", NULL}, {"profile", "os", NULL}, {"pdb", "c", NULL},
    {"coverage", "", "run"},  {"runpy", "", NULL},
};

static const char *tool_name(const char *name)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(tools); i++)
        if (tt_glob(tools[i].glob, name, false))
            return tools[i].name;
    return NULL;
}

static const struct wrapper *find_wrapper(const char *module)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(wrappers); i++)
        if (!strcmp(wrappers[i].module, module))
            return &wrappers[i];
    return NULL;
}

void tt_names_free(struct tt_names *names)
{
    free(names->script);
    free(names->instance);
    memset(names, 0, sizeof(*names));
}

static int set_script(struct tt_names *names, const char *text, size_t size)
{
    free(names->script);
    names->script = strndup(text, size);
    return names->script ? 0 : -ENOMEM;
}

/* The argument behind the script, if it can be a server's instance: no option, no path, no device name. */
static int set_instance(struct tt_names *names, const char *argument)
{
    if (!argument || !*argument || *argument == '-' || strchr(argument, '/'))
        return 0;
    names->instance = strdup(argument);
    return names->instance ? 0 : -ENOMEM;
}

/* Length of `name` without an ending of the list. */
static size_t stem(const char *name, const char *const *endings)
{
    size_t length = strlen(name);

    for (; *endings; endings++) {
        size_t n = strlen(*endings);

        if (length > n && !strcmp(name + length - n, *endings))
            return length - n;
    }
    return length;
}

/* ---- python ---- */

static const char *const python_endings[] = {".py", ".pyc", ".pyw", ".pyz", NULL};

/* "-m a.b.Basler": Basler; "-m basler.__main__": basler. */
static int name_module(struct tt_names *names, const char *module, char *const *rest)
{
    static const char main_part[] = ".__main__";
    size_t length = strlen(module);
    const char *tool = tool_name(module), *last;
    int err;

    if (tool)
        return set_script(names, tool, strlen(tool));
    if (length >= sizeof(main_part) && !strcmp(module + length - (sizeof(main_part) - 1), main_part))
        length -= sizeof(main_part) - 1;
    last = memrchr(module, '.', length);
    last = last ? last + 1 : module;
    err = set_script(names, last, (size_t)(module + length - last));
    return err ? err : set_instance(names, rest[0]);
}

/* "/opt/bin/Basler.py": Basler; "/opt/basler/__main__.py" and "/opt/basler/": basler. */
static int name_script(struct tt_names *names, const char *path, char *const *rest)
{
    _cleanup_free_ char *copy = strdup(path);
    const char *base, *tool;
    size_t length;
    int err;

    if (!copy)
        return -ENOMEM;
    for (length = strlen(copy); length > 1 && copy[length - 1] == '/';)
        copy[--length] = '\0';
    base = tt_basename(copy);
    if (!strcmp(base, "__main__.py") && base > copy + 1) {
        copy[base - copy - 1] = '\0';
        base = tt_basename(copy);
    }
    length = stem(base, python_endings);
    copy[base - copy + (ptrdiff_t)length] = '\0';
    tool = tool_name(base);
    if (tool)
        return set_script(names, tool, strlen(tool));
    err = set_script(names, base, length);
    return err ? err : set_instance(names, rest[0]);
}

static int name_command(struct tt_names *names, const char *code)
{
    /* How multiprocessing starts its children with the methods spawn and forkserver. */
    const char *name = code && strstr(code, "from multiprocessing.") ? "multiprocessing" : "python -c";

    return set_script(names, name, strlen(name));
}

static int name_python_arguments(struct tt_names *names, char *const *args);

/* What "-m cProfile -o out script.py .." or "-m coverage run -m module .." runs. */
static int name_wrapped(struct tt_names *names, const struct wrapper *wrapper, char *const *args)
{
    if (wrapper->word && *args && !strcmp(*args, wrapper->word))
        args++;
    while (*args && **args == '-' && strcmp(*args, "-m") != 0) {
        bool takes_value = (*args)[1] && strchr(wrapper->options, (*args)[1]) && !(*args)[2];

        args += takes_value && args[1] ? 2 : 1;
    }
    if (!*args)
        return set_script(names, wrapper->module, strlen(wrapper->module));
    return name_python_arguments(names, args);
}

static int name_module_or_wrapped(struct tt_names *names, const char *module, char *const *rest)
{
    const struct wrapper *wrapper = find_wrapper(module);

    return wrapper ? name_wrapped(names, wrapper, rest) : name_module(names, module, rest);
}

/* The interpreter's own options, as Modules/main.c and Python/getopt.c of CPython read them: letters may be
 * clustered
 * ("-Bum mod"), a value may be glued to its letter ("-Wignore"). */
static int name_python_arguments(struct tt_names *names, char *const *args)
{
    for (; *args; args++) {
        const char *arg = *args;

        if (arg[0] != '-')
            return name_script(names, arg, args + 1);
        if (!arg[1])
            break; /* program on standard input */
        if (arg[1] == '-') {
            if (!arg[2])
                return args[1] ? name_script(names, args[1], args + 2) : set_script(names, "python", 6);
            if (!strcmp(arg, "--check-hash-based-pycs") && args[1])
                args++;
            continue;
        }
        for (const char *letter = arg + 1; *letter; letter++) {
            const char *value = letter[1] ? letter + 1 : args[1];
            char *const *rest = letter[1] ? args + 1 : args + (args[1] ? 2 : 1);

            if (*letter == 'c')
                return name_command(names, value);
            if (*letter == 'm')
                return value ? name_module_or_wrapped(names, value, rest) : set_script(names, "python", 6);
            if (strchr("WXQ", *letter)) {
                args = rest - 1;
                break;
            }
        }
    }
    return set_script(names, "python", 6);
}

/* ---- java ---- */

static const char *const java_endings[] = {".jar", ".java", NULL};

/* Options of the java launcher whose value is the next argument (`java --help`). */
static const char *const java_values[] = {
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--enable-native-access",
    "--source",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--limit-modules",
    "--patch-module",
    "-d",
    "--describe-module",
};

static bool java_takes_value(const char *option)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(java_values); i++)
        if (!strcmp(option, java_values[i]))
            return true;
    return false;
}

/* "org.tango.MyServer": MyServer; "module/org.tango.MyServer" likewise; jars by their file's name. */
static int name_java_arguments(struct tt_names *names, char *const *args)
{
    const char *what = "java", *base;
    bool jar = false;
    size_t length;
    int err;

    for (; *args && **args == '-'; args++) {
        jar = !strcmp(*args, "-jar");
        if (jar || !strcmp(*args, "-m") || !strcmp(*args, "--module")) {
            args++;
            break;
        }
        if (java_takes_value(*args) && args[1])
            args++;
    }
    if (*args)
        what = *args;
    base = tt_basename(what);
    length = stem(base, java_endings);
    if (!jar && length == strlen(base) && strrchr(base, '.')) {
        base = strrchr(base, '.') + 1;
        length = strlen(base);
    }
    err = set_script(names, base, length);
    return err || !*args ? err : set_instance(names, args[1]);
}

/* ---- everything ---- */

static bool is_python(const char *program)
{
    return tt_glob("python*", program, true) || tt_glob("pypy*", program, true);
}

/* A login shell's "-bash"; a title written over the command line ("Basler: idle") counts up to its first
 * blank. */
static int name_program(struct tt_names *names, const char *program, char *const *rest)
{
    size_t length;
    int err;

    program += *program == '-';
    length = strcspn(program, " ");
    while (length > 1 && program[length - 1] == ':')
        length--;
    err = length ? set_script(names, program, length) : set_script(names, "unknown", 7);
    return err ? err : set_instance(names, rest[0]);
}

int tt_names_read(char *const argv[], const char *exe, struct tt_names *names)
{
    static char *const none[] = {NULL};
    _cleanup_(tt_names_free) struct tt_names found = {0};
    const char *binary = exe ? tt_basename(exe) : "";
    const char *program = argv[0] && *argv[0] ? tt_basename(argv[0]) : binary;
    char *const *rest = argv[0] ? argv + 1 : none;
    int err;

    /* A venv's or a renamed interpreter is known by its file; one that has overwritten its command line has
     * no arguments left, then the title is all there is. */
    if (is_python(program) || (is_python(binary) && *rest)) {
        found.runtime = "python";
        err = name_python_arguments(&found, rest);
    } else if (!strcmp(program, "java") || (!strcmp(binary, "java") && *rest)) {
        found.runtime = "java";
        err = name_java_arguments(&found, rest);
    } else {
        found.runtime = is_python(binary) ? "python" : NULL;
        err = name_program(&found, program, rest);
    }
    if (!err && !*found.script)
        err = set_script(&found, *program ? program : "unknown", strlen(*program ? program : "unknown"));
    if (err)
        return err;
    *names = found;
    found = (struct tt_names){0};
    return 0;
}
