/* proto/fields.h – a message's fields, one after the other, without knowing its type: for those who pass parts of a message on as they are,
 * and for those who write one around parts that are packed already. */
#ifndef SKEP_PROTO_FIELDS_H
#define SKEP_PROTO_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum field_type { FIELD_VARINT = 0, FIELD_FIXED64 = 1, FIELD_LENGTH = 2, FIELD_FIXED32 = 5 };

#define FIELD_NUMBER_MOST      536870911u /* 29 bits */
#define FIELD_VARINT_SIZE_MOST 10u

struct field {
    uint32_t number;
    enum field_type type;
    uint64_t value;     /* a varint's or a fixed one's */
    struct bytes bytes; /* of FIELD_LENGTH; borrowed */
};

/* Take one varint, or one field with what belongs to it, off the front of @rest. False, with @rest anywhere: cut short or malformed. */
bool field_take_varint(struct bytes *rest, uint64_t *value);
bool field_take(struct bytes *rest, struct field *out);

size_t field_varint_size(uint64_t value);
size_t field_length_size(uint32_t number, size_t size); /* key, length and @size bytes */

void field_put_varint(struct buf *out, uint32_t number, uint64_t value);
void field_put_length(struct buf *out, uint32_t number, size_t size); /* key and length; the bytes are for the caller */

#endif
