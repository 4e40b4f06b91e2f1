/* runtime/image/tool/utf16.c – see utf16.h. */
#include "runtime/image/tool/utf16.h"

enum { MAX_POINT = 0x10FFFF, SURROGATES_FROM = 0xD800, SURROGATES_TO = 0xDFFF };

static int refuse(const char *text, struct error *err)
{
    return error_set(err, ERR_INVALID, "\"%.200s\" is no UTF-8", text);
}

static void append_unit(struct buf *out, uint32_t unit)
{
    uint8_t bytes[2] = {(uint8_t)unit, (uint8_t)(unit >> 8)};
    buf_append(out, bytes, sizeof bytes);
}

/* The next code point, or -1. Longer forms than needed and surrogates are no UTF-8. */
static int32_t next_point(const uint8_t **at)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *from = *at;
    unsigned length = from[0] < 0x80 ? 1 : from[0] >> 5 == 6 ? 2 : from[0] >> 4 == 14 ? 3 : from[0] >> 3 == 30 ? 4 : 0;
    if (length == 0)
        return -1;
    uint32_t point = length == 1 ? from[0] : from[0] & (0x7Fu >> length);
    for (unsigned i = 1; i < length; i++) {
        if (from[i] >> 6 != 2)
            return -1;
        point = point << 6 | (from[i] & 0x3F);
    }
    *at += length;
    return point < least[length] || point > MAX_POINT || (point >= SURROGATES_FROM && point <= SURROGATES_TO) ? -1 : (int32_t)point;
}

int utf16_append(struct buf *out, const char *text, struct error *err)
{
    for (const uint8_t *at = (const uint8_t *)text; *at;) {
        int32_t point = next_point(&at);
        if (point < 0)
            return refuse(text, err);
        if (point >= 0x10000) {
            append_unit(out, SURROGATES_FROM + ((uint32_t)(point - 0x10000) >> 10));
            append_unit(out, 0xDC00 + ((uint32_t)(point - 0x10000) & 0x3FF));
        } else {
            append_unit(out, (uint32_t)point);
        }
    }
    return 0;
}
