/* SPDX-License-Identifier: GPL-2.0-only */
/* Plans on disk: there and back, the same bytes each time, only for the very file and by the very program,
 * and nothing believed that others could have written. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "assembled.h"
#include "base/cleanup.h"
#include "base/tags.h"
#include "plan/cache.h"

char *__cxa_demangle(const char *mangled, char *buffer, size_t *size, int *status);

static char directory[] = "/tmp/tt-cache-XXXXXX";
static char plans[64], entry[256];
static const char *library; /* libstdc++: every program of ours maps it */

static int set_up(void **state)
{
    Dl_info info;

    assert_non_null(mkdtemp(directory));
    snprintf(plans, sizeof(plans), "%s/cache/plans", directory);
    assert_true(dladdr((void *)__cxa_demangle, &info));
    library = info.dli_fname;
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static struct tt_plan_cache *open_cache(void)
{
    struct tt_plan_cache *cache = NULL;
    char *error = NULL;

    if (tt_plan_cache_open(plans, &cache, &error))
        fail_msg("%s", error);
    return cache;
}

static size_t count_entries(void)
{
    char pattern[80];
    glob_t found;
    size_t count;

    snprintf(pattern, sizeof(pattern), "%s/*", plans);
    count = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
    if (count)
        snprintf(entry, sizeof(entry), "%s", found.gl_pathv[0]);
    globfree(&found);
    return count;
}

/* The one file in the cache. */
static const char *find_entry(void)
{
    assert_int_equal(count_entries(), 1);
    return entry;
}

static struct tt_plan *plan_library(int fd)
{
    struct tt_plan *plan = NULL;
    char *error = NULL;

    assert_int_equal(tt_plan_file(fd, library, &plan, &error), 0);
    assert_true(plan->point_count > 0);
    return plan;
}

static void same(const struct tt_plan *a, const struct tt_plan *b)
{
    _cleanup_(tt_text_free) struct tt_text x = {0}, y = {0};

    tt_plan_encode(a, &x);
    tt_plan_encode(b, &y);
    assert_false(x.failed || y.failed);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    assert_int_equal(a->function_count, b->function_count);
    for (size_t i = 0; i < a->function_count; i++) {
        assert_int_equal(a->functions[i].row, b->functions[i].row);
        assert_string_equal(a->functions[i].symbol, b->functions[i].symbol);
    }
    assert_int_equal(a->point_count, b->point_count);
    for (size_t i = 0; i < a->point_count; i++) {
        assert_int_equal(a->points[i].offset, b->points[i].offset);
        assert_int_equal(a->points[i].length, b->points[i].length);
        assert_memory_equal(a->points[i].bytes, b->points[i].bytes, 16);
        assert_string_equal(a->points[i].text, b->points[i].text);
        assert_memory_equal(&a->points[i].point, &b->points[i].point, sizeof(struct tt_point));
    }
}

/* Of every kind of point: the hand-written functions, and a real libtango where there is one. */
static void every_plan_survives(void **state)
{
    _cleanup_close_ int own = assemble("-Wl,-soname,libomniORB4.so.2"),
                        real = open("/usr/lib/x86_64-linux-gnu/libtango.so", O_RDONLY | O_CLOEXEC);
    const int files[] = {own, real};

    for (size_t i = 0; i < TT_ARRAY_SIZE(files) && files[i] >= 0; i++) {
        _cleanup_(tt_plan_free) struct tt_plan *plan = plan_library(files[i]),
                                               *again = plan_library(files[i]), *found = NULL;
        _cleanup_(tt_text_free) struct tt_text text = {0};

        same(plan, again); /* planned twice: the same to the byte */
        tt_plan_encode(plan, &text);
        assert_int_equal(tt_plan_decode(text.data, text.size, &found), 0);
        same(plan, found);
    }
}

/* Ranges are held against the size of the file that stands before them: another one afterwards is refused. */
static void one_source_is_enough(void **state)
{
    _cleanup_close_ int fd = open(library, O_RDONLY);
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_library(fd), *found = NULL;
    _cleanup_(tt_text_free) struct tt_text text = {0};
    struct tt_tags tags;
    struct tt_tag tag;
    uint8_t source[64];
    size_t size = 0;

    tt_plan_encode(plan, &text);
    tags = tt_tags_of(text.data, text.size);
    while (!size && tt_tags_next(&tags, &tag)) {
        uint64_t file_size = tt_tag_number(&(struct tt_tag){.data = tag.data, .size = 8});

        if (tag.size < 8 || tag.size > sizeof(source) || file_size != plan->source.file_size)
            continue;
        size = tag.size;
        memcpy(source, tag.data, size);
        memcpy(source, &(uint64_t){1}, 8);
    }
    assert_int_not_equal(size, 0);
    tt_tags_put(&text, tag.tag, source, size);
    assert_int_equal(tt_plan_decode(text.data, text.size, &found), -EINVAL);
}

static void there_and_back(void **state)
{
    _cleanup_close_ int fd = open(library, O_RDONLY);
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_library(fd), *found = NULL;
    struct tt_plan_cache *cache = open_cache();

    assert_int_equal(tt_plan_cache_load(cache, fd, library, &found), -ENOENT);
    assert_int_equal(tt_plan_cache_store(cache, plan), 0);
    tt_plan_cache_free(&cache);
    cache = open_cache();
    assert_int_equal(tt_plan_cache_load(cache, fd, library, &found), 0);
    same(plan, found);
    assert_string_equal(found->path, library);
    assert_string_equal(found->version, plan->version);
    tt_plan_cache_free(&cache);
}

static void refused(int fd, int error)
{
    struct tt_plan_cache *cache = open_cache();
    struct tt_plan *found = NULL;

    assert_int_equal(tt_plan_cache_load(cache, fd, library, &found), error);
    assert_null(found);
    tt_plan_cache_free(&cache);
}

static void damaged(void **state)
{
    _cleanup_close_ int fd = open(library, O_RDONLY);
    int file = open(find_entry(), O_RDWR);
    struct stat st;

    fstat(file, &st);
    for (off_t at = 0; at < st.st_size; at++) {
        char byte, wrong;

        assert_int_equal(pread(file, &byte, 1, at), 1);
        wrong = (char)(byte ^ 0x10);
        assert_int_equal(pwrite(file, &wrong, 1, at), 1);
        refused(fd, -EINVAL);
        assert_int_equal(pwrite(file, &byte, 1, at), 1);
    }
    assert_int_equal(ftruncate(file, st.st_size - 1), 0);
    refused(fd, -EINVAL);
    assert_int_equal(ftruncate(file, 10), 0);
    refused(fd, -EINVAL);
    close(file);
}

/* Another build of the agent, with another catalogue or planner: whole, but not for us. */
static void of_another_program(void **state)
{
    _cleanup_close_ int fd = open(library, O_RDONLY), file = -1;
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_library(fd);
    struct tt_plan_cache *cache = open_cache();
    const size_t crc_at = 44, header = 48;
    uint8_t bytes[1 << 16];
    ssize_t size;
    uint32_t crc;

    assert_int_equal(tt_plan_cache_store(cache, plan), 0);
    tt_plan_cache_free(&cache);
    file = open(find_entry(), O_RDWR);
    size = pread(file, bytes, sizeof(bytes), 0);
    assert_true(size > (ssize_t)header && size < (ssize_t)sizeof(bytes));
    bytes[8] ^= 1; /* of the build id of who wrote it */
    crc = (uint32_t)crc32(crc32(0, bytes, crc_at), bytes + header, (uInt)((size_t)size - header));
    memcpy(bytes + crc_at, &crc, sizeof(crc));
    assert_int_equal(pwrite(file, bytes, (size_t)size, 0), size);
    refused(fd, -ENOENT);
    assert_int_equal(unlink(entry), 0);
}

static void written_by_others(void **state)
{
    _cleanup_close_ int fd = open(library, O_RDONLY);
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_library(fd);
    struct tt_plan_cache *cache = open_cache();
    char moved[80];

    assert_int_equal(tt_plan_cache_store(cache, plan), 0);
    tt_plan_cache_free(&cache);
    chmod(find_entry(), 0666);
    refused(fd, -EPERM);
    chmod(entry, 0644);
    snprintf(moved, sizeof(moved), "%s/moved", directory);
    assert_int_equal(rename(entry, moved), 0);
    assert_int_equal(symlink(moved, entry), 0);
    refused(fd, -EPERM);
    unlink(entry);
    assert_int_equal(mkfifo(entry, 0600), 0); /* nor is waited for anything */
    refused(fd, -EPERM);
    unlink(entry);
    if (!geteuid()) {
        assert_int_equal(rename(moved, entry), 0);
        assert_int_equal(chown(entry, 65534, 65534), 0);
        refused(fd, -EPERM);
        unlink(entry);
    }
}

/* A byte that the plan was not made from. */
static off_t unread_byte(const struct tt_plan *plan)
{
    const struct tt_plan_source *source = &plan->source;

    assert_true(source->range_count > 1);
    return (off_t)(source->ranges[0].offset + source->ranges[0].size);
}

static void of_another_file(void **state)
{
    _cleanup_close_ int fd = open(library, O_RDONLY), other = -1;
    char path[80], command[300], byte;
    struct tt_plan *found = NULL;
    struct tt_plan_cache *cache = open_cache();
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_library(fd);
    const off_t behind = (off_t)(plan->points[0].offset + plan->points[0].length),
                end = lseek(fd, 0, SEEK_END);

    assert_int_equal(tt_plan_cache_store(cache, plan), 0);
    /* A copy with the same build id and size, and other code. */
    snprintf(path, sizeof(path), "%s/changed.so", directory);
    snprintf(command, sizeof(command), "cp %s %s", library, path);
    assert_int_equal(system(command), 0);
    other = open(path, O_RDWR);
    assert_int_equal(tt_plan_cache_load(cache, other, path, &found), 0);
    tt_plan_free(&found);
    assert_int_equal(pread(other, &byte, 1, behind), 1); /* no byte of a point: an exit could be there now */
    assert_int_equal(pwrite(other, "\xc3", 1, behind), 1);
    assert_true(byte != '\xc3');
    assert_int_equal(tt_plan_cache_load(cache, other, path, &found), -ENOENT);
    assert_int_equal(pwrite(other, &byte, 1, behind), 1);
    /* Other data, which the planner never saw. */
    assert_int_equal(pread(other, &byte, 1, unread_byte(plan)), 1);
    byte ^= 1;
    assert_int_equal(pwrite(other, &byte, 1, unread_byte(plan)), 1);
    assert_int_equal(tt_plan_cache_load(cache, other, path, &found), 0);
    tt_plan_free(&found);
    /* Another size: another entry, beside the first. */
    assert_int_equal(ftruncate(other, end + 1), 0);
    assert_int_equal(tt_plan_cache_load(cache, other, path, &found), -ENOENT);
    found = plan_library(other);
    assert_int_equal(tt_plan_cache_store(cache, found), 0);
    tt_plan_free(&found);
    assert_int_equal(count_entries(), 2);
    assert_int_equal(tt_plan_cache_load(cache, fd, library, &found), 0);
    tt_plan_free(&found);
    /* No build id: not kept. */
    plan->build_id_size = 0;
    assert_int_equal(tt_plan_cache_store(cache, plan), -ENODATA);
    tt_plan_cache_free(&cache);
}

static void make_entry(const char *name, off_t size, time_t used)
{
    const struct timespec times[2] = {{.tv_sec = used}, {.tv_sec = used}};
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", plans, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0 && !ftruncate(fd, size) && !futimens(fd, times));
    close(fd);
}

static bool is_there(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", plans, name);
    return !access(path, F_OK);
}

/* The longest unused go first; what is used stays, and so does what is not ours. */
static void bounded(void **state)
{
    _cleanup_close_ int fd = open(library, O_RDONLY);
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_library(fd), *found = NULL;
    struct tt_plan_cache *cache = open_cache();
    const size_t more = 10;
    char name[32];

    assert_int_equal(count_entries(), 2); /* of before */
    for (size_t i = 0; i < TT_PLAN_CACHE_ENTRIES + more; i++) {
        snprintf(name, sizeof(name), "%04zu.plan", i);
        make_entry(name, 100, 1000000 + (time_t)i);
    }
    make_entry("README", 100, 1);
    assert_int_equal(tt_plan_cache_store(cache, plan), 0);
    assert_int_equal(count_entries(), TT_PLAN_CACHE_ENTRIES + 1);
    assert_true(is_there("README") && !is_there("0011.plan") && is_there("0012.plan"));
    assert_int_equal(tt_plan_cache_load(cache, fd, library, &found), 0);

    make_entry("large.plan", TT_PLAN_CACHE_BYTES - (1 << 20), 2000000);
    make_entry("larger.plan", 1 << 20, 3000000);
    assert_int_equal(tt_plan_cache_store(cache, plan), 0);
    assert_true(!is_there("0137.plan") && !is_there("large.plan") && is_there("larger.plan"));
    assert_int_equal(count_entries(), 4); /* README, larger, and of before */
    tt_plan_cache_free(&cache);
}

/* Another agent is writing: not waited for. What one left that was killed there is no obstacle. */
static void two_agents(void **state)
{
    _cleanup_close_ int fd = open(library, O_RDONLY), busy = open(plans, O_RDONLY | O_DIRECTORY);
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_library(fd);
    struct tt_plan_cache *cache = open_cache();

    assert_int_equal(flock(busy, LOCK_EX), 0);
    assert_int_equal(tt_plan_cache_store(cache, plan), -EBUSY);
    assert_int_equal(flock(busy, LOCK_UN), 0);
    make_entry("new.tmp", 5, 1);
    assert_int_equal(tt_plan_cache_store(cache, plan), 0);
    assert_false(is_there("new.tmp"));
    tt_plan_cache_free(&cache);
}

static void open_directories(void **state)
{
    struct tt_plan_cache *cache = NULL;
    char link[80], *error = NULL;

    chmod(plans, 0775);
    assert_int_equal(tt_plan_cache_open(plans, &cache, &error), -EPERM);
    assert_non_null(strstr(error, "others could write"));
    free(error);
    chmod(plans, 0755);
    snprintf(link, sizeof(link), "%s/link", directory);
    assert_int_equal(symlink(plans, link), 0);
    assert_int_not_equal(tt_plan_cache_open(link, &cache, &error), 0);
    free(error);
    assert_int_equal(tt_plan_cache_open("/proc/nothing/here", &cache, &error), -ENOENT);
    free(error);
    assert_null(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plan_survives), cmocka_unit_test(one_source_is_enough),
        cmocka_unit_test(there_and_back),      cmocka_unit_test(damaged),
        cmocka_unit_test(of_another_program),  cmocka_unit_test(written_by_others),
        cmocka_unit_test(of_another_file),     cmocka_unit_test(bounded),
        cmocka_unit_test(two_agents),          cmocka_unit_test(open_directories),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
