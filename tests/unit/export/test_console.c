/* SPDX-License-Identifier: GPL-2.0-only */
#include "fixture.h"

#include <fcntl.h>
#include <time.h>

#include "base/clock.h"
#include "export/console.h"

/* Leader's command reads a follower; the follower's command fails; a part of a span could not be read. */
struct scene {
    struct tt_otel_resource *client, *leader, *follower;
    struct tt_otel_span *spans[8];
    size_t count;
};

static const char ERROR_TEXT[] = "API_CommandNotFound: Command Arm\nnot found \x1b[2J \xc3\xa9\xe9";

static struct scene make_scene(void)
{
    static const char *const doubts[] = {"end_unknown", "events_lost"};
    struct scene s = {.client = fixture_resource("scan.py", "ws1:4711", NULL, 4711),
                      .leader = fixture_resource("Leader", "lab/leader/1", "Leader/test", 815),
                      .follower = fixture_resource("Follower", "lab/follower/1", "Follower/test", 816)};

    s.spans[s.count++] = fixture_span(s.client, 1, 1, 0, 3, "TurnOn", "lab/leader/1", 123456, 126456);
    s.spans[s.count++] = fixture_span(s.leader, 1, 2, 1, 2, "TurnOn", "lab/leader/1", 123500, 126400);
    s.spans[s.count++] = fixture_span(s.leader, 1, 3, 2, 1, "Leader.TurnOn", NULL, 123510, 126390);
    s.spans[s.count++] = fixture_span(s.leader, 1, 4, 3, 3, "read position", "lab/follower/1", 123600,
                                      124600);
    s.spans[s.count++] = fixture_span(s.follower, 1, 5, 4, 2, "read position", "lab/follower/1", 123700,
                                      124567);
    s.spans[s.count++] = fixture_span(s.leader, 1, 6, 3, 3, "Arm", "lab/follower/1", 125000, 126000);
    s.spans[s.count++] = fixture_span(s.follower, 1, 7, 6, 2, "Arm", "lab/follower/1", 125100, 125900);
    fail_span(s.spans[5], ERROR_TEXT);
    fail_span(s.spans[6], ERROR_TEXT);
    add_attribute(s.spans[4], strings_attribute("tangotrace.incomplete", doubts, 2));
    return s;
}

static void free_scene(struct scene *s)
{
    put_spans(s->spans, s->count);
    tt_otel_resource_put(&s->client);
    tt_otel_resource_put(&s->leader);
    tt_otel_resource_put(&s->follower);
}

static void check_tree(bool color, bool utf8, const char *expected)
{
    struct scene s = make_scene();
    struct tt_otel_span *reversed[8];
    struct tt_text text = {0};

    /* The order of arrival does not matter. */
    for (size_t i = 0; i < s.count; i++)
        reversed[i] = s.spans[s.count - 1 - i];
    tt_console_tree(&text, reversed, s.count, 0, NULL, 0,
                    &(struct tt_console_style){.color = color, .utf8 = utf8});
    assert_string_equal(text.data, expected);
    tt_text_free(&text);
    free_scene(&s);
}

static void test_tree_utf8(void **state)
{
    check_tree(
        false, true,
        "12:00:00.123456  4bf90000   3.000 ms  TurnOn  scan.py ws1:4711\n"
        "└─ CLIENT   TurnOn                     lab/leader/1       3.000 ms\n"
        "   └─ SERVER   TurnOn                  lab/leader/1       2.900 ms    Leader Leader/test[815]\n"
        "      └─ INTERNAL Leader.TurnOn        lab/leader/1       2.880 ms\n"
        "         ├─ CLIENT   read position     lab/follower/1     1.000 ms\n"
        "         │  └─ SERVER   read position  lab/follower/1     0.867 ms    Follower Follower/test[816]\n"
        "         │        ? incomplete: end unknown, events lost\n"
        "         └─ CLIENT   Arm               lab/follower/1     1.000 ms ✗\n"
        "            └─ SERVER   Arm            lab/follower/1     0.800 ms ✗  Follower Follower/test[816]\n"
        "                  ✗ API_CommandNotFound: Command Arm not found ?[2J é?\n");
}

static void test_tree_ascii(void **state)
{
    check_tree(
        false, false,
        "12:00:00.123456  4bf90000   3.000 ms  TurnOn  scan.py ws1:4711\n"
        "`- CLIENT   TurnOn                     lab/leader/1       3.000 ms\n"
        "   `- SERVER   TurnOn                  lab/leader/1       2.900 ms    Leader Leader/test[815]\n"
        "      `- INTERNAL Leader.TurnOn        lab/leader/1       2.880 ms\n"
        "         |- CLIENT   read position     lab/follower/1     1.000 ms\n"
        "         |  `- SERVER   read position  lab/follower/1     0.867 ms    Follower Follower/test[816]\n"
        "         |        ? incomplete: end unknown, events lost\n"
        "         `- CLIENT   Arm               lab/follower/1     1.000 ms x\n"
        "            `- SERVER   Arm            lab/follower/1     0.800 ms x  Follower Follower/test[816]\n"
        "                  x API_CommandNotFound: Command Arm not found ?[2J ??\n");
}

/* Of both sides of a call the client's ledger is shown: it has the server's in it. */
static void test_ledger(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("scan.py", "ws1:4711", NULL, 4711);
    struct tt_otel_span *spans[] = {fixture_span(resource, 1, 1, 0, 3, "Arm", NULL, 0, 10),
                                    fixture_span(resource, 1, 2, 1, 2, "Arm", NULL, 1, 9),
                                    fixture_span(resource, 1, 3, 2, 1, "Basler.Arm", NULL, 2, 8),
                                    fixture_span(resource, 1, 4, 3, 3, "Off", NULL, 3, 4)};
    struct tt_text text = {0};

    add_attribute(spans[0], int_attribute("tango.time.marshal_ns", 1500));
    add_attribute(spans[0], int_attribute("tango.time.user_off_cpu_ns", 12345678));
    add_attribute(spans[0], int_attribute("tango.time.rest_ns", 0));
    add_attribute(spans[1], int_attribute("tango.time.rest_ns", 8000));
    add_attribute(spans[3], int_attribute("tango.time.rest_ns", 1000));
    tt_console_tree(&text, spans, 4, 0, NULL, 0, &(struct tt_console_style){.utf8 = false});
    assert_non_null(strstr(text.data, "= marshal 0.002 ms, user off cpu 12.346 ms, rest 0.000 ms\n"));
    assert_null(strstr(text.data, "rest 0.008 ms"));
    assert_non_null(strstr(text.data, "= rest 0.001 ms\n"));
    tt_text_free(&text);
    put_spans(spans, 4);
    tt_otel_resource_put(&resource);
}

/* What takes longer than a second is told from the trace's id. */
static void test_long(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("scan.py", "ws1:4711", NULL, 4711);
    struct tt_otel_span *spans[] = {fixture_span(resource, 1, 1, 0, 3, "Arm", NULL, 0, 3208516)};
    struct tt_text text = {0};

    tt_console_tree(&text, spans, 1, 0, NULL, 0, &(struct tt_console_style){.utf8 = false});
    assert_non_null(strstr(text.data, "  4bf90000 3208.516 ms  Arm  scan.py"));
    tt_text_free(&text);
    put_spans(spans, 1);
    tt_otel_resource_put(&resource);
}

/* A device that looks up another one is not what it looks for. */
static void test_database(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("Leader", "lab/leader/1", "Leader/test", 815);
    struct tt_otel_span *spans[] = {fixture_span(resource, 1, 1, 0, 1, "import_device", NULL, 0, 10),
                                    fixture_span(resource, 1, 2, 1, 1, "check_access_and_get", NULL, 1, 2)};
    struct tt_text text = {0};

    spans[0]->name = "Tango::Database::import_device";
    spans[1]->name = "Tango::Database::check_access_and_get";
    add_attribute(spans[0], string_attribute("tango.operation.argument", "lab/follower/1"));
    tt_console_tree(&text, spans, 2, 0, NULL, 0, &(struct tt_console_style){.utf8 = false});
    assert_non_null(strstr(text.data, "INTERNAL import_device            lab/follower/1     0.010 ms"));
    assert_non_null(strstr(text.data, "INTERNAL check_access_and_get                     0.001 ms"));
    tt_text_free(&text);
    put_spans(spans, 2);
    tt_otel_resource_put(&resource);
}

#define OFF    "\033[0m"
#define DIM    "\033[2m"
#define RED    "\033[31m"
#define SERVER "\033[32mSERVER   " OFF
#define CLIENT "\033[36mCLIENT   " OFF

static void test_tree_color(void **state)
{
    check_tree(true, true,
               DIM "12:00:00.123456  4bf90000" OFF "   3.000 ms  \033[1mTurnOn" OFF "  scan.py ws1:4711\n" DIM
                   "└─ " OFF CLIENT "TurnOn                     lab/leader/1       3.000 ms\n" DIM
                   "   └─ " OFF SERVER
                   "TurnOn                  lab/leader/1       2.900 ms    Leader Leader/test[815]\n" DIM
                   "      └─ " OFF DIM "INTERNAL " OFF
                   "Leader.TurnOn        lab/leader/1       2.880 ms\n" DIM "         ├─ " OFF CLIENT
                   "read position     lab/follower/1     1.000 ms\n" DIM "         │  └─ " OFF SERVER
                   "read position  lab/follower/1     0.867 ms    Follower Follower/test[816]\n" DIM
                   "         │        " OFF "\033[33m? incomplete: end unknown, events lost" OFF "\n" DIM
                   "         └─ " OFF CLIENT RED "Arm" OFF "               lab/follower/1     1.000 ms " RED
                   "✗" OFF "\n" DIM "            └─ " OFF SERVER RED "Arm" OFF
                   "            lab/follower/1     0.800 ms " RED "✗" OFF
                   "  Follower Follower/test[816]\n" DIM "                  " OFF RED
                   "✗ API_CommandNotFound: Command Arm not found ?[2J é?" OFF "\n");
}

/* What no tree should be: a loop, a span that is its own parent, equal ids, a parent that is missing, a very
 * deep chain. */
static void test_tree_broken(void **state)
{
    struct tt_otel_resource *resource = fixture_resource("scan.py", "ws1:4711", NULL, 4711);
    const struct tt_console_style style = {.utf8 = true};
    struct tt_otel_span *spans[300];
    struct tt_text text = {0};

    spans[0] = fixture_span(resource, 1, 1, 2, 3, "one", NULL, 0, 10);
    spans[1] = fixture_span(resource, 1, 2, 1, 3, "two", NULL, 1, 9);
    spans[2] = fixture_span(resource, 1, 3, 3, 3, "own parent", NULL, 2, 8);
    spans[3] = fixture_span(resource, 1, 1, 3, 3, "twin", NULL, 3, 20000000);
    spans[4] = fixture_span(resource, 1, 9, 77, 0, "orphan of no kind", NULL, 4, 3);
    tt_console_tree(&text, spans, 5, 7, NULL, 0, &style);
    for (size_t i = 0; i < 5; i++)
        assert_non_null(strstr(text.data, spans[i]->title));
    assert_non_null(strstr(text.data, "  20.000 s "));
    assert_non_null(strstr(text.data, "   … 7 more spans\n"));
    assert_ptr_equal(tt_console_root(spans, 5), spans[2]);
    put_spans(spans, 5);
    tt_text_free(&text);
    for (unsigned i = 0; i < 300; i++)
        spans[i] = fixture_span(resource, 1, i + 1, i, 1, "deep", NULL, i, 1000 - i);
    tt_console_tree(&text, spans, 300, 0, NULL, 0, &style);
    assert_non_null(strstr(text.data, "   … 100 more spans\n"));
    tt_text_free(&text);
    put_spans(spans, 300);
    tt_otel_resource_put(&resource);
}

/* ---- the sink: its clock is ours, its output a file -------------------------------------------------- */

static uint64_t now;

static uint64_t fake_now(void)
{
    return now;
}

static void say_still_here(void *context, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s processes are traced", (const char *)context);
}

struct console {
    struct tt_sink_counters counters[TT_SIGNALS];
    struct tt_sink *sink;
    struct tt_otel_resource *client, *server;
    FILE *file;
    long seen;
    char text[1 << 16]; /* what was written since the last look */
};

static void console_setup(struct console *c, bool all_roots, unsigned rate)
{
    *c = (struct console){.client = fixture_resource("scan.py", "ws1:4711", NULL, 4711),
                          .server = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815),
                          .file = tmpfile()};
    now = 1000 * TT_NS_PER_S;
    assert_int_equal(tt_console_new(&(struct tt_console_options){.fd = fileno(c->file),
                                                                 .all_roots = all_roots,
                                                                 .rate = rate,
                                                                 .silence = say_still_here,
                                                                 .silence_context = (void *)"3",
                                                                 .now = fake_now},
                                    c->counters, &c->sink),
                     0);
}

static void console_teardown(struct console *c)
{
    c->sink->ops->finish(c->sink);
    c->sink->ops->free(c->sink);
    tt_otel_resource_put(&c->client);
    tt_otel_resource_put(&c->server);
    fclose(c->file);
}

static void give(struct console *c, struct tt_otel_span *span)
{
    c->sink->ops->write(c->sink, &span, 1);
    tt_otel_span_put(&span);
}

/* Lets time pass and gives what was written since the last call. */
static const char *after(struct console *c, uint64_t ms)
{
    size_t size;

    now += ms * TT_NS_PER_MS;
    c->sink->ops->tick(c->sink, TT_SIGNAL_SPANS, 0);
    fseek(c->file, c->seen, SEEK_SET);
    size = fread(c->text, 1, sizeof(c->text) - 1, c->file);
    c->text[size] = '\0';
    c->seen += (long)size;
    return c->text;
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned n = 0;

    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static void test_sink_settles(void **state)
{
    struct console c;

    console_setup(&c, false, 20);
    give(&c, fixture_span(c.client, 1, 1, 0, 3, "Init", "a/b/c", 0, 10));
    assert_string_equal(after(&c, 200), "");
    give(&c, fixture_span(c.server, 1, 2, 1, 2, "Init", "a/b/c", 1, 9));
    assert_string_equal(after(&c, 200), ""); /* the last span came 200 ms ago */
    assert_int_equal(count_of(after(&c, 100), "Init"), 3);
    assert_int_equal(c.counters[TT_SIGNAL_SPANS].exported, 2);
    console_teardown(&c);
}

/* A long call is shown when it has ended, whole; what never gets a root is shown in the end. */
static void test_sink_waits_for_root(void **state)
{
    struct console c;

    console_setup(&c, false, 20);
    give(&c, fixture_span(c.client, 1, 2, 1, 3, "read", "a/b/c", 1, 9));
    assert_string_equal(after(&c, 5000), "");
    give(&c, fixture_span(c.client, 1, 1, 0, 1, "scan", NULL, 0, 6000000));
    assert_int_equal(count_of(after(&c, 300), "CLIENT   read"), 1);
    give(&c, fixture_span(c.client, 2, 4, 3, 3, "orphan", "a/b/c", 1, 9));
    assert_string_equal(after(&c, 9900), "");
    assert_int_equal(count_of(after(&c, 100), "CLIENT   orphan"), 1);
    console_teardown(&c);
}

static void test_sink_roots(void **state)
{
    struct console c;

    console_setup(&c, false, 20);
    give(&c, fixture_span(c.server, 1, 1, 0, 2, "polled", "a/b/c", 0, 1));    /* a server's root */
    give(&c, fixture_span(c.server, 2, 1, 0, 1, "init", "a/b/c", 0, 1));      /* a device's own work */
    give(&c, fixture_span(c.client, 3, 1, 0, 1, "construct", "a/b/c", 0, 1)); /* a client's */
    give(&c, fixture_span(c.server, 4, 1, 0, 3, "outgoing", "a/b/c", 0, 1));  /* a call, whoever made it */
    after(&c, 400);
    assert_int_equal(count_of(c.text, "polled") + count_of(c.text, "init"), 0);
    assert_int_equal(count_of(c.text, "INTERNAL construct") + count_of(c.text, "CLIENT   outgoing"), 2);
    assert_int_equal(c.counters[TT_SIGNAL_SPANS].exported, 4);
    console_teardown(&c);
    console_setup(&c, true, 20);
    give(&c, fixture_span(c.server, 1, 1, 0, 2, "polled", "a/b/c", 0, 1));
    assert_int_equal(count_of(after(&c, 400), "SERVER   polled"), 1);
    console_teardown(&c);
}

static void test_sink_rate(void **state)
{
    struct console c;

    console_setup(&c, false, 5);
    for (unsigned i = 0; i < 42; i++)
        give(&c, fixture_span(c.client, i + 1, 1, 0, 3, "read", "a/b/c", 0, 1));
    assert_int_equal(count_of(after(&c, 1300), "CLIENT   read"), 5);
    assert_int_equal(
        count_of(after(&c, 1000), "... 37 traces not shown (more than 5 a second; --console-rate)\n"), 1);
    give(&c, fixture_span(c.client, 99, 1, 0, 3, "read", "a/b/c", 0, 1));
    assert_int_equal(count_of(after(&c, 400), "CLIENT   read"), 1);
    assert_int_equal(c.counters[TT_SIGNAL_SPANS].exported, 43);
    for (unsigned i = 0; i < 8; i++)
        give(&c, fixture_span(c.client, i + 1, 1, 0, 3, "last", "a/b/c", 0, 1));
    c.sink->ops->finish(c.sink);
    after(&c, 0);
    assert_int_equal(count_of(c.text, "CLIENT   last"), 4);
    assert_int_equal(count_of(c.text, "... 4 traces not shown"), 1);
    console_teardown(&c);
}

/* More open traces, and longer ones, than are held: nothing is lost, memory has its bound. */
static void test_sink_bounds(void **state)
{
    struct console c;

    console_setup(&c, false, 100000);
    for (unsigned i = 0; i < 1500; i++)
        give(&c, fixture_span(c.client, i, 2, 1, 3, "open", "a/b/c", 0, 1));
    assert_int_equal(c.counters[TT_SIGNAL_SPANS].exported, 1500 - 1024);
    after(&c, 11000);
    assert_int_equal(c.counters[TT_SIGNAL_SPANS].exported, 1500);
    for (unsigned i = 1; i < 3000; i++)
        give(&c, fixture_span(c.client, 1, i + 1, 1, 3, "child", "a/b/c", i, i + 1));
    give(&c, fixture_span(c.client, 1, 1, 0, 1, "root", "a/b/c", 0, 10000));
    after(&c, 400);
    assert_int_equal(count_of(c.text, "INTERNAL root"), 1);
    assert_int_equal(count_of(c.text, "... 2800 more spans\n"), 1);
    assert_int_equal(c.counters[TT_SIGNAL_SPANS].exported, 4500);
    console_teardown(&c);
}

static void test_sink_silence(void **state)
{
    struct console c;

    console_setup(&c, false, 20);
    assert_string_equal(after(&c, 9900), "");
    assert_string_equal(after(&c, 100), "3 processes are traced; no calls seen\n");
    assert_string_equal(after(&c, 10000), "");
    assert_string_equal(after(&c, 50000), "3 processes are traced; no calls seen\n");
    give(&c, fixture_span(c.client, 1, 1, 0, 3, "read", "a/b/c", 0, 1));
    assert_int_equal(count_of(after(&c, 400), "processes"), 0);
    assert_string_equal(after(&c, 9000), "");
    assert_string_equal(after(&c, 1000), "3 processes are traced; no calls seen\n");
    console_teardown(&c);
}

/* Calls that are not shown are not "no calls". */
static void test_sink_silence_unwanted(void **state)
{
    struct console c;

    console_setup(&c, false, 20);
    give(&c, fixture_span(c.server, 1, 1, 0, 2, "read", "a/b/c", 0, 1));
    assert_string_equal(after(&c, 9000), "");
    assert_string_equal(
        after(&c, 1000),
        "3 processes are traced; 1 call seen, it does not begin in a traced client (--all-roots shows it)\n");
    give(&c, fixture_span(c.server, 2, 1, 0, 2, "read", "a/b/c", 0, 1));
    after(&c, 400);
    assert_string_equal(
        after(&c, 60000),
        "3 processes are traced; 2 calls seen, none begins in a traced client (--all-roots shows them)\n");
    give(&c, fixture_span(c.client, 3, 1, 0, 3, "read", "a/b/c", 0, 1));
    assert_int_equal(count_of(after(&c, 400), "CLIENT   read"), 1);
    assert_string_equal(after(&c, 10000), "3 processes are traced; no calls seen\n");
    console_teardown(&c);

    /* At the end, when nothing was shown. */
    console_setup(&c, false, 20);
    give(&c, fixture_span(c.server, 1, 1, 0, 2, "read", "a/b/c", 0, 1));
    c.sink->ops->finish(c.sink);
    assert_string_equal(after(&c, 0),
                        "1 call seen, it does not begin in a traced client (--all-roots shows it)\n");
    console_teardown(&c);
}

/* Nobody reads the pipe: the write ends at the stop's deadline, and the spans are counted. */
static void test_sink_full_pipe(void **state)
{
    struct console c;
    int fds[2];
    static char page[1 << 16];

    console_setup(&c, false, 100000);
    c.sink->ops->free(c.sink);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    while (write(fds[1], page, sizeof(page)) > 0)
        ;
    assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);
    assert_int_equal(tt_console_new(&(struct tt_console_options){.fd = fds[1], .rate = 20, .now = tt_now_ns},
                                    c.counters, &c.sink),
                     0);
    give(&c, fixture_span(c.client, 1, 1, 0, 3, "read", "a/b/c", 0, 1));
    c.sink->ops->stopping(c.sink, tt_now_ns() + 200 * TT_NS_PER_MS);
    c.sink->ops->finish(c.sink);
    assert_int_equal(c.counters[TT_SIGNAL_SPANS].exported, 0);
    assert_int_equal(c.counters[TT_SIGNAL_SPANS].dropped_timeout, 1);
    console_teardown(&c);
    close(fds[0]);
    close(fds[1]);
}

static struct tt_query *compiled(const char *text)
{
    struct tt_query *query = NULL;
    char *error = NULL;

    if (tt_query_compile(text, &query, &error))
        fail_msg("%s", error);
    return query;
}

static void replace_sink(struct console *c, const struct tt_console_options *options)
{
    struct tt_console_options own = *options;

    c->sink->ops->free(c->sink);
    own.fd = fileno(c->file);
    own.now = fake_now;
    own.rate = 20;
    assert_int_equal(tt_console_new(&own, c->counters, &c->sink), 0);
}

/* Whole traces, by any of their spans, wherever they begin; what does not match is counted and not shown. */
static void test_sink_filter(void **state)
{
    struct console c;

    console_setup(&c, false, 20);
    replace_sink(&c, &(struct tt_console_options){
                         .filter = compiled("{ resource.service.name = \"TangoTest\" && duration > 5us }")});
    give(&c, fixture_span(c.client, 1, 1, 0, 3, "slow", "a/b/c", 0, 10));
    give(&c, fixture_span(c.server, 1, 2, 1, 2, "slow", "a/b/c", 1, 9));
    give(&c, fixture_span(c.client, 2, 1, 0, 3, "fast", "a/b/c", 0, 10));
    give(&c, fixture_span(c.server, 2, 2, 1, 2, "fast", "a/b/c", 1, 5));
    give(&c, fixture_span(c.server, 3, 1, 0, 2, "alone", "a/b/c", 1, 9));
    after(&c, 400);
    assert_int_equal(count_of(c.text, "CLIENT   slow"), 1);
    assert_int_equal(count_of(c.text, "SERVER   slow"), 1);
    assert_int_equal(count_of(c.text, "SERVER   alone"), 1);
    assert_int_equal(count_of(c.text, "fast"), 0);
    assert_int_equal(c.counters[TT_SIGNAL_SPANS].exported, 5);
    console_teardown(&c);

    console_setup(&c, false, 20);
    replace_sink(&c, &(struct tt_console_options){.filter = compiled("{ kind = producer }")});
    give(&c, fixture_span(c.client, 1, 1, 0, 3, "read", "a/b/c", 0, 10));
    c.sink->ops->finish(c.sink);
    assert_string_equal(after(&c, 0), "1 trace seen, none matches the filter\n");
    console_teardown(&c);
}

static void test_sink_json(void **state)
{
    _Atomic uint64_t lost = 0;
    struct console c;

    console_setup(&c, false, 20);
    replace_sink(&c, &(struct tt_console_options){.json = true, .lost = &lost, .lost_count = 1});
    for (unsigned i = 1; i <= 2; i++) {
        give(&c, fixture_span(c.client, i, 1, 0, 3, "read", "a/b/c", 0, 10));
        give(&c, fixture_span(c.server, i, 2, 1, 2, "read", "a/b/c", 1, 9));
    }
    after(&c, 400);
    assert_int_equal(count_of(c.text, "\n"), 2);
    assert_int_equal(count_of(c.text, "{\"resourceSpans\":["), 2);
    assert_int_equal(count_of(c.text, "\"spanId\""), 4);
    lost = 7;
    assert_string_equal(after(&c, 100),
                        "{\"notice\":\"... 7 spans lost: the output is not read fast enough\"}\n");
    assert_string_equal(after(&c, 100), "");
    console_teardown(&c);
}

/* Who watches and does not read loses spans, each counted, and holds up nobody. */
static void test_slow_reader(void **state)
{
    struct tt_otel_resource *client = fixture_resource("scan.py", "ws1:4711", NULL, 4711);
    const struct tt_export_config config = {.queues[0] = {.queue = 16, .batch = 4}};
    struct tt_exporter *exporter = NULL;
    struct tt_export_stats stats;
    int fds[2];

    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    assert_int_equal(tt_exporter_console(
                         &(struct tt_console_options){
                             .fd = fds[1], .rate = 1000000, .filter = compiled("{}"), .now = tt_now_ns},
                         &config, &exporter),
                     0);
    for (unsigned i = 0; i < 20000; i++) {
        struct tt_otel_span *span = fixture_span(client, i + 1, 1, 0, 3, "read", "a/b/c", 0, 1);

        tt_exporter_span(exporter, span);
        tt_otel_span_put(&span);
    }
    tt_exporter_stop(exporter, 300);
    tt_exporter_stats(exporter, &stats);
    assert_true(stats.dropped_queue > 0);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.queued + stats.dropped_queue + stats.dropped_rootless, 20000);
    assert_int_equal(stats.queued, stats.exported + stats.dropped_timeout + stats.dropped_error);
    tt_exporter_free(&exporter);
    tt_otel_resource_put(&client);
    close(fds[0]);
    close(fds[1]);
}

static int group_setup(void **state)
{
    setenv("TZ", "UTC", 1);
    tzset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ledger),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_database),
        cmocka_unit_test(test_tree_utf8),
        cmocka_unit_test(test_tree_ascii),
        cmocka_unit_test(test_tree_color),
        cmocka_unit_test(test_tree_broken),
        cmocka_unit_test(test_sink_settles),
        cmocka_unit_test(test_sink_waits_for_root),
        cmocka_unit_test(test_sink_roots),
        cmocka_unit_test(test_sink_rate),
        cmocka_unit_test(test_sink_bounds),
        cmocka_unit_test(test_sink_silence),
        cmocka_unit_test(test_sink_silence_unwanted),
        cmocka_unit_test(test_sink_full_pipe),
        cmocka_unit_test(test_sink_filter),
        cmocka_unit_test(test_sink_json),
        cmocka_unit_test(test_slow_reader),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
