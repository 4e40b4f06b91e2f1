/* tests/unit/runtime/image/tool/tar.h – tar archives built block by block, to be as odd as needed. */
#ifndef SKEP_TESTS_UNIT_RUNTIME_IMAGE_TOOL_TAR_H
#define SKEP_TESTS_UNIT_RUNTIME_IMAGE_TOOL_TAR_H

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static inline void put_padding(struct buf *tar)
{
    static const char zeros[512];
    buf_append(tar, zeros, (512 - tar->size % 512) % 512);
}

/* A header without its content. */
static inline void put_header(struct buf *tar, const char *name, char type, uint64_t size, const char *link)
{
    uint8_t block[512] = {0};
    unsigned sum = 0;
    snprintf((char *)block, 100, "%s", name);
    snprintf((char *)block + 100, 8, "%07o", 0644);
    snprintf((char *)block + 124, 12, "%011llo", (unsigned long long)(size & 077777777777));
    snprintf((char *)block + 136, 12, "%011o", 1700000000);
    memset(block + 148, ' ', 8);
    block[156] = (uint8_t)type;
    if (link)
        snprintf((char *)block + 157, 100, "%s", link);
    memcpy(block + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof block; i++)
        sum += block[i];
    snprintf((char *)block + 148, 8, "%06o", sum);
    buf_append(tar, block, sizeof block);
}

static inline void put_entry(struct buf *tar, const char *name, char type, const char *content, const char *link)
{
    put_header(tar, name, type, content ? strlen(content) : 0, link);
    buf_append_string(tar, content ? content : "");
    put_padding(tar);
}

static inline void put_file(struct buf *tar, const char *name, struct bytes content)
{
    put_header(tar, name, '0', content.size, NULL);
    buf_append(tar, content.data, content.size);
    put_padding(tar);
}

/* One line of a pax header; its length counts itself. */
static inline void put_record(struct buf *text, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;
    while (true) {
        char digits[24];
        size_t whole = rest + (size_t)snprintf(digits, sizeof digits, "%zu", length);
        if (whole == length)
            break;
        length = whole;
    }
    buf_append_format(text, "%zu %s=%s\n", length, key, value);
}

static inline void put_pax(struct buf *tar, char type, const struct buf *text)
{
    put_header(tar, "PaxHeaders/x", type, text->size, NULL);
    buf_append(tar, text->data, text->size);
    put_padding(tar);
}

static inline void put_end(struct buf *tar)
{
    static const char zeros[1024];
    buf_append(tar, zeros, sizeof zeros);
}

#endif
