/* api/swarm/shape_write.c – see shape.h: from messages to JSON. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/swarm/docker_time.h"
#include "api/swarm/shape.h"
#include "api/swarm/utf8.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "google/protobuf/wrappers.pb-c.h"
#include "proto/message.h"

const ProtobufCFieldDescriptor *shape_field(const ProtobufCMessageDescriptor *descriptor, const char *name)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(descriptor, name);
    assert(field != NULL);
    return field;
}

bool shape_is_map(const ProtobufCFieldDescriptor *field)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    return entry->n_fields == 2 && strcmp(entry->fields[0].name, "key") == 0 && strcmp(entry->fields[1].name, "value") == 0;
}

/* --- values --- */

cJSON *shape_text(const char *text)
{
    if (text == NULL)
        text = "";
    if (utf8_is_valid(text))
        return cJSON_CreateString(text);
    cleanup_free char *repaired = utf8_repair(text);
    return cJSON_CreateString(repaired);
}

cJSON *shape_u64(uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    return cJSON_CreateRaw(digits);
}

static cJSON *whole_number(int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    return cJSON_CreateRaw(digits);
}

/* The shortest text that is this float again: 0.2 and not 0.200000003. JSON has no infinity. */
static cJSON *short_float(float value)
{
    char text[32] = "0";
    if (__builtin_isfinite(value))
        for (int digits = 1; digits <= 9; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, (double)value);
            if (strtof(text, NULL) == value)
                break;
        }
    return cJSON_CreateRaw(text);
}

cJSON *shape_base64(ProtobufCBinaryData data)
{
    struct buf text = {.is_secret = true};
    encode_base64(bytes_of(data.data, data.len), &text);
    cJSON *json = cJSON_CreateString(text.data ? (const char *)text.data : "");
    buf_deinit(&text);
    return json;
}

static cJSON *bytes_text(ProtobufCBinaryData data)
{
    cleanup_free char *text = mem_string_n((const char *)data.data, data.len);
    return shape_text(text);
}

cJSON *shape_texts(char *const *texts, size_t count)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, shape_text(texts[i]));
    return list;
}

struct pair {
    const char *key, *value;
    size_t index;
};

/* By key; of two with one key the later first. */
static int compare(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    int order = strcmp(left->key, right->key);
    return order != 0 ? order : left->index < right->index ? 1 : -1;
}

static const char *entry_text(const ProtobufCMessage *entry, unsigned field)
{
    const char *text;
    memcpy(&text, (const char *)entry + entry->descriptor->fields[field].offset, sizeof text);
    return text ? text : "";
}

cJSON *shape_map(size_t count, void *const *entries)
{
    cJSON *object = cJSON_CreateObject();
    if (count == 0)
        return object;
    cleanup_free struct pair *pairs = mem_array(count, sizeof *pairs);
    for (size_t i = 0; i < count; i++)
        pairs[i] = (struct pair){entry_text(entries[i], 0), entry_text(entries[i], 1), i};
    qsort(pairs, count, sizeof *pairs, compare);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(pairs[i - 1].key, pairs[i].key) == 0)
            continue;
        cleanup_free char *repaired = utf8_is_valid(pairs[i].key) ? NULL : utf8_repair(pairs[i].key);
        cJSON_AddItemToObject(object, repaired ? repaired : pairs[i].key, shape_text(pairs[i].value));
    }
    return object;
}

/* --- fields --- */

static const void *at(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (const char *)message + field->offset;
}

/* A oneof's field that is not the chosen one shares its bytes with another. */
static bool is_chosen(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    uint32_t chosen;
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        return true;
    memcpy(&chosen, (const char *)message + field->quantifier_offset, sizeof chosen);
    return chosen == field->id;
}

const char *shape_name_of(const struct shape_name *names, int value)
{
    for (; names->text; names++)
        if (names->value == value)
            return names->text;
    return "";
}

/* NULL where it is zero and not asked for at zero. */
static cJSON *text_or_null(const char *text, bool always)
{
    return always || (text && *text) ? shape_text(text) : NULL;
}

static cJSON *write_number(const ProtobufCFieldDescriptor *field, const void *value, bool always)
{
    int64_t i64 = 0;
    uint64_t u64 = 0;
    float number = 0;
    int32_t i32 = 0;
    uint32_t u32 = 0;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
        memcpy(&i32, value, sizeof i32);
        return i32 != 0 || always ? whole_number(i32) : NULL;
    case PROTOBUF_C_TYPE_INT64:
        memcpy(&i64, value, sizeof i64);
        return i64 != 0 || always ? whole_number(i64) : NULL;
    case PROTOBUF_C_TYPE_UINT32:
        memcpy(&u32, value, sizeof u32);
        return u32 != 0 || always ? shape_u64(u32) : NULL;
    case PROTOBUF_C_TYPE_UINT64:
        memcpy(&u64, value, sizeof u64);
        return u64 != 0 || always ? shape_u64(u64) : NULL;
    case PROTOBUF_C_TYPE_FLOAT:
        memcpy(&number, value, sizeof number);
        return number != 0 || always ? short_float(number) : NULL;
    default:
        assert(false); /* a type that no message of ours has */
        return NULL;
    }
}

static cJSON *write_bytes(const struct shape_member *member, const void *value)
{
    ProtobufCBinaryData data;
    memcpy(&data, value, sizeof data);
    if (data.len == 0 && (member->flags & SHAPE_ALWAYS) == 0)
        return NULL;
    return member->flags & SHAPE_AS_TEXT ? bytes_text(data) : shape_base64(data);
}

static cJSON *write_duration(const struct shape_member *member, const ProtobufCMessage *duration)
{
    int64_t ns = message_duration_ns((const Google__Protobuf__Duration *)duration, 0);
    return duration == NULL || (ns == 0 && member->flags & SHAPE_OMIT_ZERO) ? NULL : whole_number(ns);
}

static cJSON *write_time(const struct shape_member *member, const ProtobufCMessage *timestamp)
{
    char text[DOCKER_TIME_SIZE];
    const Google__Protobuf__Timestamp *time = (const Google__Protobuf__Timestamp *)timestamp;
    if ((member->flags & SHAPE_ALWAYS) == 0 && (time == NULL || time->seconds == 0))
        return NULL;
    docker_time(time, text);
    return cJSON_CreateString(text);
}

static ProtobufCMessage *make_empty(const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *empty = mem_alloc(descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, empty);
    return empty;
}

static cJSON *write_empty(const struct shape_member *shape, const ProtobufCMessageDescriptor *descriptor, unsigned api_version)
{
    cleanup_free ProtobufCMessage *empty = make_empty(descriptor);
    return shape_write(shape, empty, api_version);
}

static cJSON *write_message(const struct shape_member *member, const ProtobufCMessageDescriptor *descriptor,
                            const ProtobufCMessage *message, unsigned api_version)
{
    if (descriptor == &google__protobuf__duration__descriptor)
        return write_duration(member, message);
    if (descriptor == &google__protobuf__timestamp__descriptor)
        return write_time(member, message);
    if (message == NULL && member->flags & SHAPE_BARE)
        return cJSON_CreateObject();
    if (message == NULL && member->flags & SHAPE_ALWAYS)
        return write_empty(member->shape, descriptor, api_version);
    if (message == NULL)
        return NULL;
    if (descriptor == &google__protobuf__bool_value__descriptor)
        return cJSON_CreateBool(((const Google__Protobuf__BoolValue *)message)->value);
    if (descriptor == &google__protobuf__int64_value__descriptor)
        return whole_number(((const Google__Protobuf__Int64Value *)message)->value);
    return shape_write(member->shape, message, api_version);
}

static cJSON *write_list(const struct shape_member *member, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message,
                         unsigned api_version)
{
    size_t count;
    void *const *items;
    memcpy(&count, (const char *)message + field->quantifier_offset, sizeof count);
    memcpy(&items, at(message, field), sizeof items);
    if (count == 0 && (member->flags & SHAPE_ALWAYS) == 0)
        return NULL;
    if (shape_is_map(field))
        return shape_map(count, items);
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return shape_texts((char *const *)items, count);
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++)
        if (member->wanted == NULL || member->wanted(items[i]))
            cJSON_AddItemToArray(list, shape_write(member->shape, items[i], api_version));
    if (cJSON_GetArraySize(list) > 0 || member->flags & SHAPE_ALWAYS)
        return list;
    cJSON_Delete(list);
    return NULL;
}

/* NULL where the JSON has none. */
static cJSON *write_field(const struct shape_member *member, const ProtobufCMessage *message, unsigned api_version)
{
    const ProtobufCFieldDescriptor *field = shape_field(message->descriptor, member->field);
    static const uint64_t zero[2] = {0}; /* as large as the largest field: bytes */
    const void *value = is_chosen(message, field) ? at(message, field) : zero, *pointer;
    protobuf_c_boolean truth;
    int number;
    bool always = (member->flags & SHAPE_ALWAYS) != 0;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return write_list(member, field, message, api_version);
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        memcpy(&pointer, value, sizeof pointer);
        return text_or_null(pointer, always);
    case PROTOBUF_C_TYPE_BOOL:
        memcpy(&truth, value, sizeof truth);
        return truth || always ? cJSON_CreateBool(truth) : NULL;
    case PROTOBUF_C_TYPE_ENUM:
        memcpy(&number, value, sizeof number);
        return text_or_null(shape_name_of(member->names, number), always);
    case PROTOBUF_C_TYPE_BYTES:
        return write_bytes(member, value);
    case PROTOBUF_C_TYPE_MESSAGE:
        memcpy(&pointer, value, sizeof pointer);
        return write_message(member, field->descriptor, pointer, api_version);
    default:
        return write_number(field, value, always);
    }
}

static void write_inline(const struct shape_member *member, const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    const ProtobufCFieldDescriptor *field = shape_field(message->descriptor, member->field);
    const ProtobufCMessage *inner;
    memcpy(&inner, at(message, field), sizeof inner);
    cleanup_free ProtobufCMessage *empty = inner ? NULL : make_empty(field->descriptor);
    shape_write_into(member->shape, inner ? inner : empty, api_version, object);
}

bool shape_is_end(const struct shape_member *member)
{
    return !member->json && !member->field && !member->shape && !member->write && !member->read;
}

void shape_write_into(const struct shape_member *shape, const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    for (const struct shape_member *member = shape; !shape_is_end(member); member++) {
        cJSON *item = NULL;
        if (api_version < member->since || member->flags & SHAPE_ONLY_READ)
            continue;
        if (member->flags & SHAPE_INLINE)
            write_inline(member, message, api_version, object);
        else if (member->field)
            item = write_field(member, message, api_version);
        else if (member->shape && member->json == NULL)
            shape_write_into(member->shape, message, api_version, object);
        else if (member->shape)
            item = shape_write(member->shape, message, api_version);
        else if (member->write)
            member->write(message, api_version, object);
        if (item == NULL && member->flags & SHAPE_NULL)
            item = cJSON_CreateNull();
        if (item)
            cJSON_AddItemToObject(object, member->json, item);
    }
}

cJSON *shape_write(const struct shape_member *shape, const ProtobufCMessage *message, unsigned api_version)
{
    cJSON *object = cJSON_CreateObject();
    shape_write_into(shape, message, api_version, object);
    return object;
}
