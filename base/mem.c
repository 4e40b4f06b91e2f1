/* base/mem.c – see mem.h. */
#include "base/mem.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *data, size_t size)
{
    if (data == NULL && size != 0) {
        fprintf(stderr, "skep: out of memory: %zu bytes\n", size);
        abort();
    }
    return data;
}

void *mem_alloc(size_t size)
{
    return checked(calloc(1, size), size);
}

void *mem_array(size_t count, size_t size)
{
    return checked(calloc(count, size), count != 0 ? size : 0);
}

void *mem_resize(void *old, size_t size)
{
    return checked(realloc(old, size), size);
}

void *mem_copy(const void *data, size_t size)
{
    if (size == 0)
        return NULL;
    return memcpy(checked(malloc(size), size), data, size);
}

char *mem_string_n(const char *text, size_t length)
{
    char *copy = checked(malloc(length + 1), length + 1);
    if (length != 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *mem_string(const char *text)
{
    return text ? mem_string_n(text, strlen(text)) : NULL;
}

char *mem_format(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = checked(malloc(size), size);
    text[0] = '\0';
    vsnprintf(text, size, format, again);
    va_end(again);
    return text;
}

void mem_wipe(void *data, size_t size)
{
    if (data != NULL)
        OPENSSL_cleanse(data, size);
}
