/* runtime/image/tool/import_tree_windows.c – see import_tree_windows.h. */
#include "runtime/image/tool/import_tree_windows.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "base/mem.h"
#include "base/system_windows.h"
#include "base/text.h"
#include "runtime/image/tool/backup_file_windows.h"
#include "runtime/image/tool/nt_file_windows.h"
#include "runtime/image/tool/tree_parts_windows.h"
#include "runtime/image/windows_layer.h"

enum { DEPTH_COUNT = 64, READ_SIZE = 64 * 1024 };

static bool is_missing(DWORD code)
{
    return code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
}

static DWORD open_top(const char *path, HANDLE *out)
{
    cleanup_free wchar_t *wide = wide_path(path);
    *out = CreateFileW(wide, FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY | SYNCHRONIZE,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    return *out == INVALID_HANDLE_VALUE ? GetLastError() : ERROR_SUCCESS;
}

static bool is_link(HANDLE file)
{
    FILE_ATTRIBUTE_TAG_INFO info;
    return GetFileInformationByHandleEx(file, FileAttributeTagInfo, &info, sizeof info) &&
           info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT;
}

/* Opens the directory that @path ("Files\a\b") lies in, below @top; @leaf is its last part. ERROR_CANT_ACCESS_FILE where a link is on the
 * way. */
static DWORD walk(const char *top, const char *path, HANDLE *out, const char **leaf)
{
    HANDLE at;
    DWORD code = open_top(top, &at);
    for (const char *next; code == ERROR_SUCCESS && (next = strchr(path, '\\')) != NULL; path = next + 1) {
        cleanup_free char *part = mem_string_n(path, (size_t)(next - path));
        HANDLE below;
        code = nt_open(at, part, NT_WALK, false, &below);
        CloseHandle(at);
        at = below;
        if (code == ERROR_SUCCESS && is_link(at)) {
            CloseHandle(at);
            code = ERROR_CANT_ACCESS_FILE;
        }
    }
    *out = at;
    *leaf = path;
    return code;
}

static DWORD remove_leaf(HANDLE directory, const char *leaf)
{
    HANDLE file;
    DWORD code = nt_open(directory, leaf, NT_REMOVE, false, &file);
    if (code == ERROR_SUCCESS)
        CloseHandle(file);
    return is_missing(code) ? ERROR_SUCCESS : code;
}

/* --- tombstones and hard links ------------------------------------------------------------------------------------------------------- */

static int bury(void *ctx, const char *path, struct error *err)
{
    const struct import_tree *tree = ctx;
    HANDLE directory;
    const char *leaf;
    DWORD code = walk(tree->dest, path, &directory, &leaf);
    if (code == ERROR_SUCCESS) {
        code = remove_leaf(directory, leaf);
        CloseHandle(directory);
    }
    return code == ERROR_SUCCESS || is_missing(code) ? 0 : error_set_windows(err, code, "remove %s", path);
}

int import_tombstones(const struct import_tree *tree, struct error *err)
{
    return windows_layer_tombstones(tree->source, bury, (void *)(uintptr_t)tree, err);
}

/* In the layer itself, or the nearest below that has it. */
static DWORD open_target(const struct import_tree *tree, const char *path, HANDLE *file)
{
    DWORD code = ERROR_FILE_NOT_FOUND;
    for (size_t i = 0; is_missing(code) && i <= tree->parent_count; i++) {
        HANDLE directory;
        const char *leaf;
        code = walk(i == 0 ? tree->dest : tree->parents[i - 1], path, &directory, &leaf);
        if (code != ERROR_SUCCESS)
            continue;
        code = nt_open(directory, leaf, NT_FILE, false, file);
        CloseHandle(directory);
    }
    return code;
}

static int link_one(void *ctx, const char *path, const char *target, struct error *err)
{
    const struct import_tree *tree = ctx;
    HANDLE file, directory;
    const char *leaf;
    DWORD code = open_target(tree, target, &file);
    if (code != ERROR_SUCCESS)
        return error_set_windows(err, code, "open %s, to which %s is a hard link", target, path);
    code = walk(tree->dest, path, &directory, &leaf);
    if (code == ERROR_SUCCESS) {
        code = remove_leaf(directory, leaf);
        if (code == ERROR_SUCCESS)
            code = nt_link(file, directory, leaf);
        CloseHandle(directory);
    }
    CloseHandle(file);
    return code == ERROR_SUCCESS ? 0 : error_set_windows(err, code, "make the hard link %s", path);
}

int import_links(const struct import_tree *tree, struct error *err)
{
    return windows_layer_links(tree->source, link_one, (void *)(uintptr_t)tree, err);
}

/* --- the utility VM's files ---------------------------------------------------------------------------------------------------------- */

/* The entries of a directory of ours, one after the other. */
static int each_entry(const char *path, int (*on_entry)(void *ctx, const char *name, DWORD attributes, struct error *err), void *ctx,
                      struct error *err)
{
    WIN32_FIND_DATAW entry;
    cleanup_free char *pattern = mem_format("%s\\*", path);
    cleanup_free wchar_t *wide = wide_path(pattern);
    HANDLE listing = FindFirstFileW(wide, &entry);
    int failed = 0;
    if (listing == INVALID_HANDLE_VALUE)
        return error_set_windows(err, GetLastError(), "list %s", path);
    do {
        cleanup_free char *name = utf8_from_wide(entry.cFileName);
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            failed = on_entry(ctx, name, entry.dwFileAttributes, err);
    } while (failed == 0 && FindNextFileW(listing, &entry));
    FindClose(listing);
    return failed;
}

struct copy {
    const char *from, *to;
    unsigned depth;
};

/* Set-up changes these: as links they would change for the layers below too. */
static bool is_changed_by_set_up(const char *name)
{
    static const char *const names[] = {"BCD", "BCD.LOG", "BCD.LOG1", "BCD.LOG2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (_stricmp(name, names[i]) == 0)
            return true;
    return false;
}

static int clone_entry(void *ctx, const char *name, DWORD attributes, struct error *err)
{
    const struct copy *copy = ctx;
    cleanup_free char *from = mem_format("%s\\%s", copy->from, name), *to = mem_format("%s\\%s", copy->to, name);
    cleanup_free wchar_t *wide_from = wide_path(from), *wide_to = wide_path(to);
    bool is_directory = attributes & FILE_ATTRIBUTE_DIRECTORY, leads_elsewhere = attributes & FILE_ATTRIBUTE_REPARSE_POINT;
    BOOL done = is_directory                                    ? CreateDirectoryExW(wide_from, wide_to, NULL)
                : leads_elsewhere || is_changed_by_set_up(name) ? CopyFileExW(wide_from, wide_to, NULL, NULL, NULL, COPY_FILE_COPY_SYMLINK)
                                                                : CreateHardLinkW(wide_to, wide_from, NULL);
    if (!done)
        return error_set_windows(err, GetLastError(), "clone %s", from);
    if (!is_directory || leads_elsewhere)
        return 0;
    struct copy below = {from, to, copy->depth + 1};
    if (below.depth > DEPTH_COUNT)
        return error_set(err, ERR_LIMIT, "%s is nested deeper than %d directories", from, DEPTH_COUNT);
    return each_entry(from, clone_entry, &below, err);
}

/* The times are those of the transport file, the attributes the ones in it. */
static DWORD take_times(HANDLE source, HANDLE file, DWORD attributes)
{
    FILE_BASIC_INFO info;
    if (!GetFileInformationByHandleEx(source, FileBasicInfo, &info, sizeof info))
        return GetLastError();
    info.FileAttributes = attributes & (SETTABLE_ATTRIBUTES | FILE_ATTRIBUTE_DIRECTORY);
    if (info.FileAttributes == 0)
        info.FileAttributes = FILE_ATTRIBUTE_NORMAL;
    return SetFileInformationByHandle(file, FileBasicInfo, &info, sizeof info) ? ERROR_SUCCESS : GetLastError();
}

/* u32 of attributes and a backup stream, onto what is open. */
static int apply_stream(const char *from, HANDLE file, HANDLE directory, const char *name, struct error *err)
{
    cleanup_free wchar_t *wide = wide_path(from);
    cleanup_free uint8_t *room = mem_alloc(READ_SIZE);
    HANDLE source = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_FLAG_SEQUENTIAL_SCAN, NULL);
    struct backup_file backup;
    DWORD got = 0, attributes;
    if (source == INVALID_HANDLE_VALUE || !ReadFile(source, &attributes, sizeof attributes, &got, NULL) || got != sizeof attributes) {
        int failed = error_set_windows(err, GetLastError(), "read %s", from);
        if (source != INVALID_HANDLE_VALUE)
            CloseHandle(source);
        return failed;
    }
    backup_file_begin(&backup, file, directory, name);
    int failed = 0;
    while (failed == 0) {
        if (!ReadFile(source, room, READ_SIZE, &got, NULL))
            failed = error_set_windows(err, GetLastError(), "read %s", from);
        else if (got == 0)
            break;
        else
            failed = backup_file_write(&backup, bytes_of(room, got), err);
    }
    int ended = backup_file_end(&backup, failed == 0 ? err : NULL);
    failed = failed < 0 ? failed : ended;
    DWORD code = failed == 0 ? take_times(source, file, attributes) : ERROR_SUCCESS;
    CloseHandle(source);
    return code == ERROR_SUCCESS ? failed : error_set_windows(err, code, "set the time of %s", name);
}

struct overlay {
    const char *from;
    HANDLE directory; /* that it goes to */
};

static int overlay_entry(void *ctx, const char *name, DWORD attributes, struct error *err)
{
    const struct overlay *overlay = ctx;
    cleanup_free char *from = mem_format("%s\\%s", overlay->from, name);
    bool is_directory = attributes & FILE_ATTRIBUTE_DIRECTORY, describes = text_ends(name, PLACEHOLDER_SUFFIX);
    cleanup_free char *leaf = mem_string_n(name, strlen(name) - (describes ? strlen(PLACEHOLDER_SUFFIX) : 0));
    HANDLE file;
    DWORD code = is_directory || describes ? ERROR_SUCCESS : remove_leaf(overlay->directory, leaf);
    if (code == ERROR_SUCCESS)
        code = nt_open(overlay->directory, leaf, is_directory || describes ? NT_DIRECTORY : NT_NEW_FILE, !is_directory, &file);
    if (code != ERROR_SUCCESS)
        return error_set_windows(err, code, "make %s", name);
    struct overlay below = {from, file};
    int failed = is_directory ? each_entry(from, overlay_entry, &below, err) : apply_stream(from, file, overlay->directory, leaf, err);
    CloseHandle(file);
    return failed;
}

static int clone_nearest(const struct import_tree *tree, const char *to, struct error *err)
{
    for (size_t i = 0; i < tree->parent_count; i++) {
        cleanup_free char *from = mem_format("%s\\UtilityVM\\Files", tree->parents[i]);
        cleanup_free wchar_t *wide = wide_path(from);
        struct copy copy = {from, to, 0};
        if (GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES)
            return each_entry(from, clone_entry, &copy, err);
    }
    return 0;
}

int import_utility_vm(const struct import_tree *tree, struct error *err)
{
    cleanup_free char *vm = mem_format("%s\\UtilityVM", tree->dest), *files = mem_format("%s\\Files", vm);
    cleanup_free char *from = mem_format("%s\\" WINDOWS_LAYER_UTILITY_VM, tree->source);
    cleanup_free wchar_t *wide_vm = wide_path(vm), *wide_files = wide_path(files);
    if ((!CreateDirectoryW(wide_vm, NULL) || !CreateDirectoryW(wide_files, NULL)) && GetLastError() != ERROR_ALREADY_EXISTS)
        return error_set_windows(err, GetLastError(), "make %s", files);
    int failed = clone_nearest(tree, files, err);
    struct overlay overlay = {.from = from};
    if (failed < 0)
        return failed;
    DWORD code = open_top(vm, &overlay.directory);
    if (code != ERROR_SUCCESS)
        return error_set_windows(err, code, "open %s", vm);
    failed = each_entry(from, overlay_entry, &overlay, err);
    CloseHandle(overlay.directory);
    return failed;
}
