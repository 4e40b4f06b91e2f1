/* runtime/image/tool/tree_parts_windows.c – see tree_parts_windows.h. */
#include "runtime/image/tool/tree_parts_windows.h"

#include <sddl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/system_windows.h"
#include "runtime/image/tool/nt_file_windows.h"

#define SECONDS_BEFORE_1970  11644473600LL
#define FILETIMES_PER_SECOND 10000000LL

int fail(struct error *err, DWORD code, const struct layer_path *path, const char *what)
{
    const char *hint = code == ERROR_ACCESS_DENIED || code == ERROR_PRIVILEGE_NOT_HELD
                           ? " (unpacking needs an administrator's privileges, and a virus scanner can stand in its way)"
                           : "";
    return error_set_windows(err, code, "entry \"%s%s%s\": %s%s", path->parent, *path->parent ? "/" : "", path->name, what, hint);
}

HANDLE tree_place(const struct tree *tree)
{
    if (tree->parent)
        return tree->parent;
    return tree->is_base ? tree->root : tree->area == AREA_UTILITY_VM ? tree->utility_vm : tree->transport;
}

enum windows_name_kind tree_look(const struct tree *tree, const char *path)
{
    char part[LAYER_PATH_SIZE_BYTES];
    enum windows_name_kind kind = WINDOWS_NAME_DIRECTORY;
    uint32_t id = WINDOWS_NAMES_ROOT;
    while (*path && kind == WINDOWS_NAME_DIRECTORY) {
        size_t length = strcspn(path, "/\\");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        kind = windows_names_look(tree->names, id, part, &id);
        path += length + (path[length] != '\0');
    }
    return kind;
}

bool tree_is_behind(const struct tree *tree, const char *path)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] != '/' && path[end - 1] != '\\')
        end--;
    cleanup_free char *parent = mem_string_n(path, end > 0 ? end - 1 : 0);
    enum windows_name_kind kind = tree_look(tree, parent);
    return kind == WINDOWS_NAME_FILE || kind == WINDOWS_NAME_LINK;
}

int tree_take_privileges(struct error *err)
{
    static const wchar_t *const names[] = {L"SeBackupPrivilege", L"SeRestorePrivilege", L"SeSecurityPrivilege"};
    HANDLE token;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token))
        return error_set_windows(err, GetLastError(), "open the process' token");
    DWORD code = ERROR_SUCCESS;
    for (size_t i = 0; code == ERROR_SUCCESS && i < sizeof names / sizeof *names; i++) {
        TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1, .Privileges = {{.Attributes = SE_PRIVILEGE_ENABLED}}};
        if (!LookupPrivilegeValueW(NULL, names[i], &wanted.Privileges[0].Luid) ||
            !AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL))
            code = GetLastError();
        else
            code = GetLastError(); /* ERROR_NOT_ALL_ASSIGNED with success */
    }
    CloseHandle(token);
    if (code == ERROR_SUCCESS)
        return 0;
    return error_set(
        err, ERR_PERMISSION,
        "unpacking layers of Windows images takes the privileges to back up and restore files: run as administrator (error %lu)", code);
}

void tree_flush(const char *path)
{
    wchar_t volume[MAX_PATH], name[MAX_PATH];
    cleanup_free wchar_t *wide = wide_path(path);
    if (!GetVolumePathNameW(wide, volume, MAX_PATH) || !GetVolumeNameForVolumeMountPointW(volume, name, MAX_PATH))
        return;
    size_t length = wcslen(name);
    if (length > 0 && name[length - 1] == L'\\')
        name[length - 1] = L'\0';
    HANDLE handle = CreateFileW(name, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (handle == INVALID_HANDLE_VALUE)
        return;
    FlushFileBuffers(handle);
    CloseHandle(handle);
}

/* --- times and attributes ------------------------------------------------------------------------------------------------------------ */

static LONGLONG filetime(int64_t s, long ns)
{
    int64_t max_s = INT64_MAX / FILETIMES_PER_SECOND - SECONDS_BEFORE_1970 - 1;
    if (s <= -SECONDS_BEFORE_1970)
        return 1;
    return ((s < max_s ? s : max_s) + SECONDS_BEFORE_1970) * FILETIMES_PER_SECOND + ns / 100;
}

static LONGLONG known(struct windows_time time, LONGLONG otherwise)
{
    return time.is_known ? filetime(time.s, time.ns) : otherwise;
}

struct item_times item_times_of(const struct tree_meta *meta, DWORD type)
{
    const struct windows_meta *windows = meta->windows;
    LONGLONG written = filetime(meta->mtime_s, meta->mtime_ns);
    DWORD attributes = (windows->has_attributes ? windows->attributes & SETTABLE_ATTRIBUTES : 0) | type;
    return (struct item_times){.created = known(windows->created, written),
                               .accessed = known(windows->accessed, written),
                               .written = written,
                               .changed = known(windows->changed, written),
                               .attributes = attributes ? attributes : FILE_ATTRIBUTE_NORMAL};
}

static DWORD set_times(HANDLE file, const struct item_times *times)
{
    FILE_BASIC_INFO info = {.CreationTime.QuadPart = times->created,
                            .LastAccessTime.QuadPart = times->accessed,
                            .LastWriteTime.QuadPart = times->written,
                            .ChangeTime.QuadPart = times->changed,
                            .FileAttributes = times->attributes};
    return SetFileInformationByHandle(file, FileBasicInfo, &info, sizeof info) ? ERROR_SUCCESS : GetLastError();
}

int item_set_times(HANDLE file, const struct item_times *times, const struct layer_path *path, struct error *err)
{
    DWORD code = set_times(file, times);
    return code == ERROR_SUCCESS ? 0 : fail(err, code, path, "set its time");
}

/* --- the item ------------------------------------------------------------------------------------------------------------------------ */

static bool is_real(enum item_kind kind)
{
    return kind == ITEM_FILE || kind == ITEM_DIRECTORY || kind == ITEM_DIRECTORY_LINK;
}

static int open_item(struct item *item, struct tree *tree, const struct layer_path *path, struct error *err)
{
    static const enum nt_open how[] = {
        [ITEM_FILE] = NT_NEW_FILE,      [ITEM_DIRECTORY] = NT_DIRECTORY,        [ITEM_DIRECTORY_LINK] = NT_NEW_DIRECTORY,
        [ITEM_TRANSPORT] = NT_NEW_FILE, [ITEM_PLACEHOLDER] = NT_OVERWRITE_FILE, [ITEM_PLACEHOLDER_LINK] = NT_NEW_FILE,
        [ITEM_PLAIN] = NT_NEW_FILE};
    bool is_beside = item->kind == ITEM_PLACEHOLDER || item->kind == ITEM_PLACEHOLDER_LINK;
    cleanup_free char *name = mem_format("%s%s", path->name, is_beside ? PLACEHOLDER_SUFFIX : "");
    DWORD code = nt_open(tree_place(tree), name, how[item->kind], is_real(item->kind), &item->file);
    if (code != ERROR_SUCCESS)
        return fail(err, code, path, "make it");
    item->name = mem_format("%s%s%s", path->parent, *path->parent ? "/" : "", path->name);
    if (is_real(item->kind))
        backup_file_begin(&item->backup, item->file, tree_place(tree), path->name);
    return 0;
}

/* Whether all of a self-relative descriptor lies within its bytes is seen to by the system; here only that it is one. */
static int put_security(struct buf *out, const struct layer_path *path, const struct windows_meta *windows, struct error *err)
{
    struct bytes raw = windows->descriptor;
    if (raw.size > 0) {
        if (raw.size < SECURITY_DESCRIPTOR_MIN_LENGTH || raw.data[0] != SECURITY_DESCRIPTOR_REVISION ||
            !(raw.data[3] & SE_SELF_RELATIVE >> 8))
            return error_set(err, ERR_INVALID, "entry \"%s/%s\": what should be a security descriptor is none", path->parent, path->name);
        backup_put_security(out, raw);
        return 0;
    }
    if (!windows->sddl)
        return 0;
    cleanup_free wchar_t *text = wide_from_utf8(windows->sddl);
    PSECURITY_DESCRIPTOR made;
    ULONG size;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, &made, &size))
        return error_set(err, ERR_INVALID, "entry \"%s/%s\": what should be a security descriptor is none: %.100s", path->parent,
                         path->name, windows->sddl);
    backup_put_security(out, bytes_of(made, size));
    LocalFree(made);
    return 0;
}

static void put_attributes(struct buf *out, uint32_t attributes)
{
    uint8_t bytes[4] = {(uint8_t)attributes, (uint8_t)(attributes >> 8), (uint8_t)(attributes >> 16), (uint8_t)(attributes >> 24)};
    buf_append(out, bytes, sizeof bytes);
}

int item_begin(struct item *item, struct tree *tree, const struct layer_path *path, enum item_kind kind, const struct tree_meta *meta,
               struct error *err)
{
    const struct windows_meta *windows = meta->windows;
    cleanup_buf struct buf head = {0};
    *item = (struct item){.kind = kind};
    int failed = open_item(item, tree, path, err);
    if (failed < 0) {
        *item = (struct item){.kind = ITEM_NONE};
        return failed;
    }
    bool is_directory = kind == ITEM_DIRECTORY || kind == ITEM_DIRECTORY_LINK;
    bool describes_directory = kind == ITEM_PLACEHOLDER || kind == ITEM_PLACEHOLDER_LINK;
    item->times = item_times_of(meta, is_directory ? FILE_ATTRIBUTE_DIRECTORY : 0);
    if (kind == ITEM_PLAIN)
        return 0;
    if (!is_real(kind)) {
        item->times.attributes = FILE_ATTRIBUTE_NORMAL;
        put_attributes(&head,
                       (windows->has_attributes ? windows->attributes : 0) | (describes_directory ? WINDOWS_ATTRIBUTE_DIRECTORY : 0));
    }
    failed = put_security(&head, path, windows, err);
    if (failed < 0)
        return failed;
    backup_put_eas(&head, windows->eas, windows->ea_count);
    return item_write(item, buf_bytes(&head), err);
}

int item_write(struct item *item, struct bytes data, struct error *err)
{
    if (data.size == 0)
        return 0;
    if (is_real(item->kind))
        return backup_file_write(&item->backup, data, err) < 0 ? error_wrap(err, "entry \"%s\"", item->name) : 0;
    DWORD code = nt_write(item->file, data.data, data.size);
    return code == ERROR_SUCCESS ? 0 : error_set_windows(err, code, "entry \"%s\": write", item->name);
}

int item_put_link(struct item *item, const struct layer_path *path, const char *target, const struct tree_meta *meta, struct error *err)
{
    cleanup_buf struct buf part = {0};
    int failed = backup_put_link(&part, target, meta->windows->is_junction, err);
    return failed < 0 ? error_wrap(err, "entry \"%s/%s\"", path->parent, path->name) : item_write(item, buf_bytes(&part), err);
}

int item_put_content(struct item *item, const struct layer_path *path, int64_t size, struct error *err)
{
    cleanup_buf struct buf part = {0};
    (void)path;
    item->size = size;
    item->written = 0;
    if (item->kind == ITEM_PLAIN)
        return 0;
    backup_put_data(&part, (uint64_t)size);
    return item_write(item, buf_bytes(&part), err);
}

int item_put_stream(struct item *item, const struct layer_path *path, const char *stream, int64_t size, struct error *err)
{
    cleanup_buf struct buf part = {0};
    if (item->kind == ITEM_PLAIN)
        return error_set(err, ERR_INVALID, "entry \"%s/%s\": a hive with a stream", path->parent, path->name);
    int failed = backup_put_alternate(&part, stream, (uint64_t)size, err);
    if (failed < 0)
        return error_wrap(err, "entry \"%s/%s\"", path->parent, path->name);
    item->size = size;
    item->written = 0;
    return item_write(item, buf_bytes(&part), err);
}

int item_close(struct item *item, struct error *err)
{
    if (item->kind == ITEM_NONE)
        return 0;
    int failed = is_real(item->kind) ? backup_file_end(&item->backup, err) : 0;
    DWORD code = failed == 0 ? set_times(item->file, &item->times) : ERROR_SUCCESS;
    if (code != ERROR_SUCCESS)
        failed = error_set_windows(err, code, "entry \"%s\": set its time", item->name);
    CloseHandle(item->file);
    free(item->name);
    *item = (struct item){.kind = ITEM_NONE};
    return failed;
}
