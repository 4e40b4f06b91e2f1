/* tests/unit/api/swarm/generated.h – messages full of anything, from a seed: for what must hold of all of them. */
#ifndef SKEP_TESTS_UNIT_API_SWARM_GENERATED_H
#define SKEP_TESTS_UNIT_API_SWARM_GENERATED_H

#include "api/swarm/shape.h"
#include "google/protobuf/duration.pb-c.h"
#include "proto/message.h"
#include "tests/unit/test.h"

struct generator {
    uint64_t state; /* not zero */
    struct arena *arena;
};

static inline uint64_t generate(struct generator *generator)
{
    uint64_t x = generator->state; /* xorshift64 */
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return generator->state = x;
}

static inline size_t pick(struct generator *generator, size_t count)
{
    return (size_t)(generate(generator) >> 16) % count;
}

static inline char *generate_text(struct generator *generator)
{
    static const char *const texts[] = {
        "",      "a",    "k=v", "two words", "\"quoted\" \\ / \t\n\x01", "zw\xc3\xb6lf \xe2\x82\xac \xf0\x9f\x90\x9d",
        "12345", "null", "0",   "-",         "1234567890123456789"};
    return arena_string(generator->arena, texts[pick(generator, sizeof texts / sizeof *texts)]);
}

static inline void fill(struct generator *generator, ProtobufCMessage *message);

static inline ProtobufCMessage *generate_message(struct generator *generator, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = shape_new(descriptor, generator->arena);
    if (descriptor == &google__protobuf__duration__descriptor) {
        static const int64_t durations[] = {0, 1, 1500000000, -1, -2500000001, 7776000000000001, INT64_MAX, -9223372000000000000};
        message_set_duration((Google__Protobuf__Duration *)message, durations[pick(generator, sizeof durations / sizeof *durations)]);
    } else {
        fill(generator, message);
    }
    return message;
}

static inline size_t scalar(struct generator *generator, const ProtobufCFieldDescriptor *field, void *out)
{
    static const int64_t wide[] = {0, 1, -1, 4096, INT64_MAX, INT64_MIN, 9007199254740993, -9007199254740993};
    static const uint32_t narrow[] = {0, 1, 0444, 65535, UINT32_MAX};
    static const int32_t small[] = {0, 1, -1, INT32_MAX, INT32_MIN};
    static const float floats[] = {0, 1, 0.2F, 0.33F, 1e-7F, 3.4e38F};
    const ProtobufCEnumDescriptor *names = field->descriptor;
    protobuf_c_boolean truth = pick(generator, 2) == 1;
    int value;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64: /* all ones, too */
        memcpy(out, &wide[pick(generator, sizeof wide / sizeof *wide)], 8);
        return 8;
    case PROTOBUF_C_TYPE_UINT32:
        memcpy(out, &narrow[pick(generator, sizeof narrow / sizeof *narrow)], 4);
        return 4;
    case PROTOBUF_C_TYPE_INT32:
        memcpy(out, &small[pick(generator, sizeof small / sizeof *small)], 4);
        return 4;
    case PROTOBUF_C_TYPE_FLOAT:
        memcpy(out, &floats[pick(generator, sizeof floats / sizeof *floats)], 4);
        return 4;
    case PROTOBUF_C_TYPE_BOOL:
        memcpy(out, &truth, sizeof truth);
        return sizeof truth;
    case PROTOBUF_C_TYPE_ENUM:
        value = names->values[pick(generator, names->n_values)].value;
        memcpy(out, &value, sizeof value);
        return sizeof value;
    default:
        fail_msg("%s is of a type that is not generated", field->name);
        return 0;
    }
}

static inline size_t generate_value(struct generator *generator, const ProtobufCFieldDescriptor *field, void *out)
{
    const void *pointer;
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        char *text = generate_text(generator);
        ProtobufCBinaryData data = {.len = strlen(text), .data = (uint8_t *)text};
        memcpy(out, &data, sizeof data);
        return sizeof data;
    }
    if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
        return scalar(generator, field, out);
    pointer =
        field->type == PROTOBUF_C_TYPE_STRING ? (void *)generate_text(generator) : (void *)generate_message(generator, field->descriptor);
    memcpy(out, &pointer, sizeof pointer);
    return sizeof pointer;
}

static inline void generate_list(struct generator *generator, const ProtobufCFieldDescriptor *field, ProtobufCMessage *message)
{
    static const char *const keys[] = {"", "a", "b.c", "zw\xc3\xb6lf"};
    size_t count = pick(generator, 4), size = 0;
    char *items = arena_alloc(generator->arena, 3 * 16);
    for (size_t i = 0; i < count; i++) {
        size += generate_value(generator, field, items + size);
        if (shape_is_map(field)) { /* each key once */
            ProtobufCMessage *entry;
            char *key = arena_string(generator->arena, keys[i]);
            memcpy(&entry, items + i * sizeof entry, sizeof entry);
            memcpy((char *)entry + entry->descriptor->fields[0].offset, &key, sizeof key);
        }
    }
    memcpy((char *)message + field->quantifier_offset, &count, sizeof count);
    memcpy((char *)message + field->offset, &items, sizeof items);
}

/* Set about two of three fields; of a oneof the last that came up. */
static inline void fill(struct generator *generator, ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (pick(generator, 3) == 0)
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            generate_list(generator, field, message);
            continue;
        }
        generate_value(generator, field, (char *)message + field->offset);
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            memcpy((char *)message + field->quantifier_offset, &field->id, sizeof field->id);
    }
}

#endif
