/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One span of each kind of operation and of ending, compared with golden/NAME.txt. After a wanted change:
 * TT_GOLDEN_UPDATE=1 build/tests/unit/enrich/test_golden, then read the difference.
 */
#include "enrich/fixture.h"

#include <sys/stat.h>

#include "base/cleanup.h"

#define GOLDEN "tests/unit/enrich/golden"

static char *read_golden(const char *path)
{
    _cleanup_fclose_ FILE *file = fopen(path, "r");
    char *text = calloc(1, 65536);

    assert_non_null(text);
    if (file)
        (void)!fread(text, 1, 65535, file);
    return text;
}

static void check(const char *name, struct tt_span *span)
{
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_otel_span *made = tt_enrich(enricher, &span);
    _cleanup_free_ char *expected = NULL, *text = NULL;
    _cleanup_fclose_ FILE *update = NULL;
    char path[256];
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(made);
    assert_non_null(out);
    assert_null(span);
    assert_span_by_table(made);
    dump_span(out, made);
    fclose(out);
    snprintf(path, sizeof(path), GOLDEN "/%s.txt", name);
    if (getenv("TT_GOLDEN_UPDATE")) {
        update = fopen(path, "w");
        assert_non_null(update);
        fputs(text, update);
    } else {
        expected = read_golden(path);
        if (strcmp(expected, text))
            print_message("%s:\n--- expected\n%s\n--- is\n%s\n", path, expected, text);
        assert_string_equal(expected, text);
    }
    assert_int_equal(tt_enricher_failures(enricher), 0);
    tt_otel_span_put(&made);
    tt_enricher_free(&enricher);
}

static struct tt_span *client(const struct tt_row *row, const char *operation)
{
    struct tt_span *span = fixture_span(row, TT_SPAN_CLIENT, CLIENT_PID);

    fixture_device(span, "sys/tg_test/1", NULL);
    fixture_tcp(span, operation, "192.168.1.20", 10012);
    return span;
}

static struct tt_span *server(const struct tt_row *row, const char *operation)
{
    struct tt_span *span = fixture_span(row, TT_SPAN_SERVER, SERVER_PID);

    fixture_device(span, "sys/tg_test/1", "TangoTest");
    fixture_tcp(span, operation, "192.168.1.30", 53610);
    fixture_parent(span, TT_PROOF_REQUEST);
    span->trigger = TT_TRIGGER_CLIENT;
    span->has_client = true;
    span->client = (struct tt_client_ident){.language = 0, .pid = CLIENT_PID};
    return span;
}

static void test_read(void **state)
{
    struct tt_span *span = client(&row_read, "read_attributes_5");

    fixture_attribute(span, "double_scalar");
    span->has_peer = true;
    span->peer_class = "TangoTest";
    span->peer_device = "sys/tg_test/1";
    check("client_read", span);

    span = server(&row_server_read, "read_attributes_5");
    fixture_attribute(span, "double_scalar");
    span->source = 2;
    check("server_read", span);
}

static void test_reads(void **state)
{
    struct tt_span *span = client(&row_reads, "read_attributes_5");

    for (int i = 0; i < TT_LIST_MAX; i++)
        fixture_attribute(span, "ampli");
    span->attribute_total = 12;
    check("client_read_12", span);
}

static void test_write(void **state)
{
    struct tt_span *span = client(&row_write, "write_attributes_4");

    fixture_attribute(span, "ampli");
    check("client_write", span);

    span = server(&row_server_write, "write_attributes_4");
    fixture_attribute(span, "ampli");
    span->client.language = 2;
    check("server_write", span);

    span = client(&row_write_read, "write_read_attributes_5");
    fixture_attribute(span, "ampli");
    check("client_write_read", span);
}

static void test_command(void **state)
{
    struct tt_span *span = client(&row_command, "command_inout_4");

    fixture_unix(span, "command_inout_4");
    span->command = "Arm";
    check("client_command", span);

    span = server(&row_server_command, "command_inout_4");
    fixture_unix(span, "command_inout_4");
    span->command = "Arm";
    span->source = 0;
    check("server_command", span);
}

static void test_oneway_ipv6(void **state)
{
    struct tt_span *span = server(&row_server_command, "command_inout_4");

    fixture_tcp(span, "command_inout_4", "fd00::2", 53611);
    span->command = "Arm";
    span->key.response_expected = 0;
    span->client = (struct tt_client_ident){.language = 1};
    check("server_oneway_ipv6_java", span);
}

static void test_ssl(void **state)
{
    struct tt_span *span = client(&row_ping, "ping");

    span->key.carrier = TT_CARRIER_SSL;
    check("client_ssl", span);

    span = server(&row_server_state, "_get_state");
    span->has_client = false;
    span->key.carrier = TT_CARRIER_SSL;
    check("server_ssl", span);

    span = server(&row_server_state, "_get_state"); /* a transport that we do not know */
    span->key.carrier = TT_CARRIER_UNKNOWN;
    check("server_unknown_carrier", span);
}

static void test_state_and_ping(void **state)
{
    struct tt_span *span = server(&row_server_state, "_get_state");

    span->has_client = false;
    check("server_state", span);

    check("client_ping", client(&row_ping, "ping"));
}

static void test_connect(void **state)
{
    struct tt_span *span = fixture_span(&row_connect, TT_SPAN_INTERNAL, CLIENT_PID);

    fixture_device(span, "sys/tg_test/1", NULL);
    span->requests = 5;
    check("connect", span);

    span = fixture_span(&row_connect, TT_SPAN_CLIENT, CLIENT_PID);
    fixture_tcp(span, "_is_a", "192.168.1.20", 10012);
    fixture_parent(span, TT_PROOF_NESTING);
    span->parent_remote = false;
    check("connect_request", span);

    span = client(&row_command, "command_inout_2");
    fixture_device(span, "sys/database/2", NULL);
    span->command = "DbImportDevice";
    fixture_parent(span, TT_PROOF_NESTING);
    check("database_command", span);
}

static void test_bare_upcall(void **state)
{
    struct tt_span *span = fixture_span(&row_upcall, TT_SPAN_SERVER, SERVER_PID);

    fixture_tcp(span, "command_list_query_2", "127.0.0.1", 53610);
    check("server_bare", span);
}

static void test_inside_request(void **state)
{
    struct tt_span *span = fixture_span(&row_command, TT_SPAN_CLIENT, SERVER_PID);

    fixture_device(span, "test/follower/1", NULL);
    fixture_tcp(span, "command_inout_4", "127.0.0.1", 10013);
    fixture_parent(span, TT_PROOF_NESTING);
    span->command = "Prepare";
    span->owner_device = "test/leader/1";
    span->owner_class = "Leader";
    check("client_inside_request", span);
}

static void test_devfailed(void **state)
{
    struct tt_span *span = client(&row_command, "command_inout_4");

    span->command = "NoSuchCommand";
    span->exception_type = "N5Tango9DevFailedE";
    fixture_error(span, NULL, "API_CommandNotFound", "Command NoSuchCommand not found",
                  "Device_3Impl::command_inout");
    fixture_error(span, NULL, "API_CommandFailed", "Failed to execute command_inout on device sys/tg_test/1",
                  "Connection::command_inout()");
    span->error_total = 11;
    check("devfailed", span);
}

static void test_exceptions(void **state)
{
    struct tt_span *span = client(&row_ping, "ping");

    span->failed = true;
    span->exception_type = "N5CORBA9TRANSIENTE";
    span->exception_minor = 0x41540002;
    check("corba_transient", span);

    span = server(&row_server_command, "command_inout_4");
    span->command = "Throw";
    span->failed = true;
    span->exception_type = "St13runtime_error";
    check("runtime_error", span);

    span = server(&row_server_command, "command_inout_4");
    span->command = "Throw";
    span->failed = true;
    span->incomplete = TT_INCOMPLETE_FAULT;
    check("exception_unreadable", span);

    span = fixture_span(&row_python, TT_SPAN_INTERNAL, SERVER_PID);
    fixture_device(span, "test/basler/1", "Basler");
    fixture_parent(span, TT_PROOF_NESTING);
    span->code = (struct tt_span_code){.name = "Basler.Arm", .file = "/opt/basler.py", .line = 7};
    span->failed = true;
    check("python_exception", span);
}

static void test_failed_attributes(void **state)
{
    struct tt_span *span = client(&row_reads, "read_attributes_5");

    fixture_attribute(span, "a");
    fixture_attribute(span, "no_value");
    fixture_attribute(span, "throw_exception");
    fixture_error(span, "no_value", "API_AttrValueNotSet",
                  "Read value for attribute no_value has not been updated",
                  "Device_3Impl::read_attributes_no_except");
    fixture_error(span, "throw_exception", "exception test", "here is the exception", NULL);
    span->error_total = 3;
    check("failed_attributes", span);

    span = client(&row_read, "read_attributes_5");
    fixture_attribute(span, "no_value");
    fixture_error(span, NULL, "API_AttrValueNotSet", "Read value for attribute no_value has not been updated",
                  NULL);
    check("failed_attribute", span);

    span = client(&row_reads, "read_attributes_5");
    fixture_attribute(span, "a");
    fixture_attribute(span, "b");
    span->failed = true;
    span->error_total = 2;
    span->incomplete = TT_INCOMPLETE_FAULT;
    check("failed_attributes_unreadable", span);
}

static void test_uncertain(void **state)
{
    struct tt_span *span = client(&row_read, "read_attributes_5");

    fixture_attribute(span, "double_scalar");
    span->incomplete = TT_INCOMPLETE_END | TT_INCOMPLETE_LOST | TT_INCOMPLETE_PARENT;
    check("end_unknown", span);

    span = server(&row_server_read, NULL);
    span->proof = TT_PROOF_NONE;
    span->has_peer = span->has_key = false;
    span->operation = NULL;
    span->incomplete = TT_INCOMPLETE_START | TT_INCOMPLETE_FAULT | TT_INCOMPLETE_CUT;
    span->end = span->start - 1;
    check("server_unseen_client", span);
}

static void test_polling(void **state)
{
    struct tt_span *span = fixture_span(&row_server_read, TT_SPAN_INTERNAL, SERVER_PID);

    fixture_device(span, "sys/tg_test/1", "TangoTest");
    fixture_attribute(span, "double_scalar");
    span->trigger = TT_TRIGGER_POLLING;
    check("polling", span);
}

static void test_split(void **state)
{
    struct tt_span *span = client(&row_ping, "ping");

    span->split = true;
    memset(span->split_trace, 0xcd, sizeof(span->split_trace));
    memset(span->split_span, 0x0e, sizeof(span->split_span));
    check("split", span);
}

static void test_collocated(void **state)
{
    struct tt_span *span = fixture_span(&row_server_read, TT_SPAN_SERVER, SERVER_PID);

    fixture_device(span, "sys/tg_test/2", "TangoTest");
    fixture_attribute(span, "double_scalar");
    fixture_parent(span, TT_PROOF_NESTING);
    span->collocated = true;
    check("collocated", span);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_oneway_ipv6),
        cmocka_unit_test(test_state_and_ping),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_bare_upcall),
        cmocka_unit_test(test_inside_request),
        cmocka_unit_test(test_devfailed),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_failed_attributes),
        cmocka_unit_test(test_uncertain),
        cmocka_unit_test(test_collocated),
        cmocka_unit_test(test_polling),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_ssl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
