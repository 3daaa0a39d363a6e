/* SPDX-License-Identifier: GPL-2.0-only */
/* triggers.c: when the flight recorder gives out what it has by itself: many errors in short time, or a
 * time-out. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sample/internal.h"

#define BURST        10                 /* failed traces .. */
#define BURST_NS     (10 * TT_NS_PER_S) /* .. within this time */
#define PAUSE_MAX_NS (3600 * TT_NS_PER_S)
#define SETTLE_NS    (2 * TT_NS_PER_S) /* until what happened at the same time is judged, too */

bool tt_sample_is_background(const struct tt_otel_span *span)
{
    return span->trigger && (!strcmp(span->trigger, "polling") || !strcmp(span->trigger, "event"));
}

static bool says_timeout(const struct tt_otel_attribute *attributes, size_t count, const char *key)
{
    const struct tt_otel_attribute *found = tt_otel_find(attributes, count, key);

    return found && found->type == TT_OTEL_STRING && !strcmp(found->value.string, "API_DeviceTimedOut");
}

/* cppTango puts that error on top of CORBA's own (it is the last of the stack). */
static bool is_timeout(const struct tt_otel_span *span)
{
    if (says_timeout(span->attributes, span->attribute_count, "error.type"))
        return true;
    for (size_t i = 0; i < span->event_count; i++)
        if (says_timeout(span->events[i].attributes, span->events[i].attribute_count, "tango.error.reason"))
            return true;
    return false;
}

static bool is_burst(struct tt_sampler *sampler, const struct tt_otel_span *span)
{
    struct triggers *t = &sampler->triggers;

    if (!span->top)
        return false;
    if (sampler->now - t->second > BURST_NS) {
        t->second = sampler->now;
        t->errors = 0;
    }
    return ++t->errors >= BURST;
}

void tt_sample_triggers_span(struct tt_sampler *sampler, const struct tt_otel_span *span)
{
    enum tt_flight_on on = sampler->config.flight_on;
    struct triggers *t = &sampler->triggers;
    bool due = false;

    if (span->status != TT_OTEL_ERROR || !sampler->flight || on == TT_FLIGHT_REQUEST || t->pending ||
        sampler->now < t->next)
        return;
    if (on == TT_FLIGHT_ANY || on == TT_FLIGHT_TIMEOUT)
        due |= is_timeout(span);
    if (on == TT_FLIGHT_ANY || on == TT_FLIGHT_ERRORS)
        due |= is_burst(sampler, span);
    if (!due)
        return;
    t->pending = true;
    t->due = sampler->now + SETTLE_NS;
}

/* A device that is gone for good makes time-outs for ever: what goes on is given out less and less often. */
static void set_pause(struct tt_sampler *sampler)
{
    struct triggers *t = &sampler->triggers;
    bool goes_on = t->pause && sampler->now - t->next < t->pause;

    t->pause = goes_on ? 2 * t->pause : sampler->config.flight_ns;
    if (t->pause > PAUSE_MAX_NS)
        t->pause = PAUSE_MAX_NS;
    t->next = sampler->now + t->pause;
}

void tt_sample_triggers_tick(struct tt_sampler *sampler)
{
    struct triggers *t = &sampler->triggers;
    uint64_t spans;

    if (!t->pending || sampler->now < t->due)
        return;
    spans = tt_sampler_dump(sampler);
    t->pending = false;
    t->errors = 0;
    set_pause(sampler);
    if (spans)
        tt_info("errors: the flight recorder exports %llu spans that sampling had dropped",
                (unsigned long long)spans);
}
