/* SPDX-License-Identifier: GPL-2.0-only */
/* encode_logs.c: log records as OTLP JSON, and their order. */
#include <stdlib.h>
#include <string.h>

#include "export/encode.h"
#include "export/encode_json.h"

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

static int compare(const void *a, const void *b)
{
    const struct tt_otel_log *x = *(struct tt_otel_log *const *)a, *y = *(struct tt_otel_log *const *)b;
    int order;

    if (x->resource != y->resource)
        return COMPARE(x->resource->number, y->resource->number);
    if (x->scope != y->scope) /* of one table, in order of appearance */
        return COMPARE((uintptr_t)x->scope, (uintptr_t)y->scope);
    if (x->time != y->time)
        return COMPARE(x->time, y->time);
    order = memcmp(x->span_id, y->span_id, sizeof(x->span_id));
    return order ? order : strcmp(x->body, y->body);
}

void tt_encode_sort_logs(struct tt_otel_log **logs, size_t count)
{
    qsort(logs, count, sizeof(*logs), compare);
}

/* Records at the front that share the first one's resource (and scope). */
static size_t run_length(struct tt_otel_log *const *logs, size_t count, bool scope)
{
    size_t n = 1;

    while (n < count && logs[n]->resource == logs[0]->resource &&
           (!scope || logs[n]->scope == logs[0]->scope))
        n++;
    return n;
}

static void write_record(struct tt_json *json, const struct tt_otel_log *log)
{
    tt_json_object(json, NULL);
    tt_json_uint_string(json, "timeUnixNano", log->time);
    tt_json_uint_string(json, "observedTimeUnixNano", log->time);
    if (log->severity) {
        tt_json_int(json, "severityNumber", log->severity);
        tt_json_string(json, "severityText", log->severity_text);
    }
    tt_json_object(json, "body");
    tt_json_string(json, "stringValue", log->body);
    tt_json_object_end(json);
    tt_json_attributes(json, log->attributes, log->attribute_count);
    if (log->dropped_attributes)
        tt_json_uint(json, "droppedAttributesCount", log->dropped_attributes);
    if (log->in_span) {
        tt_json_uint(json, "flags", TT_OTEL_LOG_SAMPLED);
        tt_json_hex(json, "traceId", log->trace_id, sizeof(log->trace_id));
        tt_json_hex(json, "spanId", log->span_id, sizeof(log->span_id));
    }
    tt_json_object_end(json);
}

/* Writes the records at the front that share a scope and gives their number. */
static size_t write_scope(struct tt_json *json, struct tt_otel_log *const *logs, size_t count)
{
    size_t n = run_length(logs, count, true);

    tt_json_object(json, NULL);
    tt_json_scope(json, logs[0]->scope);
    tt_json_array(json, "logRecords");
    for (size_t i = 0; i < n; i++)
        write_record(json, logs[i]);
    tt_json_array_end(json);
    tt_json_string(json, "schemaUrl", TT_OTEL_SCHEMA_URL);
    tt_json_object_end(json);
    return n;
}

static size_t write_resource(struct tt_json *json, struct tt_otel_log *const *logs, size_t count)
{
    size_t group = run_length(logs, count, false), n = 0;

    tt_json_object(json, NULL);
    tt_json_resource(json, logs[0]->resource);
    tt_json_array(json, "scopeLogs");
    while (n < group)
        n += write_scope(json, logs + n, group - n);
    tt_json_array_end(json);
    tt_json_string(json, "schemaUrl", TT_OTEL_SCHEMA_URL);
    tt_json_object_end(json);
    return n;
}

void tt_encode_logs_json(struct tt_otel_log *const *logs, size_t count, struct tt_json *json)
{
    size_t n = 0;

    tt_json_object(json, NULL);
    tt_json_array(json, "resourceLogs");
    while (n < count)
        n += write_resource(json, logs + n, count - n);
    tt_json_array_end(json);
    tt_json_object_end(json);
    tt_json_newline(json);
}
