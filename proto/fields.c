/* proto/fields.c – see fields.h. */
#include "proto/fields.h"

bool field_take_varint(struct bytes *rest, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 7 * FIELD_VARINT_SIZE_MOST && rest->size > 0; shift += 7) {
        uint8_t byte = rest->data[0];
        *rest = bytes_of(rest->data + 1, rest->size - 1);
        if (shift < 64)
            *value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

static bool take_fixed(struct bytes *rest, size_t size, uint64_t *value)
{
    *value = 0;
    if (rest->size < size)
        return false;
    for (size_t i = 0; i < size; i++)
        *value |= (uint64_t)rest->data[i] << 8 * i;
    *rest = bytes_of(rest->data + size, rest->size - size);
    return true;
}

bool field_take(struct bytes *rest, struct field *out)
{
    uint64_t key;

    *out = (struct field){0};
    if (!field_take_varint(rest, &key) || key >> 3 == 0 || key >> 3 > FIELD_NUMBER_MOST)
        return false;
    out->number = (uint32_t)(key >> 3);
    out->type = (enum field_type)(key & 7);
    switch (out->type) {
    case FIELD_VARINT:
        return field_take_varint(rest, &out->value);
    case FIELD_FIXED64:
        return take_fixed(rest, 8, &out->value);
    case FIELD_FIXED32:
        return take_fixed(rest, 4, &out->value);
    case FIELD_LENGTH:
        if (!field_take_varint(rest, &out->value) || out->value > rest->size)
            return false;
        out->bytes = bytes_of(rest->data, (size_t)out->value);
        *rest = bytes_of(rest->data + out->value, rest->size - (size_t)out->value);
        return true;
    default:
        return false; /* groups are proto1's */
    }
}

size_t field_varint_size(uint64_t value)
{
    size_t size = 1;

    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

size_t field_length_size(uint32_t number, size_t size)
{
    return field_varint_size((uint64_t)number << 3) + field_varint_size(size) + size;
}

static void put(struct buf *out, uint64_t value)
{
    uint8_t *at = buf_reserve(out, FIELD_VARINT_SIZE_MOST), *end = at;

    for (; value >= 0x80; value >>= 7)
        *end++ = (uint8_t)(value | 0x80);
    *end++ = (uint8_t)value;
    out->size += (size_t)(end - at);
    out->data[out->size] = 0;
}

void field_put_varint(struct buf *out, uint32_t number, uint64_t value)
{
    put(out, (uint64_t)number << 3 | FIELD_VARINT);
    put(out, value);
}

void field_put_length(struct buf *out, uint32_t number, size_t size)
{
    put(out, (uint64_t)number << 3 | FIELD_LENGTH);
    put(out, size);
}
