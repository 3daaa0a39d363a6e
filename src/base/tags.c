/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/tags.h"

#include <string.h>

struct head {
    uint16_t tag, zero;
    uint32_t size;
};

void tt_tags_put(struct tt_text *out, unsigned tag, const void *data, size_t size)
{
    struct head head = {.tag = (uint16_t)tag, .size = (uint32_t)size};

    tt_text_add(out, (const char *)&head, sizeof(head));
    tt_text_add(out, data, size);
}

void tt_tags_put_text(struct tt_text *out, unsigned tag, const char *text)
{
    if (text)
        tt_tags_put(out, tag, text, strlen(text));
}

void tt_tags_put_u64(struct tt_text *out, unsigned tag, uint64_t value)
{
    tt_tags_put(out, tag, &value, sizeof(value));
}

struct tt_tags tt_tags_of(const void *data, size_t size)
{
    return (struct tt_tags){.at = data, .end = (const uint8_t *)data + size};
}

bool tt_tags_next(struct tt_tags *fields, struct tt_tag *field)
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

uint64_t tt_tag_number(const struct tt_tag *field)
{
    uint64_t value = 0;

    if (field->size <= sizeof(value))
        memcpy(&value, field->data, field->size);
    return value;
}

char *tt_tag_text(const struct tt_tag *field)
{
    return strndup((const char *)field->data, field->size);
}
