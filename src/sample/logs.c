/* SPDX-License-Identifier: GPL-2.0-only */
/* logs.c: log records go the way of their trace. */
#include <stdlib.h>
#include <string.h>

#include "sample/internal.h"

void tt_sample_logs_emit(struct tt_sampler *sampler, struct tt_logs *logs)
{
    for (size_t i = 0; i < logs->count; i++)
        sampler->config.emit_log(sampler->context, logs->items[i]);
    tt_logs_put(logs);
}

static void drop(struct tt_sampler *sampler, const uint8_t id[16], struct tt_otel_log *log,
                 const struct verdict *verdict)
{
    atomic_fetch_add_explicit(&sampler->logs_dropped, 1, memory_order_relaxed);
    if (sampler->flight && !verdict->final)
        tt_flight_add_log(sampler->flight, id, log, sampler->now);
}

/* Out of the table; its records into `logs`. */
static void take(struct tt_sampler *sampler, struct written *written, struct tt_logs *logs)
{
    HASH_DEL(sampler->written, written);
    *logs = written->logs;
    free(written);
    sampler->log_count -= logs->count;
    atomic_store_explicit(&sampler->logs_held, sampler->log_count, memory_order_relaxed);
}

static struct written *find(const struct tt_sampler *sampler, const uint8_t id[16])
{
    struct written *written;

    HASH_FIND(hh, sampler->written, id, sizeof(written->id), written);
    return written;
}

void tt_sample_logs_judged(struct tt_sampler *sampler, const uint8_t id[16], const struct verdict *verdict)
{
    struct written *written = sampler->written ? find(sampler, id) : NULL;
    struct tt_logs logs;

    if (!written)
        return;
    take(sampler, written, &logs);
    if (verdict->keep) {
        tt_sample_logs_emit(sampler, &logs);
        return;
    }
    for (size_t i = 0; i < logs.count; i++)
        drop(sampler, id, logs.items[i], verdict);
    tt_logs_put(&logs);
}

void tt_sample_logs_pass(struct tt_sampler *sampler, const uint8_t id[16])
{
    static const struct verdict kept = {.keep = true};

    tt_sample_logs_judged(sampler, id, &kept);
}

static void emit_first(struct tt_sampler *sampler)
{
    struct tt_logs logs;

    take(sampler, sampler->written, &logs);
    tt_sample_logs_emit(sampler, &logs);
}

void tt_sample_logs_tick(struct tt_sampler *sampler)
{
    struct written *written, *next;
    struct tt_logs logs;
    struct held *held;

    HASH_ITER(hh, sampler->written, written, next)
    {
        if (sampler->now - written->first < sampler->config.wait_ns)
            return;
        HASH_FIND(hh, sampler->held, written->id, sizeof(held->id), held);
        if (held)
            continue; /* which is judged in bounded time itself */
        take(sampler, written, &logs);
        tt_sample_logs_emit(sampler, &logs);
    }
}

void tt_sample_logs_flush(struct tt_sampler *sampler)
{
    while (sampler->written)
        emit_first(sampler);
}

/* False when out of memory. */
static bool hold(struct tt_sampler *sampler, struct tt_otel_log *log)
{
    struct written *written = find(sampler, log->trace_id);

    if (!written) {
        written = calloc(1, sizeof(*written));
        if (!written)
            return false;
        memcpy(written->id, log->trace_id, sizeof(written->id));
        written->first = sampler->now;
        HASH_ADD(hh, sampler->written, id, sizeof(written->id), written);
    }
    if (!tt_logs_add(&written->logs, log))
        return false;
    atomic_store_explicit(&sampler->logs_held, ++sampler->log_count, memory_order_relaxed);
    while (sampler->log_count > sampler->config.max_spans)
        emit_first(sampler);
    return true;
}

void tt_sampler_log(struct tt_sampler *sampler, struct tt_otel_log *log)
{
    struct decided *decided = NULL;

    if (log->in_span && sampler->may_drop)
        HASH_FIND(hh, sampler->decided, log->trace_id, sizeof(decided->id), decided);
    if (decided && !decided->verdict.keep)
        drop(sampler, log->trace_id, log, &decided->verdict);
    else if (decided || !log->in_span || !sampler->may_drop || !hold(sampler, log))
        sampler->config.emit_log(sampler->context, log);
}
