/* base/crc32c.c – see crc32c.h. Eight bytes at a time through eight tables ("slicing by 8"). */
#include "base/crc32c.h"

#include <stdatomic.h>
#include <uv.h>

static uint32_t tables[8][256];

static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
        tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xff];
}

static uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t crc32c_table(uint32_t crc, const void *data, size_t size)
{
    static uv_once_t once = UV_ONCE_INIT;
    const uint8_t *p = data;

    uv_once(&once, make_tables);
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint32_t low = crc ^ load_le32(p), high = load_le32(p + 4);
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
              tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^ tables[1][high >> 16 & 0xff] ^ tables[0][high >> 24];
    }
    for (; size > 0; size--, p++)
        crc = (crc >> 8) ^ tables[0][(crc ^ *p) & 0xff];
    return ~crc;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    static _Atomic(crc32c_fn) chosen;
    crc32c_fn fn = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (fn == NULL) {
        fn = crc32c_hardware();
        if (fn == NULL)
            fn = crc32c_table;
        atomic_store_explicit(&chosen, fn, memory_order_relaxed);
    }
    return fn(crc, data, size);
}
