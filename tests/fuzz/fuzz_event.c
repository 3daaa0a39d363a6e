/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arbitrary bytes as a stream of events, through assembler and correlator. The input is a list of records:
 * u16 length, then that many bytes handed over as one event. The first byte of the input: bit 0 stacks
 * switch, bit 1 small bounds, bit 2 no flush, bit 3 native telemetry is joined, bit 4 servers have it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "assemble/assemble.h"
#include "base/cleanup.h"
#include "correlate/correlate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count {
    uint64_t spans;
    bool switching;
};

static const struct tt_row rows[] = {
    {.role = TT_ROLE_CLIENT, .name = "a"},
    {.role = TT_ROLE_CLIENT, .name = "b"},
    {.role = TT_ROLE_MANY, .name = "c"},
    {.role = TT_ROLE_SERVER, .name = "d"},
    {.role = TT_ROLE_SERVER, .name = "e"},
    {.role = TT_ROLE_REQUEST},
    {.role = TT_ROLE_LOG, .name = "f"},
    {.role = TT_ROLE_POLL, .name = "g", .verb = "poll"},
    {.role = TT_ROLE_PUSH, .name = "h", .verb = "push"},
    {.role = TT_ROLE_TOPIC, .name = "i"},
    {.role = TT_ROLE_COUNTER, .name = "j"},
    {.role = TT_ROLE_RECEIVE, .name = "k", .verb = "event"},
    {.role = TT_ROLE_LIFE, .name = "l", .verb = "start"},
    {.role = TT_ROLE_LIFE, .name = "m", .verb = "start server"},
    {.role = TT_ROLE_WAIT, .name = "n"},
    {.role = TT_ROLE_METHOD, .name = "o"},
    {.role = TT_ROLE_UPCALL, .name = "p"},
};

static const struct tt_row *row_of(void *context, uint32_t point)
{
    return point < TT_ARRAY_SIZE(rows) ? &rows[point] : NULL;
}

static size_t read_all(const char *text)
{
    return text ? strlen(text) : 0;
}

/* Every string must be readable, every count in bounds. */
static void emit(void *context, struct tt_span *span)
{
    volatile size_t sum = read_all(span->device) + read_all(span->class_name) + read_all(span->command) +
                          read_all(span->operation) + read_all(span->text) + read_all(span->exception_type) +
                          read_all(span->peer_class) + read_all(span->peer_device) + read_all(span->topic) +
                          read_all(span->event_type) + read_all(span->monitor);
    if (span->attribute_count > TT_LIST_MAX || span->error_count > TT_ERRORS_MAX || span->end < span->start ||
        span->attribute_total < span->attribute_count || span->error_total < span->error_count ||
        span->trace || span->sent)
        abort();
    uint64_t accounted = 0;
    for (int part = 0; part < TT_PARTS; part++)
        accounted += span->ledger.ns[part];
    if (span->ledger.known && accounted != span->end - span->start)
        abort();
    for (unsigned i = 0; i < span->attribute_count; i++)
        sum += strlen(span->attributes[i]);
    for (unsigned i = 0; i < span->error_count; i++)
        sum += read_all(span->errors[i].attribute) + read_all(span->errors[i].reason) +
               read_all(span->errors[i].desc) + read_all(span->errors[i].origin);
    (void)sum;
    ((struct count *)context)->spans++;
    tt_span_free(&span);
}

static void take_log(void *context, struct tt_log *log)
{
    volatile size_t sum = read_all(log->logger) + read_all(log->message) + read_all(log->file) +
                          read_all(log->device) + read_all(log->class_name);
    if (log->trace || log->span)
        abort();
    (void)sum;
    tt_log_free(&log);
}

static bool switching(void *context, uint32_t tgid)
{
    return ((struct count *)context)->switching;
}

static bool native_server(void *context, uint32_t tgid)
{
    return tgid & 1;
}

static int64_t no_offset(void *context, uint64_t now)
{
    return 0;
}

/* Each event in memory of its own size, so that the sanitizer sees every read behind it. */
static void feed(struct tt_assembler *assembler, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return;
    memcpy(copy, data, size);
    tt_assembler_event(assembler, copy, size);
    free(copy);
}

static uint64_t time_of(const uint8_t *data, size_t size)
{
    uint64_t time = 0;
    if (size >= sizeof(time))
        memcpy(&time, data, sizeof(time));
    return time;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct count count = {.switching = data[0] & 1};
    struct tt_correlator_config config = {.seed = 1,
                                          .unix_offset = no_offset,
                                          .native = data[0] & 8,
                                          .log = data[0] & 32 ? take_log : NULL,
                                          .native_server = data[0] & 16 ? native_server : NULL};
    if (data[0] & 2)
        config.max_keys = config.max_pending = config.max_depth = config.max_spans = 3;
    struct tt_correlator *correlator = tt_correlator_new(&config, emit, &count);
    struct tt_assembler_ops ops = tt_correlator_ops(correlator);
    struct tt_assembler *assembler = tt_assembler_new(&ops, row_of, NULL);
    tt_assembler_set_switching(assembler, switching, &count);

    for (size_t at = 1; at + 2 <= size;) {
        size_t length = data[at] | (size_t)data[at + 1] << 8;
        at += 2;
        if (length > size - at)
            length = size - at;
        feed(assembler, data + at, length);
        if (length % 8 == 5) {
            tt_assembler_tick(assembler, time_of(data + at, length));
            tt_correlator_tick(correlator, time_of(data + at, length));
        }
        if (length % 8 == 6)
            tt_assembler_forget(assembler, 7);
        at += length;
    }
    /* Every second input stops without the flush. */
    if (!(data[0] & 4)) {
        tt_assembler_flush(assembler, UINT64_MAX);
        tt_correlator_flush(correlator);
        const struct tt_assembler_stats *stats = tt_assembler_stats(assembler);
        if (stats->open || count.spans + tt_correlator_stats(correlator)->native_hidden != stats->spans ||
            count.spans != tt_correlator_stats(correlator)->emitted ||
            tt_correlator_stats(correlator)->pending)
            abort();
    }
    tt_assembler_free(&assembler);
    tt_correlator_free(&correlator);
    return 0;
}
