/* SPDX-License-Identifier: GPL-2.0-only */
/* The spool on a real disk, whole and damaged, and the exporter with it: destination away, back, agents that
 * follow each other, one that is killed. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/text.h"
#include "export/export.h"
#include "export/spool.h"

#define DAY (24 * 3600 * TT_NS_PER_S)

struct place {
    char directory[64];
    struct tt_sink_counters counters;
    struct tt_spool *spool;
    char *error;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    strcpy(place->directory, "/tmp/tangotrace-spool-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;

    tt_spool_close(&place->spool, true);
    nftw(place->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(place->error);
    free(place);
    return 0;
}

static int open_spool(struct place *place, uint64_t bytes, uint64_t age)
{
    const struct tt_spool_config config = {place->directory, bytes, age};

    memset(&place->counters, 0, sizeof(place->counters));
    free(TAKE_PTR(place->error));
    return tt_spool_open(&config, "traces http://h:4318/v1", &place->counters, &place->spool, &place->error);
}

static int put(struct place *place, const char *body, uint32_t items)
{
    const struct tt_spool_batch batch = {(const uint8_t *)body, strlen(body), items, TT_ENCODING_ZSTD,
                                         strlen(body) % 2};

    return tt_spool_put(place->spool, &batch);
}

static void check_next(struct place *place, const char *body, uint32_t items)
{
    struct tt_spool_batch batch = {0};

    assert_true(tt_spool_oldest(place->spool, &batch));
    assert_int_equal(batch.size, strlen(body));
    assert_memory_equal(batch.data, body, batch.size);
    assert_int_equal(batch.items, items);
    assert_int_equal(batch.encoding, TT_ENCODING_ZSTD);
    assert_int_equal(batch.json, strlen(body) % 2);
    tt_spool_remove(place->spool);
}

/* The path of the n-th file that ends in `suffix`, in order of the names. */
static char *file_of(const struct place *place, const char *suffix, unsigned n)
{
    _cleanup_free_ char *pattern = tt_format("cd %s && ls -1 */*%s | sed -n %up", place->directory, suffix,
                                             n + 1);
    FILE *pipe = popen(pattern, "r");
    char line[512] = "";

    if (!fgets(line, sizeof(line), pipe))
        *line = '\0';
    pclose(pipe);
    line[strcspn(line, "\n")] = '\0';
    return *line ? tt_format("%s/%s", place->directory, line) : NULL;
}

static void test_order_and_restart(void **state)
{
    struct place *place = *state;
    struct tt_spool_batch batch;

    assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
    assert_true(tt_spool_is_empty(place->spool));
    assert_int_equal(put(place, "first", 5), 0);
    assert_int_equal(put(place, "second", 6), 0);
    assert_int_equal(put(place, "third", 7), 0);
    assert_int_equal(place->counters.spooled, 18);
    assert_int_equal(place->counters.spool_bytes, 3 * 4096);
    check_next(place, "first", 5);
    assert_int_equal(put(place, "fourth", 8), 0);
    tt_spool_close(&place->spool, true);

    assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
    assert_int_equal(place->counters.carried, 21);
    assert_int_equal(place->counters.spooled, 21);
    assert_int_equal(place->counters.gap_ms, 0);
    assert_int_equal(put(place, "fifth", 9), 0);
    check_next(place, "second", 6);
    check_next(place, "third", 7);
    check_next(place, "fourth", 8);
    check_next(place, "fifth", 9);
    assert_false(tt_spool_oldest(place->spool, &batch));
    assert_int_equal(place->counters.spooled, 0);
    assert_int_equal(place->counters.spool_bytes, 0);
}

/* Two that use the same files would send everything twice. */
static void test_lock(void **state)
{
    struct place *place = *state;
    struct place other = *place;

    assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
    assert_int_equal(open_spool(&other, 1 << 20, DAY), -EWOULDBLOCK);
    assert_non_null(strstr(other.error, "another agent"));
    free(other.error);
}

static void test_size(void **state)
{
    struct place *place = *state;

    assert_int_equal(open_spool(place, 3 * 4096, DAY), 0);
    for (uint32_t i = 1; i <= 5; i++)
        assert_int_equal(put(place, i % 2 ? "odd" : "even", i), 0);
    assert_int_equal(place->counters.dropped_spool, 1 + 2);
    assert_int_equal(place->counters.spooled, 3 + 4 + 5);
    check_next(place, "odd", 3);
    tt_spool_close(&place->spool, true);
    assert_int_equal(open_spool(place, 4096, DAY), 0);
    assert_int_equal(place->counters.carried, 9);
    assert_int_equal(put(place, "now", 1), 0); /* a smaller bound than the last time: all others go */
    assert_int_equal(place->counters.dropped_spool, 9);
    check_next(place, "now", 1);
}

static void test_too_large(void **state)
{
    struct place *place = *state;
    _cleanup_free_ char *large = calloc(1, 8193);

    memset(large, 'x', 8192);
    assert_int_equal(open_spool(place, 8192, DAY), 0);
    assert_int_equal(put(place, "small", 1), 0);
    assert_int_equal(put(place, large, 1), -EFBIG);
    check_next(place, "small", 1);
}

static void test_age(void **state)
{
    struct place *place = *state;
    _cleanup_free_ char *first = NULL;

    assert_int_equal(open_spool(place, 1 << 20, 3600 * TT_NS_PER_S), 0);
    assert_int_equal(put(place, "old", 5), 0);
    assert_int_equal(put(place, "new", 6), 0);
    tt_spool_close(&place->spool, true);
    first = file_of(place, ".batch", 0);
    assert_int_equal(
        utimensat(AT_FDCWD, first, (struct timespec[]){{time(NULL) - 3700, 0}, {time(NULL) - 3700, 0}}, 0),
        0);
    assert_int_equal(open_spool(place, 1 << 20, 3600 * TT_NS_PER_S), 0);
    assert_int_equal(place->counters.dropped_age, 5);
    assert_int_equal(place->counters.carried, 11); /* it was carried over, and then dropped */
    check_next(place, "new", 6);
}

static void damage(const char *path, int how)
{
    _cleanup_close_ int fd = open(path, O_RDWR);
    struct stat st;
    char byte;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    if (how < 0) {
        assert_int_equal(ftruncate(fd, st.st_size + how), 0);
        return;
    }
    assert_int_equal(pread(fd, &byte, 1, how), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, how), 1);
}

/* Every kind of damage costs that one batch, and is counted; rubbish beside is left alone. */
static void test_damage(void **state)
{
    static const int hows[] = {0, 8, 12, 16, 20, 21, 24, 27, -1, -8, -28};
    struct place *place = *state;
    uint32_t lost = 0;

    assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
    for (uint32_t i = 0; i < TT_ARRAY_SIZE(hows); i++) {
        assert_int_equal(put(place, "body", i + 1), 0);
        lost += i + 1;
    }
    assert_int_equal(put(place, "whole", 100), 0);
    for (unsigned i = 0; i < TT_ARRAY_SIZE(hows); i++) {
        _cleanup_free_ char *path = file_of(place, ".batch", i);

        damage(path, hows[i]);
    }
    tt_spool_close(&place->spool, true);
    {
        _cleanup_free_ char *lock = file_of(place, "lock", 0);
        _cleanup_free_ char *rubbish = tt_format("%.*s/0000000000000001-x.batch",
                                                 (int)(strrchr(lock, '/') - lock), lock);
        _cleanup_free_ char *half = tt_format("%.*s/new.tmp", (int)(strrchr(lock, '/') - lock), lock);

        close(open(rubbish, O_WRONLY | O_CREAT, 0600));
        close(open(half, O_WRONLY | O_CREAT, 0600));
        assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
        assert_int_equal(access(rubbish, F_OK), 0);
        assert_int_not_equal(access(half, F_OK), 0);
    }
    assert_int_equal(place->counters.carried, lost + 100);
    check_next(place, "whole", 100);
    assert_int_equal(place->counters.dropped_damaged, lost);
    assert_int_equal(place->counters.spooled, 0);
}

/* A file that somebody removed is lost, and no more. */
static void test_removed(void **state)
{
    struct place *place = *state;
    _cleanup_free_ char *path = NULL;

    assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
    assert_int_equal(put(place, "first", 3), 0);
    assert_int_equal(put(place, "second", 4), 0);
    path = file_of(place, ".batch", 0);
    unlink(path);
    check_next(place, "second", 4);
    assert_int_equal(place->counters.dropped_damaged, 3);
}

/* Files with names that we do not write are nobody's batches; one that tells another number of items than its
 * contents is damaged. */
static void test_names(void **state)
{
    static const char *const foreign[] = {"1-3.batch", "ffffffffffffffff-3.batch",
                                          "0000000000000009-03.batch", "0000000000000009-3.batch.bak"};
    struct place *place = *state;
    _cleanup_free_ char *path = NULL, *other = NULL;
    size_t folder;

    assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
    assert_int_equal(put(place, "first", 3), 0);
    assert_int_equal(put(place, "second", 4), 0);
    tt_spool_close(&place->spool, true);
    path = file_of(place, ".batch", 0);
    folder = (size_t)(strrchr(path, '/') - path);
    for (size_t i = 0; i < TT_ARRAY_SIZE(foreign); i++) {
        _cleanup_free_ char *name = tt_format("%.*s/%s", (int)folder, path, foreign[i]);

        close(open(name, O_WRONLY | O_CREAT, 0600));
    }
    other = tt_format("%.*s/0000000000000001-5.batch", (int)folder, path);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
    assert_int_equal(place->counters.carried, 5 + 4);
    assert_int_equal(put(place, "third", 6), 0);
    check_next(place, "second", 4);
    check_next(place, "third", 6);
    assert_int_equal(place->counters.dropped_damaged, 5);
    assert_true(tt_spool_is_empty(place->spool));
}

/* Destinations with long names that differ at their end have a spool each. */
static void test_long_names(void **state)
{
    struct place *place = *state;
    const struct tt_spool_config config = {place->directory, 1 << 20, DAY};
    struct tt_spool *other = NULL;
    struct tt_sink_counters counters = {0};
    char name[400], *error = NULL;

    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(tt_spool_open(&config, name, &place->counters, &place->spool, &error), 0);
    name[sizeof(name) - 2] = 'y';
    assert_int_equal(tt_spool_open(&config, name, &counters, &other, &error), 0);
    tt_spool_close(&other, true);
}

/* A destination that is away for long is no reason to read the disk at every try; and the batch that waits
 * makes room, as any other. */
static void test_read_once(void **state)
{
    struct place *place = *state;
    struct tt_spool_batch batch, again;
    _cleanup_free_ char *path = NULL;

    assert_int_equal(open_spool(place, 2 * 4096, DAY), 0);
    assert_int_equal(put(place, "first", 3), 0);
    assert_int_equal(put(place, "second", 4), 0);
    assert_true(tt_spool_oldest(place->spool, &batch));
    path = file_of(place, ".batch", 0);
    assert_int_equal(truncate(path, 0), 0);
    assert_true(tt_spool_oldest(place->spool, &again));
    assert_ptr_equal(again.data, batch.data);
    check_next(place, "first", 3);
    assert_true(tt_spool_oldest(place->spool, &batch));
    assert_int_equal(put(place, "third", 5), 0);
    assert_int_equal(put(place, "fourth", 6), 0);
    assert_int_equal(place->counters.dropped_spool, 4);
    check_next(place, "third", 5);
    check_next(place, "fourth", 6);
}

static void test_others_could_write(void **state)
{
    struct place *place = *state;

    chmod(place->directory, 0777);
    assert_int_equal(open_spool(place, 1 << 20, DAY), -EPERM);
    assert_non_null(strstr(place->error, "others could write"));
}

static void test_gap(void **state)
{
    struct place *place = *state;
    uint64_t now = tt_clock_ns(CLOCK_REALTIME);

    assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
    tt_spool_alive(place->spool, now - 7 * TT_NS_PER_S);
    tt_spool_close(&place->spool, false); /* as after a kill */
    assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
    assert_in_range(place->counters.gap_ms, 7000, 9000);
    tt_spool_close(&place->spool, true);
    assert_int_equal(open_spool(place, 1 << 20, DAY), 0);
    assert_int_equal(place->counters.gap_ms, 0);
}

/* ---- the exporter ------------------------------------------------------------------------------------ */

struct bed {
    struct server server;
    struct tt_exporter *exporter;
    struct tt_otel_resource *resource;
    struct tt_export_stats stats;
    struct tt_export_config config;
};

static void begin(struct bed *bed, unsigned port)
{
    _cleanup_free_ char *spec = tt_format("otlp:http://127.0.0.1:%u", port);
    char *error = NULL;

    assert_int_equal(tt_exporter_new(spec, &bed->config, &bed->exporter, &error), 0);
}

static void prepare(struct bed *bed, const struct place *place)
{
    *bed = (struct bed){.config = {.spool = place->directory,
                                   .queues = {{.delay_ms = 20}, {.delay_ms = 20}},
                                   .otlp = {{.encoding = TT_ENCODING_GZIP, .timeout_ms = 1000}}}};
    bed->resource = fixture_resource("TangoTest", "sys/tg_test/1", "TangoTest/test", 815);
}

static void give(struct bed *bed, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        struct tt_otel_span *span = fixture_real_span(bed->resource, i);

        tt_exporter_span(bed->exporter, span);
        tt_otel_span_put(&span);
    }
}

/* Waits until that many have ended, or are on the disk. */
static void settle(struct bed *bed, uint64_t exported, uint64_t spooled)
{
    uint64_t deadline = server_ms() + 10000;

    do {
        tt_exporter_stats(bed->exporter, &bed->stats);
        if (server_ms() > deadline)
            fail_msg("exported %llu, spooled %llu, waiting %llu", (unsigned long long)bed->stats.exported,
                     (unsigned long long)bed->stats.spooled, (unsigned long long)bed->stats.waiting);
        usleep(2000);
    } while (bed->stats.exported != exported || bed->stats.spooled != spooled || bed->stats.waiting);
}

static void stop(struct bed *bed)
{
    tt_exporter_stop(bed->exporter, 1000);
    tt_exporter_stats(bed->exporter, &bed->stats);
    assert_int_equal(bed->stats.waiting, 0);
    tt_exporter_free(&bed->exporter);
}

/* A port on which nobody listens, for a server that comes later. */
static unsigned free_port(void)
{
    static const struct step none[] = {ANSWER(OK_EMPTY)};
    struct server server;

    server_start(&server, none, 1);
    server_end(&server);
    return server.port;
}

static void test_outage(void **state)
{
    static const struct step ok[] = {ANSWER(OK_EMPTY)};
    unsigned port = free_port();
    struct bed bed;

    prepare(&bed, *state);
    begin(&bed, port);
    for (unsigned i = 0; i < 5; i++) {
        give(&bed, 100 * i, 100);
        settle(&bed, 0, 100 * (i + 1));
    }
    assert_int_equal(bed.stats.dropped_timeout + bed.stats.dropped_refused + bed.stats.dropped_error, 0);
    give(&bed, 500, 50);
    stop(&bed); /* at once: what waits goes to the disk, too */
    assert_int_equal(bed.stats.spooled, 550);
    assert_int_equal(bed.stats.exported, 0);

    begin(&bed, port);
    tt_exporter_stats(bed.exporter, &bed.stats);
    assert_int_equal(bed.stats.carried, 550);
    server_start_at(&bed.server, ok, 1, port);
    give(&bed, 600, 10);
    settle(&bed, 560, 0);
    assert_int_equal(bed.server.spans, 560);
    stop(&bed);
    server_end(&bed.server);
    tt_otel_resource_put(&bed.resource);
}

/* What the receiver does not want is dropped, and not kept for ever; a busy one is left alone meanwhile. */
static void test_answers(void **state)
{
    static const struct step steps[] = {
        ANSWER(STATUS("503 Service Unavailable")), ANSWER(STATUS("400 Bad Request")),
        ANSWER("HTTP/1.1 429 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), ANSWER(OK_EMPTY)};
    struct bed bed;

    prepare(&bed, *state);
    server_start(&bed.server, steps, TT_ARRAY_SIZE(steps));
    begin(&bed, bed.server.port);
    give(&bed, 0, 10);
    do { /* 503: stored; tried again: 400 */
        usleep(2000);
        tt_exporter_stats(bed.exporter, &bed.stats);
    } while (!bed.stats.dropped_refused);
    settle(&bed, 0, 0);
    assert_int_equal(bed.stats.dropped_refused, 10);
    give(&bed, 10, 20);
    settle(&bed, 0, 20); /* 429 */
    give(&bed, 30, 30);
    settle(&bed, 50, 0);
    assert_true(bed.server.times[3] - bed.server.times[2] >= 1000);
    stop(&bed);
    assert_true(bed.stats.retries >= 2); /* of the first batch, and of the second */
    assert_int_equal(bed.stats.durations[TT_OPERATION_STORED].slots[TT_SLOT_COUNT], 2);
    assert_int_equal(bed.stats.durations[TT_OPERATION_REJECTED].slots[TT_SLOT_COUNT], 1);
    assert_true(bed.stats.durations[TT_OPERATION_DONE].slots[TT_SLOT_COUNT] >=
                1); /* what is new waits, or not */
    assert_int_equal(bed.stats.durations[TT_OPERATION_TIMEOUT].slots[TT_SLOT_COUNT], 0);
    server_end(&bed.server);
    tt_otel_resource_put(&bed.resource);
}

/* The rate bounds what comes from the disk, and nothing else. */
static void test_rate(void **state)
{
    static const struct step ok[] = {ANSWER(OK_EMPTY)};
    unsigned port = free_port();
    uint64_t from;
    struct bed bed;

    prepare(&bed, *state);
    bed.config.otlp[0].encoding = TT_ENCODING_NONE;
    bed.config.spool_rate = 200000;
    begin(&bed, port);
    for (unsigned i = 0; i < 3; i++) {
        give(&bed, 100 * i, 100); /* some 93 KB */
        settle(&bed, 0, 100 * (i + 1));
    }
    stop(&bed);
    server_start_at(&bed.server, ok, 1, port);
    from = server_ms();
    begin(&bed, port);
    give(&bed, 300, 1);
    settle(&bed, 301, 0);
    assert_in_range(server_ms() - from, 600, 4000);
    stop(&bed);
    server_end(&bed.server);
    tt_otel_resource_put(&bed.resource);
}

/* Killed in the middle: whatever is on the disk arrives, and the next one knows since when something is
 * missing. */
static void test_killed(void **state)
{
    static const struct step ok[] = {ANSWER(OK_EMPTY)};
    unsigned port = free_port();
    int pipes[2], status;
    uint64_t spooled = 0;
    struct bed bed;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (!pid) {
        prepare(&bed, *state);
        begin(&bed, port);
        for (unsigned i = 0;; i++) {
            give(&bed, 100 * i, 100);
            usleep(1000);
            tt_exporter_stats(bed.exporter, &bed.stats);
            if (bed.stats.spooled < 2000)
                continue;
            if (write(pipes[1], &bed.stats.spooled, sizeof(spooled)) < 0)
                _exit(1);
            pause();
        }
    }
    assert_int_equal(read(pipes[0], &spooled, sizeof(spooled)), sizeof(spooled));
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    close(pipes[0]);
    close(pipes[1]);
    prepare(&bed, *state);
    begin(&bed, port);
    tt_exporter_stats(bed.exporter, &bed.stats);
    assert_true(bed.stats.carried >= spooled);
    assert_true(bed.stats.gap_ms > 0 && bed.stats.gap_ms < 5000);
    server_start_at(&bed.server, ok, 1, port);
    settle(&bed, bed.stats.carried, 0);
    assert_int_equal(bed.server.spans, bed.stats.carried);
    stop(&bed);
    server_end(&bed.server);
    tt_otel_resource_put(&bed.resource);
}

/* No directory to be had: all as without one. */
static void test_unusable(void **state)
{
    static const struct step ok[] = {ANSWER(OK_EMPTY)};
    struct bed bed;

    prepare(&bed, *state);
    bed.config.spool = "/proc/no/such";
    server_start(&bed.server, ok, 1);
    begin(&bed, bed.server.port);
    give(&bed, 0, 10);
    settle(&bed, 10, 0);
    stop(&bed);
    server_end(&bed.server);
    tt_otel_resource_put(&bed.resource);
}

/* What the spool cannot take is lost, and counted. */
static void test_batch_too_large(void **state)
{
    struct bed bed;
    uint64_t deadline = server_ms() + 10000;

    prepare(&bed, *state);
    bed.config.otlp[0].encoding = TT_ENCODING_NONE;
    bed.config.spool_bytes = 4096;
    begin(&bed, free_port());
    give(&bed, 0, 100);
    do {
        usleep(2000);
        tt_exporter_stats(bed.exporter, &bed.stats);
    } while (bed.stats.waiting && server_ms() < deadline);
    assert_int_equal(bed.stats.dropped_spool + bed.stats.spooled, 100);
    assert_true(bed.stats.dropped_spool > 50); /* a few may go first, and fit */
    stop(&bed);
    tt_otel_resource_put(&bed.resource);
}

/* One that a reload took away has the spool until it has ended: its successor gets it then. */
static void test_taken_over(void **state)
{
    unsigned port = free_port();
    struct bed old, new;

    prepare(&old, *state);
    prepare(&new, *state);
    begin(&old, port);
    give(&old, 0, 10);
    settle(&old, 0, 10);
    begin(&new, port);
    tt_exporter_stats(new.exporter, &new.stats);
    assert_int_equal(new.stats.carried, 0);
    stop(&old);
    settle(&new, 0, 10);
    assert_int_equal(new.stats.carried, 10);
    stop(&new);
    tt_otel_resource_put(&old.resource);
    tt_otel_resource_put(&new.resource);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(test_order_and_restart),
        TEST(test_lock),
        TEST(test_size),
        TEST(test_too_large),
        TEST(test_age),
        TEST(test_damage),
        TEST(test_removed),
        TEST(test_names),
        TEST(test_long_names),
        TEST(test_read_once),
        TEST(test_others_could_write),
        TEST(test_gap),
        TEST(test_outage),
        TEST(test_answers),
        TEST(test_rate),
        TEST(test_killed),
        TEST(test_unusable),
        TEST(test_batch_too_large),
        TEST(test_taken_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
