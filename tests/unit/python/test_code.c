/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose code calls, and which method is called, by objects in memory that may have changed since the event.
 */
#include "python/objects.h"

#include "base/clock.h"
#include "catalogue/catalogue.h"
#include "python/internal.h"

#define PID ((uint32_t)getpid())

static struct tt_pythons *pythons;

/* This process, with a Python of that version. */
static struct tt_python_process *process(unsigned minor)
{
    struct tt_python_process *p = calloc(1, sizeof(*p));

    heap_start(minor);
    assert_non_null(p);
    p->pid = PID;
    p->readable = true;
    p->layout = *layout;
    p->package = strdup("/opt/tango/");
    HASH_ADD(hh, pythons->processes, pid, sizeof(p->pid), p);
    return p;
}

static int setup(void **state)
{
    pythons = tt_pythons_new();
    return !pythons;
}

static int teardown(void **state)
{
    tt_pythons_free(&pythons);
    heap_end();
    return 0;
}

static struct tt_python_stats stats(void)
{
    struct tt_python_stats now;

    tt_pythons_get_stats(pythons, &now);
    return now;
}

/* What was looked up is asked for again. */
static void forget_times(void)
{
    struct tt_python_process *p = tt_pythons_find(pythons, PID);

    for (struct tt_python_found *found = p->found; found; found = found->hh.next)
        found->until = 0;
}

static uint64_t make_code(const char *name, const char *file, uint32_t line)
{
    static const uint8_t table[] = {0xef, 0x02}; /* 3.11: 16 bytes of code, one line further down */
    uint64_t code = make_object("code", 512), lines = make_object("bytes", 64);

    put_word(lines + TT_PY_SIZE, sizeof(table));
    put_bytes(lines + TT_PY_BYTES_DATA, table, sizeof(table));
    put_word(code + layout->kernel.name, make_str(name));
    if (layout->qualname)
        put_word(code + layout->qualname, make_str(name));
    put_word(code + layout->file, make_str(file));
    put_word(code + layout->lines, lines);
    put_u32(code + layout->kernel.line, line);
    return code;
}

/* ---- callers --------------------------------------------------------------------------------------- */

static struct tt_python_frame frame_of(uint64_t code)
{
    struct tt_python_frame frame = {.code = code, .ip = code + layout->bytecode + 4};

    memcpy(&frame.name, (void *)(uintptr_t)(code + layout->kernel.name), sizeof(frame.name));
    memcpy(&frame.line, (void *)(uintptr_t)(code + layout->kernel.line), 4);
    return frame;
}

static struct tt_span *span_with(const struct tt_python_frame *frames, unsigned count)
{
    struct tt_span *span = tt_span_new();

    assert_non_null(span);
    span->tgid = PID;
    memcpy(span->python.frames, frames, count * sizeof(*frames));
    span->python.frame_count = count;
    return span;
}

/* The name that is found for the frames, innermost first; NULL: none. */
static void assert_caller(const struct tt_python_frame *frames, unsigned count, const char *name,
                          unsigned line)
{
    struct tt_span *span = span_with(frames, count);

    assert_int_equal(tt_pythons_caller(pythons, span), name != NULL);
    if (name) {
        assert_string_equal(span->code.name, name);
        assert_int_equal(span->code.line, line);
    } else {
        assert_null(span->code.name);
    }
    tt_span_free(&span);
}

static void innermost_outside_pytango(void **state)
{
    process(11);
    const struct tt_python_frame frames[] = {frame_of(make_code("read", "/opt/tango/proxy.py", 5)),
                                             frame_of(make_code("get", "/x/dist-packages/tango/green.py", 5)),
                                             frame_of(make_code("GUI.refresh", "/home/gui.py", 40)),
                                             frame_of(make_code("main", "/home/gui.py", 90))};

    assert_caller(frames, 4, "GUI.refresh", 41);
    assert_caller(frames, 2, NULL, 0);
    assert_int_equal(stats().lookups, 3);
    assert_caller(frames, 4, "GUI.refresh", 41); /* known */
    assert_int_equal(stats().lookups, 3);
    forget_times();
    assert_caller(frames, 4, "GUI.refresh", 41); /* for a while */
    assert_int_equal(stats().lookups, 6);
    assert_int_equal(stats().unreadable + stats().changed, 0);
}

/* Memory is used again: another code at the same address is not the one that called. */
static void another_code_in_its_place(void **state)
{
    uint64_t code;

    process(11);
    code = make_code("GUI.refresh", "/home/gui.py", 40);
    struct tt_python_frame frame = frame_of(code), other = frame;

    other.name += 16;
    assert_caller(&other, 1, NULL, 0);
    other = frame;
    other.line++;
    assert_caller(&other, 1, NULL, 0);
    assert_int_equal(stats().changed, 2);
    put_word(code, 0); /* freed */
    assert_caller(&frame, 1, NULL, 0);
    assert_int_equal(stats().changed, 3);
    other.code = make_object("dict", 512);
    assert_caller(&other, 1, NULL, 0);
    assert_int_equal(stats().unreadable, 1);
}

/* <module> is __main__ where nothing but runpy is further out. */
static void modules_and_main(void **state)
{
    process(11);
    const struct tt_python_frame module = frame_of(make_code("<module>", "/home/scan.py", 1)),
                                 caller = frame_of(make_code("load", "/home/other.py", 1)),
                                 code = frame_of(make_code("_run_code", "/usr/lib/python3/runpy.py", 1)),
                                 run = frame_of(
                                     make_code("_run_module_as_main", "/usr/lib/python3/runpy.py", 1));

    assert_caller(&module, 1, "__main__", 2);
    assert_caller((struct tt_python_frame[]){module, code, run}, 3, "__main__", 2);
    assert_caller((struct tt_python_frame[]){module, caller}, 2, "<module>", 2);
    assert_caller((struct tt_python_frame[]){module, caller, code, run}, 4, "<module>", 2);
}

/* From 3.12 on there is a frame of the interpreter's own below each call out of C; one that cannot be read
 * may have been the one that is asked for. */
static void frames_of_nobody(void **state)
{
    process(12);
    struct tt_python_frame frames[] = {frame_of(make_code("<shim>", "<shim>", 1)),
                                       frame_of(make_code("GUI.refresh", "/home/gui.py", 40))};

    assert_caller(frames, 2, "GUI.refresh", 41);
    frames[0].code = 8;
    assert_caller(frames, 2, NULL, 0);
    tt_pythons_free(&pythons);
    pythons = tt_pythons_new();
    process(13); /* its code is None */
    frames[0] = (struct tt_python_frame){.code = make_object("NoneType", 16), .name = 1};
    frames[1] = frame_of(make_code("GUI.refresh", "/home/gui.py", 40));
    assert_caller(frames, 2, "GUI.refresh", 41);
}

/* What a green mode hands to another thread was not asked for on this one. */
static void handed_over(void **state)
{
    struct tt_span *span;

    process(11);
    const struct tt_python_frame frame = frame_of(
        make_code("_WorkItem.run", "/usr/lib/python3.11/concurrent/futures/thread.py", 50));

    span = span_with(&frame, 1);
    assert_false(tt_pythons_caller(pythons, span));
    assert_true(span->handed_over);
    tt_span_free(&span);
}

static void unknown_processes(void **state)
{
    struct tt_python_process *p = process(11);
    const struct tt_python_frame frame = frame_of(make_code("GUI.refresh", "/home/gui.py", 40));

    p->readable = false;
    assert_caller(&frame, 1, NULL, 0);
    p->readable = true;
    tt_pythons_remove(pythons, (pid_t)PID); /* its events may still be on their way */
    assert_int_equal(stats().processes, 0);
    tt_pythons_remove(pythons, 1);
    assert_caller(&frame, 1, "GUI.refresh", 41);
    p->ended -= 11 * TT_NS_PER_S;
    tt_pythons_remove(pythons, 1);
    assert_caller(&frame, 1, NULL, 0);
}

static void findings_are_bounded(void **state)
{
    struct tt_python_process *p = process(11);
    struct tt_python_key key = {0};

    for (key.a = 0; key.a < 3 * TT_PYTHON_FOUND_MAX; key.a++) {
        assert_non_null(tt_python_found_add(p, &key));
        assert_true(HASH_COUNT(p->found) <= TT_PYTHON_FOUND_MAX);
    }
    key.a--;
    assert_non_null(tt_python_found_get(p, &key));
    key.a = 0;
    assert_null(tt_python_found_get(p, &key));
}

/* ---- methods --------------------------------------------------------------------------------------- */

static uint64_t make_function(const char *name, const char *file, uint32_t line)
{
    uint64_t function = make_object("function", 256);

    put_word(function + layout->function_code, make_code(name, file, line));
    put_word(function + layout->function_qualname, make_str(name));
    return function;
}

/* A class with one method, derived from PyTango's. */
static uint64_t make_class(const char *name, uint64_t method, uint32_t version)
{
    const uint64_t keys[] = {make_str("read_Gain")}, values[] = {method};
    uint64_t type = make_type(name), base = make_type("tango._tango.DeviceImpl");
    const uint64_t order[] = {type, base};

    put_word(type + TT_PY_TYPE_DICT, make_dict(keys, values, 1, false));
    put_word(type + TT_PY_TYPE_MRO, make_tuple(order, 2));
    put_word(type + TT_PY_TYPE_FLAGS, TT_PY_VALID_VERSION);
    put_u32(type + TT_PY_TYPE_VERSION, version);
    return type;
}

static struct tt_span *call_of(uint64_t type, uint32_t version)
{
    struct tt_span *span = tt_span_new();

    assert_non_null(span);
    span->tgid = PID;
    span->python.method = "read_Gain";
    span->python.object = make_object("Basler", 64);
    put_word(span->python.object + TT_PY_TYPE, type);
    span->python.type = type;
    span->python.version = version;
    return span;
}

static void assert_method(uint64_t type, uint32_t version, const char *name)
{
    struct tt_span *span = call_of(type, version);

    assert_int_equal(tt_pythons_method(pythons, span), name != NULL);
    if (name)
        assert_string_equal(span->code.name, name);
    tt_span_free(&span);
}

static void methods_of_users(void **state)
{
    static const unsigned minors[] = {9, 10, 11, 12, 13, 14};

    for (size_t i = 0; i < TT_ARRAY_SIZE(minors); i++) {
        tt_pythons_free(&pythons);
        pythons = tt_pythons_new();
        process(minors[i]);
        uint64_t user = make_function("Basler.read_Gain", "/home/basler.py", 7),
                 own = make_function("Device.read_Gain", "/opt/tango/device.py", 9), type;

        assert_method(make_class("Basler", user, 5), 5, "Basler.read_Gain");
        assert_method(make_class("Basler", own, 5), 5, NULL);
        type = make_class("Basler", user, 6); /* changed since the event */
        assert_method(type, 5, NULL);
        assert_int_equal(stats().changed, 1);
        put_word(type + TT_PY_TYPE_MRO, 0);
        assert_method(type, 6, NULL); /* no device */
        assert_int_equal(stats().changed, 1);
        type = make_class("Basler", user, 7);
        put_word(type + TT_PY_TYPE_FLAGS, 0); /* up to 3.11 the number stays, and this says that it is old */
        assert_method(type, 7, minors[i] > 11 ? "Basler.read_Gain" : NULL);
    }
}

/* An object's own methods change without a sign: what was found is believed for some seconds. */
static void methods_are_looked_up_again(void **state)
{
    uint64_t type;
    struct tt_span *span;

    process(11);
    type = make_class("Basler", make_function("Basler.read_Gain", "/home/basler.py", 7), 5);
    span = call_of(type, 5);
    assert_true(tt_pythons_method(pythons, span));
    assert_string_equal(span->code.name, "Basler.read_Gain");
    assert_int_equal(span->code.line, 7);
    put_word(type + TT_PY_TYPE_DICT,
             make_dict((uint64_t[]){make_str("read_Gain")},
                       (uint64_t[]){make_function("patched", "/home/patch.py", 8)}, 1, false));
    assert_true(tt_pythons_method(pythons, span));
    assert_string_equal(span->code.name, "Basler.read_Gain");
    forget_times();
    assert_true(tt_pythons_method(pythons, span));
    assert_string_equal(span->code.name, "patched");
    tt_span_free(&span);
}

/* PyTango wraps what users write: __wrapped__ tells of it, or what the wrapper closes over; not without end.
 */
static void wrappers_are_taken_off(void **state)
{
    for (int by_closure = 0; by_closure < 2; by_closure++) {
        for (unsigned depth = 1; depth < 9; depth++) {
            tt_pythons_free(&pythons);
            pythons = tt_pythons_new();
            process(12);
            uint64_t function = make_function("Basler.read_Gain", "/home/basler.py", 7);

            for (unsigned i = 0; i < depth; i++) {
                uint64_t outer = make_function("wrapper", "/opt/tango/utils.py", 3), cell;
                const uint64_t keys[] = {make_str("__wrapped__")}, values[] = {function};

                if (by_closure) {
                    cell = make_object("cell", 64);
                    put_word(cell + TT_PY_CELL, function);
                    put_word(outer + layout->closure, make_tuple(&cell, 1));
                } else {
                    put_word(outer + layout->function_dict, make_dict(keys, values, 1, false));
                }
                function = outer;
            }
            assert_method(make_class("Basler", function, 5), 5, depth <= 6 ? "Basler.read_Gain" : NULL);
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(innermost_outside_pytango), TEST(another_code_in_its_place),
        TEST(modules_and_main),          TEST(handed_over),
        TEST(unknown_processes),         TEST(findings_are_bounded),
        TEST(methods_of_users),          TEST(wrappers_are_taken_off),
        TEST(frames_of_nobody),          TEST(methods_are_looked_up_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
