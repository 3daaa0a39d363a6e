/* SPDX-License-Identifier: GPL-2.0-only */
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <json-c/json.h>

#include "base/json.h"
#include "options/internal.h"
#include "sample/sample.h"

/* A configuration file that is gone after the test. */
static char *file_with(const char *text)
{
    static char path[] = "/tmp/tt-config-XXXXXX";
    int fd;

    strcpy(path, "/tmp/tt-config-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void test_defaults(void **state)
{
    struct tt_options o = parse(ARGS(), NO_ENV);

    assert_int_equal(o.ring_size, 16 << 20);
    assert_int_equal(o.join_wait, 2000);
    assert_int_equal(o.queue_size, 65536);
    assert_int_equal(o.batch_size, 8192);
    assert_int_equal(o.batch_delay, 1000);
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].timeout, 10000);
    assert_int_equal(o.otlp_of[TT_OTLP_TRACES].compression, TT_COMPRESSION_GZIP);
    assert_int_equal(o.console_rate, 0);
    assert_int_equal(o.color, TT_COLOR_AUTO);
    assert_int_equal(o.log_level, TT_LOG_INFO);
    assert_true(o.multi);
    assert_false(o.command_lines || o.all || o.all_roots || o.print_config || o.json || o.help);
    assert_int_equal(o.exports.count, 1);
    assert_string_equal(o.exports.items[0], "console");
    assert_int_equal(tt_selection_count(o.selection), 0);
    assert_non_null(o.control);
    assert_null(o.command);
    assert_null(o.arguments[0]);
    tt_options_free(&o);
}

static void test_command_line(void **state)
{
    struct tt_options o = parse(ARGS("--select", "Basler/*", "-x", "user:op", "-sTangoTest",
                                     "--ring-size=1000K", "--export", "file:/x", "-e", "otlp:http://c:4318",
                                     "--no-multi", "--command-lines", "--join-wait", "500ms", "--color=never",
                                     "--all", "--", "./scan", "--all", "-x"),
                                NO_ENV);

    assert_int_equal(tt_selection_count(o.selection), 3);
    rule_is(&o, 0, true, "Basler/*");
    rule_is(&o, 1, false, "user:op");
    rule_is(&o, 2, true, "TangoTest");
    assert_int_equal(o.ring_size, 1 << 20); /* rounded up */
    assert_int_equal(o.exports.count, 2);
    assert_string_equal(o.exports.items[1], "otlp:http://c:4318");
    assert_null(o.exports.items[2]);
    assert_false(o.multi);
    assert_true(o.command_lines && o.all);
    assert_int_equal(o.join_wait, 500);
    assert_int_equal(o.color, TT_COLOR_NEVER);
    assert_string_equal(o.command[0], "./scan");
    assert_string_equal(o.command[2], "-x");
    assert_null(o.arguments[0]);
    tt_options_free(&o);
    o = parse(ARGS("./scan", "--all", "-l"), NO_ENV); /* no "--": arguments, which `run` refuses */
    assert_string_equal(o.arguments[0], "./scan");
    assert_null(o.arguments[1]); /* "-l" is not looked at any more */
    assert_null(o.command);
    assert_true(o.all); /* options may stand behind: record FILE --all */
    tt_options_free(&o);
    {
        char *error = NULL, **argv = ARGS("file", "--brief", "-", "--json");

        /* Elsewhere options may follow arguments. */
        assert_int_equal(tt_options_parse(&o, TT_COMMAND_PLAN, argv, NO_ENV, &error), 0);
        assert_string_equal(o.arguments[0], "file");
        assert_string_equal(o.arguments[1], "-");
        assert_null(o.arguments[2]);
        assert_true(o.brief && o.json);
        tt_options_free(&o);
        /* A variable of `run` is none of its business. */
        assert_int_equal(
            tt_options_parse(&o, TT_COMMAND_PLAN, ARGS(), ARGS("TANGOTRACE_QUEUE_SIZE=x"), &error), 0);
        tt_options_free(&o);
    }
    o = parse(ARGS("--multi=no", "--all-roots=yes", "--no-all-roots"), NO_ENV);
    assert_false(o.multi);
    assert_false(o.all_roots);
    tt_options_free(&o);
}

static void test_precedence(void **state)
{
    char *path = file_with("ring-size: 1M\n"
                           "join-wait: 1s\n"
                           "queue-size: 10\n"
                           "select: [\"file/*\", \"!user:x\"]\n"
                           "export:\n"
                           "  - file:/file\n");
    _cleanup_free_ char *config = NULL;
    struct tt_options o;

    /* The file over the defaults. */
    o = parse(ARGS("--config", path), NO_ENV);
    assert_int_equal(o.ring_size, 1 << 20);
    assert_int_equal(o.queue_size, 10);
    rule_is(&o, 0, true, "file/*");
    rule_is(&o, 1, false, "user:x");
    assert_string_equal(o.exports.items[0], "file:/file");
    tt_options_free(&o);

    /* The environment over the file, the command line over both; lists are replaced, not extended. */
    assert_true(asprintf(&config, "TANGOTRACE_CONFIG=%s", path) > 0);
    o = parse(ARGS("--ring-size", "4M", "--exclude", "user:line"),
              ARGS(config, "TANGOTRACE_RING_SIZE=2M", "TANGOTRACE_JOIN_WAIT=3s", "TANGOTRACE_SELECT=env/*",
                   "TANGOTRACE_EXPORT=console,file:/env", "TANGOTRACE_QUEUE_SIZE="));
    assert_int_equal(o.ring_size, 4 << 20);
    assert_int_equal(o.join_wait, 3000);
    assert_int_equal(o.queue_size, 10); /* an empty variable counts as not set */
    assert_int_equal(tt_selection_count(o.selection), 1);
    rule_is(&o, 0, false, "user:line");
    assert_int_equal(o.exports.count, 2);
    assert_string_equal(o.exports.items[1], "file:/env");
    tt_options_free(&o);
    unlink(path);
}

static void test_errors(void **state)
{
    refused(TT_COMMAND_RUN, ARGS("--ring-siz", "1"), NO_ENV,
            "unknown option --ring-siz; did you mean --ring-size?");
    refused(TT_COMMAND_RUN, ARGS("--ring-siz=1"), NO_ENV,
            "unknown option --ring-siz; did you mean --ring-size?");
    refused(TT_COMMAND_RUN, ARGS("--frobnicate"), NO_ENV,
            "unknown option --frobnicate; --help lists the options");
    refused(TT_COMMAND_RUN, ARGS("-Z"), NO_ENV, "unknown option -Z; --help lists the options");
    refused(TT_COMMAND_STATUS, ARGS("--ring-size=1"), NO_ENV,
            "unknown option --ring-size; --help lists the options");
    refused(TT_COMMAND_RUN, ARGS("--no-export"), NO_ENV,
            "unknown option --no-export; did you mean --export?");
    refused(TT_COMMAND_RUN, ARGS("--export"), NO_ENV, "option --export needs a value: --export TARGET");
    refused(TT_COMMAND_RUN, ARGS("-e"), NO_ENV, "option -e needs a value: -e TARGET");
    refused(TT_COMMAND_RUN, ARGS("--export="), NO_ENV, "option --export: the value is empty");
    refused(TT_COMMAND_RUN, ARGS("--no-multi=yes"), NO_ENV, "--no-multi takes no value");
    refused(TT_COMMAND_RUN, ARGS("--ring-size", "lots"), NO_ENV,
            "option --ring-size: \"lots\" is no size; write bytes or K, M, G as in 16M");
    refused(TT_COMMAND_RUN, ARGS("--ring-size", "5"), NO_ENV,
            "option --ring-size: \"5\" is out of range, 4096 to 1073741824 bytes is possible");
    refused(TT_COMMAND_RUN, ARGS("--ring-size", "99999999999G"), NO_ENV,
            "option --ring-size: \"99999999999G\" is no size; write bytes or K, M, G as in 16M");
    refused(TT_COMMAND_RUN, ARGS("--color", "pink"), NO_ENV,
            "option --color: \"pink\" is none of: auto, always, never");
    refused(TT_COMMAND_RUN, ARGS("--multi=perhaps"), NO_ENV,
            "option --multi: \"perhaps\" is to be yes or no");
    refused(
        TT_COMMAND_RUN, ARGS("--select", "sever:x"), NO_ENV,
        "option --select: \"sever:x\": there is no kind \"sever\"; use one of: server exe script cmd user cgroup netns "
        "pid, or a bare pattern for server, executable and script names");
    refused(TT_COMMAND_RUN, ARGS("--export", "5"), NO_ENV,
            "option --export: unknown exporter '5': use console, file:PATH, otlp or otlp:URL");
    refused(
        TT_COMMAND_RUN, ARGS("--otlp-headers", "a b=c"), NO_ENV,
        "option --otlp-headers: OTLP header 'a b': its name is empty or has characters that headers cannot have");
    refused(TT_COMMAND_RUN, ARGS("--config", "/nonexistent/x.yaml"), NO_ENV,
            "configuration file /nonexistent/x.yaml: No such file or directory");
    refused(TT_COMMAND_RUN, ARGS("--"), NO_ENV, "\"--\" is to be followed by the command to run");
    refused(TT_COMMAND_LIST, ARGS("--", "x"), NO_ENV, "\"--\" belongs to 'tangotrace run -- COMMAND'");
    refused(TT_COMMAND_RUN, ARGS(), ARGS("TANGOTRACE_QUEUE_SIZE=x"),
            "TANGOTRACE_QUEUE_SIZE: \"x\" is no number");
    /* Control characters do not reach the terminal. */
    refused(TT_COMMAND_RUN, ARGS("--queue-size", "\033[2J"), NO_ENV,
            "option --queue-size: \"?[2J\" is no number");
}

static void yaml(const char *text, const char *wanted)
{
    _cleanup_free_ char *error = NULL;
    int err = tt_options_check_yaml(text, strlen(text), "x.yaml", &error);

    if (!wanted ? err != 0 : err != -EINVAL || !error || strncmp(error, wanted, strlen(wanted)))
        fail_msg("%s\ngives: %d %s\nnot:   %s", text, err, error ? error : "", wanted ? wanted : "no error");
}

static void test_yaml(void **state)
{
    yaml("", NULL);
    yaml("# nothing\n", NULL);
    yaml("---\n...\n", NULL);
    yaml("ring-size: 1M\nmulti: no\nselect: [a, 'b']\nexclude: user:x\n", NULL);
    yaml("ring-size: 1M\nring-siz: 2M\n", "x.yaml:2: unknown key \"ring-siz\"; did you mean \"ring-size\"?");
    yaml("\n\nfrobnicate: 1\n", "x.yaml:3: unknown key \"frobnicate\"; the keys are");
    yaml("queue-size: 1\nqueue-size: 2\n", "x.yaml:2: \"queue-size\" appears twice");
    yaml("queue-size: [1, 2]\n", "x.yaml:1: queue-size takes one value, not a list");
    yaml("queue-size:\n  a: 1\n", "x.yaml:2: queue-size takes a value, not a mapping");
    yaml("select:\n  - a\n  - [b]\n", "x.yaml:3: select: the elements of the list are to be plain values");
    yaml("select:\n  - a\n  - sever:b\n", "x.yaml:3: select: \"sever:b\": there is no kind");
    yaml("multi: no\nexport: [console, 'otlp:foo']\n", "x.yaml:2: export: 'foo' is not an OTLP/HTTP URL");
    yaml("export: 5\n", "x.yaml:1: export: unknown exporter '5'");
    yaml("otlp-endpoint: foo\n", "x.yaml:1: otlp-endpoint: 'foo' is not an OTLP/HTTP URL");
    yaml("otlp-headers: a\n", "x.yaml:1: otlp-headers: OTLP header");
    yaml("export: none\n", NULL);
    yaml("ring-size: 1M\nqueue-size: x\n", "x.yaml:2: queue-size: \"x\" is no number");
    yaml("select:\n  - !user:x\n", "x.yaml:2: select: put quotes around a value that begins with '!'");
    yaml("ring-size: 1M\nselect: [*Test]\n", "x.yaml:2: no valid YAML: ");
    yaml("select: [a\nexport: b\n", "x.yaml:2: no valid YAML: ");
    yaml("- a\n- b\n", "x.yaml:1: lines of the form \"option: value\" are expected");
    yaml("just text\n", "x.yaml:1: lines of the form");
    yaml("? [a]\n: b\n", "x.yaml:1: a key is to be the name of an option");
    yaml("json: yes\n", "x.yaml:1: \"json\" belongs on the command line");
    yaml("config: y.yaml\n", "x.yaml:1: \"config\" belongs on the command line");
    yaml("ring-size: 1M\n---\nring-size: 2M\n", "x.yaml:3: a second document");
    yaml("control: \"a\\0b\"\n", "x.yaml:1: control: the value holds a NUL byte");
    yaml("control: \xff\n", "x.yaml:1: no valid YAML: ");
    /* groups, and rules as mappings */
    yaml(
        "sampling:\n  wait: 2s\n  rules:\n    - device: 'b107a-*'\n      ratio: 1\n    - 'class=X; ratio=0'\n",
        NULL);
    yaml("sampling: {rules: [{device: x, ratio: 1}], background: 0.5}\nsampling-slow: no\n", NULL);
    yaml("sampling:\n  wait: 2s\n  ruls: []\n",
         "x.yaml:3: unknown key \"sampling-ruls\"; did you mean \"sampling-rules\"?");
    yaml("sampling:\n  wait: 2s\nsampling-wait: 1s\n", "x.yaml:3: \"sampling-wait\" appears twice");
    yaml("sampling:\n  wait:\n    a: b\n", "x.yaml:3: sampling-wait takes a value, not a mapping");
    yaml("sampling: 5\n", "x.yaml:1: unknown key \"sampling\"");
    yaml("spool: {dir: /x, size: 1G, age: 2h}\n", NULL);
    yaml("spool: /x\nspool-rate: 2M\notlp: {logs-headers: a=b, compression: zstd}\n", NULL);
    yaml("spool: /x\nspool-dir: /y\n", "x.yaml:2: \"spool-dir\" appears twice");
    yaml("nonsense: {a: b}\n", "x.yaml:1: unknown key \"nonsense\"");
    yaml("sampling-rules:\n  - device: x\n    ratio: 2\n",
         "x.yaml:2: sampling-rules: ratio \"2\" is no number from 0 to 1");
    yaml("sampling-rules:\n  - ratio: 1\n  - device: 'a;b'\n    ratio: 2\n",
         "x.yaml:3: sampling-rules: no ';', newline or NUL can stand in a value");
    yaml("sampling-rules:\n  - device: [x]\n",
         "x.yaml:2: sampling-rules: plain names and values are expected");
    yaml("select:\n  - device: x\n", "x.yaml:2: select: the elements");
    yaml("sampling-rules: &x\n  - device: *x\n", "x.yaml:2: sampling-rules: plain names");
    yaml("filter: '{ name = }'\n", "x.yaml:1: filter: a field or a value is expected here\n  { name = }");
    yaml("a: &x [*x]\n", "x.yaml:1: unknown key \"a\"");
    yaml("select: &x [*x]\n", "x.yaml:1: select: the elements");
}

static void test_deep_yaml(void **state)
{
    char *text = malloc(100001);

    memset(text, '[', 100000);
    text[100000] = '\0';
    yaml(text, "x.yaml:1: brackets nested too deeply");
    free(text);
}

static void test_print_config(void **state)
{
    struct tt_options o = parse(
        ARGS("--exclude", "user:op", "--select", "Te\"st/*", "--export", "otlp:http://me:pw@c:1",
             "--otlp-logs-endpoint", "HTTP://c:1/in?key=secret", "--filter", "{ name = \"http://a?b\" }"),
        ARGS("TANGOTRACE_RING_SIZE=1M", "OTEL_EXPORTER_OTLP_HEADERS=authorization=secret"));
    _cleanup_(tt_text_free) struct tt_text out = {0};
    _cleanup_free_ char *error = NULL;

    tt_options_print_config(&o, &out);
    assert_non_null(strstr(out.data, "select: [\"!user:op\", \"Te\\\"st/*\"]         # option --select"));
    assert_non_null(strstr(out.data, "# TANGOTRACE_RING_SIZE\n"));
    assert_non_null(strstr(out.data, "export: [\"otlp:http://****@c:1\"]"));
    assert_non_null(strstr(out.data, "queue-size: 65536                        # default\n"));
    assert_non_null(
        strstr(out.data, "otlp-headers: \"authorization=****\"       # OTEL_EXPORTER_OTLP_HEADERS\n"));
    assert_non_null(strstr(out.data, "# control-group: "));
    assert_non_null(strstr(out.data, "otlp-logs-endpoint: \"HTTP://c:1/in?****\""));
    assert_non_null(strstr(out.data, "http://a?b"));
    assert_null(strstr(out.data, "secret"));
    assert_null(strstr(out.data, "pw"));
    /* It can be used as a file. */
    assert_int_equal(tt_options_check_yaml(out.data, out.size, "printed", &error), 0);
    tt_options_free(&o);
}

static void test_reference(void **state)
{
    _cleanup_fclose_ FILE *file = fopen("docs/options.md", "r");
    _cleanup_(tt_text_free) struct tt_text wanted = {0};
    _cleanup_(tt_text_free) struct tt_text found = {0};
    char buffer[4096];
    size_t n;

    if (!file)
        fail_msg("docs/options.md cannot be read; run from the root of the tree");
    while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
        tt_text_add(&found, buffer, n);
    tt_options_reference(&wanted);
    if (strcmp(found.data, wanted.data))
        fail_msg("docs/options.md is out of date: build/tangotrace help-reference > docs/options.md");
}

static void test_help(void **state)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};

    tt_options_help(TT_COMMAND_ALL, &out);
    for (char *line = strtok(out.data, "\n"); line; line = strtok(NULL, "\n"))
        if (strlen(line) > 100)
            fail_msg("a line of %zu characters: %s", strlen(line), line);
}

/* The same sources again: the file has changed. */
static void test_reload(void **state)
{
    char *path = file_with("queue-size: 100\nring-size: 1M\nselect: [a]\n");
    char **argv = ARGS("--config", path, "--batch-size", "7");
    struct tt_options old = parse(argv, ARGS("OTEL_BSP_SCHEDULE_DELAY=300")), fresh;
    _cleanup_free_ char *error = NULL;
    FILE *file = fopen(path, "w");

    fputs("queue-size: 200\nbatch-size: 9\nring-size: 4M\nselect: [a, b]\n", file);
    fclose(file);
    assert_int_equal(tt_options_reload(&old, &fresh, &error), 0);
    assert_int_equal(fresh.queue_size, 200);
    assert_int_equal(fresh.batch_size, 7);    /* the command line stands */
    assert_int_equal(fresh.batch_delay, 300); /* so does the environment */
    assert_int_equal(fresh.ring_size, 1 << 20);
    /* queue-size and select; what is inherited counts as well, ring-size stays. */
    assert_int_equal(tt_options_affected(&old, &fresh), TT_AFFECTS_EXPORTERS | TT_AFFECTS_VALUE);
    assert_int_equal(fresh.log_queue_size, 200);
    assert_int_equal(tt_options_affected(&fresh, &fresh), 0);
    tt_options_free(&fresh);

    file = fopen(path, "w");
    fputs("queue-size: 1\nqueue-sise: 1\n", file);
    fclose(file);
    assert_int_equal(tt_options_reload(&old, &fresh, &error), -EINVAL);
    assert_non_null(strstr(error, ":2: unknown key"));
    unlink(path);
    tt_options_free(&old);
}

/* What a row inherits is of its own kind, comes from the command line, the file or the default alike, and
 * what is given for the row itself goes before. */
static void test_inherits(void **state)
{
    struct tt_options options = parse(
        ARGS("--otlp-timeout", "7s", "--otlp-logs-timeout", "3s", "--otlp-headers", "a=b"),
        ARGS("OTEL_BSP_MAX_QUEUE_SIZE=55"));
    unsigned rows = 0;

    for (size_t i = 0; i < tt_option_count; i++) {
        const struct option *to = &tt_option_table[i], *from;

        if (!to->inherits)
            continue;
        rows++;
        from = tt_option_find(to->inherits, strlen(to->inherits));
        assert_non_null(from);
        assert_int_equal(from->type, to->type);
        assert_null(from->inherits); /* one step is all that is made */
        assert_null(to->initial);
        assert_true(to->type == OPTION_TEXT || to->type == OPTION_COUNT || to->type == OPTION_DURATION ||
                    to->type == OPTION_CHOICE);
    }
    assert_int_equal(rows, 3 * 7 + 3 + 2);
    assert_int_equal(options.otlp_of[TT_OTLP_TRACES].timeout, 7000);
    assert_int_equal(options.otlp_of[TT_OTLP_LOGS].timeout, 3000);
    assert_string_equal(options.otlp_of[TT_OTLP_METRICS].headers, "a=b");
    assert_int_equal(options.otlp_of[TT_OTLP_METRICS].compression, TT_COMPRESSION_GZIP);
    assert_int_equal(options.log_queue_size, 55);
    assert_int_equal(options.log_batch_size, 8192);
    tt_options_free(&options);
}

/* Every option that can stand in the file has a place in the schema, by its own name and in its group. */
static void test_schema(void **state)
{
    struct json_object *root, *properties = NULL, *group = NULL, *wait = NULL, *type = NULL;
    struct tt_json json = {0};
    unsigned found = 0;

    tt_options_schema(&json);
    assert_false(json.failed);
    root = json_tokener_parse(json.data);
    assert_true(json_object_object_get_ex(root, "properties", &properties));
    for (size_t i = 0; i < tt_option_count; i++) {
        bool has = json_object_object_get_ex(properties, tt_option_table[i].name, NULL);

        assert_int_equal(has, tt_option_table[i].scope == SCOPE_EVERYWHERE);
        found += has;
    }
    assert_true(found > 50);
    assert_true(json_object_object_get_ex(properties, "sampling", &group));
    assert_true(json_object_object_get_ex(json_object_object_get(group, "properties"), "wait", &wait));
    assert_true(json_object_object_get_ex(wait, "pattern", &type));
    json_object_put(root);
    tt_json_free(&json);
}

/* A line of a man page that begins with a dot is a macro's. */
static void test_manual(void **state)
{
    static const char *const macros[] = {".TP", ".B ", ".SS"};

    for (int file = 0; file < 2; file++) {
        _cleanup_(tt_text_free) struct tt_text out = {0};

        tt_options_manual(&out, file);
        assert_non_null(
            strstr(out.data, file ? ".B queue\\-size: \\fISPANS" : ".B \\-\\-queue\\-size \\fISPANS"));
        assert_true((strstr(out.data, "print\\-config \\fI") == NULL));
        for (char *line = strtok(out.data, "\n"); line; line = strtok(NULL, "\n")) {
            bool known = line[0] != '.' && line[0] != '\'';

            for (size_t i = 0; i < TT_ARRAY_SIZE(macros); i++)
                known |= !strncmp(line, macros[i], 3);
            if (!known)
                fail_msg("no macro: %s", line);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),     cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_precedence),   cmocka_unit_test(test_errors),
        cmocka_unit_test(test_yaml),         cmocka_unit_test(test_deep_yaml),
        cmocka_unit_test(test_print_config), cmocka_unit_test(test_reference),
        cmocka_unit_test(test_help),         cmocka_unit_test(test_reload),
        cmocka_unit_test(test_inherits),     cmocka_unit_test(test_schema),
        cmocka_unit_test(test_manual),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
