/* base/crc32c_x86_64.c – CRC-32C by SSE 4.2's instruction, which every such processor since 2008 has; asked for all the same. */
#include "base/crc32c.h"

#include <string.h>

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t state = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        state = __builtin_ia32_crc32di(state, word);
    }
    uint32_t low = (uint32_t)state;
    for (; size > 0; size--, p++)
        low = __builtin_ia32_crc32qi(low, *p);
    return ~low;
}

crc32c_fn crc32c_hardware(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") ? by_instruction : NULL;
}
