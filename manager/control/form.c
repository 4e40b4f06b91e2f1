/* manager/control/form.c – what no field may hold, whatever it means: texts that are no texts, numbers that no enumeration has, names that
 * nothing may have. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/text.h"
#include "google/protobuf/duration.pb-c.h"
#include "manager/control/inside.h"

int form_check_id(const char *id, struct error *err)
{
    if (text_empty(id))
        return form_refuse(err);
    if (strlen(id) >= STORE_KEY_SIZE_BYTES)
        return error_set(err, ERR_INVALID, "invalid argument: an id of %zu characters", strlen(id));
    return 0;
}

/* --- texts --- */

/* How many bytes follow the first one, and the least number that needs as many. -1: not a first byte. */
static int utf8_following(uint8_t first, uint32_t *bits, uint32_t *least)
{
    if (first < 0x80) {
        *bits = first;
        *least = 0;
        return 0;
    }
    if ((first & 0xe0) == 0xc0) {
        *bits = first & 0x1f;
        *least = 0x80;
        return 1;
    }
    if ((first & 0xf0) == 0xe0) {
        *bits = first & 0x0f;
        *least = 0x800;
        return 2;
    }
    *bits = first & 0x07;
    *least = 0x10000;
    return (first & 0xf8) == 0xf0 ? 3 : -1;
}

static bool is_utf8(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;

    while (*at) {
        uint32_t number, least;
        int following = utf8_following(*at++, &number, &least);
        if (following < 0)
            return false;
        for (; following > 0; following--, at++) {
            if ((*at & 0xc0) != 0x80)
                return false;
            number = number << 6 | (*at & 0x3f);
        }
        if (number < least || number > 0x10ffff || (number >= 0xd800 && number <= 0xdfff))
            return false;
    }
    return true;
}

/* --- all fields --- */

static int check_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const uint8_t *value, struct error *err)
{
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)(const void *)value;
        if (text && !is_utf8(text))
            return error_set(err, ERR_INVALID, "%s.%s is not UTF-8", message->descriptor->short_name, field->name);
    } else if (field->type == PROTOBUF_C_TYPE_ENUM) {
        int number = *(const int *)(const void *)value;
        if (protobuf_c_enum_descriptor_get_value(field->descriptor, number) == NULL)
            return error_set(err, ERR_INVALID, "%s.%s has no value %d", message->descriptor->short_name, field->name, number);
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *part = *(ProtobufCMessage *const *)(const void *)value;
        if (part)
            return form_check(part, err);
    }
    return 0;
}

static size_t size_of_value(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_ENUM ? sizeof(int) : sizeof(void *);
}

static int check_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, struct error *err)
{
    const uint8_t *start = (const uint8_t *)message, *value = start + field->offset;
    int failed = 0;

    if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_ENUM && field->type != PROTOBUF_C_TYPE_MESSAGE)
        return 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && *(const uint32_t *)(const void *)(start + field->quantifier_offset) != field->id)
        return 0;
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return check_value(message, field, value, err);
    size_t count = *(const size_t *)(const void *)(start + field->quantifier_offset);
    const uint8_t *values = *(const uint8_t *const *)(const void *)value;
    for (size_t i = 0; i < count && failed == 0; i++)
        failed = check_value(message, field, values + i * size_of_value(field), err);
    return failed;
}

/* As deep as the message was unpacked: MESSAGE_DEPTH_COUNT at most. */
int form_check(const ProtobufCMessage *message, struct error *err)
{
    int failed = 0;

    for (unsigned i = 0; i < message->descriptor->n_fields && failed == 0; i++)
        failed = check_field(message, &message->descriptor->fields[i], err);
    return failed;
}

/* --- names --- */

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Of @allowed, with a letter or digit at either end. */
static bool is_name(const char *name, const char *allowed)
{
    size_t length = strlen(name);

    return length > 0 && strspn(name, allowed) == length && strspn(name, ALPHANUMERIC) > 0 &&
           strchr(ALPHANUMERIC, name[length - 1]) != NULL;
}

int form_check_name(const Docker__Swarmkit__V1__Annotations *annotations, struct error *err)
{
    const char *name = annotations ? annotations->name : "";

    if (name[0] == 0)
        return error_set(err, ERR_INVALID, "meta: name must be provided");
    if (!is_name(name, ALPHANUMERIC "-_"))
        return error_set(err, ERR_INVALID, "name must be valid as a DNS name component");
    if (strlen(name) > CONTROL_NAME_SIZE_CHARS)
        return error_set(err, ERR_INVALID, "name must be %d characters or fewer", CONTROL_NAME_SIZE_CHARS);
    return 0;
}

int form_check_payload_name(const Docker__Swarmkit__V1__Annotations *annotations, struct error *err)
{
    const char *name = annotations ? annotations->name : "";

    if (name[0] == 0)
        return error_set(err, ERR_INVALID, "name must be provided");
    if (strlen(name) > CONTROL_PAYLOAD_NAME_SIZE_CHARS || !is_name(name, ALPHANUMERIC "-_."))
        return error_set(err, ERR_INVALID,
                         "invalid name, only %d [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]",
                         CONTROL_PAYLOAD_NAME_SIZE_CHARS);
    return 0;
}

/* --- durations --- */

int form_read_duration(const struct Google__Protobuf__Duration *duration, const char *what, int64_t *ns, struct error *err)
{
    const int64_t most_s = INT64_MAX / (int64_t)NS_PER_S - 1;

    *ns = 0;
    if (duration == NULL)
        return 0;
    int64_t seconds = duration->seconds;
    int32_t nanos = duration->nanos;
    if (seconds > most_s || seconds < -most_s || nanos >= (int32_t)NS_PER_S || nanos <= -(int32_t)NS_PER_S || (seconds > 0 && nanos < 0) ||
        (seconds < 0 && nanos > 0))
        return error_set(err, ERR_INVALID, "%s is no duration: %" PRId64 " s and %" PRId32 " ns", what, seconds, nanos);
    *ns = seconds * (int64_t)NS_PER_S + nanos;
    return 0;
}
