/* runtime/image/tool/streams_linux.c – see streams.h. */
#include "runtime/image/tool/streams.h"

void streams_carry_bytes(void)
{
}
