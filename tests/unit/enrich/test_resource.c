/* SPDX-License-Identifier: GPL-2.0-only */
/* Resources: what they say, that they are shared, and that nothing private is in them. */
#include "enrich/fixture.h"

#include "base/cleanup.h"
#include "enrich/resource.h"

static struct tt_otel_span *enriched(struct tt_enricher *enricher, const struct tt_row *row,
                                     enum tt_span_kind kind, uint32_t pid, const char *device,
                                     const char *class_name)
{
    struct tt_span *span = fixture_span(row, kind, pid);
    struct tt_otel_span *made;

    fixture_device(span, device, class_name);
    made = tt_enrich(enricher, &span);
    assert_non_null(made);
    return made;
}

static void assert_resource(const char *name, const struct tt_otel_span *span, const char *const *pairs)
{
    for (; pairs[0]; pairs += 2) {
        const char *value = resource_string(span, pairs[0]);

        if (strcmp(value ? value : "", pairs[1] ? pairs[1] : ""))
            print_message("%s: %s = %s\n", name, pairs[0], value ? value : "(none)");
        if (pairs[1])
            assert_string_equal(value ? value : "", pairs[1]);
        else
            assert_null(value);
    }
}

static void test_device(void **state)
{
    static const char *const expected[] = {"service.namespace",
                                           "tango",
                                           "service.name",
                                           "TangoTest",
                                           "service.instance.id",
                                           "sys/tg_test/1",
                                           "tango.server.name",
                                           "TangoTest/test",
                                           "tango.process.kind",
                                           "server",
                                           "tango.host",
                                           "127.0.0.1:10000",
                                           "host.name",
                                           "beamline1",
                                           "host.arch",
                                           "amd64",
                                           "os.type",
                                           "linux",
                                           "process.creation.time",
                                           "2023-11-14T22:13:20.123Z",
                                           "process.executable.name",
                                           "TangoTest",
                                           "process.executable.path",
                                           "/usr/lib/tango/TangoTest",
                                           "process.owner",
                                           "tango",
                                           "process.command",
                                           "/usr/lib/tango/TangoTest",
                                           "process.linux.cgroup",
                                           "/system.slice/tangotest.service",
                                           "telemetry.sdk.name",
                                           "tangotrace",
                                           "telemetry.sdk.language",
                                           "cpp",
                                           "telemetry.sdk.version",
                                           TT_VERSION,
                                           "telemetry.distro.name",
                                           "tangotrace",
                                           "telemetry.distro.version",
                                           TT_VERSION,
                                           "process.runtime.name",
                                           NULL,
                                           NULL};
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_otel_span *span = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID,
                                         "sys/tg_test/1", "TangoTest");
    const struct tt_otel_resource *r = span->resource;

    assert_resource("device", span, expected);
    assert_int_equal(tt_otel_find(r->attributes, r->attribute_count, "process.pid")->value.integer,
                     SERVER_PID);
    assert_int_equal(tt_otel_find(r->attributes, r->attribute_count, "tango.process.id")->value.integer,
                     SERVER_PID);
    assert_int_equal(tt_otel_find(r->attributes, r->attribute_count, "process.parent_pid")->value.integer, 1);
    assert_null(tt_otel_find(r->attributes, r->attribute_count, "process.command_args"));
    assert_false(r->is_client);
    tt_otel_span_put(&span);
    tt_enricher_free(&enricher);
}

static void test_client(void **state)
{
    static const char *const expected[] = {"service.name",
                                           "scan",
                                           "service.instance.id",
                                           "beamline1:2000",
                                           "tango.process.kind",
                                           "client",
                                           "tango.server.name",
                                           NULL,
                                           "process.runtime.name",
                                           "cpython",
                                           "process.runtime.version",
                                           "3.11.2",
                                           "process.runtime.description",
                                           "3.11.2 (main, Apr 28 2025, 14:11:48) [GCC 12.2.0]",
                                           "telemetry.sdk.language",
                                           "python",
                                           "process.command",
                                           "python3",
                                           NULL};
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_otel_span *span = enriched(enricher, &row_ping, TT_SPAN_CLIENT, CLIENT_PID, "sys/tg_test/1",
                                         NULL);

    assert_resource("client", span, expected);
    assert_true(span->resource->is_client);
    tt_otel_span_put(&span);
    tt_enricher_free(&enricher);
}

/* A server's own thread, a device whose class could not be read, a process that is gone. */
static void test_fallbacks(void **state)
{
    static const char *const thread[] = {"service.name",
                                         "thrower",
                                         "service.instance.id",
                                         "beamline1:3000",
                                         "tango.process.kind",
                                         "server",
                                         "process.creation.time",
                                         NULL,
                                         NULL};
    static const char *const device[] = {"service.name", "thrower", "service.instance.id", "a/b/c", NULL};
    static const char *const gone[] = {"service.name",
                                       "unknown_service",
                                       "service.instance.id",
                                       "beamline1:77",
                                       "tango.process.kind",
                                       NULL,
                                       "telemetry.sdk.language",
                                       "cpp",
                                       NULL};
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_otel_span *span = enriched(enricher, &row_ping, TT_SPAN_CLIENT, THROWER_PID, "x/y/z", NULL);

    assert_resource("thread", span, thread);
    assert_false(span->resource->is_client);
    assert_string_equal(span->scope->version, "");
    tt_otel_span_put(&span);
    span = enriched(enricher, &row_server_read, TT_SPAN_SERVER, THROWER_PID, "a/b/c", NULL);
    assert_resource("device", span, device);
    tt_otel_span_put(&span);
    span = enriched(enricher, &row_ping, TT_SPAN_CLIENT, 77, "x/y/z", NULL);
    assert_resource("gone", span, gone);
    tt_otel_span_put(&span);
    tt_enricher_free(&enricher);
}

static void test_shared(void **state)
{
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_otel_span *spans[5];

    spans[0] = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID, "a/b/1", "A");
    spans[1] = enriched(enricher, &row_server_command, TT_SPAN_SERVER, SERVER_PID, "a/b/1", "A");
    spans[2] = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID, "a/b/2", "A");
    spans[3] = enriched(enricher, &row_server_read, TT_SPAN_SERVER, THROWER_PID, "a/b/1", "A");
    spans[4] = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID, "a/b/1", NULL);
    assert_ptr_equal(spans[0]->resource, spans[1]->resource);
    assert_ptr_not_equal(spans[0]->resource, spans[2]->resource);
    assert_ptr_not_equal(spans[0]->resource, spans[3]->resource);
    assert_ptr_equal(spans[0]->resource, spans[4]->resource); /* the class was known already */
    tt_enricher_free(&enricher);                              /* spans and resources live on */
    for (size_t i = 0; i < 5; i++) {
        assert_non_null(spans[i]->resource->service_name);
        tt_otel_span_put(&spans[i]);
    }
}

/* A name that had to be repaired is still the same name. */
static void test_shared_hostile(void **state)
{
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_otel_span *a = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID, "a/b/\xff",
                                      "\xb5M");
    struct tt_otel_span *b = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID, "a/b/\xff",
                                      "\xb5M");

    assert_ptr_equal(a->resource, b->resource);
    tt_otel_span_put(&a);
    tt_otel_span_put(&b);
    tt_enricher_free(&enricher);
}

static void test_class_becomes_known(void **state)
{
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_otel_span *before = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID, "a/b/1",
                                           NULL);
    struct tt_otel_span *after = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID, "a/b/1",
                                          "Motor");

    assert_string_equal(before->resource->service_name, "TangoTest");
    assert_string_equal(after->resource->service_name, "Motor");
    tt_otel_span_put(&before);
    tt_otel_span_put(&after);
    tt_enricher_free(&enricher);
}

static void test_bounded(void **state)
{
    static const struct tt_enrich_config config = {.host_name = "h"};
    struct tt_resources *resources = tt_resources_new(&config);
    struct tt_otel_resource *kept = NULL;
    char device[32];

    assert_non_null(resources);
    for (unsigned i = 0; i < TT_RESOURCES_MAX + 100; i++) {
        struct tt_otel_resource *resource;

        snprintf(device, sizeof(device), "a/b/%u", i);
        resource = tt_resources_get(resources, NULL, 5, device, "C", 1000);
        assert_non_null(resource);
        if (!i)
            kept = resource;
        else
            tt_otel_resource_put(&resource);
    }
    assert_int_equal(tt_resources_count(resources), TT_RESOURCES_MAX);
    assert_string_equal(kept->instance, "a/b/0"); /* pushed out, still held */
    tt_otel_resource_put(&kept);
    tt_resources_tick(resources, 1000 + TT_RESOURCES_UNUSED);
    assert_int_equal(tt_resources_count(resources), TT_RESOURCES_MAX);
    tt_resources_tick(resources, 1001 + TT_RESOURCES_UNUSED + TT_RESOURCES_UNUSED / 10);
    assert_int_equal(tt_resources_count(resources), 0);
    tt_resources_free(&resources);
}

static void test_users_attributes(void **state)
{
    static const struct tt_enrich_config config = {
        .host_name = "beamline1",
        .resource_attributes =
            " deployment.environment.name = prod ,site=Lund%20%C3%A5,service.name=mine,process.pid=1,"
            "tango.host=x,host.name=y,bad,site=again,enc=%zz,=v, ,latin=%e5"};
    static const char *const expected[] = {"deployment.environment.name",
                                           "prod",
                                           "site",
                                           "Lund \xc3\xa5",
                                           "service.name",
                                           "TangoTest",
                                           "host.name",
                                           "beamline1",
                                           "tango.host",
                                           "127.0.0.1:10000",
                                           "bad",
                                           NULL,
                                           "enc",
                                           NULL,
                                           "latin",
                                           "\xef\xbf\xbd",
                                           NULL};
    struct tt_enricher *enricher = fixture_enricher(&config);
    struct tt_otel_span *span = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID,
                                         "sys/tg_test/1", "TangoTest");
    const struct tt_otel_resource *r = span->resource;

    assert_resource("extra", span, expected);
    for (size_t i = 0; i < r->attribute_count; i++)
        assert_ptr_equal(tt_otel_find(r->attributes, r->attribute_count, r->attributes[i].key),
                         &r->attributes[i]);
    tt_otel_span_put(&span);
    tt_enricher_free(&enricher);
}

static bool contains(const struct tt_otel_span *span, const char *text)
{
    _cleanup_free_ char *dump = NULL;
    size_t size;
    FILE *out = open_memstream(&dump, &size);

    assert_non_null(out);
    dump_span(out, span);
    dump_attributes(out, "", span->resource->attributes, span->resource->attribute_count);
    fclose(out);
    return strstr(dump, text) != NULL;
}

static void test_private(void **state)
{
    static const struct tt_enrich_config open_config = {.host_name = "h", .command_lines = true};
    struct tt_enricher *enricher = fixture_enricher(NULL);
    struct tt_otel_span *span = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID, "a/b/c",
                                         "A");

    assert_false(contains(span, "hunter2"));
    assert_false(contains(span, "-v4"));
    tt_otel_span_put(&span);
    span = enriched(enricher, &row_ping, TT_SPAN_CLIENT, CLIENT_PID, "a/b/c", NULL);
    assert_false(contains(span, "hunter2"));
    assert_false(contains(span, "/home/operator"));
    tt_otel_span_put(&span);
    tt_enricher_free(&enricher);

    enricher = fixture_enricher(&open_config);
    span = enriched(enricher, &row_server_read, TT_SPAN_SERVER, SERVER_PID, "a/b/c", "A");
    assert_true(contains(span, "[\"/usr/lib/tango/TangoTest\", \"test\", \"-v4\", \"--token\", \"***\"]"));
    tt_otel_span_put(&span);
    span = enriched(enricher, &row_ping, TT_SPAN_CLIENT, CLIENT_PID, "a/b/c", NULL);
    assert_true(contains(span, "\"--password=***\", \"1.5\""));
    assert_false(contains(span, "hunter2"));
    tt_otel_span_put(&span);
    tt_enricher_free(&enricher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device),         cmocka_unit_test(test_client),
        cmocka_unit_test(test_fallbacks),      cmocka_unit_test(test_shared),
        cmocka_unit_test(test_shared_hostile), cmocka_unit_test(test_class_becomes_known),
        cmocka_unit_test(test_bounded),        cmocka_unit_test(test_users_attributes),
        cmocka_unit_test(test_private),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
