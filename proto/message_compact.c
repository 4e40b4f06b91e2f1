/* proto/message_compact.c – a deep copy in one piece. The same walk is made twice: to count, without room, and to copy. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "proto/message.h"

#define ALIGNMENT sizeof(uint64_t)

struct room {
    uint8_t *at; /* NULL: only count */
    size_t used;
};

static void *take(struct room *room, const void *data, size_t size, size_t alignment)
{
    uint8_t *place;

    room->used = (room->used + alignment - 1) / alignment * alignment;
    place = room->at ? room->at + room->used : NULL;
    if (place && size > 0)
        memcpy(place, data, size);
    room->used += size;
    return place;
}

static ProtobufCMessage *copy_message(struct room *room, const ProtobufCMessage *message);

static bool is_default(const ProtobufCFieldDescriptor *field, const char *text)
{
    return text == NULL || text == protobuf_c_empty_string || text == (const char *)field->default_value;
}

/* Of the kinds that point elsewhere. @value is the original's, @to its place in the copy, NULL while counting. */
static void copy_value(struct room *room, const ProtobufCFieldDescriptor *field, const void *value, void *to)
{
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)value;
        if (is_default(field, text)) /* a constant, which the copy may point to as well */
            return;
        char *copy = take(room, text, strlen(text) + 1, 1);
        if (to)
            *(char **)to = copy;
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *data = value;
        if (data->len == 0)
            return;
        uint8_t *copy = take(room, data->data, data->len, 1);
        if (to)
            ((ProtobufCBinaryData *)to)->data = copy;
    } else {
        const ProtobufCMessage *inner = *(ProtobufCMessage *const *)value;
        ProtobufCMessage *copy = inner ? copy_message(room, inner) : NULL;
        if (to)
            *(ProtobufCMessage **)to = copy;
    }
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return 4;
    }
}

static void copy_repeated(struct room *room, const ProtobufCFieldDescriptor *field, const uint8_t *from, uint8_t *to)
{
    size_t count = *(const size_t *)(const void *)(from + field->quantifier_offset), size = size_of(field->type);
    const uint8_t *values = *(uint8_t *const *)(const void *)(from + field->offset);
    bool points = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES || field->type == PROTOBUF_C_TYPE_MESSAGE;

    if (count == 0) {
        if (to)
            *(void **)(void *)(to + field->offset) = NULL;
        return;
    }
    uint8_t *copies = take(room, values, count * size, ALIGNMENT);
    if (to)
        *(uint8_t **)(void *)(to + field->offset) = copies;
    for (size_t i = 0; points && i < count; i++)
        copy_value(room, field, values + i * size, copies ? copies + i * size : NULL);
}

static void copy_field(struct room *room, const ProtobufCFieldDescriptor *field, const uint8_t *from, uint8_t *to)
{
    bool points = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES || field->type == PROTOBUF_C_TYPE_MESSAGE;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        copy_repeated(room, field, from, to);
        return;
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && *(const uint32_t *)(const void *)(from + field->quantifier_offset) != field->id)
        return; /* another member of it holds the place */
    if (points)
        copy_value(room, field, from + field->offset, to ? to + field->offset : NULL);
}

static void copy_unknown(struct room *room, const ProtobufCMessage *from, ProtobufCMessage *to)
{
    if (from->n_unknown_fields == 0)
        return;
    ProtobufCMessageUnknownField *fields =
        take(room, from->unknown_fields, from->n_unknown_fields * sizeof *from->unknown_fields, ALIGNMENT);
    if (to)
        to->unknown_fields = fields;
    for (unsigned i = 0; i < from->n_unknown_fields; i++) {
        uint8_t *data = take(room, from->unknown_fields[i].data, from->unknown_fields[i].len, 1);
        if (fields)
            fields[i].data = data;
    }
}

/* As deep as the message was unpacked or built: MESSAGE_DEPTH_COUNT at most for what came from outside. */
static ProtobufCMessage *copy_message(struct room *room, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    ProtobufCMessage *copy = take(room, message, descriptor->sizeof_message, ALIGNMENT);

    for (unsigned i = 0; i < descriptor->n_fields; i++)
        copy_field(room, &descriptor->fields[i], (const uint8_t *)message, (uint8_t *)copy);
    copy_unknown(room, message, copy);
    return copy;
}

ProtobufCMessage *message_compact(const ProtobufCMessage *message, size_t *size_bytes)
{
    struct room room = {0};

    copy_message(&room, message);
    size_t size = room.used;
    room = (struct room){.at = mem_alloc(size)};
    ProtobufCMessage *copy = copy_message(&room, message);
    assert(room.used == size);
    if (size_bytes)
        *size_bytes = size;
    return copy;
}
