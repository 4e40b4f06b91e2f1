/* base/file_tree_windows.c – removes a tree of any depth with paths of a bounded length.
 *
 * Depth first. What lies DEPTH_MAX levels down is not entered but moved up, to beside the tree's first level, where it is found again: so a
 * tree of any depth is taken down in slices, and no path gets near the 32,767 characters that Windows takes. A link or junction is removed,
 * never followed. Layers of images are not for us: the files in them deny everybody but TrustedInstaller, and HcsDestroyLayer() is there
 * for them. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/system_windows.h"

enum { DEPTH_MAX = 32, MOVE_ATTEMPTS = 1000, BUSY_ATTEMPTS = 50, BUSY_PAUSE_MS = 10 };

struct removal {
    const char *path; /* for messages */
    const wchar_t *top;
    unsigned moved; /* so many were moved up */
    struct error *err;
};

static wchar_t *join(const wchar_t *dir, const wchar_t *name)
{
    size_t dir_length = wcslen(dir), name_length = wcslen(name);
    wchar_t *path = mem_array(dir_length + name_length + 2, sizeof *path);
    wmemcpy(path, dir, dir_length);
    path[dir_length] = L'\\';
    wmemcpy(path + dir_length + 1, name, name_length);
    return path;
}

static int failed(const struct removal *r, const wchar_t *path, DWORD code)
{
    cleanup_free char *where = utf8_from_wide(path);
    return error_set_windows(r->err, code, "remove %s: %s", r->path, where);
}

static bool is_gone(DWORD code)
{
    return code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
}

/* Whether another volume is mounted at this directory: a reparse point, as a junction is. */
static bool is_mounted(const wchar_t *path, DWORD attributes)
{
    wchar_t volume[64];
    if (!(attributes & FILE_ATTRIBUTE_REPARSE_POINT) || !(attributes & FILE_ATTRIBUTE_DIRECTORY))
        return false;
    cleanup_free wchar_t *with_slash = join(path, L"");
    return GetVolumeNameForVolumeMountPointW(with_slash, volume, sizeof volume / sizeof *volume) != 0;
}

/* Something else, say a virus scanner, may have it open for a moment, or what was below it goes only when its last handle is closed. */
static DWORD take_away(const wchar_t *path, bool is_dir)
{
    DWORD code = ERROR_SUCCESS;
    for (int i = 0; i < BUSY_ATTEMPTS; i++) {
        if (is_dir ? RemoveDirectoryW(path) : DeleteFileW(path))
            return ERROR_SUCCESS;
        code = GetLastError();
        if (is_gone(code))
            return ERROR_SUCCESS;
        if (code != ERROR_SHARING_VIOLATION && code != ERROR_ACCESS_DENIED && code != ERROR_DIR_NOT_EMPTY)
            break;
        Sleep(BUSY_PAUSE_MS);
    }
    return code;
}

/* A name that is taken at the top is passed over. */
static int move_up(struct removal *r, const wchar_t *path)
{
    DWORD code = ERROR_ALREADY_EXISTS;
    for (int i = 0; i < MOVE_ATTEMPTS && code == ERROR_ALREADY_EXISTS; i++) {
        wchar_t name[32];
        swprintf(name, sizeof name / sizeof *name, L".removed-%u", r->moved++);
        cleanup_free wchar_t *goal = join(r->top, name);
        if (MoveFileExW(path, goal, 0))
            return 0;
        code = GetLastError();
    }
    return failed(r, path, code);
}

static int empty(struct removal *r, const wchar_t *dir, unsigned depth);

static int remove_entry(struct removal *r, const wchar_t *path, DWORD attributes, unsigned depth)
{
    bool is_dir = attributes & FILE_ATTRIBUTE_DIRECTORY, is_link = attributes & FILE_ATTRIBUTE_REPARSE_POINT;
    if (is_mounted(path, attributes)) {
        cleanup_free char *where = utf8_from_wide(path);
        return error_set(r->err, ERR_PRECONDITION, "remove %s: something is mounted at %s", r->path, where);
    }
    if (attributes & FILE_ATTRIBUTE_READONLY)
        SetFileAttributesW(path, attributes & (DWORD)~FILE_ATTRIBUTE_READONLY);
    if (is_dir && !is_link) {
        if (RemoveDirectoryW(path))
            return 0;
        if (depth == DEPTH_MAX)
            return move_up(r, path);
        int result = empty(r, path, depth);
        if (result != 0)
            return result;
    }
    DWORD code = take_away(path, is_dir);
    return code == ERROR_SUCCESS ? 0 : failed(r, path, code);
}

static bool is_self_or_parent(const wchar_t *name)
{
    return wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0;
}

static int empty_once(struct removal *r, const wchar_t *dir, unsigned depth)
{
    WIN32_FIND_DATAW entry;
    cleanup_free wchar_t *pattern = join(dir, L"*");
    HANDLE listing = FindFirstFileW(pattern, &entry);
    if (listing == INVALID_HANDLE_VALUE)
        return is_gone(GetLastError()) ? 0 : failed(r, dir, GetLastError());
    int result = 0;
    do {
        if (is_self_or_parent(entry.cFileName))
            continue;
        cleanup_free wchar_t *path = join(dir, entry.cFileName);
        result = remove_entry(r, path, entry.dwFileAttributes, depth + 1);
    } while (result == 0 && FindNextFileW(listing, &entry));
    DWORD code = GetLastError();
    FindClose(listing);
    return result == 0 && code != ERROR_NO_MORE_FILES ? failed(r, dir, code) : result;
}

/* The top is read again as long as something was moved there, which a reading that is under way may pass over. */
static int empty(struct removal *r, const wchar_t *dir, unsigned depth)
{
    unsigned moved_before;
    int result;
    do {
        moved_before = r->moved;
        result = empty_once(r, dir, depth);
    } while (result == 0 && depth == 0 && r->moved != moved_before);
    return result;
}

int file_remove_tree(const char *path, struct error *err)
{
    cleanup_free wchar_t *top = wide_path(path);
    struct removal r = {.path = path, .top = top, .err = err};
    DWORD attributes = GetFileAttributesW(top);
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return is_gone(GetLastError()) ? 0 : error_set_windows(err, GetLastError(), "remove %s", path);
    return remove_entry(&r, top, attributes, 0) < 0 ? (err ? err->code : ERR_IO) : 0;
}
