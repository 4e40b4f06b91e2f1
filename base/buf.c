/* base/buf.c – see buf.h. */
#include "base/buf.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool bytes_equal_constant_time(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}

static struct buf empty_like(const struct buf *buf)
{
    return (struct buf){.limit = buf->limit, .is_secret = buf->is_secret};
}

void buf_deinit(struct buf *buf)
{
    if (buf->is_secret)
        mem_wipe(buf->data, buf->capacity);
    free(buf->data);
    *buf = empty_like(buf);
}

void buf_clear(struct buf *buf)
{
    if (buf->is_secret)
        mem_wipe(buf->data, buf->size);
    buf->size = 0;
    if (buf->data)
        buf->data[0] = 0;
}

/* realloc() would leave a copy behind where it moves. */
static void move_secret(struct buf *buf, size_t capacity)
{
    uint8_t *data = mem_alloc(capacity);
    if (buf->data)
        memcpy(data, buf->data, buf->size);
    mem_wipe(buf->data, buf->capacity);
    free(buf->data);
    buf->data = data;
}

uint8_t *buf_reserve(struct buf *buf, size_t size)
{
    size_t wanted = buf->size + size + 1;
    assert(wanted > size);
    if (wanted > buf->capacity) {
        size_t capacity = buf->capacity ? buf->capacity : 64;
        while (capacity < wanted)
            capacity *= 2;
        if (buf->is_secret)
            move_secret(buf, capacity);
        else
            buf->data = mem_resize(buf->data, capacity);
        buf->capacity = capacity;
    }
    return buf->data + buf->size;
}

int buf_append_checked(struct buf *buf, const void *data, size_t size, struct error *err)
{
    if (buf->limit != 0 && (size > buf->limit || buf->size > buf->limit - size))
        return error_set(err, ERR_LIMIT, "more than %zu bytes", buf->limit);
    if (size != 0)
        memcpy(buf_reserve(buf, size), data, size);
    else
        buf_reserve(buf, 0);
    buf->size += size;
    buf->data[buf->size] = 0;
    return 0;
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
    struct error err;
    if (buf_append_checked(buf, data, size, &err) < 0) {
        fprintf(stderr, "skep: bug: unchecked append: %s\n", err.message);
        abort();
    }
}

void buf_append_string(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_append_format(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0) {
        vsnprintf((char *)buf_reserve(buf, (size_t)length), (size_t)length + 1, format, again);
        buf->size += (size_t)length;
    }
    va_end(again);
}

void buf_consume(struct buf *buf, size_t size)
{
    assert(size <= buf->size);
    if (size == 0)
        return;
    memmove(buf->data, buf->data + size, buf->size - size);
    buf->size -= size;
    if (buf->is_secret)
        mem_wipe(buf->data + buf->size, size);
    buf->data[buf->size] = 0;
}

char *buf_steal_string(struct buf *buf)
{
    char *text = buf->data ? (char *)buf->data : mem_string("");
    *buf = empty_like(buf);
    return text;
}

struct bytes buf_bytes(const struct buf *buf)
{
    return bytes_of(buf->data, buf->size);
}
