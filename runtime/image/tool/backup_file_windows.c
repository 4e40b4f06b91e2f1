/* runtime/image/tool/backup_file_windows.c – see backup_file_windows.h. */
#include "runtime/image/tool/backup_file_windows.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/system_windows.h"
#include "runtime/image/tool/nt_file_windows.h"

/* --- by hand ------------------------------------------------------------------------------------------------------------------------- */

static int open_stream(struct backup_file *backup, struct bytes wide_name, struct error *err)
{
    cleanup_free wchar_t *wide = mem_alloc(wide_name.size + sizeof *wide);
    memcpy(wide, wide_name.data, wide_name.size);
    cleanup_free char *stream = utf8_from_wide(wide);
    char *type = strrchr(stream, ':');
    if (type && type > stream)
        *type = '\0';
    cleanup_free char *name = mem_format("%s%s", backup->name, stream);
    DWORD code = nt_open(backup->directory, name, NT_OVERWRITE_FILE, false, &backup->stream);
    if (code == ERROR_SUCCESS)
        return 0;
    backup->stream = NULL;
    return error_set_windows(err, code, "make the stream %s", name);
}

static int on_part(void *ctx, const struct backup_part *part, struct error *err)
{
    struct backup_file *backup = ctx;
    buf_clear(&backup->part);
    if (backup->stream)
        CloseHandle(backup->stream);
    backup->stream = NULL;
    return part->id == BACKUP_PART_ALTERNATE ? open_stream(backup, part->name, err) : 0;
}

/* What a system lacks that has no BackupWrite() either. */
static bool is_lacking(DWORD code)
{
    return code == ERROR_NOT_SUPPORTED || code == ERROR_INVALID_FUNCTION || code == ERROR_CALL_NOT_IMPLEMENTED ||
           code == ERROR_ACCESS_DENIED || code == ERROR_EAS_NOT_SUPPORTED;
}

static int apply_part(struct backup_file *backup, struct error *err)
{
    uint32_t id = backup->reader.part.id;
    const struct buf *part = &backup->part;
    if (id == BACKUP_PART_SECURITY) {
        DWORD code = nt_set_security(backup->file, part->data);
        return code == ERROR_SUCCESS ? 0 : error_set_windows(err, code, "set its security descriptor");
    }
    DWORD code =
        id == BACKUP_PART_EA ? nt_set_eas(backup->file, part->data, part->size) : nt_set_reparse(backup->file, part->data, part->size);
    return code == ERROR_SUCCESS || is_lacking(code) ? 0 : error_set_windows(err, code, "set its attributes or where it leads");
}

static int on_content(void *ctx, struct bytes content, struct error *err)
{
    struct backup_file *backup = ctx;
    uint32_t id = backup->reader.part.id;
    if (id == BACKUP_PART_DATA || id == BACKUP_PART_ALTERNATE) {
        DWORD code = nt_write(backup->stream ? backup->stream : backup->file, content.data, content.size);
        return code == ERROR_SUCCESS ? 0 : error_set_windows(err, code, "write it");
    }
    buf_append(&backup->part, content.data, content.size);
    return backup->reader.left == 0 ? apply_part(backup, err) : 0;
}

/* --- either way ---------------------------------------------------------------------------------------------------------------------- */

void backup_file_begin(struct backup_file *backup, HANDLE file, HANDLE directory, const char *name)
{
    *backup = (struct backup_file){.file = file, .directory = directory};
    snprintf(backup->name, sizeof backup->name, "%s", name);
    backup->reader = (struct backup_reader){.on_part = on_part, .on_content = on_content, .ctx = backup};
}

int backup_file_write(struct backup_file *backup, struct bytes data, struct error *err)
{
    while (data.size > 0 && !backup->is_by_hand) {
        DWORD part = data.size > 1 << 20 ? 1 << 20 : (DWORD)data.size, wrote = 0;
        bool is_first = backup->context == NULL;
        if (!BackupWrite(backup->file, (BYTE *)(uintptr_t)data.data, part, &wrote, FALSE, TRUE, &backup->context)) {
            DWORD code = GetLastError();
            if (!is_first || !system_is_wine())
                return error_set_windows(err, code, "write it with its attributes");
            backup->is_by_hand = true;
        }
        data = bytes_of(data.data + wrote, data.size - wrote);
    }
    return data.size > 0 ? backup_reader_feed(&backup->reader, data, err) : 0;
}

int backup_file_end(struct backup_file *backup, struct error *err)
{
    DWORD wrote;
    int failed = backup->is_by_hand ? backup_reader_finish(&backup->reader, err) : 0;
    if (backup->context)
        BackupWrite(backup->file, NULL, 0, &wrote, TRUE, TRUE, &backup->context); /* gives its context back */
    if (backup->stream)
        CloseHandle(backup->stream);
    backup_reader_deinit(&backup->reader);
    buf_deinit(&backup->part);
    *backup = (struct backup_file){0};
    return failed;
}
