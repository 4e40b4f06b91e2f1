/* base/id.c – see id.h. */
#include "base/id.h"

#include <string.h>

#include "base/encode.h"

void id_make(const struct random *random, char id[ID_SIZE_CHARS + 1])
{
    uint8_t raw[17];
    char text[ID_SIZE_CHARS + 3];
    random_fill(random, raw, sizeof raw);
    raw[0] |= 0x80;
    /* 136 bits with the top one set are always 27 digits; the first is nearly constant, and SwarmKit keeps 25 of the rest. */
    encode_base36(bytes_of(raw, sizeof raw), text, ID_SIZE_CHARS + 2);
    memcpy(id, text + 1, ID_SIZE_CHARS);
    id[ID_SIZE_CHARS] = '\0';
}

void id_make_container(const struct random *random, char id[CONTAINER_ID_SIZE_CHARS + 1])
{
    uint8_t raw[CONTAINER_ID_SIZE_CHARS / 2];
    do {
        random_fill(random, raw, sizeof raw);
        encode_hex(bytes_of(raw, sizeof raw), id);
    } while (strspn(id, "0123456789") >= 12);
}

bool id_is_safe(const char *id)
{
    size_t length = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-");
    return length >= 1 && length <= 64 && id[length] == '\0' && id[0] != '-';
}
