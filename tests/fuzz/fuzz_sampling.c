/* SPDX-License-Identifier: GPL-2.0-only */
/* fuzz_sampling.c: any bytes as a sampling rule, and as the tracestate of a traced program: an error with a
 * text or a rule; a tracestate that holds the threshold that was put into it, and is no longer than one may
 * be. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sample/rules.h"
#include "sample/threshold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = strndup((const char *)data, size), *error = NULL;
    struct tt_otel_resource resource = {.service_name = "Motor", .instance = "b107a/mot/1"};
    struct tt_otel_span span = {.title = "read State", .name = "x", .resource = &resource};
    char out[TT_TH_STATE + 1], again[TT_TH_STATE + 1];
    struct tt_rule rule = {0};
    int err = tt_rule_parse(text, &rule, &error);
    uint64_t threshold = tt_threshold_of_state(text);

    if ((err != 0 && err != -EINVAL) || (err != 0) != (error != NULL))
        abort();
    if (!err)
        tt_rule_match(&rule, &span);
    tt_rule_free(&rule);
    if (threshold >= TT_TH_NONE)
        abort();
    tt_threshold_put(text, threshold, out);
    if (strlen(out) > TT_TH_STATE || tt_threshold_of_state(out) != threshold)
        abort();
    tt_threshold_put(out, threshold, again);
    if (strcmp(out, again) != 0)
        abort();
    return 0;
}
