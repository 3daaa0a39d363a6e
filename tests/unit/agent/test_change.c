/* SPDX-License-Identifier: GPL-2.0-only */
/* Another configuration of a pipeline: refused whole, or put in place with no span lost and no figure. */
#include "../export/fixture.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/measure.h"
#include "agent/pipeline.h"
#include "agent/publish.h"
#include "options/options.h"

static const struct tt_row *no_row(void *context, uint32_t point)
{
    return NULL;
}

static struct tt_process *no_process(void *context, uint32_t pid, uint64_t time)
{
    return NULL;
}

struct bench {
    struct tt_options options;
    struct tt_pipeline *pipeline;
    struct tt_otel_resource *client;
    unsigned taken; /* snapshots */
};

/* Options as the command line gives them; the NULL-ended list is the test's. */
static struct tt_options parse(char *const argv[])
{
    char *environment[] = {NULL}, *error = NULL;
    struct tt_options options;

    if (tt_options_parse(&options, TT_COMMAND_RUN, argv, environment, &error))
        fail_msg("%s", error);
    return options;
}

#define ARGS(...) ((char *[]){__VA_ARGS__, NULL})

static struct tt_pipeline_config config_of(const struct tt_options *options)
{
    return (struct tt_pipeline_config){
        .world = {.row = no_row, .process = no_process},
        .options = options,
        .join_wait_ns = (uint64_t)options->join_wait * 1000000u,
        .usage = true,
    };
}

static void setup(struct bench *b, char *const argv[])
{
    struct tt_pipeline_config config;

    b->options = parse(argv);
    b->client = fixture_resource("scan.py", "ws1:4711", NULL, 4711);
    config = config_of(&b->options);
    assert_int_equal(tt_pipeline_new(&config, &b->pipeline), 0);
}

static void teardown(struct bench *b)
{
    tt_pipeline_stop(b->pipeline, 1000);
    tt_pipeline_free(&b->pipeline);
    tt_otel_resource_put(&b->client);
    tt_options_free(&b->options);
}

/* Traces of one span each, as they come behind the enricher. */
static void give(struct bench *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct tt_otel_span *span = fixture_span(b->client, 1, 1, 0, 3, "read position", "b107a/mot/1", 0,
                                                 300);

        span->trace_id[15] = (uint8_t)i;
        span->top = true;
        tt_sampler_span(b->pipeline->sampler, span);
        tt_otel_span_put(&span);
    }
}

/* As the running agent does it. */
static int change(struct bench *b, char *const argv[])
{
    struct tt_options fresh = parse(argv);
    struct tt_pipeline_config config = config_of(&fresh);
    struct tt_pipeline_change *made = NULL;
    int error = tt_pipeline_change_new(b->pipeline, &b->options, &config, &made);

    if (error) {
        assert_null(made);
        tt_options_free(&fresh);
        return error;
    }
    tt_pipeline_change_apply(b->pipeline, made);
    tt_pipeline_change_free(&made);
    tt_options_free(&b->options);
    b->options = fresh;
    return 0;
}

struct sum {
    uint64_t queued, exported;
    unsigned live, gone;
};

static void add(void *context, const struct tt_exporter_figures *figures)
{
    struct sum *sum = context;

    sum->queued += figures->spans.queued;
    sum->exported += figures->spans.exported;
    sum->live += !figures->gone;
    sum->gone += figures->gone;
}

static struct sum sum_of(struct bench *b)
{
    struct sum sum = {0};

    tt_pipeline_each_exporter(b->pipeline, add, &sum);
    return sum;
}

/* What goes away sends what it has, and its figures stay. */
static void test_exporters(void **state)
{
    struct bench b = {0};
    struct sum sum;

    setup(&b, ARGS("--export", "null", "--export", "file:/dev/null", "--batch-delay", "1h"));
    give(&b, 10);
    assert_int_equal(
        change(&b, ARGS("--export", "null", "--export", "file:/dev/full", "--batch-delay", "1h")), 0);
    give(&b, 5);
    sum = sum_of(&b);
    assert_int_equal(sum.live, 2);
    assert_int_equal(sum.gone, 1);
    assert_int_equal(sum.queued, 30);
    tt_pipeline_retire(b.pipeline, 5000);
    sum = sum_of(&b);
    assert_int_equal(sum.live, 2);
    assert_int_equal(sum.gone, 1);
    assert_int_equal(sum.queued, 30);
    assert_true(sum.exported >= 10); /* all of the one that went */

    /* Once more, back to what was: its figures are found by name. */
    assert_int_equal(
        change(&b, ARGS("--export", "null", "--export", "file:/dev/null", "--batch-delay", "1h")), 0);
    tt_pipeline_retire(b.pipeline, 5000);
    assert_int_equal(sum_of(&b).gone, 2);
    assert_int_equal(sum_of(&b).queued, 30);
    teardown(&b);
}

/* An exporter whose options are the same is not touched; one that all options are others for is made anew. */
static void test_kept(void **state)
{
    struct bench b = {0};
    struct tt_exporter *first;

    setup(&b, ARGS("--export", "null"));
    first = b.pipeline->exporters[0];
    assert_int_equal(
        change(&b, ARGS("--export", "file:/dev/null", "--export", "null", "--sampling-rate", "5")), 0);
    assert_int_equal(b.pipeline->exporter_count, 2);
    assert_ptr_equal(b.pipeline->exporters[1], first);
    assert_int_equal(b.pipeline->leaving_count, 0);
    assert_int_equal(change(&b, ARGS("--export", "null", "--batch-size", "7")), 0);
    assert_ptr_not_equal(b.pipeline->exporters[0], first);
    assert_int_equal(b.pipeline->leaving_count, 2);
    tt_pipeline_retire(b.pipeline, 5000);
    teardown(&b);
}

/* One exporter of several that cannot be had: nothing has changed, nothing is left behind. */
static void test_refused(void **state)
{
    struct bench b = {0};
    struct tt_exporter *first;
    struct tt_sampler *sampler;

    setup(&b, ARGS("--export", "null"));
    first = b.pipeline->exporters[0];
    sampler = b.pipeline->sampler;
    assert_int_equal(
        change(&b, ARGS("--export", "null", "--export", "file:/dev/null", "--export",
                        "file:/no/such/folder/x", "--sampling-rate", "5", "--metrics-listen", "1")),
        -EINVAL);
    assert_int_equal(b.pipeline->exporter_count, 1);
    assert_ptr_equal(b.pipeline->exporters[0], first);
    assert_ptr_equal(b.pipeline->sampler, sampler);
    assert_null(b.pipeline->metrics);
    give(&b, 3);
    assert_int_equal(sum_of(&b).queued, 3);
    teardown(&b);
}

/* Spans that are held when the sampling changes leave by the new rules; the sums are right. */
static void test_sampling(void **state)
{
    struct bench b = {0};
    struct tt_sampler_stats stats;

    setup(&b, ARGS("--export", "null", "--sampling-rules", "device=b*; ratio=0", "--sampling-slow", "no"));
    give(&b, 8);
    tt_sampler_get_stats(b.pipeline->sampler, &stats);
    assert_int_equal(stats.held, 8);
    assert_int_equal(change(&b, ARGS("--export", "null", "--sampling-rules", "device=b*; ratio=1",
                                     "--sampling-slow", "no")),
                     0);
    give(&b, 8);
    tt_sampler_flush(b.pipeline->sampler);
    tt_sampler_get_stats(b.pipeline->sampler, &stats);
    assert_int_equal(stats.kept, 16);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(sum_of(&b).queued, 16);
    teardown(&b);
}

/* Metrics come and go, and carry the resource of the new options. */
static void test_metrics(void **state)
{
    struct bench b = {0};
    const struct tt_otel_attribute *name;
    struct tt_metrics *metrics;
    struct tt_snapshot *snapshot;

    setup(&b, ARGS("--export", "null"));
    assert_int_equal(change(&b, ARGS("--export", "null", "--metrics-listen", "1", "--service-name", "me")),
                     0);
    metrics = b.pipeline->metrics;
    assert_non_null(metrics);
    snapshot = tt_pipeline_snapshot(b.pipeline, 1700000000000000000);
    assert_non_null(snapshot);
    name = tt_otel_find(snapshot->resource->attributes, snapshot->resource->attribute_count, "service.name");
    assert_string_equal(name->value.string, "me");
    tt_snapshot_free(&snapshot);
    /* Another port is no reason to begin anew. */
    assert_int_equal(change(&b, ARGS("--export", "null", "--metrics-listen", "2", "--service-name", "me")),
                     0);
    assert_ptr_equal(b.pipeline->metrics, metrics);
    assert_int_equal(change(&b, ARGS("--export", "null")), 0);
    assert_null(b.pipeline->metrics);
    teardown(&b);
}

/* ---- ways of metrics ---- */

static struct tt_snapshot *take(void *context)
{
    struct bench *b = context;

    __atomic_add_fetch(&b->taken, 1, __ATOMIC_RELAXED);
    return tt_pipeline_snapshot(b->pipeline, 1700000000000000000);
}

static bool is_ready(void *context, struct tt_text *why)
{
    return true;
}

static void reload_publisher(struct tt_publisher *publisher, const struct tt_options *options)
{
    struct tt_publisher_change *made = NULL;

    assert_int_equal(tt_publisher_change_new(publisher, options, &made), 0);
    tt_publisher_change_apply(publisher, &made);
    assert_null(made);
}

static off_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) ? 0 : st.st_size;
}

/* Nobody asks, then a file is written at intervals, then two, then none: each gets what is meant for it. */
static void test_publisher(void **state)
{
    char one[] = "/tmp/tt-change-1-XXXXXX", two[] = "/tmp/tt-change-2-XXXXXX";
    char to_one[64], to_two[64];
    struct bench b = {0};
    const struct tt_publisher_ops ops = {take, is_ready, &b};
    struct tt_publisher *publisher = NULL;
    struct tt_options first, second, third;
    off_t before;

    close(mkstemp(one));
    close(mkstemp(two));
    snprintf(to_one, sizeof(to_one), "file:%s", one);
    snprintf(to_two, sizeof(to_two), "file:%s", two);
    setup(&b, ARGS("--export", "null", "--metrics-listen", "1"));
    third = parse(ARGS("--export", "null"));
    assert_int_equal(tt_publisher_new(&third, &ops, true, &publisher), 0);
    assert_non_null(publisher);

    first = parse(ARGS("--export", "null", "--metrics-export", to_one, "--metrics-interval", "100ms"));
    reload_publisher(publisher, &first);
    while (!size_of(one))
        usleep(10000);
    second = parse(ARGS("--export", "null", "--metrics-export", to_one, "--metrics-export", to_two,
                        "--metrics-interval", "100ms"));
    reload_publisher(publisher, &second);
    before = size_of(one);
    while (!size_of(two) || size_of(one) == before)
        usleep(10000);
    reload_publisher(publisher, &third);
    before = size_of(one);
    tt_publisher_stop(publisher);
    tt_publisher_finish(publisher);
    assert_int_equal(size_of(one), before);
    assert_true(__atomic_load_n(&b.taken, __ATOMIC_RELAXED) >= 2);
    tt_publisher_free(&publisher);
    unlink(one);
    unlink(two);
    tt_options_free(&first);
    tt_options_free(&second);
    tt_options_free(&third);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exporters), cmocka_unit_test(test_kept),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_sampling),  cmocka_unit_test(test_metrics), cmocka_unit_test(test_publisher),
    };

    return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
