/* runtime/image/tool/utf16.h – UTF-8 as the little-endian UTF-16 of Windows' file systems. Pure, and the same on every host. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_UTF16_H
#define SKEP_RUNTIME_IMAGE_TOOL_UTF16_H

#include "base/buf.h"

/* Append @text without a terminator. ERR_INVALID when it is no UTF-8. */
int utf16_append(struct buf *out, const char *text, struct error *err);

#endif
