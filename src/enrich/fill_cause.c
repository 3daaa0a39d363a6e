/* SPDX-License-Identifier: GPL-2.0-only */
/* fill_cause.c: what spans of polling and of events say. */
#include <stdio.h>
#include <string.h>

#include "enrich/convert.h"
#include "enrich/fill.h"

/* ---- events ---- */

/*
 * A topic, as ZmqEventSupplier::create_full_event_name makes it: tango://HOST:PORT/DOMAIN/FAMILY/MEMBER, then
 * /OBJECT unless it is of the device as a whole, #dbase=no without a database, .TYPE with the IDL version
 * before it
 * ("idl5_change").
 */
struct topic {
    const char *device, *object, *type;
    size_t device_size, object_size;
};

static const char *without_version(const char *type)
{
    const char *rest = strncmp(type, "idl", 3) == 0 ? strchr(type, '_') : NULL;

    return rest ? rest + 1 : type;
}

/* The `count`-th '/' before `end`, or `end`. */
static const char *slash_after(const char *text, const char *end, unsigned count)
{
    while (text < end && (*text != '/' || --count))
        text++;
    return text;
}

static bool parse_topic(const char *text, struct topic *topic)
{
    static const char scheme[] = "tango://";
    const char *dot = text ? strrchr(text, '.') : NULL, *end, *device;

    if (!dot || strncmp(text, scheme, sizeof(scheme) - 1) != 0)
        return false;
    end = memchr(text, '#', (size_t)(dot - text));
    end = end ? end : dot;
    device = slash_after(text + sizeof(scheme) - 1, end, 1);
    if (device == end)
        return false;
    topic->device = device + 1;
    topic->device_size = (size_t)(slash_after(topic->device, end, 3) - topic->device);
    topic->object = topic->device + topic->device_size;
    topic->object += topic->object < end;
    topic->object_size = (size_t)(end - topic->object);
    topic->type = without_version(dot + 1);
    return true;
}

static const char *type_of(const struct tt_span *span, const struct topic *topic, bool parsed)
{
    if (span->event_type && *span->event_type)
        return without_version(span->event_type);
    return parsed ? topic->type : "";
}

const char *tt_fill_event_title(struct tt_arena *arena, const struct tt_span *span)
{
    struct topic topic = {0};
    bool parsed = parse_topic(span->topic, &topic);
    const char *object = span->attribute_count ? span->attributes[0] : topic.object;
    int size = span->attribute_count ? 200 : (int)topic.object_size;
    char text[512];

    snprintf(text, sizeof(text), "%s %.64s%s%.*s", span->row->verb, type_of(span, &topic, parsed),
             size ? " " : "", size > 200 ? 200 : size, object ? object : "");
    return tt_convert_copy(arena, text, TT_ATTR_LENGTH);
}

const char *tt_fill_event_device(struct tt_arena *arena, const struct tt_span *span)
{
    struct topic topic;

    return parse_topic(span->topic, &topic) ? tt_convert_copy(arena, topic.device, topic.device_size) : NULL;
}

/* The attribute that an event received is of, in small letters as in the topic. Only of pipes and of a
 * device's interface there are events of no attribute. */
static void fill_event_attribute(struct tt_build *build, const struct topic *topic, const char *type)
{
    const char *name;

    if (!topic->object_size || !strncmp(type, "pipe", 4))
        return;
    name = tt_convert_copy(build->arena, topic->object, topic->object_size);
    tt_build_strings(build, TT_ATTR_ATTRIBUTE_NAMES, &name, 1);
    tt_build_int(build, TT_ATTR_ATTRIBUTE_COUNT, 1);
}

void tt_fill_event(struct tt_build *build, const struct tt_span *span)
{
    bool sends = span->kind == TT_SPAN_PRODUCER;
    struct topic topic = {0};
    bool parsed = parse_topic(span->topic, &topic);
    const char *type = type_of(span, &topic, parsed);
    char number[16];

    tt_build_ready(build, TT_ATTR_MESSAGING_SYSTEM, "tango");
    tt_build_ready(build, TT_ATTR_MESSAGING_TYPE, sends ? "send" : "process");
    tt_build_ready(build, TT_ATTR_MESSAGING_OPERATION, sends ? "push" : "receive");
    tt_build_string(build, TT_ATTR_MESSAGING_DESTINATION, span->topic);
    tt_build_string(build, TT_ATTR_EVENT_TYPE, type);
    if (parsed && !span->attribute_count)
        fill_event_attribute(build, &topic, type);
    if (span->has_counter) {
        snprintf(number, sizeof(number), "%u", span->counter);
        tt_build_string(build, TT_ATTR_MESSAGING_ID, number);
        tt_build_int(build, TT_ATTR_EVENT_COUNTER, span->counter);
    }
    if (span->event_error)
        tt_build_true(build, TT_ATTR_EVENT_ERROR);
    if (sends && span->elements)
        tt_build_int(build, TT_ATTR_EVENT_SIZE, (int64_t)span->elements);
    if (sends && span->subscribers)
        tt_build_int(build, TT_ATTR_EVENT_SUBSCRIBERS, span->subscribers);
    if (span->pushed && span->start >= span->pushed)
        tt_build_int(build, TT_ATTR_EVENT_LATENCY, (int64_t)((span->start - span->pushed) / 1000));
    if (span->event_again)
        tt_build_true(build, TT_ATTR_EVENT_AGAIN);
    if (span->events_lost)
        tt_build_int(build, TT_ATTR_EVENT_LOST, span->events_lost);
}

/* ---- polling ---- */

void tt_fill_polling(struct tt_build *build, const struct tt_span *span)
{
    uint64_t start = span->start;
    uint64_t planned = span->planned;

    if (span->period)
        tt_build_int(build, TT_ATTR_POLLING_PERIOD, (int64_t)(span->period / 1000000));
    if (span->planned_unix) {
        planned = span->planned_unix;
        start += (uint64_t)span->unix_offset;
    }
    if (planned)
        tt_build_int(build, TT_ATTR_POLLING_LATE, ((int64_t)start - (int64_t)planned) / 1000);
}
