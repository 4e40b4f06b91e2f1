/* base/crc32c_other.c – a processor whose instruction we do not use. */
#include "base/crc32c.h"

crc32c_fn crc32c_hardware(void)
{
    return NULL;
}
