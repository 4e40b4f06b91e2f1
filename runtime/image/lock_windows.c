/* runtime/image/lock_windows.c – see lock.h. LockFileEx(): bound to the handle, so that threads of one process exclude each other too. */
#include "runtime/image/lock.h"

#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/system_windows.h"

enum { LEAVING_ATTEMPTS = 200, LEAVING_PAUSE_MS = 5 };

static HANDLE handle_of(const struct image_lock *lock)
{
    return (HANDLE)_get_osfhandle(lock->fd);
}

/* A removed file whose last handle is not closed yet keeps its name, and nobody can open it: for a moment only. */
static DWORD open_file(const wchar_t *path, int *fd)
{
    HANDLE file = INVALID_HANDLE_VALUE;
    for (int i = 0; file == INVALID_HANDLE_VALUE; i++) {
        file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS,
                           FILE_ATTRIBUTE_NORMAL, NULL);
        DWORD code = GetLastError();
        if (file == INVALID_HANDLE_VALUE && (code != ERROR_ACCESS_DENIED || i == LEAVING_ATTEMPTS))
            return code;
        if (file == INVALID_HANDLE_VALUE)
            Sleep(LEAVING_PAUSE_MS);
    }
    *fd = _open_osfhandle((intptr_t)file, _O_BINARY | _O_NOINHERIT);
    if (*fd >= 0)
        return ERROR_SUCCESS;
    CloseHandle(file);
    return ERROR_TOO_MANY_OPEN_FILES;
}

/* One kind is not made another in one go: what is held is given back first, as flock(2) may do too. */
static DWORD lock_file(const struct image_lock *lock, enum image_lock_kind kind, bool wait)
{
    OVERLAPPED where = {0};
    DWORD how = (kind == IMAGE_LOCK_SHARED ? 0 : LOCKFILE_EXCLUSIVE_LOCK) | (wait ? 0 : LOCKFILE_FAIL_IMMEDIATELY);
    if (lock->is_held)
        UnlockFileEx(handle_of(lock), 0, 1, 0, &where);
    return LockFileEx(handle_of(lock), how, 0, 1, 0, &where) ? ERROR_SUCCESS : GetLastError();
}

static bool is_removed(const struct image_lock *lock)
{
    FILE_STANDARD_INFO info;
    return GetFileInformationByHandleEx(handle_of(lock), FileStandardInfo, &info, sizeof info) &&
           (info.DeletePending || info.NumberOfLinks == 0);
}

int image_lock_take(struct image_lock *lock, const char *dir, const char *name, enum image_lock_kind kind, bool wait, struct error *err)
{
    cleanup_free char *path = mem_format("%s/locks/%s", dir, name);
    cleanup_free wchar_t *wide = wide_path(path);
    DWORD failed = ERROR_SUCCESS;
    do {
        if (!lock->is_held)
            failed = open_file(wide, &lock->fd);
        if (failed != ERROR_SUCCESS)
            return error_set_windows(err, failed, "open lock %s", path);
        failed = lock_file(lock, kind, wait);
        lock->is_held = failed == ERROR_SUCCESS && !is_removed(lock);
        if (!lock->is_held)
            _close(lock->fd);
    } while (failed == ERROR_SUCCESS && !lock->is_held);
    if (failed == ERROR_LOCK_VIOLATION || failed == ERROR_IO_PENDING)
        return error_set(err, ERR_AGAIN, "lock %s is held by another process", path);
    return failed != ERROR_SUCCESS ? error_set_windows(err, failed, "lock %s", path) : 0;
}

void image_lock_drop(struct image_lock *lock)
{
    if (lock->is_held)
        _close(lock->fd);
    lock->is_held = false;
}
