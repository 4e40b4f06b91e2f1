/* tests/emulated_hcs/layers.c – vmcompute.dll's layers: directories, with a file that says how far each is mounted. hcs.md §1.4, §5. */
#include <stdio.h>
#include <string.h>

#include "tests/emulated_hcs/client.h"

struct driver_info {
    int flavour;
    PCWSTR home;
};
struct descriptor {
    GUID id;
    ULONG flags;
    PCWSTR path;
};
typedef const struct driver_info *INFO;

HRESULT WINAPI CreateSandboxLayer(INFO info, PCWSTR id, PCWSTR parent, const struct descriptor *layers, ULONG count);
HRESULT WINAPI ExpandSandboxSize(INFO info, PCWSTR id, UINT64 bytes);
HRESULT WINAPI ActivateLayer(INFO info, PCWSTR id);
HRESULT WINAPI DeactivateLayer(INFO info, PCWSTR id);
HRESULT WINAPI PrepareLayer(INFO info, PCWSTR id, const struct descriptor *layers, ULONG count);
HRESULT WINAPI UnprepareLayer(INFO info, PCWSTR id);
HRESULT WINAPI GetLayerMountPath(INFO info, PCWSTR id, SIZE_T *chars, PWSTR out);
HRESULT WINAPI ImportLayer(INFO info, PCWSTR id, PCWSTR folder, const struct descriptor *layers, ULONG count);
HRESULT WINAPI DestroyLayer(INFO info, PCWSTR id);
HRESULT WINAPI LayerExists(INFO info, PCWSTR id, UINT32 *exists);
HRESULT WINAPI NameToGuid(PCWSTR name, GUID *out);
HRESULT WINAPI ProcessBaseImage(PCWSTR path);
HRESULT WINAPI ProcessUtilityImage(PCWSTR path);
HRESULT WINAPI GrantVmAccess(PCWSTR vm_id, PCWSTR path);

enum { NOT_READY = 0x80070015, SHARING = 0x80070020, NO_PATH = 0x80070003 };

static void join(WCHAR out[MAX_PATH], INFO info, PCWSTR id, PCWSTR file)
{
    bool has_home = info && info->home && info->home[0];

    _snwprintf(out, MAX_PATH, L"%ls%ls%ls%ls%ls", has_home ? info->home : L"", has_home ? L"\\" : L"", id, file ? L"\\" : L"",
               file ? file : L"");
}

static bool is_there(INFO info, PCWSTR id, PCWSTR file)
{
    WCHAR path[MAX_PATH];

    join(path, info, id, file);
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

static bool touch(INFO info, PCWSTR id, PCWSTR file)
{
    WCHAR path[MAX_PATH];
    HANDLE handle;

    join(path, info, id, file);
    handle = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    if (handle == INVALID_HANDLE_VALUE)
        return false;
    CloseHandle(handle);
    return true;
}

static void drop(INFO info, PCWSTR id, PCWSTR file)
{
    WCHAR path[MAX_PATH];

    join(path, info, id, file);
    DeleteFileW(path);
}

/* The script may have the call fail before anything is done. */
static HRESULT faulted(const char *call, PCWSTR id)
{
    cJSON *request = emulated_request(call);

    emulated_add_wide(request, "id", id);
    HRESULT code = emulated_ask_text(request, NULL, NULL, NULL);
    return code == (HRESULT)0x8037010E ? S_OK : code; /* not a call that the emulator carries out: no rule was in its way */
}

HRESULT WINAPI CreateSandboxLayer(INFO info, PCWSTR id, PCWSTR parent, const struct descriptor *layers, ULONG count)
{
    HRESULT code = faulted("create-sandbox-layer", id);
    WCHAR path[MAX_PATH];

    (void)parent;
    if (FAILED(code))
        return code;
    for (ULONG i = 0; i < count; i++)
        if (GetFileAttributesW(layers[i].path) == INVALID_FILE_ATTRIBUTES)
            return (HRESULT)NO_PATH;
    join(path, info, id, NULL);
    if (count == 0 || (!CreateDirectoryW(path, NULL) && GetLastError() != ERROR_ALREADY_EXISTS))
        return (HRESULT)(count == 0 ? 0x80070057 : NO_PATH);
    return touch(info, id, L"sandbox.vhdx") ? S_OK : (HRESULT)NO_PATH;
}

HRESULT WINAPI ExpandSandboxSize(INFO info, PCWSTR id, UINT64 bytes)
{
    (void)bytes;
    return is_there(info, id, L"sandbox.vhdx") ? S_OK : (HRESULT)NO_PATH;
}

HRESULT WINAPI ActivateLayer(INFO info, PCWSTR id)
{
    HRESULT code = faulted("activate-layer", id);

    if (FAILED(code))
        return code;
    if (!is_there(info, id, L"sandbox.vhdx"))
        return (HRESULT)NO_PATH;
    return touch(info, id, L".active") ? S_OK : (HRESULT)SHARING;
}

HRESULT WINAPI DeactivateLayer(INFO info, PCWSTR id)
{
    if (is_there(info, id, L".prepared"))
        return (HRESULT)SHARING;
    drop(info, id, L".active");
    return S_OK;
}

HRESULT WINAPI PrepareLayer(INFO info, PCWSTR id, const struct descriptor *layers, ULONG count)
{
    HRESULT code = faulted("prepare-layer", id);

    (void)layers;
    if (FAILED(code))
        return code;
    if (count == 0 || !is_there(info, id, L".active"))
        return (HRESULT)NOT_READY;
    return touch(info, id, L".prepared") ? S_OK : (HRESULT)SHARING;
}

HRESULT WINAPI UnprepareLayer(INFO info, PCWSTR id)
{
    drop(info, id, L".prepared");
    return S_OK;
}

/* A directory stands for the volume: Wine has no names of volumes that could lead there. */
HRESULT WINAPI GetLayerMountPath(INFO info, PCWSTR id, SIZE_T *chars, PWSTR out)
{
    WCHAR dir[MAX_PATH], path[MAX_PATH];

    if (!is_there(info, id, L".prepared"))
        return (HRESULT)NOT_READY;
    join(dir, info, id, L"volume");
    CreateDirectoryW(dir, NULL);
    _snwprintf(path, MAX_PATH, L"\\\\?\\%ls", dir);
    if (out && *chars > wcslen(path))
        wcscpy(out, path);
    *chars = wcslen(path) + 1;
    return S_OK;
}

HRESULT WINAPI ImportLayer(INFO info, PCWSTR id, PCWSTR folder, const struct descriptor *layers, ULONG count)
{
    WCHAR path[MAX_PATH];

    (void)layers;
    (void)count;
    join(path, info, id, NULL);
    CreateDirectoryW(path, NULL);
    return GetFileAttributesW(folder) == INVALID_FILE_ATTRIBUTES ? (HRESULT)NO_PATH : S_OK;
}

static bool remove_tree(const WCHAR *dir)
{
    WCHAR pattern[MAX_PATH], path[MAX_PATH];
    WIN32_FIND_DATAW found;
    HANDLE search;

    _snwprintf(pattern, MAX_PATH, L"%ls\\*", dir);
    search = FindFirstFileW(pattern, &found);
    while (search != INVALID_HANDLE_VALUE) {
        _snwprintf(path, MAX_PATH, L"%ls\\%ls", dir, found.cFileName);
        if (wcscmp(found.cFileName, L".") != 0 && wcscmp(found.cFileName, L"..") != 0) {
            if (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
                remove_tree(path);
            else
                DeleteFileW(path);
        }
        if (!FindNextFileW(search, &found))
            break;
    }
    if (search != INVALID_HANDLE_VALUE)
        FindClose(search);
    return RemoveDirectoryW(dir);
}

HRESULT WINAPI DestroyLayer(INFO info, PCWSTR id)
{
    HRESULT code = faulted("destroy-layer", id);
    WCHAR path[MAX_PATH];

    if (FAILED(code))
        return code;
    if (is_there(info, id, L".active"))
        return (HRESULT)SHARING;
    join(path, info, id, NULL);
    return remove_tree(path) ? S_OK : (HRESULT)NO_PATH;
}

HRESULT WINAPI LayerExists(INFO info, PCWSTR id, UINT32 *exists)
{
    *exists = is_there(info, id, NULL);
    return S_OK;
}

static uint64_t hash_of(PCWSTR text, uint64_t hash)
{
    for (; *text; text++)
        hash = (hash ^ *text) * 1099511628211ull;
    return hash;
}

/* A name's own, always the same, with the version bits of a name-based GUID; Windows' namespace is not public. */
HRESULT WINAPI NameToGuid(PCWSTR name, GUID *out)
{
    uint64_t high = hash_of(name, 14695981039346656037ull), low = hash_of(name, 88172645463325252ull);

    memcpy(out, &high, 8);
    memcpy((char *)out + 8, &low, 8);
    out->Data3 = (WORD)((out->Data3 & 0x0FFF) | 0x5000);
    out->Data4[0] = (BYTE)((out->Data4[0] & 0x3F) | 0x80);
    return S_OK;
}

HRESULT WINAPI ProcessBaseImage(PCWSTR path)
{
    return touch(NULL, path, L"blank-base.vhdx") && touch(NULL, path, L"blank.vhdx") && touch(NULL, path, L"layout") ? S_OK
                                                                                                                     : (HRESULT)NO_PATH;
}

HRESULT WINAPI ProcessUtilityImage(PCWSTR path)
{
    return touch(NULL, path, L"SystemTemplateBase.vhdx") && touch(NULL, path, L"SystemTemplate.vhdx") ? S_OK : (HRESULT)NO_PATH;
}

HRESULT WINAPI GrantVmAccess(PCWSTR vm_id, PCWSTR path)
{
    cJSON *request = emulated_request("grant-vm-access");

    emulated_add_wide(request, "id", vm_id);
    emulated_add_wide(request, "text", path);
    return emulated_ask_text(request, NULL, NULL, NULL);
}
