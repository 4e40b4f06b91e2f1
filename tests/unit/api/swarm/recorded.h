/* tests/unit/api/swarm/recorded.h – what a real dockerd said (tests/fixtures/docker-20.10), and comparisons that name where two things
 * differ. */
#ifndef SKEP_TESTS_UNIT_API_SWARM_RECORDED_H
#define SKEP_TESTS_UNIT_API_SWARM_RECORDED_H

#include <stdlib.h>

#include "api/swarm/body.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "proto/message.h"
#include "tests/unit/test.h"

#define RECORDED_DIR "tests/fixtures/docker-20.10"

/* A recording, freed with cJSON_Delete(). Its long numbers stay numbers: what is compared with them is parsed in the same way. */
static inline cJSON *recorded(const char *name)
{
    cleanup_free char *path = mem_format("%s/%s.json", RECORDED_DIR, name);
    cleanup_buf struct buf text = {0};
    cJSON *json = NULL;
    assert_ok(file_read(path, 16 * MIB, &text, err));
    assert_ok(json_parse(buf_bytes(&text), 16 * MIB, &json, err));
    return json;
}

/* The same as it comes in by the API, every digit kept. */
static inline cJSON *recorded_exactly(const char *name)
{
    cleanup_free char *path = mem_format("%s/%s.json", RECORDED_DIR, name);
    cleanup_buf struct buf text = {0};
    cJSON *json = NULL;
    assert_ok(file_read(path, API_REQUEST_BODY_BYTES, &text, err));
    assert_ok(swarm_body_parse(buf_bytes(&text), &json, err));
    return json;
}

/* The member @key of @item, base64 of a message of @descriptor. Freed with message_free(). */
static inline ProtobufCMessage *recorded_message(const cJSON *item, const char *key, const ProtobufCMessageDescriptor *descriptor)
{
    const char *text = json_string(item, key, NULL);
    cleanup_buf struct buf packed = {0};
    ProtobufCMessage *message = NULL;
    assert_non_null(text);
    assert_ok(decode_base64(text, strlen(text), &packed, err));
    assert_ok(message_unpack(descriptor, buf_bytes(&packed), 16 * MIB, &message, err));
    return message;
}

/* --- JSON --- */

static inline void must_match(const cJSON *got, const cJSON *want, const char *where)
{
    const cJSON *item, *other;
    if ((got->type & 0xff) != (want->type & 0xff))
        fail_msg("%s: type %d, not %d", where, got->type & 0xff, want->type & 0xff);
    if (cJSON_IsString(want) && strcmp(got->valuestring, want->valuestring) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", where, got->valuestring, want->valuestring);
    if (cJSON_IsNumber(want) && (got->valuedouble < want->valuedouble || got->valuedouble > want->valuedouble))
        fail_msg("%s: %.17g, not %.17g", where, got->valuedouble, want->valuedouble);
    if (cJSON_IsArray(want)) {
        if (cJSON_GetArraySize(got) != cJSON_GetArraySize(want))
            fail_msg("%s: %d entries, not %d", where, cJSON_GetArraySize(got), cJSON_GetArraySize(want));
        int index = 0;
        for (item = got->child, other = want->child; item; item = item->next, other = other->next) {
            cleanup_free char *place = mem_format("%s[%d]", where, index++);
            must_match(item, other, place);
        }
        return;
    }
    cJSON_ArrayForEach (item, want) {
        cleanup_free char *place = mem_format("%s.%s", where, item->string);
        other = cJSON_GetObjectItemCaseSensitive(got, item->string);
        if (other == NULL)
            fail_msg("%s is missing", place);
        must_match(other, item, place);
    }
    cJSON_ArrayForEach (item, got)
        if (!cJSON_GetObjectItemCaseSensitive(want, item->string))
            fail_msg("%s.%s should not be there", where, item->string);
}

/* Every member is there, of the same type and value, and no other. @got is taken. */
static inline void assert_json_matches(cJSON *got, const cJSON *want, const char *where)
{
    cleanup_free char *text = json_print(got);
    cleanup_json cJSON *again = NULL;
    cJSON_Delete(got);
    assert_ok(json_parse(bytes_of_string(text), 16 * MIB, &again, err)); /* what is printed is read as the recording was */
    must_match(again, want, where);
}

/* --- messages --- */

static inline const void *field_at(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (const char *)message + field->offset;
}

static inline bool is_map_field(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    return field->label == PROTOBUF_C_LABEL_REPEATED && field->type == PROTOBUF_C_TYPE_MESSAGE && entry->n_fields == 2 &&
           strcmp(entry->fields[0].name, "key") == 0;
}

static inline int compare_entries(const void *a, const void *b)
{
    const char *left, *right;
    const ProtobufCMessage *const *x = a, *const *y = b;
    memcpy(&left, field_at(*x, &(*x)->descriptor->fields[0]), sizeof left);
    memcpy(&right, field_at(*y, &(*y)->descriptor->fields[0]), sizeof right);
    return strcmp(left, right);
}

static inline void same_message(const ProtobufCMessage *got, const ProtobufCMessage *want, const char *where);

static inline void same_value(const ProtobufCFieldDescriptor *field, const void *got, const void *want, const char *where)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *a, *b;
        memcpy(&a, got, sizeof a);
        memcpy(&b, want, sizeof b);
        if ((a == NULL) != (b == NULL))
            fail_msg("%s is %s", where, a ? "there and should not be" : "missing");
        if (a)
            same_message(a, b, where);
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *a, *b;
        memcpy(&a, got, sizeof a);
        memcpy(&b, want, sizeof b);
        if (strcmp(a ? a : "", b ? b : "") != 0)
            fail_msg("%s: \"%s\", not \"%s\"", where, a ? a : "", b ? b : "");
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData a, b;
        memcpy(&a, got, sizeof a);
        memcpy(&b, want, sizeof b);
        if (!bytes_equal(bytes_of(a.data, a.len), bytes_of(b.data, b.len)))
            fail_msg("%s: other bytes", where);
    } else {
        bool is_wide = field->type == PROTOBUF_C_TYPE_INT64 || field->type == PROTOBUF_C_TYPE_UINT64;
        int64_t a = 0, b = 0;
        memcpy(&a, got, is_wide ? 8 : 4);
        memcpy(&b, want, is_wide ? 8 : 4);
        if (a != b)
            fail_msg("%s: %lld, not %lld", where, (long long)a, (long long)b);
    }
}

static inline size_t value_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return 8;
    default:
        return 4;
    }
}

static inline void same_list(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *got, const ProtobufCMessage *want,
                             const char *where)
{
    size_t a_count, b_count;
    char *a, *b;
    memcpy(&a_count, (const char *)got + field->quantifier_offset, sizeof a_count);
    memcpy(&b_count, (const char *)want + field->quantifier_offset, sizeof b_count);
    memcpy(&a, field_at(got, field), sizeof a);
    memcpy(&b, field_at(want, field), sizeof b);
    if (a_count != b_count)
        fail_msg("%s: %zu entries, not %zu", where, a_count, b_count);
    if (is_map_field(field) && a_count > 0) { /* in any order */
        qsort(a, a_count, sizeof(void *), compare_entries);
        qsort(b, b_count, sizeof(void *), compare_entries);
    }
    for (size_t i = 0; i < a_count; i++) {
        cleanup_free char *place = mem_format("%s[%zu]", where, i);
        same_value(field, a + i * value_size(field), b + i * value_size(field), place);
    }
}

static inline void same_message(const ProtobufCMessage *got, const ProtobufCMessage *want, const char *where)
{
    for (unsigned i = 0; i < want->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &want->descriptor->fields[i];
        cleanup_free char *place = mem_format("%s.%s", where, field->name);
        uint32_t a = field->id, b = field->id;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            same_list(field, got, want, place);
            continue;
        }
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            memcpy(&a, (const char *)got + field->quantifier_offset, sizeof a);
            memcpy(&b, (const char *)want + field->quantifier_offset, sizeof b);
        }
        if (a != b)
            fail_msg("%s: of its kind %u is chosen, not %u", place, a, b);
        if (a == field->id)
            same_value(field, field_at(got, field), field_at(want, field), place);
    }
}

/* The same content, maps in any order. What is absent is not the same as what is empty. */
static inline void assert_same_message(const ProtobufCMessage *got, const ProtobufCMessage *want, const char *where)
{
    assert_ptr_equal(got->descriptor, want->descriptor);
    same_message(got, want, where);
}

#endif
