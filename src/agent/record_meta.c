/* SPDX-License-Identifier: GPL-2.0-only */
/* record_meta.c: fields of the records META and POINT. Tags are for ever: new ones at the end. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "agent/recorder.h"
#include "base/cleanup.h"

/* ---- META ---- */

enum kind { TEXT, NUMBER, FLAG };

static const struct {
    unsigned tag;
    enum kind kind;
    size_t offset;
} meta_fields[] = {
#define META(number, kind, field)                                                                            \
    {                                                                                                        \
        number, kind, offsetof(struct tt_recording_meta, field)                                              \
    }
    META(1, TEXT, version),
    META(2, NUMBER, events),
    META(3, NUMBER, event_size),
    META(4, NUMBER, key_size),
    META(5, NUMBER, exception_size),
    META(6, TEXT, host_name),
    META(7, TEXT, host_arch),
    META(8, TEXT, resource_attributes),
    META(9, FLAG, command_lines),
    META(10, FLAG, default_in),
    META(11, FLAG, tree),
    META(12, NUMBER, seed),
    META(13, NUMBER, join_wait_ns),
    META(14, NUMBER, time),
    META(15, NUMBER, unix_offset),
#undef META
};

void tt_recording_put_meta(struct tt_text *out, const struct tt_recording_meta *meta)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(meta_fields); i++) {
        const char *at = (const char *)meta + meta_fields[i].offset;

        if (meta_fields[i].kind == TEXT)
            tt_tags_put_text(out, meta_fields[i].tag, *(char *const *)at);
        else if (meta_fields[i].kind == FLAG)
            tt_tags_put_u64(out, meta_fields[i].tag, *(const bool *)at);
        else
            tt_tags_put_u64(out, meta_fields[i].tag, *(const uint64_t *)at);
    }
}

static int set_field(struct tt_recording_meta *meta, size_t row, const struct tt_tag *field)
{
    char *at = (char *)meta + meta_fields[row].offset;

    switch (meta_fields[row].kind) {
    case TEXT:
        free(*(char **)at);
        *(char **)at = tt_tag_text(field);
        return *(char **)at ? 0 : -ENOMEM;
    case NUMBER:
        *(uint64_t *)at = tt_tag_number(field);
        return 0;
    case FLAG:
        *(bool *)at = tt_tag_number(field) != 0;
        return 0;
    }
    return 0;
}

int tt_recording_get_meta(const void *data, size_t size, struct tt_recording_meta *meta)
{
    struct tt_tags fields = tt_tags_of(data, size);
    struct tt_tag field;

    while (tt_tags_next(&fields, &field)) {
        for (size_t i = 0; i < TT_ARRAY_SIZE(meta_fields); i++) {
            if (meta_fields[i].tag == field.tag && set_field(meta, i, &field))
                return -ENOMEM;
        }
    }
    return 0;
}

void tt_recording_meta_free(struct tt_recording_meta *meta)
{
    free(meta->version);
    free(meta->host_name);
    free(meta->host_arch);
    free(meta->resource_attributes);
    *meta = (struct tt_recording_meta){0};
}

/* ---- POINT: a row is known by its name, role and signatures, never by its index ---- */

enum { POINT_INDEX = 1, POINT_NAME, POINT_ROLE, POINT_SIGNATURE, POINT_ARGUMENTS };

static const char *const roles[] = {
    [TT_ROLE_CLIENT] = "client",   [TT_ROLE_MANY] = "many",       [TT_ROLE_SERVER] = "server",
    [TT_ROLE_REQUEST] = "request", [TT_ROLE_UPCALL] = "upcall",   [TT_ROLE_CATCH] = "catch",
    [TT_ROLE_SWITCH] = "switch",   [TT_ROLE_ASYNCH] = "asynch",   [TT_ROLE_SUBMIT] = "submit",
    [TT_ROLE_WORKER] = "worker",   [TT_ROLE_REFUSED] = "refused", [TT_ROLE_REPLY] = "reply",
    [TT_ROLE_METHOD] = "method",   [TT_ROLE_LOG] = "log",         [TT_ROLE_POLL] = "poll",
    [TT_ROLE_PUSH] = "push",       [TT_ROLE_TOPIC] = "topic",     [TT_ROLE_COUNTER] = "counter",
    [TT_ROLE_RECEIVE] = "receive", [TT_ROLE_LIFE] = "life",       [TT_ROLE_WAIT] = "wait",
    [TT_ROLE_BIRTH] = "birth",     [TT_ROLE_BEAT] = "beat",
};

static const char *role_name(enum tt_role role)
{
    return (size_t)role < TT_ARRAY_SIZE(roles) && roles[role] ? roles[role] : "";
}

void tt_recording_put_point(struct tt_text *out, uint32_t point, const struct tt_row *row)
{
    tt_tags_put_u64(out, POINT_INDEX, point);
    if (!row)
        return;
    tt_tags_put_text(out, POINT_NAME, row->name);
    tt_tags_put_text(out, POINT_ROLE, role_name(row->role));
    for (size_t i = 0; i < TT_ROW_SIGNATURES && row->signature[i]; i++)
        tt_tags_put_text(out, POINT_SIGNATURE, row->signature[i]);
    if (row->arguments)
        tt_tags_put_text(out, POINT_ARGUMENTS, row->arguments);
}

static bool is_text(const struct tt_tag *field, const char *text)
{
    return text && field->data && strlen(text) == field->size && !memcmp(field->data, text, field->size);
}

static bool has_signature(const struct tt_row *row, const struct tt_tag *field)
{
    for (size_t i = 0; i < TT_ROW_SIGNATURES && row->signature[i]; i++) {
        if (is_text(field, row->signature[i]))
            return true;
    }
    return false;
}

/* The row of that name and role; of several the one with most of the signatures. */
static const struct tt_row *find_row(const struct tt_tag *name, const struct tt_tag *role,
                                     const struct tt_tag *signatures, size_t count)
{
    const struct tt_row *best = NULL;
    size_t most = 0;

    for (size_t i = 0; i < tt_row_count; i++) {
        size_t same = 0;

        if (!is_text(name, tt_rows[i].name) || !is_text(role, role_name(tt_rows[i].role)))
            continue;
        for (size_t j = 0; j < count; j++)
            same += has_signature(&tt_rows[i], &signatures[j]);
        if (!best || same > most) {
            best = &tt_rows[i];
            most = same;
        }
    }
    return best;
}

/* A row that was made for a file: functions of device classes, or those that a user asked for. */
static struct tt_row *make_row(const struct tt_tag *name, const struct tt_tag *role,
                               const struct tt_tag *arguments)
{
    _cleanup_free_ char *text = NULL, *more = NULL;

    if (!name->size || !is_text(role, role_name(TT_ROLE_METHOD)))
        return NULL;
    text = tt_tag_text(name);
    more = arguments->size ? tt_tag_text(arguments) : NULL;
    return text ? tt_row_make_method(text, more) : NULL;
}

int tt_recording_get_point(const void *data, size_t size, uint32_t *point, const struct tt_row **row,
                           struct tt_row **made)
{
    struct tt_tag field, name = {0}, role = {0}, arguments = {0}, signatures[TT_ROW_SIGNATURES];
    struct tt_tags fields = tt_tags_of(data, size);
    uint64_t index = UINT64_MAX;
    size_t count = 0;

    while (tt_tags_next(&fields, &field)) {
        if (field.tag == POINT_INDEX)
            index = tt_tag_number(&field);
        else if (field.tag == POINT_NAME)
            name = field;
        else if (field.tag == POINT_ROLE)
            role = field;
        else if (field.tag == POINT_ARGUMENTS)
            arguments = field;
        else if (field.tag == POINT_SIGNATURE && count < TT_ARRAY_SIZE(signatures))
            signatures[count++] = field;
    }
    if (index >= TT_MAX_POINTS)
        return -EINVAL;
    *point = (uint32_t)index;
    *made = NULL;
    *row = find_row(&name, &role, signatures, count);
    if (!*row)
        *row = *made = make_row(&name, &role, &arguments);
    return 0;
}

/* ---- CODE ---- */

enum { CODE_NUMBER = 1, CODE_NAME, CODE_FILE, CODE_LINE };

void tt_recording_put_code(struct tt_text *out, uint64_t number, const struct tt_span_code *code)
{
    if (number)
        tt_tags_put_u64(out, CODE_NUMBER, number);
    if (!code)
        return;
    tt_tags_put_text(out, CODE_NAME, code->name);
    tt_tags_put_text(out, CODE_FILE, code->file);
    tt_tags_put_u64(out, CODE_LINE, code->line);
}

int tt_recording_get_code(const void *data, size_t size, struct tt_recorded_code *code)
{
    struct tt_tags fields = tt_tags_of(data, size);
    struct tt_tag field, name = {0}, file = {0};

    *code = (struct tt_recorded_code){0};
    while (tt_tags_next(&fields, &field)) {
        if (field.tag == CODE_NUMBER)
            code->number = tt_tag_number(&field);
        else if (field.tag == CODE_NAME)
            name = field;
        else if (field.tag == CODE_FILE)
            file = field;
        else if (field.tag == CODE_LINE)
            code->line = (unsigned)tt_tag_number(&field);
    }
    if (!name.data || !file.data)
        return code->number ? 0 : -EINVAL;
    code->name = tt_tag_text(&name);
    code->file = tt_tag_text(&file);
    if (code->name && code->file)
        return 0;
    free(code->name);
    free(code->file);
    code->name = code->file = NULL;
    return -ENOMEM;
}
