/* SPDX-License-Identifier: GPL-2.0-only */
/* Another configuration of a pipeline: refused whole, or put in place with no span lost and no figure. */
#include "../export/fixture.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/measure.h"
#include "agent/pipeline.h"
#include "agent/publish.h"
#include "export/points.h"
#include "options/internal.h"

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
    uint64_t queued, exported, processed, operations, timed;
    unsigned live, gone;
};

static void add(void *context, const struct tt_exporter_figures *figures)
{
    struct sum *sum = context;

    sum->queued += figures->spans.queued;
    sum->exported += figures->spans.exported;
    if (figures->gone) {
        sum->processed += figures->spans.processed;
        sum->operations += figures->spans.operations;
        for (unsigned i = 0; i < TT_OPERATIONS; i++)
            sum->timed += figures->spans.durations[i].slots[TT_SLOT_COUNT];
    }
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
    assert_int_equal(sum.processed, 10);
    assert_true(sum.operations > 0);
    assert_int_equal(sum.timed, sum.operations);

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

/* ---- what each option affects ---- */

#define MADE_EXPORTERS (TT_AFFECTS_EXPORTERS | TT_AFFECTS_CONSOLE | TT_AFFECTS_OTLP)

/* All that is made of the options, without what only points to somewhere else after another parsing. */
struct made {
    struct tt_export_config exporters;
    struct tt_sampler_config sampler;
    struct tt_metrics_config metrics;
    struct tt_points_config points;
    struct {
        const char *name, *attributes;
    } own;
};

static void make_all(struct made *made, const struct tt_options *options)
{
    const struct tt_pipeline_config config = config_of(options);

    memset(made, 0, sizeof(*made));
    made->exporters = tt_pipeline_export_config(&config);
    made->sampler = tt_pipeline_sampler_config(&config);
    made->metrics = tt_pipeline_metrics_config(options);
    made->points = tt_publisher_points_config(options);
    made->own.name = options->service_name;
    made->own.attributes = options->resource_attributes;
}

static unsigned differences(const struct made *a, const struct made *b)
{
    return (memcmp(&a->exporters, &b->exporters, sizeof(a->exporters)) ? MADE_EXPORTERS : 0) |
           (memcmp(&a->sampler, &b->sampler, sizeof(a->sampler)) ? TT_AFFECTS_SAMPLER : 0) |
           (memcmp(&a->metrics, &b->metrics, sizeof(a->metrics)) || memcmp(&a->own, &b->own, sizeof(a->own))
                ? TT_AFFECTS_METRICS
                : 0) |
           (memcmp(&a->points, &b->points, sizeof(a->points)) ? TT_AFFECTS_POINTS : 0);
}

/* A value that the row takes, and is not the default. */
static char *another_text(const struct option *option)
{
    static const char *const candidates[] = {"0.5",
                                             "2s",
                                             "http://other:4318",
                                             "name=value",
                                             "{ }",
                                             "9999",
                                             "rpc",
                                             "device=x; ratio=1",
                                             "null",
                                             "otlp",
                                             "function=X::y",
                                             "a-token-of-16-or-more"};

    for (size_t i = 0; i < TT_ARRAY_SIZE(candidates); i++) {
        char *error = NULL;
        bool good = !option->check || !option->check(candidates[i], &error);

        free(error);
        if (good)
            return (char *)candidates[i];
    }
    fail_msg("no value known for %s", option->name);
    return NULL;
}

/* What is made otherwise when this option alone has any other value. The copies share all else. */
static unsigned affects_in_fact(const struct tt_options *base, const struct option *option)
{
    struct tt_options other = *base;
    void *field = (char *)&other + option->offset;
    char *items[] = {another_text(option), NULL};
    unsigned found = 0, was;
    struct made a, b;

    make_all(&a, base);
    switch (option->type) {
    case OPTION_BOOL:
        *(bool *)field = !*(bool *)field;
        break;
    case OPTION_TEXT:
        *(char **)field = items[0];
        break;
    case OPTION_LIST:
        *(struct tt_list *)field = (struct tt_list){items, 1};
        break;
    case OPTION_SIZE:
        *(uint64_t *)field += 1;
        break;
    case OPTION_CHOICE: /* one of them may mean the default */
        was = *(unsigned *)field;
        for (*(unsigned *)field = 0; option->choices[*(unsigned *)field]; ++*(unsigned *)field) {
            make_all(&b, &other);
            found |= *(unsigned *)field == was ? 0 : differences(&a, &b);
        }
        return found;
    case OPTION_COUNT:
    case OPTION_DURATION:
        *(unsigned *)field += 1;
        break;
    default: /* selections: nothing is made of them */
        return 0;
    }
    make_all(&b, &other);
    return differences(&a, &b);
}

/* Every row says what it affects, and all of it: what is made of the options is compared. */
static void test_affected(void **state)
{
    struct tt_options base;
    const unsigned masks[] = {MADE_EXPORTERS, TT_AFFECTS_SAMPLER, TT_AFFECTS_METRICS, TT_AFFECTS_POINTS};
    unsigned rows = 0;

#ifdef __SANITIZE_ADDRESS__
    skip(); /* compares what was made byte by byte: the sanitizer leaves its own between the fields */
#endif
    base = parse(ARGS("--export", "null"));
    for (size_t i = 0; i < tt_option_count; i++) {
        const struct option *option = &tt_option_table[i];
        unsigned found;

        if (option->scope != SCOPE_EVERYWHERE || !(option->commands & TT_COMMAND_RUN))
            continue;
        rows++;
        found = affects_in_fact(&base, option);
        if (!option->affects)
            fail_msg("%s does not say what it affects", option->name);
        if ((option->affects & TT_AFFECTS_RESTART) && (option->affects != TT_AFFECTS_RESTART || found))
            fail_msg("%s affects something without a restart, too", option->name);
        for (size_t m = 0; m < TT_ARRAY_SIZE(masks); m++)
            if (!(option->affects & masks[m]) != !(found & masks[m]) &&
                !(option->affects & TT_AFFECTS_OTHERS))
                fail_msg("%s says it affects %#x, and does affect %#x", option->name, option->affects, found);
    }
    assert_true(rows > 90);
    tt_options_free(&base);
}

/* What is given for all signals, or as a part of other options, reaches those. */
static void test_affects_others(void **state)
{
    unsigned rows = 0;

    for (size_t i = 0; i < tt_option_count; i++) {
        const struct option *option = &tt_option_table[i];
        struct tt_options base, other;
        unsigned affected;
        char name[64];

        if (!(option->affects & TT_AFFECTS_OTHERS))
            continue;
        rows++;
        snprintf(name, sizeof(name), "--%s", option->name);
        base = parse(ARGS("--export", "otlp", "--metrics-export", "otlp"));
        other = parse(ARGS("--export", "otlp", "--metrics-export", "otlp", name,
                           option->choices                   ? (char *)option->choices[0]
                           : option->type == OPTION_DURATION ? "7s"
                                                             : another_text(option)));
        if (option->choices && !(tt_options_affected(&base, &other) & TT_AFFECTS_OTHERS)) {
            tt_options_free(&other);
            other = parse(
                ARGS("--export", "otlp", "--metrics-export", "otlp", name, (char *)option->choices[1]));
        }
        affected = tt_options_affected(&base, &other);
        if (!(affected & TT_AFFECTS_OTHERS) || affected == TT_AFFECTS_OTHERS)
            fail_msg("%s affects nothing: %#x", option->name, affected);
        tt_options_free(&base);
        tt_options_free(&other);
    }
    assert_true(rows >= 10);
}

#define THREE "--export", "null", "--export", "otlp:http://127.0.0.1:1", "--export", "console"

/* Which of the three are others after this option is given besides: a bit for each. */
static unsigned others_by(char *option, char *value)
{
    struct tt_exporter *before[3];
    struct bench b = {0};
    unsigned found = 0;

    setup(&b, ARGS(THREE));
    memcpy(before, b.pipeline->exporters, sizeof(before));
    assert_int_equal(change(&b, ARGS(THREE, option, value)), 0);
    assert_int_equal(b.pipeline->exporter_count, 3);
    for (unsigned i = 0; i < 3; i++)
        found |= (unsigned)(b.pipeline->exporters[i] != before[i]) << i;
    tt_pipeline_retire(b.pipeline, 1000);
    teardown(&b);
    return found;
}

/* Only those exporters are made anew that would be others. */
static void test_only_those(void **state)
{
    assert_int_equal(others_by("--log-rate", "5"), 0);
    assert_int_equal(others_by("--attribute-length", "50"), 0);
    assert_int_equal(others_by("--calls-open", "5s"), 0);
    assert_int_equal(others_by("--sampling-rate", "5"), 0);
    assert_int_equal(others_by("--otlp-metrics-headers", "a=b"), 0);
    assert_int_equal(others_by("--batch-size", "5"), 7);
    assert_int_equal(others_by("--otlp-headers", "a=b"), 2);
    assert_int_equal(others_by("--otlp-logs-timeout", "5s"), 2);
    assert_int_equal(others_by("--otlp-logs-endpoint", "http://127.0.0.1:2/logs"), 2);
    assert_int_equal(others_by("--join-wait", "5s"), 2);
    assert_int_equal(others_by("--sampling-wait", "5s"), 2);
    assert_int_equal(others_by("--console-rate", "5"), 4);
}

/* Log records go where the first destination's do: which that is may change, too. */
static void test_logs_of_the_first(void **state)
{
    char one[] = "otlp:http://127.0.0.1:1", two[] = "otlp:http://127.0.0.1:2",
         logs[] = "http://127.0.0.1:3/logs";
    struct tt_exporter *first, *second;
    struct bench b = {0};

    setup(&b, ARGS("--export", one, "--export", two, "--otlp-logs-endpoint", logs));
    first = b.pipeline->exporters[0];
    second = b.pipeline->exporters[1];
    assert_int_equal(
        change(&b, ARGS("--export", one, "--export", "null", "--export", two, "--otlp-logs-endpoint", logs)),
        0);
    assert_ptr_equal(b.pipeline->exporters[0], first);
    assert_ptr_equal(b.pipeline->exporters[2], second);
    assert_int_equal(change(&b, ARGS("--export", two, "--export", one, "--otlp-logs-endpoint", logs)), 0);
    assert_ptr_not_equal(b.pipeline->exporters[0], second);
    assert_ptr_not_equal(b.pipeline->exporters[1], first);
    tt_pipeline_retire(b.pipeline, 1000);
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
        cmocka_unit_test(test_exporters),         cmocka_unit_test(test_kept),
        cmocka_unit_test(test_refused),           cmocka_unit_test(test_affected),
        cmocka_unit_test(test_affects_others),    cmocka_unit_test(test_only_those),
        cmocka_unit_test(test_logs_of_the_first), cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_metrics),           cmocka_unit_test(test_publisher),
    };

    return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
