/* SPDX-License-Identifier: GPL-2.0-only */
/* The file of recordings: what is written is read, damage is found, nothing waits for a slow disk. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "collect/recording.h"

static char directory[] = "/tmp/tt-recording-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    tt_log_set_level(TT_LOG_ERROR);
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/x.ttr", directory);
    return 0;
}

static int tear_down(void **state)
{
    unlink(path);
    return rmdir(directory);
}

static struct tt_recording_writer *create(size_t buffer)
{
    struct tt_recording_writer *writer = NULL;
    char *error = NULL;

    if (tt_recording_create(path, buffer, &writer, &error))
        fail_msg("%s", error);
    return writer;
}

static size_t write_some(void)
{
    struct tt_recording_writer *writer = create(0);
    struct stat st;

    for (unsigned i = 0; i < 5; i++)
        assert_true(tt_recording_put(writer, TT_RECORD_EVENT, "0123456789abcdefghij", 13 + i));
    assert_true(tt_recording_put(writer, (enum tt_record_type)200, "later", 5));
    assert_true(tt_recording_put(writer, TT_RECORD_END, "", 0));
    assert_int_equal(tt_recording_close(writer, 5000), 0);
    tt_recording_writer_free(&writer);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    return (size_t)st.st_size;
}

static void what_is_written_is_read(void **state)
{
    struct tt_recording_reader *reader = NULL;
    size_t size = write_some();
    struct tt_record record;
    uint64_t rest;
    char *error;

    assert_int_equal(tt_recording_open(path, &reader, &error), 0);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(tt_recording_next(reader, &record));
        assert_int_equal(record.type, TT_RECORD_EVENT);
        assert_int_equal(record.size, 13 + i);
        assert_memory_equal(record.data, "0123456789abcdefghij", record.size);
        assert_int_equal((uintptr_t)record.data % 8, 0);
    }
    assert_true(tt_recording_next(reader, &record));
    assert_int_equal(record.type, 200);
    assert_true(tt_recording_next(reader, &record));
    assert_false(tt_recording_next(reader, &record));
    assert_null(tt_recording_damage(reader, &rest));
    assert_int_equal(rest, 0);
    assert_int_equal(tt_recording_bytes(reader), size);
    tt_recording_reader_free(&reader);
}

/* Records that a file of these bytes gives; -1: it is refused. Sums are checked. */
static int count_records(const uint8_t *data, size_t size, bool whole)
{
    struct tt_recording_reader *reader = NULL;
    _cleanup_free_ char *error = NULL;
    struct tt_record record;
    uint64_t rest;
    FILE *file = tmpfile();
    int count = 0;

    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fflush(file), 0);
    assert_int_equal(lseek(fileno(file), 0, SEEK_SET), 0);
    if (!tt_recording_open_fd(dup(fileno(file)), "it", &reader, &error)) {
        while (tt_recording_next(reader, &record))
            count++;
        assert_int_equal(tt_recording_damage(reader, &rest) == NULL, whole);
        assert_int_equal(tt_recording_bytes(reader) + rest, size);
    } else {
        assert_non_null(error);
        count = -1;
    }
    tt_recording_reader_free(&reader);
    fclose(file);
    return count;
}

static void damage_ends_it(void **state)
{
    size_t size = write_some(), got;
    uint8_t data[1024];
    FILE *file = fopen(path, "r");
    int last = -1;

    assert_true(size + 16 < sizeof(data));
    got = fread(data, 1, sizeof(data), file);
    fclose(file);
    assert_int_equal(got, size);
    for (size_t n = 0; n <= size; n++) {
        int count = count_records(data, n, n == size);

        assert_true(count >= last && count <= 7);
        last = count;
    }
    assert_int_equal(last, 7);
    for (size_t i = 0; i < size; i++) {
        data[i] ^= 0x40;
        assert_true(count_records(data, size, false) < 7);
        data[i] ^= 0x40;
    }
    memcpy(data + size, "and more", 8);
    assert_int_equal(count_records(data, size + 8, false), 7);
}

static void other_files_stay(void **state)
{
    struct tt_recording_writer *writer = NULL;
    FILE *file = fopen(path, "w");
    char link[80], *error = NULL;

    fputs("my thesis", file);
    fclose(file);
    assert_int_equal(tt_recording_create(path, 0, &writer, &error), -EEXIST);
    assert_non_null(strstr(error, "is no recording"));
    free(error);
    unlink(path);
    snprintf(link, sizeof(link), "%s/link", directory);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(tt_recording_create(link, 0, &writer, &error), -ELOOP);
    free(error);
    unlink(link);
    assert_int_equal(tt_recording_create("/nonexistent/x", 0, &writer, &error), -ENOENT);
    free(error);
    write_some();
    write_some(); /* a recording is replaced */
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void a_slow_disk_is_not_waited_for(void **state)
{
    static const char event[2000];
    struct tt_recording_writer *writer;
    struct tt_recording_reader *reader = NULL;
    struct tt_recording_stats stats;
    struct tt_record record;
    uint64_t events = 0, gone = 0, count;
    double start;
    char *error;
    int pipe;

    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    pipe = open(path, O_RDONLY | O_NONBLOCK);
    writer = create(1 << 20);
    start = now();
    for (unsigned i = 0; i < 3000; i++)
        tt_recording_put(writer, TT_RECORD_EVENT, event, sizeof(event));
    assert_true(
        tt_recording_put(writer, TT_RECORD_TICK, event, 8)); /* there is room for what must not be lost */
    assert_true(now() - start < 2);
    tt_recording_writer_stats(writer, &stats);
    assert_true(stats.dropped > 2000 && stats.events > 100);
    assert_int_equal(stats.dropped + stats.events, 3000);
    fcntl(pipe, F_SETFL, 0);
    assert_int_equal(tt_recording_open_fd(pipe, "pipe", &reader, &error), 0);
    while (events + gone < 3000 && tt_recording_next(reader, &record)) {
        events += record.type == TT_RECORD_EVENT;
        if (record.type == TT_RECORD_DROPPED) {
            memcpy(&count, record.data, sizeof(count));
            gone += count;
        }
    }
    assert_int_equal(events, stats.events);
    assert_int_equal(events + gone, 3000);
    tt_recording_writer_free(&writer);
    tt_recording_reader_free(&reader);
    unlink(path);
}

static void a_dead_disk_ends_in_time(void **state)
{
    static const char event[2000];
    struct tt_recording_writer *writer;
    double start;
    int pipe;

    assert_int_equal(mkfifo(path, 0600), 0);
    pipe = open(path, O_RDONLY | O_NONBLOCK);
    writer = create(1 << 20);
    for (unsigned i = 0; i < 300; i++)
        tt_recording_put(writer, TT_RECORD_EVENT, event, sizeof(event));
    start = now();
    assert_int_equal(tt_recording_close(writer, 200), -ETIMEDOUT);
    assert_true(now() - start < 2);
    tt_recording_writer_free(&writer);
    close(pipe);
    unlink(path);
}

static void a_full_disk_is_said_once(void **state)
{
    struct tt_recording_writer *writer = NULL;
    struct tt_recording_stats stats;
    char *error = NULL;

    tt_log_set_level(TT_LOG_ERROR);
    assert_int_equal(tt_recording_create("/dev/full", 0, &writer, &error), 0);
    assert_int_equal(tt_recording_close(writer, 1000), -ENOSPC);
    assert_false(tt_recording_put(writer, TT_RECORD_EVENT, "x", 1));
    tt_recording_writer_stats(writer, &stats);
    assert_int_equal(stats.error, -ENOSPC);
    assert_int_equal(stats.dropped, 1);
    tt_recording_writer_free(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),  cmocka_unit_test(damage_ends_it),
        cmocka_unit_test(other_files_stay),         cmocka_unit_test(a_slow_disk_is_not_waited_for),
        cmocka_unit_test(a_dead_disk_ends_in_time), cmocka_unit_test(a_full_disk_is_said_once),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
