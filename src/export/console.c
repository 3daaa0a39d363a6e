/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "export/encode.h"
#include "export/output.h"
#include "export/ratelog.h"

#define DEFAULT_RATE 20
#define SETTLE_NS    (300 * TT_NS_PER_MS) /* after the root ended, for spans of other threads and processes */
#define ORPHAN_NS    (10 * TT_NS_PER_S)   /* without a root: not traced, lost, or still open */
#define SILENCE_NS   (10 * TT_NS_PER_S)
#define REPEAT_NS    (60 * TT_NS_PER_S) /* of the line about the silence */
#define TRACES_MAX   1024
#define SPANS_MAX    8192 /* held in all; some 2 KB each */
#define TRACE_SPANS  2048 /* of one trace; the tree says how many more there were */
#define TRACE_LOGS   256  /* of one trace; further ones are not shown */
#define LOGS_MAX     4096 /* held in all */

struct trace {
    uint8_t id[16];
    struct tt_otel_span **spans; /* a reference each */
    size_t count, capacity;
    size_t hidden;             /* counted but not kept */
    struct tt_otel_log **logs; /* a reference each; space for TRACE_LOGS, or NULL */
    size_t log_count;
    bool has_root;
    uint64_t last;     /* when the last span came */
    UT_hash_handle hh; /* iterates in order of creation: the first is the oldest */
};

struct console_sink {
    struct tt_sink base;
    struct tt_sink_counters *counters; /* of all signals */
    struct tt_console_options options;
    struct tt_output output;
    struct trace *traces;
    size_t held, held_logs;
    uint64_t second; /* begin of the second that `shown` and `skipped` count */
    unsigned shown;
    uint64_t skipped;
    uint64_t spans, unwanted; /* since the last tree: came; traces that no traced client began */
    bool any;                 /* a tree was shown */
    uint64_t last_output, next_silence;
    uint64_t said_lost, said_given_up;
    struct tt_json json;
    struct tt_text text;
    struct tt_ratelog failures;
};

/* ---- output ------------------------------------------------------------------------------------------ */

/* Writes and empties the text; 0 or what tt_output_write says. */
static int write_text(struct console_sink *sink)
{
    size_t written = 0;
    int err = sink->text.failed ? -ENOMEM
                                : tt_output_write(&sink->output, sink->text.data, sink->text.size, &written);

    tt_sink_add(&sink->counters->requests, 1);
    tt_sink_add(&sink->counters->bytes, written);
    if (err == -EPIPE)
        atomic_store(&sink->counters->closed, true);
    else if (err < 0 && err != -ETIMEDOUT)
        tt_ratelog_warn(&sink->failures, TT_RATELOG_S, "console: cannot write: %s", strerror(-err));
    tt_text_free(&sink->text);
    sink->last_output = sink->options.now();
    sink->next_silence = sink->last_output + SILENCE_NS;
    return err;
}

/* Adds the line of JSON that was written. */
static void take_json(struct console_sink *sink)
{
    if (sink->json.failed)
        sink->text.failed = true;
    else
        tt_text_add(&sink->text, sink->json.data, sink->json.size);
    tt_json_reset(&sink->json);
}

static void put_dim(struct console_sink *sink, const char *line)
{
    bool color = sink->options.style.color;

    if (sink->options.json) {
        tt_json_object(&sink->json, NULL);
        tt_json_string(&sink->json, "notice", line);
        tt_json_object_end(&sink->json);
        tt_json_newline(&sink->json);
        take_json(sink);
        return;
    }
    tt_text_printf(&sink->text, "%s%s%s\n", color ? "\033[2m" : "", line, color ? "\033[0m" : "");
}

static void say_skipped(struct console_sink *sink)
{
    char line[128];

    if (!sink->skipped)
        return;
    snprintf(line, sizeof(line), "%s %llu traces not shown (more than %u a second; --console-rate)",
             sink->options.style.utf8 ? "…" : "...", (unsigned long long)sink->skipped, sink->options.rate);
    sink->skipped = 0;
    put_dim(sink, line);
    write_text(sink);
}

/* What the reader would not know otherwise. */
static void say_trouble(struct console_sink *sink)
{
    uint64_t lost = 0;
    uint64_t given_up = sink->options.filter ? tt_query_given_up(sink->options.filter) : 0;
    char line[160];

    for (unsigned i = 0; i < sink->options.lost_count; i++)
        lost += atomic_load_explicit(&sink->options.lost[i], memory_order_relaxed);
    if (lost != sink->said_lost) {
        snprintf(line, sizeof(line), "%s %llu spans lost: the output is not read fast enough",
                 sink->options.style.utf8 ? "…" : "...", (unsigned long long)(lost - sink->said_lost));
        put_dim(sink, line);
    }
    if (given_up && !sink->said_given_up)
        put_dim(sink,
                "a regular expression of the filter takes too many steps: it counts as not matching there");
    if (lost != sink->said_lost || (given_up && !sink->said_given_up))
        write_text(sink);
    sink->said_lost = lost;
    sink->said_given_up = given_up;
}

/* What came and was not shown, into `line`. */
static void describe_unwanted(const struct console_sink *sink, char *line, size_t size)
{
    if (sink->options.filter)
        snprintf(line, size, "%llu trace%s seen, none matches the filter", (unsigned long long)sink->unwanted,
                 sink->unwanted == 1 ? "" : "s");
    else if (sink->unwanted == 1)
        snprintf(line, size, "1 call seen, it does not begin in a traced client (--all-roots shows it)");
    else
        snprintf(line, size, "%llu calls seen, none begins in a traced client (--all-roots shows them)",
                 (unsigned long long)sink->unwanted);
}

static void say_silence(struct console_sink *sink, uint64_t now)
{
    char processes[256] = "", seen[128] = "no calls seen", line[sizeof(processes) + sizeof(seen) + 2];

    if (!sink->options.silence || now < sink->next_silence)
        return;
    if (sink->spans && !sink->unwanted)
        return; /* calls are under way: a tree comes, or there is something to say about it */
    if (sink->unwanted)
        describe_unwanted(sink, seen, sizeof(seen));
    sink->options.silence(sink->options.silence_context, processes, sizeof(processes));
    snprintf(line, sizeof(line), "%s; %s", processes, seen);
    if (*processes) {
        put_dim(sink, line);
        write_text(sink);
    }
    sink->next_silence = now + REPEAT_NS;
}

/* At the end: nothing was shown, but there was something. */
static void say_unwanted(struct console_sink *sink)
{
    char line[128];

    if (sink->any || !sink->unwanted)
        return;
    describe_unwanted(sink, line, sizeof(line));
    put_dim(sink, line);
    write_text(sink);
}

/* ---- traces ------------------------------------------------------------------------------------------ */

const struct tt_otel_span *tt_console_root(struct tt_otel_span *const *spans, size_t count)
{
    static const uint8_t none[8];
    const struct tt_otel_span *root = NULL;

    for (size_t i = 0; i < count; i++) {
        bool has_parent = memcmp(spans[i]->parent_id, none, sizeof(none)) != 0;

        for (size_t k = 0; k < count && has_parent; k++) {
            if (k != i && memcmp(spans[k]->span_id, spans[i]->parent_id, 8) == 0)
                break;
            if (k == count - 1)
                has_parent = false;
        }
        if (!has_parent && (!root || spans[i]->start < root->start))
            root = spans[i];
    }
    return root ? root : spans[0];
}

/* The span of the Python code that calls? */
static bool is_caller(const struct tt_otel_span *span)
{
    return span->scope && !strcmp(span->scope->name, "tango.python.client");
}

static bool is_wanted(const struct console_sink *sink, const struct trace *trace)
{
    const struct tt_otel_span *root;

    if (sink->options.filter)
        return tt_query_match_trace(sink->options.filter, trace->spans, trace->count);
    if (sink->options.all_roots)
        return true;
    root = tt_console_root(trace->spans, trace->count);
    return root->kind == 3 || (root->kind == 1 && (root->resource->is_client || is_caller(root)));
}

/* Starts a new second when one is over: then `rate` traces may be shown again. */
static void turn_second(struct console_sink *sink, uint64_t now)
{
    if (now - sink->second < TT_NS_PER_S)
        return;
    say_skipped(sink);
    sink->second = now;
    sink->shown = 0;
}

static void put_trace(struct console_sink *sink, const struct trace *trace)
{
    if (!sink->options.json) {
        tt_console_tree(&sink->text, trace->spans, trace->count, trace->hidden, trace->logs, trace->log_count,
                        &sink->options.style);
        return;
    }
    tt_encode_sort(trace->spans, trace->count);
    tt_encode_json(trace->spans, trace->count, &sink->json);
    take_json(sink);
    if (!trace->log_count)
        return;
    tt_encode_sort_logs(trace->logs, trace->log_count);
    tt_encode_logs_json(trace->logs, trace->log_count, &sink->json);
    take_json(sink);
}

static int show(struct console_sink *sink, const struct trace *trace)
{
    turn_second(sink, sink->options.now());
    if (!is_wanted(sink, trace)) {
        sink->unwanted++;
        return 0;
    }
    sink->any = true;
    sink->spans = sink->unwanted = 0;
    if (sink->shown >= sink->options.rate) {
        sink->skipped++;
        return 0;
    }
    sink->shown++;
    put_trace(sink, trace);
    return write_text(sink);
}

static void count_end(struct tt_sink_counters *counters, int err, size_t count)
{
    tt_sink_add(!err                ? &counters->exported
                : err == -ETIMEDOUT ? &counters->dropped_timeout
                                    : &counters->dropped_error,
                count);
}

static void end_trace(struct console_sink *sink, struct trace *trace)
{
    int err = trace->count ? show(sink, trace) : 0;

    count_end(&sink->counters[TT_SIGNAL_SPANS], err, trace->count + trace->hidden);
    count_end(&sink->counters[TT_SIGNAL_LOGS], err, trace->log_count);
    HASH_DEL(sink->traces, trace);
    sink->held -= trace->count;
    sink->held_logs -= trace->log_count;
    for (size_t i = 0; i < trace->count; i++)
        tt_otel_span_put(&trace->spans[i]);
    for (size_t i = 0; i < trace->log_count; i++)
        tt_otel_log_put(&trace->logs[i]);
    free(trace->logs);
    free(trace->spans);
    free(trace);
}

static struct trace *find_or_add(struct console_sink *sink, const uint8_t id[16])
{
    struct trace *trace;

    HASH_FIND(hh, sink->traces, id, sizeof(trace->id), trace);
    if (trace)
        return trace;
    if (HASH_COUNT(sink->traces) >= TRACES_MAX)
        end_trace(sink, sink->traces);
    trace = calloc(1, sizeof(*trace));
    if (!trace)
        return NULL;
    memcpy(trace->id, id, sizeof(trace->id));
    HASH_ADD(hh, sink->traces, id, sizeof(trace->id), trace);
    return trace;
}

/* Keeps a reference; false when out of memory. */
static bool keep(struct console_sink *sink, struct trace *trace, struct tt_otel_span *span)
{
    if (trace->count == trace->capacity) {
        size_t capacity = trace->capacity ? trace->capacity * 2 : 4;
        struct tt_otel_span **spans = reallocarray(trace->spans, capacity, sizeof(*spans));

        if (!spans)
            return false;
        trace->spans = spans;
        trace->capacity = capacity;
    }
    trace->spans[trace->count++] = tt_otel_span_get(span);
    sink->held++;
    return true;
}

static void add_span(struct console_sink *sink, struct tt_otel_span *span, uint64_t now)
{
    static const uint8_t none[8];
    bool is_root = memcmp(span->parent_id, none, sizeof(none)) == 0;
    struct trace *trace;

    while (sink->held >= SPANS_MAX)
        end_trace(sink, sink->traces);
    trace = find_or_add(sink, span->trace_id);
    if (!trace) {
        tt_sink_add(&sink->counters[TT_SIGNAL_SPANS].dropped_error, 1);
        return;
    }
    trace->last = now;
    trace->has_root |= is_root;
    /* The root ends last; without it the tree would have no head. */
    if ((trace->count >= TRACE_SPANS && !is_root) || !keep(sink, trace, span))
        trace->hidden++;
}

static void console_write(struct tt_sink *base, struct tt_otel_span **spans, size_t count)
{
    struct console_sink *sink = (struct console_sink *)base;
    uint64_t now = sink->options.now();

    sink->spans += count;
    for (size_t i = 0; i < count; i++)
        add_span(sink, spans[i], now);
}

/* False: it is not shown, being outside any span, or one of too many. */
static bool add_log(struct console_sink *sink, struct tt_otel_log *log, uint64_t now)
{
    struct trace *trace = log->in_span && sink->held_logs < LOGS_MAX ? find_or_add(sink, log->trace_id)
                                                                     : NULL;

    if (!trace)
        return false;
    if (!trace->logs)
        trace->logs = calloc(TRACE_LOGS, sizeof(*trace->logs));
    if (!trace->logs || trace->log_count == TRACE_LOGS)
        return false;
    if (!trace->count)
        trace->last = now;
    trace->logs[trace->log_count++] = tt_otel_log_get(log);
    sink->held_logs++;
    return true;
}

static void console_write_logs(struct tt_sink *base, struct tt_otel_log **logs, size_t count)
{
    struct console_sink *sink = (struct console_sink *)base;
    uint64_t now = sink->options.now();

    for (size_t i = 0; i < count; i++)
        if (!add_log(sink, logs[i], now))
            tt_sink_add(&sink->counters[TT_SIGNAL_LOGS].exported, 1);
}

static void console_tick(struct tt_sink *base, enum tt_signal signal, uint64_t oldest)
{
    struct console_sink *sink = (struct console_sink *)base;
    uint64_t now = sink->options.now();
    struct trace *trace, *next;

    HASH_ITER(hh, sink->traces, trace, next)
    {
        if (now - trace->last >= (trace->has_root ? SETTLE_NS : ORPHAN_NS))
            end_trace(sink, trace);
    }
    turn_second(sink, now);
    say_trouble(sink);
    say_silence(sink, now);
}

static void console_finish(struct tt_sink *base)
{
    struct console_sink *sink = (struct console_sink *)base;
    struct trace *trace, *next;

    HASH_ITER(hh, sink->traces, trace, next)
    end_trace(sink, trace);
    say_skipped(sink);
    say_trouble(sink);
    say_unwanted(sink);
}

static void console_stopping(struct tt_sink *base, uint64_t deadline)
{
    atomic_store(&((struct console_sink *)base)->output.deadline, deadline);
}

static void console_free(struct tt_sink *base)
{
    struct console_sink *sink = (struct console_sink *)base;

    /* No traces: console_finish ended them. */
    tt_text_free(&sink->text);
    tt_json_free(&sink->json);
    tt_query_free(&sink->options.filter);
    free(base->name);
    free(sink);
}

/* ---- set-up ------------------------------------------------------------------------------------------ */

int tt_console_new(const struct tt_console_options *options, struct tt_sink_counters counters[TT_SIGNALS],
                   struct tt_sink **out)
{
    struct console_sink *sink = calloc(1, sizeof(*sink));
    char *name = strdup("console");

    if (!sink || !name) {
        struct tt_query *filter = options->filter;

        tt_query_free(&filter);
        free(sink);
        free(name);
        return -ENOMEM;
    }
    sink->base = (struct tt_sink){.ops = &tt_console_sink, .name = name};
    sink->counters = counters;
    sink->options = *options;
    sink->output.fd = options->fd;
    sink->output.deadline = TT_NEVER;
    sink->second = sink->last_output = options->now();
    sink->next_silence = sink->last_output + SILENCE_NS;
    *out = &sink->base;
    return 0;
}

static int console_check(const char *target, char **error)
{
    if (!target)
        return 0;
    *error = strdup("console takes no argument");
    return -EINVAL;
}

static int console_open(const char *target, const struct tt_export_config *config,
                        struct tt_sink_counters counters[TT_SIGNALS], struct tt_sink **sink, char **error)
{
    struct tt_console_options options = {
        .fd = STDOUT_FILENO,
        .style = {.color = config->color, .utf8 = tt_locale_is_utf8()},
        .all_roots = config->all_roots,
        .rate = config->console_rate ? config->console_rate : DEFAULT_RATE,
        .silence = config->silence,
        .silence_context = config->silence_context,
        .now = tt_now_ns,
    };
    int err = config->filter ? tt_query_compile(config->filter, &options.filter, error) : 0;

    if (err == -EINVAL)
        return err;
    if (!err)
        err = tt_console_new(&options, counters, sink);
    if (err < 0)
        *error = strdup("out of memory");
    return err;
}

const struct tt_sink_ops tt_console_sink = {
    .scheme = "console",
    .delay_ms = 100,
    .check = console_check,
    .open = console_open,
    .write = console_write,
    .write_logs = console_write_logs,
    .tick = console_tick,
    .finish = console_finish,
    .stopping = console_stopping,
    .free = console_free,
};
