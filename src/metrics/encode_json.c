/* SPDX-License-Identifier: GPL-2.0-only */
/* encode_json.c: lowerCamelCase keys, ids in hex, 64-bit integers as strings; what has its default is left
 * out. */
#include "metrics/encode_json.h"

#include <string.h>

static void camel_case(const char *name, char *out, size_t size)
{
    size_t used = 0;

    for (; *name && used + 1 < size; name++) {
        bool upper = *name == '_' && name[1];

        name += upper;
        out[used++] = upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
    }
    out[used] = '\0';
}

static void put_value(struct tt_json *json, const char *key, const ProtobufCFieldDescriptor *field,
                      const void *value)
{
    const ProtobufCBinaryData *bytes = value;

    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_ENUM:
        tt_json_int(json, key, *(const int32_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        tt_json_uint(json, key, *(const uint32_t *)value);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        tt_json_int_string(json, key, *(const int64_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        tt_json_uint_string(json, key, *(const uint64_t *)value);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        tt_json_double(json, key, *(const float *)value);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        tt_json_double(json, key, *(const double *)value);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        tt_json_bool(json, key, *(const protobuf_c_boolean *)value);
        break;
    case PROTOBUF_C_TYPE_STRING:
        tt_json_string(json, key, *(char *const *)value);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        tt_json_hex(json, key, bytes->data, bytes->len);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        tt_json_message(json, key, *(const ProtobufCMessage *const *)value);
        break;
    }
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    default:
        return 4;
    }
}

/* Would it be left out on the wire? */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *value)
{
    static const uint8_t zero[sizeof(ProtobufCBinaryData)];
    const char *string;

    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return !((const ProtobufCBinaryData *)value)->len;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        string = *(char *const *)value;
        return !string || !*string;
    }
    return !memcmp(value, zero, size_of(field->type));
}

static void put_array(struct tt_json *json, const char *key, const ProtobufCFieldDescriptor *field,
                      const char *items, size_t count)
{
    if (!count)
        return;
    tt_json_array(json, key);
    for (size_t i = 0; i < count; i++)
        put_value(json, NULL, field, items + i * size_of(field->type));
    tt_json_array_end(json);
}

void tt_json_message(struct tt_json *json, const char *key, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;

    tt_json_object(json, key);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        const char *value = (const char *)message + field->offset;
        const void *quantifier = (const char *)message + field->quantifier_offset;
        char name[64];

        camel_case(field->name, name, sizeof(name));
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            put_array(json, name, field, *(char *const *)value, *(const size_t *)quantifier);
        else if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ? *(const uint32_t *)quantifier == field->id
                                                            : !is_default(field, value))
            put_value(json, name, field, value);
    }
    tt_json_object_end(json);
}
