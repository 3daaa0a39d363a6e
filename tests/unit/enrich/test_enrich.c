/* SPDX-License-Identifier: GPL-2.0-only */
/* What a golden file does not show: hostile strings, bounds, times, flags, ownership, and what it costs. */
#include "enrich/fixture.h"

#include <locale.h>
#include <time.h>
#include <wchar.h>

#define SPANS 300000

#if defined(__SANITIZE_ADDRESS__)
#define LEAST_RATE 10000.0
#else
#define LEAST_RATE 100000.0 /* a third of what is wanted: this machine may be busy */
#endif

static struct tt_otel_span *enrich_one(struct tt_span *span)
{
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_otel_span *made = tt_enrich(enricher, &span);

    assert_null(span);
    assert_non_null(made);
    assert_span_by_table(made);
    tt_enricher_free(&enricher);
    return made;
}

static bool is_utf8(const char *text)
{
    mbstate_t state = {0};
    wchar_t buffer[4096];

    return mbsrtowcs(buffer, &text, 4096, &state) != (size_t)-1;
}

static void assert_clean(const struct tt_otel_attribute *attributes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct tt_otel_attribute *a = &attributes[i];

        if (a->type == TT_OTEL_STRING)
            assert_true(is_utf8(a->value.string) && strlen(a->value.string) <= TT_ATTR_LENGTH);
        for (size_t k = 0; a->type == TT_OTEL_STRINGS && k < a->value.strings.count; k++)
            assert_true(is_utf8(a->value.strings.items[k]) &&
                        strlen(a->value.strings.items[k]) <= TT_ATTR_LENGTH);
    }
}

/* Every string a process can give is full of bad bytes, and far too long. */
static void test_hostile(void **state)
{
    static char junk[5000];
    struct tt_span *span;
    struct tt_otel_span *made;

    for (size_t i = 0; i < sizeof(junk) - 1; i++)
        junk[i] = (char)(0x80 + i * 37 % 128);
    for (int command = 0; command < 2; command++) {
        for (int attributes = 0; attributes < 2; attributes++) {
            span = fixture_span(command ? &row_server_command : &row_server_read, TT_SPAN_SERVER, SERVER_PID);
            fixture_device(span, junk, junk);
            fixture_tcp(span, junk, "10.0.0.2", 1);
            span->command = command ? junk : NULL;
            span->text = junk;
            span->peer_class = span->peer_device = junk;
            span->exception_type = attributes ? NULL : junk;
            for (int i = 0; i < TT_LIST_MAX; i++)
                fixture_attribute(span, junk);
            for (int i = 0; i < TT_ERRORS_MAX; i++)
                fixture_error(span, attributes ? junk : NULL, junk, junk, junk);
            span->errors[0].severity = 99;
            span->source = 1000;
            span->client.language = 77;
            span->has_client = true;
            span->trigger = 99;
            span->proof = 99;
            span->key.giop_major = 200;
            made = enrich_one(span);
            assert_clean(made->attributes, made->attribute_count);
            assert_clean(made->resource->attributes, made->resource->attribute_count);
            for (size_t i = 0; i < made->event_count; i++)
                assert_clean(made->events[i].attributes, made->events[i].attribute_count);
            assert_true(is_utf8(made->title) && is_utf8(made->status_message));
            assert_int_equal(made->event_count, TT_ERRORS_MAX);
            assert_int_equal(made->dropped_events, 0);
            tt_otel_span_put(&made);
        }
    }
}

/* What could not be read is absent: no empty string, no zero that looks like a value. */
static void test_unreadable(void **state)
{
    struct tt_span *span = fixture_span(&row_server_read, TT_SPAN_SERVER, SERVER_PID);
    struct tt_otel_span *made;

    span->attribute_count = 2; /* of which the names could not be read */
    span->attribute_total = 3;
    span->failed = true;
    span->error_count = 1;
    span->error_total = 1;
    span->exception_type = "N5Tango9DevFailedE";
    span->incomplete = TT_INCOMPLETE_FAULT;
    made = enrich_one(span);
    assert_string_equal(made->title, "read 3 attributes");
    assert_null(tt_otel_find(made->attributes, made->attribute_count, "tango.attribute.names"));
    assert_null(tt_otel_find(made->attributes, made->attribute_count, "tango.operation.target"));
    assert_null(tt_otel_find(made->attributes, made->attribute_count, "network.peer.address"));
    assert_string_equal(string_of(made, "error.type"), "Tango::DevFailed");
    assert_string_equal(made->status_message, "Tango::DevFailed");
    assert_int_equal(made->event_count, 1);
    assert_int_equal(made->events[0].attribute_count, 1); /* the type */
    tt_otel_span_put(&made);
}

static void test_titles(void **state)
{
    static const struct tt_row nameless = {.role = TT_ROLE_CLIENT, .name = "Tango::X::y"};
    struct tt_span *span = fixture_span(&row_command, TT_SPAN_CLIENT, CLIENT_PID);
    struct tt_otel_span *made = enrich_one(span);

    assert_string_equal(made->title, "command"); /* of unknown name */
    tt_otel_span_put(&made);
    span = fixture_span(&nameless, TT_SPAN_CLIENT, CLIENT_PID);
    made = enrich_one(span);
    assert_string_equal(made->title, "Tango::X::y");
    assert_string_equal(string_of(made, "rpc.method"), "X/y");
    tt_otel_span_put(&made);
    span = fixture_span(&row_read, TT_SPAN_CLIENT, CLIENT_PID);
    span->attribute_total = 1; /* its name could not be read */
    made = enrich_one(span);
    assert_string_equal(made->title, "read 1 attribute");
    tt_otel_span_put(&made);
    span = fixture_span(&row_server_read, TT_SPAN_SERVER, SERVER_PID);
    fixture_attribute(span, "All attributes");
    made = enrich_one(span);
    assert_string_equal(made->title, "read all attributes");
    tt_otel_span_put(&made);
}

/* A method of which the class or the command is not known. */
static void test_method_names(void **state)
{
    static const struct tt_row init = {.role = TT_ROLE_METHOD, .name = "{class}.init_device"};
    static const struct tt_row allowed = {.role = TT_ROLE_METHOD, .name = "{class}.is_{command}_allowed"};
    struct tt_otel_span *made = enrich_one(fixture_span(&init, TT_SPAN_INTERNAL, SERVER_PID));
    struct tt_span *span;

    assert_string_equal(made->name, "init_device");
    tt_otel_span_put(&made);
    span = fixture_span(&allowed, TT_SPAN_INTERNAL, SERVER_PID);
    fixture_device(span, "sys/tg_test/1", "TangoTest");
    made = enrich_one(span);
    assert_string_equal(made->name, "TangoTest.is_?_allowed");
    tt_otel_span_put(&made);
}

/* Who the other side is: told by it, by the name that every database has, or by who asks; never guessed. */
static void test_peers(void **state)
{
    static const struct tt_row query = {.library = TT_LIBRARY_TANGO,
                                        .role = TT_ROLE_MANY,
                                        .name = "Tango::Database::import_device",
                                        .verb = "import_device"};
    static const struct tt_row reply = {
        .role = TT_ROLE_REPLY, .name = "Tango::DeviceProxy::read_attribute_reply", .verb = "reply"};
    struct tt_span *span = fixture_span(&row_command, TT_SPAN_CLIENT, CLIENT_PID);
    struct tt_otel_span *made;

    fixture_device(span, "SYS/Database/2", NULL);
    made = enrich_one(span);
    assert_string_equal(string_of(made, "peer.service"), "DataBase");
    tt_otel_span_put(&made);

    span = fixture_span(&row_server_read, TT_SPAN_SERVER, SERVER_PID);
    span->has_peer = true;
    span->peer_device = "test/leader/1"; /* that asks, and is not what is read */
    made = enrich_one(span);
    assert_null(tt_otel_find(made->attributes, made->attribute_count, "tango.operation.target"));
    tt_otel_span_put(&made);

    span = fixture_span(&query, TT_SPAN_CLIENT, CLIENT_PID); /* a request that is in it, of whatever device */
    fixture_tcp(span, "_is_a", "192.168.1.20", 10012);
    made = enrich_one(span);
    assert_string_equal(made->title, "_is_a");
    assert_null(tt_otel_find(made->attributes, made->attribute_count, "peer.service"));
    tt_otel_span_put(&made);

    span = fixture_span(&reply, TT_SPAN_CLIENT, CLIENT_PID);
    fixture_tcp(span, "ping", "192.168.1.20", 10012);
    made = enrich_one(span);
    assert_string_equal(made->title, "ping");
    tt_otel_span_put(&made);
}

/* Of several attributes one name could be read: a further one that failed is not given that. */
static void test_failed_without_name(void **state)
{
    struct tt_span *span = fixture_span(&row_reads, TT_SPAN_CLIENT, CLIENT_PID);
    struct tt_otel_span *made;

    fixture_attribute(span, "a");
    span->attribute_total = 3;
    fixture_error(span, "b", "API_AttrNotFound", "b not found", NULL);
    fixture_error(span, NULL, "API_AttrNotFound", "not found", NULL);
    made = enrich_one(span);
    assert_string_equal(made->status_message, "failed to read the following attribute(s): b and 1 more "
                                              "(API_AttrNotFound: b not found)");
    tt_otel_span_put(&made);

    span = fixture_span(&row_write, TT_SPAN_CLIENT, CLIENT_PID);
    fixture_error(span, "b", "API_WAttrOutsideLimit", NULL, NULL);
    made = enrich_one(span);
    assert_string_equal(made->status_message,
                        "failed to write the following attribute(s): b (API_WAttrOutsideLimit)");
    tt_otel_span_put(&made);
}

/* One number means something else with every exception. */
static void test_minor_codes(void **state)
{
    static const struct {
        const char *type;
        uint32_t code;
        const char *message;
    } cases[] = {
        {"N5CORBA16OBJECT_NOT_EXISTE", 0x4f4d0001, "CORBA::OBJECT_NOT_EXIST: NoMatch"},
        {"N5CORBA9TRANSIENTE", 0x4f4d0001, "CORBA::TRANSIENT: POANoResource"},
        {"N5CORBA7UNKNOWNE", 0x4f4d0001, "CORBA::UNKNOWN: minor code 0x4f4d0001"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tt_span *span = fixture_span(&row_ping, TT_SPAN_CLIENT, CLIENT_PID);
        struct tt_otel_span *made;

        span->failed = true;
        span->exception_type = cases[i].type;
        span->exception_minor = cases[i].code;
        made = enrich_one(span);
        assert_string_equal(made->status_message, cases[i].message);
        tt_otel_span_put(&made);
    }
}

/* Whose ledger is known says so, even if nothing is left for any part. */
static void test_ledger(void **state)
{
    struct tt_span *span = fixture_span(&row_server_read, TT_SPAN_SERVER, SERVER_PID);
    struct tt_otel_span *made;

    span->ledger.known = true;
    made = enrich_one(span);
    assert_non_null(tt_otel_find(made->attributes, made->attribute_count, "tango.time.rest_ns"));
    assert_null(tt_otel_find(made->attributes, made->attribute_count, "tango.time.monitor_ns"));
    tt_otel_span_put(&made);
    made = enrich_one(fixture_span(&row_server_read, TT_SPAN_SERVER, SERVER_PID));
    assert_null(tt_otel_find(made->attributes, made->attribute_count, "tango.time.rest_ns"));
    tt_otel_span_put(&made);
}

/* A call that another thread was handed is a root for that reason. */
static void test_handed_over(void **state)
{
    struct tt_span *span = fixture_span(&row_read, TT_SPAN_CLIENT, CLIENT_PID);
    struct tt_otel_span *made;

    span->handed_over = true;
    made = enrich_one(span);
    assert_string_equal(string_of(made, "tangotrace.parent.reason"), "other_thread");
    tt_otel_span_put(&made);
}

static void test_end_unknown(void **state)
{
    struct tt_span *span = fixture_span(&row_read, TT_SPAN_CLIENT, CLIENT_PID);
    struct tt_otel_span *made;

    span->incomplete = TT_INCOMPLETE_END;
    made = enrich_one(span);
    assert_int_equal(made->status, TT_OTEL_UNSET);
    assert_null(made->status_message);
    assert_non_null(tt_otel_find(made->attributes, made->attribute_count, "tangotrace.incomplete"));
    assert_string_equal(made->unmeasured, "end_unknown");
    tt_otel_span_put(&made);

    span = fixture_span(&row_read, TT_SPAN_CLIENT, CLIENT_PID);
    span->incomplete = TT_INCOMPLETE_START | TT_INCOMPLETE_CUT;
    made = enrich_one(span);
    assert_string_equal(made->unmeasured, "start_unknown");
    tt_otel_span_put(&made);

    span = fixture_span(&row_read, TT_SPAN_CLIENT, CLIENT_PID);
    span->incomplete = TT_INCOMPLETE_CUT;
    made = enrich_one(span);
    assert_null(made->unmeasured);
    tt_otel_span_put(&made);
}

static void test_identity(void **state)
{
    struct tt_span *span = fixture_span(&row_server_read, TT_SPAN_SERVER, SERVER_PID);
    struct tt_otel_span *made;

    fixture_parent(span, TT_PROOF_REQUEST);
    span->end = span->start - 10;
    made = enrich_one(span);
    assert_int_equal(made->flags, 0x301);
    assert_int_equal(made->kind, 2);
    assert_int_equal(made->trace_id[15], 0xab);
    assert_int_equal(made->span_id[7], 1);
    assert_int_equal(made->parent_id[0], 2);
    assert_true(made->start == 1700000005000000000u && made->end == made->start);
    tt_otel_span_put(&made);

    span = fixture_span(&row_server_read, TT_SPAN_SERVER, SERVER_PID);
    made = enrich_one(span);
    assert_int_equal(made->flags, 0x101);
    assert_false(made->native || made->unsampled || made->top);
    tt_otel_span_put(&made);

    span = fixture_span(&row_server_read, TT_SPAN_SERVER, SERVER_PID);
    span->trace_flags = TT_W3C_RANDOM;
    span->native_trace = span->top = true;
    span->root_trigger = TT_TRIGGER_EVENT;
    made = enrich_one(span);
    assert_int_equal(made->flags, 0x103); /* what leaves is sampled, whatever native thought of it */
    assert_true(made->native && made->unsampled && made->top);
    assert_string_equal(made->trigger, "event");
    tt_otel_span_put(&made);
}

/* Versions come from the file that is mapped, and equal ones are one object. */
static void test_scope(void **state)
{
    struct tt_otel_span *a = enrich_one(fixture_span(&row_ping, TT_SPAN_CLIENT, SERVER_PID));
    struct tt_otel_span *b = enrich_one(fixture_span(&row_ping, TT_SPAN_CLIENT, SERVER_PID));
    struct tt_otel_span *c = enrich_one(fixture_span(&row_ping, TT_SPAN_CLIENT, CLIENT_PID));

    assert_ptr_equal(a->scope, b->scope);
    assert_string_equal(a->scope->name, "tango.cpp");
    assert_string_equal(a->scope->version, "9.3.4");
    assert_string_equal(c->scope->version, "10.3");
    tt_otel_span_put(&a);
    tt_otel_span_put(&b);
    tt_otel_span_put(&c);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct tt_span *busy_span(unsigned i)
{
    static char devices[100][32];
    struct tt_span *span = fixture_span(i % 2 ? &row_server_read : &row_read,
                                        i % 2 ? TT_SPAN_SERVER : TT_SPAN_CLIENT,
                                        i % 2 ? SERVER_PID : CLIENT_PID);

    if (!devices[i % 100][0])
        snprintf(devices[i % 100], sizeof(devices[0]), "sys/tg_test/%u", i % 100);
    span->device = devices[i % 100];
    span->class_name = "TangoTest";
    span->attributes[0] = "double_scalar";
    span->attribute_count = 1;
    span->attribute_total = 1;
    span->operation = "read_attributes_5";
    span->trigger = TT_TRIGGER_CLIENT;
    span->has_client = true;
    span->has_key = true;
    span->key.giop_major = 1;
    span->key.giop_minor = 2;
    span->key.carrier = TT_CARRIER_TCP;
    span->key.connection.family = 2;
    span->key.connection.local_port = 40000;
    span->key.connection.remote_port = 10012;
    span->key.connection.local[0] = span->key.connection.remote[0] = 0x0100007f;
    span->proof = TT_PROOF_REQUEST;
    return span;
}

static void test_cost(void **state)
{
    struct tt_enricher *enricher = fixture_enricher(NULL);
    double spent = 0;

    for (unsigned i = 0; i < SPANS; i++) {
        struct tt_span *span = busy_span(i);
        struct tt_otel_span *made;
        double begin = i % 64 ? 0 : seconds();

        made = tt_enrich(enricher, &span);
        tt_otel_span_put(&made);
        if (begin > 0) /* one in 64 is measured: reading the clock costs as much as a span */
            spent += seconds() - begin;
    }
    spent = spent * 64 / SPANS;
    print_message("enrich: %.0f ns per span, made and freed: %.0f spans/s on one core\n", spent * 1e9,
                  1 / spent);
    assert_true(1 / spent > LEAST_RATE);
    assert_int_equal(tt_enricher_failures(enricher), 0);
    tt_enricher_free(&enricher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),     cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_titles),      cmocka_unit_test(test_failed_without_name),
        cmocka_unit_test(test_minor_codes), cmocka_unit_test(test_ledger),
        cmocka_unit_test(test_handed_over), cmocka_unit_test(test_method_names),
        cmocka_unit_test(test_peers),       cmocka_unit_test(test_end_unknown),
        cmocka_unit_test(test_identity),    cmocka_unit_test(test_scope),
        cmocka_unit_test(test_cost),
    };

    setlocale(LC_ALL, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
