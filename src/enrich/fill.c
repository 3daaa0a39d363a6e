/* SPDX-License-Identifier: GPL-2.0-only */
#include "enrich/fill.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "enrich/convert.h"

#define FAMILY_UNIX 1
#define FAMILY_IPV4 2
#define FAMILY_IPV6 10

bool tt_fill_is_bare(const struct tt_span *span)
{
    if (span->kind == TT_SPAN_CLIENT)
        return span->row->role == TT_ROLE_MANY || span->row->role == TT_ROLE_REPLY ||
               span->row->role == TT_ROLE_REQUEST;
    return span->row->role == TT_ROLE_UPCALL;
}

bool tt_fill_is_code(const struct tt_span *span)
{
    return span->code.name && (span->row->role == TT_ROLE_METHOD || span->row->role == TT_ROLE_CALLER);
}

static uint64_t attribute_total(const struct tt_span *span)
{
    return span->attribute_total > span->attribute_count ? span->attribute_total : span->attribute_count;
}

/* The only attribute of the call, or NULL. */
static const char *single_attribute(const struct tt_span *span)
{
    return attribute_total(span) == 1 && span->attribute_count == 1 ? span->attributes[0] : NULL;
}

/* Does it execute a command, rather than ask about one? */
static bool is_command(const struct tt_row *row)
{
    return row->verb && !strcmp(row->verb, "command");
}

/* Tango::AllAttr and AllAttr_3: one "name" that stands for all. */
static bool means_all(const char *name)
{
    return !strcmp(name, "All attributes") || !strcmp(name, "All attributes_3");
}

/* The text that a part of a row's name in braces stands for; NULL: it is not known. */
static const char *part_of(const struct tt_span *span, const char *part, size_t size)
{
    if (size == 5 && !strncmp(part, "class", size))
        return span->class_name ? span->class_name : span->owner_class;
    if (size == 7 && !strncmp(part, "command", size))
        return span->command;
    return size == 9 && !strncmp(part, "attribute", size) && span->attribute_count ? span->attributes[0]
                                                                                   : NULL;
}

static bool is_part(const char *part, size_t size)
{
    static const char *const parts[] = {"class", "command", "attribute"};

    for (size_t i = 0; i < TT_ARRAY_SIZE(parts); i++) {
        if (strlen(parts[i]) == size && !strncmp(parts[i], part, size))
            return true;
    }
    return false;
}

const char *tt_fill_name(struct tt_arena *arena, const struct tt_span *span)
{
    const char *at = span->row->name;
    char text[512];
    size_t used = 0;

    if (span->row->role != TT_ROLE_METHOD)
        return at;
    while (*at && used + 1 < sizeof(text)) {
        const char *end = *at == '{' ? strchr(at, '}') : NULL, *part;

        if (!end) {
            text[used++] = *at++;
            continue;
        }
        if (!is_part(at + 1, (size_t)(end - at - 1))) { /* a name of C++: "{lambda(int)#1}" */
            text[used++] = *at++;
            continue;
        }
        part = part_of(span, at + 1, (size_t)(end - at - 1));
        at = end + 1;
        if (!part && !used && *at == '.') /* a class that is not known is left out */
            at++;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%.200s", part ? part : used ? "?" : "");
        used = used < sizeof(text) ? used : sizeof(text) - 1;
    }
    text[used] = '\0';
    return tt_convert_copy(arena, text, TT_ATTR_LENGTH);
}

const char *tt_fill_title(struct tt_arena *arena, const struct tt_span *span)
{
    const char *verb = span->row->verb, *single = single_attribute(span);
    uint64_t total = attribute_total(span);
    char text[512];

    if (tt_fill_is_code(span))
        return tt_convert_copy(arena, span->code.name, TT_ATTR_LENGTH);
    if (span->row->role == TT_ROLE_METHOD)
        return tt_fill_name(arena, span);
    if (!verb || !*verb || is_command(span->row) || tt_fill_is_bare(span)) {
        if (span->command && *span->command)
            return tt_convert_copy(arena, span->command, TT_ATTR_LENGTH);
        if (span->operation && *span->operation)
            return tt_convert_copy(arena, span->operation, TT_ATTR_LENGTH);
        return verb && *verb ? verb : span->row->name;
    }
    if (span->topic || span->event_type)
        return tt_fill_event_title(arena, span);
    if (!total && (span->row->role == TT_ROLE_REPLY || span->row->role == TT_ROLE_POLL) && span->command &&
        *span->command) {
        snprintf(text, sizeof(text), "%s %.256s", verb, span->command);
        return tt_convert_copy(arena, text, TT_ATTR_LENGTH);
    }
    if (!total)
        return verb;
    if (single && means_all(single)) {
        snprintf(text, sizeof(text), "%s all attributes", verb);
    } else if (single && *single) { /* the common case, without printf */
        size_t length = strnlen(verb, 64), name = strnlen(single, sizeof(text) - 66);

        memcpy(text, verb, length);
        text[length++] = ' ';
        memcpy(text + length, single, name);
        text[length + name] = '\0';
    } else {
        snprintf(text, sizeof(text), "%s %llu attribute%s", verb, (unsigned long long)total,
                 total == 1 ? "" : "s");
    }
    return tt_convert_copy(arena, text, TT_ATTR_LENGTH);
}

/* Is the device's name given as an argument (constructors), not taken from an object? */
static bool is_given_device(const struct tt_row *row)
{
    for (size_t i = 0; i < TT_ROW_ARGUMENTS && row->argument[i].field != TT_FIELD_NONE; i++) {
        if (row->argument[i].field == TT_FIELD_DEVICE)
            return row->argument[i].value == TT_VALUE_STRING || row->argument[i].value == TT_VALUE_CSTRING;
    }
    return false;
}

/* What native calls the argument: command, attribute, or the device that a proxy is made for. */
static const char *argument_of(const struct tt_span *span)
{
    if (span->command)
        return span->command;
    if (single_attribute(span))
        return single_attribute(span);
    return !span->text && is_given_device(span->row) && !tt_fill_is_bare(span) ? span->device : span->text;
}

const char *tt_fill_trigger(enum tt_trigger trigger)
{
    static const char *const triggers[] = {
        [TT_TRIGGER_CLIENT] = "client",   [TT_TRIGGER_POLLING] = "polling",   [TT_TRIGGER_EVENT] = "event",
        [TT_TRIGGER_STARTUP] = "startup", [TT_TRIGGER_SHUTDOWN] = "shutdown", [TT_TRIGGER_UNKNOWN] = NULL,
    };

    return (size_t)trigger < TT_ARRAY_SIZE(triggers) ? triggers[trigger] : NULL;
}

static void fill_operation(struct tt_build *build, const struct tt_span *span, const char *title)
{
    static const char *const sources[] = {"DEV", "CACHE", "CACHE_DEV"}; /* Tango::DevSource */

    tt_build_ready(build, TT_ATTR_OPERATION_NAME, title);
    tt_build_string(build, TT_ATTR_OPERATION_TARGET,
                    span->device                     ? span->device
                    : span->kind == TT_SPAN_CONSUMER ? tt_fill_event_device(build->arena, span)
                    : span->kind == TT_SPAN_CLIENT   ? span->peer_device /* a server's peer is who asks */
                                                     : NULL);
    tt_build_string(build, TT_ATTR_OPERATION_ARGUMENT, argument_of(span));
    if (is_command(span->row) || span->row->role == TT_ROLE_POLL)
        tt_build_string(build, TT_ATTR_COMMAND_NAME, span->command);
    tt_build_strings(build, TT_ATTR_ATTRIBUTE_NAMES, span->attributes, span->attribute_count);
    if (attribute_total(span))
        tt_build_int(build, TT_ATTR_ATTRIBUTE_COUNT, (int64_t)attribute_total(span));
    if (span->source >= 0 && span->source < (int64_t)TT_ARRAY_SIZE(sources))
        tt_build_ready(build, TT_ATTR_SOURCE, sources[span->source]);
    tt_build_ready(build, TT_ATTR_TRIGGER, tt_fill_trigger(span->trigger));
    tt_build_int(build, TT_ATTR_THREAD_ID, span->tid);
    if (*span->thread_name)
        tt_build_string(build, TT_ATTR_THREAD_NAME, span->thread_name);
}

static void fill_code(struct tt_build *build, const struct tt_span *span)
{
    const struct tt_span_code *code = &span->code;

    tt_build_string(build, TT_ATTR_CODE_FUNCTION, code->name);
    tt_build_string(build, TT_ATTR_CODE_PATH, code->file);
    tt_build_string(build, TT_ATTR_CODE_FILEPATH, code->file);
    if (code->line) {
        tt_build_int(build, TT_ATTR_CODE_LINE, code->line);
        tt_build_int(build, TT_ATTR_CODE_LINENO, code->line);
    }
}

/* What the user's probes ask for. */
static void fill_arguments(struct tt_build *build, const struct tt_span *span)
{
    char texts[TT_PROBE_ARGUMENTS][TT_STRING_MAX + 48];
    const char *list[TT_PROBE_ARGUMENTS];
    unsigned count = 0;

    for (unsigned i = 0; i < TT_PROBE_ARGUMENTS; i++) {
        const struct tt_span_argument *argument = &span->arguments[i];
        const struct tt_row_argument *what = tt_row_argument(span->row, i);

        if (!argument->known || !what)
            continue;
        list[count] = texts[count];
        tt_convert_argument(what, argument, texts[count], sizeof(texts[count]));
        count++;
    }
    tt_build_strings(build, TT_ATTR_ARGUMENTS, list, count);
}

/* The peer's address as omniORB writes it (giopEndpoint: "giop:tcp:host:port", IPv6 in brackets). Client ends
 * of unix sockets have no path. */
static void fill_location(struct tt_build *build, const struct tt_key *key, const char *peer)
{
    static const char *const schemes[TT_CARRIERS] = {
        [TT_CARRIER_TCP] = "giop:tcp:", [TT_CARRIER_SSL] = "giop:ssl:"};
    const struct tt_connection *c = &key->connection;
    const char *scheme = key->carrier < TT_CARRIERS ? schemes[key->carrier] : NULL;
    bool ipv6 = c->family == FAMILY_IPV6;
    char text[80], digits[6], *end = text, *digit = digits + sizeof(digits);

    if (c->family == FAMILY_UNIX)
        tt_build_ready(build, TT_ATTR_CLIENT_LOCATION, "giop:unix:");
    if (c->family == FAMILY_UNIX || !peer || !scheme)
        return;
    /* Without printf: of every server span. The address is one of tt_convert_address: 45 characters. */
    end = stpcpy(stpcpy(stpcpy(end, scheme), ipv6 ? "[" : ""), peer);
    end = stpcpy(end, ipv6 ? "]:" : ":");
    *--digit = '\0';
    for (unsigned port = c->remote_port; port || !*digit; port /= 10)
        *--digit = (char)('0' + port % 10);
    stpcpy(end, digit);
    tt_build_string(build, TT_ATTR_CLIENT_LOCATION, text);
}

static void fill_client(struct tt_build *build, const struct tt_span *span)
{
    /* Discriminator of Tango::ClntIdent: CPP, JAVA, CPP_6, JAVA_6 */
    static const char *const languages[] = {"CPP", "JAVA", "CPP", "JAVA"};

    if (span->collocated)
        tt_build_ready(build, TT_ATTR_CLIENT_LOCATION, "collocated client");
    if (!span->has_client || span->client.language >= TT_ARRAY_SIZE(languages))
        return;
    tt_build_ready(build, TT_ATTR_CLIENT_LANG, languages[span->client.language]);
    if (span->client.language % 2 == 0) /* Java clients send text instead */
        tt_build_int(build, TT_ATTR_CLIENT_PID, span->client.pid);
}

static void fill_connection(struct tt_build *build, const struct tt_span *span)
{
    const struct tt_connection *c = &span->key.connection;
    bool server = span->kind == TT_SPAN_SERVER, ip = c->family == FAMILY_IPV4 || c->family == FAMILY_IPV6;
    const char *peer = NULL, *local = NULL;

    if (ip && c->remote_port)
        peer = tt_convert_address(build->arena, c->family, c->remote);
    if (ip && c->local_port)
        local = tt_convert_address(build->arena, c->family, c->local);
    if (ip || c->family == FAMILY_UNIX)
        tt_build_ready(build, TT_ATTR_NETWORK_TRANSPORT, ip ? "tcp" : "unix");
    if (ip)
        tt_build_ready(build, TT_ATTR_NETWORK_TYPE, c->family == FAMILY_IPV4 ? "ipv4" : "ipv6");
    if (peer) {
        tt_build_ready(build, TT_ATTR_NETWORK_PEER_ADDRESS, peer);
        tt_build_int(build, TT_ATTR_NETWORK_PEER_PORT, c->remote_port);
        tt_build_ready(build, server ? TT_ATTR_CLIENT_ADDRESS : TT_ATTR_SERVER_ADDRESS, peer);
        tt_build_int(build, server ? TT_ATTR_CLIENT_PORT : TT_ATTR_SERVER_PORT, c->remote_port);
    }
    if (local) {
        tt_build_ready(build, TT_ATTR_NETWORK_LOCAL_ADDRESS, local);
        tt_build_int(build, TT_ATTR_NETWORK_LOCAL_PORT, c->local_port);
    }
    if (span->key.carrier == TT_CARRIER_SSL)
        tt_build_true(build, TT_ATTR_TLS);
    if (server)
        fill_location(build, &span->key, peer);
}

/* GIOP 1.0 to 1.2 are all there is. */
static const char *giop_version(const struct tt_key *key)
{
    static const char *const versions[] = {"1.0", "1.1", "1.2"};

    return key->giop_major == 1 && key->giop_minor < TT_ARRAY_SIZE(versions) ? versions[key->giop_minor]
                                                                             : NULL;
}

static void fill_giop(struct tt_build *build, const struct tt_span *span)
{
    const char *version = giop_version(&span->key);

    tt_build_int(build, TT_ATTR_GIOP_REQUEST_ID, span->key.request_id);
    tt_build_ready(build, TT_ATTR_GIOP_VERSION, version);
    tt_build_ready(build, TT_ATTR_NETWORK_PROTOCOL, "giop");
    tt_build_ready(build, TT_ATTR_NETWORK_PROTOCOL_VERSION, version);
    if (!span->key.response_expected)
        tt_build_true(build, TT_ATTR_GIOP_ONEWAY);
}

/* `Tango/operation`; without an operation class and function of the row: "Tango::DeviceProxy::read_attribute"
 * gives `DeviceProxy/read_attribute`. */
static void fill_method(struct tt_build *build, const struct tt_span *span)
{
    const char *name = span->row->name, *class = name, *function = name;
    char text[300];

    if (span->operation && *span->operation) {
        size_t length = strnlen(span->operation, TT_STRING_MAX);

        memcpy(text, "Tango/", 6);
        memcpy(text + 6, span->operation, length);
        text[6 + length] = '\0';
    } else {
        for (const char *next = name; (next = strstr(next, "::")); next += 2) {
            class = function;
            function = next + 2;
        }
        if (function == name)
            snprintf(text, sizeof(text), "Tango/%s", name);
        else
            snprintf(text, sizeof(text), "%.*s/%s", (int)(function - class - 2), class, function);
    }
    tt_build_string(build, TT_ATTR_RPC_METHOD, text);
}

/* Class of the device that answered: from its own side of the call. The database's class is fixed by Tango
 * itself (cppTango's Database speaks to the device sys/database/.., class DataBase). */
static const char *peer_class(const struct tt_span *span)
{
    if (span->peer_class && *span->peer_class)
        return span->peer_class;
    if (span->device && !strncasecmp(span->device, "sys/database/", 13))
        return TT_DATABASE_CLASS;
    if (tt_row_is_database(span->row) && !tt_fill_is_bare(span))
        return TT_DATABASE_CLASS;
    return NULL;
}

static void fill_request(struct tt_build *build, const struct tt_span *span)
{
    if (span->collocated || (span->kind != TT_SPAN_CLIENT && span->kind != TT_SPAN_SERVER))
        return;
    tt_build_ready(build, TT_ATTR_RPC_SYSTEM, "tango");
    fill_method(build, span);
    if (span->kind == TT_SPAN_CLIENT)
        tt_build_string(build, TT_ATTR_PEER_SERVICE, peer_class(span));
    if (span->has_key) {
        fill_giop(build, span);
        fill_connection(build, span);
    }
}

static const char *parent_reason(const struct tt_span *span)
{
    if (span->proof != TT_PROOF_NONE)
        return NULL;
    if (span->split)
        return "trace_split";
    if (span->incomplete & TT_INCOMPLETE_PARENT)
        return "stack_switched";
    if (span->handed_over)
        return "other_thread";
    if (span->kind == TT_SPAN_SERVER && !span->collocated && !span->has_peer)
        return "client_unseen";
    if (span->kind == TT_SPAN_CONSUMER)
        return "publisher_unseen";
    return NULL;
}

static void fill_split(struct tt_build *build, const struct tt_span *span)
{
    static const char digits[] = "0123456789abcdef";
    const size_t size = sizeof(span->split_trace);
    char text[2 * (sizeof(span->split_trace) + sizeof(span->split_span)) + 2], *out = text;

    if (!span->split)
        return;
    for (size_t i = 0; i < size + sizeof(span->split_span); i++) {
        uint8_t byte = i < size ? span->split_trace[i] : span->split_span[i - size];

        if (i == size)
            *out++ = '-';
        *out++ = digits[byte >> 4];
        *out++ = digits[byte & 15];
    }
    *out = '\0';
    tt_build_string(build, TT_ATTR_SPLIT, text);
}

const char *tt_fill_unmeasured(const struct tt_span *span)
{
    if (span->incomplete & TT_INCOMPLETE_END)
        return TT_OTEL_END_UNKNOWN;
    return span->incomplete & TT_INCOMPLETE_START ? TT_OTEL_START_UNKNOWN : NULL;
}

static void fill_doubts(struct tt_build *build, const struct tt_span *span)
{
    static const char *const proofs[] = {
        [TT_PROOF_NONE] = "none",     [TT_PROOF_NESTING] = "nesting", [TT_PROOF_REQUEST] = "request",
        [TT_PROOF_NATIVE] = "native", [TT_PROOF_EVENT] = "event",     [TT_PROOF_PROCESS] = "process",
    };
    static const struct {
        enum tt_incomplete bit;
        const char *name;
    } doubts[] = {
        {TT_INCOMPLETE_END, TT_OTEL_END_UNKNOWN},   {TT_INCOMPLETE_START, TT_OTEL_START_UNKNOWN},
        {TT_INCOMPLETE_LOST, "events_lost"},        {TT_INCOMPLETE_FAULT, "field_unreadable"},
        {TT_INCOMPLETE_CUT, "field_cut"},           {TT_INCOMPLETE_PARENT, "parent_unproven"},
        {TT_INCOMPLETE_PROCESS, "process_unknown"},
    };
    const char *names[TT_ARRAY_SIZE(doubts)];
    size_t count = 0;

    if ((size_t)span->proof < TT_ARRAY_SIZE(proofs))
        tt_build_ready(build, TT_ATTR_PARENT_PROOF, proofs[span->proof]);
    tt_build_ready(build, TT_ATTR_PARENT_REASON, parent_reason(span));
    fill_split(build, span);
    for (size_t i = 0; i < TT_ARRAY_SIZE(doubts); i++) {
        if (span->incomplete & doubts[i].bit)
            names[count++] = doubts[i].name;
    }
    tt_build_strings(build, TT_ATTR_INCOMPLETE, names, count);
    if (span->collocated)
        tt_build_true(build, TT_ATTR_COLLOCATED);
    if (span->requests > 1 && span->kind != TT_SPAN_SERVER)
        tt_build_int(build, TT_ATTR_REQUESTS, span->requests);
    if (span->retry)
        tt_build_int(build, TT_ATTR_RETRY, span->retry);
}

/* Where the time went. Parts that are 0 are left out; the rest says that there is a ledger. */
static void fill_ledger(struct tt_build *build, const struct tt_span *span)
{
    _Static_assert(TT_ATTR_TIME_REST - TT_ATTR_TIME_MARSHAL == TT_PART_REST, "one attribute for each part");

    for (int part = 0; part < TT_PARTS && span->ledger.known; part++)
        if (span->ledger.ns[part] || part == TT_PART_REST)
            tt_build_int(build, TT_ATTR_TIME_MARSHAL + part, (int64_t)span->ledger.ns[part]);
    if (!span->waited)
        return;
    tt_build_string(build, TT_ATTR_MONITOR_NAME, span->monitor);
    tt_build_int(build, TT_ATTR_MONITOR_HOLDER, span->holder);
}

void tt_fill_attributes(struct tt_build *build, const struct tt_span *span, const char *title)
{
    fill_operation(build, span, title);
    fill_code(build, span);
    if (span->row->arguments)
        fill_arguments(build, span);
    if (span->kind == TT_SPAN_SERVER || span->collocated)
        fill_client(build, span);
    fill_request(build, span);
    if (span->row->role == TT_ROLE_POLL)
        tt_fill_polling(build, span);
    if (span->kind == TT_SPAN_PRODUCER || span->kind == TT_SPAN_CONSUMER)
        tt_fill_event(build, span);
    fill_ledger(build, span);
    fill_doubts(build, span);
}
