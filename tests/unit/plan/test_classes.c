/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device classes found in stripped servers, linked in all the ways there are: what the plan says is compared,
 * by address, with the symbols of the same file before it was stripped.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "plan/classes.h"
#include "plan/plan.h"
#include "plan/source.h"

#define ALTERNATIVES 3

/* A function that is to be found: one of these, by their names before stripping. */
struct wanted {
    const char *row;
    bool optional; /* its body may leave no place for a point: then the plan has to say so */
    const char *function[ALTERNATIVES];
};

static const struct wanted wanted[] = {
    /* a compiler that sees the device's method may make it part of the attribute's */
    {"{class}.read_{attribute}",
     false,
     {"Pogo_ns::Pogo::read_level(Tango::Attribute&)",
      "Pogo_ns::levelAttrib::read(Tango::DeviceImpl*, Tango::Attribute&)"}},
    {"{class}.read_{attribute}",
     false,
     {"Pogo_ns::Pogo::read_dynamic(Tango::Attribute&)",
      "Pogo_ns::dynamicAttrib::read(Tango::DeviceImpl*, Tango::Attribute&)"}},
    {"{class}.read_{attribute}",
     false,
     {"(anonymous namespace)::HandAttr::read(Tango::DeviceImpl*, Tango::Attribute&)"}},
    {"{class}.write_{attribute}",
     false,
     {"Pogo_ns::Pogo::write_level(Tango::WAttribute&)",
      "Pogo_ns::levelAttrib::write(Tango::DeviceImpl*, Tango::WAttribute&)"}},
    {"{class}.is_{attribute}_allowed",
     true,
     {"Pogo_ns::Pogo::is_level_allowed(Tango::AttReqType)",
      "Pogo_ns::levelAttrib::is_allowed(Tango::DeviceImpl*, Tango::AttReqType)"}},
    {"{class}.is_{attribute}_allowed",
     true,
     {"Pogo_ns::Pogo::is_dynamic_allowed(Tango::AttReqType)",
      "Pogo_ns::dynamicAttrib::is_allowed(Tango::DeviceImpl*, Tango::AttReqType)"}},
    {"{class}.is_{attribute}_allowed",
     true,
     {"Pogo_ns::upperAttrib::is_allowed(Tango::DeviceImpl*, Tango::AttReqType)",
      "Pogo_ns::lowerAttrib::is_allowed(Tango::DeviceImpl*, Tango::AttReqType)"}},
    {"{class}.{command}", false, {"Pogo_ns::GoClass::execute(Tango::DeviceImpl*, CORBA::Any const&)"}},
    {"{class}.{command}",
     true,
     {"(anonymous namespace)::SameA::execute(Tango::DeviceImpl*, CORBA::Any const&)"}},
    {"{class}.{command}",
     true,
     {"(anonymous namespace)::SameB::execute(Tango::DeviceImpl*, CORBA::Any const&)"}},
    {"{class}.init_device", false, {"Pogo_ns::Pogo::init_device()"}},
    {"{class}.init_device", false, {"(anonymous namespace)::Upper::init_device()"}},
    {"{class}.init_device", false, {"non-virtual thunk to Hand::init_device()", "Hand::init_device()"}},
    {"{class}.delete_device", false, {"Pogo_ns::Pogo::delete_device()"}},
    {"{class}.always_executed_hook", false, {"Pogo_ns::Pogo::always_executed_hook()"}},
    {"{class}.always_executed_hook", false, {"(anonymous namespace)::Upper::always_executed_hook()"}},
    {"{class}.always_executed_hook", false, {"(anonymous namespace)::Lower::always_executed_hook()"}},
    {"{class}.read_attr_hardware",
     true,
     {"Pogo_ns::Pogo::read_attr_hardware(std::vector<long, std::allocator<long> >&)"}},
    {"{class}.dev_state", false, {"non-virtual thunk to Hand::dev_state()", "Hand::dev_state()"}},
    {"{class}.signal_handler",
     false,
     {"non-virtual thunk to Hand::signal_handler(long)", "Hand::signal_handler(long)"}},
    {"{class}.command_factory", false, {"Pogo_ns::PogoClass::command_factory()"}},
    {"{class}.attribute_factory",
     false,
     {"Pogo_ns::PogoClass::attribute_factory(std::vector<Tango::Attr*, std::allocator<Tango::Attr*> >&)"}},
};

/* ---- building -------------------------------------------------------------------------------------- */

static char directory[] = "/tmp/tangotrace-classes-XXXXXX";

static bool run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool run(const char *format, ...)
{
    _cleanup_free_ char *command = NULL;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&command, format, args);
    va_end(args);
    assert_true(n > 0);
    return system(command) == 0;
}

static const char *sources(void)
{
    static char path[] = __FILE__;
    static const char *found;

    if (!found)
        found = dirname(path);
    return found;
}

static int open_file(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int set_up(void **state)
{
    if (!mkdtemp(directory))
        return -1;
    return run("g++ -O2 -shared -fPIC -Wl,-soname,libtango.so.9 -o %s/libtango.so '%s/classes_library.cpp'",
               directory, sources())
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    return run("rm -rf %s", directory) ? 0 : -1;
}

static struct tt_bases *bases_of(const char *name)
{
    _cleanup_close_ int fd = open_file(name);
    _cleanup_free_ char *error = NULL;
    struct tt_bases *bases = NULL;

    if (tt_bases_read(fd, name, &bases, &error))
        fail_msg("%s: %s", name, error ? error : "no cppTango");
    return bases;
}

static struct tt_plan *plan_of(const char *name, const struct tt_bases *bases)
{
    _cleanup_close_ int fd = open_file(name);
    _cleanup_free_ char *error = NULL;
    struct tt_plan *plan = NULL;

    if (tt_plan_methods(fd, name, bases, &plan, &error))
        fail_msg("%s: %s", name, error ? error : "no classes");
    return plan;
}

/* ---- comparing ------------------------------------------------------------------------------------- */

struct truth {
    uint64_t address[TT_ARRAY_SIZE(wanted)][ALTERNATIVES];
    bool seen[TT_ARRAY_SIZE(wanted)];
};

static void read_truth(const char *name, struct truth *truth)
{
    char command[256], line[4096];
    FILE *nm;

    memset(truth, 0, sizeof(*truth));
    snprintf(command, sizeof(command), "nm -C %s/%s", directory, name);
    nm = popen(command, "r");
    assert_non_null(nm);
    while (fgets(line, sizeof(line), nm)) {
        char *function = strlen(line) > 19 ? line + 19 : line;

        function[strcspn(function, "\n")] = '\0';
        for (size_t i = 0; i < TT_ARRAY_SIZE(wanted); i++) {
            for (size_t j = 0; j < ALTERNATIVES && wanted[i].function[j]; j++) {
                if (!strcmp(function, wanted[i].function[j]))
                    truth->address[i][j] = strtoull(line, NULL, 16);
            }
        }
    }
    assert_int_equal(pclose(nm), 0);
}

/* Name of the row that the function's row is made of: of the same function of cppTango. */
static const char *base_name(const struct tt_plan *plan, const struct tt_plan_function *function)
{
    const struct tt_row *row = tt_plan_row(plan, function->row);

    for (size_t i = 0; i < tt_row_count; i++) {
        if (tt_rows[i].overrides && !strcmp(tt_rows[i].signature[0], row->signature[0]))
            return tt_rows[i].name;
    }
    return "";
}

/* Which wanted function is it? Several, where the linker made one of them. */
static bool is_wanted(const struct tt_plan *plan, const struct tt_plan_function *function, bool partly,
                      struct truth *truth)
{
    bool found = false;

    for (size_t i = 0; i < TT_ARRAY_SIZE(wanted); i++) {
        if (strcmp(base_name(plan, function), wanted[i].row))
            continue;
        for (size_t j = 0; j < ALTERNATIVES; j++) {
            if (!truth->address[i][j] || truth->address[i][j] != function->address)
                continue;
            found = true;
            truth->seen[i] |= function->count || wanted[i].optional || partly;
        }
    }
    return found;
}

/* `partly`: it is enough that the plan says why a function is not covered. */
static void compare(const struct tt_plan *plan, bool partly, struct truth *truth, const char *what)
{
    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_plan_function *function = &plan->functions[i];

        assert_true(function->count ? !function->refused : function->refused != NULL);
        /* a slot that leads elsewhere may be known by the code in it only */
        if (!is_wanted(plan, function, partly, truth) && function->count)
            fail_msg("%s: %s (%s) at 0x%lx is none of those", what, function->signature,
                     tt_plan_row(plan, function->row)->name, (long)function->address);
    }
    for (size_t i = 0; i < TT_ARRAY_SIZE(wanted); i++) {
        if (!truth->seen[i] && !wanted[i].optional) {
            tt_plan_print(plan, true);
            fail_msg("%s: %s is missing", what, wanted[i].function[0]);
        }
    }
}

/* The device's name lies in the part of the object that is cppTango's: of Hand that is behind Helper. */
static void check_device(const struct tt_plan *plan, const struct tt_point *point)
{
    const int name = plan->layout->offset[TT_LAYOUT_IMPL_NAME], helper = 32;

    for (size_t i = 0; i < point->captures; i++) {
        const struct tt_capture *capture = &point->capture[i];

        if (capture->field != TT_FIELD_DEVICE || capture->derefs)
            continue;
        if (capture->off[0] != name && capture->off[0] != name + helper)
            fail_msg("the device's name at %d", capture->off[0]);
    }
}

static void check_points(const struct tt_plan *plan)
{
    for (size_t i = 0; i < plan->point_count; i++) {
        const struct tt_plan_point *point = &plan->points[i];

        assert_true(point->emulated);
        check_device(plan, &point->point);
        assert_int_equal(point->point.function, plan->functions[point->function].row);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(plan->points[j].offset, point->offset);
    }
}

/* ---- the tests ------------------------------------------------------------------------------------- */

static void slots_mean_what_the_library_says(void **state)
{
    static const struct {
        const char *class, *row;
        size_t slot; /* as classes.hpp has them; deleting takes two */
    } slots[] = {
        {"N5Tango4AttrE", "{class}.is_{attribute}_allowed", 3},
        {"N5Tango4AttrE", "{class}.write_{attribute}", 4},
        {"N5Tango4AttrE", "{class}.read_{attribute}", 5},
        {"N5Tango7CommandE", "{class}.{command}", 3}, /* pure: named by a class of the library's own */
        {"N5Tango12Device_5ImplE", "{class}.dev_state", 3},
        {"N5Tango12Device_5ImplE", "{class}.init_device", 6},
        {"N5Tango11DeviceClassE", "{class}.command_factory", 2},
    };
    _cleanup_(tt_bases_free) struct tt_bases *bases = bases_of("libtango.so");

    assert_non_null(bases->layout);
    for (size_t i = 0; i < TT_ARRAY_SIZE(slots); i++) {
        const struct tt_base *base = tt_base_find(bases, slots[i].class);

        assert_non_null(base);
        assert_true(slots[i].slot < base->slot_count);
        if (base->slots[slots[i].slot].row == TT_SLOT_NO_ROW)
            fail_msg("slot %zu of %s has no meaning", slots[i].slot, slots[i].class);
        assert_string_equal(tt_rows[base->slots[slots[i].slot].row].name, slots[i].row);
    }
}

#define NO_ROW "-"

/* Row of each slot of a class, from 0 on; NULL: not looked at. */
static void check_slots(const struct tt_bases *bases, const char *class, const char *const *rows,
                        size_t count)
{
    const struct tt_base *base = tt_base_find(bases, class);

    assert_non_null(base);
    assert_int_equal(base->slot_count, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t row = base->slots[i].row;

        if (rows[i])
            assert_string_equal(row == TT_SLOT_NO_ROW ? NO_ROW : tt_rows[row].name, rows[i]);
    }
}

/* Inline functions without names, and no table of Command. */
static struct tt_bases *bases_without_names(const char *define)
{
    assert_true(run(
        "printf '{local: _ZTVN5Tango7CommandE;};' > %s/map && g++ -O2 %s -shared -fPIC -fvisibility-inlines-hidden "
        "-Wl,-soname,libtango.so.9,--version-script=%s/map -o %s/inline.so '%s/classes_inline.cpp'",
        directory, define, directory, directory, sources()));
    return bases_of("inline.so");
}

static void slots_without_names_are_told_by_their_order(void **state)
{
#define HOOK(name) "{class}." name
    static const char *const device[] = {NULL,
                                         NULL,
                                         NO_ROW,
                                         HOOK("init_device"),
                                         HOOK("delete_device"),
                                         HOOK("always_executed_hook"),
                                         HOOK("server_init_hook"),
                                         HOOK("read_attr_hardware"),
                                         HOOK("read_attr"),
                                         HOOK("write_attr_hardware"),
                                         HOOK("dev_state")};
    static const char *const old[] = {NULL,
                                      NULL,
                                      NO_ROW,
                                      HOOK("init_device"),
                                      HOOK("delete_device"),
                                      HOOK("always_executed_hook"),
                                      HOOK("read_attr_hardware"),
                                      HOOK("read_attr"),
                                      HOOK("write_attr_hardware"),
                                      HOOK("dev_state")};
    static const char *const new[] = {NULL,   NULL,   NO_ROW, HOOK("init_device"),
                                      NO_ROW, NO_ROW, NO_ROW, NO_ROW,
                                      NO_ROW, NO_ROW, NO_ROW, HOOK("dev_state")};
    static const char *const attr[] = {NULL,
                                       NULL,
                                       NO_ROW,
                                       HOOK("read_{attribute}"),
                                       HOOK("write_{attribute}"),
                                       HOOK("is_{attribute}_allowed"),
                                       NO_ROW,
                                       NO_ROW};
    static const char *const command[] = {NULL, NULL, HOOK("{command}"), HOOK("is_{command}_allowed"),
                                          NO_ROW};
    static const char *const class[] = {
        NULL, NULL, HOOK("command_factory"), HOOK("attribute_factory"), NO_ROW, HOOK("device_factory")};
    static const struct {
        const char *define, *const *device;
        size_t count;
    } versions[] = {{"", device, TT_ARRAY_SIZE(device)},
                    {"-DOLD", old, TT_ARRAY_SIZE(old)},
                    {"-DNEW", new, TT_ARRAY_SIZE(new)}};

    for (size_t i = 0; i < TT_ARRAY_SIZE(versions); i++) {
        _cleanup_(tt_bases_free) struct tt_bases *bases = bases_without_names(versions[i].define);

        check_slots(bases, "N5Tango10DeviceImplE", versions[i].device, versions[i].count);
        check_slots(bases, "N5Tango4AttrE", attr, TT_ARRAY_SIZE(attr));
        check_slots(bases, "N5Tango7CommandE", command, TT_ARRAY_SIZE(command));
        check_slots(bases, "N5Tango11DeviceClassE", class, TT_ARRAY_SIZE(class));
    }
}

static const struct {
    const char *name, *needs; /* program that has to be there, or NULL */
    const char *command;
    bool partly; /* without optimisation clang leaves no emulated instruction behind a virtual call */
} builds[] = {
    {"pie", NULL, "g++ -O2 -fPIE -pie", false},
    {"ssp-cet", NULL, "g++ -O2 -fPIE -pie -fstack-protector-strong -fcf-protection", false},
    {"plain", NULL, "g++ -O0 -fPIE -pie", false},
    {"no-pie", NULL, "g++ -O2 -fno-pie -no-pie", false},
    {"relr", NULL, "g++ -O2 -fPIE -pie -Wl,-z,pack-relative-relocs", false},
    {"static-libstdc++", NULL, "g++ -O2 -fPIE -pie -static-libstdc++ -static-libgcc", false},
    {"static-libstdc++-no-pie", NULL, "g++ -O2 -fno-pie -no-pie -static-libstdc++ -static-libgcc", false},
    {"hidden-libstdc++", NULL, "g++ -O2 -fPIE -pie -static-libstdc++ -Wl,--exclude-libs,ALL", false},
    {"gold", "ld.gold", "g++ -O2 -ffunction-sections -fPIE -pie -fuse-ld=gold -Wl,--icf=all", false},
    {"gold-no-pie", "ld.gold", "g++ -O2 -fno-pie -no-pie -fuse-ld=gold", false},
    {"lld", "ld.lld", "g++ -O2 -ffunction-sections -fPIE -pie -fuse-ld=lld -Wl,--icf=all", false},
    {"lld-relr", "ld.lld", "g++ -O2 -fPIE -pie -fuse-ld=lld -Wl,--pack-dyn-relocs=relr", false},
    {"clang", "clang++", "clang++ -O2 -fPIE -pie", false},
    {"clang-plain", "clang++", "clang++ -O0 -fPIE -pie", true},
    {"plug-in", NULL, "g++ -O2 -fPIC -shared", false},
    {"plug-in-bound", NULL, "g++ -O2 -fPIC -shared -Wl,-Bsymbolic-functions,-z,now", false},
};

static void classes_are_found_however_it_is_linked(void **state)
{
    _cleanup_(tt_bases_free) struct tt_bases *bases = bases_of("libtango.so");

    for (size_t i = 0; i < TT_ARRAY_SIZE(builds); i++) {
        _cleanup_(tt_plan_free) struct tt_plan *plan = NULL, *again = NULL;
        bool holds[TT_HOLDS];
        struct truth truth;
        int fd;

        if (builds[i].needs && !run("command -v %s >/dev/null", builds[i].needs)) {
            print_message("%s left out: there is no %s\n", builds[i].name, builds[i].needs);
            continue;
        }
        assert_true(run("%s -o %s/server '%s/classes_server.cpp' %s/libtango.so 2>&1 && strip -o %s/stripped "
                        "%s/server",
                        builds[i].command, directory, sources(), directory, directory, directory));
        read_truth("server", &truth);
        plan = plan_of("stripped", bases);
        compare(plan, builds[i].partly, &truth, builds[i].name);
        check_points(plan);
        again = plan_of("server", bases);
        memset(truth.seen, 0, sizeof(truth.seen));
        compare(again, builds[i].partly, &truth, builds[i].name);
        fd = open_file("stripped");
        assert_true(tt_source_matches(fd, &plan->source));
        assert_false(tt_source_matches(fd, &again->source));
        assert_int_equal(tt_plan_probe(NULL, fd, "", holds), 0);
        assert_true(holds[TT_HOLDS_CLASSES]);
        close(fd);
    }
}

/* The library in the program: it tells of itself by its symbols. */
static void cpptango_may_be_in_the_program(void **state)
{
    static const char *const ways[] = {"-fPIE -pie", "-fno-pie -no-pie", "-fPIE -pie -rdynamic"};

    for (size_t i = 0; i < TT_ARRAY_SIZE(ways); i++) {
        _cleanup_(tt_bases_free) struct tt_bases *bases = NULL;
        _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
        struct truth truth;

        assert_true(
            run("g++ -O2 %s -o %s/server '%s/classes_server.cpp' '%s/classes_library.cpp' && strip -o "
                "%s/stripped %s/server",
                ways[i], directory, sources(), sources(), directory, directory));
        bases = bases_of(strstr(ways[i], "-rdynamic") ? "stripped" : "server");
        read_truth("server", &truth);
        plan = plan_of(strstr(ways[i], "-rdynamic") ? "stripped" : "server", bases);
        compare(plan, false, &truth, ways[i]);
    }
}

static void what_is_left_out_is_said(void **state)
{
    _cleanup_(tt_bases_free) struct tt_bases *bases = bases_of("libtango.so");
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    bool trivial = false, either = false;

    /* so that attribute classes jump to methods of the device, as clang has it and older compilers */
    assert_true(run("g++ -O2 -fno-devirtualize -s -o %s/server '%s/classes_server.cpp' %s/libtango.so",
                    directory, sources(), directory));
    plan = plan_of("server", bases);
    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_plan_function *function = &plan->functions[i];

        if (!strcmp(tt_plan_row(plan, function->row)->name, "{class}.read_attr_hardware")) {
            assert_int_equal(function->count, 0);
            assert_non_null(strstr(function->refused, "only returns"));
            trivial = true;
        }
        /* one method for two attributes: a span of it would be named after one of them */
        if (function->refused && strstr(function->refused, "what it is asked about is not told"))
            either = function->count == 0;
    }
    assert_true(trivial);
    assert_true(either);
}

static void other_files_have_none(void **state)
{
    _cleanup_(tt_bases_free) struct tt_bases *bases = bases_of("libtango.so"), *none = NULL;
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL;
    _cleanup_close_ int library = open_file("libtango.so"),
                        self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *error = NULL;
    bool holds[TT_HOLDS];

    /* its own classes are no user's */
    assert_int_equal(tt_plan_methods(library, "libtango.so", bases, &plan, &error), -ENOENT);
    assert_int_equal(tt_plan_methods(self, "self", bases, &plan, &error), -ENOENT);
    assert_int_equal(tt_bases_read(self, "self", &none, &error), -ENOENT);
    assert_int_equal(tt_plan_probe(NULL, self, "", holds), 0);
    assert_false(holds[TT_HOLDS_CLASSES]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_mean_what_the_library_says),
        cmocka_unit_test(slots_without_names_are_told_by_their_order),
        cmocka_unit_test(classes_are_found_however_it_is_linked),
        cmocka_unit_test(cpptango_may_be_in_the_program),
        cmocka_unit_test(what_is_left_out_is_said),
        cmocka_unit_test(other_files_have_none),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
