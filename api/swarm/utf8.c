/* api/swarm/utf8.c – see utf8.h. */
#include "api/swarm/utf8.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

/* The bytes of the character that @text begins with; 0 where it begins with none. The end of the text is a byte that fits nowhere. */
static size_t character(const char *text)
{
    const uint8_t *c = (const uint8_t *)text;
    if (c[0] < 0x80)
        return 1;
    size_t length = c[0] >= 0xc2 && c[0] <= 0xdf ? 2 : (c[0] & 0xf0) == 0xe0 ? 3 : c[0] >= 0xf0 && c[0] <= 0xf4 ? 4 : 0;
    for (size_t i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
        return 0;
    return length;
}

bool utf8_is_valid(const char *text)
{
    while (*text) {
        size_t length = character(text);
        if (length == 0)
            return false;
        text += length;
    }
    return true;
}

size_t utf8_cut(const char *text, size_t most)
{
    size_t length = strnlen(text, most + 1);
    if (length <= most)
        return length;
    for (length = most; length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80; length--)
        ;
    return length;
}

char *utf8_repair(const char *text)
{
    struct buf out = {0};
    while (*text) {
        size_t length = character(text);
        if (length == 0)
            buf_append_string(&out, "\xef\xbf\xbd");
        else
            buf_append(&out, text, length);
        text += length == 0 ? 1 : length;
    }
    return buf_steal_string(&out);
}
