/* base/file_replace_windows.c – see file.h. MoveFileEx() cannot replace a file that somebody has open; since Windows 10 the system can,
 * asked in another way, where everybody lets others delete the file, as libuv's callers do. */
#include <stddef.h>
#include <string.h>
#include <uv.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/system_windows.h"

enum { RENAME_INFO_EX = 22 };                   /* FileRenameInfoEx, which mingw-w64 10 does not have */
enum { BUSY_ATTEMPTS = 20, BUSY_PAUSE_MS = 5 }; /* what scans files holds them for a moment */

static DWORD rename_over_open_file(const wchar_t *from, const wchar_t *to)
{
    size_t name_size = wcslen(to) * sizeof *to, size = offsetof(FILE_RENAME_INFO, FileName) + name_size + sizeof *to;
    HANDLE file = CreateFileW(from, DELETE | SYNCHRONIZE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_WRITE_THROUGH, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return GetLastError();
    cleanup_free FILE_RENAME_INFO *info = mem_alloc(size);
    info->Flags = FILE_RENAME_FLAG_REPLACE_IF_EXISTS | FILE_RENAME_FLAG_POSIX_SEMANTICS;
    info->FileNameLength = (DWORD)name_size;
    memcpy(info->FileName, to, name_size);
    bool is_done = SetFileInformationByHandle(file, (FILE_INFO_BY_HANDLE_CLASS)RENAME_INFO_EX, info, (DWORD)size);
    DWORD code = is_done ? ERROR_SUCCESS : GetLastError();
    CloseHandle(file);
    return code;
}

static DWORD replace(const wchar_t *from, const wchar_t *to)
{
    if (MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
        return ERROR_SUCCESS;
    DWORD code = GetLastError();
    if (code != ERROR_ACCESS_DENIED && code != ERROR_SHARING_VIOLATION)
        return code;
    return rename_over_open_file(from, to) == ERROR_SUCCESS ? ERROR_SUCCESS : code; /* where that is not known, the first says why */
}

int file_replace(const char *from, const char *to)
{
    cleanup_free wchar_t *wide_from = wide_path(from), *wide_to = wide_path(to);
    DWORD code = replace(wide_from, wide_to);
    for (int i = 1; i < BUSY_ATTEMPTS && (code == ERROR_ACCESS_DENIED || code == ERROR_SHARING_VIOLATION); i++) {
        Sleep(BUSY_PAUSE_MS);
        code = replace(wide_from, wide_to);
    }
    return code == ERROR_SUCCESS ? 0 : uv_translate_sys_error((int)code);
}
