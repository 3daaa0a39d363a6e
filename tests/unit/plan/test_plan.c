/* SPDX-License-Identifier: GPL-2.0-only */
/* Whole plans: of the hand-written functions, of what is installed here, of damaged files. */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "assembled.h"
#include "base/cleanup.h"
#include "plan/plan.h"

#define ASSEMBLED "-Wl,-soname,libomniORB4.so.2"

static struct tt_plan *plan_of(int fd, const char *path)
{
    _cleanup_free_ char *error = NULL;
    struct tt_plan *plan = NULL;

    if (tt_plan_file(fd, path, &plan, &error) < 0)
        fail_msg("%s", error ? error : path);
    return plan;
}

static const struct tt_plan_function *function_of(const struct tt_plan *plan, const char *signature)
{
    for (size_t i = 0; i < plan->function_count; i++) {
        if (!strcmp(plan->functions[i].signature, signature))
            return &plan->functions[i];
    }
    fail_msg("no function %s", signature);
    return NULL;
}

static const struct tt_point *point_of(const struct tt_plan *plan, const struct tt_plan_function *function,
                                       size_t i)
{
    assert_true(i < function->count);
    assert_int_equal(plan->points[function->first + i].function, function - plan->functions);
    return &plan->points[function->first + i].point;
}

/* What must hold for every plan. */
static void check_plan(const struct tt_plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->point_count; i++) {
        const struct tt_plan_point *point = &plan->points[i];

        assert_int_equal(point->point.function, plan->functions[point->function].row);
        assert_true(point->point.cfa_reg <= TT_REG_R15);
        assert_true(point->length && point->length <= sizeof(point->bytes));
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(plan->points[j].offset, point->offset);
    }
    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_plan_function *function = &plan->functions[i];

        count += function->count;
        assert_true(function->count || function->refused);
        if (function->count) /* of one that only returns something its exit is enough */
            assert_int_equal(point_of(plan, function, 0)->kind == TT_POINT_EXIT,
                             tt_rows[function->row].role == TT_ROLE_TOPIC);
        for (size_t j = 1; j < function->count; j++)
            assert_int_equal(point_of(plan, function, j)->kind, TT_POINT_EXIT);
    }
    assert_int_equal(count, plan->point_count);
}

/* ---- hand-written --------------------------------------------------------------------------------- */

static void rows_become_points(void **state)
{
    static const char read5[] = "Tango::Device_5Impl::read_attributes_5(Tango::DevVarStringArray const&, "
                                "Tango::DevSource, Tango::ClntIdent const&)";
    _cleanup_close_ int fd = assemble(ASSEMBLED);
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_of(fd, "assembled");
    const struct tt_plan_function *function = function_of(plan, read5);
    const struct tt_point *point = point_of(plan, function, 0);

    check_plan(plan);
    assert_true(plan->library[TT_LIBRARY_TANGO] && plan->library[TT_LIBRARY_OMNIORB] &&
                plan->library[TT_LIBRARY_CXXABI]);
    assert_string_equal(plan->version, "4.2");
    assert_int_equal(point->kind, TT_POINT_ENTER);
    assert_int_equal(point->captures, 5);
    assert_int_equal(point->capture[1].field, TT_FIELD_CLASS); /* *(this + 136) + 8 */
    assert_int_equal(point->capture[1].reg, TT_REG_RDI);
    assert_int_equal(point->capture[1].derefs, 1);
    assert_int_equal(point->capture[1].off[0], 136);
    assert_int_equal(point->capture[1].off[1], 8);
    assert_int_equal(point->capture[3].kind, TT_CAPTURE_VALUE);
    assert_int_equal(point->capture[3].reg, TT_REG_RDX);

    point = point_of(plan, function, 1);
    assert_int_equal(point->condition, 5); /* je leads on: out where Z is clear */
    assert_int_equal(point->captures, 1);
    assert_int_equal(point->capture[0].kind, TT_CAPTURE_ATTR_ERRORS_SEQ);
    assert_int_equal(point->capture[0].reg, TT_REG_R12);
    assert_int_equal(point->capture[0].aux, 80);
    assert_int_equal(point->capture[0].aux2, 104);
    assert_int_equal(point->capture[0].aux3, 56);

    function = function_of(plan, "omni::GIOP_C::ReceiveReply()");
    assert_int_equal(function->count, 1);
    assert_int_equal(point_of(plan, function, 0)->kind, TT_POINT_REQUEST);
    assert_int_equal(point_of(plan, function, 0)->giop.stream_id, 0xb0);

    function = function_of(plan, "Tango::DeviceProxy::read_attribute(std::string&)");
    point = point_of(plan, function, 0); /* the result in memory comes first: this in rsi, the name in rdx */
    assert_int_equal(point->capture[0].reg, TT_REG_RSI);
    assert_int_equal(point->capture[0].off[0], 512);
    assert_int_equal(point->capture[1].reg, TT_REG_RDX);

    function = function_of(plan, "Tango::DeviceProxy::name()");
    point = point_of(plan, function, 0); /* in a loop: says so */
    assert_int_equal(point->condition, TT_COND_AGAIN);
    assert_true(plan->points[function->first].emulated);
    assert_int_equal(point->cfa_off, 32);
    assert_int_equal(point->capture[0].reg, TT_REG_RSI);

    function = function_of(plan, "Tango::Connection::Cb_ReadAttr_Request(CORBA::Request*, Tango::CallBack*)");
    point = point_of(plan, function, 0); /* behind what it asks its request */
    assert_int_equal(function->count, 2);
    assert_true(plan->points[function->first].emulated && plan->points[function->first].is_call);
    assert_int_equal(point->captures, 1); /* of `this` nothing is left but what the callee could write to */
    assert_int_equal(point->capture[0].field, TT_FIELD_DESCRIPTOR);
    assert_int_equal(point->capture[0].reg, TT_REG_RBX);

    function = function_of(plan, "omni::omni_is_a_CallDesc::lcfn(omniCallDescriptor*, omniServant*)");
    assert_int_equal(function->count, 2); /* called seldom: both are stepped */
    assert_false(plan->points[function->first].emulated || plan->points[function->first + 1].emulated);
}

static void arguments_on_the_stack_are_found(void **state)
{
    _cleanup_close_ int fd = assemble(ASSEMBLED);
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_of(fd, "assembled");
    const struct tt_point *point = NULL;

    for (size_t i = 0; i < plan->function_count; i++)
        if (tt_rows[plan->functions[i].row].role == TT_ROLE_PUSH)
            point = point_of(plan, &plan->functions[i], 0);
    assert_non_null(point);
    assert_int_equal(point->cfa_off, 8);
    assert_int_equal(point->captures, 6);
    /* behind the return address: the seventh at 8, so that the eighth, a reference, .. */
    assert_int_equal(point->capture[3].field, TT_FIELD_DIMENSIONS);
    assert_int_equal(point->capture[3].reg, TT_REG_RSP);
    assert_int_equal(point->capture[3].off[0], 16);
    assert_int_equal(point->capture[3].off[1], 24); /* .. to what has a pointer there, .. */
    assert_int_equal(point->capture[3].off[2], 64); /* .. is that */
    assert_int_equal(point->capture[4].field, TT_FIELD_ATTRIBUTE);
    assert_int_equal(point->capture[4].off[0], 24);
    assert_int_equal(point->capture[4].derefs, 1);
    assert_int_equal(point->capture[5].off[0], 32);
}

static void what_cannot_be_told_is_refused(void **state)
{
    _cleanup_close_ int fd = assemble(ASSEMBLED);
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_of(fd, "assembled");
    const struct tt_plan_function *function = function_of(
        plan, "Tango::Device_2Impl::read_attributes_2(Tango::DevVarStringArray const&, Tango::DevSource)");

    assert_int_equal(function->count, 0); /* the method would have two spans */
    assert_non_null(strstr(function->refused, "reached again by a jump"));

    function = function_of(plan, "omniCallHandle::upcall(omniServant*, omniCallDescriptor&)");
    assert_int_equal(function->count, 0);
    assert_non_null(strstr(function->refused, "overwritten before it"));
}

/* The linker may find two functions to be the same: one of them has the points, whose calls are both. */
static void one_code_has_one_plan(void **state)
{
    _cleanup_close_ int fd = assemble(ASSEMBLED);
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_of(fd, "assembled");
    const struct tt_plan_function *one = function_of(plan, "Tango::DeviceProxy::info()"),
                                  *other = function_of(plan, "Tango::DeviceProxy::black_box(int)"),
                                  *first = one->count ? one : other;

    assert_non_null(strstr((one->count ? other : one)->refused, "same code as"));
    assert_int_equal(one->count + other->count, 2);
    /* both ways of its branch lead out: whatever the flags say */
    assert_int_equal(point_of(plan, first, 1)->condition, TT_COND_ALWAYS);
    assert_int_equal(plan->points[first->first + 1].is_call, false);
}

static void unknown_orb_gives_no_keys(void **state)
{
    _cleanup_close_ int fd = assemble("-Wl,-soname,libmine.so.2");
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_of(fd, "assembled");
    const struct tt_plan_function *function = function_of(plan, "omni::GIOP_C::ReceiveReply()");

    assert_null(plan->omni);
    assert_int_equal(function->count, 0);
    assert_non_null(strstr(function->refused, "omniORB version"));
}

/* A version that is not known has objects that are not known, whatever its number begins with. */
static void names_tell_versions(void **state)
{
    _cleanup_close_ int fd = assemble(ASSEMBLED), other = assemble("-Wl,-soname,libomniORB4.so.29"),
                        nameless = assemble("");
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_of(fd, "/usr/lib/libomniORB4.so.2.5"),
                                           *unknown = plan_of(other, "/usr/lib/libomniORB4.so.29"),
                                           *by_path = plan_of(nameless, "/usr/lib/libomniORB4.so.2.5");

    assert_string_equal(plan->version, "4.2.5"); /* more than the soname */
    assert_non_null(plan->omni);
    assert_null(unknown->omni);
    assert_non_null(by_path->omni);
}

static void plans_are_the_same_every_time(void **state)
{
    _cleanup_close_ int fd = assemble(ASSEMBLED);
    _cleanup_(tt_plan_free) struct tt_plan *a = plan_of(fd, "a"), *b = plan_of(fd, "a");

    assert_int_equal(a->point_count, b->point_count);
    assert_memory_equal(a->points, b->points, a->point_count * sizeof(*a->points));
}

/* ---- damaged files -------------------------------------------------------------------------------- */

static int plan_bytes(const uint8_t *bytes, size_t size, char **error)
{
    _cleanup_close_ int fd = memfd_create("elf", MFD_CLOEXEC);
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    int r;

    assert_true(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    r = tt_plan_file(fd, "damaged", &plan, error);
    if (r == 0)
        check_plan(plan);
    return r;
}

static void damage_is_told(void **state)
{
    static const uint8_t text[] =
        "#!/bin/sh\nexit 0 # long enough for a header, but none, as one can see here\n";
    _cleanup_free_ char *error = NULL;

    assert_int_equal(plan_bytes(NULL, 0, &error), -EINVAL);
    assert_string_equal(error, "damaged: shorter than an ELF header");
    free(error);
    assert_int_equal(plan_bytes(text, sizeof(text), &error), -EINVAL);
    assert_string_equal(error, "damaged: not an ELF file");
}

static void any_truncation_and_any_wrong_byte_is_survived(void **state)
{
    _cleanup_close_ int fd = assemble(ASSEMBLED);
    uint8_t bytes[1 << 16];
    ssize_t size = pread(fd, bytes, sizeof(bytes), 0);

    assert_true(size > 0 && size < (ssize_t)sizeof(bytes));
    for (ssize_t i = 0; i < size; i += 97) {
        _cleanup_free_ char *error = NULL, *other = NULL;
        uint8_t kept = bytes[i];
        int r = plan_bytes(bytes, (size_t)i, &error);

        assert_true(r == 0 || r == -ENOENT || error);
        bytes[i] ^= 0xff;
        plan_bytes(bytes, (size_t)size, &other);
        bytes[i] = kept;
    }
}

static void files_without_our_functions_are_told_apart(void **state)
{
    _cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int none = open("/bin/true", O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int directory = open("/", O_RDONLY | O_CLOEXEC);
    bool holds[TT_HOLDS] = {true, true, true};
    _cleanup_free_ char *error = NULL;
    struct tt_plan *plan = NULL;

    assert_true(fd >= 0);
    assert_int_equal(tt_plan_file(none, "/bin/true", &plan, &error), -ENOENT);
    assert_null(error);
    assert_int_equal(tt_plan_probe(NULL, none, "", holds), 0);
    assert_false(holds[TT_LIBRARY_TANGO] || holds[TT_LIBRARY_OMNIORB] || holds[TT_LIBRARY_CXXABI]);
    assert_int_equal(tt_plan_file(directory, "/", &plan, &error), -EINVAL);
    assert_string_equal(error, "/: not a regular file");
}

/* ---- what is installed here ----------------------------------------------------------------------- */

/* First file that fits, or a skip (a failure where nothing may be missing). */
static char *installed(const char *pattern)
{
    char *path = NULL;
    glob_t found;

    if (!glob(pattern, 0, NULL, &found) && found.gl_pathc)
        path = strdup(found.gl_pathv[0]);
    globfree(&found);
    if (!path && getenv("CI"))
        fail_msg("%s is not installed", pattern);
    if (!path)
        skip();
    return path;
}

/* The points' addresses have to be instructions to objdump, too; `seen` counts them. */
static size_t count_in_objdump(const struct tt_plan *plan, const char *path)
{
    char command[4096], line[512], *end;
    size_t seen = 0;
    FILE *out;

    snprintf(command, sizeof(command), "objdump -d --no-show-raw-insn '%s'", path);
    out = popen(command, "r");
    assert_non_null(out);
    while (fgets(line, sizeof(line), out)) {
        uint64_t address = strtoull(line, &end, 16);

        if (*end != ':')
            continue;
        for (size_t i = 0; i < plan->point_count; i++) {
            const char *what = end + strspn(end, ": \t");

            if (plan->points[i].address != address)
                continue;
            seen++;
            if (plan->points[i].emulated && strncmp(what, "push", 4) && *what != 'j' &&
                strncmp(what, "call", 4) && strncmp(what, "nop", 3))
                fail_msg("0x%llx is not emulated: %s", (unsigned long long)address, what);
        }
    }
    assert_int_equal(pclose(out), 0);
    return seen;
}

static struct tt_plan *plan_installed(const char *pattern)
{
    _cleanup_free_ char *path = installed(pattern);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct tt_plan *plan = plan_of(fd, path);

    check_plan(plan);
    assert_non_null(plan->version);
    assert_true(plan->build_id_size >= 8);
    assert_int_equal(count_in_objdump(plan, path), plan->point_count);
    return plan;
}

static void libtango_is_covered(void **state)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_installed(
        "/usr/lib/x86_64-linux-gnu/libtango.so.*.*.*");
    bool old = !strncmp(plan->version, "9.", 2);

    assert_non_null(plan->layout);
    assert_true(plan->function_count >= 60);
    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_plan_function *function = &plan->functions[i];

        /* the one known gap of 9.x: command_inout_4 ends in an indirect jump to command_inout_2 */
        if (old && strstr(function->symbol, "command_inout_4")) {
            assert_true(function->entry_only);
            assert_int_equal(function->count, 1);
        } else if (tt_rows[function->row].inner) { /* its substitute is covered */
            assert_int_equal(function->count, 0);
            assert_non_null(strstr(function->refused, tt_rows[function->row].substitute));
        } else if (function->refused && (!strcmp(plan->version, "9.3.4") || !function->count)) {
            fail_msg("%s: %s", function->signature, function->refused);
        }
        if (function->note && old)
            assert_null(strstr(function->note, "not captured"));
    }
    for (size_t i = 0; old && i < plan->point_count; i++)
        assert_true(plan->points[i].emulated || tt_rows[plan->points[i].point.function].seldom);
}

static void libomniorb_is_covered(void **state)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_installed(
        "/usr/lib/x86_64-linux-gnu/libomniORB4.so.*.*");

    assert_non_null(plan->omni);
    assert_int_equal(plan->function_count, 8);
    for (size_t i = 0; i < plan->function_count; i++)
        assert_null(plan->functions[i].refused);
}

static void libstdcxx_is_covered(void **state)
{
    _cleanup_(tt_plan_free) struct tt_plan *plan = plan_installed(
        "/usr/lib/x86_64-linux-gnu/libstdc++.so.*.*.*");

    assert_int_equal(plan->point_count, 1);
    assert_true(plan->points[0].emulated);
    assert_int_equal(plan->points[0].point.kind, TT_POINT_CATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_points),
        cmocka_unit_test(arguments_on_the_stack_are_found),
        cmocka_unit_test(what_cannot_be_told_is_refused),
        cmocka_unit_test(one_code_has_one_plan),
        cmocka_unit_test(unknown_orb_gives_no_keys),
        cmocka_unit_test(names_tell_versions),
        cmocka_unit_test(plans_are_the_same_every_time),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(any_truncation_and_any_wrong_byte_is_survived),
        cmocka_unit_test(files_without_our_functions_are_told_apart),
        cmocka_unit_test(libtango_is_covered),
        cmocka_unit_test(libomniorb_is_covered),
        cmocka_unit_test(libstdcxx_is_covered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
