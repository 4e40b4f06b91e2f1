/* base/buf.h – bytes: a borrowed slice, and an owned buffer that grows up to a limit. */
#ifndef SKEP_BASE_BUF_H
#define SKEP_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Borrowed, not terminated. An empty slice may have data NULL. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){data, size};
}

static inline struct bytes bytes_of_string(const char *text)
{
    return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_constant_time(struct bytes a, struct bytes b); /* for tokens and digests; the sizes are not secret */

/* Owned. A zeroed struct is an empty buffer without a limit. @data is always followed by a zero byte once anything was appended, so that it
 * can be read as a string where the content is text. */
struct buf {
    uint8_t *data;
    size_t size, capacity;
    size_t limit;   /* in bytes; 0: none. Appending beyond it fails with ERR_LIMIT where the function returns int, and aborts where it does
                       not */
    bool is_secret; /* keys, tokens: bytes are wiped before their memory is given back, or left behind */
};

void buf_deinit(struct buf *buf); /* also zeroes the struct, so that it can be used again */
void buf_clear(struct buf *buf);  /* keeps the memory */
void buf_append(struct buf *buf, const void *data, size_t size);
void buf_append_string(struct buf *buf, const char *text);
void buf_append_format(struct buf *buf, const char *format, ...) __attribute__((format(SKEP_PRINTF, 2, 3)));
int buf_append_checked(struct buf *buf, const void *data, size_t size, struct error *err); /* ERR_LIMIT, naming the limit */
uint8_t *buf_reserve(struct buf *buf, size_t size); /* room for @size more bytes; the caller then adds to buf->size what it wrote */
void buf_consume(struct buf *buf, size_t size);     /* drop bytes from the front */
char *buf_steal_string(struct buf *buf);            /* taken by the caller, freed with free(); "" when empty */
struct bytes buf_bytes(const struct buf *buf);

#endif
