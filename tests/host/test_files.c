/* SPDX-License-Identifier: GPL-2.0-only */
/* test_files.c: the table of probed files (root: its points go to the kernel). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/file.h"
#include "base/cleanup.h"

/* Two functions that can be probed, in a file whose copies the test looks at: its own. */
#define FUNCTION(name)                                                                                       \
    __asm__(                                                                                                 \
        ".text\n.globl " name "\n.type " name ", @function\n" name ":\n\t.cfi_startproc\n\tpush %rbx\n"      \
        "\t.cfi_def_cfa_offset 16\n\tmov %rdi, %rbx\n\tnop\n\tpop %rbx\n\t.cfi_def_cfa_offset 8\n\tnop\n"    \
        "\tret\n\t.cfi_endproc\n.size " name ", .-" name "\n")
FUNCTION("probed_first");
FUNCTION("probed_second");

static struct tt_host *host;
static struct tt_files files;
static struct tt_plan_counts counts;
static char folder[64];

static int setup(void **state)
{
    static const char *const texts[] = {"function=probed_first; file=*/first/*",
                                        "function=probed_second; file=*/second/*"};
    const struct tt_host_config config = {.ring_size = 1 << 16};

    assert_int_equal(tt_host_new(&config, &host), 0);
    pthread_mutex_init(&files.lock, NULL);
    assert_int_equal(tt_probes_new(texts, TT_ARRAY_SIZE(texts), &files.probes), 0);
    strcpy(folder, "/tmp/tt-copies-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {
        "first/copy", "first/again", "second/copy", "second/link", "first", "second", ""};
    char path[128];

    tt_files_clear(&files);
    tt_probes_free(&files.probes);
    tt_host_free(&host);
    for (size_t i = 0; i < TT_ARRAY_SIZE(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        remove(path);
    }
    return 0;
}

static void copy_self(const char *name)
{
    _cleanup_close_ int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to = -1;
    char path[128];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    *strrchr(path, '/') = '\0';
    mkdir(path, 0700);
    path[strlen(path)] = '/';
    to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_int_equal(fstat(from, &st), 0);
    for (off_t left = st.st_size; left;) {
        ssize_t n = sendfile(to, from, NULL, (size_t)left);

        assert_true(n > 0);
        left -= n;
    }
}

/* The plan of the user's probes in that file, which names exactly one function. */
static const struct tt_planned *planned(const char *name, const char *function)
{
    struct tt_file *file = NULL;
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(tt_files_get(&files, host, fd, path, NULL, true, &file, &counts), 0);
    assert_non_null(file->planned);
    assert_int_equal(file->planned->plan->function_count, 1);
    assert_string_equal(file->planned->plan->functions[0].symbol, function);
    assert_true(file->planned->plan->functions[0].count > 0);
    return file->planned;
}

/* Copies of one file share a plan where the same probes look into them, and only there. */
static void probes_of_copies_depend_on_the_path(void **state)
{
    char path[128], name[128];
    const struct tt_planned *first;

    copy_self("first/copy");
    copy_self("first/again");
    copy_self("second/copy");
    first = planned("first/copy", "probed_first");
    assert_ptr_equal(planned("first/again", "probed_first"), first);
    assert_ptr_not_equal(planned("second/copy", "probed_second"), first);
    /* The very file under another name. */
    snprintf(path, sizeof(path), "%s/first/copy", folder);
    snprintf(name, sizeof(name), "%s/second/link", folder);
    assert_int_equal(link(path, name), 0);
    planned("second/link", "probed_second");
    assert_ptr_equal(planned("first/copy", "probed_first"), first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_of_copies_depend_on_the_path),
    };

    return cmocka_run_group_tests_name("files", tests, setup, teardown);
}
