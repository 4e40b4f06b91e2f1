/* runtime/image/tool/entry_text.h – the texts of an archive's entry as libarchive gives them on this system: bytes on Linux, UTF-16 on
 * Windows. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_ENTRY_TEXT_H
#define SKEP_RUNTIME_IMAGE_TOOL_ENTRY_TEXT_H

#include "base/buf.h"

struct archive_entry;

enum entry_text_kind { ENTRY_PATH, ENTRY_HARD_LINK, ENTRY_SYMBOLIC_LINK };

/* NULL: it has none, or none that can be read. Valid while the entry is, and until @room is used again. */
const char *entry_text(struct archive_entry *entry, enum entry_text_kind kind, struct buf *room);

#endif
