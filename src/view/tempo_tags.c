/* SPDX-License-Identifier: GPL-2.0-only */
/* tempo_tags.c: names and values of attributes, as Tempo tells them to who writes a query. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "view/tempo.h"

#define VALUES_MAX 1000

struct value {
    UT_hash_handle hh;
    char text[]; /* 's', 'i', .. by its type, and the text */
};

static const char *type_name(char type)
{
    return type == 'i'   ? "int"
           : type == 'd' ? "float"
           : type == 'b' ? "bool"
           : type == 'k' ? "keyword"
                         : "string";
}

enum scope { RESOURCE, SPAN, EVENT, SCOPES };
static const char *const scope_names[SCOPES] = {"resource", "span", "event"};

struct tags {
    struct value *sets[SCOPES];        /* by scope: names; values: in the first */
    const char *key;                   /* whose values are wanted; NULL: names are */
    const struct intrinsic *intrinsic; /* .. or of this */
    bool of[SCOPES];                   /* scopes that are asked */
    struct tt_query *query;            /* of these spans only; NULL: of all */
};

static void add(struct value **set, char type, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    struct value *value;

    if (!length)
        return;
    value = calloc(1, sizeof(*value) + length + 2);
    if (!value)
        return;
    value->text[0] = type;
    memcpy(value->text + 1, text, length);
    if (HASH_COUNT(*set) < VALUES_MAX) {
        struct value *known;

        HASH_FIND(hh, *set, value->text, length + 1, known);
        if (!known) {
            HASH_ADD_KEYPTR(hh, *set, value->text, length + 1, value);
            return;
        }
    }
    free(value);
}

static void add_value(struct value **set, const struct tt_otel_attribute *a)
{
    char number[32];

    switch (a->type) {
    case TT_OTEL_STRING:
        add(set, 's', a->value.string);
        break;
    case TT_OTEL_INT:
        snprintf(number, sizeof(number), "%lld", (long long)a->value.integer);
        add(set, 'i', number);
        break;
    case TT_OTEL_BOOL:
        add(set, 'b', a->value.boolean ? "true" : "false");
        break;
    case TT_OTEL_DOUBLE:
        snprintf(number, sizeof(number), "%g", a->value.real);
        add(set, 'd', number);
        break;
    case TT_OTEL_STRINGS:
        for (size_t i = 0; i < a->value.strings.count; i++)
            add(set, 's', a->value.strings.items[i]);
        break;
    }
}

static void add_attributes(struct tags *tags, enum scope scope, const struct tt_otel_attribute *attributes,
                           size_t count)
{
    for (size_t i = 0; i < count && tags->of[scope]; i++) {
        const struct tt_otel_attribute *a = &attributes[i];

        if (!tags->key)
            add(&tags->sets[scope], 's', a->key);
        else if (!strcmp(a->key, tags->key))
            add_value(&tags->sets[0], a);
    }
}

/* What is no attribute, by its names in TraceQL. */
static const char *name_of(const struct tt_otel_span *span, const struct tt_otel_span *root)
{
    return span->name;
}

static const char *message_of(const struct tt_otel_span *span, const struct tt_otel_span *root)
{
    return span->status_message;
}

static const char *root_name_of(const struct tt_otel_span *span, const struct tt_otel_span *root)
{
    return root ? root->name : NULL;
}

static const char *root_service_of(const struct tt_otel_span *span, const struct tt_otel_span *root)
{
    return root ? root->resource->service_name : NULL;
}

static const char *scope_name_of(const struct tt_otel_span *span, const struct tt_otel_span *root)
{
    return span->scope->name;
}

static const char *scope_version_of(const struct tt_otel_span *span, const struct tt_otel_span *root)
{
    return span->scope->version;
}

static const struct intrinsic {
    const char *name;
    const char *(*of)(const struct tt_otel_span *span, const struct tt_otel_span *root);
    const char *keywords; /* all that there are; NULL with `of` NULL: values are not told */
} intrinsics[] = {
    {"duration", NULL, NULL},
    {"event:name", NULL, NULL}, /* see take_tags */
    {"event:timeSinceStart", NULL, NULL},
    {"instrumentation:name", scope_name_of, NULL},
    {"instrumentation:version", scope_version_of, NULL},
    {"kind", NULL, "unspecified internal server client producer consumer"},
    {"link:spanID", NULL, NULL},
    {"link:traceID", NULL, NULL},
    {"name", name_of, NULL},
    {"rootName", root_name_of, NULL},
    {"rootServiceName", root_service_of, NULL},
    {"span:duration", NULL, NULL},
    {"span:id", NULL, NULL},
    {"span:kind", NULL, "unspecified internal server client producer consumer"},
    {"span:name", name_of, NULL},
    {"span:parentID", NULL, NULL},
    {"span:status", NULL, "unset ok error"},
    {"span:statusMessage", message_of, NULL},
    {"status", NULL, "unset ok error"},
    {"statusMessage", message_of, NULL},
    {"trace:duration", NULL, NULL},
    {"trace:id", NULL, NULL},
    {"trace:rootName", root_name_of, NULL},
    {"trace:rootService", root_service_of, NULL},
    {"traceDuration", NULL, NULL},
};
static const struct intrinsic *const event_names = &intrinsics[1];

static void take_tags(void *context, const struct tt_view_found *found)
{
    struct tags *tags = context;
    const struct tt_query_trace whole = {.root = found->root,
                                         .duration = found->trace->end - found->trace->start};

    for (size_t i = 0; i < found->count; i++) {
        const struct tt_otel_span *span = found->spans[i];

        if (tags->query && !tt_query_match(tags->query, span, &whole))
            continue;
        if (tags->intrinsic && tags->intrinsic->of)
            add(&tags->sets[0], 's', tags->intrinsic->of(span, found->root));
        for (size_t j = 0; j < span->event_count; j++) {
            if (tags->intrinsic == event_names)
                add(&tags->sets[0], 's', span->events[j].name);
            add_attributes(tags, EVENT, span->events[j].attributes, span->events[j].attribute_count);
        }
        add_attributes(tags, SPAN, span->attributes, span->attribute_count);
        add_attributes(tags, RESOURCE, span->resource->attributes, span->resource->attribute_count);
    }
}

static void free_set(struct value **set)
{
    struct value *value, *next;

    HASH_ITER(hh, *set, value, next)
    {
        HASH_DEL(*set, value);
        free(value);
    }
}

static int by_text(const struct value *a, const struct value *b)
{
    return strcmp(a->text + 1, b->text + 1);
}

static void put_set(struct tt_json *json, struct value **set, bool typed)
{
    HASH_SORT(*set, by_text);
    for (const struct value *v = *set; v; v = v->hh.next) {
        if (typed)
            tt_json_object(json, NULL);
        if (typed)
            tt_json_string(json, "type", type_name(v->text[0]));
        tt_json_string(json, typed ? "value" : NULL, v->text + 1);
        if (typed)
            tt_json_object_end(json);
    }
}

static bool gather(struct tt_view *view, const struct tt_httpd_request *request, struct tags *tags,
                   struct tt_httpd_reply *reply)
{
    struct tt_view_search search = {.most = UINT64_MAX, .status = -1, .limit = SIZE_MAX};

    if (!tt_tempo_times(request, &search)) {
        tt_tempo_refuse(reply, 400, "start and end are numbers");
        return false;
    }
    search.query = tags->query;
    tt_view_find(view, &search, take_tags, tags);
    return true;
}

static void start_answer(struct tt_json *json, const char *list)
{
    tt_json_object(json, NULL);
    tt_json_array(json, list);
}

static void end_answer(struct tt_json *json, struct tt_httpd_reply *reply)
{
    tt_json_array_end(json);
    tt_json_object(json, "metrics");
    tt_json_object_end(json);
    tt_json_object_end(json);
    tt_view_json(reply, json);
}

static void put_intrinsics(struct tt_json *json)
{
    tt_json_object(json, NULL);
    tt_json_string(json, "name", "intrinsic");
    tt_json_array(json, "tags");
    for (size_t i = 0; i < TT_ARRAY_SIZE(intrinsics); i++)
        tt_json_string(json, NULL, intrinsics[i].name);
    tt_json_array_end(json);
    tt_json_object_end(json);
}

static void put_scope(struct tt_json *json, enum scope scope, struct value **set)
{
    if (!*set)
        return;
    tt_json_object(json, NULL);
    tt_json_string(json, "name", scope_names[scope]);
    tt_json_array(json, "tags");
    put_set(json, set, false);
    tt_json_array_end(json);
    tt_json_object_end(json);
}

void tt_tempo_tag_names(struct tt_view *view, const struct tt_httpd_request *request, bool second,
                        struct tt_httpd_reply *reply)
{
    static const char *const others[] = {"none", "intrinsic", "link", "instrumentation"};
    const char *asked = tt_httpd_argument(request, "scope");
    bool all = !asked || !*asked || !strcmp(asked, "none"), known = all;
    struct tags tags = {0};
    struct tt_json json = {0};

    for (size_t i = 0; i < TT_ARRAY_SIZE(others) && !known; i++)
        known = !strcmp(asked, others[i]);
    for (enum scope scope = RESOURCE; scope < SCOPES; scope++) {
        tags.of[scope] = all || !strcmp(asked, scope_names[scope]);
        known |= tags.of[scope];
    }
    if (!known) {
        tt_tempo_refuse(reply, 400, "invalid scope");
        return;
    }
    if (!gather(view, request, &tags, reply))
        return;
    start_answer(&json, second ? "scopes" : "tagNames");
    for (enum scope scope = RESOURCE; scope < SCOPES && second; scope++)
        put_scope(&json, scope, &tags.sets[scope]);
    if (second && (all || !strcmp(asked, "intrinsic")))
        put_intrinsics(&json);
    for (enum scope scope = SPAN; scope < SCOPES && !second; scope++)
        for (const struct value *v = tags.sets[scope]; v; v = v->hh.next)
            add(&tags.sets[RESOURCE], 's', v->text + 1);
    if (!second)
        put_set(&json, &tags.sets[RESOURCE], false);
    end_answer(&json, reply);
    for (enum scope scope = RESOURCE; scope < SCOPES; scope++)
        free_set(&tags.sets[scope]);
}

/* What `key` is: an intrinsic, or an attribute of a scope ("resource.service.name") or any (".service.name").
 * Version 1 has attributes without a scope. False: none of these. */
static bool read_key(struct tags *tags, const char *key, bool second)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(intrinsics); i++)
        if (!strcmp(key, intrinsics[i].name))
            tags->intrinsic = &intrinsics[i];
    if (tags->intrinsic)
        return true;
    for (enum scope scope = RESOURCE; scope < SCOPES && second; scope++) {
        size_t length = strlen(scope_names[scope]);

        tags->of[scope] = !strncmp(key, scope_names[scope], length) && key[length] == '.';
        if (tags->of[scope])
            tags->key = key + length + 1;
    }
    if (tags->key)
        return true;
    tags->of[RESOURCE] = tags->of[SPAN] = true;
    tags->key = second ? key + 1 : key;
    return !second || *key == '.';
}

static void add_keywords(struct tags *tags)
{
    _cleanup_free_ char *words = strdup(tags->intrinsic->keywords);
    char *rest = words;

    for (const char *word; words && (word = strsep(&rest, " "));)
        add(&tags->sets[0], 'k', word);
}

void tt_tempo_tag_values(struct tt_view *view, const struct tt_httpd_request *request, const char *rest,
                         bool second, struct tt_httpd_reply *reply)
{
    static const char values[] = "/values";
    size_t length = strlen(rest), tail = strlen(values);
    const char *query = second ? tt_httpd_argument(request, "q") : NULL;
    _cleanup_free_ char *key = NULL, *why = NULL;
    struct tags tags = {0};
    struct tt_json json = {0};

    if (length > tail && !strcmp(rest + length - tail, values))
        key = strndup(rest, length - tail);
    if (!key) {
        tt_tempo_refuse(reply, 404, "not a part of Tempo's API that is served here");
        return;
    }
    if (!read_key(&tags, key, second)) {
        tt_tempo_refuse(reply, 400,
                        "please provide a valid tagName: resource.NAME, span.NAME, event.NAME or .NAME");
        return;
    }
    if (query && *query && tt_query_compile(query, &tags.query, &why))
        tags.query = NULL;
    if (tags.intrinsic && tags.intrinsic->keywords && second)
        add_keywords(&tags);
    if (gather(view, request, &tags, reply)) {
        start_answer(&json, "tagValues");
        put_set(&json, &tags.sets[0], second);
        end_answer(&json, reply);
    }
    free_set(&tags.sets[0]);
    tt_query_free(&tags.query);
}
