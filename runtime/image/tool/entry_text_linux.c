/* runtime/image/tool/entry_text_linux.c – see entry_text.h. */
#include "runtime/image/tool/entry_text.h"

#include <archive_entry.h>

const char *entry_text(struct archive_entry *entry, enum entry_text_kind kind, struct buf *room)
{
    (void)room;
    return kind == ENTRY_PATH        ? archive_entry_pathname(entry)
           : kind == ENTRY_HARD_LINK ? archive_entry_hardlink(entry)
                                     : archive_entry_symlink(entry);
}
