/* tests/windows/layers/vmcompute.c – emulated HCS, its calls for an image's layers alone: they check what they are given as Windows would,
 * and leave files that tell what they did. Wine finds it in the prefix' system32. */
#include <stdio.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "base/text.h"
#include "runtime/image/tool/backup_stream.h"

#define INVALID_LAYER ((HRESULT)0x80370112)

struct descriptor {
    GUID id;
    ULONG flags;
    const wchar_t *path;
};

__declspec(dllexport) HRESULT WINAPI NameToGuid(const wchar_t *name, GUID *guid);
__declspec(dllexport) HRESULT WINAPI ProcessBaseImage(const wchar_t *path);
__declspec(dllexport) HRESULT WINAPI ProcessUtilityImage(const wchar_t *path);
__declspec(dllexport) HRESULT WINAPI
    ImportLayer(const void *info, const wchar_t *id, const wchar_t *folder, const struct descriptor *layers, ULONG count);

static wchar_t *join(const wchar_t *dir, const wchar_t *name)
{
    wchar_t *path = mem_alloc((wcslen(dir) + wcslen(name) + 2) * sizeof *path);
    wcscpy(path, dir);
    wcscat(path, L"\\");
    wcscat(path, name);
    return path;
}

static HRESULT put(const wchar_t *dir, const wchar_t *name, struct bytes content)
{
    cleanup_free wchar_t *path = join(dir, name);
    DWORD wrote;
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return HRESULT_FROM_WIN32(GetLastError());
    BOOL done = WriteFile(file, content.data, (DWORD)content.size, &wrote, NULL);
    CloseHandle(file);
    return done ? S_OK : E_FAIL;
}

static bool is_there(const wchar_t *dir, const wchar_t *name)
{
    cleanup_free wchar_t *path = join(dir, name);
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

HRESULT WINAPI NameToGuid(const wchar_t *name, GUID *guid)
{
    memset(guid, 0, sizeof *guid);
    for (unsigned i = 0; *name; name++, i++)
        guid->Data4[i % 8] = (unsigned char)(guid->Data4[i % 8] * 31 + *name);
    return S_OK;
}

/* A base has files of the system, and is set up once. */
HRESULT WINAPI ProcessBaseImage(const wchar_t *path)
{
    return is_there(path, L"Files\\Windows\\System32") ? put(path, L"blank-base.vhdx", bytes_of("disk", 4)) : INVALID_LAYER;
}

HRESULT WINAPI ProcessUtilityImage(const wchar_t *path)
{
    return is_there(path, L"Files") ? put(path, L"SystemTemplateBase.vhdx", bytes_of("disk", 4)) : INVALID_LAYER;
}

struct content {
    struct buf data;
    bool is_data;
};

static int on_part(void *ctx, const struct backup_part *part, struct error *err)
{
    (void)err;
    ((struct content *)ctx)->is_data = part->id == BACKUP_PART_DATA;
    return 0;
}

static int on_content(void *ctx, struct bytes bytes, struct error *err)
{
    struct content *content = ctx;
    (void)err;
    if (content->is_data)
        buf_append(&content->data, bytes.data, bytes.size);
    return 0;
}

/* A transport file: its stream must be whole. */
static HRESULT read_transport(const wchar_t *path, struct buf *data)
{
    struct content content = {.is_data = false};
    struct backup_reader reader = {.on_part = on_part, .on_content = on_content, .ctx = &content};
    struct error err;
    uint8_t room[4096];
    DWORD got = 0, attributes;
    HANDLE file = CreateFileW(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    int failed = !ReadFile(file, &attributes, sizeof attributes, &got, NULL) || got != sizeof attributes;
    while (!failed && ReadFile(file, room, sizeof room, &got, NULL) && got > 0)
        failed = backup_reader_feed(&reader, bytes_of(room, got), &err);
    failed = failed || backup_reader_finish(&reader, &err) < 0;
    CloseHandle(file);
    backup_reader_deinit(&reader);
    *data = content.data;
    return failed ? INVALID_LAYER : S_OK;
}

static HRESULT import_directory(const wchar_t *from, const wchar_t *to, bool is_plain);

static HRESULT import_entry(const wchar_t *from_dir, const wchar_t *to_dir, const WIN32_FIND_DATAW *entry, bool is_plain)
{
    cleanup_free wchar_t *from = join(from_dir, entry->cFileName), *to = join(to_dir, entry->cFileName);
    cleanup_free char *name = utf8_from_wide(entry->cFileName);
    cleanup_buf struct buf data = {0};
    if (entry->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
        return CreateDirectoryW(to, NULL) ? import_directory(from, to, is_plain) : E_FAIL;
    if (is_plain)
        return CopyFileW(from, to, TRUE) ? S_OK : E_FAIL;
    HRESULT code = read_transport(from, &data);
    return FAILED(code) || text_ends(name, ".$wcidirs$") ? code : put(to_dir, entry->cFileName, buf_bytes(&data));
}

static HRESULT import_directory(const wchar_t *from, const wchar_t *to, bool is_plain)
{
    cleanup_free wchar_t *pattern = join(from, L"*");
    WIN32_FIND_DATAW entry;
    HANDLE listing = FindFirstFileW(pattern, &entry);
    HRESULT code = S_OK;
    if (listing == INVALID_HANDLE_VALUE)
        return INVALID_LAYER;
    do {
        bool is_hives = wcscmp(entry.cFileName, L"Hives") == 0;
        if (wcscmp(entry.cFileName, L".") != 0 && wcscmp(entry.cFileName, L"..") != 0)
            code = import_entry(from, to, &entry, is_plain || is_hives);
    } while (SUCCEEDED(code) && FindNextFileW(listing, &entry));
    FindClose(listing);
    return code;
}

HRESULT WINAPI ImportLayer(const void *info, const wchar_t *id, const wchar_t *folder, const struct descriptor *layers, ULONG count)
{
    cleanup_buf struct buf text = {0};
    (void)info;
    if (count == 0 || !is_there(layers[count - 1].path, L"blank-base.vhdx"))
        return INVALID_LAYER; /* the last one is a base that was set up */
    for (ULONG i = 0; i < count; i++) {
        const wchar_t *name = wcsrchr(layers[i].path, L'\\');
        GUID guid;
        NameToGuid(name + 1, &guid);
        cleanup_free char *shown = utf8_from_wide(name + 1);
        if (memcmp(&guid, &layers[i].id, sizeof guid) != 0 || layers[i].flags != 0)
            return INVALID_LAYER;
        buf_append_format(&text, "%s\n", shown);
    }
    HRESULT code = import_directory(folder, id, false);
    return FAILED(code) ? code : put(id, L"imported.txt", buf_bytes(&text));
}
