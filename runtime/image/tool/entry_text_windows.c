/* runtime/image/tool/entry_text_windows.c – see entry_text.h. The code page of the C library has no part in it. */
#include "runtime/image/tool/entry_text.h"

#include <archive_entry.h>

#include "base/system_windows.h"

const char *entry_text(struct archive_entry *entry, enum entry_text_kind kind, struct buf *room)
{
    const wchar_t *wide = kind == ENTRY_PATH        ? archive_entry_pathname_w(entry)
                          : kind == ENTRY_HARD_LINK ? archive_entry_hardlink_w(entry)
                                                    : archive_entry_symlink_w(entry);
    cleanup_free char *text = utf8_from_wide(wide);
    if (!text)
        return NULL;
    buf_clear(room);
    buf_append(room, text, strlen(text) + 1);
    return (const char *)room->data;
}
