/* SPDX-License-Identifier: GPL-2.0-only */
/* record_fields.c: tagged fields of records. */
#include <string.h>

#include "collect/recording.h"

struct head {
    uint16_t tag, zero;
    uint32_t size;
};

void tt_fields_put(struct tt_text *out, unsigned tag, const void *data, size_t size)
{
    struct head head = {.tag = (uint16_t)tag, .size = (uint32_t)size};

    tt_text_add(out, (const char *)&head, sizeof(head));
    tt_text_add(out, data, size);
}

void tt_fields_put_text(struct tt_text *out, unsigned tag, const char *text)
{
    if (text)
        tt_fields_put(out, tag, text, strlen(text));
}

void tt_fields_put_u64(struct tt_text *out, unsigned tag, uint64_t value)
{
    tt_fields_put(out, tag, &value, sizeof(value));
}

struct tt_fields tt_fields_of(const void *data, size_t size)
{
    return (struct tt_fields){.at = data, .end = (const uint8_t *)data + size};
}

bool tt_fields_next(struct tt_fields *fields, struct tt_record_field *field)
{
    struct head head;

    if ((size_t)(fields->end - fields->at) < sizeof(head))
        return false;
    memcpy(&head, fields->at, sizeof(head));
    if (head.size > (size_t)(fields->end - fields->at) - sizeof(head))
        return false;
    field->tag = head.tag;
    field->data = fields->at + sizeof(head);
    field->size = head.size;
    fields->at = field->data + head.size;
    return true;
}

uint64_t tt_field_number(const struct tt_record_field *field)
{
    uint64_t value = 0;

    if (field->size <= sizeof(value))
        memcpy(&value, field->data, field->size);
    return value;
}

char *tt_field_text(const struct tt_record_field *field)
{
    return strndup((const char *)field->data, field->size);
}
