/* SPDX-License-Identifier: GPL-2.0-only */
/* Recordings as the agent uses them: fields there and back, privacy, a real one replayed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "agent/recorder.h"
#include "agent/replay.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "options/options.h"

#define REAL   "tests/fuzz/corpus/recording/tangotest"
#define EVENTS 130
#define SPANS  32

static struct tt_process *there_and_back(const struct tt_process *process, bool command_lines)
{
    _cleanup_(tt_text_free) struct tt_text text = {0};

    tt_recording_put_process(&text, process, command_lines);
    assert_false(text.failed);
    return tt_recording_get_process(text.data, text.size);
}

static void processes(void **state)
{
    struct tt_mapped_file files[2] = {
        {.path = "/lib/libtango.so.9.3.4", .version = "9.3.4", .build_id_size = 3},
        {.path = "/lib/libstdc++.so.6"}};
    char *argv[] = {"/usr/bin/python3 -c secret", "--password", "tiger", "x", NULL};
    struct tt_process p = {
        .pid = 4711,
        .start_ticks = 1ull << 40,
        .start_unix_ns = 1764000000000000000u,
        .parent = 1,
        .uid = 1000,
        .user = "tango",
        .exe = "/usr/bin/python3",
        .argv = argv,
        .script = "a.py",
        .server = "TangoTest/test",
        .name = "TangoTest/test",
        .runtime = "python",
        .python = "3.11.2",
        .python_all = "3.11.2 (main) [GCC]",
        .tango_host = "db:10000",
        .netns = 7,
        .tango = true,
        .switches_stacks = true,
        .selected = true,
        .rule = "default",
        .files = files,
        .file_count = 2,
    };
    struct tt_process *q;

    files[0].library[TT_LIBRARY_TANGO] = files[1].library[TT_LIBRARY_CXXABI] = true;
    memcpy(files[0].build_id, "abc", 3);
    q = there_and_back(&p, false);
    assert_int_equal(q->pid, 4711);
    assert_string_equal(q->python, p.python);
    assert_string_equal(q->python_all, p.python_all);
    assert_int_equal(q->start_ticks, p.start_ticks);
    assert_int_equal(q->start_unix_ns, p.start_unix_ns);
    assert_int_equal(q->uid, 1000);
    assert_string_equal(q->exe, p.exe);
    assert_string_equal(q->server, p.server);
    assert_string_equal(q->tango_host, p.tango_host);
    assert_null(q->cgroup);
    assert_true(q->tango && q->switches_stacks && q->selected && !q->exited);
    assert_int_equal(q->file_count, 2);
    assert_string_equal(q->files[0].path, files[0].path);
    assert_true(q->files[0].library[TT_LIBRARY_TANGO] && !q->files[0].library[TT_LIBRARY_CXXABI]);
    assert_memory_equal(q->files[0].build_id, "abc", 3);
    /* Of the command line no more than enrich lets out. */
    assert_string_equal(q->argv[0], "/usr/bin/python3");
    assert_null(q->argv[1]);
    tt_process_put(&q);
    q = there_and_back(&p, true);
    assert_string_equal(q->argv[1], "--password");
    assert_string_equal(q->argv[2], "***");
    assert_string_equal(q->argv[3], "x");
    assert_null(q->argv[4]);
    tt_process_put(&q);
    p.pid = 0;
    assert_null(there_and_back(&p, false));
}

static void metas(void **state)
{
    _cleanup_(tt_text_free) struct tt_text text = {0};
    struct tt_recording_meta meta = {.version = "1", .seed = UINT64_MAX, .unix_offset = -5, .tree = true},
                             got = {0};

    tt_recording_put_meta(&text, &meta);
    tt_tags_put_text(&text, 999, "of a later version");
    assert_int_equal(tt_recording_get_meta(text.data, text.size, &got), 0);
    assert_string_equal(got.version, "1");
    assert_null(got.host_name);
    assert_true(got.seed == UINT64_MAX && got.unix_offset == -5 && got.tree && !got.default_in);
    tt_recording_meta_free(&got);
}

/* Every row of the catalogue is found again, overloads of one name told apart; one that was made for a file
 * is made again. */
static void points(void **state)
{
    struct tt_row strange = {.role = TT_ROLE_CLIENT, .name = "Tango::DeviceProxy::teleport"};
    struct tt_row *own = tt_row_make_method("{class}.is_level_allowed", "n:int,mode:string"), *made;
    const struct tt_row *row;
    uint32_t point;

    for (size_t i = 0; i < tt_row_count; i++) {
        _cleanup_(tt_text_free) struct tt_text text = {0};

        tt_recording_put_point(&text, (uint32_t)i, &tt_rows[i]);
        assert_int_equal(tt_recording_get_point(text.data, text.size, &point, &row, &made), 0);
        assert_int_equal(point, i);
        assert_true(row == &tt_rows[i] && !made);
    }
    _cleanup_(tt_text_free) struct tt_text text = {0};
    tt_recording_put_point(&text, 3, &strange);
    assert_int_equal(tt_recording_get_point(text.data, text.size, &point, &row, &made), 0);
    assert_true(!row && !made);
    text.size = 0;
    tt_recording_put_point(&text, 4, own);
    assert_int_equal(tt_recording_get_point(text.data, text.size, &point, &row, &made), 0);
    assert_ptr_equal(row, made);
    assert_true(row->role == TT_ROLE_METHOD && row->foreign && row->detail == TT_DETAIL_METHODS);
    assert_string_equal(row->name, own->name);
    assert_string_equal(row->arguments, own->arguments);
    free(made);
    free(own);
    assert_int_equal(tt_recording_get_point("", 0, &point, &row, &made), -EINVAL);
}

/* ---- a real one ---- */

struct result {
    struct tt_replay_stats stats;
    uint64_t spans, malformed, gaps, dropped;
    bool damaged;
    char *output;
    size_t size;
};

static void read_output(const char *name, struct result *result)
{
    FILE *file = fopen(name, "r");

    assert_non_null(file);
    result->output = calloc(1, 1 << 20);
    result->size = fread(result->output, 1, (1 << 20) - 1, file);
    fclose(file);
}

/* A reader of these bytes; NULL: they are no recording. */
static struct tt_recording_reader *reader_of(const void *data, size_t size)
{
    int fd = memfd_create("recording", MFD_CLOEXEC);
    struct tt_recording_reader *reader = NULL;
    char *error = NULL;

    assert_int_equal(write(fd, data, size), size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    if (tt_recording_open_fd(fd, "it", &reader, &error))
        free(error);
    return reader;
}

/* Replays these bytes into a file of OTLP JSON; `more` options, NULL-ended, or NULL. */
static struct result replay_with(const void *data, size_t size, char *const *more)
{
    static const volatile bool never;
    char name[] = "/tmp/tt-replay-XXXXXX", target[64], *error = NULL;
    char *argv[16] = {"--export", target};
    size_t count = 2;
    int out = mkstemp(name);
    struct tt_recording_reader *reader = reader_of(data, size);
    struct tt_pipeline_figures figures;
    struct tt_options options;
    struct tt_replay *replay;
    struct result result = {0};

    snprintf(target, sizeof(target), "file:%s", name);
    while (more && *more && count < TT_ARRAY_SIZE(argv) - 1)
        argv[count++] = *more++;
    assert_int_equal(tt_options_parse(&options, TT_COMMAND_REPLAY, argv, NULL, &error), 0);
    if (reader && !tt_replay_new(&options, reader, 0, &replay)) {
        tt_replay_run(replay, &never);
        for (unsigned pass = 1; pass < options.repeat; pass++) {
            assert_int_equal(tt_replay_again(replay, reader_of(data, size)), 0);
            tt_replay_run(replay, &never);
        }
        tt_replay_stop(replay);
        tt_replay_report(replay);
        tt_pipeline_figures(tt_replay_pipeline(replay), &figures);
        result.stats = *tt_replay_stats(replay);
        result.damaged = result.stats.damage;
        result.spans = figures.spans;
        result.malformed = figures.assemble.malformed;
        result.gaps = figures.assemble.gaps;
        result.dropped = tt_sampler_dropped(tt_replay_pipeline(replay)->sampler);
        tt_replay_free(&replay);
    }
    read_output(name, &result);
    tt_options_free(&options);
    close(out);
    unlink(name);
    return result;
}

static struct result replay(const void *data, size_t size)
{
    return replay_with(data, size, NULL);
}

static char *load(size_t *size)
{
    FILE *file = fopen(REAL, "r");
    char *data = calloc(1, 1 << 16);

    if (!file)
        fail_msg("%s cannot be read; run from the root of the tree", REAL);
    *size = fread(data, 1, 1 << 16, file);
    fclose(file);
    return data;
}

static void twice_the_same(void **state)
{
    size_t size;
    _cleanup_free_ char *data = load(&size);
    struct result a = replay(data, size), b = replay(data, size);

    assert_int_equal(a.stats.events, EVENTS);
    assert_int_equal(a.spans, SPANS);
    assert_false(a.damaged);
    assert_int_equal(a.stats.bytes, size);
    assert_int_equal(a.stats.unknown_rows + a.stats.unknown_records + a.stats.bad_records + a.malformed, 0);
    assert_true(a.size > 10000);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.output, b.output, a.size);
    free(a.output);
    free(b.output);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned n = 0;

    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

/* Again and again: the same calls, with other ids, later. */
static void repeated(void **state)
{
    static char *const three[] = {"--repeat", "3", NULL};
    size_t size;
    _cleanup_free_ char *data = load(&size);
    struct result once = replay(data, size), a = replay_with(data, size, three),
                  b = replay_with(data, size, three);
    char id[64];

    assert_int_equal(a.stats.events, 3 * EVENTS);
    assert_int_equal(a.spans, 3 * SPANS);
    assert_int_equal(a.gaps, once.gaps);
    assert_int_equal(a.stats.bad_records, 0);
    assert_int_equal(count_of(a.output, "\"code\":2"), 3 * count_of(once.output, "\"code\":2"));
    assert_int_equal(count_of(a.output, "\"parentSpanId\""), 3 * count_of(once.output, "\"parentSpanId\""));
    for (const char *at = a.output; (at = strstr(at, "\"spanId\"")); at++) {
        snprintf(id, sizeof(id), "%.27s", at);
        assert_int_equal(count_of(a.output, id), 1);
    }
    assert_true(a.stats.last - a.stats.first > 2 * (once.stats.last - once.stats.first));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.output, b.output, a.size);
    free(once.output);
    free(a.output);
    free(b.output);
}

/* Sampling goes by the recorded times and ids: the same is kept every time. */
static void sampled_the_same(void **state)
{
    static char *const mixed[] = {"--sampler",
                                  "always_off",
                                  "--sampling-slow",
                                  "no",
                                  "--sampling-rules",
                                  "operation=Dev*; ratio=0.5",
                                  "--sampling-rules",
                                  "attribute=throw*; exclude=yes",
                                  NULL};
    static char *const half[] = {"--sampler", "traceidratio",         "--sampler-ratio",
                                 "0.5",       "--sampling-errors=no", NULL};
    size_t size;
    _cleanup_free_ char *data = load(&size);
    struct result all = replay(data, size), a = replay_with(data, size, mixed),
                  b = replay_with(data, size, mixed), c = replay_with(data, size, half);

    assert_int_equal(a.spans, SPANS);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.output, b.output, a.size);
    /* The three that failed, but for the one that is excluded, each with both sides. */
    assert_int_equal(count_of(all.output, "\"code\":2"), 6);
    assert_int_equal(count_of(a.output, "\"code\":2"), 4);
    assert_int_equal(count_of(a.output, "\"traceState\":\"ot=th:0\""), 4);
    assert_int_equal(count_of(a.output, "\"spanId\"") + a.dropped, SPANS + count_of(a.output, "\"links\""));
    assert_true(count_of(c.output, "\"traceState\":\"ot=th:8\"") == SPANS - c.dropped && c.dropped > 4 &&
                c.dropped < SPANS - 4);
    free(all.output);
    free(a.output);
    free(b.output);
    free(c.output);
}

static void truncated(void **state)
{
    size_t size;
    _cleanup_free_ char *data = load(&size);
    uint64_t events = 0, spans = 0;

    for (int tenth = 0; tenth < 10; tenth++) {
        size_t cut = size * (size_t)tenth / 10;
        struct result result = replay(data, cut);

        if (tenth) {
            assert_true(result.damaged);
            assert_int_equal(result.stats.bytes + result.stats.rest, cut);
        }
        assert_true(result.stats.events >= events && result.spans >= spans && result.spans <= SPANS);
        events = result.stats.events;
        spans = result.spans;
        free(result.output);
    }
    assert_true(events > EVENTS / 2 && spans > SPANS / 2);
}

/* A function that this catalogue does not have: its events are left out and counted, the others are not in
 * doubt. */
static void unknown_row(void **state)
{
    size_t size, at;
    _cleanup_free_ char *data = load(&size);
    static const char name[] = "Tango::DeviceProxy::status";
    const size_t out = sizeof(struct tt_recording_header);
    struct tt_record_header header;
    struct result result;
    unsigned hits = 0;

    for (at = out; at < size; at += sizeof(header) + ((header.size + 7) & ~7u)) {
        char *payload = data + at + sizeof(header), *found;

        memcpy(&header, data + at, sizeof(header));
        found = header.type == TT_RECORD_POINT ? memmem(payload, header.size, name, strlen(name)) : NULL;
        if (found) {
            *found = '?';
            hits++;
            header.crc = (uint32_t)crc32(0, (const Bytef *)&header, offsetof(struct tt_record_header, crc));
            header.crc = (uint32_t)crc32(header.crc, (const Bytef *)payload, header.size);
            memcpy(data + at, &header, sizeof(header));
        }
    }
    assert_true(hits > 0);
    result = replay(data, size);
    assert_false(result.damaged);
    assert_int_equal(result.stats.unknown_rows, hits);
    assert_int_equal(result.stats.unknown_events, 2);
    assert_int_equal(result.spans, SPANS - 1);
    assert_int_equal(result.malformed + result.gaps, 0);
    assert_null(strstr(result.output, "events_lost"));
    free(result.output);
}

static int quiet(void **state)
{
    tt_log_set_level(TT_LOG_ERROR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes),        cmocka_unit_test(metas),
        cmocka_unit_test(points),           cmocka_unit_test(twice_the_same),
        cmocka_unit_test(sampled_the_same), cmocka_unit_test(repeated),
        cmocka_unit_test(truncated),        cmocka_unit_test(unknown_row),
    };

    return cmocka_run_group_tests(tests, quiet, NULL);
}
