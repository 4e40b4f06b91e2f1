/* runtime/image/tool/streams_windows.c – see streams.h. */
#include "runtime/image/tool/streams.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>

void streams_carry_bytes(void)
{
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
}
