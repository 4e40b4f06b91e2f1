/* proto/message.c – see message.h. */
#include "proto/message.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "proto/fields.h"

static bool skip(struct bytes *rest, uint64_t size)
{
    if (size > rest->size)
        return false;
    *rest = bytes_of(rest->data + size, rest->size - (size_t)size);
    return true;
}

/* Walk the fields along the descriptor, as far as protobuf-c would recurse. */
static int check_depth(const ProtobufCMessageDescriptor *descriptor, struct bytes rest, int depth, struct error *err)
{
    if (depth > MESSAGE_DEPTH_COUNT)
        return error_set(err, ERR_LIMIT, "nested deeper than %d", MESSAGE_DEPTH_COUNT);
    while (rest.size > 0) {
        uint64_t key, length = 0;
        if (!field_take_varint(&rest, &key))
            return error_set(err, ERR_INVALID, "a field's key is cut short");
        if (key >> 3 == 0 || key >> 3 > FIELD_NUMBER_MOST) /* protobuf-c takes some of these, and cannot read them again */
            return error_set(err, ERR_INVALID, "there is no field %llu", (unsigned long long)(key >> 3));
        bool good = true;
        switch (key & 7) {
        case 0:
            good = field_take_varint(&rest, &length);
            break;
        case 1:
            good = skip(&rest, 8);
            break;
        case 2: {
            good = field_take_varint(&rest, &length) && length <= rest.size;
            const ProtobufCFieldDescriptor *field =
                good && key >> 3 <= UINT32_MAX ? protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(key >> 3)) : NULL;
            if (field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
                check_depth(field->descriptor, bytes_of(rest.data, (size_t)length), depth + 1, err) < 0)
                return err ? err->code : ERR_INVALID;
            good = good && skip(&rest, length);
            break;
        }
        case 5:
            good = skip(&rest, 4);
            break;
        default:
            good = false;
        }
        if (!good)
            return error_set(err, ERR_INVALID, "field %u is malformed", (unsigned)(key >> 3));
    }
    return 0;
}

/* The C library's memory, counted: what was asked for in all, also what was given back on the way. What it gives is freed without it. */
struct budget {
    size_t left_bytes;
    bool is_spent;
};

static void *allocate(void *ctx, size_t size)
{
    const size_t overhead = 2 * sizeof(size_t); /* what an allocation costs beside its bytes */
    struct budget *budget = ctx;
    if (size > SIZE_MAX - overhead || size + overhead > budget->left_bytes) {
        budget->is_spent = true;
        return NULL;
    }
    budget->left_bytes -= size + overhead;
    return malloc(size);
}

static void release(void *ctx, void *data)
{
    (void)ctx;
    free(data);
}

static size_t budget_bytes(size_t packed_bytes)
{
    const size_t most = MESSAGE_MEMORY_MOST_BYTES;
    if (packed_bytes > (most - MESSAGE_MEMORY_FLOOR_BYTES) / MESSAGE_MEMORY_RATIO)
        return most;
    return packed_bytes * MESSAGE_MEMORY_RATIO + MESSAGE_MEMORY_FLOOR_BYTES;
}

int message_unpack(const ProtobufCMessageDescriptor *descriptor, struct bytes bytes, size_t max_bytes, ProtobufCMessage **out,
                   struct error *err)
{
    struct error cause = {0};
    if (bytes.size > max_bytes)
        return error_set(err, ERR_LIMIT, "%s of %zu bytes: more than %zu", descriptor->short_name, bytes.size, max_bytes);
    if (check_depth(descriptor, bytes, 0, &cause) < 0)
        return error_set(err, cause.code, "%s: %s", descriptor->short_name, cause.message);
    struct budget budget = {.left_bytes = budget_bytes(bytes.size)};
    ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = &budget};
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, bytes.size, bytes.data);
    if (message == NULL && budget.is_spent)
        return error_set(err, ERR_LIMIT, "%s: %zu bytes that take more than %zu to hold", descriptor->short_name, bytes.size,
                         budget_bytes(bytes.size));
    if (message == NULL)
        return error_set(err, ERR_INVALID, "%s: malformed", descriptor->short_name);
    *out = message;
    return 0;
}

void message_free(ProtobufCMessage *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

static void wipe_value(const ProtobufCFieldDescriptor *field, void *value)
{
    char *text = *(char **)value;
    ProtobufCBinaryData *data = value;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (text && text != field->default_value && text != protobuf_c_empty_string) /* those are constants */
            mem_wipe(text, strlen(text));
        break;
    case PROTOBUF_C_TYPE_BYTES:
        if (data->len > 0 && (!field->default_value || data->data != ((const ProtobufCBinaryData *)field->default_value)->data))
            mem_wipe(data->data, data->len);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        if (text)
            message_wipe(*(ProtobufCMessage **)value);
        break;
    default:
        break;
    }
}

static size_t size_of_value(ProtobufCType type)
{
    return type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);
}

static void wipe_field(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    uint8_t *start = (uint8_t *)message, *value = start + field->offset;
    bool is_repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_BYTES && field->type != PROTOBUF_C_TYPE_MESSAGE)
        return;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && *(uint32_t *)(void *)(start + field->quantifier_offset) != field->id)
        return;
    size_t count = is_repeated ? *(size_t *)(void *)(start + field->quantifier_offset) : 1;
    uint8_t *values = is_repeated ? *(uint8_t **)(void *)value : value;
    for (size_t i = 0; i < count; i++)
        wipe_value(field, values + i * size_of_value(field->type));
}

/* As deep as the message was unpacked: MESSAGE_DEPTH_COUNT at most. */
void message_wipe(ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        wipe_field(message, &message->descriptor->fields[i]);
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        mem_wipe(message->unknown_fields[i].data, message->unknown_fields[i].len);
}

void message_wipe_free(ProtobufCMessage *message)
{
    if (message)
        message_wipe(message);
    message_free(message);
}

void message_pack(const ProtobufCMessage *message, struct buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room = buf_reserve(out, size);
    out->size += protobuf_c_message_pack(message, room);
    out->data[out->size] = 0;
}

ProtobufCMessage *message_copy(const ProtobufCMessage *message)
{
    cleanup_buf struct buf packed = {.is_secret = true}; /* it may hold a key or a token */
    message_pack(message, &packed);
    ProtobufCMessage *copy = protobuf_c_message_unpack(message->descriptor, NULL, packed.size, packed.data);
    assert(copy != NULL); /* what we packed unpacks, unless memory ran out */
    return copy;
}

bool message_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    if (a == NULL || b == NULL || a->descriptor != b->descriptor)
        return a == b;
    cleanup_buf struct buf left = {0}, right = {0};
    message_pack(a, &left);
    message_pack(b, &right);
    return bytes_equal(buf_bytes(&left), buf_bytes(&right));
}

static int64_t to_ns(int64_t seconds, int32_t nanos)
{
    const int64_t most = INT64_MAX / (int64_t)NS_PER_S - 1;
    if (seconds > most)
        return INT64_MAX;
    if (seconds < -most)
        return INT64_MIN;
    return seconds * (int64_t)NS_PER_S + nanos;
}

/* Whole seconds downwards, so that the nanos of an instant are never negative. */
static int64_t floor_seconds(int64_t ns)
{
    int64_t seconds = ns / (int64_t)NS_PER_S;
    return ns % (int64_t)NS_PER_S < 0 ? seconds - 1 : seconds;
}

int64_t message_timestamp_ns(const struct Google__Protobuf__Timestamp *timestamp, int64_t fallback_ns)
{
    return timestamp ? to_ns(timestamp->seconds, timestamp->nanos) : fallback_ns;
}

int64_t message_duration_ns(const struct Google__Protobuf__Duration *duration, int64_t fallback_ns)
{
    return duration ? to_ns(duration->seconds, duration->nanos) : fallback_ns;
}

void message_set_timestamp(struct Google__Protobuf__Timestamp *timestamp, int64_t wall_ns)
{
    google__protobuf__timestamp__init(timestamp);
    timestamp->seconds = floor_seconds(wall_ns);
    timestamp->nanos = (int32_t)(wall_ns - timestamp->seconds * (int64_t)NS_PER_S);
}

void message_set_duration(struct Google__Protobuf__Duration *duration, int64_t ns)
{
    google__protobuf__duration__init(duration);
    duration->seconds = ns / (int64_t)NS_PER_S;
    duration->nanos = (int32_t)(ns % (int64_t)NS_PER_S);
}

ProtobufCMessage *message_new(const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = mem_alloc(descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    return message;
}

void message_set_string(char **field, const char *value)
{
    char *old = *field;
    *field = value && *value ? mem_string(value) : (char *)(uintptr_t)protobuf_c_empty_string;
    if (!old || old == protobuf_c_empty_string)
        return;
    mem_wipe(old, strlen(old));
    free(old);
}

void message_set_bytes(ProtobufCBinaryData *field, struct bytes value)
{
    ProtobufCBinaryData old = *field;
    *field = (ProtobufCBinaryData){value.size, mem_copy(value.data, value.size)};
    mem_wipe(old.data, old.len);
    free(old.data);
}
