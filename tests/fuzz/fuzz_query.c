/* SPDX-License-Identifier: GPL-2.0-only */
/* fuzz_query.c: any bytes as a filter: an error with a text and a caret, or a query that can be asked of any
 * span. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "query/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const list[] = {"ExposureTime", "Gain"};
static struct tt_otel_attribute attributes[] = {
    {.key = "a", .type = TT_OTEL_STRING, .value.string = "text"},
    {.key = "b", .type = TT_OTEL_INT, .value.integer = INT64_MIN},
    {.key = "c", .type = TT_OTEL_BOOL, .value.boolean = true},
    {.key = "d", .type = TT_OTEL_DOUBLE, .value.real = 1e300},
    {.key = "e", .type = TT_OTEL_STRINGS, .value.strings = {list, 2}},
};
static struct tt_otel_event event = {.name = "exception", .attributes = attributes, .attribute_count = 5};
static struct tt_otel_link link_to;
static struct tt_otel_resource resource = {
    .attributes = attributes, .attribute_count = 5, .service_name = "x", .instance = "y"};
static const struct tt_otel_scope scope = {"tango.cpp", ""};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tt_otel_span full = {.name = "name",
                                .end = UINT64_MAX,
                                .attributes = attributes,
                                .attribute_count = 5,
                                .events = &event,
                                .event_count = 1,
                                .links = &link_to,
                                .link_count = 1,
                                .status_message = "",
                                .resource = &resource,
                                .scope = &scope};
    struct tt_otel_span bare = {0}, *spans[] = {&full, &bare};
    _cleanup_(tt_query_free) struct tt_query *query = NULL;
    _cleanup_free_ char *text = strndup((const char *)data, size), *error = NULL;
    int err = tt_query_compile(text, &query, &error);

    if ((err != 0 && err != -EINVAL) || (err != 0) != (error != NULL) || (err == 0) != (query != NULL))
        abort();
    if (err && error[strlen(error) - 1] != '^')
        abort();
    if (query)
        tt_query_match_trace(query, spans, 2);
    return 0;
}
